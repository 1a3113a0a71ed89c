//! What is listed and who is here: assets, markets, accounts and the public halves of API keys.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{
    AccountId, AccountName, ApiKeyCreated, ApiKeyId, AssetId, AssetName, AssetTerms, MarketId, MarketName,
    MarketTerms, TimeNs, TradeGroup,
};

use crate::slab::at;

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// What its operator calls it.
    pub name: AccountName,
    /// Its group for self-trade prevention.
    pub trade_group: TradeGroup,
    /// When it was opened.
    pub created_ns: TimeNs,
}

/// The public half of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose.
    pub account: AccountId,
    /// What it may do, as the gateway means it.
    pub permissions: u32,
    /// Since when.
    pub created_ns: TimeNs,
}

coded_struct!(Account { name, trade_group, created_ns });
coded_struct!(ApiKey { account, permissions, created_ns });

/// Everything that is listed, by id and by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    assets: Vec<AssetTerms>,
    asset_names: BTreeMap<AssetName, AssetId>,
    markets: Vec<MarketTerms>,
    market_names: BTreeMap<MarketName, MarketId>,
    accounts: Vec<Account>,
    account_names: BTreeMap<AccountName, AccountId>,
    keys: BTreeMap<ApiKeyId, ApiKey>,
    keys_by_account: BTreeSet<(AccountId, ApiKeyId)>,
}

impl Catalog {
    /// An asset's settings.
    pub fn asset(&self, asset: AssetId) -> Option<&AssetTerms> {
        self.assets.get(at(asset.0))
    }

    /// The asset of that name.
    pub fn asset_by_name(&self, name: &AssetName) -> Option<AssetId> {
        self.asset_names.get(name).copied()
    }

    /// All assets, in the order of listing.
    pub fn assets(&self) -> impl ExactSizeIterator<Item = (AssetId, &AssetTerms)> {
        self.assets.iter().enumerate().map(|(index, terms)| (AssetId(id(index)), terms))
    }

    /// A market's settings as they are now.
    pub fn market(&self, market: MarketId) -> Option<&MarketTerms> {
        self.markets.get(at(market.0))
    }

    /// The market of that name.
    pub fn market_by_name(&self, name: &MarketName) -> Option<MarketId> {
        self.market_names.get(name).copied()
    }

    /// All markets, in the order of listing.
    pub fn markets(&self) -> impl ExactSizeIterator<Item = (MarketId, &MarketTerms)> {
        self.markets.iter().enumerate().map(|(index, terms)| (MarketId(id(index)), terms))
    }

    /// An account.
    pub fn account(&self, account: AccountId) -> Option<&Account> {
        account_index(account).and_then(|index| self.accounts.get(index))
    }

    /// The account of that name.
    pub fn account_by_name(&self, name: &AccountName) -> Option<AccountId> {
        self.account_names.get(name).copied()
    }

