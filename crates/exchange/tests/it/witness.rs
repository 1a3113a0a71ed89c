//! Somebody who sees nothing but events, and works out from what `model::event` says of them who has how much and which
//! orders are open. It shares no code with the state machine and does everything the obvious way; the two must agree after
//! every command. It also objects to what no trader would accept: a trade that was not the best one's turn, a price beyond a
//! limit or a band, a fee that the terms do not say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use exchange::Partition;
use model::{
    AccountId, Amount, AssetId, ContractFilled, ContractOrderAccepted, ContractOrderModified, EndReason,
    Event, FeeRounding, Liquidity, MarketId, MarketTerms, OrderAccepted, OrderFilled, OrderId, OrderKind,
    OrderPrevented, PriceTicks, SelfTradePrevention, Side, TimeInForce, TradeGroup, Traded, TriggerKind,
};

use crate::algo_witness::AlgoWitness;
use crate::contract_witness::ContractWitness;

/// An open order, as its owner could know it.
#[derive(Clone, Debug)]
pub struct Known {
    pub accepted: OrderAccepted,
    /// Its quantity as amended; `None` for an order by amount.
    pub qty: Option<i64>,
    pub filled: i64,
    pub prevented: i64,
    /// Price x quantity of its trades, in quote atoms.
    pub traded_for: i128,
    held: i128,
    reference: PriceTicks,
    /// It waits for a price.
    waits: bool,
    /// The best price since it follows the price.
    pub extreme: Option<PriceTicks>,
    /// Its place in the order of arrival at the book.
    arrival: u64,
}

impl Known {
    /// Whether it waits for a price.
    pub fn waits(&self) -> bool {
        self.waits
    }

    pub fn left(&self) -> Option<i64> {
        self.qty.map(|qty| qty - self.filled - self.prevented)
    }
}

#[derive(Clone, Debug, Default)]
struct Purse {
    free: i128,
    held: i128,
}

#[derive(Default)]
pub struct Witness {
    markets: BTreeMap<MarketId, MarketTerms>,
    assets: BTreeSet<AssetId>,
    groups: BTreeMap<AccountId, TradeGroup>,
    purses: BTreeMap<(AccountId, AssetId), Purse>,
    deposited: BTreeMap<AssetId, i128>,
    withdrawn: BTreeMap<AssetId, i128>,
    fees: BTreeMap<AssetId, i128>,
    open: BTreeMap<OrderId, Known>,
    /// Orders that have ended, so that nothing is told of them again.
    ended: BTreeMap<OrderId, Side>,
    levels: BTreeMap<(MarketId, Side, PriceTicks), i64>,
    references: BTreeMap<MarketId, PriceTicks>,
    last_update: BTreeMap<MarketId, u64>,
    last_trade: BTreeMap<MarketId, u64>,
    next_prevented: BTreeMap<MarketId, u64>,
    /// The price of each trade.
    trades: BTreeMap<(MarketId, u64), PriceTicks>,
    /// What trades have done to orders that wait and their owners have not been told yet: which order, by which price, and whether
    /// it is triggered, or follows the price from then on.
    touched: VecDeque<(OrderId, PriceTicks, bool)>,
    arrivals: u64,
    pub contracts: ContractWitness,
    pub algos: AlgoWitness,
}

impl Witness {
    /// The highest order number seen; 0 before the first.
    pub fn last_order(&self) -> OrderId {
        let last = |id: Option<&OrderId>| id.copied().unwrap_or_default();
        last(self.open.keys().next_back()).max(last(self.ended.keys().next_back()))
    }

    pub fn order(&self, id: OrderId) -> Option<&Known> {
        self.open.get(&id)
    }

    /// All open orders, oldest first.
    pub fn open_orders(&self) -> Vec<&OrderAccepted> {
        self.open.values().map(|known| &known.accepted).collect()
    }

    /// Which way an order goes or went.
    pub fn side(&self, id: OrderId) -> Option<Side> {
        self.open.get(&id).map(|known| known.accepted.side).or_else(|| self.ended.get(&id).copied())
    }

