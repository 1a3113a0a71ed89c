//! The state machine from outside: stories, worked cases, random commands, golden bytes. Everything goes through
//! [`world::World::apply`], the one place that touches the door, so every test looks at all invariants after every command.

mod ahead;
mod algo_witness;
mod algos;
mod contract_witness;
mod contracts;
mod decimal;
mod deleveraging;
mod golden;
mod properties;
mod random;
mod scenarios;
mod sources;
mod spread;
mod story;
mod story_algos;
mod story_contracts;
mod vectors;
mod witness;
mod wording;
mod world;
