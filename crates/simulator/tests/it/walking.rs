//! The walking market: each scenario is the known one, and has in it what its description says.

use sha2::{Digest, Sha256};
use simulator::walking::{Kind, Message, ORDERS, SEED, START_TICKS, Scenario, Stream, Totals};

/// The whole streams that books are measured with. Whoever changes the generator measures something else from then on, and
/// older figures are not comparable: so these change only on purpose.
const KNOWN: [(Scenario, &str); 5] = [
    (Scenario::Static, "c68c56f213662be0a6fcfbd8ebb646c834954bb5bc20ffbf1c8ed50d9f9a74fe"),
    (Scenario::Normal, "bc5a7cbe906a0088377eed1a35b50d13a9cdfb43d556c9eb0abd47632419e092"),
    (Scenario::Swing25, "19429e9830de6530e8f616574dec63726d0efc484d01028cb6ec7d1a48fa54fa"),
    (Scenario::Swing40, "19091f3171f078d1855e15a10bb115e55bad3fd4c74ef8b6e23c5153615e901f"),
    (Scenario::FlashCrash, "dd7ff79a90d514b25dec8550b38ff5117c6ba36a56957f2b24f5e3ba74442a8a"),
];

fn sha256_hex(messages: &[Message]) -> String {
    let mut hasher = Sha256::new();
    for message in messages {
        hasher.update(message.to_bytes());
    }
    format!("{:x}", hasher.finalize())
}

#[expect(clippy::cast_precision_loss, reason = "counts of some millions")]
fn share(part: u64, of: u64) -> f64 {
    part as f64 / of as f64
}

fn assert_about(what: &str, found: f64, wanted: f64, give: f64) {
    assert!((found - wanted).abs() <= give, "{what}: {found}, about {wanted} is wanted");
}

#[test]
fn each_scenario_is_the_known_one_and_has_its_properties() {
    for (scenario, sha256) in KNOWN {
        let Stream { messages, totals } = Stream::new(scenario, ORDERS, SEED);
        let name = scenario.name();
        assert_eq!(sha256_hex(&messages), sha256, "{name}");
        shares_are_right(name, &totals);
        counts_are_those_of_the_messages(name, &messages, &totals);
        let swing = share((totals.highest - totals.lowest).unsigned_abs(), START_TICKS.unsigned_abs());
        match scenario {
            Scenario::Static => {
                assert_eq!(swing.to_bits(), 0.0_f64.to_bits());
                assert!((40_000..44_000).contains(&totals.most_resting), "{}", totals.most_resting);
            }
            Scenario::Normal => assert_about(name, swing, 0.02, 0.001),
            Scenario::Swing25 => assert_about(name, swing, 0.25, 0.02),
            Scenario::Swing40 => assert_about(name, swing, 0.40, 0.02),
            Scenario::FlashCrash => {
                assert_about(name, swing, 0.60, 0.02);
                assert!(totals.highest - totals.lowest > 20_000, "tens of thousands of ticks");
            }
        }
    }
}

fn shares_are_right(name: &str, totals: &Totals) {
    let rested = totals.orders - totals.immediate;
    assert_eq!(totals.orders, u64::from(ORDERS));
    assert_about(name, share(totals.immediate, totals.orders), 0.15, 0.002);
    assert_about(name, share(totals.to_modify, rested), 0.20, 0.002);
    assert_about(name, share(totals.one_tick, totals.modifies), 0.80, 0.005);
    assert_about(name, share(totals.to_cancel, rested), 0.95, 0.002);
    assert_about(name, share(totals.late_cancels + totals.late_modifies, totals.cancels), 0.02, 0.001);
    assert_about(name, share(totals.late_cancels, totals.late_cancels + totals.late_modifies), 0.5, 0.03);
    // What trades before it can be modified or cancelled is not, and everything else is.
    assert!(totals.modifies <= totals.to_modify && totals.cancels <= totals.to_cancel, "{name}");
    assert!(share(totals.cancels, rested) > 0.78, "{name}: most are cancelled");
    assert!(totals.left <= rested - totals.to_cancel, "{name}: only who was to stay is left");
}

fn counts_are_those_of_the_messages(name: &str, messages: &[Message], totals: &Totals) {
    let count = |kind| messages.iter().filter(|message| message.kind == kind).count() as u64;
    assert_eq!(count(Kind::New), totals.orders - totals.immediate, "{name}");
    assert_eq!(count(Kind::Immediate), totals.immediate, "{name}");
    assert_eq!(count(Kind::Cancel), totals.cancels + totals.late_cancels, "{name}");
    assert_eq!(count(Kind::Modify), totals.modifies + totals.late_modifies, "{name}");
}

/// Where nothing walks, the distances of passive orders are the law itself.
#[test]
fn depth_follows_the_power_law_beyond_the_hump() {
    let stream = Stream::new(Scenario::Static, 200_000, SEED);
    let mut at = vec![0_u64; 5_000];
    for message in stream.messages.iter().filter(|message| message.kind == Kind::New) {
        let distance = (message.price - START_TICKS).unsigned_abs();
        at[usize::try_from(distance).unwrap()] += 1;
    }
    let most = (0..at.len()).max_by_key(|&distance| at[distance]).unwrap();
    assert!((7..=9).contains(&most), "the hump is at {most}");
    assert_eq!(at[0], 0, "nobody places in the middle");
    // Four times as far is 2^-4.46 as dense: over a range of distances four times as wide, 2^-2.46 as many.
    let near: u64 = at[10..40].iter().sum();
    let far: u64 = at[40..160].iter().sum();
    assert_about("how the depth falls", share(far, near), 0.1817, 0.02);
}

#[test]
fn another_seed_is_another_stream_and_the_same_seed_the_same() {
    let stream = |seed| Stream::new(Scenario::Normal, 1_000, seed);
    assert_eq!(stream(1), stream(1));
    assert_ne!(stream(1).messages, stream(2).messages);
}
