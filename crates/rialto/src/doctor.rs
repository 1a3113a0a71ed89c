//! `rialto doctor`: whether this machine is fit for the exchange of a settings file, one line for each thing that was looked at,
//! with what to do about it. Changes nothing; works beside a running exchange.

mod disk;
mod secrets;

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::bail;
use clap::Args;
use model::PartitionId;
use serde::Serialize;

use crate::config::Config;
use crate::open_files;
use crate::terminal::say;

/// What is looked at.
#[derive(Args)]
pub struct Options {
    /// The settings file. Default: ./rialto.toml if it is there, otherwise the demo's ports and data.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    /// It cannot be told from here.
    Unknown,
    /// It works, and may hurt later.
    Warning,
    /// The exchange does not start, or must not be relied on.
    Problem,
}

impl Grade {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    result: Grade,
    /// What was seen, and what to do about it.
    text: String,
}

impl Finding {
    fn new(check: &'static str, result: Grade, text: impl Into<String>) -> Self {
        Self { check, result, text: text.into() }
    }

    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Grade::Ok, text)
    }

    fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Grade::Warning, text)
    }

    fn problem(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Grade::Problem, text)
    }
}

/// Looks at everything; an error when there is a problem.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let findings = examine(options.config.as_deref());
    if options.json {
        say!("{}", serde_json::to_string(&findings)?);
    } else {
        for Finding { check, result, text } in &findings {
            say!("{:<8} {check:<16} {text}", result.name());
        }
    }
    let count = |grade| findings.iter().filter(|finding| finding.result == grade).count();
    match count(Grade::Problem) {
        0 => Ok(()),
        problems => bail!("problems: {problems}, warnings: {}", count(Grade::Warning)),
    }
}

fn examine(file: Option<&Path>) -> Vec<Finding> {
    let usual = Path::new("rialto.toml");
    let file = file.or_else(|| usual.is_file().then_some(usual));
    let (config, settings) = match file {
        None => (Config::default(), Finding::ok("settings", "there is no rialto.toml; the demo's defaults")),
        Some(file) => match Config::read(file) {
            Ok(config) => (config, Finding::ok("settings", format!("{} is valid", file.display()))),
            Err(error) => return vec![Finding::problem("settings", format!("{error:#}"))],
        },
    };
    let data = config.data_dir.as_path();
    let running = running_on(data);
    let mut findings = vec![
        settings,
        port("public port", "public.listen", config.public.listen, running.as_deref()),
        port("operator's port", "admin.listen", config.admin.listen, running.as_deref()),
    ];
    findings.extend(disk::examine(&config));
    findings.extend(partitions(&config));
    findings.extend([clock(data), synchronization(Path::new("/run/systemd/timesync")), files(&config)]);
    findings.extend(huge_pages(Path::new("/sys/kernel/mm/transparent_hugepage/enabled")));
    findings.extend(secrets::examine(&config));
    findings
}

/// The process that has the data directory open, in words.
fn running_on(data: &Path) -> Option<String> {
    let path = data.join("LOCK");
    let file = File::open(&path).ok()?;
    // Let go of at once when this is dropped.
    match file.try_lock_shared() {
        Err(fs::TryLockError::WouldBlock) => {}
        Ok(()) | Err(fs::TryLockError::Error(_)) => return None,
    }
    let holder = fs::read_to_string(path).unwrap_or_default();
    Some(match holder.trim() {
        "" => "another process".to_owned(),
        process => format!("process {process}"),
    })
}

