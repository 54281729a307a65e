//! What real streams become, and what broken ones do.

use media::codec::Kind;

use super::*;
use crate::flv::fixtures;

fn codecs(events: &[Event]) -> Vec<(TrackKey, String)> {
    let codecs = events.iter().filter_map(|event| match event {
        Event::Codec { track, codec } => Some((*track, codec.rfc6381().unwrap_or_default().into_owned())),
        _ => None,
    });
    codecs.collect()
}

/// Decoding time, composition time and sync of a track's frames, in milliseconds.
fn frames(events: &[Event], key: TrackKey) -> Vec<(i64, i64, bool)> {
    let frames = events.iter().filter_map(|event| match event {
        Event::Frame { track, at, cts, sync, .. } if *track == key => {
            Some((at.millis(), cts.millis(), *sync))
        }
        _ => None,
    });
    frames.collect()
}

#[test]
fn h264_with_b_frames_and_aac_of_ffmpeg_become_frames_with_their_times() {
    let events = fixtures::events(fixtures::AVC_AAC);
    assert_eq!(
        codecs(&events),
        [(TrackKey::VIDEO, "avc1.64000B".to_owned()), (TrackKey::AUDIO, "mp4a.40.2".to_owned())]
    );
    let video = frames(&events, TrackKey::VIDEO);
    assert_eq!(video.len(), 18);
    assert_eq!(video[..3], [(0, 67, true), (34, 133, false), (67, 33, false)]);
    let keys: Vec<usize> = (0..18).filter(|index| video[*index].2).collect();
    assert_eq!(keys, [0, 10], "-g 10 makes a keyframe every ten frames");
    assert_eq!(frames(&events, TrackKey::AUDIO).len(), 30);
}

#[test]
fn enhanced_rtmp_of_ffmpeg_brings_h265_av1_vp9_and_opus() {
    for (file, video, sound) in [
        (fixtures::HEVC_OPUS, "hvc1.1.6.L30.90", "opus"),
        (fixtures::AV1_AAC, "av01.0.00M.08", "mp4a.40.2"),
        (fixtures::VP9_OPUS, "vp09.00.10.08", "opus"),
    ] {
        let events = fixtures::events(file);
        let mut names: Vec<_> = codecs(&events);
        names.sort();
        names.dedup();
        assert_eq!(names, [(TrackKey::VIDEO, video.to_owned()), (TrackKey::AUDIO, sound.to_owned())]);
        let sizes: Vec<_> = events
            .iter()
            .filter_map(
                |event| if let Event::Codec { codec, .. } = event { codec.resolution() } else { None },
            )
            .collect();
        assert!(sizes.iter().all(|size| *size == (162, 90)), "{video}: {sizes:?}");
        let pictures = frames(&events, TrackKey::VIDEO);
        assert_eq!(pictures.len(), 18, "{video}");
        assert_eq!(pictures.iter().filter(|frame| frame.2).count(), 2, "{video}");
    }
}

#[test]
fn a_second_sound_by_multitrack_is_a_track_of_its_own() {
    let events = fixtures::events(fixtures::MULTI);
    for id in [0, 1] {
        assert_eq!(frames(&events, TrackKey { kind: Kind::Audio, id }).len(), 30, "track {id}");
    }
}
