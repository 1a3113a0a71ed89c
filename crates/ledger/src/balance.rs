//! Balances by account and asset, and the postings between them.

use model::{AccountId, Amount, AssetId, AssetTerms, MarketId, PositionSide};

use crate::wallet::Wallets;
use crate::{AssetTotals, Wallet, WalletSlot};

/// What an account has of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// Can be spent or withdrawn; never below zero.
    pub free: Amount,
    /// Set aside for open orders and withdrawals; never below zero.
    pub held: Amount,
}

/// What a balance is about: of this, an account has so much free and so much held. Two of them to a line of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purse {
    /// Can be spent or withdrawn; never below zero.
    pub free: Amount,
    /// Set aside for open orders and withdrawals; never below zero.
    pub held: Amount,
}

/// Where a balance lies. Private to its partition: it is in no event, no hash and no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceSlot(u32);

impl BalanceSlot {
    #[inline]
    fn index(self) -> usize {
        usize::try_from(self.0).expect("slots fit into memory")
    }
}

/// Less is free than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// What was asked for.
    pub needed: Amount,
    /// What is free.
    pub available: Amount,
}

/// An asset's totals, and whether it was posted to since the last check.
#[derive(Default)]
struct Counted {
    totals: AssetTotals,
    is_touched: bool,
}

/// All balances of a partition, and the totals of each asset.
#[derive(Default)]
pub struct Ledger {
    purses: Vec<Purse>,
    /// Whose each purse is, and of what: for whoever looks at everything. Who posts something knows what it is of.
    owners: Vec<(AccountId, AssetId)>,
    /// By account number, from 1: the balances it has, by asset.
    accounts: Vec<Vec<(AssetId, BalanceSlot)>>,
    totals: Vec<Counted>,
    wallets: Wallets,
    /// Assets that were posted to since the last check.
    touched: Vec<AssetId>,
}

impl Ledger {
    /// Opens the totals of the next asset.
    pub fn add_asset(&mut self) {
        self.totals.push(Counted::default());
    }

    /// Opens the next account, without any balance.
    pub fn add_account(&mut self) {
        self.accounts.push(Vec::new());
    }

    /// Where the account's balance of the asset lies; an empty one is opened where there is none.
    pub fn slot(&mut self, account: AccountId, asset: AssetId) -> BalanceSlot {
        let owned = &mut self.accounts[account_index(account)];
        match place_of(owned, asset) {
            Ok(at) => owned[at].1,
            Err(at) => {
                let slot = BalanceSlot(u32::try_from(self.purses.len()).expect("fewer than 2^32 balances"));
                self.purses.push(Purse::default());
                self.owners.push((account, asset));
                owned.insert(at, (asset, slot));
                slot
            }
        }
    }

    /// Where it says which balances an account has: for whoever will ask for [`Self::slot`].
    #[inline]
    pub fn opened_at(&self, account: AccountId) -> Option<&Vec<(AssetId, BalanceSlot)>> {
        self.accounts.get(usize::try_from(account.0.checked_sub(1)?).ok()?)
    }

    /// As [`Self::slot`], where there is one.
    #[inline]
    pub fn find_slot(&self, account: AccountId, asset: AssetId) -> Option<BalanceSlot> {
        let opened = self.opened_at(account)?;
        place_of(opened, asset).ok().map(|at| opened[at].1)
    }

    /// Where it says which balance it is, for an account that has one of every asset up to this one.
    #[inline]
    pub fn named_at(&self, account: AccountId, asset: AssetId) -> Option<&(AssetId, BalanceSlot)> {
        self.opened_at(account)?.get(asset_index(asset))
    }

    /// What is free and what is held at a slot.
    #[inline]
    pub fn purse(&self, slot: BalanceSlot) -> &Purse {
        &self.purses[slot.index()]
    }

    /// What the account has, by asset.
    pub fn balances_of(&self, account: AccountId) -> impl Iterator<Item = Balance> {
        self.accounts[account_index(account)].iter().map(move |(asset, slot)| {
            let Purse { free, held } = *self.purse(*slot);
            Balance { account, asset: *asset, free, held }
        })
    }

