//! What waits to be sent on one connection. Anybody may put something in, from any thread, and never waits; the connection's
//! own task takes it out. Who reads too slowly for the bounds is dropped, so that nobody else has to wait for him.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

use crate::settings::SocketSettings;

/// The connection will send nothing more of what was put in: its client fell too far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflowed;

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// The connection's task waits for something to send.
    arrived: Notify,
    /// The connection's task waits for its client to take what it sends.
    overflowed: Notify,
    max_messages: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Utf8Bytes>,
    bytes: usize,
    overflowed: bool,
}

impl Outbox {
    /// Empty, with the bounds of the settings.
    pub(crate) fn new(settings: &SocketSettings) -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Notify::new(),
            overflowed: Notify::new(),
            max_messages: settings.max_outbox_messages,
            max_bytes: settings.max_outbox_bytes,
        }
    }

    /// Puts a message at the end. Over the bounds all that waits is thrown away, and the connection ends.
    pub(crate) fn push(&self, message: Utf8Bytes) {
        let mut queue = self.lock();
        if queue.overflowed {
            return;
        }
        let was_empty = queue.messages.is_empty();
        queue.bytes += message.len();
        queue.messages.push(message);
        if queue.messages.len() > self.max_messages || queue.bytes > self.max_bytes {
            *queue = Queue { overflowed: true, ..Queue::default() };
            self.overflowed.notify_one();
        } else if !was_empty {
            return;
        }
        drop(queue);
        self.arrived.notify_one();
    }

    /// Waits until there is something, and moves all of it behind what `into` has. One task at a time may wait; when it stops
    /// waiting, nothing is lost.
    pub(crate) async fn take(&self, into: &mut Vec<Utf8Bytes>) -> Result<(), Overflowed> {
        loop {
            if self.take_now(into)? {
                return Ok(());
            }
            self.arrived.notified().await;
        }
    }

    /// As [`Self::take`], without waiting; false when there is nothing.
    pub(crate) fn take_now(&self, into: &mut Vec<Utf8Bytes>) -> Result<bool, Overflowed> {
        let mut queue = self.lock();
        if queue.overflowed {
            return Err(Overflowed);
        }
        if queue.messages.is_empty() {
            return Ok(false);
        }
        queue.bytes = 0;
        if into.is_empty() {
            std::mem::swap(into, &mut queue.messages);
        } else {
            into.append(&mut queue.messages);
        }
        Ok(true)
    }

    /// True once the client has fallen too far behind.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.lock().overflowed
    }

    /// Waits until the client has fallen too far behind.
    pub(crate) async fn overflowed(&self) {
        while !self.has_overflowed() {
            self.overflowed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(max_messages: usize, max_bytes: usize) -> Outbox {
        Outbox::new(&SocketSettings {
            max_outbox_messages: max_messages,
            max_outbox_bytes: max_bytes,
            ..SocketSettings::default()
        })
    }

    fn taken(outbox: &Outbox) -> Result<Vec<String>, Overflowed> {
        let mut messages = Vec::new();
        outbox.take_now(&mut messages)?;
        Ok(messages.iter().map(|message| message.as_str().to_owned()).collect())
    }

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let outbox = outbox(10, 100);
        assert_eq!(taken(&outbox).unwrap(), [""; 0]);
        for text in ["one", "two", "three"] {
            outbox.push(text.into());
        }
        assert_eq!(taken(&outbox).unwrap(), ["one", "two", "three"]);
        outbox.push("four".into());
        assert_eq!(taken(&outbox).unwrap(), ["four"]);
    }

    #[test]
    fn over_either_bound_nothing_more_comes_out() {
        for (outbox, fitting) in [(outbox(3, 100), "x"), (outbox(100, 30), "ten chars.")] {
            for _ in 0..3 {
                outbox.push(fitting.into());
            }
            assert_eq!(taken(&outbox).unwrap().len(), 3, "the bounds count what waits, not what has left");
            for _ in 0..4 {
                outbox.push(fitting.into());
            }
            assert_eq!(taken(&outbox), Err(Overflowed));
            outbox.push(fitting.into());
            assert_eq!(taken(&outbox), Err(Overflowed), "a gap is never closed over");
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_the_first_message_and_by_the_overflow() {
        let outbox = outbox(1, 100);
        let mut messages = Vec::new();
        let put = async { outbox.push("first".into()) };
        let (took, ()) = tokio::join!(outbox.take(&mut messages), put);
        assert_eq!((took, messages.len()), (Ok(()), 1));
        let put = async {
            outbox.push("second".into());
            outbox.push("third".into());
        };
        tokio::join!(outbox.overflowed(), put);
        assert_eq!(outbox.take(&mut messages).await, Err(Overflowed));
    }
}
