//! What FFmpeg writes: FLV, read back into pictures on the source's timeline.

use media::codec::Codec;
use media::{Frame, Timestamp};
use wire::flv::demux::{self, Demuxer, Event};
use wire::flv::file::{self, Reader};

/// Reads one child's output.
pub(super) struct Output {
    /// The source's time at the child's zero.
    zero: Timestamp,
    reader: Reader,
    demuxer: Demuxer,
}

/// What is in it.
#[derive(Debug, PartialEq)]
pub(crate) enum Made {
    /// Parameters of the pictures that follow.
    Codec(Codec),
    /// One picture.
    Picture(Frame),
}

/// It is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("its output is no FLV: {0}")]
    Framing(#[from] file::Error),
    #[error("its output cannot be read: {0}")]
    Media(#[from] demux::Error),
    #[error("its output is {0}, not H.264")]
    OtherCodec(&'static str),
}

impl Output {
    pub(super) fn new(zero: Timestamp) -> Self {
        Self { zero, reader: Reader::new(), demuxer: Demuxer::new() }
    }

    /// Takes the next bytes; what they complete goes to `made`.
    pub(super) fn handle_input(&mut self, bytes: &[u8], made: &mut Vec<Made>) -> Result<(), Error> {
        self.reader.handle_input(bytes);
        while let Some(tag) = self.reader.poll_tag()? {
            for event in self.demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
                match event? {
                    Event::Codec { codec: codec @ Codec::H264(_), .. } => made.push(Made::Codec(codec)),
                    Event::Codec { codec, .. } => return Err(Error::OtherCodec(codec.name())),
                    Event::Frame { at, cts, sync, payload, .. } => {
                        let dts = self.zero + (at - Timestamp::ZERO);
                        made.push(Made::Picture(Frame { dts, cts, sync, payload }));
                    }
                    Event::Metadata { .. } | Event::Script { .. } | Event::Sei { .. } | Event::End { .. } => {
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use media::Span;

    use super::*;

    const RECORDING: &[u8] = include_bytes!("../../../../tests/fixtures/h264_only.flv");

    fn read(bytes: &[u8], pieces: usize, zero: Timestamp) -> Vec<Made> {
        let (mut output, mut made) = (Output::new(zero), Vec::new());
        for piece in bytes.chunks(pieces) {
            output.handle_input(piece, &mut made).expect("it is FLV of H.264");
        }
        made
    }

    #[test]
    fn pictures_come_out_on_the_source_s_timeline_however_the_bytes_are_cut() {
        let whole = read(RECORDING, usize::MAX, Timestamp::ZERO);
        assert!(matches!(whole[0], Made::Codec(Codec::H264(_))) && whole.len() > 90, "{}", whole.len());
        assert_eq!(read(RECORDING, 7, Timestamp::ZERO), whole);
        let later = read(RECORDING, 1_000, Timestamp::from_millis(90_000));
        let times = |made: &[Made]| {
            made.iter()
                .filter_map(|made| match made {
                    Made::Picture(frame) => Some(frame.dts),
                    Made::Codec(_) => None,
                })
                .collect::<Vec<_>>()
        };
        assert!(times(&later).iter().zip(times(&whole)).all(|(a, b)| *a - b == Span::from_millis(90_000)));
    }

    #[test]
    fn garbage_and_other_codecs_are_errors() {
        let error = |bytes: &[u8]| {
            let (mut output, mut made) = (Output::new(Timestamp::ZERO), Vec::new());
            output.handle_input(bytes, &mut made).expect_err("it is not what was asked for").to_string()
        };
        assert!(error(b"no FLV at all").contains("no FLV"));
        let other = include_bytes!("../../../../tests/fixtures/vp9_opus.flv");
        assert!(error(other).contains("not H.264"), "{}", error(other));
    }
}
