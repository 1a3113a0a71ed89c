//! A trader over REST who writes down by itself what it was told, and what it sent without hearing of it again. After a
//! restart it holds its notes against what the exchange says: nothing that was acknowledged is lost or other than it was,
//! what was unknown is there entirely or not at all, nothing is there that it did not send, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::money::{ASSETS, Atoms, MARKETS, Market, asset, atoms, notional, text};
use super::tally::Tally;
use crate::http::{Answer, Connection, Signer};
use crate::program::Addresses;
use crate::random::Random;

/// An order as the exchange tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub name: String,
    pub market: usize,
    pub is_buy: bool,
    pub kind: String,
    pub time_in_force: String,
    pub price: Atoms,
    pub qty: Atoms,
    pub executed: Atoms,
    pub quote: Atoms,
    pub status: String,
}

/// A trade as its owner is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    pub market: usize,
    pub id: u64,
    pub order: u64,
    pub price: Atoms,
    pub qty: Atoms,
    pub is_buyer: bool,
    pub is_maker: bool,
}

/// A new order on its way.
#[derive(Clone, Debug)]
struct New {
    name: String,
    market: usize,
    is_buy: bool,
    kind: &'static str,
    time_in_force: Option<&'static str>,
    price: Option<Atoms>,
    qty: Option<Atoms>,
    amount: Option<Atoms>,
    prevention: &'static str,
}

/// A request on its way. At most one is: a trader waits for each answer.
#[derive(Clone, Debug)]
enum Sent {
    Place(New),
    Cancel(u64),
    CancelAll(usize),
    Replace(u64, New),
    Amend { order: u64, qty: Atoms, name: String },
    Query(u64),
}

pub struct Trader {
    pub account: u64,
    signer: Signer,
    random: Random,
    named: u64,
    /// As last told.
    pub orders: BTreeMap<u64, Order>,
    /// Those of them that may still be open.
    open: BTreeSet<u64>,
    /// Sent, and no answer.
    unknown: Option<Sent>,
    /// Trades that were told with an answer since the last check: market, trade, order, price, quantity.
    told: Vec<(usize, u64, u64, Atoms, Atoms)>,
    /// Markets may close for the moment that they take to another partition.
    pub market_moves: bool,
    /// Something was sent that ends orders of one's own when they meet.
    prevents: bool,
    /// Orders of which a cancel of everything said nothing: they were over before.
    over: Vec<u64>,
    /// Orders and trades that were checked already.
    seen_orders: [u64; 2],
    seen_trades: [u64; 2],
    /// Executed quantity and amount by order, from trades.
    traded: BTreeMap<u64, (Atoms, Atoms)>,
    /// All that this account should have, by asset.
    pub balances: [Atoms; 3],
    /// Of that, what waits to be withdrawn.
    pub withdrawing: [Atoms; 3],
    pub unknowns: u64,
}

impl Sent {
    const fn new_order(&self) -> Option<&New> {
        match self {
            Self::Place(new) | Self::Replace(_, new) => Some(new),
            Self::Cancel(_) | Self::CancelAll(_) | Self::Amend { .. } | Self::Query(_) => None,
        }
    }
}

impl New {
    fn query(&self) -> String {
        let mut query = format!(
            "symbol={}&side={}&type={}&newClientOrderId={}&newOrderRespType=FULL&selfTradePreventionMode={}",
            MARKETS[self.market].symbol,
            if self.is_buy { "BUY" } else { "SELL" },
            self.kind,
            self.name,
            self.prevention
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                query.extend(["&", name, "=", &value]);
            }
        };
        add("timeInForce", self.time_in_force.map(ToOwned::to_owned));
        add("price", self.price.map(text));
        add("quantity", self.qty.map(text));
        add("quoteOrderQty", self.amount.map(text));
        query
    }

    #[track_caller]
    fn check(&self, order: &Order) {
        assert_eq!((&self.name, self.market, self.is_buy), (&order.name, order.market, order.is_buy));
        assert_eq!(self.kind, order.kind, "{order:?}");
        assert_eq!(self.price.unwrap_or(0), order.price, "{order:?}");
        assert!(self.qty.is_none_or(|qty| qty == order.qty), "{self:?} {order:?}");
        assert!(self.time_in_force.is_none_or(|time| time == order.time_in_force), "{order:?}");
    }
}

