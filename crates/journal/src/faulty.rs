//! A storage in memory that behaves as badly as a disk may: what was not synced is lost, torn or reordered when the
//! power goes, calls fail, writes stop short. For tests, of this crate and of those above it; deterministic from a seed.
//!
//! It models a page cache. Reads see every write at once. On the disk is what was synced; of what was written since,
//! [`crash`](FaultyStorage::crash) keeps any 512-byte sector in any of its states, any of the lengths that a file had,
//! and any subset of the creations, renamings and removals in a folder. A failed sync loses some of the writes for
//! good although they can still be read, as Linux does.

use crate::layout::{in_memory, offset};
use crate::storage::{Storage, StorageFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a disk writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No space left on the device.
    DiskFull,
    /// Input/output error.
    Io,
    /// A write that gets half way before the disk is full; any other call fails at once.
    ShortWrite,
}

/// Which call was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which one.
    pub what: CallKind,
    /// The file (by the name that it was opened with) or the folder.
    pub path: String,
}

/// The calls of [`Storage`] and [`StorageFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum CallKind {
    List,
    Open,
    Create,
    Rename,
    Remove,
    SyncFolder,
    Size,
    SetSize,
    ReadAt,
    WriteAt,
    Sync,
}

/// Clones share the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyStorage {
    disk: Arc<Mutex<Disk>>,
    standing: Arc<Standing>,
}

/// Whether syncs stand still.
#[derive(Debug, Default)]
struct Standing {
    still: Mutex<bool>,
    goes_on: Condvar,
}

#[derive(Debug, Default)]
struct Disk {
    files: Vec<FileState>,
    /// As seen by the running system.
    names: BTreeMap<String, usize>,
    /// As they are on the disk.
    durable_names: BTreeMap<String, usize>,
    /// What happened to names since their folder was synced.
    pending_names: Vec<NameChange>,
    calls: Vec<Call>,
    failures: BTreeMap<usize, Failure>,
    power_off_at: Option<usize>,
    powered_off: bool,
    /// Counts starts: handles of an earlier life are dead.
    life: u64,
    random: Random,
}

#[derive(Debug, Default)]
struct FileState {
    cache: Vec<u8>,
    disk: Vec<u8>,
    /// Each state that an unsynced sector had.
    pending: BTreeMap<usize, Vec<[u8; SECTOR]>>,
    pending_sizes: Vec<usize>,
}

#[derive(Debug)]
enum NameChange {
    Created { path: String, file: usize },
    Renamed { from: String, to: String, file: usize },
    Removed { path: String, file: usize },
}

/// Splitmix64: small, and the same everywhere.
#[derive(Debug, Default)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Less than `bound`.
    fn below(&mut self, bound: usize) -> usize {
        in_memory(self.next() % offset(bound))
    }
}

/// How much of the unsynced survives.
#[derive(Clone, Copy)]
enum Survival {
    Nothing,
    Everything,
    Anything,
}

impl FaultyStorage {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// As the journal wants it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every call so far; a call's number is its index here.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// How many calls were made so far: the number of the next one.
    pub fn call_count(&self) -> usize {
        self.lock().calls.len()
    }

    /// Lets one call fail.
    pub fn fail_call(&self, number: usize, failure: Failure) {
        self.lock().failures.insert(number, failure);
    }

    /// The power goes while this call is under way: it may or may not have had its effect, it and all later ones fail
    /// until [`crash`](Self::crash) switches on again.
    pub fn power_off_at_call(&self, number: usize) {
        self.lock().power_off_at = Some(number);
    }

    /// Has every sync of a file that begins from now on wait until [`let_syncs_go`](Self::let_syncs_go).
    pub fn hold_syncs(&self) {
        *self.standing.still.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Lets syncs go on.
    pub fn let_syncs_go(&self) {
        *self.standing.still.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.standing.goes_on.notify_all();
    }

    /// True when the power is off.
    pub fn is_off(&self) -> bool {
        self.lock().powered_off
    }

    /// The power goes (if it had not gone before) and comes back: only what is on the disk is left. A seed divisible by
    /// four keeps nothing of what was unsynced, one more keeps everything, the others anything. Open files are dead.
    pub fn crash(&self, seed: u64) {
        let mut guard = self.lock();
        let disk = &mut *guard;
        disk.random = Random(seed);
        let survival = match seed % 4 {
            0 => Survival::Nothing,
            1 => Survival::Everything,
            _ => Survival::Anything,
        };
        for change in std::mem::take(&mut disk.pending_names) {
            let survives = match survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::Anything => disk.random.below(2) == 0,
            };
            if survives {
                change.apply(&mut disk.durable_names);
            }
        }
        disk.names = disk.durable_names.clone();
        for file in &mut disk.files {
            file.write_back(survival, &mut disk.random);
            file.cache = file.disk.clone();
        }
        disk.start_again();
    }

