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
}

impl AssetTotals {
    /// Deposits and withdrawals equal what accounts, fees, trades and other partitions hold.
    #[inline]
    pub fn agree(&self) -> bool {
        self.deposited - self.withdrawn
            == self.free + self.held + self.fees + self.in_transit + self.elsewhere
    }
}
