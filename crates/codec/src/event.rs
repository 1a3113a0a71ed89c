//! Events.

use model::{
    Amount, ApiKeyAdded, ApiKeyChanged, ApiKeyCreated, ContractFilled, ContractOrderAccepted,
    ContractOrderModified, Deposited, EndReason, Event, ExpiryReason, Forced, FundingPaid, FundingSettled,
    FundsMoved, LevelChanged, Liquidity, MarkPriceChanged, OrderAccepted, OrderAmended, OrderEnded,
    OrderFilled, OrderPrevented, OrderTracks, OrderTriggered, PositionForced, PositionMarginChanged,
    PositionNow, Traded, WithdrawalRequested, WithdrawalSettled,
};

use crate::{Coded, DecodeError, Reader, coded_enum, coded_sided_struct, coded_struct};

coded_enum!(Liquidity, "a liquidity" { 0 => Maker, 1 => Taker });
coded_enum!(ExpiryReason, "an expiry reason" {
    0 => UnfilledIoc, 1 => UnfilledFok, 2 => InsufficientLiquidity, 3 => PriceRangeExceeded, 4 => ExchangeCanceled,
    5 => GoodTillDate,
});
coded_enum!(EndReason, "an end reason" { 0 => Filled, 1 => Canceled, 2 => Expired(reason), 3 => ExpiredInMatch });

