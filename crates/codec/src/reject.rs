//! Rejects and the terms' rules.

use model::{ContractTermsError, Reject, TermsError};

use crate::{Coded, DecodeError, Reader, coded_enum};

impl Coded for TermsError {
    fn encode(&self, out: &mut Vec<u8>) {
        let at = Self::ALL.iter().position(|rule| rule == self).expect("ALL lists every rule");
        out.push(u8::try_from(at).expect("there are few rules"));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = u8::decode(input)?;
        Self::ALL
            .get(usize::from(tag))
            .copied()
            .ok_or(DecodeError::UnknownTag { what: "a rule for terms", tag })
    }
}

impl Coded for ContractTermsError {
    fn encode(&self, out: &mut Vec<u8>) {
        let at = Self::ALL.iter().position(|rule| rule == self).expect("ALL lists every rule");
        out.push(u8::try_from(at).expect("there are few rules"));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = u8::decode(input)?;
        Self::ALL
            .get(usize::from(tag))
            .copied()
            .ok_or(DecodeError::UnknownTag { what: "a rule for contracts", tag })
    }
}

coded_enum!(Reject, "a reject" {
    1 => UnknownAccount { account },
    2 => UnknownAsset { asset },
    3 => UnknownMarket { market },
    4 => UnknownOrder,
    5 => UnknownWithdrawal { withdrawal },
    6 => UnknownApiKey,
    7 => NameTaken,
    8 => NameMissing,
    9 => ScaleTooLarge { scale },
    10 => BadTerms { rule },
    11 => TermsAreFixed,
    12 => BadSealedSecret { len },
    13 => DuplicateReference,
    14 => ReferenceMissing,
    15 => AmountNotPositive { amount },
    16 => DepositLimit { left },
    17 => TooLate { valid_until_ns },
    18 => MarketClosed,
    19 => PriceOutOfRange { min_ticks, max_ticks },
    20 => QtyOutOfRange { min_lots, max_lots },
    21 => NotionalOutOfRange { min, max },
    22 => InsufficientBalance { needed, available },
    23 => DuplicateClientOrderId,
    24 => TooManyOpenOrders { max },
    25 => BookFull { max },
    26 => WouldTake { best_ticks },
    27 => NoLiquidity,
    28 => CancelRestricted,
    29 => AmendChangesNothing,
    30 => AmendIncreases { qty_lots },
    31 => TooManyAmends { max },
    32 => ReplaceNotAttempted,
    33 => OrderGone { order },
    34 => TooManyIpRanges { max },
    35 => BadIpRange { range },
    36 => UnknownPartition { partition, count },
    37 => TooManyPartitions { max },
    38 => MarketIsThere { partition },
    39 => MarketMoves { to },
    40 => NotTheFirst { partition },
    41 => HasJoined { partition },
    42 => UnknownSource { source },
    43 => TooManySources { max },
    44 => TriggerMissing,
    45 => WouldTrigger { last_ticks },
    46 => TrailingDeltaOutOfRange { min_bips, max_bips },
    47 => TooManyAlgoOrders { max },
    48 => BadContract { rule },
    49 => IsContract { market },
    50 => NotContract { market },
    51 => NotAtContracts,
    52 => InsufficientMargin { needed, available },
    53 => PositionTooLarge { max },
    54 => TooManyLots { max },
    55 => NothingToReduce,
    56 => LeverageOutOfRange { max },
    57 => InLiquidation,
    58 => UnknownIndexSource { source },
    59 => WalletShort { available },
    60 => ContractStays,
    61 => LivesElsewhere { partition },
    62 => LosesTooMuch { worst_ticks },
    63 => MarginTypeUnchanged,
    64 => MarginTypeHasOrders,
    65 => MarginTypeHasPosition,
    66 => NotIsolated,
    67 => PositionMarginShort { available },
    68 => LeverageCannotFall { leverage },
    69 => IsFund,
    70 => PositionModeUnchanged,
    71 => PositionModeHasOrders,
    72 => PositionModeHasPosition,
    73 => PositionSideMismatch { mode },
    74 => ReduceOnlyInHedge,
    75 => AlgoCombination,
    76 => ClosesAlready { algo },
    77 => BeingModified,
    78 => DatePassed { good_till_ns },
});