    /// Where all of an asset is.
    pub fn totals(&self, asset: AssetId) -> &AssetTotals {
        &self.totals[asset_index(asset)].totals
    }

    /// What may still be deposited of an asset.
    pub fn deposit_room(&self, asset: AssetId) -> Amount {
        AssetTerms::MAX_TOTAL_DEPOSITS - self.totals(asset).deposited
    }

    /// From outside to free. The caller has asked for [`Self::deposit_room`].
    pub fn deposit(&mut self, slot: BalanceSlot, asset: AssetId, amount: Amount) {
        assert!(amount <= self.deposit_room(asset), "deposits stay below their limit");
        self.post(slot, asset, amount, Amount::ZERO).deposited += amount;
    }

    /// From free to held; nothing happens when less is free.
    #[inline]
    pub fn hold(&mut self, slot: BalanceSlot, asset: AssetId, amount: Amount) -> Result<(), Shortfall> {
        let available = self.purse(slot).free;
        if amount > available {
            return Err(Shortfall { needed: amount, available });
        }
        assert!(amount >= Amount::ZERO, "nobody holds less than nothing");
        debug_assert!(self.owners[slot.index()].1 == asset, "what is held is of the balance's asset");
        // What the two are together stays the same, so there is nothing to be checked at the end of the command.
        let purse = &mut self.purses[slot.index()];
        purse.free -= amount;
        purse.held += amount;
        let totals = &mut self.totals[asset_index(asset)].totals;
        totals.free -= amount;
        totals.held += amount;
        Ok(())
    }

    /// From held to free.
    #[inline]
    pub fn release(&mut self, slot: BalanceSlot, asset: AssetId, amount: Amount) {
        if amount.is_zero() {
            return;
        }
        debug_assert!(self.owners[slot.index()].1 == asset, "what is released is of the balance's asset");
        let purse = &mut self.purses[slot.index()];
        purse.free += amount;
        purse.held -= amount;
        assert!(purse.held >= Amount::ZERO && amount >= Amount::ZERO, "nobody gives back more than was held");
        let totals = &mut self.totals[asset_index(asset)].totals;
        totals.free += amount;
        totals.held -= amount;
    }

    /// From held to outside.
    pub fn withdraw(&mut self, slot: BalanceSlot, asset: AssetId, amount: Amount) {
        self.post(slot, asset, Amount::ZERO, -amount).withdrawn += amount;
    }

    /// From held to the other side of a trade, and what was held beyond that to free.
    #[inline]
    pub fn pay(&mut self, slot: BalanceSlot, asset: AssetId, amount: Amount, released: Amount) {
        debug_assert!(self.owners[slot.index()].1 == asset, "what is posted is of the balance's asset");
        let purse = &mut self.purses[slot.index()];
        purse.held -= amount + released;
        purse.free += released;
        assert!(purse.held >= Amount::ZERO && released >= Amount::ZERO, "nobody spends more than was held");
        let totals = self.totals_posted_to(asset);
        totals.held -= amount + released;
        totals.free += released;
        totals.in_transit += amount;
    }

    /// From the other side of a trade to free, less the fee.
    #[inline]
    pub fn receive(&mut self, slot: BalanceSlot, asset: AssetId, amount: Amount, fee: Amount) {
        assert!(Amount::ZERO <= fee && fee <= amount, "a fee is a part of what is received");
        debug_assert!(self.owners[slot.index()].1 == asset, "what is posted is of the balance's asset");
        self.purses[slot.index()].free += amount - fee;
        let totals = self.totals_posted_to(asset);
        totals.free += amount - fee;
        totals.in_transit -= amount;
        totals.fees += fee;
    }

    /// The account's futures wallet of an asset, where it has one.
    pub fn find_wallet(&self, account: AccountId, asset: AssetId) -> Option<WalletSlot> {
        self.wallets.find(account, asset)
    }

    /// The account's futures wallet of an asset; an empty one is opened where there is none.
    pub fn wallet_slot(&mut self, account: AccountId, asset: AssetId) -> WalletSlot {
        self.wallets.slot(account, asset, None)
    }

