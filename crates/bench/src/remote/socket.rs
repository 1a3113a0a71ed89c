//! A WebSocket client with no more of the protocol than the yardsticks need, so that the server is measured and not the load
//! generator: whole text frames, pings that are answered, and the end. Source: RFC 6455.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use super::RemoteError;

/// Room for what one read may bring. It is shared by all connections of a thread: most of what they keep for themselves then is
/// nothing.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(vec![0; 1 << 18])
    }
}

/// One connection.
pub(crate) struct Socket {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come yet.
    begun: Vec<u8>,
    /// Frames that are to be sent.
    out: Vec<u8>,
}

/// What a read brought, besides texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// The server has ended the connection, with what it said in the closing frame.
    Closed(String),
}

/// Connects to `address`, from `from` where it is given: each address of one's own has ports of its own.
pub(crate) async fn connect(address: &str, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let address: SocketAddr = address.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Socket {
    /// Opens `path` at `address`.
    pub(crate) async fn open(address: &str, path: &str, from: Option<IpAddr>) -> Result<Self, RemoteError> {
        let mut stream = connect(address, from).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut begun = Vec::new();
        let head = loop {
            if stream.read_buf(&mut begun).await? == 0 {
                return Err(RemoteError::Connection(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(at) = begun.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        // Source of the answer to the key: RFC 6455, section 1.3.
        let text = String::from_utf8_lossy(&begun[..head]);
        if !text.starts_with("HTTP/1.1 101 ") || !text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
            return Err(RemoteError::Answer(format!("{path} does not become a WebSocket: {text}")));
        }
        begun.drain(..head);
        Ok(Self { stream, begun, out: Vec::new() })
    }

    /// Makes a text frame of what `write` writes, to be sent by [`Self::flush`].
    pub(crate) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        put_frame(&mut self.out, OPCODE_TEXT, write);
    }

    /// Sends what was put in.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// Waits until something comes, and passes each whole text on. Pings are answered.
    pub(crate) async fn texts(
        &mut self,
        scratch: &std::cell::RefCell<Scratch>,
        mut on_text: impl FnMut(&[u8]),
    ) -> Result<State, RemoteError> {
        // What came with the answer to the handshake waits for what comes next.
        let state = poll_fn(|context| {
            let Scratch(scratch) = &mut *scratch.borrow_mut();
            self.poll_texts(context, scratch, &mut on_text)
        })
        .await?;
        if state == State::Open {
            self.flush().await?;
        }
        Ok(state)
    }

    fn poll_texts(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Vec<u8>,
        on_text: &mut impl FnMut(&[u8]),
    ) -> Poll<Result<State, RemoteError>> {
        let begun = self.begun.len();
        if scratch.len() < begun * 2 {
            scratch.resize(begun * 2, 0);
        }
        let mut room = ReadBuf::new(&mut scratch[begun..]);
        ready!(pin!(&mut self.stream).poll_read(context, &mut room))?;
        let end = begun + room.filled().len();
        if end == begun {
            return Poll::Ready(Ok(State::Closed("without a closing frame".to_owned())));
        }
        scratch[..begun].copy_from_slice(&self.begun);
        let mut rest = &scratch[..end];
        let mut state = State::Open;
        while let Some((opcode, payload, behind)) = whole_frame(rest)? {
            match opcode {
                OPCODE_TEXT => on_text(payload),
                OPCODE_PING => put_frame(&mut self.out, OPCODE_PONG, |out| out.extend_from_slice(payload)),
                OPCODE_CLOSE => {
                    state = State::Closed(closing(payload));
                    break;
                }
                OPCODE_PONG => {}
                other => {
                    return Poll::Ready(Err(RemoteError::Answer(format!("a frame of unknown kind {other}"))));
                }
            }
            rest = behind;
        }
        self.begun.clear();
        self.begun.extend_from_slice(rest);
        Poll::Ready(Ok(state))
    }

    /// The connection itself, for those who do what they must not.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

const OPCODE_TEXT: u8 = 1;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;

/// Any mask will do: what it protects from is no part of a measurement.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// In place of a length: it stands in two bytes behind.
const LONG: u8 = 0x7e;

/// A whole, masked frame, as clients send it.
fn put_frame(out: &mut Vec<u8>, opcode: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    // Its longest head: the length stands in two bytes behind the first two.
    out.extend_from_slice(&[0x80 | opcode, 0x80 | LONG, 0, 0]);
    out.extend_from_slice(&MASK);
    write(out);
    let payload = begin + 8;
    let len = out.len() - payload;
    for (at, byte) in out[payload..].iter_mut().enumerate() {
        *byte ^= MASK[at % 4];
    }
    if let Ok(short) = u8::try_from(len)
        && short < 126
    {
        out[begin + 1] = 0x80 | short;
        out.drain(begin + 2..begin + 4);
    } else {
        let len = u16::try_from(len).expect("the yardsticks send nothing that long");
        out[begin + 2..begin + 4].copy_from_slice(&len.to_be_bytes());
    }
}

/// A frame's kind, what it carries, and what comes behind it.
type Frame<'b> = (u8, &'b [u8], &'b [u8]);

/// The first frame, if it is there whole.
fn whole_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, RemoteError> {
    let [first, second, behind @ ..] = bytes else { return Ok(None) };
    // Whole frames only, not masked, nothing reserved.
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(RemoteError::Answer(format!("a frame begins with {first:#04x} {second:#04x}")));
    }
    let (len, behind) = match second {
        126 => match behind.split_first_chunk() {
            Some((len, behind)) => (usize::from(u16::from_be_bytes(*len)), behind),
            None => return Ok(None),
        },
        127 => match behind.split_first_chunk() {
            Some((len, behind)) => {
                let long = || RemoteError::Answer("a frame is too long".to_owned());
                (usize::try_from(u64::from_be_bytes(*len)).map_err(|_| long())?, behind)
            }
            None => return Ok(None),
        },
        len => (usize::from(*len), behind),
    };
    Ok(behind.split_at_checked(len).map(|(payload, behind)| (first & 0x0f, payload, behind)))
}

fn closing(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, reason)) => format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(reason)),
        None => "without a code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_one_by_one_and_only_whole() {
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x81, 126, 1, 0];
        bytes.extend([b'x'; 256]);
        bytes.extend([0x89, 1, b'p', 0x81, 127, 0, 0]);
        let (opcode, payload, rest) = whole_frame(&bytes).unwrap().unwrap();
        assert_eq!((opcode, payload), (OPCODE_TEXT, b"hi".as_slice()));
        let (opcode, payload, rest) = whole_frame(rest).unwrap().unwrap();
        assert_eq!((opcode, payload.len()), (OPCODE_TEXT, 256));
        let (opcode, payload, rest) = whole_frame(rest).unwrap().unwrap();
        assert_eq!((opcode, payload), (OPCODE_PING, b"p".as_slice()));
        assert!(whole_frame(rest).unwrap().is_none());
        for cut in 0..4 {
            assert!(whole_frame(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        assert!(whole_frame(&[0x81, 0x80, 0, 0, 0, 0]).is_err(), "servers do not mask");
        assert!(whole_frame(&[0x01, 1, b'x']).is_err(), "no half messages");
    }

    #[test]
    fn frames_are_written_masked_with_their_length() {
        for len in [0, 125, 126, 40_000] {
            let mut frame = Vec::new();
            put_frame(&mut frame, OPCODE_TEXT, |out| out.extend(vec![b'a'; len]));
            let head = if len < 126 { 6 } else { 8 };
            assert_eq!(frame.len(), head + len);
            assert_eq!(frame[0], 0x81);
            assert_eq!(usize::from(frame[1] & 0x7f), len.min(126));
            assert!(frame[1] & 0x80 != 0);
            assert!(frame[head..].iter().enumerate().all(|(at, byte)| byte ^ MASK[at % 4] == b'a'));
        }
    }
}
