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

/// What a demuxer makes of bodies, each with its kind and stamp.
fn demux(demuxer: &mut Demuxer, tags: &[(TagKind, u32, &[u8])]) -> Vec<Result<Event, Error>> {
    let events = tags
        .iter()
        .flat_map(|(kind, stamp, body)| demuxer.handle_tag(*kind, *stamp, &Bytes::copy_from_slice(body)));
    events.collect()
}

const AAC_CONFIG: (TagKind, u32, &[u8]) = (TagKind::Audio, 0, &[0xAF, 0, 0x12, 0x10]);
const AVC_CONFIG: &[u8] = &[
    0x17, 0, 0, 0, 0, 0x01, 0x42, 0xC0, 0x28, 0xFF, 0xE1, 0x00, 0x17, 0x67, 0x42, 0xC0, 0x28, 0xDA, 0x01,
    0xE0, 0x08, 0x9F, 0x97, 0x01, 0x10, 0x00, 0x00, 0x3E, 0x90, 0x00, 0x0E, 0xA6, 0x00, 0xF1, 0x83, 0x2A,
    0x01, 0x00, 0x04, 0x68, 0xCE, 0x0F, 0xC8,
];
const AVC: (TagKind, u32, &[u8]) = (TagKind::Video, 0, AVC_CONFIG);

fn times(events: Vec<Result<Event, Error>>) -> Vec<i64> {
    let times = events.into_iter().filter_map(|event| match event {
        Ok(Event::Frame { at, .. }) => Some(at.micros()),
        _ => None,
    });
    times.collect()
}

#[test]
fn stamps_that_wrap_go_on_and_small_steps_back_are_kept() {
    let mut demuxer = Demuxer::new();
    let frame = |stamp| (TagKind::Audio, stamp, &[0xAF, 1, 0x21][..]);
    let config = (TagKind::Audio, u32::MAX - 20, AAC_CONFIG.2);
    let events = demux(&mut demuxer, &[config, frame(u32::MAX - 10), frame(9), frame(4), frame(30)]);
    let first = (i64::from(u32::MAX) - 10) * 1_000;
    assert_eq!(times(events), [first, first + 20_000, first + 15_000, first + 41_000]);
}

#[test]
fn nanoseconds_of_mod_ex_become_microseconds() {
    let mut demuxer = Demuxer::new();
    let config = (TagKind::Audio, 7, &b"\x90mp4a\x12\x10"[..]);
    let frame = (TagKind::Audio, 7, &b"\x97\x02\x0B\x71\xB0\x01mp4a\x21"[..]);
    assert_eq!(times(demux(&mut demuxer, &[config, frame])), [7_750]);
}

#[test]
fn a_refused_sound_is_told_once_and_the_picture_goes_on() {
    let mut demuxer = Demuxer::new();
    let mp3 = (TagKind::Audio, 0, &[0x2F, 0xFF, 0xFB][..]);
    let idr = (TagKind::Video, 0, &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88][..]);
    let events = demux(&mut demuxer, &[mp3, AVC, mp3, idr, mp3]);
    let errors: Vec<&Error> = events.iter().filter_map(|event| event.as_ref().err()).collect();
    let [error] = errors[..] else { panic!("{events:?}") };
    assert_eq!(error.to_string(), "audio codec MP3 (SoundFormat 2) is not supported; send AAC or Opus");
    assert!(!error.is_fatal());
    assert_eq!(times(events.clone()).len(), 1);
}

#[test]
fn codecs_that_we_do_not_carry_are_refused_by_name() {
    for (kind, body, text) in [
        (TagKind::Video, &[0x22, 0][..], "video codec Sorenson H.263 (CodecID 2) is not"),
        (TagKind::Video, &b"\x91vvc1x"[..], "video codec H.266 (fourCC vvc1) is not"),
        (TagKind::Video, &b"\x91\x00\x01zzx"[..], "video codec fourCC \\x00\\x01zz is not"),
        (TagKind::Audio, &[0xB2, 0], "audio codec Speex (SoundFormat 11) is not"),
        (TagKind::Audio, &b"\x91fLaCx"[..], "audio codec FLAC (fourCC fLaC) is not"),
    ] {
        let events = demux(&mut Demuxer::new(), &[(kind, 0, body)]);
        let [Err(error)] = &events[..] else { panic!("{events:?}") };
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(error.is_fatal(), kind == TagKind::Video);
    }
}

