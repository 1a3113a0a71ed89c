//! A made-up exchange that causes consistent events: the obvious book, balances in a map, no speed, no mercy. It knows
//! nothing of the views and shares no code with them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{
    AccountId, AccountName, Amount, ApiKeyAdded, ApiKeyChanged, ApiKeyCreated, ApiKeyId, AssetId, AssetName,
    AssetTerms, ClientOrderId, Deposited, EndReason, Event, EventBatch, EventSeq, ExpiryReason, FeeRounding,
    KeyKind, KeyLabel, LevelChanged, Liquidity, MarketId, MarketName, MarketStatus, MarketTerms,
    OrderAccepted, OrderAmended, OrderEnded, OrderFilled, OrderId, OrderKind, OrderPrevented, PriceTicks,
    QtyLots, Reference, Reject, SelfTradePrevention, Seq, Side, TimeInForce, TimeNs, TradeGroup, TradeId,
    Traded, WithdrawalId, WithdrawalRequested, WithdrawalSettled,
};

/// xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// From 0 to below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        u64::try_from((u128::from(word) * u128::from(bound)) >> 64).unwrap()
    }

    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap())).unwrap()
    }

    fn signed(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }
}

#[derive(Clone)]
struct Open {
    account: AccountId,
    market: MarketId,
    side: Side,
    kind: OrderKind,
    stp: SelfTradePrevention,
    name: ClientOrderId,
    qty: i64,
    done: i64,
    held: i128,
}

#[derive(Default)]
struct Book {
    /// For each side, by rank (best first) and arrival; the rank of a bid is its negative price.
    sides: [BTreeSet<(i64, OrderId)>; 2],
    open_at: BTreeMap<(u8, i64), i64>,
    update_id: u64,
    trade: TradeId,
    prevented: u64,
}

/// How time passes between batches.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Not at all, or by milliseconds: for measurements.
    Busy,
    /// Anything from nothing to weeks.
    Anything,
}

pub struct World {
    pub random: Random,
    pace: Pace,
    seq: Seq,
    event_seq: EventSeq,
    pub time_ns: TimeNs,
    pub terms: Vec<MarketTerms>,
    books: Vec<Book>,
    accounts: u64,
    assets: u32,
    keys: Vec<(AccountId, ApiKeyId)>,
    next_key: u64,
    balances: BTreeMap<(AccountId, AssetId), (i128, i128)>,
    open: BTreeMap<OrderId, Open>,
    names: BTreeSet<(AccountId, ClientOrderId)>,
    next_order: u64,
    withdrawals: VecDeque<WithdrawalRequested>,
    next_withdrawal: u64,
    events: Vec<Event>,
    /// What accounts are told, after what markets are told.
    told: Vec<Event>,
}

pub fn terms(name: &str, base: u32, quote: u32) -> MarketTerms {
    MarketTerms {
        name: MarketName::new(name).unwrap(),
        base: AssetId(base),
        quote: AssetId(quote),
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000),
        quote_atoms_per_tick_lot: Amount(10),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(1_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000_000),
        min_notional: Amount(0),
        max_notional: Amount(0),
        max_open_orders: 100_000,
        max_open_orders_per_account: 200,
        max_amends_per_order: 10,
        maker_fee_ppm: 1_000,
        taker_fee_ppm: 2_000,
        fee_rounding: FeeRounding::Up,
        band_ppm: 0,
        initial_reference_ticks: PriceTicks(500),
        status: MarketStatus::Trading,
    }
}

/// What follows the price is tested against the exchange itself.
const NOBODY_WAITS: &str = "nobody in this world waits for a price";

const MODES: [SelfTradePrevention; 4] = [
    SelfTradePrevention::None,
    SelfTradePrevention::ExpireMaker,
    SelfTradePrevention::ExpireTaker,
    SelfTradePrevention::ExpireBoth,
];

