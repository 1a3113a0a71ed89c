//! The worked cases for spot matching, fees and self-trade prevention: commands, and what must be true after the last one.
//! Every case was computed by two independent programs before it came here. Cases that need more than there is yet are
//! listed in [`SKIPPED`], each with its reason; the list must be exact.
//!
//! Units are decimals of BASE and QUOTE, orders have labels, and events have their names on the wire; here they are built
//! from the accounts' events.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use model::{
    AccountId, AddAsset, AddMarket, AmendOrder, Amount, AssetId, AssetTerms, CancelOrder, CancelRestriction,
    ClientOrderId, Command, CreateAccount, Deposit, EndReason, Event, ExpiryReason, FeeRounding, Liquidity,
    MarketId, MarketStatus, MarketTerms, OrderFilled, OrderId, OrderKind, OrderPrevented, OrderRef,
    PlaceOrder, PriceTicks, QtyLots, Reference, Reject, SelfTradePrevention, Side, Text, TimeInForce, TimeNs,
    TradeGroup, TriggerKind,
};
use serde_json::{Value, json};

use crate::decimal;
use crate::world::World;

/// What is not run, and why.
const SKIPPED: &[(&str, &str)] = &[("FOK counts hidden iceberg quantity", "there are no icebergs yet")];

const BASE: AssetId = AssetId(0);
const QUOTE: AssetId = AssetId(1);
const MARKET: MarketId = MarketId(0);
const SCALE: u32 = 8;

#[test]
fn matching_and_fees() {
    assert_eq!(run("spot_matching_fees.json"), 23);
}

#[test]
fn self_trade_prevention() {
    assert_eq!(run("spot_stp.json"), 17);
}

#[test]
fn stops_and_take_profits() {
    assert_eq!(run("spot_stops.json"), 8);
}

/// A last price, an order that trails, and prices that come by one after the other.
#[test]
fn trailing_stops() {
    let all: Value = serde_json::from_str(&file("spot_stops.json")).unwrap();
    let cases = all["trailing"].as_array().unwrap();
    assert_eq!(all["count"], all["cases"].as_array().unwrap().len() + cases.len() - 1, "E2 is not counted");
    for case in cases {
        println!("{}", name(case));
        let accounts = json!([{ "acct": "A" }, { "acct": "Y" }, { "acct": "Z" }]);
        let mut bench = Bench::new(&json!({}), &accounts);
        bench.prints(case["last_price_at_entry"].as_str().unwrap());
        bench.does(&case["order"]);
        for price in case["prints"].as_array().unwrap() {
            bench.prints(price.as_str().unwrap());
        }
        let expect = &case["expect"];
        // Whatever came of it afterwards is not compared.
        let events = bench.events.iter().filter(|event| event[0] != "TRADE" && event[0] != "EXPIRED");
        assert_eq!(canonical(&events.cloned().collect()), canonical(&expect["events"]), "events");
        assert_eq!(canonical(&json!(bench.extreme)), canonical(&expect["extreme"]), "extreme");
    }
}

#[test]
fn skipped_cases_are_listed() {
    let mut needs_more = Vec::new();
    for file in ["spot_matching_fees.json", "spot_stp.json", "spot_stops.json"] {
        needs_more.extend(cases(file).iter().filter(|case| needs_more_than_there_is(case)).map(name));
    }
    let listed: Vec<_> = SKIPPED.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(needs_more, listed);
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    fs::read_to_string(path).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&file(name)).unwrap();
    let cases = all["cases"].as_array().unwrap().clone();
    // The number of stops counts those that trail too, which are listed apart.
    assert!(all.get("trailing").is_some() || all["count"] == cases.len());
    cases
}

fn name(case: &Value) -> String {
    case["name"].as_str().unwrap().into()
}

fn needs_more_than_there_is(case: &Value) -> bool {
    let commands = case["commands"].as_array().unwrap();
    commands.iter().any(|command| command.get("iceberg").is_some())
}

