//! Any tags of one publisher: events or errors, never a panic, and what comes out can be muxed and read again.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use media::{Codec, Frame};
use wire::flv::{Demuxer, Event, Muxer, TagKind, TrackKey};

/// Tags as kind, two bytes of length, one of time, body.
fn tags(mut data: &[u8]) -> impl Iterator<Item = (TagKind, u32, Bytes)> + '_ {
    std::iter::from_fn(move || {
        let (&[kind, high, low, time], rest) = data.split_first_chunk::<4>()?;
        let kind = [TagKind::Audio, TagKind::Video, TagKind::Script][usize::from(kind) % 3];
        let len = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (body, rest) = rest.split_at(len);
        data = rest;
        Some((kind, u32::from(time) << 25, Bytes::copy_from_slice(body)))
    })
}

fuzz_target!(|data: &[u8]| {
    let mut demuxer = Demuxer::new();
    let mut codecs: Vec<(TrackKey, Codec)> = Vec::new();
    for (kind, time, body) in tags(data) {
        for event in demuxer.handle_tag(kind, time, &body).into_iter().flatten() {
            match event {
                Event::Codec { track, codec } => {
                    codecs.retain(|(key, _)| *key != track);
                    codecs.push((track, codec));
                }
                Event::Frame { track, at, cts, sync, payload } => {
                    let (_, codec) = codecs.iter().find(|(key, _)| *key == track).expect("a codec comes first");
                    let frame = Frame { dts: at, cts, sync, payload };
                    assert!(Muxer::default().write_frame(codec, &frame, track.id, &mut BytesMut::new()));
                }
                Event::Metadata { .. } | Event::Script { .. } | Event::Sei { .. } | Event::End { .. } => {}
            }
        }
    }
});
