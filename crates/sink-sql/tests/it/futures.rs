//! Perpetual contracts in the tables: positions both ways, isolated and hedged ones, funding, liquidations, beside spot orders.

use std::collections::BTreeSet;

use journal::EventLogReader;
use model::{AccountId, Amount, EventSeq, MarginType, PositionSide, Seq};
use rusqlite::Connection;
use sink_sql::{Decimal, SqlError, SqlSettings, State, Tables, migrate, rebuild};
use views::{IncomeKind, Page, ViewSettings, Views};

use crate::flow::preparation;
use crate::traders::{CONTRACTS, FUND, SETTLED, TRADERS, flow};
use crate::world::{World, wait_for};

fn traded(seed: u64, count: usize) -> (World, EventSeq) {
    let mut world = World::new();
    let end = world.record(&flow(seed, count));
    (world, end)
}

#[test]
fn however_events_are_cut_into_batches_contracts_are_the_same() {
    let (world, end) = traded(1, 6_000);
    let whole = world.settings("whole");
    migrate(&whole).unwrap();
    world.write(&whole, end);
    let tables = world.tables("whole");
    for word in [
        "kind=Text(\"SPOT\")",
        "kind=Text(\"PERPETUAL\")",
        "TRANSFER",
        "REALIZED_PNL",
        "COMMISSION",
        "FUNDING_FEE",
        "INSURANCE_CLEAR",
        "margin_type=Text(\"CROSS\")",
        "margin_type=Text(\"ISOLATED\")",
        "position_side=Text(\"BOTH\")",
        "position_side=Text(\"LONG\")",
        "position_side=Text(\"SHORT\")",
        "placed_by=Text(\"LIQUIDATION\")",
        "reduce_only=Integer(1)",
        "GTX",
        "GTD",
        "GOOD_TILL_DATE",
        "\nfunding_rates ",
    ] {
        assert!(tables.contains(word), "the flow has {word}");
    }
    let checked = world.check(&whole);
    assert_eq!((checked.differences, checked.count), (Vec::new(), 0));
    assert!(checked.positions > 10 && checked.trades > 1_000, "{} {}", checked.positions, checked.trades);
    for (name, batch_max_events, rows_remembered) in [("single", 1, 0), ("some", 50, 3)] {
        let settings = SqlSettings { batch_max_events, rows_remembered, ..world.settings(name) };
        migrate(&settings).unwrap();
        world.write(&settings, end);
        assert!(world.tables(name) == tables, "{name}: other rows");
    }
}