    /// The margin of the account's isolated position at a contract; an empty one is opened where there is none.
    pub fn margin_slot(
        &mut self,
        account: AccountId,
        asset: AssetId,
        isolated_at: (MarketId, PositionSide),
    ) -> WalletSlot {
        self.wallets.slot(account, asset, Some(isolated_at))
    }

    /// The first futures wallet that an account has opened, of whatever asset.
    #[inline]
    pub fn first_wallet(&self, account: AccountId) -> Option<WalletSlot> {
        self.wallets.first(account)
    }

    /// Where [`Self::first_wallet`] looks, for whoever looks ahead.
    #[inline]
    pub fn first_wallet_at(&self, account: AccountId) -> Option<&Option<WalletSlot>> {
        self.wallets.first_at(account)
    }

    /// A futures wallet.
    #[inline]
    pub fn wallet(&self, slot: WalletSlot) -> &Wallet {
        &self.wallets[slot]
    }

    /// All futures wallets, by account and asset: the account's own before those of its isolated positions.
    pub fn wallets(&self) -> impl Iterator<Item = (WalletSlot, &Wallet)> {
        self.wallets.iter()
    }

    /// From free into the futures wallet of the same account and asset, or back where `amount` is below zero.
    pub fn move_funds(&mut self, slot: BalanceSlot, wallet: WalletSlot, amount: Amount) {
        debug_assert!(
            self.owners[slot.index()] == (self.wallet(wallet).account, self.wallet(wallet).asset),
            "money moves between the two wallets of one account"
        );
        let asset = self.wallet(wallet).asset;
        self.post(slot, asset, -amount, Amount::ZERO).wallets += amount;
        self.wallets[wallet].amount += amount;
    }

    /// From an account's wallet into the margin of one of its isolated positions; below zero the other way.
    pub fn move_margin(&mut self, wallet: WalletSlot, margin: WalletSlot, amount: Amount) {
        let owner = |wallet: &Wallet| (wallet.account, wallet.asset);
        debug_assert!(
            owner(self.wallet(wallet)) == owner(self.wallet(margin)),
            "margin comes from the wallet of the same account"
        );
        self.wallets[wallet].amount -= amount;
        self.wallets[margin].amount += amount;
    }

    /// One side of a trade at a contract. The position's cost changes by `cost`, the wallet gains what closing has `realized` and
    /// loses the fee; between the two sides goes what they have promised each other, which is the sum of the first two for a
    /// buy, and for a sell the same with the other sign.
    #[inline]
    pub fn settle_contract(&mut self, wallet: WalletSlot, cost: Amount, realized: Amount, fee: Amount) {
        let totals = self.post_to_wallet(wallet, realized - fee);
        totals.fees += fee;
        totals.open_cost += cost;
        totals.in_transit += cost - realized;
    }

    /// Into a futures wallet from another one, which has paid it before, or pays it behind; below zero out of it.
    pub fn receive_in_wallet(&mut self, wallet: WalletSlot, amount: Amount) {
        self.post_to_wallet(wallet, amount).in_transit -= amount;
    }

    /// Between those who pay funding and those who receive it: `collected` is taken in, below zero paid out.
    pub fn settle_funding(&mut self, asset: AssetId, collected: Amount) {
        let totals = self.totals_posted_to(asset);
        totals.settling += collected;
        totals.in_transit -= collected;
    }

    #[inline]
    fn post_to_wallet(&mut self, slot: WalletSlot, amount: Amount) -> &mut AssetTotals {
        let wallet = &mut self.wallets[slot];
        wallet.amount += amount;
        let asset = wallet.asset;
        let totals = self.totals_posted_to(asset);
        totals.wallets += amount;
        totals
    }

    /// One side of a trade lives in another partition: what it has paid is on its way from there, what it receives (below
    /// zero) on its way to there.
    pub fn clear(&mut self, asset: AssetId, amount: Amount) {
        let totals = self.totals_posted_to(asset);
        totals.in_transit += amount;
        totals.elsewhere -= amount;
    }

