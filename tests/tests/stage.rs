//! What a member of a room is sent of a stage: one connection, whoever comes and goes.

use std::time::Duration;

use client::link::{Impairment, Link};
use e2e::ear::{tape_coded, tone, tone_tape};
use e2e::healthy::serve;
use e2e::http::request;
use e2e::live::{Live, Tape};
use e2e::rtc::Offer;
use e2e::rtmp::{is_frame, tags};
use e2e::stage::{ALL, Attendee, PATIENCE, Publisher, Room, path, post, target};
use room::track::all::Sending;
use server::App;
use tokio::time::timeout;

const SOON: Duration = Duration::from_millis(300);
const LARGE: (u32, u32) = (1_280, 768);
const SMALL: (u32, u32) = (320, 192);

/// A room with these members on the stage, who publish, speaking equally loud.
async fn stage(app: &App, members: &[u32]) -> (Room, Vec<Publisher>) {
    let mut room = Room::new(app, 12).await;
    room.set_up(members).await;
    let mut publishers = Vec::new();
    for member in members {
        publishers.push(room.publish(app, *member, -30).await);
    }
    (room, publishers)
}

fn sorted(heard: Vec<Option<u32>>) -> Vec<u32> {
    let mut heard: Vec<u32> = heard.into_iter().flatten().collect();
    heard.sort_unstable();
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_hears_and_sees_the_others_and_never_itself() {
    let app = serve(|_| {}).await;
    let (room, _publishers) = stage(&app, &[1, 2, 3]).await;
    let mut one = room.attend(&app, 1, 6, 9).await;
    one.until("both are heard", |one| one.hears(SOON).iter().flatten().count() == 2).await;
    let only_sound = |one: &Attendee| one.tiles.iter().all(|mid| one.seen[mid].is_empty());
    assert!(only_sound(&one), "nothing was asked for");
    one.ask(&[(0, 2, LARGE), (4, 3, SMALL), (5, 1, SMALL), (6, 9, SMALL)]).await;
    one.until("both are seen", |one| one.shows(0) == Some((2, 2)) && one.shows(4) == Some((3, 0))).await;
    one.run(Duration::from_secs(1)).await;
    one.assert_continuous();
    assert_eq!(sorted(one.hears(SOON)), [2, 3]);
    let told = one.told(4).expect("it is said");
    assert_eq!(
        (&told["state"], &told["member"], &told["width"]),
        (&"playing".into(), &3.into(), &320.into())
    );
    for (tile, member) in [(5, 1), (6, 9)] {
        let told = one.told(tile).expect("it is said");
        assert_eq!(
            (&told["state"], &told["member"]),
            (&"waiting".into(), &member.into()),
            "no picture of it"
        );
    }
    let voices = one.said.iter().filter(|said| said["type"] == "voice").count();
    assert_eq!(voices, 2, "{:?}", one.said);
    for mid in one.seen.keys().filter(|mid| !one.seen[*mid].is_empty()) {
        let late = one.late(mid);
        assert!((-50..400).contains(&late), "section {mid} is {late} ms behind the room clock");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tile_that_changes_its_member_again_and_again_is_one_stream() {
    let app = serve(|_| {}).await;
    let (room, _publishers) = stage(&app, &[2, 3, 4]).await;
    let mut one = room.attend(&app, 1, 2, 1).await;
    for (member, size) in [(2, LARGE), (3, SMALL), (4, LARGE), (2, SMALL), (3, LARGE)] {
        one.ask(&[(0, member, size)]).await;
        let layer = if size == LARGE { 2 } else { 0 };
        let began = std::time::Instant::now();
        one.until("the other one is seen", |one| one.shows(0) == Some((member, layer))).await;
        println!("{member} after {:?}", began.elapsed());
        one.run(Duration::from_millis(400)).await;
    }
    one.assert_continuous();
    let gap = one.tile(0).windows(2).map(|pair| pair[1].at - pair[0].at).max().expect("pictures");
    assert!(gap < Duration::from_millis(700), "no picture for {gap:?}");
    one.ask(&[]).await;
    one.run(SOON).await;
    one.forget();
    one.run(Duration::from_secs(1)).await;
    assert!(one.tile(0).len() <= 1, "what nobody asks for is not sent: {} slices", one.tile(0).len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_muted_or_leaves_the_stage_is_neither_heard_nor_seen() {
    let app = serve(|_| {}).await;
    let (mut room, _publishers) = stage(&app, &[2, 3]).await;
    let mut one = room.attend(&app, 1, 3, 2).await;
    one.ask(&[(0, 2, SMALL), (1, 3, SMALL)]).await;
    one.until("all is there", |one| {
        sorted(one.hears(SOON)) == [2, 3] && one.shows(0).is_some() && one.shows(1).is_some()
    })
    .await;
    let muted = Sending { sound: false, ..ALL };
    room.set(&[(2, muted), (3, ALL)]).await;
    one.until("it is muted", |one| one.hears(SOON).iter().flatten().all(|member| *member == 3)).await;
    one.forget();
    one.run(Duration::from_secs(1)).await;
    assert_eq!(sorted(one.hears(SOON)), [3]);
    assert!(one.tile(0).len() > 10, "it is seen on");
    room.set(&[(2, Sending { picture: false, ..muted }), (3, ALL)]).await;
    one.until("it has no picture", |one| one.told(0).is_some_and(|told| told["state"] == "waiting")).await;
    room.set(&[(2, ALL)]).await;
    one.until("the other has left", |one| {
        one.told(1).is_some_and(|told| told["state"] == "waiting") && sorted(one.hears(SOON)) == [2]
    })
    .await;
    one.until("the first is seen again", |one| one.told(0).is_some_and(|told| told["state"] == "playing"))
        .await;
    one.forget();
    one.run(Duration::from_secs(1)).await;
    assert!(one.tile(1).len() <= 1 && one.tile(0).len() > 10);
    one.assert_continuous();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_who_speak_the_six_loudest_are_heard_and_who_becomes_loud_takes_a_place() {
    let app = serve(|_| {}).await;
    let members = [2, 3, 4, 5, 6, 7, 8, 9];
    let (room, publishers) = stage(&app, &members).await;
    for quiet in &publishers[6..] {
        quiet.speak(-45).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut one = room.attend(&app, 1, 6, 0).await;
    one.until("six are heard", |one| sorted(one.hears(SOON)) == [2, 3, 4, 5, 6, 7]).await;
    one.run(Duration::from_secs(2)).await;
    assert_eq!(sorted(one.hears(SOON)), [2, 3, 4, 5, 6, 7], "nobody flaps");
    let changes = one.said.iter().filter(|said| said["type"] == "voice").count();
    assert_eq!(changes, 6, "{:?}", one.said);
    publishers[7].speak(-10).await;
    publishers[0].speak(-70).await;
    one.until("the loud one is heard", |one| sorted(one.hears(SOON)) == [3, 4, 5, 6, 7, 9]).await;
    let speakers = |one: &Attendee| {
        let said = one.said.iter().rev().find(|said| said["type"] == "speakers").cloned();
        said.map(|said| said["speakers"].clone())
    };
    one.until("it is said to speak", |one| speakers(one).is_some_and(|all| all[0]["member"] == 9)).await;
    one.run(Duration::from_secs(1)).await;
    one.assert_continuous();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pushes_frames_is_heard_and_seen_like_everybody_else() {
    let app = serve(|_| {}).await;
    let (room, publishers) = stage(&app, &[2, 3]).await;
    // The place is free again once they have taken leave.
    for publisher in publishers {
        assert_eq!(publisher.client.resource.delete().await.status, 200);
    }
    let tape = Tape { tags: tone_tape("320x180", 440, 4), tracks: 2, again: is_frame };
    let at = format!("{}?auth={}", path(&app, 3), room.token(3));
    let frames = Live::publish_at(&app, &at, tape).await;
    let mut one = room.attend(&app, 1, 2, 1).await;
    one.ask(&[(0, 3, LARGE)]).await;
    one.until("it is shown", |one| one.told(0).is_some_and(|told| told["state"] == "playing")).await;
    one.until("it is heard", |one| one.hears(SOON).iter().flatten().count() >= 1).await;
    one.run(Duration::from_secs(1)).await;
    let told = one.told(0).expect("it was said");
    assert!(told["width"].as_u64().is_some_and(|width| width > 0), "{told}");
    // A tone of −21 dB is −24 dB on the whole (the root of its mean square), and nobody is told of less than 3 dB.
    let is_loud = |one: &Attendee| level(one, 3).is_some_and(|level| (-26..=-22).contains(&level));
    one.until("it is said to speak as loud as it does", is_loud).await;
    assert_eq!(one.client.resource.delete().await.status, 200);
    timeout(PATIENCE, one.client.until_closed()).await.expect("it wanted so");
    frames.end().await;
}

/// How loud a member was last said to be, in decibels of full scale.
fn level(one: &Attendee, member: u32) -> Option<i64> {
    let said = one.said.iter().rev().find(|said| said["type"] == "speakers")?;
    said["speakers"].as_array()?.iter().find(|speaker| speaker["member"] == member)?["level"].as_i64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_sound_is_pushed_is_heard_and_known_for_as_loud_as_it_is() {
    let opus = tags(include_bytes!("../fixtures/vp9_opus.flv"));
    let g711 = tape_coded("320x180", &tone(440), 4, "pcm_mulaw -ar 8000");
    // FFmpeg's tone is −21 dB on the whole, and 3 dB less on each of two sides; nobody is told of less than 3 dB.
    for (name, tags, loud) in [("Opus", opus, -26..=-22), ("G.711", g711, -23..=-19)] {
        let app = serve(|_| {}).await;
        let mut room = Room::new(&app, 12).await;
        room.set_up(&[2]).await;
        let at = format!("{}?auth={}", path(&app, 2), room.token(2));
        let frames = Live::publish_at(&app, &at, Tape { tags, tracks: 2, again: is_frame }).await;
        let mut one = room.attend(&app, 1, 2, 1).await;
        one.until(&format!("{name} is heard"), |one| one.hears(SOON).iter().flatten().count() >= 1).await;
        let is_loud = |one: &Attendee| level(one, 2).is_some_and(|level| loud.contains(&level));
        one.until(&format!("{name} is said to be as loud as it is"), is_loud).await;
        frames.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_narrow_way_tiles_are_paused_from_the_last_and_sound_goes_on() {
    let app = serve(|_| {}).await;
    let (room, _publishers) = stage(&app, &[2, 3, 4]).await;
    let mut one = room.attend(&app, 1, 3, 3).await;
    one.ask(&[(0, 2, LARGE), (1, 3, SMALL), (2, 4, SMALL)]).await;
    one.until("all are seen", |one| {
        one.shows(0) == Some((2, 2)) && one.shows(1).is_some() && one.shows(2).is_some()
    })
    .await;
    let rate =
        |kbps| Impairment { rate_kbps: Some(kbps), queue_ms: 500, delay_ms: 20, ..Impairment::default() };
    one.client.tell(move |driver| driver.narrow = Some(Link::new(rate(500), 1))).await;
    let is = |one: &Attendee, tile, state: &str| one.told(tile).is_some_and(|told| told["state"] == state);
    one.until("the last is paused", |one| is(one, 2, "paused")).await;
    assert_eq!(one.told(2).expect("it was said")["reason"], "bandwidth");
    // What is under way still comes.
    one.run(Duration::from_secs(2)).await;
    one.forget();
    one.run(Duration::from_secs(3)).await;
    assert_eq!(sorted(one.hears(SOON)), [2, 3, 4]);
    for mid in &one.voices {
        assert!(one.seen[mid].len() > 110, "of 150 packets of sound came {}", one.seen[mid].len());
    }
    assert!(one.tile(0).len() > 30, "the first tile goes on: {} slices", one.tile(0).len());
    one.client.tell(move |driver| driver.narrow = Some(Link::new(rate(20_000), 1))).await;
    one.until("all is there again", |one| is(one, 2, "playing") && one.shows(0) == Some((2, 2))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_rest_the_layers_that_no_tile_wants() {
    let app = serve(|_| {}).await;
    let (room, publishers) = stage(&app, &[2]).await;
    let mut one = room.attend(&app, 1, 1, 2).await;
    one.ask(&[(0, 2, SMALL)]).await;
    one.until("it is seen", |one| one.shows(0) == Some((2, 0))).await;
    let resting = async |one: &mut Attendee, wanted: [bool; 3]| {
        let rests = async {
            while publishers[0].resting().await != wanted {
                one.run(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, rests).await.unwrap_or_else(|_| panic!("never rested so: {wanted:?}"));
    };
    resting(&mut one, [false, true, true]).await;
    one.ask(&[(0, 2, SMALL), (1, 2, LARGE)]).await;
    one.until("it is seen large", |one| one.shows(1) == Some((2, 2))).await;
    resting(&mut one, [false, true, false]).await;
}

#[tokio::test]
async fn offers_and_requests_that_make_no_sense_are_refused_in_words() {
    let app = serve(|_| {}).await;
    let offer = async |voices, tiles| Offer::of_stage(app.addresses().rtc, voices, tiles).await.0.sdp;
    let good = offer(6, 9).await;
    let room = Room::new(&app, 2).await;
    let (one, two) = (Some(room.token(1)), Some(room.token(2)));
    for (path, token, sdp, status) in [
        (target(1), None, good.as_str(), 401),
        (target(1), Some("1"), &good, 401),
        (target(1), two, &good, 403),
        (target(3), two, &good, 403),
        ("/rooms/other/stage?member=1".into(), one, &good, 403),
        ("/rooms/room-1/stage".into(), one, &good, 400),
        ("/rooms/room-1/stage?member=-1".into(), one, &good, 400),
        ("/rooms/room-1/stage?member=99999999999".into(), one, &good, 400),
        ("/rooms/%2e%2e/stage?member=1".into(), one, &good, 404),
        (target(1), one, &offer(7, 2).await, 400),
        (target(1), one, &offer(2, 10).await, 400),
        (target(1), one, &offer(0, 0).await, 406),
        (target(1), one, "v=0", 400),
        (target(1), one, &"a=x\r\n".repeat(60_000), 413),
        (target(1), one, &good, 201),
    ] {
        let answer = post(&app, &path, token, sdp).await;
        assert_eq!(answer.status, status, "{path} {token:?}: {}", answer.text());
    }
    let get = request(app.addresses().http, "GET", "/rooms/room-1/stage?member=1", &[]).await;
    assert_eq!((get.status, get.header("allow").is_some()), (405, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_make_no_sense_and_floods_change_nothing_for_what_is_sent() {
    let app = serve(|_| {}).await;
    let (room, publishers) = stage(&app, &[2, 3]).await;
    let mut one = room.attend(&app, 1, 2, 2).await;
    one.ask(&[(0, 2, SMALL)]).await;
    one.until("it is seen", |one| one.shows(0) == Some((2, 0))).await;
    for text in [
        r#"{"type":"tiles"}"#,
        r#"{"type":"tiles","tiles":[{"mid":7,"member":2}]}"#,
        r#"{"type":"tiles","tiles":[{"mid":"0","member":-2}]}"#,
        r#"{"type":"tiles","tiles":{}}"#,
        r#"{"type":"view","width":1,"height":1}"#,
        "[]",
        "\u{0}",
    ] {
        one.client.say(text).await;
    }
    one.run(Duration::from_secs(3)).await;
    assert_eq!(one.shows(0), Some((2, 0)));
    let (first, second) = (one.tiles[0].clone(), one.tiles[1].clone());
    let voice = one.voices[0].clone();
    // Sections that are none, are of sound, or come twice; then a good one.
    let odd = format!(
        r#"{{"type":"tiles","tiles":[{{"mid":"nothing","member":3}},{{"mid":"{voice}","member":3}},{{"mid":"{second}","member":3,"width":320,"height":99999}},{{"mid":"{second}","member":2}}]}}"#
    );
    one.client.say(&odd).await;
    one.until("the other one is seen in the other tile", |one| {
        one.shows(1).is_some_and(|(member, _)| member == 3)
    })
    .await;
    let keyframes = publishers[1].client.ask(|driver| driver.sending.keyframes).await;
    for n in 0..400 {
        let member = 2 + n % 2;
        if n % 20 == 0 {
            one.run(Duration::from_millis(5)).await;
        }
        one.client
            .say(&format!(r#"{{"type":"tiles","tiles":[{{"mid":"{first}","member":{member}}}]}}"#))
            .await;
    }
    one.run(Duration::from_secs(3)).await;
    let after = publishers[1].client.ask(|driver| driver.sending.keyframes).await;
    let asked: u32 = after.iter().zip(keyframes).map(|(after, before)| after - before).sum();
    assert!(asked <= 24, "a flood made a publisher send {asked} keyframes");
    // By then messages are read again.
    one.ask(&[(0, 3, SMALL)]).await;
    one.until("it goes on", |one| one.shows(0) == Some((3, 0))).await;
    one.assert_continuous();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_the_room_or_deletes_the_session_is_sent_nothing_more() {
    let app = serve(|_| {}).await;
    let (mut room, _publishers) = stage(&app, &[2]).await;
    let mut one = room.attend(&app, 1, 1, 1).await;
    let mut three = room.attend(&app, 3, 1, 1).await;
    one.until("it hears", |one| one.hears(SOON) == [Some(2)]).await;
    room.leave(1).await;
    timeout(PATIENCE, one.client.until_closed()).await.expect("who has left is let go");
    three.until("it hears", |three| three.hears(SOON) == [Some(2)]).await;
    assert_eq!(three.client.resource.delete().await.status, 200);
    timeout(PATIENCE, three.client.until_closed()).await.expect("it wanted so");
    let mut four = room.attend(&app, 4, 1, 1).await;
    four.until("it hears", |four| four.hears(SOON) == [Some(2)]).await;
    four.client.restart_ice(app.addresses().rtc).await;
    four.forget();
    four.until("it hears on after another way was found", |four| four.seen[&four.voices[0]].len() > 60).await;
    room.end(&app).await;
    timeout(PATIENCE, four.client.until_closed()).await.expect("the room is over");
}
