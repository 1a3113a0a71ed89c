//! What an operator may choose. Where the choices come from (a file, a command line) is the program's matter.

/// Sizes and habits; `default()` is right for nearly everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of one journal segment, written with zeros before use. From [`Settings::MIN_SEGMENT_BYTES`] to
    /// [`Settings::MAX_SEGMENT_BYTES`]. A batch must fit into one segment. Segments in use keep the size they have.
    pub journal_segment_bytes: u64,
    /// Bytes after which the event log begins a new file; same range. A frame larger than that has a file of its own.
    /// Changing it is safe, but a reader of the event log in another process must be restarted.
    pub event_segment_bytes: u64,
    /// Snapshots kept; at least 1, and 2 or more to survive a damaged one.
    pub snapshots_kept: usize,
    /// Who writes the next segment's zeros.
    pub preparation: Preparation,
}

impl Settings {
    /// 16 KiB.
    pub const MIN_SEGMENT_BYTES: u64 = 16 << 10;
    /// 2 GiB, so that every length in a segment fits into 32 bits.
    pub const MAX_SEGMENT_BYTES: u64 = 2 << 30;

    /// Panics on a value outside its range: the program checks settings, with their lines, when it reads them.
    pub(crate) fn assert_in_range(&self) {
        let range = Self::MIN_SEGMENT_BYTES..=Self::MAX_SEGMENT_BYTES;
        assert!(range.contains(&self.journal_segment_bytes), "a journal segment has 16 KiB to 2 GiB");
        assert!(range.contains(&self.event_segment_bytes), "an event log segment has 16 KiB to 2 GiB");
        assert!(self.snapshots_kept >= 1, "at least one snapshot is kept");
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            journal_segment_bytes: 64 << 20,
            event_segment_bytes: 64 << 20,
            snapshots_kept: 3,
            preparation: Preparation::Background,
        }
    }
}

/// Who writes the next journal segment's zeros, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// A thread, as soon as the current segment is taken into use: the change to the next one does not stall.
    Background,
    /// The appending thread, when the current segment is full: for command-line tools and for tests that count calls.
    WhenNeeded,
}

/// What happens to journal segments that lie wholly behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Their files are removed.
    Remove,
    /// Up to two files are kept and written over by the next segments, which saves writing zeros; others are removed.
    Recycle,
}
