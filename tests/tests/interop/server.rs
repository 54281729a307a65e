//! The server under test, as a process of its own on free ports.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::tool::{self, Running};

/// A start takes milliseconds; this much only on a machine that is busy with something else.
const START_MAX: Duration = Duration::from_secs(30);
/// Until a publisher's picture and sound have both arrived; encoders with look-ahead take a while.
const LIVE_MAX: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    /// Pages, FLV, WebSocket and HLS.
    pub(crate) http: SocketAddr,
    /// RTMP in and out.
    pub(crate) rtmp: SocketAddr,
    process: Running,
}

impl Server {
    /// Starts one and waits for its ready line.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// Starts one with settings, `OPENMIC_SECTION_KEY` each.
    pub(crate) fn start_with(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let arguments = ["serve", "--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--ready-json"];
        let mut command = Command::new(tool::openmic());
        command.args(arguments).arg("--data").arg(dir.join("data")).envs(settings.iter().copied());
        let mut process = Running::start(&mut command, dir, "server");
        let end = Instant::now() + START_MAX;
        loop {
            let line = tool::read(&dir.join("server.out"));
            if line.ends_with('\n') {
                let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
                let address = |name: &str| {
                    let text = ready[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
                    text.parse().expect("an address")
                };
                return Self { http: address("http"), rtmp: address("rtmp"), process };
            }
            assert!(process.runs() && Instant::now() < end, "{}", tool::read(&dir.join("server.err")));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `tracks` tracks of `live/STREAM` have a whole group to start from.
    pub(crate) fn wait_until_live(&mut self, stream: &str, tracks: usize, publisher: &mut Running) {
        let end = Instant::now() + LIVE_MAX;
        loop {
            let told = self.broadcast(stream);
            let ready = told["tracks"].as_array().map_or(0, |tracks| {
                // A browser sends its next keyframe when somebody asks, which readers do: its first picture is enough.
                let is_shown = |track: &serde_json::Value| {
                    told["publisher"]["protocol"] == "whip" && track["width"].is_number()
                };
                let media = tracks.iter().filter(|track| track["kind"] != "data");
                media.filter(|track| track["bitrate_bps"].is_number() || is_shown(track)).count()
            });
            if ready == tracks {
                return;
            }
            assert!(publisher.runs(), "the publisher gave up");
            assert!(self.process.runs(), "the server ended");
            assert!(Instant::now() < end, "not live with {tracks} tracks in {LIVE_MAX:?}: {told}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// `/api/v1/broadcasts/live/STREAM`; null while nothing is live there.
    fn broadcast(&self, stream: &str) -> serde_json::Value {
        let answer = self.get(&format!("/api/v1/broadcasts/live/{stream}")).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(START_MAX))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
