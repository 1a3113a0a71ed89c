//! Clients that record by themselves what they were told, and hand in commands.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use model::{Command, Event, Seq, TimeNs};
use sequencer::{Ingress, Reply, Session, Submission, SubmitError};

/// Longer than anything here takes; who waits so long waits for ever.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a client knows of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Done { seq: Seq, time_ns: TimeNs, events: Vec<Event> },
    Abandoned,
}

/// A session that writes down what it hears, by token.
#[derive(Default)]
pub struct Client {
    heard: Mutex<BTreeMap<u64, Heard>>,
    changed: Condvar,
}

impl Session for Client {
    fn deliver(&self, token: u64, reply: Reply) {
        let events = reply.events().to_vec();
        self.note(token, Heard::Done { seq: reply.seq(), time_ns: reply.time_ns(), events });
    }

    fn abandon(&self, token: u64) {
        self.note(token, Heard::Abandoned);
    }
}

impl Client {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn note(&self, token: u64, news: Heard) {
        let before = self.heard.lock().unwrap().insert(token, news);
        assert_eq!(before, None, "each command is answered once");
        self.changed.notify_all();
    }

    /// A command that this client wants to hear of.
    pub fn asks(self: &Arc<Self>, token: u64, command: Command) -> Submission {
        let session: Arc<dyn Session> = Arc::<Self>::clone(self);
        Submission { command, reply_to: Some((session, token)) }
    }

    /// Waits until it knows of `count` commands.
    pub fn wait_for(&self, count: usize) {
        let heard = self.heard.lock().unwrap();
        let (heard, _) =
            self.changed.wait_timeout_while(heard, PATIENCE, |heard| heard.len() < count).unwrap();
        assert!(heard.len() >= count, "only {} of {count} commands were answered", heard.len());
    }

    /// What it has heard, by token.
    pub fn heard(&self) -> BTreeMap<u64, Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Hands in commands as one, and waits for all answers. The tokens are 0, 1, ...
    pub fn ask_all(self: &Arc<Self>, ingress: &Ingress, commands: Vec<Command>) -> Vec<Heard> {
        let count = commands.len();
        let mut batch = (0..).zip(commands).map(|(token, command)| self.asks(token, command)).collect();
        ingress.submit_batch(&mut batch).unwrap();
        self.wait_for(count);
        self.heard().into_values().collect()
    }
}

/// Hands in one command that nobody waits for.
pub fn hand_in(ingress: &Ingress, command: Command) -> Result<(), SubmitError> {
    ingress.submit(Submission { command, reply_to: None })
}
