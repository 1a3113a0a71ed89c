//! Golden bytes: one line for every variant, `Type::Variant bytes`. A line is read for ever and is never changed; a new variant
//! gets a new line, which the failing test prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use codec::{Coded, Reader};
use model::{Event, PositionSide};

use crate::examples::{self, Named};
use crate::examples_algos;

const LINES: &str = include_str!("../golden/v1/values.txt");

/// The golden lines, and what is found missing or too much.
struct Golden {
    lines: BTreeMap<&'static str, Vec<u8>>,
    used: BTreeSet<&'static str>,
    missing: String,
}

impl Golden {
    fn new() -> Self {
        let lines: Vec<_> = LINES
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split_once(' ').expect("a line is a name and bytes"))
            .map(|(name, hex)| (name, unhex(hex)))
            .collect();
        let count = lines.len();
        let lines: BTreeMap<_, _> = lines.into_iter().collect();
        assert_eq!(lines.len(), count, "a name stands in one line");
        Self { lines, used: BTreeSet::new(), missing: String::new() }
    }

    /// Every variant has a line; read, it is the example, and written again it is the line.
    fn has<T: Coded + Named + Debug + PartialEq>(&mut self, type_name: &str, examples: &[T]) {
        let names: Vec<_> = examples.iter().map(Named::name).collect();
        assert_eq!(names, T::NAMES, "there is an example for every variant of {type_name}, in order");
        for example in examples {
            self.has_line(&format!("{type_name}::{}", example.name()), example);
        }
    }

    /// Read, the line is the example, and written again it is the line.
    fn has_line<T: Coded + Debug + PartialEq>(&mut self, name: &str, example: &T) {
        let mut bytes = Vec::new();
        example.encode(&mut bytes);
        let Some((line, golden)) = self.lines.get_key_value(name) else {
            return writeln!(self.missing, "{name} {}", hex(&bytes)).unwrap();
        };
        self.used.insert(line);
        let mut input = Reader::new(golden);
        assert_eq!(T::decode(&mut input).as_ref(), Ok(example), "{name} is read as it was");
        input.finish().expect("nothing is left over");
        assert_eq!(hex(&bytes), hex(golden), "{name} is written as it was");
    }
}

#[test]
fn golden_lines_are_read_for_ever() {
    let mut golden = Golden::new();
    golden.has("Side", &examples::sides());
    golden.has("TimeInForce", &examples::times_in_force());
    golden.has("OrderKind", &examples::order_kinds());
    golden.has("TriggerKind", &examples::trigger_kinds());
    golden.has("SelfTradePrevention", &examples::self_trade_preventions());
    golden.has("MarketStatus", &examples::market_statuses());
    golden.has("FeeRounding", &examples::fee_roundings());
    golden.has("CancelRestriction", &examples::cancel_restrictions());
    golden.has("ReplaceMode", &examples::replace_modes());
    golden.has("OrderRef", &examples::order_refs());
    golden.has("KeyKind", &examples::key_kinds());
    golden.has("IpRange", &examples::ip_ranges());
    golden.has("Liquidity", &examples::liquidities());
    golden.has("ExpiryReason", &examples::expiry_reasons());
    golden.has("EndReason", &examples::end_reasons());
    golden.has("OrderAction", &examples::order_actions());
    golden.has("OrderCommand", &examples::order_commands());
    golden.has("AlgoTrigger", &examples_algos::triggers());
    golden.has("AlgoPlaces", &examples_algos::places());
    golden.has("WorkingPrice", &examples_algos::working_prices());
    golden.has("AlgoRef", &examples_algos::refs());
    golden.has("AlgoEndReason", &examples_algos::end_reasons());
    golden.has("Command", &examples::commands());
    golden.has("Event", &examples::events());
    golden.has("Reject", &examples::rejects());
    golden.has("TermsError", &examples::terms_errors());
    for (name, message) in examples::later_messages() {
        golden.has_line(&format!("Message::{name}"), &message);
    }
    golden.has_line("OrderPrevented::decremented", &examples::decremented());
    // Of hedge mode what stands in one byte with the side.
    for (event, position_side) in [(0, PositionSide::Long), (1, PositionSide::Short)] {
        let mut event = examples::events_with_sides().remove(event);
        match &mut event {
            Event::ContractFilled(filled) => filled.position_side = position_side,
            Event::PositionForced(forced) => forced.position_side = position_side,
            other => panic!("{other:?} has no position side"),
        }
        golden.has_line(&format!("{}::{position_side:?}", event.name()), &event);
    }
    assert!(golden.missing.is_empty(), "add these lines to golden/v1/values.txt:\n{}", golden.missing);
    let unused: Vec<_> = golden.lines.keys().filter(|name| !golden.used.contains(*name)).collect();
    assert!(unused.is_empty(), "lines that nobody reads: {unused:?}");
}

/// The form itself, written down by hand: a tag, then the fields in order, little-endian, texts behind their length.
#[test]
fn an_order_byte_by_byte() {
    let mut bytes = Vec::new();
    let order = examples::commands().into_iter().find(|command| command.name() == "place_order").unwrap();
    order.encode(&mut bytes);
    let expected: &[&[u8]] = &[
        &[10],                              // a command: place an order
        &[7, 0, 0, 0, 0, 0, 0, 0],          // of account 7
        &[3, 0, 0, 0],                      // in market 3
        &[1],                               // sell
        &[0],                               // a limit order
        &[0xA1, 0x2E, 0x63, 0, 0, 0, 0, 0], // at 6,500,001 ticks
        &[42, 0, 0, 0, 0, 0, 0, 0],         // 42 lots
        &[1],                               // immediate or cancel
        &[3],                               // both expire
        &[10],                              // a name of ten characters
        b"my-order-1",
        &[0x01, 0x00, 0x2A, 0x36, 0xFE, 0x9C, 0x97, 0x17], // valid until 1,700,000,000,000,000,001 ns
    ];
    assert_eq!(hex(&bytes), hex(&expected.concat()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(line: &str) -> Vec<u8> {
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
}
