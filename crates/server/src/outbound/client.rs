//! One guarded HTTP/1.1 request: resolved, judged, connected, asked and answered within limits.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::{Class, judge};
use super::tls;
use super::url::Url;

/// An answer that says yes or no, and why, needs no more.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;
/// As much as other servers send at most.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Far more than any server of webhooks sends.
const HEADER_LINES_MAX: usize = 64;
/// A name with more addresses is tried at the first of them.
const ADDRESSES_MAX: usize = 4;
/// One address that swallows packets must not use up the time of the next.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// The system's resolver blocks a thread for as long as it likes, even when nobody waits for it any more.
const LOOKUPS_MAX: usize = 32;

/// Makes calls, as far as the configuration allows.
pub struct Client {
    allowed: Vec<IpNet>,
    ca: Option<PathBuf>,
    tls: OnceCell<TlsConnector>,
    lookups: Semaphore,
    resolver: Resolver,
}

/// Who knows the addresses of a name.
enum Resolver {
    System,
    #[cfg(test)]
    Fixed(tests::Answers),
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where.
    pub url: Url,
    /// `POST` for hooks.
    pub method: Method,
    /// Header lines beside `Host` and `User-Agent`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// All of it.
    pub body: Bytes,
    /// From now to the end of the answer.
    pub total: Duration,
}

/// What came back, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Of the final answer; 3xx are not followed.
    pub status: StatusCode,
    /// At most 64 KiB.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name has no address, or nobody says.
    #[error("{host} cannot be resolved: {error}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        error: io::Error,
    },
    /// Every address of the name is one that must not be called.
    #[error(
        "{host} is {address}, a {} address; to call it, add it to outbound.allow", class.name()
    )]
    Forbidden {
        /// The name.
        host: String,
        /// The first of its addresses.
        address: IpAddr,
        /// What is wrong with it.
        class: Class,
    },
    /// Nobody listens, or the network does not lead there.
    #[error("{address} cannot be connected to: {error}")]
    Connect {
        /// The last address that was tried.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// No encrypted connection to whom the address names.
    #[error("no TLS with {host}: {error}")]
    Tls {
        /// The name.
        host: String,
        /// Why not.
        error: io::Error,
    },
    /// What came back is no HTTP, or broke off.
    #[error("no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    /// The body broke off or is longer than 64 KiB.
    #[error("the answer's body is cut off or longer than {BODY_BYTES_MAX} bytes: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// All of it took too long.
    #[error("no whole answer within {} ms", .0.as_millis())]
    Timeout(Duration),
}

impl Client {
    /// Calls public addresses, and those in `allowed`. Beside this machine's certificate authorities those of the PEM
    /// file `ca` are believed.
    pub fn new(allowed: Vec<IpNet>, ca: Option<PathBuf>) -> Self {
        Self {
            allowed,
            ca,
            tls: OnceCell::new(),
            lookups: Semaphore::new(LOOKUPS_MAX),
            resolver: Resolver::System,
        }
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// [`Error`], in words for the operator: they may name addresses of the inner network.
    pub async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let total = request.total;
        timeout(total, self.exchange(request)).await.map_err(|_| Error::Timeout(total))?
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, Error> {
        let url = &request.url;
        let stream = self.connect(url).await?;
        if !url.is_tls {
            return ask(stream, request).await;
        }
        let failed = |error| Error::Tls { host: url.host.clone(), error };
        let connector = self.tls.get_or_try_init(|| self.connector()).await.map_err(failed)?;
        let name = ServerName::try_from(url.host.clone()).map_err(|error| failed(io::Error::other(error)))?;
        let stream = connector.connect(name, stream).await.map_err(failed)?;
        ask(stream, request).await
    }

    async fn connector(&self) -> io::Result<TlsConnector> {
        let ca = self.ca.clone();
        // It reads files.
        tokio::task::spawn_blocking(|| tls::connector(ca)).await?
    }

    /// A connection to the first address that may be called and answers.
    async fn connect(&self, url: &Url) -> Result<TcpStream, Error> {
        let mut last = None;
        for address in self.addresses(url).await?.into_iter().take(ADDRESSES_MAX) {
            match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // One small request at a time: waiting to fill a segment only delays it.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = Some(Error::Connect { address, error }),
                Err(_) => last = Some(Error::Connect { address, error: io::ErrorKind::TimedOut.into() }),
            }
        }
        Err(last.expect("there is an address, or `addresses` had failed"))
    }

