//! What nobody asks for: where contracts live prices are taken every second, however much else there is, and what a command has
//! left over goes on when nothing else comes.

use std::sync::Arc;
use std::time::Instant;

use journal::faulty::FaultyStorage;
use model::{
    AccountId, AddAsset, AddContract, Amount, AssetId, AssetName, AssetTerms, Bracket, ClientOrderId,
    Command, ContractTerms, Deposit, Event, EventBatch, FundingRate, IndexSource, MarketId, MoveFunds,
    OrderKind, PartitionId, PlaceContractOrder, PositionSide, PriceTicks, QtyLots, Reference,
    SelfTradePrevention, SetIndexPrice, Side, TimeInForce, TimeNs, Wallet,
};
use sequencer::Subscription;

use crate::clients::{Client, PATIENCE, hand_in};
use crate::flow::{account, terms};
use crate::memory::{settings, start};

/// More than one command liquidates.
const LONG: u64 = 150;
/// Has all the short positions.
const RICH: u64 = LONG + 1;
const FUND: u64 = LONG + 2;

fn preparation() -> Vec<Command> {
    let asset = |name| {
        let terms = AssetTerms { name: AssetName::new(name).unwrap(), scale: 8 };
        Command::AddAsset(AddAsset { terms })
    };
    let mut commands = vec![asset("AAA"), asset("CCC")];
    for number in 1..=FUND {
        let (account_id, asset) = (AccountId(number), AssetId(1));
        // A position is worth 5,000,000 atoms, and takes a twentieth of that.
        let amount = Amount(if number <= LONG { 300_000 } else { 1_000_000_000_000 });
        let reference = Reference::new(&format!("{number}")).unwrap();
        commands.push(account(&format!("first-{number}")));
        commands.push(Command::Deposit(Box::new(Deposit { account: account_id, asset, amount, reference })));
        let (to, valid_until_ns) = (Wallet::Futures, TimeNs::NEVER);
        commands.push(Command::MoveFunds(Box::new(MoveFunds {
            account: account_id,
            asset,
            amount,
            to,
            valid_until_ns,
        })));
    }
    let contract = ContractTerms {
        brackets: vec![Bracket {
            cap: Amount(1_000_000_000_000_000),
            max_leverage: 20,
            maintenance_ppm: 4_000,
        }],
        default_leverage: 20,
        max_position_lots: QtyLots(1_000_000),
        funding_interval_hours: 8,
        funding_cap: FundingRate(1_000_000),
        funding_floor: FundingRate(-1_000_000),
        interest: FundingRate(10_000),
        impact_notional: Amount(1_000_000),
        clearance_fee_ppm: 1_000,
        liquidation_step_lots: QtyLots(1),
        fund: AccountId(FUND),
        sources: vec![IndexSource { market: None, weight: 1 }],
        stale_after_ns: 3_600_000_000_000,
        outlier_ppm: 50_000,
    };
    let (terms, partition) = (terms("AAACCC_PERP", 0, 1), PartitionId::FIRST);
    commands.push(Command::AddContract(Box::new(AddContract { terms, contract, partition })));
    commands
}

fn index(price: i64) -> Command {
    let (market, source, price_ticks) = (MarketId(0), 0, PriceTicks(price));
    Command::SetIndexPrice(SetIndexPrice { partition: PartitionId::FIRST, market, source, price_ticks })
}

fn order(who: u64, side: Side, price: i64, qty: i64) -> Command {
    Command::PlaceContractOrder(PlaceContractOrder {
        account: AccountId(who),
        market: MarketId(0),
        side,
        position_side: PositionSide::Both,
        kind: OrderKind::Limit {
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(qty),
            time_in_force: TimeInForce::Gtc,
        },
        self_trade_prevention: SelfTradePrevention::None,
        reduce_only: false,
        client_order_id: ClientOrderId::EMPTY,
        valid_until_ns: TimeNs::NEVER,
    })
}

/// The batches up to the one behind which `is_enough` says so.
fn until(subscription: &Subscription, mut is_enough: impl FnMut(&[Event]) -> bool) -> Vec<Arc<EventBatch>> {
    let mut all = Vec::new();
    loop {
        let batches = subscription.wait(PATIENCE).expect("the program goes on");
        assert!(!batches.is_empty(), "it never came");
        for batch in batches {
            let done = is_enough(&batch.events);
            all.push(batch);
            if done {
                return all;
            }
        }
    }
}

#[test]
fn prices_are_taken_and_liquidations_end_by_themselves() {
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, settings());
    let subscription = sequencer.egress().subscribe();
    let ingress = sequencer.ingress();
    Client::new().ask_all(ingress, preparation());
    // No tick comes of time alone here: it comes with the next command of another second.
    let (started, mut ticked) = (Instant::now(), 0);
    while ticked == 0 {
        assert!(started.elapsed() < PATIENCE, "no second is ever taken");
        hand_in(ingress, index(500)).unwrap();
        until(&subscription, |events| {
            ticked += events.iter().filter(|event| matches!(event, Event::MarkPriceChanged(_))).count();
            events.iter().any(|event| matches!(event, Event::IndexPriceSet { .. }))
        });
    }
    let positions =
        (1..=LONG).flat_map(|who| [order(RICH, Side::Sell, 500, 1_000), order(who, Side::Buy, 500, 1_000)]);
    Client::new().ask_all(ingress, positions.collect());
    // The last trade follows the index, so the mark price does.
    Client::new()
        .ask_all(ingress, vec![index(400), order(RICH, Side::Sell, 400, 1), order(FUND, Side::Buy, 400, 1)]);
    let (mut begun, mut ended) = (0, 0);
    let mut count = |events: &[Event]| {
        begun += events.iter().filter(|event| matches!(event, Event::LiquidationBegun { .. })).count();
        ended += events.iter().filter(|event| matches!(event, Event::LiquidationEnded { .. })).count();
        (begun, ended)
    };
    // Until a second has begun in which that price is taken.
    let mut mark = 500;
    while mark == 500 {
        assert!(started.elapsed() < PATIENCE, "the next second is never taken");
        hand_in(ingress, index(400)).unwrap();
        until(&subscription, |events| {
            count(events);
            for event in events {
                if let Event::MarkPriceChanged(changed) = event {
                    mark = changed.mark_ticks.0;
                }
            }
            events.iter().any(|event| matches!(event, Event::IndexPriceSet { .. }))
        });
    }
    // From now on nobody hands in anything.
    until(&subscription, |events| usize::try_from(LONG).is_ok_and(|all| count(events) == (all, all)));
    ingress.stop();
    sequencer.join().unwrap();
}