    /// Takes in the events of one command.
    pub fn see(&mut self, events: &[Event]) {
        // A market tells of its trades before the accounts do.
        let mut told_by_markets: BTreeMap<(MarketId, u64), (Traded, u32)> = BTreeMap::new();
        for event in events {
            self.contracts.see(event);
            self.algos.see(event);
            match event {
                Event::FundsMoved(moved) => {
                    let purse = self.purse(moved.account, moved.asset);
                    purse.free -= moved.amount.0;
                    assert!(purse.free >= 0, "no balance is below zero");
                }
                Event::ContractOrderAccepted(accepted) => self.accepted_at_contract(accepted),
                Event::ContractOrderModified(modified) => self.modified(modified),
                Event::ContractFilled(filled) => {
                    let told = told_by_markets
                        .get_mut(&(filled.market, filled.trade.0))
                        .expect("the market told of it");
                    told.1 += 1;
                    let traded = told.0.clone();
                    self.filled_at_contract(filled, &traded);
                }
                Event::AssetAdded { asset, .. } => {
                    assert!(self.assets.insert(*asset), "an asset is listed once");
                }
                Event::MarketAdded { market, terms } | Event::ContractAdded { market, terms, .. } => {
                    self.markets.insert(*market, **terms);
                    self.references.entry(*market).or_insert(terms.initial_reference_ticks);
                }
                Event::AccountCreated { account, trade_group, .. } => {
                    assert!(
                        self.groups.insert(*account, *trade_group).is_none(),
                        "an account is opened once"
                    );
                }
                Event::Deposited(deposited) => {
                    self.purse(deposited.account, deposited.asset).free += deposited.amount.0;
                    *self.deposited.entry(deposited.asset).or_default() += deposited.amount.0;
                }
                Event::WithdrawalRequested(requested) => {
                    self.purse(requested.account, requested.asset).hold(requested.amount.0);
                }
                Event::WithdrawalSettled(settled) => {
                    let purse = self.purse(settled.account, settled.asset);
                    if settled.paid_out {
                        purse.held -= settled.amount.0;
                        *self.withdrawn.entry(settled.asset).or_default() += settled.amount.0;
                    } else {
                        purse.hold(-settled.amount.0);
                    }
                }
                Event::Traded(traded) => {
                    let last = self.last_trade.entry(traded.market).or_default();
                    assert_eq!(traded.trade.0, *last + 1, "trades are numbered without gaps");
                    *last += 1;
                    told_by_markets.insert((traded.market, traded.trade.0), (traded.clone(), 0));
                    self.trades.insert((traded.market, traded.trade.0), traded.price_ticks);
                    self.price_comes_by(traded.market, traded.price_ticks);
                }
                Event::LevelChanged(changed) => {
                    let last = self.last_update.entry(changed.market).or_default();
                    assert_eq!(changed.update_id, *last + 1, "changes of levels are numbered without gaps");
                    *last += 1;
                    let level = (changed.market, changed.side, changed.price_ticks);
                    if changed.open_lots.is_zero() {
                        self.levels.remove(&level);
                    } else {
                        self.levels.insert(level, changed.open_lots.0);
                    }
                }
                Event::OrderAccepted(accepted) => self.accepted(accepted),
                Event::OrderFilled(filled) => {
                    let told = told_by_markets
                        .get_mut(&(filled.market, filled.trade.0))
                        .expect("the market told of it");
                    told.1 += 1;
                    let traded = told.0.clone();
                    self.filled(filled, &traded);
                }
                Event::OrderPrevented(prevented) => {
                    let next = self.next_prevented.entry(prevented.market).or_default();
                    assert_eq!(
                        prevented.prevented_match, *next,
                        "prevented matches are numbered without gaps"
                    );
                    if prevented.liquidity == Liquidity::Taker {
                        *next += 1;
                    }
                    self.prevented(prevented);
                }
                Event::OrderTracks(tracks) => {
                    let touched = (tracks.order, tracks.price_ticks, false);
                    assert_eq!(
                        self.touched.pop_front(),
                        Some(touched),
                        "an order follows the price in its turn"
                    );
                }
                Event::OrderTriggered(triggered) => {
                    let touched = (triggered.order, triggered.price_ticks, true);
                    assert_eq!(self.touched.pop_front(), Some(touched), "an order is triggered in its turn");
                    let asset = self.pays_in(triggered.order);
                    self.purse(triggered.account, asset).hold(triggered.held.0);
                    self.arrivals += 1;
                    let known = self.open.get_mut(&triggered.order).expect("only open orders are triggered");
                    known.held += triggered.held.0;
                    known.accepted.kind = known.accepted.kind.triggered();
                    known.arrival = self.arrivals;
                }
                Event::OrderAmended(amended) => {
                    let known = self.open.get_mut(&amended.order).expect("only open orders are amended");
                    assert!(
                        known.filled + known.prevented < amended.qty_lots.0,
                        "something is left of an amended order"
                    );
                    assert!(Some(amended.qty_lots.0) < known.qty, "an amendment makes an order smaller");
                    known.qty = Some(amended.qty_lots.0);
                    known.accepted.client_order_id = amended.client_order_id;
                    known.held -= amended.released.0;
                    let (account, asset) = (amended.account, self.pays_in(amended.order));
                    self.purse(account, asset).hold(-amended.released.0);
                }
                Event::OrderEnded(ended) => {
                    let asset = self.pays_in(ended.order);
                    let known = self.open.remove(&ended.order).expect("an order ends once");
                    assert!(
                        self.ended.insert(ended.order, known.accepted.side).is_none(),
                        "an order ends once"
                    );
                    assert_eq!(ended.released.0, known.held, "all that is still held comes free at the end");
                    if let Some(left) = known.left() {
                        match ended.reason {
                            EndReason::Filled => assert_eq!(left, 0, "filled means nothing is left"),
                            EndReason::ExpiredInMatch => {}
                            EndReason::Canceled | EndReason::Expired(_) => {
                                assert!(left > 0, "something is left");
                            }
                        }
                    } else {
                        assert!(
                            ended.reason != EndReason::Filled || known.filled > 0,
                            "filled means something traded"
                        );
                    }
                    if let OrderKind::Limit { time_in_force: TimeInForce::Fok, .. } = known.accepted.kind {
                        assert!(known.filled == 0 || known.left() == Some(0), "all or nothing");
                    }
                    self.purse(ended.account, asset).hold(-ended.released.0);
                }
                Event::Rejected { .. }
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
                | Event::LeverageChanged { .. }
                | Event::MarkPriceChanged(_)
                | Event::IndexPriceSet { .. }
                | Event::FundingSettled(_)
                | Event::FundingPaid(_)
                | Event::LiquidationBegun { .. }
                | Event::LiquidationEnded { .. }
                | Event::ClearancePaid { .. }
                | Event::FundReceived { .. }
                | Event::DebtCovered { .. }
                | Event::MarginTypeChanged { .. }
                | Event::PositionMarginChanged(_)
                | Event::PositionDebtCovered { .. }
                | Event::PositionLiquidationBegun { .. }
                | Event::PositionLiquidationEnded { .. }
                | Event::PositionModeChanged { .. }
                | Event::PositionForced(_)
                | Event::AlgoOrderAccepted(_)
                | Event::AlgoOrderTracks(_)
                | Event::AlgoOrderTriggered(_)
                | Event::AlgoOrderEnded(_)
                | Event::CountdownSet { .. }
                | Event::CountdownFired { .. }
                | Event::GoodTillDate { .. }
                | Event::Skipped { .. } => {}
            }
        }
        for (traded, told) in told_by_markets.values() {
            assert_eq!(*told, 2, "both accounts are told of a trade");
            self.references.insert(traded.market, traded.price_ticks);
        }
        assert!(self.touched.is_empty(), "whoever waited for a price is told that it has come");
    }

