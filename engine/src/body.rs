//! Reads the body of a reply.

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::account::Account;

/// Why a body was not read to its end.
pub(crate) enum ReadError {
    /// It is longer than allowed.
    TooLarge,
    /// The connection broke.
    Broken(hyper::Error),
}

/// Reserved at most before a byte has come: a declared length is only a promise.
const MAX_RESERVED: u64 = 64 << 10;

/// Bytes of a body nobody wants that are read so that the connection can be used again.
const MAX_SKIPPED: usize = 64 << 10;

/// Reads the whole body, of at most `max_bytes`, as fast as there is memory for it.
pub(crate) async fn read(
    body: &mut Incoming,
    max_bytes: usize,
    account: &mut Account<'_>,
) -> Result<Vec<u8>, ReadError> {
    let declared = body.size_hint().lower();
    if declared > max_bytes as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(declared.min(MAX_RESERVED) as usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(ReadError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > max_bytes - bytes.len() {
            return Err(ReadError::TooLarge);
        }
        if !account.covers(bytes.len() + data.len()) {
            account.cover(bytes.len() + data.len()).await;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads a short body to its end; false where it is not short, or does not end well.
pub(crate) async fn skip(body: &mut Incoming) -> bool {
    if body.size_hint().lower() > MAX_SKIPPED as u64 {
        return false;
    }
    let mut skipped = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        skipped += frame.data_ref().map_or(0, |data| data.len());
        if skipped > MAX_SKIPPED {
            return false;
        }
    }
    true
}
