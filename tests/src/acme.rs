//! A small ACME directory (RFC 8555) that believes nothing: it checks every signature and nonce, validates by TLS-ALPN-01
//! (RFC 8737) against the server under test, and signs what was asked for.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair,
    SanType,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::tls::{Identity, any_certificate};

/// A running directory; it ends with the test.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    identity: Identity,
    issuer: CertifiedIssuer<'static, KeyPair>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nonces: HashSet<String>,
    nonces_made: usize,
    /// Where names lead, in place of DNS.
    validate_at: Option<SocketAddr>,
    account: Option<Value>,
    domains: Vec<String>,
    valid: HashSet<String>,
    polled_after_finalize: bool,
    certificate: Option<String>,
    issued: usize,
    wrong: Vec<String>,
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// What a signed request says.
struct Signed {
    payload: Vec<u8>,
    key: Value,
    has_account: bool,
}

const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";

impl Directory {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let address = listener.local_addr().expect("it listens");
        let identity = Identity::new();
        let acceptor = identity.acceptor();
        let inner = Arc::new(Inner { address, identity, issuer, state: Mutex::default() });
        let directory = Self(inner);
        let serving = directory.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().connection(stream, acceptor.clone()));
            }
        });
        directory
    }

    /// `tls.acme_directory`.
    pub fn url(&self) -> String {
        self.at("directory")
    }

    /// `tls.acme_root`.
    pub fn root(&self) -> PathBuf {
        self.0.identity.certificate_file()
    }

    /// By whom its certificates are signed.
    pub fn authority(&self) -> CertificateDer<'static> {
        self.0.issuer.der().clone()
    }

    /// Every name leads there from now on.
    pub fn validate_at(&self, server: SocketAddr) {
        self.state(|state| state.validate_at = Some(server));
    }

    /// Certificates signed so far.
    pub fn issued(&self) -> usize {
        self.state(|state| state.issued)
    }

    /// What a client did that RFC 8555 forbids.
    pub fn wrong(&self) -> Vec<String> {
        self.state(|state| state.wrong.clone())
    }

    fn at(&self, what: &str) -> String {
        format!("https://localhost:{}/{what}", self.0.address.port())
    }

    fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.lock().expect("no test panics while it holds it"))
    }

    async fn connection(self, stream: TcpStream, acceptor: TlsAcceptor) {
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let Some(request) = read(&mut stream).await else { return };
        let answer = self.answer(&request).await.unwrap_or_else(|why| {
            self.state(|state| state.wrong.push(format!("{} {}: {why}", request.method, request.path)));
            let body = json!({ "type": "urn:ietf:params:acme:error:malformed", "detail": why });
            Answer { status: 400, headers: Vec::new(), body: body.to_string() }
        });
        let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Replay-Nonce: {}\r\n", self.nonce()));
        head.push_str(&format!("Content-Length: {}\r\n\r\n{}", answer.body.len(), answer.body));
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    fn nonce(&self) -> String {
        self.state(|state| {
            state.nonces_made += 1;
            let nonce = format!("nonce{}", state.nonces_made);
            state.nonces.insert(nonce.clone());
            nonce
        })
    }

    async fn answer(&self, request: &Request) -> Result<Answer, String> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/directory") => {
                let (nonce, account, order) = (self.at("nonce"), self.at("account"), self.at("order"));
                return Ok(ok(json!({ "newNonce": nonce, "newAccount": account, "newOrder": order })));
            }
            ("HEAD", "/nonce") => {
                return Ok(Answer { status: 200, headers: Vec::new(), body: String::new() });
            }
            _ => {}
        }
        let signed = self.verify(request)?;
        if request.path == "/account" {
            return self.new_account(&signed);
        }
        if !signed.has_account {
            return Err("signed by no account".into());
        }
        let payload = || serde_json::from_slice::<Value>(&signed.payload).map_err(|error| error.to_string());
        match request.path.as_str() {
            "/order" => self.new_order(&payload()?),
            "/order/1" => Ok(ok(self.order())),
            "/finalize" => self.finalize(&payload()?),
            "/certificate" => {
                let pem = self.state(|state| state.certificate.clone()).ok_or("there is none yet")?;
                Ok(Answer { status: 200, headers: Vec::new(), body: pem })
            }
            path => {
                let (what, domain) = path[1..].split_once('/').ok_or("no such resource")?;
                if what == "challenge" {
                    self.validate(domain, &signed.key).await?;
                }
                Ok(ok(self.authorization(domain)))
            }
        }
    }

    /// RFC 8555 §6.2 to §6.5.
    fn verify(&self, request: &Request) -> Result<Signed, String> {
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let part = |name: &str| body[name].as_str().unwrap_or_default();
        let header: Value =
            serde_json::from_slice(&decoded(part("protected"))?).map_err(|error| error.to_string())?;
        let nonce = header["nonce"].as_str().unwrap_or_default();
        if !self.state(|state| state.nonces.remove(nonce)) {
            return Err(format!("nonce {nonce} is none of ours, or was used before"));
        }
        if header["url"] != self.at(&request.path[1..]) || header["alg"] != "ES256" {
            return Err(format!("wrong header {header}"));
        }
        let has_account = header.get("kid").is_some();
        let key = match has_account {
            true if header["kid"] == self.at("account/1") => {
                self.state(|state| state.account.clone()).ok_or("no such account")?
            }
            true => return Err("no such account".into()),
            false => header["jwk"].clone(),
        };
        let coordinate = |name: &str| decoded(key[name].as_str().unwrap_or_default());
        let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
        let said = format!("{}.{}", part("protected"), part("payload"));
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(said.as_bytes(), &decoded(part("signature"))?)
            .map_err(|_| "a signature that is not of this key")?;
        Ok(Signed { payload: decoded(part("payload"))?, key, has_account })
    }

    fn new_account(&self, signed: &Signed) -> Result<Answer, String> {
        let asked: Value = serde_json::from_slice(&signed.payload).map_err(|error| error.to_string())?;
        if asked["termsOfServiceAgreed"] != true || asked["contact"] != json!(["mailto:ops@live.example"]) {
            return Err(format!("account {asked}"));
        }
        let known = self.state(|state| state.account.replace(signed.key.clone()));
        let status = if known.is_some() { 200 } else { 201 };
        let headers = vec![("Location", self.at("account/1"))];
        Ok(Answer { status, headers, body: json!({ "status": "valid" }).to_string() })
    }

    fn new_order(&self, asked: &Value) -> Result<Answer, String> {
        let identifiers = asked["identifiers"].as_array().ok_or("no identifiers")?;
        let domain = |identifier: &Value| identifier["value"].as_str().unwrap_or_default().to_owned();
        let domains = identifiers.iter().map(domain).collect();
        self.state(|state| {
            (state.domains, state.certificate, state.polled_after_finalize) = (domains, None, false);
            state.valid.clear();
        });
        let headers = vec![("Location", self.at("order/1"))];
        Ok(Answer { status: 201, headers, body: self.order().to_string() })
    }

    fn order(&self) -> Value {
        let (domains, status) = self.state(|state| {
            let all_valid = state.domains.iter().all(|domain| state.valid.contains(domain));
            let status = match (all_valid, state.certificate.is_some()) {
                (false, _) => "pending",
                (true, false) => "ready",
                // Signing takes a while at a directory that has much to do.
                (true, true) if !std::mem::replace(&mut state.polled_after_finalize, true) => "processing",
                (true, true) => "valid",
            };
            (state.domains.clone(), status)
        });
        let authorizations: Vec<_> =
            domains.iter().map(|domain| self.at(&format!("authorization/{domain}"))).collect();
        let mut order =
            json!({ "status": status, "authorizations": authorizations, "finalize": self.at("finalize") });
        if status == "valid" {
            order["certificate"] = self.at("certificate").into();
        }
        order
    }

    fn authorization(&self, domain: &str) -> Value {
        let status = if self.state(|state| state.valid.contains(domain)) { "valid" } else { "pending" };
        json!({
            "status": status,
            "identifier": { "type": "dns", "value": domain },
            "challenges": [
                { "type": "dns-01", "url": self.at("nowhere/x"), "token": TOKEN, "status": "pending" },
                { "type": "tls-alpn-01", "url": self.at(&format!("challenge/{domain}")), "token": TOKEN, "status": status },
            ],
        })
    }

    /// RFC 8737 §3: the certificate names this one name, and holds the digest of the key authorization.
    async fn validate(&self, domain: &str, key: &Value) -> Result<(), String> {
        let server = self.state(|state| state.validate_at).ok_or("the name leads nowhere")?;
        let stream =
            any_certificate(server, domain, &["acme-tls/1"]).await.map_err(|error| error.to_string())?;
        let connection = stream.get_ref().1;
        if connection.alpn_protocol() != Some(b"acme-tls/1") {
            return Err("acme-tls/1 was not agreed".into());
        }
        let shown = connection.peer_certificates().and_then(|chain| chain.first()).ok_or("no certificate")?;
        let (_, parsed) = x509_parser::parse_x509_certificate(shown).map_err(|error| error.to_string())?;
        // RFC 7638 §3: members in lexical order, without spaces.
        let thumbprint =
            format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":{},\"y\":{}}}", key["x"], key["y"]);
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, thumbprint.as_bytes()));
        let expected = digest(&SHA256, format!("{TOKEN}.{thumbprint}").as_bytes());
        let identifier =
            parsed.extensions().iter().find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
        let identifier = identifier.filter(|one| one.critical).ok_or("no critical acmeIdentifier")?;
        if identifier.value != [&[4, 32], expected.as_ref()].concat() {
            return Err("the digest is of another key authorization".into());
        }
        let names = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
        let names = names.map(|names| format!("{:?}", names.value.general_names));
        if names.as_deref() != Some(&format!("[DNSName({domain:?})]")) {
            return Err(format!("it is for {names:?}"));
        }
        self.state(|state| state.valid.insert(domain.to_owned()));
        Ok(())
    }

    fn finalize(&self, asked: &Value) -> Result<Answer, String> {
        let csr = decoded(asked["csr"].as_str().unwrap_or_default())?;
        let mut request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr))
            .map_err(|error| error.to_string())?;
        let wanted: Vec<String> = request.params.subject_alt_names.iter().filter_map(dns).collect();
        if self.order()["status"] != "ready" || wanted != self.state(|state| state.domains.clone()) {
            return Err(format!("a request for {wanted:?}"));
        }
        let now = std::time::SystemTime::now();
        let day = std::time::Duration::from_secs(86_400);
        (request.params.not_before, request.params.not_after) = ((now - day).into(), (now + 90 * day).into());
        let leaf = request.signed_by(&self.0.issuer).map_err(|error| error.to_string())?;
        self.state(|state| {
            state.certificate = Some(format!("{}\n{}", leaf.pem(), self.0.issuer.pem()));
            state.issued += 1;
        });
        Ok(ok(self.order()))
    }
}

fn dns(name: &SanType) -> Option<String> {
    match name {
        SanType::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    }
}

fn ok(body: Value) -> Answer {
    Answer { status: 200, headers: vec![("Content-Type", "application/json".into())], body: body.to_string() }
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Option<Request> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..end].to_vec()).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok();
    let mut body = read.split_off(end);
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_ascii_uppercase(), words.next()?.to_owned());
    Some(Request { method, path, body })
}
