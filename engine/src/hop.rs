use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::uri::{Authority, Uri};
use http::{HeaderMap, Method};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use crate::client::Settings;
use crate::coding;
use crate::connection::Forwarding;
use crate::failure::{Failure, FailureKind};
use crate::request::Request;
use crate::target::Target;

/// One step on a request's way: what is sent to where. Without redirects there is one.
pub(crate) struct Hop {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Hop {
    pub(crate) fn first(request: Request) -> Self {
        let Request { method, target, headers, body, .. } = request;
        let mut hop = Self { method, target, headers, body };
        hop.adopt_user_info();
        hop
    }

    /// Turns user name and password of the URL into `Authorization: Basic` (RFC 7617), unless there is one.
    pub(crate) fn adopt_user_info(&mut self) {
        if !self.has(&header::AUTHORIZATION)
            && let Some(value) = basic_authorization(self.target.url())
        {
            self.headers.push((header::AUTHORIZATION, value));
        }
    }

    /// Whether a compressed reply is asked for, and so decompressed.
    ///
    /// A caller who sets `Accept-Encoding` wants the body as it comes, as with libcurl. A range is one of the bytes that
    /// are sent, and a part of a compressed body is none that could be decompressed.
    pub(crate) fn accepts_codings(&self, settings: &Settings) -> bool {
        settings.policy.accept_encoding && !self.has(&header::ACCEPT_ENCODING) && !self.has(&header::RANGE)
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(have, _)| have == name)
    }

    /// The message for HTTP/1.1: the target in origin form (RFC 9112 §3.2.1), the authority in `Host`.
    pub(crate) fn http1_message(&self, settings: &Settings) -> Result<http::Request<Full<Bytes>>, Failure> {
        let uri = self.path_and_query().parse::<Uri>();
        self.message(uri, self.http1_fields()?, settings)
    }

    /// The message for a proxy that forwards it: the target in absolute form (RFC 9112 §3.2.2).
    pub(crate) fn forwarded_message(
        &self,
        settings: &Settings,
        proxy: &Forwarding,
    ) -> Result<http::Request<Full<Bytes>>, Failure> {
        let mut fields = self.http1_fields()?;
        if let Some(authorization) = &proxy.authorization
            && !self.has(&header::PROXY_AUTHORIZATION)
        {
            fields.insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        let url = self.target.url();
        let (start, end) = (&url[..Position::BeforeUsername], &url[Position::BeforeHost..Position::AfterQuery]);
        self.message(format!("{start}{end}").parse::<Uri>(), fields, settings)
    }

    fn http1_fields(&self) -> Result<HeaderMap, Failure> {
        let mut fields = HeaderMap::with_capacity(self.headers.len() + 5);
        if !self.has(&header::HOST) {
            fields.insert(header::HOST, self.authority()?);
        }
        Ok(fields)
    }

    /// The message for HTTP/2: the authority, or the user's `Host`, is part of the target (RFC 9113 §8.3.1).
    pub(crate) fn http2_message(&self, settings: &Settings) -> Result<http::Request<Full<Bytes>>, Failure> {
        let host = self.headers.iter().find(|(name, _)| *name == header::HOST);
        let host = host.map(|(_, value)| value.clone()).map_or_else(|| self.authority(), Ok)?;
        let authority = Authority::try_from(host.as_bytes());
        let uri = Uri::builder().scheme(self.target.url().scheme()).path_and_query(self.path_and_query());
        let uri = authority.map_err(http::Error::from).and_then(|authority| uri.authority(authority).build());
        let mut message = self.message(uri, HeaderMap::with_capacity(self.headers.len() + 4), settings)?;
        message.headers_mut().remove(header::HOST);
        Ok(message)
    }

    fn message<E>(
        &self,
        uri: Result<Uri, E>,
        mut fields: HeaderMap,
        settings: &Settings,
    ) -> Result<http::Request<Full<Bytes>>, Failure> {
        let uri = uri.map_err(|_| Failure::new(FailureKind::Invalid("The URL cannot be sent".into())))?;
        if let Some(user_agent) = &settings.user_agent
            && !self.has(&header::USER_AGENT)
        {
            fields.insert(header::USER_AGENT, user_agent.clone());
        }
        if !self.has(&header::ACCEPT) {
            fields.insert(header::ACCEPT, const { HeaderValue::from_static("*/*") });
        }
        if self.accepts_codings(settings) {
            fields.insert(header::ACCEPT_ENCODING, coding::ACCEPTED);
        }
        // A `100 Continue` can be asked for where there is something to go on with (RFC 9110 §10.1.1). It is not waited for.
        let in_vain = |name: &HeaderName| *name == header::EXPECT && self.body.is_empty();
        // A blank field is there to keep out the default of its name.
        for (name, value) in self.headers.iter().filter(|(name, value)| !value.is_empty() && !in_vain(name)) {
            fields.append(name, value.clone());
        }
        // Where there is a body, hyper tells its length. A method that expects one says so when there is none
        // (RFC 9110 §8.6).
        if self.body.is_empty() && matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            fields.insert(header::CONTENT_LENGTH, const { HeaderValue::from_static("0") });
        }
        let mut message = http::Request::new(Full::new(self.body.clone()));
        *message.method_mut() = self.method.clone();
        *message.uri_mut() = uri;
        *message.headers_mut() = fields;
        Ok(message)
    }

    pub(crate) fn path_and_query(&self) -> &str {
        &self.target.url()[Position::BeforePath..Position::AfterQuery]
    }

    pub(crate) fn authority(&self) -> Result<HeaderValue, Failure> {
        HeaderValue::from_str(&self.target.url()[Position::BeforeHost..Position::AfterPort])
            .map_err(|_| Failure::new(FailureKind::Invalid("The URL's host cannot be sent".into())))
    }
}

fn basic_authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials = percent_decode_str(url.username()).collect::<Vec<u8>>();
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(credentials))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
