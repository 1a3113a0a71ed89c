//! What an account's positions and open orders at contracts take, as people are shown it. Nothing is decided here: the
//! partition decides by the same rules, when an order comes.

use std::collections::BTreeMap;

use margin::{
    MicroAtoms, OpenOrders, Position, initial_margin, maintenance_margin, order_price, total_initial_margin,
};
use model::{
    AccountId, Amount, AssetId, MarkPriceChanged, MarketId, PositionMode, PositionSide, PriceTicks, Side,
    TimeNs,
};
use views::Views;

use dialect::contracts::first_prices;

use crate::errors::ApiError;
use crate::futures::listed::terms_of;
use crate::gateway::Gateway;
use crate::listings::{Listing, Listings};

/// The prices of each contract beside those of its trades.
pub(crate) type Prices = BTreeMap<MarketId, MarkPriceChanged>;

impl Gateway {
    /// The prices of a contract, as its home tells them.
    pub(crate) async fn prices_of(&self, listing: &Listing) -> Result<MarkPriceChanged, ApiError> {
        let told = self.with_market(listing, |views| views.futures().prices(listing.market).cloned()).await?;
        Ok(told.unwrap_or_else(|| first_prices(listing)))
    }

    /// Those of all contracts.
    pub(crate) async fn prices(&self, listings: &Listings) -> Result<Prices, ApiError> {
        let mut prices = BTreeMap::new();
        for listing in listings.contracts() {
            prices.insert(listing.market, self.prices_of(listing).await?);
        }
        Ok(prices)
    }
}

/// One of the positions that an account can have at a contract.
pub(crate) struct Held<'l> {
    pub(crate) listing: &'l Listing,
    pub(crate) position_side: PositionSide,
    pub(crate) position: Position,
    /// What an isolated position has as its margin; `None` of one that the wallet backs.
    pub(crate) margin: Option<Amount>,
    pub(crate) changed_ns: TimeNs,
    pub(crate) leverage: u16,
    pub(crate) mark: PriceTicks,
    /// What the position would win or lose if it were closed at the mark price.
    pub(crate) unrealized: Amount,
    /// Its value at the mark price, of the sign of its quantity.
    pub(crate) notional: Amount,
    /// What the position takes by itself.
    pub(crate) position_margin: Amount,
    /// What it takes with the open orders beside it.
    pub(crate) initial_margin: Amount,
    pub(crate) maintenance: MicroAtoms,
    /// What the open orders are worth.
    pub(crate) bids: Amount,
    pub(crate) asks: Amount,
}

impl Held<'_> {
    pub(crate) const fn is_isolated(&self) -> bool {
        self.margin.is_some()
    }

    /// What an isolated position has as its margin; zero of one that the wallet backs.
    pub(crate) fn isolated_wallet(&self) -> Amount {
        self.margin.unwrap_or_default()
    }

    /// The same with what the position would win or lose.
    pub(crate) fn isolated_margin(&self) -> Amount {
        self.margin.map_or(Amount::ZERO, |margin| margin + self.unrealized)
    }

    fn is_there(&self) -> bool {
        !self.position.is_none() || !self.bids.is_zero() || !self.asks.is_zero()
    }
}

/// A futures wallet, and all that is settled in its asset.
pub(crate) struct Backed<'l> {
    pub(crate) asset: AssetId,
    /// `None` of one that nothing was ever put into.
    wallet: Option<Amount>,
    pub(crate) held: Vec<Held<'l>>,
}

fn total(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| sum + amount)
}

