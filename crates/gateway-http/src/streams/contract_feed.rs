//! What of contracts is picked out of the events, beside what [`super::feed`] picks of every market.

use std::collections::BTreeMap;

use model::{
    AccountId, AlgoId, Amount, AssetId, ContractFilled, EndReason, Event, MarketId, OrderCause, OrderId,
    PositionSide,
};
use views::{AlgoOrder, Order, OrderStatus, Page, Position, Views};

use crate::streams::feed::{Fact, Picking};

/// So many algo orders of an account at a contract are looked through for the one whose order has ended.
const LATEST_ALGO_ORDERS: usize = 100;

/// What has happened to an order at a contract, and the order behind that.
#[derive(Clone, Debug)]
pub(crate) struct ContractReport {
    /// `NEW`, `TRADE`, `AMENDMENT`, `CANCELED`, `EXPIRED`, `CALCULATED` or `TRADE_PREVENTION`.
    pub(crate) execution: &'static str,
    pub(crate) order: Order,
    /// As the owner is told: an order is filled with its last trade, not a moment later.
    pub(crate) status: OrderStatus,
    /// The trade, if it is one.
    pub(crate) filled: Option<ContractFilled>,
}

/// Why wallets and positions have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Order,
    FundingFee,
    Deposit,
    Withdraw,
    InsuranceClear,
    MarginTransfer,
    MarginTypeChange,
}

/// What a command has changed of an account's wallets and positions.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) account: AccountId,
    pub(crate) reason: Reason,
    /// What is in them now, and by how much that has changed apart from profits and fees.
    pub(crate) wallets: Vec<(AssetId, Amount, Amount)>,
    pub(crate) positions: Vec<Changed>,
}

/// A position that a command has changed.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) market: MarketId,
    pub(crate) position_side: PositionSide,
    /// What there is now.
    pub(crate) position: Position,
    /// What an isolated one has as its margin; `None` of one that the wallet backs.
    pub(crate) margin: Option<Amount>,
    /// What was realised by that.
    pub(crate) realized: Amount,
}

/// What is collected of one account and one reason until its command is over.
#[derive(Debug, Default)]
pub(super) struct Changes {
    wallets: BTreeMap<AssetId, Amount>,
    positions: BTreeMap<(MarketId, PositionSide), Amount>,
}

/// What is collected of a command.
pub(super) type Collected = BTreeMap<(AccountId, Reason), Changes>;