/// The rows of two databases are those of one; but for assets, accounts and the writers' own, no row is in both.
#[test]
fn spot_and_futures_in_two_databases_are_what_they_are_in_one() {
    let (world, end) = traded(2, 3_000);
    let write = |name: &str, tables| {
        // Contracts are known already, or come in the same batch as their first orders.
        let settings = SqlSettings { tables, batch_max_events: 40, ..world.settings(name) };
        migrate(&settings).unwrap();
        world.write(&settings, end);
        let checked = world.check(&settings);
        assert_eq!((checked.differences, checked.count), (Vec::new(), 0), "{name}");
        let rows = world.tables(name);
        let kept = rows.lines().filter(|row| !row.starts_with("writer_position"));
        kept.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let (all, spot, futures) =
        (write("all", Tables::All), write("spot", Tables::Spot), write("futures", Tables::Futures));
    assert_eq!(all, spot.union(&futures).cloned().collect());
    let in_both: BTreeSet<&str> =
        spot.intersection(&futures).map(|row| row.split(' ').next().unwrap()).collect();
    assert_eq!(in_both, BTreeSet::from(["accounts", "assets"]));
}

#[test]
fn a_database_that_was_written_with_other_tables_is_left_alone_until_it_is_rebuilt() {
    let (world, end) = traded(3, 500);
    let settings = |tables| SqlSettings { tables, ..world.settings("database") };
    migrate(&settings(Tables::All)).unwrap();
    world.write(&settings(Tables::Spot), end);
    let before = world.tables("database");
    let writer = world.start(&settings(Tables::All));
    wait_for(&writer, State::Stopped);
    assert!(world.tables("database") == before, "nothing was changed");
    let refused = sink_sql::check(&settings(Tables::All), &[world.storage()], &mut |_, _| {});
    assert!(matches!(refused, Err(SqlError::OtherTables)), "{refused:?}");
    assert_eq!(rebuild(&settings(Tables::All), &[world.storage()], &mut |_, _| {}).unwrap().events, end.0);
    assert_eq!(world.check(&settings(Tables::All)).count, 0);
}

/// The tables of the version before there were contracts in them, and what was in them.
#[test]
fn tables_of_the_first_version_become_those_of_today() {
    let (mut world, settings) = (World::new(), World::new().settings("unused"));
    let settings = SqlSettings { url: world.settings("database").url, ..settings };
    let first = include_str!("../../src/schema/0001.sql")
        .replace("TABLE_OPTIONS", "")
        .replace("OPEN_ORDERS", "(account_id) WHERE ended_at IS NULL")
        .replace("AMOUNT", "TEXT")
        .replace("MOMENT", "TEXT")
        .replace("BYTES", "BLOB");
    let database = Connection::open(world.file("database")).unwrap();
    database.execute_batch(&first).unwrap();
    let versions = "CREATE TABLE rialto_migrations (version INTEGER NOT NULL PRIMARY KEY); \
                    INSERT INTO rialto_migrations VALUES (1); \
                    INSERT INTO assets VALUES (0, 'AAA', 8, '2026-01-01 00:00:00.000000'); \
                    INSERT INTO markets VALUES (0, 'AAACCC', 0, 2, '1', '1', '1', '1', '1', '1', '1', '1', 'TRADING', '2026');";
    database.execute_batch(versions).unwrap();
    assert_eq!(migrate(&settings).unwrap(), (1, 2));
    assert!(world.tables("database").contains("kind=Text(\"SPOT\")"));
    let end = world.run(preparation());
    rebuild(&settings, &[world.storage()], &mut |_, _| {}).unwrap();
    world.write(&settings, end);
    assert_eq!(world.check(&settings).count, 0);
}

/// A check that finds nothing would be worth nothing.
#[test]
fn a_check_finds_what_is_not_as_the_journal_says_of_contracts() {
    let (world, end) = traded(4, 1_500);
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let open = "quantity NOT IN ('0.00000000', '-0.00000000')";
    let cases = [
        (
            "UPDATE futures_wallets SET balance = '0.00000001' WHERE account_id = 5".to_owned(),
            "the futures wallet",
        ),
        (format!("DELETE FROM positions WHERE {open}"), "positions that are open"),
        (format!("UPDATE positions SET quantity = '1.00000000' WHERE {open}"), "quantity of the position"),
        ("UPDATE positions SET cost = '1.00000000'".to_owned(), "cost of the position"),
        (
            "UPDATE positions SET margin = '1.00000000' WHERE margin IS NOT NULL".to_owned(),
            "margin of the position",
        ),
        ("DELETE FROM income WHERE kind = 'COMMISSION'".to_owned(), "sum of income"),
        ("DELETE FROM funding_rates".to_owned(), "settlements of funding"),
        ("DELETE FROM trades WHERE market_id = 2".to_owned(), "asset 0 traded in market 2"),
    ];
    for (sql, told) in cases {
        rebuild(&settings, &[world.storage()], &mut |_, _| {}).unwrap();
        assert_eq!(world.check(&settings).count, 0);
        world.execute("database", &sql);
        let checked = world.check(&settings);
        assert!(checked.differences.iter().any(|difference| difference.contains(told)), "{sql}: {checked:?}");
    }
}

/// What the API tells is what the tables have: wallets, positions, settings, and every income.
#[test]
fn rows_of_contracts_are_what_the_views_have() {
    let (world, end) = traded(5, 4_000);
    let settings = SqlSettings { batch_max_events: 40, rows_remembered: 2, ..world.settings("database") };
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let kept = 1 << 20;
    let mut views = Views::new(ViewSettings {
        income_kept_per_account: kept,
        income_kept: kept,
        fundings_kept: kept,
        ..ViewSettings::default()
    });
    let mut reader = EventLogReader::open(&world.storage(), Seq(1)).unwrap();
    while let Some(frame) = reader.next().unwrap() {
        views.apply(&sequencer::decode_batch(&frame).unwrap());
    }
    let database = Connection::open(world.file("database")).unwrap();
    let rows = |sql: String| -> Vec<Vec<String>> {
        let mut statement = database.prepare(&sql).unwrap();
        let columns = statement.column_count();
        let text = |value: rusqlite::types::Value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| Ok(text(row.get(column)?))).collect();
        statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let shown = |amount: Amount| Decimal { units: amount.0, scale: 8 }.to_string();
    let (mut incomes, mut open, mut isolated) = (0, 0, 0);
    for account in std::iter::once(FUND).chain(TRADERS).map(AccountId) {
        let wallet = rows(format!("SELECT balance FROM futures_wallets WHERE account_id = {account}"));
        assert_eq!(wallet, [[shown(views.futures().wallet(account, SETTLED))]], "account {account}");
        let income = views.contract_history().income(account, &Page::last(kept), |_| true);
        let wanted: Vec<Vec<String>> = income
            .iter()
            .map(|income| {
                let kind = match income.kind {
                    IncomeKind::Transfer => "TRANSFER",
                    IncomeKind::Commission => "COMMISSION",
                    IncomeKind::RealizedPnl => "REALIZED_PNL",
                    IncomeKind::FundingFee => "FUNDING_FEE",
                    IncomeKind::InsuranceClear => "INSURANCE_CLEAR",
                };
                let market = income.market.map_or_else(|| "-1".to_owned(), |market| market.to_string());
                let trade = income.trade.map_or_else(|| "-1".to_owned(), |trade| trade.to_string());
                vec![
                    kind.to_owned(),
                    market,
                    trade,
                    shown(income.amount),
                    (income.time_ns.0 / 1_000).to_string(),
                ]
            })
            .collect();
        let found = rows(format!(
            "SELECT kind, COALESCE(market_id, -1), COALESCE(trade_id, -1), amount, CAST(strftime('%s', posted_at) AS INTEGER) * \
             1000000 + CAST(substr(posted_at, 21) AS INTEGER) FROM income WHERE account_id = {account} ORDER BY event_seq, leg"
        ));
        assert_eq!(found, wanted, "account {account}");
        incomes += found.len();
        for market in CONTRACTS {
            for (side, word) in
                [(PositionSide::Both, "BOTH"), (PositionSide::Long, "LONG"), (PositionSide::Short, "SHORT")]
            {
                let position = views.futures().position_of(account, market, side);
                let margin = views.futures().margin(account, market, side);
                let found = rows(format!(
                    "SELECT quantity, cost, COALESCE(margin, '') FROM positions WHERE account_id = {account} AND market_id = {market} \
                     AND position_side = '{word}'"
                ));
                let Some(found) = found.first() else {
                    assert!(position.qty_lots.is_zero(), "account {account} at {market}, {word}");
                    continue;
                };
                let terms = views.catalog().market(market).unwrap();
                let quantity = shown(terms.base_amount(position.qty_lots));
                assert_eq!(
                    found[..2],
                    [quantity, shown(position.cost)],
                    "account {account} at {market}, {word}"
                );
                if !position.qty_lots.is_zero() {
                    assert_eq!(found[2], margin.map(shown).unwrap_or_default(), "account {account}");
                    open += 1;
                    isolated += u32::from(margin.is_some());
                }
            }
            let found = rows(format!(
                "SELECT COALESCE(leverage, 0), margin_type FROM position_settings WHERE account_id = {account} AND market_id = {market}"
            ));
            let leverage = views.futures().leverage(account, market).unwrap_or(0).to_string();
            let margin_type = match views.futures().margin_type(account, market) {
                MarginType::Cross => "CROSS",
                MarginType::Isolated => "ISOLATED",
            };
            let found = found.first().map_or(["0", "CROSS"], |row| [row[0].as_str(), row[1].as_str()]);
            assert_eq!(found, [leverage.as_str(), margin_type], "account {account} at {market}");
        }
    }
    assert!(incomes > 1_000 && open > 4 && isolated > 1, "{incomes} {open} {isolated}");
    for market in CONTRACTS {
        let fundings = views.contract_history().fundings(market, &Page::last(kept));
        let wanted: Vec<_> = fundings
            .iter()
            .map(|funding| {
                let rate = Decimal { units: funding.rate.0.into(), scale: 8 }.to_string();
                let price = Decimal { units: funding.mark_ticks.0.into(), scale: 2 }.to_string();
                vec![rate, price]
            })
            .collect();
        assert!(wanted.len() > 2);
        let found = rows(format!(
            "SELECT rate, mark_price FROM funding_rates WHERE market_id = {market} ORDER BY settled_at"
        ));
        assert_eq!(found, wanted, "contract {market}");
    }
}
