//! Undoes the content codings of a body (RFC 9110 §8.4), within bounds.

mod brotli;
mod deflate;
mod gzip;
mod zstd;

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderValue;
use tokio::task::yield_now;

use crate::memory::body_meter::BodyMeter;
use crate::message::outcome::Headers;

/// `Accept-Encoding` of the requests whose replies are decompressed.
pub(crate) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip, deflate, br, zstd");

/// Codings that one body may have, the same number as in libcurl. Each costs time and a window of memory.
const MAX_STACKED: usize = 5;

/// How often a decoder is called, for at most a buffer of plain bytes each time, before the thread turns to other
/// requests.
const CALLS_A_TURN: usize = 8;

/// Empty members or frames that may follow each other. Encoders write one at most; millions of them, each of a few
/// bytes, would keep the thread busy for seconds.
const MAX_EMPTY: u32 = 100;

/// The body, or what is between two of its codings, is longer than allowed.
#[derive(Debug)]
pub(crate) struct TooLarge;

/// Why codings were not undone.
enum UndoError {
    TooLarge,
    /// The body is not in the coding that the reply names. The text says more.
    Corrupt(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Where a decoder reads from.
type Source = Box<dyn BufRead>;

/// Whether a reply says that its body is encoded.
pub(crate) fn is_coded(headers: &Headers) -> bool {
    headers.get("content-encoding").is_some()
}

/// The body without its codings; or, if it is not in them, as it came, with a text that says why.
///
/// A body with an unknown coding stays as it is, too: the header says what it is in. So does an empty body, which
/// many servers mark as encoded.
pub(crate) async fn undo(
    body: Vec<u8>,
    headers: &Headers,
    max_bytes: usize,
    meter: &mut BodyMeter<'_>,
) -> Result<(Vec<u8>, Option<Box<str>>), TooLarge> {
    let Some(codings) = codings(headers) else { return Ok((body, None)) };
    if body.is_empty() || codings.is_empty() {
        return Ok((body, None));
    }
    let body = Bytes::from(body);
    match undo_all(&codings, body.clone(), max_bytes, meter).await {
        Ok(plain) => Ok((plain, None)),
        Err(UndoError::TooLarge) => Err(TooLarge),
        Err(UndoError::Corrupt(why)) => Ok((body.into(), Some(why))),
    }
}

async fn undo_all(
    codings: &[Coding],
    body: Bytes,
    max_bytes: usize,
    meter: &mut BodyMeter<'_>,
) -> Result<Vec<u8>, UndoError> {
    if codings.len() > MAX_STACKED {
        return Err(UndoError::Corrupt(format!("more than {MAX_STACKED} content codings").into()));
    }
    let coded = body.len();
    let windows = codings.iter().map(|coding| coding.window()).sum::<usize>();
    // A single decoder remembers no more than what it has given.
    let remembered = |given: usize| if codings.len() == 1 { windows.min(given) } else { windows };
    let too_large = Rc::new(Cell::new(false));
    let failed = |error: io::Error| match too_large.get() {
        true => UndoError::TooLarge,
        false => UndoError::Corrupt(error.to_string().into()),
    };
    let mut source: Source = Box::new(Cursor::new(body));
    // They stand in the order in which they were applied.
    for coding in codings.iter().rev() {
        let decoder = coding.decoder(source).map_err(failed)?;
        source = Box::new(Bounded { source: BufReader::new(decoder), left: max_bytes, exceeded: too_large.clone() });
    }
    let mut plain = Vec::new();
    loop {
        for _ in 0..CALLS_A_TURN {
            let bytes = source.fill_buf().map_err(failed)?;
            if bytes.is_empty() {
                return Ok(plain);
            }
            let given = plain.len() + bytes.len();
            let needed = coded + given + remembered(given);
            if !meter.covers(needed) {
                meter.cover(needed).await;
            }
            plain.extend_from_slice(bytes);
            let taken = bytes.len();
            source.consume(taken);
        }
        yield_now().await;
    }
}

/// The codings that the header names, in the order in which they were applied; none if one is unknown.
fn codings(headers: &Headers) -> Option<Vec<Coding>> {
    let fields = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
    let names = fields.flat_map(|(_, value)| value.split(',')).map(str::trim);
    let named = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
    named.map(Coding::from_name).collect()
}

impl Coding {
    fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The most that a decoder remembers of what it has given.
    fn window(self) -> usize {
        match self {
            Self::Gzip | Self::Deflate => 32 << 10,
            Self::Brotli => 16 << 20,
            Self::Zstd => 8 << 20,
        }
    }

    fn decoder(self, source: Source) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Gzip => Box::new(gzip::Decoder::new(source)),
            Self::Deflate => deflate::decoder(source)?,
            Self::Brotli => Box::new(brotli::Decoder::new(source)),
            Self::Zstd => Box::new(zstd::Decoder::new(source)),
        })
    }
}

