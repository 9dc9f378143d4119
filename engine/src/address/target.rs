use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::address::origin::Origin;
use crate::address::url_text::{self, CutError};

/// An absolute http or https URL that a request may go to.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    inner: Arc<Inner>,
    origin: Origin,
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    /// The whole URL.
    text: String,
    /// Where in it the authority begins, its host, and the path; and where the query ends.
    authority: usize,
    host: usize,
    path: usize,
    end: usize,
    /// Scheme and authority as the URL standard reads them, and no path: what is looked up, checked and dialled.
    url: Url,
    /// Host and port as they are sent.
    host_field: Box<str>,
}

/// Bytes of path and query that can be sent; what the `http` crate allows.
const MAX_REQUEST_TARGET: usize = u16::MAX as usize - 1;

/// Why a text is not a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// A scheme other than http and https, or, as in `localhost:6666`, a host name where a scheme belongs.
    Scheme {
        /// The URL without what could be a secret.
        url: String,
    },
    /// Not an absolute URL: relative, without a host, or against the URL standard.
    Malformed {
        /// The URL without what could be a secret.
        url: String,
        /// What the URL standard calls the problem.
        reason: String,
    },
}

impl Target {
    /// Parses an absolute URL. Its host is read by the URL standard (<https://url.spec.whatwg.org>); path and query are the
    /// caller's, byte for byte as libcurl sends them: without `.` and `..` segments, and with what is beyond ASCII in the path,
    /// and spaces anywhere, percent-encoded.
    ///
    /// # Errors
    ///
    /// See [`TargetError`]. Control characters are refused, not stripped as the standard allows: a URL with a line break
    /// inside is a mistake or an attack. So is a backslash in front of the path, which some read as its beginning.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let malformed = |reason: &str| TargetError::Malformed { url: redact(text), reason: reason.to_owned() };
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(malformed("control character"));
        }
        let parts = url_text::cut(text.trim_matches(' ')).map_err(|error| match error {
            CutError::NoScheme => malformed("relative URL without a scheme"),
            CutError::OtherScheme => TargetError::Scheme { url: redact(text) },
            CutError::Malformed(why) => malformed(why),
        })?;
        let scheme = parts.scheme.to_ascii_lowercase();
        let url =
            Url::parse(&format!("{scheme}://{}/", parts.authority)).map_err(|error| malformed(&error.to_string()))?;
        let (path_and_query, fragment) = url_text::path_and_query(parts.rest);
        if path_and_query.len() > MAX_REQUEST_TARGET {
            return Err(malformed("too long"));
        }
        let authority = scheme.len() + "://".len();
        let host = authority + parts.authority.rfind('@').map_or(0, |at| at + 1);
        let path = authority + parts.authority.len();
        let end = path + path_and_query.len();
        let mut text = format!("{scheme}://{}{path_and_query}", parts.authority);
        if let Some(fragment) = fragment {
            text.push('#');
            text.push_str(fragment);
        }
        let origin = Origin::of(&url);
        let host_field = host_field(&text[host..path], &url);
        Ok(Self { inner: Arc::new(Inner { text, authority, host, path, end, url, host_field }), origin })
    }

    /// Resolves a `Location` (RFC 9110 §10.2.2), which may be in any encoding, against this URL, as libcurl does. The fragment
    /// is dropped: it is never sent.
    pub(crate) fn join(&self, location: &[u8]) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed { url: String::new(), reason: "not to be encoded".to_owned() };
        let location = url_text::encode_location(location).ok_or_else(malformed)?;
        let location = location.split('#').next().unwrap_or_default();
        let Inner { text, authority, path, end, .. } = &*self.inner;
        let base_path = text[*path..*end].split('?').next().unwrap_or_default();
        let kept = match location.as_bytes() {
            _ if url_text::scheme(location).is_some() => "",
            [b'/', b'/', ..] => &text[..authority - "//".len()],
            [b'/', ..] => &text[..*path],
            [b'?', ..] => &text[..path + base_path.len()],
            [] => &text[..*end],
            _ => &text[..path + base_path.rfind('/').map_or(0, |slash| slash + 1)],
        };
        Self::parse(&format!("{kept}{location}"))
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL as it goes into the queue; it stays the same when it is parsed again.
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The URL without user name, password and fragment.
    pub fn without_user_info(&self) -> Cow<'_, str> {
        let Inner { text, authority, host, end, .. } = &*self.inner;
        if authority == host {
            return Cow::Borrowed(&text[..*end]);
        }
        Cow::Owned([&text[..*authority], &text[*host..*end]].concat())
    }

    /// Scheme and authority, as the URL standard reads them. It has no path.
    pub(crate) fn url(&self) -> &Url {
        &self.inner.url
    }

    /// Path and query as they are sent.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.inner.text[self.inner.path..self.inner.end]
    }

    /// What `Host` says: the host in the caller's upper and lower case, and the port unless it is the scheme's own.
    pub(crate) fn host_field(&self) -> &str {
        &self.inner.host_field
    }

    /// Whether the URL has a user name or a password, be they empty.
    pub(crate) fn has_user_info(&self) -> bool {
        self.inner.authority != self.inner.host
    }

    /// Adds an already encoded query string (see [`crate::address::query`]) behind the one that the URL has.
    pub fn append_query(&mut self, encoded: &str) {
        if encoded.is_empty() {
            return;
        }
        let query = self.path_and_query().split_once('?').map(|(_, query)| query);
        let joint = match query {
            None => "?",
            Some(query) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        let Inner { text, end, .. } = Arc::make_mut(&mut self.inner);
        text.insert_str(*end, &[joint, encoded].concat());
        *end += joint.len() + encoded.len();
    }
}

