//! `rialto backup` and `rialto restore`: a data directory to another place and back, also while an exchange runs on it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use journal::{DataDir, Preparation};
use ring::digest::{Context as Digest, SHA256};
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
/// The newest form of the manifest that this program reads, and the one it writes.
const FORMAT: u32 = 1;
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
    files: Vec<Entry>,
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
    let target = DataDir::open(to)?;
    let copied = journal::backup::copy(source.storage(), &**target.storage())
        .with_context(|| format!("{} is half a backup and of no use", to.display()))?;
    let mut paths = copied.paths;
    let secrets: &[&str] = if options.with_secrets { &SECRET_FILES } else { &[] };
    for name in OPEN_FILES.iter().chain(secrets).filter(|name| data.join(name).exists()) {
        copy_file(&data.join(name), &to.join(name))?;
        paths.push((*name).to_owned());
    }
    let files = paths.into_iter().map(|path| entry(to, path)).collect::<anyhow::Result<Vec<_>>>()?;
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let manifest = Manifest { format: FORMAT, sequence: copied.end.0, snapshot: copied.snapshot.0, files };
    write_manifest(to, &manifest)?;
    say!("sequence      {}", manifest.sequence);
    say!("snapshot      {}", manifest.snapshot);
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
    for folder in FOLDERS {
        let folder = partial.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for file in &manifest.files {
        copy_file(&from.join(&file.path), &partial.join(&file.path))?;
        check(&partial, file)?;
    }
    let state_hash = open(&partial, &manifest).with_context(|| format!("{}", partial.display()))?;
    for folder in FOLDERS {
        sync_folder(&partial.join(folder))?;
    }
    sync_folder(&partial)?;
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

/// Opens it as a start does, and gives the hash over the state.
fn open(data: &Path, manifest: &Manifest) -> anyhow::Result<String> {
    let directory = DataDir::open(data)?;
    let settings = journal::Settings { preparation: Preparation::WhenNeeded, ..journal::Settings::default() };
    let recovered = sequencer::recover(directory.storage(), &settings, &mut ())?;
    let seq = recovered.partition().seq().0;
    if seq != manifest.sequence {
        bail!("it ends at command {seq}, but the backup was made of {}", manifest.sequence);
    }
    Ok(hex(&recovered.partition().state_hash()))
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
        let mut parts = file.path.split('/');
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
