//! Pages, API and media over HTTP: what is answered, with which headers, and to whom it is refused.

use std::time::Duration;

use e2e::http::{Connection, get, request};
use e2e::rtmp::{PATIENCE, Peer, Viewer, tags};
use server::{App, Config};
use wire::flv::file::Reader;
use wire::rtmp::client::{Event, Options, Purpose};

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
/// Of RFC 6455 §1.3, with the answer that belongs to it.
const WS_KEY: (&str, &str) = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
const WS_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const FROM_ELSEWHERE: (&str, &str) = ("Origin", "https://evil.example");

async fn serve(change: impl FnOnce(&mut Config)) -> App {
    let mut config = Config::default();
    config.data.dir = e2e::scratch::folder();
    config.http.listen.set_port(0);
    config.rtmp.listen.set_port(0);
    change(&mut config);
    App::start(config).await.expect("port 0 is free")
}

/// Publishes the whole recording at `path` at once; the publisher stays.
async fn publish(app: &App, path: &str) -> Peer {
    let mut peer = Peer::publish(app.addresses().rtmp, path).await;
    for tag in &tags(RECORDING) {
        peer.send(tag).await;
    }
    let path = media::Path::new(path).expect("well-formed");
    let broadcast = app.context().find(&path, PATIENCE).await.expect("somebody publishes");
    let measured = || broadcast.tracks().iter().filter(|track| track.stats.group_bytes > 0).count() == 2;
    let both = async {
        while !measured() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("both tracks have a whole group");
    peer
}

/// Whether the bundler put a hash of the content into the name: `/assets/play-B1x_Zq9k.js`.
fn is_hashed(asset: &str) -> bool {
    let stem = asset.rsplit_once('.').map_or(asset, |(stem, _)| stem);
    stem.len() > 9 && stem.as_bytes()[stem.len() - 9] == b'-'
}

#[tokio::test]
async fn a_server_that_drains_is_alive_but_not_ready_and_sends_new_viewers_away_for_a_moment() {
    let app = serve(|_| {}).await;
    let (http, context) = (app.addresses().http, app.context().clone());
    assert_eq!((get(http, "/healthz").await.text(), get(http, "/readyz").await.text()), ("ok\n", "ready\n"));
    let publisher = publish(&app, "live/x").await;
    let stopping = tokio::spawn(app.shutdown(PATIENCE));
    context.draining.cancelled().await;
    // Often, as the drain ends connections that rest, and these have just been opened.
    for _ in 0..20 {
        assert_eq!(get(http, "/healthz").await.status, 200);
    }
    for target in ["/readyz", "/live/x.flv", "/live/x.m3u8"] {
        let away = get(http, target).await;
        assert_eq!((away.status, away.header("retry-after")), (503, Some("5")), "{target}: {}", away.head);
        assert!(away.problem().contains("connect again"), "{target}");
    }
    publisher.finish().await;
    assert!(stopping.await.expect("no panic"), "nobody is left, so the drain ends by itself");
}

#[tokio::test]
async fn the_demo_is_there_as_flv_and_as_hls_without_any_publisher() {
    let app = serve(|config| config.demo.enabled = true).await;
    let http = app.addresses().http;
    let mut viewer = Viewer::watch_target(http, "/live/demo.flv?wait_ms=10000").await;
    for _ in 0..20 {
        viewer.frame().await.expect("the demo goes on");
    }
    assert_eq!(get(http, "/api/v1/broadcasts/live/demo").await.json()["publisher"]["protocol"], "demo");
    let first = get(http, "/live/demo.m3u8").await;
    let codecs = first.text();
    assert!(codecs.contains("avc1.") && codecs.contains("mp4a.40.2"), "picture and sound: {codecs}");
}

#[tokio::test]
async fn metrics_have_their_names_types_and_numbers() {
    let app = serve(|_| {}).await;
    let _publisher = publish(&app, "live/x").await;
    let mut viewer = Viewer::watch(app.addresses().http, "live/x").await;
    viewer.frame().await.expect("a keyframe");
    let answer = get(app.addresses().http, "/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse::<f64>().expect("a number")
    };
    for (name, kind) in [
        ("openmic_broadcasts", "gauge"),
        ("openmic_publishers", "gauge"),
        ("openmic_viewers", "gauge"),
        ("openmic_ring_bytes", "gauge"),
        ("openmic_connections", "gauge"),
        ("openmic_uptime_seconds", "gauge"),
        ("openmic_egress_bytes_total", "counter"),
        ("openmic_connections_total", "counter"),
        ("openmic_connections_refused_total", "counter"),
        ("openmic_viewer_skips_total", "counter"),
        ("openmic_viewers_stalled_total", "counter"),
        ("openmic_panics_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_cpu_seconds_total", "counter"),
        ("process_open_fds", "gauge"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} in\n{text}");
    }
    assert_eq!((value("openmic_broadcasts"), value("openmic_publishers")), (1.0, 1.0));
    assert_eq!(value("openmic_viewers{protocol=\"flv\"}"), 1.0);
    assert_eq!(value("openmic_viewers{protocol=\"hls\"}"), 0.0);
    assert_eq!(value("openmic_panics_total"), 0.0);
    assert!(value("openmic_ring_bytes") > 0.0 && value("openmic_egress_bytes_total{protocol=\"flv\"}") > 0.0);
    assert!(value("openmic_connections") >= 3.0, "the publisher, the viewer and this request");
}

#[tokio::test]
async fn the_api_describes_the_server_and_what_is_live() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let server = get(http, "/api/v1/server").await;
    assert_eq!(server.header("content-type"), Some("application/json"));
    assert_eq!(server.header("cache-control"), Some("no-store"));
    assert_eq!(server.json()["rtmp_port"], app.addresses().rtmp.port());
    assert_eq!(server.json()["rtmps_port"], serde_json::Value::Null);
    assert!(server.json()["version"].is_string() && server.json()["uptime_s"].is_u64());
    let nothing = serde_json::json!({ "broadcasts": [], "next": null, "total": 0 });
    assert_eq!(get(http, "/api/v1/broadcasts").await.json(), nothing);

    let _publisher = publish(&app, "live/数学").await;
    let mut viewer = Viewer::watch(http, "live/%E6%95%B0%E5%AD%A6").await;
    viewer.frame().await.expect("a keyframe");
    let list = get(http, "/api/v1/broadcasts").await.json();
    let one = get(http, "/api/v1/broadcasts/live/%E6%95%B0%E5%AD%A6").await.json();
    assert_eq!(list["broadcasts"], serde_json::json!([one]));
    assert_eq!((&one["path"], &one["state"]), (&"live/数学".into(), &"live".into()));
    assert_eq!(one["viewers"], serde_json::json!({ "rtmp": 0, "flv": 1, "ws_flv": 0, "hls": 0, "whep": 0 }));
    assert_eq!(one["conversions"], serde_json::json!([]), "players of H.264 and AAC need none");
    let since = one["since"].as_str().expect("a time");
    assert!(since.starts_with("20") && since.ends_with('Z') && since.len() == 24, "{since}");
    assert_eq!(one["publisher"]["protocol"], "rtmp");
    assert!(one["publisher"]["address"].as_str().is_some_and(|at| at.starts_with("127.0.0.1:")), "{one}");
    let tracks = one["tracks"].as_array().expect("a list");
    let of = |kind: &str| tracks.iter().find(|track| track["kind"] == kind).expect("a track of each kind");
    let (video, audio) = (of("video"), of("audio"));
    assert!(video["codec"].as_str().is_some_and(|codec| codec.starts_with("avc1.")), "{video}");
    assert!(video["width"].is_u64() && video["height"].is_u64() && video["fps"].is_f64(), "{video}");
    assert!(video["bitrate_bps"].as_u64() > Some(10_000) && video["group_ms"].as_u64() > Some(0), "{video}");
    assert_eq!(audio["codec"], "mp4a.40.2");
    assert!(audio["sample_rate"].is_u64() && audio["channels"].is_u64(), "{audio}");
}

