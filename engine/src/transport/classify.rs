//! Which kind of failure an error of a lower layer is.
//!
//! Where there is a choice, it is the one of libcurl: users match on its sentences.

use std::error::Error;
use std::io;

use crate::message::failure::{Failure, FailureKind};
use crate::transport::reply::Resend;
use crate::transport::wire_tap::Faults;

/// The last error of the chain of causes: the one that says what happened.
pub(crate) fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}

/// An exchange over HTTP/1.1 that ended before the head of the reply was complete.
///
/// A head that breaks off in its middle is a partial reply.
pub(crate) fn no_reply(error: &hyper::Error, received: bool, faults: Faults) -> Failure {
    let kind = if error.is_parse() {
        FailureKind::WeirdReply
    } else if faults.write.is_some() {
        FailureKind::Send
    } else if faults.read.is_some_and(|kind| kind != io::ErrorKind::UnexpectedEof) {
        FailureKind::Receive
    } else if received {
        FailureKind::Partial
    } else {
        FailureKind::NoReply
    };
    Failure::new(kind).with_detail(root(error))
}

/// A reply over HTTP/1.1 that ended in its body.
pub(crate) fn broken_body(error: &hyper::Error, faults: Faults) -> Failure {
    let cut = faults.read.map_or_else(
        || io_cause(error).is_none_or(|cause| cause.kind() == io::ErrorKind::UnexpectedEof),
        |kind| kind == io::ErrorKind::UnexpectedEof,
    );
    let kind = if cut { FailureKind::Partial } else { FailureKind::Receive };
    Failure::new(kind).with_detail(root(error))
}

/// An HTTP/2 stream, or its whole connection, that ended before the reply did.
pub(crate) fn broken_stream(error: &h2::Error, in_body: bool) -> Failure {
    let kind = match (error.get_io().is_some_and(is_end), in_body) {
        (true, true) => FailureKind::Partial,
        (true, false) => FailureKind::NoReply,
        (false, _) => FailureKind::Receive,
    };
    Failure::new(kind).with_detail(error)
}

/// What an HTTP/2 error of a server says about a request that the server has not processed (RFC 9113 §6.8, §8.7);
/// none if it may have.
///
/// h2 ends a stream with the GOAWAY of the server only if its number is above those that may have been processed.
pub(crate) fn unprocessed(error: &h2::Error) -> Option<Resend> {
    let over_http1 = error.reason() == Some(h2::Reason::HTTP_1_1_REQUIRED);
    match error.reason() {
        _ if !error.is_remote() => None,
        _ if error.is_go_away() && over_http1 => Some(Resend::OverHttp1 { unprocessed: true }),
        // With an error code, it goes away because of what it was sent, perhaps on another stream.
        Some(reason) if error.is_go_away() => Some(Resend::Refused { for_now: reason != h2::Reason::NO_ERROR }),
        Some(h2::Reason::HTTP_1_1_REQUIRED) => Some(Resend::OverHttp1 { unprocessed: false }),
        Some(h2::Reason::REFUSED_STREAM) => Some(Resend::Refused { for_now: true }),
        _ => None,
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe)
}

fn io_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
