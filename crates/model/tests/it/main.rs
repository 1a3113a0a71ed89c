//! The vocabulary from outside: terms, and what they promise about sums and products.

mod terms;
