//! From a stream to the sequencer, in the order of ids. What was read and not acknowledged comes first, from the first such
//! entry on: the partition knows what of it was done. Only then comes what nobody has read.
//!
//! One thread a stream reads, translates, hands in and acknowledges. Acknowledgements travel with the next read, so that a busy
//! stream costs one round trip for each batch; it waits inside a read only when nothing is on its way.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dialect::{ApiError, Listings};
use model::{
    AccountId, AccountName, Command, EntryId, Event, FromSource, OrderCommand, PartitionId, SourceId,
};
use redis::{Connection, Pipeline, Value, cmd, pipe};
use sequencer::{Reply, Session, Submission, SubmitError};

use crate::entry::{self, Entry};
use crate::keys::Keys;
use crate::lease::Lease;
use crate::server::{Broken, is_busy_group, keep_serving, send, unexpected};
use crate::sorted_set::{self, Feed};
use crate::stats::SourceStats;
use crate::{Context, Registered, StreamSettings};

/// There is one active reader of a group, so its members have one name: whoever follows it finds what it had not acknowledged.
const CONSUMER: &str = "rialto";
/// How long a read waits when nothing is on its way; a stop waits as long.
const READ_WAIT: Duration = Duration::from_millis(200);
/// How long the thread waits for answers before it looks for more entries.
const ANSWER_WAIT: Duration = Duration::from_millis(1);
/// The sequencer's queue is full: how long before the next try.
const BUSY_WAIT: Duration = Duration::from_micros(500);
/// How long an entry waits for the views to know its account or its market.
const VIEWS_WAIT: Duration = Duration::from_secs(1);

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Repeated,
    /// Its place had gone by.
    OutOfOrder {
        mark: EntryId,
    },
    Abandoned,
}

/// The answers to what one connection has handed in. Those to an earlier one's go nowhere: its entries are read again.
#[derive(Default)]
struct Answers {
    list: Mutex<Vec<(u64, Fate)>>,
    come: Condvar,
}

impl Answers {
    fn push(&self, token: u64, fate: Fate) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push((token, fate));
        self.come.notify_one();
    }

    /// All that have come; waits so long for the first.
    fn take(&self, wait: Duration) -> Vec<(u64, Fate)> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut list, _) = self
            .come
            .wait_timeout_while(list, wait, |list| list.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut list)
    }
}

impl Session for Answers {
    fn deliver(&self, token: u64, reply: Reply) {
        let fate = match reply.events().first() {
            Some(Event::EntryRepeated { .. }) => Fate::Repeated,
            Some(Event::EntryOutOfOrder { mark, .. }) => Fate::OutOfOrder { mark: *mark },
            Some(_) | None => Fate::Taken,
        };
        self.push(token, fate);
    }

    fn abandon(&self, token: u64) {
        self.push(token, Fate::Abandoned);
    }
}

pub(crate) struct Intake {
    context: Context,
    settings: Arc<StreamSettings>,
    keys: Keys,
    /// By partition.
    sources: Vec<SourceId>,
    stats: Arc<SourceStats>,
    /// Accounts whose names were looked up: they never change.
    accounts: HashMap<String, AccountId>,
    prefix: String,
}

/// What one connection has under way.
struct Work {
    connection: Connection,
    lease: Lease,
    answers: Arc<Answers>,
    /// By token.
    in_flight: BTreeMap<u64, EntryId>,
    next_token: u64,
    /// Handed in as soon as the sequencer takes it.
    waiting: Vec<Submission>,
    /// Entries to be acknowledged.
    done: Vec<EntryId>,
    /// What fills the stream, where something else than producers does.
    feed: Option<Feed>,
}

impl Intake {
    pub(crate) fn new(
        context: &Context,
        settings: &Arc<StreamSettings>,
        registered: &[Registered],
        stats: &Arc<SourceStats>,
    ) -> Self {
        let sources: Vec<_> = registered.iter().map(|registered| registered.source).collect();
        Self {
            context: context.clone(),
            settings: Arc::clone(settings),
            keys: Keys::of(settings.key.as_str()),
            prefix: format!("r{}-", sources[0]),
            sources,
            stats: Arc::clone(stats),
            accounts: HashMap::new(),
        }
    }

