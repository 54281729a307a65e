//! Webhooks: every protocol asks and tells, a refusal can be read, and a bad receiver does what the configuration says.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use e2e::folder::Folder;
use e2e::healthy::{serve, until};
use e2e::http::{self, Connection};
use e2e::receiver::{Call, Receiver, Reply, SECRET, hook};
use e2e::rtc::{Client, Offer, Options, SDP};
use e2e::rtmp::{PATIENCE, Peer, Viewer, is_frame, tags};
use e2e::tls::Identity;
use server::App;
use server::config::{Event, Format, Hook, OnFailure, Secret, Wechat};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wire::flv::file::Tag;
use wire::rtmp::client::{self, Purpose};

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
const ALL: &[Event] = &[Event::Publish, Event::Unpublish, Event::Play, Event::Stop, Event::End];
const UPGRADE: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A server with these hooks, which may call this machine.
async fn hooked(folder: &Folder, hooks: Vec<Hook>) -> App {
    let data = folder.path().to_owned();
    serve(move |config| {
        config.data.dir = data;
        config.outbound.allow = vec!["127.0.0.1/32".parse().expect("a network")];
        config.hooks = hooks;
        // A session of HLS is over after three of these without a request.
        (config.hls.segment_min, config.hls.segment_max) = (Duration::from_secs(1), Duration::from_secs(1));
    })
    .await
}

async fn publish(app: &App, path: &str) -> Peer {
    let mut publisher = Peer::publish(app.addresses().rtmp, path).await;
    for tag in &tags(RECORDING) {
        publisher.send(tag).await;
    }
    publisher
}

/// Publishes the recording in a loop, faster than it was recorded, until the sender says to end.
async fn keep_publishing(app: &App, path: &str) -> oneshot::Sender<()> {
    let mut publisher = publish(app, path).await;
    let (stop, mut stopped) = oneshot::channel();
    tokio::spawn(async move {
        let tags = tags(RECORDING);
        for (number, tag) in tags.iter().cycle().enumerate() {
            if !is_frame(tag) {
                continue;
            }
            let round = (number / tags.len() + 1) as u32;
            let timestamp_ms = round * 4_011 + tag.timestamp_ms;
            publisher.send(&Tag { timestamp_ms, ..tag.clone() }).await;
            if timeout(Duration::from_millis(5), &mut stopped).await.is_ok() {
                return publisher.finish().await;
            }
        }
    });
    stop
}

/// Why an RTMP peer is refused.
async fn rtmp_refusal(app: &App, purpose: Purpose, path: &str) -> Option<String> {
    let mut peer = Peer::ask(app.addresses().rtmp, purpose, path).await;
    while let Some(event) = peer.event().await {
        match event {
            client::Event::Status(status) => return Some(status.description),
            client::Event::Ready => return None,
            _ => {}
        }
    }
    panic!("the server closed without a word")
}

#[tokio::test]
async fn every_protocol_tells_when_somebody_comes_and_goes() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let app = hooked(&folder, vec![receiver.hook("all", ALL)]).await;
    let (http, path) = (app.addresses().http, "live/x");
    let publisher = keep_publishing(&app, "live/x?user=7&token=hush").await;
    let call = receiver.call_of("publish", "rtmp").await;
    assert!(call.is_signed(SECRET), "{}", call.head);
    assert_eq!((call.text("path"), call.text("query")), (path.into(), "user=7".into()));
    assert_eq!(call.header("openmic-delivery"), Some(call.text("id").as_str()));
    assert_eq!(call.text("address"), "127.0.0.1");

    let viewer = Viewer::watch(http, path).await;
    receiver.call_of("play", "flv").await;
    drop(viewer);
    let stop = receiver.call_of("stop", "flv").await;
    assert!(stop.json()["bytes"].as_u64() > Some(0), "{}", stop.body);

    let mut socket = Connection::open(http).await;
    assert_eq!(socket.request("GET", "/live/x.flv", UPGRADE).await.status, 101);
    receiver.call_of("play", "ws_flv").await;
    drop(socket);
    receiver.call_of("stop", "ws_flv").await;

    let mut player = Peer::ask(app.addresses().rtmp, Purpose::Play, path).await;
    while player.event().await.expect("it is live") != client::Event::Ready {}
    receiver.call_of("play", "rtmp").await;
    drop(player);
    receiver.call_of("stop", "rtmp").await;

    assert_eq!(http::get(http, "/live/x.m3u8").await.status, 200);
    receiver.call_of("play", "hls").await;
    receiver.call_of("stop", "hls").await;

    let viewer = Client::watch(&app, path).await;
    let play = receiver.call_of("play", "whep").await;
    viewer.resource.delete().await;
    let stop = receiver.call_of("stop", "whep").await;
    assert_eq!(stop.json()["session"], play.json()["session"]);

    publisher.send(()).expect("it still publishes");
    let gone = receiver.call().await;
    let over = receiver.call().await;
    let told = [gone.what().0, over.what().0];
    assert!(told.contains(&"unpublish".into()) && told.contains(&"end".into()), "{told:?}");

    let offer = Offer::new(app.addresses().rtc, Options::PUBLISH).await;
    let whip = offer.post(http, "/live/y/whip").await.start().await;
    receiver.call_of("publish", "whip").await;
    whip.resource.delete().await;
    receiver.call_of("unpublish", "whip").await;
}

