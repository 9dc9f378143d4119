//! What OpenSSL's errors mean.

use std::error::Error;
use std::ffi::c_int;
use std::{fmt, io};

use openssl::error::ErrorStack;
use openssl::ssl;

use crate::message::failure::{Failure, FailureKind};
use crate::transport::tls::tls_stream::HandshakeError;
use crate::transport::tls::trust::Verification;

/// What OpenSSL adds to an alert's number (RFC 8446 §6) to make a reason of it.
const ALERT: c_int = 1000;
/// `handshake_failure`, `bad_certificate`, `unsupported_certificate`, `certificate_revoked`, `certificate_expired`,
/// `certificate_unknown`, `unknown_ca`, `access_denied`, `certificate_required`. Of a server that has shown its certificate there
/// is agreement on all else, so that even the first of these speaks of ours (RFC 5246 §7.4.6).
const REFUSALS: [c_int; 9] = [40, 42, 43, 44, 45, 46, 48, 49, 116];
/// The connection ended without TLS's word that there is nothing more.
const UNEXPECTED_EOF: c_int = 294;

/// A server that refuses our certificate, or misses one. Over TLS 1.3 it says so after the handshake.
#[derive(Debug)]
pub(crate) struct CertificateRefused(&'static str);

impl CertificateRefused {
    /// What an error that was met on a connection says of it.
    pub(crate) fn in_error(error: &io::Error) -> Option<&'static str> {
        error.get_ref()?.downcast_ref::<Self>().map(|refused| refused.0)
    }

    /// `reason` is OpenSSL's word for the alert.
    pub(crate) fn failure(reason: &str) -> Failure {
        Failure::new(FailureKind::ClientCertificateRefused).with_detail(format_args!("the server says: {reason}"))
    }
}

impl fmt::Display for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for CertificateRefused {}

/// An error of a connection whose handshake is over, as those above it know it.
pub(crate) fn of_stream(error: io::Error) -> io::Error {
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<ssl::Error>()) else { return error };
    if let Some(refusal) = refusal(cause) {
        return refusal;
    }
    match cause.ssl_error() {
        Some(stack) if stack.errors().iter().any(|error| error.reason_code() == UNEXPECTED_EOF) => unexpected_end(),
        Some(stack) => io::Error::other(reasons(stack)),
        None => error,
    }
}

/// The error of a server that refuses our certificate after the handshake.
pub(crate) fn refusal(error: &ssl::Error) -> Option<io::Error> {
    refusing_alert(error.ssl_error()?)
        .map(|reason| io::Error::new(io::ErrorKind::PermissionDenied, CertificateRefused(reason)))
}

/// Why there is no connection.
pub(crate) fn of_handshake(
    HandshakeError { error, knows_server }: HandshakeError,
    verification: Option<&Verification>,
) -> Failure {
    if let Some(fault) = verification.and_then(Verification::fault) {
        return Failure::new(FailureKind::Certificate).with_detail(fault);
    }
    let failure = Failure::new(FailureKind::TlsHandshake);
    match (error.ssl_error(), error.io_error()) {
        (Some(stack), _) => match refusing_alert(stack).filter(|_| knows_server) {
            Some(reason) => CertificateRefused::failure(reason),
            None => failure.with_detail(reasons(stack)),
        },
        (None, Some(error)) => failure.with_detail(error),
        (None, None) => failure.with_detail("the connection ended"),
    }
}

/// The alert by which a server refuses our certificate, in OpenSSL's words.
fn refusing_alert(stack: &ErrorStack) -> Option<&'static str> {
    stack.errors().iter().find_map(|error| {
        let refuses = REFUSALS.contains(&(error.reason_code() - ALERT));
        // OpenSSL says first in which version an alert is known, which is not the one that is spoken.
        let reason = error.reason().filter(|_| refuses)?;
        Some(reason.split_once(" alert ").map_or(reason, |(_, alert)| alert))
    })
}

/// The error of a connection that was cut off by the server or on its way.
pub(crate) fn unexpected_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended without TLS's word for it")
}

/// OpenSSL's words for what went wrong, the first cause first.
pub(crate) fn reasons(stack: &ErrorStack) -> String {
    let mut reasons = stack.errors().iter().filter_map(|error| error.reason()).collect::<Vec<_>>();
    reasons.dedup();
    if reasons.is_empty() { "OpenSSL does not say why".to_owned() } else { reasons.join(", ") }
}
