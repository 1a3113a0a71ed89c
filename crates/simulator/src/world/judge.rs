//! What must hold in the end, when the faults have stopped and everything was heard.

use std::collections::BTreeMap;

use exchange::{Partition, Together};
use model::{Event, Seq};

use super::flow::Pace;
use super::node::Node;
use super::witness::Witness;
use super::{Seen, World, answer};

impl World {
    /// Panics where something does not hold.
    pub(super) fn judge(self) -> Seen {
        let states: Vec<&Partition> = self.nodes.iter().map(Node::state).collect();
        Together::new(&states).assert_invariants();
        assert_everybody_knows_the_same(&states);

        let mut seen = Seen { kills: self.kills, ..Seen::default() };
        let mut witness = Witness::default();
        let mut told_by: Vec<BTreeMap<Seq, Vec<Event>>> = Vec::new();
        for node in &self.nodes {
            let (again, events) = node.applied_again();
            assert!(again.snapshot() == node.state().snapshot(), "the journal leads to the same state again");
            assert_eq!(again.state_hash(), node.state().state_hash(), "and to the same hash");
            for event in events.values().flatten() {
                witness.hear(node.state(), event);
            }
            seen.envelopes += node.heard();
            told_by.push(events);
        }
        witness.agrees_with(&states);

        for node in &self.nodes {
            let waiting: Vec<_> = node.waiting().iter().map(|number| &self.asked[number]).collect();
            assert!(waiting.is_empty(), "never answered: {waiting:?}");
        }
        for (number, told) in &self.told {
            for (seq, events) in &told.parts {
                assert_eq!(
                    told_by[told.node.index()].get(seq),
                    Some(events),
                    "what anybody was told is in the journal for ever"
                );
            }
            let (_, command) = &self.asked[number];
            answer::check(command, told);
        }

        seen.fills = u64::try_from(witness.fills()).expect("fits");
        seen.answered = u64::try_from(self.told.len()).expect("fits");
        seen.moves = told_by[0].values().flatten().filter(|event| is_move(event)).count() as u64;
        seen.grown = self.grown;
        seen.in_turn = u64::from(self.pace == Pace::InTurn);
        seen
    }
}

const fn is_move(event: &Event) -> bool {
    matches!(event, Event::MarketMoving { .. })
}

/// What the first partition has told the others, and what markets have told everybody.
fn assert_everybody_knows_the_same(states: &[&Partition]) {
    let first = states[0];
    assert_eq!(usize::from(first.partitions().count()), states.len(), "all partitions are there");
    for other in &states[1..] {
        assert_eq!(other.partitions(), first.partitions(), "everybody knows how accounts are spread");
        assert!(other.catalog().assets().eq(first.catalog().assets()), "everybody knows the same assets");
        assert!(other.catalog().markets().eq(first.catalog().markets()), "everybody knows the same terms");
        for (market, _) in first.catalog().markets() {
            assert_eq!(other.catalog().home(market), first.catalog().home(market), "and where markets live");
        }
        assert_eq!(other.reference_prices(), first.reference_prices(), "everybody has heard the last prices");
    }
}
