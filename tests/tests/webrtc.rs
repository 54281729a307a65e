//! What WebRTC publishers and viewers get from the running server, and what everybody else gets of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use e2e::healthy::{resident_bytes, serve, until};
use e2e::recording::{Kind, Unit, h264_opus};
use e2e::rtc::{
    Client, Event, Loss, Offer, Options, Received, SDP, Transport, captured as captured_at, config, marking,
};
use e2e::rtmp::{PATIENCE, Peer, Viewer, tags};
use media::codec::{h264, nal};
use server::App;
use server::config::Takeover;
use tokio::task::JoinSet;
use wire::flv::TagKind;
use wire::flv::file::Tag;

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");

/// What was recorded up to this time.
fn units(up_to_ms: i64) -> Vec<Unit> {
    let mut units = h264_opus();
    units.retain(|unit| unit.frame.dts.millis() < up_to_ms);
    units
}

/// The payloads of one kind, with their marker bits.
fn payloads(units: &[Unit], kind: Kind) -> Vec<(bool, Arc<[u8]>)> {
    let of_kind = units.iter().filter(|unit| unit.kind == kind);
    let packets = of_kind.flat_map(|unit| &unit.packets);
    packets.map(|packet| (packet.marker, Arc::clone(&packet.payload))).collect()
}

fn told(received: &[Received]) -> Vec<(bool, Arc<[u8]>)> {
    received.iter().map(|packet| (packet.marker, Arc::clone(&packet.payload))).collect()
}

/// The next `count` packets of one kind; those of the other are passed over.
async fn receive(viewer: &mut Client, kind: Kind, count: usize) -> Vec<Received> {
    let mut received = Vec::new();
    while received.len() < count {
        received.push(viewer.packet_of(kind).await);
    }
    received
}

/// As many frames as have both kinds among them.
const BOTH: usize = 6;

/// A publisher that has just begun: both kinds are known.
async fn publisher(app: &App, units: &[Unit]) -> Client {
    let publisher = Client::publish(app, "live/x").await;
    publisher.send_live(&units[..BOTH]).await;
    publisher
}

fn assert_contiguous(received: &[Received]) {
    for pair in received.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
    }
}

#[tokio::test]
async fn what_a_publisher_sends_reaches_a_viewer_packet_for_packet() {
    let app = serve(|_| {}).await;
    let units = units(1_500);
    let publisher = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    publisher.send_live(&units[BOTH..]).await;
    let sent = payloads(&units, Kind::Video);
    let received = receive(&mut viewer, Kind::Video, sent.len()).await;
    assert!(told(&received) == sent, "other payloads or marker bits than were sent");
    assert_contiguous(&received);
    let sent: Vec<_> =
        units.iter().filter(|unit| unit.kind == Kind::Video).flat_map(|unit| &unit.packets).collect();
    // What the viewer found goes by fast; what came later keeps its distances.
    let live = sent.iter().position(|packet| packet.at > units[BOTH].frame.dts).expect("more pictures");
    let of = |index: usize| (received[index].time as i64, sent[index].at.ticks(90_000));
    for index in live..received.len() {
        let (told, owed) = (of(index).0 - of(live).0, of(index).1 - of(live).1);
        assert!((told - owed).abs() <= 2, "packet {index} lies {told} ticks after the first, not {owed}");
    }
}

#[tokio::test]
async fn sound_reaches_a_viewer_packet_for_packet_and_in_step_with_the_picture() {
    let app = serve(|_| {}).await;
    let units = units(1_500);
    let publisher = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    publisher.send_live(&units[BOTH..]).await;
    let (mut sound, mut pictures) = (Vec::new(), Vec::new());
    let sent = payloads(&units, Kind::Audio);
    while pictures.len() < payloads(&units, Kind::Video).len() || sound.is_empty() {
        let packet = viewer.packet().await.expect("the session goes on");
        match packet.kind {
            Kind::Audio => sound.push(packet),
            Kind::Video => pictures.push(packet),
        }
    }
    assert!(sound.len() > 60, "{} packets of sound", sound.len());
    assert_contiguous(&sound);
    let told = told(&sound);
    let first = sent.windows(told.len()).position(|sent| sent == told).expect("what was sent");
    // Both are told on one line of time: a picture and a packet of sound of the same moment say the same.
    let recorded = |kind, number: usize| {
        let of_kind = units.iter().filter(|unit| unit.kind == kind);
        of_kind.flat_map(|unit| &unit.packets).nth(number).expect("it was sent").at.millis()
    };
    let line = |kind, hz, packet: &Received, number| packet.time as i64 * 1_000 / hz - recorded(kind, number);
    let skew = line(Kind::Audio, 48_000, &sound[sound.len() - 1], first + sound.len() - 1)
        - line(Kind::Video, 90_000, &pictures[pictures.len() - 1], pictures.len() - 1);
    assert!(skew.abs() < 20, "the sound is told {skew} ms after the picture it belongs to");
}

