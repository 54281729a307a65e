//! Who may publish a path, and what viewers see when publishers come, vanish, return and end.

use std::time::Duration;

use e2e::rtmp::{PATIENCE, Peer, Viewer, is_frame, tags};
use server::config::Takeover;
use server::{App, Config};
use wire::flv::TagKind;
use wire::flv::file::Tag;
use wire::rtmp::client::{Event, Purpose};

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");

async fn serve(change: impl FnOnce(&mut Config)) -> App {
    let mut config = Config::default();
    config.data.dir = e2e::scratch::folder();
    config.http.listen.set_port(0);
    config.rtmp.listen.set_port(0);
    change(&mut config);
    App::start(config).await.expect("port 0 is free")
}

async fn send_all(peer: &mut Peer) {
    for tag in &tags(RECORDING) {
        peer.send(tag).await;
    }
}

/// Waits until somebody publishes `live/x`.
async fn until_live(app: &App) {
    let path = media::Path::new("live/x").expect("well-formed");
    app.context().find(&path, PATIENCE).await.expect("somebody publishes");
}

#[tokio::test]
async fn viewers_of_a_vanished_publisher_stay_and_go_on_when_it_returns_and_their_clock_never_steps_back() {
    // Four seconds of media are sent at once: no viewer is to skip for that.
    let app = serve(|config| config.egress.lag_max = PATIENCE).await;
    let (rtmp, http) = (app.addresses().rtmp, app.addresses().http);
    let mut first = Peer::publish(rtmp, "live/x").await;
    send_all(&mut first).await;
    let mut viewer = Viewer::watch(http, "live/x").await;
    let mut last = viewer.frame().await.expect("a keyframe").timestamp_ms;
    drop(first);
    let mut second = Peer::publish(rtmp, "live/x").await;
    send_all(&mut second).await;
    let frames = tags(RECORDING).iter().filter(|tag| is_frame(tag)).count();
    let (mut pictures, mut sounds) = (0, 0);
    let mut newest = [last; 2];
    for _ in 0..frames {
        let tag = viewer.frame().await.expect("the connection is the same");
        let newest = &mut newest[usize::from(tag.kind == TagKind::Audio)];
        assert!(tag.timestamp_ms >= *newest, "{} after {newest}", tag.timestamp_ms);
        *newest = tag.timestamp_ms;
        last = last.max(tag.timestamp_ms);
        *(if tag.kind == TagKind::Video { &mut pictures } else { &mut sounds }) += 1;
    }
    assert!(
        last > 4_000,
        "the second run of four seconds lies behind the first, which ended before 4 s: {last}"
    );
    assert!(pictures > 90 && sounds > 170, "{pictures} pictures, {sounds} packets of sound");
}

#[tokio::test]
async fn a_publisher_that_ends_on_purpose_ends_its_viewers_of_every_protocol() {
    let app = serve(|_| {}).await;
    let (rtmp, http) = (app.addresses().rtmp, app.addresses().http);
    let mut publisher = Peer::publish(rtmp, "live/x").await;
    send_all(&mut publisher).await;
    let mut viewer = Viewer::watch(http, "live/x").await;
    assert!(viewer.head.starts_with("HTTP/1.1 200"), "{}", viewer.head);
    let mut player = Peer::ask(rtmp, Purpose::Play, "live/x").await;
    while player.event().await.expect("the broadcast is live") != Event::Ready {}
    viewer.frame().await.expect("a keyframe");
    publisher.finish().await;
    while viewer.tag().await.is_some() {}
    let mut told = Vec::new();
    while let Some(event) = player.event().await {
        match event {
            Event::Status(status) => told.push(status.code),
            Event::StreamEof | Event::Media(_) | Event::Ready => {}
        }
    }
    assert!(told.iter().any(|code| code == "NetStream.Play.UnpublishNotify"), "{told:?}");
}

