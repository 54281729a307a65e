//! Everything that is served over TLS: RTMPS, HTTPS, FLV and WebSocket within it, and HLS over HTTP/2.

use std::time::{Duration, Instant};

use e2e::acme::Directory;
use e2e::folder::Folder;
use e2e::healthy::{Healthy, serve, until};
use e2e::http::Connection;
use e2e::rtmp::{Peer, Viewer, is_frame, tags};
use e2e::stranger::{decoded, fixture, run, start};
use e2e::tls::{Identity, any_certificate, trusting};
use server::App;
use wire::rtmp::client::{Event, Options, Purpose};
use wire::rtmp::message::Kind;

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
/// Two seconds at 25 frames a second are 50; a player may begin in the middle of either.
const PICTURES_MIN: usize = 40;
/// And 1,024 samples a piece at 44.1 kHz or more are 86.
const SOUNDS_MIN: usize = 60;

async fn secure(identity: &Identity) -> App {
    serve(|config| identity.show(config)).await
}

async fn rtmps(app: &App, identity: &Identity, purpose: Purpose) -> Peer {
    let server = app.addresses().rtmps.expect("RTMPS was asked for");
    let options = Options::for_url(purpose, &format!("rtmp://{server}/live/x")).expect("an address");
    Peer::over(identity.connect(server, &[]).await, options).await
}

async fn https(app: &App, identity: &Identity) -> Connection {
    let server = app.addresses().https.expect("HTTPS was asked for");
    Connection::over(identity.connect(server, &["http/1.1"]).await, "localhost")
}

fn base(app: &App) -> String {
    format!("https://{}", app.addresses().https.expect("HTTPS was asked for"))
}

#[tokio::test]
async fn a_player_over_rtmps_gets_every_frame_of_a_publisher_over_rtmps() {
    let identity = Identity::new();
    let app = secure(&identity).await;
    let recording = tags(RECORDING);
    let mut publisher = rtmps(&app, &identity, Purpose::Publish).await;
    assert_eq!(publisher.event().await, Some(Event::Ready));
    let picture = |tag: &wire::flv::file::Tag| is_frame(tag) && tag.kind == wire::flv::TagKind::Video;
    let first = recording.iter().position(picture).expect("a picture");
    let (before, after) = recording.split_at(first + 1);
    for tag in before {
        publisher.send(tag).await;
    }
    let mut player = rtmps(&app, &identity, Purpose::Play).await;
    next_frame(&mut player).await;
    for tag in after {
        publisher.send(tag).await;
    }
    for _ in after.iter().filter(|tag| is_frame(tag)) {
        next_frame(&mut player).await;
    }
    publisher.finish().await;
    while player.event().await.is_some() {}
}

/// Waits for a coded frame.
async fn next_frame(player: &mut Peer) {
    loop {
        if let Event::Media(media) = player.event().await.expect("the stream goes on")
            && media.kind != Kind::Data
            && media.payload.get(1) == Some(&1)
        {
            return;
        }
    }
}

#[tokio::test]
async fn ffmpeg_publishes_over_rtmps_and_plays_over_rtmps_and_https() {
    let identity = Identity::new();
    let app = secure(&identity).await;
    let rtmps = format!("rtmps://{}/live/x", app.addresses().rtmps.expect("RTMPS was asked for"));
    let file = fixture("h264_aac.flv");
    let file = file.to_str().expect("a path of text");
    let publish =
        ["-v", "error", "-nostdin", "-stream_loop", "-1", "-re", "-i", file, "-c", "copy", "-f", "flv"];
    let _publisher = start("ffmpeg", &[&publish[..], &[&rtmps]].concat());
    let path = media::Path::new("live/x").expect("well-formed");
    until("FFmpeg publishes", || app.context().hub.get(&path).is_some_and(|it| it.tracks().len() >= 2)).await;
    for url in [rtmps.clone(), format!("{}/live/x.flv", base(&app)), format!("{}/live/x.m3u8", base(&app))] {
        let (pictures, sounds) = decoded(&url).await;
        assert!(pictures >= PICTURES_MIN && sounds >= SOUNDS_MIN, "{url}: {pictures} and {sounds}");
    }
}

