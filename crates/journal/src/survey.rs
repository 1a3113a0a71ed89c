//! Finding out what a journal holds, without changing it: which segments, where it ends, whether the end is torn,
//! which commands are marked to be skipped. Mending the end is the writer's work.

use crate::chain::Chain;
use crate::error::{Fault, JournalError};
use crate::frame::{Durable, FRAME_HEADER_BYTES, FrameHeader, Kind};
use crate::layout::{ALIGNMENT, offset};
use crate::segment::{Head, Log, SEGMENT_VERSION, SegmentHeader};
use crate::storage::{Storage, StorageFile};
use crate::walk::Walk;
use crate::window::search;
use model::{Seq, TimeNs};
use std::ops::Range;
use std::sync::Arc;

/// The journal as it was found.
#[derive(Debug)]
pub struct Survey {
    /// The first command that is kept; 1 unless retention removed some.
    pub oldest: Seq,
    /// The last command, and its batch's checksum.
    pub end: Durable,
    /// Of the last batch; 0 when there is none.
    pub time_ns: TimeNs,
    /// A batch that a crash cut short, and that nobody was told about. A warning for the operator.
    pub torn: Option<TornTail>,
    /// Commands to be stepped over: every mark for a command behind the position that the survey started from.
    pub skip_marks: Vec<SkipMark>,
    /// Segments in use, oldest first.
    pub(crate) segments: Vec<SegmentHeader>,
    /// Segments without a header behind those in use: number and size.
    pub(crate) blanks: Vec<(u64, u64)>,
    /// Names of recycled files that wait for a number.
    pub(crate) spares: Vec<String>,
    pub(crate) tail: Tail,
}

/// An unfinished last batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Relative to the data directory.
    pub path: String,
    /// Where it begins.
    pub offset: u64,
    /// How much of it there is; 0 or a lower bound where a recycled file's older bytes follow.
    pub bytes: u64,
}

/// "The command at this sequence panics; everybody steps over it."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipMark {
    /// Which command.
    pub seq: Seq,
    /// What the operator said.
    pub reason: String,
}

/// The end of the last segment.
#[derive(Debug)]
pub struct Tail {
    /// Where the next frame goes.
    pub at: u64,
    pub chain: Chain,
    /// Place and length of the last frame, when the last segment has one.
    pub last_frame: Option<(u64, usize)>,
    /// Bytes to be overwritten with zeros before anything is appended.
    pub wipe: Option<Range<u64>>,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub enum From {
    /// Behind a known batch, which must be there.
    After(Durable),
    /// With the batch that has this command, which must be there.
    Containing(Seq),
}

impl Survey {
    /// Reads from the batch after `known` (the newest snapshot's, or [`Durable::GENESIS`]) to the end, checking every
    /// byte; of the segments before that, only the headers. Works while another process appends: what that one
    /// syncs later is not seen.
    pub fn read(storage: &Arc<dyn Storage>, known: Durable) -> Result<Self, JournalError> {
        Self::read_from(storage, From::After(known))
    }

