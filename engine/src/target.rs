use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use url::{ParseError, Position, Url};

use crate::origin::Origin;

/// An absolute http or https URL that a request may go to.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Arc<Url>,
    origin: Origin,
}

/// Bytes of path and query that can be sent; what the `http` crate allows.
const MAX_REQUEST_TARGET: usize = u16::MAX as usize - 1;

/// Why a text is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// A scheme other than http and https, or, as in `localhost:6666`, a host name where a scheme belongs.
    Scheme {
        /// The URL without what could be a secret.
        url: String,
    },
    /// No absolute URL: relative, without a host, or against the URL standard.
    Malformed {
        /// The URL without what could be a secret.
        url: String,
        /// What the URL standard calls the problem.
        reason: String,
    },
}

impl Target {
    /// Parses an absolute URL by the URL standard (<https://url.spec.whatwg.org>).
    ///
    /// # Errors
    ///
    /// See [`TargetError`]. Control characters are refused, not stripped as the standard allows: a URL with a line break
    /// inside is a mistake or an attack.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let malformed = |reason: &str| TargetError::Malformed { url: redact(text), reason: reason.to_owned() };
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(malformed("control character"));
        }
        let url = Url::parse(text).map_err(|error| match error {
            ParseError::RelativeUrlWithoutBase => malformed("relative URL without a scheme"),
            other => malformed(&other.to_string()),
        })?;
        Self::from_url(url)
    }

    /// Resolves a `Location` (RFC 9110 §10.2.2) against this URL. The fragment is dropped: it is never sent.
    pub(crate) fn join(&self, location: &str) -> Result<Self, TargetError> {
        let mut url = self
            .url
            .join(location)
            .map_err(|error| TargetError::Malformed { url: redact(location), reason: error.to_string() })?;
        url.set_fragment(None);
        Self::from_url(url)
    }

    fn from_url(url: Url) -> Result<Self, TargetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme { url: redact(url.as_str()) });
        }
        if url[Position::BeforePath..Position::AfterQuery].len() > MAX_REQUEST_TARGET {
            return Err(TargetError::Malformed { url: redact(url.as_str()), reason: "too long".to_owned() });
        }
        let origin = Origin::of(&url);
        Ok(Self { url: Arc::new(url), origin })
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL in the standard's own form, as it goes into the queue.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The URL without user name, password and fragment.
    pub fn without_user_info(&self) -> Cow<'_, str> {
        if self.url.username().is_empty() && self.url.password().is_none() && self.url.fragment().is_none() {
            return Cow::Borrowed(self.as_str());
        }
        let mut url = Url::clone(&self.url);
        // Both fail for a URL without a host only.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Cow::Owned(url.into())
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Adds an already encoded query string (see [`crate::query`]) behind the one that the URL has.
    pub fn append_query(&mut self, encoded: &str) {
        if encoded.is_empty() {
            return;
        }
        let query = match self.url.query() {
            Some(old) if !old.is_empty() => format!("{old}&{encoded}"),
            _ => encoded.to_owned(),
        };
        Arc::make_mut(&mut self.url).set_query(Some(&query));
    }
}

impl fmt::Debug for Target {
    /// Leaves out what could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&redact(self.as_str())).finish()
    }
}

/// Parses URLs one after the other, faster where one is the same as the one before: most queues go to few targets.
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

/// A URL as it may stand in a message: scheme, host and port, or the first segment where it has no scheme. User name and
/// password, path and query may be secrets. The URL may be too broken to tell which part is which: then in doubt without it.
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