impl Picking<'_> {
    /// An event of an order, a trade or a book at a contract. Trades and books are told as those of every market.
    pub(super) fn contract_order(&mut self, views: &Views, place: usize, event: &Event) {
        match event {
            Event::ContractOrderAccepted(accepted) => {
                self.contract_report(views, place, accepted.account, accepted.order, "NEW", None);
                self.algo_of(views, accepted.account, accepted.order);
            }
            Event::ContractFilled(filled) => {
                let execution = "TRADE";
                let told = Some(filled.clone());
                self.contract_report(views, place, filled.account, filled.order, execution, told);
                let asset = views.catalog().market(filled.market).expect("it is listed").quote;
                self.changed(filled.account, Reason::Order, asset, Amount::ZERO);
                let which = (filled.market, filled.position_side);
                self.moved_position(filled.account, Reason::Order, which, filled.realized);
            }
            Event::OrderPrevented(prevented)
                if !prevented.prevented_lots.is_zero() && !self.told_ends(prevented.order) =>
            {
                let execution = "TRADE_PREVENTION";
                self.contract_report(views, place, prevented.account, prevented.order, execution, None);
            }
            Event::OrderAmended(amended) => {
                self.contract_report(views, place, amended.account, amended.order, "AMENDMENT", None);
            }
            Event::ContractOrderModified(modified) => {
                self.contract_report(views, place, modified.account, modified.order, "AMENDMENT", None);
            }
            Event::OrderEnded(ended) => {
                self.force_order(views, ended.market, ended.order);
                self.finished_algo(views, ended.account, ended.market, ended.order);
                if !self.told_ends(ended.order) {
                    let execution = match ended.reason {
                        EndReason::Canceled => "CANCELED",
                        EndReason::Filled | EndReason::Expired(_) => "EXPIRED",
                        EndReason::ExpiredInMatch => "TRADE_PREVENTION",
                    };
                    self.contract_report(views, place, ended.account, ended.order, execution, None);
                }
            }
            _ => {}
        }
    }

    /// What happens to wallets and positions without an order of their owner.
    pub(super) fn contract_account(&mut self, views: &Views, event: &Event) {
        let quote = |market: MarketId| views.catalog().market(market).expect("it is listed").quote;
        match event {
            Event::FundsMoved(moved) => {
                let is_in = moved.amount > Amount::ZERO;
                let reason = if is_in { Reason::Deposit } else { Reason::Withdraw };
                self.changed(moved.account, reason, moved.asset, moved.amount);
            }
            Event::FundingPaid(paid) => {
                self.changed(paid.account, Reason::FundingFee, quote(paid.market), paid.amount);
            }
            Event::ClearancePaid { account, market, amount, .. } => {
                self.changed(*account, Reason::InsuranceClear, quote(*market), -*amount);
            }
            Event::FundReceived { account, market, amount, .. }
            | Event::DebtCovered { account, market, amount }
            | Event::PositionDebtCovered { account, market, amount, .. } => {
                self.changed(*account, Reason::InsuranceClear, quote(*market), *amount);
            }
            Event::PositionForced(forced) => {
                self.changed(forced.account, Reason::Order, quote(forced.market), Amount::ZERO);
                let which = (forced.market, forced.position_side);
                self.moved_position(forced.account, Reason::Order, which, forced.realized);
            }
            Event::PositionMarginChanged(changed) => {
                // Mostly told behind what has changed it.
                let reasons = self.collected.keys().filter(|(account, _)| *account == changed.account);
                let reason = reasons.map(|(_, reason)| *reason).next().unwrap_or(Reason::MarginTransfer);
                self.changed(changed.account, reason, quote(changed.market), Amount::ZERO);
                let which = (changed.market, changed.position_side);
                self.moved_position(changed.account, reason, which, Amount::ZERO);
            }
            Event::MarginTypeChanged { account, market, .. } => {
                self.changed(*account, Reason::MarginTypeChange, quote(*market), Amount::ZERO);
                let which = (*market, PositionSide::Both);
                self.moved_position(*account, Reason::MarginTypeChange, which, Amount::ZERO);
            }
            Event::AlgoOrderAccepted(accepted) => self.algo(views, accepted.account, accepted.algo),
            Event::AlgoOrderTracks(tracks) => self.algo(views, tracks.account, tracks.algo),
            Event::AlgoOrderTriggered(triggered) => self.algo(views, triggered.account, triggered.algo),
            Event::AlgoOrderEnded(ended) => self.algo(views, ended.account, ended.algo),
            Event::LeverageChanged { account, market, leverage } if self.listens(*account) => {
                let (account, market, leverage) = (*account, *market, *leverage);
                self.push(Fact::Leverage { account, market, leverage });
            }
            _ => {}
        }
    }

    fn contract_report(
        &mut self,
        views: &Views,
        place: usize,
        account: AccountId,
        order: OrderId,
        execution: &'static str,
        filled: Option<ContractFilled>,
    ) {
        if !self.listens(account) {
            return;
        }
        let order = views.contract_orders().by_id(order);
        let order = order.expect("an order is kept at least until the next one ends").clone();
        let status = self.status_at(place).unwrap_or(order.status());
        self.push(Fact::ContractReport(Box::new(ContractReport { execution, order, status, filled })));
    }

    fn algo(&mut self, views: &Views, account: AccountId, algo: AlgoId) {
        if self.listens(account)
            && let Some(order) = views.algo_orders().by_id(algo)
        {
            self.push(Fact::Algo(Box::new(order.clone())));
        }
    }

    /// The algo order for which an order was placed, which is at its market now.
    fn algo_of(&mut self, views: &Views, account: AccountId, order: OrderId) {
        if self.listens(account)
            && let Some(order) = views.algo_orders().by_order(order)
        {
            self.push(Fact::Algo(Box::new(order.clone())));
        }
    }

    /// The algo order whose order has ended, if it is one of the latest.
    fn finished_algo(&mut self, views: &Views, account: AccountId, market: MarketId, order: OrderId) {
        if !self.listens(account) {
            return;
        }
        let latest = views.algo_orders().past(account, market, &Page::last(LATEST_ALGO_ORDERS));
        let is_its = |algo: &&&AlgoOrder| algo.placed.is_some_and(|placed| placed.order == order);
        if let Some(algo) = latest.iter().rev().find(is_its) {
            self.push(Fact::Algo(Box::new((*algo).clone())));
        }
    }

    fn force_order(&mut self, views: &Views, market: MarketId, order: OrderId) {
        if self.wants_force_orders(market)
            && let Some(order) = views.contract_orders().by_id(order)
            && order.at_contract.is_some_and(|at| at.cause == OrderCause::Liquidation)
        {
            self.push(Fact::ForceOrder(Box::new(order.clone())));
        }
    }

    fn changed(&mut self, account: AccountId, reason: Reason, asset: AssetId, by: Amount) {
        if self.listens(account) {
            *self.collected.entry((account, reason)).or_default().wallets.entry(asset).or_default() += by;
        }
    }

    fn moved_position(
        &mut self,
        account: AccountId,
        reason: Reason,
        which: (MarketId, PositionSide),
        realized: Amount,
    ) {
        if self.listens(account) {
            let positions = &mut self.collected.entry((account, reason)).or_default().positions;
            *positions.entry(which).or_default() += realized;
        }
    }

    /// The command is over.
    pub(super) fn end_contracts(&mut self, views: &Views) {
        for ((account, reason), changes) in std::mem::take(&mut self.collected) {
            let futures = views.futures();
            let wallet = |(asset, by)| (asset, futures.wallet(account, asset), by);
            let position = |((market, position_side), realized)| Changed {
                market,
                position_side,
                position: futures.position_of(account, market, position_side),
                margin: futures.margin(account, market, position_side),
                realized,
            };
            self.push(Fact::Update(Box::new(Update {
                account,
                reason,
                wallets: changes.wallets.into_iter().map(wallet).collect(),
                positions: changes.positions.into_iter().map(position).collect(),
            })));
        }
    }
}
