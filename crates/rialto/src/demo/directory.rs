//! How a demo's data directory is known from any other, and how it becomes empty again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use gateway_http::write_secret;
use journal::{DataDir, DataDirError};
use model::ApiKeyId;

use super::DemoKey;
use super::traders::price_of;
use crate::terminal::say;

/// Stands in every data directory that a demo began.
const MARKER: &str = "DEMO";
/// The keys that the demo prints, so that bots go on after a reset without new ones.
const KEYS: &str = "demo.keys";
/// Prices that `rialto demo price` asks the running demo for.
const WISHES: &str = "demo.prices";
/// What a reset removes, in the order in which a reset that is cut short leaves a directory that still starts: without
/// snapshots and events they are made again from the journal. Keys and the operator's token stay.
const REMOVED: [&str; 3] = ["snapshots", "events", "journal"];

/// What a demo writes into its data directory: that it is one, and its seed.
pub struct Marker {
    file: PathBuf,
    seed: Option<u64>,
}

impl Marker {
    /// That of a data directory, as far as it has one.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let file = data.join(MARKER);
        let seed = match fs::read_to_string(&file) {
            Ok(text) => text.lines().find_map(|line| line.strip_prefix("seed ")?.parse().ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file, seed })
    }

    /// The seed that is asked for, or else the one it began with, or else 1. It is written down.
    pub fn settle(&self, asked: Option<u64>) -> anyhow::Result<u64> {
        let seed = asked.or(self.seed).unwrap_or(1);
        if self.seed != Some(seed) {
            let text = format!(
                "The data directory of a Rialto demo. `rialto demo reset` removes what is in it.\nseed {seed}\n"
            );
            fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))?;
        }
        Ok(seed)
    }
}

/// The printed keys of a demo before its reset.
pub struct KeptKeys {
    file: PathBuf,
    /// Account, key and secret on each line; empty where none were kept.
    text: String,
}

impl KeptKeys {
    /// Those of a data directory.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let file = data.join(KEYS);
        match fs::read_to_string(&file) {
            Ok(text) => Ok(Self { file, text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { file, text: String::new() })
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Key and secret of an account.
    pub fn of(&self, name: &str) -> Option<(ApiKeyId, String)> {
        self.text.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [of, key, secret] if of == name => Some((ApiKeyId::new(key).ok()?, secret.to_owned())),
            _ => None,
        })
    }

    /// Keeps these, where none are kept yet.
    pub fn keep(&self, keys: &[DemoKey]) -> anyhow::Result<()> {
        if !self.text.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> =
            keys.iter().map(|DemoKey { name, key, secret }| format!("{name} {key} {secret}")).collect();
        write_secret(&self.file, &lines.join("\n"))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// Asks the demo that runs on a data directory for prices.
pub fn ask(data: &Path, prices: &[(String, String)]) -> anyhow::Result<()> {
    require_marker(data)?;
    match DataDir::open(data) {
        Err(DataDirError::InUse { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => bail!("no demo runs on {}: start it with --price", data.display()),
    }
    let (file, unfinished) = (data.join(WISHES), data.join(format!("{WISHES}.tmp")));
    let lines: Vec<_> = prices.iter().map(|(market, price)| format!("{market}={price}\n")).collect();
    // Whole or not at all: the demo looks at any time.
    fs::write(&unfinished, lines.concat())
        .and_then(|()| fs::rename(&unfinished, &file))
        .with_context(|| format!("cannot write {}", file.display()))?;
    say!("Asked for. The simulated traders take the market there within a second.");
    Ok(())
}

/// What was asked for since the last look. A file that cannot be read is no wish.
pub fn asked(data: &Path) -> Vec<(String, String)> {
    let file = data.join(WISHES);
    let Ok(text) = fs::read_to_string(&file) else { return Vec::new() };
    if fs::remove_file(&file).is_err() {
        return Vec::new();
    }
    text.lines().filter_map(|line| price_of(line).ok()).collect()
}

fn require_marker(data: &Path) -> anyhow::Result<()> {
    if data.join(MARKER).is_file() {
        return Ok(());
    }
    bail!(
        "{} is not the data directory of a demo: it has no file {MARKER}. Nothing was changed",
        data.display()
    )
}

/// Empties the data directory of a demo that is not running. One that is not there, or is empty, is fine.
pub fn reset(data: &Path) -> anyhow::Result<()> {
    let is_empty = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", data.display())),
    };
    if is_empty {
        return Ok(());
    }
    require_marker(data)?;
    // Nobody can start on it meanwhile.
    let _lock = DataDir::open(data).context("the demo cannot be reset while it runs")?;
    // A wish that nobody heard would be another story.
    asked(data);
    let further = (1..).map(|partition| format!("partition-{partition}"));
    let further = further.take_while(|folder| data.join(folder).is_dir());
    // The first partition last: it knows how many there are.
    let folders: Vec<String> = further.chain(REMOVED.map(str::to_owned)).collect();
    for folder in folders {
        let path = data.join(folder);
        fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    say!("Reset: {} is empty again; its keys stay.", data.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_kept_until_another_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let settle = |asked| Marker::read(folder.path()).unwrap().settle(asked).unwrap();
        assert_eq!(settle(None), 1);
        assert_eq!(settle(Some(7)), 7);
        assert_eq!(settle(None), 7);
        assert_eq!(settle(Some(8)), 8);
        assert_eq!(settle(None), 8);
    }

    #[test]
    fn a_price_is_asked_for_once_and_only_of_a_demo_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let prices = [("BTCUSDT".to_owned(), "65000".to_owned())];
        assert!(ask(&data, &prices).unwrap_err().to_string().contains("is not the data directory of a demo"));
        let running = DataDir::open(&data).unwrap();
        Marker::read(&data).unwrap().settle(None).unwrap();
        assert_eq!(asked(&data), []);
        ask(&data, &prices).unwrap();
        assert_eq!(asked(&data), prices);
        assert_eq!(asked(&data), []);
        drop(running);
        assert!(ask(&data, &prices).unwrap_err().to_string().contains("no demo runs on"));
    }

    #[test]
    fn only_a_demo_that_does_not_run_is_reset() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        reset(&data).expect("nothing is there yet");
        let running = DataDir::open(&data).unwrap();
        fs::write(data.join("journal/0"), "orders").unwrap();
        let refused = reset(&data).unwrap_err().to_string();
        assert!(refused.contains("is not the data directory of a demo"), "{refused}");

        Marker::read(&data).unwrap().settle(None).unwrap();
        fs::write(data.join("master.key"), "keep").unwrap();
        fs::write(data.join(WISHES), "BTCUSDT=1").unwrap();
        let refused = format!("{:#}", reset(&data).unwrap_err());
        assert!(refused.contains("cannot be reset while it runs: the data directory"), "{refused}");
        assert!(data.join("journal/0").exists());

        drop(running);
        reset(&data).unwrap();
        assert!(!data.join("journal").exists() && data.join("master.key").exists());
        assert!(!data.join(WISHES).exists());
        reset(&data).expect("twice is as good as once");
    }
}
