use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// An address that refuses connections for as long as this value lives: taken, but not listened on. One that was merely
/// let go may be another test's server a moment later.
pub(crate) struct Refused {
    address: SocketAddr,
    _socket: Socket,
}

impl Refused {
    pub(crate) fn take() -> Self {
        // Not std's listener: that listens, and allows others the address once it does not.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { address, _socket: socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
