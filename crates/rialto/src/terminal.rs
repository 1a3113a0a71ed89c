//! Lines for whoever started the program. One that nobody reads (a closed pipe) is lost, and that is all: `println!` would
//! panic, and an exchange does not stop because its terminal is gone.

/// A line on standard output.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

/// A line on standard error.
macro_rules! complain {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

pub(crate) use {complain, say};
