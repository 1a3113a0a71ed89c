//! What surrounds the program: a disk that is full, one that may not be written to, a path that is none, a user without
//! rights. It says so in one line and stops; and when there is room again, nothing that was acknowledged is missing.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use super::base::{Base, Case};
use super::files::copy;
use super::volume::Volume;
use super::world::{Habits, World, settings};
use crate::program::{Program, rialto, run, serve, verify};
use crate::random::Random;

const TRADERS: usize = 6;
/// More than fits into anything here.
const WITHOUT_END: u64 = 1_000_000;

/// Everybody trades until the exchange ends by itself, which it does for want of room; then there is room again.
fn runs_out_of_room(
    mut world: World,
    program: Program,
    addresses: &crate::program::Addresses,
    words: &[&str],
    make_room: impl FnOnce(),
) {
    world.check(addresses);
    let (ended, acknowledged) =
        world.load(addresses, WITHOUT_END, |tally| (program.wait(), tally.acknowledged()));
    ended.refused(&["the exchange has stopped", "everything that was acknowledged is on the disk"]);
    ended.refused(words);
    assert!(acknowledged > 0, "it worked before");
    make_room();
    let (program, addresses) = world.start().listening();
    world.check(&addresses);
    program.terminate().well();
    verify(&world.data).well();
}

#[test]
fn a_full_disk_stops_everything_and_loses_nothing() {
    let plenty = Habits { event_segment_mib: 64, kept: 100_000, ..Habits::NO_SNAPSHOTS };
    // What there is room for, and what is written that finds none.
    let cases = [
        // Two segments of the journal, and a little for the events.
        ("size=2300k", plenty, "events/"),
        // Files enough for two segments of the journal, and for everything else.
        ("size=64m,nr_inodes=12", plenty, "journal/"),
        ("size=2500k", Habits { snapshot_every: 100, ..plenty }, ""),
    ];
    for (options, habits, file) in cases {
        let Some(volume) = Volume::new(options) else { return };
        let folder = tempfile::tempdir().unwrap();
        let data = volume.path().join("data");
        let (world, program, addresses) = World::within(folder, data, &mut Random::new(17), TRADERS, habits);
        let words = [file, "The disk is full: free space and start again"];
        runs_out_of_room(world, program, &addresses, &words, || volume.remount("size=256m,nr_inodes=1000"));
    }
}

/// Files may not grow over a bound: the same without a disk of one's own.
#[test]
fn a_limit_on_files_stops_everything_and_loses_nothing() {
    let habits = Habits { event_segment_mib: 64, kept: 100_000, ..Habits::NO_SNAPSHOTS };
    let (world, program, _) = World::new(&mut Random::new(19), TRADERS, habits);
    program.terminate().well();
    // As large as a segment of the journal, so that it is the event log that grows over it.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; exec prlimit --fsize=1048576:1048576 \"$0\" serve --config \"$1\""])
        .arg(acceptance::binary())
        .arg(&world.config);
    let (program, addresses) = Program::spawn(limited).listening();
    runs_out_of_room(world, program, &addresses, &["events/", "File too large"], || ());
}

#[test]
fn a_disk_without_room_for_a_beginning_is_no_beginning() {
    let Some(volume) = Volume::new("size=500k") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (volume.path().join("data"), folder.path().join("rialto.toml"));
    fs::write(&config, settings(&data, Habits::NO_SNAPSHOTS)).unwrap();
    for _ in 0..2 {
        let ended = Program::spawn(serve(&config)).listens().err().expect("there is no room");
        ended.refused(&["journal/", "The disk is full: free space and start again"]);
    }
    volume.remount("size=64m");
    let (program, _) = Program::spawn(serve(&config)).listening();
    program.terminate().well();
    verify(&data).well();
}

