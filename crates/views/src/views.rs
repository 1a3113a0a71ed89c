//! The door for events, and what is kept of each market together.

use codec::{Coded, DecodeError, Reader};
use margin::{Premium, impact_price, premium};
use model::{
    ApiKeyAdded, ApiKeyCreated, ContractTerms, Event, EventBatch, EventSeq, KeyKind, KeyLabel, LevelChanged,
    MarkPriceChanged, MarketId, MarketTerms, OrderAccepted, OrderAmended, OrderEnded, OrderFilled, OrderId,
    OrderPrevented, OrderTriggered, PartitionId, PriceTicks, QtyLots, Seq, Side, TimeNs, TradeId, Traded,
};

use crate::ViewSettings;
use crate::algo_orders::AlgoOrders;
use crate::balances::Balances;
use crate::candles::{Candle, CandleQuery, Candles};
use crate::catalog::{Account, Catalog};
use crate::contract_history::ContractHistory;
use crate::depth::Depth;
use crate::futures::Futures;
use crate::history::Stay;
use crate::orders::Orders;
use crate::own_trades::OwnTrades;
use crate::slab::at;
use crate::tickers::{BookTicker, DAY_MINUTES, Ticker, rolling};
use crate::trades::Tape;

/// A move of a market, as its views see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// It does not move.
    None,
    /// It is about to, and still where it was.
    Announced,
    /// It has left this partition, and nobody here has heard that it has arrived.
    Left,
}

/// A price of a contract beside those of its trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PriceKind {
    /// What positions are measured by.
    Mark,
    /// What spot markets and feeds say.
    Index,
    /// How far the contract's book is from that, as a part of it: its "ticks" are units of 10^-8. Source: semantics 2 ("Premium index").
    Premium,
}

/// The prices of a contract beside those of its trades, by time.
#[derive(Clone, Debug)]
struct Prices {
    mark: Candles,
    index: Candles,
    premium: Candles,
}

impl Prices {
    fn new(settings: &ViewSettings) -> Box<Self> {
        let candles = || Candles::new(settings);
        Box::new(Self { mark: candles(), index: candles(), premium: candles() })
    }

    fn changed(&mut self, changed: &MarkPriceChanged, premium: PriceTicks, time_ns: TimeNs) {
        let Self { mark, index, premium: premiums } = self;
        let prices = [(mark, changed.mark_ticks), (index, changed.index_ticks), (premiums, premium)];
        for (candles, price_ticks) in prices {
            // A price that nobody traded at: a trade of nothing.
            let (market, trade, order) = (changed.market, TradeId(0), OrderId(0));
            let (qty_lots, taker_side) = (QtyLots::ZERO, Side::Buy);
            let seen = Traded {
                market,
                trade,
                price_ticks,
                qty_lots,
                taker_side,
                maker_order: order,
                taker_order: order,
            };
            candles.traded(&seen, time_ns);
        }
    }
}

/// The premium of a contract's book, in units of 10^-8 of its index price, rounded half away from zero.
fn premium_of(terms: &MarketTerms, contract: &ContractTerms, depth: &Depth, index: PriceTicks) -> PriceTicks {
    let value = contract.impact_notional.0.checked_div(terms.quote_atoms_per_tick_lot.0);
    let value = value.and_then(|value| i64::try_from(value).ok()).expect("terms are checked");
    let (bid, ask) = (impact_price(depth.bids(), value), impact_price(depth.asks(), value));
    let Premium(finely) = premium(bid, ask, index);
    let half = 5_000_i64.saturating_mul(finely.signum());
    PriceTicks(finely.saturating_add(half).checked_div(10_000).expect("there are more than none"))
}

/// What the public sees of a market.
#[derive(Clone, Debug)]
struct MarketData {
    depth: Depth,
    tape: Tape,
    candles: Candles,
    /// Of a contract.
    prices: Option<Box<Prices>>,
    /// All that was ever traded in it is in here, as far as such things are kept; not so in a market that has moved here, until
    /// [`Views::adopt`].
    is_complete: bool,
    /// Whether it is on its way from one partition to another.
    moving: Move,
    /// What was traded while it lived here before.
    stays: Vec<Stay>,
}

