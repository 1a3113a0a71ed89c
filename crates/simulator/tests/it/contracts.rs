//! The made-up traders at perpetual contracts: beside the spot markets, near their prices, the same for the same seed, and with
//! some who overdo it.

use model::{
    AccountId, AccountName, AddContract, Amount, AssetId, Bracket, ChangeLeverage, ChangeMarginType, Command,
    ContractTerms, CreateAccount, Event, FundingRate, IndexSource, MarginType, MarketId, MoveFunds,
    PartitionId, PriceTicks, QtyLots, TimeNs, TradeGroup, Wallet,
};
use sha2::{Digest as _, Sha256};
use simulator::market::{Action, GAMBLERS, Listing, Pace, PriceSource, Request, TRADERS, Traders};

use crate::market::{MARKETS, World, listings};

const CONTRACTS: [MarketId; 2] = [MarketId(3), MarketId(4)];
const USDT: AssetId = AssetId(2);
const FUND: AccountId = AccountId(TRADERS.len() as u64 + 1);

/// The demo's markets, with a contract at each of the two that walk.
fn with_contracts() -> Vec<Listing> {
    let mut all = listings();
    for (of, market) in CONTRACTS.into_iter().enumerate() {
        let mut listing = Listing { market, price: PriceSource::Contract { of }, ..all[of].clone() };
        // Ticks of 0.1 and 0.01, lots of 0.001 and 0.01.
        let (price_scale, lot, ticks) = [(1, 100_000, 600_000), (2, 1_000_000, 300_000)][of];
        let terms = &mut listing.terms;
        terms.price_scale = price_scale;
        terms.base_atoms_per_lot = Amount(lot);
        terms.quote_atoms_per_tick_lot = Amount(lot / 10_i128.pow(u32::from(price_scale)));
        terms.initial_reference_ticks = PriceTicks(ticks);
        terms.min_notional = Amount([50, 20][of] * 100_000_000);
        terms.max_qty_lots = QtyLots(1_000_000);
        (terms.maker_fee_ppm, terms.taker_fee_ppm) = (200, 500);
        listing.activity_permille = 1_500;
        all.push(listing);
    }
    all
}

/// Lists the contracts in an exchange that has the markets and the traders, and prepares these for them.
fn list_contracts(world: &mut World) {
    let (name, trade_group) = (AccountName::new("insurance").unwrap(), TradeGroup::NONE);
    world.apply(Command::CreateAccount(CreateAccount { name, trade_group }));
    let bracket = |(cap, max_leverage, maintenance_ppm): (i128, u16, u32)| Bracket {
        cap: Amount(cap * 100_000_000),
        max_leverage,
        maintenance_ppm,
    };
    let brackets = [(50_000, 125, 4_000), (3_000_000, 75, 6_500), (100_000_000, 20, 25_000)].map(bracket);
    for (listing, of) in with_contracts().into_iter().filter(Listing::is_contract).zip(MARKETS) {
        let contract = ContractTerms {
            brackets: brackets.to_vec(),
            default_leverage: 20,
            max_position_lots: listing.terms.max_qty_lots,
            funding_interval_hours: 1,
            funding_cap: FundingRate(2_000_000),
            funding_floor: FundingRate(-2_000_000),
            interest: FundingRate(10_000),
            impact_notional: Amount(25_000 * 100_000_000),
            clearance_fee_ppm: 12_500,
            liquidation_step_lots: QtyLots(1),
            fund: FUND,
            sources: vec![IndexSource { market: Some(of), weight: 1 }],
            stale_after_ns: 10_000_000_000,
            outlier_ppm: 50_000,
        };
        let (terms, partition) = (listing.terms, PartitionId(0));
        world.apply(Command::AddContract(Box::new(AddContract { terms, contract, partition })));
    }
    let valid_until_ns = TimeNs::NEVER;
    for account in (1..=TRADERS.len() as u64).map(AccountId) {
        let (asset, amount, to) = (USDT, Amount(100_000_000_000_000_000), Wallet::Futures);
        let moved = MoveFunds { account, asset, amount, to, valid_until_ns };
        world.apply(Command::MoveFunds(Box::new(moved)));
    }
    for (trader, leverage) in GAMBLERS {
        let (account, margin_type) = (AccountId(trader.0 as u64 + 1), MarginType::Isolated);
        for market in CONTRACTS {
            let isolated = ChangeMarginType { account, market, margin_type, valid_until_ns };
            world.apply(Command::ChangeMarginType(isolated));
            world.apply(Command::ChangeLeverage(ChangeLeverage {
                account,
                market,
                leverage,
                valid_until_ns,
            }));
        }
    }
    assert_eq!(world.rejects, []);
}

fn requests(seed: u64, pace: Pace, listings: &[Listing], steps: usize) -> Vec<Request> {
    Traders::new(seed, 0, pace, listings).take(steps).flat_map(|step| step.requests).collect()
}

