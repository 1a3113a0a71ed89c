//! What is listed and who is here: assets, markets, accounts and the public halves of API keys.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{
    AccountId, AccountName, ApiKeyAdded, ApiKeyChanged, ApiKeyId, AssetId, AssetName, AssetTerms,
    ContractTerms, IpRange, KeyKind, KeyLabel, MarketId, MarketName, MarketTerms, PartitionId, Partitions,
    Spread, TimeNs, TradeGroup,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose.
    pub account: AccountId,
    /// How it signs.
    pub kind: KeyKind,
    /// What its owner calls it; may be empty.
    pub label: KeyLabel,
    /// What it may do, as the gateway means it.
    pub permissions: u32,
    /// From where it may be used; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
    /// Since when.
    pub created_ns: TimeNs,
}

coded_struct!(Account { name, trade_group, created_ns });
coded_struct!(ApiKey { account, kind, label, permissions, ip_ranges, created_ns });

/// A key as the first form of saved views had it.
struct FirstApiKey {
    account: AccountId,
    permissions: u32,
    created_ns: TimeNs,
}
coded_struct!(FirstApiKey { account, permissions, created_ns });

impl From<FirstApiKey> for ApiKey {
    fn from(FirstApiKey { account, permissions, created_ns }: FirstApiKey) -> Self {
        let (kind, label, ip_ranges) = (KeyKind::HmacSha256, KeyLabel::EMPTY, Vec::new());
        Self { account, kind, label, permissions, ip_ranges, created_ns }
    }
}

