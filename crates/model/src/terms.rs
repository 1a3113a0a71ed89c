//! The settings of assets and markets, and the proof that no sum or product over them can leave its type.

use std::fmt;

use crate::{Amount, AssetId, AssetName, MarketName, MarketStatus, PriceTicks, QtyLots};

/// An asset as it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetTerms {
    /// Its name, unique among assets.
    pub name: AssetName,
    /// One whole unit is 10^scale atoms; 0 to 18.
    pub scale: u8,
}

impl AssetTerms {
    /// The finest division of an asset: 10^-18, as on Ethereum.
    pub const MAX_SCALE: u8 = 18;
    /// The most that may ever be deposited of one asset, in atoms, withdrawals not subtracted: with every
    /// balance below it, sums of balances and their products with a fee rate stay inside 127 bits.
    pub const MAX_TOTAL_DEPOSITS: Amount = Amount(1_000_000_000_000_000_000_000_000_000_000_000_000);

    /// Atoms in one whole unit.
    pub const fn atoms_per_unit(&self) -> Amount {
        let mut atoms: i128 = 1;
        let mut digits = self.scale;
        while digits > 0 {
            atoms = atoms.saturating_mul(10);
            digits = digits.saturating_sub(1);
        }
        Amount(atoms)
    }
}

/// To which side a fee that is not a whole number of atoms is rounded. Source: semantics 1.11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FeeRounding {
    /// For the house: the default.
    #[default]
    Up = 0,
    /// To the nearest, halves up.
    HalfUp = 1,
    /// For the customer.
    Down = 2,
}

/// A market's settings. Prices count in ticks, quantities in lots; one lot of base is `base_atoms_per_lot` atoms,
/// and one lot at one tick costs `quote_atoms_per_tick_lot` atoms, always a whole number, so price times quantity is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketTerms {
    /// Its name, unique among markets.
    pub name: MarketName,
    /// What is bought and sold.
    pub base: AssetId,
    /// What it is paid with.
    pub quote: AssetId,
    /// Decimals of a price: one tick is `tick_size` x 10^-`price_scale` quote units.
    pub price_scale: u8,
    /// See `price_scale`.
    pub tick_size: i64,
    /// Atoms of base in one lot.
    pub base_atoms_per_lot: Amount,
    /// Atoms of quote that one lot costs at a price of one tick.
    pub quote_atoms_per_tick_lot: Amount,
    /// Lowest price of an order (`PRICE_FILTER`).
    pub min_price_ticks: PriceTicks,
    /// Highest price of an order (`PRICE_FILTER`); market orders trade no higher either.
    pub max_price_ticks: PriceTicks,
    /// Smallest quantity of an order (`LOT_SIZE`).
    pub min_qty_lots: QtyLots,
    /// Largest quantity of an order (`LOT_SIZE`).
    pub max_qty_lots: QtyLots,
    /// Smallest price x quantity of an order (`NOTIONAL`), in quote atoms; 0 switches the rule off.
    pub min_notional: Amount,
    /// Largest price x quantity of an order (`NOTIONAL`), in quote atoms; 0 switches the rule off.
    pub max_notional: Amount,
    /// Most orders resting on the book at once.
    pub max_open_orders: u32,
    /// Most open orders of one account (`MAX_NUM_ORDERS`).
    pub max_open_orders_per_account: u32,
    /// Most amendments of one order (`MAX_NUM_ORDER_AMENDS`).
    pub max_amends_per_order: u16,
    /// Fee of the resting side, in millionths of what it receives; 0 to 1,000,000.
    pub maker_fee_ppm: u32,
    /// Fee of the arriving side, in millionths of what it receives; 0 to 1,000,000.
    pub taker_fee_ppm: u32,
    /// How fees are rounded, per trade and side.
    pub fee_rounding: FeeRounding,
    /// Market orders trade within this part of the reference price, either side, in millionths; 0 switches the rule off.
    pub band_ppm: u32,
    /// The reference price before the first trade.
    pub initial_reference_ticks: PriceTicks,
    /// What the market accepts.
    pub status: MarketStatus,
}

