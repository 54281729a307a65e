//! Usage is what went over the sockets, of every protocol and both ways, and is there after a restart.

use std::path::Path;
use std::time::Duration;

use e2e::healthy::serve;
use e2e::http::{Connection, get, request};
use e2e::recording::h264_opus;
use e2e::rtc::Client;
use e2e::rtmp::{PATIENCE, Peer, tags};
use e2e::toll::Toll;
use serde_json::Value;
use server::App;
use tokio::time::{sleep, timeout};
use wire::flv::TagKind;
use wire::flv::file::Tag;
use wire::rtmp::client::{Event, Purpose};

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
const ROUND_MS: u32 = 4_011;
/// Of the recording, 75 KB each: so much that a handshake is far less than the one percent that is allowed.
const ROUNDS: u32 = 20;
const WS_UPGRADE: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

async fn send_round(peer: &mut Peer, tags: &[Tag], round: u32) {
    for tag in tags {
        if round == 0 || tag.kind != TagKind::Script {
            peer.send(&Tag { timestamp_ms: tag.timestamp_ms + round * ROUND_MS, ..tag.clone() }).await;
        }
    }
}

/// The row of one protocol and action, once its sessions are over.
async fn row(app: &App, protocol: &str, action: &str) -> Value {
    let over = async {
        let target = format!("/api/v1/sessions?protocol={protocol}&action={action}");
        while get(app.addresses().http, &target).await.json()["total"] != 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, over).await.unwrap_or_else(|_| panic!("a {protocol} {action} session stays"));
    let usage = get(app.addresses().http, "/api/v1/usage?by=stream,protocol").await.json();
    let rows = usage["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["protocol"] == protocol && row["action"] == action);
    row.unwrap_or_else(|| panic!("no {protocol} {action} in {usage:#}")).clone()
}

fn assert_counted(row: &Value, at_the_socket: u64) {
    let counted = row["bytes"].as_u64().expect("bytes");
    println!("{} {}: {counted} of {at_the_socket}", row["protocol"], row["action"]);
    assert!(
        counted.abs_diff(at_the_socket) * 100 <= at_the_socket,
        "{row} and {at_the_socket} at the socket"
    );
}

#[tokio::test]
async fn usage_is_what_went_over_tcp_sockets_to_one_percent() {
    // Its publisher may look as if it had vanished: it closes before it has read what the server had to say.
    let app = serve(|config| config.publish.grace = Duration::from_secs(1)).await;
    let (http, rtmp) = (app.addresses().http, app.addresses().rtmp);
    let tags = tags(RECORDING);
    let [publishing, playing] = [Toll::open(rtmp).await, Toll::open(rtmp).await];
    let [flv, ws_flv] = [Toll::open(http).await, Toll::open(http).await];
    let mut publisher = Peer::publish(publishing.address, "live/x").await;
    send_round(&mut publisher, &tags, 0).await;
    let mut watching = Vec::new();
    let mut plain = Connection::open(flv.address).await;
    plain.send(format!("GET /live/x.flv HTTP/1.1\r\nHost: {}\r\n\r\n", flv.address)).await;
    assert_eq!(plain.head().await.expect("an answer").status, 200);
    let mut socket = Connection::open(ws_flv.address).await;
    let upgraded = socket.request("GET", "/live/x.flv", WS_UPGRADE).await;
    assert_eq!(upgraded.status, 101, "{}", upgraded.head);
    watching.push(tokio::spawn(async move { plain.rest().await.len() }));
    watching.push(tokio::spawn(async move { socket.rest().await.len() }));
    let mut player = Peer::ask(playing.address, Purpose::Play, "live/x").await;
    watching.push(tokio::spawn(async move {
        let mut events = 0;
        // The connection stays, for whatever the player may want next.
        while player.event().await.is_some_and(|event| event != Event::StreamEof) {
            events += 1;
        }
        events
    }));
    for round in 1..ROUNDS {
        send_round(&mut publisher, &tags, round).await;
        sleep(Duration::from_millis(20)).await;
    }
    publisher.finish().await;
    for task in watching {
        assert!(timeout(PATIENCE, task).await.expect("the broadcast ends").expect("no panic") > 0);
    }
    assert_counted(&row(&app, "flv", "play").await, flv.received());
    assert_counted(&row(&app, "ws_flv", "play").await, ws_flv.received());
    assert_counted(&row(&app, "rtmp", "play").await, playing.received());
    let published = row(&app, "rtmp", "publish").await;
    assert_counted(&published, publishing.sent());
    assert_eq!((&published["app"], &published["stream"]), (&"live".into(), &"x".into()));
    assert_eq!((&published["sessions"], &published["overflow"]), (&1.into(), &false.into()));
    assert!(published["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{published}");
    unharmed(app).await;
}

async fn unharmed(app: App) {
    let context = app.context().clone();
    assert!(app.shutdown(PATIENCE).await, "a session did not end");
    assert_eq!(context.shared.counters.panics.load(std::sync::atomic::Ordering::Relaxed), 0, "panics");
}

#[tokio::test]
async fn usage_is_what_an_hls_player_was_answered_and_belongs_to_its_session() {
    let short = |config: &mut server::Config| {
        config.hls.segment_min = Duration::from_millis(500);
        config.hls.segment_max = Duration::from_secs(2);
    };
    let app = serve(short).await;
    let http = app.addresses().http;
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/x").await;
    send_round(&mut publisher, &tags(RECORDING), 0).await;
    let first = get(http, "/live/x.m3u8?wait_ms=10000").await;
    let mut bodies = first.body.len() as u64;
    let media = first.text().lines().find_map(|line| line.strip_prefix("./")).expect("a variant").to_owned();
    let base = media.rsplit_once('/').expect("within the session").0.to_owned();
    for round in 1..8 {
        send_round(&mut publisher, &tags(RECORDING), round).await;
        let playlist = get(http, &format!("/live/{media}")).await;
        bodies += playlist.body.len() as u64;
        for segment in playlist.text().lines().filter(|line| line.starts_with("seg-")) {
            bodies += get(http, &format!("/live/{base}/{segment}")).await.body.len() as u64;
        }
    }
    let head = request(http, "HEAD", &format!("/live/{media}"), &[]).await;
    assert_eq!(head.status, 200);
    let sessions = get(http, "/api/v1/sessions?protocol=hls").await.json();
    assert_eq!(sessions["total"], 1, "{sessions}");
    assert_eq!(sessions["sessions"][0]["bytes"], bodies, "every byte of it and no other");
    let usage = get(http, "/api/v1/usage?by=protocol").await.json();
    let row = usage["rows"].as_array().expect("rows").iter().find(|row| row["protocol"] == "hls");
    assert_counted(row.expect("a row of HLS"), bodies);
    assert!(row.is_some_and(|row| row["app"].is_null() && row["stream"].is_null()), "{usage}");
    drop(publisher);
}

#[tokio::test]
async fn usage_is_what_went_in_datagrams_to_one_percent() {
    let app = serve(|_| {}).await;
    let units = h264_opus();
    let publisher = Client::publish(&app, "live/rtc").await;
    publisher.send_live(&units[..4]).await;
    let mut viewer = Client::watch(&app, "live/rtc").await;
    publisher.send_live(&units[4..]).await;
    // What is under way arrives; what is measured below is after that.
    let mut before = (publisher.bytes().await, viewer.bytes().await);
    loop {
        sleep(Duration::from_millis(300)).await;
        let now = (publisher.bytes().await, viewer.bytes().await);
        if now.1.1 - before.1.1 < 500 {
            break;
        }
        before = now;
    }
    let (sent, received) = (publisher.bytes().await.0, viewer.bytes().await.1);
    assert!(sent > 40_000 && received > 40_000, "{sent} and {received}");
    let live = get(app.addresses().http, "/api/v1/usage?by=protocol").await.json();
    let of = |protocol: &str| {
        live["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["protocol"] == protocol).cloned())
    };
    // What a viewer says back, and a publisher is told, is no media and not counted.
    assert_counted(&of("whip").expect("a publisher that goes on is counted"), sent);
    assert_counted(&of("whep").expect("so is a viewer"), received);
    assert_eq!(publisher.resource.delete().await.status, 200);
    viewer.until_closed().await;
}

#[tokio::test]
async fn usage_outlasts_the_server_and_is_told_as_a_spreadsheet_reads_it() {
    let folder = e2e::scratch::folder();
    let run = async |path: &str| {
        let app = serve(|config| config.data.dir = folder.clone()).await;
        let mut publisher = Peer::publish(app.addresses().rtmp, path).await;
        send_round(&mut publisher, &tags(RECORDING), 0).await;
        publisher.finish().await;
        row(&app, "rtmp", "publish").await;
        let usage = get(app.addresses().http, "/api/v1/usage?by=stream").await.json();
        let csv = request(app.addresses().http, "GET", "/api/v1/usage", &[("Accept", "text/csv")]).await;
        unharmed(app).await;
        (usage, csv)
    };
    let (first, _) = run("live/=1+1,\"x\"").await;
    assert!(has_a_file(&folder.join("usage")), "an hour was written");
    let (second, csv) = run("live/b").await;
    let rows = |usage: &Value| usage["rows"].as_array().expect("rows").clone();
    assert_eq!(rows(&first).len(), 1, "{first}");
    assert_eq!(rows(&second)[0], rows(&first)[0], "as it was before");
    assert_eq!(rows(&second).len(), 2, "{second}");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let lines: Vec<&str> = csv.text().split("\r\n").collect();
    assert_eq!(lines[0], "app,stream,protocol,action,sessions,seconds,bytes,overflow");
    assert!(lines[1].starts_with("live,\"'=1+1,\"\"x\"\"\",rtmp,publish,1,"), "{}", lines[1]);
    assert_eq!(lines.len(), 4, "each line ends: {:?}", csv.text());
    let _ = std::fs::remove_dir_all(&folder);
}

fn has_a_file(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some())
}
