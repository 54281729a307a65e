//! Who is let in: every protocol and every address of the interface with every kind of credential, right and wrong.

use std::net::SocketAddr;

use e2e::healthy::serve;
use e2e::http::{Answer, request, send};
use e2e::keys::{ADMIN, Kit, auth, token, tx};
use e2e::rtc::SDP;
use e2e::rtmp::Peer;
use server::App;
use server::access::jwt::Scope;
use server::access::keys::Keys;
use server::sessions::Action;
use wire::rtmp::client::{Event, Purpose};

const PATH: &str = "live/a";

/// What a request brings.
#[derive(Clone, Default)]
struct Given {
    query: String,
    bearer: Option<String>,
}

/// How a server takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Admitted,
    Unauthorized,
    Forbidden,
}

fn query(query: impl Into<String>) -> Given {
    Given { query: query.into(), bearer: None }
}

fn other(action: Action) -> Action {
    match action {
        Action::Publish => Action::Play,
        Action::Play => Action::Publish,
    }
}

fn scope(action: Action) -> Scope {
    match action {
        Action::Publish => Scope::Publish,
        Action::Play => Scope::Play,
    }
}

/// `alg: none` with the claims of a good token.
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("three parts");
    // {"alg":"none","kid":"jwt"}
    format!("eyJhbGciOiJub25lIiwia2lkIjoiand0In0.{claims}.")
}

/// Every kind of credential for `action` on [`PATH`], and how it is taken.
fn cases(kit: &Kit, action: Action) -> Vec<(&'static str, Given, Taken)> {
    use Taken::{Admitted, Forbidden, Unauthorized};
    let (now, former) = (&kit.now, &kit.former);
    let jwt = |keys, scope, path, seconds| format!("token={}", token(keys, scope, path, seconds));
    let auth = |keys, action, path, seconds| format!("auth={}", auth(keys, action, path, seconds));
    let good = token(now, scope(action), Some(PATH), 60);
    vec![
        ("nothing", query(""), Unauthorized),
        ("a token of the other scope", query(jwt(now, scope(other(action)), None, 60)), Forbidden),
        ("a token of administration", query(jwt(now, Scope::Admin, None, 60)), Forbidden),
        ("the admin key", query(format!("token={ADMIN}")), Unauthorized),
        ("an address of the other action", query(auth(now, other(action), PATH, 60)), Unauthorized),
        ("a tx address of the other action", query(tx(now, other(action), PATH, 60)), Unauthorized),
        ("a token for another app", query(jwt(now, scope(action), Some("other/*"), 60)), Forbidden),
        ("an address of another app", query(auth(now, action, "other/a", 60)), Unauthorized),
        ("a token for another stream", query(jwt(now, scope(action), Some("live/b"), 60)), Forbidden),
        ("an address of another stream", query(auth(now, action, "live/b", 60)), Unauthorized),
        ("a tx address of another stream", query(tx(now, action, "live/b", 60)), Unauthorized),
        ("a token that has expired", query(jwt(now, scope(action), Some(PATH), -20)), Unauthorized),
        ("an address that has expired", query(auth(now, action, PATH, -1)), Unauthorized),
        ("a tx address that has expired", query(tx(now, action, PATH, -1)), Unauthorized),
        ("an unsigned token", query(format!("token={}", unsigned(&good))), Unauthorized),
        ("a good token", query(format!("token={good}")), Admitted),
        ("a good address", query(auth(now, action, PATH, 60)), Admitted),
        ("a good tx address", query(tx(now, action, PATH, 60)), Admitted),
        ("a token of the former key", query(jwt(former, scope(action), Some("live/*"), 60)), Admitted),
        ("an address of the former key", query(auth(former, action, PATH, 60)), Admitted),
        ("a tx address of the former key", query(tx(former, action, PATH, 60)), Admitted),
        ("a good bearer token", Given { query: String::new(), bearer: Some(good) }, Admitted),
    ]
}

/// Nobody publishes, so what is let in finds nothing, or is told that its offer is none.
fn taken(answer: &Answer) -> Taken {
    match answer.status {
        400 | 404 => Taken::Admitted,
        401 => {
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"openmic\""),
                "{}",
                answer.head
            );
            Taken::Unauthorized
        }
        403 => Taken::Forbidden,
        _ => panic!("{} {}", answer.head, answer.text()),
    }
}

