//! Contracts: after every command of a journal that has cross, isolated and hedged positions, the views have of each account what the
//! state machine has, and so have views that were saved and loaded.

use codec::{Coded as _, Reader};
use exchange::Partition;
use model::{
    AccountId, Amount, AssetId, Command, Event, EventBatch, EventSeq, MarginType, MarketId,
    PositionMarginChanged, PositionMode, PositionSide, Seq, Sequenced, Side, TimeNs,
};
use views::{Page, ViewSettings, Views};

/// What the program wrote whose snapshots knew of all this first.
const JOURNAL: &str = include_str!("../../../exchange/tests/golden/v7/journal.hex");
/// In hedge mode, with an open order for each of the two positions.
const ERIN: AccountId = AccountId(6);
const SIDES: [PositionSide; 3] = [PositionSide::Both, PositionSide::Long, PositionSide::Short];

fn journal() -> impl Iterator<Item = (TimeNs, Command)> {
    JOURNAL.lines().map(|line| {
        let bytes: Vec<u8> = (0..line.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("a line is bytes"))
            .collect();
        let mut input = Reader::new(&bytes);
        (TimeNs::decode(&mut input).unwrap(), Command::decode(&mut input).unwrap())
    })
}

fn assert_same(views: &Views, partition: &Partition) {
    let futures = views.futures();
    let usdt = AssetId(1);
    for account in (1..).map(AccountId).take_while(|account| partition.balances(*account).is_ok()) {
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
    let Ok(totals) = partition.totals(usdt) else { return };
    let backing = totals.wallets - totals.open_cost + totals.settling;
    assert_eq!(futures.backing(usdt), backing, "what wallets and margins have, less what positions cost");
}

#[test]
fn positions_are_what_the_state_machine_has() {
    let (mut partition, mut views) = (Partition::default(), Views::new(ViewSettings::default()));
    let mut loaded = Views::new(ViewSettings::default());
    for (time_ns, command) in journal() {
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
    for (time_ns, command) in journal() {
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
