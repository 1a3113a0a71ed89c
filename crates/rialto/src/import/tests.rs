//! Plans from rows, and what an exchange in memory makes of them. Reading real databases is for the acceptance tests.

use super::carry::source_of;
use super::map::UnexplainedHolds;
use super::*;

/// Rows of one query, as `column=value` separated by spaces; `-` is NULL.
fn add(
    plan: &mut Plan,
    section: &'static str,
    add: fn(&mut Plan, &Row) -> Result<(), String>,
    rows: &[&str],
) {
    for (number, row) in (1..).zip(rows) {
        let cells = row.split(' ').map(|cell| cell.split_once('=').unwrap());
        let (names, values): (Vec<String>, Vec<Option<String>>) =
            cells.map(|(name, value)| (name.to_owned(), (value != "-").then(|| value.to_owned()))).unzip();
        if let Err(problem) = add(plan, &Row { section, number, names: &names, values: &values }) {
            plan.problems.add(problem);
        }
    }
}

const MARKET: &str = "name=BTCUSDT base=BTC quote=USDT tick_size=0.010 lot_size=0.0001 initial_price=60000 maker_fee=0.001000 \
                      max_open_orders_per_account=3 status=-";

/// Two users, of whom the first has two open orders.
fn plan(balances: &[&str], orders: &[&str]) -> Plan {
    let mut plan = Plan::default();
    add(&mut plan, "assets", Plan::add_asset, &["name=BTC scale=8", "name=USDT scale=6"]);
    add(&mut plan, "markets", Plan::add_market, &[MARKET]);
    add(&mut plan, "accounts", Plan::add_account, &["id=7 name=user-7", "id=12 name=user-12 trade_group=5"]);
    add(&mut plan, "balances", Plan::add_balance, balances);
    add(
        &mut plan,
        "api_keys",
        Plan::add_key,
        &["account=7 key=abc secret=s3cret permissions=read,trade ip_ranges=10.0.0.0/8"],
    );
    add(&mut plan, "open_orders", Plan::add_order, orders);
    plan.finish(UnexplainedHolds::Refuse);
    plan
}

const BALANCES: [&str; 3] = [
    "account=7 asset=USDT free=100.50 held=600.000000000000000000",
    "account=7 asset=BTC free=0 held=0.5",
    "account=12 asset=BTC free=1.00000001 held=0",
];
const ORDERS: [&str; 2] = [
    "id=31 account=7 market=BTCUSDT side=buy price=60000.00 quantity=0.01 name=-",
    "id=44 account=7 market=BTCUSDT side=SELL price=61000.05 quantity=0.5 name=mine",
];

fn carried(plan: &Plan, known: &Known, exchange: &mut Rehearsal) -> Carried {
    let keys = KeyStore::open(MasterKey::generate().unwrap(), []).unwrap();
    carry(plan, known, &keys, source_of("mysql://old/shop").unwrap(), exchange).unwrap()
}

#[test]
fn everything_comes_once() {
    let plan = plan(&BALANCES, &ORDERS);
    assert_eq!(plan.problems.shown, Vec::<String>::new());
    let mut exchange = Rehearsal::default();
    let first = carried(&plan, &Known::default(), &mut exchange);
    assert_eq!(first.problems.shown, Vec::<String>::new());
    let new = first.counts.map(|(what, count)| (what, count.new));
    assert_eq!(
        new,
        [
            ("assets", 2),
            ("markets", 1),
            ("accounts", 2),
            ("balances", 3),
            ("API keys", 1),
            ("open orders", 2)
        ]
    );
    let home = |_| &exchange.partition;
    let of = |asset: usize| sums(&first, first.assets[asset], home).unwrap();
    assert_eq!(of(0), (Amount(100_000_001), Amount(50_000_000)));
    assert_eq!(of(1), (Amount(100_500_000), Amount(600_000_000)));
    assert_eq!((of(0).0 + of(0).1, of(1).0 + of(1).1), (plan.total(0), plan.total(1)));

    // Again, with the same names known, and after one of the orders has been cancelled.
    let known = Known {
        assets: plan
            .assets
            .iter()
            .zip(&first.assets)
            .map(|(terms, id)| (terms.name, (*id, terms.scale)))
            .collect(),
        markets: [(plan.markets[0].1.name, model::MarketId(0))].into(),
        accounts: plan
            .accounts
            .iter()
            .zip(&first.accounts)
            .map(|(account, id)| (account.name, *id))
            .collect(),
    };
    let cancel = Command::CancelAllOrders(model::CancelAllOrders {
        account: first.accounts[0],
        market: model::MarketId(0),
        valid_until_ns: model::TimeNs::NEVER,
    });
    exchange.all(vec![cancel]).unwrap();
    let before = exchange.partition.totals(first.assets[0]).copied().unwrap();
    let again = carried(&plan, &known, &mut exchange);
    assert!(again.is_nothing_new(), "{:?}", again.counts);
    assert_eq!(again.counts.map(|(_, count)| count.there), [2, 1, 2, 3, 1, 2]);
    assert_eq!(exchange.partition.totals(first.assets[0]).copied().unwrap(), before);
    assert_eq!(exchange.partition.levels(model::MarketId(0), model::Side::Buy).unwrap().count(), 0);
}

