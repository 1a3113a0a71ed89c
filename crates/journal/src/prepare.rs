//! Getting the journal's next segment ready: blocks that exist and were written, so that a batch's sync has no
//! metadata to write (twice as fast as fresh blocks; merely reserved ones are slower still). The header is not
//! written here: a segment is blank until the writer takes it into use.

use crate::error::JournalError;
use crate::layout::{in_memory, offset};
use crate::segment::{Log, Origin};
use crate::settings::Preparation;
use crate::storage::{Storage, StorageFile};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Zeros are written and synced in pieces of this size, so that a batch's sync waits behind one piece at most.
const PIECE: usize = 1 << 20;

/// A blank segment under its final name.
#[derive(Debug)]
pub struct Prepared {
    pub number: u64,
    pub file: Box<dyn StorageFile>,
    pub capacity: u64,
    pub origin: Origin,
}

/// What is to be prepared.
#[derive(Debug)]
pub struct Job {
    pub number: u64,
    pub capacity: u64,
    /// A recycled file's name.
    pub spare: Option<String>,
}

/// Who prepares.
#[derive(Debug)]
pub struct Preparer {
    storage: Arc<dyn Storage>,
    helper: Option<Helper>,
}

/// The thread, and what it was asked for.
#[derive(Debug)]
struct Helper {
    jobs: Option<Sender<Job>>,
    done: Receiver<Result<Option<Prepared>, JournalError>>,
    busy: bool,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Preparer {
    pub fn new(storage: Arc<dyn Storage>, preparation: Preparation) -> Result<Self, JournalError> {
        let helper = match preparation {
            Preparation::Background => Some(
                Helper::start(Arc::clone(&storage))
                    .map_err(JournalError::io("start a thread for", "journal"))?,
            ),
            Preparation::WhenNeeded => None,
        };
        Ok(Self { storage, helper })
    }

    /// True when a job given now would be done ahead of time.
    pub fn wants_work(&self) -> bool {
        self.helper.as_ref().is_some_and(|helper| !helper.busy)
    }

    /// Begins a job, when [`wants_work`](Self::wants_work).
    pub fn begin(&mut self, job: Job) {
        let helper = self.helper.as_mut().expect("work is only begun when it is wanted");
        helper.busy = true;
        let jobs = helper.jobs.as_ref().expect("the helper runs until it is dropped");
        jobs.send(job).expect("the helper waits for jobs until it is dropped");
    }

    /// What was begun, waiting for it; `None` when nothing was.
    pub fn take(&mut self) -> Option<Result<Prepared, JournalError>> {
        let helper = self.helper.as_mut().filter(|helper| helper.busy)?;
        helper.busy = false;
        let done = helper.done.recv().expect("the helper answers every job");
        Some(done.map(|prepared| prepared.expect("the helper is stopped only when it is dropped")))
    }

    /// Does a job here and now.
    pub fn prepare_now(&self, job: &Job) -> Result<Prepared, JournalError> {
        let prepared = prepare(&*self.storage, job, &AtomicBool::new(false))?;
        Ok(prepared.expect("nobody stops a job that is done here"))
    }
}

impl Helper {
    fn start(storage: Arc<dyn Storage>) -> std::io::Result<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (give, done) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("journal-prepare".to_owned()).spawn(move || {
            for job in to_do {
                if give.send(prepare(&*storage, &job, &stopped)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), done, busy: false, stop, thread: Some(thread) })
    }
}

impl Drop for Helper {
    /// The thread must not write behind the lock's back, so it is waited for; it looks at `stop` after each piece.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended || std::thread::panicking(), "preparing a segment never panics");
    }
}

/// `None` when it was stopped; what it has written by then is too short, and is removed by the next start.
fn prepare(storage: &dyn Storage, job: &Job, stop: &AtomicBool) -> Result<Option<Prepared>, JournalError> {
    let Job { number, capacity, ref spare } = *job;
    if let Some(spare) = spare
        && let Some(file) = recycle(storage, spare, number, capacity)?
    {
        return Ok(Some(Prepared { number, file, capacity, origin: Origin::Recycled }));
    }

    let path = Log::Journal.path(number);
    let file = storage.create(&path).map_err(JournalError::io("create", &path))?;
    let zeros = vec![0; PIECE.min(in_memory(capacity))];
    let mut at = 0;
    while at < capacity {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let piece = &zeros[..zeros.len().min(in_memory(capacity - at))];
        file.write_at(piece, at).map_err(JournalError::writing(piece.len(), at, &path))?;
        file.sync().map_err(JournalError::io("sync", &path))?;
        at += offset(piece.len());
    }
    sync_folder(storage)?;
    Ok(Some(Prepared { number, file, capacity, origin: Origin::Zeros }))
}

/// Gives a spare file a new number. Its old header goes first, so that it is blank under its new name from the start.
/// `None` when it has another size (the setting was changed); then it is removed.
fn recycle(
    storage: &dyn Storage,
    spare: &str,
    number: u64,
    capacity: u64,
) -> Result<Option<Box<dyn StorageFile>>, JournalError> {
    let from = format!("{}/{spare}", Log::Journal.folder());
    let file = storage.open(&from).map_err(JournalError::io("open", &from))?;
    if file.size().map_err(JournalError::io("see the size of", &from))? != capacity {
        storage.remove(&from).map_err(JournalError::io("remove", &from))?;
        return Ok(None);
    }
    let zeros = vec![0; in_memory(Log::Journal.frames_at())];
    file.write_at(&zeros, 0).map_err(JournalError::writing(zeros.len(), 0, &from))?;
    file.sync().map_err(JournalError::io("sync", &from))?;
    let to = Log::Journal.path(number);
    storage.rename(&from, &to).map_err(JournalError::io("rename to a segment", &from))?;
    sync_folder(storage)?;
    Ok(Some(file))
}

/// Makes the names in the journal's folder durable.
pub fn sync_folder(storage: &dyn Storage) -> Result<(), JournalError> {
    let folder = Log::Journal.folder();
    storage.sync_folder(folder).map_err(JournalError::io("sync the folder", folder))
}
