//! What a perpetual contract has beside the terms of every market, and the proof that no sum or product over it can leave its
//! type. Source: semantics 2.

use std::fmt;

use crate::{AccountId, Amount, FundingRate, MarketId, MarketTerms, QtyLots};

/// A range of notional values with its margin rules. It begins above the cap of the bracket before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// Largest value of a position in this bracket, in atoms of the settlement asset.
    pub cap: Amount,
    /// Highest leverage of a position in this bracket; at least 1.
    pub max_leverage: u16,
    /// What must be left of the part of the value that lies in this bracket, in millionths.
    pub maintenance_ppm: u32,
}

/// One of those that tell a contract's index price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexSource {
    /// The spot market of this exchange whose last trade counts; `None` for a feed, whose prices come by command.
    pub market: Option<MarketId>,
    /// How much it counts, beside the others; above zero.
    pub weight: u32,
}

/// The settings of a perpetual contract beside its [`MarketTerms`], whose quote asset it is settled in. One lot of it stands for
/// `base_atoms_per_lot` atoms of the base asset, so a contract's multiplier is a part of its lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractTerms {
    /// By value, the lowest first.
    pub brackets: Vec<Bracket>,
    /// The leverage of accounts that have chosen none.
    pub default_leverage: u16,
    /// Largest position.
    pub max_position_lots: QtyLots,
    /// Hours between settlements of funding: 1, 2, 4 or 8.
    pub funding_interval_hours: u8,
    /// Highest funding rate of a settlement.
    pub funding_cap: FundingRate,
    /// Lowest funding rate of a settlement; zero or below.
    pub funding_floor: FundingRate,
    /// What borrowing the quote asset costs more than borrowing the base asset, for eight hours.
    pub interest: FundingRate,
    /// Value of the trade whose average price tells what the book is worth (Impact Margin Notional), in atoms.
    pub impact_notional: Amount,
    /// Paid to the insurance fund on what a liquidation has sold, in millionths of its value.
    pub clearance_fee_ppm: u32,
    /// A part of a position that is liquidated is a multiple of this.
    pub liquidation_step_lots: QtyLots,
    /// The account that is the insurance fund: it receives clearance fees and what funding leaves over, and carries positions that
    /// nobody else takes. It is never liquidated.
    pub fund: AccountId,
    /// Those whose prices make the index price, at most [`Self::MAX_SOURCES`].
    pub sources: Vec<IndexSource>,
    /// A price of a feed that is older than this many nanoseconds does not count.
    pub stale_after_ns: u64,
    /// A price that is further than this from the median of all does not count, in millionths.
    pub outlier_ppm: u32,
}

/// Why a contract's terms are refused. Numbers go into the log: never renumber one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ContractTermsError {
    /// See its sentence.
    Brackets = 0,
    /// See its sentence.
    Caps = 1,
    /// See its sentence.
    Leverage = 2,
    /// See its sentence.
    Maintenance = 3,
    /// See its sentence.
    MaintenanceAboveInitial = 4,
    /// See its sentence.
    LastCap = 5,
    /// See its sentence.
    DefaultLeverage = 6,
    /// See its sentence.
    MaxPosition = 7,
    /// See its sentence.
    FundingInterval = 8,
    /// See its sentence.
    FundingBounds = 9,
    /// See its sentence.
    Interest = 10,
    /// See its sentence.
    ImpactNotional = 11,
    /// See its sentence.
    ClearanceFee = 12,
    /// See its sentence.
    LiquidationStep = 13,
    /// See its sentence.
    Fund = 14,
    /// See its sentence.
    Sources = 15,
    /// See its sentence.
    Outlier = 16,
}

impl ContractTermsError {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Brackets,
        Self::Caps,
        Self::Leverage,
        Self::Maintenance,
        Self::MaintenanceAboveInitial,
        Self::LastCap,
        Self::DefaultLeverage,
        Self::MaxPosition,
        Self::FundingInterval,
        Self::FundingBounds,
        Self::Interest,
        Self::ImpactNotional,
        Self::ClearanceFee,
        Self::LiquidationStep,
        Self::Fund,
        Self::Sources,
        Self::Outlier,
    ];

    /// The setting and its bound.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Brackets => "a contract needs from 1 to 32 brackets",
            Self::Caps => "each bracket's cap must be above that of the bracket before it",
            Self::Leverage => {
                "each bracket's max_leverage must be from 1 to 1,000 and at most that of the bracket before it"
            }
            Self::Maintenance => {
                "each bracket's maintenance rate must be above zero and at least that of the bracket before it"
            }
            Self::MaintenanceAboveInitial => {
                "the maintenance rate must be below 1 / max_leverage, or a position could be liquidated as it is opened"
            }
            Self::LastCap => "the last bracket's cap must be at most 10^24 atoms",
            Self::DefaultLeverage => "default_leverage must be from 1 to the first bracket's max_leverage",
            Self::MaxPosition => {
                "max_position must be at least max_qty, and max_price x max_position at most 10^24 atoms: lower one of the two"
            }
            Self::FundingInterval => "funding_interval_hours must be 1, 2, 4 or 8",
            Self::FundingBounds => {
                "funding_cap must be from 0 to 1 and funding_floor from -1 to 0 (all of a position's value)"
            }
            Self::Interest => "interest must lie between -1 and 1",
            Self::ImpactNotional => {
                "impact_notional must be above zero and at most 2^62 ticks x lots of the contract"
            }
            Self::ClearanceFee => "clearance_fee must be at most 1 (all of what was sold)",
            Self::LiquidationStep => "liquidation_step must be from one lot to max_position",
            Self::Fund => "fund must be the number of an account that is open",
            Self::Sources => {
                "a contract needs from 1 to 16 sources of its index price, each a feed or a spot market with the same quote asset, of a weight \
                 above zero"
            }
            Self::Outlier => "outlier must be above zero and at most 1 (all of the median)",
        }
    }
}

