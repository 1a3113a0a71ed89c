//! Who would be deleveraged first: of each position, in which fifth of those of the same contract and direction it stands. The ranking is
//! the one by which a partition closes positions that the insurance fund cannot carry: by [`margin::leverage_score`], then by size,
//! then the older account. Nothing is decided here.
//!
//! A ranking looks at all positions there are, so it is made at most every [`FuturesSettings::adl_refresh`], by whoever asks first then,
//! account by account and a few at a time, so that the views go on meanwhile. What is kept of it are the last places of each fifth; the
//! place of a position that is asked about is worked out anew.
//!
//! [`FuturesSettings::adl_refresh`]: crate::settings::FuturesSettings::adl_refresh

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use margin::{LeverageScore, leverage_score};
use model::{AccountId, MarketId, PositionMode, PositionSide, QtyLots};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::yield_now;
use utoipa::ToSchema;
use views::Views;

use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::futures::listed::optional;
use crate::futures::margins::{Prices, standings};
use crate::gateway::{Gateway, Json};
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;

/// Accounts that are looked at before the views may go on.
const ACCOUNTS_AT_ONCE: usize = 256;
/// The best fifth.
const BEST: u8 = 4;

/// The greater, the sooner.
type Place = (LeverageScore, QtyLots, Reverse<AccountId>);

/// Those who are compared with each other: long (true) or short positions at a contract.
type Direction = (MarketId, bool);

/// Where a position of an account stands.
struct Placed {
    market: MarketId,
    position_side: PositionSide,
    is_long: bool,
    place: Place,
}

/// The places of all positions of an account.
fn places(views: &Views, listings: &Listings, prices: &Prices, account: AccountId) -> Vec<Placed> {
    let standings = standings(views, listings, prices, account);
    let of_standing = standings.iter().flat_map(|standing| {
        let asset = listings.asset(standing.asset).expect("contracts are settled in listed assets");
        let unit = asset.atoms_per_unit();
        let score = leverage_score(standing.unrealized, standing.wallet, standing.maintenance, unit);
        standing.positions.iter().map(move |stood| Placed {
            market: stood.listing.market,
            position_side: stood.position_side,
            is_long: stood.position.qty_lots > QtyLots::ZERO,
            place: (score, stood.position.size(), Reverse(account)),
        })
    });
    of_standing.collect()
}

/// Of each direction, the last place that is still in the fifths from 1 to 4.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fifths(BTreeMap<Direction, [Place; 4]>);

impl Fifths {
    fn of(all: BTreeMap<Direction, Vec<Place>>) -> Self {
        let bounds = |mut places: Vec<Place>| {
            places.sort_unstable_by_key(|place| Reverse(*place));
            // The first of all is in the best fifth, however few there are.
            let last = |fifth: usize| (places.len() * (5 - fifth)).div_ceil(5) - 1;
            [1, 2, 3, 4].map(|fifth| places[last(fifth)])
        };
        let filled = all.into_iter().filter(|(_, places)| !places.is_empty());
        Self(filled.map(|(direction, places)| (direction, bounds(places))).collect())
    }

    /// In which fifth a position is, from 0, the last, to 4, which is deleveraged first. Who has won nothing comes last of all, and is in none
    /// but the last.
    fn of_place(&self, direction: Direction, place: &Place) -> u8 {
        if place.0 == LeverageScore::default() {
            return 0;
        }
        // Where nobody was when the ranking was made, one is the first.
        let reached = |bounds: &[Place; 4]| bounds.iter().filter(|bound| place >= *bound).count();
        self.0.get(&direction).map_or(BEST, |bounds| u8::try_from(reached(bounds)).expect("there are four"))
    }
}

/// The latest ranking, and when it was made.
#[derive(Debug, Default)]
pub(crate) struct Ranking(Mutex<Option<(Instant, Arc<Fifths>)>>);

/// In which fifth each position of an account is.
#[derive(Debug, Default)]
pub(crate) struct Quantiles(BTreeMap<(MarketId, PositionSide), u8>);

impl Quantiles {
    /// From 0 to 4; 0 also where there is no position.
    pub(crate) fn of(&self, market: MarketId, position_side: PositionSide) -> u8 {
        self.0.get(&(market, position_side)).copied().unwrap_or_default()
    }

    fn has(&self, market: MarketId) -> bool {
        let sides = [PositionSide::Both, PositionSide::Long, PositionSide::Short];
        sides.iter().any(|side| self.0.contains_key(&(market, *side)))
    }
}

impl Gateway {
    async fn fifths(&self, listings: &Listings, prices: &Prices) -> Result<Arc<Fifths>, ApiError> {
        let mut latest = self.ranking.0.lock().await;
        if let Some((made, fifths)) = &*latest
            && made.elapsed() < self.settings.futures.adl_refresh
        {
            return Ok(Arc::clone(fifths));
        }
        let mut all: BTreeMap<Direction, Vec<Place>> = BTreeMap::new();
        for model in self.everywhere().await? {
            let mut next = Some(AccountId(0));
            while let Some(first) = next {
                next = model.with_views(|views| {
                    let mut holders = views.futures().holders_from(first);
                    for account in holders.by_ref().take(ACCOUNTS_AT_ONCE) {
                        for placed in places(views, listings, prices, account) {
                            all.entry((placed.market, placed.is_long)).or_default().push(placed.place);
                        }
                    }
                    holders.next()
                });
                yield_now().await;
            }
        }
        let fifths = Arc::new(Fifths::of(all));
        *latest = Some((Instant::now(), Arc::clone(&fifths)));
        Ok(fifths)
    }

