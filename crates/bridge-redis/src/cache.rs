//! What is asked most, kept in Redis for whoever asks there: depth, tickers, trades, open orders, balances, and a stream of events
//! for each market and account; of contracts also mark price, funding, wallets, positions and what waits for a price. One thread a partition follows the gate, notes what has changed, and writes it folded, at most
//! every few milliseconds: an order that changed five times is written once, as the views know it then.
//!
//! It is a cache: when Redis was away, everything is written anew, and the streams say that something is missing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dialect::contracts::side_name;
use dialect::{Decimal, Listing, Listings};
use model::{AccountId, Event, EventBatch, MarketId, PartitionId, QtyLots, Seq, TimeNs, TradeId};
use redis::{Connection, Pipeline, cmd, pipe};
use views::{Order, Page, Views};

use self::changes::{Changes, Fields};
use crate::answer::status;
use crate::server::{Broken, keep_serving};
use crate::stats::CacheStats;
use crate::{CacheSettings, Context};

mod changes;
mod contracts;

/// How long to wait for something to happen before looking whether the bridge stops.
const LOOK: Duration = Duration::from_millis(50);
/// How long to wait for the views to know what was released.
const VIEWS_WAIT: Duration = Duration::from_micros(500);
/// How long nothing is written before Redis is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_millis(500);
/// Commands that are sent to Redis in one go; more go in several.
const TOGETHER: usize = 2_000;

pub(crate) struct Cache {
    context: Context,
    settings: Arc<CacheSettings>,
    partition: PartitionId,
    stats: Arc<CacheStats>,
    /// The names of accounts, which never change.
    names: BTreeMap<AccountId, String>,
    /// The last trade of each market that this connection has written.
    last_trades: BTreeMap<MarketId, TradeId>,
    /// The last settlement of funding of each contract that it has written.
    last_fundings: BTreeMap<MarketId, TimeNs>,
    /// How much is open at each contract, as it has written, and when that was last compared with what the views know.
    open_interest: BTreeMap<MarketId, QtyLots>,
    interest_seen: Instant,
    /// The last entry of the futures wallets of each account that it has told.
    last_incomes: BTreeMap<AccountId, u64>,
}

impl Cache {
    pub(crate) fn new(
        context: &Context,
        settings: &Arc<CacheSettings>,
        partition: PartitionId,
        stats: &Arc<CacheStats>,
    ) -> Self {
        let (context, settings, stats) = (context.clone(), Arc::clone(settings), Arc::clone(stats));
        Self {
            context,
            settings,
            partition,
            stats,
            names: BTreeMap::new(),
            last_trades: BTreeMap::new(),
            last_fundings: BTreeMap::new(),
            open_interest: BTreeMap::new(),
            interest_seen: Instant::now(),
            last_incomes: BTreeMap::new(),
        }
    }

    pub(crate) fn run(mut self) {
        let context = self.context.clone();
        keep_serving(&context, "cache in Redis", || self.serve());
    }

    fn serve(&mut self) -> Result<(), Broken> {
        let mut connection = self.context.server.connect(Duration::ZERO)?;
        self.last_trades.clear();
        self.last_fundings.clear();
        let egress = &self.context.exchange.egress[self.partition.index()];
        let subscription = egress.subscribe();
        // From here on, nothing is missed: first everything as it is, then what changes.
        let released = egress.released_seq();
        self.write_everything(&mut connection, released)?;
        let mut changes = Changes::default();
        let mut seen = released;
        let mut written = Instant::now();
        loop {
            let Some(batches) = subscription.wait(LOOK) else { return Ok(()) };
            let listings = self.listings_for(&batches);
            for batch in batches {
                if batch.last_seq() > released {
                    changes.note(&batch, &listings);
                }
                seen = seen.max(batch.last_seq());
            }
            self.note_open_interest(&mut changes, &listings);
            if changes.is_empty() {
                if written.elapsed() > PING_EVERY {
                    // A Redis that has come back may have forgotten everything, and only the connection tells.
                    cmd("PING").query::<()>(&mut connection)?;
                    written = Instant::now();
                }
                self.stats.fresh(self.partition);
                continue;
            }
            let pause = self.settings.interval.saturating_sub(written.elapsed());
            if !pause.is_zero() {
                // More may come meanwhile, and is folded into the same write.
                sleep(pause);
            }
            self.await_views(seen);
            self.write(&mut connection, std::mem::take(&mut changes))?;
            written = Instant::now();
            self.stats.fresh(self.partition);
        }
    }