    /// The process was killed but the machine runs on: everything written is still to be seen, nothing more is synced.
    pub fn restart(&self) {
        self.lock().start_again();
    }

    /// What reading the file would give.
    ///
    /// Panics when there is no such file, as the two below do.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let disk = self.lock();
        disk.files[disk.names[path]].cache.clone()
    }

    /// Replaces a file's bytes, or makes the file, durably: damage, or a file from elsewhere.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut disk = self.lock();
        let file = disk.files.len();
        disk.files.push(FileState { cache: bytes.to_vec(), disk: bytes.to_vec(), ..FileState::default() });
        disk.names.insert(path.to_owned(), file);
        disk.durable_names.insert(path.to_owned(), file);
    }

    /// Takes a file away, durably.
    pub fn lose(&self, path: &str) {
        let mut disk = self.lock();
        disk.names.remove(path).expect("a file that is lost was there");
        disk.durable_names.remove(path);
    }

    /// All paths that can be seen.
    pub fn paths(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }
}

impl Disk {
    fn start_again(&mut self) {
        self.failures.clear();
        self.power_off_at = None;
        self.powered_off = false;
        self.life += 1;
    }

    /// Counts the call, and says what becomes of it.
    fn call(&mut self, what: CallKind, path: &str) -> Result<Then, io::Error> {
        if self.powered_off {
            return Err(power_is_off());
        }
        let number = self.calls.len();
        self.calls.push(Call { what, path: path.to_owned() });
        if self.power_off_at == Some(number) {
            self.powered_off = true;
            return Ok(Then::PowerOff);
        }
        match self.failures.remove(&number) {
            None => Ok(Then::Succeed),
            Some(Failure::ShortWrite) if what == CallKind::WriteAt => Ok(Then::StopShort),
            Some(Failure::Io) if what == CallKind::Sync => Ok(Then::LoseWrites),
            Some(Failure::DiskFull | Failure::ShortWrite) => Err(disk_full()),
            Some(Failure::Io) => Err(io_error()),
        }
    }

    fn file_named(&self, path: &str) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Succeed,
    /// Its effect is there, but nobody hears of it.
    PowerOff,
    StopShort,
    LoseWrites,
}

impl Then {
    fn outcome<T>(self, value: T) -> io::Result<T> {
        match self {
            Self::Succeed => Ok(value),
            Self::PowerOff => Err(power_is_off()),
            Self::StopShort => Err(disk_full()),
            Self::LoseWrites => Err(io_error()),
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

fn disk_full() -> io::Error {
    io::Error::from_raw_os_error(28)
}

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Created { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Renamed { from, to, file } => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
            Self::Removed { path, file } => {
                if names.get(path) == Some(file) {
                    names.remove(path);
                }
            }
        }
    }

    fn is_in(&self, folder: &str) -> bool {
        let (Self::Created { path, .. } | Self::Renamed { to: path, .. } | Self::Removed { path, .. }) = self;
        in_folder(path, folder).is_some()
    }
}

/// The name of `path` in `folder`.
fn in_folder<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

impl FileState {
    fn resize(&mut self, size: usize) {
        let before = self.cache.len();
        if size == before {
            return;
        }
        self.cache.resize(size, 0);
        self.pending_sizes.push(size);
        // What is cut off reads as zeros should the file grow again.
        for sector in size / SECTOR..before.div_ceil(SECTOR) {
            self.remember(sector);
        }
    }

    fn remember(&mut self, sector: usize) {
        let begin = (sector * SECTOR).min(self.cache.len());
        let there = &self.cache[begin..self.cache.len().min(begin + SECTOR)];
        let mut state = [0; SECTOR];
        state[..there.len()].copy_from_slice(there);
        self.pending.entry(sector).or_default().push(state);
    }

    fn write(&mut self, bytes: &[u8], at: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len();
        self.resize(end.max(self.cache.len()));
        self.cache[at..end].copy_from_slice(bytes);
        for sector in at / SECTOR..end.div_ceil(SECTOR) {
            self.remember(sector);
        }
    }