fn port(check: &'static str, setting: &str, address: SocketAddr, running: Option<&str>) -> Finding {
    if address.port() == 0 {
        return Finding::ok(check, format!("{setting} = {address}: the system chooses one at every start"));
    }
    match (TcpListener::bind(address), running) {
        (Ok(_), None) => Finding::ok(check, format!("{address} is free")),
        (Ok(_), Some(holder)) => Finding::warning(
            check,
            format!(
                "{address} is free although an exchange runs on this data directory ({holder}): it listens elsewhere, so it was \
                 started with other settings"
            ),
        ),
        (Err(error), Some(holder)) if error.kind() == ErrorKind::AddrInUse => {
            Finding::ok(check, format!("{address} is in use; the exchange runs ({holder})"))
        }
        (Err(error), None) if error.kind() == ErrorKind::AddrInUse => Finding::problem(
            check,
            format!("{address} is in use by another program: stop that one or set {setting} to another port"),
        ),
        (Err(error), _) if error.kind() == ErrorKind::PermissionDenied => Finding::problem(
            check,
            format!("no permission to listen on {address}: set {setting} to a port above 1023"),
        ),
        (Err(error), _) => Finding::problem(
            check,
            format!("cannot listen on {address} ({error}): set {setting} to an address of this machine"),
        ),
    }
}

/// Whether there are as many partitions as the settings say; nothing while there is no data directory.
fn partitions(config: &Config) -> Option<Finding> {
    let (check, wanted) = ("partitions", usize::from(config.partitions.count));
    if !config.data_dir.join("journal").is_dir() {
        return None;
    }
    let found = match journal::DataDir::open_read_only(&config.data_dir) {
        Ok(directory) => directory.storages().len(),
        Err(error) => return Some(Finding::problem(check, error.to_string())),
    };
    Some(match found.cmp(&wanted) {
        Ordering::Equal => Finding::ok(check, format!("{found}, as the settings say")),
        Ordering::Greater => Finding::problem(
            check,
            format!(
                "there are {found}, and the settings say {wanted}: set count = {found} under [partitions]"
            ),
        ),
        Ordering::Less => Finding::warning(
            check,
            format!(
                "there are {found}, and the settings say {wanted}: unless nothing is in the exchange yet, run rialto partition add \
                 for each one more, or set count = {found} under [partitions]"
            ),
        ),
    })
}

/// Files of the journals were written by this clock: one that lies ahead of now tells that it went back.
fn clock(data: &Path) -> Finding {
    let check = "clock";
    let further = (1..PartitionId::MAX_COUNT).map(|number| data.join(format!("partition-{number}")));
    let folders = std::iter::once(data.to_owned()).chain(further).map(|folder| folder.join("journal"));
    let files = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let written = files.filter_map(|file| file.metadata().ok()?.modified().ok());
    let Some(last) = written.max() else {
        return Finding::ok(check, "nothing is written yet to compare with");
    };
    match last.duration_since(SystemTime::now()) {
        Ok(ahead) if ahead.as_secs() >= 1 => Finding::problem(
            check,
            format!(
                "it is {} s behind the journal's last write: set it right before the start, or times stand still until then",
                ahead.as_secs()
            ),
        ),
        Ok(_) | Err(_) => Finding::ok(check, "not behind the journal"),
    }
}

/// What systemd's time service says of itself in its folder.
fn synchronization(folder: &Path) -> Finding {
    let check = "time service";
    if folder.join("synchronized").exists() {
        Finding::ok(check, "the clock is synchronised")
    } else if folder.exists() {
        Finding::warning(
            check,
            "the clock is not synchronised yet: signed requests need it right (timedatectl)",
        )
    } else {
        Finding::new(
            check,
            Grade::Unknown,
            "systemd-timesyncd does not run here: see to it that something else keeps the clock right",
        )
    }
}

