//! The console, the pages to watch and to publish, and their files, embedded at build time.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;
use super::router::allow_every_origin;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Bundle;

/// Shown where the server was built without the bundle: it serves streams all the same.
const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>openmic</title>\
    <p>openmic runs, but this build has no pages. Build them and start it with <code>./dev run</code>.";

/// The bundle writes hashes of this many characters into names, behind a dash.
const HASH_LEN: usize = 8;

pub(super) async fn console(headers: HeaderMap) -> Response {
    page("index.html", &headers)
}

/// The page finds the stream's name in its own address.
pub(super) async fn player(headers: HeaderMap) -> Response {
    page("play.html", &headers)
}

/// Publishing from the browser; the page finds the stream's name in its own address.
pub(super) async fn publisher(headers: HeaderMap) -> Response {
    page("publish.html", &headers)
}

/// The lobby of demo rooms, and a room; the page finds which in its own address.
pub(super) async fn demo(headers: HeaderMap) -> Response {
    page("demo.html", &headers)
}

/// How devices come to trust a server that is its own certificate authority.
pub(super) async fn trust(headers: HeaderMap) -> Response {
    page("trust.html", &headers)
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    match Bundle::get(name) {
        Some(file) => answer(name, file, headers),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response(),
    }
}

/// The names are those of the bundle and nothing else; a request's path never reaches the file system.
pub(super) async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    let name = uri.path().trim_start_matches('/');
    let mut response = match Bundle::get(name) {
        Some(file) => answer(name, file, &headers),
        None => Problem::not_found("no such file").into_response(),
    };
    // Elements may be used on anybody's page, and scripts of type module are fetched with CORS.
    allow_every_origin(response.headers_mut());
    response
}

fn answer(name: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let known = request.get_all(header::IF_NONE_MATCH).iter().any(|line| {
        let tags =
            line.to_str().unwrap_or_default().split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        tags.into_iter().any(|known| known == tag || known == "*")
    });
    let body = if known { Body::empty() } else { Body::from(file.data) };
    let mut response = body.into_response();
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let caching = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    if let Ok(kind) = HeaderValue::try_from(content_type(file.metadata.mimetype())) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn content_type(mime: &str) -> String {
    let is_text = mime.starts_with("text/") || mime == "application/javascript" || mime == "application/json";
    if is_text { format!("{mime}; charset=utf-8") } else { mime.to_owned() }
}

/// Whether a name changes with its content: `assets/play-B1x_Zq9k.js`.
fn is_hashed(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_hash_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let Some((before, hash)) = stem.len().checked_sub(HASH_LEN).and_then(|at| stem.split_at_checked(at))
    else {
        return false;
    };
    before.starts_with("assets/") && before.ends_with('-') && hash.bytes().all(is_hash_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_change_with_their_content_are_cached_for_ever() {
        assert!(is_hashed("assets/play-B1x_Zq9k.js") && is_hashed("assets/a-b-D-1234_x.css"));
        for name in ["assets/openmic.js", "index.html", "assets/icon.svg", "x", "assets/live-player.js"] {
            assert!(!is_hashed(name), "{name}");
        }
    }
}