/// Why terms are refused. Numbers go into the log: never renumber one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TermsError {
    /// See its sentence.
    NameMissing = 0,
    /// See its sentence.
    SameAsset = 1,
    /// See its sentence.
    PriceScale = 2,
    /// See its sentence.
    Tick = 3,
    /// See its sentence.
    Lot = 4,
    /// See its sentence.
    TickLot = 5,
    /// See its sentence.
    PriceRange = 6,
    /// See its sentence.
    MaxPrice = 7,
    /// See its sentence.
    QtyRange = 8,
    /// See its sentence.
    MaxQty = 9,
    /// See its sentence.
    OpenOrders = 10,
    /// See its sentence.
    OpenLots = 11,
    /// See its sentence.
    OpenOrdersPerAccount = 12,
    /// See its sentence.
    MaxOrderNotional = 13,
    /// See its sentence.
    MaxOrderBase = 14,
    /// See its sentence.
    NegativeNotional = 15,
    /// See its sentence.
    NotionalRange = 16,
    /// See its sentence.
    MakerFee = 17,
    /// See its sentence.
    TakerFee = 18,
    /// See its sentence.
    Band = 19,
    /// See its sentence.
    Reference = 20,
}

impl TermsError {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 21] = [
        Self::NameMissing,
        Self::SameAsset,
        Self::PriceScale,
        Self::Tick,
        Self::Lot,
        Self::TickLot,
        Self::PriceRange,
        Self::MaxPrice,
        Self::QtyRange,
        Self::MaxQty,
        Self::OpenOrders,
        Self::OpenLots,
        Self::OpenOrdersPerAccount,
        Self::MaxOrderNotional,
        Self::MaxOrderBase,
        Self::NegativeNotional,
        Self::NotionalRange,
        Self::MakerFee,
        Self::TakerFee,
        Self::Band,
        Self::Reference,
    ];

    /// The setting and its bound.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NameMissing => "a market needs a name",
            Self::SameAsset => "base and quote must be different assets",
            Self::PriceScale => "price_scale must be at most 18",
            Self::Tick => "the tick must be above zero",
            Self::Lot => "the lot must be a whole number of base atoms, at least one",
            Self::TickLot => "tick x lot must be a whole number of quote atoms: choose a larger tick or lot",
            Self::PriceRange => "min_price must be at least one tick and at most max_price",
            Self::MaxPrice => "max_price must be at most 2^44 ticks",
            Self::QtyRange => "min_qty must be at least one lot and at most max_qty",
            Self::MaxQty => "max_qty must be at most 2^44 lots",
            Self::OpenOrders => "max_open_orders must be from 1 to 16,777,216",
            Self::OpenLots => {
                "max_qty x max_open_orders must be at most 2^60 lots: lower one of the two, or choose a larger lot"
            }
            Self::OpenOrdersPerAccount => "max_open_orders_per_account must be at least 1",
            Self::MaxOrderNotional => {
                "max_price x max_qty must be at most 10^31 quote atoms: lower one of the two"
            }
            Self::MaxOrderBase => "max_qty must be at most 10^31 base atoms",
            Self::NegativeNotional => "min_notional and max_notional must not be negative",
            Self::NotionalRange => "min_notional must be at most max_notional",
            Self::MakerFee => "maker_fee must be at most 1 (all of what is received)",
            Self::TakerFee => "taker_fee must be at most 1 (all of what is received)",
            Self::Band => "the band must be at most 1 (100 % either side)",
            Self::Reference => "the reference price must lie between min_price and max_price",
        }
    }
}

impl fmt::Display for TermsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.sentence())
    }
}

impl std::error::Error for TermsError {}

/// The exact product. Nearly always both are small, and then it cannot overflow and takes one instruction.
#[inline]
fn product(a: i128, b: i128) -> Option<i128> {
    match (i64::try_from(a), i64::try_from(b)) {
        (Ok(small), Ok(other)) => Some(i128::from(small).wrapping_mul(i128::from(other))),
        _ => a.checked_mul(b),
    }
}