impl Backed<'_> {
    /// What is in the wallet, apart from the margins of isolated positions.
    pub(crate) fn cross_wallet(&self) -> Amount {
        self.wallet.unwrap_or_default()
    }

    /// The same with them.
    pub(crate) fn wallet(&self) -> Amount {
        self.cross_wallet() + total(self.held.iter().map(Held::isolated_wallet))
    }

    /// Whether anything was ever put into the wallet.
    pub(crate) const fn is_used(&self) -> bool {
        self.wallet.is_some()
    }

    fn cross(&self) -> impl Iterator<Item = &Held<'_>> {
        self.held.iter().filter(|held| !held.is_isolated())
    }

    pub(crate) fn unrealized(&self) -> Amount {
        total(self.held.iter().map(|held| held.unrealized))
    }

    pub(crate) fn cross_unrealized(&self) -> Amount {
        total(self.cross().map(|held| held.unrealized))
    }

    pub(crate) fn equity(&self) -> Amount {
        self.wallet() + self.unrealized()
    }

    pub(crate) fn initial_margin(&self) -> Amount {
        total(self.held.iter().map(|held| held.initial_margin))
    }

    pub(crate) fn position_margin(&self) -> Amount {
        total(self.held.iter().map(|held| held.position_margin))
    }

    pub(crate) fn maintenance(&self) -> MicroAtoms {
        self.held.iter().fold(MicroAtoms::default(), |sum, held| sum + held.maintenance)
    }

    /// What the wallet is taken for: all of what it backs, and of isolated positions the open orders.
    fn taken(&self) -> Amount {
        let of_isolated = self.held.iter().filter(|held| held.is_isolated());
        let of_orders = of_isolated.map(|held| held.initial_margin - held.position_margin);
        total(self.cross().map(|held| held.initial_margin)) + total(of_orders)
    }

    /// What is left for further orders.
    pub(crate) fn available(&self) -> Amount {
        (self.cross_wallet() + self.cross_unrealized() - self.taken()).max(Amount::ZERO)
    }

    /// What can be moved out: profits that are not realised back positions, but cannot be moved.
    pub(crate) fn movable(&self) -> Amount {
        let lost = self.cross_unrealized().min(Amount::ZERO);
        (self.cross_wallet() + lost - self.taken()).max(Amount::ZERO)
    }

    /// The mark price at which `held` leads to a liquidation when no other price changes, in millionths of a tick; zero where
    /// there is none.
    pub(crate) fn liquidation_price(&self, held: &Held<'_>) -> i128 {
        if held.position.is_none() {
            return 0;
        }
        let (terms, contract) = (&held.listing.terms, terms_of(held.listing));
        let is_same = |other: &Held<'_>| other.listing.market == held.listing.market;
        let (positions, rest): (Vec<Position>, MicroAtoms) = if let Some(margin) = held.margin {
            (vec![held.position], MicroAtoms::from_atoms(margin))
        } else {
            let others = self.cross().filter(|other| !is_same(other));
            let left = others.fold(MicroAtoms::from_atoms(self.cross_wallet()), |left, other| {
                left + MicroAtoms::from_atoms(other.unrealized) - other.maintenance
            });
            let here = self.cross().filter(|other| is_same(other)).map(|other| other.position);
            (here.filter(|position| !position.is_none()).collect(), left)
        };
        margin::liquidation_price(terms, contract, &positions, rest, held.mark).unwrap_or_default()
    }
}

/// What an account has at contracts, wallet by wallet. Positions where it has nothing are left out, unless `all` of them are
/// wanted.
pub(crate) fn backed<'l>(
    views: &Views,
    listings: &'l Listings,
    prices: &Prices,
    account: AccountId,
    all: bool,
) -> Vec<Backed<'l>> {
    let sides: &[PositionSide] = match views.futures().position_mode(account) {
        PositionMode::OneWay => &[PositionSide::Both],
        PositionMode::Hedge => &[PositionSide::Long, PositionSide::Short],
    };
    let mut wallets: BTreeMap<AssetId, Backed<'l>> = BTreeMap::new();
    for listing in listings.contracts() {
        let asset = listing.terms.quote;
        let backed = wallets.entry(asset).or_insert_with(|| Backed {
            asset,
            wallet: views
                .futures()
                .wallets_of(account)
                .find(|(of, _)| *of == asset)
                .map(|(_, amount)| amount),
            held: Vec::new(),
        });
        let held = sides.iter().map(|side| held(views, listing, prices, account, *side));
        backed.held.extend(held.filter(|held| all || held.is_there()));
    }
    wallets.into_values().collect()
}

/// A position as it stands at the present mark price.
pub(crate) struct Stood<'l> {
    pub(crate) listing: &'l Listing,
    pub(crate) position_side: PositionSide,
    pub(crate) position: Position,
    pub(crate) mark: PriceTicks,
    pub(crate) unrealized: Amount,
    pub(crate) maintenance: MicroAtoms,
}

