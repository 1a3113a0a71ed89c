//! Who is deleveraged first: those who have won most with most leverage. Source: semantics 2 ("ADL rank").

use model::Amount;

use crate::MicroAtoms;
use crate::rounding::{plus, quotient_half_up, times};

/// How soon an account is deleveraged, in units of 10^-12; 0 comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeverageScore(pub i128);

/// Unrealised profit by wallet (at least one whole unit of the asset, `unit`), times maintenance margin by equity; zero where there is
/// no profit or no equity. Each of the two counts up to 1,000.
pub fn leverage_score(
    unrealized: Amount,
    wallet: Amount,
    maintenance: MicroAtoms,
    unit: Amount,
) -> LeverageScore {
    let equity = wallet + unrealized;
    if unrealized <= Amount::ZERO || equity <= Amount::ZERO {
        return LeverageScore::default();
    }
    let profit = finely(unrealized.0, wallet.max(unit).0);
    let risk = finely(maintenance.atoms_rounded_up().0, equity.0);
    // 10^15 x 10^15 by 10^18 is 10^12.
    LeverageScore(quotient_half_up(times(profit, risk), 1_000_000_000_000_000_000))
}

/// A quotient of two numbers above zero in units of 10^-15, at most 1,000.
fn finely(mut dividend: i128, mut divisor: i128) -> i128 {
    const UNITS: i128 = 1_000_000_000_000_000;
    const MOST: i128 = 1_000_000_000_000_000_000;
    // Whole digits more than a quotient like this one can show.
    while divisor > 10_000_000_000_000_000_000_000 {
        (dividend, divisor) = (dividend / 10, divisor / 10);
    }
    let whole = dividend.checked_div(divisor).expect("a divisor is above zero");
    if whole >= 1_000 {
        return MOST;
    }
    let rest = dividend.checked_rem(divisor).expect("a divisor is above zero");
    plus(times(whole, UNITS), quotient_half_up(times(rest, UNITS), divisor))
}
