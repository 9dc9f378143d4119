use std::io::{self, BufRead, ErrorKind, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{MAX_EMPTY, Source};

/// The longest window that the content coding admits (RFC 9659).
const MAX_WINDOW: u64 = 8 << 20;

/// Zstandard (RFC 8878): one frame after another.
pub(super) struct Decoder {
    source: Source,
    frame: FrameDecoder,
    in_frame: bool,
    /// Frames begun since the last byte.
    fruitless: u32,
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_WINDOW);
        Self { source, frame, in_frame: false, fruitless: 0 }
    }

    /// Begins the next frame; false where there is none. Frames to be skipped are skipped.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            self.fruitless += 1;
            if self.fruitless > MAX_EMPTY {
                return Err(corrupt("too many empty zstd frames"));
            }
            match self.frame.init(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(corrupt("incomplete zstd frame"));
                    }
                }
                Err(error) => return Err(corrupt(error)),
            }
        }
        Ok(false)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.in_frame = false;
        match self.frame.get_checksum_from_data() {
            Some(sum) if self.frame.get_calculated_checksum() != Some(sum) => Err(corrupt("wrong zstd checksum")),
            _ => Ok(()),
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            let read = self.frame.read(buf)?;
            if read > 0 {
                self.fruitless = 0;
                return Ok(read);
            }
            if self.frame.is_finished() {
                self.end_frame()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.frame.decode_blocks(&mut self.source, one).map_err(corrupt)?;
            }
        }
    }
}

fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
