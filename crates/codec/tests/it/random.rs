//! Random values there and back; and bytes that are cut short, changed or made up, which give an error or a value that has
//! just these bytes, and never a panic.

use std::fmt::Debug;

use codec::{Coded, DecodeError, Reader, decode_event, encode_event};
use model::{Command, Event, Text};
use proptest::prelude::*;

use crate::dice::Dice;

fn bytes_of(value: &impl Coded) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

fn there_and_back<T: Coded + Debug + PartialEq>(value: &T) {
    let bytes = bytes_of(value);
    let mut input = Reader::new(&bytes);
    assert_eq!(T::decode(&mut input).as_ref(), Ok(value));
    input.finish().expect("nothing is left over");
    for len in 0..bytes.len() {
        // What is short is short, whatever the field: no variant has the bytes of another in front.
        assert_eq!(
            T::decode(&mut Reader::new(&bytes[..len])),
            Err(DecodeError::Short),
            "the first {len} bytes"
        );
    }
}

/// Read, it is an error, or a value that is written with just the bytes that were read.
fn read_or_refused<T: Coded>(bytes: &[u8]) {
    let mut input = Reader::new(bytes);
    if let Ok(value) = T::decode(&mut input) {
        let read = bytes.len() - input.remaining();
        assert_eq!(bytes_of(&value), bytes[..read], "a value has one byte form");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands_and_events_there_and_back(dice in proptest::collection::vec(any::<u8>(), 0..600)) {
        there_and_back(&Dice(&dice).command());
        there_and_back(&Dice(&dice).event());
    }

    #[test]
    fn an_event_with_its_place_there_and_back(
        index in any::<u32>(),
        dice in proptest::collection::vec(any::<u8>(), 0..300),
        behind in 1_usize..9,
    ) {
        let event = Dice(&dice).event();
        let mut bytes = Vec::new();
        encode_event(index, &event, &mut bytes);
        prop_assert_eq!(decode_event(&bytes), Ok((index, event)));
        prop_assert_eq!(decode_event(&bytes[..bytes.len() - 1]), Err(DecodeError::Short));
        bytes.extend(vec![0; behind]);
        prop_assert_eq!(decode_event(&bytes), Err(DecodeError::Trailing { bytes: behind }));
    }

    #[test]
    fn garbage_is_refused_without_a_panic(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_or_refused::<Command>(&garbage);
        read_or_refused::<Event>(&garbage);
        let _ = decode_event(&garbage);
    }

    #[test]
    fn changed_bytes_are_read_as_what_they_say_or_refused(
        dice in proptest::collection::vec(any::<u8>(), 0..300),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut command = bytes_of(&Dice(&dice).command());
        let mut event = bytes_of(&Dice(&dice).event());
        for (at, byte) in &changes {
            *at.get_mut(&mut command) = *byte;
            *at.get_mut(&mut event) = *byte;
        }
        read_or_refused::<Command>(&command);
        read_or_refused::<Event>(&event);
    }
}

#[test]
fn a_length_beyond_the_bytes_asks_for_no_memory() {
    let endless = u32::MAX.to_le_bytes();
    assert_eq!(Vec::<u128>::decode(&mut Reader::new(&endless)), Err(DecodeError::Short));
    assert_eq!(String::decode(&mut Reader::new(&endless)), Err(DecodeError::Short));
    let many = [&endless[..], &[1; 100]].concat();
    assert_eq!(Vec::<u64>::decode(&mut Reader::new(&many)), Err(DecodeError::Short));
}

#[test]
fn each_error_says_what_is_wrong() {
    let read = |bytes: &[u8]| Command::decode(&mut Reader::new(bytes)).map(|_| ()).unwrap_err();
    assert_eq!(read(&[0]), DecodeError::UnknownTag { what: "a command", tag: 0 });
    assert_eq!(read(&[200]), DecodeError::UnknownTag { what: "a command", tag: 200 });
    assert!(read(&[200]).to_string().contains("newer version"));
    // A settled withdrawal is paid out or not, 0 or 1.
    assert_eq!(
        read(&[9, 1, 0, 0, 0, 0, 0, 0, 0, 2]),
        DecodeError::UnknownTag { what: "a truth value", tag: 2 }
    );
    assert_eq!(Text::<4>::decode(&mut Reader::new(&[5, 97, 97, 97, 97, 97])), Err(DecodeError::BadText));
    assert_eq!(Text::<4>::decode(&mut Reader::new(&[1, 32])), Err(DecodeError::BadText));
    assert_eq!(Text::<4>::decode(&mut Reader::new(&[1, 200])), Err(DecodeError::BadText));
    assert_eq!(String::decode(&mut Reader::new(&[1, 0, 0, 0, 0xFF])), Err(DecodeError::BadText));
    assert_eq!(Option::<u8>::decode(&mut Reader::new(&[1, 7])), Ok(Some(7)));
    assert_eq!(Option::<u8>::decode(&mut Reader::new(&[0, 7])), Ok(None));
}