#[tokio::test]
async fn pages_flv_and_websocket_are_served_over_tls() {
    let identity = Identity::new();
    let app = secure(&identity).await;
    let server = app.addresses().https.expect("HTTPS was asked for");
    let healthy = Healthy::start(&app, "live/x").await;
    let mut page = https(&app, &identity).await;
    for target in ["/", "/play/live/x", "/healthz"] {
        assert_eq!(page.request("GET", target, &[]).await.status, 200, "{target} on one connection");
    }
    assert!(!page.request("GET", "/nothing", &[]).await.problem().is_empty());
    let stream = identity.connect(server, &["http/1.1"]).await;
    let mut viewer = Viewer::over(stream, "localhost", "/live/x.flv").await;
    assert!(viewer.head.starts_with("HTTP/1.1 200"), "{}", viewer.head);
    for _ in 0..30 {
        viewer.frame().await.expect("the stream goes on");
    }
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    // Fresh, and on the connection of the page: one never enters the HTTP machinery, the other does.
    for mut browser in [https(&app, &identity).await, page] {
        assert_eq!(browser.request("GET", "/live/x.flv", &upgrade).await.status, 101);
        let frame = browser.exactly(2).await.expect("a frame");
        assert_eq!(frame[0], 0x82, "a final binary frame: {frame:x?}");
        let length_bytes = if frame[1] == 126 { 2 } else { 0 };
        let payload = browser.exactly(length_bytes + 3).await.expect("a payload");
        assert_eq!(&payload[length_bytes..], b"FLV");
    }
    drop(viewer);
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_client_that_knows_http2_is_given_it_and_any_other_http1() {
    let identity = Identity::new();
    let app = secure(&identity).await;
    let server = app.addresses().https.expect("HTTPS was asked for");
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = identity.connect(server, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
    }
}

/// What curl had for each address over one HTTP/2 connection: status, protocol, new connections and the body.
async fn curl(urls: &[String]) -> Vec<Fetched> {
    // A line of its own after each body; names and playlists hold no such line, and media is told apart by length.
    const MARK: &str = "\n--fetched %{http_code} %{http_version} %{num_connects} %{size_download}\n";
    let mut arguments = vec!["-s", "-k", "--http2", "--max-time", "15", "-w", MARK];
    arguments.extend(urls.iter().map(String::as_str));
    let mut said = &run("curl", &arguments).await[..];
    let mut fetched = Vec::new();
    while !said.is_empty() {
        let mark = b"\n--fetched ";
        let at = said.windows(mark.len()).position(|bytes| bytes == mark).expect("a mark after each body");
        let rest = &said[at + mark.len()..];
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a whole line");
        let line = std::str::from_utf8(&rest[..end]).expect("numbers");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[3], at.to_string(), "{line}");
        fetched.push(Fetched {
            status: words[0].to_owned(),
            version: words[1].to_owned(),
            connects: words[2].parse().expect("a count"),
            body: said[..at].to_vec(),
        });
        said = &rest[end + 1..];
    }
    assert_eq!(fetched.len(), urls.len());
    fetched
}

struct Fetched {
    status: String,
    version: String,
    connects: usize,
    body: Vec<u8>,
}