impl World {
    /// Three assets, `markets` markets, `accounts` rich accounts.
    pub fn new(seed: u64, markets: u32, accounts: u64, pace: Pace) -> (Self, EventBatch) {
        let mut world = Self {
            random: Random::new(seed),
            pace,
            seq: Seq(0),
            event_seq: EventSeq(0),
            time_ns: TimeNs::from_millis(1_700_000_000_000),
            terms: Vec::new(),
            books: Vec::new(),
            accounts: 0,
            assets: 0,
            keys: Vec::new(),
            next_key: 0,
            balances: BTreeMap::new(),
            open: BTreeMap::new(),
            names: BTreeSet::new(),
            next_order: 1,
            withdrawals: VecDeque::new(),
            next_withdrawal: 1,
            events: Vec::new(),
            told: Vec::new(),
        };
        for name in ["AAA", "BBB", "CCC"] {
            let terms = AssetTerms { name: AssetName::new(name).unwrap(), scale: 8 };
            world.events.push(Event::AssetAdded { asset: AssetId(world.assets), terms });
            world.assets += 1;
        }
        for market in 0..markets {
            let (base, quote) = [(0, 2), (1, 2), (1, 0)][usize::try_from(market % 3).unwrap()];
            let terms = terms(&format!("M{market}"), base, quote);
            world.events.push(Event::MarketAdded { market: MarketId(market), terms: Box::new(terms) });
            world.terms.push(terms);
            world.books.push(Book::default());
        }
        for _ in 0..accounts {
            world.create_account();
        }
        let batch = world.batch(1);
        (world, batch)
    }

    fn batch(&mut self, commands: u64) -> EventBatch {
        let events = std::mem::take(&mut self.events);
        let len = u64::try_from(events.len()).unwrap();
        let mut ends = vec![u32::try_from(events.len()).unwrap(); usize::try_from(commands).unwrap()];
        // Where the earlier commands end does not matter to a view.
        ends[..usize::try_from(commands - 1).unwrap()].fill(0);
        let batch = EventBatch {
            first_seq: self.seq.next(),
            time_ns: self.time_ns,
            first_event_seq: self.event_seq.next(),
            events,
            ends,
        };
        self.seq.0 += commands;
        self.event_seq.0 += len;
        batch
    }

    /// Some commands at one moment.
    pub fn step(&mut self) -> EventBatch {
        let pass = match self.pace {
            Pace::Busy => [0, 0, 1_000_000, 3_000_000][self.random.index(4)],
            Pace::Anything => {
                let scale =
                    [0, 1, 1_000_000, 1_000_000_000, 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000]
                        [self.random.index(7)];
                scale * self.random.below(12)
            }
        };
        self.time_ns.0 += pass;
        let commands = 1 + self.random.below(4);
        for _ in 0..commands {
            self.command();
            self.events.append(&mut self.told);
        }
        self.batch(commands)
    }

    fn command(&mut self) {
        match self.random.below(100) {
            0 => self.create_account(),
            1 => self.deposit(),
            2 => self.withdraw(),
            3 => self.settle(),
            4 => self.key(),
            5 => self.change_terms(),
            6 => {} // a tick
            7 => self.events.push(Event::Rejected { account: AccountId(1), reject: Reject::UnknownOrder }),
            8 => self.events.push(Event::Skipped { reason: "planted".to_owned() }),
            9..30 => self.cancel_one(),
            30..35 => self.amend(),
            35 => self.cancel_all(),
            _ => self.place(),
        }
    }

    fn some_account(&mut self) -> AccountId {
        AccountId(1 + self.random.below(self.accounts))
    }

    fn create_account(&mut self) {
        self.accounts += 1;
        let account = AccountId(self.accounts);
        let name = AccountName::new(&format!("account-{account}")).unwrap();
        self.events.push(Event::AccountCreated { account, name, trade_group: TradeGroup::NONE });
        for asset in 0..self.assets {
            self.credit(account, AssetId(asset), 1_000_000_000_000);
        }
    }

