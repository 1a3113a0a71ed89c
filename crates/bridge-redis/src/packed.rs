//! Commands as they go over the wire, written one behind the other into one buffer: what a busy stream sends by the thousand should
//! not be put together from thousands of small pieces.

use std::io::Write as _;

/// Commands that are sent together. Source: the RESP protocol, "array of bulk strings".
#[derive(Debug, Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    commands: usize,
    /// Arguments that the last command still has to get.
    missing: usize,
}

impl Packed {
    /// Begins a command of so many words, its name among them; as many [`Self::arg`] have to follow.
    pub(crate) fn command(&mut self, words: usize) -> &mut Self {
        assert_eq!(self.missing, 0, "the command before has all its words");
        (self.missing, self.commands) = (words, self.commands + 1);
        self.number(b'*', words)
    }

    /// The next word.
    pub(crate) fn arg(&mut self, word: impl AsRef<[u8]>) -> &mut Self {
        self.missing = self.missing.checked_sub(1).expect("a command has as many words as it said");
        let word = word.as_ref();
        self.number(b'$', word.len());
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    fn number(&mut self, kind: u8, number: usize) -> &mut Self {
        self.bytes.push(kind);
        // Nearly all have two digits at the most, and there are two dozen of them in an order.
        match u8::try_from(number) {
            Ok(number @ 0..=9) => self.bytes.push(b'0' + number),
            Ok(number @ 10..=99) => self.bytes.extend([b'0' + number / 10, b'0' + number % 10]),
            Ok(_) | Err(_) => write!(self.bytes, "{number}").expect("memory takes it"),
        }
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// What is to be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        assert_eq!(self.missing, 0, "the last command has all its words");
        &self.bytes
    }

    /// How many answers it will have.
    pub(crate) const fn commands(&self) -> usize {
        self.commands
    }

    /// Begins anew, in the same memory.
    pub(crate) fn clear(&mut self) {
        (self.commands, self.missing) = (0, 0);
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Packed;

    #[test]
    fn commands_are_written_as_the_client_would() {
        let mut packed = Packed::default();
        packed.command(3).arg("XACK").arg(b"").arg("1-2");
        packed.command(1).arg("EXEC");
        let mut pipeline = redis::pipe();
        pipeline.cmd("XACK").arg("").arg("1-2").cmd("EXEC");
        for length in [9, 10, 99, 100, 255, 256, 70_000] {
            let word = "x".repeat(length);
            packed.command(2).arg("PING").arg(&word);
            pipeline.cmd("PING").arg(word);
        }
        assert_eq!((packed.bytes(), packed.commands()), (&pipeline.get_packed_pipeline()[..], 9));
        packed.clear();
        assert_eq!((packed.bytes(), packed.commands()), (&b""[..], 0));
    }

    #[test]
    #[should_panic(expected = "as many words as it said")]
    fn a_word_too_many_is_a_slip() {
        Packed::default().command(1).arg("EXEC").arg("1");
    }
}
