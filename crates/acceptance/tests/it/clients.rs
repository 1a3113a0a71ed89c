//! Clients that nobody here wrote: Python's ccxt, python-binance and binance-sdk-spot, npm's binance and @binance/spot, as their
//! authors publish them, with nothing set but URLs and keys. They trade on a running server, which is killed, stopped and
//! started again between two of their calls, and they follow markets that move. What they hold it against is in the scripts
//! under `clients/`; here is only what runs them.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use acceptance::{Server, lasting_addresses};

/// What runs a script, with the packages that it needs.
pub fn interpreter(script: &str) -> Command {
    let named = |variable: &str, what: &str| {
        std::env::var_os(variable)
            .unwrap_or_else(|| panic!("{variable} must name {what}; tools/test makes one and sets it"))
    };
    let is = |kind: &str| Path::new(script).extension().is_some_and(|extension| extension == kind);
    if is("php") {
        return Command::new("php");
    }
    if is("mjs") {
        let mut node = Command::new("node");
        let modules = named("RIALTO_NODE_MODULES", "a folder with the packages of clients/npm/package.json");
        // Standard output is for the result; one of the packages tells of its connections there.
        node.env("NODE_PATH", modules).env("LOG_LEVEL", "warn");
        return node;
    }
    let mut python =
        Command::new(named("RIALTO_PYTHON", "a Python that has the packages of tools/test-requirements.txt"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Runs a script to its end on a demo that nobody moves. It asks for the next end of the server by its name, and for nothing else.
fn satisfies(script: &str) {
    satisfies_among(script, "off");
}

/// As [`satisfies`], among the demo's own traders, who are `calm`, `busy` or `off`.
fn satisfies_among(script: &str, traders: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (data, complaints) = (folder.path().join("data"), folder.path().join("stderr"));
    let addresses = lasting_addresses();
    let start = || Server::start_at(&data, [&addresses[0], &addresses[1]], &["--demo", traders]);
    let mut server = start();

    let mut command = interpreter(script);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script))
        .env("RIALTO_URL", format!("http://{}", server.address))
        .env("RIALTO_ADMIN_URL", format!("http://{}", server.admin))
        .env("RIALTO_ADMIN_TOKEN", fs::read_to_string(data.join("admin.token")).unwrap().trim());
    for (name, key) in ["ALICE", "BOB"].into_iter().zip(&server.keys) {
        command.env(format!("{name}_KEY"), &key.key).env(format!("{name}_SECRET"), &key.secret);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&complaints).unwrap());
    let mut client = command.spawn().expect("its interpreter is a program");
    let mut answer = client.stdin.take().expect("piped");

    let mut printed = Vec::new();
    for line in BufReader::new(client.stdout.take().expect("piped")).lines() {
        let line = line.expect("what the client prints is text");
        match line.as_str() {
            "kill" => server.kill(),
            "terminate" => {
                let (status, printed) = server.terminate();
                assert!(status.success(), "{printed}");
            }
            _ => {
                printed.push(line);
                continue;
            }
        }
        server = start();
        writeln!(answer, "it runs again").expect("the client waits for it");
    }
    let status = client.wait().expect("it is ours");
    let complaints = fs::read_to_string(complaints).unwrap();
    assert!(status.success(), "{script} fails: {printed:?}\n{complaints}");
    assert_eq!(printed, ["all is as expected"], "{script} ran to its end");
    let (status, printed) = server.terminate();
    assert!(status.success(), "{printed}");
}

#[test]
fn clients_sign_with_ed25519() {
    satisfies("ed25519_keys.py");
}

/// Hundreds of made-up requests for every endpoint of both documents: the answers are what the documents promise.
#[test]
fn both_apis_keep_what_their_documents_promise() {
    satisfies("openapi.py");
}

#[test]
fn ccxt_trades() {
    satisfies("ccxt_spot.py");
}

#[test]
fn ccxt_sees_stops_wait_and_trigger() {
    satisfies("ccxt_stops.py");
}

#[test]
fn ccxt_trades_contracts() {
    satisfies("ccxt_futures.py");
}

#[test]
fn ccxt_pro_follows_contracts_to_a_liquidation() {
    satisfies("ccxt_pro_futures.py");
}

#[test]
fn other_clients_trade_contracts() {
    satisfies("usdm_clients.py");
}

#[test]
fn python_binance_trades() {
    satisfies("python_binance_spot.py");
}

#[test]
fn python_binance_follows_sockets() {
    satisfies_among("python_binance_sockets.py", "busy");
}

#[test]
fn ccxt_pro_keeps_in_step() {
    satisfies_among("ccxt_pro_moving.py", "busy");
}

#[test]
fn the_official_client_trades_and_follows() {
    satisfies_among("official_sdk.py", "busy");
}

#[test]
fn npm_binance_trades_and_follows() {
    satisfies_among("npm/binance.mjs", "busy");
}

#[test]
fn npm_binance_spot_trades_and_follows() {
    satisfies_among("npm/binance_spot.mjs", "busy");
}
