//! A connection of HTTP/1.1 that stays open, with no more of the protocol than Rialto's own answers need: a status, and a body
//! of a stated length.

use std::fmt;
use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::RemoteError;
use super::socket::connect;

/// What clients send besides.
pub(crate) const HEADERS: &str = "Host: 127.0.0.1\r\nUser-Agent: rialto-bench\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n";

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, in the connection's buffer until the next one comes.
#[derive(Debug)]
pub struct Answer<'r> {
    pub status: u16,
    pub body: &'r [u8],
    /// Head and body.
    pub bytes: usize,
}

impl Answer<'_> {
    /// True when `text` stands in the body.
    pub fn says(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.status, String::from_utf8_lossy(self.body))
    }
}

impl Connection {
    /// To `address`, a host and a port.
    pub async fn open(address: &str) -> io::Result<Self> {
        Self::open_from(address, None).await
    }

    /// As [`Self::open`], from an address of this machine's.
    pub async fn open_from(address: &str, from: Option<IpAddr>) -> io::Result<Self> {
        Ok(Self { stream: connect(address, from).await?, received: Vec::new() })
    }

    /// Sends one request, whole. Its answer has to be read before the next.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// Asks for `path` and waits for the answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer<'_>, RemoteError> {
        self.send(format!("GET {path} HTTP/1.1\r\n{HEADERS}\r\n").as_bytes()).await?;
        self.answer().await
    }

    /// The answer to what was sent.
    pub async fn answer(&mut self) -> Result<Answer<'_>, RemoteError> {
        self.received.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(RemoteError::Connection(io::ErrorKind::UnexpectedEof.into()));
            }
            if head.is_none() {
                head = Head::of(&self.received)?;
            }
            if let Some(Head { status, body_at, end }) = head
                && self.received.len() >= end
            {
                return Ok(Answer { status, body: &self.received[body_at..end], bytes: end });
            }
        }
    }
}

/// What the head of an answer tells.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    /// Where the body begins and ends, from the beginning of the answer.
    body_at: usize,
    end: usize,
}

impl Head {
    /// `None` while it is not there whole.
    fn of(received: &[u8]) -> Result<Option<Self>, RemoteError> {
        let Some(len) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = String::from_utf8_lossy(&received[..len]);
        let strange = || RemoteError::Answer(format!("not an answer of HTTP/1.1 with a length: {text}"));
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let body_at = len + 4;
        let (status, length) = (status.ok_or_else(strange)?, length.ok_or_else(strange)?);
        Ok(Some(Self { status, body_at, end: body_at + length }))
    }
}