/// A frame as it comes back: parameter sets travel beside it.
fn without_parameters(payload: &Bytes) -> Bytes {
    nal::join(nal::units(payload).filter(|unit| !matches!(h264::unit_type(unit), 7 | 8 | 9 | 12)))
}

#[tokio::test]
async fn what_a_publisher_sends_reaches_http_flv_frame_for_frame_with_its_sound_in_aac_and_in_step() {
    let app = serve(|_| {}).await;
    let units = units(1_500);
    let publisher = Client::publish(&app, "live/x").await;
    let mut viewer = Viewer::watch(app.addresses().http, "live/x").await;
    publisher.send_live(&units).await;
    let mut pictures: Vec<Tag> = Vec::new();
    let mut sound = Vec::new();
    let owed: Vec<&Unit> = units.iter().filter(|unit| unit.kind == Kind::Video).collect();
    while pictures.len() < owed.len() || sound.len() < 50 {
        let tag = viewer.frame().await.expect("the broadcast goes on");
        match tag.kind {
            TagKind::Video => pictures.push(tag),
            TagKind::Audio => sound.push(tag),
            TagKind::Script => {}
        }
    }
    for (number, (tag, unit)) in pictures.iter().zip(&owed).enumerate() {
        assert_eq!(tag.body.slice(5..), without_parameters(&unit.frame.payload), "picture {number}");
        let (told, recorded) =
            (tag.timestamp_ms - pictures[0].timestamp_ms, unit.frame.dts - owed[0].frame.dts);
        assert!((i64::from(told) - recorded.millis()).abs() <= 1, "picture {number} at {told} ms");
    }
    assert!(sound.iter().all(|tag| tag.body[0] >> 4 == 10), "AAC");
    let first = units.iter().find(|unit| unit.kind == Kind::Audio).expect("sound");
    let owed = (first.frame.dts - owed[0].frame.dts).millis();
    let told = i64::from(sound[0].timestamp_ms) - i64::from(pictures[0].timestamp_ms);
    assert!((told - owed).abs() <= 60, "sound begins {told} ms after the picture, not {owed}");
    for (number, tag) in sound.iter().enumerate() {
        let told = i64::from(tag.timestamp_ms - sound[0].timestamp_ms);
        let owed = number as i64 * 1_024 * 1_000 / 48_000;
        assert!((told - owed).abs() <= 2, "packet {number} of sound at {told} ms, not {owed}");
    }
}

/// Sends tags of the recording, in real time from `from_ms` on.
async fn send_tags(publisher: &mut Peer, from_ms: u32, to_ms: u32) {
    let start = tokio::time::Instant::now();
    for tag in tags(RECORDING).iter().filter(|tag| (from_ms..to_ms).contains(&tag.timestamp_ms)) {
        tokio::time::sleep_until(start + Duration::from_millis((tag.timestamp_ms - from_ms).into())).await;
        publisher.send(tag).await;
    }
}

