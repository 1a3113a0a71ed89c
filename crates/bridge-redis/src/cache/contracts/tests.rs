//! Journals that the state machine is tested with, applied once more: whatever the cache shows of contracts, it notices when that
//! changes.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Coded as _, Reader};
use exchange::Partition;
use model::{
    AlgoOrderTracks, ClientOrderId, Command, ContractOrderModified, Event, EventBatch, EventSeq, Liquidity,
    OrderAmended, OrderKind, OrderPrevented, SelfTradePrevention, Sequenced, TimeNs,
};
use views::{IncomeKind, ViewSettings, Views};

use super::*;

/// Isolated positions and hedge mode, funding, a liquidation.
const POSITIONS: &str = include_str!("../../../../exchange/tests/golden/v7/journal.hex");
/// Algo orders, an order that is good till a date, modified orders.
const ALGO_ORDERS: &str = include_str!("../../../../exchange/tests/golden/v8/journal.hex");

/// The events of a journal batch by batch, with the views as they are behind each.
fn told(journal: &str) -> impl Iterator<Item = (EventBatch, Views)> {
    let (mut partition, mut views) = (Partition::default(), Views::new(ViewSettings::default()));
    journal.lines().map(move |line| {
        let bytes: Vec<u8> = (0..line.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("a line is bytes"))
            .collect();
        let mut input = Reader::new(&bytes);
        let time_ns = TimeNs::decode(&mut input).unwrap();
        let command = Command::decode(&mut input).unwrap();
        let seq = partition.seq().next();
        let first_event_seq = EventSeq(views.seq().0 + 1);
        let mut batch = EventBatch { first_seq: seq, time_ns, first_event_seq, ..EventBatch::default() };
        partition.apply(&Sequenced { seq, time_ns, command }, &mut batch.events);
        batch.ends.push(u32::try_from(batch.events.len()).unwrap());
        views.apply(&batch);
        (batch, views.clone())
    })
}

