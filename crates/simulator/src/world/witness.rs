//! Somebody who hears all events of all partitions, and nothing else: he must come to the same balances, books and trades as
//! they have.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Partition;
use model::{
    AccountId, Amount, AssetId, Event, Liquidity, MarketId, OrderFilled, OrderId, PartitionId, PriceTicks,
    QtyLots, Reference, SelfTradePrevention, Side, TradeId, Traded, WithdrawalId,
};

type Levels = BTreeMap<PriceTicks, QtyLots>;

#[derive(Default)]
struct Balance {
    free: Amount,
    held: Amount,
}

#[derive(Debug, Default)]
struct Trade {
    told: Vec<Traded>,
    fills: Vec<OrderFilled>,
}

#[derive(Default)]
pub struct Witness {
    balances: BTreeMap<(AccountId, AssetId), Balance>,
    accepted: BTreeMap<OrderId, Side>,
    ended: BTreeSet<OrderId>,
    deposits: BTreeSet<Reference>,
    withdrawals: BTreeSet<Reference>,
    settled: BTreeSet<WithdrawalId>,
    trades: BTreeMap<(MarketId, TradeId), Trade>,
    /// How often each encounter of an owner's own orders was told.
    prevented: BTreeMap<(MarketId, u64), u32>,
    updates: BTreeSet<(MarketId, u64)>,
    /// As each partition tells them of the markets that are or were there.
    levels: BTreeMap<(PartitionId, MarketId, Side), Levels>,
}

impl Witness {
    /// What a partition tells, in order. `state` has the terms.
    pub fn hear(&mut self, state: &Partition, event: &Event) {
        match event {
            Event::Deposited(deposited) => {
                assert!(self.deposits.insert(deposited.reference), "a deposit is credited once");
                self.balance(deposited.account, deposited.asset).free += deposited.amount;
            }
            Event::WithdrawalRequested(requested) => {
                assert!(self.withdrawals.insert(requested.reference), "a withdrawal is made once");
                self.release(requested.account, requested.asset, -requested.amount);
            }
            Event::WithdrawalSettled(settled) => {
                assert!(self.settled.insert(settled.withdrawal), "a withdrawal ends once");
                self.release(settled.account, settled.asset, settled.amount);
                if settled.paid_out {
                    self.balance(settled.account, settled.asset).free -= settled.amount;
                }
            }
            Event::OrderAccepted(order) => {
                let before = self.accepted.insert(order.order, order.side);
                assert!(before.is_none(), "order {} is accepted once", order.order);
                self.release(order.account, pays_with(state, order.market, order.side), -order.held);
            }
            Event::OrderFilled(fill) => self.filled(state, fill),
            Event::OrderTriggered(order) => {
                let asset = pays_with(state, order.market, self.side(order.order));
                self.release(order.account, asset, -order.held);
            }
            Event::OrderAmended(order) => {
                let asset = pays_with(state, order.market, self.side(order.order));
                self.release(order.account, asset, order.released);
            }
            Event::OrderEnded(order) => {
                assert!(self.ended.insert(order.order), "order {} ends once", order.order);
                let asset = pays_with(state, order.market, self.side(order.order));
                self.release(order.account, asset, order.released);
            }
            Event::OrderPrevented(met) => {
                *self.prevented.entry((met.market, met.prevented_match)).or_default() += 1;
                let side = self.side(met.order);
                self.release(met.account, pays_with(state, met.market, side), met.released);
                if met.mode == SelfTradePrevention::Transfer {
                    self.pays(state, (met.account, met.market, side), met.price_ticks, met.prevented_lots);
                }
            }
            Event::Traded(traded) => {
                self.trades.entry((traded.market, traded.trade)).or_default().told.push(traded.clone());
            }
            Event::LevelChanged(changed) => {
                let (market, side) = (changed.market, changed.side);
                assert!(self.updates.insert((market, changed.update_id)), "a change of a level is told once");
                let levels = self.levels.entry((state.own_id(), market, side)).or_default();
                levels.insert(changed.price_ticks, changed.open_lots);
                levels.retain(|_, open| !open.is_zero());
            }
            Event::MarketPlaced { market, .. } => {
                for side in [Side::Buy, Side::Sell] {
                    self.levels.remove(&(state.own_id(), *market, side));
                }
            }
            _ => {}
        }
    }

    /// Panics where the partitions, which have nothing on its way, have something else.
    pub fn agrees_with(&self, states: &[&Partition]) {
        self.orders_agree(states);
        self.money_agrees(states);
        self.trades_agree();
        self.levels_agree(states);
    }

    /// Fills that accounts have heard of.
    pub fn fills(&self) -> usize {
        self.trades.values().map(|trade| trade.fills.len()).sum()
    }

    fn balance(&mut self, account: AccountId, asset: AssetId) -> &mut Balance {
        self.balances.entry((account, asset)).or_default()
    }

