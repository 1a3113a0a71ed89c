//! Contracts: after every command of a journal that has cross, isolated and hedged positions, the views have of each account what the
//! state machine has, and so have views that were saved and loaded.

use codec::{Coded as _, Reader};
use exchange::Partition;
use model::{
    AccountId, Amount, AssetId, Command, Event, EventBatch, EventSeq, FundingRate, LevelChanged, MarginMove,
    MarginType, MarkPriceChanged, MarketId, PositionMarginChanged, PositionMode, PositionSide, PriceTicks,
    QtyLots, Seq, Sequenced, Side, TimeNs,
};
use views::{
    CandleQuery, Interval, MarginCause, MarginChange, Page, PriceKind, UtcOffset, ViewSettings, Views,
};

use crate::restart::{loaded, saved};

/// What the program wrote whose snapshots knew of all this first.
const JOURNAL: &str = include_str!("../../../exchange/tests/golden/v7/journal.hex");
/// In hedge mode, with an open order for each of the two positions.
const ERIN: AccountId = AccountId(6);
const SIDES: [PositionSide; 3] = [PositionSide::Both, PositionSide::Long, PositionSide::Short];

pub fn bytes_of(line: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("a line is bytes");
    (0..line.len()).step_by(2).map(byte).collect()
}

pub fn commands(journal: &str) -> impl Iterator<Item = (TimeNs, Command)> {
    journal.lines().map(|line| {
        let bytes = bytes_of(line);
        let mut input = Reader::new(&bytes);
        (TimeNs::decode(&mut input).unwrap(), Command::decode(&mut input).unwrap())
    })
}

fn accounts(partition: &Partition) -> impl Iterator<Item = AccountId> {
    (1..).map(AccountId).take_while(|account| partition.balances(*account).is_ok())
}

/// Of each account the views have what the state machine has.
pub fn assert_same(views: &Views, partition: &Partition) {
    let futures = views.futures();
    let usdt = AssetId(1);
    for account in accounts(partition) {
        assert_eq!(futures.wallet(account, usdt), partition.wallet(account, usdt), "the wallet of {account}");
        assert_eq!(futures.position_mode(account), partition.position_mode(account), "the mode of {account}");
        let mut held = 0;
        for market in partition.catalog().contracts().map(|(market, _)| market) {
            for side in SIDES {
                let (ours, theirs) = (
                    futures.position_of(account, market, side),
                    partition.position_of(account, market, side),
                );
                let told = (ours.qty_lots, ours.cost);
                assert_eq!(
                    told,
                    (theirs.qty_lots, theirs.cost),
                    "{account}'s position at {market}, {side:?}"
                );
                held += usize::from(!theirs.is_none());
                let (ours, theirs) =
                    (futures.margin(account, market, side), partition.position_margin(account, market, side));
                assert_eq!(
                    ours.unwrap_or_default(),
                    theirs.unwrap_or_default(),
                    "{account}'s margin at {market}, {side:?}"
                );
            }
            let isolated = partition.position_margin(account, market, PositionSide::Both).is_some();
            assert_eq!(futures.margin_type(account, market) == MarginType::Isolated, isolated);
        }
        let told = futures.positions_of(account).count() + futures.legs_of(account).count();
        assert_eq!(told, held, "the positions of {account}, and no others");
    }
    for market in partition.catalog().contracts().map(|(market, _)| market) {
        let open = futures.open_interest(market);
        assert_eq!(open.long_lots, partition.open_interest(market), "what is open at {market}");
        let net = |account: AccountId| {
            let of = |side: &PositionSide| partition.position_of(account, market, *side).qty_lots.0;
            SIDES.iter().map(of).sum::<i64>()
        };
        let all: Vec<i64> = accounts(partition).map(net).collect();
        let count = |is: fn(&i64) -> bool| u64::try_from(all.iter().copied().filter(is).count()).unwrap();
        let counted = (count(|net| *net > 0), count(|net| *net < 0));
        assert_eq!((open.longs, open.shorts), counted, "on which sides of {market} accounts are");
    }
    let holders: Vec<AccountId> = futures.holders_from(AccountId(0)).collect();
    let has_any = |account: &AccountId| {
        futures.positions_of(*account).next().is_some() || futures.legs_of(*account).next().is_some()
    };
    assert_eq!(holders, accounts(partition).filter(has_any).collect::<Vec<_>>(), "who has a position");
    let Ok(totals) = partition.totals(usdt) else { return };
    let backing = totals.wallets - totals.open_cost + totals.settling;
    assert_eq!(futures.backing(usdt), backing, "what wallets and margins have, less what positions cost");
}