impl fmt::Display for ContractTermsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.sentence())
    }
}

impl std::error::Error for ContractTermsError {}

impl ContractTerms {
    /// Most brackets.
    pub const MAX_BRACKETS: usize = 32;
    /// Most sources of an index price.
    pub const MAX_SOURCES: usize = 16;
    /// Most algo orders of an account that wait at one contract. Source: Binance USD-M `MAX_NUM_ALGO_ORDERS`, 200 today.
    pub const MAX_ALGO_ORDERS_PER_ACCOUNT: u32 = 200;
    /// How far mark price and last price may be apart, in millionths of the mark price, for algo orders that ask for price
    /// protection to see them (`triggerProtect`).
    pub const TRIGGER_PROTECT_PPM: u32 = 50_000;
    /// Highest leverage of any bracket.
    pub const MAX_LEVERAGE: u16 = 1_000;
    /// Largest value of a position at any price, in atoms: 10^24, so that with a hundred of them in an account the sums times
    /// 10^12 stay below 2^127.
    pub const MAX_POSITION_VALUE: Amount = Amount(1_000_000_000_000_000_000_000_000);

    /// Refuses terms with which some sum or product could leave its type, or which contradict themselves. `terms` have
    /// passed their own check.
    pub fn check(&self, terms: &MarketTerms) -> Result<(), ContractTermsError> {
        let require = |holds: bool, broken: ContractTermsError| if holds { Ok(()) } else { Err(broken) };
        require(
            !self.brackets.is_empty() && self.brackets.len() <= Self::MAX_BRACKETS,
            ContractTermsError::Brackets,
        )?;
        let mut below = Bracket { cap: Amount::ZERO, max_leverage: Self::MAX_LEVERAGE, maintenance_ppm: 1 };
        for bracket in &self.brackets {
            require(below.cap < bracket.cap, ContractTermsError::Caps)?;
            require(
                1 <= bracket.max_leverage && bracket.max_leverage <= below.max_leverage,
                ContractTermsError::Leverage,
            )?;
            require(below.maintenance_ppm <= bracket.maintenance_ppm, ContractTermsError::Maintenance)?;
            let of_initial =
                u64::from(bracket.maintenance_ppm).saturating_mul(u64::from(bracket.max_leverage));
            require(of_initial < 1_000_000, ContractTermsError::MaintenanceAboveInitial)?;
            below = *bracket;
        }
        require(below.cap <= Self::MAX_POSITION_VALUE, ContractTermsError::LastCap)?;
        require(
            1 <= self.default_leverage && self.default_leverage <= self.brackets[0].max_leverage,
            ContractTermsError::DefaultLeverage,
        )?;
        require(
            terms.max_qty_lots <= self.max_position_lots
                && terms
                    .checked_notional(terms.max_price_ticks, self.max_position_lots)
                    .is_some_and(|value| value <= Self::MAX_POSITION_VALUE),
            ContractTermsError::MaxPosition,
        )?;
        require(matches!(self.funding_interval_hours, 1 | 2 | 4 | 8), ContractTermsError::FundingInterval)?;
        require(
            FundingRate::ZERO <= self.funding_cap
                && self.funding_cap <= FundingRate::ONE
                && -FundingRate::ONE <= self.funding_floor
                && self.funding_floor <= FundingRate::ZERO,
            ContractTermsError::FundingBounds,
        )?;
        require(
            -FundingRate::ONE <= self.interest && self.interest <= FundingRate::ONE,
            ContractTermsError::Interest,
        )?;
        require(
            self.impact_notional > Amount::ZERO
                && self
                    .impact_notional
                    .0
                    .checked_div(terms.quote_atoms_per_tick_lot.0)
                    .is_some_and(|tick_lots| (1..=1 << 62).contains(&tick_lots)),
            ContractTermsError::ImpactNotional,
        )?;
        require(self.clearance_fee_ppm <= 1_000_000, ContractTermsError::ClearanceFee)?;
        require(
            QtyLots(1) <= self.liquidation_step_lots && self.liquidation_step_lots <= self.max_position_lots,
            ContractTermsError::LiquidationStep,
        )?;
        require(self.fund.0 > 0, ContractTermsError::Fund)?;
        require(
            !self.sources.is_empty()
                && self.sources.len() <= Self::MAX_SOURCES
                && self.sources.iter().all(|source| source.weight > 0),
            ContractTermsError::Sources,
        )?;
        require(0 < self.outlier_ppm && self.outlier_ppm <= 1_000_000, ContractTermsError::Outlier)
    }

    /// The largest value of a position at this leverage: the cap of the last bracket that allows it.
    pub fn max_value_at(&self, leverage: u16) -> Amount {
        let allowing = self.brackets.iter().take_while(|bracket| bracket.max_leverage >= leverage);
        allowing.last().map_or(Amount::ZERO, |bracket| bracket.cap)
    }
}
