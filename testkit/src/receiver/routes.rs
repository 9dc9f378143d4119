//! What each path does; the table stands at `Receiver::url`.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::query;
use super::reply::{Conversation, Then};

/// Answers a request as its path says.
pub(super) fn answer(to: &mut Conversation) -> io::Result<Then> {
    let path = to.request.path().to_owned();
    let mut segments = path.trim_start_matches('/').split('/');
    let first = segments.next().unwrap_or_default();
    let second = segments.next().unwrap_or_default();
    match first {
        "status" => to.text(number(second), &format!("status {second}")),
        "fail" => {
            let times: usize = segments.next().unwrap_or_default().parse().unwrap_or(1);
            let status = if to.times_seen() <= times { number(second) } else { 200 };
            to.text(status, "at last")
        }
        "echo" => echo(to),
        "delay" => {
            to.pause(number(second).into());
            to.text(200, "ok")
        }
        "drip" => drip(to),
        "big" | "bytes" | "nul" | "empty" | "charset" => odd_body(to, first),
        "repeat-headers" | "odd-headers" | "no-colon" => odd_head(to, first),
        "endless" => endless(to),
        "redirect" => {
            let target = query::value(to.request, "to").unwrap_or_default();
            redirect(to, number(second), &target)
        }
        "redirect-loop" => redirect(to, 302, "/redirect-loop"),
        "hops" => match number(second) {
            0 => to.text(200, "arrived"),
            left => redirect(to, 302, &format!("/hops/{}", left - 1)),
        },
        "hang" => to.wait_for_leave(),
        "hang-body" => {
            to.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")?;
            to.wait_for_leave()
        }
        "close-after" => {
            to.text(200, "ok")?;
            Ok(Then::CloseAfter(Duration::from_millis(number(second).into())))
        }
        "close" => Ok(Then::Close),
        "reset" => Ok(Then::Reset),
        "reset-body" => reset_body(to),
        "garbage" => to.play(&[b"this is not HTTP\r\n\r\n".to_vec()]),
        "truncate" => to.play(&[b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".to_vec()]),
        "chunked-cut" => to.play(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nonly this".to_vec()]),
        "half-close" => {
            to.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")?;
            to.stream.shutdown(Shutdown::Write)?;
            to.wait_for_leave()
        }
        _ => to.text(200, "ok"),
    }
}

fn number(segment: &str) -> u16 {
    segment.parse().unwrap_or(500)
}

/// The request as JSON, as public echo services answer it.
fn echo(to: &mut Conversation) -> io::Result<Then> {
    let request = to.request;
    let headers: Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), json!(value))).collect();
    let json = json!({
        "method": request.method,
        "url": request.target,
        "headers": headers,
        "data": request.text(),
        "json": request.json(),
    });
    to.answer(200, &["Content-Type: application/json"], json.to_string().as_bytes())
}

/// A body that comes byte by byte.
fn drip(to: &mut Conversation) -> io::Result<Then> {
    let bytes = query::number(to.request, "bytes");
    let every = query::number(to.request, "every_ms");
    to.raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").as_bytes())?;
    for _ in 0..bytes {
        to.raw(b".")?;
        to.pause(every);
    }
    Ok(Then::Continue)
}

/// A body that goes on for as long as it is read.
fn endless(to: &mut Conversation) -> io::Result<Then> {
    to.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let chunk = [&b"10000\r\n"[..], &[b'x'; 64 << 10], b"\r\n"].concat();
    loop {
        to.raw(&chunk)?;
    }
}

fn odd_body(to: &mut Conversation, kind: &str) -> io::Result<Then> {
    match kind {
        "big" => {
            let length = usize::try_from(query::number(to.request, "bytes")).unwrap_or(0);
            to.answer(200, &["Content-Type: text/plain"], &vec![b'x'; length])
        }
        "bytes" => to.answer(200, &["Content-Type: application/octet-stream"], b"\x89PNG\r\n\x1a\n\xff\xc3\x28"),
        "nul" => to.answer(200, &["Content-Type: text/plain; charset=utf-8"], b"before\0after"),
        "charset" => to.answer(200, &["Content-Type: text/plain; charset=ISO-8859-1"], b"caf\xe9"),
        _ => to.answer(200, &["Content-Type: text/plain"], b""),
    }
}

fn odd_head(to: &mut Conversation, kind: &str) -> io::Result<Then> {
    match kind {
        "repeat-headers" => to.answer(200, &["Set-Cookie: a=1", "X-Once: one", "Set-Cookie: b=2"], b"ok"),
        "odd-headers" => {
            let lines = ["MissingValue:", "Spaces In Header Name: x", "NonPrintableChars: a\u{1}\u{2}"];
            to.answer(200, &lines, b"ok")
        }
        _ => to.answer(200, &["No colon in this line"], b"ok"),
    }
}

fn redirect(to: &mut Conversation, status: u16, target: &str) -> io::Result<Then> {
    to.answer(status, &[&format!("Location: {target}")], b"elsewhere")
}

/// Part of a body, then a reset. The pause lets the part arrive: a reset discards what is not read yet.
fn reset_body(to: &mut Conversation) -> io::Result<Then> {
    to.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")?;
    to.pause(100);
    Ok(Then::Reset)
}
