//! The way in: one handle for all gateways, and a bounded queue for each partition. Full means an honest "busy", never an
//! endless wait. What other partitions say comes in here too, before everything that clients ask and without a bound of its own:
//! clients are refused before it becomes too much.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Command, Envelope, PartitionId, Partitions};

use crate::Session;
use crate::links::{Marks, Said};

/// One command on its way, and who wants to hear what came of it.
pub struct Submission {
    /// What is asked.
    pub command: Command,
    /// Who is told, with which token; `None` when nobody waits.
    pub reply_to: Option<(Arc<dyn Session>, u64)>,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// As many commands wait as the setting allows. Nothing was done; try again.
    Busy {
        /// The setting `ingress_limit`.
        limit: usize,
    },
    /// Some partition has said more to another than that has taken, above the setting `outbox_limit`. Nothing was done; try
    /// again.
    OutboxFull {
        /// The setting `outbox_limit`.
        limit: usize,
    },
    /// The program is stopping, or has stopped. Nothing was done.
    Stopped,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { limit } => {
                write!(out, "{limit} commands are waiting, which is the limit; try again")
            }
            Self::OutboxFull { limit } => {
                write!(
                    out,
                    "more than {limit} messages between partitions are waiting, which is the limit; try again"
                )
            }
            Self::Stopped => write!(out, "the exchange is stopping"),
        }
    }
}

impl std::error::Error for SubmitError {}

#[derive(Default)]
struct Waiting {
    submissions: VecDeque<Submission>,
    /// From other partitions.
    envelopes: VecDeque<Arc<Envelope>>,
    stopped: bool,
    /// Something other than a submission wants the sequencer's attention.
    nudged: bool,
    consumer_sleeps: bool,
    /// Submissions refused as busy since the start.
    refused: u64,
}

pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    limit: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what another partition says.
    pub(crate) fn deliver(&self, envelopes: Vec<Arc<Envelope>>) {
        let mut waiting = self.lock();
        waiting.envelopes.extend(envelopes);
        self.wake(waiting);
    }

    /// Wakes the sequencer without a command.
    pub(crate) fn nudge(&self) {
        let mut waiting = self.lock();
        waiting.nudged = true;
        self.wake(waiting);
    }

    /// Refuses all further submissions.
    pub(crate) fn stop(&self) {
        let mut waiting = self.lock();
        waiting.stopped = true;
        self.wake(waiting);
    }

    fn wake(&self, waiting: MutexGuard<'_, Waiting>) {
        let sleeps = waiting.consumer_sleeps;
        drop(waiting);
        // A system call only where somebody sleeps.
        if sleeps {
            self.arrived.notify_one();
        }
    }
}

/// The bit of a partition in a set of them.
pub(crate) fn lane_bit(partition: PartitionId) -> u32 {
    1 << partition.0
}

/// The gateways' end of the queues; clones share it.
#[derive(Clone)]
pub struct Ingress {
    /// By partition.
    lanes: Arc<Vec<Arc<Queue>>>,
    partitions: Arc<Partitions>,
    /// One bit for each partition with an outbox above the limit.
    crowded: Arc<AtomicU32>,
    outbox_limit: usize,
    marks: Arc<Marks>,
}

/// The sequencer's end of a queue.
pub(crate) struct Arrivals {
    queue: Arc<Queue>,
}

/// What the sequencer's end knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It wants to be told of a stop.
    Open,
    /// It was told, and has nothing left of what it was asked; other partitions may still say something.
    Stopping,
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Submissions were moved to the caller's buffer.
    Submissions,
    /// Somebody called [`Queue::nudge`].
    Nudge,
    /// The time is over.
    Timeout,
    /// Stopped, and nothing is left.
    Stopped,
}

/// A queue for at most `limit` waiting commands.
pub(crate) fn queue(limit: usize) -> Arc<Queue> {
    Arc::new(Queue { waiting: Mutex::default(), arrived: Condvar::new(), limit })
}

