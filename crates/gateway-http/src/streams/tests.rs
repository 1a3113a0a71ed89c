//! What an account is told of itself, against the views, with a real sequencer behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use journal::DataDir;
use model::{
    AccountId, AccountName, AddAsset, AddMarket, AmendOrder, Amount, AssetId, CancelAllOrders, CancelOrder,
    CancelRestriction, ClientOrderId, Command, CreateAccount, Deposit, EventBatch, MarketId, OrderKind,
    OrderRef, PartitionId, PlaceOrder, PriceTicks, QtyLots, Reference, SelfTradePrevention, Seq, Side,
    TimeInForce, TimeNs, TradeGroup,
};
use sequencer::{Egress, Replay, Sequencer, Submission};
use serde_json::{Value, json};
use tempfile::TempDir;
use views::{Page, ViewSettings, Views};

use crate::gateway::TimeUnit;
use crate::read_model::ReadModels;
use crate::settings::SocketSettings;
use crate::streams::Outbox;
use crate::streams::hub::{Half, Right};
use dialect::sample::btcusdt;

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);
const MARKET: MarketId = MarketId(0);

struct Nothing;

impl Replay for Nothing {
    fn snapshot(&mut self, _: Seq, _: &dyn Fn(&str) -> Option<Vec<u8>>) {}
    fn batch(&mut self, _: &EventBatch) {}
    fn progress(&mut self, _: u64, _: u64) {}
}

/// An exchange with BTCUSDT, alice and bob, both funded.
struct World {
    model: Arc<ReadModels>,
    sequencer: Sequencer,
    /// Commands handed in.
    count: u64,
    _directory: DataDir,
    _folder: TempDir,
}

impl World {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDir::open(folder.path()).unwrap();
        let files = journal::Settings {
            journal_segment_bytes: 1 << 20,
            event_segment_bytes: 1 << 20,
            ..journal::Settings::default()
        };
        let recovered = sequencer::recover(directory.storage(), &files, &mut Nothing).unwrap();
        let egress = Egress::default();
        let model =
            ReadModels::start(vec![(Views::new(ViewSettings::default()), egress.subscribe())]).unwrap();
        let sequencer = recovered.start(sequencer::Settings::default(), egress, None);
        let mut world = Self { model, sequencer, count: 0, _directory: directory, _folder: folder };
        let listing = btcusdt();
        world.hand_in(Command::AddAsset(AddAsset { terms: listing.base }));
        world.hand_in(Command::AddAsset(AddAsset { terms: listing.quote }));
        world.hand_in(Command::AddMarket(Box::new(AddMarket { terms: listing.terms })));
        for (account, name) in [(ALICE, "alice"), (BOB, "bob")] {
            let name = AccountName::new(name).unwrap();
            world.hand_in(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
            world.deposit(account, AssetId(0), 1_000_000_000);
            world.deposit(account, AssetId(1), 1_000_000_000_000);
        }
        world.settle().await;
        world
    }

    fn hand_in(&mut self, command: Command) {
        self.sequencer.ingress().submit(Submission { command, reply_to: None }).unwrap();
        self.count += 1;
    }

    fn deposit(&mut self, account: AccountId, asset: AssetId, amount: i128) {
        let reference = Reference::new(&format!("deposit-{}", self.count)).unwrap();
        self.hand_in(Command::Deposit(Box::new(Deposit {
            account,
            asset,
            amount: Amount(amount),
            reference,
        })));
    }

    fn place(&mut self, account: AccountId, side: Side, kind: OrderKind, stp: SelfTradePrevention) {
        let client_order_id = ClientOrderId::new(&format!("order-{}", self.count)).unwrap();
        self.hand_in(Command::PlaceOrder(PlaceOrder {
            account,
            market: MARKET,
            side,
            kind,
            self_trade_prevention: stp,
            client_order_id,
            valid_until_ns: TimeNs::NEVER,
        }));
    }

    /// Waits until all that was handed in is in the views; a tick in between does no harm.
    async fn settle(&self) {
        self.model.directory().applied(Seq(self.count)).await.unwrap();
    }
}

fn limit(price: i64, qty: i64) -> OrderKind {
    OrderKind::Limit {
        price_ticks: PriceTicks(price),
        qty_lots: QtyLots(qty),
        time_in_force: TimeInForce::Gtc,
    }
}

fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox::new(&SocketSettings::default()))
}

/// All events up to the balance update of a deposit of `last` USDT, with what the same command told besides.
async fn events(outbox: &Outbox, last: &str) -> Vec<Value> {
    let mut told = Vec::new();
    let mut taken = Vec::new();
    let mut ended = false;
    loop {
        outbox.take(&mut taken).await.unwrap();
        for message in taken.drain(..) {
            let message: Value = serde_json::from_str(&message).unwrap();
            assert_eq!(message["subscriptionId"], 7);
            let event = message["event"].clone();
            let over = ended && event["e"] == "outboundAccountPosition";
            ended |= event["e"] == "balanceUpdate" && event["d"] == last;
            told.push(event);
            if over {
                return told;
            }
        }
    }
}

fn reports(events: &[Value]) -> Vec<String> {
    let reports = events.iter().filter(|event| event["e"] == "executionReport");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    reports
        .map(|event| {
            format!("{} {} {} {}", text(&event["x"]), text(&event["X"]), event["i"], text(&event["l"]))
        })
        .collect()
}

/// Deposits what no other deposit brings, so that the end can be seen.
const LAST: &str = "0.000007";

async fn told_of_alice(act: impl FnOnce(&mut World)) -> (World, Vec<Value>) {
    let mut world = World::open().await;
    let outbox = outbox();
    let _subscription = world.model.hub().subscribe_user(
        (ALICE, PartitionId::FIRST),
        Arc::clone(&outbox),
        Half::Spot(7),
        TimeUnit::Millis,
        Right::while_true(|| true),
    );
    act(&mut world);
    world.deposit(ALICE, AssetId(1), 7);
    world.settle().await;
    let events = events(&outbox, LAST).await;
    (world, events)
}

#[tokio::test]
async fn an_order_is_told_from_its_acceptance_to_its_end() {
    let (_world, events) = told_of_alice(|world| {
        world.place(ALICE, Side::Sell, limit(1_000_000, 10), SelfTradePrevention::None);
        world.place(BOB, Side::Buy, limit(1_000_000, 4), SelfTradePrevention::None);
        world.hand_in(Command::AmendOrder(AmendOrder {
            account: ALICE,
            market: MARKET,
            order: OrderRef::Client(ClientOrderId::new("order-9").unwrap()),
            new_qty_lots: QtyLots(8),
            new_client_order_id: ClientOrderId::default(),
            valid_until_ns: TimeNs::NEVER,
        }));
        world.place(BOB, Side::Buy, limit(1_000_000, 6), SelfTradePrevention::None);
        world.place(ALICE, Side::Sell, limit(1_000_100, 3), SelfTradePrevention::None);
        world.place(ALICE, Side::Buy, limit(1_000_100, 2), SelfTradePrevention::ExpireTaker);
        world.place(
            ALICE,
            Side::Buy,
            OrderKind::MarketQuote { quote_amount: Amount(60_000_000) },
            SelfTradePrevention::None,
        );
        world.hand_in(Command::CancelAllOrders(CancelAllOrders {
            account: ALICE,
            market: MARKET,
            valid_until_ns: TimeNs::NEVER,
        }));
    })
    .await;
    let steps: Vec<String> = reports(&events)
        .iter()
        .map(|report| {
            let mut words = report.split(' ');
            let (execution, status, _order, qty) =
                (words.next().unwrap(), words.next().unwrap(), words.next(), words.next().unwrap());
            format!("{execution} {status} {qty}")
        })
        .collect();
    assert_eq!(
        steps,
        [
            "NEW NEW 0.00000000",
            "TRADE PARTIALLY_FILLED 0.00400000",
            "REPLACED PARTIALLY_FILLED 0.00000000",
            "TRADE FILLED 0.00400000",
            "NEW NEW 0.00000000",
            "NEW NEW 0.00000000",
            "TRADE_PREVENTION EXPIRED_IN_MATCH 0.00000000",
            "NEW NEW 0.00000000",
            "TRADE PARTIALLY_FILLED 0.00100000",
            "TRADE FILLED 0.00100000",
            "CANCELED CANCELED 0.00000000",
        ]
    );
    let report = |x: &str| events.iter().find(|event| event["x"] == x).unwrap();
    for field in "e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q V W".split(' ') {
        assert!(report("NEW").get(field).is_some(), "{field}");
    }
    let trade = report("TRADE");
    assert_eq!(
        (&trade["N"], &trade["n"], &trade["m"], &trade["w"]),
        (&json!("USDT"), &json!("0.200000"), &json!(true), &json!(true))
    );
    assert_eq!(
        (&trade["Y"], &trade["Z"], &trade["z"]),
        (&json!("200.000000"), &json!("200.000000"), &json!("0.00400000"))
    );
    let prevented = report("TRADE_PREVENTION");
    assert_eq!(
        (&prevented["A"], &prevented["B"], &prevented["pL"]),
        (&json!("0.00200000"), &json!("0.00200000"), &json!("50005.00"))
    );
    assert_eq!((&prevented["u"], &prevented["Cs"]), (&json!(-1), &json!("BTCUSDT")));
    let cancelled = report("CANCELED");
    assert_eq!(
        (&cancelled["C"], &cancelled["w"], &cancelled["N"]),
        (&cancelled["c"], &json!(false), &Value::Null)
    );
    // What is given back is told behind the report: with a smaller order, and with its end.
    for (x, locked) in [("REPLACED", "0.00400000"), ("CANCELED", "0.00000000")] {
        let place = events.iter().position(|event| event["x"] == x).unwrap();
        let position = &events[place + 1];
        assert_eq!(position["e"], "outboundAccountPosition", "{x}");
        assert_eq!((&position["B"][0]["a"], &position["B"][0]["l"]), (&json!("BTC"), &json!(locked)), "{x}");
    }
    // Behind its report, what the order holds.
    assert_eq!(events[1]["e"], "outboundAccountPosition");
    assert_eq!(events[1]["B"], json!([{"a": "BTC", "f": "9.99000000", "l": "0.01000000"}]));
}

