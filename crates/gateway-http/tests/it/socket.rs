//! A WebSocket client: frames as they are, and messages as JSON.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

pub struct Socket {
    inner: WebSocket<TcpStream>,
}

impl Socket {
    /// `path` with its query.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str) -> Self {
        Self::try_open(address, path).expect("it becomes a WebSocket")
    }

    /// `None` when the server would not have it.
    pub fn try_open(address: SocketAddr, path: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let (inner, _) = tungstenite::client(format!("ws://{address}{path}"), stream).ok()?;
        Some(Self { inner })
    }

    pub fn send(&mut self, text: &str) {
        self.send_message(Message::text(text));
    }

    pub fn send_message(&mut self, message: Message) {
        self.inner.send(message).expect("the connection is open");
    }

    /// Bytes that need not be frames.
    pub fn write(&mut self, bytes: &[u8]) {
        self.inner.get_mut().write_all(bytes).expect("the connection is open");
    }

    /// The next message that is not a ping.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        loop {
            match self.inner.read() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).expect("it is JSON"),
                Ok(Message::Ping(_)) => {}
                other => panic!("a message should come, not {other:?}"),
            }
        }
    }

    /// Waits for a ping, and sends its pong; `None` when the connection ends instead.
    pub fn ping(&mut self) -> Option<()> {
        while !self.inner.read().ok()?.is_ping() {}
        self.inner.flush().ok()
    }

    /// Sends a request and gives its answer; messages of streams that come before it are dropped.
    #[track_caller]
    pub fn ask(&mut self, request: &Value) -> Value {
        self.send(&request.to_string());
        loop {
            let answer = self.next();
            if answer.get("result").is_some() || answer.get("error").is_some() {
                return answer;
            }
        }
    }

    /// All messages until the server closes the connection, and with what code; `None` without a closing frame.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<Value>, Option<CloseCode>) {
        let mut messages = Vec::new();
        loop {
            match self.inner.read() {
                Ok(Message::Text(text)) => messages.push(serde_json::from_str(&text).expect("it is JSON")),
                Ok(Message::Close(frame)) => return (messages, frame.map(|frame| frame.code)),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("the server does not close the connection")
                }
                Err(_) => return (messages, None),
            }
        }
    }
}
