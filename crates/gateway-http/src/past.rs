//! Orders and trades that the views have forgotten, where somebody has a longer memory: the tables of the SQL writer.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{AccountId, OrderId, TradeId};
use tokio::task::spawn_blocking;
use views::{Order, OwnTrade, Page};

use crate::gateway::Gateway;
use crate::listings::Listing;

/// Orders of an account in a market.
type Orders = dyn Fn(AccountId, &Listing, &Page<OrderId>) -> Vec<Order> + Send + Sync;
/// One order in a market, whoever owns it.
type OneOrder = dyn Fn(&Listing, OrderId) -> Option<Order> + Send + Sync;
/// Trades of an account in a spot market, of one of its orders where one is named.
type Trades = dyn Fn(AccountId, &Listing, Option<OrderId>, &Page<TradeId>) -> Vec<OwnTrade> + Send + Sync;

/// A longer memory than that of the views. It may be asked by several threads, may take its time, and tells nothing where it fails.
pub struct Past {
    /// See [`Orders`].
    pub orders: Box<Orders>,
    /// See [`OneOrder`].
    pub order: Box<OneOrder>,
    /// See [`Trades`].
    pub trades: Box<Trades>,
}

impl Gateway {
    /// Has histories reach further back than the views do. Once; further calls change nothing.
    pub fn remember(&self, past: Past) {
        let _ = self.past.set(Arc::new(past));
    }

    async fn recall<T: Send + 'static>(
        &self,
        listing: &Listing,
        ask: impl FnOnce(&Past, &Listing) -> T + Send + 'static,
    ) -> Option<T> {
        let past = Arc::clone(self.past.get()?);
        let listing = listing.clone();
        // Whatever went wrong there has told the log.
        spawn_blocking(move || ask(&past, &listing)).await.ok()
    }

    /// Adds the orders that the views have forgotten to those that they have.
    pub(crate) async fn with_past_orders(
        &self,
        account: AccountId,
        listing: &Listing,
        page: Page<OrderId>,
        recent: Vec<Order>,
    ) -> Vec<Order> {
        if is_whole(&page, &recent) {
            return recent;
        }
        let past = self.recall(listing, move |past, listing| (past.orders)(account, listing, &page)).await;
        let Some(past) = past else { return recent };
        together(&page, past, recent, |order| order.id)
    }

    /// An order that the views have forgotten.
    pub(crate) async fn past_order(
        &self,
        account: AccountId,
        listing: &Listing,
        order: OrderId,
    ) -> Option<Order> {
        let found = self.recall(listing, move |past, listing| (past.order)(listing, order)).await;
        found.flatten().filter(|order| order.account == account)
    }

    /// Adds the trades that the views have forgotten to those that they have.
    pub(crate) async fn with_past_trades(
        &self,
        account: AccountId,
        listing: &Listing,
        order: Option<OrderId>,
        page: Page<TradeId>,
        recent: Vec<OwnTrade>,
    ) -> Vec<OwnTrade> {
        if is_whole(&page, &recent) {
            return recent;
        }
        let past =
            self.recall(listing, move |past, listing| (past.trades)(account, listing, order, &page)).await;
        let Some(past) = past else { return recent };
        // Of a trade with itself an account has both sides.
        together(&page, past, recent, |trade| (trade.id, trade.order))
    }
}

/// True of the last so many entries, when the views have so many.
fn is_whole<Id, T>(page: &Page<Id>, recent: &[T]) -> bool {
    page.from.is_none() && page.start_ns.is_none() && recent.len() >= page.limit
}

/// What either has; where both have it, as the views do, which are never behind.
fn together<Id: Copy + PartialOrd, T, K: Ord>(
    page: &Page<Id>,
    past: Vec<T>,
    recent: Vec<T>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let all: BTreeMap<K, T> = past.into_iter().chain(recent).map(|entry| (key(&entry), entry)).collect();
    page.cut(all.into_values().collect())
}
