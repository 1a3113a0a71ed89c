//! How much the views keep.

/// Bounds on memory. What is open (orders, withdrawals, price levels) is always kept; these bound what is over.
///
/// The figures in bytes are what one entry takes in memory, indexes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSettings {
    /// Finished orders of one account in one market, and as many algo orders that wait no longer; the one that finished first goes first.
    /// Default 1,000.
    pub orders_kept_per_account: usize,
    /// Finished orders of everybody together, about 300 bytes each, and as many algo orders; the one that finished first goes first.
    /// Default 1,000,000.
    pub orders_kept: usize,
    /// Own trades of one account in one market; the oldest goes first. Default 1,000.
    pub own_trades_kept_per_account: usize,
    /// Own trades of everybody together, 112 bytes each; the oldest goes first. Default 1,000,000.
    pub own_trades_kept: usize,
    /// Entries of the futures wallets of one account (fees, profits, funding, transfers); the oldest goes first. Default 1,000.
    pub income_kept_per_account: usize,
    /// The same of everybody together, 112 bytes each; the oldest goes first. Default 1,000,000.
    pub income_kept: usize,
    /// Money moved into and out of the margins of isolated positions, of one account at one contract; the oldest goes first. Default 1,000.
    pub margin_changes_kept_per_account: usize,
    /// The same of everybody together, 96 bytes each; the oldest goes first. Default 1,000,000.
    pub margin_changes_kept: usize,
    /// Ends of five minutes of which it is known how much was open at one contract, 48 bytes each; the oldest goes first. At least 1;
    /// default 8,928, which is 31 days at the least.
    pub open_interest_kept: usize,
    /// Settlements of funding of one contract, 32 bytes each; the oldest goes first. At least 1; default 1,000.
    pub fundings_kept: usize,
    /// Public trades of one market, 40 bytes each; the oldest goes first. At least 1; default 1,000.
    pub trades_kept: usize,
    /// Aggregated trades of one market, 64 bytes each; the oldest goes first. At least 1; default 1,000.
    pub agg_trades_kept: usize,
    /// Seconds with a trade in them, of one market, 128 bytes each: candles of `1s`. Default 1,000.
    pub seconds_kept: usize,
    /// Minutes with a trade in them, of one market, 128 bytes each: candles of `1m`, `3m` and `5m`. Default 2,880, which is
    /// two days at the least; fewer than 1,500 count as 1,500, because the 24-hour ticker is made from them.
    pub minutes_kept: usize,
    /// Quarters of an hour with a trade in them, of one market, 128 bytes each: candles of `15m` and `30m`, and of longer
    /// intervals when the time zone is not a whole number of hours from UTC. Default 1,344, which is two weeks at the
    /// least; fewer than 104 count as 104.
    pub quarters_kept: usize,
    /// Hours with a trade in them, of one market, 128 bytes each: candles of `1h` to `12h`, and of longer intervals in other
    /// time zones than UTC. Default 2,160, which is 90 days at the least; fewer than 170 count as 170, because the longest rolling window is seven days.
    pub hours_kept: usize,
    /// UTC days with a trade in them, of one market, 128 bytes each: candles of `1d`, `3d`, `1w` and `1M`. Default 3,653,
    /// which is ten years at the least.
    pub days_kept: usize,
    /// Starts the hash functions of the indexes. It changes no answer; a server takes a random number, so that nobody can
    /// choose client order ids that all fall into one place. Default 0.
    pub hash_seed: u64,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            orders_kept_per_account: 1_000,
            orders_kept: 1_000_000,
            own_trades_kept_per_account: 1_000,
            own_trades_kept: 1_000_000,
            income_kept_per_account: 1_000,
            income_kept: 1_000_000,
            margin_changes_kept_per_account: 1_000,
            margin_changes_kept: 1_000_000,
            open_interest_kept: 8_928,
            fundings_kept: 1_000,
            trades_kept: 1_000,
            agg_trades_kept: 1_000,
            seconds_kept: 1_000,
            minutes_kept: 2_880,
            quarters_kept: 1_344,
            hours_kept: 2_160,
            days_kept: 3_653,
            hash_seed: 0,
        }
    }
}
