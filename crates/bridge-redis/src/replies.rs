//! Results of entries, from the event log to Redis. They are written together with the place in the log up to which all
//! results are out, in one `MULTI`: so none is missing and none is there twice, whoever dies, also when Redis comes back with what
//! it had a second ago. One thread for each stream and partition.
//!
//! The log is read from its files until it has caught up with what is released now; then batches come from the sequencer's gate
//! directly.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use journal::EventLogReader;
use model::{AccountId, Event, EventBatch, PartitionId, Seq, SourceId};
use redis::{Connection, cmd, pipe};

use crate::answer::{Answer, Fields};
use crate::keys::Keys;
use crate::server::{Broken, keep_serving};
use crate::sorted_set::{FIELD, reference};
use crate::stats::SourceStats;
use crate::{Context, Registered, Replies, StreamSettings};

/// How long to wait for something to happen before looking whether the bridge stops.
const LOOK: Duration = Duration::from_millis(50);
/// How long to wait for the event log's file to have what is released.
const FILE_WAIT: Duration = Duration::from_millis(1);
/// Results that are written together at most.
const TOGETHER: usize = 1_000;
/// The position moves on without a result no more often than this.
const POSITION_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Replier {
    context: Context,
    settings: Arc<StreamSettings>,
    keys: Keys,
    partition: PartitionId,
    source: SourceId,
    stats: Arc<SourceStats>,
    /// The last command whose results are out, as far as this run knows.
    done: Seq,
    /// The names of accounts, which never change.
    names: HashMap<AccountId, String>,
}

/// An entry of the stream: its id, and its fields.
type Found = (String, Vec<(String, Vec<u8>)>);

/// What one connection has under way.
struct Work {
    connection: Connection,
    /// The last command that was looked at.
    seen: Seq,
    /// The last one whose results were out when this began: what is complete up to here is not written again.
    written: Seq,
    /// Entries whose answer is not complete, by the command that they were.
    open: BTreeMap<Seq, Answer>,
    ready: Vec<(String, Fields)>,
    position_at: Instant,
}

impl Replier {
    pub(crate) fn new(
        context: &Context,
        settings: &Arc<StreamSettings>,
        partition: PartitionId,
        registered: Registered,
        stats: &Arc<SourceStats>,
    ) -> Self {
        Self {
            context: context.clone(),
            settings: Arc::clone(settings),
            keys: Keys::of(settings.key.as_str()),
            partition,
            source: registered.source,
            stats: Arc::clone(stats),
            done: registered.at,
            names: HashMap::new(),
        }
    }

    pub(crate) fn run(mut self) {
        let what = format!("results of the Redis stream {}", self.settings.key);
        let context = self.context.clone();
        keep_serving(&context, &what, || self.serve());
    }

    fn serve(&mut self) -> Result<(), Broken> {
        let mut connection = self.context.server.connect(Duration::ZERO)?;
        let key = self.keys.position(self.partition);
        let (done, from): (Option<u64>, Option<u64>) =
            cmd("HMGET").arg(&key).arg("done").arg("from").query(&mut connection)?;
        // Without a position this is new, or all that was in Redis is gone, and its entries with it.
        let written = done.map_or(self.done, Seq);
        let mut work = Work {
            connection,
            seen: from.map_or(written, Seq),
            written,
            open: BTreeMap::new(),
            ready: Vec::new(),
            position_at: Instant::now(),
        };
        let egress = &self.context.exchange.egress[self.partition.index()];
        let subscription = egress.subscribe();
        let released = egress.released_seq();
        if written > released {
            return Err(Broken::Log(format!(
                "the key {key} says that results are out up to command {written}, and the journal ends at {released}: acknowledged \
                 commands are missing here, or the key belongs to another exchange; when that is meant, delete the key"
            )));
        }
        if done.is_none() {
            self.write(&mut work)?;
        }
        let storage = &self.context.exchange.storages[self.partition.index()];
        let mut log = EventLogReader::open(storage, work.seen.next())?;
        self.catch_up(&mut work, &mut log, released)?;
        loop {
            let Some(batches) = subscription.wait(LOOK) else {
                return self.write(&mut work);
            };
            for batch in batches {
                if batch.first_seq > work.seen.next() {
                    self.catch_up(&mut work, &mut log, Seq(batch.first_seq.0 - 1))?;
                }
                self.see(&mut work, &batch)?;
            }
            if !work.ready.is_empty() || work.position_at.elapsed() > POSITION_EVERY {
                self.write(&mut work)?;
            }
        }
    }

    /// Reads the files up to a command.
    fn catch_up(&mut self, work: &mut Work, log: &mut EventLogReader, until: Seq) -> Result<(), Broken> {
        while work.seen < until {
            match log.next()? {
                Some(frame) => {
                    let batch =
                        sequencer::decode_batch(&frame).map_err(|error| Broken::Log(error.to_string()))?;
                    self.see(work, &batch)?;
                }
                // It is released, so it is going to be written.
                None => std::thread::sleep(FILE_WAIT),
            }
        }
        Ok(())
    }