/// Runs what can be run, and says how many.
fn run(file: &str) -> usize {
    let cases: Vec<_> = cases(file).into_iter().filter(|case| !needs_more_than_there_is(case)).collect();
    for case in &cases {
        println!("{}", name(case));
        Bench::new(&case["config"], &case["commands"]).runs(case);
    }
    cases.len()
}

/// What is known of an order by its label.
#[derive(Default)]
struct Fate {
    filled: i64,
    quote: i128,
    prevented: i64,
    end: Option<EndReason>,
}

/// One case at work.
struct Bench {
    world: World,
    terms: MarketTerms,
    accounts: Vec<String>,
    labels: BTreeMap<OrderId, i64>,
    fates: BTreeMap<i64, Fate>,
    owners: BTreeMap<i64, AccountId>,
    events: Vec<Value>,
    /// The best price that the order has seen that was triggered last.
    extreme: Option<String>,
}

impl Bench {
    /// Lists the market and opens the accounts that the case names.
    fn new(config: &Value, commands: &Value) -> Self {
        let step = config["step"].as_str().unwrap_or("0.00001");
        let tick = if step == "0.00000001" { "1" } else { "0.01" };
        let rate = |key: &str| u32::try_from(decimal::units(config[key].as_str().unwrap_or("0"), 6)).unwrap();
        let terms = MarketTerms {
            name: Text::new("BASEQUOTE").unwrap(),
            base: BASE,
            quote: QUOTE,
            price_scale: 2,
            tick_size: i64::try_from(decimal::units(tick, 2)).unwrap(),
            base_atoms_per_lot: Amount(decimal::units(step, SCALE)),
            // One tick times one lot, as a part of 10^8 quote atoms.
            quote_atoms_per_tick_lot: Amount(decimal::units(tick, 2) * decimal::units(step, SCALE) / 100),
            min_price_ticks: PriceTicks(1),
            max_price_ticks: MarketTerms::MAX_PRICE_TICKS,
            min_qty_lots: QtyLots(1),
            max_qty_lots: MarketTerms::MAX_QTY_LOTS,
            min_notional: Amount::ZERO,
            max_notional: Amount::ZERO,
            max_open_orders: 1_000,
            max_open_orders_per_account: 1_000,
            max_amends_per_order: 10,
            maker_fee_ppm: rate("maker"),
            taker_fee_ppm: rate("taker"),
            fee_rounding: match config["fee_rounding"].as_str() {
                None | Some("ROUND_UP") => FeeRounding::Up,
                Some("ROUND_HALF_UP") => FeeRounding::HalfUp,
                Some("ROUND_DOWN") => FeeRounding::Down,
                Some(other) => panic!("no rounding: {other}"),
            },
            band_ppm: 0,
            // The cases have no reference price; it must only be near enough for a market order to be affordable.
            initial_reference_ticks: PriceTicks(10_000),
            status: MarketStatus::Trading,
        };
        let accounts = if let Some(balances) = config["balances"].as_object() {
            balances.keys().cloned().collect()
        } else {
            let owners = commands.as_array().unwrap().iter().filter_map(|command| command["acct"].as_str());
            owners.map(String::from).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let mut bench = Self {
            world: World::default(),
            terms,
            accounts,
            labels: BTreeMap::new(),
            fates: BTreeMap::new(),
            owners: BTreeMap::new(),
            events: Vec::new(),
            extreme: None,
        };
        for asset in ["BASE", "QUOTE"] {
            let terms = AssetTerms { name: Text::new(asset).unwrap(), scale: 8 };
            bench.accepted(Command::AddAsset(AddAsset { terms }));
        }
        bench.accepted(Command::AddMarket(Box::new(AddMarket { terms })));
        for account in bench.accounts.clone() {
            let group = config["groups"][&account].as_i64().unwrap_or(-1);
            let trade_group = u32::try_from(group).map_or(TradeGroup::NONE, TradeGroup);
            bench.accepted(Command::CreateAccount(CreateAccount {
                name: Text::new(&account).unwrap(),
                trade_group,
            }));
            for (asset, called, rich) in [(BASE, "BASE", "1000000000"), (QUOTE, "QUOTE", "1000000000000")] {
                let amount = match config.get("balances") {
                    Some(balances) => balances[&account][called].as_str().unwrap_or("0"),
                    None => rich,
                };
                let amount = Amount(decimal::units(amount, SCALE));
                if !amount.is_zero() {
                    let reference = Reference::new(&format!("{account}-{called}")).unwrap();
                    let account = bench.account(&account);
                    bench.accepted(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
                }
            }
        }
        bench
    }

    fn accepted(&mut self, command: Command) {
        let events = self.world.apply(command);
        assert!(!events.iter().any(|event| matches!(event, Event::Rejected { .. })), "{events:?}");
    }

    fn runs(&mut self, case: &Value) {
        for command in case["commands"].as_array().unwrap() {
            self.does(command);
        }
        let expect = &case["expect"];
        assert_eq!(canonical(&json!(self.events)), canonical(&expect["events"]), "events");
        assert_eq!(canonical(&self.orders()), canonical(&expect["orders"]), "orders");
        let sides = [("bids", Side::Buy), ("asks", Side::Sell)];
        for (called, side) in sides {
            let levels: Vec<_> = self
                .world
                .levels(MARKET, side)
                .into_iter()
                .map(|(price, open)| json!([self.price(price), self.qty(open)]))
                .collect();
            assert_eq!(canonical(&json!(levels)), canonical(&expect["book"][called]), "book, {called}");
            let queue: Vec<_> = self
                .world
                .partition
                .queue(MARKET, side)
                .unwrap()
                .map(|(order, _, price, open)| {
                    json!([self.labels[&order], self.price(price.0), self.qty(open.0), self.qty(open.0)])
                })
                .collect();
            assert_eq!(canonical(&json!(queue)), canonical(&expect["queue"][called]), "queue, {called}");
        }
        let fees = |asset| decimal::text(self.world.partition.totals(asset).unwrap().fees.0, SCALE);
        assert_eq!(
            canonical(&json!({ "BASE": fees(BASE), "QUOTE": fees(QUOTE) })),
            canonical(&expect["fees"]),
            "fees"
        );
        if let Some(balances) = expect["balances"].as_object() {
            for (account, expected) in balances {
                assert_eq!(canonical(&self.balances(account)), canonical(expected), "balances of {account}");
            }
        }
    }

    fn does(&mut self, command: &Value) {
        let label = command["id"].as_i64().unwrap();
        let op = command["op"].as_str().unwrap_or("new");
        let order = || {
            let found = self.labels.iter().find(|(_, known)| **known == label);
            OrderRef::Id(*found.expect("the order was accepted").0)
        };
        let asked = match op {
            "new" => Command::PlaceOrder(self.place(command)),
            "cancel" => Command::CancelOrder(CancelOrder {
                account: self.owners[&label],
                market: MARKET,
                order: order(),
                restriction: CancelRestriction::None,
                valid_until_ns: TimeNs::NEVER,
            }),
            "amend" => Command::AmendOrder(AmendOrder {
                account: self.owners[&label],
                market: MARKET,
                order: order(),
                new_qty_lots: self.lots(&command["newqty"]),
                new_client_order_id: ClientOrderId::EMPTY,
                valid_until_ns: TimeNs::NEVER,
            }),
            other => panic!("no op: {other}"),
        };
        if let Command::PlaceOrder(place) = &asked {
            self.owners.insert(label, place.account);
            self.fates.insert(label, Fate::default());
        }
        let events = self.world.apply(asked);
        self.tell(label, op, &events);
    }

    /// One trade at a price, between two who have nothing to do with the case.
    fn prints(&mut self, price: &str) {
        for (label, account, side) in [(-1, "Z", "SELL"), (-2, "Y", "BUY")] {
            let told = self.events.len();
            let command = json!({
                "id": label, "acct": account, "side": side, "type": "LIMIT", "price": price, "qty": "1",
            });
            self.does(&command);
            let kept = self.events.split_off(told);
            self.events.extend(kept.into_iter().filter(|event| event[1] != label && event[0] != "TRADE"));
        }
    }

    fn place(&self, command: &Value) -> PlaceOrder {
        let text = |key: &str| command[key].as_str();
        let ticks = |price: &str| {
            let units = decimal::units(price, self.terms.price_scale.into());
            PriceTicks(i64::try_from(units).unwrap() / self.terms.tick_size)
        };
        let price_ticks = || ticks(text("price").unwrap());
        let kind = match (text("type").unwrap(), text("quote")) {
            ("LIMIT", None) => OrderKind::Limit {
                price_ticks: price_ticks(),
                qty_lots: self.lots(&command["qty"]),
                time_in_force: match text("tif").unwrap_or("GTC") {
                    "GTC" => TimeInForce::Gtc,
                    "IOC" => TimeInForce::Ioc,
                    "FOK" => TimeInForce::Fok,
                    other => panic!("no time in force: {other}"),
                },
            },
            ("LIMIT_MAKER", None) => {
                OrderKind::LimitMaker { price_ticks: price_ticks(), qty_lots: self.lots(&command["qty"]) }
            }
            (stop @ ("STOP_LOSS" | "TAKE_PROFIT" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT"), None) => {
                let trigger =
                    if stop.starts_with("STOP") { TriggerKind::StopLoss } else { TriggerKind::TakeProfit };
                let stop_ticks = text("stop").map_or(PriceTicks::ZERO, ticks);
                let trailing_bips = u16::try_from(command["delta"].as_u64().unwrap_or(0)).unwrap();
                let qty_lots = self.lots(&command["qty"]);
                if stop.ends_with("LIMIT") {
                    OrderKind::StopLimit {
                        price_ticks: price_ticks(),
                        qty_lots,
                        time_in_force: TimeInForce::Gtc,
                        trigger,
                        stop_ticks,
                        trailing_bips,
                    }
                } else {
                    OrderKind::StopMarket { qty_lots, trigger, stop_ticks, trailing_bips }
                }
            }
            ("MARKET", None) => OrderKind::Market { qty_lots: self.lots(&command["qty"]) },
            ("MARKET", Some(amount)) => {
                OrderKind::MarketQuote { quote_amount: Amount(decimal::units(amount, SCALE)) }
            }
            (other, _) => panic!("no type: {other}"),
        };
        PlaceOrder {
            account: self.account(text("acct").unwrap()),
            market: MARKET,
            side: match text("side").unwrap() {
                "BUY" => Side::Buy,
                "SELL" => Side::Sell,
                other => panic!("no side: {other}"),
            },
            kind,
            self_trade_prevention: match text("stp").unwrap_or("NONE") {
                "NONE" => SelfTradePrevention::None,
                "EXPIRE_MAKER" => SelfTradePrevention::ExpireMaker,
                "EXPIRE_TAKER" => SelfTradePrevention::ExpireTaker,
                "EXPIRE_BOTH" => SelfTradePrevention::ExpireBoth,
                "DECREMENT" => SelfTradePrevention::Decrement,
                "TRANSFER" => SelfTradePrevention::Transfer,
                other => panic!("no mode: {other}"),
            },
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        }
    }

    /// The vector's events from the accounts' events.
    fn tell(&mut self, label: i64, op: &str, events: &[Event]) {
        let mut maker_fill: Option<&OrderFilled> = None;
        let mut maker_prevented: Option<&OrderPrevented> = None;
        for event in events {
            let told = match event {
                Event::OrderAccepted(accepted) => {
                    self.labels.insert(accepted.order, label);
                    json!(["NEW", label])
                }
                Event::OrderFilled(filled) => {
                    self.fill(filled);
                    if filled.liquidity == Liquidity::Maker {
                        maker_fill = Some(filled);
                        continue;
                    }
                    self.trade(maker_fill.take().unwrap(), filled)
                }
                Event::OrderPrevented(prevented) => {
                    let order = self.labels[&prevented.order];
                    self.fates.get_mut(&order).unwrap().prevented += prevented.prevented_lots.0;
                    if prevented.liquidity == Liquidity::Maker {
                        maker_prevented = Some(prevented);
                        continue;
                    }
                    self.prevention(maker_prevented.take().unwrap(), prevented)
                }
                Event::OrderTracks(tracks) => {
                    json!(["TRACKING", self.labels[&tracks.order], self.price(tracks.price_ticks.0)])
                }
                Event::OrderTriggered(triggered) => {
                    let known = self.world.witness.order(triggered.order);
                    self.extreme = known.and_then(|known| known.extreme).map(|extreme| self.price(extreme.0));
                    json!(["TRIGGERED", self.labels[&triggered.order], self.price(triggered.price_ticks.0)])
                }
                Event::OrderAmended(amended) => {
                    json!(["REPLACED", self.labels[&amended.order], self.qty(amended.qty_lots.0)])
                }
                Event::OrderEnded(ended) => {
                    let order = self.labels[&ended.order];
                    self.fates.get_mut(&order).unwrap().end = Some(ended.reason);
                    match ended.reason {
                        EndReason::Filled => continue,
                        EndReason::Canceled => json!(["CANCELED", order, null]),
                        EndReason::Expired(reason) => json!(["EXPIRED", order, expiry(reason)]),
                        EndReason::ExpiredInMatch => json!(["EXPIRED_IN_MATCH", order, null]),
                    }
                }
                Event::Rejected { reject, .. } => {
                    let kind = match op {
                        "new" => "REJECTED",
                        "cancel" => "CANCEL_REJECTED",
                        _ => "AMEND_REJECTED",
                    };
                    json!([kind, label, message(op, reject)])
                }
                Event::Traded(_) | Event::LevelChanged(_) => continue,
                other => panic!("no order has {other:?}"),
            };
            self.events.push(told);
        }
    }

    fn fill(&mut self, filled: &OrderFilled) {
        let fate = self.fates.get_mut(&self.labels[&filled.order]).unwrap();
        fate.filled += filled.qty_lots.0;
        let tick_lots = i128::from(filled.price_ticks.0) * i128::from(filled.qty_lots.0);
        fate.quote += tick_lots * self.terms.quote_atoms_per_tick_lot.0;
    }

    fn trade(&self, maker: &OrderFilled, taker: &OrderFilled) -> Value {
        let fee = |filled: &OrderFilled| {
            let asset = if filled.side == Side::Buy { "BASE" } else { "QUOTE" };
            format!("{} {asset}", decimal::text(filled.fee.0, SCALE))
        };
        json!(["TRADE", taker.trade.0, self.price(taker.price_ticks.0), self.qty(taker.qty_lots.0), {
            "maker": self.labels[&maker.order],
            "taker": self.labels[&taker.order],
            "makerFee": fee(maker),
            "takerFee": fee(taker),
        }])
    }

    fn prevention(&self, maker: &OrderPrevented, taker: &OrderPrevented) -> Value {
        let mode = match taker.mode {
            SelfTradePrevention::None => "NONE",
            SelfTradePrevention::ExpireMaker => "EXPIRE_MAKER",
            SelfTradePrevention::ExpireTaker => "EXPIRE_TAKER",
            SelfTradePrevention::ExpireBoth => "EXPIRE_BOTH",
            SelfTradePrevention::Decrement => "DECREMENT",
            SelfTradePrevention::Transfer => "TRANSFER",
        };
        let lost = |prevented: &OrderPrevented| {
            let lots = prevented.prevented_lots;
            if lots.is_zero() { Value::Null } else { json!(self.qty(lots.0)) }
        };
        json!(["TRADE_PREVENTION", taker.prevented_match, self.price(taker.price_ticks.0), {
            "mode": mode,
            "taker": self.labels[&taker.order],
            "maker": self.labels[&maker.order],
            "takerPrevented": lost(taker),
            "makerPrevented": lost(maker),
        }])
    }

    fn orders(&self) -> Value {
        let of = |(label, fate): (&i64, &Fate)| {
            let accepted = self.labels.values().any(|known| known == label);
            let status = match fate.end {
                _ if !accepted => "REJECTED",
                None if fate.filled == 0 => "NEW",
                None => "PARTIALLY_FILLED",
                Some(EndReason::Filled) => "FILLED",
                Some(EndReason::Canceled) => "CANCELED",
                Some(EndReason::Expired(_)) => "EXPIRED",
                Some(EndReason::ExpiredInMatch) => "EXPIRED_IN_MATCH",
            };
            let mut order = json!({
                "status": status,
                "executedQty": self.qty(fate.filled),
                "cummulativeQuoteQty": decimal::text(fate.quote, SCALE),
                "preventedQty": self.qty(fate.prevented),
            });
            if let Some(EndReason::Expired(reason)) = fate.end {
                order["expiryReason"] = json!(expiry(reason));
            }
            (label.to_string(), order)
        };
        Value::Object(self.fates.iter().map(of).collect())
    }

    fn balances(&self, account: &str) -> Value {
        let mut out = json!({
            "BASE": { "free": "0", "locked": "0" },
            "QUOTE": { "free": "0", "locked": "0" },
        });
        for balance in self.world.partition.balances(self.account(account)).unwrap() {
            let called = if balance.asset == BASE { "BASE" } else { "QUOTE" };
            out[called] = json!({
                "free": decimal::text(balance.free.0, SCALE),
                "locked": decimal::text(balance.held.0, SCALE),
            });
        }
        out
    }

    fn account(&self, account: &str) -> AccountId {
        let at =
            self.accounts.iter().position(|known| known == account).expect("the case names its accounts");
        AccountId(u64::try_from(at).unwrap() + 1)
    }

    fn lots(&self, qty: &Value) -> QtyLots {
        let atoms = decimal::units(qty.as_str().unwrap(), SCALE);
        assert_eq!(atoms % self.terms.base_atoms_per_lot.0, 0);
        QtyLots(i64::try_from(atoms / self.terms.base_atoms_per_lot.0).unwrap())
    }

    fn qty(&self, lots: i64) -> String {
        decimal::text(i128::from(lots) * self.terms.base_atoms_per_lot.0, SCALE)
    }

    fn price(&self, ticks: i64) -> String {
        decimal::text(i128::from(ticks) * i128::from(self.terms.tick_size), self.terms.price_scale.into())
    }
}

fn expiry(reason: ExpiryReason) -> &'static str {
    match reason {
        ExpiryReason::UnfilledIoc => "UNFILLED_IOC_QUANTITY_EXPIRED",
        ExpiryReason::UnfilledFok => "UNFILLED_FOK_ORDER_EXPIRED",
        ExpiryReason::InsufficientLiquidity => "INSUFFICIENT_LIQUIDITY",
        ExpiryReason::PriceRangeExceeded => "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
        ExpiryReason::ExchangeCanceled => "EXCHANGE_CANCELED",
        ExpiryReason::GoodTillDate => "GOOD_TILL_DATE",
    }
}

/// Code and message on the wire. The gateway has the whole table; here are those that occur.
fn message(op: &str, reject: &Reject) -> &'static str {
    match (op, reject) {
        ("new", Reject::WouldTrigger { .. }) => "-2010 Order would trigger immediately.",
        ("new", Reject::WouldTake { .. }) => "-2010 Order would immediately match and take.",
        ("new", Reject::InsufficientBalance { .. }) => {
            "-2010 Account has insufficient balance for requested action."
        }
        ("cancel", Reject::UnknownOrder) => "-2011 Unknown order sent.",
        ("amend", Reject::AmendChangesNothing) => {
            "-2038 The requested action would change no state; rejecting"
        }
        ("amend", Reject::AmendIncreases { .. }) => "-2038 Order amend (quantity increase) is not supported.",
        other => panic!("no case expects {other:?}"),
    }
}

/// The same with every decimal text (none is below zero) in one form, so that "1.0" equals "1".
fn canonical(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            // An amount of a fee has its asset behind it.
            let (number, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
            let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
            if is_number { json!(format!("{}{rest}", decimal::canonical(number))) } else { value.clone() }
        }
        Value::Array(values) => values.iter().map(canonical).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