    fn credit(&mut self, account: AccountId, asset: AssetId, amount: i128) {
        self.balances.entry((account, asset)).or_default().0 += amount;
        let reference = Reference::new("chain:1").unwrap();
        self.events.push(Event::Deposited(Box::new(Deposited {
            account,
            asset,
            amount: Amount(amount),
            reference,
        })));
    }

    fn deposit(&mut self) {
        let account = self.some_account();
        let asset = AssetId(u32::try_from(self.random.below(3)).unwrap());
        let amount = i128::from(1 + self.random.below(1_000_000_000));
        self.credit(account, asset, amount);
    }

    fn withdraw(&mut self) {
        let account = self.some_account();
        let asset = AssetId(u32::try_from(self.random.below(3)).unwrap());
        let amount = i128::from(1 + self.random.below(1_000_000));
        let balance = self.balances.entry((account, asset)).or_default();
        if balance.0 < amount {
            return;
        }
        balance.0 -= amount;
        balance.1 += amount;
        let requested = WithdrawalRequested {
            withdrawal: WithdrawalId(self.next_withdrawal),
            account,
            asset,
            amount: Amount(amount),
            reference: Reference::new("bank:1").unwrap(),
        };
        self.next_withdrawal += 1;
        self.withdrawals.push_back(requested.clone());
        self.events.push(Event::WithdrawalRequested(Box::new(requested)));
    }

    fn settle(&mut self) {
        let Some(requested) = self.withdrawals.pop_front() else { return };
        let paid_out = self.random.below(2) == 0;
        let balance = self.balances.get_mut(&(requested.account, requested.asset)).unwrap();
        balance.1 -= requested.amount.0;
        if !paid_out {
            balance.0 += requested.amount.0;
        }
        self.events.push(Event::WithdrawalSettled(WithdrawalSettled {
            withdrawal: requested.withdrawal,
            account: requested.account,
            asset: requested.asset,
            amount: requested.amount,
            paid_out,
        }));
    }

    fn key(&mut self) {
        if let (Some((account, key)), 0) = (self.keys.first().copied(), self.random.below(3)) {
            let ip_ranges = vec!["192.0.2.0/24".parse().unwrap()];
            self.events.push(Event::ApiKeyChanged(ApiKeyChanged { account, key, permissions: 1, ip_ranges }));
        } else if self.keys.len() > 3 {
            let place = self.random.index(self.keys.len());
            let (account, key) = self.keys.swap_remove(place);
            self.events.push(Event::ApiKeyRevoked { account, key });
        } else {
            let account = self.some_account();
            self.next_key += 1;
            let key = ApiKeyId::new(&format!("key-{}", self.next_key)).unwrap();
            self.keys.push((account, key));
            self.events.push(if self.next_key.is_multiple_of(2) {
                Event::ApiKeyCreated(ApiKeyCreated { account, key, permissions: 3 })
            } else {
                let (kind, label) = (KeyKind::Ed25519, KeyLabel::new("bot").unwrap());
                let (permissions, ip_ranges) = (3, vec!["2001:db8::7".parse().unwrap()]);
                Event::ApiKeyAdded(Box::new(ApiKeyAdded {
                    account,
                    key,
                    kind,
                    label,
                    permissions,
                    ip_ranges,
                }))
            });
        }
    }

    fn change_terms(&mut self) {
        let market = self.random.index(self.terms.len());
        self.terms[market].taker_fee_ppm = u32::try_from(self.random.below(5_000)).unwrap();
        self.events.push(Event::MarketAdded {
            market: MarketId(u32::try_from(market).unwrap()),
            terms: Box::new(self.terms[market]),
        });
    }

    fn some_open(&mut self) -> Option<OrderId> {
        // The next one from somewhere: no need to be fair.
        let from = OrderId(self.random.below(self.next_order));
        let found = self.open.range(from..).next().or_else(|| self.open.iter().next());
        found.map(|(id, _)| *id)
    }

