//! Facts for the streams, picked out of the events while the views take them in: that is the only moment at which the state
//! right behind each event can be seen. Nothing is picked that nobody wants, and nothing is written here: readers of the views
//! wait meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use model::{
    AccountId, Amount, AssetId, EndReason, Event, EventBatch, LevelChanged, MarketId, MarketTerms,
    OrderFilled, OrderId, OrderPrevented, PartitionId, SelfTradePrevention, Seq, Side, TimeNs, TradeGroup,
};
use views::{AggTrade, AlgoOrder, Balance, BookTicker, Order, OrderStatus, Trade, Views};

use crate::streams::contract_feed::{Collected, ContractReport, Update};
use crate::streams::hub::{Hub, Interest};

/// What has happened to an order. Source: user-data-stream.md "Order Update".
#[derive(Clone, Debug)]
pub(crate) enum Execution {
    /// It was accepted; or a price has come that it waited for, so that it follows the price or takes part in its market.
    New,
    /// It has traded.
    Trade(OrderFilled),
    /// Its owner made it smaller.
    Replaced,
    /// Its owner cancelled it.
    Canceled,
    /// It expired.
    Expired,
    /// It met an order of its owner and lost by that.
    Prevented(OrderPrevented, TradeGroup),
}

/// An order, as it is behind something that happened to it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) execution: Execution,
    pub(crate) order: Order,
    /// As the owner is told: an order is filled with its last trade, not a moment later.
    pub(crate) status: OrderStatus,
    /// The event's place in the log of all events: no other execution has it.
    pub(crate) execution_id: u64,
}

/// One thing to tell.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// Two orders have traded.
    Trade(MarketId, Trade),
    /// An arriving order has traded at a price, and does no more there.
    AggTrade(MarketId, AggTrade),
    /// The quantity at a price has changed.
    Level(LevelChanged),
    /// A command has changed the best prices; with the number of the book's latest change.
    BestPrices(MarketId, u64, BookTicker),
    /// Something has happened to an order.
    Report(Box<Report>),
    /// A command may have changed what an account has of these assets.
    Position(AccountId, Vec<(AssetId, Balance)>),
    /// Something has happened to an order at a contract.
    ContractReport(Box<ContractReport>),
    /// A command has changed wallets and positions.
    Update(Box<Update>),
    /// Something has happened to an algo order.
    Algo(Box<AlgoOrder>),
    /// An account has another leverage at a contract.
    Leverage { account: AccountId, market: MarketId, leverage: u16 },
    /// An order with which the exchange has closed a position is over.
    ForceOrder(Box<Order>),
    /// Money has come from outside, or gone there.
    Moved { account: AccountId, asset: AssetId, delta: Amount },
}

/// What is to be told of one batch, in order.
#[derive(Debug)]
pub(crate) struct Told {
    /// The last command of the batch.
    pub(crate) seq: Seq,
    /// The time of all of it.
    pub(crate) time_ns: TimeNs,
    pub(crate) facts: Vec<Fact>,
}

/// Picks out facts, and hands them on.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Whose events it picks from.
    partition: PartitionId,
    hub: Arc<Hub>,
    publisher: Sender<Told>,
    facts: Vec<Fact>,
    /// The best prices that were told last, of markets of which somebody wants to know.
    best: HashMap<MarketId, BookTicker>,
}

impl Feed {
    pub(crate) fn new(partition: PartitionId, hub: Arc<Hub>, publisher: Sender<Told>) -> Self {
        Self { partition, hub, publisher, facts: Vec::new(), best: HashMap::new() }
    }

    /// Lets `views` take in `batch`, and keeps what is to be told of it.
    pub(crate) fn take_in(&mut self, views: &mut Views, batch: &EventBatch) {
        let interest = self.hub.interest();
        self.hub.takes_in(self.partition, batch.last_seq(), &interest);
        self.best.retain(|market, _| interest.market(*market).best_prices > 0);
        if interest.is_empty() {
            views.apply(batch);
            return;
        }
        let mut picking = Picking {
            interest: &interest,
            batch,
            command: None,
            facts: &mut self.facts,
            best: &mut self.best,
            agg: None,
            changed_books: BTreeSet::new(),
            balances: BTreeMap::new(),
            last_executions: HashMap::new(),
            told_ends: HashSet::new(),
            collected: Collected::new(),
        };
        views.apply_each(batch, |views, place| picking.pick(views, place));
    }