    /// All accounts, in the order of creation.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = (AccountId, &Account)> {
        self.accounts.iter().enumerate().map(|(index, account)| (account_id(index), account))
    }

    /// The key of that public half, unless it was revoked.
    pub fn key(&self, key: &ApiKeyId) -> Option<&ApiKey> {
        self.keys.get(key)
    }

    /// The keys of an account, in the order of their public halves.
    pub fn keys_of(&self, account: AccountId) -> impl Iterator<Item = (&ApiKeyId, &ApiKey)> {
        let first = (account, ApiKeyId::EMPTY);
        self.keys_by_account
            .range(first..)
            .take_while(move |(owner, _)| *owner == account)
            .map(|(_, key)| (key, self.keys.get(key).expect("a key is listed twice or not at all")))
    }

    /// The settings of a market that an event names.
    pub(crate) fn listed(&self, market: MarketId) -> &MarketTerms {
        self.market(market).expect("an event names listed markets only")
    }

    pub(crate) fn add_asset(&mut self, asset: AssetId, terms: AssetTerms) {
        assert_eq!(at(asset.0), self.assets.len(), "assets are listed under the next id");
        self.assets.push(terms);
        let other = self.asset_names.insert(terms.name, asset);
        assert!(other.is_none(), "names of assets are unique");
    }

    /// Lists a market or changes its terms.
    pub(crate) fn add_market(&mut self, market: MarketId, terms: MarketTerms) {
        let index = at(market.0);
        assert!(index <= self.markets.len(), "markets are listed under the next id");
        if let Some(before) = self.markets.get_mut(index) {
            assert_eq!(before.name, terms.name, "a market keeps its name");
            assert!(
                before.base == terms.base
                    && before.quote == terms.quote
                    && before.base_atoms_per_lot == terms.base_atoms_per_lot
                    && before.quote_atoms_per_tick_lot == terms.quote_atoms_per_tick_lot,
                "a market keeps its assets, tick and lot"
            );
            *before = terms;
        } else {
            self.markets.push(terms);
            let other = self.market_names.insert(terms.name, market);
            assert!(other.is_none(), "names of markets are unique");
        }
    }

    pub(crate) fn add_account(&mut self, id: AccountId, account: Account) {
        assert_eq!(
            account_index(id),
            Some(self.accounts.len()),
            "accounts are opened under the next id, from 1"
        );
        self.accounts.push(account);
        let other = self.account_names.insert(account.name, id);
        assert!(other.is_none(), "names of accounts are unique");
    }

    pub(crate) fn add_key(&mut self, created: &ApiKeyCreated, time_ns: TimeNs) {
        let key = ApiKey { account: created.account, permissions: created.permissions, created_ns: time_ns };
        let other = self.keys.insert(created.key, key);
        assert!(other.is_none(), "API keys are unique");
        self.keys_by_account.insert((created.account, created.key));
    }

    pub(crate) fn revoke_key(&mut self, account: AccountId, key: &ApiKeyId) {
        assert!(self.keys.remove(key).is_some(), "only a key that is there is revoked");
        assert!(self.keys_by_account.remove(&(account, *key)), "a key is revoked from its owner");
    }
}

impl Coded for Catalog {
    fn encode(&self, out: &mut Vec<u8>) {
        self.assets.encode(out);
        self.markets.encode(out);
        self.accounts.encode(out);
        let keys: Vec<(ApiKeyId, ApiKey)> = self.keys.iter().map(|(id, key)| (*id, *key)).collect();
        keys.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let assets = Vec::<AssetTerms>::decode(input)?;
        let markets = Vec::<MarketTerms>::decode(input)?;
        let accounts = Vec::<Account>::decode(input)?;
        let keys = Vec::<(ApiKeyId, ApiKey)>::decode(input)?;
        let asset_names =
            assets.iter().enumerate().map(|(index, terms)| (terms.name, AssetId(id(index)))).collect();
        let market_names =
            markets.iter().enumerate().map(|(index, terms)| (terms.name, MarketId(id(index)))).collect();
        let account_names =
            accounts.iter().enumerate().map(|(index, account)| (account.name, account_id(index))).collect();
        Ok(Self {
            assets,
            asset_names,
            markets,
            market_names,
            accounts,
            account_names,
            keys_by_account: keys.iter().map(|(id, key)| (key.account, *id)).collect(),
            keys: keys.into_iter().collect(),
        })
    }
}

fn id(index: usize) -> u32 {
    u32::try_from(index).expect("ids of assets and markets have 32 bits")
}

fn account_id(index: usize) -> AccountId {
    AccountId(u64::try_from(index).expect("fits").checked_add(1).expect("ids stay below 2^53"))
}

/// Where an account is in a list of all of them.
#[inline]
pub(crate) fn account_index(account: AccountId) -> Option<usize> {
    account.0.checked_sub(1).and_then(|index| usize::try_from(index).ok())
}
