//! Reference data: assets and markets as they are listed. Everybody may read it; only listing commands change it.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AccountId, AddAsset, AddContract, AddMarket, AssetId, AssetName, AssetTerms, ContractTerms,
    ContractTermsError, MarketId, MarketName, MarketTerms, PartitionId, Reject,
};

/// Assets and markets by number and by name.
#[derive(Default)]
pub struct Catalog {
    assets: Vec<AssetTerms>,
    asset_names: BTreeMap<AssetName, AssetId>,
    markets: Vec<MarketTerms>,
    /// Contracts (true) have names of their own: a spot market and a contract may share one, as at Binance.
    market_names: BTreeMap<(bool, MarketName), MarketId>,
    /// By market: what a contract has beside the terms of every market. Shorter than `markets` while the last ones are spot markets.
    contracts: Vec<Option<Box<ContractTerms>>>,
    /// Accounts that are the insurance fund of some contract.
    funds: BTreeSet<AccountId>,
    /// By market: where it lives.
    homes: Vec<PartitionId>,
    /// Those that accept nothing because they are on their way to another partition.
    pub(crate) moving: BTreeSet<MarketId>,
}

impl Catalog {
    /// An asset's settings.
    pub fn asset(&self, asset: AssetId) -> Result<&AssetTerms, Reject> {
        usize::try_from(asset.0).ok().and_then(|at| self.assets.get(at)).ok_or(Reject::UnknownAsset { asset })
    }

    /// A market's settings.
    #[inline]
    pub fn market(&self, market: MarketId) -> Result<&MarketTerms, Reject> {
        usize::try_from(market.0)
            .ok()
            .and_then(|at| self.markets.get(at))
            .ok_or(Reject::UnknownMarket { market })
    }

    /// What a contract has beside the terms of every market; `None` of a spot market.
    #[inline]
    pub fn contract(&self, market: MarketId) -> Option<&ContractTerms> {
        self.contracts.get(usize::try_from(market.0).ok()?)?.as_deref()
    }

    /// All contracts, by number.
    pub fn contracts(&self) -> impl Iterator<Item = (MarketId, &ContractTerms)> {
        let numbered = (0..).map(MarketId).zip(&self.contracts);
        numbered.filter_map(|(market, contract)| Some((market, contract.as_deref()?)))
    }

    /// A spot market's settings, unless the market is on its way to another partition.
    #[inline]
    pub(crate) fn open_spot_market(&self, market: MarketId) -> Result<&MarketTerms, Reject> {
        let terms = self.open_market(market)?;
        if self.contract(market).is_some() { Err(Reject::IsContract { market }) } else { Ok(terms) }
    }

    /// A market's settings, unless the market is on its way to another partition.
    #[inline]
    pub(crate) fn open_market(&self, market: MarketId) -> Result<&MarketTerms, Reject> {
        let terms = self.market(market)?;
        if !self.moving.is_empty() && self.moving.contains(&market) {
            return Err(Reject::MarketClosed);
        }
        Ok(terms)
    }

    /// The partition where a market lives.
    #[inline]
    pub fn home(&self, market: MarketId) -> Option<PartitionId> {
        usize::try_from(market.0).ok().and_then(|at| self.homes.get(at)).copied()
    }

    pub(crate) fn set_home(&mut self, market: MarketId, home: PartitionId) {
        self.homes[usize::try_from(market.0).expect("markets fit into memory")] = home;
    }

    /// The asset of that name.
    pub fn asset_named(&self, name: &AssetName) -> Option<AssetId> {
        self.asset_names.get(name).copied()
    }

    /// The spot market of that name.
    pub fn market_named(&self, name: &MarketName) -> Option<MarketId> {
        self.market_names.get(&(false, *name)).copied()
    }

    /// The contract of that name.
    pub fn contract_named(&self, name: &MarketName) -> Option<MarketId> {
        self.market_names.get(&(true, *name)).copied()
    }

    /// All assets, by number.
    pub fn assets(&self) -> impl Iterator<Item = (AssetId, &AssetTerms)> {
        (0..).map(AssetId).zip(&self.assets)
    }

    /// All markets, by number.
    pub fn markets(&self) -> impl Iterator<Item = (MarketId, &MarketTerms)> {
        (0..).map(MarketId).zip(&self.markets)
    }