    /// The addresses of a name that may be called; at least one.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Error> {
        let host = &url.host;
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, url.port)],
            Err(_) => self
                .resolve(host, url.port)
                .await
                .map_err(|error| Error::Resolve { host: host.clone(), error })?,
        };
        let mut forbidden = None;
        let mut allowed = Vec::new();
        for found in found {
            match judge(found.ip(), &self.allowed) {
                Ok(()) => allowed.push(found),
                Err(class) => forbidden = forbidden.or(Some((found.ip(), class))),
            }
        }
        match (allowed.is_empty(), forbidden) {
            (false, _) => Ok(allowed),
            (true, Some((address, class))) => Err(Error::Forbidden { host: host.clone(), address, class }),
            (true, None) => {
                Err(Error::Resolve { host: host.clone(), error: io::Error::other("it has no address") })
            }
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let _turn = self.lookups.acquire().await.map_err(io::Error::other)?;
        match &self.resolver {
            Resolver::System => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            #[cfg(test)]
            Resolver::Fixed(answers) => Ok(answers.next(port)),
        }
    }
}

/// Asks on a connection that is used for nothing else and closed behind the answer.
async fn ask<S>(stream: S, request: &Request) -> Result<Answer, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADER_LINES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let sent = head(request);
    let exchange = async {
        let response = sender.send_request(sent).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX);
        let body = body.collect().await.map_err(Error::Body)?.to_bytes();
        Ok(Answer { status, body })
    };
    // The connection moves the bytes; its end, good or bad, is told by the exchange.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = driven => match never {},
    }
}

