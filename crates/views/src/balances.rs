//! Balances of accounts, sums over assets, and withdrawals that are under way.

use std::collections::BTreeMap;

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{
    AccountId, Amount, AssetId, Deposited, FundsMoved, MarketTerms, OrderAccepted, OrderAmended, OrderEnded,
    OrderFilled, OrderPrevented, OrderTriggered, PriceTicks, QtyLots, Reference, SelfTradePrevention, Side,
    TimeNs, WithdrawalId, WithdrawalRequested, WithdrawalSettled,
};

use crate::catalog::account_index;
use crate::slab::at;

/// What an account has of an asset, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// At its disposal.
    pub free: Amount,
    /// Set aside for open orders and withdrawals.
    pub held: Amount,
}

/// Sums over an asset, in atoms. With nothing on its way, `deposited - withdrawn = free + held + fees`, and where there are contracts
/// [`crate::Futures::backing`] beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetTotals {
    /// All that has ever arrived.
    pub deposited: Amount,
    /// All that was ever paid out.
    pub withdrawn: Amount,
    /// At the disposal of all accounts together.
    pub free: Amount,
    /// Held for all accounts together.
    pub held: Amount,
    /// Fees collected.
    pub fees: Amount,
}

impl AssetTotals {
    /// True when nothing is lost and nothing is made up. It holds after every command, of all partitions together when nothing
    /// is on its way between them.
    pub fn conserved(&self, backing: Amount) -> bool {
        self.deposited - self.withdrawn == self.free + self.held + self.fees + backing
    }
}

/// A withdrawal that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Whose money.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// The requester's name for it.
    pub reference: Reference,
    /// Since when.
    pub requested_ns: TimeNs,
}

coded_struct!(Balance { free, held });
coded_struct!(AssetTotals { deposited, withdrawn, free, held, fees });
coded_struct!(Withdrawal { account, asset, amount, reference, requested_ns });

/// What everybody has.
#[derive(Clone, Debug, Default)]
pub struct Balances {
    /// For each account, what it has ever had, by asset.
    by_account: Vec<Vec<(AssetId, Balance)>>,
    totals: Vec<AssetTotals>,
    withdrawals: BTreeMap<WithdrawalId, Withdrawal>,
}

