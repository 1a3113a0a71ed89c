//! What goes to other partitions and what comes from them: one outbox for each, which is part of the state.
//!
//! All that a command has to say to another partition travels in one [`Envelope`]. It stays in the outbox until the other
//! partition is known to have taken it, and may be sent as often as it takes: the other one takes each number once, in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use model::{Envelope, MarketId, Message, Notice, Origin, PartitionId, Partitions, Seq, TimeNs};

/// What there is between this partition and another one.
#[derive(Default)]
pub struct Outbox {
    /// The number of the last envelope to there.
    pub last_number: u64,
    /// The number of the last envelope from there that was taken.
    pub taken: u64,
    /// Envelopes to there that are not known to have been taken, oldest first, without gaps, up to `last_number`.
    pub unconfirmed: VecDeque<Arc<Envelope>>,
    /// What the command that is being applied has to say to there.
    saying: Vec<Message>,
    /// Envelopes that were taken, whose room is used again.
    spare: Vec<Arc<Envelope>>,
}

impl Outbox {
    /// Envelopes that are kept for later.
    const SPARE: usize = 4_096;

    /// What a snapshot had.
    pub fn new(last_number: u64, taken: u64, unconfirmed: Vec<Arc<Envelope>>) -> Self {
        Self { last_number, taken, unconfirmed: unconfirmed.into(), saying: Vec::new(), spare: Vec::new() }
    }
}

/// A market on its way, as this partition sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// Where it goes.
    pub to: PartitionId,
    /// Who sends it nothing more, one bit a partition; only its old home counts.
    pub quiet: u32,
    /// Who has all its answers from before, one bit a partition; only its new home counts.
    pub ready: u32,
    /// It is here already; only of its new home.
    pub is_here: bool,
}

/// Which partition this is, which others there are, and what goes back and forth.
#[derive(Default)]
pub struct Post {
    pub own: PartitionId,
    pub partitions: Partitions,
    /// By partition; its own one stays empty.
    pub outboxes: Vec<Outbox>,
    /// Messages for markets that the directory has not told of yet.
    pub early: Vec<(Origin, Message)>,
    /// Markets on their way.
    pub moving: BTreeMap<MarketId, Moving>,
    /// What the command that is being applied goes back to.
    pub origin: Origin,
    /// Where that is a command of another partition: more of what it asks is in the next envelope, so the answer to this one is
    /// not the end of it.
    pub asks_more: bool,
    pub progress: Progress,
}

/// How far the answer to a command of this partition is, when its market or the directory may be in another partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The events of the command that was applied last belong to the answer to this command of the same partition.
    pub answers: Option<Seq>,
    /// More of that answer will come from another partition.
    pub more_to_come: bool,
}

impl Post {
    /// True when there is nobody to talk to.
    #[inline]
    pub fn is_alone(&self) -> bool {
        self.outboxes.is_empty()
    }

    /// The outbox to a partition.
    pub fn outbox(&mut self, to: PartitionId) -> &mut Outbox {
        assert!(
            to != self.own && to.0 < PartitionId::MAX_COUNT,
            "messages go to other partitions that exist"
        );
        while self.outboxes.len() <= to.index() {
            self.outboxes.push(Outbox::default());
        }
        &mut self.outboxes[to.index()]
    }

    /// Says something to another partition.
    pub fn say(&mut self, to: PartitionId, message: Message) {
        self.outbox(to).saying.push(message);
    }

    /// Says something that will be answered. Whoever asked for the command that it goes back to waits for that.
    pub fn ask(&mut self, to: PartitionId, message: Message) {
        if self.origin.partition == self.own {
            self.progress = Progress { answers: Some(self.origin.seq), more_to_come: true };
        }
        self.say(to, message);
    }

    pub fn ask_notice(&mut self, to: PartitionId, notice: Notice) {
        self.ask(to, Message::Notice(Box::new(notice)));
    }

    pub fn notify(&mut self, to: PartitionId, notice: Notice) {
        self.say(to, Message::Notice(Box::new(notice)));
    }

    /// All partitions but this one.
    pub fn others(&self) -> impl Iterator<Item = PartitionId> + use<> {
        let own = self.own;
        self.partitions.all().filter(move |partition| *partition != own)
    }

    /// Says the same to all other partitions.
    pub fn notify_others(&mut self, notice: &Notice) {
        for to in self.others() {
            self.notify(to, notice.clone());
        }
    }

    /// Says the same to all other partitions, of which one, if it is another, answers [`Notice::Heard`].
    pub fn notify_others_and_ask(&mut self, asked: PartitionId, notice: &Notice) {
        for to in self.others() {
            if to == asked {
                self.ask_notice(to, notice.clone());
            } else {
                self.notify(to, notice.clone());
            }
        }
    }

    /// Puts what was said into envelopes.
    pub fn seal(&mut self, time_ns: TimeNs) {
        let (from, origin) = (self.own, self.origin);
        for (to, outbox) in (0..).map(PartitionId).zip(&mut self.outboxes) {
            let asks_more = self.asks_more && to == origin.partition;
            while !outbox.saying.is_empty() {
                outbox.last_number = outbox.last_number.checked_add(1).expect("a counter never runs out");
                let mut sealed = outbox.spare.pop().unwrap_or_default();
                if Arc::get_mut(&mut sealed).is_none() {
                    // The receiver is done with it, but not yet rid of it.
                    sealed = Arc::default();
                }
                let envelope = Arc::get_mut(&mut sealed).expect("nobody else has it");
                envelope.messages.clear();
                let count = outbox.saying.len().min(Envelope::MAX_MESSAGES);
                envelope.messages.extend(outbox.saying.drain(..count));
                envelope.from = from;
                envelope.number = outbox.last_number;
                envelope.taken = outbox.taken;
                envelope.time_ns = time_ns;
                envelope.origin = origin;
                envelope.more = asks_more || !outbox.saying.is_empty();
                outbox.unconfirmed.push_back(sealed);
            }
        }
    }

    /// Forgets the envelopes that another partition has taken.
    pub fn confirm(&mut self, by: PartitionId, taken: u64) {
        let outbox = self.outbox(by);
        assert!(taken <= outbox.last_number, "nobody takes an envelope that was never sent");
        while outbox.unconfirmed.front().is_some_and(|envelope| envelope.number <= taken) {
            let taken = outbox.unconfirmed.pop_front();
            if outbox.spare.len() < Outbox::SPARE {
                outbox.spare.extend(taken);
            }
        }
    }

    /// True when this envelope is the next one from its sender; it is taken with that. One that was taken before, or has an
    /// earlier one missing before it, changes nothing: it was done, or will come again.
    pub fn takes(&mut self, envelope: &Envelope) -> bool {
        let outbox = self.outbox(envelope.from);
        let is_next = outbox.taken.checked_add(1) == Some(envelope.number);
        if is_next {
            outbox.taken = envelope.number;
        }
        is_next
    }
}
