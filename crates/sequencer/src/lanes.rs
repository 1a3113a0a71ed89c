//! All partitions of an exchange, started together when what their files say fits together, and ended together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use model::{PartitionId, Seq};

use crate::ingress::queue;
use crate::links::{Links, Marks};
use crate::recovery::Recovered;
use crate::sequencer::Worker;
use crate::{Companion, Egress, Ingress, SequencerError, Settings};

/// The running sequencers of an exchange, one for each partition.
pub struct Sequencer {
    ingress: Ingress,
    egress: Vec<Egress>,
    /// Whether the end of the threads takes a snapshot.
    last_snapshot: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Stopped, SequencerError>>>,
}

/// What one partition starts with.
pub struct Lane {
    /// Its files, and the state that they lead to.
    pub recovered: Recovered,
    /// Its way out.
    pub egress: Egress,
    /// Whose state goes into snapshots beside the partition's.
    pub companion: Option<Arc<dyn Companion>>,
}

/// How a partition ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The last command.
    pub seq: Seq,
    /// The hash over all events.
    pub event_chain: [u8; 32],
    /// The hash over the state.
    pub state_hash: [u8; 32],
}

/// What the files of all partitions say fits together.
fn check(lanes: &[Lane]) -> Result<(), SequencerError> {
    let count = lanes[0].recovered.partition.partitions().count();
    if usize::from(count) != lanes.len() {
        return Err(SequencerError::PartitionCount { count, found: lanes.len() });
    }
    for (expected, lane) in (0..).map(PartitionId).zip(lanes) {
        let found = lane.recovered.partition.own_id();
        if found != expected {
            return Err(SequencerError::OtherPartition { expected, found });
        }
    }
    let all = || lanes.iter().map(|lane| &lane.recovered.partition);
    for (sender, receiver) in all().flat_map(|sender| all().map(move |receiver| (sender, receiver))) {
        let (from, to) = (sender.own_id(), receiver.own_id());
        if from == to {
            continue;
        }
        let (heard, said) = (receiver.last_taken(from), sender.last_said(to));
        if heard > said {
            return Err(SequencerError::PartitionBehind { behind: from, ahead: to, heard, said });
        }
        let forgotten = said - u64::try_from(sender.unconfirmed(to)).expect("fits");
        if heard < forgotten {
            let missing = heard + 1;
            return Err(SequencerError::EnvelopeMissing { forgetful: from, behind: to, missing });
        }
    }
    Ok(())
}

impl Sequencer {
    /// Starts the threads of all partitions, in their order. What one has said and another has not taken yet is said again.
    pub fn start(lanes: Vec<Lane>, settings: Settings) -> Result<Self, SequencerError> {
        settings.assert_in_range();
        check(&lanes)?;
        let queues: Vec<_> = lanes.iter().map(|_| queue(settings.ingress_limit)).collect();
        let crowded = Arc::new(AtomicU32::new(0));
        let partitions = lanes[0].recovered.partition.partitions().clone();
        let marks = Arc::new(Marks::new(lanes.len()));
        let ingress = Ingress::new(
            queues.clone(),
            partitions,
            Arc::clone(&crowded),
            settings.outbox_limit,
            Arc::clone(&marks),
        );
        let links = Arc::new(Links::new(queues.clone(), crowded, marks));
        let last_snapshot = Arc::new(AtomicBool::new(true));
        let egress = lanes.iter().map(|lane| lane.egress.clone()).collect();
        for (own, lane) in (0..).map(PartitionId).zip(&lanes) {
            let partition = &lane.recovered.partition;
            for other in links.everybody().filter(|other| *other != own) {
                links.mark(own, other, partition.last_taken(other));
                links.say(own, other, partition.last_said(other));
            }
        }
        let workers: Vec<_> = lanes
            .into_iter()
            .zip(&queues)
            .map(|(lane, queue)| Worker::new(lane, settings, queue, &last_snapshot, &links))
            .collect();
        for worker in &workers {
            worker.look_at_outboxes();
            worker.say_again();
        }
        let threads = workers.into_iter().map(Worker::start).collect();
        Ok(Self { ingress, egress, last_snapshot, threads })
    }

    /// The way in.
    pub fn ingress(&self) -> &Ingress {
        &self.ingress
    }

    /// The way out of the first partition.
    pub fn egress(&self) -> &Egress {
        &self.egress[0]
    }

    /// The ways out of all partitions, in their order.
    pub fn all_egress(&self) -> &[Egress] {
        &self.egress
    }

    /// Ends as [`Self::join`] does after [`Ingress::stop`], but leaves no snapshot: the next start applies everything
    /// since the last one again.
    pub fn abandon(self) -> Result<Stopped, SequencerError> {
        self.abandon_all().map(|mut all| all.swap_remove(0))
    }

    /// As [`Self::abandon`], of all partitions.
    pub fn abandon_all(self) -> Result<Vec<Stopped>, SequencerError> {
        self.last_snapshot.store(false, Ordering::Relaxed);
        self.ingress.stop();
        self.join_all()
    }

    /// True once some partition has ended, by itself or by [`Ingress::stop`].
    pub fn has_stopped(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Waits for the end: after [`Ingress::stop`], when all that was taken is durable, answered, and in a snapshot; or
    /// when something failed. How the first partition ended.
    pub fn join(self) -> Result<Stopped, SequencerError> {
        self.join_all().map(|mut all| all.swap_remove(0))
    }

    /// As [`Self::join`], of all partitions in their order.
    pub fn join_all(self) -> Result<Vec<Stopped>, SequencerError> {
        let ended: Vec<_> = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(SequencerError::ThreadGone { thread: "sequencer" })))
            .collect();
        // The one that has failed says more than those that have stopped because of it.
        let is_consequence = |ended: &Result<_, _>| matches!(ended, Err(SequencerError::Stopped { .. }));
        match ended.iter().position(|ended| ended.is_err() && !is_consequence(ended)) {
            Some(failed) => Err(ended.into_iter().nth(failed).and_then(Result::err).expect("it was found")),
            None => ended.into_iter().collect(),
        }
    }
}