#[test]
fn frames_before_their_configuration_are_told_once_and_dropped() {
    let mut demuxer = Demuxer::new();
    let frame = (TagKind::Audio, 0, &[0xAF, 1, 0x21][..]);
    let events = demux(&mut demuxer, &[frame, frame, frame]);
    assert_eq!(events, [Err(Error::Unconfigured { track: TrackKey::AUDIO })]);
    assert_eq!(times(demux(&mut demuxer, &[AAC_CONFIG, frame])).len(), 1);
}

#[test]
fn sound_with_adts_headers_needs_no_configuration() {
    let adts = [0xAF, 1, 0xFF, 0xF1, 0x50, 0x80, 0x01, 0x3F, 0xFC, 0x21, 0x10];
    let events = demux(&mut Demuxer::new(), &[(TagKind::Audio, 0, &adts)]);
    assert!(
        matches!(&events[..], [Ok(Event::Codec { .. }), Ok(Event::Frame { payload, .. })] if payload == &[0x21, 0x10][..])
    );
}

#[test]
fn parameters_that_cannot_be_read_stop_the_track_until_better_ones_come() {
    let mut demuxer = Demuxer::new();
    let idr = (TagKind::Video, 0, &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88][..]);
    let empty = (TagKind::Video, 0, &[0x17, 0, 0, 0, 0, 1, 0x42, 0xC0, 0x28, 0xFF, 0xE0, 0][..]);
    let events = demux(&mut demuxer, &[AVC, idr, empty, idr]);
    assert!(matches!(&events[..], [Ok(_), Ok(Event::Frame { .. }), Err(Error::Codec { .. })]), "{events:?}");
    assert_eq!(times(demux(&mut demuxer, &[AVC, idr])).len(), 1);
}

#[test]
fn an_empty_configuration_waits_for_the_real_one_without_a_complaint() {
    let mut demuxer = Demuxer::new();
    let empty: (TagKind, u32, &[u8]) = (TagKind::Audio, 0, &[0xAF, 0]);
    assert!(demux(&mut demuxer, &[empty]).is_empty());
    assert!(matches!(demux(&mut demuxer, &[AAC_CONFIG])[..], [Ok(Event::Codec { .. })]));
}

#[test]
fn a_repeated_configuration_is_not_told_again() {
    let events = demux(&mut Demuxer::new(), &[AVC, AVC, AAC_CONFIG, AAC_CONFIG]);
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn a_picture_of_another_size_changes_the_parameters_before_its_frame() {
    let other = fixtures::events(fixtures::AVC_AAC).into_iter().find_map(|event| match event {
        Event::Codec { codec: Codec::H264(params), .. } => Some(params),
        _ => None,
    });
    let sets = other.unwrap().parameter_sets();
    let units = nal::join([&sets.sps[0][..], &sets.pps[0], &[0x65, 0x88]].into_iter());
    let idr = [&[0x17, 1, 0, 0, 0][..], &units].concat();
    let events = demux(&mut Demuxer::new(), &[AVC, (TagKind::Video, 40, &idr)]);
    let [Ok(Event::Codec { .. }), Ok(Event::Codec { codec, .. }), Ok(Event::Frame { sync: true, .. })] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(codec.resolution(), Some((162, 90)));
}

#[test]
fn units_without_a_picture_are_told_and_go_in_front_of_the_next_picture() {
    let sei = [&[0x27, 1, 0, 0, 0, 0, 0, 0, 6, 0x06, 242, 2][..], b"hi\x80"].concat();
    let idr = [0x17, 1, 0, 0, 9, 0, 0, 0, 2, 0x65, 0x88];
    let mut demuxer = Demuxer::new();
    let mut events = demux(&mut demuxer, &[AVC, (TagKind::Video, 40, &sei), (TagKind::Video, 40, &idr)]);
    let Some(Ok(Event::Frame { payload, cts, .. })) = events.pop() else { panic!("{events:?}") };
    let types: Vec<u8> = nal::units(&payload).map(h264::unit_type).collect();
    assert_eq!((types, cts), (vec![6, 5], Span::from_millis(9)));
    let Some(Ok(Event::Sei { payload, .. })) = events.pop() else { panic!("{events:?}") };
    assert_eq!(payload, &b"\x06\xF2\x02hi\x80"[..]);
}

#[test]
fn intra_refresh_without_idr_is_sync_where_the_encoder_says_so() {
    let recovery = [6, 6, 1, 0x84, 0x80];
    let inter = [0x41, 0b1001_1000];
    let units = nal::join([&recovery[..], &inter].into_iter());
    for (first, sync) in [(0x17, true), (0x27, false)] {
        let frame = [&[first, 1, 0, 0, 0][..], &units].concat();
        let events = demux(&mut Demuxer::new(), &[AVC, (TagKind::Video, 40, &frame)]);
        assert!(
            matches!(&events[..], [_, Ok(Event::Frame { sync: found, .. })] if *found == sync),
            "{events:?}"
        );
    }
}

#[test]
fn a_body_in_form_is_not_copied() {
    let mut demuxer = Demuxer::new();
    demux(&mut demuxer, &[AVC]);
    let body = Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88]);
    let events = demuxer.handle_tag(TagKind::Video, 0, &body);
    assert!(
        matches!(&events[..], [Ok(Event::Frame { payload, .. })] if payload.as_ptr() == body[5..].as_ptr())
    );
}

