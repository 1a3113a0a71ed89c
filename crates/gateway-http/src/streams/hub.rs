//! Who listens to what: the connections of each topic and of each account, and what the follower of the events needs to pick
//! out for them. Messages are encoded once for all who get them in the same form.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::extract::ws::Utf8Bytes;
use model::{AccountId, MarketId, PartitionId, Seq};

use crate::gateway::TimeUnit;
use crate::streams::outbox::Outbox;
use crate::streams::topic::{Kind, Subject, Topic};

/// One connection, or one subscription to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener(u64);

/// In which form a connection wants the messages of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Raw,
    /// With the stream's name, as the connection asked for it.
    Combined(Arc<str>),
}

impl Form {
    /// `payload` in this form.
    pub(crate) fn of(&self, payload: &str) -> Utf8Bytes {
        match self {
            Self::Raw => payload.into(),
            Self::Combined(name) => {
                let name = serde_json::to_string(&**name).expect("a name is a string");
                format!("{{\"stream\":{name},\"data\":{payload}}}").into()
            }
        }
    }
}

/// Those who get the messages of a topic in one form.
#[derive(Debug)]
struct Group {
    form: Form,
    members: Vec<(Listener, Arc<Outbox>)>,
}

#[derive(Debug, Default)]
struct Listeners {
    groups: Vec<Group>,
    /// Somebody has come since the last message.
    fresh: bool,
}

/// What is to be picked out of the events of a market: how many topics need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MarketInterest {
    pub(crate) trades: u32,
    pub(crate) agg_trades: u32,
    pub(crate) levels: u32,
    pub(crate) best_prices: u32,
    pub(crate) force_orders: u32,
}

/// What is to be picked out of the events.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    markets: HashMap<MarketId, MarketInterest>,
    /// How many subscriptions each account has.
    accounts: HashMap<AccountId, u32>,
    /// Topics that want the force orders of all contracts.
    all_force_orders: u32,
}

impl Interest {
    /// True when nobody wants anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.markets.is_empty() && self.accounts.is_empty() && self.all_force_orders == 0
    }

    /// What of a market is wanted.
    pub(crate) fn market(&self, market: MarketId) -> MarketInterest {
        self.markets.get(&market).copied().unwrap_or_default()
    }

    /// Whether what happens to an account is wanted.
    pub(crate) fn account(&self, account: AccountId) -> bool {
        self.accounts.contains_key(&account)
    }

    /// Whether somebody wants the force orders of a contract.
    pub(crate) fn force_orders(&self, market: MarketId) -> bool {
        self.all_force_orders > 0 || self.market(market).force_orders > 0
    }

    fn topic(&mut self, topic: Topic, change: impl Fn(&mut u32)) {
        if topic.subject == Subject::AllForceOrders {
            change(&mut self.all_force_orders);
        }
        let Subject::Market(market, kind) = topic.subject else { return };
        let interest = self.markets.entry(market).or_default();
        match kind {
            Kind::Trade => change(&mut interest.trades),
            Kind::AggTrade => change(&mut interest.agg_trades),
            Kind::DiffDepth(_) => change(&mut interest.levels),
            Kind::BookTicker => change(&mut interest.best_prices),
            Kind::ForceOrder => change(&mut interest.force_orders),
            // Told from the views, by the clock.
            Kind::Kline(..)
            | Kind::ContinuousKline(_)
            | Kind::MiniTicker
            | Kind::Ticker
            | Kind::PartialDepth(..)
            | Kind::MarkPrice(_)
            | Kind::AveragePrice => {}
        }
        if *interest == MarketInterest::default() {
            self.markets.remove(&market);
        }
    }
}

/// Whether somebody who was let in may still hear: asked before each message, since keys are revoked and changed meanwhile.
pub(crate) struct Right(Box<dyn Fn() -> bool + Send + Sync>);

impl Right {
    pub(crate) fn while_true(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(holds))
    }
}