    /// Hands on what was kept of `batch`, now that the views show it.
    pub(crate) fn tell(&mut self, batch: &EventBatch) {
        if !self.facts.is_empty() {
            let facts = std::mem::take(&mut self.facts);
            // Without a publisher the program is about to stop.
            let _ = self.publisher.send(Told { seq: batch.last_seq(), time_ns: batch.time_ns, facts });
        }
    }
}

/// The way through one batch, command by command.
pub(super) struct Picking<'f> {
    interest: &'f Interest,
    batch: &'f EventBatch,
    /// Which command we are in, and where its events end.
    command: Option<(usize, usize)>,
    facts: &'f mut Vec<Fact>,
    best: &'f mut HashMap<MarketId, BookTicker>,
    /// An aggregated trade that may still grow.
    agg: Option<(MarketId, AggTrade)>,
    /// Books whose best prices are wanted and that this command has changed.
    changed_books: BTreeSet<MarketId>,
    /// What this command may have changed of accounts that are listened to.
    balances: BTreeMap<AccountId, BTreeSet<AssetId>>,
    /// Where this command's events tell the execution with which an order ends, and how it does.
    last_executions: HashMap<usize, OrderStatus>,
    /// Orders whose end is told with their last execution.
    told_ends: HashSet<OrderId>,
    /// What this command has changed of wallets and positions that are listened to.
    pub(super) collected: Collected,
}

