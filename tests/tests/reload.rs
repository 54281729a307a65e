//! A running server is given another configuration: nobody is cut off, and a broken one changes nothing.

use std::path::Path;
use std::time::Duration;

use e2e::folder::Folder;
use e2e::healthy::{Healthy, serve};
use e2e::http::{Connection, send};
use e2e::keys::{ADMIN, Kit, auth, token};
use e2e::rtmp::{Peer, Viewer, is_frame, tags};
use e2e::tls::{Identity, trusting};
use server::access::jwt::Scope;
use server::reload::{Error, Reloaded};
use server::sessions::Action;
use server::{App, Config};
use tokio::task::JoinSet;
use tokio::time::sleep;
use wire::flv::TagKind;

/// A server whose configuration is that of the file, as `openmic serve` reads it.
async fn serve_file(path: &Path) -> App {
    let read = |path: &Path| {
        Config::load(Some(path), []).map(|loaded| {
            let mut config = loaded.config;
            config.data.dir = path.with_file_name("data");
            config
        })
    };
    let first = read(path).expect("a good file");
    let app = serve(|config| *config = first).await;
    let path = path.to_owned();
    app.context().set_source(Box::new(move || read(&path)));
    app
}

async fn reload(app: &App) -> Result<Reloaded, Error> {
    let context = app.context().clone();
    tokio::task::spawn_blocking(move || context.reload()).await.expect("no panic")
}

/// On free ports, so that it differs from the defaults in nothing that needs a restart.
const PORTS: &str = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n";

fn with_hosts(hosts: &str) -> String {
    format!("{PORTS}hosts = [{hosts}]\n")
}

async fn status_of(app: &App, host: &str) -> u16 {
    let mut page = Connection::open(app.addresses().http).await;
    page.request("GET", "/api/v1/broadcasts", &[("Host", host)]).await.status
}

