//! HTTP peers that are slow, endless, absurd or hostile: each is refused or closed, and nobody else notices.

use std::time::{Duration, Instant};

use e2e::healthy::{Healthy, serve};
use e2e::http::{Connection, get, request};
use e2e::rtmp::{PATIENCE, Peer, Viewer, tags};
use e2e::tls::Identity;

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
/// The times that are configured where a test waits for their end.
const SHORT: Duration = Duration::from_millis(300);

/// RFC 9113 §3.4 and an empty SETTINGS frame.
const H2_HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Frame types and flags (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request's header block by the static table (RFC 7541 appendix A): method, scheme, path and the authority.
fn header_block(method: u8) -> Vec<u8> {
    [&[method, 0x86, 0x84, 0x41, 9], &b"localhost"[..]].concat()
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

/// Sends `flood` over HTTP/2, in the clear and over TLS, and waits until the server has closed; meanwhile and
/// afterwards it must answer others, a viewer must have every frame, and no session may have ended in a panic.
async fn survives(flood: Vec<u8>) {
    for over_tls in [false, true] {
        let identity = Identity::new();
        let app = serve(|config| {
            identity.show(config);
            config.http.idle = SHORT;
            // Nobody skips only because an unoptimised server and its attackers share one thread.
            config.egress.lag_max = PATIENCE;
        })
        .await;
        let healthy = Healthy::start(&app, "live/x").await;
        let http = app.addresses().http;
        let mut hostile = if over_tls {
            let stream = identity.connect(app.addresses().https.expect("it was asked for"), &["h2"]).await;
            Connection::over(stream, "localhost")
        } else {
            Connection::open(http).await
        };
        let attack = async {
            hostile.send(H2_HELLO).await;
            hostile.send(&flood).await;
            hostile.rest().await;
        };
        let others = async {
            for _ in 0..10 {
                let asked = Instant::now();
                assert_eq!(get(http, "/healthz").await.status, 200);
                assert!(asked.elapsed() < Duration::from_secs(5), "others waited {:?}", asked.elapsed());
            }
        };
        tokio::join!(attack, others);
        let metrics = get(http, "/metrics").await;
        assert!(metrics.text().contains("\nopenmic_panics_total 0\n"), "{}", metrics.text());
        healthy.end_unharmed(app).await;
    }
}

#[tokio::test]
async fn http2_without_tls_is_served() {
    let app = serve(|_| {}).await;
    let mut client = Connection::open(app.addresses().http).await;
    client.send(H2_HELLO).await;
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &header_block(GET))).await;
    loop {
        let head = client.exactly(9).await.expect("the server answers");
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = client.exactly(length).await.expect("a whole frame");
        if head[3] == HEADERS {
            assert_eq!(payload[0], 0x88, "`:status: 200` is the 8th of the static table");
            return;
        }
    }
}

