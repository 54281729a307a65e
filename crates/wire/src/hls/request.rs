//! What a player asks for: the names of a session's resources and the delivery directives of a playlist's query.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// Longest session token; it is a key of the server's maps.
pub const SESSION_BYTES_MAX: usize = 64;

/// Something below `{stream}/hls/{session}/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `media.m3u8`: the media playlist.
    Playlist,
    /// `init-{n}.mp4`: an init segment.
    Init(u32),
    /// `seg-{msn}.m4s`: a whole segment.
    Segment(u64),
    /// `part-{msn}.{part}.m4s`: a part.
    Part(Position),
}

/// A part's place: the media sequence number of its segment and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Media sequence number.
    pub msn: u64,
    /// Part index, from 0.
    pub part: u64,
}

impl Resource {
    /// Reads the last segment of a request's path; `None` for every spelling but the one that
    /// [`fmt::Display`] writes, so that a cache has one name for one thing.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "media.m3u8" {
            return Some(Self::Playlist);
        }
        if let Some(n) = name.strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4")) {
            return number(n).map(Self::Init);
        }
        let name = name.strip_suffix(".m4s")?;
        if let Some(msn) = name.strip_prefix("seg-") {
            return number(msn).map(Self::Segment);
        }
        let (msn, part) = name.strip_prefix("part-")?.split_once('.')?;
        Some(Self::Part(Position { msn: number(msn)?, part: number(part)? }))
    }

    /// The `Content-Type` of the answer (RFC 8216bis §4, §10).
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Playlist => "application/vnd.apple.mpegurl",
            Self::Init(_) | Self::Segment(_) | Self::Part(_) => "video/mp4",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playlist => f.write_str("media.m3u8"),
            Self::Init(n) => write!(f, "init-{n}.mp4"),
            Self::Segment(msn) => write!(f, "seg-{msn}.m4s"),
            Self::Part(Position { msn, part }) => write!(f, "part-{msn}.{part}.m4s"),
        }
    }
}

/// A decimal number without sign or leading zero.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The delivery directives of a playlist request (RFC 8216bis §6.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Directives {
    /// Answer when the playlist has this part (`_HLS_msn` and `_HLS_part`).
    pub position: Option<Position>,
    /// A delta update will do (`_HLS_skip`).
    pub skip: bool,
}

/// Why a playlist request is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectivesError {
    /// `_HLS_part` without `_HLS_msn` (RFC 8216bis §6.2.5.2).
    #[error("_HLS_part needs _HLS_msn")]
    PartWithoutSequence,
    /// A directive's value is not what it must be.
    #[error("{0} has a value that cannot be read")]
    Value(&'static str),
    /// A directive stands there twice.
    #[error("{0} was given twice")]
    Twice(&'static str),
}

impl Directives {
    /// Reads a query string, without the `?`; parameters that are not ours are left to others.
    ///
    /// `_HLS_msn` alone means part 0 of that segment: Safari leaves `_HLS_part` out when it wants a new
    /// segment's first part, and would otherwise wait for the whole segment.
    pub fn parse(query: &str) -> Result<Self, DirectivesError> {
        let (mut msn, mut part, mut skip) = (None, None, None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "_HLS_msn" => set(&mut msn, "_HLS_msn", value.parse().ok())?,
                "_HLS_part" => set(&mut part, "_HLS_part", value.parse().ok())?,
                "_HLS_skip" => set(&mut skip, "_HLS_skip", matches!(value, "YES" | "v2").then_some(()))?,
                _ => {}
            }
        }
        let position = match (msn, part) {
            (Some(msn), part) => Some(Position { msn, part: part.unwrap_or(0) }),
            (None, None) => None,
            (None, Some(_)) => return Err(DirectivesError::PartWithoutSequence),
        };
        Ok(Self { position, skip: skip.is_some() })
    }
}

fn set<T>(slot: &mut Option<T>, name: &'static str, value: Option<T>) -> Result<(), DirectivesError> {
    match slot.replace(value.ok_or(DirectivesError::Value(name))?) {
        None => Ok(()),
        Some(_) => Err(DirectivesError::Twice(name)),
    }
}

/// True for what may stand as `{session}` in an address: 1 to [`SESSION_BYTES_MAX`] of `A-Z a-z 0-9 _ -`.
pub fn is_session(token: &str) -> bool {
    (1..=SESSION_BYTES_MAX).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The media playlist's address relative to the multivariant playlist `/{app}/{stream}.m3u8`:
/// `{stream}/hls/{session}/media.m3u8`, percent-encoded, right under any prefix a proxy puts before it.
///
/// The playlist stands two named levels below the stream, so that no name of a sibling stream can be it.
pub fn media_uri(stream: &str, session: &str) -> String {
    rendition_uri(stream, session, None)
}

/// The same of a rendition that is not the session's own: `{stream}/hls/{session}/{rendition}/media.m3u8`.
pub fn rendition_uri(stream: &str, session: &str, rendition: Option<&str>) -> String {
    // `./` keeps a colon in the name from being read as a scheme (RFC 3986 §4.2).
    let mut uri = String::from("./");
    for byte in stream.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
            _ => write!(uri, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    uri.push_str("/hls/");
    uri.push_str(session);
    if let Some(rendition) = rendition {
        uri.push('/');
        uri.push_str(rendition);
    }
    uri.push_str("/media.m3u8");
    uri
}