/// Whether the system gives huge pages to programs that ask for them; nothing where there are none to be had.
fn huge_pages(setting: &Path) -> Option<Finding> {
    let check = "huge pages";
    let setting = fs::read_to_string(setting).ok()?;
    Some(if setting.contains("[never]") {
        Finding::warning(
            check,
            "the system gives none, so that all of the exchange's memory is slower to look into: \
             echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        )
    } else {
        Finding::ok(check, "the system gives them where they are asked for")
    })
}

fn files(config: &Config) -> Finding {
    let check = "open files";
    let (connections, limit) = (config.public.max_connections, open_files::limit());
    let needed = open_files::needed(connections);
    match limit {
        None => Finding::ok(check, "without a limit"),
        Some(limit) if limit >= needed => {
            Finding::ok(check, format!("{limit} are allowed; max_connections = {connections} needs {needed}"))
        }
        Some(limit) => Finding::warning(
            check,
            format!(
                "{limit} are allowed from here, and max_connections = {connections} needs {needed}: raise the limit (ulimit -Hn, \
                 LimitNOFILE= of systemd, --ulimit nofile= of a container)"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_port_is_free_taken_by_us_or_by_somebody_else() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let ours = port("port", "public.listen", address, Some("process 7"));
        assert!(ours.result == Grade::Ok && ours.text.contains("process 7"), "{ours:?}");
        let other = port("port", "public.listen", address, None);
        assert!(other.result == Grade::Problem && other.text.contains("public.listen"), "{other:?}");
        drop(taken);
        assert_eq!(port("port", "public.listen", address, None).result, Grade::Ok);
        assert_eq!(port("port", "public.listen", address, Some("process 7")).result, Grade::Warning);
    }

    #[test]
    fn who_has_the_data_directory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(running_on(folder.path()), None);
        let open = journal::DataDir::open(folder.path()).unwrap();
        assert_eq!(running_on(folder.path()), Some(format!("process {}", std::process::id())));
        drop(open);
        assert_eq!(running_on(folder.path()), None);
    }

    #[test]
    fn a_clock_that_went_back_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(clock(folder.path()).result, Grade::Ok);
        fs::create_dir(folder.path().join("journal")).unwrap();
        let file = File::create(folder.path().join("journal/1")).unwrap();
        assert_eq!(clock(folder.path()).result, Grade::Ok);
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        assert_eq!(clock(folder.path()).result, Grade::Problem);
    }

    #[test]
    fn the_journals_of_all_partitions_tell_the_clock() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("partition-2/journal");
        fs::create_dir_all(&journal).unwrap();
        let file = File::create(journal.join("1")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        assert_eq!(clock(folder.path()).result, Grade::Problem);
    }

    #[test]
    fn the_number_of_partitions_is_that_of_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: folder.path().join("data"), ..Config::default() };
        assert!(partitions(&config).is_none(), "nothing is there yet");
        let mut directory = journal::DataDir::open(&config.data_dir).unwrap();
        directory.add_partition().unwrap();
        drop(directory);
        let found = partitions(&config).unwrap();
        assert!(found.result == Grade::Problem && found.text.contains("set count = 2"), "{found:?}");
        config.partitions.count = 2;
        assert_eq!(partitions(&config).unwrap().result, Grade::Ok);
        config.partitions.count = 3;
        assert_eq!(partitions(&config).unwrap().result, Grade::Warning);
    }

    #[test]
    fn the_time_service_says_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(synchronization(&folder.path().join("none")).result, Grade::Unknown);
        assert_eq!(synchronization(folder.path()).result, Grade::Warning);
        File::create(folder.path().join("synchronized")).unwrap();
        assert_eq!(synchronization(folder.path()).result, Grade::Ok);
    }

    #[test]
    fn huge_pages_are_given_unless_the_system_says_never() {
        let folder = tempfile::tempdir().unwrap();
        let setting = folder.path().join("enabled");
        assert!(huge_pages(&setting).is_none(), "a system without them");
        for (says, result) in [
            ("always [madvise] never", Grade::Ok),
            ("[always] madvise never", Grade::Ok),
            ("always madvise [never]", Grade::Warning),
        ] {
            fs::write(&setting, says).unwrap();
            assert_eq!(huge_pages(&setting).unwrap().result, result, "{says}");
        }
    }
}
