//! What accounts have at contracts, and what those are measured by, as events tell it.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{
    AccountId, Amount, AssetId, Event, MarginType, MarkPriceChanged, MarketId, PositionMarginChanged,
    PositionMode, PositionNow, PositionSide, QtyLots, Side, TimeNs,
};

use crate::ViewSettings;
use crate::open_interest::{InterestHistory, OpenInterest, PastInterest};

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Above zero for a long position, below for a short one.
    pub qty_lots: QtyLots,
    /// What opening it has cost, of the same sign, in atoms of the settlement asset.
    pub cost: Amount,
    /// When it has changed last.
    pub changed_ns: TimeNs,
}
coded_struct!(Position { qty_lots, cost, changed_ns });

/// One of the positions that an account can have at a contract.
type Which = (AccountId, MarketId, PositionSide);

/// Positions, wallets, leverage and prices.
#[derive(Clone, Debug)]
pub struct Futures {
    wallets: BTreeMap<(AccountId, AssetId), Amount>,
    positions: BTreeMap<(AccountId, MarketId), Position>,
    leverage: BTreeMap<(AccountId, MarketId), u16>,
    /// Where positions are isolated.
    isolated: BTreeSet<(AccountId, MarketId)>,
    /// What isolated positions have as their margin.
    margins: BTreeMap<Which, Amount>,
    /// Accounts in hedge mode, and their positions.
    hedgers: BTreeSet<AccountId>,
    legs: BTreeMap<Which, Position>,
    prices: BTreeMap<MarketId, MarkPriceChanged>,
    /// Sums over what has happened: see [`Futures::backing`].
    backing: BTreeMap<AssetId, Amount>,
    /// What follows from the positions.
    interest: BTreeMap<MarketId, OpenInterest>,
    interest_history: InterestHistory,
}