#[tokio::test]
async fn an_rtmp_publishers_viewer_gets_the_newest_group_from_its_keyframe_and_then_live_with_opus() {
    let app = serve(|_| {}).await;
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/x").await;
    for tag in tags(RECORDING).iter().filter(|tag| tag.timestamp_ms < 2_500) {
        publisher.send(tag).await;
    }
    let mut viewer = Client::watch(&app, "live/x").await;
    send_tags(&mut publisher, 2_500, 3_300).await;
    let pictures: Vec<Unit> = units(3_300).into_iter().filter(|unit| unit.kind == Kind::Video).collect();
    let joined = pictures.iter().filter(|unit| unit.frame.dts.millis() < 2_500);
    let key = joined.collect::<Vec<_>>().iter().rposition(|unit| unit.frame.sync).expect("a keyframe");
    assert!(key > 0, "there is an older group, which is not sent");
    let owed = payloads(&pictures[key..], Kind::Video);
    let (mut received, mut sound) = (Vec::new(), Vec::new());
    while received.len() < owed.len() || sound.len() < 20 {
        let packet = viewer.packet().await.expect("the session goes on");
        match packet.kind {
            Kind::Video => received.push(packet),
            Kind::Audio => sound.push(packet),
        }
    }
    assert!(told(&received[..owed.len()]) == owed, "other packets than the newest group and what followed");
    // STAP-A (24) of parameter sets, or the first of them (7).
    assert!(matches!(received[0].payload[0] & 0x1F, 7 | 24), "parameter sets come first");
    assert_contiguous(&received);
    assert_contiguous(&sound);
    assert!(sound.windows(2).all(|pair| pair[1].time - pair[0].time == 960), "Opus of 20 ms");
}

#[tokio::test]
async fn what_is_lost_on_the_way_in_and_out_is_asked_for_and_every_picture_arrives() {
    let app = serve(|_| {}).await;
    let units = units(2_000);
    let publisher = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    publisher.lose(Loss { seed: 1, outgoing: 10, incoming: 10 }).await;
    viewer.lose(Loss { seed: 2, outgoing: 10, incoming: 10 }).await;
    publisher.send_live(&units[BOTH..]).await;
    // The last ones are not known to be lost before something follows them.
    let owed = payloads(
        &units.into_iter().filter(|unit| unit.frame.dts.millis() < 1_500).collect::<Vec<_>>(),
        Kind::Video,
    );
    let mut received = std::collections::BTreeMap::new();
    let mut first = None;
    while (0..owed.len() as u64).any(|number| !received.contains_key(&number)) {
        let packet = viewer.packet_of(Kind::Video).await;
        let first = *first.get_or_insert(packet.sequence);
        received.insert(packet.sequence - first, packet);
    }
    let received: Vec<Received> = received.into_values().take(owed.len()).collect();
    assert!(told(&received) == owed, "other payloads than were sent");
    let (reply, lost) = tokio::sync::oneshot::channel();
    viewer.tell(move |driver| reply.send(driver.counts.lost).expect("it is waited for")).await;
    assert!(lost.await.expect("the peer runs").1 > 10, "there was loss to mend");
}

#[tokio::test]
async fn sound_that_a_publisher_repeats_and_that_comes_late_after_all_reaches_a_viewer_once() {
    let app = serve(|_| {}).await;
    let sound: Vec<Unit> = units(1_000).into_iter().filter(|unit| unit.kind == Kind::Audio).collect();
    let options = Options { video: false, ..Options::PUBLISH };
    let offer = Offer::with_config(app.addresses().rtc, options, config().enable_opus(true, true)).await;
    let publisher = offer.post(app.addresses().http, "/live/x/whip").await.start().await;
    publisher.send_live(&sound[..4]).await;
    let mut viewer = Client::connect(&app, "live/x", Options { video: false, ..Options::WATCH }).await;
    for pair in sound[4..].chunks_exact(2) {
        let (first, second) = (pair[0].clone(), pair[1].clone());
        // The second overtakes the first, which it repeats.
        publisher
            .tell(move |driver| {
                driver.write_repeating(&second, &first);
                driver.write(&first);
            })
            .await;
    }
    // All but what the joining took.
    receive(&mut viewer, Kind::Audio, 40).await;
    let (reply, heard) = tokio::sync::oneshot::channel();
    viewer.tell(move |driver| reply.send(driver.heard.clone()).expect("it is waited for")).await;
    let mut heard = heard.await.expect("the peer runs");
    heard.sort_unstable();
    assert!(heard.windows(2).all(|pair| pair[0] != pair[1]), "some packets came twice: {heard:?}");
}