    pub(crate) fn run(mut self) {
        let what = format!("Redis stream {}", self.settings.key);
        let context = self.context.clone();
        keep_serving(&context, &what, || {
            let served = self.serve();
            self.stats.active.store(false, Ordering::Relaxed);
            self.stats.in_flight.store(0, Ordering::Relaxed);
            served
        });
    }

    fn serve(&mut self) -> Result<(), Broken> {
        let connection = self.context.server.connect(READ_WAIT)?;
        let lease = Lease::new(self.keys.lease(), &self.context.instance, self.settings.lease);
        let mut work = Work {
            connection,
            lease,
            answers: Arc::default(),
            in_flight: BTreeMap::new(),
            next_token: 0,
            waiting: Vec::new(),
            done: Vec::new(),
            feed: self.settings.sorted_set.as_ref().map(|set| {
                let kept = self.settings.in_flight_max * 4;
                Feed::new(set, self.settings.key.as_str(), kept)
            }),
        };
        if !self.wait_for_lease(&mut work)? {
            return Ok(());
        }
        self.create_group(&mut work.connection)?;
        self.stats.active.store(true, Ordering::Relaxed);
        // From the first entry that was read and not acknowledged, up to the last.
        let mut after = Some(EntryId(0));
        while !self.context.stops() {
            if !work.lease.keep(&mut work.connection)? {
                tracing::warn!("Redis stream {}: another instance has taken it over", self.settings.key);
                if !self.wait_for_lease(&mut work)? {
                    return Ok(());
                }
                after = Some(EntryId(0));
            }
            let entries = self.read(&mut work, after)?;
            if let Some(after) = &mut after {
                *after = entries.last().map_or(*after, |entry| entry.id);
            }
            if after.is_some() && entries.is_empty() {
                after = None;
            }
            let is_idle = entries.is_empty();
            self.hand_in(&mut work, entries)?;
            let wait = if is_idle && !work.in_flight.is_empty() { ANSWER_WAIT } else { Duration::ZERO };
            self.settle(&mut work, wait)?;
        }
        // What was read is finished, so that whoever reads next finds nothing half done.
        while !work.in_flight.is_empty() {
            self.submit(&mut work)?;
            self.settle(&mut work, READ_WAIT)?;
        }
        let mut last = pipe();
        self.acknowledge(&mut work, &mut last);
        send(&last, &mut work.connection)?;
        work.lease.release(&mut work.connection)?;
        Ok(())
    }

    /// False when the exchange stops before the lease is ours.
    fn wait_for_lease(&self, work: &mut Work) -> Result<bool, Broken> {
        let mut told = false;
        while !self.context.stops() {
            if work.lease.keep(&mut work.connection)? {
                tracing::info!("Redis stream {}: reading", self.settings.key);
                return Ok(true);
            }
            if !std::mem::replace(&mut told, true) {
                tracing::info!(
                    "Redis stream {}: another instance reads it; this one waits",
                    self.settings.key
                );
            }
            self.context.pause(work.lease.patience());
        }
        Ok(false)
    }

