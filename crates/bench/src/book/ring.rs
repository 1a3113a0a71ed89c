//! Reports on their way to another thread: a ring of slots with one writer and one reader.
//!
//! The writer publishes one cursor for each batch, so that the reader's cache line moves once a batch and not once a report.
//! Slots are words that may be shared; what orders them is the cursor. Whoever has to wait tries again at once a few times,
//! then lets other threads run, then sleeps for moments: nobody has to be woken, and nobody burns a core for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::report::{Report, Reports};

/// A report as it lies in the ring: half a cache line.
#[repr(align(32))]
#[derive(Default)]
struct Slot([AtomicU64; 4]);

/// A cursor that shares its cache line with nothing, nor the line that is fetched along with it.
#[repr(align(128))]
#[derive(Default)]
struct Cursor(AtomicU64);

struct Shared {
    slots: Box<[Slot]>,
    /// Reports before this one may be read.
    published: Cursor,
    /// Reports before this one have been read.
    taken: Cursor,
    closed: AtomicBool,
}

impl Shared {
    #[inline]
    fn slot(&self, at: u64) -> &Slot {
        // The number of slots is a power of two.
        &self.slots[usize::try_from(at).expect("fits") & (self.slots.len() - 1)]
    }
}

/// A ring of this many slots, a power of two.
pub fn ring(slots: usize) -> (Writer, Reader) {
    assert!(slots.is_power_of_two(), "places in the ring are the low bits of a cursor");
    let shared = Arc::new(Shared {
        slots: (0..slots).map(|_| Slot::default()).collect(),
        published: Cursor::default(),
        taken: Cursor::default(),
        closed: AtomicBool::new(false),
    });
    let writer = Writer { shared: Arc::clone(&shared), next: 0, free_until: slots as u64 };
    (writer, Reader { shared, next: 0 })
}

/// The end that is told. Dropping it lets the reader finish.
pub struct Writer {
    shared: Arc<Shared>,
    next: u64,
    /// The reader was this far, and a ring, when it was last looked at.
    free_until: u64,
}

impl Writer {
    /// Waits until there is room. What is written already is published first, or a batch larger than the ring never ends.
    #[cold]
    fn make_room(&mut self) {
        self.batch_done();
        let mut patience = Patience::default();
        while self.next == self.free_until {
            self.free_until = self.shared.taken.0.load(Ordering::Acquire) + self.shared.slots.len() as u64;
            if self.next == self.free_until {
                patience.wait();
            }
        }
    }
}

impl Reports for Writer {
    #[inline]
    fn tell(&mut self, report: Report) {
        if self.next == self.free_until {
            self.make_room();
        }
        for (slot, word) in self.shared.slot(self.next).0.iter().zip(report.to_words()) {
            slot.store(word, Ordering::Relaxed);
        }
        self.next += 1;
    }

    #[inline]
    fn batch_done(&mut self) {
        self.shared.published.0.store(self.next, Ordering::Release);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.batch_done();
        self.shared.closed.store(true, Ordering::Release);
    }
}

/// The end that reads.
pub struct Reader {
    shared: Arc<Shared>,
    next: u64,
}

impl Reader {
    /// Passes everything on until the writer is gone.
    pub fn pass_all_to(mut self, reports: &mut impl Reports) {
        let mut patience = Patience::default();
        loop {
            // Looked at before the cursor: whatever was published before the end is seen behind it.
            let closed = self.shared.closed.load(Ordering::Acquire);
            let published = self.shared.published.0.load(Ordering::Acquire);
            if published == self.next {
                if closed {
                    return;
                }
                patience.wait();
                continue;
            }
            patience = Patience::default();
            for at in self.next..published {
                let words = self.shared.slot(at).0.each_ref().map(|word| word.load(Ordering::Relaxed));
                reports.tell(Report::from_words(words));
            }
            reports.batch_done();
            self.next = published;
            self.shared.taken.0.store(published, Ordering::Release);
        }
    }
}

/// How long somebody has waited.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    const SPINS: u32 = 200;
    const YIELDS: u32 = 20;
    const SLEEP: Duration = Duration::from_micros(50);

    fn wait(&mut self) {
        self.0 = self.0.saturating_add(1);
        if self.0 <= Self::SPINS {
            std::hint::spin_loop();
        } else if self.0 <= Self::SPINS + Self::YIELDS {
            thread::yield_now();
        } else {
            thread::park_timeout(Self::SLEEP);
        }
    }
}