/// Where a command is sequenced: where its account lives, or where the number of its withdrawal says; the rest is for the
/// directory.
fn home(partitions: &Partitions, command: &Command) -> PartitionId {
    let account = match command {
        Command::Deposit(deposit) => deposit.account,
        Command::RequestWithdrawal(request) => request.account,
        Command::PlaceOrder(place) => place.account,
        Command::CancelOrder(cancel) => cancel.account,
        Command::CancelAllOrders(cancel) => cancel.account,
        Command::ReplaceOrder(replace) => replace.place.account,
        Command::AmendOrder(amend) => amend.account,
        Command::FromSource(from) => from.order.account(),
        Command::MoveFunds(moves) => moves.account,
        Command::PlaceContractOrder(place) => place.account,
        Command::ChangeLeverage(change) => change.account,
        Command::ChangeMarginType(change) => change.account,
        Command::MovePositionMargin(moves) => moves.account,
        Command::ChangePositionMode(change) => change.account,
        Command::PlaceAlgoOrder(place) => place.account,
        Command::CancelAlgoOrder(cancel) => cancel.account,
        Command::CancelAllAlgoOrders(cancel) => cancel.account,
        Command::SetCountdown(set) => set.account,
        Command::ModifyContractOrder(modify) => modify.account,
        Command::PlaceGoodTillDate(place) => place.account,
        Command::RegisterSource(register) => {
            let named = register.partition;
            return if named.0 < partitions.count() { named } else { PartitionId::FIRST };
        }
        Command::SetIndexPrice(set) => {
            return if set.partition.0 < partitions.count() { set.partition } else { PartitionId::FIRST };
        }
        Command::SettleWithdrawal(settle) => {
            let named = settle.withdrawal.partition();
            return if named.0 < partitions.count() { named } else { PartitionId::FIRST };
        }
        Command::AddAsset(_)
        | Command::AddMarket(_)
        | Command::AddMarketTo(_)
        | Command::ChangeMarket(_)
        | Command::MoveMarket(_)
        | Command::AddPartition
        | Command::CreateAccount(_)
        | Command::CreateApiKey(_)
        | Command::AddApiKey(_)
        | Command::ChangeApiKey(_)
        | Command::ResealApiKey(_)
        | Command::RevokeApiKey(_)
        | Command::JoinExchange(_)
        | Command::Deliver(_)
        | Command::Confirm(_)
        | Command::SkipEnvelope(_)
        | Command::Skip(_)
        | Command::AddContract(_)
        | Command::ChangeContract(_)
        | Command::Continue
        | Command::Tick => return PartitionId::FIRST,
    };
    partitions.home(account)
}

impl Ingress {
    pub(crate) fn new(
        lanes: Vec<Arc<Queue>>,
        partitions: Partitions,
        crowded: Arc<AtomicU32>,
        outbox_limit: usize,
        marks: Arc<Marks>,
    ) -> Self {
        Self { lanes: Arc::new(lanes), partitions: Arc::new(partitions), crowded, outbox_limit, marks }
    }

    /// What partitions have said to this one until now. Who was told of a fill, and asks for the account on its other side,
    /// finds it there when that [`Self::has_taken`] this, and its views have what is released.
    pub fn said_to(&self, partition: PartitionId) -> Said {
        self.marks.said_to(partition)
    }

    /// Whether all of that is durable where it was said to, and released there.
    pub fn has_taken(&self, said: &Said) -> bool {
        self.marks.has_taken(said)
    }

    /// How accounts are spread over partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    fn lane(&self, command: &Command) -> &Queue {
        let home = if self.lanes.len() == 1 { PartitionId::FIRST } else { home(&self.partitions, command) };
        &self.lanes[home.index()]
    }

    fn check_outboxes(&self) -> Result<(), SubmitError> {
        if self.crowded.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        Err(SubmitError::OutboxFull { limit: self.outbox_limit })
    }

    /// Hands in one command. The answer comes through its session, once it is durable.
    pub fn submit(&self, submission: Submission) -> Result<(), SubmitError> {
        let queue = self.lane(&submission.command);
        let mut waiting = queue.lock();
        if waiting.stopped {
            return Err(SubmitError::Stopped);
        }
        if let Err(busy) = self.check_outboxes() {
            waiting.refused += 1;
            return Err(busy);
        }
        if waiting.submissions.len() >= queue.limit {
            waiting.refused += 1;
            return Err(SubmitError::Busy { limit: queue.limit });
        }
        waiting.submissions.push_back(submission);
        queue.wake(waiting);
        Ok(())
    }

    /// Hands in many at once, those of each partition in order, for one lock a partition; takes from `batch` what fits and
    /// leaves the rest.
    pub fn submit_batch(&self, batch: &mut Vec<Submission>) -> Result<(), SubmitError> {
        if let [only] = self.lanes.as_slice() {
            return self.submit_to(only, batch);
        }
        let mut by_lane: Vec<Vec<Submission>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for submission in batch.drain(..) {
            by_lane[home(&self.partitions, &submission.command).index()].push(submission);
        }
        let mut outcome = Ok(());
        for (queue, mut part) in self.lanes.iter().zip(by_lane) {
            if !part.is_empty() {
                outcome = outcome.and(self.submit_to(queue, &mut part));
                batch.append(&mut part);
            }
        }
        outcome
    }

    fn submit_to(&self, queue: &Queue, batch: &mut Vec<Submission>) -> Result<(), SubmitError> {
        let mut waiting = queue.lock();
        if waiting.stopped {
            return Err(SubmitError::Stopped);
        }
        if let Err(busy) = self.check_outboxes() {
            waiting.refused += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            return Err(busy);
        }
        let fits = queue.limit.saturating_sub(waiting.submissions.len()).min(batch.len());
        waiting.submissions.extend(batch.drain(..fits));
        waiting.refused += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        queue.wake(waiting);
        if batch.is_empty() { Ok(()) } else { Err(SubmitError::Busy { limit: queue.limit }) }
    }

    /// Commands that wait to be sequenced, in all partitions.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|queue| queue.lock().submissions.len()).sum()
    }

    /// Commands that wait to be sequenced in one partition.
    pub fn waiting_in(&self, partition: PartitionId) -> usize {
        self.lanes[partition.index()].lock().submissions.len()
    }

    /// True once [`Self::stop`] was called, or the sequencer has ended.
    pub fn has_stopped(&self) -> bool {
        self.lanes.iter().any(|queue| queue.lock().stopped)
    }

    /// Commands that were refused as busy since the start.
    pub fn refused(&self) -> u64 {
        self.lanes.iter().map(|queue| queue.lock().refused).sum()
    }

    /// Commands for one partition that were refused as busy since the start.
    pub fn refused_in(&self, partition: PartitionId) -> u64 {
        self.lanes[partition.index()].lock().refused
    }

    /// Refuses all further commands; those that were taken are still done.
    pub fn stop(&self) {
        for queue in self.lanes.iter() {
            queue.stop();
        }
    }
}