/// Everything that is listed, by id and by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    assets: Vec<AssetTerms>,
    asset_names: BTreeMap<AssetName, AssetId>,
    markets: Vec<MarketTerms>,
    /// Spot markets only: contracts have names of their own.
    market_names: BTreeMap<MarketName, MarketId>,
    contract_names: BTreeMap<MarketName, MarketId>,
    accounts: Vec<Account>,
    account_names: BTreeMap<AccountName, AccountId>,
    keys: BTreeMap<ApiKeyId, ApiKey>,
    keys_by_account: BTreeSet<(AccountId, ApiKeyId)>,
    partitions: Partitions,
    /// By market: where it lives.
    market_homes: Vec<PartitionId>,
    moving: BTreeMap<MarketId, PartitionId>,
    contracts: BTreeMap<MarketId, ContractTerms>,
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

    /// What a contract has beside the settings of every market; `None` of a spot market.
    pub fn contract(&self, market: MarketId) -> Option<&ContractTerms> {
        if self.contracts.is_empty() { None } else { self.contracts.get(&market) }
    }

    /// All contracts, in the order of listing.
    pub fn contracts(&self) -> impl ExactSizeIterator<Item = (MarketId, &ContractTerms)> {
        self.contracts.iter().map(|(market, contract)| (*market, contract))
    }

    /// The spot market of that name.
    pub fn market_by_name(&self, name: &MarketName) -> Option<MarketId> {
        self.market_names.get(name).copied()
    }

    /// The contract of that name.
    pub fn contract_by_name(&self, name: &MarketName) -> Option<MarketId> {
        self.contract_names.get(name).copied()
    }

    /// All markets, in the order of listing, contracts included.
    pub fn markets(&self) -> impl ExactSizeIterator<Item = (MarketId, &MarketTerms)> {
        self.markets.iter().enumerate().map(|(index, terms)| (MarketId(id(index)), terms))
    }

    /// An account.
    pub fn account(&self, account: AccountId) -> Option<&Account> {
        let found = account_index(account).and_then(|index| self.accounts.get(index));
        found.filter(|account| !account.name.is_empty())
    }

    /// The account of that name.
    pub fn account_by_name(&self, name: &AccountName) -> Option<AccountId> {
        self.account_names.get(name).copied()
    }

    /// How accounts are spread over partitions.
    pub const fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The partition where a market lives.
    pub fn market_home(&self, market: MarketId) -> PartitionId {
        self.market_homes.get(at(market.0)).copied().unwrap_or_default()
    }

    /// Where a market is on its way to; it accepts nothing until it is there.
    pub fn moving_to(&self, market: MarketId) -> Option<PartitionId> {
        self.moving.get(&market).copied()
    }

    /// All accounts, in the order of creation. The views of the first partition know all of the exchange by name; those of
    /// another one only its own, and have empty names in the places of the others.
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

    /// Lists a spot market or changes its terms.
    pub(crate) fn add_market(&mut self, market: MarketId, terms: MarketTerms) {
        self.list(market, terms);
        let other = self.market_names.insert(terms.name, market);
        assert!(other.is_none_or(|other| other == market), "names of spot markets are unique");
    }

    fn list(&mut self, market: MarketId, terms: MarketTerms) {
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
            self.market_homes.push(PartitionId::FIRST);
        }
    }

    /// Lists a contract or changes its terms.
    pub(crate) fn add_contract(&mut self, market: MarketId, terms: MarketTerms, contract: &ContractTerms) {
        self.list(market, terms);
        let other = self.contract_names.insert(terms.name, market);
        assert!(other.is_none_or(|other| other == market), "names of contracts are unique");
        self.contracts.insert(market, contract.clone());
    }

    pub(crate) fn has_contracts(&self) -> bool {
        !self.contracts.is_empty()
    }

    pub(crate) fn save_contracts(&self, out: &mut Vec<u8>) {
        let contracts = self.contracts.iter().map(|(market, contract)| (*market, contract.clone()));
        contracts.collect::<Vec<_>>().encode(out);
    }

    pub(crate) fn load_contracts(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.contracts = Vec::<(MarketId, ContractTerms)>::decode(input)?.into_iter().collect();
        self.market_names.clear();
        for (market, terms) in (0..).map(MarketId).zip(&self.markets) {
            let names = if self.contracts.contains_key(&market) {
                &mut self.contract_names
            } else {
                &mut self.market_names
            };
            names.insert(terms.name, market);
        }
        Ok(())
    }

    pub(crate) fn add_account(&mut self, id: AccountId, account: Account) {
        let index = account_index(id).expect("accounts are numbered from 1");
        let vacant =
            Account { name: AccountName::EMPTY, trade_group: TradeGroup::NONE, created_ns: TimeNs(0) };
        while self.accounts.len() < index {
            self.accounts.push(vacant);
        }
        assert_eq!(index, self.accounts.len(), "accounts are opened by ascending id, from 1");
        self.accounts.push(account);
        let other = self.account_names.insert(account.name, id);
        assert!(other.is_none(), "names of accounts are unique");
    }

    pub(crate) fn add_key(&mut self, added: &ApiKeyAdded, time_ns: TimeNs) {
        let ApiKeyAdded { account, key: id, kind, label, permissions, ip_ranges } = added.clone();
        let key = ApiKey { account, kind, label, permissions, ip_ranges, created_ns: time_ns };
        let other = self.keys.insert(id, key);
        assert!(other.is_none(), "API keys are unique");
        self.keys_by_account.insert((account, id));
    }

    pub(crate) fn change_key(&mut self, changed: &ApiKeyChanged) {
        let key = self.keys.get_mut(&changed.key).expect("only a key that is there is changed");
        key.permissions = changed.permissions;
        key.ip_ranges.clone_from(&changed.ip_ranges);
    }

    pub(crate) fn revoke_key(&mut self, account: AccountId, key: &ApiKeyId) {
        assert!(self.keys.remove(key).is_some(), "only a key that is there is revoked");
        assert!(self.keys_by_account.remove(&(account, *key)), "a key is revoked from its owner");
    }
}

impl Catalog {
    pub(crate) fn add_partition(&mut self, spread: Spread) {
        self.partitions.add(spread.first_account);
        assert_eq!(self.partitions.count(), spread.count, "partitions are added one by one");
    }

    pub(crate) fn market_moving(&mut self, market: MarketId, to: PartitionId) {
        self.moving.insert(market, to);
    }