#[test]
fn a_read_only_disk_is_told_and_can_be_verified() {
    let Some(volume) = Volume::new("size=64m") else { return };
    let case = Case::of(Base::with_snapshots());
    let data = volume.path().join("data");
    copy(&case.data, &data);
    volume.remount("ro");
    fs::write(&case.config, settings(&data, Habits::NO_SNAPSHOTS)).unwrap();
    for _ in 0..2 {
        case.start().listens().err().expect("it cannot write").refused(&["is on a read-only file system"]);
    }
    let skip = ["journal", "skip", "1", "--reason", "x", "--data", data.to_str().unwrap()];
    run(rialto(skip)).refused(&["is on a read-only file system"]);
    verify(&data).well();
    // One that is not there yet.
    let new = volume.path().join("new");
    fs::write(&case.config, settings(&new, Habits::NO_SNAPSHOTS)).unwrap();
    case.start().listens().err().expect("it cannot write").refused(&["is on a read-only file system"]);
    volume.remount("rw");
    fs::write(&case.config, settings(&data, Habits::NO_SNAPSHOTS)).unwrap();
    case.starts(&[]);
}

#[test]
fn a_data_path_that_is_a_file_is_told() {
    let case = Case::of(Base::with_snapshots());
    let file = case.folder().join("file");
    fs::write(&file, "mine").unwrap();
    for data in [file.clone(), file.join("data")] {
        fs::write(&case.config, settings(&data, Habits::NO_SNAPSHOTS)).unwrap();
        let name = data.to_str().unwrap();
        case.start().listens().err().expect("there is no directory").refused(&[name, "is not a directory"]);
        verify(&data).refused(&[name, "is not a directory"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

/// The program as a user who owns nothing, from a place where everybody may read.
struct Nobody {
    binary: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Nobody {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let binary = folder.path().join("rialto");
        fs::copy(acceptance::binary(), &binary).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        Self { binary, folder }
    }

    /// Whoever runs the tests is already somebody who has no right to files of mode 0.
    fn command(&self, arguments: &[&str]) -> Command {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let mut command = if is_root { Command::new("setpriv") } else { Command::new(&self.binary) };
        if is_root {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&self.binary);
        }
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn refused(&self, arguments: &[&str], words: &[&str]) {
        run(self.command(arguments)).refused(words);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_user_without_rights_is_told_which_are_missing() {
    let nobody = Nobody::new();
    let (data, config) = (nobody.folder.path().join("data"), nobody.folder.path().join("rialto.toml"));
    copy(&Case::of(Base::with_snapshots()).data, &data);
    fs::write(&config, settings(&data, Habits::NO_SNAPSHOTS)).unwrap();
    let (data_text, config_text) = (data.to_str().unwrap(), config.to_str().unwrap());
    let permission = "no permission to use";

    // Nothing at all.
    set_mode(&data, 0o000);
    nobody.refused(&["serve", "--config", config_text], &[permission, data_text]);
    nobody.refused(&["verify", "--data", data_text], &[permission, data_text]);
    let demo = ["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", data_text];
    nobody.refused(&demo, &[permission, data_text]);
    // Reading only.
    set_mode(&data, 0o555);
    set_mode(&data.join("LOCK"), 0o444);
    nobody.refused(&["serve", "--config", config_text], &[permission, "LOCK"]);
    // Settings that cannot be read, and a place where none can be written.
    set_mode(&config, 0o000);
    nobody.refused(&["serve", "--config", config_text], &["cannot read the settings file", config_text]);
    set_mode(nobody.folder.path(), 0o555);
    nobody.refused(&["init", "new.toml"], &["cannot write new.toml"]);
    let new = nobody.folder.path().join("new");
    nobody.refused(
        &["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", new.to_str().unwrap()],
        &[permission],
    );
    assert!(!new.exists());

    // Nothing has come of all that.
    set_mode(nobody.folder.path(), 0o755);
    set_mode(&data, 0o755);
    set_mode(&data.join("LOCK"), 0o644);
    verify(&data).well();
}
