//! What the simulator makes, checked against what is known of it from elsewhere.

mod trace;
