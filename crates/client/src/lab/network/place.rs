//! A network of our own: a thread that has left the machine's, and runs there what it is handed.
//!
//! Children that it starts and sockets that it opens are in that network. It has no name that could stay behind: the kernel
//! takes it away with the last thread and process in it.

use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use nix::sched::{CloneFlags, unshare};

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace.
pub(super) struct Place {
    /// `None` only while it is dropped.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Opens one, which has a loopback and nothing else.
    pub(super) fn open(name: &str) -> anyhow::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(1);
        let (tell, told) = sync_channel(1);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let left = unshare(CloneFlags::CLONE_NEWNET);
            let is_ours = left.is_ok();
            // Whoever asked has gone if nobody listens; then no job comes either.
            let _ = tell.send(left);
            if is_ours {
                waiting.into_iter().for_each(|job| job());
            }
        })?;
        told.recv().context("the thread of a network has ended")?.context(
            "making a network of its own; this takes the right CAP_SYS_ADMIN: run it as root, in a container with \
             --cap-add SYS_ADMIN --cap-add NET_ADMIN --device /dev/net/tun",
        )?;
        let place = Self { jobs: Some(jobs), thread: Some(thread) };
        place.ip(&["link", "set", "lo", "up"])?;
        Ok(place)
    }

    /// Runs `work` there and waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (tell, told) = sync_channel(1);
        let job: Job = Box::new(move || drop(tell.send(work())));
        let jobs = self.jobs.as_ref().context("the network is closing")?;
        jobs.send(job).ok().context("the thread of a network has ended")?;
        told.recv().context("what ran in the other network has panicked")
    }

    /// Runs the command `ip` there.
    pub(super) fn ip(&self, args: &[&str]) -> anyhow::Result<()> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let said = args.join(" ");
        let done = self.run(move || Command::new("ip").args(args).output())?;
        let done = done.context("starting `ip`; on Debian it is in the package iproute2")?;
        if !done.status.success() {
            bail!("ip {said}: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was told to whoever asked.
            drop(thread.join());
        }
    }
}
