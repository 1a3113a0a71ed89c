//! A client that does no more than HTTP/1.1: what is sent is exactly what a test says.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;
use serde_json::Value;

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body, of an answer that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Status, code and text of an error.
    #[track_caller]
    pub fn error(&self) -> (u16, i64, &str) {
        let code = self.body["code"].as_i64().unwrap_or_else(|| panic!("no error: {}", self.body));
        (self.status, code, self.body["msg"].as_str().expect("an error has a text"))
    }

    #[track_caller]
    pub fn assert_error(&self, status: u16, code: i64, message: &str) {
        assert_eq!(self.error(), (status, code, message));
    }
}

/// A connection that stays open between requests.
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the server listens"))
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    /// Bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the connection is open");
    }

    pub fn send(&mut self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        self.write(request.as_bytes());
        self.answer()
    }

    pub fn answer(&mut self) -> Answer {
        self.try_answer().expect("the server answers")
    }

    /// `None` when the server has closed the connection.
    pub fn try_answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            match self.reader.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if gone(&error) => return None,
                Err(error) => panic!("the server neither answers nor closes: {error}"),
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line.to_lowercase());
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().expect("a length is a number"));
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).ok()?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(Answer { status, head, body, text })
    }

    /// True when the server has closed it and sends nothing more.
    pub fn is_closed(&mut self) -> bool {
        match self.reader.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => gone(&error),
        }
    }
}

/// Whether the server closed the connection; otherwise it was this side that lost patience.
fn gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Somebody with an API key.
#[derive(Clone)]
pub struct Trader {
    pub address: SocketAddr,
    pub account: u64,
    pub key: String,
    pub secret: String,
}

impl Trader {
    pub fn sign(&self, payload: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let tag = hmac::sign(&key, payload.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    /// `params` with timestamp and signature.
    pub fn signed(&self, params: &str) -> String {
        let separator = if params.is_empty() { "" } else { "&" };
        let payload = format!("{params}{separator}timestamp={}", now_ms());
        format!("{payload}&signature={}", self.sign(&payload))
    }

    pub fn key_header(&self) -> String {
        format!("X-MBX-APIKEY: {}\r\n", self.key)
    }

    /// With parameters in the query for GET, and in the body otherwise.
    pub fn send(&self, method: &str, path: &str, params: &str) -> Answer {
        self.send_on(&mut Connection::open(self.address), method, path, params)
    }

    pub fn send_on(&self, connection: &mut Connection, method: &str, path: &str, params: &str) -> Answer {
        let signed = self.signed(params);
        if method == "GET" {
            connection.send(method, &format!("{path}?{signed}"), &self.key_header(), "")
        } else {
            connection.send(method, path, &self.key_header(), &signed)
        }
    }

    pub fn get(&self, path: &str, params: &str) -> Answer {
        self.send("GET", path, params)
    }

    /// A new order in BTCUSDT.
    pub fn place(&self, params: &str) -> Answer {
        self.send("POST", "/api/v3/order", &format!("symbol=BTCUSDT&{params}"))
    }

    /// A resting order in BTCUSDT, by its number.
    #[track_caller]
    pub fn rest(&self, side: &str, quantity: &str, price: &str) -> u64 {
        let params = format!("side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price={price}");
        let placed = self.place(&params).ok();
        assert_eq!(placed["status"], "NEW");
        placed["orderId"].as_u64().expect("an order has a number")
    }
}