    /// What a trade does to those that wait, oldest first.
    fn price_comes_by(&mut self, market: MarketId, price: PriceTicks) {
        for (order, known) in &mut self.open {
            let accepted = &known.accepted;
            let (Some(trigger), true) = (accepted.kind.trigger(), accepted.market == market && known.waits)
            else {
                continue;
            };
            let is_buy = accepted.side == Side::Buy;
            if let Some(extreme) = &mut known.extreme {
                *extreme = if is_buy { price.min(*extreme) } else { price.max(*extreme) };
                let away = i128::from(extreme.0) * i128::from(trigger.trailing_bips.expect("it trails"));
                let back = if is_buy { price.0 - extreme.0 } else { extreme.0 - price.0 };
                if i128::from(back) * 10_000 >= away {
                    known.waits = false;
                    self.touched.push_back((*order, price, true));
                }
                continue;
            }
            let stop = trigger.stop_ticks.expect("it waits for one");
            let above = (trigger.kind == TriggerKind::StopLoss) == is_buy;
            if if above { price >= stop } else { price <= stop } {
                if trigger.trailing_bips.is_some() {
                    known.extreme = Some(price);
                } else {
                    known.waits = false;
                }
                self.touched.push_back((*order, price, !known.waits));
            }
        }
    }

    fn accepted(&mut self, accepted: &OrderAccepted) {
        assert!(accepted.order > self.last_order(), "orders are numbered in the order of arrival");
        let terms = &self.markets[&accepted.market];
        let tick_lot = terms.quote_atoms_per_tick_lot.0;
        let qty = accepted.kind.qty_lots().map(|qty| qty.0);
        let price = accepted.kind.price_ticks().map(|price| i128::from(price.0));
        if let (Some(price), Some(qty)) = (price, qty) {
            let cost = match accepted.side {
                Side::Buy => price * i128::from(qty) * tick_lot,
                Side::Sell => i128::from(qty) * terms.base_atoms_per_lot.0,
            };
            assert_eq!(accepted.held.0, cost, "what a limit order can cost is held");
        }
        let last = self.references[&accepted.market];
        let reference = last.clamp(terms.min_price_ticks, terms.max_price_ticks);
        let mut extreme = None;
        if let Some(trigger) = accepted.kind.trigger() {
            let qty = i128::from(qty.expect("an order that waits has a quantity"));
            let waits_for = price.unwrap_or(i128::from(trigger.stop_ticks.unwrap_or(reference).0));
            let cost = match accepted.side {
                Side::Buy => waits_for * qty * tick_lot,
                Side::Sell => qty * terms.base_atoms_per_lot.0,
            };
            assert_eq!(accepted.held.0, cost, "what it costs at the price that it waits for is held");
            if trigger.stop_ticks.is_none() {
                let nothing_yet =
                    if accepted.side == Side::Buy { PriceTicks(i64::MAX) } else { PriceTicks(0) };
                let traded = self.last_trade.get(&accepted.market).is_some_and(|trade| *trade > 0);
                extreme = Some(if traded { last } else { nothing_yet });
            }
        }
        self.opened(accepted, qty, extreme, reference);
    }