/// A server of its own for each protocol, so that no address guesses too often.
async fn guarded(kit: &Kit) -> App {
    serve(|config| kit.guard(config)).await
}

fn bearer(given: &Given) -> Option<String> {
    given.bearer.as_ref().map(|token| format!("Bearer {token}"))
}

async fn ask(server: SocketAddr, method: &str, target: &str, more: &[(&str, &str)], given: &Given) -> Answer {
    let target = format!("{target}?{}", given.query);
    let bearer = bearer(given);
    let lines =
        [more, &bearer.as_deref().map(|token| ("Authorization", token)).into_iter().collect::<Vec<_>>()]
            .concat();
    match method {
        "POST" => send(server, method, &target, &lines, b"no offer").await,
        _ => request(server, method, &target, &lines).await,
    }
}

async fn http_table(suffix: &str, method: &str, more: &[(&str, &str)], action: Action) {
    let kit = Kit::new();
    let app = guarded(&kit).await;
    for (name, given, expected) in cases(&kit, action) {
        let answer = ask(app.addresses().http, method, &format!("/{PATH}{suffix}"), more, &given).await;
        // The answer to HEAD has no words.
        assert_eq!(taken(&answer), expected, "{method} {suffix} with {name}: {}", answer.head);
    }
}

#[tokio::test]
async fn flv_is_for_who_has_credentials() {
    http_table(".flv", "GET", &[], Action::Play).await;
}

#[tokio::test]
async fn flv_in_the_http_machinery_is_for_who_has_credentials() {
    http_table(".flv", "HEAD", &[], Action::Play).await;
}

#[tokio::test]
async fn flv_over_websocket_is_for_who_has_credentials() {
    let upgrade = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];
    http_table(".flv", "GET", &upgrade, Action::Play).await;
}

#[tokio::test]
async fn hls_is_for_who_has_credentials() {
    http_table(".m3u8", "GET", &[], Action::Play).await;
}

#[tokio::test]
async fn whip_is_for_who_has_credentials() {
    http_table("/whip", "POST", &[SDP], Action::Publish).await;
}

#[tokio::test]
async fn whep_is_for_who_has_credentials() {
    http_table("/whep", "POST", &[SDP], Action::Play).await;
}

async fn rtmp_taken(server: SocketAddr, purpose: Purpose, given: &Given) -> Taken {
    let mut peer = Peer::ask(server, purpose, &format!("{PATH}?{}", given.query)).await;
    let mut event = peer.event().await;
    while matches!(&event, Some(Event::Status(status)) if status.level == "status") {
        event = peer.event().await;
    }
    match event {
        Some(Event::Ready) => {
            peer.finish().await;
            Taken::Admitted
        }
        // RTMP has one word for all refusals; its text says which it is.
        Some(Event::Status(status)) if status.description.contains("another app or stream") => {
            Taken::Forbidden
        }
        Some(Event::Status(status)) if status.description.contains("has not the scope") => Taken::Forbidden,
        Some(Event::Status(_)) => Taken::Unauthorized,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rtmp_publishing_is_for_who_has_credentials() {
    let kit = Kit::new();
    let app = guarded(&kit).await;
    for (name, given, expected) in cases(&kit, Action::Publish) {
        if given.bearer.is_none() {
            assert_eq!(rtmp_taken(app.addresses().rtmp, Purpose::Publish, &given).await, expected, "{name}");
        }
    }
}

#[tokio::test]
async fn rtmp_playing_is_for_who_has_credentials() {
    let kit = Kit::new();
    let app = guarded(&kit).await;
    let address = format!("{PATH}?auth={}", auth(&kit.now, Action::Publish, PATH, 60));
    let _publisher = Peer::publish(app.addresses().rtmp, &address).await;
    for (name, given, expected) in cases(&kit, Action::Play) {
        if given.bearer.is_none() {
            assert_eq!(rtmp_taken(app.addresses().rtmp, Purpose::Play, &given).await, expected, "{name}");
        }
    }
}

/// Every operation of the interface with what its path needs, from its own document.
async fn operations(server: SocketAddr) -> Vec<(String, String, bool)> {
    let document = request(server, "GET", "/api/v1/openapi.json", &[]).await.json();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            // What a parameter holds does not matter to who has no right.
            let target = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
            let target = target.collect::<Vec<_>>().join("/");
            all.push((method.to_uppercase(), target, !operation["security"].is_null()));
        }
    }
    all
}

