//! What accounts have traded at contracts, what came into and out of their futures wallets and the margins of their isolated positions,
//! and what funding has been.

use std::collections::{BTreeMap, VecDeque};

use codec::{Coded, DecodeError, Reader, coded_enum, coded_sided_struct, coded_struct};
use model::{
    AccountId, Amount, AssetId, ContractFilled, Event, FundingRate, Liquidity, MarketId, OrderId,
    PositionMarginChanged, PositionSide, PriceTicks, QtyLots, Side, TimeNs, TradeId,
};

use crate::ViewSettings;
use crate::futures::Futures;
use crate::latest::{Entry, Latest};
use crate::page::Page;

/// One side of a trade at a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractTrade {
    /// Its number in its market.
    pub id: TradeId,
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which way the order goes.
    pub side: Side,
    /// Which position it is for.
    pub position_side: PositionSide,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// At which price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// In atoms of the settlement asset.
    pub fee: Amount,
    /// What closing a part of the position has gained, in atoms of the settlement asset; below zero it has lost.
    pub realized: Amount,
    /// When.
    pub time_ns: TimeNs,
}
coded_sided_struct!(ContractTrade {
    id,
    order,
    account,
    market,
    side,
    position_side,
    liquidity,
    price_ticks,
    qty_lots,
    fee,
    realized,
    time_ns
});

/// Why a futures wallet has more or less than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IncomeKind {
    /// Moved from or to the spot balance.
    Transfer = 0,
    /// The fee of a trade.
    Commission = 1,
    /// What closing a position has gained or lost.
    RealizedPnl = 2,
    /// Funding paid or received.
    FundingFee = 3,
    /// A clearance fee, paid or received; or a debt that the insurance fund has taken over.
    InsuranceClear = 4,
}
coded_enum!(IncomeKind, "income" {
    0 => Transfer, 1 => Commission, 2 => RealizedPnl, 3 => FundingFee, 4 => InsuranceClear,
});

/// Something that came into a futures wallet, or went out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Income {
    /// Its number among all; rising.
    pub id: u64,
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// Why.
    pub kind: IncomeKind,
    /// At which contract; `None` of a transfer.
    pub market: Option<MarketId>,
    /// By which trade, if by one.
    pub trade: Option<TradeId>,
    /// How much; below zero it went out.
    pub amount: Amount,
    /// When.
    pub time_ns: TimeNs,
}
coded_struct!(Income { id, account, asset, kind, market, trade, amount, time_ns });

/// Why money has moved between a wallet and the margin of an isolated position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MarginCause {
    /// Its owner has moved it.
    Owner = 0,
    /// The position was opened, or closed in part or in full: by a trade, or by the exchange.
    Trade = 1,
}
coded_enum!(MarginCause, "cause of a change of margin" { 0 => Owner, 1 => Trade });

/// Money has moved between a wallet and the margin of an isolated position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarginChange {
    /// Its number among all; rising.
    pub id: u64,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which position.
    pub position_side: PositionSide,
    /// Why.
    pub cause: MarginCause,
    /// From the wallet into the margin, in atoms of the settlement asset; below zero the other way. Never zero.
    pub moved: Amount,
    /// When.
    pub time_ns: TimeNs,
}
coded_struct!(MarginChange { id, account, market, position_side, cause, moved, time_ns });

/// A settlement of funding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// What positions paid, as a part of their value.
    pub rate: FundingRate,
    /// What they were measured by.
    pub mark_ticks: PriceTicks,
    /// When.
    pub time_ns: TimeNs,
}
coded_struct!(Funding { rate, mark_ticks, time_ns });

impl Entry for ContractTrade {
    type Id = TradeId;

    fn group(&self) -> (AccountId, MarketId) {
        (self.account, self.market)
    }

    fn id(&self) -> TradeId {
        self.id
    }

    fn time_ns(&self) -> TimeNs {
        self.time_ns
    }
}

impl Entry for Income {
    type Id = u64;

    fn group(&self) -> (AccountId, MarketId) {
        (self.account, MarketId(0))
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn time_ns(&self) -> TimeNs {
        self.time_ns
    }
}

impl Entry for MarginChange {
    type Id = u64;

