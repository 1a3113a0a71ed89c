//! A client as lean as can be: HTTP/1.1 over one kept connection, requests signed as Binance wants them. What an answer
//! means is for others; here it only matters whether there was one.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;
use serde_json::Value;

/// Longer than any answer takes; who waits so long waits for ever.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One kept connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// An answer that came whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a success; a refusal was not expected.
    pub fn good(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.json()
    }

    /// The dialect's number of an error.
    pub fn code(&self) -> i64 {
        self.json()["code"].as_i64().unwrap_or_default()
    }
}

/// What an API key signs with.
#[derive(Clone)]
pub struct Signer {
    pub key: String,
    secret: hmac::Key,
}

impl Signer {
    pub fn new(key: &str, secret: &str) -> Self {
        Self { key: key.to_owned(), secret: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) }
    }

    /// `query` with a timestamp and its signature behind it.
    pub fn signed(&self, query: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let joint = if query.is_empty() { "" } else { "&" };
        let query = format!("{query}{joint}recvWindow=60000&timestamp={now}");
        let tag = hmac::sign(&self.secret, query.as_bytes());
        let signed = format!("{query}&signature=");
        tag.as_ref().iter().fold(signed, |text, byte| text + &format!("{byte:02x}"))
    }
}

impl Connection {
    pub fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// An error means that there was no answer; the request may have been executed all the same.
    pub fn ask(&mut self, verb: &str, path: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        let request =
            format!("{verb} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    /// As [`Self::ask`], for a trader; all parameters go with the query.
    pub fn signed(&mut self, verb: &str, path: &str, signer: &Signer, query: &str) -> io::Result<Answer> {
        let path = format!("{path}?{}", signer.signed(query));
        self.ask(verb, &path, &format!("x-mbx-apikey: {}\r\n", signer.key), "")
    }

    /// Bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The next answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(cut());
        }
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
        let mut length = 0;
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(cut());
            }
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| cut())?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, body: String::from_utf8(body).expect("answers are text") })
    }

    /// True when the other side has closed the connection and sends nothing more.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}
