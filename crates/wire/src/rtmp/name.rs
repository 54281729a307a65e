//! What a stream is called: `app` of `connect` and the name of `publish` or `play`, made one broadcast path.
//!
//! Clients split an address differently (`/live/a/b` is app `live/a` with ffmpeg and app `live` with others), so both
//! are joined and split again in one place: the last segment is the stream, all before it the app.

use super::limits::{NAME_BYTES_MAX, QUERY_BYTES_MAX};

/// A checked name. Segments are plain text, once percent-decoded: no control characters, none of `/ \ % ? #`, none
/// empty, `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// One or more segments joined by `/`.
    pub app: String,
    /// One segment.
    pub stream: String,
    /// What followed `?`, raw, without it; empty if nothing did. Both the app's and the stream's, joined by `&`.
    pub query: String,
}

/// What follows `?` may be a signature, which is nobody's to read in a log.
impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Name").field("app", &self.app).field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No app or no stream, or an empty segment in the middle.
    #[error("empty app or stream name")]
    Empty,
    /// Longer than the limit.
    #[error("name of {len} bytes, {max} allowed")]
    TooLong {
        /// Its bytes, encoded.
        len: usize,
        /// [`NAME_BYTES_MAX`] or [`QUERY_BYTES_MAX`].
        max: usize,
    },
    /// A segment `.` or `..`, in any encoding.
    #[error("a segment of dots")]
    Dots,
    /// A character that names may not have, or a broken or repeated percent-encoding.
    #[error("a character that is not allowed in names")]
    Character,
}

impl Name {
    /// Joins `app` and `stream` as a client sent them. Slashes at the ends of either are dropped.
    ///
    /// `live/a` and `b?x=y` give app `live/a`, stream `b`, query `x=y`; so do `live` and `a/b?x=y`, and `live/a?x=y`
    /// and `b`.
    pub fn join(app: &str, stream: &str) -> Result<Name, Error> {
        let (app, app_query) = split_query(app);
        let (stream, stream_query) = split_query(stream);
        let query = match (app_query, stream_query) {
            (query, "") | ("", query) => query.to_owned(),
            (first, second) => format!("{first}&{second}"),
        };
        if query.len() > QUERY_BYTES_MAX {
            return Err(Error::TooLong { len: query.len(), max: QUERY_BYTES_MAX });
        }
        if query.chars().any(char::is_control) {
            return Err(Error::Character);
        }
        let (app, stream) = (app.trim_matches('/'), stream.trim_matches('/'));
        if stream.is_empty() {
            return Err(Error::Empty);
        }
        let mut segments = check_path(app)?;
        segments.extend(check_path(stream)?);
        let stream = segments.pop().ok_or(Error::Empty)?;
        let app = segments.join("/");
        let len = app.len() + 1 + stream.len();
        match (app.is_empty(), len > NAME_BYTES_MAX) {
            (true, _) => Err(Error::Empty),
            (_, true) => Err(Error::TooLong { len, max: NAME_BYTES_MAX }),
            (false, false) => Ok(Name { app, stream, query }),
        }
    }

    /// Whether `app` could be part of a name; it may be empty, since the stream may bring all segments.
    pub fn check_app(app: &str) -> Result<(), Error> {
        let (path, query) = split_query(app);
        if query.len() > QUERY_BYTES_MAX {
            return Err(Error::TooLong { len: query.len(), max: QUERY_BYTES_MAX });
        }
        check_path(path.trim_matches('/')).map(drop)
    }

    /// `{app}/{stream}`: the broadcast's path.
    pub fn path(&self) -> String {
        format!("{}/{}", self.app, self.stream)
    }
}

fn split_query(name: &str) -> (&str, &str) {
    name.split_once('?').unwrap_or((name, ""))
}

/// The decoded segments of a path; none of an empty one. An encoded path is at most three times its text.
fn check_path(path: &str) -> Result<Vec<String>, Error> {
    if path.len() > NAME_BYTES_MAX * 3 {
        return Err(Error::TooLong { len: path.len(), max: NAME_BYTES_MAX });
    }
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(segment).collect()
}