#[test]
fn positions_are_what_the_state_machine_has() {
    let (mut partition, mut views) = (Partition::default(), Views::new(ViewSettings::default()));
    let mut loaded = Views::new(ViewSettings::default());
    for (time_ns, command) in commands(JOURNAL) {
        let seq = partition.seq().next();
        let mut batch = EventBatch {
            first_seq: seq,
            time_ns,
            first_event_seq: EventSeq(views.seq().0 + 1),
            ..EventBatch::default()
        };
        partition.apply(&Sequenced { seq, time_ns, command }, &mut batch.events);
        batch.ends.push(u32::try_from(batch.events.len()).unwrap());
        views.apply(&batch);
        loaded.apply(&batch);
        assert_same(&views, &partition);
        let mut bytes = Vec::new();
        loaded.save(&mut bytes);
        let mut input = Reader::new(&bytes);
        loaded = Views::load(ViewSettings::default(), &mut input).expect("what was saved can be loaded");
        input.finish().expect("and nothing is left over");
        assert_same(&loaded, &partition);
        assert_eq!(saved(&loaded), saved(&views), "the same views have the same bytes");
    }
    // Loaded ones tell it too: which position an order is for, and a trade.
    for views in [&views, &loaded] {
        let market = MarketId(2);
        let open = views.contract_orders().open_in(ERIN, market);
        let sides: Vec<_> =
            open.iter().filter_map(|order| order.at_contract).map(|it| it.position_side).collect();
        assert_eq!(sides, [PositionSide::Long, PositionSide::Short]);
        let trades = views.contract_history().trades(ERIN, market, None, &Page::last(10));
        let sides: Vec<_> = trades.iter().map(|trade| (trade.side, trade.position_side)).collect();
        assert_eq!(sides, [(Side::Buy, PositionSide::Long), (Side::Sell, PositionSide::Short)]);
    }
    let futures = views.futures();
    let hedged = (1..20).map(AccountId).filter(|it| futures.position_mode(*it) == PositionMode::Hedge);
    assert!(hedged.count() >= 3, "the journal has accounts in hedge mode");
    let isolated = |it: &AccountId| futures.margin_type(*it, MarketId(2)) == MarginType::Isolated;
    assert!((1..20).map(AccountId).filter(isolated).count() >= 3, "and isolated positions");
}

/// The views with what each batch has told, and the state machine right behind it.
fn play(mut look: impl FnMut(&Views, &Partition, &Command, &[Event])) -> Views {
    let (mut partition, mut views) = (Partition::default(), Views::new(ViewSettings::default()));
    for (time_ns, command) in commands(JOURNAL) {
        let seq = partition.seq().next();
        let mut events = Vec::new();
        partition.apply(&Sequenced { seq, time_ns, command: command.clone() }, &mut events);
        let ends = vec![u32::try_from(events.len()).unwrap()];
        let first_event_seq = EventSeq(views.seq().0 + 1);
        let batch = EventBatch { first_seq: seq, time_ns, first_event_seq, events, ends };
        views.apply(&batch);
        look(&views, &partition, &command, &batch.events);
    }
    views
}

