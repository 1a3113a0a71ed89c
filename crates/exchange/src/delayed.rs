//! Messages may be late: delivered at random, in order only between the same two ends, they lead to the same balances and
//! books as when each command waits for its own.
//!
//! Markets see their orders in the order of the commands in both runs (a later command may not overtake an earlier one on
//! its way to the same market, or another order would have been first); what is late are the answers, and the mail of
//! different markets and accounts relative to each other. Accounts are rich enough for holds that are not given back yet.
//!
//! Commands whose outcome depends on what their account knows by then (a replacement places its new order when the cancel is
//! answered, a market order holds by the last price that was told) may well come out differently when that is late. Of them
//! it is required that nothing is lost: every command gets its answers, and all invariants hold when all is delivered.
#![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers are small")]

use model::{
    AccountId, AddAsset, AddMarket, AmendOrder, Amount, AssetId, AssetTerms, CancelAllOrders, CancelOrder,
    CancelRestriction, ClientOrderId, Command, CreateAccount, Deposit, EndReason, Event, FeeRounding, Letter,
    MarketId, MarketStatus, MarketTerms, OrderId, OrderKind, OrderRef, PlaceOrder, PriceTicks, QtyLots,
    Reference, ReplaceMode, ReplaceOrder, SelfTradePrevention, Seq, Sequenced, Side, Text, TimeInForce,
    TimeNs, TradeGroup, TriggerKind,
};
use orderbook::OrderSlot;
use proptest::prelude::*;

use crate::Partition;
use crate::messages::Posted;
use crate::open_orders::Hint;

const MARKETS: u32 = 3;
const ACCOUNTS: u64 = 5;

fn listing() -> Vec<Command> {
    let mut commands = Vec::new();
    for asset in 0..=MARKETS {
        let terms = AssetTerms { name: Text::new(&format!("A{asset}")).unwrap(), scale: 8 };
        commands.push(Command::AddAsset(AddAsset { terms }));
    }
    for market in 0..MARKETS {
        let (base, quote) = (AssetId(market + 1), AssetId(0));
        let terms = MarketTerms {
            name: Text::new(&format!("M{market}")).unwrap(),
            base,
            quote,
            price_scale: 2,
            tick_size: 1,
            base_atoms_per_lot: Amount(1_000),
            quote_atoms_per_tick_lot: Amount(10),
            min_price_ticks: PriceTicks(1),
            max_price_ticks: PriceTicks(1_000_000),
            min_qty_lots: QtyLots(1),
            max_qty_lots: QtyLots(1_000_000),
            min_notional: Amount::ZERO,
            max_notional: Amount::ZERO,
            max_open_orders: 1_000_000,
            max_open_orders_per_account: 1_000_000,
            max_amends_per_order: 10,
            maker_fee_ppm: 1_000,
            taker_fee_ppm: 2_000,
            fee_rounding: FeeRounding::Up,
            band_ppm: 100_000,
            initial_reference_ticks: PriceTicks(100),
            status: MarketStatus::Trading,
        };
        commands.push(Command::AddMarket(Box::new(AddMarket { terms })));
    }
    for account in 1..=ACCOUNTS {
        let name = Text::new(&format!("trader-{account}")).unwrap();
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
        for asset in 0..=MARKETS {
            commands.push(Command::Deposit(Box::new(Deposit {
                account: AccountId(account),
                asset: AssetId(asset),
                amount: Amount(1_000_000_000_000),
                reference: Reference::new(&format!("{account}-{asset}")).unwrap(),
            })));
        }
    }
    commands
}

fn trading() -> impl Strategy<Value = Command> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let force =
        prop_oneof![4 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    let stp = prop_oneof![
        3 => Just(SelfTradePrevention::None),
        1 => Just(SelfTradePrevention::ExpireMaker),
        1 => Just(SelfTradePrevention::ExpireTaker),
        1 => Just(SelfTradePrevention::ExpireBoth),
        1 => Just(SelfTradePrevention::Decrement),
        1 => Just(SelfTradePrevention::Transfer)
    ];
    let place = (1..=ACCOUNTS, 0..MARKETS, side, 95_i64..105, 1_i64..20, force, stp).prop_map(
        |(account, market, side, price, qty, time_in_force, self_trade_prevention)| {
            Command::PlaceOrder(PlaceOrder {
                account: AccountId(account),
                market: MarketId(market),
                side,
                kind: OrderKind::Limit {
                    price_ticks: PriceTicks(price),
                    qty_lots: QtyLots(qty),
                    time_in_force,
                },
                self_trade_prevention,
                client_order_id: ClientOrderId::EMPTY,
                valid_until_ns: TimeNs::NEVER,
            })
        },
    );
    let cancel = (1..=ACCOUNTS, 0..MARKETS, 1_u64..60).prop_map(|(account, market, order)| {
        Command::CancelOrder(CancelOrder {
            account: AccountId(account),
            market: MarketId(market),
            order: OrderRef::Id(OrderId(order)),
            restriction: CancelRestriction::None,
            valid_until_ns: TimeNs::NEVER,
        })
    });
    prop_oneof![4 => place, 1 => cancel]
}

