//! What has changed since the last write, as the events tell it. What there is now, the views know when it is written.

use std::collections::BTreeSet;

use dialect::contracts::{funding_rate, kind_names, position_side_name, side_name};
use dialect::{Decimal, Listing, Listings};
use model::{
    AccountId, AlgoEndReason, AlgoId, EndReason, Event, EventBatch, Forced, MarketId, OrderCause, OrderId,
    OrderKind, TimeNs,
};

use crate::answer::status;

pub(super) type Fields = Vec<(&'static str, String)>;

/// What has changed since the last write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Books, trades and tickers, of spot markets and of contracts.
    pub markets: BTreeSet<MarketId>,
    /// What contracts have beside: mark price, funding, open interest.
    pub prices: BTreeSet<MarketId>,
    pub balances: BTreeSet<AccountId>,
    /// Futures wallets, and what came into them and went out of them.
    pub wallets: BTreeSet<AccountId>,
    pub positions: BTreeSet<(AccountId, MarketId)>,
    pub orders: BTreeSet<(AccountId, OrderId)>,
    pub contract_orders: BTreeSet<(AccountId, OrderId)>,
    pub algo_orders: BTreeSet<(AccountId, AlgoId)>,
    /// Orders at contracts that have ended: of those that the exchange has placed everybody is told.
    pub ended_at_contracts: Vec<OrderId>,
    pub market_events: Vec<(MarketId, Fields)>,
    pub account_events: Vec<(AccountId, Fields)>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes what a batch has changed.
    pub fn note(&mut self, batch: &EventBatch, listings: &Listings) {
        for (_, events) in batch.by_command() {
            let mut time_ns = batch.time_ns;
            for event in events {
                if let Event::Heard { time_ns: told, .. } = event {
                    time_ns = *told;
                }
                self.note_event(event, time_ns, listings);
            }
        }
    }

    fn order(&mut self, account: AccountId, order: OrderId) {
        self.balances.insert(account);
        self.orders.insert((account, order));
    }

    /// A position, and the wallet that it changes with.
    fn position(&mut self, account: AccountId, market: MarketId) {
        self.wallets.insert(account);
        self.positions.insert((account, market));
    }

    fn liquidation(&mut self, account: AccountId, has_begun: bool, time_ns: TimeNs, mut fields: Fields) {
        fields.push(("status", if has_begun { "BEGUN" } else { "ENDED" }.to_owned()));
        self.tell(account, "liquidation", time_ns, fields);
    }

    fn tell(&mut self, account: AccountId, event: &'static str, time_ns: TimeNs, fields: Fields) {
        let head = [("event", event.to_owned()), ("time", time_ns.as_millis().to_string())];
        self.account_events.push((account, head.into_iter().chain(fields).collect()));
    }

    fn note_event(&mut self, event: &Event, time_ns: TimeNs, listings: &Listings) {
        let listing = |market: MarketId| listings.market(market);
        if let Some(market) = event.market_of_order() {
            let Some(listing) = listing(market) else { return };
            if listing.contract.is_some() && self.note_contract_order(event, time_ns, listing) {
                return;
            }
        }
        match event {
            Event::FundsMoved(moved) => {
                self.balances.insert(moved.account);
                self.wallets.insert(moved.account);
            }
            Event::LevelChanged(changed) => {
                self.markets.insert(changed.market);
            }
            Event::MarketAdded { market, .. } => {
                self.markets.insert(*market);
            }
            Event::MarketPlaced { market, .. } | Event::ContractAdded { market, .. } => {
                self.markets.insert(*market);
                self.prices.insert(*market);
            }
            Event::Traded(traded) => {
                self.markets.insert(traded.market);
                if let Some(listing) = listing(traded.market) {
                    let fields = vec![
                        ("event", "trade".to_owned()),
                        ("time", time_ns.as_millis().to_string()),
                        ("id", traded.trade.to_string()),
                        ("price", listing.price(traded.price_ticks).to_string()),
                        ("qty", listing.quantity(traded.qty_lots).to_string()),
                        ("side", side_name(traded.taker_side).to_owned()),
                    ];
                    self.market_events.push((traded.market, fields));
                }
            }
            Event::OrderAccepted(accepted) => {
                self.order(accepted.account, accepted.order);
                if let Some(listing) = listing(accepted.market) {
                    let mut fields = vec![
                        ("symbol", listing.terms.name.to_string()),
                        ("orderId", accepted.order.to_string()),
                        ("clientOrderId", accepted.client_order_id.to_string()),
                        ("side", side_name(accepted.side).to_owned()),
                    ];
                    fields.extend(
                        accepted.kind.price_ticks().map(|price| ("price", listing.price(price).to_string())),
                    );
                    fields.extend(
                        accepted.kind.qty_lots().map(|qty| ("qty", listing.quantity(qty).to_string())),
                    );
                    self.tell(accepted.account, "accepted", time_ns, fields);
                }
            }
            Event::OrderFilled(filled) => {
                self.order(filled.account, filled.order);
                if let Some(listing) = listing(filled.market) {
                    let received = listing.received(filled.side);
                    let fee = Decimal { units: filled.fee.0, scale: received.scale };
                    let fields = vec![
                        ("symbol", listing.terms.name.to_string()),
                        ("orderId", filled.order.to_string()),
                        ("tradeId", filled.trade.to_string()),
                        ("side", side_name(filled.side).to_owned()),
                        ("price", listing.price(filled.price_ticks).to_string()),
                        ("qty", listing.quantity(filled.qty_lots).to_string()),
                        ("fee", fee.to_string()),
                        ("feeAsset", received.name.to_string()),
                    ];
                    self.tell(filled.account, "filled", time_ns, fields);
                }
            }
            Event::OrderAmended(amended) => {
                self.order(amended.account, amended.order);
                if let Some(listing) = listing(amended.market) {
                    let fields = vec![
                        ("symbol", listing.terms.name.to_string()),
                        ("orderId", amended.order.to_string()),
                        ("qty", listing.quantity(amended.qty_lots).to_string()),
                    ];
                    self.tell(amended.account, "amended", time_ns, fields);
                }
            }
            Event::OrderEnded(ended) => {
                self.order(ended.account, ended.order);
                if let Some(listing) = listing(ended.market) {
                    let fields = vec![
                        ("symbol", listing.terms.name.to_string()),
                        ("orderId", ended.order.to_string()),
                        ("status", end_name(ended.reason).to_owned()),
                    ];
                    self.tell(ended.account, "ended", time_ns, fields);
                }
            }
            Event::OrderPrevented(prevented) => self.order(prevented.account, prevented.order),
            Event::OrderTracks(tracks) => self.order(tracks.account, tracks.order),
            Event::OrderTriggered(triggered) => {
                self.order(triggered.account, triggered.order);
                if let Some(listing) = listing(triggered.market) {
                    let fields = vec![
                        ("symbol", listing.terms.name.to_string()),
                        ("orderId", triggered.order.to_string()),
                        ("price", listing.price(triggered.price_ticks).to_string()),
                    ];
                    self.tell(triggered.account, "triggered", time_ns, fields);
                }
            }
            Event::Deposited(deposited) => {
                self.balances.insert(deposited.account);
            }
            Event::WithdrawalRequested(requested) => {
                self.balances.insert(requested.account);
            }
            Event::WithdrawalSettled(settled) => {
                self.balances.insert(settled.account);
            }
            Event::MarkPriceChanged(changed) => {
                self.prices.insert(changed.market);
            }
            Event::FundingSettled(settled) => {
                self.prices.insert(settled.market);
                if let Some(listing) = listing(settled.market) {
                    let fields = vec![
                        ("event", "funding".to_owned()),
                        ("time", time_ns.as_millis().to_string()),
                        ("fundingRate", funding_rate(settled.rate).to_string()),
                        ("markPrice", listing.price(settled.mark_ticks).to_string()),
                    ];
                    self.market_events.push((settled.market, fields));
                }
            }
            Event::FundingPaid(paid) => {
                self.wallets.insert(paid.account);
            }
            Event::ClearancePaid { account, .. }
            | Event::FundReceived { account, .. }
            | Event::DebtCovered { account, .. } => {
                self.wallets.insert(*account);
            }
            Event::PositionMarginChanged(changed) => self.position(changed.account, changed.market),
            Event::PositionDebtCovered { account, market, .. } => self.position(*account, *market),
            Event::LeverageChanged { account, market, .. }
            | Event::MarginTypeChanged { account, market, .. } => {
                self.positions.insert((*account, *market));
            }
            Event::PositionForced(forced) => {
                self.position(forced.account, forced.market);
                if let Some(listing) = listing(forced.market) {
                    let mut fields = at_contract(listing);
                    fields.extend([
                        ("reason", forced_name(forced.forced).to_owned()),
                        ("side", side_name(forced.side).to_owned()),
                        ("positionSide", position_side_name(forced.position_side).to_owned()),
                        ("price", listing.price(forced.price_ticks).to_string()),
                        ("qty", listing.quantity(forced.qty_lots).to_string()),
                        ("realizedPnl", listing.quote_amount(forced.realized).to_string()),
                    ]);
                    self.tell(forced.account, "forced", time_ns, fields);
                }
            }
            Event::LiquidationBegun { account, asset } | Event::LiquidationEnded { account, asset } => {
                let mut fields: Fields = vec![("market", FUTURES.to_owned())];
                fields.extend(listings.asset(*asset).map(|terms| ("asset", terms.name.to_string())));
                self.liquidation(*account, matches!(event, Event::LiquidationBegun { .. }), time_ns, fields);
            }
            Event::PositionLiquidationBegun { account, market, position_side }
            | Event::PositionLiquidationEnded { account, market, position_side } => {
                if let Some(listing) = listing(*market) {
                    let mut fields = at_contract(listing);
                    fields.push(("positionSide", position_side_name(*position_side).to_owned()));
                    let has_begun = matches!(event, Event::PositionLiquidationBegun { .. });
                    self.liquidation(*account, has_begun, time_ns, fields);
                }
            }
            Event::AlgoOrderAccepted(accepted) => {
                self.algo_orders.insert((accepted.account, accepted.algo));
                if let Some(listing) = listing(accepted.market) {
                    let mut fields = at_contract(listing);
                    fields.extend([
                        ("algoId", accepted.algo.to_string()),
                        ("clientAlgoId", accepted.client_algo_id.to_string()),
                        ("side", side_name(accepted.side).to_owned()),
                        ("positionSide", position_side_name(accepted.position_side).to_owned()),
                    ]);
                    self.tell(accepted.account, "algoAccepted", time_ns, fields);
                }
            }
            Event::AlgoOrderTracks(tracks) => {
                self.algo_orders.insert((tracks.account, tracks.algo));
            }
            Event::AlgoOrderTriggered(triggered) => {
                self.algo_orders.insert((triggered.account, triggered.algo));
                if let Some(listing) = listing(triggered.market) {
                    let mut fields = at_contract(listing);
                    fields.extend([
                        ("algoId", triggered.algo.to_string()),
                        ("orderId", triggered.order.to_string()),
                        ("price", listing.price(triggered.price_ticks).to_string()),
                    ]);
                    self.tell(triggered.account, "algoTriggered", time_ns, fields);
                }
            }
            Event::AlgoOrderEnded(ended) => {
                self.algo_orders.insert((ended.account, ended.algo));
                if let Some(listing) = listing(ended.market) {
                    let mut fields = at_contract(listing);
                    fields.push(("algoId", ended.algo.to_string()));
                    fields.push(("status", algo_end_name(&ended.reason).to_owned()));
                    self.tell(ended.account, "algoEnded", time_ns, fields);
                }
            }
            Event::ContractOrderAccepted(_)
            | Event::ContractFilled(_)
            | Event::ContractOrderModified(_)
            | Event::GoodTillDate { .. } => {
                unreachable!("they tell of orders at contracts")
            }
            Event::AccountCreated { .. }
            | Event::AssetAdded { .. }
            | Event::ApiKeyCreated(_)
            | Event::ApiKeyRevoked { .. }
            | Event::ApiKeyAdded(_)
            | Event::ApiKeyChanged(_)
            | Event::ApiKeyResealed { .. }
            | Event::Rejected { .. }
            | Event::Skipped { .. }
            | Event::PartitionAdded { .. }
            | Event::MarketMoving { .. }
            | Event::MarketLeft { .. }
            | Event::Heard { .. }
            | Event::SourceRegistered { .. }
            | Event::EntryTaken { .. }
            | Event::EntryRepeated { .. }
            | Event::EntryOutOfOrder { .. }
            | Event::EntryOpen { .. }
            | Event::CountdownSet { .. }
            | Event::CountdownFired { .. }
            | Event::IndexPriceSet { .. }
            | Event::PositionModeChanged { .. }
            | Event::EntryAnswered { .. } => {}
        }
    }
}

