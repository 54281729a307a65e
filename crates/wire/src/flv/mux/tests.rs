//! What is written is what was read.

use media::codec::vp8;

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

#[test]
fn tracks_beyond_the_first_are_multitrack_whatever_they_are_coded_with() {
    let frame = Frame {
        dts: Timestamp::from_millis(5),
        cts: media::Span::from_millis(-3),
        sync: false,
        payload: Bytes::from_static(b"x"),
    };
    let codecs = fixtures::events(fixtures::AVC_AAC).into_iter().filter_map(|event| match event {
        Event::Codec { codec, .. } => Some(codec),
        _ => None,
    });
    let heads: Vec<Vec<u8>> =
        codecs.map(|codec| Muxer::default().body_header(&codec, &frame, 2).unwrap().to_vec()).collect();
    assert_eq!(heads, [b"\xA6\x01avc1\x02\xFF\xFF\xFD".to_vec(), b"\x95\x01mp4a\x02".to_vec()]);
}

#[test]
fn milliseconds_of_decoding_and_display_are_each_rounded_on_their_own() {
    // 33.333 ms and 66.666 ms: the stamp says 33, and 66 is 33 more, where the span alone would say the same; 16.667
    // ms later the span alone would round to 16 and the display time would shake by a millisecond.
    let frame = |dts, cts| Frame {
        dts: Timestamp::from_micros(dts),
        cts: media::Span::from_micros(cts),
        sync: true,
        payload: Bytes::new(),
    };
    assert_eq!(composition_ms(&frame(33_333, 16_667)), [0, 0, 17]);
    assert_eq!(composition_ms(&frame(33_333, -33_333)), [0xFF, 0xFF, 0xDF]);
    assert_eq!(composition_ms(&frame(0, 1 << 40)), [0x7F, 0xFF, 0xFF]);
}

#[test]
fn stamps_wrap_and_their_high_byte_comes_last() {
    let at = Timestamp::from_millis(0x1_2345_6789);
    assert_eq!(stamp(at), 0x2345_6789);
    assert_eq!(tag_header(TagKind::Video, at, 5), [9, 0, 0, 5, 0x45, 0x67, 0x89, 0x23, 0, 0, 0]);
    assert_eq!(stamp(Timestamp::from_millis(-1)), u32::MAX);
}

#[test]
fn a_body_that_24_bits_cannot_hold_is_left_out() {
    let mut out = BytesMut::new();
    assert!(!write_tag(TagKind::Video, Timestamp::ZERO, &[0], &vec![0; BODY_BYTES_MAX], &mut out));
    assert!(out.is_empty());
}

#[test]
fn sei_has_no_tag_of_its_own_and_script_data_is_its_own_body() {
    let frame =
        Frame { dts: Timestamp::ZERO, cts: media::Span::ZERO, sync: true, payload: Bytes::from_static(b"x") };
    let [sei, script] = [data::Format::Sei, data::Format::Amf0].map(Codec::Data);
    let mut out = BytesMut::new();
    assert!(Muxer::default().write_frame(&sei, &frame, 0, &mut out) && out.is_empty());
    assert!(Muxer::default().write_frame(&script, &frame, 0, &mut out));
    assert_eq!(out.len(), TAG_HEADER_BYTES + 1 + TAG_TRAILER_BYTES);
}

#[test]
fn vp8_has_a_record_and_g711_only_a_byte_that_tells_law_and_channels() {
    let key = vp8::Keyframe { profile: 0, width: 640, height: 360 };
    let picture = Codec::Vp8(vp8::Params::from_keyframe(&key));
    let coded = [0x10, 0x7D, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01];
    let sound = Codec::G711(g711::Params { law: g711::Law::Mu, channels: 1 });
    let mut events = Vec::new();
    for (track, codec, payload) in
        [(TrackKey::VIDEO, picture, &coded[..]), (TrackKey::AUDIO, sound.clone(), &[0xFF; 160])]
    {
        let payload = Bytes::copy_from_slice(payload);
        events.push(Event::Codec { track, codec });
        events.push(Event::Frame { track, at: Timestamp::ZERO, cts: media::Span::ZERO, sync: true, payload });
    }
    let file = mux(&events, Muxer::default());
    assert_eq!(fixtures::events(&file), events);
    let bodies: Vec<Vec<u8>> = fixtures::tags(&file).iter().map(|tag| tag.body[..5].to_vec()).collect();
    assert_eq!(bodies, [b"\x90vp08", b"\x91vp08", b"\x82\xFF\xFF\xFF\xFF"]);
    let Event::Frame { payload, .. } = &events[3] else { panic!("four events") };
    let frame = Frame { dts: Timestamp::ZERO, cts: media::Span::ZERO, sync: true, payload: payload.clone() };
    assert_eq!(Muxer::default().body_header(&sound, &frame, 1), None, "no tag can name it");
}