#[tokio::test]
async fn of_a_burst_that_is_more_than_a_session_takes_in_one_turn_nothing_is_lost() {
    /// A session takes 64 datagrams a turn.
    const BURST: usize = 120;
    let app = serve(|_| {}).await;
    let sound: Vec<Unit> = h264_opus().into_iter().filter(|unit| unit.kind == Kind::Audio).collect();
    let publisher = Client::connect(&app, "live/x", Options { video: false, ..Options::PUBLISH }).await;
    publisher.send_live(&sound[..4]).await;
    let mut viewer = Client::connect(&app, "live/x", Options { video: false, ..Options::WATCH }).await;
    let burst = sound[4..4 + BURST].to_vec();
    publisher.tell(move |driver| burst.iter().for_each(|unit| driver.write(unit))).await;
    let received = receive(&mut viewer, Kind::Audio, BURST).await;
    assert_contiguous(&received);
}

#[tokio::test]
async fn a_loss_that_nobody_can_mend_is_answered_by_asking_for_a_keyframe() {
    let app = serve(|_| {}).await;
    let mut units = units(900);
    let mut publisher = publisher(&app, &units).await;
    let lost = units.iter().rposition(|unit| unit.kind == Kind::Video && unit.frame.dts.millis() < 400);
    let lost = units.remove(lost.expect("a picture"));
    assert!(!lost.frame.sync, "the group goes on");
    publisher.send_live(&units[BOTH..]).await;
    publisher.keyframe_wanted().await;
}

#[tokio::test]
async fn fifty_viewers_that_want_a_keyframe_ask_the_publisher_once_in_two_seconds() {
    // It sends nothing while they come, which takes a busy machine long.
    let app = Arc::new(serve(|config| config.publish.idle = PATIENCE * 3).await);
    let units = units(200);
    let mut publisher = publisher(&app, &units).await;
    publisher.send_live(&units[BOTH..]).await;
    let mut joining = JoinSet::new();
    for _ in 0..50 {
        let app = Arc::clone(&app);
        joining.spawn(async move {
            let mut viewer = Client::watch(&app, "live/x").await;
            viewer.packet_of(Kind::Video).await;
            viewer
        });
    }
    let viewers = joining.join_all().await;
    for viewer in &viewers {
        viewer.ask_for_keyframe().await;
    }
    let first = publisher.keyframe_wanted().await;
    for viewer in &viewers {
        viewer.ask_for_keyframe().await;
    }
    let second = publisher.keyframe_wanted().await;
    let between = second - first;
    assert!(between >= Duration::from_millis(1_900), "asked again after {between:?}");
}

/// The newest picture's time and number, of which later ones are to be beyond.
fn newest(received: &[Received]) -> (u64, u64) {
    let last = received.last().expect("something was received");
    (last.time, last.sequence)
}

#[tokio::test]
async fn viewers_of_a_vanished_publisher_stay_and_go_on_when_it_returns_by_whip_and_then_by_rtmp() {
    let app = serve(|_| {}).await;
    let units = units(500);
    let first = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    first.send_live(&units[BOTH..]).await;
    let owed = payloads(&units, Kind::Video);
    let (time, sequence) = newest(&receive(&mut viewer, Kind::Video, owed.len()).await);
    drop(first);
    let second = Client::publish(&app, "live/x").await;
    second.send_live(&units).await;
    let received = receive(&mut viewer, Kind::Video, owed.len()).await;
    assert!(told(&received) == owed, "other packets than the new publisher's, or some twice");
    assert_contiguous(&received);
    assert!(received[0].time > time && received[0].sequence > sequence);
    let (time, sequence) = newest(&received);
    drop(second);
    let mut third = Peer::publish(app.addresses().rtmp, "live/x").await;
    send_tags(&mut third, 0, 500).await;
    let received = receive(&mut viewer, Kind::Video, owed.len()).await;
    assert!(told(&received) == owed, "other packets than the RTMP publisher's, or some twice");
    assert!(received[0].time > time && received[0].sequence > sequence);
}

#[tokio::test]
async fn a_second_publisher_takes_over_and_is_the_one_that_is_asked_for_keyframes() {
    let app = serve(|_| {}).await;
    let units = units(500);
    let mut first = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    viewer.packet_of(Kind::Video).await;
    let mut second = Client::publish(&app, "live/x").await;
    first.until_closed().await;
    second.send_live(&units).await;
    let owed = payloads(&units, Kind::Video);
    let mut received = vec![viewer.packet_of(Kind::Video).await];
    // What was left of the first one lies before a gap.
    while received.len() < owed.len() {
        let packet = viewer.packet_of(Kind::Video).await;
        if packet.sequence > received.last().expect("one").sequence + 1 {
            received.clear();
        }
        received.push(packet);
    }
    assert!(told(&received) == owed, "other packets than the new publisher's, or some twice");
    viewer.ask_for_keyframe().await;
    second.keyframe_wanted().await;
}

