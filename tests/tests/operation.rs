//! What those who watch the server rely on: metrics by their names, and what a load balancer is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use e2e::healthy::{Healthy, serve, until};
use e2e::http::Connection;
use e2e::rtmp::{PATIENCE, Viewer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Every query of the dashboard, wherever it stands.
fn queries(of: &Json, found: &mut Vec<String>) {
    match of {
        Json::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Json::String(text) if name == "expr" || name == "definition" => found.push(text.clone()),
                    _ => queries(value, found),
                }
            }
        }
        Json::Array(all) => all.iter().for_each(|one| queries(one, found)),
        _ => {}
    }
}

/// The words of a query that are names of metrics.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("openmic_") || word.starts_with("process_"))
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_there_are_and_shows_all_of_ours() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana/openmic.json");
    let dashboard: Json =
        serde_json::from_str(&std::fs::read_to_string(file).expect("the file")).expect("JSON");
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() > 10, "{found:?}");
    let asked: BTreeSet<String> = found.iter().flat_map(|query| names(query)).map(str::to_owned).collect();
    let app = serve(|config| config.metrics.per_stream_max = 10).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let metrics = Connection::open(app.addresses().http).await.request("GET", "/metrics", &[]).await;
    let told: BTreeSet<String> = metrics
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().expect("a name").to_owned())
        .collect();
    let missing: Vec<_> = asked.difference(&told).collect();
    assert!(missing.is_empty(), "the dashboard asks for {missing:?}");
    let unseen: Vec<_> = told.difference(&asked).filter(|name| name.starts_with("openmic_")).collect();
    assert!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
    healthy.end_unharmed(app).await;
}

#[tokio::test]
async fn a_load_balancer_is_told_at_once_that_the_server_drains_while_streams_go_on() {
    let app = serve(|_| {}).await;
    let (http, context) = (app.addresses().http, app.context().clone());
    let healthy = Healthy::start(&app, "live/x").await;
    let mut viewer = Viewer::watch(http, "live/x").await;
    viewer.frame().await.expect("the stream goes on");
    let ask =
        |target: &'static str| async move { Connection::open(http).await.request("GET", target, &[]).await };
    assert_eq!((ask("/readyz").await.status, ask("/healthz").await.status), (200, 200));
    // A balancer that keeps its connection asks on that.
    let mut kept = Connection::open(http).await;
    assert_eq!(kept.request("GET", "/readyz", &[]).await.status, 200);
    let stopping = tokio::spawn(app.shutdown(Duration::from_secs(5)));
    until("it drains", || context.draining.is_cancelled()).await;
    let ready = kept.request("GET", "/readyz", &[]).await;
    assert_eq!((ready.status, ready.header("retry-after")), (503, Some("5")));
    for _ in 0..3 {
        let ready = ask("/readyz").await;
        assert!(ready.status == 503 && ready.problem().contains("stopping"), "{}", ready.head);
        // It is alive: who restarts what is dead must not cut the drain short.
        assert_eq!(ask("/healthz").await.status, 200);
        assert_eq!(ask("/metrics").await.status, 200);
    }
    // Nobody new is let in, and who is there goes on.
    assert_eq!(ask("/live/x.flv").await.status, 503);
    for _ in 0..20 {
        viewer.frame().await.expect("a viewer of before goes on");
    }
    drop((viewer, kept, healthy));
    assert!(stopping.await.expect("no panic"), "the drain ends with its last session");
}

/// Takes one batch of spans after the other, and answers each as a collector does.
async fn collector(listener: TcpListener, spans: mpsc::Sender<Span>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut read = Vec::new();
        let (head, body) = loop {
            stream.read_buf(&mut read).await.expect("it sends");
            let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            if read.len() - end - 4 == length.parse::<usize>().expect("a number") {
                break (head, read.split_off(end + 4));
            }
        };
        assert!(
            head.starts_with("post /v1/traces http/1.1") && head.contains("application/x-protobuf"),
            "{head}"
        );
        let batch = ExportTraceServiceRequest::decode(&body[..]).expect("protobuf");
        for of_resource in batch.resource_spans {
            let service = of_resource.resource.expect("a resource").attributes;
            assert!(service.iter().any(|one| format!("{one:?}").contains("openmic")), "{service:?}");
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.send(span).await.expect("the test waits");
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.expect("it reads");
    }
}

/// An attribute of a span as text.
fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == key).and_then(|one| one.value.clone()?.value);
    match found {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_collector_is_sent_a_span_of_every_session_and_of_every_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it listens"));
    let (sender, mut spans) = mpsc::channel(100);
    let collecting = tokio::spawn(collector(listener, sender));
    let app = serve(|config| config.telemetry.otlp_endpoint = Some(endpoint)).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let viewer = Viewer::watch(app.addresses().http, "live/x").await;
    until("two watch", || app.context().access.sessions.list().len() == 3).await;
    let sessions = app.context().access.sessions.list();
    sessions.last().expect("the second viewer").kick();
    until("it is gone", || app.context().access.sessions.list().len() == 2).await;
    drop(viewer);
    let mut config = (*app.context().config()).clone();
    config.limits.memory_bytes = 1;
    app.context().set_source(Box::new(move || Ok(config.clone())));
    app.context().reload().expect("a good configuration");
    until("memory is short", || app.context().operation.shed.shortage(0).is_some()).await;
    let refused = Connection::open(app.addresses().http).await.request("GET", "/live/x.flv", &[]).await;
    assert_eq!(refused.status, 503);
    healthy.end_unharmed(app).await;
    let mut found = Vec::new();
    while found.len() < 4 {
        let span = timeout(PATIENCE, spans.recv()).await.expect("all of them are sent").expect("it collects");
        assert_eq!((attribute(&span, "openmic.path").as_str(), span.trace_id.len()), ("live/x", 16));
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        let outcome = attribute(&span, "openmic.outcome");
        let has_moved =
            outcome != "refused" && attribute(&span, "openmic.bytes").parse::<u64>().expect("bytes") > 0;
        found.push((span.name.clone(), attribute(&span, "openmic.protocol"), outcome, has_moved));
    }
    found.sort();
    let expected = [
        ("play", "flv", "ended", true),
        ("play", "flv", "kicked", true),
        ("play", "flv", "refused", false),
        ("publish", "rtmp", "ended", true),
    ];
    let expected = expected.map(|(name, protocol, outcome, moved)| {
        (name.to_owned(), protocol.to_owned(), outcome.to_owned(), moved)
    });
    assert_eq!(found, expected);
    collecting.abort();
}
