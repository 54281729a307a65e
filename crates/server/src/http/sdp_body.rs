//! The SDP that is sent to us and by us: as it is, or packed, for over a network that loses packets an offer of one or two
//! comes through where one of six does not.

use std::io::{Read, Write};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::problem::Problem;
use crate::context::Context;
use crate::rtc::Limits;

/// The body, which has to be there within the time of a request's head, however slowly it drips in.
pub(super) async fn text(
    context: &Context,
    headers: &HeaderMap,
    body: Body,
    limits: Limits,
) -> Result<String, Problem> {
    let unpack = packing(headers)?;
    let read = tokio::time::timeout(context.config().http.header, to_bytes(body, limits.bytes)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(too_long(limits)),
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time (http.header_ms)",
            ));
        }
    };
    let bytes = if unpack { unpacked(&bytes, limits)? } else { bytes.into() };
    String::from_utf8(bytes).map_err(|_| Problem::bad_request("the body is not UTF-8"))
}

/// The answer to a request with these headers, packed where the client takes that (RFC 9110 §12.5.3).
pub(super) fn answer(headers: &HeaderMap, text: String) -> Response {
    let packed = takes_packed(headers).then(|| packed(text.as_bytes()).ok()).flatten();
    match packed {
        Some(bytes) => {
            ([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], bytes).into_response()
        }
        None => text.into_response(),
    }
}

fn takes_packed(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(',')).map(|coding| coding.split(';'));
    codings.any(|mut parts| {
        let is_gzip = parts.next().is_some_and(|name| name.trim().eq_ignore_ascii_case("gzip"));
        // A weight of nothing is a refusal.
        let is_refused =
            |part: &str| part.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
        is_gzip && !parts.any(is_refused)
    })
}

fn packed(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(plain)?;
    packer.finish()
}

/// Whether the body is packed (RFC 9110 §8.4).
fn packing(headers: &HeaderMap) -> Result<bool, Problem> {
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else { return Ok(false) };
    match coding.to_str().unwrap_or_default().trim() {
        coding if coding.eq_ignore_ascii_case("identity") => Ok(false),
        coding if coding.eq_ignore_ascii_case("gzip") => Ok(true),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body may be packed with content-encoding: gzip, or come as it is",
        )),
    }
}

/// What was packed, which may not be longer than what comes as it is.
fn unpacked(bytes: &[u8], limits: Limits) -> Result<Vec<u8>, Problem> {
    let mut plain = Vec::new();
    let most = limits.bytes as u64;
    let read = GzDecoder::new(bytes).take(most + 1).read_to_end(&mut plain);
    match read {
        Ok(_) if plain.len() as u64 > most => Err(too_long(limits)),
        Ok(_) => Ok(plain),
        Err(error) => Err(Problem::bad_request(format!("the body is said to be gzip, but is not: {error}"))),
    }
}

fn too_long(limits: Limits) -> Problem {
    let kilobytes = limits.bytes >> 10;
    let detail = format!("the body ends early, or is longer than the {kilobytes} KB that an offer may have");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtc::ONE_STREAM;

    fn status(problem: Problem) -> StatusCode {
        problem.into_response().status()
    }

    #[test]
    fn what_was_packed_is_unpacked_up_to_what_an_offer_may_have() {
        assert_eq!(unpacked(&packed(b"v=0\r\n").unwrap(), ONE_STREAM).unwrap(), b"v=0\r\n");
        let most = vec![b'a'; ONE_STREAM.bytes];
        assert_eq!(unpacked(&packed(&most).unwrap(), ONE_STREAM).unwrap().len(), most.len());
        // A hundred megabytes in a hundred kilobytes.
        let bomb = packed(&vec![b'a'; 100 << 20]).unwrap();
        assert!(bomb.len() < 200_000);
        assert_eq!(status(unpacked(&bomb, ONE_STREAM).unwrap_err()), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_refused() {
        let whole = packed(b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n").unwrap();
        for length in 0..whole.len() {
            assert!(unpacked(&whole[..length], ONE_STREAM).is_err(), "{length}");
        }
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(unpacked(&damaged, ONE_STREAM).is_err());
    }

    #[tokio::test]
    async fn an_answer_is_packed_for_who_takes_that_and_for_nobody_else() {
        let of = |takes: Option<&'static str>| {
            let takes = takes.map(|takes| (header::ACCEPT_ENCODING, HeaderValue::from_static(takes)));
            answer(&HeaderMap::from_iter(takes), "v=0\r\n".repeat(100))
        };
        for plain in [None, Some("br"), Some("gzip;q=0, br"), Some("identity")] {
            assert!(!of(plain).headers().contains_key(header::CONTENT_ENCODING), "{plain:?}");
        }
        let answer = of(Some("deflate, GZIP;q=0.8, br"));
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = to_bytes(answer.into_body(), 10_000).await.unwrap();
        assert!(bytes.len() < 100);
        assert_eq!(unpacked(&bytes, ONE_STREAM).unwrap(), "v=0\r\n".repeat(100).as_bytes());
    }

    #[test]
    fn a_body_is_packed_when_its_head_says_so_in_a_way_we_know() {
        let of = |coding: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))]);
            packing(&headers).map_err(status)
        };
        assert_eq!(packing(&HeaderMap::new()).ok(), Some(false));
        assert_eq!((of("identity"), of("GZIP")), (Ok(false), Ok(true)));
        for unknown in ["br", "gzip, gzip", "", "deflate"] {
            assert_eq!(of(unknown), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{unknown}");
        }
    }
}
