//! Programs of strangers as peers of a server that runs in the test.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::rtmp::PATIENCE;

/// A recording of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Starts a program that Debian's package of the same name brings; it ends with its owner at the latest.
pub fn start(program: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().unwrap_or_else(|error| {
        panic!("{program}: {error}; remedy: apt-get install {program} (./dev test does)")
    })
}

/// Runs it to its end, which must be a success, and gives what it printed.
pub async fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let ended = timeout(PATIENCE, start(program, arguments).wait_with_output()).await;
    let output = ended.unwrap_or_else(|_| panic!("{program} {arguments:?} did not end")).expect("it ran");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {} {said}", output.status);
    output.stdout
}

/// How many pictures and pieces of sound FFmpeg decodes from `url` in two seconds of media.
pub async fn decoded(url: &str) -> (usize, usize) {
    let before = ["-v", "error", "-nostdin", "-tls_verify", "0", "-i", url];
    let after = ["-t", "2", "-map", "0:v", "-map", "0:a", "-f", "framecrc", "-"];
    let said = run("ffmpeg", &[&before[..], &after].concat()).await;
    let said = String::from_utf8(said).expect("lines of numbers");
    let of = |track: &str| said.lines().filter(|line| line.starts_with(track)).count();
    (of("0,"), of("1,"))
}