    fn cancel_one(&mut self) {
        if let Some(order) = self.some_open() {
            self.end(order, EndReason::Canceled);
        }
    }

    fn cancel_all(&mut self) {
        let (account, market) = (self.some_account(), self.random.index(self.terms.len()));
        let market = MarketId(u32::try_from(market).unwrap());
        let all: Vec<OrderId> = self
            .open
            .iter()
            .filter(|(_, order)| (order.account, order.market) == (account, market))
            .map(|(id, _)| *id)
            .collect();
        for order in all {
            self.end(order, EndReason::Canceled);
        }
    }

    fn amend(&mut self) {
        let Some(id) = self.some_open() else { return };
        let order = self.open[&id].clone();
        if order.qty - order.done < 2 {
            return;
        }
        let qty = order.done + 1 + self.random.signed(u64::try_from(order.qty - order.done - 1).unwrap());
        let name = if self.random.below(2) == 0 { self.name() } else { order.name };
        if name.is_empty() || (name != order.name && !self.names.insert((order.account, name))) {
            return;
        }
        if name != order.name {
            self.names.remove(&(order.account, order.name));
        }
        let less = order.qty - qty;
        let terms = self.terms[usize::try_from(order.market.0).unwrap()];
        let price = order.kind.price_ticks().unwrap();
        let released = match order.side {
            Side::Buy => terms.notional(price, QtyLots(less)).0,
            Side::Sell => terms.base_amount(QtyLots(less)).0,
        };
        self.release(&order, released);
        let open = self.open.get_mut(&id).unwrap();
        open.qty = qty;
        open.name = name;
        open.held -= released;
        self.level(order.market, order.side, price.0, -less);
        self.told.push(Event::OrderAmended(OrderAmended {
            order: id,
            account: order.account,
            market: order.market,
            qty_lots: QtyLots(qty),
            client_order_id: name,
            released: Amount(released),
        }));
    }

    /// Few enough names that they come again, and sometimes none.
    fn name(&mut self) -> ClientOrderId {
        if self.random.below(20) == 0 {
            return ClientOrderId::EMPTY;
        }
        ClientOrderId::new(&format!("name-{}", self.random.below(60))).unwrap()
    }

    fn pays_in(&self, market: MarketId, side: Side) -> AssetId {
        let terms = &self.terms[usize::try_from(market.0).unwrap()];
        match side {
            Side::Buy => terms.quote,
            Side::Sell => terms.base,
        }
    }

    fn release(&mut self, order: &Open, amount: i128) {
        let asset = self.pays_in(order.market, order.side);
        let balance = self.balances.get_mut(&(order.account, asset)).unwrap();
        balance.1 -= amount;
        balance.0 += amount;
    }

    /// Changes what is open at a price, and tells.
    fn level(&mut self, market: MarketId, side: Side, price: i64, by: i64) {
        let book = &mut self.books[usize::try_from(market.0).unwrap()];
        let place = (u8::from(side == Side::Sell), price);
        let open = book.open_at.entry(place).or_default();
        *open += by;
        let open_lots = *open;
        if open_lots == 0 {
            book.open_at.remove(&place);
        }
        book.update_id += 1;
        self.events.push(Event::LevelChanged(LevelChanged {
            market,
            update_id: book.update_id,
            side,
            price_ticks: PriceTicks(price),
            open_lots: QtyLots(open_lots),
        }));
    }

    fn rank(side: Side, price: i64) -> i64 {
        if side == Side::Buy { -price } else { price }
    }

    /// Ends an order, resting or arriving.
    fn end(&mut self, id: OrderId, reason: EndReason) {
        let order = self.open.remove(&id).unwrap();
        self.names.remove(&(order.account, order.name));
        if let Some(price) = order.kind.price_ticks() {
            let book = &mut self.books[usize::try_from(order.market.0).unwrap()];
            let side = usize::from(order.side == Side::Sell);
            let rested = book.sides[side].remove(&(Self::rank(order.side, price.0), id));
            if rested && order.qty > order.done {
                self.level(order.market, order.side, price.0, order.done - order.qty);
            }
        }
        self.release(&order, order.held);
        self.told.push(Event::OrderEnded(OrderEnded {
            order: id,
            account: order.account,
            market: order.market,
            reason,
            released: Amount(order.held),
        }));
    }

