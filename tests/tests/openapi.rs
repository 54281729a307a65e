//! Schemathesis (a stranger to this project) asks every address of the OpenAPI document for whatever its schema allows and
//! forbids: no answer may be one of ours that failed, and none may be another than the document says.

use std::process::Stdio;
use std::time::Duration;

use e2e::healthy::{Healthy, serve};
use tokio::process::Command;
use tokio::time::timeout;

/// For all of it: it is given a number of examples that takes half of this.
const TIME_MAX: Duration = Duration::from_secs(60);
/// A fixed choice of examples: a failure comes again.
const SEED: &str = "4711";
const EXAMPLES: &str = "15";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method";

#[tokio::test]
async fn every_answer_is_one_that_the_document_promises() {
    let Some(schemathesis) = std::env::var_os("OPENMIC_SCHEMATHESIS") else {
        assert!(
            std::env::var_os("OPENMIC_BIN").is_none(),
            "./dev test names Schemathesis in OPENMIC_SCHEMATHESIS"
        );
        return;
    };
    let app =
        serve(|config| config.api = server::config::Api { requests_per_second: 10_000, burst: 10_000 }).await;
    let healthy = Healthy::start(&app, "live/x").await;
    let document = format!("http://{}/api/v1/openapi.json", app.addresses().http);
    let mut command = Command::new(schemathesis);
    command.args(["run", &document, "--seed", SEED, "--max-examples", EXAMPLES]);
    command.args(["--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color"]);
    command.args(["--generation-database", "none", "--request-timeout", "5"]);
    // Its answer has no end, and what follows the one publisher is ended by the other addresses.
    command.args(["--exclude-path", "/api/v1/events"]);
    command.args(["--checks", CHECKS, "--max-time", "35", "--warnings", "off"]);
    command.stdin(Stdio::null()).kill_on_drop(true).current_dir(std::env::temp_dir());
    let run = timeout(TIME_MAX, command.output()).await.expect("it ends in time").expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout);
    println!("{said}");
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    drop(healthy);
    let context = app.context().clone();
    app.shutdown(Duration::from_secs(1)).await;
    assert_eq!(context.shared.counters.panics.load(std::sync::atomic::Ordering::Relaxed), 0, "panics");
}
