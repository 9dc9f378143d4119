use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::reply::{Conversation, Then};
use super::{Request, Shared, routes};

/// The open connections of a receiver.
#[derive(Default)]
pub(super) struct Connections {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    accepted: usize,
    serving: usize,
    open: HashMap<usize, TcpStream>,
}

impl Connections {
    /// Counts a new connection in, and answers its number; nothing if the receiver has stopped.
    pub(super) fn register(&self, stream: &TcpStream) -> Option<usize> {
        let mut state = self.lock();
        if state.stopped {
            return None;
        }
        let number = state.accepted;
        state.accepted += 1;
        state.serving += 1;
        state.open.insert(number, stream.try_clone().expect("another handle of a socket"));
        Some(number)
    }

    /// Lets go of our second handle of a connection: only when the last one is closed, so is the connection.
    pub(super) fn forget(&self, number: usize) {
        self.lock().open.remove(&number);
    }

    fn end(&self, number: usize) {
        let mut state = self.lock();
        state.open.remove(&number);
        state.serving -= 1;
        self.changed.notify_all();
    }

    pub(super) fn accepted(&self) -> usize {
        self.lock().accepted
    }

    /// Ends all reads and writes and pauses, now and from now on.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        self.changed.notify_all();
    }

    pub(super) fn wait_for_end(&self) {
        let state = self.lock();
        drop(self.changed.wait_while(state, |state| state.serving > 0).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for a while, or until the receiver stops.
    pub(super) fn pause(&self, length: Duration) {
        let deadline = Instant::now() + length;
        let mut state = self.lock();
        while !state.stopped {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection out however its thread ends.
struct Registered<'a>(&'a Connections, usize);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

/// Reads and answers requests until one side closes.
pub(super) fn serve(mut stream: TcpStream, number: usize, shared: &Shared) {
    let _registered = Registered(&shared.connections, number);
    let Ok(local) = stream.local_addr() else { return };
    let (address, port) = (local.ip().to_canonical(), local.port());
    let mut unread = Vec::new();
    while let Some((head, length)) = read_head(&mut stream, &mut unread) {
        while unread.len() < length {
            if !read_more(&mut stream, &mut unread) {
                return;
            }
        }
        let body = unread.drain(..length).collect();
        let request = Arc::new(Request { body, arrival: Instant::now(), connection: number, address, port, ..head });
        match &shared.observer {
            // Who is told of each request keeps them.
            Some(observer) => observer.received(&request),
            None => shared.record.add(Arc::clone(&request)),
        }
        shared.gates.pass(request.path());

        let mut conversation = Conversation {
            stream: &mut stream,
            request: &request,
            connections: &shared.connections,
            record: &shared.record,
        };
        let script = shared.scripts.lock().unwrap_or_else(PoisonError::into_inner).get(request.path()).cloned();
        let then = match script {
            Some(parts) => conversation.play(&parts),
            None => routes::answer(&mut conversation),
        };
        if let Some(observer) = &shared.observer {
            observer.done(&request, matches!(then, Ok(Then::Continue | Then::CloseAfter(_))));
        }
        match then {
            Ok(Then::Continue) => {}
            Ok(Then::Close) => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Ok(Then::CloseAfter(time)) => {
                shared.connections.pause(time);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Ok(Then::Reset) => {
                shared.connections.forget(number);
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                return;
            }
            // The client has left.
            Err(_) => return,
        }
    }
}

/// Reads up to the end of a request's head; the head, and the length of the body that follows in `unread` or the stream.
fn read_head(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<(Request, usize)> {
    loop {
        if let Some((request, used)) = parse_head(unread) {
            unread.drain(..used);
            assert!(request.header("transfer-encoding").is_none(), "the receiver reads no chunked requests");
            let length = request.header("content-length").map_or(0, |length| length.parse().expect("a length"));
            return Some((request, length));
        }
        if !read_more(stream, unread) {
            return None;
        }
    }
}

fn parse_head(bytes: &[u8]) -> Option<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(used) = parsed.parse(bytes).expect("an HTTP request") else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = Request {
        method: parsed.method.unwrap_or_default().into(),
        target: parsed.path.unwrap_or_default().into(),
        headers: parsed.headers.iter().map(|header| (header.name.into(), text(header.value))).collect(),
        body: Vec::new(),
        arrival: Instant::now(),
        connection: 0,
        address: Ipv4Addr::UNSPECIFIED.into(),
        port: 0,
    };
    Some((request, used))
}

fn read_more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 8192];
    match stream.read(&mut buffer) {
        Ok(0) | Err(_) => false,
        Ok(read) => {
            unread.extend_from_slice(&buffer[..read]);
            true
        }
    }
}