#[tokio::test]
async fn a_refusing_policy_keeps_the_first_publisher_and_tells_the_second() {
    let app = serve(|config| config.publish.takeover = Takeover::Refuse).await;
    let units = units(500);
    let first = publisher(&app, &units).await;
    let offer = Offer::new(app.addresses().rtc, Options::PUBLISH).await;
    let answer =
        e2e::http::send(app.addresses().http, "POST", "/live/x/whip", &[SDP], offer.sdp.as_bytes()).await;
    assert_eq!(answer.status, 409);
    assert!(answer.problem().contains("choose another name"), "{}", answer.text());
    let mut viewer = Client::watch(&app, "live/x").await;
    first.send_live(&units[BOTH..]).await;
    receive(&mut viewer, Kind::Video, payloads(&units, Kind::Video).len()).await;
}

/// Posts an offer to publish and tells what was answered.
async fn status_of_publishing(app: &App) -> u16 {
    let offer = Offer::new(app.addresses().rtc, Options::PUBLISH).await;
    e2e::http::send(app.addresses().http, "POST", "/live/x/whip", &[SDP], offer.sdp.as_bytes()).await.status
}

#[tokio::test]
async fn where_others_are_refused_a_vanished_publisher_frees_its_path_soon() {
    let app = serve(|config| config.publish.takeover = Takeover::Refuse).await;
    let units = units(500);
    let first = publisher(&app, &units).await;
    first.send_live(&units[BOTH..]).await;
    let vanished = std::time::Instant::now();
    drop(first);
    assert_eq!(status_of_publishing(&app).await, 409, "it may have lost its network for a moment");
    let path = media::Path::new("live/x").expect("well-formed");
    let broadcast = app.context().hub.get(&path).expect("its viewers may wait for it");
    until("the path is free", || broadcast.phase() == media::broadcast::Phase::Waiting).await;
    assert!(vanished.elapsed() < Duration::from_secs(9), "freed after {:?}", vanished.elapsed());
    assert_eq!(status_of_publishing(&app).await, 201);
}

#[tokio::test]
async fn a_publisher_without_media_is_closed_and_one_with_media_is_not() {
    let app = serve(|config| config.publish.idle = Duration::from_millis(800)).await;
    let mut silent = Client::publish(&app, "live/silent").await;
    let units = units(2_000);
    let sends = publisher(&app, &units).await;
    let (closed, ()) = tokio::join!(
        async {
            silent.until_closed().await;
            std::time::Instant::now()
        },
        sends.send_live(&units[BOTH..])
    );
    assert!(closed.elapsed() > Duration::from_millis(500), "closed only when the other had sent for 2 s");
    assert_eq!(silent.resource.delete().await.status, 404);
    let mut sends = sends;
    assert!(sends.is_connected());
    sends.until_closed().await;
}

#[tokio::test]
async fn delete_ends_the_broadcast_for_viewers_of_every_protocol() {
    let app = serve(|_| {}).await;
    let units = units(300);
    let mut publisher = publisher(&app, &units).await;
    let mut whep = Client::watch(&app, "live/x").await;
    let mut flv = Viewer::watch(app.addresses().http, "live/x").await;
    flv.frame().await.expect("a keyframe");
    whep.packet_of(Kind::Video).await;
    assert_eq!(publisher.resource.delete().await.status, 200);
    whep.until_closed().await;
    while flv.tag().await.is_some() {}
    publisher.until_closed().await;
    until("the broadcast is gone", || app.context().hub.list().is_empty()).await;
    assert_eq!(publisher.resource.delete().await.status, 404);
}

#[tokio::test]
async fn a_viewers_delete_ends_its_session_and_nobody_elses() {
    let app = serve(|_| {}).await;
    let units = units(500);
    let publisher = publisher(&app, &units).await;
    let mut leaving = Client::watch(&app, "live/x").await;
    let mut staying = Client::watch(&app, "live/x").await;
    assert_eq!(leaving.resource.delete().await.status, 200);
    leaving.until_closed().await;
    publisher.send_live(&units[BOTH..]).await;
    receive(&mut staying, Kind::Video, payloads(&units, Kind::Video).len()).await;
}

