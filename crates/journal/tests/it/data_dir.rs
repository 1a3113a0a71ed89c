//! Real directories and real processes: the lock, what cannot be used, a reader beside a writer that is killed.

use crate::world::{batch, expected, processes_and_locks, read_from, small};
use ::journal::{DataDir, DataDirError, Durable, JournalReader, JournalWriter, Survey};
use model::Seq;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const DIRECTORY: &str = "JOURNAL_TEST_DIRECTORY";

/// This test binary again, to run only `test`, which sees the directory in its environment.
fn this_program(program: &Path, test: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Reads the child's output up to a line that has `marker`.
fn wait_for(output: &mut impl BufRead, marker: &str) -> String {
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if line.contains(marker) {
            return line;
        }
        line.clear();
    }
    panic!("the child ended without saying {marker}");
}

/// The child's part of the tests below: nothing without their environment.
fn directory_given() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

#[test]
fn child_holds_the_lock() {
    let Some(directory) = directory_given() else { return };
    let _dir = DataDir::open(directory).unwrap();
    println!("\nlocked");
    // Until the parent lets go.
    std::io::stdin().lines().for_each(drop);
}

#[test]
fn a_second_process_is_refused_and_told_who_is_there() {
    let _alone = processes_and_locks();
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut child = this_program(&program, "data_dir::child_holds_the_lock", folder.path()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut output, "locked");

    let error = DataDir::open(folder.path()).unwrap_err();
    let DataDirError::InUse { path, pid } = &error else { panic!("{error}") };
    assert_eq!((path.as_path(), *pid), (folder.path(), Some(child.id())));
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", child.id())), "{text}");
    assert!(text.contains(&folder.path().display().to_string()), "{text}");
    DataDir::open_read_only(folder.path()).expect("reading needs no lock");

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    DataDir::open(folder.path()).expect("the lock went with the process");
}

#[test]
fn the_lock_is_held_as_long_as_anything_is_open() {
    let _alone = processes_and_locks();
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    let (_, writer) = JournalWriter::open(dir.storage(), &small(), Durable::GENESIS).unwrap();
    drop(dir);
    assert!(matches!(DataDir::open(folder.path()).unwrap_err(), DataDirError::InUse { .. }));
    drop(writer);
    DataDir::open(folder.path()).unwrap();
}

#[test]
fn child_writes_until_it_is_killed() {
    let Some(directory) = directory_given() else { return };
    let dir = DataDir::open(directory).unwrap();
    let (survey, mut writer) = JournalWriter::open(dir.storage(), &small(), Durable::GENESIS).unwrap();
    println!();
    for first in (survey.end.seq().get() + 1..).step_by(3) {
        let end = writer.append(&mut batch(first, 3, 200)).unwrap();
        println!("acknowledged {}", end.seq());
    }
}

/// Reading works beside a writer, sees batches whole and in order; a killed writer has lost nothing it acknowledged.
#[test]
fn a_reader_beside_a_writer_that_is_killed() {
    let _alone = processes_and_locks();
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut end = 0;
    for _ in 0..8 {
        let mut child: Child =
            this_program(&program, "data_dir::child_writes_until_it_is_killed", folder.path())
                .spawn()
                .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        wait_for(&mut output, "acknowledged");
        let dir = DataDir::open_read_only(folder.path()).unwrap();
        for _ in 0..15 {
            let survey = Survey::read(dir.storage(), Durable::GENESIS).unwrap();
            assert!(survey.end.seq().get() >= end, "it only grows");
            let from = Seq(end + 1);
            end = survey.end.seq().get();
            let mut reader = JournalReader::open(dir.storage(), &survey, from).unwrap();
            let mut last = from.get() - 1;
            while let Some(batch) = reader.next().unwrap() {
                for (seq, bytes) in batch.commands() {
                    assert_eq!((seq.get(), bytes), (last + 1, &crate::world::command(last + 1, 200)[..]));
                    last += 1;
                }
            }
            assert_eq!(last, end);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut acknowledged = 0;
        for line in output.lines().map_while(Result::ok) {
            if let Some(seq) = line.strip_prefix("acknowledged ").and_then(|seq| seq.parse().ok()) {
                acknowledged = seq;
            }
        }
        let dir = DataDir::open(folder.path()).expect("the lock went with the process");
        let (survey, _) = JournalWriter::open(dir.storage(), &small(), Durable::GENESIS).unwrap();
        assert!(survey.end.seq().get() >= acknowledged.max(end));
        end = survey.end.seq().get();
    }
    let dir = DataDir::open_read_only(folder.path()).unwrap();
    assert_eq!(read_from(dir.storage(), 1).unwrap(), expected(end, 200));
}

#[test]
fn a_path_that_is_a_file_or_leads_through_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "I am a file").unwrap();
    for path in [file.clone(), file.join("below")] {
        for error in [DataDir::open(&path).unwrap_err(), DataDir::open_read_only(&path).unwrap_err()] {
            assert!(matches!(error, DataDirError::NotADirectory { .. }), "{error:?}");
            assert!(error.to_string().contains("is not a directory"), "{error}");
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "I am a file");
}

#[test]
fn reading_what_is_not_there_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = DataDir::open_read_only(folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, DataDirError::Missing { .. }), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn child_may_not_write() {
    let Some(directory) = directory_given() else { return };
    let error = DataDir::open(&directory).unwrap_err();
    assert!(matches!(error, DataDirError::NoPermission { .. } | DataDirError::ReadOnly { .. }), "{error:?}");
    let dir = DataDir::open_read_only(&directory).expect("reading is allowed");
    assert_eq!(read_from(dir.storage(), 1).unwrap(), expected(3, 10));
    println!("\nrefused: {error}");
}

/// Permission bits do not bind root, so when the tests run as root, a child that is nobody tries.
#[test]
fn a_directory_without_permission_is_refused_but_can_be_read() {
    let _alone = processes_and_locks();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let dir = DataDir::open(&data).unwrap();
    let (_, mut writer) = JournalWriter::open(dir.storage(), &small(), Durable::GENESIS).unwrap();
    writer.append(&mut batch(1, 3, 10)).unwrap();
    drop((dir, writer));

    // Where nobody may run it, wherever the build put it.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(folder.path(), 0o755);
    set_mode(&program, 0o755);
    let everything: Vec<PathBuf> = ["journal", "events", "snapshots"].map(|name| data.join(name)).into();
    for path in &everything {
        for file in fs::read_dir(path).unwrap() {
            set_mode(&file.unwrap().path(), 0o444);
        }
        set_mode(path, 0o555);
    }
    set_mode(&data.join("LOCK"), 0o444);
    set_mode(&data, 0o555);

    let mut command = this_program(&program, "data_dir::child_may_not_write", &data);
    if fs::metadata(&program).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = command.current_dir("/").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("refused: no permission to use") && said.contains("LOCK"), "{said}");

    // So that the folder can be removed again.
    everything.iter().chain([&data]).for_each(|path| set_mode(path, 0o755));
}
