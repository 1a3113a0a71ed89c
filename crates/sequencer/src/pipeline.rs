//! A start's replay over three threads, so that it takes as long as the slowest of them: one reads the journal and decodes, the
//! caller's applies, one makes bytes of the events, hashes them and compares them with the event log. Each batch is in the same
//! order at each of them, and what fails first in that order is what is told, as if one thread had done everything.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, scope};

use exchange::Partition;
use journal::{EventFrame, EventLogWriter, JournalReader, SkipMark};
use model::{Command, EventBatch, EventSeq, Seq, Sequenced, TimeNs};

use crate::recovery::{Derive, apply, begin, command_of};
use crate::{Replay, SequencerError};

/// Commands that go from thread to thread at once: small batches are not worth a wake-up each.
const PIECE_COMMANDS: usize = 4_096;
/// Pieces that may wait for the next thread.
const PIECES_AHEAD: usize = 2;

/// Some batches of the journal, decoded.
#[derive(Default)]
struct Piece {
    inputs: Vec<Sequenced<Command>>,
    batches: Vec<Span>,
}

/// A batch of a piece.
struct Span {
    first_seq: Seq,
    time_ns: TimeNs,
    commands: usize,
    /// Of the journal, behind it.
    bytes_read: u64,
}

/// Applies everything that `reader` gives, and has the event log say the same.
pub(crate) fn replay_all(
    reader: JournalReader,
    skip_marks: &[SkipMark],
    partition: &mut Partition,
    derive: &mut Derive,
    events: &mut EventLogWriter,
    replay: &mut dyn Replay,
) -> Result<(), SequencerError> {
    let bytes_total = reader.bytes_total();
    let (pieces, to_apply) = sync_channel(PIECES_AHEAD);
    let (applied, to_compare) = sync_channel(PIECES_AHEAD);
    let (give_back, used_pieces) = channel();
    let (compared, used_batches) = channel();
    let first_event_seq = derive.event_seq.next();
    scope(|scope| {
        Builder::new()
            .name("replay-read".to_owned())
            .spawn_scoped(scope, move || read(reader, skip_marks, &pieces, &used_pieces))
            .expect("threads can be made");
        let comparing = Builder::new()
            .name("replay-events".to_owned())
            .spawn_scoped(scope, move || compare(derive, events, &to_compare, &compared))
            .expect("threads can be made");
        let hand_over = HandOver { applied, used_batches, waiting: Vec::new(), commands: 0 };
        let outcome = apply_all(
            partition,
            first_event_seq,
            &to_apply,
            &give_back,
            hand_over,
            &mut |batch, bytes_read| {
                replay.batch(batch);
                replay.progress(bytes_read, bytes_total);
            },
        );
        // The reader may wait to hand over more.
        drop(to_apply);
        // What it finds wrong is in an earlier batch than what cannot be applied.
        comparing.join().unwrap_or_else(|payload| resume_unwind(payload))?;
        outcome
    })
}

/// Decodes ahead of who applies. An error is the last thing that it hands over.
fn read(
    mut reader: JournalReader,
    skip_marks: &[SkipMark],
    pieces: &SyncSender<Result<Piece, SequencerError>>,
    used: &Receiver<Piece>,
) {
    let mut piece = Piece::default();
    loop {
        match read_batch(&mut reader, skip_marks, &mut piece) {
            Ok(More::Yes) if piece.inputs.len() < PIECE_COMMANDS => {}
            Ok(More::Yes) => {
                let next = used.try_recv().unwrap_or_default();
                // Nobody applies any more.
                if pieces.send(Ok(std::mem::replace(&mut piece, next))).is_err() {
                    return;
                }
            }
            end => {
                // Whoever applies is gone, or finds this behind what is sound.
                let _ = pieces.send(Ok(piece));
                let _ = end.map_err(|error| pieces.send(Err(error)));
                return;
            }
        }
    }
}

enum More {
    Yes,
    No,
}

fn read_batch(
    reader: &mut JournalReader,
    skip_marks: &[SkipMark],
    piece: &mut Piece,
) -> Result<More, SequencerError> {
    let Some(records) = reader.next()? else { return Ok(More::No) };
    let (first_seq, time_ns, before) = (records.first_seq, records.time_ns, piece.inputs.len());
    for (seq, bytes) in records.commands() {
        match command_of(seq, bytes, skip_marks) {
            Ok(command) => piece.inputs.push(Sequenced { seq, time_ns, command }),
            Err(error) => {
                // Batches are whole.
                piece.inputs.truncate(before);
                return Err(error);
            }
        }
    }
    let commands = piece.inputs.len() - before;
    piece.batches.push(Span { first_seq, time_ns, commands, bytes_read: reader.bytes_read() });
    Ok(More::Yes)
}

/// The way from who applies to who compares, and back.
struct HandOver {
    applied: SyncSender<Vec<EventBatch>>,
    used_batches: Receiver<EventBatch>,
    waiting: Vec<EventBatch>,
    /// Of those that wait.
    commands: usize,
}

impl HandOver {
    /// False when nobody compares any more.
    fn give(&mut self, batch: EventBatch) -> bool {
        self.commands += batch.commands();
        self.waiting.push(batch);
        self.commands < PIECE_COMMANDS || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.commands = 0;
        self.applied.send(std::mem::take(&mut self.waiting)).is_ok()
    }
}

fn apply_all(
    partition: &mut Partition,
    mut event_seq: EventSeq,
    pieces: &Receiver<Result<Piece, SequencerError>>,
    give_back: &Sender<Piece>,
    mut hand_over: HandOver,
    tell: &mut dyn FnMut(&EventBatch, u64),
) -> Result<(), SequencerError> {
    let mut outcome = Ok(());
    // Nobody waits for an answer.
    let mut progress = Vec::new();
    'pieces: while let Ok(piece) = pieces.recv() {
        let mut piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        };
        let mut inputs = piece.inputs.as_slice();
        for Span { first_seq, time_ns, commands, bytes_read } in piece.batches.drain(..) {
            let (these, rest) = inputs.split_at(commands);
            inputs = rest;
            let mut batch = hand_over.used_batches.try_recv().unwrap_or_default();
            begin(&mut batch, first_seq, event_seq, time_ns);
            progress.clear();
            outcome = apply(partition, these, &mut batch, &mut progress);
            if outcome.is_err() {
                break 'pieces;
            }
            event_seq = batch.next_event_seq();
            tell(&batch, bytes_read);
            if !hand_over.give(batch) {
                return Ok(());
            }
        }
        piece.inputs.clear();
        // The reader may have come to the end.
        let _ = give_back.send(piece);
    }
    // What is sound belongs to the event log, whatever comes behind it. Whoever compares no more has said why.
    hand_over.flush();
    outcome
}

fn compare(
    derive: &mut Derive,
    events: &mut EventLogWriter,
    batches: &Receiver<Vec<EventBatch>>,
    used: &Sender<EventBatch>,
) -> Result<(), SequencerError> {
    let mut frame = EventFrame::new();
    while let Ok(group) = batches.recv() {
        let mut one = None;
        for batch in group {
            derive.finish(&batch, &mut frame);
            events.expect_or_append(&mut frame)?;
            one = Some(batch);
        }
        // Of many small ones only one is used again: each may grow to the size of the largest. The last of all is not needed.
        let _ = one.map(|batch| used.send(batch));
    }
    Ok(())
}