#[tokio::test]
async fn what_is_not_live_or_not_an_address_is_a_problem_that_says_what_to_do() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    for (target, status, advice) in [
        ("/api/v1/broadcasts/live/nobody", 404, "check its name"),
        ("/live/nobody.flv", 404, "wait_ms"),
        ("/live/nobody.m3u8", 404, "wait_ms"),
        ("/live/nobody/hls/abc/media.m3u8", 404, "check its name"),
        ("/no/such/thing", 404, "/ lists what is live"),
        ("/live/x.flv?latency_ms=soon", 400, "whole number of milliseconds"),
        ("/live/100%.flv", 400, "%25"),
        ("/x.flv", 400, "not the name of a stream"),
        ("/live/%2e%2e/x.flv", 400, ""),
        ("/live/..%2f..%2fetc%2fpasswd.flv", 400, ""),
        ("/live/..%5cx.m3u8", 400, ""),
        ("/live/%00.flv", 400, ""),
        ("/assets/%2e%2e/Cargo.toml", 404, ""),
    ] {
        let refused = get(http, target).await;
        assert_eq!(refused.status, status, "{target}: {}", refused.text());
        assert_eq!(refused.header("cache-control"), Some("no-store"), "{target}");
        assert!(refused.problem().contains(advice), "{target}: {}", refused.problem());
    }
}

