//! What the HTTP port answers: pages, API, streams and HLS of the demo, refusals, limits, and the drain.

use std::time::Duration;

use server::{App, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

async fn serve(change: impl FnOnce(&mut Config)) -> App {
    let mut config = Config::default();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.rtmp.listen = ([127, 0, 0, 1], 0).into();
    change(&mut config);
    App::start(config).await.expect("the server starts")
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.addresses().http).await.expect("the server listens")
}

/// Everything until the server closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("the server closes")
        .expect("and does not reset");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The whole answer to one request on a connection of its own.
async fn ask(app: &App, head: &str) -> String {
    let mut stream = connect(app).await;
    let request = format!("{head}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    until_closed(&mut stream).await
}

async fn get(app: &App, path: &str) -> String {
    ask(app, &format!("GET {path} HTTP/1.1\r\nhost: localhost")).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

async fn until_live(app: &App) {
    let live = async {
        while !get(app, "/api/v1/broadcasts/live/demo").await.contains("\"kind\":\"audio\"") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, live).await.expect("the demo plays");
}

#[tokio::test]
async fn pages_carry_their_policy_and_a_name_in_an_address_never_becomes_markup() {
    let app = serve(|_| {}).await;
    for page in ["/", "/play/live/demo", "/play/live/%3Cscript%3Ealert(1)%3C/script%3E"] {
        let answer = get(&app, page).await;
        assert_eq!(status(&answer), "200", "{page}");
        assert!(answer.contains("content-security-policy: default-src 'self';"), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
        assert!(!answer.contains("alert(1)"), "{answer}");
    }
}

#[tokio::test]
async fn refusals_are_problem_documents_that_say_what_to_do() {
    let app = serve(|_| {}).await;
    for (path, code) in [
        ("/live/nobody.flv", "404"),
        ("/live/nobody.m3u8", "404"),
        ("/api/v1/broadcasts/live/nobody", "404"),
        ("/nothing/here", "404"),
        ("/live/%2e%2e/x.flv", "400"),
        ("/live/..%2f..%2fetc%2fpasswd.flv", "400"),
        ("/live/..%5cx.m3u8", "400"),
        ("/live/%00.flv", "400"),
        ("/live/x.flv?latency_ms=soon", "400"),
        ("/assets/../Cargo.toml", "404"),
        ("/assets/%2e%2e/Cargo.toml", "404"),
    ] {
        let answer = get(&app, path).await;
        assert_eq!(status(&answer), code, "{path}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{path}: {answer}");
        assert!(answer.contains("\"detail\":\""), "{path}: {answer}");
    }
    assert_eq!(status(&ask(&app, "POST /api/v1/broadcasts HTTP/1.1\r\nhost: localhost").await), "405");
}

#[tokio::test]
async fn a_page_of_another_name_gets_neither_pages_nor_api_from_a_server_on_loopback() {
    let app = serve(|config| config.http.hosts = vec!["live.example".into()]).await;
    let from = |host: &str| format!("GET /api/v1/server HTTP/1.1\r\nhost: {host}");
    for known in ["localhost", "127.0.0.1:8080", "[::1]:8080", "LIVE.example:1"] {
        let answer = ask(&app, &from(known)).await;
        assert_eq!(status(&answer), "200", "{known}");
        assert!(!answer.contains("access-control-allow-origin"), "the API is for its own pages");
    }
    for foreign in ["evil.example", "localhost.evil.example", "localhost\r\nhost: evil.example"] {
        assert_eq!(status(&ask(&app, &from(foreign)).await), "421", "{foreign}");
    }
}

#[tokio::test]
async fn the_demo_is_served_as_flv_plain_and_in_websocket_frames() {
    let app = serve(|config| config.demo.enabled = true).await;
    until_live(&app).await;
    let socket = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (extra, code, at) in [("", "200", 0), (socket, "101", 4)] {
        let mut stream = connect(&app).await;
        let request = format!("GET /live/demo.flv HTTP/1.1\r\nhost: localhost\r\n{extra}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let body = loop {
            timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap();
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end.filter(|end| bytes.len() > end + 64) {
                break end + 4;
            }
        };
        assert_eq!(status(&String::from_utf8_lossy(&bytes)), code);
        let body = &bytes[body..];
        assert!(body[..16].windows(3).any(|three| three == b"FLV"), "{:?}", &body[..16]);
        assert!(body[0] == if at == 0 { b'F' } else { 0x82 }, "binary frames begin with 0x82");
    }
    let no_key = "GET /live/demo.flv HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade";
    let mut stream = connect(&app).await;
    stream.write_all(format!("{no_key}\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(status(&until_closed(&mut stream).await), "426");
}

#[tokio::test]
async fn the_demo_is_served_as_hls_from_the_playlist_to_its_segments_and_absurd_wishes_hold_nothing() {
    let app = serve(|config| config.demo.enabled = true).await;
    until_live(&app).await;
    let first = get(&app, "/live/demo.m3u8").await;
    assert_eq!(status(&first), "200", "{first}");
    assert!(first.contains("access-control-allow-origin: *"), "{first}");
    let media = first.lines().find_map(|line| line.strip_prefix("./")).expect("a variant").to_owned();
    let playlist = get(&app, &format!("/live/{media}")).await;
    assert!(playlist.contains("#EXT-X-PART-INF"), "{playlist}");
    let init = playlist.split("URI=\"").find(|rest| rest.starts_with("init-")).unwrap();
    let init = media.replace("media.m3u8", init.split('"').next().unwrap());
    assert_eq!(status(&get(&app, &format!("/live/{init}")).await), "200");
    let viewers = get(&app, "/api/v1/broadcasts/live/demo").await;
    assert!(viewers.contains("\"hls\":1"), "{viewers}");
    for absurd in ["_HLS_msn=9223372036854775808", "_HLS_msn=99999999999999999999", "_HLS_part=1"] {
        let answer = timeout(Duration::from_secs(5), get(&app, &format!("/live/{media}?{absurd}"))).await;
        assert_eq!(status(&answer.expect("refused at once")), "400", "{absurd}");
    }
}

#[tokio::test]
async fn slow_heads_long_heads_and_idle_connections_are_closed() {
    let short = Duration::from_millis(300);
    let app = serve(|config| (config.http.header, config.http.idle) = (short, short)).await;
    let mut slow = connect(&app).await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    assert_eq!(status(&until_closed(&mut slow).await), "408");
    let mut silent = connect(&app).await;
    assert_eq!(until_closed(&mut silent).await, "");
    let mut long = connect(&app).await;
    long.write_all(format!("GET / HTTP/1.1\r\ncookie: {}", "x".repeat(20_000)).as_bytes()).await.unwrap();
    assert_eq!(status(&until_closed(&mut long).await), "431");
    let mut idle = connect(&app).await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(status(&until_closed(&mut idle).await), "200", "answered, kept alive, closed when idle");
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_told_so() {
    let app = serve(|config| config.limits.connections = 1).await;
    let held = connect(&app).await;
    let mut beyond = connect(&app).await;
    let answer = until_closed(&mut beyond).await;
    assert_eq!(status(&answer), "503");
    assert!(answer.contains("retry-after: "), "{answer}");
    drop(held);
}

#[tokio::test]
async fn a_draining_server_says_so_on_new_connections_and_takes_no_viewer() {
    let app = serve(|config| config.demo.enabled = true).await;
    until_live(&app).await;
    app.context().draining.cancel();
    for _ in 0..20 {
        assert_eq!(status(&get(&app, "/readyz").await), "503");
        assert_eq!(status(&get(&app, "/healthz").await), "200");
    }
    assert_eq!(status(&get(&app, "/live/demo.flv").await), "503");
    assert!(app.shutdown(PATIENCE).await, "nobody was left to wait for");
}