/// The host as the caller spelled it, where that is the same but for upper and lower case; and the port, unless it goes without
/// saying.
fn host_field(spelled: &str, url: &Url) -> Box<str> {
    let host = url.host_str().unwrap_or_default();
    let host = spelled.get(..host.len()).filter(|spelled| spelled.eq_ignore_ascii_case(host)).unwrap_or(host);
    match url.port() {
        Some(port) => format!("{host}:{port}").into(),
        None => host.into(),
    }
}

impl fmt::Debug for Target {
    /// Leaves out what could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&redact(self.as_str())).finish()
    }
}

/// Parses URLs one after another, faster if one is the same as the one before: most queues go to few targets.
#[derive(Debug, Default)]
pub struct LastTarget(Option<(Box<str>, Target)>);

impl LastTarget {
    /// See [`Target::parse`].
    ///
    /// # Errors
    ///
    /// See [`TargetError`].
    pub fn parse(&mut self, text: &str) -> Result<Target, TargetError> {
        if let Some((last, target)) = &self.0
            && **last == *text
        {
            return Ok(target.clone());
        }
        let target = Target::parse(text)?;
        self.0 = Some((text.into(), target.clone()));
        Ok(target)
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme { url } => write!(f, "Unsupported URL scheme in \"{url}\": only http and https are sent"),
            Self::Malformed { url, reason } => write!(f, "invalid URL \"{url}\": {reason}"),
        }
    }
}

impl std::error::Error for TargetError {}

/// A URL as it may stand in a message: scheme, host and port, or the first segment if it has no scheme. User name and
/// password, path and query may be secrets. The URL may be too broken to tell its parts apart; what is doubtful is
/// left out.
fn redact(text: &str) -> String {
    const MOST: usize = 200;
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let start = text.find("://").filter(|&at| is_scheme(&text[..at])).map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    // Without a scheme, slashes come first.
    let slashes = if start == 0 { rest.len() - rest.trim_start_matches('/').len() } else { 0 };
    let ends = |c: char| matches!(c, '/' | '\\' | '?' | '#') || c.is_control();
    let end = rest[slashes..].find(ends).map_or(rest.len(), |end| slashes + end);
    let (shown, hidden) = rest.split_at(end);
    let shown = if hidden.contains('@') { "" } else { shown.rsplit('@').next().unwrap_or_default() };
    scheme.chars().chain(without_password(shown).escape_debug()).take(MOST).collect()
}

