//! The fixtures through packets and back: in order, out of order, twice, and with each packet lost once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::codec::{Kind, g711, h264, h265, nal, vp8};
use media::{Codec, Frame, Packet, Span, Timestamp};

use crate::flv;
use crate::rtp::limits::{KEYFRAME_REQUEST_EVERY, REORDER_WAIT, VIDEO_WAIT};
use crate::rtp::{Depacketizer, Event, Packetizer, PayloadKind};

/// A track of a fixture.
pub(super) struct Track {
    name: &'static str,
    pub(super) kind: PayloadKind,
    frames: Vec<(Codec, Frame)>,
}

fn kind(codec: &Codec) -> Option<PayloadKind> {
    match codec {
        Codec::H264(_) => Some(PayloadKind::H264),
        Codec::Opus(params) => Some(PayloadKind::Opus { channels: params.channels }),
        Codec::H265(_) => Some(PayloadKind::H265),
        Codec::Vp9(_) => Some(PayloadKind::Vp9),
        Codec::Av1(_) => Some(PayloadKind::Av1),
        Codec::Vp8(_) => Some(PayloadKind::Vp8),
        Codec::G711(_) => Some(PayloadKind::Pcma),
        Codec::Aac(_) | Codec::Data(_) => None,
    }
}

macro_rules! fixtures {
    ($($name:literal),*) => {
        [$(($name, &include_bytes!(concat!("../../../../../tests/fixtures/", $name))[..])),*]
    };
}

/// The first track of each kind in each fixture that RTP has a payload for.
pub(super) fn tracks() -> Vec<Track> {
    let fixtures = fixtures!(
        "h264_aac.flv",
        "h264_bframes_aac.flv",
        "intra_refresh.flv",
        "long_gop.flv",
        "resolution_change.flv",
        "hevc_aac.flv",
        "av1_opus.flv",
        "vp9_opus.flv"
    );
    let tracks = fixtures.into_iter().flat_map(|(name, file)| tracks_of(name, file));
    tracks.chain([vp8(), g711()]).collect()
}

/// IVF: a header of 32 bytes, then length (4, little-endian), time (8) and bytes of each frame.
fn vp8() -> Track {
    let mut rest = &include_bytes!("../../../tests/fixtures/rtp/vp8.ivf")[32..];
    let mut frames = Vec::new();
    let mut codec = None;
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let payload = Bytes::copy_from_slice(&after[..len]);
        rest = &after[len..];
        let key = vp8::Keyframe::parse(&payload).unwrap();
        codec = key.map(|key| Codec::Vp8(vp8::Params::from_keyframe(&key))).or(codec);
        let dts = Timestamp::from_micros(frames.len() as i64 * 1_000_000 / 15);
        let frame = Frame { dts, cts: Span::ZERO, sync: key.is_some(), payload };
        frames.push((codec.clone().unwrap(), frame));
    }
    Track { name: "vp8.ivf", kind: PayloadKind::Vp8, frames }
}

/// A second of a ramp.
fn g711() -> Track {
    let codec = Codec::G711(g711::Params { law: g711::Law::A, channels: 1 });
    let frames = (0..50).map(|number: u8| {
        let dts = Timestamp::from_millis(i64::from(number) * 20);
        let payload = Bytes::from_iter((0..160).map(|at| at ^ number));
        (codec.clone(), Frame { dts, cts: Span::ZERO, sync: true, payload })
    });
    Track { name: "ramp", kind: PayloadKind::Pcma, frames: frames.collect() }
}

fn tracks_of(name: &'static str, file: &[u8]) -> Vec<Track> {
    let mut reader = flv::file::Reader::new();
    reader.handle_input(file);
    let mut demuxer = flv::Demuxer::new();
    let mut codecs = std::collections::BTreeMap::new();
    let mut tracks: Vec<Track> = Vec::new();
    while let Some(tag) = reader.poll_tag().unwrap() {
        for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            match event.unwrap() {
                flv::Event::Codec { track, codec } => drop(codecs.insert(track, codec)),
                flv::Event::Frame { track, at, cts, sync, payload } => {
                    let codec = codecs[&track].clone();
                    let Some(kind) = kind(&codec) else { continue };
                    let frame = (codec, Frame { dts: at, cts, sync, payload });
                    match tracks.iter_mut().find(|track| track.kind == kind) {
                        Some(track) => track.frames.push(frame),
                        None => tracks.push(Track { name, kind, frames: vec![frame] }),
                    }
                }
                _ => {}
            }
        }
    }
    tracks
}

