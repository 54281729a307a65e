//! What a request names: the path of a broadcast, decoded once, and the few parameters of a query.

use media::Path;
use room::MemberId;

use super::problem::Problem;
use crate::rtmp::query_value;

/// The broadcast that a request's path names, without `suffix`: `/live/demo.flv` with `.flv`.
///
/// Each segment is percent-decoded exactly once (RFC 3986 §2.4). A slash that was encoded is refused, for it would
/// be one thing to a cache in front of us and another to us.
pub(crate) fn path(raw: &str, suffix: &str) -> Result<Path, Problem> {
    let name = raw.strip_prefix('/').and_then(|raw| raw.strip_suffix(suffix)).unwrap_or(raw);
    let decoded = decode(name).map_err(Problem::bad_request)?;
    Path::new(&decoded).map_err(|error| Problem::bad_request(format!("not the name of a stream: {error}")))
}

/// Percent-decodes `raw` once.
fn decode(raw: &str) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).map(|digit| digit as u8);
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(2), Some(0xF)) => return Err("the address has an encoded slash; write / itself"),
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => {
                return Err(
                    "the address has a % without two hexadecimal digits; write %25 for a percent sign",
                );
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| "the address is not UTF-8 after percent-decoding")
}

/// A parameter in whole milliseconds, at most `max_ms`.
pub(crate) fn milliseconds(query: &str, name: &str, max_ms: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = query_value(query, name) else { return Ok(None) };
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(Problem::bad_request(format!("{name} must be a whole number of milliseconds")));
    }
    // More digits than a number holds mean more than the most.
    Ok(Some(value.parse().map_or(max_ms, |value: u64| value.min(max_ms))))
}

/// The member of a room that a query names.
pub(crate) fn member(query: &str) -> Result<MemberId, Problem> {
    let value = query_value(query, "member").unwrap_or_default();
    let member = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    member.map(MemberId).ok_or_else(|| Problem::bad_request("say which member you are: ?member=3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> Option<String> {
        path(raw, ".flv").ok().map(|path| path.to_string())
    }

    #[test]
    fn a_path_is_decoded_exactly_once() {
        assert_eq!(name("/live/demo.flv").as_deref(), Some("live/demo"));
        assert_eq!(name("/live/%E6%95%B0%E5%AD%A6.flv").as_deref(), Some("live/数学"));
        assert_eq!(name("/live/100%25.flv").as_deref(), Some("live/100%"));
        assert_eq!(name("/live/%252e%252e.flv").as_deref(), Some("live/%2e%2e"), "not twice");
    }

    #[test]
    fn no_encoding_of_a_traversal_becomes_a_path() {
        for raw in [
            "/live/../etc.flv/x",
            "/../etc/passwd.flv",
            "/live/%2e%2e/x.flv",
            "/live/%2E./x.flv",
            "/live/..%2fetc.flv",
            "/live/..%5cetc.flv",
            "/live/%c0%ae%c0%ae/x.flv",
            "/live/%00.flv",
            "/live/%.flv",
            "/live/%zz.flv",
            "//live/x.flv",
            "/live/%0d%0aset-cookie.flv",
            "/api/x.flv",
            "/x.flv",
        ] {
            assert_eq!(name(raw), None, "{raw}");
        }
    }

    #[test]
    fn a_budget_is_digits_and_is_cut_to_the_most() {
        let ms = |query| milliseconds(query, "latency_ms", 2_000);
        assert_eq!(ms("a=1&latency_ms=350"), Ok(Some(350)));
        assert_eq!(ms("latency_ms=99999999999999999999999"), Ok(Some(2_000)));
        assert_eq!(ms(""), Ok(None));
        assert!(ms("latency_ms=-1").is_err() && ms("latency_ms=").is_err() && ms("latency_ms=+1").is_err());
    }
}
