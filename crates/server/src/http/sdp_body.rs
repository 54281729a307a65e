//! The SDP that is sent to us: as it is, or packed, for over a network that loses packets an offer of one or two comes
//! through where one of six does not.

use std::io::Read;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use flate2::read::GzDecoder;

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
    use std::io::Write;

    use axum::http::HeaderValue;
    use axum::response::IntoResponse;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::rtc::ONE_STREAM;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(plain).unwrap();
        packer.finish().unwrap()
    }

    fn status(problem: Problem) -> StatusCode {
        problem.into_response().status()
    }

    #[test]
    fn what_was_packed_is_unpacked_up_to_what_an_offer_may_have() {
        assert_eq!(unpacked(&packed(b"v=0\r\n"), ONE_STREAM).unwrap(), b"v=0\r\n");
        let most = vec![b'a'; ONE_STREAM.bytes];
        assert_eq!(unpacked(&packed(&most), ONE_STREAM).unwrap().len(), most.len());
        // A hundred megabytes in a hundred kilobytes.
        let bomb = packed(&vec![b'a'; 100 << 20]);
        assert!(bomb.len() < 200_000);
        assert_eq!(status(unpacked(&bomb, ONE_STREAM).unwrap_err()), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_refused() {
        let whole = packed(b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n");
        for length in 0..whole.len() {
            assert!(unpacked(&whole[..length], ONE_STREAM).is_err(), "{length}");
        }
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(unpacked(&damaged, ONE_STREAM).is_err());
    }

    #[test]
    fn a_body_is_packed_when_its_head_says_so_in_a_way_we_know() {
        let of = |coding: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))]);
            packing(&headers).map_err(status)
        };
        assert_eq!(packing(&HeaderMap::new()).ok(), Some(false));
        assert_eq!((of("identity"), of("GZIP")), (Ok(false), Ok(true)));
        for unknown in ["br", "gzip, gzip", "", "deflate"] {
            assert_eq!(of(unknown), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{unknown}");
        }
    }
}
