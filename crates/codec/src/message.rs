//! Messages between partitions.

use model::{
    ContractOrder, Envelope, FromMarket, Letter, MarketState, Message, Notice, OrderCause, Origin,
    PlaceMessage, RestingOrder, Spread, ToHolder, ToMarket, WaitingOrder,
};

use crate::{Coded, DecodeError, Reader, coded_enum, coded_sided_struct, coded_struct};

coded_struct!(Spread { first_account, count });
coded_struct!(Origin { partition, seq });
coded_struct!(PlaceMessage { order, account, trade_group, side, kind, self_trade_prevention, held });
coded_struct!(RestingOrder { order, account, trade_group, price_ticks, open_lots, qty_lots, amends });
coded_struct!(WaitingOrder { number, place, amends, extreme_ticks });
coded_struct!(MarketState { reference_ticks, next_trade, next_prevented_match, update_id });

coded_enum!(ToMarket, "a message to a market" {
    0 => Place(place),
    1 => Cancel { order, account, restriction, replacement },
    2 => Amend { order, account, new_qty_lots, new_client_order_id },
    3 => Held { order, held },
    4 => PlaceContract(place),
    5 => TakeOver { account, price_ticks, qty_lots },
    6 => PayFund { amount },
    7 => Carries { carries },
    8 => Winner { partition, winner },
    9 => TakeOverLeg { account, position_side, price_ticks, qty_lots },
    10 => Modify { order, account, kind, self_trade_prevention, most_lots },
    11 => Expire { order, account },
});
coded_enum!(OrderCause, "the cause of an order" { 0 => Owner, 1 => Liquidation });
coded_sided_struct!(ContractOrder {
    order,
    account,
    trade_group,
    side,
    position_side,
    kind,
    self_trade_prevention,
    reduce_only,
    worst_ticks,
    cause,
});
coded_enum!(ToHolder, "a message to the holder of a position" {
    0 => Funding { amount },
    1 => Forced { forced, side, price_ticks, qty_lots, is_last },
    2 => CarryAsked { side, price_ticks, qty_lots },
    3 => FundReceives { amount },
    4 => FundingOfLeg { position_side, amount },
});
coded_enum!(FromMarket, "a message from a market" {
    0 => Accepted { kind, side, self_trade_prevention },
    1 => Refused { reject },
    2 => Filled { trade, side, liquidity, price_ticks, qty_lots },
    3 => Prevented { prevented_match, liquidity, counter_order, price_ticks, prevented_lots, mode },
    4 => Ended { reason, replacement },
    5 => Amended { qty_lots, cut_lots, new_client_order_id },
    6 => CancelRefused { reject, replacement },
    7 => AmendRefused { reject },
    8 => Transferred { prevented_match, side, liquidity, counter_order, price_ticks, qty_lots },
    9 => Tracks { price_ticks },
    10 => Triggered { price_ticks, missing },
    11 => Modified { kind, self_trade_prevention, left_lots },
    12 => ModifyRefused { reject },
});
coded_enum!(Notice, "a notice" {
    0 => AssetListed(terms),
    1 => MarketListed { add, partition },
    2 => MarketChanged(change),
    3 => AccountOpened { account, name, trade_group },
    4 => PartitionAdded(spread),
    5 => DepositAsked(deposit),
    6 => DepositAllowed(deposit),
    7 => WithdrawalAsked(request),
    8 => WithdrawalAllowed(request),
    9 => FundsRefused { account, reject, withdrawal },
    10 => MarketLeaves { market, to },
    11 => MarketQuiet { market, to, from },
    12 => OrdersMove { market, side, orders },
    13 => MarketMoves { market, state },
    14 => MarketLeft { market, to },
    15 => MarketReady { market, to, from },
    16 => MarketArrived { market, partition },
    17 => Heard,
    18 => OrdersMarked { marks },
    19 => WaitingMove { market, orders },
    20 => ContractListed(add),
    21 => ContractChanged(change),
});
coded_enum!(Letter, "a letter" {
    0 => ToMarket { market, body },
    1 => ToAccount { account, market, order, body },
    2 => ReferencePrice { market, price_ticks },
    4 => ToHolder { account, market, body },
    5 => MarkPrice { market, mark_ticks },
    6 => WinnerAsked { market, side },
});

/// Among the tags of [`Letter`].
const NOTICE: u8 = 3;

impl Coded for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Letter(letter) => letter.encode(out),
            Self::Notice(notice) => {
                out.push(NOTICE);
                notice.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut ahead = input.clone();
        if u8::decode(&mut ahead)? != NOTICE {
            return Letter::decode(input).map(Self::Letter);
        }
        *input = ahead;
        Coded::decode(input).map(Self::Notice)
    }
}

coded_struct!(Envelope { from, number, taken, time_ns, origin, more, messages });