/// Each problem is told in the row where it is, with what would be right.
#[test]
fn what_does_not_fit_is_refused() {
    let problems = |balances: &[&str], orders: &[&str]| plan(balances, orders).problems.shown.join("\n");
    let with = |extra: &'static str| {
        let mut all = BALANCES.to_vec();
        all.push(extra);
        problems(&all, &ORDERS)
    };
    assert_eq!(
        with("account=12 asset=USDT free=0.0000001 held=0"),
        "balances, row 4: free is '0.0000001': at most 6 decimals are possible here"
    );
    assert!(
        with("account=12 asset=USDT free=-1 held=0")
            .starts_with("balances, row 4: free is '-1': a decimal number looks")
    );
    assert!(with("account=12 asset=USDT free=- held=0").ends_with("free is 'NULL': a value is needed"));
    assert!(
        with("account=13 asset=USDT free=1 held=0")
            .ends_with("account is '13': no account with this id comes")
    );
    assert!(
        with("account=12 asset=DOGE free=1 held=0").ends_with("asset is 'DOGE': no asset of this name comes")
    );
    assert!(
        with("account=7 asset=BTC free=1 held=0").contains("a second balance of BTC of the account user-7")
    );
    assert!(with("account=12 asset=USDT held=0").contains(
        "balances: the query has no column named free; it has account, asset, held. SELECT ... AS free names one"
    ));
    assert!(
        with("account=12 asset=USDT free=0 held=3").contains(
            "the account user-12 has 3.000000 USDT held, and its open orders come to 0.000000; balances.unexplained_holds = \"free\""
        )
    );
    let order = |row: &'static str| problems(&BALANCES, &[ORDERS[0], ORDERS[1], row]);
    assert!(order("id=44 account=7 market=BTCUSDT side=BUY price=1 quantity=1").contains("ORDER BY id"));
    assert!(
        order("id=45 account=7 market=BTCUSDT side=BUY price=1.001 quantity=1")
            .ends_with("price is '1.001': at most 2 decimals are possible here")
    );
    assert!(
        order("id=45 account=7 market=BTCUSDT side=BUY price=1 quantity=0")
            .ends_with("no multiple of the lot_size")
    );
    assert!(
        order("id=45 account=7 market=BTCUSDT side=BOTH price=1 quantity=1")
            .ends_with("side is 'BOTH': BUY or SELL")
    );
    assert!(
        order("id=45 account=7 market=BTCUSDT side=BUY price=61000.05 quantity=1")
            .contains("the order 45 buys BTCUSDT at the price at which 44 sells, or above: they would trade")
    );
    assert!(
        order("id=45 account=12 market=BTCUSDT side=BUY price=1 quantity=1")
            .contains("the account user-12 has 0.000000 USDT held, and its open orders come to 1.000000")
    );
}

/// What only the exchange's rules refuse is found before anything is written.
#[test]
fn the_rehearsal_finds_what_an_exchange_would_refuse() {
    let orders: Vec<String> = (1..=4)
        .map(|id| format!("id={id} account=7 market=BTCUSDT side=BUY price={id} quantity=1"))
        .collect();
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    let plan = plan(&["account=7 asset=USDT free=0 held=10"], &orders);
    assert_eq!(plan.problems.shown, Vec::<String>::new());
    let tried = carried(&plan, &Known::default(), &mut Rehearsal::default());
    assert_eq!(tried.problems.count, 1);
    assert!(tried.problems.shown[0].starts_with("the order 4 was refused: "), "{:?}", tried.problems.shown);
}

/// What cannot be the same asset is told before the first of the others is listed.
#[test]
fn an_asset_of_another_scale_stops_everything() {
    let plan = plan(&BALANCES, &ORDERS);
    let known = Known { assets: [(plan.assets[1].name, (AssetId(0), 8))].into(), ..Known::default() };
    let keys = KeyStore::open(MasterKey::generate().unwrap(), []).unwrap();
    let mut exchange = Rehearsal::default();
    let refused = carry(&plan, &known, &keys, source_of("mysql://old/shop").unwrap(), &mut exchange);
    let told = refused.err().unwrap().to_string();
    assert!(told.contains("the asset USDT with scale 8, and the map brings it with 6"), "{told}");
    assert_eq!(exchange.partition.catalog().assets().count(), 0);
}

/// With the same problem in every row, it is told once, and the rest are counted.
#[test]
fn problems_are_not_told_a_million_times() {
    let mut problems = plan::Problems::default();
    for row in 0..100 {
        problems.add(format!("row {row}"));
        problems.add("the query has no column named free".to_owned());
    }
    assert_eq!((problems.shown.len(), problems.count), (20, 200));
    assert_eq!(problems.shown.iter().filter(|problem| problem.contains("free")).count(), 1);
}

#[test]
fn a_map_is_read_as_the_documentation_shows_it() {
    let text = include_str!("../../../../docs/import.md");
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "the page has an example");
    for block in blocks {
        let map: Map = toml::from_str(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        assert!(map.accounts.query.contains("SELECT"));
    }
    let typo = toml::from_str::<Map>("[accounts]\nquerry = \"SELECT 1\"").unwrap_err().to_string();
    assert!(typo.contains("querry"), "{typo}");
}
