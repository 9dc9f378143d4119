use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::{MAX_EMPTY, Source};

/// gzip (RFC 1952): one member after another.
pub(super) struct Decoder {
    member: GzDecoder<Source>,
    /// Members without a byte in them, up to here.
    empty: u32,
    /// Whether the member has given a byte.
    has_given: bool,
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self { member: GzDecoder::new(source), empty: 0, has_given: false }
    }
}

impl Read for Decoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.member.read(buf)?;
            if read > 0 || buf.is_empty() {
                self.has_given |= read > 0;
                return Ok(read);
            }
            // What follows a member and is no other one is passed over, as libcurl and browsers do: some servers pad.
            if self.member.get_mut().fill_buf()?.first() != Some(&0x1f) {
                return Ok(0);
            }
            self.empty = if self.has_given { 0 } else { self.empty + 1 };
            if self.empty > MAX_EMPTY {
                return Err(io::Error::new(ErrorKind::InvalidData, "too many empty gzip members"));
            }
            self.has_given = false;
            let rest = std::mem::replace(self.member.get_mut(), Box::new(io::empty()));
            self.member = GzDecoder::new(rest);
        }
    }
}
