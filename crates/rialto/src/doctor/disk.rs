//! The data directory: whether it can be written, who can read it, what is free, and how long it takes until something is safe.

use std::fs;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Finding;
use crate::config::Config;

/// Syncs that are measured, of so many bytes each: a small batch of commands.
const SYNCS: usize = 50;
const BYTES: usize = 4_096;
/// No disk is faster; what is has not been there yet.
const TOO_FAST: Duration = Duration::from_micros(15);
/// Slower than this, every order waits noticeably.
const SLOW: Duration = Duration::from_millis(10);

pub fn examine(config: &Config) -> Vec<Finding> {
    let data = config.data_dir.as_path();
    let Ok(metadata) = fs::metadata(data) else {
        let text = format!("{} is not there yet; the first start makes it", data.display());
        let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        return vec![
            if parent.is_dir() {
                Finding::ok("data directory", text)
            } else {
                Finding::warning("data directory", format!("{text}, and {} as well", parent.display()))
            },
            space(parent, config),
            sync(parent),
        ];
    };
    if !metadata.is_dir() {
        let text = format!("{} is a file: set data_dir to a directory", data.display());
        return vec![Finding::problem("data directory", text)];
    }
    vec![directory(data, metadata.permissions().mode()), space(data, config), sync(data)]
}

fn directory(data: &Path, mode: u32) -> Finding {
    let (check, path) = ("data directory", data.display());
    if let Err(error) = tempfile::tempfile_in(data) {
        return Finding::problem(
            check,
            format!("{path} cannot be written ({error}): give it to the user that runs the exchange"),
        );
    }
    if mode & 0o007 != 0 {
        return Finding::warning(
            check,
            format!(
                "other users of this machine can look into {path}, where all orders are: chmod o-rwx {path}"
            ),
        );
    }
    Finding::ok(check, format!("{path} can be written, and others cannot read it"))
}

/// The next segments of journal and event log have to fit.
fn space(folder: &Path, config: &Config) -> Finding {
    let check = "free space";
    let disk = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return Finding::problem(check, format!("cannot look at {}: {error}", folder.display()));
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    let journal = &config.journal;
    let segments = (journal.segment_mib + journal.event_segment_mib) * u64::from(config.partitions.count);
    let least = segments.max(config.health.min_free_mib);
    judge_space(free, least)
}

/// In MiB.
fn judge_space(free: u64, least: u64) -> Finding {
    let check = "free space";
    if free < least {
        Finding::problem(
            check,
            format!(
                "{free} MiB, less than the {least} that the next segments take or min_free_mib wants: make room"
            ),
        )
    } else if free < least.saturating_mul(10) {
        Finding::warning(
            check,
            format!("{free} MiB: enough to start, not for long (one segment takes {least})"),
        )
    } else {
        Finding::ok(check, format!("{free} MiB"))
    }
}

fn sync(folder: &Path) -> Finding {
    match measure(folder) {
        Ok(times) => judge_sync(times),
        Err(error) => {
            Finding::problem("sync", format!("cannot write and sync a file in {}: {error}", folder.display()))
        }
    }
}

/// How long each sync took.
fn measure(folder: &Path) -> io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(folder)?;
    let block = [0xa5_u8; BYTES];
    // As the journal does: room first, so that a sync writes data and not the size of the file.
    file.write_all(&block.repeat(SYNCS))?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&block)?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn judge_sync(mut times: Vec<Duration>) -> Finding {
    times.sort_unstable();
    let at = |percent: usize| times[((times.len() * percent).div_ceil(100)).saturating_sub(1)];
    let (median, slowest) = (at(50), at(99));
    let measured = format!(
        "fdatasync of {BYTES} bytes takes {median:.0?} (p50), {slowest:.0?} (p99 of {})",
        times.len()
    );
    if median < TOO_FAST {
        let text = format!(
            "{measured}: too fast for any disk. What is acknowledged may be lost with the power (a file system in memory, or a \
             disk or virtual machine that does not write through)"
        );
        Finding::warning("sync", text)
    } else if median > SLOW {
        let text = format!("{measured}: every order waits that long until it is safe. Use a faster disk");
        Finding::warning("sync", text)
    } else {
        Finding::ok(
            "sync",
            format!(
                "{measured}: what an order waits for until it is safe; orders that come together share it"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_disk_is_judged_by_its_median() {
        let all = |micros| vec![Duration::from_micros(micros); SYNCS];
        let mut one_slow = all(400);
        one_slow[7] = Duration::from_millis(50);
        let good = judge_sync(one_slow);
        assert!(good.result == Grade::Ok && good.text.contains("400µs (p50), 50ms (p99"), "{good:?}");
        assert!(judge_sync(all(2)).text.contains("too fast"));
        assert!(judge_sync(all(15_000)).text.contains("faster disk"));
    }

    #[test]
    fn a_full_disk_is_a_problem_before_the_exchange_finds_out() {
        let results = [100, 300, 3_000].map(|free| judge_space(free, 256).result);
        assert_eq!(results, [Grade::Problem, Grade::Warning, Grade::Ok]);
    }

    #[test]
    fn a_directory_is_written_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| directory(folder.path(), mode).result;
        assert_eq!((mode(0o700), mode(0o750), mode(0o755)), (Grade::Ok, Grade::Ok, Grade::Warning));
        assert_eq!(directory(&folder.path().join("gone"), 0o700).result, Grade::Problem);
        assert_eq!(measure(folder.path()).unwrap().len(), SYNCS);
    }
}
