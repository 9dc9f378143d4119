use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderMap, Method};
use http_body_util::Full;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::address::target::Target;
use crate::exchange::coding;
use crate::message::failure::{Failure, FailureKind};
use crate::message::header::Field;
use crate::message::request::Request;
use crate::pool::client::Settings;
use crate::pool::connection::Forwarding;
use crate::transport::credentials::Credentials;
use crate::transport::outgoing_request::OutgoingRequest;

/// What the `http` crate does not take in a path, or in a query. Over HTTP/2 it goes out percent-encoded.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS.add(b'<').add(b'>').add(b'`');
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b'"').add(b'<').add(b'>');

/// Bytes that the head of an ordinary request has besides what its caller gives.
const USUAL_HEAD: usize = 160;

/// One step of a request: what is sent, and where. Without redirects there is one.
pub(crate) struct Hop {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: Vec<Field>,
    /// `Authorization` made of user name and password of the URL, unless the caller set one.
    pub(crate) user_info: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

impl Hop {
    pub(crate) fn first(request: Request) -> Self {
        let Request { method, target, headers, body, .. } = request;
        let mut hop = Self { method, target, headers, user_info: None, body };
        hop.adopt_user_info();
        hop
    }

    /// Turns user name and password of the URL into `Authorization: Basic` (RFC 7617), unless the caller set one.
    pub(crate) fn adopt_user_info(&mut self) {
        self.user_info = None;
        if self.target.has_user_info() && !self.has(&header::AUTHORIZATION) {
            self.user_info = Credentials::in_url(self.target.url()).basic();
        }
    }

    /// Whether to ask for a compressed reply.
    pub(crate) fn accepts_codings(&self, settings: &Settings) -> bool {
        settings.policy.accept_encoding && self.undoes_codings()
    }

    /// Whether to decompress the reply.
    ///
    /// A caller who sets `Accept-Encoding` gets the body as it comes, as with libcurl. A range counts the bytes that
    /// are sent, and a part of a compressed body cannot be decompressed.
    pub(crate) fn undoes_codings(&self) -> bool {
        !self.has(&header::ACCEPT_ENCODING) && !self.has(&header::RANGE)
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|field| field.name == name)
    }

    /// The message for HTTP/1.1: the target in origin form (RFC 9112 §3.2.1), or, for a proxy that forwards it, in absolute form
    /// (§3.2.2).
    ///
    /// The fields stand in the order in which libcurl writes them: `Host` first, what is ours before what is the caller's, and
    /// the length last.
    pub(crate) fn http1_message(&self, settings: &Settings, proxy: Option<&Forwarding>) -> OutgoingRequest {
        let given = self.headers.iter().map(|field| field.written().len() + field.value.len() + 4).sum::<usize>();
        let mut head = Vec::with_capacity(USUAL_HEAD + self.target.as_str().len() + given);
        let mut push = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
        push(&[self.method.as_str().as_bytes(), b" "]);
        if proxy.is_some() {
            push(&[self.target.url().scheme().as_bytes(), b"://", self.target.host_field().as_bytes()]);
        }
        push(&[self.target.path_and_query().as_bytes(), b" HTTP/1.1\r\nHost: "]);
        let host = self.headers.iter().find(|field| field.name == header::HOST);
        push(&[host.map_or(self.target.host_field().as_bytes(), |field| field.value.as_bytes()), b"\r\n"]);
        let login = proxy.and_then(|proxy| proxy.authorization.as_ref());
        if let Some(value) = login.filter(|_| !self.has(&header::PROXY_AUTHORIZATION)) {
            push(&[b"Proxy-Authorization: ", value.as_bytes(), b"\r\n"]);
        }
        if let Some(value) = &self.user_info {
            push(&[b"Authorization: ", value.as_bytes(), b"\r\n"]);
        }
        if !self.has(&header::ACCEPT) {
            push(&[b"Accept: */*\r\n"]);
        }
        if self.accepts_codings(settings) {
            push(&[b"Accept-Encoding: ", coding::ACCEPTED.as_bytes(), b"\r\n"]);
        }
        for field in self.given() {
            push(&[field.written().as_bytes(), b": ", field.value.as_bytes(), b"\r\n"]);
        }
        if let Some(user_agent) = settings.user_agent.as_ref().filter(|_| !self.has(&header::USER_AGENT)) {
            push(&[b"User-Agent: ", user_agent.as_bytes(), b"\r\n"]);
        }
        if let Some(length) = self.content_length() {
            push(&[b"Content-Length: ", length.to_string().as_bytes(), b"\r\n"]);
        }
        push(&[b"\r\n"]);
        self.message(head)
    }

