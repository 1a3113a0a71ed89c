//! The program's allocator: nearly everything lies in huge pages, where the system gives them.
//!
//! What an exchange looks into lies all over its memory: tables of orders, balances and numbers, and the levels of every book.
//! With pages of 4 KiB half of those looks miss the processor's cache of page addresses too; with pages of 2 MiB they rarely do.
//! Linux gives them where its setting is `always` or `madvise`, which is what distributions come with; elsewhere pages stay
//! small. Measured over the mixed flow of `rialto bench partition`: docs/decisions/0012-partition-speed.md.
//!
//! Most blocks are mimalloc's, which asks for huge pages for all that it carves blocks from. The system's allocator does so only
//! where an environment variable was set before the program began.
//!
//! A large table grows by doubling, and would be copied then, while its exchange stands still. So large blocks are mappings of
//! their own that begin where a huge page does, and are moved to such a place: nothing is copied, and the pages stay whole.
//!
//! The one place with unsafe code in this crate: an allocator is unsafe to write.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

/// mimalloc, except for large blocks.
pub struct HugePages;

/// Blocks of at least so many bytes: of smaller ones too much of the last huge page would lie idle.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

#[cfg(target_os = "linux")]
fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= mapped::PAGE
}

#[cfg(not(target_os = "linux"))]
fn is_large(_: Layout) -> bool {
    false
}

/// SAFETY: whose a block is follows from its layout alone, with which it comes back. Small ones are mimalloc's own, with the
/// arguments unchanged; large ones are mappings that nobody else knows of.
unsafe impl GlobalAlloc for HugePages {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) { mapped::alloc(layout.size()) } else { unsafe { MiMalloc.alloc(layout) } }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // What is mapped anew is zero.
        if is_large(layout) { mapped::alloc(layout.size()) } else { unsafe { MiMalloc.alloc_zeroed(layout) } }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size fits the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(layout), is_large(wanted)) {
            (false, false) => unsafe { MiMalloc.realloc(block, layout, size) },
            (true, true) => unsafe { mapped::realloc(block, layout.size(), size) },
            (true, false) | (false, true) => {
                // SAFETY: both blocks are as large as their layouts say, and are different ones.
                unsafe {
                    let moved = self.alloc(wanted);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(block, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout) {
            unsafe { mapped::dealloc(block, layout.size()) }
        } else {
            unsafe { MiMalloc.dealloc(block, layout) }
        }
    }
}

/// Large blocks: whole huge pages each, from the kernel.
#[cfg(target_os = "linux")]
mod mapped {
    use std::ptr::null_mut;

    use rustix::mm::{
        Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mremap, mremap_fixed, munmap,
    };

    /// Bytes of a huge page.
    pub const PAGE: usize = 2 << 20;

    /// What a block of so many bytes takes; `None` of more than there can be.
    fn whole_pages(size: usize) -> Option<usize> {
        size.checked_next_multiple_of(PAGE)
    }

    #[cold]
    pub fn alloc(size: usize) -> *mut u8 {
        whole_pages(size).and_then(map).unwrap_or(null_mut())
    }

    /// So many bytes from where a huge page begins: those around them are given back.
    fn map(bytes: usize) -> Option<*mut u8> {
        let reserved = bytes.checked_add(PAGE)?;
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: nothing lies where the kernel maps what is wanted anywhere; all that is given back lies within it.
        unsafe {
            let start = mmap_anonymous(null_mut(), reserved, access, flags).ok()?.cast::<u8>();
            let before = start.align_offset(PAGE);
            let block = start.wrapping_add(before);
            if before > 0 {
                let _ = munmap(start.cast(), before);
            }
            let _ = munmap(block.wrapping_add(bytes).cast(), PAGE - before);
            // What comes of it does not matter: without huge pages the block is as good as any.
            let _ = madvise(block.cast(), bytes, Advice::LinuxHugepage);
            Some(block)
        }
    }

    /// # Safety
    /// The block is one of [`alloc`]'s of `size` bytes, or of this function's; where another one is returned it is gone.
    #[cold]
    pub unsafe fn realloc(block: *mut u8, size: usize, wanted: usize) -> *mut u8 {
        let (Some(before), Some(after)) = (whole_pages(size), whole_pages(wanted)) else { return null_mut() };
        if before == after {
            return block;
        }
        // SAFETY: the block is a mapping of that many bytes. Where it cannot stay it replaces a new one, which is ours too.
        unsafe {
            if let Ok(block) = mremap(block.cast(), before, after, MremapFlags::empty()) {
                return block.cast();
            }
            let Some(place) = map(after) else { return null_mut() };
            let moved = mremap_fixed(block.cast(), before, after, MremapFlags::MAYMOVE, place.cast());
            moved.map_or_else(
                |_| {
                    let _ = munmap(place.cast(), after);
                    null_mut()
                },
                <*mut _>::cast,
            )
        }
    }

    /// # Safety
    /// The block is one of [`alloc`]'s of `size` bytes, or of [`realloc`]'s, and nobody looks into it any more.
    #[cold]
    pub unsafe fn dealloc(block: *mut u8, size: usize) {
        if let Some(bytes) = whole_pages(size) {
            let _ = unsafe { munmap(block.cast(), bytes) };
        }
    }
}

/// Elsewhere no block is large.
#[cfg(not(target_os = "linux"))]
mod mapped {
    pub fn alloc(_: usize) -> *mut u8 {
        std::ptr::null_mut()
    }

    pub unsafe fn realloc(_: *mut u8, _: usize, _: usize) -> *mut u8 {
        std::ptr::null_mut()
    }

    pub unsafe fn dealloc(_: *mut u8, _: usize) {}
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
    fn blocks_of_any_size_ask_for_huge_pages_also_when_they_grow() {
        if !fs::exists("/sys/kernel/mm/transparent_hugepage/enabled").unwrap() {
            return;
        }
        let middle = |block: &[u8]| block.as_ptr().addr() + block.len() / 2;
        let small = vec![1_u8; 1 << 20];
        assert!(flags_of(middle(&small)).contains(" hg"), "small blocks lie in huge pages together");
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

    #[test]
    fn large_blocks_begin_where_huge_pages_do_however_they_change() {
        let number = |at: usize| u32::try_from(at).unwrap();
        let mut grown: Vec<u32> = Vec::new();
        // Something in the way, so that blocks have to move.
        let mut others = Vec::new();
        for size in [1, 3, 5, 6, 9, 64, 130].map(|mebibytes| (mebibytes << 20) / size_of::<u32>()) {
            let before = grown.len();
            grown.reserve_exact(size - before);
            grown.extend((before..size).map(number));
            others.push(vec![7_u8; 6 << 20]);
            let is_large = size * size_of::<u32>() >= super::LARGE;
            assert!(!is_large || grown.as_ptr().addr().is_multiple_of(super::mapped::PAGE), "{size} numbers");
            assert!(grown.iter().copied().eq((0..size).map(number)), "{size} numbers stay as they were");
        }
        for size in [90, 10, 5, 2].map(|mebibytes| (mebibytes << 20) / size_of::<u32>()) {
            grown.truncate(size);
            grown.shrink_to_fit();
            assert!(grown.iter().copied().eq((0..size).map(number)), "{size} numbers are left");
        }
        assert!(others.iter().flatten().all(|byte| *byte == 7), "nobody writes into what is another's");
    }
}
