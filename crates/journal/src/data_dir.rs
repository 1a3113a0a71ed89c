//! The data directory: its folders, its lock, and one clear sentence for each way of not being usable. What is in the
//! folders is opened by [`Recovery`](crate::Recovery).

use crate::files::FileStorage;
use crate::storage::Storage;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

const FOLDERS: [&str; 3] = ["journal", "events", "snapshots"];
const LOCK: &str = "LOCK";

/// Why a directory cannot be used.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// Another process has it open.
    #[error(
        "the data directory {} is in use by {}. Two programs must not write one journal: stop that one, or choose another directory",
        path.display(), holder(*pid)
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as the lock file tells.
        pid: Option<u32>,
    },
    /// The path, or a part of it, is a file.
    #[error("{} is not a directory. Choose another data directory", path.display())]
    NotADirectory {
        /// As given.
        path: PathBuf,
    },
    /// Not there, and only to be read.
    #[error("there is no data directory {}", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// This user must not write there (or not read, when it is only to be read).
    #[error("no permission to use {}: {source}. Give this user the right to read and write there", path.display())]
    NoPermission {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Mounted read-only.
    #[error("{} is on a read-only file system. Mount it for writing, or choose another data directory", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl DataDirError {
    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Self::NotADirectory { path },
            io::ErrorKind::PermissionDenied => Self::NoPermission { path, source },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, source },
        }
    }
}

/// One exchange's directory. For as long as it, or anything that was opened in it, lives, no other process can open
/// the directory for writing.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    /// `None` of a directory that is only read.
    lock: Option<Arc<File>>,
    /// By partition.
    storages: Vec<Arc<dyn Storage>>,
}

impl DataDir {
    /// Makes what is missing, and takes the lock.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataDirError> {
        let path = path.as_ref();
        let new = !path.exists();
        fs::create_dir_all(path).map_err(DataDirError::of(path))?;
        let lock = Arc::new(lock(path)?);
        make_folders(path)?;
        let mut storages: Vec<Arc<dyn Storage>> =
            vec![Arc::new(FileStorage::locked(path, Arc::clone(&lock)))];
        for root in partition_folders(path) {
            make_folders(&root)?;
            storages.push(Arc::new(FileStorage::locked(&root, Arc::clone(&lock))));
        }
        if new
            && let Ok(full) = path.canonicalize()
            && let Some(parent) = full.parent()
        {
            sync(parent)?;
        }
        Ok(Self { path: path.to_owned(), lock: Some(lock), storages })
    }

    /// For `verify` and the like: takes no lock, changes nothing, works beside a server that writes.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, DataDirError> {
        let path = path.as_ref();
        fs::read_dir(path).map_err(DataDirError::of(path))?;
        let mut storages: Vec<Arc<dyn Storage>> = Vec::new();
        for root in std::iter::once(path.to_owned()).chain(partition_folders(path)) {
            for folder in FOLDERS {
                let folder = root.join(folder);
                fs::read_dir(&folder).map_err(DataDirError::of(&folder))?;
            }
            storages.push(Arc::new(FileStorage::read_only(&root)));
        }
        Ok(Self { path: path.to_owned(), lock: None, storages })
    }

    /// As given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What journal, event log and snapshots of the first partition stand on.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storages[0]
    }

    /// The same of all partitions, in their order.
    pub fn storages(&self) -> &[Arc<dyn Storage>] {
        &self.storages
    }

    /// Makes the folders of one more partition.
    pub fn add_partition(&mut self) -> Result<&Arc<dyn Storage>, DataDirError> {
        let root = partition_folder(&self.path, self.storages.len());
        let lock = self.lock.clone().ok_or_else(|| DataDirError::ReadOnly { path: root.clone() })?;
        fs::create_dir_all(&root).map_err(DataDirError::of(&root))?;
        make_folders(&root)?;
        sync(&self.path)?;
        self.storages.push(Arc::new(FileStorage::locked(&root, lock)));
        Ok(&self.storages[self.storages.len() - 1])
    }
}

/// Where the files of a partition are, from the second on.
fn partition_folder(path: &Path, partition: usize) -> PathBuf {
    path.join(format!("partition-{partition}"))
}

/// Those that are there: numbered without gaps.
fn partition_folders(path: &Path) -> impl Iterator<Item = PathBuf> {
    let path = path.to_owned();
    (1..).map(move |partition| partition_folder(&path, partition)).take_while(|folder| folder.is_dir())
}

fn make_folders(root: &Path) -> Result<(), DataDirError> {
    for folder in FOLDERS {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).map_err(DataDirError::of(&folder))?;
    }
    sync(root)
}

/// Makes a folder's names durable.
fn sync(folder: &Path) -> Result<(), DataDirError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(DataDirError::of(folder))
}

/// The operating system releases the lock with the process, so a file that was left behind locks nobody out.
fn lock(root: &Path) -> Result<File, DataDirError> {
    let path = root.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(DataDirError::of(&path))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(DataDirError::of(&path))?;
            writeln!(file, "{}", std::process::id()).map_err(DataDirError::of(&path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            Err(DataDirError::InUse { path: root.to_owned(), pid })
        }
        Err(TryLockError::Error(error)) => Err(DataDirError::of(&path)(error)),
    }
}
