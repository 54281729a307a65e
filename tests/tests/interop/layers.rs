//! Chromium publishes in three layers and watches them, driven by `tests/interop/simulcast.mjs`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::server::Server;
use crate::tool;

/// A browser's start, four changes of at most 30 s each, and the rest of what nobody watches.
const LIMIT: Duration = Duration::from_secs(240);

/// Publishes and watches; fails with what was seen.
pub(crate) fn a_viewer_gets_what_it_shows(dir: &Path) {
    let server = Server::start(dir);
    let mut command = Command::new(tool::find("node", "nodejs"));
    command.arg(tool::root().join("tests/interop/simulcast.mjs"));
    command.args([&format!("http://{}", server.http), "live/layers"]).arg(tool::find("chromium", "chromium"));
    let said = tool::run(&mut command, dir, "simulcast", LIMIT);
    assert!(!said.stopped && !said.out.is_empty(), "{}", said.err);
    let seen: serde_json::Value = serde_json::from_str(&said.out).expect("a line of the driver");
    let layers = seen["layers"].as_array().expect("layers");
    let ranks: Vec<_> = layers.iter().map(|layer| (layer["rid"].as_str(), layer["rank"].as_u64())).collect();
    assert_eq!(ranks, [(Some("l"), Some(2)), (Some("m"), Some(1)), (Some("h"), Some(0))], "{seen}");
    for step in seen["steps"].as_array().expect("steps") {
        assert!(step["tookMs"].is_number(), "{step} of {seen}");
    }
    let named: Vec<_> =
        seen["said"].as_array().expect("messages").iter().filter_map(|told| told["rid"].as_str()).collect();
    assert!(named.contains(&"l") && named.contains(&"m") && named.last() == Some(&"h"), "{seen}");
    let told = seen["told"].as_array().expect("messages").last();
    assert_eq!(told, Some(&serde_json::json!(["l"])), "nobody watches any more: {seen}");
    println!("longest without a new picture: {} ms; {}", seen["longestMs"], seen["steps"]);
}