impl MarketTerms {
    /// Most lots in one order: 2^44.
    pub const MAX_QTY_LOTS: QtyLots = QtyLots(1 << 44);
    /// Highest price: 2^44 ticks.
    pub const MAX_PRICE_TICKS: PriceTicks = PriceTicks(1 << 44);
    /// Most resting orders in one market: 2^24.
    pub const MAX_OPEN_ORDERS: u32 = 1 << 24;
    /// Largest product of `max_qty_lots` and `max_open_orders`: 2^60, so that the lots of all resting orders together stay
    /// below 2^63, however often the two were changed while orders rested. (The n-th of them found n - 1 others, so it has at
    /// most 2^60 / n lots, and at most 2^44; for n up to 2^24 that comes to less than 2^63.)
    pub const MAX_OPEN_LOTS: i64 = 1 << 60;
    /// Most orders of one account in one market that wait for a price. Source: `MAX_NUM_ALGO_ORDERS` of Binance's markets.
    pub const MAX_ALGO_ORDERS_PER_ACCOUNT: u32 = 5;
    /// The smallest distance at which an order may follow the price, in hundredths of a per cent. Source: `TRAILING_DELTA` of
    /// Binance's markets.
    pub const MIN_TRAILING_BIPS: u16 = 10;
    /// The largest.
    pub const MAX_TRAILING_BIPS: u16 = 2_000;
    /// Largest price x quantity, in quote atoms: 10^31, so that its product with a fee rate stays below 2^127.
    pub const MAX_ORDER_NOTIONAL: Amount = Amount(10_000_000_000_000_000_000_000_000_000_000);

    /// Refuses terms with which some sum or product could leave its type, or which contradict themselves.
    ///
    /// With terms that pass: `price x qty x quote_atoms_per_tick_lot <= 10^31`; so times a fee rate of at most 10^6 it
    /// stays below 2^127; the lots of all resting orders together stay below 2^63. An order that was placed under other terms
    /// has a price and a quantity whose product passed then; the two of them are never multiplied with those of another
    /// order or with today's bounds, but by [`Self::reference`] and [`Self::checked_notional`], which take care.
    pub fn check(&self, base: &AssetTerms, quote: &AssetTerms) -> Result<(), TermsError> {
        let require = |holds: bool, broken: TermsError| if holds { Ok(()) } else { Err(broken) };
        require(!self.name.is_empty(), TermsError::NameMissing)?;
        require(self.base != self.quote, TermsError::SameAsset)?;
        require(self.price_scale <= AssetTerms::MAX_SCALE, TermsError::PriceScale)?;
        require(self.tick_size >= 1, TermsError::Tick)?;
        require(self.base_atoms_per_lot.0 >= 1, TermsError::Lot)?;
        require(
            Self::quote_atoms_per_tick_lot(
                base,
                quote,
                self.price_scale,
                self.tick_size,
                self.base_atoms_per_lot,
            ) == Some(self.quote_atoms_per_tick_lot),
            TermsError::TickLot,
        )?;
        require(
            PriceTicks(1) <= self.min_price_ticks && self.min_price_ticks <= self.max_price_ticks,
            TermsError::PriceRange,
        )?;
        require(self.max_price_ticks <= Self::MAX_PRICE_TICKS, TermsError::MaxPrice)?;
        require(
            QtyLots(1) <= self.min_qty_lots && self.min_qty_lots <= self.max_qty_lots,
            TermsError::QtyRange,
        )?;
        require(self.max_qty_lots <= Self::MAX_QTY_LOTS, TermsError::MaxQty)?;
        require(
            1 <= self.max_open_orders && self.max_open_orders <= Self::MAX_OPEN_ORDERS,
            TermsError::OpenOrders,
        )?;
        require(
            i128::from(self.max_qty_lots.0).saturating_mul(i128::from(self.max_open_orders))
                <= i128::from(Self::MAX_OPEN_LOTS),
            TermsError::OpenLots,
        )?;
        require(self.max_open_orders_per_account >= 1, TermsError::OpenOrdersPerAccount)?;
        let notional = i128::from(self.max_price_ticks.0)
            .checked_mul(i128::from(self.max_qty_lots.0))
            .and_then(|product| product.checked_mul(self.quote_atoms_per_tick_lot.0));
        require(
            notional.is_some_and(|atoms| atoms <= Self::MAX_ORDER_NOTIONAL.0),
            TermsError::MaxOrderNotional,
        )?;
        require(
            self.base_atoms_per_lot
                .0
                .checked_mul(i128::from(self.max_qty_lots.0))
                .is_some_and(|atoms| atoms <= Self::MAX_ORDER_NOTIONAL.0),
            TermsError::MaxOrderBase,
        )?;
        require(self.min_notional.0 >= 0 && self.max_notional.0 >= 0, TermsError::NegativeNotional)?;
        require(
            self.max_notional.is_zero() || self.min_notional <= self.max_notional,
            TermsError::NotionalRange,
        )?;
        require(self.maker_fee_ppm <= 1_000_000, TermsError::MakerFee)?;
        require(self.taker_fee_ppm <= 1_000_000, TermsError::TakerFee)?;
        require(self.band_ppm <= 1_000_000, TermsError::Band)?;
        require(
            self.min_price_ticks <= self.initial_reference_ticks
                && self.initial_reference_ticks <= self.max_price_ticks,
            TermsError::Reference,
        )
    }

