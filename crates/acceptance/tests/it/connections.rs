//! Connections against the system's own limits, and TLS as an operator sets it up.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::crashes::world::{Habits, settings};
use crate::http::Connection;
use crate::program::{Program, rialto, run, serve};

/// The journal needs files, too: were all of them taken by connections, its next one could not be opened, and the exchange
/// would stop.
#[test]
fn connections_leave_the_files_that_the_exchange_needs() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rialto.toml");
    fs::write(&config, settings(&folder.path().join("data"), Habits::NO_SNAPSHOTS)).unwrap();
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=100:600").arg(acceptance::binary()).args(["serve", "--config"]).arg(&config);
    let (program, addresses) = Program::spawn(limited).listening();
    let mut open: Vec<Connection> = (0..400).map(|_| Connection::open(&addresses.public).unwrap()).collect();
    for connection in &mut open[..100] {
        connection.ask("GET", "/api/v3/ping", "", "").unwrap().good();
    }
    for connection in &mut open[100..] {
        assert_eq!(connection.answer().unwrap().status, 503);
    }
    let ready = open[0].ask("GET", "/health/ready", "", "").unwrap();
    assert_eq!(ready.good(), json!({"status": "ready"}));
    drop(open);
    let ended = program.terminate();
    assert!(ended.stderr.contains("only 100 connections are let in"), "{}", ended.stderr);
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn a_certificate_is_made_served_and_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut made = rialto(["tls", "new", "--host", "api.example.test", "--out", "tls"]);
    made.current_dir(folder.path());
    run(made).well();
    let text = settings(&path("data"), Habits::NO_SNAPSHOTS);
    let tls =
        "[public.tls]\ncertificates = [{ cert = \"tls/server.pem\", key = \"tls/server.key\" }]\n[admin]\n";
    fs::write(path("rialto.toml"), text.replacen("[admin]\n", tls, 1)).unwrap();
    let mut serving = serve(&path("rialto.toml"));
    serving.current_dir(folder.path());
    let (program, addresses) = Program::spawn(serving).listening();
    let port = addresses.public.rsplit(':').next().unwrap();
    let url = format!("https://api.example.test:{port}/api/v3/ping");
    let ask = |trusted: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--resolve", &format!("api.example.test:{port}:127.0.0.1"), &url]).args(trusted);
        curl.current_dir(folder.path()).output().expect("there is a curl")
    };
    assert_eq!(ask(&["--cacert", "tls/ca.pem"]).stdout, b"{}");
    assert_eq!(ask(&["--cacert", "tls/ca.pem", "--tls-max", "1.2"]).stdout, b"{}");
    assert!(!ask(&[]).status.success(), "nobody else trusts it");
    program.signal("HUP");
    assert_eq!(ask(&["--cacert", "tls/ca.pem"]).stdout, b"{}");
    let ended = program.terminate();
    assert!(ended.stdout.contains("The TLS certificates were read again."), "{}", ended.stdout);
    ended.well();
}

#[test]
fn the_demo_ends_in_order_with_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = rialto(["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]);
    demo.arg(folder.path().join("data"));
    let (program, _) = Program::spawn(demo).listening();
    program.signal("HUP");
    let ended = program.wait();
    assert!(ended.status.success() && ended.stdout.contains("Stopped at command"), "{}", ended.stdout);
}
