//! Contracts: random traders, prices that walk and jump, with a rich fund, a poor one and none to speak of. After every command
//! [`crate::world::World::apply`] looks at everything that must hold.