impl MarketData {
    fn new(settings: &ViewSettings) -> Self {
        Self {
            depth: Depth::default(),
            tape: Tape::new(settings),
            candles: Candles::new(settings),
            prices: None,
            is_complete: true,
            moving: Move::None,
            stays: Vec::new(),
        }
    }

    fn save_moves(&self, out: &mut Vec<u8>) {
        self.is_complete.encode(out);
        let moving: u8 = match self.moving {
            Move::None => 0,
            Move::Announced => 1,
            Move::Left => 2,
        };
        moving.encode(out);
        u32::try_from(self.stays.len()).expect("markets move seldom").encode(out);
        for stay in &self.stays {
            stay.save(out);
        }
    }

    fn load_moves(&mut self, settings: &ViewSettings, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.is_complete = Coded::decode(input)?;
        self.moving = match u8::decode(input)? {
            0 => Move::None,
            1 => Move::Announced,
            2 => Move::Left,
            tag => return Err(DecodeError::UnknownTag { what: "move of a market", tag }),
        };
        for _ in 0..u32::decode(input)? {
            self.stays.push(Stay::load(settings, input)?);
        }
        Ok(())
    }
}

/// Read models of everything that has happened up to some event.
#[derive(Clone, Debug)]
pub struct Views {
    settings: ViewSettings,
    event_seq: EventSeq,
    command_seq: Seq,
    time_ns: TimeNs,
    /// When what the present event tells has happened: before `time_ns` where another partition has told it.
    happened_ns: TimeNs,
    catalog: Catalog,
    balances: Balances,
    orders: Orders,
    own_trades: OwnTrades,
    contract_orders: Orders,
    contract_history: ContractHistory,
    futures: Futures,
    algo_orders: AlgoOrders,
    markets: Vec<MarketData>,
}

/// The form in which [`Views::save`] writes where there is a past of premiums, open interest or margins; another number is another form.
const FORM_OF_PASTS: u8 = 7;
/// The form before that was kept; written where there are algo orders.
const FORM_OF_ALGO_ORDERS: u8 = 6;
/// The form before there were algo orders; written where some positions are isolated, or some accounts in hedge mode.
const FORM_OF_POSITIONS: u8 = 5;
/// The form before those.
const FORM_OF_CONTRACTS: u8 = 4;
/// The form before there were contracts; written as long as there are none.
const FORM: u8 = 3;
/// The form before there were several partitions; written as long as there is one.
const FORM_OF_ONE_PARTITION: u8 = 2;
/// The form before keys had kinds, labels and address ranges; still read, since what it was made from may be gone.
const FIRST_FORM: u8 = 1;
/// All forms have room here for a hash of the events, which nobody needed: the snapshot around them has it.
const UNUSED: [u8; 32] = [0; 32];

impl Views {
    /// Nothing has happened yet.
    pub fn new(settings: ViewSettings) -> Self {
        Self {
            event_seq: EventSeq(0),
            command_seq: Seq(0),
            time_ns: TimeNs(0),
            happened_ns: TimeNs(0),
            catalog: Catalog::default(),
            balances: Balances::default(),
            orders: Orders::new(&settings),
            own_trades: OwnTrades::new(&settings),
            contract_orders: Orders::new(&settings),
            contract_history: ContractHistory::new(&settings),
            futures: Futures::new(&settings),
            algo_orders: AlgoOrders::new(&settings),
            markets: Vec::new(),
            settings,
        }
    }

    /// The latest event that is in here; 0 before the first.
    pub const fn seq(&self) -> EventSeq {
        self.event_seq
    }

    /// The latest command whose events are in here; 0 before the first.
    pub const fn command_seq(&self) -> Seq {
        self.command_seq
    }

    /// The time of the latest command whose events are in here.
    pub const fn time_ns(&self) -> TimeNs {
        self.time_ns
    }

    /// What is listed and who is here.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What everybody has.
    pub const fn balances(&self) -> &Balances {
        &self.balances
    }

    /// Orders, open and over.
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Each account's own trades.
    pub const fn own_trades(&self) -> &OwnTrades {
        &self.own_trades
    }

    /// Orders at contracts.
    pub const fn contract_orders(&self) -> &Orders {
        &self.contract_orders
    }

    /// Trades at contracts, income, settlements of funding.
    pub const fn contract_history(&self) -> &ContractHistory {
        &self.contract_history
    }

