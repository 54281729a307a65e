//! A server that is nearly out of file descriptors or memory refuses new viewers, and nobody else.

use std::sync::atomic::Ordering;

use e2e::healthy::{Healthy, serve, until};
use e2e::http::{Answer, Connection};
use e2e::rtmp::Peer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::App;
use tokio::net::TcpSocket;
use wire::rtmp::client::{Event, Purpose};

/// Of this test's process, which runs alone: the peers' ends are among them.
const FILES: u64 = 200;

async fn get(app: &App, target: &str) -> Answer {
    Connection::open(app.addresses().http).await.request("GET", target, &[]).await
}

async fn metric(app: &App, name: &str) -> u64 {
    let metrics = get(app, "/metrics").await;
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

/// Every way to watch is refused with words and a time, and publishing is not.
async fn refuses_viewers_alone(app: &App, why: &str) {
    let refused = metric(app, "openmic_viewers_shed_total").await;
    for target in ["/live/x.flv", "/live/x.m3u8"] {
        let answer = get(app, target).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{target}");
        assert!(answer.problem().contains(why), "{target}: {}", answer.problem());
    }
    let mut player = Peer::ask(app.addresses().rtmp, Purpose::Play, "live/x").await;
    assert!(!matches!(player.event().await, Some(Event::Ready)), "RTMP plays");
    assert_eq!(metric(app, "openmic_viewers_shed_total").await, refused + 3);
    let publisher = Peer::publish(app.addresses().rtmp, "live/another").await;
    publisher.finish().await;
    assert_eq!(get(app, "/readyz").await.status, 200);
}

#[tokio::test]
async fn above_the_limit_of_memory_new_viewers_are_refused_and_those_there_go_on() {
    let app = serve(|_| {}).await;
    let healthy = Healthy::start(&app, "live/x").await;
    assert_eq!(get(&app, "/live/x.m3u8").await.status, 200);
    let mut config = (*app.context().config()).clone();
    config.limits.memory_bytes = 1;
    let short = config.clone();
    app.context().set_source(Box::new(move || Ok(short.clone())));
    assert_eq!(app.context().reload().expect("a good configuration").changed, ["limits.memory_bytes"]);
    // The kernel is asked once a second.
    until("memory is short", || app.context().operation.shed.shortage(0).is_some()).await;
    refuses_viewers_alone(&app, "memory").await;
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn above_nine_tenths_of_the_files_new_viewers_are_refused_and_at_their_end_nothing_spins() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum }).expect("below the hard limit");
    let app = serve(|_| {}).await;
    let healthy = Healthy::start(&app, "live/x").await;
    assert_eq!(get(&app, "/live/x.m3u8").await.status, 200);
    let open = || std::fs::File::open("/dev/null");
    let mut files = Vec::new();
    let count = || std::fs::read_dir("/proc/self/fd").expect("Linux").count() as u64;
    while count() < FILES * 9 / 10 + 2 {
        files.push(open().expect("below the limit"));
    }
    // The kernel is asked once a second.
    until("files are short", || app.context().operation.shed.shortage(0).is_some()).await;
    refuses_viewers_alone(&app, "LimitNOFILE").await;
    // Up to the last: accepting fails, is counted a few times a second, and works again when files are there.
    let counters = app.context().shared.counters.clone();
    // The peers' own files are had before the last are taken. A file that the server gives back meanwhile lets one of
    // them in, so there are several.
    let sockets: Vec<_> = (0..6).map(|_| TcpSocket::new_v4().expect("one more file")).collect();
    let mut late = Vec::new();
    for socket in sockets {
        files.extend(std::iter::from_fn(|| open().ok()));
        late.push(socket.connect(app.addresses().http).await.expect("the kernel completes it"));
        files.extend(std::iter::from_fn(|| open().ok()));
    }
    until("accepting fails", || counters.accept_errors.load(Ordering::Relaxed) > 0).await;
    let (before, began) = (counters.accept_errors.load(Ordering::Relaxed), std::time::Instant::now());
    until("it fails again", || counters.accept_errors.load(Ordering::Relaxed) >= before + 3).await;
    assert!(began.elapsed().as_millis() >= 200, "three errors in {:?}", began.elapsed());
    drop(files);
    let mut last = Connection::over(late.pop().expect("six of them"), "localhost");
    assert_eq!(last.request("GET", "/healthz", &[]).await.status, 200);
    drop((last, late));
    until("there is room", || app.context().operation.shed.shortage(0).is_none()).await;
    assert_eq!(get(&app, "/live/x.m3u8").await.status, 200);
    healthy.end_unharmed(app).await;
}