impl fmt::Debug for Right {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Right(..)")
    }
}

/// Of which half of an account a subscription hears, and in which form.
#[derive(Clone, Debug)]
pub(crate) enum Half {
    /// Its spot orders and balances, wrapped with this number of the subscription.
    Spot(u64),
    /// Its orders, positions and wallets at contracts, under a listen key.
    Futures { listen_key: Arc<str>, form: Form },
}

/// One subscription to what happens to an account.
#[derive(Debug)]
pub(crate) struct UserListener {
    listener: Listener,
    pub(crate) half: Half,
    right: Right,
    /// What this command and those before it caused was released before it subscribed.
    pub(crate) since: Seq,
    pub(crate) unit: TimeUnit,
    pub(crate) outbox: Arc<Outbox>,
}

/// Who listens to what.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    next: AtomicU64,
    topics: Mutex<HashMap<Topic, Listeners>>,
    users: Mutex<HashMap<AccountId, Vec<UserListener>>>,
    interest: RwLock<Interest>,
    /// By partition: the last command of the latest batch that was picked through. Written while the interest is locked.
    taken_in: [AtomicU64; PartitionId::MAX_COUNT as usize],
}

/// A subscription to what happens to an account, until it is dropped.
#[derive(Debug)]
pub(crate) struct UserSubscription {
    hub: Arc<Hub>,
    account: AccountId,
    listener: Listener,
}

impl Drop for UserSubscription {
    fn drop(&mut self) {
        self.hub.unsubscribe_user(self.account, self.listener);
    }
}

impl Hub {
    /// How many topics and accounts are followed, each counted once for everybody who follows it.
    pub(crate) fn subscriptions(&self) -> usize {
        let topics = self.topics();
        let in_topic =
            |listeners: &Listeners| listeners.groups.iter().map(|group| group.members.len()).sum::<usize>();
        let of_topics: usize = topics.values().map(in_topic).sum();
        drop(topics);
        of_topics + self.users().values().map(Vec::len).sum::<usize>()
    }

    /// A name that nobody else has.
    pub(crate) fn listener(&self) -> Listener {
        Listener(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// From now on the connection gets the messages of `topic`.
    pub(crate) fn subscribe(&self, listener: Listener, topic: Topic, form: Form, outbox: Arc<Outbox>) {
        let mut topics = self.topics();
        let listeners = topics.entry(topic).or_default();
        let first = listeners.groups.is_empty();
        listeners.fresh = true;
        match listeners.groups.iter_mut().find(|group| group.form == form) {
            Some(group) => group.members.push((listener, outbox)),
            None => listeners.groups.push(Group { form, members: vec![(listener, outbox)] }),
        }
        if first {
            self.interest_mut().topic(topic, |count| *count += 1);
        }
    }

    /// From now on it does not.
    pub(crate) fn unsubscribe(&self, listener: Listener, topic: Topic, form: &Form) {
        let mut topics = self.topics();
        let Some(listeners) = topics.get_mut(&topic) else { return };
        for group in listeners.groups.iter_mut().filter(|group| group.form == *form) {
            if let Some(found) = group.members.iter().position(|(member, _)| *member == listener) {
                group.members.swap_remove(found);
            }
        }
        listeners.groups.retain(|group| !group.members.is_empty());
        if listeners.groups.is_empty() {
            topics.remove(&topic);
            self.interest_mut().topic(topic, |count| *count -= 1);
        }
    }

    /// Everything that happens to an account, which lives in a partition, and is released after this call arrives in `outbox`, in order, each message once,
    /// of the half of the account that is wanted, until what this returns is dropped, and as long as there is a `right` to it. What the views had already does not.
    pub(crate) fn subscribe_user(
        self: &Arc<Self>,
        (account, home): (AccountId, PartitionId),
        outbox: Arc<Outbox>,
        half: Half,
        unit: TimeUnit,
        right: Right,
    ) -> UserSubscription {
        let listener = self.listener();
        let mut users = self.users();
        let mut interest = self.interest_mut();
        *interest.accounts.entry(account).or_default() += 1;
        // The follower is between two batches now.
        let since = Seq(self.taken_in[home.index()].load(Ordering::Relaxed));
        drop(interest);
        let entry = UserListener { listener, half, right, since, unit, outbox };
        users.entry(account).or_default().push(entry);
        drop(users);
        UserSubscription { hub: Arc::clone(self), account, listener }
    }

    fn unsubscribe_user(&self, account: AccountId, listener: Listener) {
        let mut users = self.users();
        let Some(listeners) = users.get_mut(&account) else { return };
        listeners.retain(|entry| entry.listener != listener);
        if listeners.is_empty() {
            users.remove(&account);
        }
        drop(users);
        let mut interest = self.interest_mut();
        if let Some(count) = interest.accounts.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                interest.accounts.remove(&account);
            }
        }
    }