    /// The message for HTTP/2: the authority, or the user's `Host`, is part of the target (RFC 9113 §8.3.1).
    pub(crate) fn http2_message(&self, settings: &Settings) -> Result<OutgoingRequest, Failure> {
        let unsendable = |what: &str| Failure::new(FailureKind::Invalid(format!("The {what} cannot be sent").into()));
        let host = self.headers.iter().find(|field| field.name == header::HOST);
        let host = host.map_or(self.target.host_field().as_bytes(), |field| field.value.as_bytes());
        let authority = Authority::try_from(host).map_err(|_| unsendable("URL's host"))?;
        let path = PathAndQuery::try_from(&*self.http2_path()).map_err(|_| unsendable("URL"))?;
        let uri = Uri::builder().scheme(self.target.url().scheme()).authority(authority).path_and_query(path).build();
        let mut fields = HeaderMap::with_capacity(self.headers.len() + 5);
        if let Some(value) = &self.user_info {
            fields.insert(header::AUTHORIZATION, value.clone());
        }
        if !self.has(&header::ACCEPT) {
            fields.insert(header::ACCEPT, const { HeaderValue::from_static("*/*") });
        }
        if self.accepts_codings(settings) {
            fields.insert(header::ACCEPT_ENCODING, coding::ACCEPTED);
        }
        for field in self.given() {
            fields.append(&field.name, trimmed(&field.value));
        }
        if let Some(user_agent) = settings.user_agent.as_ref().filter(|_| !self.has(&header::USER_AGENT)) {
            fields.insert(header::USER_AGENT, user_agent.clone());
        }
        if let Some(length) = self.content_length() {
            fields.insert(header::CONTENT_LENGTH, length.into());
        }
        let mut message = self.message(Vec::new());
        *message.request.uri_mut() = uri.map_err(|_| unsendable("URL"))?;
        *message.request.headers_mut() = fields;
        Ok(message)
    }

    fn message(&self, head: Vec<u8>) -> OutgoingRequest {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        OutgoingRequest { request, head, body_bytes: self.body.len() }
    }

    /// The fields of the caller that are sent, except `Host`. A blank field only keeps out the default of its name.
    /// `100 Continue` can be asked for if there is a body to go on with (RFC 9110 §10.1.1); the engine does not wait
    /// for it.
    fn given(&self) -> impl Iterator<Item = &Field> {
        let in_vain = |field: &Field| field.name == header::EXPECT && self.body.is_empty();
        self.headers
            .iter()
            .filter(move |field| !field.value.is_empty() && field.name != header::HOST && !in_vain(field))
    }

    /// A method that expects a body says so even if there is none (RFC 9110 §8.6).
    fn content_length(&self) -> Option<usize> {
        let expects_body = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        (expects_body || !self.body.is_empty()).then_some(self.body.len())
    }

    /// Path and query as they can be sent over HTTP/2.
    pub(crate) fn http2_path(&self) -> Cow<'_, str> {
        let sent = self.target.path_and_query();
        if !sent.contains(['<', '>', '`', '"']) {
            return Cow::Borrowed(sent);
        }
        let (path, query) = sent.split_at(sent.find('?').unwrap_or(sent.len()));
        let path = utf8_percent_encode(path, NOT_IN_A_PATH);
        path.chain(utf8_percent_encode(query, NOT_IN_A_QUERY)).collect::<String>().into()
    }
}

/// A value without white space around it, which HTTP/2 does not allow (RFC 9113 §8.2.1).
fn trimmed(value: &HeaderValue) -> HeaderValue {
    let bytes = value.as_bytes();
    let inner = bytes.trim_ascii();
    if inner.len() == bytes.len() {
        return value.clone();
    }
    HeaderValue::from_bytes(inner).unwrap_or_else(|_| value.clone())
}