    fn place(&mut self) {
        let account = self.some_account();
        let market = self.random.index(self.terms.len());
        let terms = self.terms[market];
        let market = MarketId(u32::try_from(market).unwrap());
        let side = if self.random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let qty_lots = QtyLots(1 + self.random.signed(1_000));
        let price = 500 + self.random.signed(40) - if side == Side::Buy { 28 } else { 12 };
        let price_ticks = PriceTicks(price);
        let kind = match self.random.below(10) {
            0 => OrderKind::Market { qty_lots },
            1 => {
                OrderKind::MarketQuote { quote_amount: Amount(i128::from(self.random.below(5_000_000) + 1)) }
            }
            2 => OrderKind::LimitMaker { price_ticks, qty_lots },
            3 => OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Ioc },
            _ => OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc },
        };
        let id = OrderId(self.next_order);
        self.next_order += 1;
        let held = match (side, kind) {
            (Side::Buy, OrderKind::MarketQuote { quote_amount }) => quote_amount.0,
            (Side::Sell, OrderKind::MarketQuote { .. }) => terms.base_amount(QtyLots(2_000)).0,
            (Side::Buy, OrderKind::Market { qty_lots }) => terms.notional(PriceTicks(600), qty_lots).0,
            (Side::Buy, _) => terms.notional(price_ticks, qty_lots).0,
            (Side::Sell, _) => terms.base_amount(qty_lots).0,
        };
        let name = self.name();
        let crosses = self.best(market, side.opposite()).is_some_and(|(best, _)| match side {
            Side::Buy => best <= price,
            Side::Sell => best >= price,
        });
        let makes = !(crosses && matches!(kind, OrderKind::LimitMaker { .. }));
        let (free, _) = self.balance(account, self.pays_in(market, side));
        if free < held || !makes || !(name.is_empty() || self.names.insert((account, name))) {
            self.told.push(Event::Rejected { account, reject: Reject::DuplicateClientOrderId });
            return;
        }
        let balance = self.balances.get_mut(&(account, self.pays_in(market, side))).unwrap();
        balance.0 -= held;
        balance.1 += held;
        let stp = MODES[self.random.index(4)];
        let qty = match kind {
            OrderKind::MarketQuote { .. } => i64::MAX,
            OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } | OrderKind::Market { .. } => qty_lots.0,
            OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => unreachable!("{NOBODY_WAITS}"),
        };
        self.open.insert(id, Open { account, market, side, kind, stp, name, qty, done: 0, held });
        self.told.push(Event::OrderAccepted(OrderAccepted {
            order: id,
            account,
            market,
            side,
            kind,
            self_trade_prevention: stp,
            client_order_id: name,
            held: Amount(held),
        }));
        self.trade(id);
    }

    fn best(&self, market: MarketId, side: Side) -> Option<(i64, OrderId)> {
        let book = &self.books[usize::try_from(market.0).unwrap()];
        let (rank, order) = book.sides[usize::from(side == Side::Sell)].first()?;
        Some((if side == Side::Buy { -rank } else { *rank }, *order))
    }

    /// The arriving order trades as far as it goes; what is left rests or ends.
    fn trade(&mut self, id: OrderId) {
        let Open { market, side, kind, .. } = self.open[&id];
        let terms = self.terms[usize::try_from(market.0).unwrap()];
        loop {
            let taker = self.open[&id].clone();
            if taker.qty == taker.done {
                return self.end(id, EndReason::Filled);
            }
            let Some((price, maker_id)) = self.best(market, side.opposite()) else { break };
            let reaches = match (kind.price_ticks(), side) {
                (Some(limit), Side::Buy) => price <= limit.0,
                (Some(limit), Side::Sell) => price >= limit.0,
                (None, _) => true,
            };
            if !reaches {
                break;
            }
            let maker = self.open[&maker_id].clone();
            if maker.account == taker.account && taker.stp != SelfTradePrevention::None {
                self.prevent(id, maker_id, price);
                if self.open.contains_key(&id) {
                    continue;
                }
                return;
            }
            let mut lots = (taker.qty - taker.done).min(maker.qty - maker.done);
            if let OrderKind::MarketQuote { quote_amount } = kind {
                let spent: i128 = quote_amount.0 - taker.held;
                let budget = if side == Side::Buy { quote_amount.0 - spent } else { taker.held / 100 };
                let per_lot = match side {
                    Side::Buy => terms.notional(PriceTicks(price), QtyLots(1)).0,
                    Side::Sell => terms.base_amount(QtyLots(1)).0,
                };
                lots = lots.min(i64::try_from(budget / per_lot).unwrap());
                if lots == 0 {
                    return self.end(id, EndReason::Filled);
                }
            }
            self.fill(id, maker_id, price, lots);
        }
        match kind {
            OrderKind::Limit { price_ticks, time_in_force: TimeInForce::Gtc, .. }
            | OrderKind::LimitMaker { price_ticks, .. } => {
                let left = self.open[&id].qty - self.open[&id].done;
                let book = &mut self.books[usize::try_from(market.0).unwrap()];
                book.sides[usize::from(side == Side::Sell)].insert((Self::rank(side, price_ticks.0), id));
                self.level(market, side, price_ticks.0, left);
            }
            OrderKind::Limit { .. } => self.end(id, EndReason::Expired(ExpiryReason::UnfilledIoc)),
            OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => unreachable!("{NOBODY_WAITS}"),
            OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => {
                self.end(id, EndReason::Expired(ExpiryReason::InsufficientLiquidity));
            }
        }
    }

    fn prevent(&mut self, taker: OrderId, maker: OrderId, price: i64) {
        let Open { market, account, stp, .. } = self.open[&taker];
        let book = &mut self.books[usize::try_from(market.0).unwrap()];
        let prevented_match = book.prevented;
        book.prevented += 1;
        let (maker_ends, taker_ends) = match stp {
            SelfTradePrevention::None => unreachable!("only asked for when there is a mode"),
            SelfTradePrevention::ExpireMaker => (true, false),
            SelfTradePrevention::ExpireTaker => (false, true),
            SelfTradePrevention::ExpireBoth => (true, true),
            SelfTradePrevention::Decrement | SelfTradePrevention::Transfer => {
                unreachable!("none of the modes of this world takes from both")
            }
        };
        for (order, counter_order, liquidity, ends) in
            [(taker, maker, Liquidity::Taker, taker_ends), (maker, taker, Liquidity::Maker, maker_ends)]
        {
            let open = &self.open[&order];
            let by_amount = matches!(open.kind, OrderKind::MarketQuote { .. });
            let left = if by_amount { 0 } else { open.qty - open.done };
            self.told.push(Event::OrderPrevented(OrderPrevented {
                order,
                account,
                market,
                prevented_match,
                liquidity,
                counter_order,
                price_ticks: PriceTicks(price),
                prevented_lots: QtyLots(if ends { left } else { 0 }),
                mode: stp,
                released: Amount::ZERO,
            }));
        }
        if maker_ends {
            self.end(maker, EndReason::ExpiredInMatch);
        }
        if taker_ends {
            self.end(taker, EndReason::ExpiredInMatch);
        }
    }

    fn fill(&mut self, taker: OrderId, maker: OrderId, price: i64, lots: i64) {
        let Open { market, side, .. } = self.open[&taker];
        let index = usize::try_from(market.0).unwrap();
        let terms = self.terms[index];
        self.books[index].trade = self.books[index].trade.next();
        let trade = self.books[index].trade;
        let (price_ticks, qty_lots) = (PriceTicks(price), QtyLots(lots));
        self.events.push(Event::Traded(Traded {
            market,
            trade,
            price_ticks,
            qty_lots,
            taker_side: side,
            maker_order: maker,
            taker_order: taker,
        }));
        self.level(market, side.opposite(), price, -lots);
        let quote = terms.notional(price_ticks, qty_lots).0;
        let base = terms.base_amount(qty_lots).0;
        for (id, liquidity) in [(maker, Liquidity::Maker), (taker, Liquidity::Taker)] {
            let order = self.open[&id].clone();
            let (paid, received) = if order.side == Side::Buy { (quote, base) } else { (base, quote) };
            let released = match (order.side, order.kind) {
                (
                    Side::Buy,
                    OrderKind::Limit { price_ticks: limit, .. }
                    | OrderKind::LimitMaker { price_ticks: limit, .. },
                ) => terms.notional(limit, qty_lots).0 - quote,
                (Side::Buy, OrderKind::Market { .. }) => terms.notional(PriceTicks(600), qty_lots).0 - quote,
                (Side::Buy, OrderKind::MarketQuote { .. }) | (Side::Sell, _) => 0,
                (Side::Buy, OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. }) => {
                    unreachable!("{NOBODY_WAITS}")
                }
            };
            let ppm = match liquidity {
                Liquidity::Maker => terms.maker_fee_ppm,
                Liquidity::Taker => terms.taker_fee_ppm,
            };
            let fee = (received * i128::from(ppm) + 999_999) / 1_000_000;
            let pays = self.pays_in(market, order.side);
            let gets = self.pays_in(market, order.side.opposite());
            let balance = self.balances.get_mut(&(order.account, pays)).unwrap();
            balance.1 -= paid + released;
            balance.0 += released;
            self.balances.entry((order.account, gets)).or_default().0 += received - fee;
            let open = self.open.get_mut(&id).unwrap();
            open.done += lots;
            open.held -= paid + released;
            self.told.push(Event::OrderFilled(OrderFilled {
                order: id,
                account: order.account,
                market,
                trade,
                side: order.side,
                liquidity,
                price_ticks,
                qty_lots,
                fee: Amount(fee),
                released: Amount(released),
            }));
        }
        if self.open[&maker].done == self.open[&maker].qty {
            self.end(maker, EndReason::Filled);
        }
    }

    /// What an account has, as this world counts it: free and held.
    pub fn balance(&self, account: AccountId, asset: AssetId) -> (i128, i128) {
        self.balances.get(&(account, asset)).copied().unwrap_or_default()
    }

    pub fn account_count(&self) -> u64 {
        self.accounts
    }

    /// The open orders of an account in a market, with what is left of each.
    pub fn open_orders(&self, account: AccountId, market: MarketId) -> Vec<(OrderId, i64, ClientOrderId)> {
        self.open
            .iter()
            .filter(|(_, order)| (order.account, order.market) == (account, market))
            .map(|(id, order)| (*id, order.qty - order.done, order.name))
            .collect()
    }

    /// What rests on one side, best first.
    pub fn levels(&self, market: MarketId, side: Side) -> Vec<(PriceTicks, QtyLots)> {
        let book = &self.books[usize::try_from(market.0).unwrap()];
        let wanted = u8::from(side == Side::Sell);
        let mut levels: Vec<(PriceTicks, QtyLots)> = book
            .open_at
            .iter()
            .filter(|((side, _), _)| *side == wanted)
            .map(|((_, price), open)| (PriceTicks(*price), QtyLots(*open)))
            .collect();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
    }

    /// Withdrawals under way, oldest first.
    pub fn open_withdrawals(&self) -> Vec<(WithdrawalId, AccountId, Amount)> {
        self.withdrawals.iter().map(|open| (open.withdrawal, open.account, open.amount)).collect()
    }

    pub fn orders_so_far(&self) -> u64 {
        self.next_order
    }
}
