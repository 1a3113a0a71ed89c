//! Futures wallets: what backs the positions of an account, apart from its balance. An isolated position has a wallet of its own,
//! its margin.

use std::collections::BTreeMap;

use model::{AccountId, Amount, AssetId, MarketId, PositionSide};

/// What an account has of an asset to back its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// Of an isolated position: its margin. `None` of the account's wallet.
    pub isolated_at: Option<(MarketId, PositionSide)>,
    /// How much; below zero only while open positions have won as much, or until a liquidation is over.
    pub amount: Amount,
}

/// Where a futures wallet lies. Private to its partition: it is in no event, no hash and no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalletSlot(u32);

impl WalletSlot {
    /// Its place, from 0 without gaps in the order of opening: for whoever keeps something beside each wallet.
    #[inline]
    pub fn index(self) -> usize {
        usize::try_from(self.0).expect("slots fit into memory")
    }
}

/// What tells a wallet from all others: the fields of [`Wallet`] that never change.
type WalletName = (AccountId, AssetId, Option<(MarketId, PositionSide)>);

/// All futures wallets of a partition.
#[derive(Default)]
pub struct Wallets {
    list: Vec<Wallet>,
    slots: BTreeMap<WalletName, WalletSlot>,
    /// By account: the first of its own wallets that was opened, and mostly the only one, found without a search.
    first: Vec<Option<WalletSlot>>,
}

impl Wallets {
    /// Where it says which wallet an account has opened first; nowhere where it is too new for that.
    #[inline]
    pub fn first_at(&self, account: AccountId) -> Option<&Option<WalletSlot>> {
        usize::try_from(account.0).ok().and_then(|at| self.first.get(at))
    }

    /// The first wallet that an account has opened.
    #[inline]
    pub fn first(&self, account: AccountId) -> Option<WalletSlot> {
        self.first_at(account).copied().flatten()
    }

    #[inline]
    fn first_of(&self, account: AccountId, asset: AssetId) -> Option<WalletSlot> {
        self.first(account).filter(|slot| self[*slot].asset == asset)
    }

    pub fn find(&self, account: AccountId, asset: AssetId) -> Option<WalletSlot> {
        let first = self.first_of(account, asset);
        if first.is_some() {
            return first;
        }
        self.slots.get(&(account, asset, None)).copied()
    }

    pub fn slot(
        &mut self,
        account: AccountId,
        asset: AssetId,
        isolated_at: Option<(MarketId, PositionSide)>,
    ) -> WalletSlot {
        if isolated_at.is_none()
            && let Some(first) = self.first_of(account, asset)
        {
            return first;
        }
        let list = &mut self.list;
        let slot = *self.slots.entry((account, asset, isolated_at)).or_insert_with(|| {
            let slot = WalletSlot(u32::try_from(list.len()).expect("fewer than 2^32 wallets"));
            list.push(Wallet { account, asset, isolated_at, amount: Amount::ZERO });
            slot
        });
        if isolated_at.is_none() {
            let at = usize::try_from(account.0).expect("accounts fit into memory");
            if self.first.len() <= at {
                self.first.resize(at.saturating_add(1), None);
            }
            self.first[at].get_or_insert(slot);
        }
        slot
    }

    pub fn iter(&self) -> impl Iterator<Item = (WalletSlot, &Wallet)> {
        self.slots.values().map(|slot| (*slot, &self.list[slot.index()]))
    }
}

impl std::ops::Index<WalletSlot> for Wallets {
    type Output = Wallet;
    #[inline]
    fn index(&self, slot: WalletSlot) -> &Wallet {
        &self.list[slot.index()]
    }
}

impl std::ops::IndexMut<WalletSlot> for Wallets {
    #[inline]
    fn index_mut(&mut self, slot: WalletSlot) -> &mut Wallet {
        &mut self.list[slot.index()]
    }
}
