//! Which part of a history is asked for.

use model::TimeNs;

/// A part of a history that is in the order of its ids.
///
/// With `from` or `start_ns` the answer is the first `limit` entries that fit, otherwise the last `limit`; in both cases in
/// ascending order. Every bound includes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<Id> {
    /// No ids below this.
    pub from: Option<Id>,
    /// Nothing before this.
    pub start_ns: Option<TimeNs>,
    /// Nothing after this; see [`Page::end_of_millis`].
    pub end_ns: Option<TimeNs>,
    /// At most so many.
    pub limit: usize,
}

impl<Id: Copy + PartialOrd> Page<Id> {
    /// The last `limit` entries.
    pub const fn last(limit: usize) -> Self {
        Self { from: None, start_ns: None, end_ns: None, limit }
    }

    /// The first `limit` entries from the id `from`.
    pub const fn starting(from: Id, limit: usize) -> Self {
        Self { from: Some(from), start_ns: None, end_ns: None, limit }
    }

    /// The last moment of a millisecond: what `end_ns` has to be when the client's bound counts milliseconds.
    pub const fn end_of_millis(millis: u64) -> TimeNs {
        TimeNs(TimeNs::from_millis(millis).0.saturating_add(999_999))
    }

    pub(crate) fn covers(&self, id: Id, time: TimeNs) -> bool {
        self.from.is_none_or(|from| from <= id)
            && self.start_ns.is_none_or(|start| start <= time)
            && self.end_ns.is_none_or(|end| time <= end)
    }

    /// Cuts what is covered, in ascending order, down to the limit.
    pub(crate) fn cut<T>(&self, mut covered: Vec<T>) -> Vec<T> {
        let over = covered.len().saturating_sub(self.limit);
        if over > 0 {
            if self.from.is_some() || self.start_ns.is_some() {
                covered.truncate(self.limit);
            } else {
                covered.drain(..over);
            }
        }
        covered
    }
}