    fn create_group(&self, connection: &mut Connection) -> Result<(), Broken> {
        let created = cmd("XGROUP")
            .arg("CREATE")
            .arg(self.settings.key.as_str())
            .arg(&self.settings.group)
            .arg("0")
            .arg("MKSTREAM")
            .query::<()>(connection);
        match created {
            Err(error) if !is_busy_group(&error) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Acknowledges what is done and reads what comes next: entries of our own behind `after`, or new ones.
    fn read(&self, work: &mut Work, after: Option<EntryId>) -> Result<Vec<Entry>, Broken> {
        let room = self.settings.in_flight_max.saturating_sub(work.in_flight.len());
        let mut commands = pipe();
        self.acknowledge(work, &mut commands);
        if room == 0 || !work.waiting.is_empty() {
            send(&commands, &mut work.connection)?;
            return Ok(Vec::new());
        }
        let most = room.min(self.settings.read_max);
        let is_idle = work.in_flight.is_empty() && after.is_none();
        if after.is_none()
            && let Some(feed) = &mut work.feed
        {
            // Acknowledgements first: it may take a while until somebody adds something.
            send(&commands, &mut work.connection)?;
            commands.clear();
            let wait = if is_idle { READ_WAIT } else { Duration::ZERO };
            // Whatever came, the stream is read: somebody may have filled it and died.
            if feed.fill(&mut work.connection, most, wait)? == 0 && is_idle {
                std::thread::sleep(feed.pause());
            }
        }
        let read = commands
            .cmd("XREADGROUP")
            .arg("GROUP")
            .arg(&self.settings.group)
            .arg(CONSUMER)
            .arg("COUNT")
            .arg(most);
        if is_idle && work.feed.is_none() {
            read.arg("BLOCK").arg(u64::try_from(READ_WAIT.as_millis()).expect("short"));
        }
        let behind = after.map_or_else(|| ">".to_owned(), entry::text_of);
        read.arg("STREAMS").arg(self.settings.key.as_str()).arg(behind);
        let (found,): (Value,) = commands.query(&mut work.connection)?;
        Ok(entry::entries_of(found)
            .ok_or_else(|| unexpected("XREADGROUP gave something else than entries"))?)
    }

    /// Adds the acknowledgement of all that is done.
    fn acknowledge(&self, work: &mut Work, commands: &mut Pipeline) {
        if work.done.is_empty() {
            return;
        }
        let acknowledge = commands.cmd("XACK").arg(self.settings.key.as_str()).arg(&self.settings.group);
        for id in work.done.drain(..) {
            acknowledge.arg(entry::text_of(id));
        }
        acknowledge.ignore();
    }

    /// Translates entries and hands them in; those that make no sense are put aside.
    fn hand_in(&mut self, work: &mut Work, entries: Vec<Entry>) -> Result<(), Broken> {
        let mut listings = self.context.exchange.directory.listings();
        for entry in entries {
            let order = match self.translate(&entry, &mut listings) {
                Ok(order) => order,
                Err(refused) => {
                    self.put_aside(work, &entry, refused.code, &refused.message)?;
                    continue;
                }
            };
            let home = self.context.exchange.ingress.partitions().home(order.account());
            let from = FromSource { source: self.sources[home.index()], entry: entry.id, order };
            let token = work.next_token;
            work.next_token += 1;
            work.in_flight.insert(token, entry.id);
            let answers: Arc<dyn Session> = Arc::clone(&work.answers) as Arc<dyn Session>;
            let command = Command::FromSource(Box::new(from));
            work.waiting.push(Submission { command, reply_to: Some((answers, token)) });
        }
        self.stats
            .in_flight
            .store(u64::try_from(work.in_flight.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.submit(work)
    }

    /// Hands in what waits, as far as the sequencer takes it.
    fn submit(&self, work: &mut Work) -> Result<(), Broken> {
        while !work.waiting.is_empty() {
            match self.context.exchange.ingress.submit_batch(&mut work.waiting) {
                Ok(()) => return Ok(()),
                Err(SubmitError::Stopped) => return Err(Broken::Stopped),
                Err(SubmitError::Busy { .. } | SubmitError::OutboxFull { .. }) => {
                    if !work.lease.keep(&mut work.connection)? {
                        // Whoever has it now reads these entries again.
                        return Err(Broken::Log("another instance has taken the stream over".to_owned()));
                    }
                    std::thread::sleep(BUSY_WAIT);
                }
            }
        }
        Ok(())
    }

    /// Looks at the answers that have come.
    fn settle(&self, work: &mut Work, wait: Duration) -> Result<(), Broken> {
        let answers = work.answers.take(wait);
        let mut taken = 0;
        for (token, fate) in answers {
            let Some(id) = work.in_flight.remove(&token) else { continue };
            match fate {
                Fate::Taken => taken += 1,
                Fate::Repeated => {
                    taken += 1;
                    self.stats.repeated.fetch_add(1, Ordering::Relaxed);
                }
                Fate::OutOfOrder { mark } => {
                    self.put_aside_out_of_order(work, id, mark)?;
                    continue;
                }
                // In the journal or not: it comes again after the next start.
                Fate::Abandoned => return Err(Broken::Stopped),
            }
            work.done.push(id);
        }
        self.stats.taken.fetch_add(taken, Ordering::Relaxed);
        self.stats
            .in_flight
            .store(u64::try_from(work.in_flight.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }

    /// What an entry asks for. What the views do not know yet may have been made a moment ago: they are waited for.
    fn translate(&mut self, entry: &Entry, listings: &mut Arc<Listings>) -> Result<OrderCommand, ApiError> {
        let origin = entry::Origin { only: self.settings.only.as_ref(), prefix: &self.prefix };
        let (directory, accounts) = (&self.context.exchange.directory, &mut self.accounts);
        let unpacked = self.settings.sorted_set.is_some().then(|| unpacked(entry)).transpose()?;
        let entry = unpacked.as_ref().unwrap_or(entry);
        let mut attempt = |listings: &Listings| {
            entry::command(entry, origin, listings, |name| {
                if let Some(known) = accounts.get(name) {
                    return Some(*known);
                }
                let mut found = None;
                if let Ok(named) = AccountName::new(name) {
                    directory.look(PartitionId::FIRST, &mut |views| {
                        found = views.catalog().account_by_name(&named);
                    });
                }
                found.inspect(|found| _ = accounts.insert(name.to_owned(), *found))
            })
        };
        match attempt(listings) {
            Err(error) if [entry::UNKNOWN_ACCOUNT, entry::UNKNOWN_SYMBOL].contains(&error.code) => {
                self.context.await_directory();
                *listings = directory.listings();
                attempt(listings)
            }
            outcome => outcome,
        }
    }

    /// Puts an entry into the stream of dead letters and acknowledges it, both or neither.
    fn put_aside(&self, work: &mut Work, entry: &Entry, code: i32, reason: &str) -> Result<(), Broken> {
        tracing::warn!(
            "Redis stream {}: entry {} is put aside: {reason}",
            self.settings.key,
            entry::text_of(entry.id)
        );
        let mut commands = pipe();
        commands.atomic();
        let letter = commands
            .cmd("XADD")
            .arg(self.keys.dead())
            .arg("MAXLEN")
            .arg("~")
            .arg(self.settings.dead_letters_max)
            .arg("*")
            .arg("entry")
            .arg(entry::text_of(entry.id))
            .arg("code")
            .arg(code)
            .arg("reason")
            .arg(reason);
        for (name, value) in entry.fields.iter().flatten() {
            letter.arg([b"field:".as_slice(), name].concat()).arg(value);
        }
        letter.ignore();
        commands
            .cmd("XACK")
            .arg(self.settings.key.as_str())
            .arg(&self.settings.group)
            .arg(entry::text_of(entry.id))
            .ignore();
        commands.query::<()>(&mut work.connection)?;
        self.stats.dead_lettered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn put_aside_out_of_order(&self, work: &mut Work, id: EntryId, mark: EntryId) -> Result<(), Broken> {
        let text = entry::text_of(id);
        let found: Vec<Value> = cmd("XRANGE")
            .arg(self.settings.key.as_str())
            .arg(&text)
            .arg(&text)
            .query(&mut work.connection)?;
        let entry = found.into_iter().next().and_then(entry::entry_of);
        let reason = format!(
            "the id is not above {}, the last one that was taken, and is none of the last {} that were: the stream has lost its \
             order, or the entry is older than that; look whether it was done, and add it again if not",
            entry::text_of(mark),
            self.settings.remember
        );
        self.put_aside(work, &entry.unwrap_or(Entry { id, fields: None }), OUT_OF_ORDER, &reason)
    }
}

/// An entry that came from a sorted set, with the fields of the member that it has.
fn unpacked(entry: &Entry) -> Result<Entry, ApiError> {
    let Some(fields) = &entry.fields else { return Ok(entry.clone()) };
    let member = fields.iter().find(|(name, _)| name == sorted_set::FIELD.as_bytes());
    let mut fields = member.and_then(|(_, member)| sorted_set::fields(member)).ok_or_else(|| {
        ApiError::new(-1135, "The member is no JSON object of texts, whole numbers and true or false.")
    })?;
    fields.retain(|(name, _)| name != b"ref");
    Ok(Entry { id: entry.id, fields: Some(fields) })
}

/// The code of a dead letter whose place had gone by.
const OUT_OF_ORDER: i32 = -1021;

impl Context {
    /// Waits until the views know what was told before now.
    pub(crate) fn await_directory(&self) {
        let told = self.exchange.egress[0].released_seq();
        let begun = Instant::now();
        let mut known = false;
        while !known && begun.elapsed() < VIEWS_WAIT && !self.stops() {
            self.exchange
                .directory
                .look(PartitionId::FIRST, &mut |views| known = views.command_seq() >= told);
            if !known {
                std::thread::sleep(BUSY_WAIT);
            }
        }
    }
}
