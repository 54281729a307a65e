//! No secret reaches a log: sessions of every protocol with known secrets, right and wrong ones, and all that this server
//! says meanwhile, at its most talkative.

use std::io::Write;
use std::sync::{Arc, Mutex};

use e2e::healthy::serve;
use e2e::http::{request, send};
use e2e::keys::{ADMIN, Kit, VALUES, auth, token, tx};
use e2e::rtc::{Offer, Options, SDP};
use e2e::rtmp::{Peer, Viewer, tags};
use server::access::jwt::Scope;
use server::sessions::Action;
use tracing_subscriber::EnvFilter;
use wire::rtmp::client::{self, Event, Purpose};

/// All of our crates; those of others that log what passes through them are filtered by default (`info`).
const FILTER: &str = "info,server=trace,wire=trace,media=trace,av=trace,audit=trace";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_that_is_logged_holds_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(FILTER))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let kit = Kit::new();
    let app = serve(|config| kit.guard(config)).await;
    let addresses = app.addresses();
    let (http, rtmp, keys) = (addresses.http, addresses.rtmp, &kit.now);
    let mut secrets: Vec<String> = VALUES.iter().map(|value| (*value).to_owned()).collect();
    let mut keep = |secret: String| {
        secrets.push(secret.clone());
        secret
    };
    let publish = keep(auth(keys, Action::Publish, "live/a", 60));
    let play = keep(auth(keys, Action::Play, "live/a", 60));
    let tx = keep(tx(keys, Action::Publish, "live/tx", 60));
    let jwt = keep(token(keys, Scope::Publish, None, 60));
    let admin = keep(ADMIN.to_owned());
    let wrong = keep("v1.7fffffff.d3JvbmctYnV0LXNlY3JldC1hbGwtdGhlLXNhbWUtMDEyMw".to_owned());

    let mut publisher = Peer::publish(rtmp, &format!("live/a?auth={publish}")).await;
    for tag in &tags(include_bytes!("../fixtures/h264_aac.flv")) {
        publisher.send(tag).await;
    }
    // In the app and its address, where some programs put it.
    let mut options =
        client::Options::for_url(Purpose::Publish, &format!("rtmp://{rtmp}/live/tx")).expect("an address");
    options.app = format!("live?{tx}");
    options.tc_url = format!("rtmp://{rtmp}/live?{tx}");
    assert_eq!(Peer::with_options(rtmp, options).await.event().await, Some(Event::Ready));
    let mut player = Peer::ask(rtmp, Purpose::Play, &format!("live/a?auth={play}")).await;
    while !matches!(player.event().await.expect("it is let in"), Event::Ready) {}
    let refused = Peer::ask(rtmp, Purpose::Publish, &format!("live/a?auth={wrong}")).await.event().await;
    let Some(Event::Status(status)) = refused else { panic!("{refused:?}") };
    let mut answers = vec![status.description];
    assert!(Viewer::watch_target(http, &format!("/live/a.flv?auth={play}")).await.frame().await.is_some());
    for target in ["live/a.flv", "live/a.m3u8", "live/none.flv"] {
        for token in [&play, &wrong] {
            let method = if target == "live/a.flv" { "HEAD" } else { "GET" };
            let answer = request(http, method, &format!("/{target}?auth={token}"), &[]).await;
            answers.push(answer.head.clone());
            answers.push(String::from_utf8_lossy(&answer.body).into_owned());
        }
    }
    let offer = Offer::new(addresses.rtc, Options::WATCH).await;
    let answer = send(http, "POST", &format!("/live/a/whep?auth={play}"), &[SDP], offer.sdp.as_bytes()).await;
    answers.extend([answer.head.clone(), answer.text().to_owned()]);
    let offer = Offer::new(addresses.rtc, Options::PUBLISH).await;
    let bearer = format!("Bearer {jwt}");
    let lines = [SDP, ("Authorization", bearer.as_str())];
    let answer = send(http, "POST", "/live/whip/whip", &lines, offer.sdp.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answers.extend([answer.head.clone(), answer.text().to_owned()]);
    for token in [&admin, &wrong, &jwt] {
        let bearer = format!("Bearer {token}");
        let answer = request(http, "GET", "/api/v1/keys", &[("Authorization", &bearer)]).await;
        answers.extend([answer.head.clone(), answer.text().to_owned()]);
    }
    let bearer = format!("Bearer {admin}");
    let answer = send(http, "POST", "/api/v1/keys/play/rotate", &[("Authorization", &bearer)], b"").await;
    let rotated = answer.json()["secret"].as_str().expect("a secret").to_owned();
    secrets.push(rotated);
    let audit = std::fs::read_to_string(kit.data().join("audit.jsonl")).expect("a rotation is written down");
    drop(publisher);
    app.shutdown(std::time::Duration::from_secs(1)).await;

    let said = String::from_utf8(log.0.lock().expect("no writer panics").clone()).expect("a log is text");
    assert!(said.contains("publishing") && said.contains("publisher refused"), "it logs: {said}");
    // Signatures stand behind the last dot of a token, and in the values of txSecret.
    let parts = secrets.iter().flat_map(|secret| {
        let signature = secret.rsplit('.').next().unwrap_or(secret).to_owned();
        let digits = secret.strip_prefix("txSecret=").map(|rest| rest[..32].to_owned());
        [Some(signature), digits].into_iter().flatten()
    });
    for secret in parts.chain(secrets.iter().cloned()) {
        assert!(!said.contains(&secret), "{secret} is in the log");
        assert!(!audit.contains(&secret), "{secret} is in the audit log");
        for answer in &answers {
            assert!(!answer.contains(&secret), "{secret} is in an answer: {answer}");
        }
    }
}
