//! From events to what people ask for. Pure: no I/O, no clock, no threads, no floats; what time it is, is part of a question.
//! Nothing here is text: prices stay ticks, quantities lots, amounts atoms, and writing them is the gateway's matter.
//!
//! [`Views::apply`] takes in one [`model::EventBatch`] after the other; everything else takes `&self`:
//!
//! | question | answer |
//! |---|---|
//! | how far are you? | [`Views::seq`], [`Views::command_seq`], [`Views::time_ns`] |
//! | assets, markets, accounts, by id and name; public halves of API keys | [`Views::catalog`]: [`Catalog`] |
//! | what has an account, and everybody together? open withdrawals | [`Views::balances`]: [`Balances::of`], [`Balances::balance`], [`Balances::totals`], [`Balances::withdrawals`] |
//! | one order, by number or by its owner's name for it | [`Views::orders`]: [`Orders::by_id`], [`Orders::by_client_id`] |
//! | open orders; all orders | [`Orders::open_in`], [`Orders::open`], [`Orders::all`] |
//! | what waits for a price of a contract, and what became of it | [`Views::algo_orders`]: [`AlgoOrders::open`], [`AlgoOrders::by_id`], [`AlgoOrders::by_client_id`], [`AlgoOrders::all`] |
//! | an account's trades, with fees | [`Views::own_trades`]: [`OwnTrades::of`] |
//! | positions, futures wallets, mark prices, open interest, now and in the past | [`Views::futures`]: [`Futures`] |
//! | orders at contracts, as above | [`Views::contract_orders`]: [`Orders`] |
//! | trades at contracts, income, changes of margins, settlements of funding | [`Views::contract_history`]: [`ContractHistory`] |
//! | a book | [`Views::depth`]: [`Depth::bids`], [`Depth::asks`], [`Depth::last_update_id`] |
//! | public trades, single and aggregated | [`Views::tape`]: [`Tape::trades`], [`Tape::agg_trades`] |
//! | candles of any interval in any time zone | [`Views::candles`] with a [`CandleQuery`] |
//! | the last 24 hours, or any shorter window; last price; best bid and ask | [`Views::ticker`], [`Views::rolling`], [`Views::last_price`], [`Views::book_ticker`] |
//!
//! Parts of histories are asked for with a [`Page`]. Markets are asked for by ids that the [`Catalog`] has: another is a
//! mistake in the program, and a panic. Accounts, orders and ids of trades may be anything.
//!
//! Memory is bounded by [`ViewSettings`]. [`Views::save`] and [`Views::load`] carry everything over a restart.

#![deny(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_types
)]

mod algo_orders;
mod balances;
mod candles;
mod catalog;
mod contract_history;
mod depth;
mod futures;
mod hash;
mod history;
mod interval;
mod latest;
mod open_interest;
mod orders;
mod own_trades;
mod page;
mod settings;
mod slab;
mod tickers;
mod trades;
mod views;

pub use algo_orders::{AlgoOrder, AlgoOrders, AlgoStatus, Placed};
pub use balances::{AssetTotals, Balance, Balances, Withdrawal};
pub use candles::{Candle, CandleQuery};
pub use catalog::{Account, ApiKey, Catalog};
pub use contract_history::{
    ContractHistory, ContractTrade, Funding, Income, IncomeKind, MarginCause, MarginChange,
};
pub use depth::Depth;
pub use futures::{Futures, Position};
pub use history::{Stay, history_of};
pub use interval::{Interval, UtcOffset};
pub use open_interest::{InterestHistory, OpenInterest, PastInterest};
pub use orders::{AtContract, Order, OrderStatus, Orders};
pub use own_trades::{OwnTrade, OwnTrades};
pub use page::Page;
pub use settings::ViewSettings;
pub use tickers::{BookTicker, MAX_WINDOW_MINUTES, Ticker, TickerPrices};
pub use trades::{AggTrade, Tape, Trade};
pub use views::{PriceKind, Views};