#[tokio::test]
async fn random_flow_is_told_in_order_each_once_and_ends_at_what_the_views_have() {
    let (world, events) = told_of_alice(|world| {
        let mut dice = 2_026_u64;
        let mut below = move |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            i64::try_from(dice % sides).unwrap()
        };
        for _ in 0..1_500 {
            let account = if below(2) == 0 { ALICE } else { BOB };
            let side = if below(2) == 0 { Side::Buy } else { Side::Sell };
            let stp = [
                SelfTradePrevention::None,
                SelfTradePrevention::ExpireMaker,
                SelfTradePrevention::ExpireTaker,
                SelfTradePrevention::ExpireBoth,
                SelfTradePrevention::Decrement,
                SelfTradePrevention::Transfer,
            ][usize::try_from(below(6)).unwrap()];
            let qty = QtyLots(1 + below(20));
            match below(12) {
                0 => world.place(account, side, OrderKind::Market { qty_lots: qty }, stp),
                1 => {
                    let quote_amount = Amount(i128::from(50_000_000 + below(900_000_000)));
                    world.place(account, side, OrderKind::MarketQuote { quote_amount }, stp);
                }
                2 | 3 => {
                    let order = OrderRef::Client(
                        ClientOrderId::new(&format!("order-{}", below(world.count))).unwrap(),
                    );
                    world.hand_in(Command::CancelOrder(CancelOrder {
                        account,
                        market: MARKET,
                        order,
                        restriction: CancelRestriction::None,
                        valid_until_ns: TimeNs::NEVER,
                    }));
                }
                4 => {
                    let kind = OrderKind::Limit {
                        price_ticks: PriceTicks(999_990 + below(20)),
                        qty_lots: qty,
                        time_in_force: if below(2) == 0 { TimeInForce::Ioc } else { TimeInForce::Fok },
                    };
                    world.place(account, side, kind, stp);
                }
                5 => world.hand_in(Command::AmendOrder(AmendOrder {
                    account,
                    market: MARKET,
                    order: OrderRef::Client(
                        ClientOrderId::new(&format!("order-{}", below(world.count))).unwrap(),
                    ),
                    new_qty_lots: QtyLots(1 + below(3)),
                    new_client_order_id: ClientOrderId::default(),
                    valid_until_ns: TimeNs::NEVER,
                })),
                _ => world.place(account, side, limit(999_990 + below(20), qty.0), stp),
            }
        }
    })
    .await;

    let mut executions = BTreeSet::new();
    let mut trades = Vec::new();
    let mut orders: BTreeMap<u64, Value> = BTreeMap::new();
    let mut balances: BTreeMap<String, Value> = BTreeMap::new();
    for event in &events {
        if event["e"] == "executionReport" {
            let id = event["I"].as_u64().unwrap();
            assert!(executions.last().is_none_or(|last| *last < id), "executions are told in order");
            executions.insert(id);
            let before = orders.insert(event["i"].as_u64().unwrap(), event.clone());
            assert_eq!(
                before.is_none(),
                event["x"] == "NEW",
                "an order begins with NEW and only so: {event}"
            );
            if let Some(before) = before {
                assert_eq!(before["w"], true, "nothing comes behind an order's end: {before} {event}");
            }
            if event["x"] == "TRADE" {
                trades.push((event["t"].as_u64().unwrap(), event["i"].as_u64().unwrap()));
            }
        } else if event["e"] == "outboundAccountPosition" {
            for balance in event["B"].as_array().unwrap() {
                balances.insert(balance["a"].as_str().unwrap().to_owned(), balance.clone());
            }
        }
    }
    assert!(trades.len() > 200 && orders.len() > 300, "{} trades, {} orders", trades.len(), orders.len());
    let listing = btcusdt();
    world.model.directory().with_views(|views| {
        let own = views.own_trades().of(ALICE, MARKET, None, &Page::last(10_000));
        let own: Vec<(u64, u64)> = own.iter().map(|trade| (trade.id.0, trade.order.0)).collect();
        let told = |list: &[(u64, u64)]| list.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!((trades.len(), told(&trades)), (own.len(), told(&own)), "each trade once");
        let all = views.orders().all(ALICE, MARKET, &Page::last(10_000));
        assert_eq!(all.len(), orders.len());
        for order in all {
            let last = &orders[&order.id.0];
            assert_eq!(last["X"], crate::order_replies::status_name(order.status()), "{last}");
            assert_eq!(last["z"], listing.quantity(order.executed_lots).to_string());
            assert_eq!(last["Z"], listing.quote_amount(order.cumulative_quote).to_string());
            assert_eq!(last["q"], listing.quantity(order.qty_lots).to_string(), "{last}");
        }
        for (asset, terms) in [(AssetId(0), listing.base), (AssetId(1), listing.quote)] {
            let has = views.balances().balance(ALICE, asset);
            let text = |units| crate::decimal::Decimal { units, scale: terms.scale }.to_string();
            let told = &balances[terms.name.as_str()];
            assert_eq!((&told["f"], &told["l"]), (&json!(text(has.free.0)), &json!(text(has.held.0))));
        }
    });
}

