//! Appending to a list what is made where it will lie.

/// As `list.push(make())`, in one go: what is pushed is made beside the list first and then copied, in wider pieces than it was
/// written in, and the processor cannot read those before all of the narrow ones have left for memory.
#[inline]
pub fn append<T>(list: &mut Vec<T>, make: impl FnOnce() -> T) {
    list.extend(std::iter::once_with(make));
}
