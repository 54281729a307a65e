//! What viewers are told beforehand.

use media::codec::Kind;

use super::*;
use crate::flv::demux::Event;
use crate::flv::fixtures;

fn codecs(file: &[u8]) -> Vec<(TrackKey, Codec)> {
    let codecs = fixtures::events(file).into_iter().filter_map(|event| match event {
        Event::Codec { track, codec } => Some((track, codec)),
        _ => None,
    });
    codecs.collect()
}

/// The array behind the name.
fn told(file: &[u8], muxer: &mux::Muxer) -> Value {
    let codecs = codecs(file);
    let tracks: Vec<Track<'_>> =
        codecs.iter().map(|(key, codec)| Track { key: *key, codec, bitrate: Some(250_000) }).collect();
    let values = amf0::decode_all(&body(&tracks, muxer)).unwrap();
    assert_eq!(values[0].as_str(), Some("onMetaData"));
    values[1].clone()
}

#[test]
fn picture_and_sound_are_described_in_the_fields_players_read() {
    let array = told(fixtures::AVC_AAC, &mux::Muxer::default());
    for (name, number) in [
        ("width", 162.0),
        ("height", 90.0),
        ("framerate", 30.0),
        ("videocodecid", 7.0),
        ("videodatarate", 250.0),
        ("audiocodecid", 10.0),
        ("audiosamplerate", 48_000.0),
        ("audiosamplesize", 16.0),
    ] {
        assert_eq!(array.get(name).and_then(Value::as_f64), Some(number), "{name}");
    }
    assert_eq!(array.get("stereo").and_then(Value::as_bool), Some(true));
    assert_eq!(array.get("duration"), None);
}

#[test]
fn codecs_without_a_legacy_number_are_told_by_their_fourcc() {
    let id = |array: &Value, name: &str| array.get(name).and_then(Value::as_f64);
    let array = told(fixtures::HEVC_OPUS, &mux::Muxer::default());
    assert_eq!(id(&array, "videocodecid"), Some(1_752_589_105.0));
    assert_eq!(id(&array, "audiocodecid"), Some(1_332_770_163.0));
    let legacy = told(fixtures::HEVC_OPUS, &mux::Muxer { hevc: mux::Hevc::Legacy });
    assert_eq!(id(&legacy, "videocodecid"), Some(12.0));
}

#[test]
fn further_tracks_are_listed_by_their_number() {
    let array = told(fixtures::MULTI, &mux::Muxer::default());
    let second = array.get("audioTrackIdInfoMap").and_then(|map| map.get("1")).unwrap();
    assert_eq!(second.get("audiosamplerate").and_then(Value::as_f64), Some(48_000.0));
    assert_eq!(array.get("videoTrackIdInfoMap"), None);
    assert!(codecs(fixtures::MULTI).iter().any(|(key, _)| *key == TrackKey { kind: Kind::Audio, id: 1 }));
}