    /// What accounts have at contracts.
    pub const fn futures(&self) -> &Futures {
        &self.futures
    }

    /// What waits for prices of contracts, and what became of it.
    pub const fn algo_orders(&self) -> &AlgoOrders {
        &self.algo_orders
    }

    /// The book of a market that the catalog has.
    pub fn depth(&self, market: MarketId) -> &Depth {
        &self.market(market).depth
    }

    /// The public trades of a market that the catalog has.
    pub fn tape(&self, market: MarketId) -> &Tape {
        &self.market(market).tape
    }

    /// Candles of a market that the catalog has, in the order of time. They begin with its first trade, or where what is
    /// kept begins; those without a trade are flat at the price before.
    pub fn candles(&self, market: MarketId, query: &CandleQuery) -> Vec<Candle> {
        self.market(market).candles.query(self.catalog.listed(market), query, self.time_ns)
    }

    /// As [`Self::candles`], of another price of a contract: how many trades there are, is how often it has changed. Empty for a
    /// spot market.
    pub fn price_candles(&self, market: MarketId, kind: PriceKind, query: &CandleQuery) -> Vec<Candle> {
        let Some(prices) = &self.market(market).prices else { return Vec::new() };
        let candles = match kind {
            PriceKind::Mark => &prices.mark,
            PriceKind::Index => &prices.index,
            PriceKind::Premium => &prices.premium,
        };
        candles.query(self.catalog.listed(market), query, self.time_ns)
    }

    /// The last 24 hours of a market that the catalog has. A clock behind that of the latest event counts as that.
    pub fn ticker(&self, market: MarketId, now: TimeNs) -> Ticker {
        self.rolling(market, DAY_MINUTES, now)
    }

    /// The last minutes of a market that the catalog has; at most [`crate::MAX_WINDOW_MINUTES`] count.
    pub fn rolling(&self, market: MarketId, minutes: u32, now: TimeNs) -> Ticker {
        let data = self.market(market);
        rolling(
            &data.candles,
            self.catalog.listed(market),
            self.book_ticker(market),
            data.tape.latest().map(|trade| (trade.price_ticks, trade.qty_lots)),
            minutes,
            now.max(self.time_ns),
        )
    }

    /// The price of the last trade of a market that the catalog has.
    pub fn last_price(&self, market: MarketId) -> Option<PriceTicks> {
        self.market(market).tape.latest().map(|trade| trade.price_ticks)
    }

    /// The best of the book of a market that the catalog has.
    pub fn book_ticker(&self, market: MarketId) -> BookTicker {
        let depth = self.depth(market);
        BookTicker { bid: depth.best_bid(), ask: depth.best_ask() }
    }

    /// Takes in the next events. A batch that is in here already is left out; one that does not follow is a panic.
    pub fn apply(&mut self, batch: &EventBatch) {
        self.apply_each(batch, |_, _| {});
    }

    /// As [`Self::apply`]; `look` sees everything as it is right behind each event, with the event's place in the batch. How
    /// far the views are as a whole (their latest command and event) is told only behind the batch.
    pub fn apply_each(&mut self, batch: &EventBatch, mut look: impl FnMut(&Self, usize)) {
        let next = self.event_seq.next();
        let end = batch.next_event_seq().0;
        if end <= next.0 && batch.last_seq() <= self.command_seq {
            return;
        }
        assert_eq!(
            batch.first_event_seq, next,
            "events follow each other without gaps, whole batch by whole batch"
        );
        assert!(self.time_ns <= batch.time_ns, "the sequencer's clock never runs backwards");
        self.time_ns = batch.time_ns;
        let mut place = 0;
        for command in 0..batch.commands() {
            self.happened_ns = batch.time_ns;
            for event in batch.events_of(command) {
                self.apply_event(event);
                look(self, place);
                place = place.saturating_add(1);
            }
        }
        self.event_seq = EventSeq(end.checked_sub(1).expect("events count from 1"));
        self.command_seq = batch.last_seq();
    }

    /// Whether there are contracts, or money in futures wallets, or accounts in hedge mode, before there are.
    fn knows_futures(&self) -> bool {
        self.catalog.has_contracts() || !self.futures.is_empty()
    }

