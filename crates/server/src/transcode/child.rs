//! The FFmpeg process: started without a shell, held within limits, fed and read through pipes, and killed when it is let
//! go of.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use media::codec::Codec;
use media::{Frame, Timestamp};
use rustix::process::{Pid, Resource, Rlimit, prlimit, setpriority_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::input::Input;
use super::tool::Ffmpeg;

/// Pictures that wait for it: a cached group of 10 s at 30 a second, which it gets at once.
const WAITING_MAX: usize = 300;
/// Read from it at a time.
const READ_BYTES: usize = 64 << 10;
/// What it said last is kept for the log; a broken stream makes it say a line a picture.
const SAID_BYTES_MAX: usize = 600;
/// It keeps a few dozen pictures, of 12 MB each in 4K, and its own libraries.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// Three pipes, its libraries, and what a new version may need.
const FILES_MAX: u64 = 64;
/// Behind the server itself, which writes to all viewers.
const NICENESS: i32 = 5;
/// How long its status is waited for once its output has ended.
const EXIT_MAX: Duration = Duration::from_secs(1);

/// A running FFmpeg.
pub(super) struct Child {
    process: tokio::process::Child,
    pid: Pid,
    /// Absent once nothing follows.
    frames: Option<mpsc::Sender<Frame>>,
    stdout: ChildStdout,
    buffer: BytesMut,
    said: Said,
    /// What was told by [`Self::busy`] so far.
    busy: Duration,
    /// Writing to it, and reading what it says.
    tasks: JoinSet<()>,
}

impl Child {
    /// Starts it. It reads pictures of `codec` whose first is decoded at `first`; the time of its zero is
    /// [`Input::zero`] of the same.
    pub(super) fn start(
        ffmpeg: &Ffmpeg,
        arguments: &[String],
        codec: &Arc<Codec>,
        first: Timestamp,
    ) -> io::Result<Self> {
        let mut process = Command::new(ffmpeg.path())
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let ends = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = ends else {
            return Err(io::Error::other("a process without its pipes"));
        };
        let pid = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| io::Error::other("it ended at once"))?;
        limit(pid)?;
        let (frames, waiting) = mpsc::channel(WAITING_MAX);
        let said = Said::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(feed(stdin, waiting, Arc::clone(codec), Input::new(first)));
        tasks.spawn(listen(stderr, said.clone()));
        let (frames, buffer) = (Some(frames), BytesMut::new());
        Ok(Self { process, pid, frames, stdout, buffer, said, busy: Duration::ZERO, tasks })
    }

    /// Gives it a picture; `false` when too many wait already.
    pub(super) fn push(&self, frame: &Frame) -> bool {
        match self.frames.as_ref().map(|frames| frames.try_send(frame.clone())) {
            Some(Err(mpsc::error::TrySendError::Full(_))) => false,
            // One that reads no more is seen at its output.
            Some(Ok(()) | Err(mpsc::error::TrySendError::Closed(_))) | None => true,
        }
    }

    /// Nothing follows: it ends once it has written what it has.
    pub(super) fn finish(&mut self) {
        self.frames = None;
    }

    /// The next bytes of its output; empty at the end. May be cancelled.
    pub(super) async fn read(&mut self) -> io::Result<BytesMut> {
        self.buffer.reserve(READ_BYTES);
        self.stdout.read_buf(&mut self.buffer).await?;
        Ok(self.buffer.split())
    }

    /// The time that cores worked for it since this was asked last.
    pub(super) fn busy(&mut self) -> Duration {
        let all = cpu_time(self.pid).unwrap_or(self.busy);
        let news = all.saturating_sub(self.busy);
        self.busy = all;
        news
    }

    /// How it ended and what it said last, for the log. One that has not ended is killed.
    pub(super) async fn last_words(mut self) -> String {
        self.finish();
        let ending = async {
            let status = self.process.wait().await;
            while self.tasks.join_next().await.is_some() {}
            status
        };
        let ended = match timeout(EXIT_MAX, ending).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "still running".to_owned(),
        };
        format!("{ended}: {}", self.said.text())
    }
}

/// Before it has read anything: it waits for its input, which comes after this.
fn limit(pid: Pid) -> io::Result<()> {
    let limits = [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Nofile, FILES_MAX),
        // It writes to its pipes alone, to which this does not apply.
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(setpriority_process(Some(pid), NICENESS)?)
}

