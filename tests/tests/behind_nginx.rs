//! The example of nginx in front of the server: everything that is HTTP passes it, at once, and the server knows who asks.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use e2e::folder::Folder;
use e2e::healthy::{Healthy, serve};
use e2e::http::{Connection, request, send};
use e2e::keys::{ADMIN, Kit};
use e2e::rtc::SDP;
use e2e::rtmp::{PATIENCE, is_frame};
use server::{App, Config};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use wire::flv::file::Reader;

const HOST: (&str, &str) = ("Host", "live.example.com");

/// nginx with the example's configuration but for addresses and TLS, in a folder of its own.
struct Nginx {
    address: SocketAddr,
    _process: Child,
    _folder: Folder,
}

impl Nginx {
    async fn start(server: SocketAddr) -> Self {
        let folder = Folder::new();
        // Taken and given back: nginx cannot be asked which port it took.
        let free =
            TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a free port");
        let example = include_str!("../../examples/nginx/nginx.conf");
        let kept = example.lines().filter(|line| !line.trim_start().starts_with("ssl_certificate"));
        let text: String = kept.flat_map(|line| [line, "\n"]).collect();
        assert!(text.contains("listen 443 ssl http2;") && text.contains("server 127.0.0.1:8080;"));
        let text = text
            .replace("listen 443 ssl http2;", &format!("listen {free};"))
            .replace("listen 80;", "listen unix:redirect.sock;")
            .replace("server 127.0.0.1:8080;", &format!("server {server};"))
            .replace("/var/log/nginx/openmic.log", "access.log")
            .replace("worker_connections 20000;", "worker_connections 200;");
        let file =
            folder.write("nginx.conf", &format!("pid nginx.pid;\ndaemon off;\nmaster_process off;\n{text}"));
        let prefix = file.parent().expect("it is in the folder");
        let process = Command::new("nginx")
            .arg("-p")
            .arg(prefix)
            .args(["-e", "error.log", "-c"])
            .arg(&file)
            .current_dir(prefix)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("this test needs nginx in PATH: apt install nginx-light");
        let listens = async {
            while TcpStream::connect(free).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, listens).await.expect("nginx takes connections");
        Self { address: free, _process: process, _folder: folder }
    }
}

/// The example's configuration on free ports, with keys of the test and streams that need none.
async fn behind(kit: &Kit) -> App {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/nginx/openmic.toml");
    let example = Config::load(Some(&file), []).expect("it has only keys that exist").config;
    let open =
        |name: &str| format!("[[access.app]]\nname = \"{name}\"\npublish = \"open\"\nplay = \"open\"\n");
    let folder = Folder::new();
    let rules =
        Config::load(Some(&folder.write("open.toml", &open("live"))), []).expect("well-formed").config;
    serve(|config| {
        kit.guard(config);
        config.http.hosts = example.http.hosts;
        config.http.trusted_proxies = example.http.trusted_proxies;
        config.access.app = rules.access.app;
    })
    .await
}

#[tokio::test]
async fn the_example_of_nginx_passes_on_all_that_is_http() {
    let kit = Kit::new();
    let app = behind(&kit).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let nginx = Nginx::start(app.addresses().http).await;
    let mut viewer = Connection::open(nginx.address).await;
    viewer.send(format!("GET /live/x.flv HTTP/1.1\r\nHost: {}\r\n\r\n", HOST.1)).await;
    assert_eq!(viewer.head().await.expect("an answer").status, 200);
    let (mut reader, mut frames) = (Reader::new(), 0);
    while frames < 10 {
        // nginx writes what it gets as chunks.
        reader.handle_input(&viewer.chunk().await.expect("frames come as they are published"));
        while let Some(tag) = reader.poll_tag().expect("well-formed FLV") {
            frames += usize::from(is_frame(&tag));
        }
    }
    let status = async |method, target: &str, headers: &[(&str, &str)]| {
        request(nginx.address, method, target, &[&[HOST], headers].concat()).await.status
    };
    assert_eq!(status("GET", "/", &[]).await, 200, "the console");
    assert_eq!(status("GET", "/live/x.m3u8", &[]).await, 200);
    let upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")];
    let key = [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")];
    assert_eq!(status("GET", "/live/x.flv", &[&upgrade[..], &key].concat()).await, 101);
    assert_eq!(status("GET", "/api/v1/broadcasts", &[]).await, 401, "it is no request of this machine's own");
    let foreign = request(nginx.address, "GET", "/", &[("Host", "evil.example")]).await;
    assert_eq!(foreign.status, 421);
    let offered = send(nginx.address, "POST", "/live/x/whep", &[HOST, SDP], b"v=0\r\n").await;
    assert_eq!(offered.status, 400, "it comes to who reads offers: {}", offered.text());

    // Who asks is the proxy's client, by the proxy's word and not by the client's.
    let bearer = format!("Bearer {ADMIN}");
    let mine = [HOST, ("Authorization", bearer.as_str()), ("X-Forwarded-For", "198.51.100.9")];
    let sessions = request(nginx.address, "GET", "/api/v1/sessions", &mine).await;
    assert_eq!(sessions.status, 200, "{}", sessions.text());
    assert!(!sessions.text().contains("198.51.100.9"), "a client does not say who it is");

    let mut events = Connection::open(nginx.address).await;
    events
        .send(format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: {bearer}\r\n\r\n", HOST.1))
        .await;
    assert_eq!(events.head().await.expect("an answer").status, 200);
    events.chunk().await.expect("an event, at once");
    drop((viewer, events));
    healthy.end_unharmed(app).await;
}