/// What is written together, and noted together.
type Place = (&'static str, u64, u64);

fn accounts(views: &Views) -> impl Iterator<Item = AccountId> {
    views.catalog().accounts().map(|(account, _)| account)
}

/// All that the cache shows, apart from how much is open at a contract, which accounts of other partitions change.
fn shown(views: &Views) -> BTreeMap<Place, String> {
    let listings = Listings::of(views.catalog());
    let futures = views.futures();
    let mut all = BTreeMap::new();
    for listing in listings.contracts() {
        let market = listing.market;
        let first = first_prices(listing);
        let prices = futures.prices(market).unwrap_or(&first);
        let fundings = views.contract_history().fundings(market, &Page::last(usize::MAX));
        let fundings: Vec<Fields> = fundings.iter().map(|funding| funding_fields(listing, funding)).collect();
        let prices = (mark_fields(listing, prices, QtyLots::ZERO, TimeNs(0)), fundings);
        all.insert(("prices", 0, market.0.into()), format!("{prices:?}"));
        let (depth, trades) = (views.depth(market), views.tape(market).trades(&Page::last(usize::MAX)));
        let book: (Vec<_>, Vec<_>) = (depth.bids().collect(), depth.asks().collect());
        all.insert(("market", 0, market.0.into()), format!("{book:?}{trades:?}"));
        for account in accounts(views) {
            let positions = SIDES.map(|side| position_text(futures, account, listing, side));
            all.insert(("positions", account.0, market.0.into()), format!("{positions:?}"));
        }
    }
    for account in accounts(views) {
        let income = views.contract_history().income(account, &Page::last(usize::MAX), |_| true);
        let wallets = (wallets(futures, account, &listings), income);
        all.insert(("wallets", account.0, 0), format!("{wallets:?}"));
        for order in views.contract_orders().open(account) {
            let listing = listings.market(order.market).unwrap();
            all.insert(("order", account.0, order.id.0), order_text(order, listing));
        }
        for order in views.algo_orders().open(account) {
            let listing = listings.market(order.accepted.market).unwrap();
            all.insert(("algo", account.0, order.accepted.algo.0), algo_text(order, listing));
        }
    }
    all
}

fn noted(changes: &Changes) -> BTreeSet<Place> {
    let markets = changes.markets.iter().map(|market| ("market", 0, market.0.into()));
    let prices = changes.prices.iter().map(|market| ("prices", 0, market.0.into()));
    let wallets = changes.wallets.iter().map(|account| ("wallets", account.0, 0));
    let positions =
        changes.positions.iter().map(|(account, market)| ("positions", account.0, market.0.into()));
    let orders = changes.contract_orders.iter().map(|(account, order)| ("order", account.0, order.0));
    let algo_orders = changes.algo_orders.iter().map(|(account, algo)| ("algo", account.0, algo.0));
    markets.chain(prices).chain(wallets).chain(positions).chain(orders).chain(algo_orders).collect()
}

#[test]
fn whatever_changes_is_noted() {
    for journal in [POSITIONS, ALGO_ORDERS] {
        let (mut before, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for (batch, views) in told(journal) {
            let mut changes = Changes::default();
            changes.note(&batch, &Listings::of(views.catalog()));
            let (after, noted) = (shown(&views), noted(&changes));
            let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
            for place in places {
                // Nothing is told of what was not there and has nothing.
                let of = |all: &BTreeMap<Place, String>| all.get(place).cloned();
                let is_new = of(&before).is_none() && matches!(place.0, "positions" | "wallets");
                if of(&before) != of(&after) && !is_new {
                    let events = &batch.events;
                    assert!(noted.contains(place), "{place:?} has changed with {events:#?}");
                    seen.insert(place.0);
                }
            }
            before = after;
        }
        let all = ["market", "order", "positions", "prices", "wallets"];
        assert!(all.into_iter().all(|kind| seen.contains(kind)), "of everything there is some: {seen:?}");
        assert_eq!(seen.contains("algo"), journal == ALGO_ORDERS);
    }
}

/// All events that streams of markets and of accounts are told, in the order of their batches.
fn streams(journal: &str) -> (Vec<Fields>, Vec<Fields>) {
    let (mut markets, mut accounts) = (Vec::new(), Vec::new());
    for (batch, views) in told(journal) {
        let mut changes = Changes::default();
        changes.note(&batch, &Listings::of(views.catalog()));
        markets.extend(changes.market_events.into_iter().map(|(_, fields)| fields));
        accounts.extend(changes.account_events.into_iter().map(|(_, fields)| fields));
    }
    (markets, accounts)
}

fn value<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value.as_str())
}