coded_struct!(ApiKeyCreated { account, key, permissions });
coded_struct!(ApiKeyAdded { account, key, kind, label, permissions, ip_ranges });
coded_struct!(ApiKeyChanged { account, key, permissions, ip_ranges });
coded_struct!(Deposited { account, asset, amount, reference });
coded_struct!(WithdrawalRequested { withdrawal, account, asset, amount, reference });
coded_struct!(WithdrawalSettled { withdrawal, account, asset, amount, paid_out });
coded_struct!(OrderAccepted {
    order,
    account,
    market,
    side,
    kind,
    self_trade_prevention,
    client_order_id,
    held
});
coded_struct!(OrderFilled {
    order,
    account,
    market,
    trade,
    side,
    liquidity,
    price_ticks,
    qty_lots,
    fee,
    released
});
/// What is released stands only where the mode, which is told before it, can release anything: the first version knew no such
/// mode.
impl Coded for OrderPrevented {
    fn encode(&self, out: &mut Vec<u8>) {
        let Self { order, account, market, prevented_match, liquidity, counter_order, .. } = self;
        order.encode(out);
        account.encode(out);
        market.encode(out);
        prevented_match.encode(out);
        liquidity.encode(out);
        counter_order.encode(out);
        self.price_ticks.encode(out);
        self.prevented_lots.encode(out);
        self.mode.encode(out);
        if self.mode.takes_from_both() {
            self.released.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut prevented = Self {
            order: Coded::decode(input)?,
            account: Coded::decode(input)?,
            market: Coded::decode(input)?,
            prevented_match: Coded::decode(input)?,
            liquidity: Coded::decode(input)?,
            counter_order: Coded::decode(input)?,
            price_ticks: Coded::decode(input)?,
            prevented_lots: Coded::decode(input)?,
            mode: Coded::decode(input)?,
            released: Amount::ZERO,
        };
        if prevented.mode.takes_from_both() {
            prevented.released = Coded::decode(input)?;
        }
        Ok(prevented)
    }
}
coded_struct!(OrderAmended { order, account, market, qty_lots, client_order_id, released });
coded_struct!(OrderEnded { order, account, market, reason, released });
coded_struct!(OrderTracks { order, account, market, price_ticks });
coded_struct!(OrderTriggered { order, account, market, price_ticks, held });
coded_struct!(Traded { market, trade, price_ticks, qty_lots, taker_side, maker_order, taker_order });
coded_struct!(LevelChanged { market, update_id, side, price_ticks, open_lots });

coded_struct!(FundsMoved { account, asset, amount, wallet });
coded_sided_struct!(ContractOrderAccepted {
    order,
    account,
    market,
    side,
    position_side,
    kind,
    self_trade_prevention,
    reduce_only,
    cause,
    client_order_id,
});
coded_struct!(ContractOrderModified { order, account, market, kind, self_trade_prevention });
coded_struct!(PositionNow { qty_lots, cost, wallet });
coded_sided_struct!(ContractFilled {
    order,
    account,
    market,
    trade,
    side,
    position_side,
    liquidity,
    price_ticks,
    qty_lots,
    fee,
    realized,
    now,
});
coded_struct!(PositionMarginChanged { account, market, position_side, moved, margin, wallet });
coded_struct!(MarkPriceChanged { market, index_ticks, mark_ticks, rate, next_funding_ns });
coded_struct!(FundingSettled { market, rate, mark_ticks });
coded_struct!(FundingPaid { account, market, amount, wallet });
coded_enum!(Forced, "a forced change" { 0 => TakenOver, 1 => Carried, 2 => Bankrupt, 3 => Deleveraged });
coded_sided_struct!(PositionForced {
    account,
    market,
    forced,
    side,
    position_side,
    price_ticks,
    qty_lots,
    realized,
    now,
});

coded_enum!(Event, "an event" {
    1 => AssetAdded { asset, terms },
    2 => MarketAdded { market, terms },
    3 => AccountCreated { account, name, trade_group },
    4 => ApiKeyCreated(created),
    5 => ApiKeyRevoked { account, key },
    6 => Deposited(deposited),
    7 => WithdrawalRequested(requested),
    8 => WithdrawalSettled(settled),
    9 => OrderAccepted(accepted),
    10 => OrderFilled(filled),
    11 => OrderPrevented(prevented),
    12 => OrderAmended(amended),
    13 => OrderEnded(ended),
    14 => Rejected { account, reject },
    15 => Traded(traded),
    16 => LevelChanged(changed),
    17 => Skipped { reason },
    18 => ApiKeyAdded(added),
    19 => ApiKeyChanged(changed),
    20 => ApiKeyResealed { account, key },
    21 => PartitionAdded { spread },
    22 => MarketPlaced { market, partition },
    23 => MarketMoving { market, to },
    24 => MarketLeft { market, to },
    25 => Heard { from, time_ns, origin },
    26 => SourceRegistered { source, terms, mark },
    27 => EntryTaken { source, entry, action, account, market },
    28 => EntryRepeated { source, entry },
    29 => EntryOutOfOrder { source, entry, mark },
    30 => EntryOpen { source, entry },
    31 => EntryAnswered { source, entry },
    32 => OrderTracks(tracks),
    33 => OrderTriggered(triggered),
    34 => ContractAdded { market, terms, contract },
    35 => FundsMoved(moved),
    36 => ContractOrderAccepted(accepted),
    37 => ContractFilled(filled),
    38 => LeverageChanged { account, market, leverage },
    39 => MarkPriceChanged(changed),
    40 => FundingSettled(settled),
    41 => FundingPaid(paid),
    42 => LiquidationBegun { account, asset },
    43 => LiquidationEnded { account, asset },
    44 => ClearancePaid { account, market, amount, wallet },
    45 => FundReceived { account, market, amount, wallet },
    46 => PositionForced(forced),
    47 => IndexPriceSet { market, source, price_ticks },
    48 => DebtCovered { account, market, amount },
    49 => MarginTypeChanged { account, market, margin_type },
    50 => PositionMarginChanged(changed),
    51 => PositionDebtCovered { account, market, position_side, amount },
    52 => PositionLiquidationBegun { account, market, position_side },
    53 => PositionLiquidationEnded { account, market, position_side },
    54 => PositionModeChanged { account, mode },
    55 => AlgoOrderAccepted(accepted),
    56 => AlgoOrderTracks(tracks),
    57 => AlgoOrderTriggered(triggered),
    58 => AlgoOrderEnded(ended),
    59 => CountdownSet { account, market, fires_ns },
    60 => CountdownFired { account, market },
    61 => ContractOrderModified(modified),
    62 => GoodTillDate { order, account, market, good_till_ns },
});