/// What may be a user name and a password, without the latter; a port is none.
fn without_password(host: &str) -> &str {
    let is_port = |text: &str| text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    match host.rfind(':') {
        Some(at) if !host.ends_with(']') && !is_port(&host[at + 1..]) => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Target::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_host_without_a_scheme_is_named_as_such() {
        assert!(message("localhost:6666").contains("Unsupported URL scheme"));
        assert!(message("ftp://host/").contains("Unsupported URL scheme"));
        assert!(message("/malformed_url").contains("invalid URL \"/malformed_url\""));
        assert!(message("http://").contains("invalid URL \"http://\""));
        assert!(message("http://a\r\nb/").contains("control character"));
    }

    #[test]
    fn of_a_url_the_host_alone_is_told() {
        for (text, told) in [
            ("https://hooks.example/services/hunter2\n", "https://hooks.example"),
            ("https://hooks.example:8443/services/hunter2\r\nX: y", "https://hooks.example:8443"),
            ("https://[::1]:80/hunter2\n", "https://[::1]:80"),
            ("http://ho st/hunter2", "http://ho st"),
            ("ftp://files.example/hunter2", "ftp://files.example"),
            ("localhost:6666/hunter2", "localhost:6666"),
            ("hooks.example/services/hunter2", "hooks.example"),
            ("/services/hunter2", "/services"),
            ("//hooks.example/hunter2", "//hooks.example"),
            ("http:\\\\hooks.example\\hunter2\n", "http:"),
        ] {
            assert!(message(text).contains(&format!("\"{told}\"")), "{text:?}: {}", message(text));
        }
    }

    #[test]
    fn messages_hold_no_secret() {
        for text in [
            "http://user:hunter2",
            "http://user:hunter2/",
            "user:hunter2",
            "/a/hunter2",
            "http://h:x:hunter2/",
            "http://h/\r\nX: hunter2",
            "http://user:hunter2\n@h/",
            "http://user:hunter2?@h/",
            "http://user:hunter2/@h:x/",
            "user:hunter2@h//x",
            "//user:hunter2@h/",
            "http://h:x/?hunter2@hunter2",
            "http://user:hunter2@ho st/?token=hunter2",
            "ftp://u:hunter2@h/#hunter2",
            "x://u:a@hunter2@h/",
        ] {
            assert!(!message(text).contains("hunter2"), "{}", message(text));
        }
    }

    #[test]
    fn the_last_target_answers_for_its_own_text_only() {
        let mut last = LastTarget::default();
        for text in ["http://a/x", "http://a/x", "http://a/y", "nonsense", "http://a/y"] {
            assert_eq!(last.parse(text), Target::parse(text));
        }
    }

    #[test]
    fn user_info_and_fragment_can_be_left_out() {
        let target = Target::parse("https://us%40er:hunter2@h:8443/a?b=c#d").unwrap();
        assert_eq!(target.without_user_info(), "https://h:8443/a?b=c");
        let plain = Target::parse("https://h/a?b=c").unwrap();
        assert_eq!(plain.without_user_info(), plain.as_str());
    }

    #[test]
    fn a_query_goes_behind_the_one_there_is_and_before_the_fragment() {
        let with = |url: &str, query: &str| {
            let mut target = Target::parse(url).unwrap();
            target.append_query(query);
            target.as_str().to_owned()
        };
        assert_eq!(with("http://h/a", "x=1"), "http://h/a?x=1");
        assert_eq!(with("http://h/a?", "x=1"), "http://h/a?x=1");
        assert_eq!(with("http://h/a?b=2#f", "x=1"), "http://h/a?b=2&x=1#f");
        assert_eq!(with("http://h", ""), "http://h/");
    }
}