    /// Nothing is held for orders at contracts.
    fn accepted_at_contract(&mut self, accepted: &ContractOrderAccepted) {
        assert!(accepted.order > self.last_order(), "orders are numbered in the order of arrival");
        let ContractOrderAccepted {
            order,
            account,
            market,
            side,
            kind,
            self_trade_prevention,
            client_order_id,
            ..
        } = *accepted;
        let terms = &self.markets[&market];
        let reference = self.references[&market].clamp(terms.min_price_ticks, terms.max_price_ticks);
        let qty = kind.qty_lots().map(|qty| qty.0);
        let held = Amount::ZERO;
        let accepted = OrderAccepted {
            order,
            account,
            market,
            side,
            kind,
            self_trade_prevention,
            client_order_id,
            held,
        };
        self.opened(&accepted, qty, None, reference);
    }

    /// An order has another price or another quantity: it comes behind all others, but where it is only smaller.
    fn modified(&mut self, modified: &ContractOrderModified) {
        self.arrivals += 1;
        let known = self.open.get_mut(&modified.order).expect("only open orders are modified");
        let (before, qty) = (known.accepted.kind, modified.kind.qty_lots().expect("it has a quantity").0);
        let same_price = before.price_ticks() == modified.kind.price_ticks();
        assert!(!same_price || known.qty != Some(qty), "something changes");
        if !same_price || known.qty < Some(qty) {
            known.arrival = self.arrivals;
        }
        known.accepted.kind = modified.kind;
        known.accepted.self_trade_prevention = modified.self_trade_prevention;
        known.qty = Some(qty);
        assert!(known.left() > Some(0), "something is left of it");
    }