    fn apply_event(&mut self, event: &Event) {
        let time_ns = self.happened_ns;
        if self.knows_futures() || matches!(event, Event::FundsMoved(_) | Event::PositionModeChanged { .. }) {
            let Self { futures, algo_orders, catalog, balances, .. } = self;
            let settled_in = |market| {
                let terms = catalog.listed(market);
                (terms.quote, terms.quote_atoms_per_tick_lot)
            };
            algo_orders.see(event, time_ns, |market| settled_in(market).1);
            if let Some((asset, fee)) = futures.see(event, time_ns, settled_in) {
                balances.fee_collected(asset, fee);
            }
            let quote = |market| self.catalog.listed(market).quote;
            self.contract_history.see(event, time_ns, &self.futures, quote);
            let market = event.market_of_order().filter(|market| self.catalog.contract(*market).is_some());
            if let Some(market) = market {
                self.contract_event(market, event);
                return;
            }
        }
        match event {
            Event::Heard { time_ns, .. } => self.happened_ns = *time_ns,
            Event::LevelChanged(changed) => self.level_changed(changed),
            Event::OrderAccepted(accepted) => self.order_accepted(accepted),
            Event::OrderEnded(ended) => self.order_ended(ended),
            Event::OrderFilled(filled) => self.order_filled(filled),
            Event::Traded(traded) => self.traded(traded),
            Event::OrderAmended(amended) => self.order_amended(amended),
            Event::OrderPrevented(prevented) => self.order_prevented(prevented),
            Event::OrderTracks(tracks) => self.orders.tracks(tracks, time_ns),
            Event::OrderTriggered(triggered) => self.order_triggered(triggered),
            Event::AssetAdded { asset, terms } => {
                self.catalog.add_asset(*asset, *terms);
                self.balances.add_asset();
            }
            Event::MarketAdded { market, terms } => {
                self.catalog.add_market(*market, **terms);
                self.market_added();
            }
            Event::ContractAdded { market, terms, contract } => {
                self.catalog.add_contract(*market, **terms, contract);
                self.market_added();
                let settings = &self.settings;
                let data = self.markets.get_mut(at(market.0)).expect("it is listed");
                data.prices.get_or_insert_with(|| Prices::new(settings));
            }
            Event::FundsMoved(moved) => self.balances.funds_moved(moved),
            Event::MarkPriceChanged(changed) => {
                let (market, terms) = (changed.market, self.catalog.listed(changed.market));
                let contract = self.catalog.contract(market).expect("a contract is listed");
                let premium = premium_of(terms, contract, self.depth(market), changed.index_ticks);
                let prices = self.market_mut(market).prices.as_mut();
                prices.expect("a contract has prices").changed(changed, premium, time_ns);
            }
            Event::FundingSettled(settled) => {
                let contract = self.catalog.contract(settled.market).expect("a contract is listed");
                self.futures.settled(settled.market, contract.funding_interval_hours, time_ns);
            }
            Event::AccountCreated { account, name, trade_group } => {
                let created = Account { name: *name, trade_group: *trade_group, created_ns: time_ns };
                self.catalog.add_account(*account, created);
                self.balances.add_account(*account);
            }
            Event::ApiKeyCreated(created) => self.catalog.add_key(&as_added(created), time_ns),
            Event::ApiKeyAdded(added) => self.catalog.add_key(added, time_ns),
            Event::ApiKeyChanged(changed) => self.catalog.change_key(changed),
            Event::ApiKeyRevoked { account, key } => self.catalog.revoke_key(*account, key),
            Event::Deposited(deposited) => self.balances.deposited(deposited),
            Event::WithdrawalRequested(requested) => self.balances.withdrawal_requested(requested, time_ns),
            Event::WithdrawalSettled(settled) => self.balances.withdrawal_settled(settled),
            Event::MarketMoving { market, to } => {
                self.catalog.market_moving(*market, *to);
                self.market_mut(*market).moving = Move::Announced;
            }
            Event::MarketLeft { market, .. } => self.market_left(*market),
            Event::MarketPlaced { market, partition } => {
                self.catalog.market_placed(*market, *partition);
                self.market_placed(*market);
            }
            Event::PartitionAdded { spread } => self.catalog.add_partition(*spread),
            Event::ApiKeyResealed { .. }
            | Event::SourceRegistered { .. }
            | Event::EntryTaken { .. }
            | Event::EntryOpen { .. }
            | Event::EntryAnswered { .. }
            | Event::EntryRepeated { .. }
            | Event::EntryOutOfOrder { .. }
            | Event::ContractOrderAccepted(_)
            | Event::ContractFilled(_)
            | Event::LeverageChanged { .. }
            | Event::IndexPriceSet { .. }
            | Event::FundingPaid(_)
            | Event::LiquidationBegun { .. }
            | Event::LiquidationEnded { .. }
            | Event::ClearancePaid { .. }
            | Event::FundReceived { .. }
            | Event::PositionForced(_)
            | Event::DebtCovered { .. }
            | Event::MarginTypeChanged { .. }
            | Event::PositionMarginChanged(_)
            | Event::PositionDebtCovered { .. }
            | Event::PositionLiquidationBegun { .. }
            | Event::PositionLiquidationEnded { .. }
            | Event::PositionModeChanged { .. }
            | Event::AlgoOrderAccepted(_)
            | Event::AlgoOrderTracks(_)
            | Event::AlgoOrderTriggered(_)
            | Event::AlgoOrderEnded(_)
            | Event::CountdownSet { .. }
            | Event::CountdownFired { .. }
            | Event::GoodTillDate { .. }
            | Event::ContractOrderModified(_)
            | Event::Rejected { .. }
            | Event::Skipped { .. } => {}
        }
    }

