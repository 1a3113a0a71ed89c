//! The event log read ahead: while the database takes a piece, a thread of its own reads, checks and decodes the next one.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use model::EventBatch;

use crate::SqlError;
use crate::position::Position;
use crate::settings::SqlSettings;
use crate::tail::Tail;

/// As much of the event log as goes into one transaction.
pub struct Piece {
    /// In their order; none when there is nothing new.
    pub batches: Vec<EventBatch>,
    /// True when there is more.
    pub more: bool,
    /// Before the first of them.
    pub left_at: Position,
    /// Behind the last of them.
    pub reached: Position,
    /// Whether the log was seen to have the position that it was opened at.
    pub agreed: bool,
}

/// Pieces, one after the other. At most one waits to be taken.
pub struct Ahead<'scope> {
    ask: Option<Sender<()>>,
    pieces: Receiver<Result<Piece, SqlError>>,
    /// The next one is read already, or being read.
    is_asked: bool,
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Ahead<'scope> {
    /// Starts the thread; it ends when this is dropped.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        name: &str,
        tail: Tail,
        settings: &SqlSettings,
    ) -> io::Result<Self> {
        let ((ask, asked), (give, pieces)) = (channel(), channel());
        let most = (settings.batch_max_events, settings.batch_max_bytes);
        let work = move || read(tail, most, &asked, &give);
        let thread = Builder::new().name(format!("{name}-read")).spawn_scoped(scope, work)?;
        Ok(Self { ask: Some(ask), pieces, is_asked: false, thread: Some(thread) })
    }

    /// Has the next piece read while something else is done.
    pub fn look(&mut self) {
        if let Some(ask) = self.ask.as_ref().filter(|_| !self.is_asked) {
            // Who is gone has left a panic behind, which the next one to ask hears of.
            self.is_asked = ask.send(()).is_ok();
        }
    }

    /// The next piece.
    pub fn next(&mut self) -> Result<Piece, SqlError> {
        self.look();
        self.is_asked = false;
        if let Ok(piece) = self.pieces.recv() {
            return piece;
        }
        self.ask = None;
        match self.thread.take().map(ScopedJoinHandle::join) {
            Some(Err(payload)) => resume_unwind(payload),
            Some(Ok(())) | None => unreachable!("it reads as long as somebody asks"),
        }
    }
}

fn read(
    mut tail: Tail,
    (max_events, max_bytes): (usize, usize),
    asked: &Receiver<()>,
    give: &Sender<Result<Piece, SqlError>>,
) {
    while asked.recv().is_ok() {
        let left_at = tail.position();
        let mut batches = Vec::new();
        let piece = tail.read(&mut batches, max_events, max_bytes).map(|more| Piece {
            batches,
            more,
            left_at,
            reached: tail.position(),
            agreed: tail.agreed(),
        });
        if give.send(piece).is_err() {
            return;
        }
    }
}
