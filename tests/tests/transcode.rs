//! H.264 for viewers that play nothing else: made by a real FFmpeg, once for all of them, while somebody watches.

use std::path::Path;
use std::time::Duration;

use e2e::healthy::until;
use e2e::http::{get, request};
use e2e::live::{Live, Tape};
use e2e::rtmp::{PATIENCE, Peer, Viewer, is_frame, tags};
use server::{App, Config};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout};
use wire::flv::TagKind;
use wire::flv::file::Tag;
use wire::rtmp::client::{Event, Purpose};
use wire::rtmp::message::Kind;

const AV1: &[u8] = include_bytes!("../fixtures/av1_opus.flv");
const VP9: &[u8] = include_bytes!("../fixtures/vp9_opus.flv");
const H265: &[u8] = include_bytes!("../fixtures/hevc_aac.flv");
/// Pictures of a recording are so far apart.
const PICTURE_MS: u32 = 40;
/// What a viewer watches: more than one group of pictures.
const WATCHED_MS: u32 = 3_000;

/// Children are counted over the whole process, in which tests may run beside each other.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().await
}

async fn serve(change: impl FnOnce(&mut Config)) -> App {
    let ffmpeg = std::process::Command::new("ffmpeg").arg("-version").output();
    ffmpeg.expect("these tests need ffmpeg in PATH: apt install ffmpeg");
    e2e::healthy::serve(change).await
}

async fn publish(app: &App, recording: &[u8]) -> Live {
    publish_tags(app, tags(recording), 2).await
}

/// Of so many tracks.
async fn publish_tags(app: &App, tags: Vec<Tag>, tracks: usize) -> Live {
    Live::publish(app, Tape { tags, tracks, again: is_frame }).await
}

/// FFmpegs that this process runs, by number.
fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let is_ours = |entry: &std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let (name, rest) = stat.rsplit_once(')').unwrap_or_default();
        let mut fields = rest.split_whitespace();
        let (state, parent) = (fields.next(), fields.next());
        name.ends_with("(ffmpeg") && state != Some("Z") && parent == Some(own.as_str())
    };
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    entries.filter(is_ours).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A picture of H.264 in the form that every player of FLV knows.
fn is_h264(tag: &Tag) -> bool {
    tag.kind == TagKind::Video && tag.body[0] & 0x8F == 7
}

/// What a viewer gets from the first picture on, for [`WATCHED_MS`] of it.
async fn watch(app: &App, target: &str) -> Vec<Tag> {
    let mut viewer = Viewer::watch_target(app.addresses().http, target).await;
    assert!(viewer.head.starts_with("HTTP/1.1 200"), "{}", viewer.head);
    let mut seen: Vec<Tag> = Vec::new();
    loop {
        let tag = viewer.frame().await.expect("the stream goes on");
        let first = seen.first().map_or(tag.timestamp_ms, |tag| tag.timestamp_ms);
        if tag.timestamp_ms > first + WATCHED_MS {
            return seen;
        }
        seen.push(tag);
    }
}

fn stamps(seen: &[Tag], kind: TagKind) -> Vec<u32> {
    seen.iter().filter(|tag| tag.kind == kind).map(|tag| tag.timestamp_ms).collect()
}

