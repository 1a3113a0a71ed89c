//! What stands in the tables when all is well: the same, however the events were cut into batches.

use std::time::Duration;

use model::{
    AccountId, AccountName, AddAsset, Amount, AssetId, AssetName, AssetTerms, ClientOrderId, Command,
    CreateAccount, Deposit, MarketId, OrderKind, PlaceOrder, PriceTicks, QtyLots, Reference,
    RequestWithdrawal, SelfTradePrevention, SettleWithdrawal, Side, TimeInForce, TimeNs, TradeGroup,
    WithdrawalId,
};
use sink_sql::{SqlSettings, migrate, rebuild};

use crate::flow::{Flow, account, preparation};
use crate::world::World;

const COMMANDS: usize = 4_000;

/// In pieces, so that the exchange has stopped and started in between.
fn traded(seed: u64) -> (World, model::EventSeq) {
    let (mut world, mut flow) = (World::new(), Flow::new(seed));
    world.run(preparation());
    world.run(flow.take(COMMANDS / 2));
    let end = world.run(flow.take(COMMANDS / 2));
    (world, end)
}

/// An order that changed five times is one row, and five batches make the same row as one. What is remembered makes no
/// difference, nor does a writer that stops and starts.
#[test]
fn however_events_are_cut_into_batches_the_tables_are_the_same() {
    let (world, end) = traded(1);
    let whole = world.settings("whole");
    assert_eq!(migrate(&whole).unwrap(), (0, 2));
    world.write(&whole, end);
    let tables = world.tables("whole");
    let has = |word: &str| tables.contains(word);
    for word in
        ["PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "WITHDRAWAL", "UNFILLED_FOK", "trades price"]
    {
        assert!(has(word) || word.starts_with("trades"), "the flow has {word}");
    }
    let checked = world.check(&whole);
    assert_eq!((checked.differences.clone(), checked.count), (Vec::new(), 0));
    assert!(checked.trades > 100 && checked.balances > 10 && checked.orders > 1_000, "{checked:?}");

    for (name, batch_max_events, rows_remembered) in
        [("single", 1, 0), ("some", 50, 3), ("many", 500, 100_000)]
    {
        let settings = SqlSettings { batch_max_events, rows_remembered, ..world.settings(name) };
        migrate(&settings).unwrap();
        world.write(&settings, end);
        assert!(world.tables(name) == tables, "{name}: other rows");
    }

    let settings =
        SqlSettings { batch_max_events: 20, stop_timeout: Duration::ZERO, ..world.settings("stopped") };
    migrate(&settings).unwrap();
    let mut stops = 0;
    loop {
        let writer = world.start(&settings);
        let from = writer.status().transactions();
        crate::world::wait_until("some is written", || {
            writer.status().transactions() > from + 20 || writer.status().event_seq() == end
        });
        let is_done = writer.status().event_seq() == end;
        // Wherever it is: in the middle of a transaction, mostly.
        drop(writer);
        stops += 1;
        if is_done {
            break;
        }
    }
    assert!(stops > 3, "it was stopped in between");
    assert!(world.tables("stopped") == tables, "stopped in between: other rows");
}

#[test]
fn tables_that_are_derived_again_are_the_same() {
    let (world, end) = traded(2);
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let tables = world.tables("database");
    world.execute("database", "DELETE FROM trades");
    world.execute("database", "UPDATE balances SET free = '0'");
    let mut told = (0, 0);
    let rebuilt = rebuild(&settings, &[world.storage()], &mut |done, of| told = (done, of)).unwrap();
    assert_eq!(rebuilt.events, end.0);
    assert_eq!(told.0, told.1, "the progress ends at its end");
    assert!(world.tables("database") == tables);
}

/// A check that finds nothing would be worth nothing.
#[test]
fn a_check_finds_what_is_not_as_the_journal_says() {
    let (world, end) = traded(3);
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    world.write(&settings, end);
    assert_eq!(world.check(&settings).count, 0);
    let atom_more = "UPDATE balances SET free = substr(free, 1, length(free) - 1) || ((substr(free, -1) + 1) % 10) WHERE rowid_is";
    let cases = [
        (atom_more.replace("rowid_is", "account_id = 1 AND asset_id = 1"), "free of asset 1 of account 1"),
        ("DELETE FROM trades WHERE trade_id = 5 AND market_id = 0".to_owned(), "trades of market 0"),
        ("DELETE FROM orders WHERE order_id = (SELECT MAX(order_id) FROM orders)".to_owned(), "orders:"),
        (
            "UPDATE orders SET ended_at = updated_at WHERE ended_at IS NULL".to_owned(),
            "not open in the database",
        ),
        (
            "UPDATE orders SET executed_quote = '0.00000001' WHERE status = 'FILLED'".to_owned(),
            "executed in market",
        ),
        ("DELETE FROM ledger_postings WHERE kind = 'DEPOSIT'".to_owned(), "postings of asset"),
        (
            "UPDATE ledger_postings SET fee = '0.00000000' WHERE kind = 'TRADE_RECEIVED'".to_owned(),
            "sum of fees",
        ),
        ("DELETE FROM balances WHERE account_id = 2".to_owned(), "balances that are not zero"),
        ("DELETE FROM accounts WHERE account_id = 2".to_owned(), "accounts:"),
    ];
    for (sql, told) in cases {
        rebuild(&settings, &[world.storage()], &mut |_, _| {}).unwrap();
        world.execute("database", &sql);
        let checked = world.check(&settings);
        assert!(checked.differences.iter().any(|difference| difference.contains(told)), "{sql}: {checked:?}");
    }
}

/// From 10^-18 of a unit to 10^36 units.
#[test]
fn the_largest_and_the_finest_amounts_are_exact() {
    let mut world = World::new();
    let asset = |name: &str, scale| {
        Command::AddAsset(AddAsset { terms: AssetTerms { name: AssetName::new(name).unwrap(), scale } })
    };
    let deposit = |asset, amount, reference: &str| {
        let reference = Reference::new(reference).unwrap();
        Command::Deposit(Box::new(Deposit {
            account: AccountId(1),
            asset: AssetId(asset),
            amount: Amount(amount),
            reference,
        }))
    };
    let largest = AssetTerms::MAX_TOTAL_DEPOSITS.0;
    let end = world.run(vec![
        asset("WHOLE", 0),
        asset("FINE", 18),
        account("it's \\ 'everything'".replace(' ', "_").as_str()),
        deposit(0, largest, "all-of-it"),
        deposit(1, largest - 1, "most-of-it"),
        deposit(1, 1, "the-rest';--"),
        Command::RequestWithdrawal(Box::new(RequestWithdrawal {
            account: AccountId(1),
            asset: AssetId(1),
            amount: Amount(1),
            reference: Reference::new("one-atom").unwrap(),
        })),
        Command::SettleWithdrawal(SettleWithdrawal { withdrawal: WithdrawalId(1), paid_out: true }),
    ]);
    let settings = SqlSettings { batch_max_events: 1, rows_remembered: 0, ..world.settings("database") };
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let tables = world.tables("database");
    let has = |text: &str| assert!(tables.contains(text), "{text} in\n{tables}");
    has("free=Text(\"1000000000000000000000000000000000000\")");
    has("free=Text(\"999999999999999999.999999999999999999\")");
    has(
        "amount=Text(\"-0.000000000000000001\") fee=Text(\"0.000000000000000000\") total_after=Text(\"999999999999999999.999999999999999999\")",
    );
    has("name=Text(\"it's_\\\\_'everything'\")");
    assert_eq!(world.check(&settings).count, 0);
}

/// Between two accounts of a group what would have traded changes hands: postings without a trade, and no fee.
#[test]
fn a_transfer_is_two_postings_a_side_and_no_trade() {
    let mut world = World::new();
    let mut commands = preparation();
    let member = |name: &str| {
        Command::CreateAccount(CreateAccount {
            name: AccountName::new(name).unwrap(),
            trade_group: TradeGroup(7),
        })
    };
    let (one, other) = (AccountId(5), AccountId(6));
    let deposit = |account, asset| {
        let reference = Reference::new(&format!("group-{account}-{asset}")).unwrap();
        Command::Deposit(Box::new(Deposit {
            account,
            asset: AssetId(asset),
            amount: Amount(1_000_000),
            reference,
        }))
    };
    let place = |account, side, price, lots| {
        Command::PlaceOrder(PlaceOrder {
            account,
            market: MarketId(0),
            side,
            kind: OrderKind::Limit {
                price_ticks: PriceTicks(price),
                qty_lots: QtyLots(lots),
                time_in_force: TimeInForce::Gtc,
            },
            self_trade_prevention: SelfTradePrevention::Transfer,
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        })
    };
    commands.extend([
        member("one"),
        member("other"),
        deposit(one, 0),
        deposit(other, 2),
        place(one, Side::Sell, 500, 3),
        // At a better price than its own: what it held on top comes free.
        place(other, Side::Buy, 510, 2),
    ]);
    let end = world.run(commands);
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let checked = world.check(&settings);
    assert_eq!((checked.differences, checked.trades), (Vec::new(), 0));
    let tables = world.tables("database");
    for (kind, count) in [("TRANSFER_PAID", 2), ("TRANSFER_RECEIVED", 2), ("TRADE_PAID", 0)] {
        assert_eq!(tables.matches(kind).count(), count, "{kind} in\n{tables}");
    }
    // 2 lots of 1,000 atoms at 500 ticks of 10 atoms a lot.
    assert!(
        tables.contains(
            "account_id=Integer(6) asset_id=Integer(2) free=Text(\"0.00990000\") held=Text(\"0.00000000\")"
        ),
        "{tables}"
    );
    assert!(
        tables.contains(
            "account_id=Integer(5) asset_id=Integer(0) free=Text(\"0.00997000\") held=Text(\"0.00001000\")"
        ),
        "{tables}"
    );
}
