//! `/trust`: how phones come to trust a server that is its own certificate authority, and the files they install.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::context::Context;
use crate::interfaces;
use crate::tls::local_ca::Authority;

/// Base64 in a profile is broken into lines of this many characters, as Apple's own tools write it.
const LINE_CHARS: usize = 68;

/// `GET /trust/about.json`
#[derive(Debug, Serialize)]
struct About {
    /// SHA-256 of the authority's certificate, as phones show it.
    fingerprint: String,
    /// By what other machines reach this server.
    addresses: Vec<Address>,
}

#[derive(Debug, Serialize)]
struct Address {
    /// This page, where a phone can open it before it trusts anything.
    page: String,
    /// The server once it is trusted.
    secure: String,
}

/// Which of the addresses.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    address: usize,
}

pub(super) async fn certificate(State(context): State<Arc<Context>>) -> Result<Response, Problem> {
    let der = authority(&context)?.certificate().to_vec();
    Ok(file("application/x-x509-ca-cert", "attachment; filename=\"openmic-ca.crt\"", der))
}

pub(super) async fn profile(State(context): State<Arc<Context>>) -> Result<Response, Problem> {
    let profile = mobileconfig(authority(&context)?);
    Ok(file(
        "application/x-apple-aspen-config",
        "inline; filename=\"openmic-ca.mobileconfig\"",
        profile.into(),
    ))
}

pub(super) async fn about(State(context): State<Arc<Context>>) -> Result<Response, Problem> {
    let fingerprint = authority(&context)?.fingerprint();
    let mut response = Json(About { fingerprint, addresses: addresses(&context) }).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Of this page's address, for a phone to read off a computer's screen. It takes a number and no text, so that nobody
/// makes this server show a code of theirs.
pub(super) async fn qr(
    State(context): State<Arc<Context>>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    authority(&context)?;
    let addresses = addresses(&context);
    let address =
        addresses.get(which.address).ok_or_else(|| Problem::not_found("there is no such address"))?;
    // Far below the 2,953 bytes that a code can hold.
    let code = QrCode::new(&address.page).map_err(|error| Problem::not_found(error.to_string()))?;
    // Black on white in the dark, too: many readers see no other code.
    Ok(file("image/svg+xml", "inline", code.render::<svg::Color<'_>>().build().into()))
}

fn authority(context: &Context) -> Result<&Authority, Problem> {
    let authority = context.operation.certificates.as_ref().and_then(|certificates| certificates.authority());
    authority.ok_or_else(|| {
        Problem::not_found(
            "this server is no certificate authority of its own (tls.local_ca); nothing has to be installed",
        )
    })
}

fn file(kind: &'static str, disposition: &'static str, body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn addresses(context: &Context) -> Vec<Address> {
    let Some(https) = context.addresses.https else { return Vec::new() };
    let reached = |ip: &IpAddr| !ip.is_loopback() && listens(https, *ip);
    let mut hosts: Vec<IpAddr> = interfaces::addresses().into_iter().filter(reached).collect();
    // People read and type the short ones, and home networks have them.
    hosts.sort_by_key(|ip| (ip.is_ipv6(), *ip));
    let of = |ip: IpAddr| {
        let secure = format!("https://{}/", SocketAddr::new(ip, https.port()));
        let http = context.addresses.http;
        let page = match listens(http, ip) {
            true => format!("http://{}/trust", SocketAddr::new(ip, http.port())),
            // The browser warns, and lets its user go on to a page.
            false => format!("{secure}trust"),
        };
        Address { page, secure }
    };
    hosts.into_iter().map(of).collect()
}

/// Whether whoever connects to `ip` reaches this listener. One for every IPv6 address takes IPv4 as well, as Linux has it.
fn listens(at: SocketAddr, ip: IpAddr) -> bool {
    at.ip() == ip || at.ip().is_unspecified() && (at.is_ipv6() || ip.is_ipv4())
}

/// A configuration profile that holds the certificate (Apple, "Device Management", payload `com.apple.security.root`).
/// The same authority always has the same identifiers: installed twice it replaces itself.
fn mobileconfig(authority: &Authority) -> String {
    let mut data = String::new();
    for (at, char) in STANDARD.encode(authority.certificate()).chars().enumerate() {
        if at > 0 && at % LINE_CHARS == 0 {
            data.push('\n');
        }
        data.push(char);
    }
    let digits: String = authority.fingerprint().chars().filter(|char| *char != ':').collect();
    let (profile, payload) = (uuid(&digits[..32]), uuid(&digits[32..]));
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n",
    );
    let _ = write!(
        text,
        "<dict>\n<key>PayloadContent</key>\n<array>\n<dict>\n\
         <key>PayloadCertificateFileName</key>\n<string>openmic-ca.crt</string>\n\
         <key>PayloadContent</key>\n<data>\n{data}\n</data>\n\
         <key>PayloadDisplayName</key>\n<string>openmic certificate authority</string>\n\
         <key>PayloadIdentifier</key>\n<string>openmic.ca.{payload}</string>\n\
         <key>PayloadType</key>\n<string>com.apple.security.root</string>\n\
         <key>PayloadUUID</key>\n<string>{payload}</string>\n\
         <key>PayloadVersion</key>\n<integer>1</integer>\n</dict>\n</array>\n\
         <key>PayloadDescription</key>\n<string>Lets this device trust an openmic server on your network, and no other \
         website.</string>\n\
         <key>PayloadDisplayName</key>\n<string>openmic</string>\n\
         <key>PayloadIdentifier</key>\n<string>openmic.trust.{profile}</string>\n\
         <key>PayloadRemovalDisallowed</key>\n<false/>\n\
         <key>PayloadType</key>\n<string>Configuration</string>\n\
         <key>PayloadUUID</key>\n<string>{profile}</string>\n\
         <key>PayloadVersion</key>\n<integer>1</integer>\n</dict>\n</plist>\n"
    );
    text
}

/// 32 hexadecimal digits with the dashes of a UUID, and its version 8 (RFC 9562 §5.8: what its maker likes).
fn uuid(digits: &str) -> String {
    let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..32]);
    format!("{a}-{b}-8{c}-8{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_the_form_of_a_uuid() {
        let uuid = uuid("0123456789ABCDEF0123456789ABCDEF");
        assert_eq!(uuid, "01234567-89AB-8DEF-8123-456789ABCDEF");
    }

    #[test]
    fn a_listener_is_reached_by_its_own_address_or_by_all() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(
            listens(at("0.0.0.0:1"), ip("192.168.1.5")) && listens(at("192.168.1.5:1"), ip("192.168.1.5"))
        );
        assert!(listens(at("[::]:1"), ip("192.168.1.5")) && listens(at("[::]:1"), ip("2001:db8::1")));
        assert!(
            !listens(at("127.0.0.1:1"), ip("192.168.1.5")) && !listens(at("0.0.0.0:1"), ip("2001:db8::1"))
        );
    }
}