    fn opened(
        &mut self,
        accepted: &OrderAccepted,
        qty: Option<i64>,
        extreme: Option<PriceTicks>,
        reference: PriceTicks,
    ) {
        self.arrivals += 1;
        let known = Known {
            waits: accepted.kind.trigger().is_some(),
            extreme,
            arrival: self.arrivals,
            accepted: accepted.clone(),
            qty,
            filled: 0,
            prevented: 0,
            traded_for: 0,
            held: accepted.held.0,
            reference,
        };
        assert!(self.open.insert(accepted.order, known).is_none());
        let asset = self.pays_in(accepted.order);
        self.purse(accepted.account, asset).hold(accepted.held.0);
        let name = accepted.client_order_id;
        let called_so = |known: &&Known| {
            known.accepted.account == accepted.account && known.accepted.client_order_id == name
        };
        assert!(
            name.is_empty() || self.open.values().filter(called_so).count() == 1,
            "names of open orders are unique"
        );
    }

    fn filled_at_contract(&mut self, filled: &ContractFilled, traded: &Traded) {
        let ContractFilled {
            order, account, market, trade, side, liquidity, price_ticks, qty_lots, fee, ..
        } = *filled;
        let released = Amount::ZERO;
        self.is_their_turn(
            &OrderFilled {
                order,
                account,
                market,
                trade,
                side,
                liquidity,
                price_ticks,
                qty_lots,
                fee,
                released,
            },
            traded,
        );
        let known = self.open.get_mut(&order).expect("seen above");
        known.filled += qty_lots.0;
        assert!(known.left().is_none_or(|left| left >= 0), "nothing trades that was not asked for");
    }

    /// Two orders trade that may, when it is their turn, at a price that both accept.
    fn is_their_turn(&mut self, filled: &OrderFilled, traded: &Traded) {
        assert_eq!((filled.price_ticks, filled.qty_lots), (traded.price_ticks, traded.qty_lots));
        assert!(filled.qty_lots.0 > 0, "nobody trades nothing");
        let (expected, way) = match filled.liquidity {
            Liquidity::Maker => (traded.maker_order, traded.taker_side.opposite()),
            Liquidity::Taker => (traded.taker_order, traded.taker_side),
        };
        assert_eq!((filled.order, filled.side), (expected, way), "both tell of the same trade");
        // The band is that of the last trade before an order enters the book, whenever that is.
        let before = self.trades.get(&(filled.market, filled.trade.0 - 1)).copied();
        let terms = self.markets[&filled.market];
        let known = self.open.get_mut(&filled.order).expect("only open orders trade");
        if filled.liquidity == Liquidity::Taker && known.filled == 0 {
            let reference = before.unwrap_or(known.reference);
            known.reference = reference.clamp(terms.min_price_ticks, terms.max_price_ticks);
        }
        let known = &self.open[&filled.order];
        assert!(!known.waits, "nobody trades before his price has come");
        assert_eq!((known.accepted.side, known.accepted.account), (filled.side, filled.account));
        match filled.liquidity {
            Liquidity::Maker => {
                self.is_first(known, filled.price_ticks, self.open[&traded.taker_order].arrival);
            }
            Liquidity::Taker => self.may_take(known, filled.price_ticks, &self.open[&traded.maker_order]),
        }
    }