async fn a_viewer_that_asks_for_h264_gets_every_picture_of(recording: &'static [u8]) {
    let _alone = alone().await;
    let app = serve(|_| {}).await;
    let live = publish(&app, recording).await;
    let (plain, made) = tokio::join!(watch(&app, "/live/x.flv"), watch(&app, "/live/x.flv?video=h264"));
    assert!(made.iter().filter(|tag| tag.kind == TagKind::Video).all(is_h264));
    assert!(!plain.iter().any(is_h264), "whoever did not ask gets what is published");
    // AAC, whatever the source has.
    assert!(made.iter().filter(|tag| tag.kind == TagKind::Audio).all(|tag| tag.body[0] >> 4 == 10));
    assert_eq!(children().len(), 1);

    // The source's pictures one for one, each at its own time on the source's clock; sound is on that clock too.
    let (published, pictures) = (stamps(&plain, TagKind::Video), stamps(&made, TagKind::Video));
    let sounds = stamps(&made, TagKind::Audio);
    assert!(pictures.len() as u32 >= WATCHED_MS / PICTURE_MS - 1, "{}", pictures.len());
    for pair in pictures.windows(2) {
        assert!((PICTURE_MS - 2..=PICTURE_MS + 2).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
    let is_made = |at: &&u32| (pictures[0]..=pictures[pictures.len() - 1]).contains(*at);
    let is_published = |at: &&u32| published.iter().any(|published| published.abs_diff(**at) <= 1);
    let common = pictures.iter().filter(|at| (published[0]..=published[published.len() - 1]).contains(at));
    assert!(
        common.clone().count() > 50 && common.clone().all(|at| is_published(&at)),
        "{pictures:?} {published:?}"
    );
    assert_eq!(common.count(), published.iter().filter(|at| is_made(at)).count(), "none is made twice");
    // Sound begins with the pictures, and comes with them: apart by no more than its own conversion and what it waits for
    // pictures on a busy machine.
    let begin = pictures[0].abs_diff(sounds[0]);
    assert!(begin <= 60, "sound begins {begin} ms from the picture");
    let end = pictures[pictures.len() - 1].abs_diff(sounds[sounds.len() - 1]);
    assert!(end <= 250, "sound comes {end} ms from the picture");

    let mut last = Viewer::watch_target(app.addresses().http, "/live/x.flv?video=h264").await;
    last.frame().await.expect("it still runs");
    live.end().await;
    while last.frame().await.is_some() {}
    until("the child is gone with its source", || children().is_empty()).await;
    assert!(app.shutdown(PATIENCE).await, "every session ended by itself");
}

#[tokio::test]
async fn av1_and_opus_become_h264_and_aac() {
    a_viewer_that_asks_for_h264_gets_every_picture_of(AV1).await;
}

#[tokio::test]
async fn vp9_and_opus_become_h264_and_aac() {
    a_viewer_that_asks_for_h264_gets_every_picture_of(VP9).await;
}

#[tokio::test]
async fn h265_becomes_h264_and_its_aac_stays() {
    a_viewer_that_asks_for_h264_gets_every_picture_of(H265).await;
}

/// Four seconds of VP8, which no recording has.
fn vp8() -> Vec<Tag> {
    let arguments = "-v error -f lavfi -i testsrc2=size=160x120:rate=25:duration=4 -c:v libvpx -deadline realtime \
        -cpu-used 8 -g 50 -f ivf pipe:1";
    let made = std::process::Command::new("ffmpeg").args(arguments.split_whitespace()).output();
    let ivf = made.expect("these tests need ffmpeg in PATH: apt install ffmpeg").stdout;
    let (mut rest, mut tags) = (&ivf[32..], Vec::new());
    while let Some((head, after)) = rest.split_at_checked(12) {
        let (payload, after) =
            after.split_at(u32::from_le_bytes(head[..4].try_into().expect("four")) as usize);
        // CodedFrames of a keyframe, or of another one (E-RTMP v2).
        let first = if payload[0] & 1 == 0 { 0x91 } else { 0xA1 };
        let body = [&[first], b"vp08".as_slice(), payload].concat().into();
        tags.push(Tag { kind: TagKind::Video, timestamp_ms: tags.len() as u32 * PICTURE_MS, body });
        rest = after;
    }
    tags
}

#[tokio::test]
async fn vp8_becomes_h264_for_players_that_did_not_ask() {
    let _alone = alone().await;
    let app = serve(|_| {}).await;
    let _live = publish_tags(&app, vp8(), 1).await;
    let seen = watch(&app, "/live/x.flv").await;
    assert!(seen.iter().all(is_h264) && seen.len() as u32 >= WATCHED_MS / PICTURE_MS - 1, "{}", seen.len());
    let first = get(app.addresses().http, "/live/x.m3u8").await;
    assert!(first.text().contains("avc1."), "{}", first.text());
    assert_eq!(children().len(), 1);
}

#[tokio::test]
async fn one_child_serves_all_viewers_is_listed_with_its_cost_and_ends_soon_after_the_last_of_them() {
    let _alone = alone().await;
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let _live = publish(&app, VP9).await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut viewer = Viewer::watch_target(http, "/live/x.flv?video=h264").await;
        viewer.frame().await.expect("a picture");
        viewers.push(viewer);
    }
    let first = children();
    assert_eq!(first.len(), 1);
    let listed = async {
        loop {
            viewers[0].frame().await.expect("the stream goes on");
            let told = get(http, "/api/v1/broadcasts/live/x").await.json();
            let conversions = told["conversions"].as_array().expect("a list").clone();
            let costs = |name: &str| {
                let named = conversions.iter().find(|one| one["what"] == name).expect("it is listed");
                named["cores"].as_f64().expect("a number") > 0.0
            };
            if costs("H.264 from VP9") && costs("AAC from Opus") {
                return conversions;
            }
        }
    };
    let conversions = timeout(PATIENCE, listed).await.expect("it costs something");
    assert_eq!(conversions.len(), 2, "{conversions:?}");

    drop(viewers);
    let left = Instant::now();
    until("the child is gone", || children().is_empty()).await;
    assert!(left.elapsed() < Duration::from_secs(8), "{:?}", left.elapsed());
    // Whoever comes later finds a new one.
    let mut viewer = Viewer::watch_target(http, "/live/x.flv?video=h264").await;
    assert!(is_h264(&viewer.frame().await.expect("a picture")));
    assert_ne!(children(), first);
}

#[tokio::test]
async fn a_child_that_dies_is_replaced_and_its_viewers_stay() {
    let _alone = alone().await;
    let app = serve(|_| {}).await;
    let _live = publish(&app, VP9).await;
    let mut viewer = Viewer::watch_target(app.addresses().http, "/live/x.flv?video=h264").await;
    viewer.frame().await.expect("a picture");
    let first = children();
    let killed = std::process::Command::new("kill").args(["-9", &first[0].to_string()]).status();
    assert!(killed.expect("kill").success());
    let goes_on = async {
        let mut pictures = 0;
        while pictures < 10 {
            let tag = viewer.frame().await.expect("the stream goes on");
            pictures += u32::from(is_h264(&tag) && !children().is_empty() && children() != first);
        }
    };
    timeout(PATIENCE, goes_on).await.expect("a new child makes pictures");
}

#[tokio::test]
async fn a_player_of_rtmp_asks_with_the_name_of_the_stream() {
    let _alone = alone().await;
    let app = serve(|_| {}).await;
    let _live = publish(&app, H265).await;
    let mut player = Peer::ask(app.addresses().rtmp, Purpose::Play, "live/x?video=h264").await;
    let mut pictures = 0;
    while pictures < 5 {
        match player.event().await.expect("the stream goes on") {
            Event::Media(media) if media.kind == Kind::Video => {
                assert_eq!(media.payload[0] & 0x8F, 7, "AVC as RTMP has always had it");
                pictures += 1;
            }
            Event::Media(_) | Event::Ready | Event::Status(_) => {}
            Event::StreamEof => panic!("it ended"),
        }
    }
    assert_eq!(children().len(), 1);
}

#[tokio::test]
async fn hls_keeps_what_its_player_asked_for() {
    let _alone = alone().await;
    let app = serve(|config| config.hls.segment_min = Duration::from_millis(500)).await;
    let http = app.addresses().http;
    let _live = publish(&app, AV1).await;
    let first = get(http, "/live/x.m3u8?video=h264&wait_ms=10000").await;
    let codecs = first.text();
    assert!(codecs.contains("avc1.") && codecs.contains("mp4a.40.2"), "{codecs}");
    let media = codecs.lines().find_map(|line| line.strip_prefix("./")).expect("a variant");
    let playlist = get(http, &format!("/live/{media}")).await;
    assert_eq!(playlist.status, 200, "{}", playlist.text());
    assert!(get(http, "/live/x.m3u8").await.text().contains("av01."), "whoever did not ask");
}

#[tokio::test]
async fn without_ffmpeg_whoever_asks_is_told_what_is_missing_and_others_are_served() {
    let app = serve(|config| config.transcode.ffmpeg = "".into()).await;
    let http = app.addresses().http;
    let _live = publish(&app, VP9).await;
    for target in ["/live/x.flv?video=h264", "/live/x.m3u8?video=h264"] {
        let refused = get(http, target).await;
        assert_eq!(refused.status, 406, "{target}");
        let detail = refused.problem();
        assert!(detail.contains("VP9") && detail.contains("transcode.ffmpeg"), "{detail}");
    }
    let mut viewer = Viewer::watch_target(http, "/live/x.flv").await;
    viewer.frame().await.expect("VP9 as it is published");
}

/// An offer of a browser that knows H.264 and Opus alone.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=setup:actpass\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=rtpmap:111 opus/48000/2\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\na=rtcp-mux\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=setup:actpass\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack pli\r\n\
    a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";

async fn offer(app: &App) -> e2e::http::Answer {
    let length = OFFER.len().to_string();
    let headers = [("Content-Type", "application/sdp"), ("Content-Length", length.as_str())];
    let mut connection = e2e::http::Connection::open(app.addresses().http).await;
    let mut head = format!("POST /live/x/whep HTTP/1.1\r\nHost: {}\r\n", app.addresses().http);
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.send(format!("{head}\r\n{OFFER}")).await;
    connection.answer(false).await.expect("an answer")
}

#[tokio::test]
async fn a_browser_without_the_published_codec_is_answered_with_h264() {
    let _alone = alone().await;
    let app = serve(|_| {}).await;
    let _live = publish(&app, AV1).await;
    let answer = offer(&app).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(
        answer.text().contains("H264/90000") && answer.text().contains("opus/48000"),
        "{}",
        answer.text()
    );
    assert_eq!(children().len(), 1);
    let session = answer.header("location").expect("a resource").to_owned();
    assert_eq!(request(app.addresses().http, "DELETE", &session, &[]).await.status, 200);
    until("the child is gone", || children().is_empty()).await;
}

#[tokio::test]
async fn a_browser_without_the_published_codec_is_told_what_the_server_lacks() {
    let missing = Path::new("/nowhere/ffmpeg");
    let app = serve(|config| config.transcode.ffmpeg = missing.into()).await;
    let _live = publish(&app, AV1).await;
    let answer = offer(&app).await;
    assert_eq!(answer.status, 406, "{}", answer.text());
    let detail = answer.problem();
    assert!(detail.contains("AV1") && detail.contains("/nowhere/ffmpeg"), "{detail}");
}

#[tokio::test]
async fn a_program_that_is_no_ffmpeg_is_given_up_and_its_viewers_come_to_an_end() {
    let app = serve(|config| config.transcode.ffmpeg = "echo".into()).await;
    let http = app.addresses().http;
    let _live = publish(&app, VP9).await;
    let mut viewer = Viewer::watch_target(http, "/live/x.flv?video=h264").await;
    while let Some(tag) = viewer.frame().await {
        assert_eq!(tag.kind, TagKind::Audio, "there is nothing but sound");
    }
    let refused = get(http, "/live/x.flv?video=h264").await;
    assert_eq!(refused.status, 503, "it is not tried again at once");
    assert!(refused.problem().contains("log"));
}
