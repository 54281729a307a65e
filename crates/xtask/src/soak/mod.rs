//! Long load with random faults: publishers and viewers come, are killed, are frozen, and the server must end as
//! small as it was, with no panic, and stop cleanly.
//!
//! Drives the real binary (`OPENMIC_BIN`) through its command line, so it sees what an operator sees.

mod judge;
mod random;
mod server;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::Context;

use random::Random;
use server::Server;

/// Publishers at a time, each on a path of its own.
const PUBLISHERS: usize = 6;
/// Viewers at a time.
const VIEWERS: usize = 30;
/// What publishers send, relative to the root: groups of two and five seconds, B-frames, sound alone.
const CLIPS: &[&str] = &[
    "crates/server/assets/demo.flv",
    "tests/fixtures/h264_bframes_aac.flv",
    "tests/fixtures/long_gop.flv",
    "tests/fixtures/aac_only.flv",
    "tests/fixtures/resolution_change.flv",
];
/// One fault each.
const FAULT_EVERY: Duration = Duration::from_millis(500);
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Longer than the grace time of a publisher, so that what a session held has been given back.
const SETTLE: Duration = Duration::from_secs(30);

/// Runs for `minutes` with the faults that `seed` draws, and says what the server grew by.
///
/// # Errors
/// When the server cannot be run, dies, panics, leaks, or does not stop in time.
pub fn run(minutes: u64, seed: u64) -> anyhow::Result<()> {
    println!("soak: seed {seed}; the same seed draws the same faults");
    let mut random = Random::new(seed);
    let mut server = Server::start()?;
    let idle = server.sample()?;
    let mut publishers = (0..PUBLISHERS).map(|n| publisher(&server, n)).collect::<Result<Vec<_>, _>>()?;
    let mut viewers = (0..VIEWERS).map(|_| viewer(&server, &mut random)).collect::<Result<Vec<_>, _>>()?;
    let mut samples = vec![];
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut sample_at = Instant::now();
    while Instant::now() < end {
        thread::sleep(FAULT_EVERY);
        fault(&server, &mut random, &mut publishers, &mut viewers)?;
        if Instant::now() >= sample_at {
            samples.push(server.sample().context("the server is gone")?);
            sample_at += SAMPLE_EVERY;
        }
    }
    drop((publishers, viewers));
    thread::sleep(SETTLE);
    let settled = server.sample()?;
    server.stop()?;
    judge::judge(idle, &samples, settled)
}

/// One random fault: mostly a viewer or publisher killed and replaced, sometimes a viewer frozen for a while.
fn fault(
    server: &Server,
    random: &mut Random,
    publishers: &mut [Peer],
    viewers: &mut [Peer],
) -> anyhow::Result<()> {
    match random.below(10) {
        0 => {
            let n = random.below(publishers.len());
            // Dropped first: a publisher that vanishes and one that takes over are both wanted, at random.
            if random.below(2) == 0 {
                publishers[n].kill();
            }
            publishers[n] = publisher(server, n)?;
        }
        1..=6 => viewers[random.below(VIEWERS)] = viewer(server, random)?,
        7 | 8 => viewers[random.below(VIEWERS)].signal("STOP")?,
        _ => viewers.iter().try_for_each(|viewer| viewer.signal("CONT"))?,
    }
    Ok(())
}

fn publisher(server: &Server, n: usize) -> anyhow::Result<Peer> {
    let clip = crate::tidy::root().join(CLIPS[n % CLIPS.len()]);
    let address = format!("rtmp://{}/live/soak{n}", server.rtmp);
    Peer::start(Command::new(binary()).arg("push").arg(clip).arg(address))
}

fn viewer(server: &Server, random: &mut Random) -> anyhow::Result<Peer> {
    let path = format!("live/soak{}", random.below(PUBLISHERS));
    let address = match random.below(5) {
        0 => format!("rtmp://{}/{path}", server.rtmp),
        1 => format!("ws://{}/{path}.flv", server.http),
        2 => format!("http://{}/{path}.m3u8", server.http),
        3 => format!("http://{}/{path}.flv?latency_ms=100", server.http),
        _ => format!("http://{}/{path}.flv", server.http),
    };
    Peer::start(Command::new(binary()).arg("play").arg(address))
}

/// The binary under load.
fn binary() -> std::ffi::OsString {
    env::var_os("OPENMIC_BIN").unwrap_or_else(|| "openmic".into())
}

/// A publisher or viewer, killed when dropped.
struct Peer(Child);

impl Peer {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(quiet.spawn().context("starting a peer; is OPENMIC_BIN set?")?))
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(&self.0, name)
    }

    /// A peer that already ended is as gone as one wants it.
    fn kill(&mut self) {
        if self.0.kill().is_ok() {
            drop(self.0.wait());
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by name; to a process that has ended but not been waited for it does nothing.
fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status()?;
    anyhow::ensure!(status.success(), "kill -{name}: {status}");
    Ok(())
}