/// What backs positions, and how they stand together: a wallet with all those that it backs, or the margin of an isolated one.
pub(crate) struct Standing<'l> {
    pub(crate) asset: AssetId,
    /// What is there, without what positions have won or lost.
    pub(crate) wallet: Amount,
    pub(crate) is_isolated: bool,
    pub(crate) unrealized: Amount,
    /// What must be left.
    pub(crate) maintenance: MicroAtoms,
    /// At least one.
    pub(crate) positions: Vec<Stood<'l>>,
}

impl<'l> Standing<'l> {
    const fn new(asset: AssetId, wallet: Amount, is_isolated: bool) -> Self {
        let (unrealized, maintenance) = (Amount::ZERO, MicroAtoms(0));
        Self { asset, wallet, is_isolated, unrealized, maintenance, positions: Vec::new() }
    }

    fn add(&mut self, stood: Stood<'l>) {
        self.unrealized += stood.unrealized;
        self.maintenance = self.maintenance + stood.maintenance;
        self.positions.push(stood);
    }

    pub(crate) fn equity(&self) -> Amount {
        self.wallet + self.unrealized
    }
}

/// How an account's positions stand, without its orders: first those that wallets back, then the isolated ones.
pub(crate) fn standings<'l>(
    views: &Views,
    listings: &'l Listings,
    prices: &Prices,
    account: AccountId,
) -> Vec<Standing<'l>> {
    let futures = views.futures();
    let one_way = futures.positions_of(account).map(|(market, held)| (market, PositionSide::Both, held));
    let (mut crossed, mut isolated) = (BTreeMap::new(), Vec::new());
    for (market, position_side, held) in one_way.chain(futures.legs_of(account)) {
        // A contract that was listed behind what the caller knows is left out.
        let Some(listing) = listings.market(market) else { continue };
        let (terms, contract) = (&listing.terms, terms_of(listing));
        let mark = prices.get(&market).map_or(terms.initial_reference_ticks, |prices| prices.mark_ticks);
        let position = Position { qty_lots: held.qty_lots, cost: held.cost };
        let size = Amount(position.value(terms, mark).0.abs());
        let stood = Stood {
            listing,
            position_side,
            position,
            mark,
            unrealized: position.unrealized(terms, mark),
            maintenance: maintenance_margin(contract, size),
        };
        if let Some(margin) = futures.margin(account, market, position_side) {
            let mut standing = Standing::new(terms.quote, margin, true);
            standing.add(stood);
            isolated.push(standing);
        } else {
            let wallet = || Standing::new(terms.quote, futures.wallet(account, terms.quote), false);
            crossed.entry(terms.quote).or_insert_with(wallet).add(stood);
        }
    }
    crossed.into_values().chain(isolated).collect()
}

fn held<'l>(
    views: &Views,
    listing: &'l Listing,
    prices: &Prices,
    account: AccountId,
    position_side: PositionSide,
) -> Held<'l> {
    let (market, terms, contract) = (listing.market, &listing.terms, terms_of(listing));
    let seen = views.futures().position_of(account, market, position_side);
    let position = Position { qty_lots: seen.qty_lots, cost: seen.cost };
    let leverage = views.futures().leverage(account, market).unwrap_or(contract.default_leverage);
    let mark = prices.get(&market).map_or(terms.initial_reference_ticks, |prices| prices.mark_ticks);
    let mut orders = OpenOrders::default();
    for order in views.contract_orders().open_in(account, market) {
        let opens = order.at_contract.is_some_and(|at| {
            at.position_side == position_side
                && !at.reduce_only
                && position_side.closed_by() != Some(order.side)
        });
        if !opens {
            continue;
        }
        let value =
            terms.notional(order_price(order.side, order.price_ticks(), mark, mark), order.open_lots());
        match order.side {
            Side::Buy => orders.bids += value,
            Side::Sell => orders.asks += value,
        }
    }
    let notional = position.value(terms, mark);
    let size = Amount(notional.0.abs());
    Held {
        listing,
        position_side,
        position,
        margin: views.futures().margin(account, market, position_side),
        changed_ns: seen.changed_ns,
        leverage,
        mark,
        unrealized: position.unrealized(terms, mark),
        notional,
        position_margin: initial_margin(size, leverage),
        initial_margin: total_initial_margin(notional, orders, leverage),
        maintenance: maintenance_margin(contract, size),
        bids: orders.bids,
        asks: orders.asks,
    }
}
