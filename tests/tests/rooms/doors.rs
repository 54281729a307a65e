//! Who may publish and watch what belongs to a room, also on a server that is open otherwise.

use e2e::healthy::{serve, until};
use e2e::http::Connection;
use e2e::room::{Member, ask, make, token};
use e2e::rtmp::{Peer, tags};
use media::Path;
use serde_json::{Value, json};
use server::App;
use wire::rtmp::client::{Event, Purpose};

const RECORDING: &[u8] = include_bytes!("../../fixtures/h264_aac.flv");

/// Whether an RTMP peer is let in to publish, or why not.
async fn publishes(app: &App, path: &str) -> Result<Peer, String> {
    let mut peer = Peer::ask(app.addresses().rtmp, Purpose::Publish, path).await;
    loop {
        match peer.event().await {
            Some(Event::Ready) => return Ok(peer),
            Some(Event::Status(status)) => return Err(status.description),
            Some(_) => {}
            None => return Err("closed".into()),
        }
    }
}

async fn whip(app: &App, path: &str, token: Option<&str>) -> u16 {
    let http = app.addresses().http;
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let mut connection = Connection::open(http).await;
    let head =
        format!("POST /{path}/whip HTTP/1.1\r\nHost: {http}\r\n{bearer}Content-Type: application/sdp\r\n");
    connection.send(format!("{head}Content-Length: 3\r\n\r\nv=0")).await;
    connection.answer(false).await.expect("an answer").status
}

async fn plays(app: &App, target: &str) -> u16 {
    Connection::open(app.addresses().http).await.request("GET", target, &[]).await.status
}

#[tokio::test]
async fn only_a_member_on_the_stage_publishes_and_only_at_its_own_place() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "show", Value::Null).await;
    make(&app, "other", "show", Value::Null).await;
    let (host, bo) = (token(http, "r", "host", "host").await, token(http, "r", "bo", "guest").await);
    let elsewhere = token(http, "other", "host", "host").await;
    let mut host_member = Member::join(http, "r", &host).await;
    let mut bo_member = Member::join(http, "r", &bo).await;
    // 400: let in, and the offer is none. 401 and 403 come before anybody looks at it.
    assert_eq!(whip(&app, "room/r/1", Some(&host)).await, 400);
    assert_eq!(whip(&app, "room/r/1", None).await, 401, "an open server wants a token in rooms");
    assert_eq!(whip(&app, "room/r/1", Some(&bo)).await, 403, "another's place");
    assert_eq!(whip(&app, "room/r/1", Some(&elsewhere)).await, 403, "another room's token");
    assert_eq!(whip(&app, "room/r/2", Some(&bo)).await, 403, "not on the stage");
    for nothing in ["room/r", "room/r/9", "room/r/1/others", "room/r/01", "room/nowhere/1"] {
        assert_eq!(whip(&app, nothing, Some(&host)).await, 403, "{nothing}");
    }
    assert!(publishes(&app, "room/r/1").await.is_err());
    assert_eq!(whip(&app, "live/x", None).await, 400, "elsewhere it is as open as before");

    // The place on the stage is the right to publish: with it goes the broadcast.
    assert_eq!(bo_member.command(json!({ "name": "raise_hand" })).await, None);
    assert_eq!(host_member.command(json!({ "name": "bring_up", "member": 2 })).await, None);
    let mut publisher = publishes(&app, &format!("room/r/2?auth={bo}")).await.expect("bo is on the stage");
    for tag in &tags(RECORDING) {
        publisher.send(tag).await;
    }
    let path = Path::new("room/r/2").unwrap();
    until("it is live", || app.context().hub.get(&path).is_some()).await;
    assert_eq!(host_member.command(json!({ "name": "take_down", "member": 2 })).await, None);
    until("it is over", || app.context().hub.get(&path).is_none()).await;
    while let Some(event) = publisher.event().await {
        assert!(matches!(event, Event::Status(_)), "{event:?}");
    }
    assert!(publishes(&app, &format!("room/r/2?auth={bo}")).await.is_err(), "and it does not come back");
}

/// How an answer begins that has no end.
async fn begins(http: std::net::SocketAddr, target: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(http).await.expect("it listens");
    let request = format!("GET {target} HTTP/1.1\r\nhost: {http}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut start = [0; 12];
    socket.read_exact(&mut start).await.expect("it answers");
    String::from_utf8_lossy(&start).into_owned()
}

#[tokio::test]
async fn the_audience_watches_with_a_token_of_the_room_and_nobody_else_does() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    make(&app, "r", "show", Value::Null).await;
    let guest = token(http, "r", "bo", "guest").await;
    // It is there before anybody is on the stage, and does not end.
    assert_eq!(begins(http, &format!("/room/r.flv?auth={guest}")).await, "HTTP/1.1 200");
    assert_eq!(plays(&app, "/room/r.flv").await, 401);
    assert_eq!(plays(&app, "/room/r.m3u8").await, 401);
    assert_eq!(
        plays(&app, &format!("/room/r/1.flv?auth={guest}")).await,
        403,
        "performers are watched by the room"
    );
    assert_eq!(plays(&app, &format!("/room/r/1/others.flv?auth={guest}")).await, 403);
    let member = Member::join(http, "r", &guest).await;
    assert_eq!(plays(&app, &format!("/room/r/{}/others.flv?auth={guest}", member.id)).await, 404);
    assert_eq!(plays(&app, &format!("/room/other.flv?auth={guest}")).await, 403);
}

#[tokio::test]
async fn a_member_for_a_streaming_program_is_there_while_it_publishes() {
    let app = serve(|config| config.publish.grace = std::time::Duration::from_millis(200)).await;
    let http = app.addresses().http;
    make(&app, "r", "show", json!({ "times": { "grace": 700 } })).await;
    let mut host = Member::join(http, "r", &token(http, "r", "host", "host").await).await;
    let wish = json!({ "user": "obs", "name": "Camera 2", "role": "guest" });
    let made = ask(&app, "POST", "/api/v1/rooms/r/members", &wish).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!((&made["member"]["id"], &made["member"]["name"]), (&json!(2), &json!("Camera 2")));
    let key = made["push"]["rtmp"]["key"].as_str().unwrap().to_owned();
    assert!(made["play"]["flv"].as_str().unwrap().contains("/room/r/2/others.flv?auth="), "{made}");
    host.until(|all| all.stage.iter().any(|place| place.member.0 == 2)).await;

    let mut publisher = publishes(&app, &format!("room/r/{key}")).await.expect("its address lets it in");
    for tag in &tags(RECORDING) {
        publisher.send(tag).await;
    }
    host.until(|all| all.stage.iter().any(|place| place.member.0 == 2 && place.sending.sound)).await;
    let target = "/api/v1/rooms/r/members/2";
    assert_eq!(ask(&app, "PATCH", target, &json!({ "mute": ["sound"] })).await.status, 200);
    host.until(|all| all.stage.iter().any(|place| place.member.0 == 2 && !place.sending.sound)).await;
    let sending = json!({ "sending": { "sound": true, "picture": true } });
    assert_eq!(ask(&app, "PATCH", target, &sending).await.status, 200, "whoever made it speaks for it");
    host.until(|all| all.stage.iter().any(|place| place.member.0 == 2 && place.sending.sound)).await;
    publisher.finish().await;
    host.until(|all| all.members.iter().any(|person| person.away)).await;
    host.until(|all| all.members.len() == 1).await;
}
