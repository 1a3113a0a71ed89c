//! A connection that reads entries of streams, and no more of the protocol than that takes: answers go straight into entries. The
//! client's own reader makes a value of every word first, which for a busy stream was more than half of all work; it is used where there
//! is TLS or a Unix socket on the way.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisError, RedisResult};

use crate::entry::{Entry, Named, id_of};
use crate::packed::Packed;
use crate::server::unexpected;

/// Read from the system at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Redis takes no longer words.
const LONGEST_WORD: i64 = 512 << 20;
/// An answer's beginning is a sign and a number, or a sentence.
const LONGEST_LINE: u64 = 64 << 10;

/// One connection, in version 2 of the protocol.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Wire {
    /// Connects as the client would; `None` where only the client can. No answer takes longer than `patience`, nothing else longer
    /// than `timeout`.
    pub(crate) fn connect(
        info: &ConnectionInfo,
        timeout: Duration,
        patience: Duration,
    ) -> RedisResult<Option<Self>> {
        let ConnectionAddr::Tcp(host, port) = info.addr() else { return Ok(None) };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host.as_str(), *port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(patience))?;
                    stream.set_write_timeout(Some(timeout))?;
                    let mut wire =
                        Self { stream: BufReader::with_capacity(BUFFER_BYTES, stream), line: Vec::new() };
                    wire.introduce(info)?;
                    return Ok(Some(wire));
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    fn introduce(&mut self, info: &ConnectionInfo) -> RedisResult<()> {
        let settings = info.redis_settings();
        let mut commands = Packed::default();
        if let Some(password) = settings.password() {
            match settings.username() {
                Some(user) => commands.command(3).arg("AUTH").arg(user).arg(password),
                None => commands.command(2).arg("AUTH").arg(password),
            };
        }
        if settings.db() != 0 {
            commands.command(2).arg("SELECT").arg(settings.db().to_string());
        }
        self.send(&commands)?;
        (0..commands.commands()).try_for_each(|_| match self.head()? {
            (b'+', _) => Ok(()),
            _ => Err(unexpected("a greeting is answered by something else than OK")),
        })
    }

    /// Sends commands. Each has to have its answer read.
    pub(crate) fn send(&mut self, commands: &Packed) -> RedisResult<()> {
        Ok(self.stream.get_mut().write_all(commands.bytes())?)
    }

    /// The answer to `XACK`.
    pub(crate) fn acknowledged(&mut self) -> RedisResult<()> {
        match self.head()? {
            (b':', _) => Ok(()),
            _ => Err(unexpected("XACK gave something else than a number")),
        }
    }

    /// The answer to `XREADGROUP` of one stream: its entries, or none.
    pub(crate) fn entries(&mut self) -> RedisResult<Vec<Entry>> {
        let strange = || unexpected("XREADGROUP gave something else than entries");
        let Some(streams) = self.list()? else { return Ok(Vec::new()) };
        if streams != 1 || self.list()? != Some(2) {
            return Err(strange());
        }
        let mut word = Vec::new();
        self.word(&mut word)?;
        let count = self.list()?.ok_or_else(strange)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            if self.list()? != Some(2) {
                return Err(strange());
            }
            word.clear();
            self.word(&mut word)?;
            let id = id_of(&word).ok_or_else(strange)?;
            let fields = match self.list()? {
                None => None,
                Some(words) if words % 2 == 0 => {
                    let mut named = Named::default();
                    for _ in 0..words {
                        named.push_with(|out| self.word(out))?;
                    }
                    Some(named)
                }
                Some(_) => return Err(strange()),
            };
            entries.push(Entry { id, fields });
        }
        Ok(entries)
    }

    /// How many items follow; `None` for nothing.
    fn list(&mut self) -> RedisResult<Option<u64>> {
        match self.head()? {
            (b'*', count) => Ok(u64::try_from(count).ok()),
            _ => Err(unexpected("something else than a list where one was expected")),
        }
    }

    /// Appends a word.
    fn word(&mut self, out: &mut Vec<u8>) -> RedisResult<()> {
        match self.head()? {
            (b'$', length @ 0..=LONGEST_WORD) => {
                let (at, length) = (out.len(), usize::try_from(length).expect("512 MiB at the most"));
                out.resize(at + length, 0);
                self.stream.read_exact(&mut out[at..])?;
                let mut end = [0; 2];
                self.stream.read_exact(&mut end)?;
                if end == *b"\r\n" { Ok(()) } else { Err(unexpected("a word is longer than it said")) }
            }
            _ => Err(unexpected("something else than a word where one was expected")),
        }
    }

    /// How an answer begins: its sign, and the number behind it (0 behind a `+`). A refusal is an error.
    fn head(&mut self) -> RedisResult<(u8, i64)> {
        self.line.clear();
        let read = self.stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let line = self.line.strip_suffix(b"\r\n").ok_or_else(|| unexpected("a line has no end"))?;
        let (sign, rest) = line.split_first().ok_or_else(|| unexpected("an answer has no sign"))?;
        if *sign == b'+' {
            return Ok((*sign, 0));
        }
        let text = std::str::from_utf8(rest).map_err(|_| unexpected("an answer is no text"))?;
        if *sign == b'-' {
            return Err(refusal(text));
        }
        let number = text.parse().map_err(|_| unexpected("an answer has no number"))?;
        Ok((*sign, number))
    }
}

/// What Redis says no with: a code, and why.
fn refusal(text: &str) -> RedisError {
    let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
    redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use redis::IntoConnectionInfo as _;

    use super::*;

    /// What is read from a server that says this.
    fn told(answer: &'static [u8]) -> RedisResult<Vec<Entry>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // In two pieces, so that something is always cut.
            let (first, second) = answer.split_at(answer.len() / 2);
            stream.write_all(first).unwrap();
            thread::yield_now();
            stream.write_all(second).unwrap();
        });
        let second = Duration::from_secs(1);
        let mut wire =
            Wire::connect(&url.as_str().into_connection_info().unwrap(), second, second).unwrap().unwrap();
        let entries = wire.entries();
        server.join().unwrap();
        entries
    }

    #[test]
    fn entries_are_read() {
        let entries = told(
            b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$1\r\na\r\n$3\r\n\r\nb\r\n$0\r\n\r\n$2\r\ncd\r\n*2\r\n$3\r\n1-2\r\n*-1\r\n",
        )
        .unwrap();
        let fields: Vec<_> = entries[0].fields.as_ref().unwrap().iter().collect();
        assert_eq!(fields, [(&b"a"[..], &b"\r\nb"[..]), (b"", b"cd")]);
        assert_eq!(entries[1], Entry { id: id_of(b"1-2").unwrap(), fields: None });
        assert_eq!(told(b"*-1\r\n").unwrap(), []);
    }

    #[test]
    fn what_is_no_list_of_entries_is_refused() {
        let no = told(b"-NOGROUP No such key\r\n").unwrap_err();
        assert_eq!(no.code(), Some("NOGROUP"));
        for strange in [
            &b"*2\r\n"[..],
            b":1\r\n",
            b"*1\r\n*3\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$1\r\nx\r\n*0\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$1\r\na\r\n",
            b"*1\r\n*2\r\n$1\r\nlonger\r\n",
            b"*1\r\n*2\r\n$-5\r\n",
            b"*1\r\n",
            b"nonsense",
            b"",
        ] {
            assert!(told(strange).is_err(), "{}", String::from_utf8_lossy(strange));
        }
    }
}
