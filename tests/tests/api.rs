//! The API as an operator uses it: who is there, sending them away, banning, listing, events, limits, refusals.

use std::sync::atomic::Ordering;
use std::time::Duration;

use e2e::healthy::{Healthy, serve};
use e2e::http::{Answer, Connection, get, request, send};
use e2e::recording::h264_opus;
use e2e::rtc::Client;
use e2e::rtmp::{PATIENCE, Peer, Viewer, tags};
use serde_json::Value;
use server::App;
use server::access::keys::Keys;
use tokio::time::{sleep, timeout};
use wire::rtmp::client::Purpose;

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
const WS_UPGRADE: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Publishes the whole recording at once; the publisher stays.
async fn publish(app: &App, path: &str) -> Peer {
    let mut peer = Peer::publish(app.addresses().rtmp, path).await;
    for tag in &tags(RECORDING) {
        peer.send(tag).await;
    }
    peer
}

async fn ask(app: &App, method: &str, target: &str) -> Answer {
    request(app.addresses().http, method, &format!("/api/v1{target}"), &[]).await
}

async fn json(app: &App, target: &str) -> Value {
    let answer = ask(app, "GET", target).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    answer.json()
}

/// The one session of this protocol and action, once it is there.
async fn session(app: &App, protocol: &str, action: &str) -> Value {
    let found = async {
        loop {
            let list = json(app, &format!("/sessions?protocol={protocol}&action={action}")).await;
            match list["sessions"].as_array().expect("sessions").as_slice() {
                [one] => return one.clone(),
                [] => sleep(Duration::from_millis(20)).await,
                many => panic!("{many:?}"),
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {protocol} {action}"))
}

async fn kick(app: &App, protocol: &str, action: &str) {
    let session = session(app, protocol, action).await;
    let target = format!("/sessions/{}", session["id"]);
    assert_eq!(ask(app, "DELETE", &target).await.status, 204, "{session}");
    let gone = async {
        while ask(app, "DELETE", &target).await.status != 404 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("{session} stays"));
}

/// Nothing is left that hangs, and nothing panicked.
async fn end(app: App) {
    let context = app.context().clone();
    app.shutdown(PATIENCE).await;
    assert_eq!(context.shared.counters.panics.load(Ordering::Relaxed), 0, "panics");
}

#[tokio::test]
async fn viewers_of_every_protocol_are_listed_and_sent_away_one_by_one() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let healthy = Healthy::start(&app, "live/well").await;
    kick_none_of(&app, "live/x").await;
    let publisher = publish(&app, "live/x").await;

    let mut flv = Viewer::watch(http, "live/x").await;
    flv.frame().await.expect("a frame");
    let mut socket = Connection::open(http).await;
    assert_eq!(socket.request("GET", "/live/x.flv", WS_UPGRADE).await.status, 101);
    let mut player = Peer::ask(app.addresses().rtmp, Purpose::Play, "live/x").await;
    player.event().await.expect("it plays");
    let first = get(http, "/live/x.m3u8?wait_ms=10000").await;
    let media = first.text().lines().find_map(|line| line.strip_prefix("./")).expect("a variant").to_owned();

    let list = json(&app, "/sessions?path=live/x").await;
    let protocols: Vec<&str> =
        list["sessions"].as_array().unwrap().iter().map(|s| s["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["rtmp", "flv", "ws_flv", "rtmp", "hls"], "in the order they came: {list}");
    let known = list["sessions"][1].as_object().expect("a session");
    assert!(known["bytes"].as_u64() > Some(10_000) && known["address"].as_str().is_some(), "{known:?}");
    assert_eq!(session_of(&list, "flv")["lag_ms"], 0, "it is in step: {list}");

    let kick_of = async |protocol: &str| {
        let list = json(&app, "/sessions?path=live/x&action=play").await;
        let id = session_of(&list, protocol)["id"].clone();
        assert_eq!(ask(&app, "DELETE", &format!("/sessions/{id}")).await.status, 204);
    };
    kick_of("flv").await;
    while flv.frame().await.is_some() {}
    kick_of("ws_flv").await;
    socket.rest().await;
    kick_of("rtmp").await;
    while player.event().await.is_some() {}
    kick_of("hls").await;
    let refused = get(http, &format!("/live/{media}")).await;
    assert_eq!((refused.status, refused.problem().contains("sent this session away")), (403, true));
    assert_eq!(get(http, &format!("/live/{media}")).await.status, 403, "and it stays away");
    let left = async {
        while json(&app, "/sessions?path=live/x&action=play").await["total"] != 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, left).await.expect("all of them are gone");
    assert_eq!(json(&app, "/broadcasts/live/x").await["viewers_total"], 0);

    kick(&app, "rtmp", "publish&path=live/x").await;
    drop(publisher);
    healthy.end_unharmed(app).await;
}

fn session_of<'a>(list: &'a Value, protocol: &str) -> &'a Value {
    let all = list["sessions"].as_array().expect("sessions");
    all.iter().find(|session| session["protocol"] == protocol && session["action"] == "play").expect(protocol)
}

async fn kick_none_of(app: &App, path: &str) {
    assert_eq!(json(app, &format!("/sessions?path={path}")).await["total"], 0);
    assert_eq!(ask(app, "DELETE", "/sessions/999999").await.status, 404);
    assert_eq!(ask(app, "DELETE", "/sessions/none").await.status, 400);
}

#[tokio::test]
async fn webrtc_sessions_of_both_ways_are_sent_away() {
    let app = serve(|_| {}).await;
    let publisher = Client::publish(&app, "live/rtc").await;
    publisher.send_live(&h264_opus()[..4]).await;
    let mut viewer = Client::watch(&app, "live/rtc").await;
    kick(&app, "whep", "play").await;
    viewer.until_closed().await;
    let mut publisher = publisher;
    kick(&app, "whip", "publish").await;
    publisher.until_closed().await;
    end(app).await;
}

#[tokio::test]
async fn a_ban_is_listed_and_can_be_lifted() {
    let app = serve(|_| {}).await;
    let refused = async || {
        let mut peer = Peer::ask(app.addresses().rtmp, Purpose::Publish, "school/7b/x").await;
        !matches!(peer.event().await, Some(wire::rtmp::client::Event::Ready))
    };
    assert_eq!(ask(&app, "DELETE", "/broadcasts/school/7b/x?ban_s=600").await.status, 204);
    assert!(refused().await);
    let bans = json(&app, "/bans").await;
    assert_eq!(
        (&bans["bans"][0]["path"], bans["bans"].as_array().map(Vec::len)),
        (&"school/7b/x".into(), Some(1))
    );
    assert_eq!(ask(&app, "DELETE", "/bans/school/7b/x").await.status, 204);
    assert!(!refused().await);
    assert_eq!(ask(&app, "DELETE", "/bans/school/7b/x").await.status, 404);
    end(app).await;
}

#[tokio::test]
async fn a_publisher_that_is_sent_away_hears_why_and_a_ban_keeps_it_out_until_it_ends() {
    let app = serve(|_| {}).await;
    let mut publisher = publish(&app, "live/x").await;
    let mut viewer = Viewer::watch(app.addresses().http, "live/x").await;
    viewer.frame().await.expect("a frame");
    assert_eq!(ask(&app, "DELETE", "/broadcasts/live/nobody").await.status, 404);
    assert_eq!(ask(&app, "DELETE", "/broadcasts/live/x?ban_s=0").await.status, 400);
    assert_eq!(ask(&app, "DELETE", "/broadcasts/live/x?ban_s=2").await.status, 204);
    while viewer.frame().await.is_some() {}
    while publisher.event().await.is_some() {}
    assert_eq!(json(&app, "/broadcasts").await["total"], 0);
    let mut again = Peer::ask(app.addresses().rtmp, Purpose::Publish, "live/x").await;
    let refusal = format!("{:?}", again.event().await);
    assert!(refusal.contains("banned this stream"), "{refusal}");
    drop(again);
    let mut other = Peer::publish(app.addresses().rtmp, "live/y").await;
    other.send(&tags(RECORDING)[0]).await;
    let returns = async {
        loop {
            let mut peer = Peer::ask(app.addresses().rtmp, Purpose::Publish, "live/x").await;
            match peer.event().await {
                Some(wire::rtmp::client::Event::Ready) => return peer,
                _ => sleep(Duration::from_millis(200)).await,
            }
        }
    };
    timeout(PATIENCE, returns).await.expect("the ban ends by itself").finish().await;
    let acts = std::fs::read_to_string(app.context().config().data.dir.join("audit.jsonl")).expect("acts");
    assert!(acts.contains("\"what\":\"ban\"") && acts.contains("\"what\":\"end\""), "{acts}");
    drop(other);
    end(app).await;
}

#[tokio::test]
async fn hundreds_of_broadcasts_are_searched_and_turned_over_page_by_page() {
    let app = serve(|config| config.api.burst = 1_000).await;
    let mut publishers = Vec::new();
    for n in 0..25 {
        publishers.push(Peer::publish(app.addresses().rtmp, &format!("live/Class-{n:02}")).await);
    }
    publishers.push(Peer::publish(app.addresses().rtmp, "deep/er/数学").await);
    let paths = |list: &Value| -> Vec<String> {
        let all = list["broadcasts"].as_array().expect("broadcasts");
        all.iter().map(|one| one["path"].as_str().expect("a path").to_owned()).collect()
    };
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = json(&app, &format!("/broadcasts?limit=10&search=class{after}")).await;
        assert_eq!(page["total"], 25, "{page}");
        seen.extend(paths(&page));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).map(|n| format!("live/Class-{n:02}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(paths(&json(&app, "/broadcasts?search=%E6%95%B0").await), ["deep/er/数学"]);
    assert_eq!(json(&app, "/broadcasts/deep/er/%E6%95%B0%E5%AD%A6").await["path"], "deep/er/数学");
    assert_eq!(json(&app, "/broadcasts/deep/er/%E6%95%B0%E5%AD%A6/history").await["step_ms"], 5_000);
    let (pages, mut ids) = (json(&app, "/sessions?limit=20").await, Vec::new());
    for page in [&pages, &json(&app, &format!("/sessions?limit=20&after={}", pages["next"])).await] {
        ids.extend(
            page["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_u64().unwrap()),
        );
    }
    assert!(ids.len() == 26 && ids.is_sorted(), "{ids:?}");
    drop(publishers);
    end(app).await;
}

/// Every event until `enough` of them.
async fn events(app: &App, target: &str, enough: usize) -> Vec<(String, Value)> {
    let mut connection = Connection::open(app.addresses().http).await;
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = connection.head().await.expect("an answer");
    assert_eq!(head.header("content-type"), Some("text/event-stream"), "{}", head.head);
    assert_eq!(head.header("cache-control"), Some("no-store"));
    let (mut text, mut events) = (String::new(), Vec::new());
    while events.len() < enough {
        text += std::str::from_utf8(&connection.chunk().await.expect("it goes on")).expect("text");
        while let Some((event, rest)) = text.split_once("\n\n").map(|(e, r)| (e.to_owned(), r.to_owned())) {
            text = rest;
            let Some((name, data)) = event.split_once("\ndata: ") else { continue };
            let name = name.strip_prefix("event: ").expect("a name").to_owned();
            events.push((name, serde_json::from_str(data).expect("JSON in one line")));
        }
    }
    events
}

#[tokio::test]
async fn events_tell_the_list_the_node_and_the_stream_that_is_looked_at() {
    let app = serve(|_| {}).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let told = events(&app, "/api/v1/events?path=live/x", 5).await;
    let first = |name: &str| {
        let found = told.iter().find(|(event, _)| event == name);
        &found.unwrap_or_else(|| panic!("no {name} in {told:?}")).1
    };
    assert_eq!(first("broadcasts")["broadcasts"][0]["path"], "live/x");
    assert_eq!(first("node")["publishers"], 1, "{}", first("node"));
    let stats = first("stats");
    assert_eq!((&stats["path"], &stats["viewers"]), (&"live/x".into(), &1.into()), "{stats}");
    let (bitrate, fps) = (stats["bitrate_bps"].as_u64().unwrap(), stats["fps"].as_f64().unwrap());
    assert!((50_000..400_000).contains(&bitrate) && (20.0..30.0).contains(&fps), "{stats}");
    assert_eq!(stats["delay_ms"], 0, "its one viewer is in step");
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn open_consoles_do_not_hold_up_a_server_that_stops_and_are_bounded() {
    let app = serve(|config| config.api.burst = 1_000).await;
    let mut consoles = Vec::new();
    for _ in 0..64 {
        let mut connection = Connection::open(app.addresses().http).await;
        connection.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(connection.head().await.expect("an answer").status, 200);
        consoles.push(connection);
    }
    let beyond = ask(&app, "GET", "/events").await;
    assert_eq!((beyond.status, beyond.header("retry-after")), (503, Some("10")), "{}", beyond.text());
    let context = app.context().clone();
    let stopping = tokio::time::Instant::now();
    assert!(app.shutdown(PATIENCE).await, "consoles end by themselves");
    assert!(stopping.elapsed() < Duration::from_secs(5), "{:?}", stopping.elapsed());
    assert_eq!(context.shared.counters.panics.load(Ordering::Relaxed), 0, "panics");
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again_and_media_is_not_held_back() {
    let slow = |config: &mut server::Config| {
        config.api = server::config::Api { requests_per_second: 1, burst: 3 };
        config.demo.enabled = true;
    };
    let app = serve(slow).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, "GET", "/server").await.status, 200);
    }
    let refused = ask(&app, "GET", "/server").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{}", refused.head);
    assert!(refused.problem().contains("api.requests_per_second"));
    let mut viewer = Viewer::watch_target(app.addresses().http, "/live/demo.flv?wait_ms=5000").await;
    viewer.frame().await.expect("a frame");
    let metrics = get(app.addresses().http, "/metrics").await;
    assert!(metrics.text().contains("openmic_api_limited_total 1\n"), "{}", metrics.text());
    assert!(metrics.text().contains("openmic_api_requests_total{class=\"4xx\"} 1\n"), "{}", metrics.text());
    end(app).await;
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_and_every_wrong_request_is_told_what_is_wrong() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let publisher = publish(&app, "live/x").await;
    let id = session(&app, "rtmp", "publish").await["id"].clone();
    for foreign in [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")] {
        for (method, target) in [
            ("DELETE", format!("/api/v1/sessions/{id}")),
            ("DELETE", "/api/v1/broadcasts/live/x".to_owned()),
            ("POST", "/api/v1/config/reload".to_owned()),
        ] {
            let refused = send(http, method, &target, &[foreign, JSON], b"{}").await;
            assert_eq!((refused.status, refused.problem().is_empty()), (403, false), "{method} {target}");
            assert_eq!(refused.header("access-control-allow-origin"), None);
        }
        let read = request(http, "GET", "/api/v1/broadcasts", &[foreign]).await;
        assert_eq!(read.header("access-control-allow-origin"), None, "its answer stays unread by the page");
    }
    assert_eq!(json(&app, "/broadcasts/live/x").await["state"], "live");
    for (status, method, target) in [
        (400, "GET", "/broadcasts?limit=0"),
        (400, "GET", "/broadcasts?limit=1001"),
        (400, "GET", "/broadcasts?limit=many"),
        (400, "GET", "/broadcasts?serach=x"),
        (400, "GET", "/broadcasts/live/%2e%2e"),
        (400, "GET", "/broadcasts/live"),
        (404, "GET", "/broadcasts/live/nobody"),
        (404, "GET", "/broadcasts/live/nobody/history"),
        (400, "GET", "/sessions?protocol=gopher"),
        (400, "DELETE", "/sessions/x"),
        (400, "GET", "/usage?by=viewer"),
        (400, "GET", "/usage?from=yesterday"),
        (400, "GET", "/usage?format=xml"),
        (400, "GET", "/events?path=x"),
        (404, "GET", "/nothing"),
        (405, "POST", "/broadcasts"),
        (405, "DELETE", "/node"),
        (409, "POST", "/config/reload"),
    ] {
        let refused = ask(&app, method, target).await;
        assert_eq!(refused.status, status, "{method} {target}: {}", refused.text());
        assert!(!refused.problem().is_empty(), "{method} {target}");
    }
    let reload = "/api/v1/config/reload";
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(send(http, "POST", reload, &[form], b"a=b").await.status, 415);
    assert_eq!(send(http, "POST", reload, &[JSON], b"{").await.status, 400);
    assert_eq!(send(http, "POST", reload, &[JSON], b"{\"x\":1}").await.status, 400);
    assert_eq!(send(http, "POST", reload, &[JSON], &vec![b' '; 80_000]).await.status, 413);
    publisher.finish().await;
    end(app).await;
}

#[tokio::test]
async fn the_node_its_configuration_and_its_metrics_are_told_without_names_of_streams_unless_asked() {
    let app = serve(|config| config.metrics.per_stream_max = 1).await;
    let publishers = [publish(&app, "live/a").await, publish(&app, "live/b\"} 1").await];
    let node = json(&app, "/node").await;
    assert_eq!((&node["publishers"], &node["panics"]), (&2.into(), &0.into()), "{node}");
    assert!(node["connections"].as_u64() >= Some(2) && node["warnings"] == Value::Array(vec![]), "{node}");
    assert_eq!(node["tls"]["expires"], Value::Null);
    let config = json(&app, "/config").await;
    assert_eq!(config["publish"]["takeover"], "newest", "{config}");
    let metrics = get(app.addresses().http, "/metrics").await;
    let of_streams: Vec<&str> = metrics.text().lines().filter(|line| line.contains("{path=")).collect();
    assert_eq!(of_streams.len(), 2, "two series of one stream: {of_streams:?}");
    assert!(metrics.text().contains("openmic_sessions{action=\"publish\",protocol=\"rtmp\"} 2\n"));
    drop(publishers);
    end(app).await;
}

#[tokio::test]
async fn every_address_but_the_one_that_says_so_wants_a_token_where_the_server_is_guarded() {
    let data = e2e::scratch::folder();
    let (keys, admin) = Keys::generate(0);
    keys.save(&Keys::path(&data)).expect("a folder of our own");
    let guarded = |config: &mut server::Config| {
        config.data.dir.clone_from(&data);
        config.access.required = true;
    };
    let app = serve(guarded).await;
    let http = app.addresses().http;
    assert_eq!(json(&app, "/server").await["guarded"], true);
    let document = get(http, "/api/v1/openapi.json").await.json();
    let (mut open, mut tried) = (Vec::new(), 0);
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            let target = path.replace("{app}", "live").replace("{stream}", "x").replace("{id}", "1");
            let target = target.replace("{name}", "x");
            let answer = send(http, &method.to_uppercase(), &target, &[JSON], b"{}").await;
            match answer.status {
                401 => assert!(answer.header("www-authenticate").is_some() && !answer.problem().is_empty()),
                _ => open.push(format!("{method} {path}: {}", answer.status)),
            }
            tried += 1;
        }
    }
    assert_eq!(open, ["get /api/v1/server: 200"]);
    assert!(tried >= 12, "{tried}");
    assert_eq!(get(http, "/metrics").await.status, 401);
    let bearer = format!("Bearer {}", admin.expose());
    let with_token = request(http, "GET", "/metrics", &[("Authorization", &bearer)]).await;
    assert_eq!(with_token.status, 200, "{}", with_token.text());
    let config = request(http, "GET", "/api/v1/config", &[("Authorization", &bearer)]).await;
    assert_eq!(config.json()["access"]["required"], true, "{}", config.text());
    assert!(!config.text().contains(admin.expose()), "a secret is shown");
    end(app).await;
}
