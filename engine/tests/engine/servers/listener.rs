//! What servers that have many connections at once listen with.

use std::net::{SocketAddr, TcpListener};
use std::thread;

use tokio::net::TcpStream;

/// Listens on 127.0.0.1, on a thread of its own, whose runtime runs what `serve` spawns for each connection.
pub(crate) fn listen(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                serve(listener.accept().await.unwrap().0);
            }
        });
    });
    address
}
