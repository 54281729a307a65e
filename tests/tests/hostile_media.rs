//! What a publisher's media may do wrong: clocks that jump, parameters that lie, frames before their configuration,
//! another codec in mid-stream. Its own viewers go on as far as can be, and others notice nothing.

use bytes::Bytes;
use e2e::healthy::{Healthy, serve};
use e2e::rtmp::{PATIENCE, Peer, Viewer, is_frame, tags};
use server::App;
use wire::flv::file::Tag;
use wire::flv::{self, Demuxer, TagKind};
use wire::rtmp::client::Event;

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
const SOUND: &[u8] = include_bytes!("../fixtures/aac_only.flv");
const HEVC: &[u8] = include_bytes!("../fixtures/hevc_aac.flv");

/// Seconds of media are sent at once: no viewer is to skip for that.
async fn healthy_server() -> (App, Healthy) {
    let app = serve(|config| config.egress.lag_max = PATIENCE).await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    (app, healthy)
}

/// Publishes `tags` at `live/odd` and gives back the tags that a viewer had, who was there from the first frame of
/// `kind` on.
async fn seen_of(app: &App, tags: &[Tag], kind: TagKind) -> Vec<Tag> {
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/odd").await;
    let first = tags.iter().position(|tag| is_frame(tag) && tag.kind == kind).expect("a frame") + 1;
    for tag in &tags[..first] {
        publisher.send(tag).await;
    }
    let mut viewer = Viewer::watch(app.addresses().http, "live/odd").await;
    let mut seen = Vec::new();
    while !seen.iter().any(is_frame) {
        seen.push(viewer.tag().await.expect("the first group"));
    }
    for tag in &tags[first..] {
        publisher.send(tag).await;
    }
    publisher.finish().await;
    while let Some(tag) = viewer.tag().await {
        seen.push(tag);
    }
    seen
}

fn frames(tags: &[Tag], kind: TagKind) -> Vec<&Tag> {
    tags.iter().filter(|tag| is_frame(tag) && tag.kind == kind).collect()
}

/// What the recording's clock says from a frame on.
fn moved(mut tags: Vec<Tag>, mut stamp: impl FnMut(usize, u32) -> u32) -> Vec<Tag> {
    for (number, tag) in tags.iter_mut().filter(|tag| is_frame(tag)).enumerate() {
        tag.timestamp_ms = stamp(number, tag.timestamp_ms);
    }
    tags
}

#[tokio::test]
async fn a_clock_that_jumps_wraps_or_runs_backwards_comes_out_as_one_that_does_not() {
    let (app, healthy) = healthy_server().await;
    type Stamp = fn(usize, u32) -> u32;
    let clocks: [(&str, Stamp); 6] = [
        ("wraps", |_, ms| ms.wrapping_sub(1_000)),
        ("jumps an hour ahead", |n, ms| if n < 60 { ms } else { ms + 3_600_000 }),
        ("restarts", |n, ms| if n < 60 { ms + 3_600_000 } else { ms }),
        ("jumps half its range", |n, ms| if n < 60 { ms } else { ms.wrapping_add(1 << 31) }),
        ("jumps to and fro", |n, ms| ms + (n as u32 / 40 % 2) * 20_000_000),
        ("trembles", |n, ms| if n % 10 == 9 { ms.saturating_sub(60) } else { ms }),
    ];
    for (name, stamp) in clocks {
        let sent = moved(tags(RECORDING), stamp);
        let seen = seen_of(&app, &sent, TagKind::Video).await;
        for kind in [TagKind::Video, TagKind::Audio] {
            let frames = frames(&seen, kind);
            assert!(frames.len() > 80, "{name}: {} frames of {kind:?}", frames.len());
            for pair in frames.windows(2) {
                let step = i64::from(pair[1].timestamp_ms) - i64::from(pair[0].timestamp_ms);
                assert!((0..=500).contains(&step), "{name}: a step of {step} ms in {kind:?}");
            }
            let (first, last) = (frames[0].timestamp_ms, frames[frames.len() - 1].timestamp_ms);
            assert!((3_000..6_000).contains(&(last - first)), "{name}: {} ms of {kind:?}", last - first);
        }
    }
    healthy.end_unharmed(app).await;
}

/// Writes the bits of a sequence parameter set (ISO 14496-10 §7.3.2.1).
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn u(mut self, value: u32, bits: u32) -> Self {
        self.0.extend((0..bits).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(self, value: u32) -> Self {
        let bits = u32::BITS - (value + 1).leading_zeros();
        self.u(0, bits - 1).u(value + 1, bits)
    }

    fn bytes(self) -> Vec<u8> {
        self.0
            .chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |out, (at, &bit)| out | u8::from(bit) << (7 - at)))
            .collect()
    }
}

/// A Baseline set of `side` × `side` pixels.
fn sps(side: u32) -> Vec<u8> {
    let macroblocks = side / 16 - 1;
    // Header, profile, constraints, level; id, frame_num, order type, references, gaps, size, frames only, inference,
    // cropping, VUI, stop bit.
    let bits = Bits::default().u(0x67, 8).u(66, 8).u(0, 8).u(31, 8);
    let bits =
        bits.ue(0).ue(0).ue(2).ue(1).u(0, 1).ue(macroblocks).ue(macroblocks).u(1, 1).u(0, 1).u(0, 1).u(0, 1);
    bits.u(1, 1).bytes()
}

