use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::{Shared, connection};

/// More connections at once than the worker ever opens: what a test measures must not be our own queue.
const BACKLOG: i32 = 4096;

/// A connection's thread only reads, writes and waits.
const STACK: usize = 128 * 1024;

/// Listens on a free port of an address, or on one that a [`RefusedPort`](crate::RefusedPort) holds, and serves each
/// connection on a thread of its own.
pub(super) fn listen(shared: &Arc<Shared>, address: IpAddr, held: Option<u16>) -> (u16, JoinHandle<()>) {
    allow_many_connections();
    let address = SocketAddr::from((address, held.unwrap_or(0)));
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("make a socket");
    if address.is_ipv6() {
        socket.set_only_v6(false).expect("listen on IPv4, too");
    }
    socket.set_reuse_port(held.is_some()).expect("share the port");
    socket.bind(&address.into()).expect("bind a port");
    socket.listen(BACKLOG).expect("listen");
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().expect("the bound address").port();
    let shared = Arc::clone(shared);
    let accepting = thread::Builder::new().name(format!("accept {port}"));
    (port, accepting.spawn(move || accept(&listener, &shared)).expect("start a thread"))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let stream = stream.expect("accept a connection");
        stream.set_nodelay(true).expect("send small writes at once");
        // Nothing when the receiver has stopped.
        let Some(number) = shared.connections.register(&stream) else { return };
        let shared = Arc::clone(shared);
        let serving = thread::Builder::new().name(format!("connection {number}")).stack_size(STACK);
        serving.spawn(move || connection::serve(stream, number, &shared)).expect("start a thread");
    }
}

/// Wakes the accepting thread, so that it sees that the receiver has stopped.
pub(super) fn nudge(port: u16) {
    if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let _ = TcpStream::connect((Ipv6Addr::LOCALHOST, port));
    }
}

/// A thousand connections, each known twice, do not fit the limit of 1024 open files that many systems start with.
fn allow_many_connections() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    });
}