#[tokio::test]
async fn a_rapid_reset_flood_ends_its_connection_alone() {
    let reset = |stream| {
        let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, &header_block(GET));
        [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    survives((0..20_000).flat_map(|n| reset(2 * n + 1)).collect()).await;
}

#[tokio::test]
async fn a_flood_of_continuations_ends_its_connection_alone() {
    let mut flood = frame(HEADERS, END_STREAM, 1, &header_block(GET));
    // A literal header without indexing, as long as a frame holds: 16 MB of them.
    let name = [&[0, 1, b'a', 0x7F, 0xF9, 0x7E], &[b'x'; 16_248][..]].concat();
    for _ in 0..1_000 {
        flood.extend(frame(CONTINUATION, 0, 1, &name));
    }
    survives(flood).await;
}

#[tokio::test]
async fn a_flood_of_empty_continuations_ends_its_connection_alone() {
    let mut flood = frame(HEADERS, END_STREAM, 1, &header_block(GET));
    flood.extend(frame(CONTINUATION, 0, 1, &[]).repeat(200_000));
    survives(flood).await;
}

#[tokio::test]
async fn floods_of_empty_data_settings_and_pings_disturb_nobody() {
    let open = frame(HEADERS, END_HEADERS, 1, &header_block(POST));
    survives([open, frame(DATA, 0, 1, &[]).repeat(200_000)].concat()).await;
    survives(frame(SETTINGS, 0, 0, &[]).repeat(50_000)).await;
    survives(frame(PING, 0, 0, &[7; 8]).repeat(50_000)).await;
}

#[tokio::test]
async fn an_http2_head_that_never_ends_is_closed_as_idle() {
    survives(frame(HEADERS, END_STREAM, 1, &header_block(GET))).await;
}

#[tokio::test]
async fn heads_that_come_too_slowly_are_closed_however_they_drip() {
    let app = serve(|config| config.http.header = SHORT).await;
    let http = app.addresses().http;
    let mut silent = Connection::open(http).await;
    assert_eq!(silent.rest().await, b"", "who said nothing is told nothing");
    let mut half = Connection::open(http).await;
    half.send("GET / HTTP/1.1\r\nHost: local").await;
    assert_eq!(half.answer(false).await.expect("told why").status, 408);
    let mut dripping = Connection::open(http).await;
    let begun = Instant::now();
    dripping.send("GET / HTTP/1.1\r\n").await;
    while dripping.send("a: b\r\n").await {
        assert!(begun.elapsed() < PATIENCE, "bytes that drip keep a head open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_kept_connection_is_closed_when_it_idles_before_or_within_a_next_request() {
    let app = serve(|config| config.http.idle = SHORT).await;
    for next in ["", "GET /healthz HT"] {
        let mut idle = Connection::open(app.addresses().http).await;
        assert_eq!(idle.request("GET", "/healthz", &[]).await.status, 200);
        let since = Instant::now();
        idle.send(next).await;
        idle.rest().await;
        assert!(since.elapsed() < Duration::from_secs(10), "{next:?} held it for {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_body_that_never_comes_holds_no_connection() {
    let app = serve(|config| config.http.idle = SHORT).await;
    let mut slow = Connection::open(app.addresses().http).await;
    let refused = slow.request("POST", "/api/v1/broadcasts", &[("Content-Length", "1000000")]).await;
    assert_eq!(refused.status, 405);
    slow.send("x").await;
    slow.rest().await;
}

#[tokio::test]
async fn heads_that_are_too_long_are_refused_first_and_later() {
    let app = serve(|_| {}).await;
    // Three times the most: hyper looks at the length only after each read.
    let cookie = "x".repeat(48 << 10);
    for pages in [0, 1] {
        let mut long = Connection::open(app.addresses().http).await;
        for _ in 0..pages {
            long.request("GET", "/healthz", &[]).await;
        }
        let refused = long.request("GET", "/", &[("Cookie", &cookie)]).await;
        assert_eq!(refused.status, 431, "after {pages} pages");
    }
    let lines = [("a", "b"); 100];
    assert_eq!(request(app.addresses().http, "GET", "/", &lines).await.status, 431);
}

#[tokio::test]
async fn no_encoding_of_a_traversal_reads_anything() {
    let app = serve(|_| {}).await;
    let ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2E%2E%2F",
        "%252e%252e%252f",
        "..%5c",
        "..\\",
        "%c0%ae%c0%ae/",
        "....//",
        ".%00./",
    ];
    let files = ["etc/passwd", "Cargo.toml"];
    for before in ["/", "/assets/", "/live/", "/api/v1/broadcasts/", "/live/x/hls/abc/"] {
        for (up, file) in ups.iter().flat_map(|up| files.map(|file| (up, file))) {
            for after in ["", ".flv", ".m3u8"] {
                let target = format!("{before}{}{file}{after}", up.repeat(6));
                let refused = get(app.addresses().http, &target).await;
                assert!((400..500).contains(&refused.status), "{target}: {}", refused.head);
                assert!(
                    !refused.text().contains("root:") && !refused.text().contains("[workspace"),
                    "{target}"
                );
            }
        }
    }
    for target in ["http:///etc/passwd", "*", "etc/passwd", "/\u{0}", "//etc/passwd"] {
        let mut odd = Connection::open(app.addresses().http).await;
        odd.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        let refused = odd.answer(false).await.expect("an answer");
        assert!((400..500).contains(&refused.status), "{target:?}: {}", refused.head);
    }
}

#[tokio::test]
async fn a_playlist_position_of_the_far_future_is_refused_at_once_and_holds_nothing() {
    let app = serve(|_| {}).await;
    let http = app.addresses().http;
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/x").await;
    for tag in &tags(RECORDING) {
        publisher.send(tag).await;
    }
    for far in [
        "_HLS_msn=9223372036854775808",
        "_HLS_msn=18446744073709551615",
        "_HLS_msn=99999999999999999999",
        "_HLS_msn=-1",
        "_HLS_msn=1000000",
        "_HLS_part=1",
    ] {
        let asked = Instant::now();
        let refused = get(http, &format!("/live/x/hls/abc/media.m3u8?{far}")).await;
        assert_eq!(refused.status, 400, "{far}: {}", refused.text());
        assert!(refused.problem().contains("_HLS_msn"), "{}", refused.problem());
        assert!(asked.elapsed() < Duration::from_secs(5), "{far} was held for {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn requests_that_smuggle_another_one_are_refused() {
    let app = serve(|_| {}).await;
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: -1\r\n",
        "Content-Length : 5\r\n",
    ] {
        let mut odd = Connection::open(app.addresses().http).await;
        odd.send(format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"
        ))
        .await;
        let said = String::from_utf8_lossy(&odd.rest().await).into_owned();
        assert!(!said.contains("\r\n\r\nok\n"), "{lines:?}: {said}");
    }
}

#[tokio::test]
async fn a_viewer_watches_on_while_others_send_nonsense() {
    let app = serve(|config| config.egress.lag_max = PATIENCE).await;
    let http = app.addresses().http;
    let mut publisher = Peer::publish(app.addresses().rtmp, "live/x").await;
    let recording = tags(RECORDING);
    let (first, rest) = recording.split_at(recording.len() / 2);
    for tag in first {
        publisher.send(tag).await;
    }
    let mut viewer = Viewer::watch(http, "live/x").await;
    viewer.frame().await.expect("a keyframe");
    for nonsense in
        [&b"\x16\x03\x01\x02\0\x01\0"[..], b"\0\0\0\0", b"SSH-2.0-x\r\n", b"GET\r\n\r\n", b"\xFF\xFE\r\n\r\n"]
    {
        let mut odd = Connection::open(http).await;
        odd.send(nonsense).await;
        odd.send("\r\n\r\n").await;
        let answer = odd.answer(false).await;
        assert!(answer.is_none_or(|answer| answer.status == 400), "{nonsense:x?}");
    }
    for tag in rest {
        publisher.send(tag).await;
    }
    let last = rest.iter().rfind(|tag| e2e::rtmp::is_frame(tag)).expect("a frame");
    while viewer.frame().await.expect("the stream goes on").body != last.body {}
}