#[test]
fn what_has_moved_between_wallets_and_margins_is_told_with_who_has_moved_it() {
    let (mut told, mut by_owners) = (Vec::new(), Vec::new());
    let views = play(|_, _, command, events| {
        let is_refused = events.iter().any(|event| matches!(event, Event::Rejected { .. }));
        if let Command::MovePositionMargin(moves) = command
            && !is_refused
        {
            let moved = match moves.way {
                MarginMove::Add => moves.amount,
                MarginMove::Reduce => -moves.amount,
            };
            by_owners.push((moves.account, moves.market, moves.position_side, moved));
        }
        for event in events {
            if let Event::PositionMarginChanged(changed) = event
                && !changed.moved.is_zero()
            {
                told.push((changed.account, changed.market, changed.position_side, changed.moved));
            }
        }
    });
    assert!(by_owners.len() >= 3 && told.len() > by_owners.len() + 3, "{told:?}");
    let all = |views: &Views| {
        let of = |account, market| {
            let history = views.contract_history();
            let changes = history.margin_changes(account, market, &Page::last(1_000), |_| true);
            changes.into_iter().cloned().collect::<Vec<MarginChange>>()
        };
        let accounts = (1..20).map(AccountId);
        let mut all: Vec<MarginChange> = accounts
            .flat_map(|account| [1, 2].map(|market| of(account, MarketId(market))))
            .flatten()
            .collect();
        all.sort_by_key(|change| change.id);
        all
    };
    let what = |change: &MarginChange| (change.account, change.market, change.position_side, change.moved);
    let changes = all(&views);
    assert_eq!(changes.iter().map(what).collect::<Vec<_>>(), told);
    let by_owner = changes.iter().filter(|change| change.cause == MarginCause::Owner).map(what);
    assert_eq!(by_owner.collect::<Vec<_>>(), by_owners);

    // Bounded, for each and for all, also when loaded with less room than before.
    let few = ViewSettings {
        margin_changes_kept_per_account: 2,
        margin_changes_kept: 4,
        ..ViewSettings::default()
    };
    let small = all(&loaded(&few, &saved(&views)));
    assert!(small.len() == 4 && small.iter().all(|change| changes.contains(change)), "{small:?}");
    let carols = small.iter().filter(|change| change.account == AccountId(4)).count();
    assert!(carols <= 2, "{small:?}");
}

/// A level of a book: its side, price in ticks, and quantity.
type Level = (Side, i64, QtyLots);

/// What of an impact notional the book would take on average is worked out here by hand, in floating point.
#[test]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "what it is compared with is worked out in another way"
)]
fn the_premium_is_that_of_the_book() {
    let mut views = play(|_, _, _, _| {});
    let market = MarketId(1);
    let terms = views.catalog().market(market).unwrap();
    let impact = views.catalog().contract(market).unwrap().impact_notional;
    let value = (impact.0 / terms.quote_atoms_per_tick_lot.0) as f64;
    let lots_of_half = |price: i64| QtyLots((value / 2.0 / price as f64) as i64);
    let much = QtyLots(1 << 30);
    let (buy, sell) = (Side::Buy, Side::Sell);
    // Levels, and by how many ticks the impact prices that they give are beyond the index.
    let split = lots_of_half(404_000);
    let over_both = value / (split.0 as f64 + (value - (split.0 * 404_000) as f64) / 402_000.0);
    let cases: [(&[Level], f64); 5] = [
        (&[], 0.0),
        (&[(buy, 401_000, much), (sell, 402_000, much)], 1_000.0),
        (&[(sell, 399_000, much)], -1_000.0),
        (&[(buy, 399_000, much), (sell, 401_000, much)], 0.0),
        (&[(buy, 402_000, much), (buy, 404_000, split)], over_both - 400_000.0),
    ];
    let mut before: Vec<(Side, PriceTicks)> = Vec::new();
    let depth = views.depth(market);
    before.extend(depth.bids().map(|(price, _)| (buy, price)));
    before.extend(depth.asks().map(|(price, _)| (sell, price)));
    let mut wanted = Vec::new();
    for ((levels, ticks), second) in cases.into_iter().zip(1..) {
        let mut update_id = views.depth(market).last_update_id();
        let mut change = |side, price_ticks, open_lots| {
            update_id += 1;
            Event::LevelChanged(LevelChanged { market, update_id, side, price_ticks, open_lots })
        };
        let mut events: Vec<Event> =
            before.drain(..).map(|(side, price)| change(side, price, QtyLots::ZERO)).collect();
        for (side, price, lots) in levels {
            events.push(change(*side, PriceTicks(*price), *lots));
            before.push((*side, PriceTicks(*price)));
        }
        events.push(Event::MarkPriceChanged(MarkPriceChanged {
            market,
            index_ticks: PriceTicks(400_000),
            mark_ticks: PriceTicks(400_000),
            rate: FundingRate::ZERO,
            next_funding_ns: TimeNs(0),
        }));
        views.apply(&EventBatch {
            first_seq: views.command_seq().next(),
            time_ns: TimeNs(views.time_ns().0 / 1_000_000_000 * 1_000_000_000 + second * 1_000_000_000),
            first_event_seq: EventSeq(views.seq().0 + 1),
            ends: vec![u32::try_from(events.len()).unwrap()],
            events,
        });
        wanted.push(ticks / 400_000.0 * 1e8);
    }
    let (now, limit) = (views.time_ns(), 100);
    let query = CandleQuery {
        interval: Interval::Second1,
        offset: UtcOffset::UTC,
        start: None,
        end: None,
        limit,
        now,
    };
    let told: Vec<i64> = views
        .price_candles(market, PriceKind::Premium, &query)
        .iter()
        .filter(|candle| candle.trades > 0)
        .map(|candle| candle.close.0)
        .collect();
    let told = &told[told.len() - wanted.len()..];
    let near = |(told, wanted): (&i64, &f64)| (*told as f64 - wanted).abs() <= 1.0;
    assert!(told.iter().zip(&wanted).all(near), "{told:?}, wanted {wanted:?}");
    assert_eq!(told[1..4], [250_000, -250_000, 0]);
    // Loaded, they go on.
    let again = loaded(&ViewSettings::default(), &saved(&views));
    assert_eq!(
        again.price_candles(market, PriceKind::Premium, &query),
        views.price_candles(market, PriceKind::Premium, &query)
    );
}

