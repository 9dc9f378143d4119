use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use crate::memory::body_meter::BodyMemory;
use crate::message::failure::{Failure, FailureKind};
use crate::message::key::Key;
use crate::trace::Trace;

/// How one request ended.
#[derive(Debug)]
pub struct Outcome {
    /// The key of the request.
    pub key: Key,
    /// A reply with any status, or the reason why there is none.
    pub result: Result<Response, Failure>,
    /// From the moment the engine started on it to its end.
    pub elapsed: Duration,
}

impl Outcome {
    /// How the exchange went; none if there was no exchange, because the request could not be sent as it was.
    pub fn trace(&self) -> Option<&Trace> {
        match &self.result {
            Ok(response) => Some(&response.trace),
            Err(failure) => failure.trace(),
        }
    }

    /// Whether there was an attempt. A request that is invalid, or may not go where its URL leads, has none.
    pub fn was_attempted(&self) -> bool {
        let Err(failure) = &self.result else { return true };
        failure.trace().is_some() || !matches!(failure.kind(), FailureKind::Invalid(_) | FailureKind::Forbidden)
    }
}

/// A whole reply: of the last hop, where redirects were followed.
///
/// While it is there, its body counts towards [`Policy::max_in_flight_bytes`](crate::Policy::max_in_flight_bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, 200 to 999.
    pub status: u16,
    /// The header fields in their order.
    pub headers: Headers,
    /// The body.
    pub content: Content,
    /// What was odd about the reply, though it was accepted. Without secrets.
    pub detail: Option<Box<str>>,
    /// How the exchange went.
    pub trace: Trace,
    pub(crate) memory: BodyMemory,
}

/// A reply's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// No byte of it.
    Empty,
    /// Text, decoded by the charset of `Content-Type` (UTF-8 where it names none) and without a NUL.
    Text(String),
    /// Not text in that charset, or with a NUL.
    Bytes(Bytes),
}

impl Content {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// Header fields in the order they came, repeats included, names as the server wrote them (lower case on HTTP/2).
///
/// All names and values lie in one text; a value that is not UTF-8 is taken as Latin-1 (RFC 9110 §5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    /// Ends in `text` of each name and of its value.
    ends: Vec<(u32, u32)>,
    /// The fields whose values were taken as Latin-1; none, most of the time.
    latin1: Vec<u32>,
}

impl Headers {
    /// Room for about `bytes` of names and values.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        /// A field takes about this many bytes.
        const FIELD: usize = 24;
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(bytes / FIELD), latin1: Vec::new() }
    }

    /// Appends a field.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        push_text(&mut self.text, name);
        let name_end = self.text.len();
        if !push_text(&mut self.text, value) {
            self.latin1.push(self.ends.len() as u32);
        }
        // A head is bounded far below 4 GiB.
        self.ends.push((name_end as u32, self.text.len() as u32));
    }

    /// All fields as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, value_end)| {
            let (name_end, value_end) = (name_end as usize, value_end as usize);
            let field = (&self.text[start..name_end], &self.text[name_end..value_end]);
            start = value_end;
            field
        })
    }

    /// The first value under a name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values under a name, in any case, as they came.
    pub(crate) fn all_bytes(&self, name: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let named = self.iter().enumerate().filter(move |(_, (have, _))| have.eq_ignore_ascii_case(name));
        named.map(|(at, (_, value))| match self.latin1.contains(&(at as u32)) {
            // All its characters are below 256.
            true => Cow::Owned(value.chars().map(|c| c as u8).collect()),
            false => Cow::Borrowed(value.as_bytes()),
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Whether it is UTF-8.
fn push_text(text: &mut String, bytes: &[u8]) -> bool {
    let utf8 = std::str::from_utf8(bytes);
    match utf8 {
        Ok(valid) => text.push_str(valid),
        Err(_) => text.extend(bytes.iter().copied().map(char::from)),
    }
    utf8.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_order_case_and_repeats() {
        let mut headers = Headers::default();
        headers.push(b"Set-Cookie", b"a=1");
        headers.push(b"X-Latin", b"caf\xe9");
        headers.push(b"set-cookie", b"b=2");
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("Set-Cookie", "a=1"), ("X-Latin", "café"), ("set-cookie", "b=2")]
        );
        assert_eq!(headers.get("SET-COOKIE"), Some("a=1"));
        assert_eq!(headers.all_bytes("set-cookie").collect::<Vec<_>>(), [&b"a=1"[..], b"b=2"]);
        assert_eq!(headers.all_bytes("x-latin").collect::<Vec<_>>(), [&b"caf\xe9"[..]]);
        assert_eq!((headers.len(), headers.is_empty()), (3, false));
    }
}
