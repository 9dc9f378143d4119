//! What the fuzz targets call: functions for parts of the engine that are not public, each with what must hold for
//! any input.
//!
//! Only with the feature `fuzzing`. Each function gives a summary of what it found, for a target to plant a bug by.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{StatusCode, Uri, header};

use crate::Policy;
use crate::Request;
use crate::Target;
use crate::exchange::charset;
use crate::exchange::coding;
use crate::exchange::hop::Hop;
use crate::exchange::redirect;
use crate::memory::body_meter::BodyMeter;
use crate::memory::budget::Budget;
use crate::message::outcome::{Content, Headers};
use crate::pool::client::Settings;
use crate::pool::keep_alive;
use crate::retry::retry_after;
use crate::trace::progress::Progress;
use crate::transport::http1::head::{self, HeadScanner};
use crate::transport::http1::leniency;
use crate::transport::http1::line_feeds::Mender;
use crate::transport::tls::certificate_file;

/// The longest body that the decoders may give.
pub const MAX_BODY: usize = 1 << 16;

/// A URL and header fields, as a call gives them: what is accepted can be sent, and is sent as one request.
pub fn request(url: &str, fields: &[(&str, &str)]) -> Option<String> {
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 2000 && !message.contains(char::is_control), "{message:?}");
            return None;
        }
    };
    assert_eq!(Target::parse(target.as_str()).as_ref(), Ok(&target), "the queue holds the same URL");
    let mut request = Request::new(1, "GET", target, Bytes::new(), Duration::from_secs(1)).ok()?;
    for (name, value) in fields {
        if let Err(failure) = request.push_header(name, value) {
            let message = failure.to_string();
            assert!(message.len() < 2000 && !message.contains(char::is_control), "{message:?}");
        }
    }
    assert!(request.headers.len() <= crate::message::header::MAX_FIELDS);
    let hop = Hop::first(request);
    let settings = Settings::alone(Policy::default());
    let message = hop.http1_message(&settings, None);
    let head = String::from_utf8_lossy(&message.head);
    let line = head.lines().next().unwrap_or_default();
    let target = line.strip_prefix("GET ").and_then(|line| line.strip_suffix(" HTTP/1.1")).unwrap_or_default();
    assert!(target.starts_with('/') && !target.contains([' ', '#']), "{line:?}");
    // A line each, and not one more: the request line, fields, and the blank line.
    let sent = hop.headers.iter().filter(|field| !field.value.is_empty() && field.name != header::HOST);
    let expect = hop.headers.iter().filter(|field| !field.value.is_empty() && field.name == header::EXPECT).count();
    let defaults = [header::ACCEPT, header::USER_AGENT, header::ACCEPT_ENCODING].iter().filter(|name| {
        let coded = **name == header::ACCEPT_ENCODING && !hop.accepts_codings(&settings);
        !coded && !hop.headers.iter().any(|field| field.name == **name)
    });
    let fields = 1 + sent.count() - expect + defaults.count() + usize::from(hop.user_info.is_some());
    assert_eq!(message.head.iter().filter(|byte| **byte == b'\n').count(), 1 + fields + 1, "{head:?}");
    assert!(!message.head.contains(&0) && message.head.ends_with(b"\r\n\r\n"), "{head:?}");
    assert!(hop.http2_path().parse::<Uri>().is_ok(), "{line:?} cannot be sent");
    Some(hop.target.as_str().to_owned())
}

