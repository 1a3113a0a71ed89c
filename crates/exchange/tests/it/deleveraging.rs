//! Deleveraging among more positions than one command looks at: they are ranked in slices, others are served meanwhile, and it goes
//! on behind a restart as if there had been none.

use exchange::Partition;
use model::{
    AccountId, AccountName, Amount, AssetId, ClientOrderId, Command, CreateAccount, Deposit, Event, Forced,
    MarketId, OrderKind, PartitionId, PlaceContractOrder, PositionSide, PriceTicks, QtyLots, Reference,
    SelfTradePrevention, Seq, Sequenced, SetIndexPrice, Side, TimeInForce, TimeNs, TradeGroup, Wallet,
};

use crate::contracts::{LARGE, Plan, SECOND, SMALL, TRADERS, UNIT, beginning, into};

/// With short positions, of which one command ranks about a fifth.
const WINNERS: u64 = 4_500;
const PRICE: i64 = 500_000;

struct Driven {
    partition: Partition,
    journal: Vec<Sequenced<Command>>,
    seconds: u64,
    events: Vec<Event>,
}

impl Driven {
    fn give(&mut self, command: Command) {
        let seq = Seq(u64::try_from(self.journal.len()).unwrap() + 1);
        let input = Sequenced { seq, time_ns: TimeNs(self.seconds * SECOND), command };
        self.partition.apply(&input, &mut self.events);
        self.journal.push(input);
    }

    fn order(&mut self, who: u64, market: MarketId, side: Side, price: i64, qty: i64) {
        let kind = OrderKind::Limit {
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(qty),
            time_in_force: TimeInForce::Gtc,
        };
        self.give(Command::PlaceContractOrder(PlaceContractOrder {
            account: AccountId(who),
            market,
            side,
            position_side: PositionSide::Both,
            kind,
            self_trade_prevention: SelfTradePrevention::None,
            reduce_only: false,
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        }));
    }

    fn prices(&mut self, price: i64) {
        for (market, source) in [(SMALL, 0), (SMALL, 1), (LARGE, 1)] {
            let price_ticks = PriceTicks(if market == SMALL { price } else { PRICE });
            let partition = PartitionId::FIRST;
            self.give(Command::SetIndexPrice(SetIndexPrice { partition, market, source, price_ticks }));
        }
        self.seconds += 1;
        self.give(Command::Tick);
    }
}

/// An account whose wallet has so many whole units, at most a thousand.
fn joins(driven: &mut Driven, who: u64, units: i128) {
    let name = AccountName::new(&format!("many-{who}")).unwrap();
    driven.give(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
    let (account, asset, amount) = (AccountId(who), AssetId(1), Amount(1_000 * UNIT));
    let reference = Reference::new(&format!("many-{who}")).unwrap();
    driven.give(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
    driven.give(into(account, Amount(units * UNIT), Wallet::Futures));
}

#[test]
fn thousands_are_ranked_in_slices_and_others_are_served_meanwhile() {
    let plan = Plan { fund: 0, isolated: 0, hedged: 0, steps: Vec::new(), restart_every: 1 };
    let (partition, journal, events) = (Partition::default(), Vec::new(), Vec::new());
    let mut driven = Driven { partition, journal, seconds: 1, events };
    for command in beginning(&plan) {
        driven.give(command);
    }
    let rich = 2;
    driven.give(into(AccountId(rich), Amount(10_000_000 * UNIT), Wallet::Futures));
    driven.prices(PRICE);
    let first = TRADERS + 2;
    // One who is ranked in the middle has least beside his position, so he has won most with most leverage.
    let boldest = first + WINNERS / 2;
    for who in first..first + WINNERS {
        joins(&mut driven, who, if who == boldest { 100 } else { 900 });
        driven.order(who, SMALL, Side::Sell, PRICE, 10);
        driven.order(rich, SMALL, Side::Buy, PRICE, 10);
    }
    let poor = first + WINNERS;
    joins(&mut driven, poor, 300);
    driven.order(rich, SMALL, Side::Sell, PRICE, 20);
    driven.order(poor, SMALL, Side::Buy, PRICE, 20);
    driven.partition.assert_invariants();

    driven.events.clear();
    driven.prices(PRICE * 7 / 10);
    let is_deleveraged =
        |event: &Event| matches!(event, Event::PositionForced(it) if it.forced == Forced::Deleveraged);
    assert!(!driven.events.iter().any(is_deleveraged), "nobody is ranked within one command");
    let (mut slices, mut traded) = (0, 0);
    while driven.partition.has_work() {
        driven.partition.assert_invariants();
        driven.partition = Partition::restore(&driven.partition.snapshot()).expect("a snapshot can be read");
        let before = driven.events.len();
        match slices % 3 {
            0 => driven.order(3, LARGE, Side::Sell, PRICE, 1),
            1 => driven.order(4, LARGE, Side::Buy, PRICE, 1),
            _ => driven.give(Command::Continue),
        }
        let told = &driven.events[before..];
        traded +=
            told.iter().filter(|it| matches!(it, Event::Traded(traded) if traded.market == LARGE)).count();
        slices += 1;
        assert!(slices < 100, "it comes to an end");
    }
    assert!(slices > 2 && traded > 0, "{slices} slices, {traded} trades in between");
    let mut deleveraged = driven.events.iter().filter_map(|event| match event {
        Event::PositionForced(forced) if forced.forced == Forced::Deleveraged => Some(forced.account.0),
        _ => None,
    });
    assert_eq!(deleveraged.next(), Some(boldest), "he has won most with most leverage");
    assert_eq!(deleveraged.next(), Some(first), "of equal ones the oldest is next");
    assert!(driven.partition.position(AccountId(poor), SMALL).is_none());
    driven.partition.assert_invariants();

    let mut again = Partition::default();
    for input in &driven.journal {
        again.apply(input, &mut Vec::new());
    }
    assert!(again.snapshot() == driven.partition.snapshot(), "as if nobody had been restarted");
}