/// A sequence header with these parameter sets (ISO 14496-15 §5.3.3.1).
fn avc(sps: &[u8], pps: &[u8]) -> Bytes {
    let mut body = vec![0x17, 0, 0, 0, 0, 1, 66, 0, 31, 0xFF, 0xE1];
    body.extend((sps.len() as u16).to_be_bytes());
    body.extend(sps);
    body.push(1);
    body.extend((pps.len() as u16).to_be_bytes());
    body.extend(pps);
    body.into()
}

#[tokio::test]
async fn parameter_sets_that_lie_are_refused_and_the_sound_goes_on() {
    let (app, healthy) = healthy_server().await;
    let pps = [0x68, 0xCE, 0x3C, 0x80];
    assert!(
        media::codec::h264::Params::from_config(&avc(&sps(640), &pps).slice(5..)).is_ok(),
        "the writer is right"
    );
    let overflow = [&[0x67, 66, 0, 31][..], &[0; 24]].concat();
    let configurations = [
        ("an exp-Golomb code of 192 bits", avc(&overflow, &pps)),
        ("65,536 × 65,536 pixels", avc(&sps(1 << 16), &pps)),
        ("no SPS", Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 66, 0, 31, 0xFF, 0xE0, 0])),
        ("an empty SPS", avc(&[], &pps)),
        ("an empty PPS", avc(&sps(640), &[])),
        ("a record cut short", avc(&sps(640), &pps).slice(..14)),
    ];
    for (name, configuration) in configurations {
        let mut sent = tags(RECORDING);
        for tag in &mut sent {
            if tag.kind == TagKind::Video && !is_frame(tag) {
                tag.body = configuration.clone();
            }
        }
        let owed = frames(&sent, TagKind::Audio).len();
        let seen = seen_of(&app, &sent, TagKind::Audio).await;
        assert_eq!(frames(&seen, TagKind::Audio).len(), owed, "{name}: sound");
        // What says nothing of a picture's size cannot hurt a viewer; what cannot be read reaches none.
        if name != "an empty PPS" {
            assert_eq!(frames(&seen, TagKind::Video).len(), 0, "{name}: pictures");
        }
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn sound_before_its_configuration_is_left_out_and_heard_from_there_on() {
    let (app, healthy) = healthy_server().await;
    let mut sent = tags(RECORDING);
    let at = sent
        .iter()
        .position(|tag| tag.kind == TagKind::Audio && !is_frame(tag))
        .expect("AAC's configuration");
    let configuration = sent.remove(at);
    let late = sent.len() / 2;
    sent.insert(late, Tag { timestamp_ms: sent[late].timestamp_ms, ..configuration });
    let seen = seen_of(&app, &sent, TagKind::Video).await;
    assert_eq!(frames(&seen, TagKind::Video).len(), frames(&sent, TagKind::Video).len(), "pictures");
    assert_eq!(frames(&seen, TagKind::Audio).len(), frames(&sent[late..], TagKind::Audio).len(), "sound");
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_codec_that_changes_in_mid_stream_is_announced_and_followed() {
    let (app, healthy) = healthy_server().await;
    let mut sent = tags(SOUND);
    let after = |sent: &[Tag]| sent.last().expect("a tag").timestamp_ms + 23;
    for recording in [RECORDING, HEVC, RECORDING] {
        let from = after(&sent);
        let more = tags(recording).into_iter().filter(|tag| tag.kind != TagKind::Script);
        sent.extend(more.map(|tag| Tag { timestamp_ms: from + tag.timestamp_ms, ..tag }));
    }
    let seen = seen_of(&app, &sent, TagKind::Audio).await;
    let mut demuxer = Demuxer::new();
    let (mut codecs, mut pictures) = (Vec::new(), 0);
    for tag in &seen {
        for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            match event.expect("a viewer is sent nothing broken") {
                flv::Event::Codec { codec, .. } if codec.kind() == media::codec::Kind::Video => {
                    codecs.push(codec.name());
                }
                flv::Event::Frame { track, .. } if track.kind == media::codec::Kind::Video => pictures += 1,
                _ => {}
            }
        }
    }
    codecs.dedup();
    assert_eq!(codecs, ["H.264", "H.265", "H.264"]);
    assert_eq!(pictures, frames(&sent, TagKind::Video).len());
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_publisher_of_nothing_but_noise_is_closed_and_told_why() {
    let (app, healthy) = healthy_server().await;
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/noise").await;
    for number in 0..300_u32 {
        let noise: Vec<u8> =
            (0..50).map(|at| (number.wrapping_mul(2_654_435_761) >> (at % 24)) as u8).collect();
        let kind = if number % 2 == 0 { TagKind::Video } else { TagKind::Audio };
        publisher.send(&Tag { kind, timestamp_ms: number, body: noise.into() }).await;
    }
    let Some(Event::Status(status)) = publisher.event().await else { panic!("a reason") };
    assert_eq!(
        (status.level.as_str(), status.code.as_str()),
        ("error", "NetStream.Publish.BadName"),
        "{status:?}"
    );
    assert_eq!(publisher.event().await, None, "and is closed");
    healthy.end_unharmed(app).await;
}