    /// Looks at a batch, as far as it is new.
    fn see(&mut self, work: &mut Work, batch: &EventBatch) -> Result<(), Broken> {
        for (seq, events) in batch.by_command() {
            if seq > work.seen {
                work.seen = seq;
                self.look(work, seq, events, batch);
            }
        }
        let lag =
            self.context.exchange.egress[self.partition.index()].released_seq().0.saturating_sub(work.seen.0);
        self.stats.reply_lag[self.partition.index()].store(lag, Ordering::Relaxed);
        if work.ready.len() >= TOGETHER {
            self.write(work)?;
        }
        Ok(())
    }

    fn look(&mut self, work: &mut Work, seq: Seq, events: &[Event], batch: &EventBatch) {
        let mut complete = None;
        match events.first() {
            Some(Event::EntryTaken { source, entry, action, account, market }) if *source == self.source => {
                let mut answer = Answer::new(*entry, *action, *account, *market);
                answer.hear(batch.time_ns, events);
                if matches!(events.last(), Some(Event::EntryOpen { .. })) {
                    work.open.insert(seq, answer);
                } else {
                    complete = Some(answer);
                }
            }
            Some(Event::Heard { origin, .. }) if origin.partition == self.partition => {
                if let Some(answer) = work.open.get_mut(&origin.seq) {
                    answer.hear(batch.time_ns, events);
                    if matches!(events.last(), Some(Event::EntryAnswered { .. })) {
                        complete = work.open.remove(&origin.seq);
                    }
                }
            }
            _ => {}
        }
        // What is complete up to there is out already.
        if let Some(answer) = complete.filter(|_| seq > work.written) {
            let fields = self.fields(&answer);
            work.ready.push((answer.entry(), fields));
        }
    }

    fn fields(&mut self, answer: &Answer) -> Fields {
        let directory = &self.context.exchange.directory;
        let account = answer.account();
        let name = self.names.entry(account).or_insert_with(|| {
            let mut name = account.to_string();
            directory.look(PartitionId::FIRST, &mut |views| {
                if let Some(known) = views.catalog().account(account) {
                    name = known.name.to_string();
                }
            });
            name
        });
        answer.fields(name, directory.listings().market(answer.market))
    }

    /// Gives results the names by which producers of a sorted set know their orders; who adds a member is told no id.
    fn add_references(&self, work: &mut Work) -> Result<(), Broken> {
        let mut look = pipe();
        for (entry, _) in &work.ready {
            look.cmd("XRANGE").arg(self.settings.key.as_str()).arg(entry).arg(entry);
        }
        let found: Vec<Vec<Found>> = look.query(&mut work.connection)?;
        for ((_, fields), entries) in work.ready.iter_mut().zip(found) {
            let members = entries.iter().flat_map(|(_, fields)| fields);
            let reference =
                members.filter(|(name, _)| name == FIELD).find_map(|(_, member)| reference(member));
            if let Some(reference) = reference {
                fields.push(("ref", reference));
            }
        }
        Ok(())
    }

    /// Writes all results that are ready, and how far that is.
    fn write(&mut self, work: &mut Work) -> Result<(), Broken> {
        if self.settings.sorted_set.is_some() && !work.ready.is_empty() {
            self.add_references(work)?;
        }
        let mut commands = pipe();
        commands.atomic();
        for (entry, fields) in &work.ready {
            match self.settings.replies {
                Replies::Off => {}
                Replies::Stream { max } => {
                    let add = commands
                        .cmd("XADD")
                        .arg(self.keys.replies())
                        .arg("MAXLEN")
                        .arg("~")
                        .arg(max)
                        .arg("*");
                    for (name, value) in fields {
                        add.arg(*name).arg(value);
                    }
                    add.ignore();
                }
                Replies::Key { ttl } => {
                    let key = self.keys.reply(entry);
                    let set = commands.cmd("HSET").arg(&key);
                    for (name, value) in fields {
                        set.arg(*name).arg(value);
                    }
                    set.ignore();
                    let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
                    commands.cmd("PEXPIRE").arg(&key).arg(millis).ignore();
                }
            }
        }
        // A reader that begins anew has to see again what is open.
        let from = work.open.keys().next().map_or(work.seen.0, |oldest| oldest.0 - 1);
        commands
            .cmd("HSET")
            .arg(self.keys.position(self.partition))
            .arg("done")
            .arg(work.seen.0)
            .arg("from")
            .arg(from)
            .ignore();
        commands.query::<()>(&mut work.connection)?;
        self.stats.replies.fetch_add(u64::try_from(work.ready.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        work.ready.clear();
        (work.written, self.done, work.position_at) = (work.seen, work.seen, Instant::now());
        Ok(())
    }
}
