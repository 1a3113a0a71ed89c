//! Reading a file front to back in big pieces, and searching the part behind a bad frame. Knows no format.

use crate::layout::{ALIGNMENT, offset};
use crate::storage::StorageFile;
use std::io;

/// The first piece; each further one is twice as large, up to the last constant.
const FIRST_CHUNK: usize = 32 << 10;
const LARGEST_CHUNK: usize = 1 << 20;

/// A piece of one file in memory. Give each file its own window, or [`forget`](Window::forget) between files.
#[derive(Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
    /// File offset of `bytes[0]`.
    start: u64,
    filled: usize,
}

impl Window {
    /// The next load reads the file again.
    pub fn forget(&mut self) {
        self.filled = 0;
    }

    /// `len` bytes at `at`, fewer where the file ends.
    pub fn load(&mut self, file: &dyn StorageFile, at: u64, len: usize) -> io::Result<&[u8]> {
        let begin = match at.checked_sub(self.start) {
            Some(begin) if begin <= offset(self.filled) => crate::layout::in_memory(begin),
            _ => {
                (self.start, self.filled) = (at, 0);
                0
            }
        };
        if begin + len <= self.filled {
            return Ok(&self.bytes[begin..begin + len]);
        }
        self.bytes.copy_within(begin..self.filled, 0);
        self.filled -= begin;
        self.start = at;
        let wanted = len.max((self.bytes.len() * 2).clamp(FIRST_CHUNK, LARGEST_CHUNK));
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        let read = file.read_at(&mut self.bytes[self.filled..], at + offset(self.filled))?;
        self.filled += read;
        Ok(&self.bytes[..len.min(self.filled)])
    }

    /// Bytes that the last [`load`](Window::load) brought in.
    pub fn slice(&self, at: u64, len: usize) -> &[u8] {
        let begin = crate::layout::in_memory(at - self.start);
        assert!(begin + len <= self.filled, "only what was loaded is looked at again");
        &self.bytes[begin..begin + len]
    }
}

/// What lies behind a bad frame.
#[derive(Debug, Default)]
pub struct Remainder {
    /// The first place, at a multiple of [`ALIGNMENT`], that `is_header` accepts.
    pub header_at: Option<u64>,
    /// One behind the last byte that is not zero.
    pub used_to: Option<u64>,
}

/// Pieces of a search.
const SEARCH_CHUNK: usize = 64 << 10;

/// Looks at every aligned place from `from` to `to` (or the end of the file). Stops at the first header.
pub fn search(
    file: &dyn StorageFile,
    from: u64,
    to: u64,
    header_bytes: usize,
    is_header: impl Fn(&[u8]) -> bool,
) -> io::Result<Remainder> {
    let mut window = Window::default();
    let mut found = Remainder::default();
    let mut at = from;
    while at < to {
        let wanted = SEARCH_CHUNK.min(crate::layout::in_memory(to - at));
        let piece = window.load(file, at, wanted)?;
        if piece.is_empty() {
            break;
        }
        // Headers that begin in this piece and end in the next are found by letting pieces overlap.
        let last_piece = piece.len() < SEARCH_CHUNK || at + offset(piece.len()) >= to;
        let places =
            if last_piece { piece.len() } else { SEARCH_CHUNK - header_bytes.next_multiple_of(ALIGNMENT) };
        for (word, bytes) in piece[..places].chunks(ALIGNMENT).enumerate() {
            let Some(last_used) = bytes.iter().rposition(|byte| *byte != 0) else { continue };
            let begin = word * ALIGNMENT;
            if is_header(&piece[begin..]) {
                found.header_at = Some(at + offset(begin));
                return Ok(found);
            }
            found.used_to = Some(at + offset(begin + last_used + 1));
        }
        at += offset(places);
    }
    Ok(found)
}
