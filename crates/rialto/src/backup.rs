//! `rialto backup` and `rialto restore`: a data directory to another place and back, also while an exchange runs on it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use exchange::{Partition, Together};
use journal::{DataDir, Preparation};
use ring::digest::{Context as Digest, SHA256};
use sequencer::Recovered;
use serde::{Deserialize, Serialize};

use crate::terminal::say;
use crate::verify::hex;

#[derive(Args)]
pub struct BackupOptions {
    /// The data directory.
    #[arg(long, default_value = "./rialto-data")]
    data: PathBuf,
    /// A new or empty directory for the backup.
    #[arg(long)]
    to: PathBuf,
    /// Copies the master key, the operator's token and a demo's keys as well: whoever has the backup then has the exchange.
    #[arg(long)]
    with_secrets: bool,
}

#[derive(Args)]
pub struct RestoreOptions {
    /// The backup.
    backup: PathBuf,
    /// A new or empty directory for the exchange.
    #[arg(long)]
    data: PathBuf,
}

const MANIFEST: &str = "manifest.json";
/// The newest form of the manifest that this program reads: with several partitions.
const FORMAT: u32 = 2;
/// The form of a backup of one partition.
const FORMAT_OF_ONE: u32 = 1;
const FOLDERS: [&str; 3] = ["journal", "events", "snapshots"];
/// That a directory is a demo's is no secret.
const OPEN_FILES: [&str; 1] = ["DEMO"];
const SECRET_FILES: [&str; 3] = ["master.key", "admin.token", "demo.keys"];

/// Written last: a backup without it is not finished.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// The last command.
    sequence: u64,
    /// The last command in the snapshot, 0 without one.
    snapshot: u64,
    /// The same of the second partition and those behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    partitions: Vec<Further>,
    files: Vec<Entry>,
}

/// A partition behind the first.
#[derive(Serialize, Deserialize)]
struct Further {
    sequence: u64,
    snapshot: u64,
}

impl Manifest {
    /// The last command of each partition.
    fn sequences(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.sequence).chain(self.partitions.iter().map(|further| further.sequence))
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Relative to the directory, with slashes.
    path: String,
    bytes: u64,
    sha256: String,
}

pub fn backup(options: &BackupOptions) -> anyhow::Result<()> {
    let (data, to) = (&options.data, &options.to);
    let source = DataDir::open_read_only(data)?;
    require_empty(to)?;
    let mut target = DataDir::open(to)?;
    while target.storages().len() < source.storages().len() {
        target.add_partition()?;
    }
    let into = target.storages().iter().map(|storage| &**storage);
    let pairs: Vec<_> = source.storages().iter().zip(into).collect();
    let copied = journal::backup::copy(&pairs)
        .with_context(|| format!("{} is half a backup and of no use", to.display()))?;
    let mut paths = Vec::new();
    for (partition, copied) in copied.iter().enumerate() {
        let place = |path: &String| match partition {
            0 => path.clone(),
            _ => format!("partition-{partition}/{path}"),
        };
        paths.extend(copied.paths.iter().map(place));
    }
    let secrets: &[&str] = if options.with_secrets { &SECRET_FILES } else { &[] };
    for name in OPEN_FILES.iter().chain(secrets).filter(|name| data.join(name).exists()) {
        copy_file(&data.join(name), &to.join(name))?;
        paths.push((*name).to_owned());
    }
    let files = paths.into_iter().map(|path| entry(to, path)).collect::<anyhow::Result<Vec<_>>>()?;
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let further =
        |copied: &journal::backup::Copied| Further { sequence: copied.end.0, snapshot: copied.snapshot.0 };
    let (format, first) = (if copied.len() > 1 { FORMAT } else { FORMAT_OF_ONE }, &copied[0]);
    let partitions = copied[1..].iter().map(further).collect();
    let (sequence, snapshot) = (first.end.0, first.snapshot.0);
    let manifest = Manifest { format, sequence, snapshot, partitions, files };
    write_manifest(to, &manifest)?;
    say!("sequence      {}", manifest.sequence);
    say!("snapshot      {}", manifest.snapshot);
    for (further, partition) in manifest.partitions.iter().zip(1..) {
        say!("partition {partition:<3} sequence {}, snapshot {}", further.sequence, further.snapshot);
    }
    say!("files         {}, {} MiB, each with its SHA-256 in {MANIFEST}", manifest.files.len(), bytes >> 20);
    say!("Next: rialto restore {} --data NEW_DIRECTORY", to.display());
    if options.with_secrets {
        say!(
            "The secrets are in it: keep it as safe as they are. Back up apart: the settings file, certificates."
        );
    } else {
        say!(
            "Back up apart: {} and {} (or where the settings have them), the settings file, certificates. Without the master \
             key no API key in this backup can be used.",
            data.join("master.key").display(),
            data.join("admin.token").display()
        );
    }
    Ok(())
}