#[tokio::test]
async fn viewers_of_a_publisher_that_does_not_return_are_let_go_after_the_grace_time() {
    let app = serve(|config| config.publish.grace = Duration::from_millis(300)).await;
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/x").await;
    send_all(&mut publisher).await;
    let mut viewer = Viewer::watch(app.addresses().http, "live/x").await;
    drop(publisher);
    while viewer.tag().await.is_some() {}
    let gone = Viewer::watch(app.addresses().http, "live/x").await;
    assert!(gone.head.starts_with("HTTP/1.1 404"), "{}", gone.head);
}

#[tokio::test]
async fn a_newer_session_takes_over_and_the_older_one_is_told_why() {
    let app = serve(|_| {}).await;
    let rtmp = app.addresses().rtmp;
    let mut older = Peer::publish(rtmp, "live/x").await;
    let mut newer = Peer::publish(rtmp, "live/x").await;
    let Some(Event::Status(status)) = older.event().await else { panic!("a reason") };
    assert!(status.description.contains("newer session"), "{status:?}");
    assert_eq!(older.event().await, None, "and is closed");
    send_all(&mut newer).await;
    assert!(Viewer::watch(app.addresses().http, "live/x").await.frame().await.is_some());
}

#[tokio::test]
async fn a_refusing_policy_keeps_the_older_session_and_names_the_remedy_to_the_newer() {
    let app = serve(|config| config.publish.takeover = Takeover::Refuse).await;
    let rtmp = app.addresses().rtmp;
    let _older = Peer::publish(rtmp, "live/x").await;
    let mut newer = Peer::ask(rtmp, Purpose::Publish, "live/x").await;
    let Some(Event::Status(status)) = newer.event().await else { panic!("a refusal") };
    assert_eq!((status.level.as_str(), status.code.as_str()), ("error", "NetStream.Publish.BadName"));
    assert!(status.description.contains("choose another name"), "{status:?}");
}

#[tokio::test]
async fn of_many_sessions_racing_for_one_path_one_is_left_and_its_stream_plays() {
    let app = serve(|_| {}).await;
    let rtmp = app.addresses().rtmp;
    let race = || async move {
        let mut peer = Peer::ask(rtmp, Purpose::Publish, "live/x").await;
        // Most are overtaken at once, some before they hear that they were accepted.
        peer.event().await;
        peer
    };
    let racers: Vec<_> = (0..32).map(|_| tokio::spawn(race())).collect();
    let mut peers = Vec::new();
    for racer in racers {
        peers.push(racer.await.expect("no racer panics"));
    }
    until_live(&app).await;
    let path = media::Path::new("live/x").expect("well-formed");
    let broadcast = app.context().hub.get(&path).expect("live");
    assert_eq!(broadcast.epoch(), 32, "each session had an epoch of its own");
    for peer in &mut peers {
        send_all(peer).await;
    }
    let mut viewer = Viewer::watch(app.addresses().http, "live/x").await;
    assert!(viewer.frame().await.is_some());
}

#[tokio::test]
async fn one_session_may_play_after_it_published() {
    let app = serve(|_| {}).await;
    let rtmp = app.addresses().rtmp;
    let mut publisher = Peer::publish(rtmp, "live/x").await;
    send_all(&mut publisher).await;
    let mut player = Peer::ask(rtmp, Purpose::Play, "live/x").await;
    let mut media = 0;
    while media < 50 {
        match player.event().await.expect("the broadcast is live") {
            Event::Media(_) => media += 1,
            Event::Ready | Event::Status(_) | Event::StreamEof => {}
        }
    }
}

#[tokio::test]
async fn names_that_are_no_names_are_refused_with_the_reason_and_harm_nobody() {
    let app = serve(|_| {}).await;
    let rtmp = app.addresses().rtmp;
    let long = format!("live/{}", "x".repeat(4_096));
    for name in ["live/..", "live/%2e%2e", "live/a%00b", "live/a%2fb", "api/x", long.as_str()] {
        let mut peer = Peer::ask(rtmp, Purpose::Publish, name).await;
        match peer.event().await {
            Some(Event::Status(status)) => assert_eq!(status.level, "error", "{name}: {status:?}"),
            None => {}
            Some(other) => panic!("{name} must be refused, not answered with {other:?}"),
        }
    }
    assert!(app.context().hub.list().is_empty());
}

