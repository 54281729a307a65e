//! The name of a broadcast: `{app}/{stream}`.

use std::fmt;
use std::sync::Arc;

/// Longest path in bytes; a peer's name is a key in our maps and in log lines, never more.
pub const PATH_BYTES_MAX: usize = 512;

/// First segments that belong to the server's own pages and interfaces; no app may bear them.
pub const RESERVED: &[&str] =
    &["api", "play", "publish", "rooms", "demo", "replay", "metrics", "healthz", "readyz", "assets"];

/// The name of a broadcast: at least two non-empty segments joined by `/`, the last one being the stream.
///
/// A path is a key, never a file name: segments cannot be `.` or `..` and hold no control characters,
/// slashes or backslashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<str>);

/// Why a name cannot be a broadcast's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`PATH_BYTES_MAX`].
    #[error("the name has {len} bytes, at most {PATH_BYTES_MAX} are allowed")]
    TooLong {
        /// Bytes of the refused name.
        len: usize,
    },
    /// Fewer than two segments.
    #[error("the name needs an app and a stream: app/stream")]
    TooFewSegments,
    /// An empty segment, `.` or `..`.
    #[error("the name has an empty, `.` or `..` segment")]
    Segment,
    /// A control character or backslash.
    #[error("the name has a control character or a backslash at byte {at}")]
    Character {
        /// Byte offset in the refused name.
        at: usize,
    },
    /// The app is one of [`RESERVED`].
    #[error("this app name belongs to the server itself; choose another")]
    Reserved,
}

impl Path {
    /// Checks and takes a whole path such as `live/demo` (already percent-decoded).
    pub fn new(name: &str) -> Result<Self, Error> {
        if name.len() > PATH_BYTES_MAX {
            return Err(Error::TooLong { len: name.len() });
        }
        if let Some((at, _)) = name.char_indices().find(|(_, c)| c.is_control() || *c == '\\') {
            return Err(Error::Character { at });
        }
        if name.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Error::Segment);
        }
        let (app, _) = name.split_once('/').ok_or(Error::TooFewSegments)?;
        if RESERVED.contains(&app) {
            return Err(Error::Reserved);
        }
        Ok(Self(name.into()))
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything before the last slash.
    pub fn app(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(app, _)| app)
    }

    /// Everything after the last slash.
    pub fn stream(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, stream)| stream)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_may_have_slashes_and_the_last_segment_is_the_stream() {
        let path = Path::new("school/class-3/数学").unwrap();
        assert_eq!((path.app(), path.stream()), ("school/class-3", "数学"));
    }

    #[test]
    fn names_that_could_become_files_routes_or_terminal_codes_are_refused() {
        assert_eq!(Path::new("live"), Err(Error::TooFewSegments));
        assert_eq!(Path::new("live/../etc"), Err(Error::Segment));
        assert_eq!(Path::new("live//x"), Err(Error::Segment));
        assert_eq!(Path::new("live/\u{1b}[2J"), Err(Error::Character { at: 5 }));
        assert_eq!(Path::new("live/a\\b"), Err(Error::Character { at: 6 }));
        assert_eq!(Path::new("api/x"), Err(Error::Reserved));
        assert_eq!(Path::new(&format!("live/{}", "x".repeat(4_096))), Err(Error::TooLong { len: 4_101 }));
    }
}
