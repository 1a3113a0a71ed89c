//! WebSocket connections: what all of them share ([`outbox`], [`socket`]), the market-data streams, and what an account is told
//! of itself.
//!
//! The way of a message: [`feed`] picks facts out of the events while the views take them in; [`publisher`], on a thread of its
//! own, writes them (`market_messages`, `user_messages`) and what the clock asks for, once for all who get it; [`hub`] knows
//! who that is and puts it into their [`outbox`]es; each connection's task ([`socket`]) sends it.

mod contract_feed;
mod contract_messages;
pub(crate) mod feed;
pub(crate) mod hub;
mod margin_calls;
pub(crate) mod market;
mod market_messages;
pub(crate) mod outbox;
pub(crate) mod publisher;
pub(crate) mod socket;
#[cfg(test)]
mod tests;
pub(crate) mod topic;
mod user_messages;

pub(crate) use outbox::Outbox;
pub(crate) use socket::{Conversation, Ending, accept, accept_on};
