//! The one order of commands: a thread that sequences and applies, a thread that writes and syncs, and the gate between
//! them and everybody else. It knows no protocol: gateways hand in commands and are handed events.

mod egress;
mod ingress;

pub use egress::{Egress, Reply, Session, Subscription};
pub use ingress::{Ingress, Submission, SubmitError};