#[tokio::test]
async fn every_address_of_the_interface_needs_a_right_but_the_one_that_says_so() {
    let kit = Kit::new();
    let app = serve(|config| {
        kit.guard(config);
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let http = app.addresses().http;
    let mut all = operations(http).await;
    let open: Vec<_> =
        all.iter().filter(|(.., guarded)| !guarded).map(|(_, path, _)| path.as_str()).collect();
    assert_eq!(open, ["/api/v1/server"]);
    all.retain(|(.., guarded)| *guarded);
    assert!(all.len() >= 10, "{all:?}");
    all.push(("GET".into(), "/metrics".into(), true));
    let good = token(&kit.now, Scope::Admin, None, 60);
    let wrong = [
        ("no token", None, 401),
        ("the scope play", Some(token(&kit.now, Scope::Play, None, 60)), 403),
        ("the scope publish", Some(token(&kit.now, Scope::Publish, None, 60)), 403),
        ("the scope admin for one stream", Some(token(&kit.now, Scope::Admin, Some(PATH), 60)), 403),
        ("an expired token", Some(token(&kit.now, Scope::Admin, None, -20)), 401),
        ("an unsigned token", Some(unsigned(&good)), 401),
        ("a signed address", Some(auth(&kit.now, Action::Play, PATH, 60)), 401),
    ];
    for (number, (method, target, _)) in all.iter().enumerate() {
        // From an address of its own, for wrong tokens are guesses.
        let from = format!("192.0.2.{number}");
        for (name, token, expected) in &wrong {
            let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
            let mut lines = vec![("X-Forwarded-For", from.as_str()), ("Content-Type", "application/json")];
            lines.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
            let answer = send(http, method, target, &lines, b"{}").await;
            assert_eq!(answer.status, *expected, "{method} {target} with {name}: {}", answer.text());
        }
    }
    for bearer in [format!("Bearer {ADMIN}"), format!("Bearer {good}")] {
        let answer = request(http, "GET", "/api/v1/sessions", &[("Authorization", &bearer)]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn who_guesses_waits_whatever_he_brings_then_and_others_do_not() {
    let kit = Kit::new();
    let app = serve(|config| {
        kit.guard(config);
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let http = app.addresses().http;
    let good = auth(&kit.now, Action::Play, PATH, 60);
    let play = async |token: &str, from: &str| {
        request(http, "GET", &format!("/{PATH}.flv?auth={token}"), &[("X-Forwarded-For", from)]).await
    };
    for _ in 0..20 {
        assert_eq!(play("v1.7fffffff.AAAA", "192.0.2.1").await.status, 401);
    }
    let told = play(&good, "192.0.2.1").await;
    assert_eq!((told.status, told.header("retry-after")), (429, Some("60")), "{}", told.text());
    assert_eq!(play(&good, "192.0.2.2").await.status, 404);
    let open = request(http, "GET", "/healthz", &[("X-Forwarded-For", "192.0.2.1")]).await;
    assert_eq!(open.status, 200, "what needs no credentials is not slowed");
}

#[tokio::test]
async fn a_server_that_others_reach_does_not_start_without_keys() {
    let kit = Kit::new();
    let listen = |config: &mut server::Config| config.http.listen = ([0, 0, 0, 0], 0).into();
    let mut config = server::Config::default();
    listen(&mut config);
    config.data.dir = kit.data().join("none");
    let refused = App::start(config).await.err().expect("it has no keys").to_string();
    assert!(refused.contains("http.listen") && refused.contains("openmic token init"), "{refused}");
}

/// The addresses that the interface makes are let in, and what they are made of is told to nobody else.
#[tokio::test]
async fn the_interface_makes_addresses_and_tokens_that_are_let_in() {
    let kit = Kit::new();
    let app = guarded(&kit).await;
    let http = app.addresses().http;
    let bearer = format!("Bearer {ADMIN}");
    let lines = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let post = async |target: &str, body: &str| {
        let answer = send(http, "POST", &format!("/api/v1{target}"), &lines, body.as_bytes()).await;
        (answer.status, answer.json())
    };
    let (status, made) = post("/addresses", "{\"path\": \"live/a\", \"seconds\": 60}").await;
    assert_eq!(status, 200, "{made}");
    let target = |address: &serde_json::Value| {
        let address = address.as_str().expect("an address").to_owned();
        address.strip_prefix(&format!("http://{http}")).expect("of this server").to_owned()
    };
    assert_eq!(request(http, "GET", &target(&made["play"]["flv"]), &[]).await.status, 404);
    assert_eq!(request(http, "GET", &target(&made["play"]["hls"]), &[]).await.status, 404);
    assert_eq!(send(http, "POST", &target(&made["play"]["whep"]), &[SDP], b"no offer").await.status, 404);
    assert_eq!(send(http, "POST", &target(&made["publish"]["whip"]), &[SDP], b"no offer").await.status, 400);
    let page = made["play"]["page"].as_str().expect("an address");
    assert!(page.contains("/play/live/a#auth=v1."), "{page}");
    let key = made["publish"]["rtmp"]["key"].as_str().expect("a key");
    Peer::publish(app.addresses().rtmp, &format!("live/{key}")).await.finish().await;

    let (status, made) =
        post("/tokens", "{\"scope\": [\"play\"], \"path\": \"live/*\", \"seconds\": 60}").await;
    assert_eq!(status, 200, "{made}");
    let token = format!("token={}", made["token"].as_str().expect("a token"));
    assert_eq!(ask(http, "GET", "/live/none.flv", &[], &query(token)).await.status, 404);
    for (target, body) in [
        ("/tokens", "{\"scope\": [], \"seconds\": 60}"),
        ("/tokens", "{\"scope\": [\"play\"], \"seconds\": 0}"),
        ("/tokens", "{\"scope\": [\"root\"], \"seconds\": 60}"),
        ("/addresses", "{\"path\": \"live\", \"seconds\": 60}"),
        ("/addresses", "{\"path\": \"live/a\", \"seconds\": 99999999999}"),
    ] {
        assert_eq!(post(target, body).await.0, 400, "{target} {body}");
    }
    let keys = request(http, "GET", "/api/v1/keys", &lines).await;
    assert!(keys.text().contains("\"publish\""), "{}", keys.text());
    let policies = request(http, "GET", "/api/v1/policies", &lines).await.json();
    assert_eq!(policies["usual"]["play"], "keys");
}

#[tokio::test]
async fn a_rotated_key_lets_in_by_both_values_and_no_session_ends() {
    let kit = Kit::new();
    let app = guarded(&kit).await;
    let addresses = app.addresses();
    let before = auth(&kit.now, Action::Publish, PATH, 60);
    let mut publisher = Peer::publish(addresses.rtmp, &format!("{PATH}?auth={before}")).await;
    let bearer = format!("Bearer {ADMIN}");
    let lines = [("Authorization", bearer.as_str())];
    let rotate = async |id: &str| {
        send(addresses.http, "POST", &format!("/api/v1/keys/{id}/rotate"), &lines, b"").await
    };
    let rotated = rotate("publish").await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let shown = rotated.json()["secret"].as_str().expect("a secret").to_owned();
    let keys = Keys::load(&Keys::path(&kit.data()));
    let after = auth(&keys.expect("readable").expect("there"), Action::Publish, "live/b", 60);
    Peer::publish(addresses.rtmp, &format!("live/b?auth={after}")).await.finish().await;
    let again = auth(&kit.now, Action::Publish, "live/c", 60);
    Peer::publish(addresses.rtmp, &format!("live/c?auth={again}")).await.finish().await;
    let former = query(format!("auth={}", auth(&kit.former, Action::Publish, PATH, 60)));
    assert_eq!(
        rtmp_taken(addresses.rtmp, Purpose::Publish, &former).await,
        Taken::Unauthorized,
        "the one before it"
    );
    assert_eq!(rotate("nobody").await.status, 404);
    let audit = std::fs::read_to_string(kit.data().join("audit.jsonl")).expect("it was written");
    assert!(
        audit.contains("\"key.rotate\"") && audit.contains("key:admin") && !audit.contains(&shown),
        "{audit}"
    );
    // The publisher that was there before goes on: the server still takes what it sends.
    let tags = e2e::rtmp::tags(include_bytes!("../fixtures/h264_aac.flv"));
    for tag in &tags {
        publisher.send(tag).await;
    }
    let play = format!("/{PATH}.flv?auth={}", auth(&kit.now, Action::Play, PATH, 60));
    let mut viewer = e2e::rtmp::Viewer::watch_target(addresses.http, &play).await;
    assert!(viewer.frame().await.is_some(), "{}", viewer.head);
}

/// SIGHUP after `openmic token rotate`: the file has another key, which holds from the reload on.
#[tokio::test]
async fn a_reload_goes_by_the_keys_that_the_file_has_then_and_a_broken_file_changes_nothing() {
    let kit = Kit::new();
    let app = guarded(&kit).await;
    let (config, file) = (app.context().config(), Keys::path(&kit.data()));
    app.context().set_source(Box::new(move || Ok(server::Config::clone(&config))));
    let reload = async || {
        let context = app.context().clone();
        tokio::task::spawn_blocking(move || context.reload()).await.expect("no panic")
    };
    let taken = async |keys: &Keys| {
        let given = query(format!("auth={}", auth(keys, Action::Publish, PATH, 60)));
        rtmp_taken(app.addresses().rtmp, Purpose::Publish, &given).await
    };
    let mut keys = kit.now.clone();
    keys.rotate("publish", server::access::now(), server::access::now() + 60).expect("there is one");
    keys.save(&file).expect("writable");
    assert_eq!(taken(&keys).await, Taken::Unauthorized, "nobody has told the server");
    reload().await.expect("a good file");
    assert_eq!(taken(&keys).await, Taken::Admitted);
    assert_eq!(taken(&kit.now).await, Taken::Admitted, "the value before");
    std::fs::write(&file, "[[key]]\nid = 7\n").expect("writable");
    let refused = reload().await.expect_err("a broken file").to_string();
    assert!(refused.contains("keys.toml"), "{refused}");
    assert_eq!(taken(&keys).await, Taken::Admitted);
}

/// One request for the playlist that begins, which has the credentials; all others go by the session's name.
#[tokio::test]
async fn an_hls_session_is_let_in_once_and_a_name_that_was_made_up_is_not() {
    let kit = Kit::new();
    for shared in [false, true] {
        let app = serve(|config| {
            kit.guard(config);
            config.hls.shared_segments = shared;
            config.hls.segment_min = std::time::Duration::from_millis(500);
            config.hls.segment_max = std::time::Duration::from_secs(2);
            config.hls.part = std::time::Duration::from_millis(200);
        })
        .await;
        let http = app.addresses().http;
        let publish = auth(&kit.now, Action::Publish, PATH, 60);
        let mut publisher = Peer::publish(app.addresses().rtmp, &format!("{PATH}?auth={publish}")).await;
        for tag in &e2e::rtmp::tags(include_bytes!("../fixtures/h264_aac.flv")) {
            publisher.send(tag).await;
        }
        let play = auth(&kit.now, Action::Play, PATH, 60);
        let mut segments = Vec::new();
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let first = request(http, "GET", &format!("/{PATH}.m3u8?auth={play}"), &[]).await;
            assert_eq!(first.status, 200, "{}", first.text());
            assert!(!first.text().contains("auth") && !first.text().contains(&play), "{}", first.text());
            let media =
                first.text().lines().find_map(|line| line.strip_prefix("./")).expect("a variant").to_owned();
            let list = request(http, "GET", &format!("/live/{media}"), &[]).await;
            assert_eq!(list.status, 200, "{}", list.text());
            let (folder, _) = media.rsplit_once('/').expect("a folder");
            let segment =
                list.text().lines().find(|line| line.ends_with(".m4s")).expect("a segment").to_owned();
            let address = match segment.strip_prefix("../") {
                Some(rest) => format!("/live/{}/{rest}", folder.rsplit_once('/').expect("a folder").0),
                None => format!("/live/{folder}/{segment}"),
            };
            assert_eq!(request(http, "GET", &address, &[]).await.status, 200, "{address}");
            segments.push(address);
            sessions.push(media);
        }
        assert_ne!(sessions[0], sessions[1]);
        assert_eq!(segments[0] == segments[1], shared, "{segments:?}");
        let made_up = format!("/{PATH}/hls/s{}/media.m3u8", "A".repeat(44));
        let refused = request(http, "GET", &made_up, &[]).await;
        assert_eq!(refused.status, 403);
        assert!(refused.problem().contains(".m3u8"), "{}", refused.problem());
        let elsewhere = sessions[0].replacen("a/hls", "b/hls", 1);
        assert_eq!(request(http, "GET", &format!("/live/{elsewhere}"), &[]).await.status, 404);
        let all = app.context().access.sessions.list();
        all.iter().filter(|session| session.action == Action::Play).for_each(|session| session.kick());
        assert_eq!(
            request(http, "GET", &format!("/live/{}", sessions[0]), &[]).await.status,
            403,
            "sent away"
        );
    }
}
