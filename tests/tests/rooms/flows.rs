//! What members see of each other.

use std::time::Duration;

use e2e::healthy::serve;
use e2e::room::{Member, ask, make, token};
use room::message::Down;
use serde_json::{Value, json};

#[tokio::test]
async fn two_people_see_each_other_come_speak_and_go() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r1", "meeting", Value::Null).await;
    let (ann, bo) = (token(http, "r1", "ann", "host").await, token(http, "r1", "bo", "guest").await);
    let mut ann = Member::join(http, "r1", &ann).await;
    let mut bo = Member::join(http, "r1", &bo).await;
    ann.until(|all| all.members.len() == 2).await;
    assert_eq!(bo.all().members.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["ann", "bo"]);
    assert_eq!(bo.all().stage.len(), 2, "in a meeting everybody is up");
    assert!(bo.views.contains_key("stage") && !bo.views.contains_key("hosts"));

    assert_eq!(bo.command(json!({ "name": "chat", "text": "hello" })).await, None);
    ann.until(|all| all.chat.iter().any(|said| said.text == "hello" && said.by == "bo")).await;
    let sending = json!({ "sound": true, "picture": false, "screen": false });
    assert_eq!(bo.command(json!({ "name": "publish", "sending": sending })).await, None);
    ann.until(|all| all.stage.iter().any(|place| place.sending.sound)).await;
    let stage = app.context().rooms.stage(&room::RoomId::new("r1").unwrap()).expect("the room is served");
    let performer = stage.borrow().performer(room::MemberId(bo.id)).expect("bo is up").clone();
    assert_eq!((performer.path.as_str(), performer.sending.sound), ("room/r1/2", true));

    assert_eq!(ann.command(json!({ "name": "mute", "member": bo.id, "media": "sound" })).await, None);
    bo.until(|all| all.stage.iter().all(|place| !place.sending.sound)).await;
    bo.send(&json!({ "type": "command", "n": 99, "command": { "name": "leave" } })).await;
    assert_eq!(bo.farewell().await, "left");
    ann.until(|all| all.members.len() == 1).await;
}

#[tokio::test]
async fn a_hand_is_raised_seen_by_the_host_and_answered_with_a_place() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "class", "class-large", Value::Null).await;
    let mut teacher = Member::join(http, "class", &token(http, "class", "t", "host").await).await;
    let mut pupil = Member::join(http, "class", &token(http, "class", "p", "guest").await).await;
    assert_eq!(pupil.command(json!({ "name": "step_up" })).await.as_deref(), Some("no_right"));
    assert_eq!(pupil.command(json!({ "name": "raise_hand" })).await, None);
    while teacher.hosts().hands.is_empty() {
        teacher.next().await.unwrap();
    }
    assert_eq!(teacher.command(json!({ "name": "next_hand" })).await, None);
    pupil.until(|all| all.stage.iter().any(|place| place.member.0 == 2)).await;
    while !pupil.views.contains_key("stage") {
        pupil.next().await.unwrap();
    }
    assert_eq!(teacher.command(json!({ "name": "take_down", "member": pupil.id })).await, None);
    while pupil.views.contains_key("stage") {
        pupil.next().await.unwrap();
    }
}

#[tokio::test]
async fn a_second_device_is_refused_takes_over_or_joins_as_the_room_says() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    for policy in ["refuse", "replace", "both"] {
        make(&app, policy, "meeting", json!({ "devices": policy })).await;
        let ann = token(http, policy, "ann", "guest").await;
        let mut first = Member::join(http, policy, &ann).await;
        let mut second = Member::open(http, policy).await;
        second.send(&json!({ "type": "join", "v": 1, "token": ann, "name": null })).await;
        match policy {
            "refuse" => assert_eq!(second.farewell().await, "second_device"),
            "replace" => {
                assert!(matches!(second.next().await, Ok(Down::Welcome(_))));
                assert_eq!((first.farewell().await, first.id), ("replaced".into(), second.id));
                // What is its own business now, the former connection's end is not.
                assert_eq!(second.command(json!({ "name": "chat", "text": "still here" })).await, None);
            }
            _ => {
                assert!(matches!(second.next().await, Ok(Down::Welcome(_))));
                assert_ne!(first.id, second.id);
                first.until(|all| all.members.len() == 2).await;
            }
        }
    }
}

#[tokio::test]
async fn the_room_clock_answers_and_says_when_it_was_asked() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let mut ann = Member::join(http, "r", &token(http, "r", "ann", "guest").await).await;
    ann.send(&json!({ "type": "ping", "t": 12_345 })).await;
    match ann.next().await {
        Ok(Down::Pong { t, received_us, sent_us }) => {
            assert_eq!(t, 12_345);
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let off = now.as_micros().abs_diff(u128::from(received_us));
            assert!(received_us <= sent_us && off < 5_000_000, "{off} us");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_rings_is_declined_and_is_over_for_who_called() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "call", "call", Value::Null).await;
    let mut ann = Member::join(http, "call", &token(http, "call", "ann", "guest").await).await;
    assert!(ann.all().ringing_until.is_some());
    let mut bo = Member::open(http, "call").await;
    let declined =
        json!({ "type": "decline_call", "v": 1, "token": token(http, "call", "bo", "guest").await });
    bo.send(&declined).await;
    assert_eq!(ann.farewell().await, "call_declined");
    assert!(bo.next_text().await.is_err(), "nothing is to be said, and the connection is closed");
    assert_eq!(ask(&app, "GET", "/api/v1/rooms/call", &Value::Null).await.status, 404);
    let ended = ask(&app, "GET", "/api/v1/rooms?ended=true", &Value::Null).await.json();
    assert_eq!(
        (&ended["ended"][0]["id"], &ended["ended"][0]["reason"]),
        (&json!("call"), &json!("call_declined"))
    );
}

#[tokio::test]
async fn before_the_server_goes_everybody_is_told_when_to_come_back() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "meeting", Value::Null).await;
    let mut members = Vec::new();
    for user in ["a", "b", "c"] {
        members.push(Member::join(http, "r", &token(http, "r", user, "guest").await).await);
    }
    let began = std::time::Instant::now();
    let stopping = tokio::spawn(app.shutdown(Duration::from_secs(60)));
    let mut moments = Vec::new();
    for member in &mut members {
        let after = loop {
            match member.next().await.expect("it is told before the connection closes") {
                Down::Drain { after_ms } => break after_ms.0,
                _ => continue,
            }
        };
        moments.push(after);
        assert!(member.next_text().await.is_err(), "closed without a goodbye: it is worth to come back");
    }
    moments.sort_unstable();
    moments.dedup();
    assert!(moments.len() == 3 && moments[0] >= 2_000, "spread out: {moments:?}");
    assert!(stopping.await.unwrap(), "nothing else was there to wait for");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "it waited {:?} for members that come back",
        began.elapsed()
    );
}
