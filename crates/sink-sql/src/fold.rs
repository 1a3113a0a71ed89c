//! Folds events into rows: an order that changes five times in a batch is one row, a balance that changes a thousand times is
//! one row; every trade is kept, and every posting that changes an owner's total. Knows no database.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use model::{
    AccountId, AccountName, Amount, AssetId, ContractFilled, ContractOrderAccepted, Deposited, Event,
    EventBatch, EventSeq, FeeRounding, FundingRate, FundsMoved, MarketId, MarketStatus, OrderAccepted,
    OrderAmended, OrderEnded, OrderFilled, OrderId, OrderPrevented, OrderTracks, OrderTriggered, PartitionId,
    PriceTicks, QtyLots, Reference, SelfTradePrevention, Side, TradeGroup, TradeId, Traded, WithdrawalId,
    WithdrawalRequested, WithdrawalSettled,
};

use crate::SqlError;
use crate::decimal::Decimal;
use crate::futures::{Futures, holder_of};
use crate::listed::{Listed, Market};
use crate::order::{Order, side_word};
use crate::remembered::Remembered;
use crate::table::{self, Moment, Table, Value};

/// What an account has of an asset, in atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub asset: AssetId,
    pub free: Amount,
    pub held: Amount,
    updated_at: Moment,
}

impl Balance {
    pub const fn new(asset: AssetId, free: Amount, held: Amount) -> Self {
        Self { asset, free, held, updated_at: Moment(0) }
    }
}

/// Rows that events are about and that are not remembered: what the database has to be asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub orders: BTreeSet<OrderId>,
    pub accounts: BTreeSet<AccountId>,
    /// Whose positions events tell of.
    pub holders: BTreeSet<AccountId>,
}

/// Why the total of an account changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Deposit,
    /// Into the futures wallet, or out of it.
    FundsMoved,
    Withdrawal(WithdrawalId),
    Paid(Origin),
    Received(Origin),
}

/// Which order changed hands, and by which trade; by none when it was transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    market: MarketId,
    trade: Option<TradeId>,
    order: OrderId,
}

/// What changes hands at a price, as one side sees it.
struct Hands {
    base: Amount,
    quote: Amount,
    paid: Amount,
    received: Amount,
    paid_in: AssetId,
    received_in: AssetId,
}

impl Hands {
    fn of(market: &Market<'_>, side: Side, price: PriceTicks, qty: QtyLots) -> Self {
        let (base, quote) = (market.terms.base_amount(qty), market.terms.notional(price, qty));
        let (paid, received) = match side {
            Side::Buy => (quote, base),
            Side::Sell => (base, quote),
        };
        let (paid_in, received_in) = (market.paid_in(side), market.paid_in(side.opposite()));
        Self { base, quote, paid, received, paid_in, received_in }
    }
}

/// One line in the statement of an account.
#[derive(Clone, Debug)]
struct Posting {
    event_seq: EventSeq,
    account: AccountId,
    asset: AssetId,
    cause: Cause,
    amount: Amount,
    fee: Amount,
    total_after: Amount,
    reference: Reference,
    posted_at: Moment,
}

/// What the present batch comes to.
#[derive(Default)]
struct Batch {
    assets: BTreeMap<AssetId, Moment>,
    markets: BTreeMap<MarketId, Moment>,
    accounts: Vec<(AccountId, AccountName, TradeGroup, Moment)>,
    /// True for an order that the database does not have yet.
    orders: BTreeMap<OrderId, bool>,
    balances: BTreeSet<(AccountId, AssetId)>,
    trades: Vec<(Traded, Moment)>,
    postings: Vec<Posting>,
    listed_changed: bool,
}

/// What a batch is, beside its rows.
#[derive(Clone, Copy)]
pub struct Now {
    pub event_seq: EventSeq,
    /// When the present event has happened: before the batch where another partition has told it.
    pub happened_at: Moment,
    pub batch_at: Moment,
}