    fn filled(&mut self, filled: &OrderFilled, traded: &Traded) {
        self.is_their_turn(filled, traded);
        let terms = self.markets[&filled.market];
        let (lots, price) = (i128::from(filled.qty_lots.0), i128::from(filled.price_ticks.0));
        let (base, quote) =
            (lots * terms.base_atoms_per_lot.0, lots * price * terms.quote_atoms_per_tick_lot.0);
        let (paid, pay_asset, received, receive_asset) = match filled.side {
            Side::Buy => (quote, terms.quote, base, terms.base),
            Side::Sell => (base, terms.base, quote, terms.quote),
        };
        let ppm = match filled.liquidity {
            Liquidity::Maker => terms.maker_fee_ppm,
            Liquidity::Taker => terms.taker_fee_ppm,
        };
        is_fee(filled.fee.0, received, ppm, terms.fee_rounding);
        let from = self.purse(filled.account, pay_asset);
        from.held -= paid;
        from.hold(-filled.released.0);
        self.purse(filled.account, receive_asset).free += received - filled.fee.0;
        *self.fees.entry(receive_asset).or_default() += filled.fee.0;
        let known = self.open.get_mut(&filled.order).expect("seen above");
        known.held -= paid + filled.released.0;
        known.filled += filled.qty_lots.0;
        known.traded_for += quote;
        assert!(known.held >= 0, "nothing is spent that was not held");
        assert!(known.left().is_none_or(|left| left >= 0), "nothing trades that was not asked for");
        if let OrderKind::MarketQuote { quote_amount } = known.accepted.kind {
            assert!(known.traded_for <= quote_amount.0, "an order by amount stays within it");
        }
    }

    fn prevented(&mut self, prevented: &OrderPrevented) {
        let known = &self.open[&prevented.order];
        let other = &self.open[&prevented.counter_order].accepted;
        let (taker, maker) = match prevented.liquidity {
            Liquidity::Taker => (&known.accepted, other),
            Liquidity::Maker => (other, &known.accepted),
        };
        let transfers = |order: &OrderAccepted| order.self_trade_prevention == SelfTradePrevention::Transfer;
        let expected = if transfers(taker) && !(transfers(maker) && taker.account != maker.account) {
            SelfTradePrevention::Decrement
        } else {
            taker.self_trade_prevention
        };
        assert_eq!(prevented.mode, expected, "the taker's mode decides, and a transfer takes two");
        let lost = prevented.prevented_lots.0;
        let (side, limit) = (known.accepted.side, known.accepted.kind.price_ticks());
        if !prevented.mode.takes_from_both() {
            if let Some(left) = known.left() {
                let by_money = matches!(known.accepted.kind, OrderKind::Market { .. });
                assert!(lost == 0 || lost == left || (by_money && lost < left), "all of it, or nothing");
            }
            assert!(prevented.released.is_zero(), "what expires is given back when it ends");
            return;
        }
        assert!(
            lost > 0 && known.left().is_none_or(|left| lost <= left),
            "both lose what they would have traded"
        );
        let terms = self.markets[&prevented.market];
        let lots = i128::from(lost);
        let quote = |price: PriceTicks| lots * i128::from(price.0) * terms.quote_atoms_per_tick_lot.0;
        let base = lots * terms.base_atoms_per_lot.0;
        let (pays, receives) = match side {
            Side::Buy => ((terms.quote, quote(prevented.price_ticks)), (terms.base, base)),
            Side::Sell => ((terms.base, base), (terms.quote, quote(prevented.price_ticks))),
        };
        let paid = if prevented.mode == SelfTradePrevention::Transfer { pays.1 } else { 0 };
        if let Some(limit) = limit {
            let was_held = if side == Side::Buy { quote(limit) } else { base };
            assert_eq!(prevented.released.0, was_held - paid, "no hold stays for what was prevented");
        }
        let from = self.purse(prevented.account, pays.0);
        from.held -= paid;
        from.hold(-prevented.released.0);
        if paid != 0 {
            self.purse(prevented.account, receives.0).free += receives.1;
        }
        let known = self.open.get_mut(&prevented.order).expect("seen above");
        known.held -= paid + prevented.released.0;
        known.prevented += lost;
    }