    pub(crate) fn read_from(storage: &Arc<dyn Storage>, from: From) -> Result<Self, JournalError> {
        let (segments, blanks) = headers(&**storage)?;
        let spares = spares(&**storage)?;
        let Some(first) = segments.first() else {
            return Self::of_nothing(from, blanks, spares);
        };
        let oldest = first.first_seq;
        let (wanted, known) = match from {
            From::After(known) => (known.seq(), Some(known)),
            From::Containing(seq) => (seq, None),
        };
        // An empty start needs the first command; any other position is itself kept in the journal.
        if wanted.max(Seq(1)) < oldest {
            return Err(match from {
                From::After(_) => JournalError::Removed { wanted: wanted.max(Seq(1)), oldest },
                From::Containing(seq) => {
                    let end = Seq(segments.last().map_or(0, |last| last.first_seq.get() - 1));
                    JournalError::NotInJournal { seq, oldest, end }
                }
            });
        }

        let start = segments.partition_point(|segment| segment.first_seq <= wanted.max(Seq(1))) - 1;
        let mut walk = Walk::open(Arc::clone(storage), segments, start, None)?;
        let mut end = Durable::GENESIS;
        let mut met = wanted == Seq(0);
        let mut skip_marks = Vec::new();
        let mut last_frame = None;
        while let Some(frame) = walk.next()? {
            match frame.kind().expect("a walk lets only known kinds pass") {
                Kind::Commands => {
                    end = Durable::new(Seq(frame.next_seq() - 1), frame.checksum);
                    if !met && end.seq() >= wanted {
                        met = true;
                        check_known(known, end)?;
                    }
                }
                Kind::SkipMark => skip_marks.push(walk.skip_mark(&frame)?),
            }
            last_frame = Some((walk.frame_at, frame.frame_bytes(), walk.chain.generation));
        }
        let end_seq = Seq(walk.chain.next_seq - 1);
        if !met {
            return Err(match from {
                From::After(_) => ahead("the newest snapshot", wanted, end_seq),
                From::Containing(seq) => JournalError::NotInJournal { seq, oldest, end: end_seq },
            });
        }
        assert_eq!(end.seq(), end_seq, "the scan began at or before the last batch");

        let (torn, wipe) = walk.torn_tail()?;
        let tail = Tail {
            at: walk.at,
            last_frame: last_frame
                .filter(|(_, _, generation)| *generation == walk.chain.generation)
                .map(|(at, len, _)| (at, len)),
            chain: walk.chain.clone(),
            wipe,
        };
        Ok(Self {
            oldest,
            end,
            time_ns: tail.chain.time_ns,
            torn,
            skip_marks,
            segments: walk.into_segments(),
            blanks,
            spares,
            tail,
        })
    }