    /// What an event tells of the book and of orders at a contract.
    fn contract_event(&mut self, market: MarketId, event: &Event) {
        let (terms, time_ns) = (self.catalog.listed(market), self.happened_ns);
        let orders = &mut self.contract_orders;
        match event {
            Event::LevelChanged(changed) => self.level_changed(changed),
            Event::Traded(traded) => self.traded(traded),
            Event::ContractOrderAccepted(accepted) => orders.contract_accepted(accepted, time_ns),
            Event::ContractFilled(filled) => orders.contract_filled(filled, terms, time_ns),
            Event::ContractOrderModified(modified) => orders.contract_modified(modified, time_ns),
            Event::GoodTillDate { order, good_till_ns, .. } => orders.good_till(*order, *good_till_ns),
            Event::OrderPrevented(prevented) => {
                orders.prevented(prevented, terms, time_ns);
            }
            Event::OrderAmended(amended) => {
                orders.amended(amended, time_ns);
            }
            Event::OrderEnded(ended) => {
                orders.ended(ended, time_ns);
            }
            other => unreachable!("{other:?} tells of no order at a contract"),
        }
    }

    fn market_added(&mut self) {
        if self.markets.len() < self.catalog.markets().len() {
            self.markets.push(MarketData::new(&self.settings));
        }
    }

    /// Wherever a market arrives that has moved, what was traded before is missing.
    fn market_placed(&mut self, market: MarketId) {
        let data = self.market_mut(market);
        if std::mem::replace(&mut data.moving, Move::None) != Move::None {
            data.is_complete = false;
        }
    }

    fn market_left(&mut self, market: MarketId) {
        let (settings, left_ns) = (self.settings.clone(), self.time_ns);
        let data = self.market_mut(market);
        let stays = std::mem::take(&mut data.stays);
        let MarketData { depth, tape, candles, is_complete, .. } =
            std::mem::replace(data, MarketData::new(&settings));
        data.moving = Move::Left;
        if !is_complete {
            data.stays = stays;
        }
        let last_update_id = depth.last_update_id();
        data.stays.push(Stay { left_ns, last_update_id, tape, candles, is_complete });
    }

    /// True while something has happened in a market since it has come here, or since it was listed here: until it leaves.
    pub(crate) fn has_something_of_its_own(&self, market: MarketId) -> bool {
        let data = self.market(market);
        data.tape.latest().is_some() || data.depth.last_update_id() != 0
    }

    /// What was traded while a market lived here before, oldest first.
    pub(crate) fn stays(&self, market: MarketId) -> &[Stay] {
        &self.market(market).stays
    }

    /// True where the views of partition `own` are those that know a market's book: it is listed, lives there, and has not left.
    /// For as long as a book is on its way from one partition to another, no views do.
    pub fn has_market(&self, own: PartitionId, market: MarketId) -> bool {
        self.catalog.market(market).is_some()
            && self.catalog.market_home(market) == own
            && self.market(market).moving != Move::Left
    }