/// The head of a reply, which comes in pieces of `piece` bytes: they make no difference.
pub fn reply_head(bytes: &[u8], piece: usize) -> Vec<(String, String)> {
    let mut whole = HeadScanner::default();
    let mut pieces = HeadScanner::default();
    let at_once = whole.feed(bytes);
    let bit_by_bit = bytes.chunks(piece.max(1)).any(|bytes| pieces.feed(bytes));
    assert_eq!((at_once, whole.head()), (bit_by_bit, pieces.head()));
    // What is mended has the same lines, and is mended once.
    let mut mended = whole.head().to_vec();
    leniency::mend(&mut mended);
    let ends = |head: &[u8]| memchr::memchr_iter(b'\n', head).collect::<Vec<_>>();
    assert_eq!((mended.len(), ends(&mended)), (whole.head().len(), ends(whole.head())));
    assert!(!leniency::mend(&mut mended));
    // Chunks are mended alike however they come.
    let mend = |piece: usize| {
        let (mut mender, mut mended) = (Mender::default(), Vec::new());
        bytes.chunks(piece).for_each(|bytes| mender.feed(bytes, &mut mended));
        mended
    };
    assert_eq!(mend(piece.max(1)), mend(usize::MAX));
    let Ok(headers) = head::parse(whole.head()) else { return Vec::new() };
    assert!(keep_alive::hinted(&headers).is_none_or(|limit| limit.as_secs() <= u32::MAX.into()));
    headers
        .iter()
        .inspect(|(name, value)| assert!(!name.contains(['\n', '\0']) && !value.contains(['\n', '\0'])))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A file of certificates: each block is read, or told by its number. How many of either.
pub fn certificates(bytes: &[u8]) -> (usize, usize) {
    let text = certificate_file::text(bytes);
    let file = certificate_file::parse(&text);
    let blocks = file.certificates.len() + file.broken.len();
    for broken in &file.broken {
        let told = broken.to_string();
        assert!(told.len() < 1000 && !told.contains(char::is_control), "{told:?}");
    }
    assert!(blocks <= text.matches("-----BEGIN ").count(), "{blocks}");
    (file.certificates.len(), file.broken.len())
}

/// A body with its content type: text that can be stored, or the bytes as they came.
pub fn charset(body: &[u8], content_type: &str) -> usize {
    match charset::content(body.to_vec(), Some(content_type)) {
        Content::Empty => assert!(body.is_empty()),
        Content::Bytes(bytes) => assert_eq!(bytes, body),
        Content::Text(text) => {
            assert!(!text.contains('\0'));
            return text.chars().count();
        }
    }
    0
}

/// A body with its content codings: never more than may be.
pub fn content_coding(body: &[u8], codings: &str) -> usize {
    let mut headers = Headers::default();
    headers.push(b"Content-Encoding", codings.as_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let target = Target::parse("http://first.example/").expect("a URL");
    let budget = Budget::new(usize::MAX);
    let progress = Progress::start(Duration::MAX, target.clone(), None);
    let mut meter = BodyMeter::new(&budget, target.origin(), &progress);
    let undone = runtime.block_on(coding::undo(body.to_vec(), &headers, MAX_BODY, &mut meter));
    match undone {
        Ok((plain, None)) => {
            assert!(plain.len() <= MAX_BODY.max(body.len()));
            plain.len()
        }
        Ok((as_it_came, Some(_))) => {
            assert_eq!(as_it_came, body);
            0
        }
        Err(coding::TooLarge) => 0,
    }
}

/// A reply that sends elsewhere, or asks to come later: only http and https are followed, and what is one origin's own does
/// not go to another. Gives where it leads.
pub fn redirect(status: u16, head: &[u8]) -> Option<String> {
    let headers = head::parse(head).ok()?;
    // Any wait must be one that can be added to the time.
    let _ = retry_after::asked(&headers, SystemTime::now()).map(|wait| SystemTime::now().checked_add(wait));
    let status = StatusCode::from_u16(status).ok()?;
    let location = redirect::location(status, &headers)?;
    let target = Target::parse("http://user:secret@first.example/a/b?c").expect("a URL");
    let origin = target.origin().clone();
    let mut request = Request::new(1, "POST", target, Bytes::from_static(b"body"), Duration::from_secs(1)).ok()?;
    request.push_header("Cookie", "secret").ok()?;
    request.push_header("Authorization", "secret").ok()?;
    let next = redirect::follow(Hop::first(request), status, &location).ok()?;
    assert!(matches!(next.target.url().scheme(), "http" | "https"));
    if *next.target.origin() != origin {
        assert!(
            !next.headers.iter().any(|field| field.value.as_bytes() == b"secret"),
            "a secret goes to another origin"
        );
    }
    assert!(next.http2_path().parse::<Uri>().is_ok());
    assert!(next.target.path_and_query().is_ascii(), "what a server says is encoded");
    Some(next.target.as_str().to_owned())
}
