use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::Source;

/// gzip (RFC 1952): one member after another.
pub(super) struct Decoder(GzDecoder<Source>);

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self(GzDecoder::new(source))
    }
}

impl Read for Decoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buf)?;
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            // What follows a member and is no other one is passed over, as libcurl and browsers do: some servers pad.
            if self.0.get_mut().fill_buf()?.first() != Some(&0x1f) {
                return Ok(0);
            }
            let rest = std::mem::replace(self.0.get_mut(), Box::new(io::empty()));
            self.0 = GzDecoder::new(rest);
        }
    }
}
