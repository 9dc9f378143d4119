use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::servers::host::PATIENCE;
use crate::servers::refused::Refused;

/// Serves each connection with a function of the test's, on a thread of its own.
pub(crate) struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Received>>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Request line and fields, without the blank line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// The server's end of a connection.
pub(crate) struct Connection<S = TcpStream> {
    pub(crate) stream: S,
    /// Which one it is, from 1.
    pub(crate) number: usize,
    requests: Arc<Mutex<Vec<Received>>>,
}

/// Listens; on ::1 only where the port is nobody else's on 127.0.0.1, since `localhost` is both.
fn listen(address: &str) -> (TcpListener, Option<Refused>) {
    let address = address.parse::<SocketAddr>().unwrap();
    if address.is_ipv4() {
        return (TcpListener::bind(address).unwrap(), None);
    }
    loop {
        let twin = Refused::take();
        if let Ok(listener) = TcpListener::bind((address.ip(), twin.address().port())) {
            return (listener, Some(twin));
        }
    }
}

impl Server {
    pub(crate) fn start(serve: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", serve)
    }

    pub(crate) fn start_on(address: &str, serve: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let (listener, twin) = listen(address);
        let address = listener.local_addr().unwrap();
        let server = Self { address, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        let serve = Arc::new(serve);
        thread::spawn(move || {
            let _twin = twin;
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let mut connection = Connection { stream, number, requests: requests.clone() };
                let serve = serve.clone();
                thread::spawn(move || serve(&mut connection));
            }
        });
        server
    }

    /// Answers every request on every connection with the same bytes.
    pub(crate) fn answering(reply: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |connection| {
            while connection.receive().is_some() {
                connection.send(reply.as_ref());
            }
        })
    }

    /// Answers the first request with these bytes and closes.
    pub(crate) fn answering_once(reply: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |connection| {
            connection.receive();
            connection.send(reply.as_ref());
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

impl Connection {
    /// The same connection, spoken over with another stream.
    pub(crate) fn over<S>(&self, stream: impl FnOnce(TcpStream) -> S) -> Connection<S> {
        let stream = stream(self.stream.try_clone().unwrap());
        Connection { stream, number: self.number, requests: self.requests.clone() }
    }

    /// Waits until the client has sent something, and leaves it unread: then closing resets the connection.
    pub(crate) fn wait_for_bytes(&mut self) {
        self.stream.peek(&mut [0]).unwrap();
    }

    pub(crate) fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

impl<S: Read + Write> Connection<S> {
    /// The next request, or none when the client has closed.
    pub(crate) fn receive(&mut self) -> Option<Received> {
        let head = self.receive_head()?;
        let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        let received = Received { head, body };
        self.requests.lock().unwrap().push(received.clone());
        Some(received)
    }

    /// Only the head of the next request.
    pub(crate) fn receive_head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        head.truncate(head.len() - 4);
        Some(String::from_utf8(head).unwrap())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have seen enough and gone.
        let _ = self.stream.write_all(bytes.as_ref()).and_then(|()| self.stream.flush());
    }

    /// Reads until the client closes.
    pub(crate) fn wait_for_close(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the client does not close"),
                Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

impl Received {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A plain reply with a body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
