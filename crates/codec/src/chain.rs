//! Hashes by which two machines find out that they hold the same: SHA-256, so that anybody can check them.

use model::{EventSeq, Seq, TimeNs};
use sha2::{Digest, Sha256};

/// The hash over all events up to a place in the log. Each journal batch extends it by the hash of what stood before, the
/// places and the time of the batch, and its events as the event log keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventChain(pub [u8; 32]);

impl EventChain {
    /// Extends the chain by a batch, given with the bytes of its events, and returns the new hash.
    pub fn extend(
        &mut self,
        first_seq: Seq,
        time_ns: TimeNs,
        first_event_seq: EventSeq,
        events: &[u8],
    ) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(first_seq.0.to_le_bytes());
        hasher.update(time_ns.0.to_le_bytes());
        hasher.update(first_event_seq.0.to_le_bytes());
        hasher.update(events);
        self.0 = hasher.finalize().into();
        self.0
    }
}

/// A hash over the encoded state.
#[derive(Clone, Default)]
pub struct StateHasher(Sha256);

impl StateHasher {
    /// Takes in more of the state.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash over all that was taken in.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