    /// False of a market that has moved here and whose history is still where it was before.
    pub fn has_history(&self, market: MarketId) -> bool {
        self.market(market).is_complete
    }

    /// Gives a market that has moved here its history: what [`crate::history_of`] has found. Does nothing where it has it.
    pub fn adopt(&mut self, market: MarketId, history: &[Stay]) {
        let data = self.market_mut(market);
        if data.is_complete {
            return;
        }
        data.is_complete = true;
        // What this partition had of it before is part of it.
        data.stays.clear();
        if let Some(last) = history.last() {
            data.depth.goes_on_from(last.last_update_id);
        }
        for stay in history.iter().rev() {
            data.tape.put_behind(&stay.tape);
            data.candles.put_behind(&stay.candles);
        }
    }

    fn level_changed(&mut self, changed: &LevelChanged) {
        self.market_mut(changed.market).depth.changed(changed);
    }

    fn traded(&mut self, traded: &Traded) {
        let time_ns = self.time_ns;
        let market = self.market_mut(traded.market);
        market.tape.traded(traded, time_ns);
        market.candles.traded(traded, time_ns);
    }

    fn order_accepted(&mut self, accepted: &OrderAccepted) {
        self.balances.order_accepted(accepted, self.catalog.listed(accepted.market));
        self.orders.accepted(accepted, self.happened_ns);
    }

    fn order_filled(&mut self, filled: &OrderFilled) {
        let terms = self.catalog.listed(filled.market);
        self.balances.order_filled(filled, terms);
        self.orders.filled(filled, terms, self.happened_ns);
        self.own_trades.filled(filled, self.happened_ns);
    }

    fn order_prevented(&mut self, prevented: &OrderPrevented) {
        let terms = self.catalog.listed(prevented.market);
        let side = self.orders.prevented(prevented, terms, self.happened_ns);
        self.balances.order_prevented(prevented, side, terms);
    }

    fn order_triggered(&mut self, triggered: &OrderTriggered) {
        let side = self.orders.triggered(triggered, self.happened_ns);
        self.balances.order_triggered(triggered, side, self.catalog.listed(triggered.market));
    }

    fn order_amended(&mut self, amended: &OrderAmended) {
        let side = self.orders.amended(amended, self.happened_ns);
        self.balances.order_amended(amended, side, self.catalog.listed(amended.market));
    }

    fn order_ended(&mut self, ended: &OrderEnded) {
        let side = self.orders.ended(ended, self.happened_ns);
        self.balances.order_ended(ended, side, self.catalog.listed(ended.market));
    }

    fn contracts(&self) -> Vec<MarketId> {
        self.catalog.contracts().map(|(market, _)| market).collect()
    }

    /// Whether there is something that only the latest form of saved views has.
    fn has_pasts(&self) -> bool {
        self.futures.has_interest_history() || self.contract_history.has_margin_changes()
    }

    fn market(&self, market: MarketId) -> &MarketData {
        self.markets.get(at(market.0)).expect("markets are asked for by ids of the catalog")
    }

    fn market_mut(&mut self, market: MarketId) -> &mut MarketData {
        self.markets.get_mut(at(market.0)).expect("an event names listed markets only")
    }

