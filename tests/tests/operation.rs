//! What those who watch the server rely on: metrics by their names, and what a load balancer is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use e2e::healthy::{Healthy, serve, until};
use e2e::http::Connection;
use e2e::rtmp::Viewer;
use serde_json::Value;

/// Every query of the dashboard, wherever it stands.
fn queries(of: &Value, found: &mut Vec<String>) {
    match of {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "definition" => found.push(text.clone()),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| queries(one, found)),
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
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("the file")).expect("JSON");
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() > 10, "{found:?}");
    let asked: BTreeSet<String> = found.iter().flat_map(|query| names(query)).map(str::to_owned).collect();
    let app = serve(|_| {}).await;
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
    let ask = |target: &'static str| async move { Connection::open(http).await.request("GET", target, &[]).await };
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