fn trigger() -> impl Strategy<Value = TriggerKind> {
    prop_oneof![Just(TriggerKind::StopLoss), Just(TriggerKind::TakeProfit)]
}

/// As [`trading`], with all that an owner can ask for.
fn anything() -> impl Strategy<Value = Command> {
    let order = prop_oneof![
        // Few orders, so that several cancels of one of them are on their way.
        (1_u64..8).prop_map(|id| OrderRef::Id(OrderId(id))),
        (0_u8..4).prop_map(|name| OrderRef::Client(self::name(name))),
    ];
    let restriction = prop_oneof![
        4 => Just(CancelRestriction::None),
        1 => Just(CancelRestriction::OnlyNew),
        1 => Just(CancelRestriction::OnlyPartiallyFilled)
    ];
    let mode = prop_oneof![Just(ReplaceMode::StopOnFailure), Just(ReplaceMode::AllowFailure)];
    let kind = prop_oneof![
        3 => Just(None),
        1 => Just(Some(OrderKind::Market { qty_lots: QtyLots(7) })),
        1 => Just(Some(OrderKind::MarketQuote { quote_amount: Amount(7_000) })),
        2 => (trigger(), 98_i64..103).prop_map(|(trigger, stop)| Some(OrderKind::StopMarket {
            qty_lots: QtyLots(7),
            trigger,
            stop_ticks: PriceTicks(stop),
            trailing_bips: 0,
        })),
        1 => (trigger(), 95_i64..105).prop_map(|(trigger, price)| Some(OrderKind::StopLimit {
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(7),
            time_in_force: TimeInForce::Gtc,
            trigger,
            stop_ticks: PriceTicks::ZERO,
            trailing_bips: 100,
        })),
    ];
    (trading(), order, restriction, mode, kind, 0_u8..5, 0_u8..8).prop_map(
        |(command, order, restriction, mode, kind, called, what)| {
            let (account, market, valid_until_ns) = match &command {
                Command::PlaceOrder(place) => (place.account, place.market, place.valid_until_ns),
                Command::CancelOrder(cancel) => (cancel.account, cancel.market, cancel.valid_until_ns),
                other => unreachable!("trading is placing and cancelling, not {}", other.name()),
            };
            match (command, what) {
                (Command::PlaceOrder(mut place), 0..4) => {
                    place.kind = kind.unwrap_or(place.kind);
                    place.client_order_id = name(called);
                    Command::PlaceOrder(place)
                }
                (Command::PlaceOrder(mut place), _) => {
                    place.client_order_id = name(called);
                    Command::ReplaceOrder(Box::new(ReplaceOrder { cancel: order, restriction, mode, place }))
                }
                (_, 0..4) => {
                    Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
                }
                (_, 4) => Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns }),
                _ => Command::AmendOrder(AmendOrder {
                    account,
                    market,
                    order,
                    new_qty_lots: QtyLots(i64::from(called) + 1),
                    new_client_order_id: name(what),
                    valid_until_ns,
                }),
            }
        },
    )
}

/// Few names, so that they meet; 4 and above is none.
fn name(of: u8) -> ClientOrderId {
    if of < 4 { ClientOrderId::new(&format!("name-{of}")).unwrap() } else { ClientOrderId::EMPTY }
}

/// How many answers a command is owed, when its account has taken it.
fn answers_owed(command: &Command, at_once: &[Event], sent: usize) -> usize {
    match command {
        Command::CancelAllOrders(_) => sent.max(1),
        // One for the cancel and one for the new order, but where its rules alone forbid the new order.
        Command::ReplaceOrder(_) if at_once.len() == 1 && sent == 0 => 1,
        Command::ReplaceOrder(_) => 2,
        _ => 1,
    }
}

fn is_answer(event: &Event) -> bool {
    match event {
        Event::OrderAccepted(_) | Event::OrderAmended(_) | Event::Rejected { .. } => true,
        Event::OrderEnded(ended) => {
            matches!(
                ended.reason,
                EndReason::Canceled | EndReason::Expired(model::ExpiryReason::ExchangeCanceled)
            )
        }
        _ => false,
    }
}

