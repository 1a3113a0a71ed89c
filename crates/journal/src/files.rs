//! The real storage: a directory of the operating system. No policy, no formats; the lock of the data directory
//! rides along so that it outlives everything that can still write.

use crate::storage::{Storage, StorageFile};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files under one root folder.
#[derive(Debug)]
pub struct FileStorage {
    root: PathBuf,
    access: Access,
    /// Held, never read: the operating system lets go of the lock when the last user of this storage is gone.
    _lock: Option<Arc<File>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Write,
    Read,
}

impl FileStorage {
    /// For reading and writing, holding `lock` for as long as this storage lives.
    pub(crate) fn locked(root: &Path, lock: Arc<File>) -> Self {
        Self { root: root.to_owned(), access: Access::Write, _lock: Some(lock) }
    }

    /// Never writes; every call that would change something is refused.
    pub(crate) fn read_only(root: &Path) -> Self {
        Self { root: root.to_owned(), access: Access::Read, _lock: None }
    }

    fn writable(&self, path: &str) -> io::Result<PathBuf> {
        match self.access {
            Access::Write => Ok(self.root.join(path)),
            Access::Read => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "this program opened the directory only for reading",
            )),
        }
    }
}

impl Storage for FileStorage {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(folder))? {
            // A name that is not text is not one of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let write = self.access == Access::Write;
        Ok(Box::new(OpenOptions::new().read(true).write(write).open(self.root.join(path))?))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let path = self.writable(path)?;
        Ok(Box::new(OpenOptions::new().read(true).write(true).create_new(true).open(path)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.writable(from)?, self.writable(to)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.writable(path)?)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.writable(folder)?)?.sync_all()
    }
}

impl StorageFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match FileExt::read_at(self, &mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