    /// From held to free.
    fn release(&mut self, account: AccountId, asset: AssetId, amount: Amount) {
        let balance = self.balance(account, asset);
        balance.held -= amount;
        balance.free += amount;
    }

    fn side(&self, order: OrderId) -> Side {
        *self.accepted.get(&order).expect("only what was accepted changes or ends")
    }

    fn filled(&mut self, state: &Partition, fill: &OrderFilled) {
        assert_eq!(self.side(fill.order), fill.side, "an order keeps its side");
        self.release(fill.account, pays_with(state, fill.market, fill.side), fill.released);
        self.pays(state, (fill.account, fill.market, fill.side), fill.price_ticks, fill.qty_lots);
        self.balance(fill.account, pays_with(state, fill.market, fill.side.opposite())).free -= fill.fee;
        self.trades.entry((fill.market, fill.trade)).or_default().fills.push(fill.clone());
    }

    /// Quote and base change hands, out of what is held.
    fn pays(
        &mut self,
        state: &Partition,
        (account, market, side): (AccountId, MarketId, Side),
        price: PriceTicks,
        qty: QtyLots,
    ) {
        let terms = state.catalog().market(market).expect("only listed markets have fills");
        let (notional, base) = (terms.notional(price, qty), terms.base_amount(qty));
        let (paid, received) = match side {
            Side::Buy => (notional, base),
            Side::Sell => (base, notional),
        };
        self.balance(account, pays_with(state, market, side)).held -= paid;
        self.balance(account, pays_with(state, market, side.opposite())).free += received;
    }

    fn orders_agree(&self, states: &[&Partition]) {
        for order in self.accepted.keys() {
            let is_open = states[order.partition().index()].is_open(*order);
            assert!(is_open != self.ended.contains(order), "order {order} is open or has ended");
        }
        assert!(
            self.ended.iter().all(|order| self.accepted.contains_key(order)),
            "only what was accepted ends"
        );
    }

    fn money_agrees(&self, states: &[&Partition]) {
        let partitions = states[0].partitions();
        for ((account, asset), told) in &self.balances {
            let home = states[partitions.home(*account).index()];
            let mut balances = home.balances(*account).expect("the account lives there");
            let has = balances.find(|balance| balance.asset == *asset);
            let (free, held) = has.map_or((Amount::ZERO, Amount::ZERO), |has| (has.free, has.held));
            assert_eq!((told.free, told.held), (free, held), "account {account} was told of all that it has");
        }
    }

    /// Each trade is told once by its market, and once to each of its two sides; numbers have no gaps.
    fn trades_agree(&self) {
        let mut last: BTreeMap<MarketId, u64> = BTreeMap::new();
        for ((market, number), trade) in &self.trades {
            let before = last.insert(*market, number.0).unwrap_or(0);
            assert_eq!(number.0, before + 1, "trades of market {market} have numbers without gaps");
            let [told] = &trade.told[..] else {
                panic!("trade {number} of market {market} was told {trade:?}")
            };
            assert_eq!(trade.fills.len(), 2, "a trade has two sides: {trade:?}");
            for (liquidity, order, side) in [
                (Liquidity::Maker, told.maker_order, told.taker_side.opposite()),
                (Liquidity::Taker, told.taker_order, told.taker_side),
            ] {
                let fill = trade.fills.iter().find(|fill| fill.liquidity == liquidity);
                let fill = fill.map(|fill| (fill.order, fill.side, fill.price_ticks, fill.qty_lots));
                assert_eq!(
                    fill,
                    Some((order, side, told.price_ticks, told.qty_lots)),
                    "both sides heard of the same trade: {trade:?}"
                );
            }
        }
        let mut next: BTreeMap<MarketId, u64> = BTreeMap::new();
        for ((market, number), times) in &self.prevented {
            let expected = next.entry(*market).or_default();
            assert_eq!((number, times), (&*expected, &2), "both orders hear of an encounter, once");
            *expected += 1;
        }
        let mut last: BTreeMap<MarketId, u64> = BTreeMap::new();
        for (market, number) in &self.updates {
            let before = last.insert(*market, *number).unwrap_or(0);
            assert_eq!(*number, before + 1, "changes of levels of market {market} have numbers without gaps");
        }
    }

    fn levels_agree(&self, states: &[&Partition]) {
        for (market, _) in states[0].catalog().markets() {
            let home = states[0].catalog().home(market).expect("a listed market has a home");
            for side in [Side::Buy, Side::Sell] {
                let told = self.levels.get(&(home, market, side)).cloned().unwrap_or_default();
                let levels: Levels = states[home.index()].levels(market, side).expect("listed").collect();
                assert_eq!(told, levels, "the levels of market {market} were told as they are");
            }
        }
    }
}

/// What an order of this side holds and pays with.
fn pays_with(state: &Partition, market: MarketId, side: Side) -> AssetId {
    let terms = state.catalog().market(market).expect("orders are in listed markets");
    match side {
        Side::Buy => terms.quote,
        Side::Sell => terms.base,
    }
}
