//! Smaller pictures of a stream, made while somebody watches them, and the renditions that a publisher sends.

mod hls;
mod reload;
mod stage;
mod whep;

use std::time::Duration;

use e2e::healthy::until;
use e2e::http::get;
use e2e::rtmp::{PATIENCE, Peer, Viewer};
use server::config::OnRequest;
use stage::{H264, conversions, keyframes, publish, publish_layers, serve, shown, size, stamps, watch};
use tokio::time::timeout;
use wire::flv::TagKind;
use wire::flv::file::Tag;
use wire::rtmp::client::{Event, Purpose};
use wire::rtmp::message::Kind;

const BFRAMES: &[u8] = include_bytes!("../../fixtures/h264_bframes_aac.flv");
const VP9: &[u8] = include_bytes!("../../fixtures/vp9_opus.flv");
const SOUND: &[u8] = include_bytes!("../../fixtures/aac_only.flv");
/// Pictures of a recording are so far apart.
const PICTURE_MS: u32 = 40;

async fn a_viewer_gets_smaller_pictures_of(recording: &'static [u8]) {
    let app = serve(|config| config.transcode.ffmpeg = "".into()).await;
    let live = publish(&app, recording, 2).await;
    let (plain, made) = tokio::join!(watch(&app, "/live/x.flv"), watch(&app, "/live/x.flv?rendition=64p"));
    assert_eq!((size(&plain), size(&made)), ((160, 120), (86, 64)));

    // Every picture once, at its own time on the source's clock.
    let (published, pictures) = (shown(&plain), shown(&made));
    for pair in pictures.windows(2) {
        assert!((PICTURE_MS - 2..=PICTURE_MS + 2).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
    let within = |at: &&u32, of: &[u32]| (of[3]..=of[of.len() - 4]).contains(*at);
    let common: Vec<_> = pictures.iter().filter(|at| within(at, &published)).collect();
    let is_published = |at: &u32| published.iter().any(|published| published.abs_diff(*at) <= 1);
    assert!(common.len() > 20 && common.iter().all(|at| is_published(at)), "{pictures:?} {published:?}");

    // Its groups are the source's.
    let (theirs, ours) = (keyframes(&plain), keyframes(&made));
    let reorder = published[0].abs_diff(stamps(&plain, TagKind::Video)[0]);
    let theirs: Vec<_> = theirs.iter().map(|at| at + reorder).filter(|at| within(&at, &pictures)).collect();
    assert!(!theirs.is_empty(), "{ours:?}");
    let is_ours = |at: &u32| ours.iter().any(|own| own.abs_diff(*at) <= 1);
    assert!(theirs.iter().all(is_ours), "{theirs:?} {ours:?}");

    // Sound is on the same clock, and begins with the pictures.
    let sounds = stamps(&made, TagKind::Audio);
    let apart = pictures[0].abs_diff(sounds[0]);
    assert!(apart <= 40, "sound begins {apart} ms from the picture");

    let mut last = Viewer::watch_target(app.addresses().http, "/live/x.flv?rendition=64p").await;
    last.frame().await.expect("it still runs");
    live.end().await;
    while last.frame().await.is_some() {}
    assert!(app.shutdown(PATIENCE).await, "every session ended by itself");
}

#[tokio::test]
async fn smaller_pictures_are_the_source_s_one_for_one_with_its_groups_and_sound() {
    a_viewer_gets_smaller_pictures_of(H264).await;
}

#[tokio::test]
async fn smaller_pictures_of_a_source_with_b_frames_are_in_order_and_at_their_times() {
    a_viewer_gets_smaller_pictures_of(BFRAMES).await;
}

#[tokio::test]
async fn viewers_share_a_rung_rungs_share_a_decoder_and_nothing_runs_after_the_last_has_left() {
    let app = serve(|config| config.transcode.ffmpeg = "".into()).await;
    let http = app.addresses().http;
    let _live = publish(&app, H264, 2).await;
    let mut viewers = Vec::new();
    for rendition in ["64p", "64p", "96p"] {
        let mut viewer = Viewer::watch_target(http, &format!("/live/x.flv?rendition={rendition}")).await;
        viewer.frame().await.expect("a picture");
        viewers.push(viewer);
    }
    let mut running = conversions(&app).await;
    running.sort_unstable();
    let wanted =
        ["64p from H.264, in process", "96p from H.264, in process", "pictures of H.264, for smaller ones"];
    assert_eq!(running, wanted);
    let told = get(http, "/api/v1/broadcasts/live/x").await.json();
    assert_eq!(told["viewers"]["flv"], 3, "viewers of a rung are the stream's");

    // Who comes to a decoder that runs begins with a picture and the sound of its time.
    let late = watch(&app, "/live/x.flv?rendition=64p").await;
    let apart = stamps(&late, TagKind::Video)[0].abs_diff(stamps(&late, TagKind::Audio)[0]);
    assert!(apart <= 60, "{apart}");

    drop(viewers);
    let ends = async {
        while !conversions(&app).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, ends).await.expect("all of it ends");
    let again = watch(&app, "/live/x.flv?rendition=96p").await;
    assert_eq!(size(&again), (128, 96), "whoever comes later has it made anew");
}

#[tokio::test]
async fn a_rung_of_what_this_process_does_not_decode_is_made_by_a_child() {
    let app = serve(|_| {}).await;
    let _live = publish(&app, VP9, 2).await;
    let made = watch(&app, "/live/x.flv?rendition=64p").await;
    assert_eq!(size(&made), (86, 64));
    assert!(made.iter().filter(|tag| tag.kind == TagKind::Audio).all(|tag| tag.body[0] >> 4 == 10), "AAC");
    let running = conversions(&app).await;
    assert!(running.iter().any(|what| what == "64p from VP9, by a child process"), "{running:?}");
}

#[tokio::test]
async fn sound_alone_and_the_source_by_name_are_passed_on_as_they_are() {
    let app = serve(|_| {}).await;
    let live = publish(&app, H264, 2).await;
    let (sound, named) =
        tokio::join!(watch(&app, "/live/x.flv?rendition=audio"), watch(&app, "/live/x.flv?rendition=120p"));
    assert!(stamps(&sound, TagKind::Video).is_empty() && stamps(&sound, TagKind::Audio).len() > 50);
    assert_eq!(size(&named), (160, 120));
    assert!(conversions(&app).await.is_empty(), "nothing is computed for either");
    let mut last = Viewer::watch_target(app.addresses().http, "/live/x.flv?rendition=audio").await;
    last.frame().await.expect("it still runs");
    live.end().await;
    while last.frame().await.is_some() {}
    assert!(app.shutdown(PATIENCE).await, "every session ended by itself");
}

#[tokio::test]
async fn a_source_of_sound_alone_has_no_pictures_to_offer() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let _live = publish(&app, SOUND, 1).await;
    let sound = watch(&app, "/live/x.flv?rendition=audio").await;
    assert!(stamps(&sound, TagKind::Audio).len() > 50);
    let refused = get(http, "/live/x.flv?rendition=64p").await;
    assert_eq!(refused.status, 404);
    assert!(refused.problem().contains("it has audio"), "{}", refused.problem());
}

#[tokio::test]
async fn layers_of_a_publisher_are_chosen_by_their_height_and_nothing_is_made_beside_them() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let publisher = publish_layers(&app).await;
    let path = media::Path::new("live/x").expect("well-formed");
    let broadcast = app.context().find(&path, PATIENCE).await.expect("somebody publishes");
    until("its tracks are known", || broadcast.tracks().len() == 3).await;
    let told = get(http, "/live/x.flv?rendition=64p").await;
    assert_eq!(told.status, 404, "there are layers, so no rung is made");
    assert!(told.problem().contains("it has source, 60p, audio"), "{}", told.problem());
    let (best, lower) = tokio::join!(watch(&app, "/live/x.flv"), watch(&app, "/live/x.flv?rendition=60p"));
    assert_eq!((size(&best), size(&lower)), ((160, 120), (80, 60)));
    assert!(stamps(&lower, TagKind::Audio).len() > 50, "with its sound");
    assert!(conversions(&app).await.is_empty(), "nothing is computed");
    publisher.abort();
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_in_words_that_say_what_can() {
    let app = serve(|config| config.ladder.max = 1).await;
    let http = app.addresses().http;
    let _live = publish(&app, H264, 2).await;
    let refused = async |query: &str| {
        let answer = get(http, &format!("/live/x.flv?{query}")).await;
        (answer.status, answer.problem().to_owned())
    };
    let (status, detail) = refused("rendition=480p").await;
    assert_eq!(status, 404);
    assert!(detail.contains("no rendition 480p; it has source, 96p, 64p, audio"), "{detail}");
    for hostile in
        ["rendition=", "rendition=..%2f", "rendition=64", "rendition=99999999999p", "rendition=-64p"]
    {
        assert_eq!(refused(hostile).await.0, 400, "{hostile}");
    }
    let mut viewer = Viewer::watch_target(http, "/live/x.flv?rendition=64p").await;
    viewer.frame().await.expect("a picture");
    let (status, detail) = refused("rendition=96p").await;
    assert_eq!(status, 503);
    assert!(detail.contains("ladder.max"), "{detail}");
    let shared = watch(&app, "/live/x.flv?rendition=64p").await;
    assert_eq!(size(&shared), (86, 64), "what runs already has room for every viewer");
}

#[tokio::test]
async fn no_address_starts_a_rung_where_the_configuration_says_so_and_patterns_allow_it_again() {
    let app = serve(|config| config.ladder.on_request = OnRequest::Never).await;
    let _live = publish(&app, H264, 2).await;
    let refused = get(app.addresses().http, "/live/x.flv?rendition=64p").await;
    assert_eq!(refused.status, 403);
    assert!(refused.problem().contains("ladder.on_request"), "{}", refused.problem());
    assert!(conversions(&app).await.is_empty());
    let listed = serve(|config| {
        config.ladder.on_request = OnRequest::Never;
        config.ladder.streams = vec!["live/*".into()];
    });
    let listed = listed.await;
    let _live = publish(&listed, H264, 2).await;
    assert_eq!(size(&watch(&listed, "/live/x.flv?rendition=64p").await), (86, 64));
}

#[tokio::test]
async fn a_player_of_rtmp_asks_for_a_rendition_with_the_name_of_the_stream() {
    let app = serve(|_| {}).await;
    let _live = publish(&app, H264, 2).await;
    let mut player = Peer::ask(app.addresses().rtmp, Purpose::Play, "live/x?rendition=64p").await;
    let mut seen = Vec::new();
    while seen.len() < 20 {
        match player.event().await.expect("the stream goes on") {
            Event::Media(media) if media.kind == Kind::Video => {
                let (timestamp_ms, body) = (media.timestamp_ms, media.payload);
                seen.push(Tag { kind: TagKind::Video, timestamp_ms, body });
            }
            Event::Media(_) | Event::Ready | Event::Status(_) => {}
            Event::StreamEof => panic!("it ended"),
        }
    }
    assert_eq!(size(&seen), (86, 64));
    let mut refused = Peer::ask(app.addresses().rtmp, Purpose::Play, "live/x?rendition=65p").await;
    match refused.event().await {
        Some(Event::Status(status)) => assert!(format!("{status:?}").contains("it has source"), "{status:?}"),
        other => panic!("{other:?}"),
    }
}