    /// What one lot costs at a price of one tick, in quote atoms; `None` when that is no whole number above zero.
    pub fn quote_atoms_per_tick_lot(
        base: &AssetTerms,
        quote: &AssetTerms,
        price_scale: u8,
        tick_size: i64,
        base_atoms_per_lot: Amount,
    ) -> Option<Amount> {
        let tick_lot = i128::from(tick_size).checked_mul(base_atoms_per_lot.0)?;
        let numerator = tick_lot.checked_mul(quote.atoms_per_unit().0)?;
        let price_units = AssetTerms { name: quote.name, scale: price_scale }.atoms_per_unit();
        let denominator = price_units.0.checked_mul(base.atoms_per_unit().0)?;
        (numerator > 0 && numerator % denominator == 0).then(|| Amount(numerator / denominator))
    }

    /// What `qty` costs at `price`, in quote atoms: exact.
    #[inline]
    pub fn notional(&self, price: PriceTicks, qty: QtyLots) -> Amount {
        self.checked_notional(price, qty).expect("terms bound price x quantity")
    }

    /// As [`Self::notional`], for a price and a quantity that need not be of the same order; `None` when that is more than
    /// can be counted.
    #[inline]
    pub fn checked_notional(&self, price: PriceTicks, qty: QtyLots) -> Option<Amount> {
        product(product(price.0.into(), qty.0.into())?, self.quote_atoms_per_tick_lot.0).map(Amount)
    }

    /// `qty` in base atoms: exact.
    #[inline]
    pub fn base_amount(&self, qty: QtyLots) -> Amount {
        product(qty.0.into(), self.base_atoms_per_lot.0).map(Amount).expect("terms bound the quantity")
    }

    /// The price by which market orders are measured when the last trade was at `last`: that, or the end of the range of
    /// prices that is nearer to it, when the range was changed since.
    #[inline]
    pub fn reference(&self, last: PriceTicks) -> PriceTicks {
        last.clamp(self.min_price_ticks, self.max_price_ticks)
    }

    /// Highest price at which a market order trades when the reference price is `reference`: rounded down to a tick.
    pub fn band_upper(&self, reference: PriceTicks) -> PriceTicks {
        if self.band_ppm == 0 {
            return self.max_price_ticks;
        }
        let factor = 1_000_000_i128.saturating_add(i128::from(self.band_ppm));
        let upper = i128::from(reference.0).saturating_mul(factor) / 1_000_000;
        let upper = i64::try_from(upper).map_or(self.max_price_ticks, PriceTicks);
        upper.min(self.max_price_ticks)
    }

    /// Lowest price at which a market order trades when the reference price is `reference`: rounded up to a tick.
    pub fn band_lower(&self, reference: PriceTicks) -> PriceTicks {
        if self.band_ppm == 0 {
            return PriceTicks(1);
        }
        let factor = 1_000_000_i128.saturating_sub(i128::from(self.band_ppm));
        let lower = i128::from(reference.0).saturating_mul(factor).saturating_add(999_999) / 1_000_000;
        PriceTicks(i64::try_from(lower).expect("a part of a price is smaller than the price"))
            .max(PriceTicks(1))
    }
}
