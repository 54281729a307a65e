//! Real streams for the tests of this module; `tests/fixtures/flv/README.md` says how they were made.

use bytes::Bytes;

use super::demux::{Demuxer, Event};
use super::file::{Reader, Tag};

/// H.264 with B-frames and stereo AAC (FFmpeg 5.1).
pub(super) const AVC_AAC: &[u8] = include_bytes!("../../tests/fixtures/flv/avc_aac.flv");
/// H.265 and Opus by Enhanced RTMP (FFmpeg 9).
pub(super) const HEVC_OPUS: &[u8] = include_bytes!("../../tests/fixtures/flv/hevc_opus.flv");
/// AV1 and AAC by Enhanced RTMP (FFmpeg 9).
pub(super) const AV1_AAC: &[u8] = include_bytes!("../../tests/fixtures/flv/av1_aac.flv");
/// VP9 and Opus by Enhanced RTMP (FFmpeg 9).
pub(super) const VP9_OPUS: &[u8] = include_bytes!("../../tests/fixtures/flv/vp9_opus.flv");
/// H.264 and two tracks of AAC by Enhanced RTMP multitrack (FFmpeg 9).
pub(super) const MULTI: &[u8] = include_bytes!("../../tests/fixtures/flv/multi.flv");

pub(super) const ALL: [(&str, &[u8]); 5] = [
    ("avc_aac", AVC_AAC),
    ("hevc_opus", HEVC_OPUS),
    ("av1_aac", AV1_AAC),
    ("vp9_opus", VP9_OPUS),
    ("multi", MULTI),
];

/// All tags of a file.
pub(super) fn tags(file: &[u8]) -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(file);
    std::iter::from_fn(|| reader.poll_tag().expect("a sound fixture")).collect()
}

/// All events of a file, none of them an error.
pub(super) fn events(file: &[u8]) -> Vec<Event> {
    let mut demuxer = Demuxer::new();
    let events = tags(file).into_iter().flat_map(|tag| {
        let body = Bytes::clone(&tag.body);
        demuxer.handle_tag(tag.kind, tag.timestamp_ms, &body)
    });
    events.map(|event| event.expect("a sound fixture")).collect()
}