fn segment(encoded: &str) -> Result<String, Error> {
    let segment = decode(encoded)?;
    match segment.as_str() {
        "" => Err(Error::Empty),
        "." | ".." => Err(Error::Dots),
        text if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\' | '%' | '?' | '#' | '\u{FFFD}')) =>
        {
            Err(Error::Character)
        }
        _ => Ok(segment),
    }
}

/// RFC 3986 §2.1, once: what is encoded twice keeps a `%` and is refused by it.
fn decode(encoded: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>().ok_or(Error::Character)?;
        let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
        bytes.push((high.ok_or(Error::Character)? * 16 + low.ok_or(Error::Character)?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| Error::Character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(app: &str, stream: &str) -> Result<(String, String, String), Error> {
        Name::join(app, stream).map(|name| (name.app, name.stream, name.query))
    }

    fn named(app: &str, stream: &str, query: &str) -> Result<(String, String, String), Error> {
        Ok((app.to_owned(), stream.to_owned(), query.to_owned()))
    }

    #[test]
    fn one_address_is_one_name_however_the_client_split_it() {
        let name = named("live/a", "b", "x=y");
        for (app, stream) in [
            ("live/a", "b?x=y"),
            ("live", "a/b?x=y"),
            ("live/a?x=y", "b"),
            ("/live/a/", "/b/?x=y"),
            ("", "live/a/b?x=y"),
        ] {
            assert_eq!(parts(app, stream), name, "{app:?} + {stream:?}");
        }
    }

    #[test]
    fn queries_of_app_and_stream_are_kept_raw_and_joined() {
        assert_eq!(parts("live?a=%2F", "b?c=d?e"), named("live", "b", "a=%2F&c=d?e"));
    }

    #[test]
    fn a_query_is_not_shown() {
        let name = Name::join("live?token=sesame", "a?auth=sesame").unwrap();
        assert!(name.query.contains("sesame") && !format!("{name:?}").contains("sesame"));
    }

    #[test]
    fn names_are_percent_decoded_once() {
        assert_eq!(parts("%E7%9B%B4%E6%92%AD", "a%20b"), named("直播", "a b", ""));
        assert_eq!(parts("live", "%252e%252e"), Err(Error::Character));
    }

    #[test]
    fn a_name_never_becomes_another_path() {
        for stream in ["..", "../etc", "a/../b", "%2e%2e", "%2E%2e/x", ".", "a/./b"] {
            assert_eq!(parts("live", stream), Err(Error::Dots), "{stream:?}");
            assert_eq!(Name::check_app(stream), Err(Error::Dots), "{stream:?}");
        }
        for stream in [
            "a\0b", "a%00b", "a\nb", "a%0Db", "a%2Fb", "a%5cb", "a\\b", "a%3Fb", "a%", "a%2", "a%zz", "%FF",
            "a#b",
        ] {
            assert_eq!(parts("live", stream), Err(Error::Character), "{stream:?}");
        }
    }

    #[test]
    fn empty_and_endless_names_are_refused() {
        for (app, stream) in
            [("", ""), ("live", ""), ("", "b"), ("live", "/"), ("live//a", "b"), ("live", "?x=y")]
        {
            assert_eq!(parts(app, stream), Err(Error::Empty), "{app:?} + {stream:?}");
        }
        let long = "n".repeat(4_096);
        assert!(matches!(parts("live", &long), Err(Error::TooLong { len: 4_096, .. })));
        assert!(matches!(parts(&long, "a"), Err(Error::TooLong { len: 4_096, .. })));
        assert!(parts("live", &"n".repeat(NAME_BYTES_MAX - 5)).is_ok());
        assert!(matches!(
            parts("live", &"n".repeat(NAME_BYTES_MAX - 4)),
            Err(Error::TooLong { len: 256, .. })
        ));
        let query = format!("a?{}", "q".repeat(QUERY_BYTES_MAX + 1));
        assert!(matches!(parts("live", &query), Err(Error::TooLong { len: 4_097, .. })));
    }
}
