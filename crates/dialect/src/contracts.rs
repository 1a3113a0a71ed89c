//! What is at contracts, as it is shown: the names that the USD-M dialect has for it, and figures of positions. Source: Binance's
//! documents of USD-M futures ("Query Order", "Position Information V3", "Get Income History").

use margin::Position;
use model::{
    FundingRate, MarkPriceChanged, OrderCause, OrderKind, PositionSide, PriceTicks, Side, TimeInForce, TimeNs,
};
use views::{IncomeKind, Order};

use crate::decimal::Decimal;
use crate::listings::Listing;

/// Which way an order goes.
pub const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// Which position.
pub const fn position_side_name(position_side: PositionSide) -> &'static str {
    match position_side {
        PositionSide::Both => "BOTH",
        PositionSide::Long => "LONG",
        PositionSide::Short => "SHORT",
    }
}

/// `LIMIT` or `MARKET`, and how long it may live.
pub const fn kind_names(kind: &OrderKind) -> (&'static str, &'static str) {
    match kind {
        OrderKind::Limit { time_in_force: TimeInForce::Gtc, .. } => ("LIMIT", "GTC"),
        OrderKind::Limit { time_in_force: TimeInForce::Ioc, .. } => ("LIMIT", "IOC"),
        OrderKind::Limit { time_in_force: TimeInForce::Fok, .. } => ("LIMIT", "FOK"),
        OrderKind::LimitMaker { .. } => ("LIMIT", "GTX"),
        OrderKind::Market { .. }
        | OrderKind::MarketQuote { .. }
        | OrderKind::StopMarket { .. }
        | OrderKind::StopLimit { .. } => ("MARKET", "GTC"),
    }
}

/// The same of an order, which may be good till a date.
pub fn names_of(order: &Order) -> (&'static str, &'static str) {
    let (kind, time_in_force) = kind_names(&order.kind);
    let has_date = order.at_contract.is_some_and(|at| at.good_till_ns.is_some());
    (kind, if has_date { "GTD" } else { time_in_force })
}

/// What clients know the order by: the exchange's own have no name of their owner's.
pub fn name_of(order: &Order) -> String {
    match order.at_contract.map(|at| at.cause) {
        Some(OrderCause::Liquidation) => format!("autoclose-{}", order.id.0),
        Some(OrderCause::Owner) | None => order.client_order_id.to_string(),
    }
}

/// Which position an order is for.
pub fn position_side_of(order: &Order) -> PositionSide {
    order.at_contract.map_or(PositionSide::Both, |at| at.position_side)
}

/// The average price of what has traded; zero when nothing has.
pub fn average_price(listing: &Listing, order: &Order) -> Decimal {
    let base = listing.terms.base_amount(order.executed_lots);
    let average = listing.average_price(order.cumulative_quote, base);
    average.unwrap_or_else(|| listing.price(PriceTicks::ZERO))
}

/// The average price at which a position was opened, with two decimals more than a price.
pub fn entry_price(listing: &Listing, position: &Position) -> Decimal {
    let terms = &listing.terms;
    Decimal {
        units: position.entry_price(terms, 100) * i128::from(terms.tick_size),
        scale: terms.price_scale + 2,
    }
}

/// The price at which closing it would gain what its closing costs, at the taker's fee: that and no more can be told, since
/// nobody keeps which fees it has cost to open.
pub fn break_even_price(listing: &Listing, position: &Position) -> Decimal {
    let entry = entry_price(listing, position);
    let fee = i128::from(listing.terms.taker_fee_ppm);
    let shift = entry.units * fee / 1_000_000;
    let sign = position.qty_lots.0.signum();
    Decimal { units: entry.units + shift * i128::from(sign), ..entry }
}

/// Prices of a contract that nobody has told yet: what it was listed with.
pub fn first_prices(listing: &Listing) -> MarkPriceChanged {
    let first = listing.terms.initial_reference_ticks;
    MarkPriceChanged {
        market: listing.market,
        index_ticks: first,
        mark_ticks: first,
        rate: FundingRate::ZERO,
        next_funding_ns: TimeNs(0),
    }
}

/// A funding rate as text shows it.
pub fn funding_rate(rate: FundingRate) -> Decimal {
    Decimal { units: rate.0.into(), scale: 8 }
}

/// Why a futures wallet has more or less than before.
pub const INCOME_KINDS: [(IncomeKind, &str); 5] = [
    (IncomeKind::Transfer, "TRANSFER"),
    (IncomeKind::Commission, "COMMISSION"),
    (IncomeKind::RealizedPnl, "REALIZED_PNL"),
    (IncomeKind::FundingFee, "FUNDING_FEE"),
    (IncomeKind::InsuranceClear, "INSURANCE_CLEAR"),
];

/// The name of one of them.
pub fn income_name(kind: IncomeKind) -> &'static str {
    INCOME_KINDS.iter().find(|(known, _)| *known == kind).expect("each kind has a name").1
}

#[cfg(test)]
mod tests {
    use model::{Amount, QtyLots};

    use super::*;
    use crate::sample::btcusdt;

    #[test]
    fn a_position_is_shown_with_what_opening_it_and_closing_it_costs() {
        let listing = btcusdt();
        let position = |qty_lots| Position {
            qty_lots: QtyLots(qty_lots),
            cost: Amount(i128::from(qty_lots) * 50_000_000),
        };
        // Lots of 0.001 at 50,000.00; the taker's fee is 0.15 %.
        for (qty_lots, break_even) in [(2, "50075.0000"), (-2, "49925.0000")] {
            let position = position(qty_lots);
            assert_eq!(entry_price(&listing, &position).to_string(), "50000.0000");
            assert_eq!(break_even_price(&listing, &position).to_string(), break_even);
        }
        assert_eq!(entry_price(&listing, &position(0)).to_string(), "0.0000");
    }
}