fn number(json: &Value, field: &str) -> Atoms {
    atoms(json[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {json}")))
}

fn word(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {json}")).to_owned()
}

fn id(json: &Value, field: &str) -> u64 {
    json[field].as_u64().unwrap_or_else(|| panic!("{field} is missing in {json}"))
}

/// An order in any answer; `name` is the field with its name.
fn order(json: &Value, name: &str) -> (u64, Order) {
    let symbol = word(json, "symbol");
    let order = Order {
        name: word(json, name),
        market: MARKETS.iter().position(|market| market.symbol == symbol).expect("it is listed"),
        is_buy: json["side"] == "BUY",
        kind: word(json, "type"),
        time_in_force: word(json, "timeInForce"),
        price: number(json, "price"),
        qty: number(json, "origQty"),
        executed: number(json, "executedQty"),
        quote: number(json, "cummulativeQuoteQty"),
        status: word(json, "status"),
    };
    (id(json, "orderId"), order)
}

impl Order {
    pub fn is_open(&self) -> bool {
        self.status == "NEW" || self.status == "PARTIALLY_FILLED"
    }

    /// Which asset it holds, and how much of it.
    fn held(&self) -> (usize, Atoms) {
        let Market { base, quote, .. } = MARKETS[self.market];
        let left = self.qty - self.executed;
        match (self.is_open(), self.is_buy) {
            (false, _) => (base, 0),
            (true, true) => (quote, notional(self.price, left)),
            (true, false) => (base, left),
        }
    }

    #[track_caller]
    fn assert_sound(&self) {
        let Self { qty, executed, quote, .. } = self;
        assert!(0 <= *executed && executed <= qty && 0 <= *quote, "{self:?}");
        let fits = match self.status.as_str() {
            "NEW" => *executed == 0,
            "PARTIALLY_FILLED" => 0 < *executed && executed < qty,
            "FILLED" => 0 < *executed && (executed == qty || self.kind == "MARKET"),
            "CANCELED" | "EXPIRED" | "EXPIRED_IN_MATCH" => executed < qty || self.kind == "MARKET",
            _ => false,
        };
        assert!(fits, "{self:?}");
    }
}

/// Refusals that a trader who plays at random runs into.
const REFUSALS: [i64; 7] = [-1013, -2010, -2011, -2013, -2021, -2022, -2038];
/// The exchange stops, or is busy: nothing was done.
const NOT_DONE: [i64; 2] = [-1008, -1016];
/// The exchange stopped, or the answer took too long: nobody knows.
const NOT_KNOWN: [i64; 2] = [-1006, -1007];

impl Trader {
    pub fn new(account: u64, signer: Signer, random: Random) -> Self {
        Self {
            account,
            signer,
            random,
            named: 0,
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            unknown: None,
            told: Vec::new(),
            market_moves: false,
            prevents: false,
            over: Vec::new(),
            seen_orders: [0; 2],
            seen_trades: [0; 2],
            traded: BTreeMap::new(),
            balances: [0; 3],
            withdrawing: [0; 3],
            unknowns: 0,
        }
    }

    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    fn name(&mut self) -> String {
        self.named += 1;
        format!("t{}-{:026}", self.account, self.named)
    }

    /// Does up to `limit` things, one after the other, until the exchange is gone.
    pub fn trade(&mut self, addresses: &Addresses, limit: u64, tally: &Tally) {
        let Ok(mut connection) = Connection::open(&addresses.public) else { return };
        for _ in 0..limit {
            let sent = self.choose();
            let (verb, path, query) = self.request(&sent);
            self.prevents |= sent.new_order().is_some_and(|new| new.prevention != "NONE");
            self.unknown = Some(sent);
            let Ok(answer) = connection.signed(verb, path, &self.signer, &query) else { return };
            if answer.status >= 500 {
                let code = answer.code();
                assert!(NOT_DONE.contains(&code) || NOT_KNOWN.contains(&code), "{answer:?}");
                if NOT_DONE.contains(&code) {
                    self.unknown = None;
                }
                return;
            }
            let sent = self.unknown.take().expect("set above");
            self.note(sent, &answer);
            tally.add();
        }
    }

    fn request(&self, sent: &Sent) -> (&'static str, &'static str, String) {
        const ORDER: &str = "/api/v3/order";
        let of = |order: &u64| MARKETS[self.orders[order].market].symbol;
        match sent {
            Sent::Place(new) => ("POST", ORDER, new.query()),
            Sent::Cancel(order) => ("DELETE", ORDER, format!("symbol={}&orderId={order}", of(order))),
            Sent::CancelAll(market) => {
                ("DELETE", "/api/v3/openOrders", format!("symbol={}", MARKETS[*market].symbol))
            }
            Sent::Replace(old, new) => (
                "POST",
                "/api/v3/order/cancelReplace",
                format!("{}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={old}", new.query()),
            ),
            Sent::Amend { order, qty, name } => (
                "PUT",
                "/api/v3/order/amend/keepPriority",
                format!("symbol={}&orderId={order}&newQty={}&newClientOrderId={name}", of(order), text(*qty)),
            ),
            Sent::Query(order) => ("GET", ORDER, format!("symbol={}&orderId={order}", of(order))),
        }
    }

    fn choose(&mut self) -> Sent {
        let dice = self.random.below(100);
        let open: Vec<u64> = self.open.iter().copied().collect();
        match dice {
            0..12 if !open.is_empty() => Sent::Cancel(*self.random.one(&open)),
            12..24 if !open.is_empty() => {
                let old = *self.random.one(&open);
                let market = self.orders[&old].market;
                Sent::Replace(old, self.limit(market))
            }
            24..32 if !open.is_empty() => {
                let order = *self.random.one(&open);
                let Order { market, qty, .. } = self.orders[&order];
                let lots = u64::try_from(qty / MARKETS[market].lot).expect("few lots");
                let qty = MARKETS[market].lot * Atoms::from(self.random.below(lots) + 1);
                Sent::Amend { order, qty, name: self.name() }
            }
            32..34 => Sent::CancelAll(usize::from(dice == 32)),
            34..36 if !self.orders.is_empty() => {
                let last = *self.orders.last_key_value().expect("there is one").0;
                Sent::Query(last)
            }
            _ => {
                let market = usize::from(self.random.below(3) == 0);
                let limit = self.limit(market);
                Sent::Place(match dice {
                    36..42 => New { time_in_force: Some("IOC"), ..limit },
                    42..45 => New { time_in_force: Some("FOK"), ..limit },
                    45..52 => New { kind: "LIMIT_MAKER", time_in_force: None, ..limit },
                    52..56 => New { kind: "MARKET", time_in_force: None, price: None, ..limit },
                    56..60 => {
                        let amount = limit.price.zip(limit.qty).map(|(price, qty)| notional(price, qty));
                        New { kind: "MARKET", time_in_force: None, price: None, qty: None, amount, ..limit }
                    }
                    _ => limit,
                })
            }
        }
    }

    fn limit(&mut self, market: usize) -> New {
        let Market { tick, lot, price, .. } = MARKETS[market];
        let away = Atoms::from(self.random.below(21)) - 10;
        let is_buy = self.random.below(2) == 0;
        New {
            name: self.name(),
            market,
            is_buy,
            kind: "LIMIT",
            time_in_force: Some("GTC"),
            // Buyers a little lower, so that some of it rests.
            price: Some(price + tick * (away + if is_buy { -4 } else { 4 })),
            qty: Some(lot * Atoms::from(self.random.below(20) + 1)),
            amount: None,
            prevention: ["NONE", "NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"]
                [usize::try_from(self.random.below(5)).expect("below five")],
        }
    }

    /// Writes down an answer.
    fn note(&mut self, sent: Sent, answer: &Answer) {
        let json = answer.json();
        if answer.status != 200 {
            assert!(REFUSALS.contains(&answer.code()), "{sent:?} {answer:?}");
            // With STOP_ON_FAILURE a replacement is refused whole, but for a new order that then finds a rule against it: there is
            // money enough, but the market may move away between the two.
            if let (Sent::Replace(old, _), -2021) = (&sent, answer.code()) {
                let data = &json["data"];
                assert_eq!(
                    data["newOrderResponse"]["msg"], "Market is closed.",
                    "there is money enough: {sent:?} {answer:?}"
                );
                assert!(self.market_moves, "{answer:?}");
                self.note_cancelled(*old, &data["cancelResponse"]);
            }
            return;
        }
        match sent {
            Sent::Place(new) => self.note_placed(&new, &json),
            Sent::Cancel(order) => self.note_cancelled(order, &json),
            Sent::CancelAll(market) => {
                let mut left: BTreeSet<u64> =
                    self.open.iter().copied().filter(|id| self.orders[id].market == market).collect();
                for cancelled in json.as_array().expect("a list") {
                    let id = id(cancelled, "orderId");
                    assert!(left.remove(&id), "cancelled, but not open here: {cancelled}");
                    self.note_cancelled(id, cancelled);
                }
                self.over.extend(left);
            }
            Sent::Replace(old, new) => {
                assert_eq!(
                    (&json["cancelResult"], &json["newOrderResult"]),
                    (&"SUCCESS".into(), &"SUCCESS".into())
                );
                self.note_cancelled(old, &json["cancelResponse"]);
                self.note_placed(&new, &json["newOrderResponse"]);
            }
            Sent::Amend { order, qty, name } => {
                let amended = &json["amendedOrder"];
                assert_eq!(id(amended, "orderId"), order);
                let noted = self.orders.get_mut(&order).expect("one of ours");
                noted.executed = number(amended, "executedQty");
                noted.quote = number(amended, "cumulativeQuoteQty");
                noted.status = word(amended, "status");
                if noted.status == "EXPIRED" {
                    // No more than had traded.
                    assert!(qty <= noted.executed, "{json}");
                    self.open.remove(&order);
                } else {
                    assert_eq!((number(amended, "qty"), word(amended, "clientOrderId")), (qty, name.clone()));
                    (noted.qty, noted.name) = (qty, name);
                }
            }
            Sent::Query(wanted) => {
                let (id, found) = order(&json, "clientOrderId");
                assert_eq!(id, wanted);
                self.assert_later(id, &found, None);
                self.learn(id, found);
            }
        }
    }

    fn note_placed(&mut self, new: &New, json: &Value) {
        let (id, placed) = order(json, "clientOrderId");
        new.check(&placed);
        placed.assert_sound();
        for fill in json["fills"].as_array().expect("a list") {
            let trade = fill["tradeId"].as_u64().expect("a number");
            self.told.push((placed.market, trade, id, number(fill, "price"), number(fill, "qty")));
        }
        assert!(!self.orders.contains_key(&id), "an order number comes once: {json}");
        self.learn(id, placed);
    }

    fn note_cancelled(&mut self, wanted: u64, json: &Value) {
        let (id, cancelled) = order(json, "origClientOrderId");
        assert_eq!((id, cancelled.status.as_str()), (wanted, "CANCELED"), "{json}");
        let noted = &self.orders[&id];
        assert!(noted.executed <= cancelled.executed, "{noted:?} {cancelled:?}");
        self.learn(id, cancelled);
    }

    fn learn(&mut self, id: u64, order: Order) {
        if order.is_open() {
            self.open.insert(id);
        } else {
            self.open.remove(&id);
        }
        self.orders.insert(id, order);
    }

    /// `found` is what was noted of the order, or what can have become of it since.
    #[track_caller]
    fn assert_later(&self, id: u64, found: &Order, unknown: Option<&Sent>) {
        let noted = &self.orders[&id];
        found.assert_sound();
        if !noted.is_open() {
            assert_eq!(found, noted, "order {id} was over");
            return;
        }
        let amended = matches!(unknown, Some(Sent::Amend { order, qty, name })
            if *order == id && *qty == found.qty && *name == found.name);
        let same = Order {
            executed: found.executed,
            quote: found.quote,
            status: found.status.clone(),
            qty: if amended { found.qty } else { noted.qty },
            name: if amended { found.name.clone() } else { noted.name.clone() },
            ..noted.clone()
        };
        assert_eq!(*found, same, "order {id} was {noted:?}, unknown is {unknown:?}");
        assert!(noted.executed <= found.executed && noted.quote <= found.quote, "{noted:?} {found:?}");
        let possible = match found.status.as_str() {
            "NEW" | "PARTIALLY_FILLED" => !self.over.contains(&id),
            "FILLED" => true,
            "CANCELED" => match unknown {
                Some(Sent::Cancel(order) | Sent::Replace(order, _)) => *order == id,
                Some(Sent::CancelAll(market)) => *market == found.market,
                Some(Sent::Place(_) | Sent::Amend { .. } | Sent::Query(_)) | None => false,
            },
            "EXPIRED" => {
                matches!(unknown, Some(Sent::Amend { order, qty, .. }) if *order == id && *qty <= found.executed)
            }
            "EXPIRED_IN_MATCH" => self.prevents,
            _ => false,
        };
        assert!(possible, "order {id} was {noted:?}, is {found:?}, unknown is {unknown:?}");
    }

    /// Holds the notes against the exchange, which stands still. Gives back the orders and trades that are new since the
    /// last time.
    pub fn check(&mut self, connection: &mut Connection) -> (Vec<u64>, Vec<Trade>) {
        let unknown = self.unknown.take();
        self.unknowns += u64::from(unknown.is_some());
        let (mut new_orders, mut new_trades) = (Vec::new(), Vec::new());
        let mut appeared = false;
        let was_open = self.open.clone();
        for market in 0..MARKETS.len() {
            let fetched = self.fetch_orders(connection, market);
            let lost: Vec<_> = self
                .orders
                .range(self.first_wanted(market)..)
                .filter(|(id, order)| order.market == market && !fetched.contains_key(id))
                .collect();
            assert!(lost.is_empty(), "acknowledged orders of account {} are lost: {lost:?}", self.account);
            for (id, found) in fetched {
                if self.orders.contains_key(&id) {
                    self.assert_later(id, &found, unknown.as_ref());
                } else {
                    let new = unknown.as_ref().and_then(Sent::new_order);
                    let new = new.unwrap_or_else(|| panic!("order {id} was never sent: {found:?}"));
                    assert!(!appeared, "sent once, there twice: {new:?}");
                    appeared = true;
                    new.check(&found);
                    found.assert_sound();
                }
                if id > self.seen_orders[market] {
                    new_orders.push(id);
                }
                self.learn(id, found);
            }
            let newest = self.orders.iter().rev().find(|(_, order)| order.market == market);
            self.seen_orders[market] = newest.map_or(0, |(id, _)| *id);
            new_trades.extend(self.fetch_trades(connection, market));
        }
        let ended_with = |id: &u64, status: &str| self.orders[id].status == status;
        match &unknown {
            Some(Sent::Replace(old, _)) => {
                let is_half = appeared != ended_with(old, "CANCELED");
                assert!(!is_half || self.market_moves && !appeared, "half of {unknown:?}");
            }
            Some(Sent::CancelAll(market)) => {
                let of_it: Vec<&u64> =
                    was_open.iter().filter(|id| self.orders[id].market == *market).collect();
                let done = of_it.iter().any(|id| ended_with(id, "CANCELED"));
                let left = of_it.iter().any(|id| self.orders[id].is_open());
                assert!(!(done && left), "half of {unknown:?}");
            }
            Some(Sent::Place(_) | Sent::Cancel(_) | Sent::Amend { .. } | Sent::Query(_)) | None => {}
        }
        self.check_trades(&new_trades);
        self.check_account(connection);
        self.prevents = false;
        self.over.clear();
        (new_orders, new_trades)
    }

    /// The first order of a market that may have changed.
    fn first_wanted(&self, market: usize) -> u64 {
        let open = self.open.iter().find(|id| self.orders[id].market == market);
        open.copied().unwrap_or(u64::MAX).min(self.seen_orders[market] + 1)
    }

    fn ask(&self, connection: &mut Connection, path: &str, query: &str) -> Value {
        connection.signed("GET", path, &self.signer, query).expect("the exchange is there").good()
    }

    fn fetch_orders(&self, connection: &mut Connection, market: usize) -> BTreeMap<u64, Order> {
        let symbol = MARKETS[market].symbol;
        let mut from = self.first_wanted(market);
        let mut found = BTreeMap::new();
        loop {
            let query = format!("symbol={symbol}&orderId={from}&limit=1000");
            let page = self.ask(connection, "/api/v3/allOrders", &query);
            let page = page.as_array().expect("a list");
            for entry in page {
                let (id, entry) = order(entry, "clientOrderId");
                assert!(id >= from, "orders come in their order");
                from = id + 1;
                found.insert(id, entry);
            }
            if page.len() < 1_000 {
                break;
            }
        }
        let open = self.ask(connection, "/api/v3/openOrders", &format!("symbol={symbol}"));
        let open: BTreeMap<u64, Order> =
            open.as_array().expect("a list").iter().map(|entry| order(entry, "clientOrderId")).collect();
        let open_of_all: BTreeMap<u64, Order> = found
            .iter()
            .filter(|(_, order)| order.is_open())
            .map(|(id, order)| (*id, order.clone()))
            .collect();
        assert_eq!(open, open_of_all, "two ways of asking, one answer");
        found
    }

    fn fetch_trades(&mut self, connection: &mut Connection, market: usize) -> Vec<Trade> {
        let Market { symbol, base, quote, .. } = MARKETS[market];
        let from = self.seen_trades[market] + 1;
        let page =
            self.ask(connection, "/api/v3/myTrades", &format!("symbol={symbol}&fromId={from}&limit=10000"));
        let page = page.as_array().expect("a list");
        assert!(page.len() < 10_000, "all of them at once");
        let mut trades = Vec::new();
        for entry in page {
            let trade = Trade {
                market,
                id: id(entry, "id"),
                order: id(entry, "orderId"),
                price: number(entry, "price"),
                qty: number(entry, "qty"),
                is_buyer: entry["isBuyer"] == true,
                is_maker: entry["isMaker"] == true,
            };
            let amount = notional(trade.price, trade.qty);
            assert_eq!(number(entry, "quoteQty"), amount);
            let (received, paid) = if trade.is_buyer { (base, quote) } else { (quote, base) };
            let (gain, cost) = if trade.is_buyer { (trade.qty, amount) } else { (amount, trade.qty) };
            let fee = number(entry, "commission");
            assert_eq!(asset(&word(entry, "commissionAsset")), received);
            // A thousandth, rounded up.
            assert_eq!(fee, (gain + 999) / 1_000, "{entry}");
            self.balances[received] += gain - fee;
            self.balances[paid] -= cost;
            let (qty, quote) = self.traded.entry(trade.order).or_default();
            *qty += trade.qty;
            *quote += amount;
            self.seen_trades[market] = self.seen_trades[market].max(trade.id);
            trades.push(trade);
        }
        trades
    }

    /// Every trade that was told is there, once; and orders have executed what their trades say.
    fn check_trades(&mut self, new: &[Trade]) {
        for told in self.told.drain(..) {
            let (market, id, order, price, qty) = told;
            let same = |trade: &&Trade| {
                (trade.market, trade.id, trade.order, trade.price, trade.qty)
                    == (market, id, order, price, qty)
            };
            assert_eq!(new.iter().filter(same).count(), 1, "a trade that was acknowledged: {told:?}");
        }
        for order in new.iter().map(|trade| trade.order) {
            assert!(self.orders.contains_key(&order), "a trade of order {order}, which is not ours");
        }
        for (id, order) in &self.orders {
            let traded = self.traded.get(id).copied().unwrap_or_default();
            assert_eq!((order.executed, order.quote), traded, "order {id} against its trades: {order:?}");
        }
    }

    fn check_account(&self, connection: &mut Connection) {
        let mut held = self.withdrawing;
        for id in &self.open {
            let (asset, amount) = self.orders[id].held();
            held[asset] += amount;
        }
        let account = self.ask(connection, "/api/v3/account", "");
        for (index, asset) in ASSETS.iter().enumerate() {
            let told = account["balances"].as_array().expect("a list").iter();
            let told = told.clone().find(|balance| balance["asset"] == *asset).expect("every asset");
            let (free, locked) = (number(told, "free"), number(told, "locked"));
            assert_eq!(
                (text(free), text(locked)),
                (text(self.balances[index] - held[index]), text(held[index])),
                "{asset} of account {}: told, and by its own notes",
                self.account
            );
        }
    }

    /// What is open now, by price: market, side, price, quantity.
    pub fn resting(&self) -> impl Iterator<Item = (usize, bool, Atoms, Atoms)> + '_ {
        let open = self.open.iter().map(|id| &self.orders[id]);
        open.map(|order| (order.market, order.is_buy, order.price, order.qty - order.executed))
    }
}
