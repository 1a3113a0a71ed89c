//! The gateway over real sockets, before a real sequencer with a journal on the disk. What is pure is tested beside its code.

mod admin;
mod contracts;
mod futures_account;
mod futures_market;
mod futures_stream;
mod http;
mod keys;
mod limits;
mod metrics;
mod rates;
mod reads;
mod restart;
mod robustness;
mod security;
mod socket;
mod sockets;
mod streams;
mod tls;
mod trading;
mod world;
mod ws_api;
