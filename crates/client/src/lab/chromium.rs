//! A headless Chromium of our own, told what to do by the DevTools protocol over a pipe: no port, and nothing between.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::wall_micros;
use crate::url::Url;

/// It takes commands from descriptor 3 and answers on 4. A shell moves them there: nothing else of ours can without unsafe
/// code.
const WITH_PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// A browser in a network of ours must not outlive it, however this process ends.
const DIES_WITH_US: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];
/// Profiles are called so, with the number of the process whose browser's they are.
const PROFILE: &str = "openmic-lab-";
const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--mute-audio",
    "--window-size=800,600",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    // A server on loopback has no other candidate.
    "--allow-loopback-in-peer-connection",
];
/// For anything but what a page itself takes its time for.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// An answer holds some thousand pictures' times; beyond this it is none.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// A profile is gone after so many tries, two seconds, or it is swept away later.
const REMOVALS_MAX: usize = 40;
const REMOVE_EVERY: Duration = Duration::from_millis(50);
const LOADED_EVERY: Duration = Duration::from_millis(100);

/// A running browser; it ends with this.
pub(super) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    last: u64,
    // After the browser, which writes into it.
    profile: Profile,
}

/// A directory of its own, which goes with this.
struct Profile(PathBuf);

impl Drop for Profile {
    /// Processes of a browser that was killed write on for a moment.
    fn drop(&mut self) {
        for _ in 0..REMOVALS_MAX {
            drop(std::fs::remove_dir_all(&self.0));
            std::thread::sleep(REMOVE_EVERY);
            if !self.0.exists() {
                return;
            }
        }
    }
}

/// A page that is open.
#[derive(Clone, Debug)]
pub(super) struct Page {
    target: String,
    session: String,
}

impl Chromium {
    /// Starts `program` with a profile of its own.
    pub(super) async fn start(program: &Path) -> anyhow::Result<Self> {
        let mut browser = Self::spawn(program, &[])?;
        browser.greet(program).await?;
        Ok(browser)
    }

