//! Hashes by which two machines find out that they hold the same: SHA-256, so that anybody can check them.

use model::EventBatch;
use sha2::{Digest, Sha256};

use crate::Coded;

/// The hash over all events up to a place in the log. Each journal batch extends it by the hash of what stood before, the
/// places and the time of the batch, and its events as [`crate::encode_events`] writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventChain(pub [u8; 32]);

impl EventChain {
    /// Extends the chain by a batch, given with its encoded events, and returns the new hash.
    pub fn extend(&mut self, batch: &EventBatch, encoded: &[u8]) -> [u8; 32] {
        let mut places = Vec::with_capacity(28);
        batch.first_seq.encode(&mut places);
        batch.time_ns.encode(&mut places);
        batch.first_event_seq.encode(&mut places);
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(&places);
        hasher.update(encoded);
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