#[tokio::test]
async fn while_a_microphone_is_muted_players_get_silence_that_keeps_up_with_the_picture() {
    let app = serve(|_| {}).await;
    let mut units = units(2_200);
    units.retain(|unit| unit.kind == Kind::Video || unit.frame.dts.millis() < 500);
    let pictures = units.iter().filter(|unit| unit.kind == Kind::Video).count();
    let publisher = Client::publish(&app, "live/x").await;
    let mut viewer = Viewer::watch(app.addresses().http, "live/x").await;
    let watching = tokio::spawn(async move {
        let (mut seen, mut picture, mut sound) = (0, 0, 0);
        while seen < pictures {
            let tag = viewer.frame().await.expect("the broadcast goes on");
            match tag.kind {
                TagKind::Video => (seen, picture) = (seen + 1, tag.timestamp_ms),
                TagKind::Audio => sound = tag.timestamp_ms,
                TagKind::Script => {}
            }
            assert!(picture < sound + 600, "the sound is at {sound} ms, the picture at {picture} ms");
        }
    });
    publisher.send_live(&units).await;
    watching.await.expect("sound keeps up");
}

/// A viewer that understands when pictures were captured.
async fn marking_viewer(app: &App) -> Client {
    let offer = Offer::with_config(app.addresses().rtc, Options::WATCH, marking()).await;
    offer.post(app.addresses().http, "/live/x/whep").await.start().await
}

#[tokio::test]
async fn viewers_learn_when_a_picture_was_captured_by_the_publishers_reports_or_its_own_word() {
    let app = serve(|_| {}).await;
    let units = units(3_500);
    let first = publisher(&app, &units).await;
    let mut viewer = marking_viewer(&app).await;
    assert!(viewer.answer.contains("rtp-hdrext/abs-capture-time"), "{}", viewer.answer);
    let (reply, wall) = tokio::sync::oneshot::channel();
    let last = units.iter().rfind(|unit| unit.kind == Kind::Video).expect("pictures");
    let at = last.packets[0].at;
    first.tell(move |driver| reply.send(driver.wall(at)).expect("it is waited for")).await;
    let (wall, owed) = (wall.await.expect("the peer runs"), payloads(&units, Kind::Video).len());
    first.send_live(&units[BOTH..]).await;
    let received = receive(&mut viewer, Kind::Video, owed).await;
    assert_eq!(received[0].captured, None, "nothing was reported yet");
    let captured = received.iter().rev().find_map(|packet| packet.captured).expect("reports came");
    let off = captured.duration_since(wall).unwrap_or_else(|early| early.duration());
    assert!(off < Duration::from_millis(30), "{off:?} off");
    drop(first);
    let offer = Offer::with_config(app.addresses().rtc, Options::PUBLISH, marking()).await;
    let second = offer.post(app.addresses().http, "/live/x/whip").await.start().await;
    second.send_live(&units[..40]).await;
    let owed = payloads(&units[..40], Kind::Video).len();
    let received = receive(&mut viewer, Kind::Video, owed).await;
    let told: Vec<_> = received.iter().filter_map(|packet| packet.captured).collect();
    let pictures = units[..40].iter().filter(|unit| unit.kind == Kind::Video);
    let owed: Vec<_> = pictures.map(|unit| captured_at(unit.packets[0].at)).collect();
    assert_eq!(told.len(), owed.len(), "each picture tells it once");
    let off =
        told.iter().zip(&owed).map(|(a, b)| a.duration_since(*b).unwrap_or_else(|early| early.duration()));
    assert!(off.max().expect("some") < Duration::from_millis(1), "{told:?} for {owed:?}");
}

