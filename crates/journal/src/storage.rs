//! What the journal asks of a disk, and nothing more: the smallest set of calls that real files and the faulty
//! in-memory storage can both honour. Which file means what is decided elsewhere.

use std::{fmt, io};

/// Named files in folders one level deep. Paths are `folder/name`, always with a slash.
///
/// Nothing is durable before a sync: a file's bytes and length by [`StorageFile::sync`], the names in a folder
/// (created, renamed, removed) by [`Storage::sync_folder`].
pub trait Storage: Send + Sync + fmt::Debug {
    /// The names in a folder, in no order. A folder without files is empty, never an error.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Opens a file that exists: for reading and writing, or only for reading when the storage is read-only.
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Makes an empty file; `AlreadyExists` when there is one of that name.
    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name in the same folder, atomically replacing what had that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes the name away.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in the folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
}

/// One open file.
pub trait StorageFile: Send + fmt::Debug {
    /// Length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Cuts, or extends with zeros.
    fn set_size(&self, bytes: u64) -> io::Result<()>;

    /// Fills `into` from `offset`, stopping early only at the end of the file; the number of bytes read.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`, extending the file when needed. After an error any part may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes bytes and length durable (`fdatasync`). An error is final: what was unsynced may be lost although
    /// it can still be read, and a second call may claim success (Linux marks the pages clean), so nobody retries.
    fn sync(&self) -> io::Result<()>;
}