/// Which messages may not overtake each other: those to the same market, and those from one market to one account.
fn pair(message: &Letter) -> (u8, u32, u64) {
    match message {
        Letter::ToMarket { market, .. } => (0, market.0, 0),
        Letter::ToAccount { market, account, .. } | Letter::ToHolder { market, account, .. } => {
            (1, market.0, account.0)
        }
        Letter::MarkPrice { market, .. } => (3, market.0, 0),
        Letter::WinnerAsked { market, .. } => (4, market.0, 0),
        Letter::ReferencePrice { market, .. } => (2, market.0, 0),
    }
}

/// Delivers one waiting message, any but those that have an earlier one of their pair before them.
fn deliver_any(
    partition: &mut Partition,
    waiting: &mut Vec<(Letter, OrderSlot)>,
    choice: usize,
    events: &mut Vec<Event>,
) {
    let first_of_pair: Vec<usize> = (0..waiting.len())
        .filter(|at| waiting[..*at].iter().all(|earlier| pair(&earlier.0) != pair(&waiting[*at].0)))
        .collect();
    let (letter, slot) = waiting.remove(first_of_pair[choice % first_of_pair.len()]);
    partition.deliver(&letter, slot, events);
    collect(partition, waiting);
}

fn other_choice(choice: usize) -> usize {
    choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// What is on its way, letter by letter.
fn collect(partition: &mut Partition, waiting: &mut Vec<(Letter, OrderSlot)>) {
    while let Some(round) = partition.mail.round() {
        for posted in &round.0 {
            match posted {
                Posted::Letter { letter, slot } => waiting.push((*letter, *slot)),
                Posted::Trade(trade) => waiting.extend(trade.letters()),
            }
        }
        partition.mail.delivered(round);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn late_messages_lead_to_the_same_balances_and_books(
        trading in proptest::collection::vec((trading(), proptest::collection::vec(any::<usize>(), 0..6)), 1..80),
        rest in any::<usize>(),
    ) {
        let mut prompt = Partition::default();
        let mut late = Partition::default();
        let mut waiting = Vec::new();
        let mut seq = Seq(0);
        let mut sequenced = |command: &Command| {
            seq = seq.next();
            Sequenced { seq, time_ns: TimeNs(seq.0), command: command.clone() }
        };
        for command in listing() {
            let input = sequenced(&command);
            prompt.apply(&input, &mut Vec::new());
            late.apply(&input, &mut Vec::new());
        }
        for (command, choices) in &trading {
            // A cancel of an order whose end is on its way is refused by whoever knows; the outcome is the same.
            let input = sequenced(command);
            prompt.apply(&input, &mut Vec::new());
            late.accept(&input, Hint::NONE, &mut Vec::new());
            collect(&mut late, &mut waiting);
            for choice in choices {
                if waiting.is_empty() {
                    break;
                }
                deliver_any(&mut late, &mut waiting, *choice, &mut Vec::new());
            }
        }
        let mut choice = rest;
        while !waiting.is_empty() {
            deliver_any(&mut late, &mut waiting, choice, &mut Vec::new());
            choice = other_choice(choice);
        }
        late.assert_invariants();
        prop_assert_eq!(late.snapshot(), prompt.snapshot());
    }

    /// Two cancels of one order on their way, one of them a replacement's: the answer to the one was taken for the answer to
    /// the other, and a replacement was forgotten, or told that it was not attempted though its cancel went through.
    #[test]
    fn every_command_is_answered_however_late(
        trading in proptest::collection::vec((anything(), proptest::collection::vec(any::<usize>(), 0..6)), 1..80),
        rest in any::<usize>(),
    ) {
        let mut late = Partition::default();
        let mut waiting = Vec::new();
        let mut seq = Seq(0);
        let mut sequenced = |command: &Command| {
            seq = seq.next();
            Sequenced { seq, time_ns: TimeNs(seq.0), command: command.clone() }
        };
        for command in listing() {
            late.apply(&sequenced(&command), &mut Vec::new());
        }
        let mut events = Vec::new();
        let mut owed = 0;
        for (command, choices) in &trading {
            let (told, sent) = (events.len(), waiting.len());
            late.accept(&sequenced(command), Hint::NONE, &mut events);
            collect(&mut late, &mut waiting);
            owed += answers_owed(command, &events[told..], waiting.len() - sent);
            for choice in choices {
                if waiting.is_empty() {
                    break;
                }
                deliver_any(&mut late, &mut waiting, *choice, &mut events);
            }
        }
        let mut choice = rest;
        while !waiting.is_empty() {
            deliver_any(&mut late, &mut waiting, choice, &mut events);
            choice = other_choice(choice);
        }
        late.assert_invariants();
        prop_assert_eq!(events.iter().filter(|event| is_answer(event)).count(), owed);
        prop_assert!(late.accounts.replacements.is_empty());
    }
}
