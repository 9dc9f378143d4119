use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::case::{Case, End};

/// Serves a case on loopback to whoever connects; its address.
pub(crate) fn serve(case: &Case) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let replies = case.replies.iter().map(|reply| fill_in(reply, address)).collect::<Vec<_>>();
    let (replies, end, requests) = (Arc::new(replies), case.end, Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (replies, requests) = (replies.clone(), requests.clone());
            thread::spawn(move || converse(stream.unwrap(), &replies, end, &requests));
        }
    });
    address
}

fn fill_in(reply: &[u8], address: SocketAddr) -> Vec<u8> {
    const PLACE: &[u8] = b"{address}";
    match reply.windows(PLACE.len()).position(|window| window == PLACE) {
        Some(at) => [&reply[..at], address.to_string().as_bytes(), &reply[at + PLACE.len()..]].concat(),
        None => reply.to_vec(),
    }
}

fn converse(mut stream: TcpStream, replies: &[Vec<u8>], end: End, requests: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    loop {
        if end == End::Reset {
            // What is left unread when the connection is closed makes a reset of it.
            stream.peek(&mut [0]).unwrap();
        } else if !read_request(&mut stream) {
            return;
        }
        let reply = &replies[requests.fetch_add(1, Ordering::SeqCst).min(replies.len() - 1)];
        let mut sent = stream.write_all(reply);
        match end {
            End::Close => return close(stream),
            // The reset takes with it what the client has not read yet, and nothing tells this side when it has.
            End::Reset => return thread::sleep(Duration::from_millis(50)),
            End::KeepOpen => {}
            End::Repeat => {
                while sent.is_ok() {
                    thread::sleep(Duration::from_millis(1));
                    sent = stream.write_all(reply);
                }
            }
        }
        if sent.is_err() {
            return;
        }
    }
}

/// Reads a head; false when the client has closed.
fn read_request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// Lets the client read everything before the connection is gone.
fn close(mut stream: TcpStream) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
}
