//! The hashes, against figures that another program worked out.

use codec::{EventChain, StateHasher};
use model::{EventSeq, Seq, TimeNs};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// SHA-256 over the hash before, the places and the time (eight bytes each, little-endian) and the bytes of the events.
#[test]
fn the_event_chain_can_be_checked_by_anybody() {
    let mut chain = EventChain::default();
    let first = chain.extend(Seq(1), TimeNs(2), EventSeq(3), b"events");
    assert_eq!(hex(&first), "c3ac02b9f7c44b898edf70069a87f7102809f1539b7af5bd3b2d536974a19f4a");
    let second = chain.extend(Seq(4), TimeNs(5), EventSeq(6), b"");
    assert_eq!(hex(&second), "50ecf8cc95fbdb4f64982eb5862c946ef978a94cae789131309a83cf139e5c2a");
    assert_eq!(chain, EventChain(second));
}

#[test]
fn the_state_hash_is_sha_256_however_the_bytes_come() {
    let mut hasher = StateHasher::default();
    hasher.update(b"a");
    hasher.update(b"bc");
    assert_eq!(hex(&hasher.finish()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