impl Balances {
    /// What an account has of an asset.
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        let balances = self.of(account);
        balances
            .binary_search_by_key(&asset, |(asset, _)| *asset)
            .map_or_else(|_| Balance::default(), |found| balances[found].1)
    }

    /// What an account has, by asset; assets that it never had are missing.
    pub fn of(&self, account: AccountId) -> &[(AssetId, Balance)] {
        account_index(account).and_then(|index| self.by_account.get(index)).map_or(&[], Vec::as_slice)
    }

    /// Sums over an asset.
    pub fn totals(&self, asset: AssetId) -> AssetTotals {
        self.totals.get(at(asset.0)).copied().unwrap_or_default()
    }

    /// A withdrawal that is under way.
    pub fn withdrawal(&self, withdrawal: WithdrawalId) -> Option<&Withdrawal> {
        self.withdrawals.get(&withdrawal)
    }

    /// All withdrawals that are under way, oldest first.
    pub fn withdrawals(&self) -> impl ExactSizeIterator<Item = (WithdrawalId, &Withdrawal)> {
        self.withdrawals.iter().map(|(id, withdrawal)| (*id, withdrawal))
    }

    pub(crate) fn add_asset(&mut self) {
        self.totals.push(AssetTotals::default());
    }

    /// Opens an account, and leaves the places before it empty: they are in other partitions.
    pub(crate) fn add_account(&mut self, account: AccountId) {
        let index = account_index(account).expect("accounts are numbered from 1");
        let accounts = index.checked_add(1).expect("fits");
        self.by_account.resize_with(self.by_account.len().max(accounts), Vec::new);
    }

    pub(crate) fn deposited(&mut self, deposited: &Deposited) {
        self.total(deposited.asset).deposited += deposited.amount;
        self.post(deposited.account, deposited.asset, deposited.amount, Amount::ZERO);
    }

    /// Money that backs positions is in the futures wallet, and no balance.
    pub(crate) fn funds_moved(&mut self, moved: &FundsMoved) {
        self.post(moved.account, moved.asset, -moved.amount, Amount::ZERO);
    }

    /// A fee at a contract.
    pub(crate) fn fee_collected(&mut self, asset: AssetId, fee: Amount) {
        self.total(asset).fees += fee;
    }

    pub(crate) fn withdrawal_requested(&mut self, requested: &WithdrawalRequested, time_ns: TimeNs) {
        self.post(requested.account, requested.asset, -requested.amount, requested.amount);
        let withdrawal = Withdrawal {
            account: requested.account,
            asset: requested.asset,
            amount: requested.amount,
            reference: requested.reference,
            requested_ns: time_ns,
        };
        let other = self.withdrawals.insert(requested.withdrawal, withdrawal);
        assert!(other.is_none(), "every withdrawal has its own number");
    }

    pub(crate) fn withdrawal_settled(&mut self, settled: &WithdrawalSettled) {
        let requested = self.withdrawals.remove(&settled.withdrawal);
        assert!(
            requested.is_some_and(|requested| {
                (requested.account, requested.asset, requested.amount)
                    == (settled.account, settled.asset, settled.amount)
            }),
            "a withdrawal ends once, as it was requested"
        );
        if settled.paid_out {
            self.total(settled.asset).withdrawn += settled.amount;
            self.post(settled.account, settled.asset, Amount::ZERO, -settled.amount);
        } else {
            self.post(settled.account, settled.asset, settled.amount, -settled.amount);
        }
    }

    pub(crate) fn order_accepted(&mut self, accepted: &OrderAccepted, terms: &MarketTerms) {
        self.post(accepted.account, paid_in(accepted.side, terms), -accepted.held, accepted.held);
    }

    /// What is prevented costs nothing, but of a transfer, which is a fill without a fee.
    pub(crate) fn order_prevented(&mut self, prevented: &OrderPrevented, side: Side, terms: &MarketTerms) {
        let (account, pays_in) = (prevented.account, paid_in(side, terms));
        self.release(account, pays_in, prevented.released);
        if prevented.mode == SelfTradePrevention::Transfer {
            let (paid, received) =
                paid_and_received(side, prevented.price_ticks, prevented.prevented_lots, terms);
            self.post(account, pays_in, Amount::ZERO, -paid);
            self.post(account, paid_in(side.opposite(), terms), received, Amount::ZERO);
        }
    }

    pub(crate) fn order_filled(&mut self, filled: &OrderFilled, terms: &MarketTerms) {
        let (paid, received) = paid_and_received(filled.side, filled.price_ticks, filled.qty_lots, terms);
        let received_in = paid_in(filled.side.opposite(), terms);
        self.post(filled.account, paid_in(filled.side, terms), filled.released, -(paid + filled.released));
        self.post(filled.account, received_in, received - filled.fee, Amount::ZERO);
        self.total(received_in).fees += filled.fee;
    }

    pub(crate) fn order_triggered(&mut self, triggered: &OrderTriggered, side: Side, terms: &MarketTerms) {
        self.post(triggered.account, paid_in(side, terms), -triggered.held, triggered.held);
    }

    pub(crate) fn order_amended(&mut self, amended: &OrderAmended, side: Side, terms: &MarketTerms) {
        self.release(amended.account, paid_in(side, terms), amended.released);
    }

    pub(crate) fn order_ended(&mut self, ended: &OrderEnded, side: Side, terms: &MarketTerms) {
        self.release(ended.account, paid_in(side, terms), ended.released);
    }

    fn release(&mut self, account: AccountId, asset: AssetId, released: Amount) {
        if !released.is_zero() {
            self.post(account, asset, released, -released);
        }
    }

    fn total(&mut self, asset: AssetId) -> &mut AssetTotals {
        self.totals.get_mut(at(asset.0)).expect("an event names listed assets only")
    }

    /// Adds to what an account has of an asset.
    fn post(&mut self, account: AccountId, asset: AssetId, free: Amount, held: Amount) {
        let total = self.total(asset);
        total.free += free;
        total.held += held;

        let balances = account_index(account)
            .and_then(|index| self.by_account.get_mut(index))
            .expect("an event names open accounts only");
        let found = match balances.binary_search_by_key(&asset, |(asset, _)| *asset) {
            Ok(found) => found,
            Err(place) => {
                balances.insert(place, (asset, Balance::default()));
                place
            }
        };
        let balance = &mut balances[found].1;
        balance.free += free;
        balance.held += held;
        assert!(
            balance.free >= Amount::ZERO && balance.held >= Amount::ZERO,
            "no balance is ever negative: account {account}, asset {asset}, {balance:?}"
        );
    }
}

/// What changes hands at this price, as this side sees it.
fn paid_and_received(side: Side, price: PriceTicks, qty: QtyLots, terms: &MarketTerms) -> (Amount, Amount) {
    let (base, quote) = (terms.base_amount(qty), terms.notional(price, qty));
    match side {
        Side::Buy => (quote, base),
        Side::Sell => (base, quote),
    }
}

/// What an order of this side pays with.
const fn paid_in(side: Side, terms: &MarketTerms) -> AssetId {
    match side {
        Side::Buy => terms.quote,
        Side::Sell => terms.base,
    }
}

impl Coded for Balances {
    fn encode(&self, out: &mut Vec<u8>) {
        self.by_account.encode(out);
        self.totals.encode(out);
        let withdrawals: Vec<(WithdrawalId, Withdrawal)> =
            self.withdrawals.iter().map(|(id, withdrawal)| (*id, *withdrawal)).collect();
        withdrawals.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            by_account: Coded::decode(input)?,
            totals: Coded::decode(input)?,
            withdrawals: Vec::decode(input)?.into_iter().collect(),
        })
    }
}
