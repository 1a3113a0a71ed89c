//! The yardsticks measure what they say.

mod book;
