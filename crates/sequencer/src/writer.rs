//! The writer thread: one append and one sync for each batch, while the sequencer applies it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
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
    thread: JoinHandle<JournalWriter>,
}

impl Writer {
    pub(crate) fn start(mut journal: JournalWriter) -> Self {
        let (frames, to_write) = sync_channel::<FrameBuffer>(1);
        let (answer, written) = sync_channel::<Written>(1);
        let work = move || {
            while let Ok(mut frame) = to_write.recv() {
                let begun = Instant::now();
                let outcome = journal.append(&mut frame).map(|durable| (durable, frame, begun.elapsed()));
                let failed = outcome.is_err();
                if answer.send(outcome).is_err() || failed {
                    break;
                }
            }
            journal
        };
        let thread =
            std::thread::Builder::new().name("journal".to_owned()).spawn(work).expect("threads can be made");
        Self { frames, written, thread }
    }

    /// Hands over a batch. [`Self::wait`] follows before the next one.
    pub(crate) fn begin(&self, frame: FrameBuffer) -> Result<(), SequencerError> {
        self.frames.send(frame).map_err(|_| SequencerError::ThreadGone { thread: "journal" })
    }

    /// Waits until the batch is durable.
    pub(crate) fn wait(&self) -> Result<(Durable, FrameBuffer, Duration), SequencerError> {
        Ok(self.written.recv().map_err(|_| SequencerError::ThreadGone { thread: "journal" })??)
    }

    /// Ends the thread and gives the journal back.
    pub(crate) fn stop(self) -> Option<JournalWriter> {
        drop(self.frames);
        drop(self.written);
        self.thread.join().ok()
    }
}