    fn of_nothing(from: From, blanks: Vec<(u64, u64)>, spares: Vec<String>) -> Result<Self, JournalError> {
        if let Some((number, _)) = blanks.first().filter(|(number, _)| *number != 1) {
            let (missing, present) = (Log::Journal.path(1), Log::Journal.path(*number));
            return Err(JournalError::Hole { missing, present });
        }
        match from {
            From::After(known) if known.seq() > Seq(0) => {
                return Err(ahead("the newest snapshot", known.seq(), Seq(0)));
            }
            From::After(_) => {}
            From::Containing(seq) => {
                return Err(JournalError::NotInJournal { seq, oldest: Seq(1), end: Seq(0) });
            }
        }
        let chain = Chain { generation: 0, next_seq: 1, checksum: 0, time_ns: TimeNs(0) };
        Ok(Self {
            oldest: Seq(1),
            end: Durable::GENESIS,
            time_ns: TimeNs(0),
            torn: None,
            skip_marks: Vec::new(),
            segments: Vec::new(),
            blanks,
            spares,
            tail: Tail { at: 0, chain, last_frame: None, wipe: None },
        })
    }
}

pub fn ahead(what: &str, seq: Seq, end: Seq) -> JournalError {
    JournalError::AheadOfJournal { what: what.to_owned(), seq, end }
}

fn check_known(known: Option<Durable>, here: Durable) -> Result<(), JournalError> {
    match known {
        Some(known) if known != here => Err(JournalError::OtherJournal {
            seq: known.seq(),
            found: if known.seq() == here.seq() { here.checksum() } else { 0 },
            expected: known.checksum(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// How recycled files are called while they wait.
pub const SPARE_PREFIX: &str = "spare-";

fn spares(storage: &dyn Storage) -> Result<Vec<String>, JournalError> {
    let folder = Log::Journal.folder();
    let mut names = storage.list(folder).map_err(JournalError::io("list the folder", folder))?;
    names.retain(|name| name.starts_with(SPARE_PREFIX));
    names.sort_unstable();
    Ok(names)
}

/// Segments in use, and number and size of the blank ones behind them.
type Headers = (Vec<SegmentHeader>, Vec<(u64, u64)>);

/// Headers of all segments in use, checked against names and each other.
///
/// Headers are written in order, each before any frame behind it. So when one that was blank a moment ago, with
/// something newer behind it, is there now, then another process is writing: look again.
fn headers(storage: &dyn Storage) -> Result<Headers, JournalError> {
    loop {
        let refused = match headers_once(storage) {
            Err(JournalError::Damaged { path, offset, seq, fault }) => (path, offset, seq, fault),
            other => return other,
        };
        let (path, offset, seq, fault) = refused;
        let file = storage.open(&path).map_err(JournalError::io("open", &path))?;
        let head = SegmentHeader::read(&*file, Log::Journal).map_err(JournalError::io("read", &path))?;
        match head {
            Head::Used(_) if fault.may_be_torn() => {}
            Head::Used(_) | Head::Blank | Head::NewerVersion(_) | Head::Bad(_) => {
                return Err(JournalError::Damaged { path, offset, seq, fault });
            }
        }
    }
}

fn headers_once(storage: &dyn Storage) -> Result<Headers, JournalError> {
    let mut segments: Vec<SegmentHeader> = Vec::new();
    let mut blanks: Vec<(u64, u64)> = Vec::new();
    // What the first of the blank ones would be called if there was one in use behind it.
    let mut blank_because: Option<(String, Fault)> = None;
    let mut before: Option<u64> = None;
    for number in Log::Journal.numbers(storage)? {
        let path = Log::Journal.path(number);
        if let Some(before) = before
            && number != before + 1
        {
            return Err(JournalError::Hole { missing: Log::Journal.path(before + 1), present: path });
        }
        before = Some(number);
        let next_seq = segments.last().map_or(Seq(1), |last| last.first_seq);
        let damaged = |path: &str, fault| JournalError::Damaged {
            path: path.to_owned(),
            offset: 0,
            seq: next_seq,
            fault,
        };

        let file = storage.open(&path).map_err(JournalError::io("open", &path))?;
        let size = file.size().map_err(JournalError::io("see the size of", &path))?;
        let newest = segments.last().map_or(0, |last| last.number);
        match SegmentHeader::read(&*file, Log::Journal).map_err(JournalError::io("read", &path))? {
            Head::Used(header) => {
                if let Some((path, fault)) = &blank_because {
                    return Err(damaged(path, *fault));
                }
                if header.number != number {
                    return Err(damaged(&path, Fault::Number { found: header.number }));
                }
                if size < header.capacity {
                    return Err(damaged(&path, Fault::Size { found: size, expected: header.capacity }));
                }
                if header.first_seq < next_seq {
                    let (found, expected) = (header.first_seq.get(), next_seq.get());
                    return Err(damaged(&path, Fault::Sequence { found, expected }));
                }
                segments.push(header);
            }
            Head::NewerVersion(found) => {
                return Err(JournalError::NewerVersion { path, found, known: SEGMENT_VERSION });
            }
            Head::Blank => {
                let first_frame = Log::Journal.frames_at();
                let searched = first_frame..first_frame + offset(ALIGNMENT);
                if frame_newer_than(newest, &*file, &path, searched)? {
                    return Err(damaged(&path, Fault::Zeros));
                }
                blank_because.get_or_insert((path, Fault::Zeros));
                blanks.push((number, size));
            }
            // A header that was being written when the power went, or when the disk was full, is no loss.
            Head::Bad(fault) => {
                if frame_newer_than(newest, &*file, &path, Log::Journal.frames_at()..size)? {
                    return Err(damaged(&path, fault));
                }
                blank_because.get_or_insert((path, fault));
                blanks.push((number, size));
            }
        }
    }
    Ok((segments, blanks))
}

/// A header is synced before any frame is written behind it. So a frame that is newer than every segment in use,
/// in a file without a good header, means that the header was lost.
fn frame_newer_than(
    newest: u64,
    file: &dyn StorageFile,
    path: &str,
    places: Range<u64>,
) -> Result<bool, JournalError> {
    let newer = |bytes: &[u8]| FrameHeader::decode(bytes).is_ok_and(|frame| frame.generation > newest);
    let end = places.end + offset(FRAME_HEADER_BYTES);
    let found = search(file, places.start, end, FRAME_HEADER_BYTES, newer);
    Ok(found.map_err(JournalError::io("read", path))?.header_at.is_some())
}
