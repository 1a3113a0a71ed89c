//! Asking for memory before it is needed. Commands come in batches, and what one of them looks into has nothing to do with
//! what the next one does; so the processor can fetch for several of them at once, if it is told a few commands ahead. Without
//! that it waits for each line of memory in turn, since each is found by way of the one before. Measured:
//! docs/decisions/0012-partition-speed.md.
#![allow(unsafe_code, reason = "the processor's hint is an unsafe function, whatever address it is given")]

use std::ptr;

/// Asks for the lines of memory where a value begins and where it ends. Changes nothing, and needs nothing to come of it.
#[inline]
pub fn fetch_ahead<T>(value: &T) {
    let first = ptr::from_ref(value).cast::<u8>();
    fetch(first);
    // What is no larger than its alignment lies in one line.
    if size_of::<T>() > align_of::<T>() {
        fetch(first.wrapping_add(size_of::<T>().saturating_sub(1)));
    }
}

/// Asks for all lines of memory that a value lies in.
#[inline]
pub fn fetch_whole<T>(value: &T) {
    const LINE: usize = 64;
    let first = ptr::from_ref(value).cast::<u8>();
    let mut at = 0;
    while at < size_of::<T>() {
        fetch(first.wrapping_add(at));
        at = at.saturating_add(LINE);
    }
    fetch(first.wrapping_add(size_of::<T>().saturating_sub(1)));
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    // SAFETY: a hint, for which any address is allowed; this one lies within a value that is borrowed.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

/// Other processors go without.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch(_: *const u8) {}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_asked_for_stays_as_it_was() {
        let values = [[7_u64; 20]; 3];
        values.iter().for_each(super::fetch_ahead);
        values.iter().for_each(super::fetch_whole);
        super::fetch_ahead(&());
        assert_eq!(values, [[7; 20]; 3]);
    }
}
