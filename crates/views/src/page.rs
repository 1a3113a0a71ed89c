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

    /// Whether an entry is between the bounds.
    pub fn covers(&self, id: Id, time: TimeNs) -> bool {
        self.from.is_none_or(|from| from <= id)
            && self.start_ns.is_none_or(|start| start <= time)
            && self.end_ns.is_none_or(|end| time <= end)
    }

    /// Cuts what is covered, in ascending order, down to the limit.
    pub fn cut<T>(&self, mut covered: Vec<T>) -> Vec<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &Page<u64>) -> Vec<u64> {
        let covered = (1..=10).filter(|id| page.covers(*id, TimeNs(id.saturating_mul(10)))).collect();
        page.cut(covered)
    }

    #[test]
    fn the_first_from_somewhere_or_the_last_of_all() {
        assert_eq!(ids(&Page::last(2)), [9, 10]);
        assert_eq!(ids(&Page::last(0)), []);
        assert_eq!(ids(&Page::starting(3, 2)), [3, 4]);
        assert_eq!(ids(&Page { start_ns: Some(TimeNs(50)), ..Page::last(2) }), [5, 6]);
        assert_eq!(ids(&Page { start_ns: Some(TimeNs(51)), ..Page::last(1) }), [6]);
        assert_eq!(ids(&Page { end_ns: Some(TimeNs(50)), ..Page::last(2) }), [4, 5]);
        assert_eq!(ids(&Page { end_ns: Some(TimeNs(50)), ..Page::starting(2, 9) }), [2, 3, 4, 5]);
    }

    #[test]
    fn a_millisecond_ends_with_its_last_nanosecond() {
        assert_eq!(Page::<u64>::end_of_millis(7), TimeNs(7_999_999));
        assert_eq!(Page::<u64>::end_of_millis(u64::MAX), TimeNs::NEVER);
    }
}
