use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::address::origin::Origin;
use crate::address::target::Target;
use crate::egress::rule::RuleSet;
use crate::message::failure::Failure;
use crate::message::header::{self, Field};
use crate::message::key::Key;
use crate::message::method;

/// One request, checked and ready to be sent.
#[derive(Clone)]
pub struct Request {
    pub(crate) key: Key,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
    pub(crate) rules: Option<Arc<RuleSet>>,
    fields: header::Count,
    pub(crate) may_go_back: bool,
    pub(crate) at_most_once: bool,
}

impl Request {
    /// Checks the parts of a request.
    ///
    /// `method` is any token (RFC 9110 §9.1), upper-cased where it is one of the standard ones in other case. `timeout`
    /// covers the whole exchange, from the moment the engine starts on it.
    ///
    /// # Errors
    ///
    /// A [`FailureKind::Invalid`](crate::FailureKind::Invalid) failure that says which part was wrong.
    pub fn new(key: Key, method: &str, target: Target, body: Bytes, timeout: Duration) -> Result<Self, Failure> {
        let method = method::parse(method)
            .ok_or_else(|| Failure::invalid(format!("Unsupported request method: \"{}\"", method.escape_debug())))?;
        if timeout.is_zero() {
            return Err(Failure::invalid("The timeout must be at least 1 ms"));
        }
        Ok(Self {
            key,
            method,
            target,
            headers: Vec::new(),
            body,
            timeout,
            rules: None,
            may_go_back: false,
            at_most_once: false,
            fields: header::Count::default(),
        })
    }

    /// Appends a header field. Fields that describe the connection or the framing of the message belong to the engine
    /// and are left out. A field with a blank value is not sent, and neither is the default of that field; but there
    /// is always a `Host`.
    ///
    /// # Errors
    ///
    /// A [`FailureKind::Invalid`](crate::FailureKind::Invalid) failure that names the field, never with its value in
    /// it.
    pub fn push_header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let invalid = |error: header::HeaderError| Failure::invalid(error.to_string());
        let Some(field) = header::parse(name, value).map_err(invalid)? else { return Ok(()) };
        if field.value.is_empty() && field.name == http::header::HOST {
            return Ok(());
        }
        self.fields.add(&field.name).map_err(invalid)?;
        self.headers.push(field);
        Ok(())
    }

    /// Binds the request, and every redirect it follows, to rules on where it may go, besides those of the policy.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.rules = Some(rules);
    }

    /// Whether a header field of this name, in any case, was appended, even with a blank value.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|field| field.name == name)
    }

    /// Says that it has attempts left: while its origin is deferred it is not sent, but handed back to come again
    /// later.
    pub fn set_patient(&mut self) {
        self.may_go_back = true;
    }

    /// Has it sent once only, unless it is certain that the server processed nothing. Otherwise it is sent once more
    /// if a connection that was used before ends before a byte of the reply came: the server may have closed it at
    /// that moment.
    pub fn send_at_most_once(&mut self) {
        self.at_most_once = true;
    }

    /// The key it was made with.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The method that it goes out with.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The origin that it goes to first; redirects may lead elsewhere.
    pub fn origin(&self) -> &Origin {
        self.target.origin()
    }
}

impl fmt::Debug for Request {
    /// Leaves out what could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("key", &self.key)
            .field("method", &self.method)
            .field("origin", self.origin())
            .finish_non_exhaustive()
    }
}
