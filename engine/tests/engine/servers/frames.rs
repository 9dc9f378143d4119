//! HTTP/2 servers that say exactly what a test wants, frame by frame (RFC 9113 §4).

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::Policy;
use rustls::{ServerConnection, StreamOwned};

use crate::servers::certificates::Authority;
use crate::servers::host::Host;
use crate::servers::server::{Server, ok};
use crate::tls::{trusting, url};

pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const HTTP_1_1_REQUIRED: u32 = 13;
/// The last stream of a GOAWAY that only announces another one.
pub(crate) const EVERY_STREAM: u32 = (1 << 31) - 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;

/// A server that serves each HTTP/2 connection with a function, and answers on HTTP/1.1 ones.
pub(crate) struct FrameServer {
    server: Server,
    authority: Authority,
    http1: Arc<AtomicUsize>,
}

/// The server's end of an HTTP/2 connection.
pub(crate) struct Frames {
    stream: StreamOwned<ServerConnection, TcpStream>,
    /// Which one it is, from 1.
    pub(crate) number: usize,
}

impl FrameServer {
    pub(crate) fn start(serve: impl Fn(Frames) + Send + Sync + 'static) -> Self {
        let authority = Authority::new();
        let config = authority.server("localhost", &["h2", "http/1.1"]);
        let http1 = Arc::<AtomicUsize>::default();
        let requests = http1.clone();
        let server = Server::start(move |connection| {
            let tls = ServerConnection::new(config.clone()).unwrap();
            let number = connection.number;
            let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
            if secure.stream.conn.complete_io(&mut secure.stream.sock).is_err() {
                return;
            }
            if secure.stream.conn.alpn_protocol() == Some(b"h2") {
                let mut stream = secure.stream;
                if stream.read_exact(&mut [0; 24]).is_ok() {
                    serve(Frames { stream, number });
                }
                return;
            }
            while secure.receive().is_some() {
                requests.fetch_add(1, Ordering::SeqCst);
                secure.send(ok("over HTTP/1.1"));
            }
        });
        Self { server, authority, http1 }
    }

    pub(crate) fn policy(&self) -> Policy {
        trusting(&self.authority)
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(self.policy())
    }

    pub(crate) fn url(&self) -> String {
        url(&self.server, "localhost")
    }

    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Requests that came over HTTP/1.1.
    pub(crate) fn http1_requests(&self) -> usize {
        self.http1.load(Ordering::SeqCst)
    }
}

impl Frames {
    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat();
        // The client may have gone.
        let _ = self.stream.write_all(&frame).and_then(|()| self.stream.flush());
    }

    /// The settings that begin a connection, or change it: how many streams the client may have open.
    pub(crate) fn limit(&mut self, streams: u32) {
        self.send(SETTINGS, 0, 0, &[&3u16.to_be_bytes()[..], &streams.to_be_bytes()].concat());
    }

    /// Settings that leave all as it is.
    pub(crate) fn greet(&mut self) {
        self.send(SETTINGS, 0, 0, &[]);
    }

    /// The stream of the next request whose head has come; none once the client has closed.
    pub(crate) fn request(&mut self) -> Option<u32> {
        loop {
            let (kind, stream) = self.frame().ok()?;
            if kind == HEADERS {
                return Some(stream);
            }
        }
    }

    /// Answers with 200 and this body.
    pub(crate) fn answer(&mut self, stream: u32, body: &str) {
        // `:status: 200` has a number of its own (RFC 7541, appendix A), and the second flag says that there is no more of them.
        self.send(HEADERS, 4, stream, &[0x88]);
        self.send(DATA, END_STREAM, stream, body.as_bytes());
    }

    pub(crate) fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    pub(crate) fn ping(&mut self) {
        self.send(PING, 0, 0, &[0; 8]);
    }

    /// Goes away: streams above `last` are not processed.
    pub(crate) fn go_away(&mut self, last: u32, code: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat());
    }

    fn frame(&mut self) -> io::Result<(u8, u32)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, _, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload)?;
        Ok((kind, u32::from_be_bytes(stream)))
    }

    /// Ends the connection in our direction.
    pub(crate) fn end(&mut self) {
        let _ = self.stream.sock.shutdown(Shutdown::Write);
    }

    /// Reads on until the client closes.
    pub(crate) fn wait_for_close(&mut self) {
        while self.frame().is_ok() {}
    }
}