#[tokio::test]
async fn a_refusal_can_be_read_by_publishers_and_viewers_of_every_protocol() {
    let folder = Folder::new();
    let receiver = Receiver::start(|_| Reply::ok()).await;
    let asked = Hook { veto: true, ..receiver.hook("veto", &[Event::Publish, Event::Play]) };
    let app = hooked(&folder, vec![asked]).await;
    let (http, rtc) = (app.addresses().http, app.addresses().rtc);
    let _publisher = publish(&app, "live/x").await;
    receiver.decide(|call| Reply::no(&format!("no {} today", call.what().0)));

    let refused = rtmp_refusal(&app, Purpose::Publish, "live/y").await;
    assert_eq!(refused.as_deref(), Some("no publish today"));
    let refused = rtmp_refusal(&app, Purpose::Play, "live/x").await;
    assert_eq!(refused.as_deref(), Some("no play today"));
    for (target, headers) in [("/live/x.flv", &[][..]), ("/live/x.flv", UPGRADE), ("/live/x.m3u8", &[])] {
        let answer = http::request(http, "GET", target, headers).await;
        assert_eq!((answer.status, answer.problem()), (403, "no play today".into()), "{target}");
    }
    for (options, target, what) in [
        (Options::PUBLISH, "/live/y/whip", "no publish today"),
        (Options::WATCH, "/live/x/whep", "no play today"),
    ] {
        let offer = Offer::new(rtc, options).await;
        let answer = http::send(http, "POST", target, &[SDP], offer.sdp.as_bytes()).await;
        assert_eq!((answer.status, answer.problem()), (403, what.into()), "{target}");
    }
    let sessions = app.context().access.sessions.list();
    assert_eq!(sessions.len(), 1, "nobody but the publisher was let in: {sessions:?}");
}

/// Answers that are none, and what they are called.
fn bad_answers(inner: &str) -> Vec<(&'static str, Reply)> {
    let raw = |text: &str| Reply::Raw(text.as_bytes().to_vec());
    let redirect = |to: &str| raw(&format!("HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"));
    vec![
        ("silence", Reply::Silence),
        ("nothing", raw("")),
        ("an error", Reply::Status(500, String::new())),
        ("no HTTP", raw("SSH-2.0-OpenSSH_9.2p1\r\n")),
        ("half a body", raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}")),
        ("two lengths", raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}")),
        ("an endless head", Reply::Endless(b"HTTP/1.1 200 OK\r\nx: ".to_vec())),
        ("an endless body", Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())),
        ("a redirect to this machine", redirect(inner)),
        ("a redirect to metadata", redirect("http://169.254.169.254/latest/meta-data/")),
    ]
}

#[tokio::test]
async fn without_an_answer_that_is_one_nobody_is_let_in_unless_that_is_configured() {
    let folder = Folder::new();
    let mut inner = Receiver::start(|_| Reply::ok()).await;
    let receiver = Receiver::start(|_| Reply::ok()).await;
    let asked = |on_failure| Hook {
        veto: true,
        on_failure,
        timeout_ms: Some(300),
        ..receiver.hook("veto", &[Event::Publish])
    };
    let closed = hooked(&folder, vec![asked(OnFailure::Refuse)]).await;
    let open = hooked(&folder, vec![asked(OnFailure::Allow)]).await;
    for (number, (what, reply)) in bad_answers(&format!("http://{}/", inner.address)).into_iter().enumerate()
    {
        receiver.decide(move |_| reply.clone());
        let path = format!("live/{number}");
        let refused = rtmp_refusal(&closed, Purpose::Publish, &path).await;
        assert!(refused.is_some_and(|refused| refused.contains("does not answer")), "{what}");
        assert_eq!(rtmp_refusal(&open, Purpose::Publish, &path).await, None, "{what}");
    }
    assert!(inner.left().is_empty(), "a redirect was followed");
    let unanswered = closed.context().operation.hooks.deliveries(100);
    assert!(unanswered.iter().all(|record| record.status == server::hooks::Status::Dead), "{unanswered:?}");
    drop(receiver);
    let refused = rtmp_refusal(&closed, Purpose::Publish, "live/dead").await;
    assert!(refused.is_some_and(|refused| refused.contains("does not answer")), "nobody listens");
}