    pub(crate) fn market_placed(&mut self, market: MarketId, home: PartitionId) {
        self.moving.remove(&market);
        *self.market_homes.get_mut(at(market.0)).expect("an event names listed markets only") = home;
    }

    /// True when there is only one partition, so that [`Self::save_partitions`] has nothing to say.
    pub(crate) fn is_alone(&self) -> bool {
        self.partitions.count() == 1
    }

    pub(crate) fn save_partitions(&self, out: &mut Vec<u8>) {
        self.partitions.spreads().to_vec().encode(out);
        self.market_homes.encode(out);
        let moving: Vec<(MarketId, PartitionId)> =
            self.moving.iter().map(|(market, to)| (*market, *to)).collect();
        moving.encode(out);
    }

    pub(crate) fn load_partitions(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        let spreads = Vec::<Spread>::decode(input)?;
        let unknown = DecodeError::UnknownTag { what: "a spread over partitions", tag: 0 };
        self.partitions = Partitions::from_spreads(spreads).ok_or(unknown)?;
        self.market_homes = Coded::decode(input)?;
        self.moving = Vec::<(MarketId, PartitionId)>::decode(input)?.into_iter().collect();
        Ok(())
    }
}

impl Coded for Catalog {
    fn encode(&self, out: &mut Vec<u8>) {
        self.assets.encode(out);
        self.markets.encode(out);
        self.accounts.encode(out);
        let keys: Vec<(ApiKeyId, ApiKey)> = self.keys.iter().map(|(id, key)| (*id, key.clone())).collect();
        keys.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read::<ApiKey>(input)
    }
}

impl Catalog {
    /// As the first form of saved views had it.
    pub(crate) fn decode_first(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read::<FirstApiKey>(input)
    }

    fn read<K: Coded + Into<ApiKey>>(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let assets = Vec::<AssetTerms>::decode(input)?;
        let markets = Vec::<MarketTerms>::decode(input)?;
        let accounts = Vec::<Account>::decode(input)?;
        let keys = Vec::<(ApiKeyId, K)>::decode(input)?;
        let keys: BTreeMap<ApiKeyId, ApiKey> = keys.into_iter().map(|(id, key)| (id, key.into())).collect();
        let asset_names =
            assets.iter().enumerate().map(|(index, terms)| (terms.name, AssetId(id(index)))).collect();
        let market_names =
            markets.iter().enumerate().map(|(index, terms)| (terms.name, MarketId(id(index)))).collect();
        let account_names =
            accounts.iter().enumerate().map(|(index, account)| (account.name, account_id(index)));
        let account_names = account_names.filter(|(name, _)| !name.is_empty()).collect();
        Ok(Self {
            partitions: Partitions::default(),
            market_homes: vec![PartitionId::FIRST; markets.len()],
            moving: BTreeMap::new(),
            contracts: BTreeMap::new(),
            assets,
            asset_names,
            markets,
            market_names,
            contract_names: BTreeMap::new(),
            accounts,
            account_names,
            keys_by_account: keys.iter().map(|(id, key)| (key.account, *id)).collect(),
            keys,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Views that the first version saved have keys without kind, label and addresses.
    #[test]
    fn keys_of_the_first_form_are_read() {
        let (account, id) = (AccountId(7), ApiKeyId::new("key").unwrap());
        let first = FirstApiKey { account, permissions: 3, created_ns: TimeNs(9) };
        let mut bytes = Vec::new();
        // No assets, no markets, no accounts.
        [0_u32; 3].iter().for_each(|none| none.encode(&mut bytes));
        vec![(id, first)].encode(&mut bytes);

        let catalog = Catalog::decode_first(&mut Reader::new(&bytes)).unwrap();
        let key = ApiKey {
            account,
            kind: KeyKind::HmacSha256,
            label: KeyLabel::EMPTY,
            permissions: 3,
            ip_ranges: Vec::new(),
            created_ns: TimeNs(9),
        };
        assert_eq!(catalog.keys_of(account).collect::<Vec<_>>(), [(&id, &key)]);
        assert!(Catalog::decode(&mut Reader::new(&bytes)).is_err(), "the present form has more");
    }
}