#[test]
fn streams_tell_what_has_happened() {
    let (markets, accounts) = streams(POSITIONS);
    let (of_markets, of_accounts) = streams(ALGO_ORDERS);
    let kinds: BTreeSet<&str> =
        markets.iter().chain(&of_markets).map(|fields| value(fields, "event")).collect();
    assert_eq!(kinds, ["funding", "trade"].into());
    let kinds: BTreeSet<&str> =
        accounts.iter().chain(&of_accounts).map(|fields| value(fields, "event")).collect();
    let expected = [
        "accepted",
        "algoAccepted",
        "algoEnded",
        "algoTriggered",
        "forced",
        "ended",
        "filled",
        "liquidation",
    ];
    assert!(expected.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let says = |event: &str, of: &[(&str, &str)]| {
        let all = accounts.iter().chain(&of_accounts);
        let mut of_this = all.filter(|fields| value(fields, "event") == event);
        assert!(
            of_this.any(|fields| of.iter().all(|(name, expected)| value(fields, name) == *expected)),
            "no {event} with {of:?}: {accounts:#?}"
        );
    };
    let at = |symbol| [("market", "futures"), ("symbol", symbol)];
    let with = |symbol, more: &[(&'static str, &'static str)]| [&at(symbol)[..], more].concat();
    says(
        "accepted",
        &with("BTCUSDT_PERP", &[("clientOrderId", "less"), ("reduceOnly", "true"), ("timeInForce", "GTC")]),
    );
    says("accepted", &with("ETHUSDT_PERP", &[("clientOrderId", "closes"), ("positionSide", "LONG")]));
    says("accepted", &with("BTCUSDT_PERP", &[("type", "LIQUIDATION")]));
    says("liquidation", &with("BTCUSDT_PERP", &[("status", "BEGUN"), ("positionSide", "BOTH")]));
    says("filled", &with("BTCUSDT_PERP", &[("price", "50000.0"), ("feeAsset", "USDT")]));
    says("algoAccepted", &with("BTCUSDT_PERP", &[("clientAlgoId", "my-stop")]));
    says("algoEnded", &with("BTCUSDT_PERP", &[("status", "CANCELED")]));
}

/// No journal here has such orders: their events are made up.
#[test]
fn orders_that_change_are_noted_and_told_as_they_are_now() {
    let (_, views) = told(POSITIONS).last().expect("a journal has commands");
    let listings = Listings::of(views.catalog());
    let listing = listings.contract("ETHUSDT_PERP").expect("it is listed");
    let (account, market, order) = (AccountId(6), listing.market, OrderId(70));
    let kind = OrderKind::LimitMaker { qty_lots: QtyLots(150), price_ticks: PriceTicks(300_000) };
    let self_trade_prevention = SelfTradePrevention::ExpireMaker;
    let modified = ContractOrderModified { order, account, market, kind, self_trade_prevention };
    let date = Event::GoodTillDate { order: OrderId(71), account, market, good_till_ns: TimeNs(5) };
    let amended = OrderAmended {
        order: OrderId(72),
        account,
        market,
        qty_lots: QtyLots(25),
        client_order_id: ClientOrderId::EMPTY,
        released: Amount::ZERO,
    };
    let prevented = OrderPrevented {
        order: OrderId(73),
        account,
        market,
        prevented_match: 0,
        liquidity: Liquidity::Maker,
        counter_order: OrderId(74),
        price_ticks: PriceTicks(300_000),
        prevented_lots: QtyLots(1),
        mode: self_trade_prevention,
        released: Amount::ZERO,
    };
    let tracks = AlgoOrderTracks { algo: AlgoId(75), account, market, price_ticks: PriceTicks(300_000) };
    let events = vec![
        Event::ContractOrderModified(modified),
        date,
        Event::OrderAmended(amended),
        Event::OrderPrevented(prevented),
        Event::AlgoOrderTracks(tracks),
    ];
    let mut changes = Changes::default();
    changes.note(&EventBatch { events, ends: vec![5], ..EventBatch::default() }, &listings);
    assert_eq!(changes.contract_orders, [70, 71, 72, 73].map(|order| (account, OrderId(order))).into());
    assert_eq!(changes.algo_orders, [(account, AlgoId(75))].into());
    let [(_, fields), (_, smaller)] = &changes.account_events[..] else {
        panic!("two things were told: {changes:?}")
    };
    let told: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let expected = [
        ("event", "amended"),
        ("time", "0"),
        ("market", "futures"),
        ("symbol", "ETHUSDT_PERP"),
        ("orderId", "70"),
        ("price", "3000.00"),
        ("qty", "1.50000000"),
    ];
    assert_eq!(told, expected);
    assert_eq!((value(smaller, "event"), value(smaller, "qty")), ("amended", "0.25000000"));
}

#[test]
fn positions_orders_and_income_have_the_names_of_the_api() {
    let (_, views) = told(POSITIONS).last().expect("a journal has commands");
    let listings = Listings::of(views.catalog());
    let named = |name: &str| listings.contract(name).expect("it is listed");
    let account =
        |name: &str| views.catalog().account_by_name(&model::AccountName::new(name).unwrap()).unwrap();
    let text = |account, listing, side| -> serde_json::Value {
        let text = position_text(views.futures(), account, listing, side).expect("there is a position");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let eth = named("ETHUSDT_PERP");
    let erin = text(account("erin"), eth, PositionSide::Long);
    assert_eq!(erin["positionAmt"], "2.00000000", "{erin}");
    assert_eq!((&erin["entryPrice"], &erin["marginType"]), (&"3000.0000".into(), &"cross".into()), "{erin}");
    let fred = text(account("fred"), eth, PositionSide::Short);
    assert_eq!(fred["positionAmt"], "-0.50000000", "{fred}");
    assert_eq!((&fred["leverage"], &fred["marginType"]), (&"12".into(), &"isolated".into()), "{fred}");
    assert_ne!(fred["isolatedWallet"], "0.00", "{fred}");
    assert_eq!(position_text(views.futures(), account("gina"), eth, PositionSide::Long), None);

    // The wallet with the margins of isolated positions is larger than the wallet without them.
    let [(_, cross, all)] = wallets(views.futures(), account("fred"), &listings)[..] else {
        panic!("there is one asset")
    };
    assert!(cross < all, "{cross} {all}");

    let carol = account("carol");
    let income = views.contract_history().income(carol, &Page::last(usize::MAX), |_| true);
    let paid = income.iter().find(|income| income.kind == IncomeKind::FundingFee).expect("there was funding");
    let btc = named("BTCUSDT_PERP");
    let fields = income_fields(paid, &btc.quote, Some(btc));
    assert_eq!(value(&fields, "incomeType"), "FUNDING_FEE");
    assert_eq!((value(&fields, "symbol"), value(&fields, "market")), ("BTCUSDT_PERP", "futures"));
    assert_eq!(value(&fields, "income"), btc.quote_amount(paid.amount).to_string());
    let [funding] = views.contract_history().fundings(btc.market, &Page::last(usize::MAX))[..] else {
        panic!("there was one settlement")
    };
    let fields = funding_fields(btc, &funding);
    assert_eq!(value(&fields, "fundingTime"), funding.time_ns.as_millis().to_string());

    let forced = views.contract_orders().all(account("alice"), btc.market, &Page::last(usize::MAX));
    let forced = forced.into_iter().find(|order| name_of(order).starts_with("autoclose-"));
    let fields = liquidation_fields(forced.expect("she was liquidated"), btc);
    assert_eq!((value(&fields, "event"), value(&fields, "side")), ("liquidation", "SELL"));
    assert!(fields.iter().all(|(name, _)| *name != "account"), "nobody is told whose it was");

    let open = views.contract_orders().open(account("erin"));
    let order: serde_json::Value = serde_json::from_str(&order_text(open[0], eth)).expect("it is JSON");
    assert_eq!(
        (&order["clientOrderId"], &order["positionSide"]),
        (&"closes".into(), &"LONG".into()),
        "{order}"
    );
    assert_eq!((&order["type"], &order["timeInForce"]), (&"LIMIT".into(), &"GTC".into()), "{order}");
}

#[test]
fn an_order_that_waits_tells_for_what() {
    let accepted = told(ALGO_ORDERS).filter_map(|(batch, views)| {
        let algo = batch.events.iter().find_map(|event| match event {
            Event::AlgoOrderAccepted(accepted) => Some(accepted.algo),
            _ => None,
        })?;
        let order = views.algo_orders().by_id(algo).expect("it waits").clone();
        let listings = Listings::of(views.catalog());
        let text = algo_text(&order, listings.market(order.accepted.market).unwrap());
        Some(serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON"))
    });
    let all: Vec<serde_json::Value> = accepted.collect();
    let stop = all.iter().find(|order| order["clientAlgoId"] == "my-stop").expect("it was accepted");
    assert_eq!((&stop["orderType"], &stop["workingType"]), (&"STOP_MARKET".into(), &"MARK_PRICE".into()));
    assert_eq!((&stop["triggerPrice"], &stop["priceProtect"]), (&"95".into(), &true.into()), "{stop}");
    assert!(all.iter().any(|order| order["closePosition"] == true), "{all:#?}");
    let trails = all.iter().find(|order| order["activatePrice"] == "103").expect("one trails from a price");
    assert_eq!(
        (&trails["orderType"], &trails["callbackRate"]),
        (&"TRAILING_STOP_MARKET".into(), &"10.0".into())
    );
}