/// The time that cores worked for a process (`proc_pid_stat(5)`: `utime` and `stime`).
fn cpu_time(pid: Pid) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name before the parenthesis may have spaces; fields after it count from 3.
    let fields = stat.rsplit_once(')')?.1;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let hz = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_millis(ticks.saturating_mul(1_000) / hz))
}

async fn feed(mut stdin: ChildStdin, mut frames: mpsc::Receiver<Frame>, codec: Arc<Codec>, mut input: Input) {
    // What it does not take because it has ended is told by its output's end.
    if stdin.write_all(&Input::header(&codec)).await.is_err() {
        return;
    }
    while let Some(frame) = frames.recv().await {
        if stdin.write_all(&input.picture(&frame)).await.is_err() {
            return;
        }
    }
}

/// The end of what it said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<VecDeque<u8>>>);

impl Said {
    fn add(&self, bytes: &[u8]) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(bytes);
        let surplus = said.len().saturating_sub(SAID_BYTES_MAX);
        said.drain(..surplus);
    }

    /// In one line, with nothing that a terminal would obey.
    fn text(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = said.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().escape_debug().to_string()
    }
}

async fn listen(mut stderr: ChildStderr, said: Said) {
    let mut buffer = [0; 512];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        said.add(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use media::codec::vp8;

    use super::*;

    /// A shell in FFmpeg's place.
    fn child(script: &str) -> Child {
        let shell = Ffmpeg::find(Path::new("sh"), std::env::var_os("PATH")).expect("every system has one");
        let key = vp8::Keyframe { profile: 0, width: 160, height: 120 };
        let codec = Arc::new(Codec::Vp8(vp8::Params::from_keyframe(&key)));
        Child::start(&shell, &["-c".into(), script.into()], &codec, Timestamp::ZERO).expect("it starts")
    }

    async fn all(child: &mut Child) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let read = child.read().await.expect("a pipe can be read");
            if read.is_empty() {
                return all;
            }
            all.extend_from_slice(&read);
        }
    }

    #[tokio::test]
    async fn a_child_that_gives_up_at_once_has_its_last_words_told_without_control_characters() {
        let mut child = child("printf 'no codec \\033[31m here' >&2; exit 3");
        assert!(all(&mut child).await.is_empty());
        let words = child.last_words().await;
        assert!(words.starts_with("exit status: 3: no codec \\u{1b}[31m here"), "{words}");
    }

    #[tokio::test]
    async fn what_a_child_says_is_kept_within_limits() {
        let mut child = child("head -c 100000 /dev/zero | tr '\\0' x >&2; echo the end >&2");
        assert!(all(&mut child).await.is_empty());
        let words = child.last_words().await;
        assert!(words.ends_with("xxxthe end") && words.len() < 700, "{words}");
    }

    #[tokio::test]
    async fn a_child_has_limits_and_no_environment_but_path() {
        // Limits stand before the first byte of its input.
        let script = "head -c 1 >/dev/null; ulimit -v; ulimit -n; ulimit -c; ulimit -f; nice; pwd; env";
        let mut child = child(script);
        let said = String::from_utf8(all(&mut child).await).expect("text");
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[..6], ["2097152", "64", "0", "0", "5", "/"], "{said}");
        // The shell itself adds some.
        let known = ["PATH=", "PWD=", "_=", "SHLVL=", "OLDPWD="];
        let stranger = lines[6..].iter().find(|line| !known.iter().any(|name| line.starts_with(name)));
        assert_eq!(stranger, None, "{said}");
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_killed_when_it_is_let_go_of() {
        let child = child("exec sleep 1000");
        let stat = format!("/proc/{}/stat", child.pid.as_raw_nonzero());
        assert!(Path::new(&stat).exists());
        drop(child);
        let gone = async {
            // A zombie is dead too: it waits for its number to be taken back.
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.expect("it is gone");
    }

    #[tokio::test]
    async fn a_child_that_reads_nothing_makes_its_feeder_skip_and_never_wait() {
        let child = child("exec sleep 1000");
        let payload = vec![0; 64 << 10].into();
        let frame = Frame { dts: Timestamp::ZERO, cts: media::Span::ZERO, sync: true, payload };
        let taken = (0..2 * WAITING_MAX).take_while(|_| child.push(&frame)).count();
        assert!((WAITING_MAX..WAITING_MAX + 10).contains(&taken), "{taken}");
    }
}