impl Fetched {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

#[tokio::test]
async fn curl_reads_hls_from_the_playlist_to_its_parts_over_one_http2_connection() {
    let identity = Identity::new();
    let app = serve(|config| {
        identity.show(config);
        (config.hls.segment_min, config.hls.segment_max) =
            (Duration::from_millis(500), Duration::from_secs(2));
        config.hls.part = Duration::from_millis(200);
    })
    .await;
    let healthy = Healthy::start(&app, "live/x").await;
    let first = curl(&[format!("{}/live/x.m3u8?wait_ms=10000", base(&app))]).await;
    let media = first[0].text().lines().find_map(|line| line.strip_prefix("./")).expect("a variant");
    let session = format!("{}/live/{}", base(&app), media.trim_end_matches("media.m3u8"));
    let playlist = curl(&[format!("{session}media.m3u8?_HLS_msn=1&_HLS_part=0")]).await;
    let playlist = playlist[0].text();
    let named = |before: &str| {
        let rest = playlist.split(before).nth(1).unwrap_or_else(|| panic!("no {before} in {playlist}"));
        format!("{session}{}", rest.split('"').next().unwrap_or_default())
    };
    let (init, hint) = (named("#EXT-X-MAP:URI=\""), named("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\""));
    let segment = playlist.lines().find(|line| line.starts_with("seg-")).expect("a segment");
    let began = Instant::now();
    // The hinted part is answered when it is there, and the rest does not wait for another connection.
    let fetched = curl(&[init, format!("{session}{segment}"), hint, format!("{session}media.m3u8")]).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for (at, one) in fetched.iter().enumerate() {
        assert_eq!((one.status.as_str(), one.version.as_str()), ("200", "2"), "answer {at}");
        assert_eq!(one.connects, usize::from(at == 0), "one connection for all, answer {at}");
    }
    for (media, kind) in [(&fetched[0], b"ftyp"), (&fetched[1], b"moof"), (&fetched[2], b"moof")] {
        assert_eq!(&media.body[4..8], kind);
    }
    assert!(fetched[3].text().starts_with("#EXTM3U\n"));
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn flv_is_served_over_http2_too() {
    let identity = Identity::new();
    let app = secure(&identity).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let url = format!("{}/live/x.flv", base(&app));
    // curl gives up after two seconds, which it calls an error.
    let curl = start("curl", &["-s", "-k", "--http2", "--max-time", "2", &url]);
    let said = curl.wait_with_output().await.expect("it ran").stdout;
    let mut reader = wire::flv::file::Reader::new();
    reader.handle_input(&said);
    let tags = std::iter::from_fn(|| reader.poll_tag().expect("well-formed FLV"));
    let frames = tags.filter(is_frame).count();
    assert!(frames > PICTURES_MIN, "{frames} frames in two seconds");
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_handshake_that_is_none_or_never_ends_is_closed_and_disturbs_nobody() {
    let identity = Identity::new();
    let app = serve(|config| {
        identity.show(config);
        config.http.header = Duration::from_millis(300);
    })
    .await;
    let healthy = Healthy::start(&app, "live/x").await;
    let addresses = app.addresses();
    for server in [addresses.https, addresses.rtmps] {
        let server = server.expect("it was asked for");
        // Silence, a request in the clear, and half a client hello.
        for said in [&b""[..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0"] {
            let mut odd = Connection::open(server).await;
            odd.send(said).await;
            odd.rest().await;
        }
    }
    healthy.end_unharmed(app).await;
}

fn asking(directory: &Directory, folder: &Folder) -> impl FnOnce(&mut server::Config) {
    let (url, root, data) = (directory.url(), directory.root(), folder.path().to_owned());
    move |config| {
        config.http.tls_listen = Some(([127, 0, 0, 1], 0).into());
        config.data.dir = data;
        config.tls.acme_domains = vec!["live.example".into(), "www.live.example".into()];
        config.tls.acme_contact = vec!["ops@live.example".into()];
        config.tls.acme_directory = url;
        config.tls.acme_root = Some(root);
    }
}

/// Whether the server shows a certificate of the directory for this name.
async fn is_vouched_for(app: &App, directory: &Directory, name: &str) -> bool {
    let server = app.addresses().https.expect("HTTPS was asked for");
    trusting(directory.authority(), server, name, &["h2"]).await.is_ok_and(|stream| {
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        true
    })
}

#[tokio::test]
async fn a_certificate_is_had_from_an_acme_directory_and_kept_over_a_restart() {
    let (directory, folder) = (Directory::start().await, Folder::new());
    let app = serve(asking(&directory, &folder)).await;
    let server = app.addresses().https.expect("HTTPS was asked for");
    directory.validate_at(server);
    // The first try may have come before the names led anywhere.
    let issued = async {
        while !is_vouched_for(&app, &directory, "live.example").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let issued = tokio::time::timeout(e2e::rtmp::PATIENCE, issued).await;
    assert!(issued.is_ok(), "no certificate: {:?}", directory.wrong());
    assert_eq!(directory.issued(), 1);
    assert!(is_vouched_for(&app, &directory, "www.live.example").await);
    assert!(!is_vouched_for(&app, &directory, "other.example").await, "not for any other name");
    // Nobody gets a challenge's certificate who is no directory in the middle of its look, and no service by its protocol.
    assert!(any_certificate(server, "live.example", &["acme-tls/1"]).await.is_err());
    let mistakes =
        directory.wrong().into_iter().filter(|wrong| !wrong.contains("leads nowhere")).collect::<Vec<_>>();
    assert!(mistakes.is_empty(), "{mistakes:?}");
    for name in ["certificate.json", "account.json"] {
        assert_eq!(folder.mode(&format!("acme/{name}")), 0o600, "{name}");
    }
    app.shutdown(Duration::ZERO).await;
    let again = serve(asking(&directory, &folder)).await;
    while !is_vouched_for(&again, &directory, "live.example").await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(directory.issued(), 1, "the kept one is good for weeks");
}

#[tokio::test]
async fn a_browser_that_trusts_the_local_authority_is_served_by_address_and_by_name() {
    let folder = Folder::new();
    let app = serve(|config| {
        config.http.tls_listen = Some(([127, 0, 0, 1], 0).into());
        config.data.dir = folder.path().to_owned();
        config.tls.local_ca = true;
    })
    .await;
    let server = app.addresses().https.expect("HTTPS was asked for");
    let mut plain = Connection::open(app.addresses().http).await;
    let file = plain.request("GET", "/trust/openmic-ca.crt", &[]).await;
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/x-x509-ca-cert")));
    for name in ["localhost", "127.0.0.1"] {
        let authority = file.body.clone().into();
        let stream = trusting(authority, server, name, &["http/1.1"]).await.expect("a handshake");
        let mut page = Connection::over(stream, "localhost");
        assert_eq!(page.request("GET", "/healthz", &[]).await.status, 200, "{name}");
    }
    let profile = plain.request("GET", "/trust/openmic-ca.mobileconfig", &[]).await;
    assert_eq!(profile.header("content-type"), Some("application/x-apple-aspen-config"));
    let text: String = profile.text().split_whitespace().collect();
    let data =
        text.split("<data>").nth(1).and_then(|rest| rest.split("</data>").next()).expect("the certificate");
    let certificate = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data);
    assert_eq!(certificate.as_deref(), Ok(&file.body[..]));
    let about = plain.request("GET", "/trust/about.json", &[]).await.json();
    assert_eq!(about["fingerprint"].as_str().map(str::len), Some(95), "{about}");
    assert_eq!(about["addresses"], serde_json::json!([]), "nobody but this machine reaches it");
    let page = plain.request("GET", "/trust", &[]).await;
    assert!(page.status == 200 && page.text().contains("<!doctype html>"), "{}", page.head);
}

#[tokio::test]
async fn a_server_with_a_certificate_from_elsewhere_asks_nobody_to_trust_it() {
    let app = serve(|_| {}).await;
    let mut plain = Connection::open(app.addresses().http).await;
    for file in ["openmic-ca.crt", "openmic-ca.mobileconfig", "about.json", "qr.svg"] {
        let answer = plain.request("GET", &format!("/trust/{file}"), &[]).await;
        assert_eq!(answer.status, 404, "{file}");
        assert!(answer.problem().contains("tls.local_ca"), "{file}");
    }
}