    /// Sends a message to all who listen to `topic`.
    pub(crate) fn publish(&self, topic: Topic, payload: &str) {
        self.publish_with(topic, || payload);
    }

    /// As [`Self::publish`]; writes the message only if somebody listens.
    pub(crate) fn publish_with<P: AsRef<str>>(&self, topic: Topic, write: impl FnOnce() -> P) {
        if let Some(listeners) = self.topics().get(&topic) {
            let payload = write();
            for group in &listeners.groups {
                let message = group.form.of(payload.as_ref());
                for (_, outbox) in &group.members {
                    outbox.push(message.clone());
                }
            }
        }
    }

    /// Lets `tell` write to each of those who listen to an account.
    pub(crate) fn publish_to(&self, account: AccountId, mut tell: impl FnMut(&UserListener)) {
        if let Some(listeners) = self.users().get(&account) {
            listeners.iter().filter(|listener| (listener.right.0)()).for_each(&mut tell);
        }
    }

    /// Lets `tell` write to each of those who listen to an account under a listen key, whether they still may hear of the account or not.
    pub(crate) fn publish_under(
        &self,
        account: AccountId,
        name: &str,
        mut tell: impl FnMut(&UserListener, &Form),
    ) {
        for listener in self.users().get(&account).into_iter().flatten() {
            if let Half::Futures { listen_key, form } = &listener.half
                && **listen_key == *name
            {
                tell(listener, form);
            }
        }
    }

    /// The accounts whose half at contracts somebody listens to, in their order.
    pub(crate) fn heard_at_contracts(&self) -> Vec<AccountId> {
        let users = self.users();
        let is_heard = |listener: &UserListener| matches!(listener.half, Half::Futures { .. });
        let heard = users.iter().filter(|(_, listeners)| listeners.iter().any(is_heard));
        let mut accounts: Vec<AccountId> = heard.map(|(account, _)| *account).collect();
        accounts.sort_unstable();
        accounts
    }

    /// The topics that somebody listens to, and whether somebody has come since this was asked before.
    pub(crate) fn topics_now(&self, wanted: impl Fn(&Topic) -> bool) -> Vec<(Topic, bool)> {
        let mut topics = self.topics();
        let wanted = topics.iter_mut().filter(|(topic, _)| wanted(topic));
        wanted.map(|(topic, listeners)| (*topic, std::mem::take(&mut listeners.fresh))).collect()
    }

    /// What is to be picked out of the events. Keep it no longer than a batch: who subscribes waits.
    pub(crate) fn interest(&self) -> RwLockReadGuard<'_, Interest> {
        self.interest.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a partition's batch that ends with `seq` is about to be picked through with `_interest`.
    pub(crate) fn takes_in(&self, partition: PartitionId, seq: Seq, _interest: &Interest) {
        self.taken_in[partition.index()].store(seq.0, Ordering::Relaxed);
    }

    fn interest_mut(&self) -> RwLockWriteGuard<'_, Interest> {
        self.interest.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Listeners>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<UserListener>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