#[test]
fn spot_markets_are_the_same_with_and_without_contracts() {
    for pace in [Pace::CALM, Pace::BUSY] {
        let mut beside = requests(3, pace, &with_contracts(), 1_500);
        let all = beside.len();
        beside.retain(|request| MARKETS.contains(&request.market));
        assert_eq!(beside, requests(3, pace, &listings(), 1_500));
        assert!(all > beside.len() + 1_000, "{all} requests, {} of them not at contracts", beside.len());
    }
}

/// Pinned, as the story at the spot markets is. In each step contracts come last: the connections take turns once.
#[test]
fn a_seed_is_the_same_story_at_contracts_too() {
    let told = |pace| {
        let mut hash = Sha256::new();
        for step in Traders::new(1, 0, pace, &with_contracts()).take(2_000) {
            let first = step.requests.iter().position(|request| CONTRACTS.contains(&request.market));
            for request in &step.requests[first.unwrap_or(step.requests.len())..] {
                assert!(CONTRACTS.contains(&request.market));
                let is_known_there = match request.action {
                    Action::Place(_) | Action::Replace { .. } | Action::CancelAll => false,
                    Action::PlaceAtContract(_) | Action::ReduceAtContract(_) | Action::Cancel(_) => true,
                };
                assert!(is_known_there, "{request:?}");
                hash.update(format!("{request:?}\n"));
            }
        }
        hash.finalize().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    };
    assert_eq!(told(Pace::CALM), "7c5ed8f816319665");
    assert_eq!(told(Pace::BUSY), "e179f110e6159e10");
    let other = requests(2, Pace::CALM, &with_contracts(), 300);
    assert_ne!(other, requests(1, Pace::CALM, &with_contracts(), 300));
}

/// Near enough to be the same thing, and far enough that funding is not always the same.
#[test]
fn a_contract_keeps_its_distance_to_the_spot_price() {
    let (mut nearest, mut farthest) = (i64::MAX, 0);
    for seed in 1..=4 {
        let mut traders = Traders::new(seed, 0, Pace::BUSY, &with_contracts());
        for _ in 0..20 {
            traders.by_ref().take(250).for_each(drop);
            let [btc, eth, _, btc_contract, eth_contract] = traders.fair_prices()[..] else {
                panic!("five prices")
            };
            for (spot, contract) in [(btc.0, btc_contract.0 * 10), (eth.0, eth_contract.0)] {
                let away_ppm = (contract - spot).abs() * 1_000_000 / spot;
                assert!(away_ppm <= 2_510, "{contract} beside {spot}");
                (nearest, farthest) = (nearest.min(away_ppm), farthest.max(away_ppm));
            }
        }
    }
    assert!(nearest < 300 && farthest > 700, "from {nearest} to {farthest} millionths");
}

/// With prices that move six times as much as usual, for some hours.
#[test]
fn funding_is_paid_and_those_who_overdo_it_are_liquidated() {
    let mut world = World::new(300_000_000);
    list_contracts(&mut world);
    let mut listings = with_contracts();
    for listing in &mut listings {
        if let PriceSource::Walk { unrest_permille, .. } = &mut listing.price {
            *unrest_permille *= 6;
        }
    }
    let mut traders = Traders::new(1, 0, Pace::CALM, &listings);
    for _ in 0..2_000 {
        world.run(&mut traders, 1);
        world.apply(Command::Tick);
    }

    let fair = traders.fair_prices();
    for (market, fair) in CONTRACTS.into_iter().zip(&fair[3..]) {
        let (bid, ask) = world.touch(market);
        assert!(bid < ask && (ask - bid) * 500 < bid, "{bid} to {ask}");
        assert!((bid - fair.0).abs() * 100 < fair.0, "{bid} where {fair} is fair");
        let mark = world.partition.mark_price(market);
        assert!((mark.0 - fair.0).abs() * 50 < fair.0, "marked at {mark} where {fair} is fair");
        let traded = world.trades.iter().filter(|trade| trade.market == market).count();
        assert!(traded > 200, "{traded} trades");
    }
    let gamblers = GAMBLERS.map(|(trader, _)| AccountId(trader.0 as u64 + 1));
    let (mut liquidated, mut paid) = (0, 0);
    for event in &world.at_contracts {
        match event {
            Event::PositionLiquidationBegun { account, .. } => {
                assert!(gamblers.contains(account), "{account} was careful");
                liquidated += 1;
            }
            Event::FundingPaid(_) => paid += 1,
            other => panic!("nobody else is ever liquidated: {other:?}"),
        }
    }
    assert!(liquidated > 1, "{liquidated} liquidations");
    assert!(paid > 10, "{paid} payments of funding");
    assert!(world.rejects.len() * 5 < world.requests, "{:?}", world.rejects.last());
}