    /// What is listed, with all that these batches tell of.
    fn listings_for(&self, batches: &VecDeque<Arc<EventBatch>>) -> Arc<Listings> {
        let directory = &self.context.exchange.directory;
        let listings = directory.listings();
        let is_listed =
            |event: &Event| event.market_of_order().is_none_or(|market| listings.market(market).is_some());
        if batches.iter().flat_map(|batch| &batch.events).all(is_listed) {
            return listings;
        }
        // It was listed a moment ago.
        self.context.await_directory();
        directory.listings()
    }

    fn look<R>(&self, look: impl FnOnce(&Views) -> R) -> R {
        let (mut look, mut seen) = (Some(look), None);
        self.context.exchange.directory.look(self.partition, &mut |views| {
            seen = look.take().map(|look| look(views));
        });
        seen.expect("the directory looks once")
    }

    /// Waits until the views know what has happened up to there.
    fn await_views(&self, seq: Seq) {
        while !self.context.stops() && self.look(|views| views.command_seq() < seq) {
            sleep(VIEWS_WAIT);
        }
    }

    /// All markets and accounts that live here, in place of whatever Redis has of them.
    fn write_everything(&mut self, connection: &mut Connection, released: Seq) -> Result<(), Broken> {
        self.await_views(released);
        let own = self.partition;
        let (markets, accounts) = self.look(|views| {
            let markets = views.catalog().markets().map(|(market, _)| market);
            let markets: Vec<_> = markets.filter(|market| views.has_market(own, *market)).collect();
            // Whoever never had anything has nothing there.
            let accounts = views.catalog().accounts().map(|(account, _)| account);
            let accounts: Vec<_> =
                accounts.filter(|account| !views.balances().of(*account).is_empty()).collect();
            (markets, accounts)
        });
        let partitions = self.context.exchange.ingress.partitions();
        let homes: Vec<_> = accounts.into_iter().filter(|account| partitions.home(*account) == own).collect();
        let mut changes = Changes::default();
        for market in markets {
            changes.markets.insert(market);
            changes.prices.insert(market);
            changes.market_events.push((market, vec![("event", "begin".to_owned())]));
        }
        self.write(connection, changes)?;
        for some in homes.chunks(TOGETHER) {
            let mut changes = Changes::default();
            let mut commands = pipe();
            for account in some {
                let forget = commands.cmd("DEL");
                for what in ["open", contracts::OPEN, contracts::ALGO, contracts::POSITIONS] {
                    forget.arg(self.account_key(*account, what));
                }
                forget.ignore();
                changes.balances.insert(*account);
                changes.account_events.push((*account, vec![("event", "begin".to_owned())]));
                let open = self.look(|views| {
                    views.orders().open(*account).iter().map(|order| order.id).collect::<Vec<_>>()
                });
                changes.orders.extend(open.into_iter().map(|order| (*account, order)));
                self.note_futures(&mut changes, *account);
            }
            commands.query::<()>(connection)?;
            self.write(connection, changes)?;
        }
        Ok(())
    }

