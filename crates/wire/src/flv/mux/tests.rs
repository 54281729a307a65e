//! What is written is what was read.

use super::*;
use crate::flv::demux::Event;
use crate::flv::{TrackKey, fixtures};

/// Writes events as a viewer gets them.
fn mux(events: &[Event], muxer: Muxer) -> Vec<u8> {
    let mut out = BytesMut::from(&file_header(true, true)[..]);
    let mut codecs: Vec<(TrackKey, Codec)> = Vec::new();
    for event in events {
        match event {
            Event::Codec { track, codec } => {
                muxer.write_sequence_header(codec, track.id, Timestamp::ZERO, &mut out);
                codecs.retain(|(key, _)| key != track);
                codecs.push((*track, codec.clone()));
            }
            Event::Frame { track, at, cts, sync, payload } => {
                let (_, codec) = codecs.iter().find(|(key, _)| key == track).expect("a codec comes first");
                let frame = Frame { dts: *at, cts: *cts, sync: *sync, payload: payload.clone() };
                assert!(muxer.write_frame(codec, &frame, track.id, &mut out));
            }
            Event::Metadata { at, payload, .. } | Event::Script { at, payload, .. } => {
                assert!(write_tag(TagKind::Script, *at, &[], payload, &mut out));
            }
            Event::Sei { .. } | Event::End { .. } => {}
        }
    }
    out.to_vec()
}

fn without_ends(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| !matches!(event, Event::End { .. }));
    events
}

#[test]
fn every_real_stream_comes_back_from_our_own_tags_event_by_event() {
    for (name, file) in fixtures::ALL {
        let events = without_ends(fixtures::events(file));
        for hevc in [Hevc::Enhanced, Hevc::Legacy] {
            let again = fixtures::events(&mux(&events, Muxer { hevc }));
            assert_eq!(again, events, "{name} {hevc:?}");
        }
    }
}
