//! A server that is far away: what is sent to it, and what it sends, arrives later.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::servers::listener::listen;

/// How long everything is on its way, in one direction.
pub(crate) const DISTANCE: Duration = Duration::from_millis(25);

/// The port on 127.0.0.1 at which the server on another one seems to be far away. An end arrives as late as all else.
pub(crate) fn away(server: u16) -> u16 {
    let relay = listen(move |near| {
        tokio::spawn(async move {
            let far = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server))).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_in, far_out));
            tokio::spawn(carry(far_in, near_out));
        });
    });
    relay.port()
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, BytesMut)>();
    tokio::spawn(async move {
        while let Some((arrives, bytes)) = under_way.recv().await {
            sleep_until(arrives).await;
            // An empty one stands for the end.
            let carried = if bytes.is_empty() { to.shutdown().await } else { to.write_all(&bytes).await };
            if carried.is_err() {
                return;
            }
        }
    });
    loop {
        let mut bytes = BytesMut::with_capacity(16 << 10);
        let ended = !matches!(from.read_buf(&mut bytes).await, Ok(1..));
        if sender.send((Instant::now() + DISTANCE, bytes)).is_err() || ended {
            return;
        }
    }
}
