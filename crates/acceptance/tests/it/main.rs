//! What a user would try: start, trade, kill, start again.

mod backup;
mod clients;
mod connections;
mod crashes;
mod http;
mod import;
mod keys;
mod many;
mod moving;
mod operator;
mod partitions;
mod program;
mod random;
mod redis;
mod refusals;
mod sql;
mod yardsticks;

#[test]
fn the_demo_starts_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let server = acceptance::Server::start(folder.path());
    assert_eq!(server.keys.len(), 2);
    assert!(server.address.starts_with("127.0.0.1:") && server.admin != server.address);
    let (status, printed) = server.terminate();
    assert!(status.success(), "{printed}");
    assert!(printed.contains("Stopped at command"), "{printed}");
}
