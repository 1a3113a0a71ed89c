//! The program's allocator: the system's, which is told that large blocks are worth huge pages.
//!
//! The tables of orders, balances and numbers are large, and are looked into at random. With pages of 4 KiB half of those looks
//! miss the processor's cache of page addresses too; with pages of 2 MiB they rarely do. Linux gives them where the system's
//! setting is `always` or `madvise`, which is what distributions come with; elsewhere this changes nothing. Measured over the
//! mixed flow of `rialto bench partition`: docs/decisions/0012-partition-speed.md.
//!
//! The one place with unsafe code in this crate: an allocator is unsafe to write. It passes everything on as it is, and gives
//! advice about memory that it has just received.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, with advice.
pub struct HugePages;

/// Blocks of at least so many bytes: smaller ones have no room for a whole huge page.
const LARGE: usize = 4 << 20;

/// SAFETY: each call is the system allocator's own with the arguments unchanged, and what it returns is returned unchanged;
/// the advice reads and writes nothing.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        advised(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[inline]
fn advised(block: *mut u8, size: usize) -> *mut u8 {
    if size >= LARGE && !block.is_null() {
        advise(block, size);
    }
    block
}

/// What comes of it does not matter: without huge pages the block is as good as it was.
#[cold]
fn advise(block: *mut u8, size: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};

        const PAGE: usize = 4_096;
        let to_next_page = block.align_offset(PAGE);
        let whole_pages = size.saturating_sub(to_next_page) / PAGE * PAGE;
        // SAFETY: these pages lie within a block that was just allocated, and the advice does not change what is in them.
        let _ =
            unsafe { madvise(block.wrapping_add(to_next_page).cast(), whole_pages, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (block, size);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    /// The kernel's words about the mapping in which an address lies.
    fn flags_of(address: usize) -> String {
        let mut inside = false;
        for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
            let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
            if let Some((from, to)) = range {
                let bounds = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16));
                if let (Ok(from), Ok(to)) = bounds {
                    inside = (from..to).contains(&address);
                }
            }
            if let Some(flags) = line.strip_prefix("VmFlags:")
                && inside
            {
                return flags.to_owned();
            }
        }
        panic!("an address that is in use has a mapping");
    }

    #[test]
    fn large_blocks_ask_for_huge_pages_also_when_they_grow() {
        if !fs::exists("/sys/kernel/mm/transparent_hugepage/enabled").unwrap() {
            return;
        }
        let middle = |block: &[u8]| block.as_ptr().addr() + block.len() / 2;
        let small = vec![1_u8; 1 << 20];
        assert!(!flags_of(middle(&small)).contains(" hg"), "small blocks stay as they are");
        let mut large = vec![1_u8; 8 << 20];
        assert!(flags_of(middle(&large)).contains(" hg"));
        large.resize(64 << 20, 2);
        assert!(flags_of(middle(&large)).contains(" hg"));
        assert!(
            large[..8 << 20].iter().all(|byte| *byte == 1) && large[8 << 20..].iter().all(|byte| *byte == 2)
        );
        let zeros = vec![0_u8; 8 << 20];
        assert!(flags_of(middle(&zeros)).contains(" hg"));
    }
}