/// Which kind of market it is, where that is not spot.
pub(super) const FUTURES: &str = "futures";

/// Where something happens at a contract: a spot market may have the same name.
fn at_contract(listing: &Listing) -> Fields {
    vec![("market", FUTURES.to_owned()), ("symbol", listing.terms.name.to_string())]
}

impl Changes {
    /// Notes what an event tells of an order at a contract; false of one that is told as in every market.
    fn note_contract_order(&mut self, event: &Event, time_ns: TimeNs, listing: &Listing) -> bool {
        let mut fields = at_contract(listing);
        match event {
            Event::ContractOrderAccepted(accepted) => {
                self.contract_orders.insert((accepted.account, accepted.order));
                let (kind, time_in_force) = kind_names(&accepted.kind);
                let (name, kind) = match accepted.cause {
                    OrderCause::Owner => (accepted.client_order_id.to_string(), kind),
                    OrderCause::Liquidation => (format!("autoclose-{}", accepted.order), "LIQUIDATION"),
                };
                fields.extend([
                    ("orderId", accepted.order.to_string()),
                    ("clientOrderId", name),
                    ("side", side_name(accepted.side).to_owned()),
                    ("positionSide", position_side_name(accepted.position_side).to_owned()),
                    ("type", kind.to_owned()),
                    ("timeInForce", time_in_force.to_owned()),
                    ("reduceOnly", accepted.reduce_only.to_string()),
                ]);
                fields.extend(size(listing, &accepted.kind));
                self.tell(accepted.account, "accepted", time_ns, fields);
            }
            Event::ContractFilled(filled) => {
                self.contract_orders.insert((filled.account, filled.order));
                self.position(filled.account, filled.market);
                fields.extend([
                    ("orderId", filled.order.to_string()),
                    ("tradeId", filled.trade.to_string()),
                    ("side", side_name(filled.side).to_owned()),
                    ("positionSide", position_side_name(filled.position_side).to_owned()),
                    ("price", listing.price(filled.price_ticks).to_string()),
                    ("qty", listing.quantity(filled.qty_lots).to_string()),
                    ("fee", listing.quote_amount(filled.fee).to_string()),
                    ("feeAsset", listing.quote.name.to_string()),
                    ("realizedPnl", listing.quote_amount(filled.realized).to_string()),
                ]);
                self.tell(filled.account, "filled", time_ns, fields);
            }
            Event::ContractOrderModified(modified) => {
                self.contract_orders.insert((modified.account, modified.order));
                fields.push(("orderId", modified.order.to_string()));
                fields.extend(size(listing, &modified.kind));
                self.tell(modified.account, "amended", time_ns, fields);
            }
            Event::OrderAmended(amended) => {
                self.contract_orders.insert((amended.account, amended.order));
                fields.push(("orderId", amended.order.to_string()));
                fields.push(("qty", listing.quantity(amended.qty_lots).to_string()));
                self.tell(amended.account, "amended", time_ns, fields);
            }
            Event::OrderEnded(ended) => {
                self.contract_orders.insert((ended.account, ended.order));
                self.ended_at_contracts.push(ended.order);
                fields.push(("orderId", ended.order.to_string()));
                fields.push(("status", end_name(ended.reason).to_owned()));
                self.tell(ended.account, "ended", time_ns, fields);
            }
            Event::OrderPrevented(prevented) => {
                self.contract_orders.insert((prevented.account, prevented.order));
            }
            Event::GoodTillDate { account, order, .. } => {
                self.contract_orders.insert((*account, *order));
            }
            _ => return false,
        }
        true
    }
}

fn size(listing: &Listing, kind: &OrderKind) -> Fields {
    let price = kind.price_ticks().map(|price| ("price", listing.price(price).to_string()));
    let qty = kind.qty_lots().map(|qty| ("qty", listing.quantity(qty).to_string()));
    price.into_iter().chain(qty).collect()
}

fn end_name(reason: EndReason) -> &'static str {
    status(Some(reason), model::QtyLots::ZERO)
}

const fn algo_end_name(reason: &AlgoEndReason) -> &'static str {
    match reason {
        AlgoEndReason::Canceled => "CANCELED",
        AlgoEndReason::PositionGone | AlgoEndReason::Liquidated | AlgoEndReason::Deleveraged => "EXPIRED",
        AlgoEndReason::Refused { .. } => "REJECTED",
    }
}

/// Why the exchange has changed a position.
const fn forced_name(forced: Forced) -> &'static str {
    match forced {
        Forced::TakenOver => "TAKEN_OVER",
        Forced::Carried => "CARRIED",
        Forced::Bankrupt => "BANKRUPT",
        Forced::Deleveraged => "DELEVERAGED",
    }
}
