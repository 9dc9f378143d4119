use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

/// Ports that were free a moment ago, each another one. The caller must be ready to lose the race and ask again.
pub(crate) fn free<const PORTS: usize>() -> [u16; PORTS] {
    // Let go together: the system may give out again what is let go.
    let probes = [(); PORTS].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a loopback port"));
    probes.map(|probe| probe.local_addr().expect("the bound address").port())
}

/// A port that refuses connections for as long as this value lives: taken, but not listened on, unless a receiver is told
/// to ([`Receiver::on_port`](crate::Receiver::on_port)).
pub struct RefusedPort {
    port: u16,
    socket: Socket,
}

impl RefusedPort {
    pub(crate) fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("make a socket");
        socket.set_reuse_port(true).expect("share the port");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).expect("bind a loopback port");
        let address = socket.local_addr().expect("the bound address").as_socket().expect("an internet address");
        Self { port: address.port(), socket }
    }

    /// Its number.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// A port where connections are neither accepted nor refused: what the system accepts by itself is used up.
pub struct FullPort {
    port: RefusedPort,
    _waiting: TcpStream,
}

impl FullPort {
    /// One that was free a moment ago.
    pub fn take() -> Self {
        let port = RefusedPort::take();
        port.socket.listen(0).expect("listen");
        let waiting = TcpStream::connect((Ipv4Addr::LOCALHOST, port.port)).expect("the only one that is let in");
        Self { port, _waiting: waiting }
    }

    /// A URL on it.
    pub fn url(&self, path: &str) -> String {
        self.port.url(path)
    }
}