    /// In which fifth each position of an account is.
    pub(crate) async fn quantiles(
        &self,
        listings: &Listings,
        prices: &Prices,
        account: AccountId,
    ) -> Result<Quantiles, ApiError> {
        let fifths = self.fifths(listings, prices).await?;
        let model = self.of_account(account).await?;
        let placed = model.with_views(|views| places(views, listings, prices, account));
        let quantile = |placed: Placed| {
            let quantile = fifths.of_place((placed.market, placed.is_long), &placed.place);
            ((placed.market, placed.position_side), quantile)
        };
        Ok(Quantiles(placed.into_iter().map(quantile).collect()))
    }
}

/// In which fifth the positions at a contract are: those of hedge mode under `LONG` and `SHORT`, the other one under `BOTH`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) struct BySide {
    long: u8,
    short: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    both: Option<u8>,
    /// A sign that one wallet backs both positions of hedge mode; the number says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    hedge: Option<u8>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuantileReply {
    symbol: Symbol,
    adl_quantile: BySide,
}

impl QuantileReply {
    fn of(listing: &Listing, quantiles: &Quantiles, is_crossed_hedge: bool) -> Self {
        let of = |side| quantiles.of(listing.market, side);
        let (mut long, mut short) = (of(PositionSide::Long), of(PositionSide::Short));
        if is_crossed_hedge && long > 0 && short > 0 {
            (long, short) = (long.max(short), long.max(short));
        }
        Self {
            symbol: Symbol(listing.terms.name),
            adl_quantile: BySide {
                long,
                short,
                both: (!is_crossed_hedge).then(|| of(PositionSide::Both)),
                hedge: is_crossed_hedge.then_some(0),
            },
        }
    }
}

/// Of the contract that is named, or of all where there is a position.
pub(crate) async fn adl_quantile(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let listings = gateway.listings().await?;
    let named = optional(&ask.params, &listings)?;
    let prices = gateway.prices(&listings).await?;
    let quantiles = gateway.quantiles(&listings, &prices, account).await?;
    let model = gateway.of_account(account).await?;
    let replies: Vec<QuantileReply> = model.with_views(|views| {
        let futures = views.futures();
        let is_hedged = futures.position_mode(account) == PositionMode::Hedge;
        let wanted = |listing: &&Listing| match named {
            Some(named) => named.market == listing.market,
            None => quantiles.has(listing.market),
        };
        let reply = |listing: &Listing| {
            let is_crossed = futures.margin_type(account, listing.market) == model::MarginType::Cross;
            QuantileReply::of(listing, &quantiles, is_hedged && is_crossed)
        };
        listings.contracts().filter(wanted).map(reply).collect()
    });
    Ok(Json::ok(&replies))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Direction = (MarketId(0), true);

    fn place(score: i128, account: u64) -> Place {
        (LeverageScore(score), QtyLots(1), Reverse(AccountId(account)))
    }

    fn fifths_of(scores: &[i128]) -> Vec<u8> {
        let places: Vec<Place> =
            scores.iter().zip(1..).map(|(score, account)| place(*score, account)).collect();
        let fifths = Fifths::of(BTreeMap::from([(LONG, places.clone())]));
        places.iter().map(|place| fifths.of_place(LONG, place)).collect()
    }

    #[test]
    fn positions_are_told_apart_by_fifths_of_their_ranking() {
        assert_eq!(fifths_of(&[7]), [4], "who is alone is the first");
        assert_eq!(fifths_of(&[5, 9]), [2, 4]);
        assert_eq!(fifths_of(&[10, 50, 30, 20, 40]), [0, 4, 2, 1, 3]);
        let ten: Vec<i128> = (1..=10).collect();
        assert_eq!(fifths_of(&ten), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        // Of equal scores the older account is the first.
        assert_eq!(fifths_of(&[3, 3, 3, 3, 3]), [4, 3, 2, 1, 0]);
        assert_eq!(fifths_of(&[0, 0, 8]), [0, 0, 4], "who has won nothing is never among the first");
    }

    #[test]
    fn who_came_behind_the_ranking_is_compared_with_it() {
        let all = [10, 20, 30, 40, 50].map(|score| place(score, 1));
        let fifths = Fifths::of(BTreeMap::from([(LONG, all.to_vec())]));
        let fifth = |score| fifths.of_place(LONG, &place(score, 9));
        assert_eq!([5, 11, 21, 31, 41, 51].map(fifth), [0, 0, 1, 2, 3, 4]);
        assert_eq!(fifths.of_place((MarketId(0), false), &place(5, 9)), 4, "nobody else was short");
    }
}