impl Futures {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            wallets: BTreeMap::new(),
            positions: BTreeMap::new(),
            leverage: BTreeMap::new(),
            isolated: BTreeSet::new(),
            margins: BTreeMap::new(),
            hedgers: BTreeSet::new(),
            legs: BTreeMap::new(),
            prices: BTreeMap::new(),
            backing: BTreeMap::new(),
            interest: BTreeMap::new(),
            interest_history: InterestHistory::new(settings.open_interest_kept),
        }
    }

    /// What an account has in its futures wallet.
    pub fn wallet(&self, account: AccountId, asset: AssetId) -> Amount {
        self.wallets.get(&(account, asset)).copied().unwrap_or_default()
    }

    /// An account's position at a contract in one-way mode.
    pub fn position(&self, account: AccountId, market: MarketId) -> Position {
        self.positions.get(&(account, market)).copied().unwrap_or_default()
    }

    /// One of the positions that an account can have at a contract.
    pub fn position_of(&self, account: AccountId, market: MarketId, position_side: PositionSide) -> Position {
        match position_side {
            PositionSide::Both => self.position(account, market),
            PositionSide::Long | PositionSide::Short => {
                self.legs.get(&(account, market, position_side)).copied().unwrap_or_default()
            }
        }
    }

    /// An account's positions in hedge mode, by contract; the long one first.
    pub fn legs_of(&self, account: AccountId) -> impl Iterator<Item = (MarketId, PositionSide, &Position)> {
        let first = (account, MarketId(0), PositionSide::Both);
        let range = first..=(account, MarketId(u32::MAX), PositionSide::Short);
        self.legs
            .range(range)
            .map(|((_, market, position_side), position)| (*market, *position_side, position))
    }

    /// How many positions an account has at each contract.
    pub fn position_mode(&self, account: AccountId) -> PositionMode {
        if self.hedgers.contains(&account) { PositionMode::Hedge } else { PositionMode::OneWay }
    }

    /// An account's positions in one-way mode, by contract.
    pub fn positions_of(&self, account: AccountId) -> impl Iterator<Item = (MarketId, &Position)> {
        let range = (account, MarketId(0))..=(account, MarketId(u32::MAX));
        self.positions.range(range).map(|((_, market), position)| (*market, position))
    }

    /// The leverage that an account has chosen at a contract.
    pub fn leverage(&self, account: AccountId, market: MarketId) -> Option<u16> {
        self.leverage.get(&(account, market)).copied()
    }

    /// What backs an account's positions at a contract.
    pub fn margin_type(&self, account: AccountId, market: MarketId) -> MarginType {
        if self.isolated.contains(&(account, market)) { MarginType::Isolated } else { MarginType::Cross }
    }

    /// What an account's isolated position at a contract has as its margin, in atoms of the settlement asset; zero while there is no
    /// position, `None` where the wallet backs it.
    pub fn margin(
        &self,
        account: AccountId,
        market: MarketId,
        position_side: PositionSide,
    ) -> Option<Amount> {
        let is_isolated = self.isolated.contains(&(account, market));
        let margin = || self.margins.get(&(account, market, position_side)).copied().unwrap_or_default();
        is_isolated.then(margin)
    }

    /// Index price, mark price and expected funding rate, once they were told.
    pub fn prices(&self, market: MarketId) -> Option<&MarkPriceChanged> {
        self.prices.get(&market)
    }

    /// How much is open at a contract.
    pub fn open_interest(&self, market: MarketId) -> OpenInterest {
        self.interest.get(&market).copied().unwrap_or_default()
    }

    /// How much was open in the past.
    pub const fn interest_history(&self) -> &InterestHistory {
        &self.interest_history
    }

    /// Accounts from this one on that have a position, in their order.
    pub fn holders_from(&self, first: AccountId) -> impl Iterator<Item = AccountId> {
        let mut from = Some(first);
        std::iter::from_fn(move || {
            let first = from?;
            let one_way = self.positions.range((first, MarketId(0))..).next();
            let hedged = self.legs.range((first, MarketId(0), PositionSide::Both)..).next();
            let one_way = one_way.map(|((account, _), _)| *account);
            let hedged = hedged.map(|((account, ..), _)| *account);
            let next = one_way.into_iter().chain(hedged).min();
            from = next.and_then(|account| account.0.checked_add(1)).map(AccountId);
            next
        })
    }

    /// An account's futures wallets that there were something in.
    pub fn wallets_of(&self, account: AccountId) -> impl Iterator<Item = (AssetId, Amount)> {
        let range = (account, AssetId(0))..=(account, AssetId(u32::MAX));
        self.wallets.range(range).map(|((_, asset), amount)| (*asset, *amount))
    }

    /// The leverage that an account has chosen, by contract.
    pub fn leverages_of(&self, account: AccountId) -> impl Iterator<Item = (MarketId, u16)> {
        let range = (account, MarketId(0))..=(account, MarketId(u32::MAX));
        self.leverage.range(range).map(|((_, market), leverage)| (*market, *leverage))
    }

    /// A settlement has begun: the next one is an interval later.
    pub(crate) fn settled(&mut self, market: MarketId, interval_hours: u8, time_ns: TimeNs) {
        let interval_ns = u64::from(interval_hours).saturating_mul(3_600_000_000_000).max(1);
        if let Some(prices) = self.prices.get_mut(&market) {
            let since = time_ns.0.checked_rem(interval_ns).unwrap_or_default();
            prices.next_funding_ns = TimeNs(time_ns.0.saturating_sub(since).saturating_add(interval_ns));
        }
    }

    /// All that is in the wallets of an asset and behind isolated positions, less what the positions have cost that they back.
    pub fn backing(&self, asset: AssetId) -> Amount {
        self.backing.get(&asset).copied().unwrap_or_default()
    }

    /// True as long as nobody has put anything into a wallet.
    pub(crate) fn is_empty(&self) -> bool {
        self.wallets.is_empty() && self.hedgers.is_empty()
    }

    /// Takes in what an event tells of contracts. `settled_in` says which asset that is. Returns the fee that was collected, and in
    /// which asset.
    pub(crate) fn see(
        &mut self,
        event: &Event,
        time_ns: TimeNs,
        settled_in: impl Fn(MarketId) -> (AssetId, Amount),
    ) -> Option<(AssetId, Amount)> {
        match event {
            Event::FundsMoved(moved) => {
                self.wallets.insert((moved.account, moved.asset), moved.wallet);
                self.add(moved.asset, moved.amount);
            }
            Event::ContractFilled(filled) => {
                let (asset, tick_lot) = settled_in(filled.market);
                self.now((filled.account, filled.market, filled.position_side), asset, &filled.now, time_ns);
                let value = value_of(filled.price_ticks.0, filled.qty_lots.0, tick_lot);
                self.add(asset, signed(filled.side, value) - filled.fee);
                return Some((asset, filled.fee));
            }
            Event::PositionForced(forced) => {
                let (asset, tick_lot) = settled_in(forced.market);
                self.now((forced.account, forced.market, forced.position_side), asset, &forced.now, time_ns);
                let value = value_of(forced.price_ticks.0, forced.qty_lots.0, tick_lot);
                self.add(asset, signed(forced.side, value));
            }
            Event::FundingPaid(paid) => {
                let asset = settled_in(paid.market).0;
                self.wallets.insert((paid.account, asset), paid.wallet);
                self.add(asset, paid.amount);
            }
            Event::ClearancePaid { account, market, amount, wallet } => {
                let asset = settled_in(*market).0;
                self.wallets.insert((*account, asset), *wallet);
                self.add(asset, -*amount);
            }
            Event::FundReceived { account, market, amount, wallet } => {
                let asset = settled_in(*market).0;
                self.wallets.insert((*account, asset), *wallet);
                self.add(asset, *amount);
            }
            Event::DebtCovered { account, market, amount } => {
                let asset = settled_in(*market).0;
                self.wallets.insert((*account, asset), Amount::ZERO);
                self.add(asset, *amount);
            }
            Event::PositionDebtCovered { account, market, position_side, amount } => {
                self.margins.remove(&(*account, *market, *position_side));
                self.add(settled_in(*market).0, *amount);
            }
            Event::MarginTypeChanged { account, market, margin_type } => {
                match margin_type {
                    MarginType::Cross => self.isolated.remove(&(*account, *market)),
                    MarginType::Isolated => self.isolated.insert((*account, *market)),
                };
            }
            Event::PositionModeChanged { account, mode } => {
                match mode {
                    PositionMode::OneWay => self.hedgers.remove(account),
                    PositionMode::Hedge => self.hedgers.insert(*account),
                };
            }
            Event::PositionMarginChanged(changed) => {
                let PositionMarginChanged { account, market, position_side, margin, wallet, .. } = **changed;
                if margin.is_zero() {
                    self.margins.remove(&(account, market, position_side));
                } else {
                    self.margins.insert((account, market, position_side), margin);
                }
                self.wallets.insert((account, settled_in(market).0), wallet);
            }
            Event::LeverageChanged { account, market, leverage } => {
                self.leverage.insert((*account, *market), *leverage);
            }
            Event::MarkPriceChanged(changed) => {
                self.prices.insert(changed.market, changed.clone());
                self.keep_interest(changed.market, time_ns);
            }
            _ => {}
        }
        None
    }

    /// Whether some position is isolated, or somebody in hedge mode.
    pub(crate) fn has_isolated_or_hedged(&self) -> bool {
        !self.isolated.is_empty() || !self.hedgers.is_empty()
    }

    pub(crate) fn save_isolated_and_hedged(&self, out: &mut Vec<u8>) {
        self.isolated.iter().copied().collect::<Vec<_>>().encode(out);
        self.hedgers.iter().copied().collect::<Vec<_>>().encode(out);
        let keyed = |(account, market, side): Which| (account, (market, side));
        self.margins.iter().map(|(which, margin)| (keyed(*which), *margin)).collect::<Vec<_>>().encode(out);
        self.legs.iter().map(|(which, leg)| (keyed(*which), *leg)).collect::<Vec<_>>().encode(out);
    }

    pub(crate) fn load_isolated_and_hedged(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.isolated = Vec::decode(input)?.into_iter().collect();
        self.hedgers = Vec::decode(input)?.into_iter().collect();
        let which =
            |(account, (market, side)): (AccountId, (MarketId, PositionSide))| (account, market, side);
        let margins: Vec<(_, Amount)> = Vec::decode(input)?;
        self.margins = margins.into_iter().map(|(key, margin)| (which(key), margin)).collect();
        let legs: Vec<(_, Position)> = Vec::decode(input)?;
        for (key, leg) in legs {
            let (account, market, position_side) = which(key);
            let before = self.net(account, market);
            self.legs.insert((account, market, position_side), leg);
            let now = self.net(account, market);
            let interest = self.interest.entry(market).or_default();
            interest.position(QtyLots::ZERO, leg.qty_lots);
            interest.account(before, now);
        }
        Ok(())
    }

    fn add(&mut self, asset: AssetId, amount: Amount) {
        *self.backing.entry(asset).or_default() += amount;
    }

    fn now(&mut self, which: Which, asset: AssetId, now: &PositionNow, changed_ns: TimeNs) {
        let PositionNow { qty_lots, cost, wallet } = *now;
        let (account, market, position_side) = which;
        self.wallets.insert((account, asset), wallet);
        let position = Position { qty_lots, cost, changed_ns };
        let net_before = self.net(account, market);
        let before = match (position_side, qty_lots.is_zero()) {
            (PositionSide::Both, true) => self.positions.remove(&(account, market)),
            (PositionSide::Both, false) => self.positions.insert((account, market), position),
            (PositionSide::Long | PositionSide::Short, true) => self.legs.remove(&which),
            (PositionSide::Long | PositionSide::Short, false) => self.legs.insert(which, position),
        };
        let net = self.net(account, market);
        let interest = self.interest.entry(market).or_default();
        interest.position(before.map_or(QtyLots::ZERO, |before| before.qty_lots), qty_lots);
        interest.account(net_before, net);
        self.keep_interest(market, changed_ns);
    }

    /// What an account's positions at a contract come to.
    fn net(&self, account: AccountId, market: MarketId) -> QtyLots {
        let of = |side| self.position_of(account, market, side).qty_lots;
        let one_way = of(PositionSide::Both);
        if self.legs.is_empty() {
            one_way
        } else {
            one_way + of(PositionSide::Long) + of(PositionSide::Short)
        }
    }

    fn keep_interest(&mut self, market: MarketId, time_ns: TimeNs) {
        let mark_ticks = self.prices.get(&market).map(|prices| prices.mark_ticks);
        let now = PastInterest { open: self.open_interest(market), mark_ticks };
        self.interest_history.changed(market, time_ns, now);
    }

    /// As [`Self::load_interest_history`], from views in which there was none: the past begins with what is open now.
    pub(crate) fn begin_interest_history(&mut self, time_ns: TimeNs) {
        let markets: Vec<MarketId> = self.interest.keys().copied().collect();
        for market in markets {
            self.keep_interest(market, time_ns);
        }
    }

    pub(crate) fn has_interest_history(&self) -> bool {
        !self.interest_history.is_empty()
    }

    pub(crate) fn save_interest_history(&self, out: &mut Vec<u8>) {
        self.interest_history.save(out);
    }

    pub(crate) fn load_interest_history(
        &mut self,
        settings: &ViewSettings,
        input: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        self.interest_history = InterestHistory::load(settings.open_interest_kept, input)?;
        Ok(())
    }
}

