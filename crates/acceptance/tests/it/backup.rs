//! A backup of a running, loaded exchange, and what is made of it: an exchange that knows everything up to the backup and
//! nothing behind it. What is damaged or half is refused by name.

use std::fs;
use std::path::{Path, PathBuf};

use acceptance::Server;
use journal::{DataDir, SnapshotStore};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Connection, Signer};
use crate::program::{Ended, rialto, run, verify};

fn backup(data: &Path, to: &Path, more: &[&str]) -> Ended {
    let mut command = rialto(["backup", "--data"]);
    command.arg(data).arg("--to").arg(to).args(more);
    run(command)
}

fn restore(backup: &Path, data: &Path) -> Ended {
    let mut command = rialto(["restore"]);
    command.arg(backup).arg("--data").arg(data);
    run(command)
}

/// What a trader finds: balances, and the names of the open orders.
fn standing(server: &Server) -> (Value, Vec<String>) {
    let signer = signer(server);
    let mut connection = Connection::open(&server.address).unwrap();
    let mut ask = |path: &str| connection.signed("GET", path, &signer, "").unwrap().good();
    let orders = ask("/api/v3/openOrders");
    let names = orders.as_array().unwrap().iter();
    let names = names.map(|order| order["clientOrderId"].as_str().unwrap().to_owned()).collect();
    (ask("/api/v3/account")["balances"].clone(), names)
}

fn signer(server: &Server) -> Signer {
    Signer::new(&server.keys[0].key, &server.keys[0].secret)
}

/// An order that nobody meets.
fn rest(server: &Server, name: &str) {
    let mut connection = Connection::open(&server.address).unwrap();
    let order = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&newClientOrderId={name}"
    );
    connection.signed("POST", "/api/v3/order", &signer(server), &order).unwrap().good();
}

/// A demo under load, started for the second time, so that it has a snapshot, and a backup of it.
struct Place {
    folder: TempDir,
    server: Server,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (status, printed) = Server::start_with(&data, &["--demo", "busy"]).terminate();
        assert!(status.success(), "{printed}");
        let server = Server::start_with(&data, &["--demo", "busy"]);
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn sequence(backup: &Path) -> u64 {
    let manifest: Value = serde_json::from_slice(&fs::read(backup.join("manifest.json")).unwrap()).unwrap();
    assert!(manifest["snapshot"].as_u64().unwrap() > 0);
    manifest["sequence"].as_u64().unwrap()
}

/// The hash over the state after a command, as the journal gives it.
fn state_hash(data: &Path, seq: u64) -> String {
    let directory = DataDir::open_read_only(data).unwrap();
    let mut found = None;
    sequencer::audit::<sequencer::SequencerError>(directory.storage(), &mut |step| {
        if step.partition.seq().0 == seq {
            found = Some(step.partition.state_hash());
        }
        Ok(())
    })
    .unwrap();
    let hash = found.expect("it is the end of a batch");
    hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn a_loaded_exchange_is_backed_up_and_restored_while_it_runs() {
    let place = Place::new();
    let (data, copy, again) = (place.path("data"), place.path("backup"), place.path("again"));
    rest(&place.server, "before");
    let known = standing(&place.server);
    let told = backup(&data, &copy, &[]).well().stdout;
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("Back up apart: ") && last.contains("master.key"), "{told}");
    rest(&place.server, "behind");
    for secret in ["master.key", "admin.token", "demo.keys"] {
        assert!(data.join(secret).exists() && !copy.join(secret).exists(), "{secret}");
    }

    let restored = restore(&copy, &again).well().stdout;
    let seq = sequence(&copy);
    assert!(restored.contains(&state_hash(&data, seq)), "the state at command {seq}: {restored}");
    assert!(restored.lines().last().unwrap().starts_with("Next: put master.key"), "{restored}");
    verify(&again).well();
    let directory = DataDir::open_read_only(&again).unwrap();
    assert!(SnapshotStore::new(directory.storage(), 1).newest_valid().unwrap().snapshot.is_some());
    drop(directory);
    for secret in ["master.key", "admin.token", "demo.keys"] {
        fs::copy(data.join(secret), again.join(secret)).unwrap();
    }
    let server = Server::start(&again);
    assert_eq!(standing(&server), known);
    assert_eq!(known.1, ["before"]);
    // It goes on, and so does the first one.
    rest(&server, "other");
    assert_eq!(standing(&server).1, ["before", "other"]);
    assert_eq!(standing(&place.server).1, ["before", "behind"]);
    let (status, printed) = server.terminate();
    assert!(status.success(), "{printed}");
    verify(&again).well();
}

#[test]
fn a_stopped_exchange_is_backed_up_with_its_secrets() {
    let place = Place::new();
    rest(&place.server, "before");
    let known = standing(&place.server);
    let (data, copy, again) = (place.path("data"), place.path("backup"), place.path("again"));
    place.server.terminate();
    backup(&data, &copy, &["--with-secrets"]).well();
    restore(&copy, &again).well();
    assert_eq!(standing(&Server::start(&again)), known);
}

#[test]
fn what_is_damaged_half_or_in_the_way_is_refused_by_name() {
    let place = Place::new();
    let (data, copy, again) = (place.path("data"), place.path("backup"), place.path("again"));
    backup(&data, &copy, &[]).well();
    backup(&data, &copy, &[]).refused(&["backup is not empty", "nothing is overwritten"]);
    restore(&copy, &data).refused(&["data is not empty", "nothing is overwritten"]);

    for folder in ["journal", "events", "snapshots"] {
        let file = fs::read_dir(copy.join(folder)).unwrap().next().unwrap().unwrap().path();
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        let path = file.to_str().unwrap();
        fs::write(&file, bad).unwrap();
        restore(&copy, &again).refused(&[path, "is damaged", "SHA-256"]);
        fs::write(&file, &good[..middle]).unwrap();
        restore(&copy, &again).refused(&[path, "is damaged", "bytes instead of"]);
        fs::remove_file(&file).unwrap();
        restore(&copy, &again).refused(&[path, "cannot read"]);
        fs::write(&file, &good).unwrap();
    }
    assert!(!again.exists(), "nothing was made");
    let manifest = copy.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("journal/", "../", 1)).unwrap();
    restore(&copy, &again).refused(&["manifest.json", "which no backup has"]);
    fs::remove_file(&manifest).unwrap();
    restore(&copy, &again).refused(&["half a backup", "manifest.json"]);
    fs::write(&manifest, text).unwrap();
    restore(&copy, &again).well();
}
