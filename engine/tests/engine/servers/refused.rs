use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

/// An address that refuses connections for as long as this value lives: taken, but not listened on. One that was merely
/// let go may be another test's server a moment later.
pub(crate) struct Refused {
    address: SocketAddr,
    socket: Socket,
}

impl Refused {
    pub(crate) fn take() -> Self {
        // Not std's listener: that listens, and allows others the address once it does not.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { address, socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
    /// Accepts connections from now on.
    pub(crate) fn listen(self) -> TcpListener {
        self.socket.listen(128).unwrap();
        self.socket.into()
    }
}

/// An address where connections are never accepted, and never refused: the queue of those that wait to be accepted is full.
pub(crate) struct Full {
    address: SocketAddr,
    _socket: Socket,
    _waiting: Vec<TcpStream>,
}

impl Full {
    pub(crate) fn take() -> Self {
        let Refused { address, socket } = Refused::take();
        socket.listen(0).unwrap();
        let waiting = TcpStream::connect(address).unwrap();
        Self { address, _socket: socket, _waiting: vec![waiting] }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