/// The payload as it comes back: without what packets leave out.
fn expected(codec: &Codec, payload: &Bytes) -> Bytes {
    match codec {
        Codec::H264(_) => {
            nal::join(nal::units(payload).filter(|unit| !matches!(h264::unit_type(unit), 7 | 8 | 9 | 12)))
        }
        Codec::H265(_) => {
            nal::join(nal::units(payload).filter(|unit| !matches!(h265::unit_type(unit), 32..=35 | 38)))
        }
        _ => payload.clone(),
    }
}

/// All packets of a track.
pub(super) fn packets(track: &Track) -> Vec<Packet> {
    let mut packetizer = Packetizer::default();
    let mut out = Vec::new();
    for (codec, frame) in &track.frames {
        packetizer.handle_frame(codec, false, frame, &mut out);
    }
    out
}

/// A millisecond between packets, then time until nothing is awaited.
fn travel<'a>(kind: PayloadKind, packets: impl IntoIterator<Item = &'a Packet>) -> Vec<Event> {
    let mut depacketizer = Depacketizer::new(kind);
    let mut now = Instant::now();
    let mut events = Vec::new();
    for packet in packets {
        now += Duration::from_millis(1);
        depacketizer.handle_timeout(now);
        depacketizer.handle_packet(now, packet);
        events.extend(std::iter::from_fn(|| depacketizer.poll_event()));
    }
    depacketizer.handle_timeout(now + VIDEO_WAIT);
    events.extend(std::iter::from_fn(|| depacketizer.poll_event()));
    events
}

type Shown = (Timestamp, bool, Bytes);

fn frames(events: &[Event]) -> Vec<Shown> {
    let frames = events.iter().filter_map(|event| match event {
        Event::Frame { at, sync, payload } => Some((*at, *sync, payload.clone())),
        Event::Codec(_) | Event::KeyframeNeeded => None,
    });
    frames.collect()
}

fn sent(track: &Track) -> Vec<Shown> {
    let frames =
        track.frames.iter().map(|(codec, frame)| (frame.pts(), frame.sync, expected(codec, &frame.payload)));
    frames.collect()
}

/// A number that looks random, the same in every run.
fn hash(value: u64) -> u64 {
    let mixed = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) >> 31
}

/// Each packet up to five places from its own.
fn shuffled(packets: &[Packet], seed: u64) -> Vec<&Packet> {
    let mut order: Vec<(u64, &Packet)> = packets
        .iter()
        .enumerate()
        .map(|(at, packet)| (at as u64 * 2 + hash(seed << 32 | at as u64) % 11, packet))
        .collect();
    order.sort_by_key(|(key, _)| *key);
    order.into_iter().map(|(_, packet)| packet).collect()
}

#[test]
fn every_fixture_comes_back_frame_for_frame() {
    let kinds: std::collections::HashSet<_> = tracks().iter().map(|track| track.kind).collect();
    assert_eq!(kinds.len(), 7, "a fixture of each kind");
    for track in tracks() {
        let packets = packets(&track);
        assert!(packets.iter().all(|packet| packet.payload.len() <= 1_150), "{}", track.name);
        let events = travel(track.kind, &packets);
        assert_eq!(frames(&events), sent(&track), "{} {:?}", track.name, track.kind);
        assert!(!events.contains(&Event::KeyframeNeeded), "{}", track.name);
    }
}

#[test]
fn parameters_are_told_before_the_first_frame_that_needs_them() {
    for track in tracks() {
        let mut known = None;
        let mut frames = track.frames.iter();
        for event in travel(track.kind, &packets(&track)) {
            match event {
                Event::Codec(codec) => known = Some(codec),
                Event::Frame { .. } => {
                    let (codec, _) = frames.next().unwrap();
                    let known = known.as_ref().expect("a codec comes first");
                    assert_eq!(known.resolution(), codec.resolution(), "{}", track.name);
                    assert_eq!(known.rfc6381(), codec.rfc6381(), "{}", track.name);
                }
                Event::KeyframeNeeded => panic!("{}", track.name),
            }
        }
    }
}

#[test]
fn order_within_five_places_and_duplicates_make_no_difference() {
    for track in tracks() {
        let packets = packets(&track);
        for seed in 0..20 {
            let order = shuffled(&packets, seed);
            let twice = order.iter().flat_map(|packet| [*packet; 2]);
            let events = travel(track.kind, twice);
            let (got, sent) = (frames(&events), sent(&track));
            // Sound begins with the packet that comes first; pictures at the keyframe, whose start is known.
            let skipped = sent.len() - got.len();
            assert!(skipped <= if track.kind.kind() == Kind::Audio { 5 } else { 0 });
            assert!(got == sent[skipped..], "{} {:?} seed {seed}", track.name, track.kind);
        }
    }
}

