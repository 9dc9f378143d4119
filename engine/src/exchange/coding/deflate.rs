use std::io::{self, Cursor, Read};

use flate2::bufread::{DeflateDecoder, ZlibDecoder};

use super::Source;

/// deflate: in the zlib format (RFC 1950), as it should be, or raw (RFC 1951), as some servers send it.
pub(super) fn decoder(mut source: Source) -> io::Result<Box<dyn Read>> {
    let mut start = Vec::new();
    source.by_ref().take(2).read_to_end(&mut start)?;
    let zlib = has_zlib_header(&start);
    let source = Cursor::new(start).chain(source);
    Ok(if zlib { Box::new(ZlibDecoder::new(source)) } else { Box::new(DeflateDecoder::new(source)) })
}

/// Whether the first two bytes name the method 8 and bear their check (RFC 1950 §2.2).
fn has_zlib_header(start: &[u8]) -> bool {
    match start {
        &[method, flags] => method & 0x0f == 8 && u16::from_be_bytes([method, flags]) % 31 == 0,
        _ => false,
    }
}
