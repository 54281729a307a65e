//! One hook: what it wants to know, how it is called, and what its answers mean.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use axum::http::{Method, StatusCode};
use media::Path;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::body::{self, Origin};
use super::breaker::Breaker;
use super::queue::{Delivery, Queue, Retry};
use super::recent::Attempt;
use crate::config::{self, Format, Secret};
use crate::outbound::{Answer, Client, Request, Url};

/// Viewers who come all at once must not take every socket that the machine has. Beyond these they wait their turn, within
/// the hook's timeout.
const QUESTIONS_MAX: usize = 256;
/// A sentence, shown to whoever is refused.
const REASON_CHARS_MAX: usize = 200;

/// A hook of the configuration.
pub(super) struct Hook {
    pub(super) config: config::Hook,
    url: Url,
    secrets: Vec<Secret>,
    questions: Semaphore,
    breaker: Mutex<Breaker>,
    queue: Arc<Mutex<Queue>>,
}

/// The answer to a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 2xx, with the text that its body puts in the place of what was asked about.
    Yes(Option<String>),
    /// 4xx, with what its body says to whoever is refused.
    No(Option<String>),
    /// Anything else, or nothing; in words for the operator.
    Unclear(String),
}

impl Hook {
    /// `None` if its address is none, which [`Config::check`](config::Config::check) finds earlier. A hook that was there
    /// `before` goes on with its queue.
    pub(super) fn new(config: &config::Hook, before: Option<&Self>) -> Option<Self> {
        let url = config.url.parse().ok()?;
        let secrets = config.secrets().unwrap_or_else(|error| {
            // It was there a moment ago. Without it nothing is sent, and questions are answered by `on_failure`.
            tracing::error!("hooks: {error}");
            Vec::new()
        });
        let same = before.filter(|before| before.config.format == config.format);
        let queue = same.map(|before| Arc::clone(&before.queue)).unwrap_or_else(|| {
            let queue = Queue::new(Retry::of(config.format), fastrand::Rng::new());
            Arc::new(Mutex::new(queue))
        });
        let questions = Semaphore::new(QUESTIONS_MAX);
        Some(Self { config: config.clone(), url, secrets, questions, breaker: Mutex::default(), queue })
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// What one of them is owed the other delivers.
    pub(super) fn shares_queue(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is told, or asked, of this.
    pub(super) fn wants(&self, event: config::Event, path: &Path) -> bool {
        let apps = &self.config.apps;
        self.config.events.contains(&event) && (apps.is_empty() || apps.iter().any(|app| app == path.app()))
    }

    /// It is asked of this, and so not told of it.
    pub(super) fn is_asked(&self, event: config::Event) -> bool {
        use config::Event::{Chat, Play, Publish};
        self.config.veto && matches!(event, Publish | Play | Chat)
    }

    /// Asks it once, unless it has not answered for a while.
    pub(super) async fn ask(
        &self,
        client: &Client,
        origin: &Origin,
        delivery: &Delivery,
    ) -> (Verdict, Attempt) {
        let now = Instant::now();
        let asks = self.breaker().ask(now);
        if let Err(left) = asks {
            let why = format!("it has not answered lately and is asked again in {} s", left.as_secs() + 1);
            return (Verdict::Unclear(why), Attempt { http_status: None, error: None, took: now.elapsed() });
        }
        let (answer, attempt) = self.call(client, origin, delivery).await;
        let verdict = verdict(answer);
        self.breaker().handle(!matches!(verdict, Verdict::Unclear(_)), Instant::now());
        (verdict, attempt)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls it once. The error of the attempt is the caller's to decide: it is not every answer's.
    pub(super) async fn call(
        &self,
        client: &Client,
        origin: &Origin,
        delivery: &Delivery,
    ) -> (Result<Answer, String>, Attempt) {
        let began = Instant::now();
        let answer = self.exchange(client, origin, delivery).await;
        let http_status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
        (answer, Attempt { http_status, error: None, took: began.elapsed() })
    }

    async fn exchange(
        &self,
        client: &Client,
        origin: &Origin,
        delivery: &Delivery,
    ) -> Result<Answer, String> {
        let total = self.config.timeout();
        let first = self.secrets.first().ok_or("its secret cannot be read")?;
        let whole = async {
            let _turn = self.questions.acquire().await.map_err(|error| error.to_string())?;
            let now = SystemTime::now();
            let (headers, body) = match self.config.format {
                Format::Openmic => body::openmic(origin, delivery, &self.secrets, now),
                Format::Wechat => body::wechat(origin, &self.config.wechat, &delivery.event, (first, now)),
            };
            let request = Request { url: self.url.clone(), method: Method::POST, headers, body, total };
            client.send(&request).await.map_err(|error| error.to_string())
        };
        timeout(total, whole).await.map_err(|_| format!("no answer within {} ms", total.as_millis()))?
    }

    /// A notification was taken, or why not.
    pub(super) fn taken(&self, answer: Result<Answer, String>) -> Result<(), String> {
        let status = answer?.status;
        let is_taken = match self.config.format {
            Format::Openmic => status.is_success(),
            // The contract names this one alone; the body is of no interest to it.
            Format::Wechat => status == StatusCode::OK,
        };
        if is_taken { Ok(()) } else { Err(format!("it answered {status}")) }
    }
}

/// What an answer to a question means.
fn verdict(answer: Result<Answer, String>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Verdict::Unclear(error),
    };
    match answer.status {
        status if status.is_success() => Verdict::Yes(field(&answer.body, "text")),
        // Said of the request and not of who is asked about: it may do better later.
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS) => {
            Verdict::Unclear(format!("it answered {status}"))
        }
        status if status.is_client_error() => Verdict::No(reason(&answer.body)),
        status => Verdict::Unclear(format!("it answered {status}")),
    }
}

/// The text in this field of a JSON body. A body that is none, or has something else there, says nothing.
fn field(body: &[u8], name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get(name)?.as_str().map(str::to_owned)
}

/// The `reason` of a JSON body, as one line of text.
fn reason(body: &[u8]) -> Option<String> {
    let reason = field(body, "reason")?;
    // Controls, and what turns the direction of writing, are for terminals and pages to obey, not for us to pass on.
    let is_shown = |char: &char| {
        !char.is_control()
            && !matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text: String = reason.chars().filter(is_shown).take(REASON_CHARS_MAX).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn said(status: u16, body: &'static str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        verdict(Ok(Answer { status, body: Bytes::from_static(body.as_bytes()) }))
    }

    #[test]
    fn an_agreement_may_bring_another_text() {
        assert_eq!(said(200, "{\"text\":\"a *** word\"}"), Verdict::Yes(Some("a *** word".into())));
        assert_eq!(said(200, "{\"text\":null}"), Verdict::Yes(None));
    }

    #[test]
    fn two_hundreds_allow_four_hundreds_refuse_and_the_rest_says_nothing() {
        assert_eq!(said(204, ""), Verdict::Yes(None));
        assert_eq!(said(200, "<html>"), Verdict::Yes(None));
        assert_eq!(said(403, "{\"reason\":\"not yours\"}"), Verdict::No(Some("not yours".into())));
        assert_eq!(said(404, "<html>"), Verdict::No(None));
        for status in [301, 307, 408, 429, 500, 503] {
            assert!(matches!(said(status, "{\"reason\":\"x\"}"), Verdict::Unclear(_)), "{status}");
        }
    }

    #[test]
    fn a_reason_is_one_short_line_without_controls() {
        assert_eq!(reason(b"{\"reason\":\" a\\u001b[2J\\r\\nb\\u202ec \"}").as_deref(), Some("a[2Jbc"));
        assert_eq!(reason(b"{\"reason\":7}"), None);
        assert_eq!(reason(b"{\"reason\":\"\\n\"}"), None);
        assert_eq!(reason(b"[[[[[[[["), None);
        let long = format!("{{\"reason\":\"{}\"}}", "中".repeat(5_000));
        assert_eq!(reason(long.as_bytes()).unwrap().chars().count(), REASON_CHARS_MAX);
    }
}
