use std::io::{self, BufRead, ErrorKind, Read};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::Source;

/// Brotli (RFC 7932). The crate's own reader admits windows that the content coding does not.
pub(super) struct Decoder {
    source: Source,
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    produced: usize,
    done: bool,
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        let [bytes, words, codes] = [StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default()];
        Self { source, state: BrotliState::new_strict(bytes, words, codes), produced: 0, done: false }
    }
}

impl Read for Decoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buf.is_empty() {
            let input = self.source.fill_buf()?;
            let at_end = input.is_empty();
            let (mut input_left, mut taken) = (input.len(), 0);
            let (mut room, mut written) = (buf.len(), 0);
            let result = BrotliDecompressStream(
                &mut input_left,
                &mut taken,
                input,
                &mut room,
                &mut written,
                buf,
                &mut self.produced,
                &mut self.state,
            );
            self.source.consume(taken);
            match result {
                BrotliResult::ResultSuccess => self.done = true,
                BrotliResult::ResultFailure => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "corrupt brotli stream"));
                }
                BrotliResult::NeedsMoreInput if at_end && written == 0 => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "incomplete brotli stream"));
                }
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}
