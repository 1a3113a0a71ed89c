//! Fixed little-endian fields at fixed places, and the checksum. Which fields there are is each format's own matter.

/// Frames begin at multiples of this, so that a search for them looks at every eighth byte only.
pub const ALIGNMENT: usize = 8;

/// CRC-32C (Castagnoli).
#[inline]
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The next multiple of [`ALIGNMENT`].
#[inline]
pub const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

#[inline]
pub fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes is an array of N bytes")
}

#[inline]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

#[inline]
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[inline]
pub fn put<const N: usize>(bytes: &mut [u8], at: usize, field: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&field);
}

#[inline]
pub fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    put(bytes, at, value.to_le_bytes());
}

#[inline]
pub fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    put(bytes, at, value.to_le_bytes());
}

/// A length in memory as a position in a file.
#[inline]
pub const fn offset(len: usize) -> u64 {
    len as u64
}

/// A length in a file as one in memory. Every length that reaches this was bounded by a segment's size before.
#[inline]
pub fn in_memory(len: u64) -> usize {
    usize::try_from(len).expect("a segment fits into the address space")
}