#[tokio::test]
async fn a_hook_that_leads_into_the_inner_network_is_not_called_unless_that_is_allowed() {
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let url = format!("http://{host}:{port}/hook");
        let asked = Hook { veto: true, ..hook("veto", &url, &[Event::Publish]) };
        let app = serve(|config| config.hooks = vec![asked]).await;
        let refused = rtmp_refusal(&app, Purpose::Publish, "live/x").await;
        assert!(refused.is_some_and(|refused| refused.contains("does not answer")), "{host}");
        let record = app.context().operation.hooks.deliveries(1).remove(0);
        let error = record.error.expect("it failed");
        assert!(error.contains("outbound.allow") || error.contains("resolved"), "{host}: {error}");
    }
    assert!(receiver.left().is_empty(), "it was called");
}

#[tokio::test]
async fn a_notification_is_sent_again_until_it_is_taken_and_later_ones_of_its_path_wait() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|call| match call.text("path").as_str() {
        "live/a" => Reply::Status(503, String::new()),
        _ => Reply::ok(),
    })
    .await;
    let app = hooked(&folder, vec![receiver.hook("all", &[Event::Publish, Event::Unpublish])]).await;
    publish(&app, "live/a").await.finish().await;
    let first = receiver.call().await;
    assert_eq!(first.what().0, "publish");
    publish(&app, "live/b").await.finish().await;
    assert_eq!(receiver.call().await.text("path"), "live/b", "another path is not held up");
    assert_eq!(receiver.call().await.text("path"), "live/b");
    receiver.decide(|_| Reply::ok());
    let again = receiver.call().await;
    assert_eq!((again.text("id"), &again.body), (first.text("id"), &first.body), "the same, under its id");
    assert!(again.is_signed(SECRET));
    assert_eq!(receiver.call().await.what().0, "unpublish");
    let counts = app.context().operation.hooks.counts();
    let delivered = || counts.all().iter().find(|(name, _)| *name == "delivered").map(|(_, count)| *count);
    until("all four were taken", || delivered() == Some(4)).await;
}

#[tokio::test]
async fn what_was_never_taken_is_a_dead_letter_when_the_server_stops() {
    let folder = Folder::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("port 0 is free");
    let url = format!("http://{}/", closed.local_addr().expect("it is bound"));
    drop(closed);
    let app = hooked(&folder, vec![hook("dead", &url, ALL)]).await;
    let publisher = publish(&app, "live/x?auth=hush").await;
    app.shutdown(Duration::ZERO).await;
    drop(publisher);
    let letters = std::fs::read_to_string(folder.path().join("hooks-dead.jsonl")).expect("there are letters");
    let events: Vec<String> = letters
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON"))
        .map(|letter| letter["body"]["event"].as_str().expect("a body").to_owned())
        .collect();
    assert_eq!(events, ["publish", "unpublish", "end"]);
    assert!(!letters.contains("hush") && !letters.contains(SECRET), "{letters}");
}

#[tokio::test]
async fn a_hook_that_was_asked_is_told_of_the_end_even_of_what_never_began() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let asked = Hook { veto: true, ..receiver.hook("veto", &[Event::Play, Event::Stop]) };
    let told = receiver.hook("told", &[Event::Play, Event::Stop]);
    let app = hooked(&folder, vec![asked, told]).await;
    assert_eq!(http::get(app.addresses().http, "/live/nobody.flv").await.status, 404);
    let (play, stop) = (receiver.call().await, receiver.call().await);
    assert_eq!((play.what().0, stop.what().0), ("play".into(), "stop".into()));
    assert_eq!(play.json()["session"], stop.json()["session"]);
    app.shutdown(Duration::ZERO).await;
    assert!(receiver.left().is_empty(), "who was not asked is not told of what never was");
}

