//! The latency lab against a server in this process: every figure is there and sane, and a server that is not there is
//! said to be so.

use std::time::Duration;

use client::lab::endpoints::Endpoints;
use client::lab::report::{NATIVE, Pair, Report};
use client::lab::source::Shape;
use client::lab::{Input, Options, Output, room, run};
use client::url::Url;
use media::Span;
use server::{App, Config};

/// Beyond this a picture is not late but lost.
const LATE_MS: f64 = 2_000.0;
/// What a machine that does other things meanwhile may add between sound and picture: their stamps do not wait for it.
const APART_MS: f64 = 80.0;

async fn serve() -> App {
    let mut config = Config::default();
    config.data.dir = e2e::scratch::folder();
    config.http.listen.set_port(0);
    config.rtmp.listen.set_port(0);
    config.rtc.listen = Some(([127, 0, 0, 1], 0).into());
    App::start(config).await.expect("port 0 is free")
}

/// A picture small enough for an unoptimised build.
fn options(endpoints: Endpoints, input: Input, output: Output) -> Options {
    Options {
        endpoints,
        inputs: vec![input],
        outputs: vec![output],
        shape: Shape { width: 256, height: 128, fps: 15, bitrate: 200_000, group: Span::from_millis(1_000) },
        span: Duration::from_secs(3),
        joins: 2,
        browser: None,
        insecure: false,
    }
}

async fn measured(input: Input, output: Output) -> Report {
    let app = serve().await;
    let addresses = app.addresses();
    let http = Url::parse(&format!("http://{}", addresses.http)).expect("an address is one of HTTP");
    let endpoints = Endpoints::ask(&http, false).await.expect("the server says where RTMP is");
    assert_eq!(endpoints, Endpoints::of_openmic(&http, &addresses.rtmp.to_string()));
    let mut told = 0;
    let report = run(&options(endpoints, input, output), |_| told += 1).await.expect("there are figures");
    assert_eq!(told, 1);
    assert!(app.shutdown(Duration::from_secs(5)).await, "no viewer was left behind");
    report
}

fn check(pair: &Pair) {
    assert_eq!((pair.error.as_deref(), pair.unreadable), (None, 0), "{pair:?}");
    let glass = pair.glass.expect("pictures were seen");
    // Three seconds of them; a busy machine may leave some out.
    assert!(glass.count >= 15, "{glass:?}");
    assert!(glass.min_ms > 0.0 && glass.p50_ms < LATE_MS && glass.p50_ms <= glass.p99_ms, "{glass:?}");
    let server = pair.server.expect("what was sent is known");
    assert!(server.min_ms >= 0.0 && server.p50_ms < glass.p50_ms, "{server:?} of {glass:?}");
    let join = pair.join.expect("it was joined");
    assert!(join.count == 2 && join.min_ms > 0.0 && join.p50_ms < 2.0 * LATE_MS, "{join:?}");
    let sound = pair.sound.expect("beeps were heard");
    assert!(sound.count >= 1 && sound.p50_ms.abs() < APART_MS, "{sound:?}");
    assert!(!pair.points.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmp_to_http_flv_is_measured() {
    let report = measured(Input::Rtmp, Output::Flv).await;
    let [pair] = &report.pairs[..] else { panic!("one pair: {:?}", report.pairs) };
    assert_eq!((pair.input, pair.output, pair.reader), ("rtmp", "flv", NATIVE));
    check(pair);
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    assert_eq!(json["settings"]["fps"], 15);
    assert_eq!(json["pairs"][0]["glass"]["p50_ms"].as_f64(), pair.glass.map(|glass| glass.p50_ms));
    assert!(report.table().contains("| rtmp → flv | native |"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whip_to_whep_is_measured() {
    let report = measured(Input::Whip, Output::Whep).await;
    let [pair] = &report.pairs[..] else { panic!("one pair: {:?}", report.pairs) };
    assert_eq!((pair.input, pair.output, pair.reader), ("whip", "whep", NATIVE));
    check(pair);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn low_latency_hls_is_measured_and_what_is_not_there_beside_it_is_said() {
    let app = serve().await;
    let addresses = app.addresses();
    let http = Url::parse(&format!("http://{}", addresses.http)).unwrap();
    let mut endpoints = Endpoints::of_openmic(&http, &addresses.rtmp.to_string());
    endpoints.play_flv = Some(format!("http://{}/live/nobody-publishes-this.flv", addresses.http));
    let mut options = options(endpoints, Input::Rtmp, Output::Flv);
    options.outputs = vec![Output::Flv, Output::Hls];
    let report = run(&options, |_| {}).await.expect("HLS has figures");
    let [flv, hls] = &report.pairs[..] else { panic!("two pairs: {:?}", report.pairs) };
    let why = flv.error.as_deref().expect("nobody publishes it");
    assert!(why.contains("nobody-publishes-this"), "{why}");
    assert!(hls.glass.is_some_and(|glass| glass.p50_ms < 2.0 * LATE_MS), "{hls:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_so() {
    // A port that was just free: nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = Url::parse(&format!("http://{free}")).unwrap();
    let why = Endpoints::ask(&http, false).await.unwrap_err();
    assert!(
        format!("{why:#}").starts_with("asking the server for its RTMP port: connecting to 127.0.0.1:"),
        "{why:#}"
    );
    for input in [Input::Rtmp, Input::Whip] {
        let endpoints = Endpoints::of_openmic(&http, &free.to_string());
        let why = run(&options(endpoints, input, Output::Flv), |_| {}).await.unwrap_err().to_string();
        assert!(why.starts_with("publishing to ") && why.contains("Connection refused"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_room_each_hears_and_sees_each_and_nobody_itself() {
    let app = serve().await;
    let options = room::Options {
        server: Url::parse(&format!("http://{}", app.addresses().http)).expect("an address is one of HTTP"),
        room: None,
        key: None,
        members: 4,
        turn: Duration::from_secs(3),
        disturbed: 2,
        stay: Duration::ZERO,
        insecure: false,
    };
    let report = room::run(&options, |_| {}).await.expect("there is a room");
    assert!(report.is_whole(), "{}", report.table());
    let room::Times { join_sound, join_picture, told, shown, resumed, .. } = report.times;
    let counts = [join_sound, join_picture, told, shown, resumed];
    // Of four the first finds nobody; two cameras go off and on, told to three others and shown once.
    assert_eq!(counts.map(|found| found.map(|found| found.count)), [3, 3, 12, 6, 2].map(Some));
    assert!(report.counts.missed * 20 <= report.counts.pictures, "{:?}", report.counts);
    assert!(app.shutdown(Duration::from_secs(5)).await, "nobody was left behind");
}
