use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use loona_hpack::Decoder;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server on loopback that keeps what was sent to it, and answers that all is well.
pub(crate) struct Recorder {
    port: u16,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Line by line.
    Http1(Vec<String>),
    /// Name and value: those that begin with a colon by name, as their order has no meaning, the others as they came.
    Http2(Vec<(String, String)>),
}

impl Sent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Http1(lines) => lines[0].split(' ').nth(1).unwrap().to_owned(),
            Self::Http2(fields) => fields.iter().find(|(name, _)| name == ":path").unwrap().1.clone(),
        }
    }

    /// The same but for a line.
    pub(crate) fn without(mut self, line: &str) -> Self {
        if let Self::Http1(lines) = &mut self {
            lines.retain(|have| have != line);
        }
        self
    }
}

impl Recorder {
    pub(crate) fn plain() -> Self {
        Self::start(record_http1)
    }

    pub(crate) fn secure(config: Arc<ServerConfig>) -> Self {
        Self::start(move |stream, sent| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            record_http2(&mut StreamOwned::new(connection, stream), sent);
        })
    }

    fn start(record: impl Fn(TcpStream, &Mutex<Vec<Sent>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self { port: listener.local_addr().unwrap().port(), sent: Arc::default() };
        let (sent, record) = (recorder.sent.clone(), Arc::new(record));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (sent, record) = (sent.clone(), record.clone());
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                thread::spawn(move || record(stream, &sent));
            }
        });
        recorder
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What was sent since the last call; one request at most.
    pub(crate) fn take(&self) -> Option<Sent> {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        assert!(sent.len() <= 1, "{sent:?}");
        sent.pop()
    }
}

/// Bytes as characters, one each.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn record_http1(mut stream: TcpStream, sent: &Mutex<Vec<Sent>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let lines = text(&head).trim_end().split("\r\n").map(str::to_owned).collect::<Vec<_>>();
    let length = lines.iter().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    sent.lock().unwrap().push(Sent::Http1(lines));
    if stream.read_exact(&mut body).is_err() {
        return;
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/// Frames of RFC 9113 §6 that matter here.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

fn record_http2(stream: &mut (impl Read + Write), sent: &Mutex<Vec<Sent>>) {
    let mut decoder = Decoder::new();
    let mut block = Vec::new();
    let mut preface = [0; 24];
    if stream.read_exact(&mut preface).is_err() || write_frame(stream, SETTINGS, 0, 0, &[]).is_none() {
        return;
    }
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).is_err() {
            return;
        }
        let (length, kind, flags) = (u32::from_be_bytes([0, head[0], head[1], head[2]]), head[3], head[4]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).unwrap();
        match kind {
            SETTINGS if flags & ACK == 0 => _ = write_frame(stream, SETTINGS, ACK, 0, &[]),
            HEADERS => {
                assert_eq!(flags & PADDED, 0);
                block.extend_from_slice(&payload[if flags & PRIORITY == 0 { 0 } else { 5 }..]);
            }
            CONTINUATION => block.extend_from_slice(&payload),
            GOAWAY => return,
            _ => {}
        }
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            let fields = decoder.decode(&std::mem::take(&mut block)).unwrap();
            let mut fields = fields.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>();
            let pseudo = fields.iter().take_while(|(name, _)| name.starts_with(':')).count();
            fields[..pseudo].sort();
            sent.lock().unwrap().push(Sent::Http2(fields));
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            // `:status: 200` of the static table (RFC 7541, appendix A).
            write_frame(stream, HEADERS, END_HEADERS | END_STREAM, id, &[0x88]);
        }
    }
}

fn write_frame(stream: &mut impl Write, kind: u8, flags: u8, id: u32, payload: &[u8]) -> Option<()> {
    let length = (payload.len() as u32).to_be_bytes();
    let frame = [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat();
    stream.write_all(&frame).and_then(|()| stream.flush()).ok()
}
