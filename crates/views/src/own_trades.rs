//! Own trades: the fills of each account's orders, with fees. What the public sees of a trade is in `trades`.

use codec::{DecodeError, Reader, coded_struct};
use model::{
    AccountId, Amount, AssetId, Liquidity, MarketId, MarketTerms, OrderFilled, OrderId, PriceTicks, QtyLots,
    Side, TimeNs, TradeId,
};

use crate::ViewSettings;
use crate::latest::{Entry, Latest};
use crate::page::Page;

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
pub struct OwnTrades(Latest<OwnTrade>);

impl Entry for OwnTrade {
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

impl OwnTrades {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self(Latest::new(settings.own_trades_kept_per_account, settings.own_trades_kept))
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
        self.0.of((account, market), page, |trade| order.is_none_or(|order| trade.order == order))
    }

    pub(crate) fn filled(&mut self, filled: &OrderFilled, time_ns: TimeNs) {
        self.0.push(OwnTrade {
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

    /// Oldest first.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(settings).0.load(input).map(Self)
    }
}

coded_struct!(OwnTrade { id, order, account, market, side, liquidity, price_ticks, qty_lots, fee, time_ns });