    pub(crate) fn add_asset(&mut self, add: &AddAsset) -> Result<AssetId, Reject> {
        if add.terms.name.is_empty() {
            return Err(Reject::NameMissing);
        }
        if add.terms.scale > AssetTerms::MAX_SCALE {
            return Err(Reject::ScaleTooLarge { scale: add.terms.scale });
        }
        if self.asset_names.contains_key(&add.terms.name) {
            return Err(Reject::NameTaken);
        }
        let asset = AssetId(u32::try_from(self.assets.len()).expect("fewer than 2^32 assets"));
        self.assets.push(add.terms);
        self.asset_names.insert(add.terms.name, asset);
        Ok(asset)
    }

    pub(crate) fn add_market(&mut self, add: &AddMarket, home: PartitionId) -> Result<MarketId, Reject> {
        self.add(&add.terms, home, false)
    }

    /// Under the next number, and a name among spot markets or among contracts.
    fn add(&mut self, terms: &MarketTerms, home: PartitionId, is_contract: bool) -> Result<MarketId, Reject> {
        self.check(terms)?;
        let name = (is_contract, terms.name);
        if self.market_names.contains_key(&name) {
            return Err(Reject::NameTaken);
        }
        let market = MarketId(u32::try_from(self.markets.len()).expect("fewer than 2^32 markets"));
        self.markets.push(*terms);
        self.homes.push(home);
        self.market_names.insert(name, market);
        Ok(market)
    }

    /// As a snapshot has it, which tells behind all markets what is a contract.
    pub(crate) fn restore_market(&mut self, terms: &MarketTerms, is_contract: bool) -> Result<(), Reject> {
        self.add(terms, PartitionId::FIRST, is_contract).map(drop)
    }

    pub(crate) fn add_contract(&mut self, add: &AddContract) -> Result<MarketId, Reject> {
        self.check(&add.terms)?;
        self.check_contract(add)?;
        let market = self.add(&add.terms, add.partition, true)?;
        self.make_contract(market, add)?;
        Ok(market)
    }

    /// Makes a contract of a market that was just listed.
    pub(crate) fn make_contract(&mut self, market: MarketId, add: &AddContract) -> Result<(), Reject> {
        self.check_contract(add)?;
        self.contracts.resize(self.markets.len(), None);
        let at = usize::try_from(market.0).expect("markets fit into memory");
        self.contracts[at] = Some(Box::new(add.contract.clone()));
        self.funds = self.contracts().map(|(_, contract)| contract.fund).collect();
        Ok(())
    }

    /// Whether an account is the insurance fund of any contract.
    #[inline]
    pub(crate) fn is_fund(&self, account: AccountId) -> bool {
        self.funds.contains(&account)
    }

    pub(crate) fn change_contract(&mut self, change: &AddContract) -> Result<MarketId, Reject> {
        let unknown = Reject::UnknownMarket { market: MarketId(u32::MAX) };
        let market = self.contract_named(&change.terms.name).ok_or(unknown)?;
        self.check(&change.terms)?;
        self.check_contract(change)?;
        self.change_terms(market, &change.terms)?;
        self.make_contract(market, change)?;
        Ok(market)
    }

    fn check_contract(&self, add: &AddContract) -> Result<(), Reject> {
        let AddContract { terms, contract, .. } = add;
        contract.check(terms).map_err(|rule| Reject::BadContract { rule })?;
        for market in contract.sources.iter().filter_map(|source| source.market) {
            let is_like_it = self.market(market)?.quote == terms.quote && self.contract(market).is_none();
            if !is_like_it {
                return Err(Reject::BadContract { rule: ContractTermsError::Sources });
            }
        }
        Ok(())
    }

    /// Changes the terms of the market of that name, all but what resting orders are counted in.
    pub(crate) fn change_market(&mut self, change: &AddMarket) -> Result<MarketId, Reject> {
        let market = self
            .market_named(&change.terms.name)
            .ok_or(Reject::UnknownMarket { market: MarketId(u32::MAX) })?;
        self.check(&change.terms)?;
        self.change_terms(market, &change.terms)?;
        Ok(market)
    }

    fn change_terms(&mut self, market: MarketId, change: &MarketTerms) -> Result<(), Reject> {
        let terms = &mut self.markets[usize::try_from(market.0).expect("markets fit into memory")];
        let counted_in = |terms: &MarketTerms| {
            (terms.base, terms.quote, terms.price_scale, terms.tick_size, terms.base_atoms_per_lot)
        };
        if counted_in(terms) != counted_in(change) {
            return Err(Reject::TermsAreFixed);
        }
        *terms = *change;
        Ok(())
    }

    fn check(&self, terms: &MarketTerms) -> Result<(), Reject> {
        let (base, quote) = (self.asset(terms.base)?, self.asset(terms.quote)?);
        terms.check(base, quote).map_err(|rule| Reject::BadTerms { rule })
    }
}