/// Whoever takes the rows of a table: `true` where they may be there already.
pub type Take<'t> = dyn FnMut(&'static Table, bool, &[Value<'_>]) -> Result<(), SqlError> + 't;

/// Decimals of a funding rate.
pub const RATE_SCALE: u8 = 8;
/// Rows handed over at once; bounds the memory that values take.
const ROWS_AT_ONCE: usize = 4_096;

/// Rows, as far as they are remembered, and what the present batch does to them.
pub struct Fold {
    partition: PartitionId,
    listed: Listed,
    orders: Remembered<OrderId, Order>,
    /// All that an account has; not empty ones that were never asked for.
    accounts: Remembered<AccountId, Vec<Balance>>,
    futures: Futures,
    batch: Batch,
}

impl Fold {
    /// Where a partition's event log has told of `listed` so far.
    pub fn new(partition: PartitionId, listed: Listed, rows_remembered: usize) -> Self {
        Self {
            partition,
            listed,
            orders: Remembered::new(rows_remembered),
            accounts: Remembered::new(rows_remembered),
            futures: Futures::new(rows_remembered),
            batch: Batch::default(),
        }
    }

    pub const fn listed(&self) -> &Listed {
        &self.listed
    }

    /// True when the present batch has listed or changed something.
    pub const fn listed_changed(&self) -> bool {
        self.batch.listed_changed
    }

    /// What has to be known before these events are applied.
    pub fn missing(&self, batches: &[EventBatch]) -> Missing {
        let mut missing = Missing::default();
        let (mut orders, mut accounts, mut holders) = (HashSet::new(), HashSet::new(), HashSet::new());
        let tables = self.listed.tables();
        let mut born = Vec::new();
        for event in batches.iter().flat_map(|batch| &batch.events) {
            if self.listed.leaves_out(event) {
                continue;
            }
            if tables.have_futures()
                && let Some(account) = holder_of(event)
                && holders.insert(account)
                && !self.futures.knows(account)
            {
                missing.holders.insert(account);
            }
            let is_at_contract =
                event.market_of_order().is_some_and(|market| self.listed.is_contract(market));
            let (order, account) = rows_of(event);
            let account = account.filter(|_| tables.have_spot() && !is_at_contract);
            if let Event::OrderAccepted(OrderAccepted { order, .. })
            | Event::ContractOrderAccepted(ContractOrderAccepted { order, .. }) = event
            {
                born.push(*order);
            }
            if let Some(account) = account
                && accounts.insert(account)
                && self.accounts.get(account).is_none()
            {
                missing.accounts.insert(account);
            }
            if let Some(order) = order
                && orders.insert(order)
                && self.orders.get(order).is_none()
            {
                missing.orders.insert(order);
            }
        }
        for order in born {
            missing.orders.remove(&order);
        }
        missing
    }

    /// An open order that the database has.
    pub fn learn_order(&mut self, order: Order) {
        self.orders.insert(order.id, order);
    }

    /// All that the database has of an account.
    pub fn learn_account(&mut self, account: AccountId, balances: Vec<Balance>) {
        self.accounts.insert(account, balances);
    }

    /// All that the database has of the positions of these accounts, and of their settings.
    pub fn learn_holders(
        &mut self,
        accounts: &[AccountId],
        positions: &[Vec<Option<String>>],
        settings: &[Vec<Option<String>>],
    ) -> Result<(), SqlError> {
        self.futures.learn(accounts, positions, settings, &self.listed)
    }

    /// Takes in the next events. After an error this is of no more use.
    pub fn apply(&mut self, batch: &EventBatch) -> Result<(), SqlError> {
        let mut event_seq = batch.first_event_seq;
        let batch_at = Moment::from(batch.time_ns);
        for command in 0..batch.commands() {
            let mut happened_at = batch_at;
            for event in batch.events_of(command) {
                if let Event::Heard { time_ns, .. } = event {
                    happened_at = Moment::from(*time_ns);
                }
                self.apply_event(event, Now { event_seq, happened_at, batch_at })?;
                event_seq = event_seq.next();
            }
        }
        Ok(())
    }

    fn apply_event(&mut self, event: &Event, now: Now) -> Result<(), SqlError> {
        if self.listed.leaves_out(event) {
            return Ok(());
        }
        if self.listed.tables().have_futures() {
            self.futures.apply(event, &self.listed, now)?;
        }
        match event {
            Event::AssetAdded { asset, terms } => {
                self.listed.add_asset(*asset, terms)?;
                self.batch.assets.insert(*asset, now.batch_at);
                self.batch.listed_changed = true;
                Ok(())
            }
            Event::MarketAdded { market, terms } => {
                self.listed.add_market(*market, terms)?;
                self.batch.markets.insert(*market, now.batch_at);
                self.batch.listed_changed = true;
                Ok(())
            }
            Event::ContractAdded { market, terms, contract } => {
                self.listed.add_contract(*market, terms, contract)?;
                self.batch.markets.insert(*market, now.batch_at);
                self.batch.listed_changed = true;
                Ok(())
            }
            Event::AccountCreated { account, name, trade_group } => {
                if self.listed.tables().have_spot() {
                    self.accounts.insert(*account, Vec::new());
                }
                if self.listed.tables().have_futures() {
                    self.futures.opened(*account);
                }
                self.batch.accounts.push((*account, *name, *trade_group, now.happened_at));
                Ok(())
            }
            Event::FundsMoved(moved) if self.listed.tables().have_spot() => {
                let FundsMoved { account, asset, amount, .. } = *moved;
                let total = self.change_balance(account, asset, -amount, Amount::ZERO, now)?;
                self.post(account, asset, Cause::FundsMoved, -amount, Amount::ZERO, total, now);
                Ok(())
            }
            Event::OrderAccepted(accepted) => self.order_accepted(accepted, now),
            Event::OrderFilled(filled) => self.order_filled(filled, now),
            Event::OrderEnded(ended) => self.order_ended(ended, now),
            Event::OrderAmended(amended) => self.order_amended(amended, now),
            Event::OrderPrevented(prevented) => self.order_prevented(prevented, now),
            Event::OrderTracks(tracks) => {
                let OrderTracks { order, account, market, .. } = *tracks;
                self.order(order)?.tracks(account, market, now.happened_at)
            }
            Event::OrderTriggered(triggered) => self.order_triggered(triggered, now),
            Event::ContractOrderAccepted(accepted) => {
                let market = self.listed.market(accepted.market)?;
                let order = Order::accepted_at_contract(accepted, &market, now.happened_at);
                self.orders.insert(order.id, order);
                self.batch.orders.insert(accepted.order, true);
                Ok(())
            }
            Event::ContractFilled(filled) => {
                let ContractFilled { order, account, market, side, price_ticks, qty_lots, .. } = *filled;
                let hands = Hands::of(&self.listed.market(market)?, side, price_ticks, qty_lots);
                let traded = (hands.base, hands.quote);
                self.order(order)?.filled((account, market), traded, Amount::ZERO, now.happened_at)
            }
            Event::ContractOrderModified(modified) => {
                self.batch.orders.entry(modified.order).or_insert(false);
                let order = self.orders.get_mut(modified.order).ok_or_else(|| not_open(modified.order))?;
                order.modified(modified, &self.listed.market(modified.market)?, now.happened_at)
            }
            Event::GoodTillDate { order, good_till_ns, .. } => {
                self.order(*order)?.has_date(Moment::from(*good_till_ns));
                Ok(())
            }
            Event::Traded(traded) => {
                self.batch.trades.push((traded.clone(), now.batch_at));
                Ok(())
            }
            Event::Deposited(deposited) => self.deposited(deposited, now),
            Event::WithdrawalRequested(requested) => {
                let WithdrawalRequested { account, asset, amount, .. } = **requested;
                self.change_balance(account, asset, -amount, amount, now).map(drop)
            }
            Event::WithdrawalSettled(settled) => self.withdrawal_settled(settled, now),
            // Positions are `Futures`'; book, prices, API keys, entries and partitions are the exchange's own affair.
            _ => Ok(()),
        }
    }

    /// An order that is about to change.
    fn order(&mut self, id: OrderId) -> Result<&mut Order, SqlError> {
        self.batch.orders.entry(id).or_insert(false);
        let found = self.orders.get_mut(id);
        found.ok_or_else(|| not_open(id))
    }

    fn order_accepted(&mut self, accepted: &OrderAccepted, now: Now) -> Result<(), SqlError> {
        let market = self.listed.market(accepted.market)?;
        let (order, paid_in) =
            (Order::accepted(accepted, &market, now.happened_at), market.paid_in(accepted.side));
        self.orders.insert(order.id, order);
        self.batch.orders.insert(accepted.order, true);
        self.change_balance(accepted.account, paid_in, -accepted.held, accepted.held, now).map(drop)
    }

    fn order_filled(&mut self, filled: &OrderFilled, now: Now) -> Result<(), SqlError> {
        let OrderFilled { order, account, market, trade, side, price_ticks, qty_lots, fee, released, .. } =
            *filled;
        let hands = Hands::of(&self.listed.market(market)?, side, price_ticks, qty_lots);
        let order_row = self.order(order)?;
        let traded = (hands.base, hands.quote);
        order_row.filled((account, market), traded, hands.paid + released, now.happened_at)?;
        let trade = Some(trade);
        self.change_hands(account, &hands, released, fee, Origin { market, trade, order }, now)
    }

    fn order_triggered(&mut self, triggered: &OrderTriggered, now: Now) -> Result<(), SqlError> {
        let OrderTriggered { order, account, market, held, .. } = *triggered;
        let row = self.order(order)?;
        row.triggered(account, market, held, now.happened_at)?;
        let side = row.side;
        self.release(account, market, side, -held, now)
    }

    /// What is prevented costs nothing, but of a transfer, which is a fill without a fee and without a trade.
    fn order_prevented(&mut self, prevented: &OrderPrevented, now: Now) -> Result<(), SqlError> {
        let OrderPrevented { order, account, market, price_ticks, prevented_lots, released, .. } = *prevented;
        let side = self.order(order)?.side;
        let hands = Hands::of(&self.listed.market(market)?, side, price_ticks, prevented_lots);
        if prevented.mode != SelfTradePrevention::Transfer {
            self.order(order)?.prevented(prevented, hands.base, Amount::ZERO, now.happened_at)?;
            return self.release(account, market, side, released, now);
        }
        self.order(order)?.prevented(prevented, hands.base, hands.paid, now.happened_at)?;
        let origin = Origin { market, trade: None, order };
        self.change_hands(account, &hands, released, Amount::ZERO, origin, now)
    }

    /// Pays out of what is held, frees what the better price left of it, and receives.
    fn change_hands(
        &mut self,
        account: AccountId,
        hands: &Hands,
        released: Amount,
        fee: Amount,
        origin: Origin,
        now: Now,
    ) -> Result<(), SqlError> {
        let Hands { paid, received, paid_in, received_in, .. } = *hands;
        let total = self.change_balance(account, paid_in, released, -(paid + released), now)?;
        self.post(account, paid_in, Cause::Paid(origin), -paid, Amount::ZERO, total, now);
        let total = self.change_balance(account, received_in, received - fee, Amount::ZERO, now)?;
        self.post(account, received_in, Cause::Received(origin), received - fee, fee, total, now);
        Ok(())
    }

    fn order_amended(&mut self, amended: &OrderAmended, now: Now) -> Result<(), SqlError> {
        let quantity = self.listed.market(amended.market)?.terms.base_amount(amended.qty_lots);
        let order = self.order(amended.order)?;
        order.amended(amended, quantity, now.happened_at)?;
        let side = order.side;
        self.release(amended.account, amended.market, side, amended.released, now)
    }

    fn order_ended(&mut self, ended: &OrderEnded, now: Now) -> Result<(), SqlError> {
        let order = self.order(ended.order)?;
        order.ended(ended, now.happened_at)?;
        let side = order.side;
        self.release(ended.account, ended.market, side, ended.released, now)
    }

    fn release(
        &mut self,
        account: AccountId,
        market: MarketId,
        side: Side,
        released: Amount,
        now: Now,
    ) -> Result<(), SqlError> {
        if released.is_zero() {
            return Ok(());
        }
        let paid_in = self.listed.market(market)?.paid_in(side);
        self.change_balance(account, paid_in, released, -released, now).map(drop)
    }

    fn deposited(&mut self, deposited: &Deposited, now: Now) -> Result<(), SqlError> {
        let Deposited { account, asset, amount, reference } = *deposited;
        let total = self.change_balance(account, asset, amount, Amount::ZERO, now)?;
        self.post(account, asset, Cause::Deposit, amount, Amount::ZERO, total, now).reference = reference;
        Ok(())
    }

    fn withdrawal_settled(&mut self, settled: &WithdrawalSettled, now: Now) -> Result<(), SqlError> {
        let WithdrawalSettled { withdrawal, account, asset, amount, paid_out } = *settled;
        let free = if paid_out { Amount::ZERO } else { amount };
        let total = self.change_balance(account, asset, free, -amount, now)?;
        if paid_out {
            self.post(account, asset, Cause::Withdrawal(withdrawal), -amount, Amount::ZERO, total, now);
        }
        Ok(())
    }

    /// Adds to what an account has of an asset, and answers what it has then, held or not.
    fn change_balance(
        &mut self,
        account: AccountId,
        asset: AssetId,
        free: Amount,
        held: Amount,
        now: Now,
    ) -> Result<Amount, SqlError> {
        let balances =
            self.accounts.get_mut(account).expect("all accounts are learnt before events are applied");
        let place = balances.iter().position(|balance| balance.asset == asset).unwrap_or_else(|| {
            balances.push(Balance::new(asset, Amount::ZERO, Amount::ZERO));
            balances.len() - 1
        });
        let balance = &mut balances[place];
        balance.free += free;
        balance.held += held;
        balance.updated_at = now.batch_at;
        let total = balance.free + balance.held;
        if balance.free < Amount::ZERO || balance.held < Amount::ZERO {
            return Err(SqlError::Disagrees(format!(
                "account {account} would have less than nothing of asset {asset} after event {}",
                now.event_seq
            )));
        }
        self.batch.balances.insert((account, asset));
        Ok(total)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a posting has these parts, and each kind of event some of its own"
    )]
    fn post(
        &mut self,
        account: AccountId,
        asset: AssetId,
        cause: Cause,
        amount: Amount,
        fee: Amount,
        total_after: Amount,
        now: Now,
    ) -> &mut Posting {
        let (event_seq, posted_at) = (now.event_seq, now.happened_at);
        let reference = Reference::EMPTY;
        self.batch.postings.push(Posting {
            event_seq,
            account,
            asset,
            cause,
            amount,
            fee,
            total_after,
            reference,
            posted_at,
        });
        self.batch.postings.last_mut().expect("pushed right now")
    }

    /// How many rows the present batch has.
    pub fn rows(&self) -> usize {
        let Batch { assets, markets, accounts, orders, balances, trades, postings, listed_changed: _ } =
            &self.batch;
        let directory =
            if self.keeps_directory() { assets.len() + 2 * markets.len() + accounts.len() } else { 0 };
        self.futures.rows() + directory + orders.len() + balances.len() + trades.len() + postings.len()
    }

    /// What is listed all partitions are told, of an account the first one and its home: the first one writes it.
    fn keeps_directory(&self) -> bool {
        self.partition == PartitionId::FIRST
    }

    /// Hands over the rows of the present batch, table by table.
    pub fn write(&self, take: &mut Take<'_>) -> Result<(), SqlError> {
        let batch = &self.batch;
        if self.keeps_directory() {
            self.write_directory(take)?;
        }
        for is_there in [false, true] {
            let orders: Vec<_> = batch
                .orders
                .iter()
                .filter(|(_, is_new)| **is_new != is_there)
                .map(|(order, _)| *order)
                .collect();
            rows(&table::ORDERS, is_there, &orders, take, |order, out| {
                let order = self.orders.get(*order).expect("what changes is remembered until it is written");
                order.push(&self.listed.market(order.market)?, out);
                Ok(())
            })?;
        }
        rows(&table::TRADES, false, &batch.trades, take, |(traded, at), out| {
            let market = self.listed.market(traded.market)?;
            let quote = market.terms.notional(traded.price_ticks, traded.qty_lots);
            out.extend([
                Value::id(traded.market.0.into()),
                Value::id(traded.trade.0),
                Value::Amount(market.price(traded.price_ticks)),
                Value::Amount(market.quantity(traded.qty_lots)),
                Value::Amount(market.quote_amount(quote)),
                Value::Text(side_word(traded.taker_side)),
                Value::id(traded.maker_order.0),
                Value::id(traded.taker_order.0),
                Value::Moment(*at),
            ]);
            Ok(())
        })?;
        rows(&table::LEDGER_POSTINGS, false, &batch.postings, take, |posting, out| {
            self.push_posting(posting, out)
        })?;
        self.futures.write(self.partition.0, &self.listed, take)?;
        let balances: Vec<_> = batch.balances.iter().copied().collect();
        rows(&table::BALANCES, true, &balances, take, |(account, asset), out| {
            let known = self.accounts.get(*account).expect("what changes is remembered until it is written");
            let balance = known.iter().find(|balance| balance.asset == *asset).expect("it was changed");
            let scale = self.listed.asset(*asset)?.scale;
            out.extend([
                Value::id(account.0),
                Value::id(asset.0.into()),
                Value::Amount(Decimal { units: balance.free.0, scale }),
                Value::Amount(Decimal { units: balance.held.0, scale }),
                Value::Moment(balance.updated_at),
            ]);
            Ok(())
        })
    }

    fn write_directory(&self, take: &mut Take<'_>) -> Result<(), SqlError> {
        rows(
            &table::ACCOUNTS,
            false,
            &self.batch.accounts,
            take,
            |(account, name, group, created_at), out| {
                out.extend([
                    Value::id(account.0),
                    Value::Text(name.as_str()),
                    Value::id(group.0.into()),
                    Value::Moment(*created_at),
                ]);
                Ok(())
            },
        )?;
        let assets: Vec<_> = self.batch.assets.iter().collect();
        rows(&table::ASSETS, true, &assets, take, |(asset, at), out| {
            let terms = self.listed.asset(**asset)?;
            out.extend([
                Value::id(asset.0.into()),
                Value::Text(terms.name.as_str()),
                Value::Int(terms.scale.into()),
                Value::Moment(**at),
            ]);
            Ok(())
        })?;
        let tables = self.listed.tables();
        let is_kept =
            |market| if self.listed.is_contract(market) { tables.have_futures() } else { tables.have_spot() };
        let markets: Vec<_> = self.batch.markets.iter().filter(|(market, _)| is_kept(**market)).collect();
        rows(&table::MARKETS, true, &markets, take, |(id, at), out| {
            let market = self.listed.market(**id)?;
            let terms = market.terms;
            let tick = Decimal { units: terms.tick_size.into(), scale: terms.price_scale };
            out.extend([
                Value::id(id.0.into()),
                Value::Text(terms.name.as_str()),
                Value::id(terms.base.0.into()),
                Value::id(terms.quote.0.into()),
                Value::Amount(tick),
                Value::Amount(market.base_amount(terms.base_atoms_per_lot)),
                Value::Amount(market.price(terms.min_price_ticks)),
                Value::Amount(market.price(terms.max_price_ticks)),
                Value::Amount(market.quantity(terms.min_qty_lots)),
                Value::Amount(market.quantity(terms.max_qty_lots)),
                Value::Amount(market.quote_amount(terms.min_notional)),
                Value::Amount(market.quote_amount(terms.max_notional)),
                Value::Text(match terms.status {
                    MarketStatus::Trading => "TRADING",
                    MarketStatus::CancelOnly => "CANCEL_ONLY",
                    MarketStatus::Halt => "HALT",
                }),
                Value::Moment(**at),
                Value::Text(if self.listed.is_contract(**id) { "PERPETUAL" } else { "SPOT" }),
            ]);
            Ok(())
        })?;
        let contracts: Vec<_> =
            markets.iter().filter(|(market, _)| self.listed.is_contract(**market)).collect();
        rows(&table::CONTRACTS, true, &contracts, take, |(id, at), out| {
            let (market, contract) = (self.listed.market(**id)?, self.listed.contract(**id)?);
            let rate = |rate: FundingRate| Value::Amount(Decimal { units: rate.0.into(), scale: RATE_SCALE });
            let max_leverage = contract.brackets.first().map_or(0, |bracket| bracket.max_leverage);
            out.extend([
                Value::id(id.0.into()),
                Value::Int(contract.default_leverage.into()),
                Value::Int(max_leverage.into()),
                Value::Amount(market.quantity(contract.max_position_lots)),
                Value::Int(contract.funding_interval_hours.into()),
                rate(contract.funding_cap),
                rate(contract.funding_floor),
                Value::Amount(Decimal { units: contract.clearance_fee_ppm.into(), scale: 6 }),
                Value::id(contract.fund.0),
                Value::Moment(**at),
            ]);
            Ok(())
        })?;
        rows(&table::FEE_SETTINGS, true, &markets, take, |(id, at), out| {
            let terms = self.listed.market(**id)?.terms;
            let part = |ppm: u32| Value::Amount(Decimal { units: ppm.into(), scale: 6 });
            out.extend([
                Value::id(id.0.into()),
                part(terms.maker_fee_ppm),
                part(terms.taker_fee_ppm),
                Value::Text(match terms.fee_rounding {
                    FeeRounding::Up => "UP",
                    FeeRounding::HalfUp => "HALF_UP",
                    FeeRounding::Down => "DOWN",
                }),
                Value::Moment(**at),
            ]);
            Ok(())
        })
    }

    fn push_posting<'a>(&self, posting: &'a Posting, out: &mut Vec<Value<'a>>) -> Result<(), SqlError> {
        let scale = self.listed.asset(posting.asset)?.scale;
        let amount = |amount: Amount| Value::Amount(Decimal { units: amount.0, scale });
        let (kind, leg, origin) = match posting.cause {
            Cause::Deposit => ("DEPOSIT", 0, None),
            Cause::Withdrawal(_) => ("WITHDRAWAL", 0, None),
            Cause::FundsMoved => ("FUTURES_TRANSFER", 0, None),
            Cause::Paid(origin) if origin.trade.is_none() => ("TRANSFER_PAID", 0, Some(origin)),
            Cause::Received(origin) if origin.trade.is_none() => ("TRANSFER_RECEIVED", 1, Some(origin)),
            Cause::Paid(origin) => ("TRADE_PAID", 0, Some(origin)),
            Cause::Received(origin) => ("TRADE_RECEIVED", 1, Some(origin)),
        };
        let withdrawal = match posting.cause {
            Cause::Withdrawal(withdrawal) => Some(withdrawal),
            Cause::Deposit | Cause::FundsMoved | Cause::Paid(_) | Cause::Received(_) => None,
        };
        let reference = (!posting.reference.is_empty()).then_some(&posting.reference);
        out.extend([
            Value::id(self.partition.0.into()),
            Value::id(posting.event_seq.0),
            Value::Int(leg),
            Value::id(posting.account.0),
            Value::id(posting.asset.0.into()),
            Value::Text(kind),
            amount(posting.amount),
            amount(posting.fee),
            amount(posting.total_after),
            Value::or_null(origin, |origin| Value::id(origin.market.0.into())),
            Value::or_null(origin.and_then(|origin| origin.trade), |trade| Value::id(trade.0)),
            Value::or_null(origin, |origin| Value::id(origin.order.0)),
            Value::or_null(withdrawal, |withdrawal| Value::id(withdrawal.0)),
            Value::or_null(reference, |reference| Value::Text(reference.as_str())),
            Value::Moment(posting.posted_at),
        ]);
        Ok(())
    }

    /// The present batch is in the database, as a whole: the next one begins.
    pub fn written(&mut self) {
        for order in std::mem::take(&mut self.batch).orders.into_keys() {
            // No event is about an order that is over.
            if self.orders.get(order).is_some_and(|order| !order.is_open()) {
                self.orders.remove(order);
            }
        }
        self.orders.age();
        self.accounts.age();
        self.futures.written();
    }
}

