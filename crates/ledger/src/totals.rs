//! What the places of an asset hold together.

use model::Amount;

/// Where all of an asset is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetTotals {
    /// All that ever came in.
    pub deposited: Amount,
    /// All that ever went out.
    pub withdrawn: Amount,
    /// Free balances together.
    pub free: Amount,
    /// Held balances together.
    pub held: Amount,
    /// Fees collected.
    pub fees: Amount,
    /// Paid by one side of a trade and not yet received by the other; below zero when received first.
    pub in_transit: Amount,
    /// Received for trades with other partitions and not paid to them yet, or the other way round when below zero. Over all
    /// partitions it is what is on its way between them.
    pub elsewhere: Amount,
    /// Futures wallets together, those of insurance funds included.
    pub wallets: Amount,
    /// What the positions that are settled in this asset have cost together, each signed as its quantity: what those who are long
    /// have promised and not paid, less what those who are short have been promised.
    pub open_cost: Amount,
    /// Collected in settlements of funding that are under way, and not paid out yet; below zero when paid out first.
    pub settling: Amount,
}

impl AssetTotals {
    /// Deposits and withdrawals equal what accounts, fees, trades and other partitions hold.
    #[inline]
    pub fn agree(&self) -> bool {
        let spot = self.free + self.held + self.fees + self.in_transit + self.elsewhere;
        self.deposited - self.withdrawn == spot + self.wallets + self.settling - self.open_cost
    }
}