    fn write(&mut self, connection: &mut Connection, changes: Changes) -> Result<(), Broken> {
        let Changes { markets, prices, balances, wallets, positions, orders, .. } = &changes;
        let listings = self.context.exchange.directory.listings();
        let mut commands = pipe();
        for market in markets {
            if let Some(listing) = listings.market(*market) {
                self.write_market(&mut commands, listing);
            }
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for market in prices {
            if let Some(listing) = listings.market(*market) {
                self.write_prices(&mut commands, listing);
            }
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for account in balances {
            self.write_balances(&mut commands, *account, &listings);
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for (account, order) in orders {
            let found =
                self.look(|views| views.orders().by_id(*order).filter(|order| order.end.is_none()).cloned());
            let key = self.account_key(*account, "open");
            match found.and_then(|order| Some(order_text(&order, listings.market(order.market)?))) {
                Some(text) => commands.cmd("HSET").arg(key).arg(order.0).arg(text).ignore(),
                None => commands.cmd("HDEL").arg(key).arg(order.0).ignore(),
            };
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for account in wallets {
            self.write_wallets(&mut commands, *account, &listings);
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for (account, market) in positions {
            if let Some(listing) = listings.market(*market) {
                self.write_positions(&mut commands, *account, listing);
            }
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for (account, order) in &changes.contract_orders {
            self.write_contract_order(&mut commands, *account, *order, &listings);
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for (account, algo) in &changes.algo_orders {
            self.write_algo_order(&mut commands, *account, *algo, &listings);
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        let told = self.told_of_contracts(&changes, &listings);
        for (market, fields) in changes.market_events.into_iter().chain(told.markets) {
            if let Some(listing) = listings.market(market) {
                add(
                    &mut commands,
                    &self.market_key(listing, "events"),
                    "*",
                    self.settings.events_max,
                    &fields,
                );
            }
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        for (account, fields) in changes.account_events.into_iter().chain(told.accounts) {
            let key = self.account_key(account, "events");
            add(&mut commands, &key, "*", self.settings.events_max, &fields);
            self.flush(&mut commands, connection, TOGETHER)?;
        }
        self.flush(&mut commands, connection, 1)
    }

    /// Sends what there is, when there are so many commands.
    fn flush(
        &self,
        commands: &mut Pipeline,
        connection: &mut Connection,
        at_least: usize,
    ) -> Result<(), Broken> {
        if commands.len() < at_least {
            return Ok(());
        }
        commands.query::<()>(connection)?;
        self.stats.commands.fetch_add(u64::try_from(commands.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        commands.clear();
        Ok(())
    }

    /// Depth, ticker, and the trades that are not there yet. What a reader finds of the depth belongs together.
    fn write_market(&mut self, commands: &mut Pipeline, listing: &Listing) {
        let (market, own, levels) = (listing.market, self.partition, self.settings.depth_levels);
        let last = self.last_trades.get(&market).copied();
        let page = match last {
            Some(last) => Page::starting(last.next(), usize::MAX),
            None => Page::last(self.settings.trades_max),
        };
        let seen = self.look(|views| {
            if !views.has_market(own, market) {
                return None;
            }
            let depth = views.depth(market);
            let bids: Vec<_> = depth.bids().take(levels).collect();
            let asks: Vec<_> = depth.asks().take(levels).collect();
            let ticker = views.ticker(market, views.time_ns());
            Some((bids, asks, depth.last_update_id(), ticker, views.tape(market).trades(&page)))
        });
        // Another partition has it, and writes it.
        let Some((bids, asks, update_id, ticker, trades)) = seen else { return };
        commands.cmd("MULTI").ignore();
        for (what, side) in [("bids", &bids), ("asks", &asks)] {
            let key = self.market_key(listing, what);
            commands.cmd("DEL").arg(&key).ignore();
            if !side.is_empty() {
                let add = commands.cmd("ZADD").arg(&key);
                for (price, qty) in side {
                    let price = listing.price(*price).to_string();
                    add.arg(&price).arg(format!("{price}:{}", listing.quantity(*qty)));
                }
                add.ignore();
            }
        }
        let price = |price| listing.price(price).to_string();
        let mut fields: Fields = vec![
            ("lastUpdateId", update_id.to_string()),
            ("time", ticker.close_time.as_millis().to_string()),
            ("volume", listing.base_amount(ticker.volume).to_string()),
            ("quoteVolume", listing.quote_amount(ticker.quote_volume).to_string()),
            ("count", ticker.trades.to_string()),
        ];
        if let Some(prices) = ticker.prices {
            fields.push(("openPrice", price(prices.open)));
            fields.push(("highPrice", price(prices.high)));
            fields.push(("lowPrice", price(prices.low)));
            fields.push(("lastPrice", price(prices.last)));
        }
        let best = |level: Option<&(_, _)>| {
            level.map_or((String::new(), String::new()), |(at, qty)| {
                (price(*at), listing.quantity(*qty).to_string())
            })
        };
        let ((bid, bid_qty), (ask, ask_qty)) = (best(bids.first()), best(asks.first()));
        fields.extend([("bidPrice", bid), ("bidQty", bid_qty), ("askPrice", ask), ("askQty", ask_qty)]);
        let set = commands.cmd("HSET").arg(self.market_key(listing, "ticker"));
        for (name, value) in &fields {
            set.arg(*name).arg(value);
        }
        set.ignore();
        let key = self.market_key(listing, "trades");
        if last.is_none() {
            commands.cmd("DEL").arg(&key).ignore();
        }
        for trade in trades {
            let fields = vec![
                ("price", price(trade.price_ticks)),
                ("qty", listing.quantity(trade.qty_lots).to_string()),
                ("time", trade.time_ns.as_millis().to_string()),
                ("side", side_name(trade.taker_side).to_owned()),
            ];
            self.last_trades.insert(market, trade.id);
            add(commands, &key, &format!("{}-0", trade.id), self.settings.trades_max, &fields);
        }
        commands.cmd("EXEC").ignore();
    }

    fn write_balances(&mut self, commands: &mut Pipeline, account: AccountId, listings: &Listings) {
        let balances = self.look(|views| views.balances().of(account).to_vec());
        if balances.is_empty() {
            return;
        }
        for what in ["free", "held"] {
            let key = self.account_key(account, what);
            let set = commands.cmd("HSET").arg(key);
            for (asset, balance) in &balances {
                let terms = listings.asset(*asset).expect("a balance is of a listed asset");
                let amount = if what == "free" { balance.free } else { balance.held };
                set.arg(terms.name.as_str()).arg(Decimal { units: amount.0, scale: terms.scale }.to_string());
            }
            set.ignore();
        }
    }

    /// A key of a market; all of them lie together in a cluster. A spot market and a contract may have one name.
    fn market_key(&self, listing: &Listing, what: &str) -> String {
        let kind = if listing.contract.is_some() { "contract" } else { "market" };
        format!("{{{}:{kind}:{}}}:{what}", self.settings.prefix, listing.terms.name)
    }

    /// A key of an account; all of them lie together in a cluster.
    fn account_key(&mut self, account: AccountId, what: &str) -> String {
        if !self.names.contains_key(&account) {
            let name = self.look(|views| {
                views
                    .catalog()
                    .account(account)
                    .map_or_else(|| account.to_string(), |known| known.name.to_string())
            });
            self.names.insert(account, name);
        }
        format!("{{{}:account:{}}}:{what}", self.settings.prefix, self.names[&account])
    }
}

/// Adds an entry to a stream of which about so many are kept.
fn add(commands: &mut Pipeline, key: &str, id: &str, max: usize, fields: &Fields) {
    let add = commands.cmd("XADD").arg(key).arg("MAXLEN").arg("~").arg(max).arg(id);
    for (name, value) in fields {
        add.arg(*name).arg(value);
    }
    add.ignore();
}

/// An open order as JSON: names of accounts and orders are visible ASCII; a quotation mark in them is escaped.
fn order_text(order: &Order, listing: &Listing) -> String {
    let name = order.client_order_id.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    let price =
        order.kind.price_ticks().map_or_else(|| "0".to_owned(), |price| listing.price(price).to_string());
    format!(
        "{{\"orderId\":{},\"symbol\":\"{}\",\"clientOrderId\":\"{name}\",\"side\":\"{}\",\"price\":\"{price}\",\"origQty\":\"{}\",\
         \"executedQty\":\"{}\",\"status\":\"{}\",\"time\":{}}}",
        order.id,
        listing.terms.name,
        side_name(order.side),
        listing.quantity(order.qty_lots),
        listing.quantity(order.executed_lots),
        status(None, order.executed_lots),
        order.accepted_ns.as_millis()
    )
}
