//! WebSocket connections: what all of them share ([`outbox`], [`socket`]), and the market-data streams.

#![allow(dead_code, reason = "the follower of the events and the WebSocket API use the rest")]

pub(crate) mod hub;
pub(crate) mod market;
pub(crate) mod outbox;
pub(crate) mod socket;
pub(crate) mod topic;

pub(crate) use outbox::Outbox;
#[allow(unused_imports, reason = "the WebSocket API has its connections driven where its requests are")]
pub(crate) use socket::accept;
pub(crate) use socket::{Conversation, Ending, accept_on};
