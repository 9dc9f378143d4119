//! Reads the body of a reply.

use http_body_util::BodyExt;
use hyper::body::Body;

use crate::memory::body_meter::BodyMeter;
use crate::trace::progress::Progress;
use crate::transport::reply_body::{BodyError, ReplyBody};

/// Why a body was not read to its end.
pub(crate) enum ReadError {
    /// It is longer than allowed.
    TooLarge,
    /// The connection broke.
    Broken(BodyError),
}

/// Reserved at most before a byte has come: a declared length may be wrong.
const MAX_RESERVED: u64 = 64 << 10;

/// Bytes of an unwanted body that are read so that the connection can be used again.
const MAX_SKIPPED: usize = 64 << 10;

/// Reads the whole body, of at most `max_bytes`, as fast as there is memory for it. Until it is whole, what has come
/// stands in `progress`.
pub(crate) async fn read(
    body: &mut ReplyBody,
    max_bytes: usize,
    meter: &mut BodyMeter<'_>,
    progress: &Progress,
) -> Result<Vec<u8>, ReadError> {
    let declared = body.size_hint().lower();
    if declared > max_bytes as u64 {
        return Err(ReadError::TooLarge);
    }
    progress.received().body = Vec::with_capacity(declared.min(MAX_RESERVED) as usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(ReadError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        let before = progress.received().body.len();
        if data.len() > max_bytes - before {
            return Err(ReadError::TooLarge);
        }
        if !meter.covers(before + data.len()) {
            meter.cover(before + data.len()).await;
        }
        progress.received().body.extend_from_slice(&data);
    }
    Ok(std::mem::take(&mut progress.received().body))
}

/// Reads a short body to its end. False if it is not short, or does not end well.
pub(crate) async fn skip(body: &mut ReplyBody) -> bool {
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