fn head(request: &Request) -> axum::http::Request<Full<Bytes>> {
    let mut sent = axum::http::Request::new(Full::new(request.body.clone()));
    *sent.method_mut() = request.method.clone();
    *sent.uri_mut() = request.url.target.parse().expect("a target that was part of an address is one");
    let headers = sent.headers_mut();
    let host = HeaderValue::from_str(&request.url.authority).expect("an authority has no odd characters");
    headers.insert(header::HOST, host);
    headers
        .insert(header::USER_AGENT, HeaderValue::from_static(concat!("openmic/", env!("CARGO_PKG_VERSION"))));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in &request.headers {
        headers.insert(name.clone(), value.clone());
    }
    sent
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A name's server that gives another answer each time it is asked.
    pub(super) struct Answers(Mutex<Vec<Vec<IpAddr>>>, AtomicUsize);

    impl Answers {
        pub(super) fn next(&self, port: u16) -> Vec<SocketAddr> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let answer = self.0.lock().unwrap().remove(0);
            answer.into_iter().map(|address| SocketAddr::new(address, port)).collect()
        }
    }

    fn answering(answers: &[&[&str]], allowed: &[&str]) -> Client {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let answers = Answers(Mutex::new(answers.iter().map(parse).collect()), AtomicUsize::new(0));
        let allowed = allowed.iter().map(|net| net.parse().unwrap()).collect();
        Client { resolver: Resolver::Fixed(answers), ..Client::new(allowed, None) }
    }

    fn request(url: &str) -> Request {
        let total = Duration::from_secs(5);
        let (method, headers) = (Method::POST, Vec::new());
        Request { url: url.parse().unwrap(), method, headers, body: Bytes::from_static(b"{}"), total }
    }

    /// Answers every connection with these bytes, and counts connections.
    async fn serve(answer: &'static [u8]) -> (SocketAddr, std::sync::Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut buffer = [0; 4_096];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(answer).await;
                });
            }
        });
        (address, count)
    }

    const YES: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_called_unless_that_is_allowed() {
        let (address, calls) = serve(YES).await;
        let url = format!("http://inner.example:{}/", address.port());
        let refused = answering(&[&["127.0.0.1"]], &[]).send(&request(&url)).await;
        assert!(matches!(refused, Err(Error::Forbidden { class: Class::Loopback, .. })), "{refused:?}");
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        let answer = answering(&[&["127.0.0.1"]], &["127.0.0.1/32"]).send(&request(&url)).await.unwrap();
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, &b"ok"[..]));
    }

    #[tokio::test]
    async fn of_several_addresses_only_those_that_may_be_are_tried() {
        let (address, calls) = serve(YES).await;
        let url = format!("http://both.example:{}/", address.port());
        // The metadata service first, as whoever sets a trap would.
        let answers = [&["169.254.169.254", "::1", "127.0.0.1"][..]];
        let client = answering(&answers, &["127.0.0.1/32"]);
        assert_eq!(client.addresses(&url.parse().unwrap()).await.unwrap(), [address]);
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_name_is_resolved_once_so_that_its_second_answer_misleads_nobody() {
        let (address, calls) = serve(YES).await;
        // 127.0.0.3 stands for the public address that is judged: nothing listens there.
        let client = answering(&[&["127.0.0.3"], &["127.0.0.1"]], &["127.0.0.3/32"]);
        let url = format!("http://rebinding.example:{}/", address.port());
        let refused = client.send(&request(&url)).await;
        assert!(matches!(refused, Err(Error::Connect { .. })), "{refused:?}");
        let Resolver::Fixed(answers) = &client.resolver else { unreachable!() };
        assert_eq!((answers.1.load(Ordering::Relaxed), calls.load(Ordering::Relaxed)), (1, 0));
    }

    #[tokio::test]
    async fn addresses_in_odd_notations_are_judged_by_what_they_mean() {
        let client = Client::new(Vec::new(), None);
        for host in ["127.0.0.1", "[::1]", "[::ffff:169.254.169.254]", "2130706433", "0x7f.1", "0177.0.0.1"] {
            let refused = client.send(&request(&format!("http://{host}:9/"))).await;
            // Some systems' resolvers do not know the last three, which is as good.
            let is_refused = matches!(refused, Err(Error::Forbidden { .. } | Error::Resolve { .. }));
            assert!(is_refused, "{host}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let (inner, calls) = serve(YES).await;
        let location = format!("HTTP/1.1 307 T\r\nlocation: http://{inner}/\r\ncontent-length: 0\r\n\r\n");
        let (address, _) = serve(Box::leak(location.into_bytes().into_boxed_slice())).await;
        let client = Client::new(vec!["127.0.0.1/32".parse().unwrap()], None);
        let answer = client.send(&request(&format!("http://{address}/"))).await.unwrap();
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(calls.load(Ordering::Relaxed), 0, "the target was called");
    }

    #[tokio::test]
    async fn answers_without_end_or_of_no_form_are_errors() {
        let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(HEAD_BYTES_MAX));
        let lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(HEADER_LINES_MAX + 1));
        let body = format!("HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n{}", "y".repeat(70_000));
        let cases: [Vec<u8>; 6] = [
            head.into_bytes(),
            lines.into_bytes(),
            body.into_bytes(),
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok".to_vec(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok".to_vec(),
        ];
        let client = Client::new(vec!["127.0.0.1/32".parse().unwrap()], None);
        for case in cases {
            let shown = String::from_utf8_lossy(&case[..case.len().min(40)]).into_owned();
            let (address, _) = serve(Box::leak(case.into_boxed_slice())).await;
            let answer = client.send(&request(&format!("http://{address}/"))).await;
            assert!(matches!(answer, Err(Error::Http(_) | Error::Body(_))), "{shown}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn a_receiver_that_says_nothing_costs_the_time_that_was_set_and_no_more() {
        let (address, _) = serve(b"").await;
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(vec!["127.0.0.1/32".parse().unwrap()], None);
        let mut asked = request(&format!("http://{}/", silent.local_addr().unwrap()));
        asked.total = Duration::from_millis(50);
        assert!(matches!(client.send(&asked).await, Err(Error::Timeout(_))));
        let closed = client.send(&request(&format!("http://{address}/"))).await;
        assert!(matches!(closed, Err(Error::Http(_))), "{closed:?}");
    }
}
