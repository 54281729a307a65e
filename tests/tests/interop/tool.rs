//! Programs of strangers: where they are, and how to run one with an end.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Between asking a program to stop and killing it: Chromium's driver closes its browser in this time.
const GRACE: Duration = Duration::from_secs(5);
/// What a program may print; a stranger that says more is stopped reading from, not from speaking.
const SAID_BYTES_MAX: u64 = 16 << 20;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository")
}

/// A program on the path, or what to install.
pub(crate) fn find(name: &str, package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing; remedy: apt-get install {package} (./dev test does)"))
}

/// The server and pusher under test: `OPENMIC_BIN`, or what `cargo build` made last.
pub(crate) fn openmic() -> PathBuf {
    if let Some(named) = env::var_os("OPENMIC_BIN") {
        return named.into();
    }
    // Beside this test: target/debug/deps/interop-….
    let test = env::current_exe().expect("this program has a path");
    let built = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").join("openmic");
    assert!(built.is_file(), "no openmic binary; remedy: cargo build -p openmic, or set OPENMIC_BIN");
    built
}

/// FFmpeg 7.1 or newer: `OPENMIC_FFMPEG`, or the one `./dev test` keeps.
pub(crate) fn new_ffmpeg() -> PathBuf {
    if let Some(named) = env::var_os("OPENMIC_FFMPEG") {
        return named.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let libraries = cache.unwrap_or_default().join("openmic/ffmpeg/lib");
    let entries = |dir: PathBuf| dir.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    entries(libraries)
        .flat_map(|python| entries(python.join("site-packages/imageio_ffmpeg/binaries")))
        .find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-")))
        .expect("no FFmpeg 7.1 or newer; remedy: ./dev test installs one, or set OPENMIC_FFMPEG")
}

/// WebKitGTK's own small browser, which no package puts on the path.
pub(crate) fn mini_browser() -> PathBuf {
    let places = ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf", "riscv64-linux-gnu"];
    places
        .iter()
        .map(|place| PathBuf::from(format!("/usr/lib/{place}/webkit2gtk-4.1/MiniBrowser")))
        .find(|file| file.is_file())
        .expect("MiniBrowser is missing; remedy: apt-get install libwebkit2gtk-4.1-0 (./dev test does)")
}

/// A child that does not outlive its owner.
pub(crate) struct Running(Child);

impl Running {
    /// Starts `command` with its output into files below `dir`, named after `name`.
    pub(crate) fn start(command: &mut Command, dir: &Path, name: &str) -> Self {
        let out =
            File::create(dir.join(format!("{name}.out"))).expect("the test's own directory is writable");
        let err =
            File::create(dir.join(format!("{name}.err"))).expect("the test's own directory is writable");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits for its end; true when it ended by itself within `limit`.
    fn ends_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.runs() {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Asks it to stop; whoever does not is killed.
    fn stop(&mut self) {
        if !self.runs() {
            return;
        }
        // The standard library can only kill, and a driver of browsers must close them first.
        let asked = Command::new("kill").arg(self.0.id().to_string()).stderr(Stdio::null()).status();
        if asked.is_err() || !self.ends_within(GRACE) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a program left behind.
pub(crate) struct Said {
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    /// It was still running at its limit, and was stopped.
    pub(crate) stopped: bool,
}

/// Runs `command` to its end, or stops it after `limit`.
pub(crate) fn run(command: &mut Command, dir: &Path, name: &str, limit: Duration) -> Said {
    let mut running = Running::start(command, dir, name);
    let stopped = !running.ends_within(limit);
    drop(running);
    Said { out: read(&dir.join(format!("{name}.out"))), err: read(&dir.join(format!("{name}.err"))), stopped }
}

/// The text of a file a stranger wrote; nothing when it never did.
pub(crate) fn read(file: &Path) -> String {
    let mut bytes = vec![];
    if let Ok(file) = File::open(file) {
        drop(file.take(SAID_BYTES_MAX).read_to_end(&mut bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
