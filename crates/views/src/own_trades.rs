//! Own trades: the fills of each account's orders, with fees. What the public sees of a trade is in `trades`.

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{
    AccountId, Amount, AssetId, Liquidity, MarketId, MarketTerms, OrderFilled, OrderId, PriceTicks, QtyLots,
    Side, TimeNs, TradeId,
};

use crate::ViewSettings;
use crate::page::Page;
use crate::slab::{Chain, Groups, List, Slab};

/// One side of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTrade {
    /// Its number in its market.
    pub id: TradeId,
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which way the order goes.
    pub side: Side,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// At which price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// In atoms of [`OwnTrade::fee_asset`].
    pub fee: Amount,
    /// When.
    pub time_ns: TimeNs,
}

impl OwnTrade {
    /// Price times quantity, in quote atoms. `terms` are those of its market.
    pub fn quote_amount(&self, terms: &MarketTerms) -> Amount {
        terms.notional(self.price_ticks, self.qty_lots)
    }

    /// In which asset the fee was paid: the one received. `terms` are those of its market.
    pub const fn fee_asset(&self, terms: &MarketTerms) -> AssetId {
        match self.side {
            Side::Buy => terms.base,
            Side::Sell => terms.quote,
        }
    }

    /// True for the side that bought.
    pub const fn is_buyer(&self) -> bool {
        matches!(self.side, Side::Buy)
    }

    /// True for the side that rested.
    pub const fn is_maker(&self) -> bool {
        matches!(self.liquidity, Liquidity::Maker)
    }
}

/// The latest own trades of each account in each market.
#[derive(Clone, Debug)]
pub struct OwnTrades {
    slab: Slab<OwnTrade>,
    groups: Groups<List>,
    everybody: List,
    kept_per_account: usize,
    kept: usize,
}

impl OwnTrades {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            slab: Slab::new(),
            groups: Groups::new(),
            everybody: List::EMPTY,
            kept_per_account: settings.own_trades_kept_per_account,
            kept: settings.own_trades_kept,
        }
    }

    /// Trades of an account in one market, of one of its orders if `order` says so, by ascending number. Of a trade with
    /// itself both sides are told.
    pub fn of(
        &self,
        account: AccountId,
        market: MarketId,
        order: Option<OrderId>,
        page: &Page<TradeId>,
    ) -> Vec<&OwnTrade> {
        let Some(list) = self.groups.find(account, market) else { return Vec::new() };
        let covered = list
            .iter(&self.slab, Chain::Group)
            .filter(|trade| order.is_none_or(|order| trade.order == order))
            .filter(|trade| page.covers(trade.id, trade.time_ns))
            .collect();
        page.cut(covered)
    }

    pub(crate) fn filled(&mut self, filled: &OrderFilled, time_ns: TimeNs) {
        self.insert(OwnTrade {
            id: filled.trade,
            order: filled.order,
            account: filled.account,
            market: filled.market,
            side: filled.side,
            liquidity: filled.liquidity,
            price_ticks: filled.price_ticks,
            qty_lots: filled.qty_lots,
            fee: filled.fee,
            time_ns,
        });
    }

    fn insert(&mut self, trade: OwnTrade) {
        let group = self.groups.enter(trade.account, trade.market, List::EMPTY);
        let slot = self.slab.insert(trade, group);
        self.groups[group].push_back(&mut self.slab, Chain::Group, slot);
        self.everybody.push_back(&mut self.slab, Chain::Everybody, slot);
        if self.groups[group].len() > self.kept_per_account {
            let oldest = self.groups[group].front().expect("a list that is too long is not empty");
            self.forget(oldest);
        }
        if self.everybody.len() > self.kept {
            let oldest = self.everybody.front().expect("a list that is too long is not empty");
            self.forget(oldest);
        }
    }

    fn forget(&mut self, slot: u32) {
        let group = self.slab.group(slot);
        self.groups[group].remove(&mut self.slab, Chain::Group, slot);
        self.everybody.remove(&mut self.slab, Chain::Everybody, slot);
        self.slab.release(slot);
    }

    /// Oldest first.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        u64::try_from(self.everybody.len()).expect("fits").encode(out);
        self.everybody.iter(&self.slab, Chain::Everybody).for_each(|trade| trade.encode(out));
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut trades = Self::new(settings);
        for _ in 0..u64::decode(input)? {
            trades.insert(OwnTrade::decode(input)?);
        }
        Ok(trades)
    }
}

coded_struct!(OwnTrade { id, order, account, market, side, liquidity, price_ticks, qty_lots, fee, time_ns });