    /// Asserts, for all assets that were posted to since the last call, that nothing was lost, made or left on the way.
    /// Costs no more than the postings themselves.
    #[inline]
    pub fn assert_settled(&mut self) {
        while let Some(asset) = self.touched.pop() {
            let Counted { totals, is_touched } = &mut self.totals[asset_index(asset)];
            *is_touched = false;
            assert!(totals.agree(), "deposits and withdrawals equal what accounts, fees and trades hold");
            assert!(totals.in_transit.is_zero(), "what one side of a trade paid, the other received");
        }
    }

    /// Asserts that the totals are the sums of what they stand for. Looks at every balance.
    pub fn assert_sums(&self) {
        let mut free = vec![Amount::ZERO; self.totals.len()];
        let mut held = free.clone();
        for (purse, (_, asset)) in self.purses.iter().zip(&self.owners) {
            assert!(purse.free >= Amount::ZERO && purse.held >= Amount::ZERO, "no balance is below zero");
            free[asset_index(*asset)] += purse.free;
            held[asset_index(*asset)] += purse.held;
        }
        let mut wallets = vec![Amount::ZERO; self.totals.len()];
        for (_, wallet) in self.wallets() {
            wallets[asset_index(wallet.asset)] += wallet.amount;
        }
        for (at, Counted { totals, .. }) in self.totals.iter().enumerate() {
            assert_eq!(totals.free, free[at], "the total of free balances is their sum");
            assert_eq!(totals.held, held[at], "the total of held balances is their sum");
            assert_eq!(totals.wallets, wallets[at], "the total of futures wallets is their sum");
            assert!(totals.agree(), "deposits and withdrawals equal what accounts, fees and trades hold");
        }
    }

    /// Puts back what a snapshot has; the totals come by [`Self::restore_totals`].
    pub fn restore(&mut self, account: AccountId, asset: AssetId, free: Amount, held: Amount) {
        let slot = self.slot(account, asset);
        self.purses[slot.index()] = Purse { free, held };
    }

    /// Puts back what a snapshot has; the totals come by [`Self::restore_totals`].
    pub fn restore_wallet(&mut self, slot: WalletSlot, amount: Amount) {
        self.wallets[slot].amount = amount;
    }

    /// Puts back what a snapshot has.
    pub fn restore_totals(&mut self, asset: AssetId, totals: AssetTotals) {
        self.totals[asset_index(asset)].totals = totals;
    }

    /// Changes a balance, and what all balances of the asset are together. The rest of the posting goes to the totals.
    #[inline]
    fn post(&mut self, slot: BalanceSlot, asset: AssetId, free: Amount, held: Amount) -> &mut AssetTotals {
        debug_assert!(self.owners[slot.index()].1 == asset, "what is posted is of the balance's asset");
        let purse = &mut self.purses[slot.index()];
        purse.free += free;
        purse.held += held;
        assert!(purse.free >= Amount::ZERO, "no balance is below zero");
        assert!(purse.held >= Amount::ZERO, "nobody spends more than was held");
        let totals = self.totals_posted_to(asset);
        totals.free += free;
        totals.held += held;
        totals
    }

    #[inline]
    fn totals_posted_to(&mut self, asset: AssetId) -> &mut AssetTotals {
        let Counted { totals, is_touched } = &mut self.totals[asset_index(asset)];
        if !*is_touched {
            *is_touched = true;
            self.touched.push(asset);
        }
        totals
    }
}

/// Where an asset is among those that an account has, or would be. Who has all of them has each at its number.
#[inline]
fn place_of(owned: &[(AssetId, BalanceSlot)], asset: AssetId) -> Result<usize, usize> {
    let at = asset_index(asset);
    match owned.get(at) {
        Some((here, _)) if *here == asset => Ok(at),
        Some(_) | None => owned.binary_search_by_key(&asset, |(asset, _)| *asset),
    }
}

#[inline]
fn account_index(account: AccountId) -> usize {
    let from_zero = account.0.checked_sub(1).expect("accounts are numbered from 1");
    usize::try_from(from_zero).expect("accounts fit into memory")
}

#[inline]
fn asset_index(asset: AssetId) -> usize {
    usize::try_from(asset.0).expect("assets fit into memory")
}