    /// Starts it with more flags, in the network of the thread that calls, which must be within a runtime. It dies with that
    /// thread. [`Chromium::greet`] tells whether it lives.
    pub(super) fn spawn(program: &Path, more: &[String]) -> anyhow::Result<Self> {
        let name = format!("{PROFILE}{}-{}", std::process::id(), wall_micros());
        let profile = Profile(std::env::temp_dir().join(name));
        let bound: &[&str] = if more.is_empty() { &[] } else { &DIES_WITH_US };
        let mut child = Command::new("sh")
            .args(["-c", WITH_PIPES])
            .args(bound)
            .arg(program)
            .args(FLAGS)
            .args(more)
            .arg(format!("--user-data-dir={}", profile.0.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let to = child.stdin.take().context("its standard input is ours")?;
        let from = BufReader::new(child.stdout.take().context("its standard output is ours")?);
        Ok(Self { child, to, from, last: 0, profile })
    }

    /// Waits until it answers.
    pub(super) async fn greet(&mut self, program: &Path) -> anyhow::Result<()> {
        let version = self.call("Browser.getVersion", json!({}), None);
        version
            .await
            .with_context(|| format!("{} as browser; `--browser none` does without", program.display()))?;
        Ok(())
    }

    /// Opens a page once it knows `element`, and runs `function` there with `argument`; what that returns comes back. It may
    /// take as long as `patience`.
    pub(super) async fn run(&mut self, page: &Url, work: Work<'_>) -> anyhow::Result<Value> {
        let opened = self.open(page, work.element).await?;
        let call = format!("({})({})", work.function, work.argument);
        let done = self.ask(&opened, &call, work.patience).await;
        self.close_page(opened).await?;
        done
    }

    /// Opens a page and waits until it knows `element`.
    pub(super) async fn open(&mut self, page: &Url, element: &str) -> anyhow::Result<Page> {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }), None).await?;
        let target = target["targetId"].as_str().context("a page without a name")?.to_owned();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = self.call("Target.attachToTarget", attach, None).await?;
        let session = session["sessionId"].as_str().context("a page without a session")?.to_owned();
        let opened = Page { target, session };
        match self.load(&opened, page, element).await {
            Ok(()) => Ok(opened),
            Err(why) => {
                self.close_page(opened).await?;
                Err(why)
            }
        }
    }

    /// Closes it.
    pub(super) async fn close_page(&mut self, page: Page) -> anyhow::Result<()> {
        self.call("Target.closeTarget", json!({ "targetId": page.target }), None).await.map(drop)
    }

    /// What an expression comes to there, awaited as long as `patience`.
    pub(super) async fn ask(
        &mut self,
        page: &Page,
        expression: &str,
        patience: Duration,
    ) -> anyhow::Result<Value> {
        let answered = timeout(patience, self.evaluate(&page.session, expression)).await;
        answered.context("the page took too long")?
    }

    async fn load(&mut self, opened: &Page, page: &Url, element: &str) -> anyhow::Result<()> {
        let session = &opened.session;
        // The page's own policy allows its own server alone, and another may be measured.
        self.call("Page.setBypassCSP", json!({ "enabled": true }), Some(session)).await?;
        let went = self.call("Page.navigate", json!({ "url": page.to_string() }), Some(session)).await?;
        if let Some(why) = went["errorText"].as_str() {
            bail!("opening {page}: {why}");
        }
        let known = format!("customElements.get({element:?}) !== undefined");
        let loading = async {
            while self.evaluate(session, &known).await? != Value::Bool(true) {
                sleep(LOADED_EVERY).await;
            }
            anyhow::Ok(())
        };
        let loaded = timeout(ANSWER_MAX, loading).await;
        loaded.with_context(|| format!("{page} does not know <{element}>"))?
    }

    async fn evaluate(&mut self, session: &str, expression: &str) -> anyhow::Result<Value> {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let id = self.send("Runtime.evaluate", params, Some(session)).await?;
        let mut answer = self.answer(id).await?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            let text = thrown["exception"]["description"].as_str().or(thrown["text"].as_str());
            bail!("in the browser: {}", text.unwrap_or("an error").lines().next().unwrap_or_default());
        }
        Ok(answer["result"]["value"].take())
    }

    async fn call(&mut self, method: &str, params: Value, session: Option<&str>) -> anyhow::Result<Value> {
        let id = self.send(method, params, session).await?;
        timeout(ANSWER_MAX, self.answer(id)).await.with_context(|| format!("{method}: no answer"))?
    }

    async fn send(&mut self, method: &str, params: Value, session: Option<&str>) -> anyhow::Result<u64> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        // Messages end with a zero.
        bytes.push(0);
        self.to.write_all(&bytes).await.context("telling the browser")?;
        self.to.flush().await.context("telling the browser")?;
        Ok(self.last)
    }

    /// The answer to what was sent as `id`; events on the way are of no interest.
    async fn answer(&mut self, id: u64) -> anyhow::Result<Value> {
        loop {
            let mut bytes = Vec::new();
            let read = self.from.read_until(0, &mut bytes).await.context("listening to the browser")?;
            if read == 0 {
                bail!("the browser has ended");
            }
            if read > ANSWER_BYTES_MAX {
                bail!("the browser says more than {ANSWER_BYTES_MAX} bytes at once");
            }
            let mut message: Value = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes))?;
            if message["id"].as_u64() != Some(id) {
                continue;
            }
            if let Some(why) = message["error"]["message"].as_str() {
                bail!("the browser refuses: {why}");
            }
            return Ok(message["result"].take());
        }
    }

    /// Ends it and takes its profile away.
    pub(super) async fn close(mut self) {
        let asked = self.send("Browser.close", json!({}), None).await;
        if asked.is_err() || timeout(ANSWER_MAX, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
        drop(self.profile);
    }
}

/// Takes away the profiles of processes that were killed before they could.
pub(super) fn sweep_profiles() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PROFILE)?.split('-').next());
        let is_stale = owner
            .is_some_and(|owner| owner.parse::<u32>().is_ok() && !Path::new("/proc").join(owner).exists());
        if is_stale {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// What a page is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    /// The element that it needs.
    pub(super) element: &'a str,
    /// A function's source.
    pub(super) function: &'a str,
    /// What it is called with.
    pub(super) argument: &'a Value,
    /// How long it may take.
    pub(super) patience: Duration,
}
