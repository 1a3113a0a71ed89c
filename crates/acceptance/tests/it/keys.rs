//! The master key changes in a real process, which is killed in the middle of it: whenever that is, the next start opens every
//! key, and finishes what was begun.

use std::fs;
use std::time::{Duration, Instant};

use crate::crashes::custody::Operator;
use crate::crashes::world::{Habits, settings};
use crate::http::{Connection, Signer};
use crate::program::{Addresses, Program, serve};

const KEYS: usize = 60;
const ROUNDS: u32 = 10;

#[test]
fn a_change_of_the_master_key_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    fs::write(&config, settings(&data, Habits::NO_SNAPSHOTS)).unwrap();
    let master = data.join("master.key");
    let lines = || fs::read_to_string(&master).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();

    let (mut program, mut addresses) = Program::spawn(serve(&config)).listening();
    let token = fs::read_to_string(data.join("admin.token")).unwrap().trim().to_owned();
    let mut operator = Operator::open(&addresses, &token).unwrap();
    let account = operator.create_account("alice");
    let keys: Vec<Signer> = (0..KEYS)
        .map(|_| operator.create_key(account))
        .map(|(key, secret)| Signer::new(&key, &secret))
        .collect();

    // A whole change tells how long one takes.
    let first = lines();
    let began = Instant::now();
    assert_eq!(operator.ask("POST", "master-key/change", "").unwrap().good()["resealed"], KEYS);
    let takes = began.elapsed();
    assert!(lines().len() == 1 && lines() != first);

    let (mut finished, mut changed) = (0, 0);
    for round in 0..ROUNDS {
        let before = lines();
        let mut asking = Connection::open(&addresses.admin).unwrap();
        let request = format!(
            "POST /admin/v1/master-key/change HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
        );
        asking.send(request.as_bytes()).unwrap();
        wait(takes * round / ROUNDS);
        program.kill();

        (program, addresses) = Program::spawn(serve(&config)).listening();
        finished += program.count_printed("The change of the master key is finished");
        assert_eq!(lines().len(), 1, "only the one that seals is left");
        changed += usize::from(lines() != before);
        check(&addresses, &keys);
    }
    println!("{changed} of {ROUNDS} changes took place, {finished} of them finished by the next start");
    assert!(finished > 0, "not one of {ROUNDS} kills hit the middle of a change of {takes:?}");
    program.terminate().well();
}

/// Without giving the processor away, which would be less exact than the moments that are to be hit.
fn wait(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Every key signs as it did.
fn check(addresses: &Addresses, keys: &[Signer]) {
    let mut connection = Connection::open(&addresses.public).unwrap();
    for signer in keys {
        connection.signed("GET", "/api/v3/account", signer, "").unwrap().good();
    }
}
