//! The writer: one append and one sync for each batch. A thread of its own does it while the sequencer applies the batch; where
//! that takes less time than to wake a thread, the sequencer does it itself.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::{Durable, FrameBuffer, JournalError, JournalWriter};

use crate::SequencerError;

/// What the writer answers: how far the journal is durable now, the buffer, to be filled again, and how long it took.
pub(crate) type Written = Result<(Durable, FrameBuffer, Duration), JournalError>;

/// The sequencer's hold on the writer thread. At most one batch is with it at a time, so that at most one unsynced batch
/// exists.
pub(crate) struct Writer {
    frames: SyncSender<FrameBuffer>,
    written: Receiver<Written>,
    thread: JoinHandle<()>,
    journal: Arc<Mutex<JournalWriter>>,
}

fn append(journal: &Mutex<JournalWriter>, mut frame: FrameBuffer) -> Written {
    let begun = Instant::now();
    let durable = journal.lock().unwrap_or_else(PoisonError::into_inner).append(&mut frame)?;
    Ok((durable, frame, begun.elapsed()))
}

impl Writer {
    pub(crate) fn start(journal: JournalWriter) -> Self {
        let (frames, to_write) = sync_channel::<FrameBuffer>(1);
        let (answer, written) = sync_channel::<Written>(1);
        let journal = Arc::new(Mutex::new(journal));
        let shared = Arc::clone(&journal);
        let work = move || {
            while let Ok(frame) = to_write.recv() {
                let outcome = append(&shared, frame);
                let failed = outcome.is_err();
                if answer.send(outcome).is_err() || failed {
                    break;
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("journal".to_owned()).spawn(work).expect("threads can be made");
        Self { frames, written, thread, journal }
    }

    /// Makes a batch durable, here and now.
    pub(crate) fn write(&self, frame: FrameBuffer) -> Written {
        append(&self.journal, frame)
    }

    /// Hands over a batch. [`Self::wait`] follows before the next one.
    pub(crate) fn begin(&self, frame: FrameBuffer) -> Result<(), SequencerError> {
        self.frames.send(frame).map_err(|_| SequencerError::ThreadGone { thread: "journal" })
    }

    /// Waits until the batch is durable.
    pub(crate) fn wait(&self) -> Result<(Durable, FrameBuffer, Duration), SequencerError> {
        Ok(self.written.recv().map_err(|_| SequencerError::ThreadGone { thread: "journal" })??)
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.frames);
        drop(self.written);
        // It has printed its message.
        let _ = self.thread.join();
    }
}