#[tokio::test]
async fn pages_come_with_a_policy_that_lets_nothing_foreign_in_and_their_files_are_cached_by_content() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    for target in [
        "/",
        "/play/live/x",
        "/publish/live/x",
        "/demo",
        "/demo/abcd-efgh",
        "/metrics",
        "/api/v1/server",
        "/healthz",
        "/nothing",
        "/assets/no.js",
    ] {
        let answer = get(http, target).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'self'") && policy.contains("base-uri 'none'"), "{target}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src"), "{target}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{target}");
    }
    let page = get(http, "/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let assets: Vec<&str> = page.text().split('"').filter(|text| text.starts_with("/assets/")).collect();
    // A tree whose bundle was not built yet has a page that says how to build it, and no files.
    assert!(!assets.is_empty() || page.text().contains("./dev run"), "{}", page.text());
    for asset in assets {
        let file = get(http, asset).await;
        assert_eq!(file.status, 200, "{asset}");
        let caching = if is_hashed(asset) { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(file.header("cache-control"), Some(caching), "{asset}");
        assert_eq!(file.header("access-control-allow-origin"), Some("*"), "{asset}");
        let tag = file.header("etag").expect("a tag");
        let again = request(http, "GET", asset, &[("If-None-Match", tag)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{asset}");
        assert_eq!(again.header("etag"), Some(tag), "{asset}");
        let other = request(http, "GET", asset, &[("If-None-Match", "\"of an older build\"")]).await;
        assert_eq!(other.body, file.body, "{asset}");
    }
}

#[tokio::test]
async fn flv_is_there_for_get_and_head_and_for_those_who_wait_until_it_begins() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let early = tokio::spawn(async move { Viewer::watch_target(http, "/live/x.flv?wait_ms=10000").await });
    let _publisher = publish(&app, "live/x").await;
    let mut early = early.await.expect("no panic");
    assert!(early.head.starts_with("HTTP/1.1 200"), "{}", early.head);
    early.frame().await.expect("a keyframe");
    let head = request(http, "HEAD", "/live/x.flv", &[]).await;
    for line in [
        ("content-type", "video/x-flv"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(head.header(line.0), Some(line.1), "{}", head.head);
        let sent = format!("{}: {}", line.0, line.1);
        assert!(early.head.lines().any(|known| known == sent), "{sent} in {}", early.head);
    }
    assert_eq!(head.header("content-length"), None, "nobody knows the length: {}", head.head);
    let post = request(http, "POST", "/live/x.flv", &[("Content-Length", "0")]).await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{}", post.head);
}

#[tokio::test]
async fn a_browser_that_asks_for_flv_on_the_connection_of_a_page_gets_it() {
    let app = serve(|_| {}).await;
    let _publisher = publish(&app, "live/x").await;
    let mut browser = Connection::open(app.addresses().http).await;
    assert_eq!(browser.request("GET", "/healthz", &[]).await.status, 200);
    browser.send("GET /live/x.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = browser.head().await.expect("an answer");
    assert_eq!((head.status, head.header("content-type")), (200, Some("video/x-flv")));
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
    let mut reader = Reader::new();
    let mut frames = 0;
    while frames < 50 {
        reader.handle_input(&browser.exactly(64).await.expect("the stream goes on"));
        while let Some(tag) = reader.poll_tag().expect("well-formed FLV") {
            frames += usize::from(e2e::rtmp::is_frame(&tag));
        }
    }
}

#[tokio::test]
async fn requests_that_come_in_one_piece_are_answered_in_order_and_the_last_may_be_a_stream() {
    let app = serve(|_| {}).await;
    let _publisher = publish(&app, "live/x").await;
    let mut eager = Connection::open(app.addresses().http).await;
    let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (first, half) = (ask("/healthz"), ask("/live/x.flv"));
    let (half, rest) = half.split_at(20);
    eager.send(format!("{first}{}{}{half}", ask("/nothing"), ask("/readyz"))).await;
    for (status, body) in [(200, Some("ok\n")), (404, None), (200, Some("ready\n"))] {
        let answer = eager.answer(false).await.expect("an answer to each");
        assert_eq!((answer.status, answer.header("connection")), (status, None), "{}", answer.head);
        assert!(body.is_none_or(|body| answer.text() == body));
    }
    eager.send(rest).await;
    assert_eq!(eager.head().await.expect("an answer").header("content-type"), Some("video/x-flv"));
    assert_eq!(eager.exactly(3).await.expect("a stream"), b"FLV");
}

#[tokio::test]
async fn a_connection_is_closed_after_its_answer_when_the_client_says_so_or_sends_a_body() {
    let app = serve(|_| {}).await;
    for lines in ["Connection: close", "Content-Length: 2"] {
        let mut last = Connection::open(app.addresses().http).await;
        last.send(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\nxx")).await;
        let answer = last.answer(false).await.expect("an answer");
        assert_eq!((answer.status, answer.text(), answer.header("connection")), (200, "ok\n", Some("close")));
        assert_eq!(last.rest().await, b"", "{lines}");
    }
    let mut old = Connection::open(app.addresses().http).await;
    old.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
    assert!(old.rest().await.ends_with(b"\r\n\r\nok\n"));
}

#[tokio::test]
async fn websocket_is_upgraded_on_a_fresh_connection_and_on_that_of_a_page() {
    let app = serve(|_| {}).await;
    let _publisher = publish(&app, "live/x").await;
    let upgrade =
        [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), WS_KEY];
    for pages in [0, 1] {
        let mut browser = Connection::open(app.addresses().http).await;
        for _ in 0..pages {
            browser.request("GET", "/healthz", &[]).await;
        }
        let answer = browser.request("GET", "/live/x.flv", &upgrade).await;
        assert_eq!((answer.status, answer.header("sec-websocket-accept")), (101, Some(WS_ACCEPT)));
        // A final binary frame, unmasked (RFC 6455 §5.2), that begins the FLV file.
        let frame = browser.exactly(2).await.expect("a frame");
        assert_eq!(frame[0], 0x82, "{frame:x?}");
        let long = match frame[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let payload = browser.exactly(long + 3).await.expect("a payload");
        assert_eq!(&payload[long..], b"FLV");
    }
}

#[tokio::test]
async fn an_upgrade_that_is_not_whole_is_refused_in_the_words_of_the_rfc() {
    let app = serve(|_| {}).await;
    let _publisher = publish(&app, "live/x").await;
    let asked = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    for pages in [0, 1] {
        let mut browser = Connection::open(app.addresses().http).await;
        for _ in 0..pages {
            browser.request("GET", "/healthz", &[]).await;
        }
        let no_key = [&asked[..], &[("Sec-WebSocket-Version", "13")]].concat();
        assert_eq!(browser.request("GET", "/live/x.flv", &no_key).await.status, 400, "after {pages}");
        let mut browser = Connection::open(app.addresses().http).await;
        for _ in 0..pages {
            browser.request("GET", "/healthz", &[]).await;
        }
        let old = [&asked[..], &[("Sec-WebSocket-Version", "8"), WS_KEY]].concat();
        let refused = browser.request("GET", "/live/x.flv", &old).await;
        let version = refused.header("sec-websocket-version");
        assert_eq!((refused.status, version), (426, Some("13")), "after {pages}: {}", refused.head);
    }
}

#[tokio::test]
async fn every_page_of_the_web_may_show_a_stream_and_none_may_use_the_api() {
    let app = serve(|_| {}).await;
    let _publisher = publish(&app, "live/x").await;
    let http = app.addresses().http;
    for target in ["/live/x.m3u8", "/live/nobody.m3u8", "/live/nobody.flv"] {
        let media = request(http, "GET", target, &[FROM_ELSEWHERE]).await;
        assert_eq!(media.header("access-control-allow-origin"), Some("*"), "{target}: {}", media.head);
        assert_eq!(media.header("access-control-allow-credentials"), None, "{target}");
        let preflight = [FROM_ELSEWHERE, ("Access-Control-Request-Method", "GET")];
        let preflight = request(http, "OPTIONS", target, &preflight).await;
        assert_eq!(preflight.status, 204, "{target}");
        assert!(preflight.header("access-control-allow-methods").is_some(), "{target}");
    }
    for target in ["/", "/api/v1/server", "/api/v1/broadcasts", "/metrics", "/play/live/x", "/publish/live/x"]
    {
        for method in ["GET", "OPTIONS", "POST"] {
            let own = request(http, method, target, &[FROM_ELSEWHERE, ("Content-Length", "0")]).await;
            assert_eq!(own.header("access-control-allow-origin"), None, "{method} {target}");
            let status = if method == "GET" { 200 } else { 405 };
            assert_eq!(own.status, status, "{method} {target}");
        }
    }
}

#[tokio::test]
async fn a_foreign_name_that_resolves_to_loopback_sees_neither_pages_nor_api() {
    let app = serve(|config| config.http.hosts = vec!["studio.example".into()]).await;
    let http = app.addresses().http;
    for target in ["/", "/play/live/x", "/publish/live/x", "/api/v1/server", "/api/v1/broadcasts", "/metrics"]
    {
        for host in
            ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", ""]
        {
            let rebound = request(http, "GET", target, &[("Host", host)]).await;
            assert_eq!(rebound.status, 421, "{host:?} {target}");
            assert!(rebound.problem().contains("http.hosts"), "{host:?} {target}");
        }
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:8080", "studio.example"] {
            assert_eq!(request(http, "GET", target, &[("Host", host)]).await.status, 200, "{host} {target}");
        }
    }
    let twice = [("Host", "localhost"), ("Host", "evil.example")];
    assert_ne!(request(http, "GET", "/api/v1/server", &twice).await.status, 200);
}

#[tokio::test]
async fn what_a_publisher_calls_itself_is_data_and_never_markup() {
    const NAME: &str = "live/<img src=x onerror=alert(1)>\"'";
    const ADDRESS: &str = "live/%3Cimg%20src=x%20onerror=alert(1)%3E%22'";
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let options = Options::for_url(Purpose::Publish, "rtmp://127.0.0.1/live/x").expect("an address");
    let options = Options {
        stream: NAME.trim_start_matches("live/").into(),
        flash_ver: "</script><script>alert(2)</script>".into(),
        ..options
    };
    let mut publisher = Peer::with_options(app.addresses().rtmp, options).await;
    assert_eq!(publisher.event().await, Some(Event::Ready));
    let one = get(http, &format!("/api/v1/broadcasts/{ADDRESS}")).await;
    assert_eq!((one.status, one.header("content-type")), (200, Some("application/json")));
    assert_eq!((&one.json()["path"], one.header("x-content-type-options")), (&NAME.into(), Some("nosniff")));
    for target in [format!("/play/{ADDRESS}"), "/".into(), "/metrics".into(), format!("/{ADDRESS}1.flv")] {
        let answer = get(http, &target).await;
        for script in ["<img src=x", "alert(1)", "alert(2)"] {
            assert!(!answer.text().contains(script), "{target} says {script}");
        }
    }
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_key_and_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let port = taken.local_addr().expect("bound").port();
    for key in ["http.listen", "rtmp.listen"] {
        let mut config = Config::default();
        config.data.dir = e2e::scratch::folder();
        config.http.listen.set_port(if key == "http.listen" { port } else { 0 });
        config.rtmp.listen.set_port(if key == "rtmp.listen" { port } else { 0 });
        let Err(error) = App::start(config).await else { panic!("two programs on one port") };
        let said = error.to_string();
        assert!(said.starts_with(&format!("{key} = 127.0.0.1:{port}: ")), "{said}");
        assert!(said.contains("in use by another program") && said.contains("choose another port"), "{said}");
    }
}

#[tokio::test]
async fn whoever_comes_beyond_the_limit_of_connections_is_told_which_one_it_is() {
    let app = serve(|config| config.limits.connections = 1).await;
    let http = app.addresses().http;
    let mut first = Connection::open(http).await;
    assert_eq!(first.request("GET", "/healthz", &[]).await.status, 200);
    let second = get(http, "/healthz").await;
    assert_eq!((second.status, second.header("retry-after")), (503, Some("10")));
    assert!(second.problem().contains("limits.connections"));
    drop(first);
    let freed = async {
        while get(http, "/healthz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("the place is free again");
}
