use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::servers::listener::listen;

/// A proxy of all kinds: what it speaks shows in the first byte. It forwards nothing but answers itself, and opens tunnels.
pub(crate) struct ProxyServer {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

/// What a proxy is like.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// It is spoken to over TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// What the client has to say: the whole field for HTTP, `user:password` for SOCKS.
    pub(crate) credentials: Option<&'static str>,
    /// What it answers to CONNECT and to SOCKS' request instead of a connection.
    pub(crate) refusal: Option<&'static [u8]>,
}

impl ProxyServer {
    pub(crate) fn start(manner: Manner) -> Self {
        let log = Arc::<Mutex<Vec<String>>>::default();
        let logged = log.clone();
        let address = listen(move |stream| {
            let (manner, log) = (manner.clone(), logged.clone());
            tokio::spawn(async move {
                match manner.tls.clone() {
                    None => serve(stream, &manner, &log).await,
                    Some(config) => serve(TlsAcceptor::from(config).accept(stream).await?, &manner, &log).await,
                }
            });
        });
        Self { address, log }
    }

    /// The heads and SOCKS requests that came.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

type Log = Mutex<Vec<String>>;

async fn serve<S>(mut stream: S, manner: &Manner, log: &Log) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = stream.read_u8().await?;
    if first == 5 {
        return serve_socks(stream, manner, log).await;
    }
    let mut head = vec![first];
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
        log.lock().unwrap().push(text.clone());
        if manner.credentials.is_some_and(|field| !text.to_lowercase().contains(&field.to_lowercase())) {
            stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await?;
        } else if let Some(rest) = text.strip_prefix("CONNECT ") {
            if let Some(refusal) = manner.refusal {
                stream.write_all(refusal).await?;
                return stream.shutdown().await;
            }
            let mut server = TcpStream::connect(rest.split(' ').next().unwrap()).await?;
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 Connected\r\nVia: us\r\n\r\n").await?;
            copy_bidirectional(&mut stream, &mut server).await?;
            return Ok(());
        } else {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforwarded").await?;
        }
        stream.flush().await?;
    }
}

async fn serve_socks<S>(mut stream: S, manner: &Manner, log: &Log) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let methods = read_counted(&mut stream).await?;
    let method = if manner.credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, method]).await?;
    if let Some(expected) = manner.credentials {
        assert_eq!(stream.read_u8().await?, 1);
        let (user, password) = (read_counted(&mut stream).await?, read_counted(&mut stream).await?);
        let accepted = [&user, &b":"[..], &password].concat() == expected.as_bytes();
        stream.write_all(&[1, u8::from(!accepted)]).await?;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request {
        [5, 1, 0, 1] => std::net::Ipv4Addr::from_bits(stream.read_u32().await?).to_string(),
        [5, 1, 0, 4] => format!("[{}]", std::net::Ipv6Addr::from_bits(stream.read_u128().await?)),
        [5, 1, 0, 3] => String::from_utf8(read_counted(&mut stream).await?).unwrap(),
        other => panic!("{other:?}"),
    };
    let authority = format!("{host}:{}", stream.read_u16().await?);
    log.lock().unwrap().push(authority.clone());
    if let Some(refusal) = manner.refusal {
        return stream.write_all(refusal).await;
    }
    let mut server = TcpStream::connect(authority).await?;
    stream.write_all(b"\x05\x00\x00\x03\x04host\x00\x00").await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

async fn read_counted<S>(stream: &mut S) -> io::Result<Vec<u8>>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