    fn group(&self) -> (AccountId, MarketId) {
        (self.account, self.market)
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn time_ns(&self) -> TimeNs {
        self.time_ns
    }
}

/// One of the positions that an account can have at a contract.
type Which = (AccountId, MarketId, PositionSide);

/// Histories of contracts.
#[derive(Clone, Debug)]
pub struct ContractHistory {
    trades: Latest<ContractTrade>,
    income: Latest<Income>,
    next_income: u64,
    margin_changes: Latest<MarginChange>,
    next_margin_change: u64,
    /// The position that the event before has changed, if it has changed one.
    traded: Option<Which>,
    fundings: BTreeMap<MarketId, VecDeque<Funding>>,
    fundings_kept: usize,
}

impl ContractHistory {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            trades: Latest::new(settings.own_trades_kept_per_account, settings.own_trades_kept),
            income: Latest::new(settings.income_kept_per_account, settings.income_kept),
            next_income: 1,
            margin_changes: Latest::new(
                settings.margin_changes_kept_per_account,
                settings.margin_changes_kept,
            ),
            next_margin_change: 1,
            traded: None,
            fundings: BTreeMap::new(),
            fundings_kept: settings.fundings_kept.max(1),
        }
    }

    /// Trades of an account at one contract, of one of its orders if `order` says so, by ascending number.
    pub fn trades(
        &self,
        account: AccountId,
        market: MarketId,
        order: Option<OrderId>,
        page: &Page<TradeId>,
    ) -> Vec<&ContractTrade> {
        self.trades.of((account, market), page, |trade| order.is_none_or(|order| trade.order == order))
    }

    /// What came into an account's futures wallets and went out of them, as far as it is `wanted`, in order.
    pub fn income(
        &self,
        account: AccountId,
        page: &Page<u64>,
        wanted: impl Fn(&Income) -> bool,
    ) -> Vec<&Income> {
        self.income.of((account, MarketId(0)), page, wanted)
    }

    /// What has moved between an account's wallet and the margins of its isolated positions at a contract, as far as it is `wanted`, in order.
    pub fn margin_changes(
        &self,
        account: AccountId,
        market: MarketId,
        page: &Page<u64>,
        wanted: impl Fn(&MarginChange) -> bool,
    ) -> Vec<&MarginChange> {
        self.margin_changes.of((account, market), page, wanted)
    }

    /// Settlements of funding of a contract, in order.
    pub fn fundings(&self, market: MarketId, page: &Page<u64>) -> Vec<Funding> {
        let all = self.fundings.get(&market).into_iter().flatten();
        page.cut(all.filter(|funding| page.covers(0, funding.time_ns)).copied().collect())
    }

    /// Takes in what an event tells that `futures` has taken in. `settled_in` says which asset that is.
    pub(crate) fn see(
        &mut self,
        event: &Event,
        time_ns: TimeNs,
        futures: &Futures,
        settled_in: impl Fn(MarketId) -> AssetId,
    ) {
        use IncomeKind::{Commission, FundingFee, InsuranceClear, RealizedPnl, Transfer};

        let traded = self.traded.take();
        if let Event::PositionMarginChanged(changed) = event {
            self.margin_changed(changed, traded, time_ns, futures);
        }
        let mut came = |account, asset, (kind, market, trade), amount: Amount| {
            if !amount.is_zero() {
                let id = self.next_income;
                self.next_income = id.saturating_add(1);
                self.income.push(Income { id, account, asset, kind, market, trade, amount, time_ns });
            }
        };
        match event {
            Event::FundsMoved(moved) => {
                came(moved.account, moved.asset, (Transfer, None, None), moved.amount);
            }
            Event::ContractFilled(filled) => {
                let asset = settled_in(filled.market);
                let of = |kind| (kind, Some(filled.market), Some(filled.trade));
                came(filled.account, asset, of(RealizedPnl), filled.realized);
                came(filled.account, asset, of(Commission), -filled.fee);
                self.trades.push(trade_of(filled, time_ns));
                self.traded = Some((filled.account, filled.market, filled.position_side));
            }
            Event::PositionForced(forced) => {
                let of = (RealizedPnl, Some(forced.market), None);
                came(forced.account, settled_in(forced.market), of, forced.realized);
                self.traded = Some((forced.account, forced.market, forced.position_side));
            }
            Event::FundingPaid(paid) => {
                let of = (FundingFee, Some(paid.market), None);
                came(paid.account, settled_in(paid.market), of, paid.amount);
            }
            Event::ClearancePaid { account, market, amount, .. } => {
                came(*account, settled_in(*market), (InsuranceClear, Some(*market), None), -*amount);
            }
            Event::FundReceived { account, market, amount, .. }
            | Event::DebtCovered { account, market, amount }
            | Event::PositionDebtCovered { account, market, amount, .. } => {
                came(*account, settled_in(*market), (InsuranceClear, Some(*market), None), *amount);
            }
            Event::FundingSettled(settled) => {
                let fundings = self.fundings.entry(settled.market).or_default();
                if fundings.len() >= self.fundings_kept {
                    fundings.pop_front();
                }
                let (rate, mark_ticks) = (settled.rate, settled.mark_ticks);
                fundings.push_back(Funding { rate, mark_ticks, time_ns });
            }
            _ => {}
        }
    }

