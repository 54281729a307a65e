//! Traces of sessions for an OpenTelemetry collector, where `telemetry.otlp_endpoint` names one: a span a publisher or
//! viewer, made when it is over, so that a session costs nothing while it lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::access::{self, Refused, Why};
use crate::config::Telemetry;
use crate::sessions::Session;

/// A collector that has not answered by then is not waited for; the spans of that batch are lost.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// What is still to be sent when the server stops gets this long.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Collectors answer with a few bytes; a longer answer is none of a collector.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// A collector that is down is told of once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Makes spans, or nothing.
#[derive(Clone, Default)]
pub struct Spans(Option<Arc<Exporting>>);

struct Exporting {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

impl std::fmt::Debug for Spans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Spans").field(&self.0.is_some()).finish()
    }
}

impl Spans {
    /// Sends to the collector of the configuration. Called within the runtime that is to do it.
    pub(crate) fn new(config: &Telemetry) -> Self {
        let Some(endpoint) = &config.otlp_endpoint else { return Self::default() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { runtime: Handle::current(), told: Mutex::new(None) })
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(ANSWER_PATIENCE)
            .build();
        let exporter = match exporter {
            Ok(exporter) => exporter,
            Err(error) => {
                tracing::error!(endpoint, %error, "no traces are sent");
                return Self::default();
            }
        };
        let service = Resource::builder()
            .with_service_name("openmic")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        // It keeps 2,048 spans at most, and drops what comes faster than the collector takes it.
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(service).build();
        let tracer = provider.tracer("openmic");
        Self(Some(Arc::new(Exporting { tracer, provider })))
    }

    /// A session is over.
    pub(crate) fn over(&self, session: &Session) {
        let Some(exporting) = &self.0 else { return };
        let now = SystemTime::now();
        let outcome = if session.is_kicked() { "kicked" } else { "ended" };
        let bytes = i64::try_from(session.bytes()).unwrap_or(i64::MAX);
        let mut attributes = vec![
            KeyValue::new("openmic.path", session.path.to_string()),
            KeyValue::new("openmic.protocol", session.protocol.name()),
            KeyValue::new("openmic.outcome", outcome),
            KeyValue::new("openmic.bytes", bytes),
        ];
        attributes.extend(session.peer.map(|peer| KeyValue::new("client.address", peer.ip().to_string())));
        let span = builder(session.action.name(), attributes).with_start_time(now - session.began.elapsed());
        span.start(&exporting.tracer).end_with_timestamp(now);
    }

    /// Somebody was not let in.
    pub(crate) fn refused(&self, request: &access::Request<'_>, refused: &Refused) {
        let Some(exporting) = &self.0 else { return };
        let why = match refused.why {
            Why::Unauthorized => "unauthorized",
            Why::Forbidden => "forbidden",
            Why::Unavailable => "unavailable",
            Why::TooMany { .. } => "too_many",
        };
        let mut attributes = vec![
            KeyValue::new("openmic.path", request.path.to_string()),
            KeyValue::new("openmic.protocol", request.protocol.name()),
            KeyValue::new("openmic.outcome", "refused"),
            KeyValue::new("error.type", why),
        ];
        attributes
            .extend(request.caller.peer.map(|peer| KeyValue::new("client.address", peer.ip().to_string())));
        let mut span = builder(request.action.name(), attributes).start(&exporting.tracer);
        // The words for whoever asked hold no secret (see `Refused`).
        span.set_status(Status::error(refused.detail.clone()));
        span.end();
    }

    /// Sends what is left.
    pub(crate) async fn finish(&self) {
        let Some(exporting) = self.0.clone() else { return };
        let last = move || exporting.provider.shutdown_with_timeout(LAST_PATIENCE);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(last).await {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn builder(name: &'static str, attributes: Vec<KeyValue>) -> SpanBuilder {
    SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes)
}

/// One connection a batch: batches are seconds apart. The exporter runs in a thread of its own, this in the runtime.
struct Client {
    runtime: Handle,
    told: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let uri = request.uri().clone();
        // Within a future of the runtime: to make a timeout already takes its clock.
        let sent = self.runtime.spawn(async { tokio::time::timeout(ANSWER_PATIENCE, send(request)).await });
        let answer = match sent.await {
            Ok(Ok(Ok(answer))) if answer.status().is_success() => return Ok(answer),
            Ok(Ok(answer)) => answer,
            Ok(Err(late)) => Err(late.into()),
            Err(panic) => Err(panic.into()),
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            *told = Some(Instant::now());
            let said = answer.as_ref().map_or_else(ToString::to_string, |answer| answer.status().to_string());
            tracing::warn!(collector = %uri, said, "traces are lost");
        }
        answer
    }
}

async fn send(mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let authority = request.uri().authority().ok_or("the collector's address names no host")?.clone();
    let at = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let stream = TokioIo::new(TcpStream::connect(at).await?);
    request.headers_mut().insert(header::HOST, authority.as_str().parse()?);
    *request.uri_mut() = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    // The connection ends with the exchange: nobody else is to own it.
    tokio::select! {
        answer = exchange => answer,
        broken = connection => Err(broken.err().map_or_else(|| "the collector closed".into(), Into::into)),
    }
}
