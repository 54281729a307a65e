//! A server that is killed in the middle of everything has, when it is back, all that it had acknowledged.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use e2e::folder::Folder;
use e2e::room::{Member, ask_at, token};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// `OPENMIC_BIN`, or what `cargo build -p openmic` made last.
pub(crate) fn openmic() -> PathBuf {
    if let Some(named) = std::env::var_os("OPENMIC_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().expect("this test is a program");
    test.ancestors().nth(2).expect("it lies in target/debug/deps").join("openmic")
}

pub(crate) async fn start(data: &Path) -> (Child, SocketAddr) {
    let program = openmic();
    let mut command = Command::new(&program);
    command.args(["serve", "--ready-json", "--config"]).arg(data.join("openmic.toml"));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let line = timeout(Duration::from_secs(20), lines.next_line())
        .await
        .expect("it starts")
        .expect("it has an output");
    let addresses: Value = serde_json::from_str(&line.expect("it says where it listens")).expect("JSON");
    (child, addresses["http"].as_str().expect("an address").parse().expect("an address"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_loses_no_acknowledged_command() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[rtmp]\nlisten = \"127.0.0.1:0\"\n[data]\ndir = {:?}\n",
        data.display().to_string()
    );
    folder.write("openmic.toml", &config);
    let (mut child, http) = start(folder.path()).await;
    const ROOMS: usize = 4;
    let mut tokens = Vec::new();
    for room in 0..ROOMS {
        let id = format!("r{room}");
        let made = ask_at(http, "POST", "/api/v1/rooms", &json!({ "id": id, "template": "meeting" })).await;
        assert_eq!(made.status, 201, "{}", made.text());
        tokens.push(token(http, &id, "ann", "host").await);
    }
    // Each room's host sets a counter as fast as the server acknowledges, until there is no server.
    let mut writers = tokio::task::JoinSet::new();
    for (room, token) in tokens.iter().enumerate() {
        let (id, token) = (format!("r{room}"), token.clone());
        writers.spawn(async move {
            let mut ann = Member::join(http, &id, &token).await;
            let mut acknowledged = 0;
            for n in 1..100_000_u32 {
                let command =
                    json!({ "name": "set_data", "track": "all", "key": "n", "value": n.to_string() });
                ann.send(&json!({ "type": "command", "n": n, "command": command })).await;
                match until_answered(&mut ann, n).await {
                    Some(true) => acknowledged = n,
                    // Nobody sets a slider faster than twenty times a second for long.
                    Some(false) => tokio::time::sleep(Duration::from_millis(50)).await,
                    None => break,
                }
            }
            (room, acknowledged, ann)
        });
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    child.kill().await.expect("it is killed with SIGKILL");
    let written = writers.join_all().await;
    let (_child, http) = start(folder.path()).await;
    for (room, acknowledged, ann) in written {
        assert!(acknowledged > 10, "room {room} had {acknowledged} acknowledged");
        let again = ann.resume(http, &format!("r{room}"), &tokens[room]).await;
        let n = again.all().data.iter().find(|datum| datum.key == "n").map(|datum| datum.value.clone());
        let n: u32 = n.expect("the counter is there").parse().expect("a number");
        // One more may have been written whose acknowledgement the kill has swallowed.
        assert!((acknowledged..=acknowledged + 2).contains(&n), "room {room}: {n} of {acknowledged}");
    }
}

async fn until_answered(member: &mut Member, n: u32) -> Option<bool> {
    loop {
        let json = member.next_json().await.ok()?;
        if json["n"] == n && (json["type"] == "ack" || json["type"] == "refused") {
            return Some(json["type"] == "ack");
        }
    }
}