fn value_of(price: i64, qty: i64, tick_lot: Amount) -> Amount {
    let tick_lots = i128::from(price).checked_mul(qty.into());
    let value = tick_lots.and_then(|tick_lots| tick_lots.checked_mul(tick_lot.0));
    Amount(value.expect("terms bound price x quantity"))
}

/// What a trade takes from those who buy, it gives to those who sell.
fn signed(side: Side, value: Amount) -> Amount {
    match side {
        Side::Buy => -value,
        Side::Sell => value,
    }
}

fn list<K: Copy, V: Clone>(map: &BTreeMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (*key, value.clone())).collect()
}

/// What every exchange with contracts has. What only some have stands behind it, in another form of saved views.
impl Futures {
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        list(&self.wallets).encode(out);
        list(&self.positions).encode(out);
        list(&self.leverage).encode(out);
        self.prices.values().cloned().collect::<Vec<_>>().encode(out);
        list(&self.backing).encode(out);
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut futures = Self::new(settings);
        futures.wallets = Vec::decode(input)?.into_iter().collect();
        futures.positions = Vec::decode(input)?.into_iter().collect();
        for ((_, market), position) in &futures.positions {
            let interest = futures.interest.entry(*market).or_default();
            interest.position(QtyLots::ZERO, position.qty_lots);
            interest.account(QtyLots::ZERO, position.qty_lots);
        }
        futures.leverage = Vec::decode(input)?.into_iter().collect();
        let prices = Vec::<MarkPriceChanged>::decode(input)?;
        futures.prices = prices.into_iter().map(|changed| (changed.market, changed)).collect();
        futures.backing = Vec::decode(input)?.into_iter().collect();
        Ok(futures)
    }
}