#[tokio::test]
async fn a_player_of_a_stream_that_nobody_publishes_is_told_so() {
    let app = serve(|_| {}).await;
    let mut player = Peer::ask(app.addresses().rtmp, Purpose::Play, "live/nobody").await;
    let Some(Event::Status(status)) = player.event().await else { panic!("a refusal") };
    assert_eq!(status.code, "NetStream.Play.StreamNotFound");
    assert!(status.description.contains("start the publisher"), "{status:?}");
}

#[tokio::test]
async fn every_recording_comes_out_as_it_went_in() {
    // Seconds of media are sent at once: no viewer is to skip for that.
    let app = serve(|config| config.egress.lag_max = PATIENCE).await;
    let recordings: &[(&str, &[u8])] = &[
        ("h264_aac", RECORDING),
        ("h264_bframes_aac", include_bytes!("../fixtures/h264_bframes_aac.flv")),
        ("h264_only", include_bytes!("../fixtures/h264_only.flv")),
        ("aac_only", include_bytes!("../fixtures/aac_only.flv")),
        ("long_gop", include_bytes!("../fixtures/long_gop.flv")),
        ("intra_refresh", include_bytes!("../fixtures/intra_refresh.flv")),
        ("resolution_change", include_bytes!("../fixtures/resolution_change.flv")),
        ("hevc_aac", include_bytes!("../fixtures/hevc_aac.flv")),
        ("hevc_legacy12", include_bytes!("../fixtures/hevc_legacy12.flv")),
        ("av1_opus", include_bytes!("../fixtures/av1_opus.flv")),
        ("vp9_opus", include_bytes!("../fixtures/vp9_opus.flv")),
    ];
    for (name, recording) in recordings {
        let path = format!("live/{name}");
        let tags = tags(recording);
        let mut publisher = Peer::publish(app.addresses().rtmp, &path).await;
        let mut viewer = Viewer::watch(app.addresses().http, &path).await;
        // The viewer joins at the newest group when it looks, so it is to see the first before there is another.
        let pictures = tags.iter().any(|tag| tag.kind == TagKind::Video);
        let first = |tag: &Tag| is_frame(tag) && (!pictures || tag.kind == TagKind::Video);
        let (before, rest) = tags.split_at(tags.iter().position(first).expect("a frame") + 1);
        for tag in before {
            publisher.send(tag).await;
        }
        let mut seen = vec![viewer.frame().await.expect("the first group")];
        for tag in rest {
            publisher.send(tag).await;
        }
        publisher.finish().await;
        while let Some(tag) = viewer.frame().await {
            seen.push(tag);
        }
        let count = |tags: &[Tag], kind| tags.iter().filter(|tag| is_frame(tag) && tag.kind == kind).count();
        let owed = &tags[before.len() - 1..];
        for kind in [TagKind::Video, TagKind::Audio] {
            assert_eq!(count(&seen, kind), count(owed, kind), "{name}: {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_second_sound_reaches_viewers_that_ask_for_all_tracks_and_no_others() {
    let app = serve(|config| config.egress.lag_max = PATIENCE).await;
    let recording = tags(include_bytes!("../fixtures/multitrack.flv"));
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/x").await;
    for tag in &recording {
        publisher.send(tag).await;
    }
    let mut all = Viewer::watch_target(app.addresses().http, "/live/x.flv?tracks=all").await;
    let mut best = Viewer::watch(app.addresses().http, "live/x").await;
    publisher.finish().await;
    // AudioPacketType.Multitrack (E-RTMP v2): sound format 9, packet type 5.
    let is_second = |tag: &Tag| tag.kind == TagKind::Audio && tag.body.first() == Some(&0x95);
    let (mut second, mut first) = (0, 0);
    while let Some(tag) = all.tag().await {
        second += usize::from(is_second(&tag));
        first += usize::from(tag.kind == TagKind::Audio && !is_second(&tag));
    }
    assert!(second > 20 && first > 20, "{first} and {second} packets of two sounds");
    while let Some(tag) = best.tag().await {
        assert!(!is_second(&tag));
    }
}
