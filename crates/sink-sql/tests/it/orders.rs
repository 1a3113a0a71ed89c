//! Every row of an order says what the API says of it.

use journal::EventLogReader;
use model::{Amount, Command, OrderId, OrderKind, QtyLots, Seq};
use rusqlite::Connection;
use sink_sql::{Decimal, SqlSettings, migrate};
use views::{OrderStatus, ViewSettings, Views};

use crate::flow::{Flow, preparation};
use crate::world::World;

/// All orders are kept.
fn views(world: &World) -> Views {
    let settings =
        ViewSettings { orders_kept_per_account: 1 << 20, orders_kept: 1 << 20, ..ViewSettings::default() };
    let mut views = Views::new(settings);
    let mut reader = EventLogReader::open(&world.storage(), Seq(1)).unwrap();
    while let Some(frame) = reader.next().unwrap() {
        views.apply(&sequencer::decode_batch(&frame).unwrap());
    }
    views
}

const fn word(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::New => "NEW",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

/// The flow's orders by amount are for less than a lot.
fn for_some_lots(mut command: Command) -> Command {
    if let Command::PlaceOrder(place) = &mut command
        && let OrderKind::MarketQuote { quote_amount } = &mut place.kind
    {
        quote_amount.0 *= 5_000;
    }
    command
}

#[test]
fn rows_of_orders_are_what_the_views_have() {
    let mut world = World::new();
    world.run(preparation());
    let end = world.run(Flow::new(10).take(3_000).into_iter().map(for_some_lots).collect());
    let settings = SqlSettings { batch_max_events: 40, rows_remembered: 2, ..world.settings("database") };
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let views = views(&world);

    let database = Connection::open(world.file("database")).unwrap();
    let sql = "SELECT order_id, account_id, market_id, COALESCE(client_order_id, ''), status, quantity, executed_quantity, \
               executed_quote, prevented_quantity, held, amendments, ended_at IS NULL, CAST(strftime('%s', created_at) AS INTEGER) * \
               1000000 + CAST(substr(created_at, 21) AS INTEGER) FROM orders";
    let mut statement = database.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let (mut compared, mut traded_by_amount) = ([0_u32; 2], 0);
    while let Some(row) = rows.next().unwrap() {
        let number = |column| row.get::<_, i64>(column).unwrap();
        let text = |column| row.get::<_, String>(column).unwrap();
        let id = OrderId(u64::try_from(number(0)).unwrap());
        let order = views.orders().by_id(id).expect("the views have it");
        let terms = views.catalog().market(order.market).unwrap();
        let amount = |amount: Amount| Decimal { units: amount.0, scale: 8 }.to_string();
        let base = |lots: QtyLots| amount(terms.base_amount(lots));
        let found = (
            number(1),
            number(2),
            text(3),
            text(4),
            [5, 6, 7, 8, 9].map(text),
            number(10),
            number(11) == 1,
            number(12),
        );
        let wanted = (
            i64::try_from(order.account.0).unwrap(),
            i64::from(order.market.0),
            order.client_order_id.to_string(),
            word(order.status()).to_owned(),
            [
                base(order.qty_lots),
                base(order.executed_lots),
                amount(order.cumulative_quote),
                base(order.prevented_lots),
                amount(order.held),
            ],
            i64::from(order.amends),
            order.is_open(),
            i64::try_from(order.accepted_ns.0 / 1_000).unwrap(),
        );
        assert_eq!(found, wanted, "order {id}");
        compared[usize::from(order.is_open())] += 1;
        let is_by_amount = !order.original_quote().is_zero();
        traded_by_amount += u32::from(is_by_amount && !order.executed_lots.is_zero());
    }
    let [over, open] = compared;
    assert!(
        over > 500 && open > 3 && traded_by_amount > 10,
        "{over} over, {open} open, {traded_by_amount} by amount"
    );
}