#[tokio::test]
async fn ice_begins_anew_from_another_port_and_media_goes_on_both_ways() {
    let app = serve(|_| {}).await;
    let units = units(1_200);
    let mut publisher = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    viewer.packet_of(Kind::Video).await;
    let before = (publisher.resource.etag.clone(), viewer.resource.etag.clone());
    let answer = publisher.restart_ice(app.addresses().rtc).await;
    assert_eq!(answer.header("content-type"), Some("application/trickle-ice-sdpfrag"));
    viewer.restart_ice(app.addresses().rtc).await;
    assert!(before.0 != publisher.resource.etag && before.1 != viewer.resource.etag);
    publisher.send_live(&units[BOTH..]).await;
    let owed = payloads(&units[BOTH..], Kind::Video);
    let last = &owed.last().expect("pictures").1;
    while viewer.packet_of(Kind::Video).await.payload != *last {}
    let seen = viewer.happened();
    assert!(!seen.contains(&Event::Closed), "{seen:?}");
}

#[tokio::test]
async fn a_change_that_is_late_is_refused_and_one_that_says_nothing_new_changes_nothing() {
    let app = serve(|_| {}).await;
    let units = units(500);
    let mut publisher = publisher(&app, &units).await;
    let before = publisher.resource.clone();
    publisher.restart_ice(app.addresses().rtc).await;
    let (reply, own) = tokio::sync::oneshot::channel();
    publisher.tell(move |driver| drop(reply.send(driver.rtc.direct_api().local_ice_credentials()))).await;
    let own = own.await.expect("the peer runs");
    let trickled = format!(
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
         a=candidate:1 1 udp 1 0d9b4a9e-1f3c.local 9 typ host\r\n",
        own.ufrag, own.pass
    );
    let fragment = e2e::rtc::FRAGMENT;
    let resource = &publisher.resource;
    assert_eq!(resource.patch(&[fragment, ("If-Match", &resource.etag)], &trickled).await.status, 204);
    assert_eq!(resource.patch(&[fragment], &trickled).await.status, 204);
    assert_eq!(resource.patch(&[fragment, ("If-Match", &before.etag)], &trickled).await.status, 412);
    assert_eq!(resource.patch(&[fragment, ("If-Match", &resource.etag)], "").await.status, 204);
    let mut viewer = Client::watch(&app, "live/x").await;
    publisher.send_live(&units[BOTH..]).await;
    receive(&mut viewer, Kind::Video, payloads(&units, Kind::Video).len()).await;
}

#[tokio::test]
async fn where_udp_is_blocked_both_ways_go_over_tcp() {
    let app = serve(|_| {}).await;
    let units = units(700);
    let tcp = |options| Options { transport: Transport::Tcp, ..options };
    let publisher = Client::connect(&app, "live/x", tcp(Options::PUBLISH)).await;
    publisher.send_live(&units[..BOTH]).await;
    let mut viewer = Client::connect(&app, "live/x", tcp(Options::WATCH)).await;
    publisher.send_live(&units[BOTH..]).await;
    let sent = payloads(&units, Kind::Video);
    let received = receive(&mut viewer, Kind::Video, sent.len()).await;
    assert!(told(&received) == sent, "other payloads than were sent");
}

