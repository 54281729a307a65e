//! The program as an operator runs it: what the doctor finds, and what a signal does.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const OPENMIC: &str = env!("CARGO_BIN_EXE_openmic");

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("openmic-cli-{}-{made}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("the folder is writable");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Ports that no other test has, and a data directory of the test's own.
fn config(folder: &Folder, rest: &str) -> PathBuf {
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[rtmp]\nlisten = \"127.0.0.1:0\"\n[data]\ndir = {:?}\n{rest}",
        folder.0.join("data")
    );
    folder.write("openmic.toml", &text)
}

fn doctor(config: &Path, more: &[&str]) -> Output {
    Command::new(OPENMIC).arg("doctor").arg("--config").arg(config).args(more).output().expect("it runs")
}

/// Findings that keep the server from working.
fn wrong(config: &Path) -> Vec<(String, String)> {
    let output = doctor(config, &["--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("an array");
    let wrong: Vec<_> = findings
        .iter()
        .filter(|finding| finding["level"] == "wrong")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().expect("text").to_owned();
            assert!(!text("remedy").is_empty(), "{finding}");
            (text("of"), text("what"))
        })
        .collect();
    assert_eq!(output.status.code(), Some(i32::from(!wrong.is_empty())), "{wrong:?}");
    wrong
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_good_configuration() {
    let folder = Folder::new();
    let file = config(&folder, "");
    assert_eq!(wrong(&file), []);
    let output = doctor(&file, &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    for of in
        ["configuration", "ports", "reach", "tls", "data", "ffmpeg", "clock", "files", "memory", "kernel"]
    {
        assert!(text.lines().any(|line| line.split(' ').nth(1) == Some(of)), "{of} in {text}");
    }
    assert!(!text.contains('✗'), "{text}");
}

#[test]
fn the_doctor_names_what_keeps_the_server_from_starting() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let in_use = format!("[rtc]\nlisten = \"{}\"\n", taken.local_addr().expect("it listens"));
    let found = wrong(&config(&folder, &in_use));
    assert!(found.len() == 1 && found[0].0 == "ports", "{found:?}");
    assert!(found[0].1.contains(&format!("process {}", std::process::id())), "{found:?}");
    for (text, of, what) in [
        ("[http", "configuration", "openmic.toml"),
        ("[hls]\npart_ms = 1\n", "configuration", "hls.part_ms"),
        ("[hls]\nparts = 1\n", "configuration", "parts"),
    ] {
        let found = wrong(&config(&folder, text));
        assert!(found.len() == 1 && found[0].0 == of && found[0].1.contains(what), "{text}: {found:?}");
    }
    let file = folder.write("file", "");
    let found = wrong(&folder.write("openmic.toml", &format!("[data]\ndir = {file:?}\n")));
    assert!(found.iter().any(|(of, _)| of == "data"), "{found:?}");
}

#[test]
fn the_doctor_looks_into_certificates() {
    let folder = Folder::new();
    let made = |name: &str, ends_days: i64| {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let now = std::time::SystemTime::now();
        let day = std::time::Duration::from_secs(86_400);
        params.not_before = (now - day * 90).into();
        params.not_after = if ends_days < 0 { now - day } else { now + day * 60 }.into();
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate =
            folder.write(&format!("{name}.pem"), &params.self_signed(&key).expect("signed").pem());
        (certificate, folder.write(&format!("{name}.key"), &key.serialize_pem()))
    };
    let (good, key) = made("good", 60);
    let (old, old_key) = made("old", -1);
    let with = |certificate: &Path, key: &Path| {
        let tls = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        wrong(&config(&folder, &tls))
    };
    assert_eq!(with(&good, &key), []);
    for (found, what) in [
        (with(&old, &old_key), "ended 1 days ago"),
        (with(&good, &old_key), "cannot be used"),
        (with(&key, &key), "tls.certificate"),
        (with(&good, &folder.0.join("gone")), "tls.key"),
    ] {
        assert!(found.len() == 1 && found[0].0 == "tls" && found[0].1.contains(what), "{what}: {found:?}");
    }
}

/// A server that is stopped with the test.
struct Running {
    child: Child,
    log: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Running {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(OPENMIC);
        command.args(["serve", "--ready-json", "--config"]).arg(config);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut ready).expect("a line");
        assert!(ready.contains("http"), "{ready}");
        let log = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, log }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("it runs");
    }

    /// The next line of its log with this text.
    fn says(&mut self, text: &str) -> String {
        self.log
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("never: {text}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn hang_up_reads_the_configuration_again_and_leaves_a_trace() {
    let folder = Folder::new();
    let mut server = Running::start(&config(&folder, ""));
    config(&folder, "[hls]\nidle_ms = 7000\n[limits]\nbroadcasts = 7\n");
    server.signal(Signal::HUP);
    let said = server.says("keep their values until a restart");
    assert!(said.contains("limits.broadcasts"), "{said}");
    config(&folder, "[hls]\nidle_ms = \"soon\"\n");
    server.signal(Signal::HUP);
    let said = server.says("stays as it was");
    // The error goes on below with the line itself.
    assert!(said.contains("openmic.toml") && said.contains("line 8"), "{said}");
    server.signal(Signal::TERM);
    server.says("stopped");
    assert!(server.child.wait().expect("it ends").success());
    let audit = std::fs::read_to_string(folder.0.join("data/audit.jsonl")).expect("the audit log");
    let acts: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let outcomes: Vec<_> = acts.iter().map(|act| (act["what"].as_str(), act["outcome"].as_str())).collect();
    assert_eq!(outcomes, [(Some("reload"), Some("done")), (Some("reload"), Some("failed"))]);
}