impl Arrivals {
    pub(crate) fn of(queue: &Arc<Queue>) -> Self {
        Self { queue: Arc::clone(queue) }
    }

    /// Moves what has arrived, at most `max`, into the empty `batch`: first what other partitions say. Waits up to `timeout` when
    /// there is nothing.
    pub(crate) fn take(
        &self,
        batch: &mut VecDeque<Submission>,
        max: usize,
        timeout: Duration,
        stage: Stage,
    ) -> Woken {
        debug_assert!(batch.is_empty(), "the last batch is done");
        let mut waiting = self.queue.lock();
        loop {
            if !waiting.envelopes.is_empty() {
                let said = waiting.envelopes.len().min(max);
                let deliver = |envelope| Submission { command: Command::Deliver(envelope), reply_to: None };
                batch.extend(waiting.envelopes.drain(..said).map(deliver));
                let asked = waiting.submissions.len().min(max - said);
                batch.extend(waiting.submissions.drain(..asked));
                return Woken::Submissions;
            }
            if !waiting.submissions.is_empty() {
                if waiting.submissions.len() <= max {
                    std::mem::swap(batch, &mut waiting.submissions);
                } else {
                    batch.extend(waiting.submissions.drain(..max));
                }
                return Woken::Submissions;
            }
            if std::mem::take(&mut waiting.nudged) {
                return Woken::Nudge;
            }
            if waiting.stopped && stage == Stage::Open {
                return Woken::Stopped;
            }
            waiting.consumer_sleeps = true;
            let (guard, timed_out) =
                self.queue.arrived.wait_timeout(waiting, timeout).unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
            waiting.consumer_sleeps = false;
            let nothing = waiting.submissions.is_empty() && waiting.envelopes.is_empty() && !waiting.nudged;
            if timed_out.timed_out() && nothing && !(waiting.stopped && stage == Stage::Open) {
                return Woken::Timeout;
            }
        }
    }

    /// Everything that is left, to be abandoned.
    pub(crate) fn take_rest(&self) -> VecDeque<Submission> {
        let mut waiting = self.queue.lock();
        waiting.envelopes.clear();
        std::mem::take(&mut waiting.submissions)
    }
}

#[cfg(test)]
mod tests {
    use model::{AccountId, CancelAllOrders, MarketId, SettleWithdrawal, TimeNs, WithdrawalId};

    use super::*;

    #[test]
    fn a_command_goes_where_its_account_lives_and_the_rest_to_the_first_partition() {
        let mut partitions = Partitions::default();
        partitions.add(AccountId(1));
        partitions.add(AccountId(1));
        for id in 1..100 {
            let cancel = CancelAllOrders {
                account: AccountId(id),
                market: MarketId(0),
                valid_until_ns: TimeNs::NEVER,
            };
            let home_of_it = home(&partitions, &Command::CancelAllOrders(cancel));
            assert_eq!(home_of_it, partitions.home(AccountId(id)));
        }
        let settle = |withdrawal| {
            home(&partitions, &Command::SettleWithdrawal(SettleWithdrawal { withdrawal, paid_out: true }))
        };
        for partition in (0..3).map(PartitionId) {
            assert_eq!(settle(WithdrawalId::first_of(partition)), partition);
        }
        // Numbers that nobody has given out are refused there.
        assert_eq!(settle(WithdrawalId::first_of(PartitionId(3))), PartitionId::FIRST);
        assert_eq!(settle(WithdrawalId(u64::MAX)), PartitionId::FIRST);
        assert_eq!(home(&partitions, &Command::AddPartition), PartitionId::FIRST);
    }
}