fn viewers(app: &App) -> u32 {
    let path = media::Path::new("live/x").expect("well-formed");
    let broadcast = app.context().hub.get(&path).expect("live");
    server::audience::Audience::of(&broadcast).viewers().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn sessions_whose_peer_never_connects_are_closed_in_time_and_leave_nothing_behind() {
    let app = serve(|config| {
        config.rtc.set_up = Duration::from_millis(500);
        config.publish.grace = Duration::from_millis(100);
    })
    .await;
    let mut peer = Peer::publish(app.addresses().rtmp, "live/x").await;
    send_tags(&mut peer, 0, 200).await;
    let held = app.context().shared.connections.available_permits();
    let addresses = app.addresses();
    let offer = Offer::new(addresses.rtc, Options::WATCH).await;
    let viewer = offer.post(addresses.http, "/live/x/whep").await.resource;
    let offer = Offer::new(addresses.rtc, Options::PUBLISH).await;
    let publisher = offer.post(addresses.http, "/live/y/whip").await.resource;
    assert_eq!((viewers(&app), app.context().hub.list().len()), (1, 2));
    until("the viewer's seat is free", || viewers(&app) == 0).await;
    until("the publisher's path is free", || app.context().hub.list().len() == 1).await;
    until("nothing is held", || app.context().shared.connections.available_permits() >= held).await;
    assert_eq!((viewer.delete().await.status, publisher.delete().await.status), (404, 404));
}

#[tokio::test]
async fn a_session_whose_peer_never_connects_costs_at_most_twenty_kilobytes() {
    /// Enough that what the allocator takes at once is little of it.
    const SESSIONS: usize = 400;
    let app = serve(|config| {
        config.rtc.half_open_max = 2 * SESSIONS;
        config.publish.idle = PATIENCE * 3;
        config.rtc.set_up = PATIENCE * 3;
    })
    .await;
    let addresses = app.addresses();
    let mut peer = Peer::publish(addresses.rtmp, "live/x").await;
    send_tags(&mut peer, 0, 200).await;
    let sdp = Offer::new(addresses.rtc, Options::WATCH).await.sdp;
    let begin = async |sessions: usize| {
        for number in 0..sessions {
            // The same offer would be the same session.
            let sdp = sdp.replacen("s=-", &format!("s={sessions}/{number}"), 1);
            let answer =
                e2e::http::send(addresses.http, "POST", "/live/x/whep", &[SDP], sdp.as_bytes()).await;
            assert_eq!(answer.status, 201);
        }
    };
    begin(SESSIONS / 4).await;
    let before = resident_bytes();
    begin(SESSIONS).await;
    let each = resident_bytes().saturating_sub(before) / SESSIONS;
    assert_eq!(app.context().rtc.places(), 2 * SESSIONS - SESSIONS - SESSIONS / 4, "all of them wait");
    assert!(each <= 20 << 10, "{each} bytes each");
}

#[tokio::test]
async fn who_never_connects_keeps_only_so_many_others_waiting_and_nobody_who_has_connected() {
    let app = serve(|config| config.rtc.half_open_max = 2).await;
    let addresses = app.addresses();
    let units = units(400);
    let publisher = publisher(&app, &units).await;
    let mut viewer = Client::watch(&app, "live/x").await;
    let offer = || Offer::new(addresses.rtc, Options::WATCH);
    let first = offer().await.post(addresses.http, "/live/x/whep").await;
    let second = offer().await.post(addresses.http, "/live/x/whep").await;
    let sdp = offer().await.sdp;
    let third = e2e::http::send(addresses.http, "POST", "/live/x/whep", &[SDP], sdp.as_bytes()).await;
    assert_eq!((third.status, third.header("retry-after")), (503, Some("2")), "{}", third.text());
    assert!(third.problem().contains("rtc.half_open_max"), "{}", third.problem());
    publisher.send_live(&units[BOTH..]).await;
    viewer.packet_of(Kind::Video).await;
    drop(first);
    let _connected = second.start().await;
    let again = offer().await;
    until("a place is free", || app.context().rtc.places() > 0).await;
    again.post(addresses.http, "/live/x/whep").await;
}

#[tokio::test]
async fn a_viewer_that_takes_its_time_to_connect_begins_with_what_is_newest_then() {
    let app = serve(|_| {}).await;
    let units = units(2_200);
    let publisher = publisher(&app, &units).await;
    let offer = Offer::new(app.addresses().rtc, Options::WATCH).await;
    let unstarted = offer.post(app.addresses().http, "/live/x/whep").await;
    publisher.send_live(&units[BOTH..]).await;
    let mut viewer = unstarted.start().await;
    let key = units.iter().rposition(|unit| unit.kind == Kind::Video && unit.frame.sync).expect("a keyframe");
    let owed = payloads(&units[key..], Kind::Video);
    let received = receive(&mut viewer, Kind::Video, owed.len()).await;
    assert!(told(&received) == owed, "older packets than the newest group's");
}

#[tokio::test]
async fn a_viewer_that_joins_when_only_sound_has_come_gets_the_pictures_too() {
    let app = serve(|_| {}).await;
    let units = units(500);
    let publisher = Client::publish(&app, "live/x").await;
    let (sound, pictures): (Vec<Unit>, Vec<Unit>) =
        units.into_iter().partition(|unit| unit.kind == Kind::Audio);
    publisher.send_live(&sound[..2]).await;
    let joining = async {
        let mut viewer = Client::watch(&app, "live/x").await;
        receive(&mut viewer, Kind::Video, payloads(&pictures, Kind::Video).len()).await;
    };
    tokio::join!(joining, publisher.send_live(&pictures));
}
