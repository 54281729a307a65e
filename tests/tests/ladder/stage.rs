//! A server with small rungs, a publisher in real time, and what viewers see.

use std::time::Duration;

use e2e::http::get;
use e2e::live::{Live, ROUND_MS, Tape};
use e2e::rtmp::{Viewer, is_frame, tags};
use media::broadcast::{Producer, Rendition, TrackId};
use media::codec::{Codec, aac, h264};
use media::hub::Takeover;
use media::{Frame, Span, Timestamp};
use server::config::Rung;
use server::{App, Config};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use wire::flv::TagKind;
use wire::flv::file::Tag;

/// 160×120.
pub(crate) const H264: &[u8] = include_bytes!("../../fixtures/h264_aac.flv");
/// What a viewer watches: more than one group of pictures.
const WATCHED_MS: u32 = 2_400;

pub(crate) async fn serve(change: impl FnOnce(&mut Config)) -> App {
    e2e::healthy::serve(|config| {
        config.hls.segment_min = Duration::from_millis(500);
        config.hls.segment_max = Duration::from_secs(2);
        config.hls.part = Duration::from_millis(200);
        config.ladder.rungs = vec![Rung { height: 96, kbps: 150 }, Rung { height: 64, kbps: 100 }];
        change(config);
    })
    .await
}

/// Parameters come again with each round.
pub(crate) async fn publish(app: &App, recording: &[u8], tracks: usize) -> Live {
    let again = |tag: &Tag| is_frame(tag) || tag.kind != TagKind::Script;
    Live::publish(app, Tape { tags: tags(recording), tracks, again }).await
}

/// What a viewer gets from the first picture on, for [`WATCHED_MS`] of it, parameters among it.
pub(crate) async fn watch(app: &App, target: &str) -> Vec<Tag> {
    let mut viewer = Viewer::watch_target(app.addresses().http, target).await;
    assert!(viewer.head.starts_with("HTTP/1.1 200"), "{}", viewer.head);
    let mut seen: Vec<Tag> = Vec::new();
    let mut first = None;
    loop {
        let tag = viewer.tag().await.expect("the stream goes on");
        if is_frame(&tag) && tag.timestamp_ms > *first.get_or_insert(tag.timestamp_ms) + WATCHED_MS {
            return seen;
        }
        seen.push(tag);
    }
}

pub(crate) fn stamps(seen: &[Tag], kind: TagKind) -> Vec<u32> {
    let frames = seen.iter().filter(|tag| tag.kind == kind && is_frame(tag));
    frames.map(|tag| tag.timestamp_ms).collect()
}

/// Decode times of the pictures that can be joined at.
pub(crate) fn keyframes(seen: &[Tag]) -> Vec<u32> {
    let is_key = |tag: &&Tag| tag.kind == TagKind::Video && is_frame(tag) && tag.body[0] >> 4 & 7 == 1;
    seen.iter().filter(is_key).map(|tag| tag.timestamp_ms).collect()
}

/// Display times of the pictures, rising.
pub(crate) fn shown(seen: &[Tag]) -> Vec<u32> {
    let pictures = seen.iter().filter(|tag| tag.kind == TagKind::Video && is_frame(tag));
    let cts = |tag: &Tag| u32::from_be_bytes([0, tag.body[2], tag.body[3], tag.body[4]]);
    let mut shown: Vec<u32> = pictures.map(|tag| tag.timestamp_ms + cts(tag)).collect();
    shown.sort_unstable();
    shown
}

/// Width and height by the parameters that came.
pub(crate) fn size(seen: &[Tag]) -> (u32, u32) {
    let config = seen.iter().rfind(|tag| tag.kind == TagKind::Video && tag.body[..2] == [0x17, 0]);
    let body = &config.expect("parameters of H.264").body;
    let params = media::codec::h264::Params::from_config(&body.slice(5..)).expect("well-formed");
    (params.width, params.height)
}

pub(crate) async fn conversions(app: &App) -> Vec<String> {
    let told = get(app.addresses().http, "/api/v1/broadcasts/live/x").await.json();
    let conversions = told["conversions"].as_array().expect("a list").clone();
    conversions.iter().map(|one| one["what"].as_str().expect("text").to_owned()).collect()
}

/// A publisher of two layers in real time, as a browser would send them: the recording of 160×120, and one of 80×60.
pub(crate) async fn publish_layers(app: &App) -> JoinHandle<()> {
    let arguments = "-v error -f lavfi -i testsrc2=size=80x60:rate=25:duration=4 -c:v libx264 -preset ultrafast \
        -tune zerolatency -g 25 -f flv pipe:1";
    let made = std::process::Command::new("ffmpeg").args(arguments.split_whitespace()).output();
    let lower = made.expect("these tests need ffmpeg in PATH: apt install ffmpeg").stdout;
    let path = media::Path::new("live/x").expect("well-formed");
    let producer =
        app.context().hub.claim(&path, Takeover::Newest, std::time::Instant::now()).expect("nobody else");
    let of = |recording: &[u8], track| tags(recording).into_iter().map(move |tag| (track, tag));
    let mut all: Vec<_> =
        of(H264, 0).chain(of(&lower, 2).filter(|(_, tag)| tag.kind == TagKind::Video)).collect();
    all.sort_by_key(|(_, tag)| tag.timestamp_ms);
    tokio::spawn(async move {
        let start = Instant::now();
        for round in 0.. {
            for (track, tag) in &all {
                let at = round * ROUND_MS + tag.timestamp_ms;
                sleep_until(start + Duration::from_millis(at.into())).await;
                write(&producer, *track, tag, at);
            }
        }
    })
}

fn write(producer: &Producer, picture: u8, tag: &Tag, at: u32) {
    let (track, header) = match tag.kind {
        TagKind::Video => (TrackId(picture), 5),
        TagKind::Audio => (TrackId(1), 2),
        TagKind::Script => return,
    };
    let payload = tag.body.slice(header..);
    if is_frame(tag) {
        let sync = tag.kind == TagKind::Audio || tag.body[0] >> 4 == 1;
        let frame = Frame { dts: Timestamp::from_millis(at.into()), cts: Span::ZERO, sync, payload };
        producer.write(track, frame).expect("nobody took over");
    } else if !payload.is_empty() {
        let rendition = Some(Rendition { set: 0, rank: picture }).filter(|_| tag.kind == TagKind::Video);
        let codec = match tag.kind {
            TagKind::Video => h264::Params::from_config(&payload).map(Codec::H264).ok(),
            TagKind::Audio | TagKind::Script => aac::Params::from_config(&payload).map(Codec::Aac).ok(),
        };
        producer.set_codec(track, codec.expect("parameters"), rendition).expect("nobody took over");
    }
}