pub fn restore(options: &RestoreOptions) -> anyhow::Result<()> {
    let (from, data) = (&options.backup, &options.data);
    let manifest = read_manifest(from)?;
    for file in &manifest.files {
        check(from, file)?;
    }
    require_empty(data)?;
    // Under another name until it is whole, so that nobody starts with a part of it.
    let mut partial = data.clone().into_os_string();
    partial.push(".restoring");
    let partial = PathBuf::from(partial);
    require_empty(&partial)?;
    let roots = (0..=manifest.partitions.len()).map(|partition| match partition {
        0 => partial.clone(),
        _ => partial.join(format!("partition-{partition}")),
    });
    let roots: Vec<PathBuf> = roots.collect();
    for folder in roots.iter().flat_map(|root| FOLDERS.map(|folder| root.join(folder))) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for file in &manifest.files {
        copy_file(&from.join(&file.path), &partial.join(&file.path))?;
        check(&partial, file)?;
    }
    let state_hash = open(&partial, &manifest).with_context(|| format!("{}", partial.display()))?;
    for root in &roots {
        for folder in FOLDERS {
            sync_folder(&root.join(folder))?;
        }
        sync_folder(root)?;
    }
    fs::rename(&partial, data)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), data.display()))?;
    if let Some(parent) = data.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_folder(parent)?;
    }
    say!("sequence      {}", manifest.sequence);
    say!("state hash    {state_hash}");
    if data.join("master.key").exists() {
        say!("Next: rialto serve with data_dir = {:?} in the settings.", data.display().to_string());
    } else {
        say!(
            "Next: put master.key and admin.token into {}, then rialto serve with data_dir = {:?} in the settings.",
            data.display(),
            data.display().to_string()
        );
    }
    Ok(())
}

/// Opens it as a start does, and gives the hash over the state of the first partition.
fn open(data: &Path, manifest: &Manifest) -> anyhow::Result<String> {
    let directory = DataDir::open(data)?;
    let settings = journal::Settings { preparation: Preparation::WhenNeeded, ..journal::Settings::default() };
    let mut recovered = Vec::new();
    for (storage, wanted) in directory.storages().iter().zip(manifest.sequences()) {
        let partition = sequencer::recover(storage, &settings, &mut ())?;
        let seq = partition.partition().seq().0;
        if seq != wanted {
            bail!("it ends at command {seq}, but the backup was made of {wanted}");
        }
        recovered.push(partition);
    }
    let partitions: Vec<&Partition> = recovered.iter().map(Recovered::partition).collect();
    let together = Together::new(&partitions);
    together.check_marks().map_err(|broken| anyhow!("its partitions do not fit together: {broken}"))?;
    if let Err(broken) = together.check() {
        // As in the exchange that was copied: rialto journal skip may have left it so.
        say!("WARNING: its partitions do not add up: {broken}. rialto verify tells more.");
    }
    Ok(hex(&partitions[0].state_hash()))
}

fn require_empty(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                bail!("{} is not empty, and nothing is overwritten: name a new directory", folder.display())
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", folder.display())),
    }
}

fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copy = || {
        // With its permissions.
        fs::copy(from, to)?;
        File::open(to)?.sync_all()
    };
    copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let sync = || File::open(folder)?.sync_all();
    sync().with_context(|| format!("cannot sync {}", folder.display()))
}

fn entry(folder: &Path, path: String) -> anyhow::Result<Entry> {
    let (bytes, sha256) = digest(&folder.join(&path))?;
    Ok(Entry { path, bytes, sha256 })
}

fn digest(path: &Path) -> anyhow::Result<(u64, String)> {
    let read = || {
        let mut file = File::open(path)?;
        let (mut digest, mut bytes, mut piece) = (Digest::new(&SHA256), 0, vec![0; 1 << 20]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok::<_, std::io::Error>((bytes, hex(digest.finish().as_ref()))),
                read => {
                    digest.update(&piece[..read]);
                    bytes += read as u64;
                }
            }
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

fn check(folder: &Path, file: &Entry) -> anyhow::Result<()> {
    let path = folder.join(&file.path);
    let (bytes, sha256) = digest(&path)?;
    if bytes != file.bytes {
        bail!("{} is damaged: it has {bytes} bytes instead of {}", path.display(), file.bytes);
    }
    if sha256 != file.sha256 {
        bail!("{} is damaged: its SHA-256 is not the one in {MANIFEST}", path.display());
    }
    Ok(())
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let (path, unfinished) = (folder.join(MANIFEST), folder.join("manifest.tmp"));
    let bytes = serde_json::to_vec_pretty(manifest)?;
    let write = || {
        let mut file = File::create_new(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn read_manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "{} is half a backup, or none: there is no {MANIFEST}, which is written last. Make it again",
            folder.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    if manifest.format > FORMAT {
        bail!("{} was written by a newer version of this program", path.display());
    }
    let outside = |file: &&Entry| {
        let partition =
            |part: &str| part.strip_prefix("partition-").is_some_and(|number| number.parse::<u8>().is_ok());
        let path = match file.path.split_once('/') {
            Some((first, rest)) if partition(first) => rest,
            _ => file.path.as_str(),
        };
        let mut parts = path.split('/');
        let known = match (parts.next(), parts.next(), parts.next()) {
            (Some(folder), Some(name), None) => FOLDERS.contains(&folder) && !name.starts_with('.'),
            (Some(name), None, None) => OPEN_FILES.contains(&name) || SECRET_FILES.contains(&name),
            _ => false,
        };
        !known
    };
    if let Some(file) = manifest.files.iter().find(outside) {
        bail!("{} names {:?}, which no backup has", path.display(), file.path);
    }
    Ok(manifest)
}
