//! A receiver of webhooks that answers as a test decides: at once, late, wrongly, or without end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use server::config::{Event, Format, Hook, OnFailure, Secret, Wechat};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::rtmp::PATIENCE;

/// What hooks of these tests are signed with.
pub const SECRET: &str = "a secret of the tests";

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Request line and header lines.
    pub head: String,
    /// As it was sent.
    pub body: String,
}

impl Call {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("hooks send JSON")
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    /// `event` and `protocol`.
    pub fn what(&self) -> (String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (text("event"), text("protocol"))
    }

    /// The value of a header line.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// One of its signatures is right for this secret.
    pub fn is_signed(&self, secret: &str) -> bool {
        let signature = self.header("openmic-signature").expect("it is signed");
        let (time, signatures) =
            signature.strip_prefix("t=").and_then(|s| s.split_once(',')).expect("a time");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{time}.{}", self.body).as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        signatures.split(',').any(|signature| signature == format!("v1={hex}"))
    }
}

/// How a call is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole answer with this status and body.
    Status(u16, String),
    /// These bytes, then the end.
    Raw(Vec<u8>),
    /// These bytes, and then others for as long as somebody reads.
    Endless(Vec<u8>),
    /// Nothing, on a connection that stays.
    Silence,
}

impl Reply {
    /// It is well.
    pub fn ok() -> Self {
        Self::Status(200, "{\"code\":0}".into())
    }

    /// No, and why.
    pub fn no(reason: &str) -> Self {
        Self::Status(403, serde_json::json!({ "reason": reason }).to_string())
    }
}

type Decide = dyn Fn(&Call) -> Reply + Send + Sync;

/// The receiver; it ends with this value.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    decide: Arc<Mutex<Arc<Decide>>>,
    calls: mpsc::UnboundedReceiver<Call>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    /// One that answers each call as `decide` says.
    pub async fn start(decide: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port 0 is free");
        let address = listener.local_addr().expect("it is bound");
        let (sender, calls) = mpsc::unbounded_channel();
        let decide: Arc<Mutex<Arc<Decide>>> = Arc::new(Mutex::new(Arc::new(decide)));
        let shared = Arc::clone(&decide);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, sender.clone(), Arc::clone(&shared)));
            }
        });
        Self { address, decide, calls, serving }
    }

    /// Answers otherwise from now on.
    pub fn decide(&self, decide: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        *self.decide.lock().expect("nobody panicked") = Arc::new(decide);
    }

    /// The next call.
    pub async fn call(&mut self) -> Call {
        timeout(PATIENCE, self.calls.recv()).await.expect("the hook calls").expect("the receiver runs")
    }

    /// The next call of this event and protocol; others are passed over.
    pub async fn call_of(&mut self, event: &str, protocol: &str) -> Call {
        loop {
            let call = self.call().await;
            if call.what() == (event.to_owned(), protocol.to_owned()) {
                return call;
            }
        }
    }

    /// What has come and was not looked at yet.
    pub fn left(&mut self) -> Vec<Call> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }

    /// A hook that calls it.
    pub fn hook(&self, name: &str, events: &[Event]) -> Hook {
        hook(name, &format!("http://{}/hook", self.address), events)
    }
}

/// A hook of these tests at this address.
pub fn hook(name: &str, url: &str, events: &[Event]) -> Hook {
    Hook {
        name: name.into(),
        url: url.into(),
        events: events.to_vec(),
        apps: Vec::new(),
        veto: false,
        on_failure: OnFailure::Refuse,
        timeout_ms: None,
        secret: Some(Secret::new(SECRET)),
        secret_previous: None,
        secret_file: None,
        format: Format::Openmic,
        wechat: Wechat::default(),
    }
}

async fn answer(mut stream: TcpStream, calls: mpsc::UnboundedSender<Call>, decide: Arc<Mutex<Arc<Decide>>>) {
    let Some(call) = read(&mut stream).await else { return };
    let decide = Arc::clone(&decide.lock().expect("nobody panicked"));
    let reply = decide(&call);
    // The test may have looked at all it wanted.
    let _ = calls.send(call);
    let sent = match reply {
        Reply::Status(status, body) => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}");
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await,
        Reply::Endless(bytes) => {
            let mut sent = stream.write_all(&bytes).await;
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 4_096]).await;
            }
            sent
        }
        Reply::Silence => stream.read_u8().await.map(drop),
    };
    // Whoever has gone has gone.
    let _ = sent;
}

async fn read(stream: &mut TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let call = Call { head, body: String::new() };
            let length: usize = call.header("content-length")?.parse().ok()?;
            if let Some(body) = bytes.get(end + 4..end + 4 + length) {
                return Some(Call { body: String::from_utf8(body.to_vec()).ok()?, ..call });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
