//! Which crate may depend on which: the picture in `ARCHITECTURE.md`. When it should change, change both.

use std::collections::BTreeMap;
use std::process::Command;

/// Each crate, and the crates of ours that it may use. The test may use more: what it tests against is its own affair.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("codec", &["model"]),
    ("orderbook", &["model"]),
    ("ledger", &["model"]),
    ("margin", &["model"]),
    ("views", &["codec", "margin", "model"]),
    ("exchange", &["orderbook", "ledger", "margin", "codec", "model"]),
    ("journal", &["codec", "model"]),
    ("sequencer", &["journal", "exchange", "codec", "model"]),
    ("dialect", &["views", "margin", "model"]),
    ("bridge-redis", &["dialect", "sequencer", "journal", "views", "margin", "model"]),
    ("gateway-http", &["dialect", "sequencer", "views", "margin", "model"]),
    ("sink-sql", &["sequencer", "journal", "views", "codec", "model"]),
];

/// These may use whatever they need, and only `rialto` uses them.
const PROOF: &[&str] = &["simulator", "bench", "acceptance"];

#[test]
fn crates_depend_on_each_other_as_the_picture_says() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();

    let mut arrows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let used = package["dependencies"].as_array().unwrap().iter();
        let ours = used.filter(|used| used["path"].is_string() && used["kind"].is_null());
        let names = ours.map(|used| used["name"].as_str().unwrap().to_owned()).collect();
        arrows.insert(package["name"].as_str().unwrap().to_owned(), names);
    }
    assert!(arrows.len() > ALLOWED.len(), "the workspace is there: {arrows:?}");

    for (name, used) in &arrows {
        let allowed = ALLOWED.iter().find(|(allowed, _)| allowed == name).map(|(_, allowed)| *allowed);
        for used in used {
            let proof = PROOF.contains(&used.as_str());
            assert!(
                !proof || name == "rialto" || PROOF.contains(&name.as_str()),
                "{name} uses {used}, which only proves"
            );
            match allowed {
                Some(allowed) => assert!(
                    allowed.contains(&used.as_str()),
                    "{name} uses {used}, which is not in the picture"
                ),
                None => assert!(
                    name == "rialto" || PROOF.contains(&name.as_str()),
                    "{name} is not in the picture: add it there and here"
                ),
            }
        }
    }
}