/// The journal has no such debt: its events are made up.
#[test]
fn what_the_fund_pays_for_an_isolated_position_is_behind_it() {
    let (mut partition, mut views) = (Partition::default(), Views::new(ViewSettings::default()));
    let mut last = (Seq(0), TimeNs(0));
    let apply = |views: &mut Views, seq: Seq, time_ns: TimeNs, events: Vec<Event>| {
        let ends = vec![u32::try_from(events.len()).unwrap()];
        let first_event_seq = EventSeq(views.seq().0 + 1);
        views.apply(&EventBatch { first_seq: seq, time_ns, first_event_seq, events, ends });
    };
    for (time_ns, command) in commands(JOURNAL) {
        let seq = partition.seq().next();
        let mut events = Vec::new();
        partition.apply(&Sequenced { seq, time_ns, command }, &mut events);
        apply(&mut views, seq, time_ns, events);
        last = (seq, time_ns);
    }
    // Fred is in hedge mode, and isolated at this contract.
    let (fred, market, usdt, side) = (AccountId(7), MarketId(2), AssetId(1), PositionSide::Short);
    let (before, wallet) = (views.futures().backing(usdt), views.futures().wallet(fred, usdt));
    let margin = views.futures().margin(fred, market, side).expect("it is isolated");
    let told = |margin, moved| {
        let changed =
            PositionMarginChanged { account: fred, market, position_side: side, moved, margin, wallet };
        Event::PositionMarginChanged(Box::new(changed))
    };
    let owed = Amount(-190);
    apply(&mut views, last.0.next(), last.1, vec![told(owed, Amount::ZERO)]);
    assert_eq!(views.futures().margin(fred, market, side), Some(owed));
    let covered =
        Event::PositionDebtCovered { account: fred, market, position_side: side, amount: Amount(190) };
    apply(&mut views, last.0.next().next(), last.1, vec![covered, told(Amount::ZERO, Amount::ZERO)]);
    let futures = views.futures();
    assert_eq!(futures.margin(fred, market, side), Some(Amount::ZERO));
    assert_ne!(margin, Amount::ZERO);
    assert_eq!(futures.backing(usdt), before + Amount(190), "it has come out of the fund's wallet");
    let income = views.contract_history().income(fred, &Page::last(1), |_| true);
    assert_eq!(income.first().map(|income| income.amount), Some(Amount(190)));
}