#[tokio::test]
async fn wechat_receivers_get_the_callbacks_that_they_know() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let callbacks = Hook {
        format: Format::Wechat,
        secret: Some(Secret::new("5d41402abc4b2a76b9719d911017c592")),
        wechat: Wechat { appid: 1_252_000_000, app: "push.example.com".into() },
        ..receiver.hook("wechat", &[Event::Publish, Event::Unpublish])
    };
    let app = hooked(&folder, vec![callbacks]).await;
    publish(&app, "live/x?user=7&txSecret=hush").await.finish().await;
    let (start, end) = (receiver.call().await.json(), receiver.call().await.json());
    assert_eq!((&start["event_type"], &end["event_type"]), (&1.into(), &0.into()));
    for body in [&start, &end] {
        assert_eq!(body["stream_id"], "x");
        assert_eq!(body["channel_id"], "x");
        assert_eq!(body["appname"], "live");
        assert_eq!(body["app"], "push.example.com");
        assert_eq!(body["appid"], 1_252_000_000);
        assert_eq!(body["stream_param"], "user=7");
        assert_eq!(body["user_ip"], "127.0.0.1");
        assert_eq!(body["errcode"], 0);
        assert_eq!(body["sign"].as_str().map(str::len), Some(32));
        let (t, at) = (body["t"].as_u64().expect("a time"), body["event_time"].as_u64().expect("a time"));
        assert!((600..=610).contains(&(t - at)), "{body}");
    }
    assert_eq!(start["sequence"], end["sequence"]);
    assert!(end["push_duration"].as_str().expect("a text").parse::<u64>().is_ok());
}

#[tokio::test]
async fn hooks_and_their_secrets_change_while_a_publisher_goes_on() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let app = hooked(&folder, vec![receiver.hook("all", ALL)]).await;
    let publisher = publish(&app, "live/x").await;
    assert!(receiver.call_of("publish", "rtmp").await.is_signed(SECRET));
    let mut next = (*app.context().config()).clone();
    next.hooks[0].secret = Some(Secret::new("another secret of tests"));
    next.hooks[0].secret_previous = Some(Secret::new(SECRET));
    app.context().set_source(Box::new(move || Ok(next.clone())));
    app.context().reload().expect("it is well-formed");
    publisher.finish().await;
    let call: Call = receiver.call_of("unpublish", "rtmp").await;
    assert!(call.is_signed(SECRET) && call.is_signed("another secret of tests"), "{}", call.head);
}

#[tokio::test]
async fn what_a_hook_that_is_taken_out_was_still_owed_is_a_dead_letter() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|_| Reply::Status(500, String::new())).await;
    let app = hooked(&folder, vec![receiver.hook("gone", &[Event::Publish])]).await;
    let _publisher = publish(&app, "live/x").await;
    receiver.call().await;
    let mut next = (*app.context().config()).clone();
    next.hooks.clear();
    app.context().set_source(Box::new(move || Ok(next.clone())));
    app.context().reload().expect("it is well-formed");
    let letters = std::fs::read_to_string(folder.path().join("hooks-dead.jsonl")).expect("there is a letter");
    assert!(letters.contains("taken out of the configuration"), "{letters}");
    assert_eq!((letters.lines().count(), folder.mode("hooks-dead.jsonl")), (1, 0o600));
}

#[tokio::test]
async fn the_api_lists_hooks_without_secrets_and_tries_one_out() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|call| match call.what().0.as_str() {
        "test" => Reply::Status(418, String::new()),
        _ => Reply::ok(),
    })
    .await;
    let mut asked = receiver.hook("back.end", &[Event::Publish]);
    asked.veto = true;
    asked.url += "?token=hush";
    let app = hooked(&folder, vec![asked]).await;
    let address = app.addresses().http;
    let _publisher = publish(&app, "live/x").await;

    let hooks = http::get(address, "/api/v1/hooks").await;
    let owed = serde_json::json!({"hooks": [{
        "name": "back.end", "url": format!("http://{}/hook", receiver.address), "events": ["publish"], "apps": [],
        "veto": true, "on_failure": "refuse", "format": "openmic", "waiting": 0
    }]});
    assert_eq!(hooks.json(), owed);

    assert!(receiver.call().await.head.starts_with("POST /hook?token=hush HTTP/1.1"));
    let tried = http::send(address, "POST", "/api/v1/hooks/back.end/test", &[], b"").await;
    let record = tried.json();
    assert_eq!((&record["status"], &record["http_status"]), (&"dead".into(), &418.into()), "{record}");
    assert!(receiver.call().await.is_signed(SECRET));
    let missing = http::send(address, "POST", "/api/v1/hooks/other/test", &[], b"").await;
    assert_eq!(missing.status, 404);

    let list = http::get(address, "/api/v1/hooks/deliveries?limit=2").await;
    let deliveries = list.json()["deliveries"].as_array().expect("a list").clone();
    assert_eq!((&deliveries[0]["event"], &deliveries[1]["event"]), (&"test".into(), &"publish".into()));
    assert_eq!((&deliveries[1]["status"], &deliveries[1]["attempts"]), (&"delivered".into(), &1.into()));
    assert!(!format!("{}{}", hooks.text(), list.text()).contains("hush"));
    let metrics = http::get(address, "/metrics").await;
    assert!(metrics.text().contains("openmic_hook_calls_total{outcome=\"allowed\"} 1"), "{}", metrics.text());
}