#[test]
fn a_lost_packet_costs_its_frame_and_what_depends_on_it_and_nothing_else() {
    for track in tracks() {
        let (packets, sent) = (packets(&track), sent(&track));
        for lost in 0..packets.len() {
            let rest = packets.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, packet)| packet);
            let events = travel(track.kind, rest);
            let victim = sent.iter().position(|(at, ..)| *at == packets[lost].at).unwrap();
            let resumes = match track.kind.kind() {
                Kind::Audio => victim + 1,
                Kind::Video | Kind::Data => {
                    let after = sent.iter().skip(victim + 1).position(|(_, sync, _)| *sync);
                    after.map_or(sent.len(), |more| victim + 1 + more)
                }
            };
            let expected = [&sent[..victim], &sent[resumes..]].concat();
            assert!(frames(&events) == expected, "{} {:?} without {lost}", track.name, track.kind);
        }
    }
}

#[test]
fn what_is_asked_for_is_waited_for_as_long_as_that_may_take_and_nothing_is_lost_then() {
    let tracks = tracks();
    let track = tracks.iter().find(|track| track.name == "long_gop.flv").unwrap();
    let (packets, late) = (packets(track), Duration::from_millis(700));
    for (patience, keyframes) in [(Duration::ZERO, 1), (late + REORDER_WAIT, 0), (Duration::MAX, 0)] {
        let mut depacketizer = Depacketizer::new(track.kind);
        depacketizer.set_patience(patience);
        let mut now = Instant::now();
        for packet in packets.iter().filter(|packet| packet.sequence != 30).take(40) {
            depacketizer.handle_packet(now, packet);
        }
        now += late;
        depacketizer.handle_timeout(now);
        depacketizer.handle_packet(now, packets.iter().find(|packet| packet.sequence == 30).unwrap());
        let events: Vec<Event> = std::iter::from_fn(|| depacketizer.poll_event()).collect();
        let asked = events.iter().filter(|event| **event == Event::KeyframeNeeded).count();
        assert_eq!(asked, keyframes, "with a patience of {patience:?}");
    }
}

#[test]
fn a_keyframe_is_asked_for_at_once_and_then_every_two_seconds() {
    let tracks = tracks();
    let track = tracks.iter().find(|track| track.name == "long_gop.flv").unwrap();
    let packets = packets(track);
    let mut depacketizer = Depacketizer::new(track.kind);
    let mut now = Instant::now();
    let start = now;
    let mut asked = Vec::new();
    for packet in packets.iter().filter(|packet| packet.sequence != 30).take(60) {
        depacketizer.handle_packet(now, packet);
    }
    while now < start + VIDEO_WAIT + 2 * KEYFRAME_REQUEST_EVERY {
        now = depacketizer.poll_timeout().expect("a keyframe is awaited");
        depacketizer.handle_timeout(now);
        while let Some(event) = depacketizer.poll_event() {
            asked.extend((event == Event::KeyframeNeeded).then_some(now - start));
        }
    }
    assert_eq!(asked, [0, 1, 2].map(|times| VIDEO_WAIT + times * KEYFRAME_REQUEST_EVERY));
}

#[test]
fn a_whole_keyframe_does_not_wait_for_what_was_lost_before_it() {
    let tracks = tracks();
    let track = tracks.iter().find(|track| track.name == "h264_aac.flv").unwrap();
    let packets = packets(track);
    let keyframe = track.frames.iter().skip(1).find(|(_, frame)| frame.sync).unwrap().1.pts();
    let lost = packets.iter().position(|packet| packet.at == keyframe).unwrap() - 1;
    let now = Instant::now();
    let mut depacketizer = Depacketizer::new(track.kind);
    for packet in packets.iter().filter(|packet| packet.sequence != lost as u64) {
        depacketizer.handle_packet(now, packet);
        if packet.at == keyframe && packet.marker {
            break;
        }
    }
    depacketizer.handle_timeout(now + REORDER_WAIT);
    let events: Vec<Event> = std::iter::from_fn(|| depacketizer.poll_event()).collect();
    assert!(matches!(events.last(), Some(Event::Frame { at, sync: true, .. }) if *at == keyframe));
    assert!(!events.contains(&Event::KeyframeNeeded));
}

#[test]
fn sound_in_the_middle_of_pictures_has_no_marker_and_one_packet_a_frame() {
    let params = media::codec::opus::Params::simple(2);
    let payload = Bytes::from_static(&[0x78, 1, 2]);
    let frame = Frame { dts: Timestamp::from_millis(20), cts: Span::ZERO, sync: true, payload };
    let mut out = Vec::new();
    Packetizer::default().handle_frame(&Codec::Opus(params), true, &frame, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].payload[..], frame.payload);
    assert!(!out[0].marker && !out[0].discardable);
}
