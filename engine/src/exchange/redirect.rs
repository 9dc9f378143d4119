//! Where a redirect leads (RFC 9110 §15.4), the way libcurl follows it.

use std::borrow::Cow;

use http::header::{self, HeaderName};
use http::{Method, StatusCode};

use crate::exchange::hop::Hop;
use crate::message::failure::{Failure, FailureKind};
use crate::message::outcome::Headers;

/// Fields that describe the body, and are dropped with it.
const CONTENT_FIELDS: [HeaderName; 4] =
    [header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LOCATION, header::CONTENT_TYPE];

/// Fields that are meant for one origin only.
const ORIGIN_FIELDS: [HeaderName; 4] =
    [header::AUTHORIZATION, header::COOKIE, header::HOST, header::PROXY_AUTHORIZATION];

/// The `Location` of a redirect, as it came. libcurl follows any status from 300 to 399.
pub(crate) fn location(status: StatusCode, headers: &Headers) -> Option<Cow<'_, [u8]>> {
    if !status.is_redirection() {
        return None;
    }
    headers.all_bytes("location").find(|location| !location.is_empty())
}

/// Turns a hop into the one that a redirect asks for.
///
/// POST becomes GET on 301, 302 and 303, any other method except HEAD on 303 only. Fields that are meant for one
/// origin are not sent to another, and stay off if a later hop comes back.
pub(crate) fn follow(hop: Hop, status: StatusCode, location: &[u8]) -> Result<Hop, Failure> {
    let target = hop.target.join(location).map_err(|_| Failure::new(FailureKind::BadRedirect))?;
    let leaves_origin = target.origin() != hop.target.origin();
    let mut next = Hop { target, ..hop };
    let becomes_get = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => next.method == Method::POST,
        StatusCode::SEE_OTHER => next.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body.clear();
        next.headers.retain(|field| !CONTENT_FIELDS.contains(&field.name));
    }
    if leaves_origin {
        next.headers.retain(|field| !ORIGIN_FIELDS.contains(&field.name));
        next.adopt_user_info();
    }
    Ok(next)
}
