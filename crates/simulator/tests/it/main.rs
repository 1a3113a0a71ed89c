//! What the simulator makes, checked against what is known of it from elsewhere.

mod client;
mod contracts;
mod l3_compare;
mod l3_replay;
mod l3_rows;
mod l3_rules;
mod market;
mod mixed;
mod trace;
mod walking;
mod world;
mod written;