#[test]
fn script_data_loses_its_instruction_to_the_server_and_keeps_its_name() {
    let set = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x05";
    let text = b"\x02\x00\x0aonTextData\x02\x00\x02hi";
    let clear = b"\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData";
    let events = demux(
        &mut Demuxer::new(),
        &[(TagKind::Script, 0, set), (TagKind::Script, 7, text), (TagKind::Script, 8, clear)],
    );
    let expected = [
        Ok(Event::Metadata {
            at: Timestamp::ZERO,
            values: vec![amf0::Value::Null],
            payload: Bytes::from_static(&set[16..]),
        }),
        Ok(Event::Script {
            at: Timestamp::from_millis(7),
            name: "onTextData".to_owned(),
            payload: Bytes::from_static(text),
        }),
    ];
    assert_eq!(events, expected);
    for broken in [&[][..], &[2, 0, 9, b'x'], &[0; 9], &[5]] {
        let events = demux(&mut Demuxer::new(), &[(TagKind::Script, 0, broken)]);
        assert!(matches!(&events[..], [Err(error)] if !error.is_fatal()), "{events:?}");
    }
}

#[test]
fn the_seventeenth_track_is_fatal() {
    let mut demuxer = Demuxer::new();
    for id in 0..16 {
        let body = [b"\x95\x00mp4a", &[id, 0x12, 0x10][..]].concat();
        assert!(matches!(&demux(&mut demuxer, &[(TagKind::Audio, 0, &body)])[..], [Ok(_)]));
    }
    let events = demux(&mut demuxer, &[(TagKind::Audio, 0, b"\x95\x00mp4a\x10\x12\x10")]);
    assert_eq!(events, [Err(Error::TooManyTracks)]);
    assert!(Error::TooManyTracks.is_fatal());
}

proptest::proptest! {
    #[test]
    fn a_real_stream_with_any_bytes_changed_is_read_without_harm(
        which in 0..fixtures::ALL.len(),
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 1..12),
    ) {
        let mut tags = fixtures::tags(fixtures::ALL[which].1);
        for (at, byte) in changes {
            let index = at.index(tags.len());
            let mut body = tags[index].body.to_vec();
            let place = at.index(body.len().clamp(1, 64));
            if let Some(slot) = body.get_mut(place) {
                *slot = byte;
            }
            tags[index].body = body.into();
        }
        let mut demuxer = Demuxer::new();
        for tag in tags {
            let len = tag.body.len();
            for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body).into_iter().flatten() {
                if let Event::Frame { payload, .. } = event {
                    proptest::prop_assert!(!payload.is_empty() && payload.len() <= 4 * len + PREFIX_BYTES_MAX);
                }
            }
        }
    }
}
