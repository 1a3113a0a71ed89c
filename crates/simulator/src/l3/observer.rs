//! Follows the flow through the events that an exchange answers with, be they fresh from the partition or read behind the
//! gate: which order is open, what traded, how the book looks. It sees nothing but events.

use std::collections::{BTreeMap, HashMap};

use model::{Event, LevelChanged, OrderId, PriceTicks, QtyLots, Reject, Side, Traded};

use super::Recording;
use super::compare::{self, LevelComparison, OurTrade, TradeComparison};
use super::reference::{Level, Levels, Moment};
use super::replay::Planned;
use super::rows::RecordedTrade;

/// What has become of an order of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The exchange did not take it.
    Refused,
    /// It rests, or is on its way to.
    Open {
        /// The exchange's number for it.
        order: OrderId,
        /// Of its quantity, so much has traded.
        filled: QtyLots,
        /// And so much is left.
        open: QtyLots,
    },
    /// It has traded, was cancelled, or expired.
    Ended,
}

/// A refused command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row that led to it.
    pub row: u32,
    /// The venue's number for the order.
    pub order: u64,
    /// The rule it broke.
    pub reject: Reject,
}

/// What was seen, held against the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Our book against the reference book.
    pub levels: LevelComparison,
    /// Our trades against the recorded ones.
    pub trades: TradeComparison,
    /// Orders that may only rest and would have traded: the venue did not let them in either.
    pub refused_as_recorded: u32,
    /// All other refusals. None is expected.
    pub refused_otherwise: Vec<Refusal>,
    /// Orders on the book at the end.
    pub open_at_end: u32,
}

/// Listens to the events, command by command.
pub struct Observer<'a> {
    moments: &'a [Moment],
    orders: HashMap<OrderId, u64>,
    fates: HashMap<u64, Fate>,
    bids: BTreeMap<PriceTicks, QtyLots>,
    asks: BTreeMap<PriceTicks, QtyLots>,
    trades: Vec<OurTrade>,
    findings: Findings,
}

impl<'a> Observer<'a> {
    /// Before the first command of the flow. It will look at its book at these moments.
    pub fn new(moments: &'a [Moment]) -> Self {
        Self {
            moments,
            orders: HashMap::new(),
            fates: HashMap::new(),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            trades: Vec::new(),
            findings: Findings::default(),
        }
    }

    /// What has become of an order; `None` when it was not placed.
    pub fn fate(&self, order: u64) -> Option<Fate> {
        self.fates.get(&order).copied()
    }

    /// True when the book as it is now is to be looked at, before anything of `row` happens.
    pub fn is_due_before(&self, row: u32) -> bool {
        self.moments.first().is_some_and(|moment| moment.row < row)
    }

    /// The best levels, as the events tell.
    pub fn best(&self) -> Levels {
        let level = |(&price, &open): (&PriceTicks, &QtyLots)| -> Level { (price, open) };
        Levels {
            bids: self.bids.iter().rev().take(Recording::DEPTH).map(level).collect(),
            asks: self.asks.iter().take(Recording::DEPTH).map(level).collect(),
        }
    }

    /// Takes in what a command of the flow has caused. Commands come in the order of the plan.
    pub fn hear(&mut self, planned: &Planned, events: &[Event]) {
        self.look_before(planned.row);
        // A market tells of its trades before the accounts tell of their orders, so the names of new orders come first here.
        for event in events {
            if let Event::OrderAccepted(accepted) = event {
                self.orders.insert(accepted.order, planned.order);
                let open = accepted.kind.qty_lots().expect("the flow has no orders by amount");
                let fate = Fate::Open { order: accepted.order, filled: QtyLots::ZERO, open };
                self.fates.insert(planned.order, fate);
            }
        }
        for event in events {
            match event {
                Event::LevelChanged(changed) => self.level(changed),
                Event::Traded(traded) => self.trade(planned.row, traded),
                Event::OrderFilled(fill) => {
                    if let Some(Fate::Open { filled, open, .. }) = self.fate_of(fill.order) {
                        *filled += fill.qty_lots;
                        *open -= fill.qty_lots;
                    }
                }
                Event::OrderAmended(amended) => {
                    if let Some(Fate::Open { filled, open, .. }) = self.fate_of(amended.order) {
                        *open = amended.qty_lots - *filled;
                    }
                }
                Event::OrderEnded(ended) => self.ended(ended.order),
                Event::Rejected { reject, .. } => self.refused(planned, *reject),
                Event::OrderAccepted(_)
                | Event::OrderPrevented(_)
                | Event::OrderTracks(_)
                | Event::OrderTriggered(_)
                | Event::ContractAdded { .. }
                | Event::FundsMoved(_)
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
                | Event::AssetAdded { .. }
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
                | Event::Deposited(_)
                | Event::WithdrawalRequested(_)
                | Event::WithdrawalSettled(_)
                | Event::Skipped { .. } => {}
            }
        }
    }

    /// After the last command: looks at the book where that is still due, and compares the trades.
    pub fn finish(mut self, recorded: &[RecordedTrade]) -> Findings {
        self.look_before(u32::MAX);
        self.findings.trades = compare::trades(recorded, &self.trades);
        self.findings.open_at_end = u32::try_from(self.orders.len()).expect("order counts have 32 bits");
        self.findings
    }

    fn look_before(&mut self, row: u32) {
        while self.is_due_before(row) {
            let (moment, later) = self.moments.split_first().expect("one is due");
            self.moments = later;
            let ours = self.best();
            self.findings.levels.add(moment.row, &ours, &moment.levels);
        }
    }

    fn fate_of(&mut self, order: OrderId) -> Option<&mut Fate> {
        self.fates.get_mut(self.orders.get(&order)?)
    }

    fn level(&mut self, changed: &LevelChanged) {
        let side = match changed.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if changed.open_lots.is_zero() {
            side.remove(&changed.price_ticks);
        } else {
            side.insert(changed.price_ticks, changed.open_lots);
        }
    }

    fn trade(&mut self, row: u32, traded: &Traded) {
        let name = |order| *self.orders.get(&order).expect("a trade is between orders of the flow");
        let (taker, maker) = (name(traded.taker_order), name(traded.maker_order));
        let (buy_order, sell_order) = match traded.taker_side {
            Side::Buy => (taker, maker),
            Side::Sell => (maker, taker),
        };
        self.trades.push(OurTrade {
            row,
            price: traded.price_ticks,
            qty: traded.qty_lots,
            buy_order,
            sell_order,
            taker_side: traded.taker_side,
        });
    }

    fn ended(&mut self, ended: OrderId) {
        // A replacement ends one order and opens another of the same name: then the name goes on.
        if let Some(fate) = self.fate_of(ended)
            && matches!(*fate, Fate::Open { order, .. } if order == ended)
        {
            *fate = Fate::Ended;
        }
        self.orders.remove(&ended);
    }

    fn refused(&mut self, planned: &Planned, reject: Reject) {
        if planned.places() {
            self.fates.insert(planned.order, Fate::Refused);
        }
        if planned.is_post_only() && matches!(reject, Reject::WouldTake { .. }) {
            self.findings.refused_as_recorded += 1;
        } else {
            self.findings.refused_otherwise.push(Refusal { row: planned.row, order: planned.order, reject });
        }
    }
}
