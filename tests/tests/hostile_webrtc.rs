//! What broken or hostile WebRTC peers send to the running server: they are refused or ignored, and nobody else
//! notices.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use e2e::healthy::{Healthy, serve, until};
use e2e::http::{Answer, Connection};
use e2e::recording::{Kind, h264_opus};
use e2e::rtc::{Client, FRAGMENT, Forger, Loss, Offer, Options, SDP, config, noise};
use e2e::rtmp::{PATIENCE, Viewer};
use e2e::steady::Steady;
use server::App;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

/// A server with somebody who publishes and watches by each of RTMP, HTTP-FLV, WHIP and WHEP.
async fn healthy_server() -> (App, Healthy, Steady) {
    let app = serve(|config| config.rtc.set_up = Duration::from_secs(1)).await;
    let healthy = Healthy::start(&app, "live/healthy").await;
    let steady = Steady::start(&app, "live/steady").await;
    (app, healthy, steady)
}

async fn end_unharmed((app, healthy, steady): (App, Healthy, Steady)) {
    steady.end_unharmed().await;
    healthy.end_unharmed(app).await;
}

/// Posts; `None` when the server closed instead of reading all of it.
async fn post(http: SocketAddr, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut head = format!("POST {target} HTTP/1.1\r\nHost: {http}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut connection = Connection::open(http).await;
    connection.send(head + "\r\n").await;
    connection.send(body).await;
    connection.answer(false).await
}

/// A good offer to publish pictures and sound.
async fn offer(app: &App) -> String {
    Offer::new(app.addresses().rtc, Options::PUBLISH).await.sdp
}

#[tokio::test]
async fn offers_that_are_none_or_too_long_are_refused_with_a_reason() {
    let all = healthy_server().await;
    let http = all.0.addresses().http;
    let good = offer(&all.0).await;
    let lines = "a=x\r\n".repeat(250_000);
    let long = format!("{good}{}", "a=x:yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1_400));
    let many = format!("{good}{}", "a=x\r\n".repeat(2_001));
    let sections = format!("{good}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(9));
    let no_media = good.split("m=").next().expect("a session").to_owned();
    let no_key: String =
        good.lines().filter(|l| !l.contains("fingerprint")).flat_map(|l| [l, "\r\n"]).collect();
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\na=sctp-port:5000\r\n";
    let fingerprint = good.lines().find(|line| line.starts_with("a=fingerprint")).expect("a key");
    let data = format!(
        "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n{fingerprint}\r\n{data}"
    );
    let cases: [(&str, &[u8], &[u16]); 11] = [
        ("a quarter of a million lines", lines.as_bytes(), &[413]),
        ("70 KB", long.as_bytes(), &[413]),
        ("2,000 lines too many", many.as_bytes(), &[400]),
        ("too many media", sections.as_bytes(), &[400]),
        ("nothing", b"", &[400]),
        ("no text", b"\xFF\xFE\x00\x80", &[400]),
        ("no SDP", b"<html>hello</html>", &[400]),
        ("NUL bytes", &[0; 1_000], &[400]),
        ("no media", no_media.as_bytes(), &[400, 406]),
        ("no key", no_key.as_bytes(), &[400]),
        ("a data channel alone", data.as_bytes(), &[406]),
    ];
    for (what, body, wanted) in cases {
        for target in ["/live/bad/whip", "/live/steady/whep"] {
            let Some(answer) = post(http, target, &[SDP], body).await else { continue };
            assert!(
                wanted.contains(&answer.status),
                "{what} at {target}: {} {}",
                answer.status,
                answer.text()
            );
            assert!(!answer.problem().is_empty());
        }
    }
    let other = [("Content-Type", "application/json")];
    assert_eq!(post(http, "/live/bad/whip", &other, good.as_bytes()).await.expect("an answer").status, 415);
    assert_eq!(post(http, "/live/bad/whip", &[], good.as_bytes()).await.expect("an answer").status, 415);
    assert_eq!(
        post(http, "/live/nobody/whep", &[SDP], good.as_bytes()).await.expect("an answer").status,
        404
    );
    assert_eq!(all.0.context().hub.list().len(), 2, "nobody else publishes");
    end_unharmed(all).await;
}

#[tokio::test]
async fn an_offer_cut_at_any_line_is_taken_or_refused_and_leaves_nothing_behind() {
    let all = healthy_server().await;
    let http = all.0.addresses().http;
    let good = offer(&all.0).await;
    let lines: Vec<&str> = good.lines().collect();
    for end in 0..=lines.len() {
        let cut: String = lines[..end].iter().flat_map(|line| [*line, "\r\n"]).collect();
        for target in ["/live/cut/whip", "/live/steady/whep"] {
            let answer = post(http, target, &[SDP], cut.as_bytes()).await.expect("an answer");
            assert!(matches!(answer.status, 201 | 400 | 406), "{end} lines at {target}: {}", answer.text());
        }
    }
    let context = all.0.context().clone();
    let path = media::Path::new("live/steady").expect("well-formed");
    let seats = || {
        let broadcast = context.hub.get(&path).expect("live");
        server::audience::Audience::of(&broadcast).viewers().map(|(_, count)| count).sum::<u32>()
    };
    until("only the steady viewer is left", || seats() == 1).await;
    end_unharmed(all).await;
}

#[tokio::test]
async fn a_thousand_candidates_and_names_of_machines_cost_nothing_and_the_session_connects() {
    let all = healthy_server().await;
    let addresses = all.0.addresses();
    let mut offer = Offer::new(addresses.rtc, Options::WATCH).await;
    let mut candidates =
        String::from("a=candidate:1 1 udp 2113937151 0d9b4a9e-1f3c-4c5e.local 9 typ host\r\n");
    for number in 0..1_000 {
        let (a, b) = (number / 250, number % 250);
        candidates.push_str(&format!("a=candidate:{number} 1 udp 1 10.9.{a}.{b} 9 typ host\r\n"));
    }
    let (front, back) = offer.sdp.split_once("a=ice-ufrag").expect("credentials");
    offer.sdp = format!("{front}{candidates}a=ice-ufrag{back}");
    let mut viewer = offer.post(addresses.http, "/live/steady/whep").await.start().await;
    viewer.packet_of(Kind::Video).await;
    end_unharmed(all).await;
}

#[tokio::test]
async fn names_that_are_no_streams_and_sessions_that_are_not_there_are_refused() {
    let all = healthy_server().await;
    let http = all.0.addresses().http;
    let good = offer(&all.0).await;
    let long = format!("/live/{}/whip", "x".repeat(4_096));
    let names = [
        "/live/../whip",
        "/live/%2e%2e/whip",
        "/live/..%2f..%2fetc/whip",
        "/live/a%00b/whip",
        "/live/a%2fb/whip",
        "/api/x/whip",
        "/whip",
        "//whip",
        long.as_str(),
    ];
    for name in names {
        let status = post(http, name, &[SDP], good.as_bytes()).await.expect("an answer").status;
        assert!((400..500).contains(&status), "{name}: {status}");
    }
    assert_eq!(all.0.context().hub.list().len(), 2, "nobody else publishes");
    let session = "/live/steady/whip/00000000000000000000000000000000";
    for (method, headers) in [("DELETE", &[][..]), ("PATCH", &[FRAGMENT])] {
        let answer = e2e::http::send(http, method, session, headers, b"").await;
        assert_eq!(answer.status, 404, "{method}");
        assert!(answer.problem().contains("no such session"));
    }
    let own = &all.2.resources[0];
    assert_eq!(own.patch(&[("Content-Type", "text/plain")], "").await.status, 415);
    assert_eq!(own.patch(&[FRAGMENT], &"a=x\r\n".repeat(20_000)).await.status, 413);
    assert_eq!(own.patch(&[FRAGMENT], "a=ice-ufrag:x\r\na=ice-pwd:short\r\n").await.status, 204);
    end_unharmed(all).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_longer_than_a_head_is() {
    let app = serve(|config| config.http.header = Duration::from_millis(500)).await;
    let http = app.addresses().http;
    let mut connection = Connection::open(http).await;
    let head = "POST /live/x/whip HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 900\r\n\r\nv=0";
    connection.send(head).await;
    assert_eq!(connection.answer(false).await.expect("an answer").status, 408);
}

/// A binding request by this name; its integrity is made up.
fn binding_request(name: &str, number: u32) -> Vec<u8> {
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
    request.extend([7; 8]);
    request.extend(number.to_be_bytes());
    let mut attribute = |kind: u16, value: &[u8]| {
        request.extend(kind.to_be_bytes());
        request.extend((value.len() as u16).to_be_bytes());
        request.extend(value);
        request.resize(request.len().next_multiple_of(4), 0);
    };
    attribute(0x0006, name.as_bytes());
    // PRIORITY, ICE-CONTROLLING, USE-CANDIDATE (RFC 8445 §7.1), MESSAGE-INTEGRITY.
    attribute(0x0024, &[0x6E, 0, 1, 0xFF]);
    attribute(0x802A, &[9; 8]);
    attribute(0x0025, &[]);
    attribute(0x0008, &[0x5A; 20]);
    let length = (request.len() - 20 + 8) as u16;
    request[2..4].copy_from_slice(&length.to_be_bytes());
    // FINGERPRINT (RFC 8489 §14.7), which is right.
    let fingerprint = crc32(&request) ^ 0x5354_554E;
    request.extend([0x80, 0x28, 0, 4]);
    request.extend(fingerprint.to_be_bytes());
    request
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// Sends datagrams from an address that nobody knows, no faster than the server reads; it must not answer one.
async fn send_unanswered(server: SocketAddr, datagrams: impl Iterator<Item = Vec<u8>>) {
    /// Fewer than the smallest buffer of a socket holds.
    const AT_ONCE: usize = 16;
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    for (number, datagram) in datagrams.enumerate() {
        stranger.send_to(&datagram, server).await.expect("loopback takes it");
        if number % AT_ONCE == AT_ONCE - 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut answer = [0; 2_048];
    let answered = stranger.try_recv_from(&mut answer);
    assert!(answered.is_err(), "the server answered {answered:?}");
}

#[tokio::test]
async fn binding_requests_that_prove_nothing_change_nothing_and_get_no_answer() {
    let all = healthy_server().await;
    let rtc = all.0.addresses().rtc;
    let unknown = (0..2_000).map(|number| binding_request(&format!("n{number}:peer"), number));
    send_unanswered(rtc, unknown).await;
    for (resource, theirs) in all.2.resources.iter().zip(&all.2.ufrags) {
        let ours = resource.etag.trim_matches('"');
        let known = (0..2_000).map(|number| binding_request(&format!("{ours}:{theirs}"), number));
        send_unanswered(rtc, known).await;
    }
    end_unharmed(all).await;
}

/// A record that begins a DTLS handshake (RFC 6347 §4.2), with any body.
fn client_hello(seed: u64) -> Vec<u8> {
    let body = noise(seed, 150);
    let mut record = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 162];
    record.extend([1, 0, 0, 150, 0, 0, 0, 0, 0, 0, 0, 150]);
    record.extend(body);
    record
}

#[tokio::test]
async fn hellos_and_noise_from_addresses_that_ice_has_not_checked_get_no_answer() {
    let all = healthy_server().await;
    let rtc = all.0.addresses().rtc;
    send_unanswered(rtc, (0..2_000).map(client_hello)).await;
    send_unanswered(rtc, (0..1_500).map(|length| noise(length, length as usize))).await;
    let media = (0..1_000).map(|seed| [&[0x80, 96, 0, 1][..], &noise(seed, 200)].concat());
    send_unanswered(rtc, media).await;
    end_unharmed(all).await;
}

#[tokio::test]
async fn noise_from_a_peers_own_address_does_not_end_its_session() {
    let all = healthy_server().await;
    let mut viewer = Client::watch(&all.0, "live/steady").await;
    viewer.packet_of(Kind::Video).await;
    for seed in 0..100 {
        let datagrams = vec![
            client_hello(seed),
            [&[23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 0, 50][..], &noise(seed, 50)].concat(),
            [&[0x80, 96][..], &noise(seed, 60)].concat(),
            [&[0x81, 205, 0, 20][..], &noise(seed, 80)].concat(),
            noise(seed, seed as usize),
        ];
        viewer.tell(move |driver| driver.extra = datagrams).await;
        viewer.packet_of(Kind::Video).await;
    }
    end_unharmed(all).await;
}

/// Connects a peer that forges from now on.
async fn forging(app: &App, target: &str, options: Options, forger: &'static Forger) -> Client {
    let config = config().set_crypto_provider(Arc::new(forger.provider()));
    let offer = Offer::with_config(app.addresses().rtc, options, config).await;
    let client = offer.post(app.addresses().http, target).await.start().await;
    client.tell(move |driver| driver.forger = Some(forger)).await;
    forger.switch(true);
    client
}

#[tokio::test]
async fn malformed_media_that_is_authentic_harms_nobody() {
    let all = healthy_server().await;
    let forger = Forger::leaked(1);
    let publisher = forging(&all.0, "/live/forged/whip", Options::PUBLISH, forger).await;
    publisher.lose(Loss { seed: 3, outgoing: 10, incoming: 0 }).await;
    let mut flv = None;
    for unit in &h264_opus() {
        if !publisher.is_connected() {
            break;
        }
        publisher.send(unit).await;
        if flv.is_none() {
            flv = Some(Viewer::watch(all.0.addresses().http, "live/forged").await);
        }
        // Faster than real time, slower than the server.
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    assert!(forger.count() > 250, "{} forged packets", forger.count());
    // It may have been closed for what it sent.
    assert!(matches!(publisher.resource.delete().await.status, 200 | 404));
    drop(flv);
    end_unharmed(all).await;
}

#[tokio::test]
async fn malformed_reports_that_are_authentic_harm_nobody() {
    let all = healthy_server().await;
    let forger = Forger::leaked(2);
    let mut viewer =
        forging(&all.0, "/live/steady/whep", Options { audio: false, ..Options::WATCH }, forger).await;
    while forger.count() < 300 && viewer.is_connected() {
        viewer.ask_for_keyframe().await;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    assert!(forger.count() >= 300, "{} forged reports", forger.count());
    drop(viewer.happened());
    viewer.packet_of(Kind::Video).await;
    drop(viewer);
    end_unharmed(all).await;
}

/// Sends this to the port of ICE-TCP and tells how long the server took to close.
async fn closed_after(server: SocketAddr, bytes: &[&[u8]]) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    for piece in bytes {
        // A server that has closed is seen by what follows.
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let mut answer = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    drop(closed.expect("the server closes"));
    assert!(answer.is_empty(), "and says nothing");
    start.elapsed()
}

#[tokio::test]
async fn connections_that_name_no_session_are_closed_at_once_and_silent_ones_after_five_seconds() {
    let all = healthy_server().await;
    let rtc = all.0.addresses().rtc;
    let framed = |datagram: &[u8]| [&(datagram.len() as u16).to_be_bytes()[..], datagram].concat();
    let unknown = framed(&binding_request("nobody:peer", 1));
    let hello = framed(&client_hello(1));
    let (unknown, hello) = ([unknown.as_slice()], [hello.as_slice()]);
    let slow: Vec<&[u8]> = unknown[0].chunks(4).collect();
    let at_once = Duration::from_secs(2);
    let in_time = Duration::from_millis(5_900);
    let (empty, longest, named, dtls, never, slowly) = tokio::join!(
        closed_after(rtc, &[&[0, 0]]),
        closed_after(rtc, &[&[0xFF, 0xFF, 1, 2, 3]]),
        closed_after(rtc, &unknown),
        closed_after(rtc, &hello),
        closed_after(rtc, &[]),
        closed_after(rtc, &slow),
    );
    for (what, took) in [("empty", empty), ("longest", longest), ("unknown", named), ("DTLS", dtls)] {
        assert!(took < at_once, "{what}: closed after {took:?}");
    }
    assert!(never < in_time && slowly < in_time, "closed after {never:?} and {slowly:?}");
    end_unharmed(all).await;
}

#[tokio::test]
async fn pages_of_other_origins_may_watch_and_may_not_publish() {
    let app = serve(|config| config.http.hosts = vec!["studio.example".into()]).await;
    let http = app.addresses().http;
    let publish = async |origin: &str, host: &str| {
        let offer = offer(&app).await;
        let headers = [SDP, ("Origin", origin), ("Host", host)];
        e2e::http::send(http, "POST", "/live/x/whip", &headers, offer.as_bytes()).await
    };
    let own = http.to_string();
    for origin in ["https://elsewhere.example", "null", "http://localhost.elsewhere.example", "", "file://"] {
        let answer = publish(origin, &own).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert!(answer.problem().contains("http.hosts"), "{}", answer.text());
    }
    // A name of somebody's that resolves here (DNS rebinding) is its own origin.
    assert_eq!(publish("http://rebound.example:8080", "rebound.example:8080").await.status, 403);
    for origin in
        ["http://localhost:5173", "http://127.0.0.1:8080", "https://studio.example", "http://[::1]:1"]
    {
        let answer = publish(origin, &own).await;
        assert_eq!(answer.status, 201, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let exposed = answer.header("access-control-expose-headers").expect("scripts may read");
        assert!(exposed.contains("location") && exposed.contains("etag"), "{exposed}");
    }
    let preflight = e2e::http::request(
        http,
        "OPTIONS",
        "/live/x/whip",
        &[("Origin", "https://studio.example"), ("Access-Control-Request-Method", "POST")],
    )
    .await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").expect("headers").contains("if-match"));
    assert_eq!(preflight.header("accept-post"), Some("application/sdp"));
    let steady = Steady::start(&app, "live/y").await;
    let offer = Offer::new(app.addresses().rtc, Options { audio: false, ..Options::WATCH }).await;
    let headers = [SDP, ("Origin", "https://elsewhere.example")];
    let answer = e2e::http::send(http, "POST", "/live/y/whep", &headers, offer.sdp.as_bytes()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (201, Some("*")));
    let mut viewer = offer.answered(http, &answer).start().await;
    viewer.packet_of(Kind::Video).await;
    steady.end_unharmed().await;
}
