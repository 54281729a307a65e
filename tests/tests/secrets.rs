//! No secret reaches a log: sessions of every protocol with known secrets, right and wrong ones, and all that this server
//! says meanwhile, at its most talkative.

use std::io::Write;
use std::sync::{Arc, Mutex};

use e2e::healthy::serve;
use e2e::http::{Answer, request, send};
use e2e::keys::{ADMIN, Kit, VALUES, auth, token, tx};
use e2e::rtc::{Offer, Options, SDP};
use e2e::rtmp::{Peer, Viewer, tags};
use server::App;
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

/// What a test sends that nobody may see, and what it is answered.
struct Talk {
    app: App,
    kit: Kit,
    secrets: Vec<String>,
    answers: Vec<String>,
}

impl Talk {
    async fn begin() -> Self {
        let kit = Kit::new();
        let app = serve(|config| kit.guard(config)).await;
        let secrets = VALUES.iter().map(|value| (*value).to_owned()).collect();
        Self { app, kit, secrets, answers: Vec::new() }
    }

    fn keep(&mut self, secret: String) -> String {
        self.secrets.push(secret.clone());
        secret
    }

    fn heard(&mut self, answer: &Answer) {
        self.answers.extend([answer.head.clone(), String::from_utf8_lossy(&answer.body).into_owned()]);
    }

    /// RTMP: a publisher that stays, one with its signature in the app, a player, and one who is refused.
    async fn rtmp(&mut self, publish: &str, play: &str, wrong: &str) -> Peer {
        let rtmp = self.app.addresses().rtmp;
        let mut publisher = Peer::publish(rtmp, &format!("live/a?auth={publish}")).await;
        for tag in &tags(include_bytes!("../fixtures/h264_aac.flv")) {
            publisher.send(tag).await;
        }
        let tx = tx(&self.kit.now, Action::Publish, "live/tx", 60);
        let url = format!("rtmp://{rtmp}/live/tx");
        let mut options = client::Options::for_url(Purpose::Publish, &url).expect("an address");
        options.app = format!("live?{tx}");
        options.tc_url = format!("rtmp://{rtmp}/live?{tx}");
        assert_eq!(Peer::with_options(rtmp, options).await.event().await, Some(Event::Ready));
        self.keep(tx);
        let mut player = Peer::ask(rtmp, Purpose::Play, &format!("live/a?auth={play}")).await;
        while !matches!(player.event().await.expect("it is let in"), Event::Ready) {}
        let refused = Peer::ask(rtmp, Purpose::Publish, &format!("live/a?auth={wrong}")).await.event().await;
        let Some(Event::Status(status)) = refused else { panic!("{refused:?}") };
        self.answers.push(status.description);
        publisher
    }

    /// FLV and HLS, in both ways of serving them, let in and refused.
    async fn http(&mut self, play: &str, wrong: &str) {
        let http = self.app.addresses().http;
        let mut viewer = Viewer::watch_target(http, &format!("/live/a.flv?auth={play}")).await;
        assert!(viewer.frame().await.is_some(), "{}", viewer.head);
        for (method, target) in [("HEAD", "live/a.flv"), ("GET", "live/a.m3u8"), ("GET", "live/none.flv")] {
            for token in [play, wrong] {
                let answer = request(http, method, &format!("/{target}?auth={token}"), &[]).await;
                self.heard(&answer);
            }
        }
    }

    /// WHEP by the address, WHIP by a header.
    async fn webrtc(&mut self, play: &str, jwt: &str) {
        let addresses = self.app.addresses();
        let offer = Offer::new(addresses.rtc, Options::WATCH).await;
        let target = format!("/live/a/whep?auth={play}");
        let answer = send(addresses.http, "POST", &target, &[SDP], offer.sdp.as_bytes()).await;
        self.heard(&answer);
        let offer = Offer::new(addresses.rtc, Options::PUBLISH).await;
        let bearer = format!("Bearer {jwt}");
        let lines = [SDP, ("Authorization", bearer.as_str())];
        let answer = send(addresses.http, "POST", "/live/whip/whip", &lines, offer.sdp.as_bytes()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        self.heard(&answer);
    }

    /// The interface, with right and wrong tokens, and a rotation, which tells a secret to who asked and to nobody else.
    async fn api(&mut self, jwt: &str, wrong: &str) {
        let http = self.app.addresses().http;
        for token in [ADMIN, wrong, jwt] {
            let bearer = format!("Bearer {token}");
            let answer = request(http, "GET", "/api/v1/keys", &[("Authorization", &bearer)]).await;
            self.heard(&answer);
        }
        let bearer = format!("Bearer {ADMIN}");
        let answer = send(http, "POST", "/api/v1/keys/play/rotate", &[("Authorization", &bearer)], b"").await;
        self.secrets.push(answer.json()["secret"].as_str().expect("a secret").to_owned());
    }

    /// Whole, and the parts that are secret of themselves: what stands behind the last dot of a token, and the digits of
    /// `txSecret`.
    fn parts(&self) -> impl Iterator<Item = String> + '_ {
        self.secrets.iter().flat_map(|secret| {
            let signature = secret.rsplit('.').next().unwrap_or(secret).to_owned();
            let digits = secret.strip_prefix("txSecret=").map(|rest| rest[..32].to_owned());
            [Some(secret.clone()), Some(signature), digits].into_iter().flatten()
        })
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
    let mut talk = Talk::begin().await;
    let keys = talk.kit.now.clone();
    let publish = talk.keep(auth(&keys, Action::Publish, "live/a", 60));
    let play = talk.keep(auth(&keys, Action::Play, "live/a", 60));
    let jwt = talk.keep(token(&keys, Scope::Publish, None, 60));
    let wrong = talk.keep("v1.7fffffff.d3JvbmctYnV0LXNlY3JldC1hbGwtdGhlLXNhbWUtMDEyMw".to_owned());
    talk.keep(ADMIN.to_owned());
    let publisher = talk.rtmp(&publish, &play, &wrong).await;
    talk.http(&play, &wrong).await;
    talk.webrtc(&play, &jwt).await;
    talk.api(&jwt, &wrong).await;
    drop(publisher);
    let audit = std::fs::read_to_string(talk.kit.data().join("audit.jsonl"));
    let audit = audit.expect("a rotation is written down");
    let said = String::from_utf8(log.0.lock().expect("no writer panics").clone()).expect("a log is text");
    assert!(said.contains("publishing") && said.contains("publisher refused"), "it logs: {said}");
    for secret in talk.parts() {
        assert!(!said.contains(&secret), "{secret} is in the log");
        assert!(!audit.contains(&secret), "{secret} is in the audit log");
        let told = talk.answers.iter().find(|answer| answer.contains(&secret));
        assert!(told.is_none(), "{secret} is in an answer: {told:?}");
    }
}