/// Fails beyond a number of bytes. The output of each coding is bounded: what lies between two codings takes no
/// memory, but time, and could be a thousand times as long as the final body.
struct Bounded<R> {
    source: BufReader<R>,
    left: usize,
    exceeded: Rc<Cell<bool>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.source.fill_buf()?;
        if bytes.len() > self.left {
            // Some decoders hide the error of their source.
            self.exceeded.set(true);
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.left -= amount;
        self.source.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::address::target::Target;
    use crate::memory::budget::Budget;
    use crate::trace::progress::Progress;

    fn named(values: &[&str]) -> Option<Vec<Coding>> {
        let mut headers = Headers::default();
        for value in values {
            headers.push(b"Content-Encoding", value.as_bytes());
        }
        codings(&headers)
    }

    #[test]
    fn codings_are_read_from_all_fields_in_their_order() {
        assert_eq!(named(&["GZIP"]), Some(vec![Coding::Gzip]));
        assert_eq!(named(&["deflate , br", "x-gzip"]), Some(vec![Coding::Deflate, Coding::Brotli, Coding::Gzip]));
        assert_eq!(named(&["identity, zstd,,"]), Some(vec![Coding::Zstd]));
        assert_eq!(named(&[""]), Some(vec![]));
        assert_eq!(named(&["gzip, aws-chunked"]), None);
    }

    const ROUNDS: usize = 3000;

    /// A generator of numbers that look random and are the same each time (splitmix64).
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 0u64;
        move |below| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % below as u64) as usize
        }
    }

    #[test]
    fn what_is_damaged_is_text_or_an_error_and_within_the_limit() {
        const LIMIT: usize = 100_000;
        let plain = "to be, or not to be, that is the question: ".repeat(20);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        io::Write::write_all(&mut gzip, plain.as_bytes()).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        io::Write::write_all(&mut zlib, plain.as_bytes()).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(plain.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        let brotli =
            b"\x1b#\x00\x00\xc4ml]\xfd\xe2\x1d>!\x08\xa2\x1cD\x91\xa1J\xf0\x9c\x1e\x85\xdc\xfe\xd4\x10\x01".to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut number = numbers();
        let target = Target::parse("http://a/").unwrap();
        let budget = Budget::new(usize::MAX);
        let progress = Progress::start(Duration::MAX, target.clone(), None);
        for (name, whole) in
            [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("zstd", zstd), ("br", brotli)]
        {
            let mut headers = Headers::default();
            headers.push(b"Content-Encoding", name.as_bytes());
            for _ in 0..ROUNDS {
                let mut body = whole.clone();
                for _ in 0..=number(4) {
                    let at = number(body.len());
                    match number(3) {
                        0 => body[at] ^= 1 << number(8),
                        1 => body[at] = number(256) as u8,
                        _ => drop(body.splice(at..at, [number(256) as u8, number(256) as u8])),
                    }
                }
                let mut meter = BodyMeter::new(&budget, target.origin(), &progress);
                match runtime.block_on(undo(body.clone(), &headers, LIMIT, &mut meter)) {
                    Ok((plain, None)) => assert!(plain.len() <= LIMIT),
                    Ok((as_it_came, Some(_))) => assert_eq!(as_it_came, body),
                    Err(TooLarge) => {}
                }
            }
        }
    }
}