    /// Appends all of it to `out`: the same views always give the same bytes.
    pub fn save(&self, out: &mut Vec<u8>) {
        let form = if self.has_pasts() {
            FORM_OF_PASTS
        } else if !self.algo_orders.is_empty() {
            FORM_OF_ALGO_ORDERS
        } else if self.futures.has_isolated_or_hedged() {
            FORM_OF_POSITIONS
        } else if self.knows_futures() {
            FORM_OF_CONTRACTS
        } else if self.catalog.is_alone() {
            FORM_OF_ONE_PARTITION
        } else {
            FORM
        };
        form.encode(out);
        self.event_seq.encode(out);
        self.command_seq.encode(out);
        self.time_ns.encode(out);
        UNUSED.encode(out);
        self.catalog.encode(out);
        self.balances.encode(out);
        self.orders.save(out);
        self.own_trades.save(out);
        for market in &self.markets {
            market.depth.encode(out);
            market.tape.save(out);
            market.candles.save(out);
        }
        if form >= FORM_OF_CONTRACTS {
            self.catalog.save_contracts(out);
            self.futures.save(out);
            self.contract_orders.save_at_contracts(out);
            self.contract_history.save(out);
            for prices in self.markets.iter().filter_map(|market| market.prices.as_ref()) {
                prices.mark.save(out);
                prices.index.save(out);
            }
        }
        if form >= FORM_OF_POSITIONS {
            self.futures.save_isolated_and_hedged(out);
        }
        if form >= FORM_OF_ALGO_ORDERS {
            self.algo_orders.save(out);
        }
        if form >= FORM_OF_PASTS {
            self.futures.save_interest_history(out);
            self.contract_history.save_margin_changes(out);
            for prices in self.markets.iter().filter_map(|market| market.prices.as_ref()) {
                prices.premium.save(out);
            }
        }
        if form >= FORM {
            self.catalog.save_partitions(out);
            for market in &self.markets {
                market.save_moves(out);
            }
        }
    }

    /// Reads what [`Views::save`] wrote; it answers the same as before. With smaller settings than before it keeps less.
    ///
    /// The bytes are trusted to be whole (a checksum is their keeper's matter); those of another form are refused.
    pub fn load(settings: ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let form = u8::decode(input)?;
        if !(FIRST_FORM..=FORM_OF_PASTS).contains(&form) {
            return Err(DecodeError::UnknownTag { what: "a form of saved views", tag: form });
        }
        let mut views = Self::new(settings);
        views.event_seq = Coded::decode(input)?;
        views.command_seq = Coded::decode(input)?;
        views.time_ns = Coded::decode(input)?;
        let _: [u8; 32] = Coded::decode(input)?;
        views.catalog =
            if form == FIRST_FORM { Catalog::decode_first(input)? } else { Catalog::decode(input)? };
        views.balances = Coded::decode(input)?;
        views.orders = Orders::load(&views.settings, input)?;
        views.own_trades = OwnTrades::load(&views.settings, input)?;
        for _ in 0..views.catalog.markets().len() {
            views.markets.push(MarketData {
                depth: Coded::decode(input)?,
                tape: Tape::load(&views.settings, input)?,
                candles: Candles::load(&views.settings, input)?,
                ..MarketData::new(&views.settings)
            });
        }
        if form >= FORM_OF_CONTRACTS {
            views.catalog.load_contracts(input)?;
            views.futures = Futures::load(&views.settings, input)?;
            views.contract_orders = Orders::load_at_contracts(&views.settings, input)?;
            views.contract_history = ContractHistory::load(&views.settings, input)?;
            for market in views.contracts() {
                let mark = Candles::load(&views.settings, input)?;
                let index = Candles::load(&views.settings, input)?;
                views.market_mut(market).prices =
                    Some(Box::new(Prices { mark, index, premium: Candles::new(&views.settings) }));
            }
        }
        if form >= FORM_OF_POSITIONS {
            views.futures.load_isolated_and_hedged(input)?;
        }
        if form >= FORM_OF_ALGO_ORDERS {
            views.algo_orders = AlgoOrders::load(&views.settings, input)?;
        }
        if form >= FORM_OF_PASTS {
            views.futures.load_interest_history(&views.settings, input)?;
            views.contract_history.load_margin_changes(&views.settings, input)?;
            for market in views.contracts() {
                let premium = Candles::load(&views.settings, input)?;
                let prices = views.market_mut(market).prices.as_mut();
                prices.expect("read just now").premium = premium;
            }
        } else {
            views.futures.begin_interest_history(views.time_ns);
        }
        if form >= FORM {
            views.catalog.load_partitions(input)?;
            for market in &mut views.markets {
                market.load_moves(&views.settings, input)?;
            }
        }
        Ok(views)
    }
}

/// What the first version told of a key, in full.
fn as_added(created: &ApiKeyCreated) -> ApiKeyAdded {
    let ApiKeyCreated { account, key, permissions } = created.clone();
    let (kind, label, ip_ranges) = (KeyKind::HmacSha256, KeyLabel::EMPTY, Vec::new());
    ApiKeyAdded { account, key, kind, label, permissions, ip_ranges }
}