    /// Brings unsynced sectors and sizes to the disk, as far as they survive.
    fn write_back(&mut self, survival: Survival, random: &mut Random) {
        let mut choose = |states: usize| match survival {
            Survival::Nothing => None,
            Survival::Everything => Some(states - 1),
            Survival::Anything => random.below(states + 1).checked_sub(1),
        };
        let mut size = self.disk.len();
        if !self.pending_sizes.is_empty()
            && let Some(which) = choose(self.pending_sizes.len())
        {
            size = self.pending_sizes[which];
        }
        for (sector, states) in &self.pending {
            let Some(which) = choose(states.len()) else { continue };
            let begin = sector * SECTOR;
            if self.disk.len() < begin + SECTOR {
                self.disk.resize(begin + SECTOR, 0);
            }
            self.disk[begin..begin + SECTOR].copy_from_slice(&states[which]);
        }
        self.disk.resize(size, 0);
        self.pending.clear();
        self.pending_sizes.clear();
    }
}

impl Storage for FaultyStorage {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut disk = self.lock();
        let then = disk.call(CallKind::List, folder)?;
        then.outcome(
            disk.names.keys().filter_map(|path| in_folder(path, folder)).map(str::to_owned).collect(),
        )
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut disk = self.lock();
        let then = disk.call(CallKind::Open, path)?;
        let file = disk.file_named(path)?;
        then.outcome(Box::new(FaultyFile::new(self, &disk, file, path)))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut disk = self.lock();
        let then = disk.call(CallKind::Create, path)?;
        if disk.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let file = disk.files.len();
        disk.files.push(FileState::default());
        disk.change_name(NameChange::Created { path: path.to_owned(), file });
        then.outcome(Box::new(FaultyFile::new(self, &disk, file, path)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.lock();
        let then = disk.call(CallKind::Rename, from)?;
        let file = disk.file_named(from)?;
        disk.change_name(NameChange::Renamed { from: from.to_owned(), to: to.to_owned(), file });
        then.outcome(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut disk = self.lock();
        let then = disk.call(CallKind::Remove, path)?;
        let file = disk.file_named(path)?;
        disk.change_name(NameChange::Removed { path: path.to_owned(), file });
        then.outcome(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut guard = self.lock();
        let disk = &mut *guard;
        let then = disk.call(CallKind::SyncFolder, folder)?;
        if then == Then::Succeed {
            let (here, elsewhere) =
                std::mem::take(&mut disk.pending_names).into_iter().partition(|change| change.is_in(folder));
            disk.pending_names = elsewhere;
            let here: Vec<NameChange> = here;
            for change in here {
                change.apply(&mut disk.durable_names);
            }
        }
        then.outcome(())
    }
}

/// An open file.
#[derive(Debug)]
struct FaultyFile {
    storage: FaultyStorage,
    file: usize,
    life: u64,
    path: String,
}

impl FaultyFile {
    fn new(storage: &FaultyStorage, disk: &Disk, file: usize, path: &str) -> Self {
        Self { storage: storage.clone(), file, life: disk.life, path: path.to_owned() }
    }

    fn call<T>(
        &self,
        what: CallKind,
        work: impl FnOnce(&mut FileState, &mut Random, Then) -> T,
    ) -> io::Result<T> {
        let mut guard = self.storage.lock();
        let disk = &mut *guard;
        if disk.life != self.life {
            return Err(io::Error::other("this file was opened before the crash"));
        }
        let then = disk.call(what, &self.path)?;
        then.outcome(work(&mut disk.files[self.file], &mut disk.random, then))
    }
}

impl StorageFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.call(CallKind::Size, |file, _, _| offset(file.cache.len()))
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.call(CallKind::SetSize, |file, _, _| file.resize(in_memory(bytes)))
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(CallKind::ReadAt, |file, _, _| {
            let there = file.cache.get(in_memory(offset)..).unwrap_or_default();
            let len = there.len().min(into.len());
            into[..len].copy_from_slice(&there[..len]);
            len
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.call(CallKind::WriteAt, |file, _, then| {
            let len = if then == Then::StopShort { bytes.len() / 2 } else { bytes.len() };
            file.write(&bytes[..len], in_memory(offset));
        })
    }

    fn sync(&self) -> io::Result<()> {
        let Standing { still, goes_on } = &*self.storage.standing;
        let still = still.lock().unwrap_or_else(PoisonError::into_inner);
        drop(goes_on.wait_while(still, |still| *still).unwrap_or_else(PoisonError::into_inner));
        self.call(CallKind::Sync, |file, random, then| match then {
            Then::Succeed => file.write_back(Survival::Everything, random),
            Then::LoseWrites => {
                // Sizes are metadata: the file system keeps them, and tries again.
                let sizes = std::mem::take(&mut file.pending_sizes);
                file.write_back(Survival::Anything, random);
                file.pending_sizes = sizes;
            }
            Then::PowerOff | Then::StopShort => {}
        })
    }
}