/// A receiver of examples/hooks that runs; it ends with this value.
struct Example {
    _child: Child,
    said: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Example {
    async fn start(program: &str, file: &str) -> Self {
        let file = format!("{}/../examples/hooks/{file}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(program);
        command.args([&file, "0"]).env("OPENMIC_HOOK_SECRET", SECRET).kill_on_drop(true);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
        let said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut example = Self { _child: child, said, port: 0 };
        let port = example.says().await.strip_prefix("listening on ").and_then(|port| port.parse().ok());
        example.port = port.expect("it says its port");
        example
    }

    async fn says(&mut self) -> String {
        timeout(PATIENCE, self.said.next_line()).await.expect("in time").expect("text").expect("it runs")
    }
}

#[tokio::test]
async fn the_example_receivers_check_signatures_and_refuse() {
    let folder = Folder::new();
    for (program, file) in [("python3", "receiver.py"), ("node", "receiver.mjs")] {
        let mut example = Example::start(program, file).await;
        let url = format!("http://127.0.0.1:{}/", example.port);
        let asked = Hook { veto: true, timeout_ms: Some(10_000), ..hook("example", &url, ALL) };
        let rotated = Hook {
            secret: Some(Secret::new("another secret of tests")),
            secret_previous: Some(Secret::new(SECRET)),
            ..asked.clone()
        };
        let foreign = Hook { secret: Some(Secret::new("a stranger's secret here")), ..asked.clone() };
        for hook in [asked, rotated] {
            let app = hooked(&folder, vec![hook]).await;
            let refused = rtmp_refusal(&app, Purpose::Publish, "live/blocked-1").await;
            assert_eq!(refused.as_deref(), Some("this stream is blocked"), "{file}");
            publish(&app, "live/x").await.finish().await;
            let said =
                [example.says().await, example.says().await, example.says().await, example.says().await];
            let owed = ["publish live/blocked-1 rtmp", "publish live/x rtmp"];
            assert_eq!(&said[..2], owed, "{file}");
            assert!(said.contains(&"end live/x -".to_owned()), "{file}: {said:?}");
        }
        let app = hooked(&folder, vec![foreign]).await;
        let refused = rtmp_refusal(&app, Purpose::Publish, "live/x").await;
        assert_eq!(refused.as_deref(), Some("the signature is not ours"), "{file}");
    }
}

/// A listener on this address that takes TLS off and passes the rest on.
async fn in_tls(identity: &Identity, on: &str, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((on, 0)).await.expect("port 0 is free");
    let address = listener.local_addr().expect("it is bound");
    let acceptor = identity.acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not believe us hangs up.
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(to).await.expect("the receiver listens");
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_receiver_is_called_by_https_and_only_if_it_is_who_its_address_says() {
    let folder = Folder::new();
    let mut receiver = Receiver::start(|_| Reply::ok()).await;
    let identity = Identity::new();
    let known = in_tls(&identity, "127.0.0.1", receiver.address).await;
    let other = in_tls(&identity, "127.0.0.2", receiver.address).await;
    let data = folder.path().to_owned();
    let serve_with = async |address: SocketAddr, ca: Option<PathBuf>| {
        let hook = hook("https", &format!("https://{address}/hook"), &[Event::Publish]);
        serve(|config| {
            config.data.dir.clone_from(&data);
            config.outbound.allow = vec!["127.0.0.0/8".parse().expect("a network")];
            config.outbound.ca = ca;
            config.hooks = vec![Hook { veto: true, ..hook }];
        })
        .await
    };
    let believed = serve_with(known, Some(identity.certificate_file())).await;
    assert_eq!(rtmp_refusal(&believed, Purpose::Publish, "live/x").await, None);
    assert!(receiver.call().await.is_signed(SECRET));
    for (address, ca, what) in [
        (known, None, "an authority that nobody knows"),
        (other, Some(identity.certificate_file()), "another name than the certificate's"),
    ] {
        let app = serve_with(address, ca).await;
        let refused = rtmp_refusal(&app, Purpose::Publish, "live/x").await;
        assert!(refused.is_some_and(|refused| refused.contains("does not answer")), "{what}");
    }
    assert!(receiver.left().is_empty());
}
