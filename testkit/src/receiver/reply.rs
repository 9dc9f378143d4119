use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Request;
use super::connection::Connections;
use super::record::Record;

/// What becomes of a connection after an answer.
pub(super) enum Then {
    /// The next request may come.
    Continue,
    /// It is closed in good order.
    Close,
    /// The same, a while after a whole answer.
    CloseAfter(Duration),
    /// It is reset.
    Reset,
}

/// A request, and the means to answer it.
pub(super) struct Conversation<'a> {
    pub(super) stream: &'a mut TcpStream,
    pub(super) request: &'a Request,
    pub(super) connections: &'a Connections,
    pub(super) record: &'a Record,
}

impl Conversation<'_> {
    /// Writes raw bytes.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes parts one by one, then closes.
    pub(super) fn play(&mut self, parts: &[Vec<u8>]) -> io::Result<Then> {
        for part in parts {
            self.raw(part)?;
        }
        Ok(Then::Close)
    }

    /// A whole answer. `headers` are whole lines, without their line ends.
    pub(super) fn answer(&mut self, status: u16, headers: &[&str], body: &[u8]) -> io::Result<Then> {
        let mut reply = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for line in headers {
            reply.push_str(line);
            reply.push_str("\r\n");
        }
        let bodiless = matches!(status, 100..=199 | 204 | 304);
        if !bodiless {
            reply.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        reply.push_str("\r\n");
        let mut reply = reply.into_bytes();
        if !bodiless && self.request.method != "HEAD" {
            reply.extend_from_slice(body);
        }
        self.raw(&reply)?;
        Ok(Then::Continue)
    }

    /// An answer in plain text.
    pub(super) fn text(&mut self, status: u16, body: &str) -> io::Result<Then> {
        self.answer(status, &["Content-Type: text/plain; charset=utf-8"], body.as_bytes())
    }

    /// Waits until the client leaves, or the receiver stops.
    pub(super) fn wait_for_leave(&mut self) -> io::Result<Then> {
        let mut buffer = [0; 64];
        while self.stream.read(&mut buffer)? > 0 {}
        Ok(Then::Close)
    }

    /// How many requests for the same target have come, this one included.
    pub(super) fn times_seen(&self) -> usize {
        self.record.all().iter().filter(|request| request.target == self.request.target).count()
    }

    /// Waits for a while, or until the receiver stops.
    pub(super) fn pause(&mut self, milliseconds: u64) {
        self.connections.pause(Duration::from_millis(milliseconds));
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        404 => "Not Found",
        500 => "Internal Server Error",
        _ => "Status",
    }
}
