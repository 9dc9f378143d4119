//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6).

use std::io;

use http::HeaderValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::message::failure::Failure;
use crate::transport::http1::head;
use crate::transport::tls::tls_error::CertificateRefused;

/// Bytes that the proxy's answer may have.
const MAX_ANSWER: u64 = 64 << 10;

/// Asks the proxy at the other end of `stream` to connect us to `authority`, a host and a port.
///
/// Bytes of the server that came along with the proxy's answer are not lost: they are read first.
pub(crate) async fn open<S>(
    stream: S,
    authority: &str,
    fields: &[(&str, Option<HeaderValue>)],
) -> Result<BufReader<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    for (name, value) in fields {
        if let Some(value) = value {
            request.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
    }
    request.extend_from_slice(b"\r\n");
    let mut stream = BufReader::new(stream);
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    loop {
        match status(&read_head(&mut stream).await?)? {
            100..=199 => {}
            200..=299 => return Ok(stream),
            status => return Err(Failure::proxy(format!("the proxy answered CONNECT with status {status}"))),
        }
    }
}

async fn read_head<S>(stream: &mut BufReader<S>) -> Result<Vec<u8>, Failure>
where
    S: AsyncRead + Unpin,
{
    let mut stream = stream.take(MAX_ANSWER);
    let mut head = Vec::new();
    loop {
        let line = head.len();
        stream.read_until(b'\n', &mut head).await.map_err(broken)?;
        if !head.ends_with(b"\n") {
            let why = if stream.limit() == 0 { "is too long" } else { "breaks off" };
            return Err(Failure::proxy(format!("the proxy's answer to CONNECT {why}")));
        }
        if head::is_blank(&head[line..]) {
            return Ok(head);
        }
    }
}

fn broken(error: io::Error) -> Failure {
    match CertificateRefused::in_error(&error) {
        Some(reason) => CertificateRefused::failure(reason).of_proxy(),
        None => Failure::proxy(error),
    }
}

/// The status of an answer.
fn status(head: &[u8]) -> Result<u16, Failure> {
    let digits = match head {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', digits @ ..] => digits.get(..3),
        _ => None,
    };
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
    status.ok_or_else(|| Failure::proxy("the proxy's answer to CONNECT is not HTTP"))
}