fn not_open(order: OrderId) -> SqlError {
    SqlError::Disagrees(format!("order {order} changes, and the database does not have it open"))
}

/// Which order, and whose balances, have to be known before an event is applied.
fn rows_of(event: &Event) -> (Option<OrderId>, Option<AccountId>) {
    match event {
        Event::OrderFilled(filled) => (Some(filled.order), Some(filled.account)),
        Event::OrderPrevented(prevented) => (Some(prevented.order), Some(prevented.account)),
        Event::OrderTracks(tracks) => (Some(tracks.order), Some(tracks.account)),
        Event::OrderTriggered(triggered) => (Some(triggered.order), Some(triggered.account)),
        Event::OrderAmended(amended) => (Some(amended.order), Some(amended.account)),
        Event::OrderEnded(ended) => (Some(ended.order), Some(ended.account)),
        Event::OrderAccepted(accepted) => (None, Some(accepted.account)),
        Event::FundsMoved(moved) => (None, Some(moved.account)),
        Event::Deposited(deposited) => (None, Some(deposited.account)),
        Event::WithdrawalRequested(requested) => (None, Some(requested.account)),
        Event::WithdrawalSettled(settled) => (None, Some(settled.account)),
        Event::ContractFilled(filled) => (Some(filled.order), None),
        Event::ContractOrderModified(modified) => (Some(modified.order), None),
        _ => (None, None),
    }
}

/// Hands over `of` as rows, some thousands at once.
pub fn rows<'a, T>(
    table: &'static Table,
    may_be_there: bool,
    of: &'a [T],
    take: &mut Take<'_>,
    push: impl Fn(&'a T, &mut Vec<Value<'a>>) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    for some in of.chunks(ROWS_AT_ONCE) {
        let mut values = Vec::with_capacity(some.len() * table.columns.len());
        for one in some {
            push(one, &mut values)?;
        }
        take(table, may_be_there, &values)?;
    }
    Ok(())
}