impl Picking<'_> {
    fn pick(&mut self, views: &Views, place: usize) {
        if self.command.is_none_or(|(_, end)| place >= end) {
            self.begin(place);
        }
        self.event(views, place);
        if self.command.is_some_and(|(_, end)| place + 1 == end) {
            self.end(views);
        }
    }

    /// Finds the command that has the event at `place`, and looks ahead through its events.
    fn begin(&mut self, place: usize) {
        let first = self.command.map_or(0, |(command, _)| command + 1);
        let end = |command: usize| usize::try_from(self.batch.ends[command]).expect("fits");
        let command = (first..self.batch.ends.len()).find(|command| end(*command) > place);
        let command = command.expect("every event belongs to a command");
        let end = end(command);
        self.command = Some((command, end));
        self.last_executions.clear();
        self.told_ends.clear();

        let mut ends: HashMap<OrderId, OrderStatus> = HashMap::new();
        for (place, event) in (place..end).zip(&self.batch.events[place..end]).rev() {
            if let Event::OrderEnded(ended) = event
                && self.interest.account(ended.account)
            {
                let status = match ended.reason {
                    EndReason::Filled => Some(OrderStatus::Filled),
                    EndReason::ExpiredInMatch => Some(OrderStatus::ExpiredInMatch),
                    EndReason::Canceled | EndReason::Expired(_) => None,
                };
                if let Some(status) = status {
                    ends.insert(ended.order, status);
                }
            } else if let Event::OrderFilled(filled) = event
                && ends.get(&filled.order) == Some(&OrderStatus::Filled)
            {
                self.last(place, filled.order, &mut ends);
            } else if let Event::ContractFilled(filled) = event
                && ends.get(&filled.order) == Some(&OrderStatus::Filled)
            {
                self.last(place, filled.order, &mut ends);
            } else if let Event::OrderPrevented(prevented) = event
                && !prevented.prevented_lots.is_zero()
                && ends.get(&prevented.order) == Some(&OrderStatus::ExpiredInMatch)
            {
                self.last(place, prevented.order, &mut ends);
            }
        }
    }

    fn last(&mut self, place: usize, order: OrderId, ends: &mut HashMap<OrderId, OrderStatus>) {
        if let Some(status) = ends.remove(&order) {
            self.last_executions.insert(place, status);
            self.told_ends.insert(order);
        }
    }

    fn event(&mut self, views: &Views, place: usize) {
        let terms = |market: MarketId| views.catalog().market(market).expect("an event names listed markets");
        let batch = self.batch;
        let event = &batch.events[place];
        let market = event.market_of_order();
        let is_of_contract = market.is_some_and(|market| views.catalog().contract(market).is_some());
        if is_of_contract && !matches!(event, Event::LevelChanged(_) | Event::Traded(_)) {
            self.contract_order(views, place, event);
            return;
        }
        self.contract_account(views, event);
        match event {
            Event::FundsMoved(moved) => self.moved(moved.account, moved.asset, -moved.amount),
            Event::LevelChanged(changed) => self.level_changed(changed),
            Event::Traded(traded) => self.traded(views, traded.market),
            Event::OrderAccepted(accepted) => {
                if self.interest.account(accepted.account) {
                    self.balance(accepted.account, paid_in(accepted.side, terms(accepted.market)));
                    self.report(views, place, accepted.order, Execution::New);
                }
            }
            Event::OrderFilled(filled) => {
                if self.interest.account(filled.account) {
                    let terms = terms(filled.market);
                    self.balance(filled.account, terms.base);
                    self.balance(filled.account, terms.quote);
                    self.report(views, place, filled.order, Execution::Trade(filled.clone()));
                }
            }
            Event::OrderPrevented(prevented) => {
                if self.interest.account(prevented.account) && !prevented.prevented_lots.is_zero() {
                    self.released(views, prevented.account, prevented.order, prevented.released);
                    if prevented.mode == SelfTradePrevention::Transfer {
                        let terms = terms(prevented.market);
                        self.balance(prevented.account, terms.base);
                        self.balance(prevented.account, terms.quote);
                    }
                    let group = views.catalog().account(prevented.account).map(|account| account.trade_group);
                    let execution = Execution::Prevented(prevented.clone(), group.unwrap_or_default());
                    self.report(views, place, prevented.order, execution);
                }
            }
            Event::OrderTracks(tracks) => {
                if self.interest.account(tracks.account) {
                    self.report(views, place, tracks.order, Execution::New);
                }
            }
            Event::OrderTriggered(triggered) => {
                if self.interest.account(triggered.account) {
                    self.released(views, triggered.account, triggered.order, triggered.held);
                    self.report(views, place, triggered.order, Execution::New);
                }
            }
            Event::OrderAmended(amended) => {
                if self.interest.account(amended.account) {
                    self.released(views, amended.account, amended.order, amended.released);
                    self.report(views, place, amended.order, Execution::Replaced);
                }
            }
            Event::OrderEnded(ended) => {
                if self.interest.account(ended.account) {
                    self.released(views, ended.account, ended.order, ended.released);
                    if !self.told_ends.contains(&ended.order) {
                        let execution = match ended.reason {
                            EndReason::Canceled => Execution::Canceled,
                            EndReason::Filled | EndReason::Expired(_) | EndReason::ExpiredInMatch => {
                                Execution::Expired
                            }
                        };
                        self.report(views, place, ended.order, execution);
                    }
                }
            }
            Event::Deposited(deposited) => {
                self.moved(deposited.account, deposited.asset, deposited.amount);
            }
            Event::WithdrawalRequested(requested) => {
                if self.interest.account(requested.account) {
                    self.balance(requested.account, requested.asset);
                }
            }
            Event::WithdrawalSettled(settled) => {
                if settled.paid_out {
                    self.moved(settled.account, settled.asset, -settled.amount);
                } else if self.interest.account(settled.account) {
                    self.balance(settled.account, settled.asset);
                }
            }
            Event::AssetAdded { .. }
            | Event::MarketAdded { .. }
            | Event::AccountCreated { .. }
            | Event::ApiKeyCreated(_)
            | Event::ApiKeyAdded(_)
            | Event::ApiKeyChanged(_)
            | Event::ApiKeyResealed { .. }
            | Event::PartitionAdded { .. }
            | Event::MarketPlaced { .. }
            | Event::MarketMoving { .. }
            | Event::MarketLeft { .. }
            | Event::Heard { .. }
            | Event::SourceRegistered { .. }
            | Event::EntryTaken { .. }
            | Event::EntryOpen { .. }
            | Event::EntryAnswered { .. }
            | Event::EntryRepeated { .. }
            | Event::EntryOutOfOrder { .. }
            | Event::ApiKeyRevoked { .. }
            | Event::ContractAdded { .. }
            | Event::ContractOrderAccepted(_)
            | Event::ContractFilled(_)
            | Event::LeverageChanged { .. }
            | Event::AlgoOrderAccepted(_)
            | Event::AlgoOrderTracks(_)
            | Event::AlgoOrderTriggered(_)
            | Event::AlgoOrderEnded(_)
            | Event::CountdownSet { .. }
            | Event::CountdownFired { .. }
            | Event::GoodTillDate { .. }
            | Event::ContractOrderModified(_)
            | Event::MarkPriceChanged(_)
            | Event::IndexPriceSet { .. }
            | Event::FundingSettled(_)
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
            | Event::Rejected { .. }
            | Event::Skipped { .. } => {}
        }
    }

    /// Whether somebody listens to an account.
    pub(super) fn listens(&self, account: AccountId) -> bool {
        self.interest.account(account)
    }

    /// Whether somebody wants the force orders of a contract.
    pub(super) fn wants_force_orders(&self, market: MarketId) -> bool {
        self.interest.force_orders(market)
    }

    /// Whether an order's end is told with its last execution.
    pub(super) fn told_ends(&self, order: OrderId) -> bool {
        self.told_ends.contains(&order)
    }

    /// As what the owner is told that an order ends, where the event at `place` is its last execution.
    pub(super) fn status_at(&self, place: usize) -> Option<OrderStatus> {
        self.last_executions.get(&place).copied()
    }

    pub(super) fn push(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    fn level_changed(&mut self, changed: &LevelChanged) {
        let interest = self.interest.market(changed.market);
        if interest.levels > 0 {
            self.facts.push(Fact::Level(changed.clone()));
        }
        if interest.best_prices > 0 {
            self.changed_books.insert(changed.market);
        }
    }

    fn traded(&mut self, views: &Views, market: MarketId) {
        let interest = self.interest.market(market);
        let tape = views.tape(market);
        if interest.trades > 0
            && let Some(trade) = tape.latest()
        {
            self.facts.push(Fact::Trade(market, *trade));
        }
        if interest.agg_trades > 0
            && let Some(agg) = tape.latest_agg()
        {
            if self.agg.is_some_and(|(other, before)| (other, before.id) != (market, agg.id)) {
                self.end_agg();
            }
            self.agg = Some((market, *agg));
        }
    }

    fn end_agg(&mut self) {
        if let Some((market, agg)) = self.agg.take() {
            self.facts.push(Fact::AggTrade(market, agg));
        }
    }

    fn report(&mut self, views: &Views, place: usize, order: OrderId, execution: Execution) {
        let order = views.orders().by_id(order).expect("an order is kept at least until the next one ends");
        let status = self.last_executions.get(&place).copied().unwrap_or(order.status());
        let place = u64::try_from(place).expect("fits");
        let execution_id = self.batch.first_event_seq.0.saturating_add(place);
        let report = Report { execution, order: order.clone(), status, execution_id };
        self.facts.push(Fact::Report(Box::new(report)));
    }

    fn released(&mut self, views: &Views, account: AccountId, order: OrderId, amount: Amount) {
        if !amount.is_zero()
            && let Some(order) = views.orders().by_id(order)
            && let Some(terms) = views.catalog().market(order.market)
        {
            self.balance(account, paid_in(order.side, terms));
        }
    }

    fn moved(&mut self, account: AccountId, asset: AssetId, delta: Amount) {
        if self.interest.account(account) {
            self.balance(account, asset);
            self.facts.push(Fact::Moved { account, asset, delta });
        }
    }

    fn balance(&mut self, account: AccountId, asset: AssetId) {
        self.balances.entry(account).or_default().insert(asset);
    }

    /// The command is over: what it has changed as a whole.
    fn end(&mut self, views: &Views) {
        self.end_agg();
        for market in std::mem::take(&mut self.changed_books) {
            let best = views.book_ticker(market);
            if self.best.insert(market, best) != Some(best) {
                self.facts.push(Fact::BestPrices(market, views.depth(market).last_update_id(), best));
            }
        }
        for (account, assets) in std::mem::take(&mut self.balances) {
            let balance = |asset| (asset, views.balances().balance(account, asset));
            self.facts.push(Fact::Position(account, assets.into_iter().map(balance).collect()));
        }
        self.end_contracts(views);
    }
}

/// What an order of this side pays with.
const fn paid_in(side: Side, terms: &MarketTerms) -> AssetId {
    match side {
        Side::Buy => terms.quote,
        Side::Sell => terms.base,
    }
}