#[tokio::test]
async fn others_and_those_who_have_left_are_told_nothing() {
    let mut world = World::open().await;
    let (of_alice, of_bob) = (outbox(), outbox());
    let hub = Arc::clone(world.model.hub());
    let alice = hub.subscribe_user(
        (ALICE, PartitionId::FIRST),
        Arc::clone(&of_alice),
        Half::Spot(7),
        TimeUnit::Micros,
        Right::while_true(|| true),
    );
    let _bob = hub.subscribe_user(
        (BOB, PartitionId::FIRST),
        Arc::clone(&of_bob),
        Half::Spot(7),
        TimeUnit::Millis,
        Right::while_true(|| true),
    );
    world.deposit(ALICE, AssetId(1), 7);
    world.settle().await;
    let told = events(&of_alice, LAST).await;
    assert_eq!(told.len(), 2, "nothing of before: {told:?}");
    assert!(told[0]["T"].as_u64().unwrap() > 1_000_000_000_000_000, "in microseconds");
    drop(alice);
    world.deposit(ALICE, AssetId(1), 8);
    world.deposit(BOB, AssetId(1), 7);
    world.settle().await;
    assert_eq!(events(&of_bob, LAST).await.len(), 2);
    assert_eq!(of_alice.take_now(&mut Vec::new()), Ok(false));
}
