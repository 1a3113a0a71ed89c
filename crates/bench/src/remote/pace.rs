//! An open loop: requests are due at a fixed rate, whatever the answers do. What comes late, because the server or the load
//! generator is behind, is timed from when it was due, so that a stall lengthens everything behind it (no coordinated omission).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;

/// One of the system's timers, exact to some microseconds: the runtime's own are exact to a millisecond. To the runtime it is a
/// pipe: something to wait for, from which bytes come (`timerfd_create(2)`).
struct Timer(Receiver);

impl Timer {
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self(Receiver::from_owned_fd_unchecked(timer)?))
    }

    /// Waits until `time` is there; not at all when it has passed.
    async fn until(&mut self, time: Instant) -> io::Result<()> {
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec::try_from(left).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        // How often it has run out: once.
        self.0.read_exact(&mut [0; 8]).await.map(drop)
    }
}

/// What is due and was not taken yet.
#[derive(Default)]
pub(crate) struct Due {
    times: RefCell<VecDeque<Instant>>,
    over: Cell<bool>,
    told: Notify,
}

impl Due {
    /// When the next was due, if one is.
    pub(crate) fn take(&self) -> Option<Instant> {
        self.times.borrow_mut().pop_front()
    }

    /// Whether nothing is due and nothing will be.
    pub(crate) fn is_over(&self) -> bool {
        self.over.get() && self.times.borrow().is_empty()
    }

    /// Waits for something to take, or for the end. May be dropped while it waits; may return too early.
    pub(crate) async fn told(&self) {
        if self.times.borrow().is_empty() && !self.over.get() {
            self.told.notified().await;
        }
    }

    fn put(&self, time: Instant) {
        self.times.borrow_mut().push_back(time);
        self.told.notify_one();
    }

    fn end(&self) {
        self.over.set(true);
        // For the others that wait, whoever sees the end tells the next.
        self.told.notify_one();
    }

    /// Has the next one that waits see the end, too.
    pub(crate) fn pass_on(&self) {
        self.told.notify_one();
    }
}

/// Makes `count` requests due, evenly spaced from now on, for those who take from `lists` in turn.
pub(crate) async fn keep(per_second: u64, count: u64, lists: &[Rc<Due>]) -> io::Result<()> {
    let mut timer = Timer::new()?;
    let start = Instant::now();
    let mut takers = lists.iter().cycle();
    for number in 0..count {
        let time = start + Duration::from_nanos(number * 1_000_000_000 / per_second);
        timer.until(time).await?;
        if let Some(list) = takers.next() {
            list.put(time);
        }
        // When it is behind, it waits for nothing, and the others still need the thread.
        if number % 16 == 15 {
            tokio::task::yield_now().await;
        }
    }
    for list in lists {
        list.end();
    }
    Ok(())
}
