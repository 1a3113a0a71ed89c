//! What the partition refuses, in the words of the Binance dialect. Every reject has its place here, and no other module
//! chooses a code for one. Sources: errors.md ("Other errors", "Filter failures"), filters.md.

use model::Reject;

use crate::errors::ApiError;

/// What was asked; some rejects have another code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A new order: -2010.
    Place,
    /// A cancel: -2011.
    Cancel,
    /// An amendment: -2038.
    Amend,
}

impl Asked {
    const fn code(self) -> i32 {
        match self {
            Self::Place => -2010,
            Self::Cancel => -2011,
            Self::Amend => -2038,
        }
    }
}

/// The answer that a client gets for `reject`.
pub fn api_error(asked: Asked, reject: &Reject) -> ApiError {
    let answer = |message: &'static str| ApiError::new(asked.code(), message);
    match reject {
        // Spot requests name no contracts.
        Reject::UnknownMarket { .. } | Reject::IsContract { .. } => ApiError::invalid_symbol(),
        Reject::UnknownOrder | Reject::OrderGone { .. } => {
            // A new order is never unknown; only a cancel or an amendment can miss.
            let code = if asked == Asked::Place { Asked::Cancel.code() } else { asked.code() };
            ApiError::new(code, "Unknown order sent.")
        }
        Reject::TooLate { .. } => ApiError::timestamp_outside(),
        Reject::MarketClosed => answer("Market is closed."),
        Reject::PriceOutOfRange { .. } => ApiError::filter("PRICE_FILTER"),
        Reject::QtyOutOfRange { .. } => ApiError::filter("LOT_SIZE"),
        Reject::NotionalOutOfRange { .. } => ApiError::filter("NOTIONAL"),
        Reject::TooManyOpenOrders { .. } => ApiError::filter("MAX_NUM_ORDERS"),
        Reject::InsufficientBalance { .. } => {
            answer("Account has insufficient balance for requested action.")
        }
        Reject::DuplicateClientOrderId => answer("Duplicate order sent."),
        // Binance has no such bound, hence no text for it.
        Reject::BookFull { max } => {
            ApiError::new(asked.code(), format!("Order book is full; current limit is {max} orders."))
        }
        Reject::WouldTake { .. } => answer("Order would immediately match and take."),
        Reject::NoLiquidity => answer("Order book liquidity is less than symbol minimum quantity."),
        Reject::CancelRestricted => {
            ApiError::new(Asked::Cancel.code(), "Order was not canceled due to cancel restrictions.")
        }
        Reject::AmendChangesNothing => answer("The requested action would change no state; rejecting."),
        Reject::AmendIncreases { .. } => answer("Order amend (quantity increase) is not supported."),
        // filters.md gives this one the code of amendments, not that of filters.
        Reject::TooManyAmends { .. } => answer("Filter failure: MAX_NUM_ORDER_AMENDS"),
        Reject::TriggerMissing => ApiError::either("stopPrice", "trailingDelta"),
        Reject::WouldTrigger { .. } => answer("Order would trigger immediately."),
        Reject::TrailingDeltaOutOfRange { .. } => ApiError::filter("TRAILING_DELTA"),
        Reject::TooManyAlgoOrders { .. } => ApiError::filter("MAX_NUM_ALGO_ORDERS"),
        Reject::ReplaceNotAttempted => ApiError::new(-2022, "Order cancel-replace failed."),
        // The account of a known key exists, and the rest is refused to operators only (see `admin`); the sentences are
        // those of the vocabulary.
        Reject::UnknownAccount { .. } => ApiError::rejected_key(),
        Reject::UnknownAsset { .. }
        | Reject::UnknownWithdrawal { .. }
        | Reject::UnknownApiKey
        | Reject::NameTaken
        | Reject::NameMissing
        | Reject::ScaleTooLarge { .. }
        | Reject::BadTerms { .. }
        | Reject::TermsAreFixed
        | Reject::BadSealedSecret { .. }
        | Reject::TooManyIpRanges { .. }
        | Reject::BadIpRange { .. }
        | Reject::UnknownPartition { .. }
        | Reject::TooManyPartitions { .. }
        | Reject::MarketIsThere { .. }
        | Reject::MarketMoves { .. }
        | Reject::NotTheFirst { .. }
        | Reject::HasJoined { .. }
        | Reject::UnknownSource { .. }
        | Reject::TooManySources { .. }
        | Reject::DuplicateReference
        | Reject::ReferenceMissing
        | Reject::AmountNotPositive { .. }
        | Reject::BadContract { .. }
        | Reject::NotContract { .. }
        | Reject::NotAtContracts
        | Reject::InsufficientMargin { .. }
        | Reject::PositionTooLarge { .. }
        | Reject::TooManyLots { .. }
        | Reject::NothingToReduce
        | Reject::LeverageOutOfRange { .. }
        | Reject::InLiquidation
        | Reject::UnknownIndexSource { .. }
        | Reject::WalletShort { .. }
        | Reject::ContractStays
        | Reject::LivesElsewhere { .. }
        | Reject::LosesTooMuch { .. }
        | Reject::MarginTypeUnchanged
        | Reject::MarginTypeHasOrders
        | Reject::MarginTypeHasPosition
        | Reject::NotIsolated
        | Reject::PositionMarginShort { .. }
        | Reject::LeverageCannotFall { .. }
        | Reject::IsFund
        | Reject::PositionModeUnchanged
        | Reject::PositionModeHasOrders
        | Reject::PositionModeHasPosition
        | Reject::PositionSideMismatch { .. }
        | Reject::ReduceOnlyInHedge
        | Reject::AlgoCombination
        | Reject::ClosesAlready { .. }
        | Reject::BeingModified
        | Reject::DatePassed { .. }
        | Reject::DepositLimit { .. } => ApiError::new(-1130, reject.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use model::{
        AccountId, Amount, AssetId, MarketId, OrderId, PriceTicks, QtyLots, TermsError, TimeNs, WithdrawalId,
    };

    use super::*;

    /// A reject, its status and code for each kind of request, its text.
    type Row = (Reject, [(u16, i32); 3], &'static str);

    /// One of each, in the order of their declaration, with what a new order, a cancel and an amendment say to it.
    fn table() -> Vec<Row> {
        let all = |status, code| [(status, code); 3];
        let by_request = [(400, -2010), (400, -2011), (400, -2038)];
        vec![
            (
                Reject::UnknownAccount { account: AccountId(7) },
                all(401, -2015),
                "Invalid API-key, IP, or permissions for action.",
            ),
            (Reject::UnknownAsset { asset: AssetId(7) }, all(400, -1130), "there is no asset 7"),
            (Reject::UnknownMarket { market: MarketId(7) }, all(400, -1121), "Invalid symbol."),
            (Reject::UnknownOrder, [(400, -2011), (400, -2011), (400, -2038)], "Unknown order sent."),
            (
                Reject::UnknownWithdrawal { withdrawal: WithdrawalId(7) },
                all(400, -1130),
                "there is no open withdrawal 7",
            ),
            (Reject::UnknownApiKey, all(400, -1130), "there is no such API key"),
            (Reject::NameTaken, all(400, -1130), "the name is taken"),
            (Reject::NameMissing, all(400, -1130), "a name is needed"),
            (Reject::ScaleTooLarge { scale: 19 }, all(400, -1130), "the scale must be at most 18, not 19"),
            (Reject::BadTerms { rule: TermsError::Tick }, all(400, -1130), "the tick must be above zero"),
            (
                Reject::TermsAreFixed,
                all(400, -1130),
                "base, quote, tick and lot of a market cannot change: list another market instead",
            ),
            (
                Reject::BadSealedSecret { len: 0 },
                all(400, -1130),
                "a sealed secret has 1 to 1,024 bytes, not 0",
            ),
            (Reject::TooManyIpRanges { max: 30 }, all(400, -1130), "a key has at most 30 address ranges"),
            (
                Reject::BadIpRange { range: model::IpRange::V4 { network: 1, prefix_bits: 8 } },
                all(400, -1130),
                "0.0.0.1/8 has bits behind its prefix, or too long a prefix",
            ),
            (Reject::DuplicateReference, all(400, -1130), "this reference was executed before"),
            (
                Reject::ReferenceMissing,
                all(400, -1130),
                "a reference is needed, so that nothing is executed twice",
            ),
            (
                Reject::AmountNotPositive { amount: Amount(0) },
                all(400, -1130),
                "the amount must be above zero, not 0 atoms",
            ),
            (
                Reject::DepositLimit { left: Amount(5) },
                all(400, -1130),
                "at most 5 more atoms of this asset can be deposited",
            ),
            (
                Reject::TooLate { valid_until_ns: TimeNs(5) },
                all(400, -1021),
                "Timestamp for this request is outside of the recvWindow.",
            ),
            (Reject::MarketClosed, by_request, "Market is closed."),
            (
                Reject::PriceOutOfRange { min_ticks: PriceTicks(1), max_ticks: PriceTicks(2) },
                all(400, -1013),
                "Filter failure: PRICE_FILTER",
            ),
            (
                Reject::QtyOutOfRange { min_lots: QtyLots(1), max_lots: QtyLots(2) },
                all(400, -1013),
                "Filter failure: LOT_SIZE",
            ),
            (
                Reject::NotionalOutOfRange { min: Amount(1), max: Amount(2) },
                all(400, -1013),
                "Filter failure: NOTIONAL",
            ),
            (
                Reject::InsufficientBalance { needed: Amount(2), available: Amount(1) },
                by_request,
                "Account has insufficient balance for requested action.",
            ),
            (Reject::DuplicateClientOrderId, by_request, "Duplicate order sent."),
            (Reject::TooManyOpenOrders { max: 5 }, all(400, -1013), "Filter failure: MAX_NUM_ORDERS"),
            (Reject::BookFull { max: 5 }, by_request, "Order book is full; current limit is 5 orders."),
            (
                Reject::WouldTake { best_ticks: PriceTicks(5) },
                by_request,
                "Order would immediately match and take.",
            ),
            (Reject::NoLiquidity, by_request, "Order book liquidity is less than symbol minimum quantity."),
            (Reject::CancelRestricted, all(400, -2011), "Order was not canceled due to cancel restrictions."),
            (
                Reject::AmendChangesNothing,
                by_request,
                "The requested action would change no state; rejecting.",
            ),
            (
                Reject::AmendIncreases { qty_lots: QtyLots(5) },
                by_request,
                "Order amend (quantity increase) is not supported.",
            ),
            (Reject::TooManyAmends { max: 10 }, by_request, "Filter failure: MAX_NUM_ORDER_AMENDS"),
            (Reject::ReplaceNotAttempted, all(400, -2022), "Order cancel-replace failed."),
            (
                Reject::TriggerMissing,
                all(400, -1102),
                "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!",
            ),
            (
                Reject::WouldTrigger { last_ticks: PriceTicks(5) },
                by_request,
                "Order would trigger immediately.",
            ),
            (
                Reject::TrailingDeltaOutOfRange { min_bips: 10, max_bips: 2_000 },
                all(400, -1013),
                "Filter failure: TRAILING_DELTA",
            ),
            (Reject::TooManyAlgoOrders { max: 5 }, all(400, -1013), "Filter failure: MAX_NUM_ALGO_ORDERS"),
            (
                Reject::OrderGone { order: OrderId(7) },
                [(400, -2011), (400, -2011), (400, -2038)],
                "Unknown order sent.",
            ),
        ]
    }

    #[test]
    fn every_reject_has_its_status_code_and_text() {
        for (reject, expected, message) in table() {
            for (asked, (status, code)) in
                [Asked::Place, Asked::Cancel, Asked::Amend].into_iter().zip(expected)
            {
                let error = api_error(asked, &reject);
                assert_eq!((error.status.as_u16(), error.code), (status, code), "{asked:?} {reject:?}");
                assert_eq!(error.message, message, "{asked:?} {reject:?}");
            }
        }
    }

    #[test]
    fn the_table_has_every_variant() {
        let mut kinds: Vec<_> = table().iter().map(|(reject, ..)| std::mem::discriminant(reject)).collect();
        kinds.dedup();
        // As many as the match in `api_error` names; a new one fails to compile there.
        assert_eq!(kinds.len(), 39);
    }
}