    /// A maker trades at its own price, when nobody has a better price, or has waited longer at this one. Orders are
    /// numbered in the order of arrival and keep their number while they keep their place.
    fn is_first(&self, maker: &Known, price: PriceTicks, taker_arrival: u64) {
        assert_eq!(maker.accepted.kind.price_ticks(), Some(price), "a trade has the resting order's price");
        let rank = |known: &Known| {
            let price = known.accepted.kind.price_ticks().map_or(0, |price| price.0);
            (if maker.accepted.side == Side::Buy { -price } else { price }, known.arrival)
        };
        let first = self
            .open
            .values()
            .filter(|known| {
                (known.accepted.market, known.accepted.side) == (maker.accepted.market, maker.accepted.side)
            })
            .filter(|known| known.left() != Some(0) && known.accepted.kind.trigger().is_none())
            // Those whose price has come are on the book only when they have had their turn, behind this one.
            .filter(|known| known.arrival < taker_arrival)
            .map(rank)
            .min();
        assert_eq!(first, Some(rank(maker)), "price first, then time");
    }

    /// A taker keeps its limit, its band and its owner apart from itself.
    fn may_take(&self, taker: &Known, price: PriceTicks, maker: &Known) {
        let accepted = &taker.accepted;
        match (accepted.kind, accepted.side) {
            (OrderKind::Limit { price_ticks, .. }, Side::Buy) => {
                assert!(price <= price_ticks, "not above the limit");
            }
            (OrderKind::Limit { price_ticks, .. }, Side::Sell) => {
                assert!(price >= price_ticks, "not below the limit");
            }
            (OrderKind::LimitMaker { .. }, _) => panic!("a LIMIT_MAKER order never takes"),
            (OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. }, _) => {
                panic!("its owner was not told that its price has come")
            }
            (OrderKind::Market { .. } | OrderKind::MarketQuote { .. }, side) => {
                let band = i128::from(self.markets[&accepted.market].band_ppm);
                let (price, reference) = (i128::from(price.0), i128::from(taker.reference.0));
                let inside = match side {
                    Side::Buy => price * 1_000_000 <= reference * (1_000_000 + band),
                    Side::Sell => price * 1_000_000 >= reference * (1_000_000 - band),
                };
                assert!(band == 0 || inside, "a market order stays in its band");
            }
        }
        if accepted.self_trade_prevention != SelfTradePrevention::None {
            let (mine, theirs) = (self.groups[&accepted.account], self.groups[&maker.accepted.account]);
            let same_group = mine == theirs && mine != TradeGroup::NONE;
            assert!(
                accepted.account != maker.accepted.account && !same_group,
                "owners do not trade with themselves"
            );
        }
    }

    fn pays_in(&self, order: OrderId) -> AssetId {
        let accepted = &self.open[&order].accepted;
        let terms = &self.markets[&accepted.market];
        match accepted.side {
            Side::Buy => terms.quote,
            Side::Sell => terms.base,
        }
    }

    fn purse(&mut self, account: AccountId, asset: AssetId) -> &mut Purse {
        self.purses.entry((account, asset)).or_default()
    }

    /// The partition has what the events say.
    pub fn agrees_with(&self, partition: &Partition) {
        self.contracts.agrees_with(partition);
        self.algos.agrees_with(partition);
        for account in self.groups.keys() {
            let theirs: Vec<_> = partition
                .balances(*account)
                .expect("the account was opened")
                .filter(|balance| !balance.free.is_zero() || !balance.held.is_zero())
                .map(|balance| (balance.asset, balance.free.0, balance.held.0))
                .collect();
            let ours: Vec<_> = self
                .purses
                .range((*account, AssetId(0))..=(*account, AssetId(u32::MAX)))
                .filter(|(_, purse)| purse.free != 0 || purse.held != 0)
                .map(|((_, asset), purse)| (*asset, purse.free, purse.held))
                .collect();
            assert_eq!(theirs, ours, "balances of account {account}");
        }
        for asset in &self.assets {
            let totals = partition.totals(*asset).expect("the asset was listed");
            let of = |sums: &BTreeMap<AssetId, i128>| Amount(sums.get(asset).copied().unwrap_or_default());
            let at_contracts = of(&self.contracts.fees);
            let ours = (of(&self.deposited), of(&self.withdrawn), of(&self.fees) + at_contracts);
            let free: i128 =
                self.purses.iter().filter(|((_, of), _)| of == asset).map(|(_, it)| it.free + it.held).sum();
            if !partition.has_work() {
                let all = free + ours.2.0 + self.contracts.backing(*asset);
                assert_eq!(all, ours.0.0 - ours.1.0, "all that was deposited and not withdrawn is somewhere");
            }
            assert_eq!((totals.deposited, totals.withdrawn, totals.fees), ours, "totals of asset {asset}");
        }
        for market in self.markets.keys() {
            for side in [Side::Buy, Side::Sell] {
                let mut ours: Vec<_> = self
                    .open
                    .values()
                    .filter(|known| (known.accepted.market, known.accepted.side) == (*market, side))
                    .filter(|known| !known.waits)
                    .map(|known| {
                        let price =
                            known.accepted.kind.price_ticks().expect("only orders with a limit stay open");
                        let left = known.left().expect("they have a quantity");
                        assert!(left > 0, "an order with nothing left has ended");
                        (known.arrival, (known.accepted.order, known.accepted.account, price, left))
                    })
                    .collect();
                ours.sort_by_key(|(arrival, (_, _, price, _))| {
                    (if side == Side::Buy { -*price } else { *price }, *arrival)
                });
                let ours: Vec<_> = ours.into_iter().map(|(_, order)| order).collect();
                let theirs: Vec<_> = partition
                    .queue(*market, side)
                    .expect("the market was listed")
                    .map(|(order, account, price, open)| (order, account, price, open.0))
                    .collect();
                assert_eq!(theirs, ours, "{side:?} queue of market {market}");
                let mut levels: Vec<_> = self
                    .levels
                    .iter()
                    .filter(|((at, way, _), _)| (at, *way) == (market, side))
                    .map(|((_, _, price), open)| (*price, *open))
                    .collect();
                if side == Side::Buy {
                    levels.reverse();
                }
                let theirs: Vec<_> = partition
                    .levels(*market, side)
                    .expect("listed")
                    .map(|(price, open)| (price, open.0))
                    .collect();
                assert_eq!(theirs, levels, "{side:?} levels of market {market}");
            }
        }
    }
}

impl Purse {
    /// From free to held; the other way when below zero.
    fn hold(&mut self, amount: i128) {
        self.free -= amount;
        self.held += amount;
        assert!(self.free >= 0 && self.held >= 0, "no balance is below zero");
    }
}

/// The fee is the whole number that the rounding names, and at most all that was received.
pub fn is_fee(fee: i128, received: i128, ppm: u32, rounding: FeeRounding) {
    let exact = received * i128::from(ppm);
    let over = fee * 1_000_000 - exact;
    let right = match rounding {
        FeeRounding::Up => (0..1_000_000).contains(&over),
        FeeRounding::HalfUp => (-499_999..=500_000).contains(&over),
        FeeRounding::Down => (-999_999..=0).contains(&over),
    };
    assert!(right && fee <= received, "a fee of {fee} on {received} at {ppm} ppm, rounded {rounding:?}");
}