#[tokio::test]
async fn what_can_change_changes_at_once_and_streams_go_on() {
    let folder = Folder::new();
    let file = folder.write("openmic.toml", &with_hosts(""));
    let app = serve_file(&file).await;
    let healthy = Healthy::start(&app, "live/x").await;
    assert_eq!(status_of(&app, "studio.example").await, 421);
    for round in 0..20 {
        let (hosts, status) = if round % 2 == 0 { ("\"studio.example\"", 200) } else { ("", 421) };
        folder.write("openmic.toml", &with_hosts(hosts));
        let done = reload(&app).await.expect("a good file");
        assert_eq!((done.changed, done.needs_restart), (vec!["http.hosts".to_owned()], vec![]));
        assert_eq!(status_of(&app, "studio.example").await, status, "round {round}");
    }
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_why() {
    let folder = Folder::new();
    let file = folder.write("openmic.toml", &with_hosts("\"studio.example\""));
    let app = serve_file(&file).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let before = format!("{:?}", app.context().config());
    let other = with_hosts("\"other.example\"");
    for (text, why) in [
        ("[http\n".to_owned(), "openmic.toml"),
        (format!("{other}lisen = 3\n"), "lisen"),
        (format!("{other}[hls]\npart_ms = 1\n"), "hls.part_ms"),
        (
            format!("{other}[tls]\ncertificate = \"gone.pem\"\nkey = \"gone.pem\"\nlocal_ca = true\n"),
            "tls.certificate",
        ),
        // Well-formed, but the address that stays and the key that changes do not go together.
        (format!("{}tls_listen = \"127.0.0.1:0\"\n", with_hosts("")), "tls.certificate"),
    ] {
        folder.write("openmic.toml", &text);
        let error = reload(&app).await.expect_err(&text).to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(format!("{:?}", app.context().config()), before);
    }
    std::fs::remove_file(&file).expect("it is there");
    assert!(reload(&app).await.expect_err("no file").to_string().contains("openmic.toml"));
    assert_eq!(status_of(&app, "studio.example").await, 200);
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_key_that_needs_a_restart_keeps_its_value_and_is_named() {
    let folder = Folder::new();
    let file = folder.write("openmic.toml", &with_hosts(""));
    let app = serve_file(&file).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let limits = "[limits]\nconnections = 7\n[egress]\nshards = 3\ncongestion = \"cubic\"\n";
    folder.write("openmic.toml", &format!("{PORTS}{limits}"));
    let done = reload(&app).await.expect("a good file");
    assert_eq!(done.needs_restart, ["egress.shards", "limits.connections"]);
    assert_eq!(done.changed, ["egress.congestion"]);
    let config = app.context().config();
    assert_eq!((config.limits.connections, config.egress.shards), (50_000, 0));
    assert_eq!(config.egress.congestion, "cubic");
    // Asked again, it still waits.
    assert_eq!(reload(&app).await.expect("the same file").needs_restart.len(), 2);
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_who_comes_and_cuts_off_nobody_who_is_there() {
    let (folder, identity) = (Folder::new(), Identity::new());
    let text = format!(
        "{}tls_listen = \"127.0.0.1:0\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
        with_hosts(""),
        identity.certificate_file(),
        identity.key_file()
    );
    let file = folder.write("openmic.toml", &text);
    let app = serve_file(&file).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let server = app.addresses().https.expect("HTTPS was asked for");
    let old = identity.certificate();
    let stream = identity.connect(server, &["http/1.1"]).await;
    let mut viewer = Viewer::over(stream, "localhost", "/live/x.flv").await;
    viewer.frame().await.expect("the stream goes on");
    identity.renew();
    assert!(
        trusting(old.clone(), server, "localhost", &["h2"]).await.is_ok(),
        "files are not read by chance"
    );
    assert!(reload(&app).await.expect("good files").needs_restart.is_empty());
    for alpn in ["h2", "http/1.1"] {
        let stream = identity.connect(server, &[alpn]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
    }
    assert!(trusting(old, server, "localhost", &["h2"]).await.is_err());
    // Broken files: the reload fails as a whole, and the certificate stays.
    std::fs::write(identity.key_file(), "no key").expect("it is writable");
    assert!(reload(&app).await.expect_err("no key").to_string().contains("tls.key"));
    identity.connect(server, &["h2"]).await;
    for _ in 0..30 {
        viewer.frame().await.expect("a viewer of before goes on");
    }
    drop(viewer);
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_server_whose_configuration_came_from_a_program_says_that_it_has_no_file() {
    let app = serve(|_| {}).await;
    assert!(matches!(reload(&app).await, Err(Error::NoSource)));
}

/// Gives a key another value as an operator does, and has the server read its files anew.
async fn rotate(app: &App, id: &str) {
    let bearer = format!("Bearer {ADMIN}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    for (target, body) in
        [(format!("/api/v1/keys/{id}/rotate"), "{}"), ("/api/v1/config/reload".into(), "{}")]
    {
        let answer = send(app.addresses().http, "POST", &target, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    }
}

#[tokio::test]
async fn keys_that_rotate_under_two_hundred_viewers_cut_nobody_and_cost_no_frame() {
    const VIEWERS: usize = 200;
    let kit = Kit::new();
    let app = serve(|config| kit.guard(config)).await;
    let again = app.context().config().as_ref().clone();
    app.context().set_source(Box::new(move || Ok(again.clone())));
    let publish = token(&kit.now, Scope::Publish, Some("live/x"), 600);
    let mut publisher = Peer::publish(app.addresses().rtmp, &format!("live/x?token={publish}")).await;
    let tags = tags(include_bytes!("../fixtures/h264_aac.flv"));
    let opens = tags.iter().position(|tag| is_frame(tag) && tag.kind == TagKind::Video).expect("a picture");
    let (before, after) = tags.split_at(opens + 1);
    for tag in before {
        publisher.send(tag).await;
    }
    // All join the one group that is there, so all are owed the same frames.
    let target = format!("/live/x.flv?auth={}", auth(&kit.now, Action::Play, "live/x", 600));
    let mut watching = JoinSet::new();
    for _ in 0..VIEWERS {
        let mut viewer = Viewer::watch_target(app.addresses().http, &target).await;
        let first = viewer.frame().await.expect("the first keyframe").timestamp_ms;
        watching.spawn(async move {
            let mut seen = vec![first];
            while let Some(tag) = viewer.frame().await {
                seen.push(tag.timestamp_ms);
            }
            seen
        });
    }
    for (number, tag) in after.iter().enumerate() {
        if let Some(id) = (number % 20 == 0).then(|| ["play", "publish", "jwt"][number / 20 % 3]) {
            rotate(&app, id).await;
        }
        publisher.send(tag).await;
        sleep(Duration::from_millis(5)).await;
    }
    publisher.finish().await;
    let owed: Vec<_> = tags[opens..].iter().filter(|tag| is_frame(tag)).map(|tag| tag.timestamp_ms).collect();
    let seen = watching.join_all().await;
    assert_eq!(seen.len(), VIEWERS);
    assert!(seen.iter().all(|seen| *seen == owed), "frames that some viewer had, and was owed");
    let answer = e2e::http::get(app.addresses().http, &target).await;
    assert_eq!(answer.status, 401, "a value that was replaced twice opens nothing any more");
}