    /// `traded` is the position that the event before has changed.
    fn margin_changed(
        &mut self,
        changed: &PositionMarginChanged,
        traded: Option<Which>,
        time_ns: TimeNs,
        futures: &Futures,
    ) {
        let PositionMarginChanged { account, market, position_side, moved, .. } = *changed;
        if moved.is_zero() {
            return;
        }
        // It is told right behind what has changed the position, if something has; and what is left when a liquidation is over goes back
        // when there is no position any more. Its owner moves it only while there is one.
        let position = futures.position_of(account, market, position_side);
        let by_owner = traded != Some((account, market, position_side)) && !position.qty_lots.is_zero();
        let cause = if by_owner { MarginCause::Owner } else { MarginCause::Trade };
        let id = self.next_margin_change;
        self.next_margin_change = id.saturating_add(1);
        self.margin_changes.push(MarginChange { id, account, market, position_side, cause, moved, time_ns });
    }

    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        self.trades.save(out);
        self.income.save(out);
        self.next_income.encode(out);
        let fundings: Vec<(MarketId, Vec<Funding>)> = self
            .fundings
            .iter()
            .map(|(market, fundings)| (*market, fundings.iter().copied().collect()))
            .collect();
        fundings.encode(out);
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let new = Self::new(settings);
        let (trades, income) = (new.trades.load(input)?, new.income.load(input)?);
        let next_income = Coded::decode(input)?;
        let fundings_kept = new.fundings_kept;
        let kept = |mut fundings: Vec<Funding>| {
            fundings.drain(..fundings.len().saturating_sub(fundings_kept));
            fundings.into()
        };
        let fundings = Vec::<(MarketId, Vec<Funding>)>::decode(input)?;
        let fundings = fundings.into_iter().map(|(market, fundings)| (market, kept(fundings))).collect();
        Ok(Self { trades, income, next_income, fundings, ..Self::new(settings) })
    }

    pub(crate) fn has_margin_changes(&self) -> bool {
        self.next_margin_change > 1
    }

    pub(crate) fn save_margin_changes(&self, out: &mut Vec<u8>) {
        self.margin_changes.save(out);
        self.next_margin_change.encode(out);
    }

    pub(crate) fn load_margin_changes(
        &mut self,
        settings: &ViewSettings,
        input: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        self.margin_changes = Self::new(settings).margin_changes.load(input)?;
        self.next_margin_change = Coded::decode(input)?;
        Ok(())
    }
}

fn trade_of(filled: &ContractFilled, time_ns: TimeNs) -> ContractTrade {
    ContractTrade {
        id: filled.trade,
        order: filled.order,
        account: filled.account,
        market: filled.market,
        side: filled.side,
        position_side: filled.position_side,
        liquidity: filled.liquidity,
        price_ticks: filled.price_ticks,
        qty_lots: filled.qty_lots,
        fee: filled.fee,
        realized: filled.realized,
        time_ns,
    }
}
