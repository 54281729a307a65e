//! HLS playlists as far as a player of one rendition needs them (RFC 8216, and its second edition for low latency).

use std::time::Duration;

/// What a playlist of ours or another's says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Playlist {
    /// A choice of renditions: the address of the first.
    Multivariant(String),
    /// Segments.
    Media(Media),
}

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Media {
    /// Whether the server holds an answer back until what we ask for exists (§6.2.5.2).
    pub(crate) can_block: bool,
    /// EXT-X-TARGETDURATION.
    pub(crate) target: Duration,
    /// Segments, the last of which may be unfinished.
    pub(crate) segments: Vec<Segment>,
    /// No more will come.
    pub(crate) ended: bool,
}

/// A segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segment {
    /// Its media sequence number.
    pub(crate) number: u64,
    /// Its address, once it is finished.
    pub(crate) uri: Option<String>,
    /// Its parts, if they are still listed.
    pub(crate) parts: Vec<Part>,
    /// The address of the initialization section that holds for it.
    pub(crate) map: Option<String>,
}

/// A part of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Part {
    /// Its address.
    pub(crate) uri: String,
    /// Decoding can begin with it.
    pub(crate) independent: bool,
}

/// Why a playlist cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The first line is not EXTM3U.
    #[error("it does not begin with #EXTM3U")]
    NoPlaylist,
    /// A tag's value cannot be read.
    #[error("line {line}: {tag} has the value {value:?}")]
    Value {
        /// Counted from 1.
        line: usize,
        /// The tag.
        tag: &'static str,
        /// Its value.
        value: String,
    },
    /// A feature that we do not play.
    #[error("line {line}: {tag} is not supported")]
    Unsupported {
        /// Counted from 1.
        line: usize,
        /// The tag.
        tag: &'static str,
    },
}

impl Playlist {
    /// Reads a playlist.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines().map(str::trim).enumerate();
        if lines.next().map(|(_, line)| line.trim_start_matches('\u{feff}')) != Some("#EXTM3U") {
            return Err(Error::NoPlaylist);
        }
        let mut reader = Reader::default();
        for (at, line) in lines {
            if let Some(first) = reader.line(at + 1, line)? {
                return Ok(Self::Multivariant(first));
            }
        }
        Ok(Self::Media(reader.finish()))
    }
}

#[derive(Default)]
struct Reader {
    media: Media,
    number: u64,
    parts: Vec<Part>,
    map: Option<String>,
    variant: bool,
}

impl Reader {
    fn line(&mut self, line: usize, text: &str) -> Result<Option<String>, Error> {
        let (tag, value) = text.split_once(':').unwrap_or((text, ""));
        match tag {
            _ if text.is_empty() => {}
            _ if !text.starts_with('#') && self.variant => return Ok(Some(text.to_owned())),
            _ if !text.starts_with('#') => self.segment(Some(text.to_owned())),
            "#EXT-X-STREAM-INF" => self.variant = true,
            "#EXT-X-TARGETDURATION" => {
                let seconds = number(value, line, "EXT-X-TARGETDURATION")?;
                self.media.target = Duration::from_secs(seconds);
            }
            "#EXT-X-MEDIA-SEQUENCE" => self.number = number(value, line, "EXT-X-MEDIA-SEQUENCE")?,
            "#EXT-X-SERVER-CONTROL" => {
                self.media.can_block = attribute(value, "CAN-BLOCK-RELOAD").as_deref() == Some("YES");
            }
            "#EXT-X-SKIP" => return Err(Error::Unsupported { line, tag: "EXT-X-SKIP" }),
            "#EXT-X-BYTERANGE" => return Err(Error::Unsupported { line, tag: "EXT-X-BYTERANGE" }),
            "#EXT-X-MAP" => self.map = Some(uri(value, line, "EXT-X-MAP")?),
            "#EXT-X-PART" => {
                let independent = attribute(value, "INDEPENDENT").as_deref() == Some("YES");
                self.parts.push(Part { uri: uri(value, line, "EXT-X-PART")?, independent });
            }
            "#EXT-X-ENDLIST" => self.media.ended = true,
            _ => {}
        }
        Ok(None)
    }

    fn segment(&mut self, uri: Option<String>) {
        let parts = std::mem::take(&mut self.parts);
        self.media.segments.push(Segment { number: self.number, uri, parts, map: self.map.clone() });
        self.number += 1;
    }

    fn finish(mut self) -> Media {
        if !self.parts.is_empty() {
            self.segment(None);
        }
        self.media
    }
}

fn number(value: &str, line: usize, tag: &'static str) -> Result<u64, Error> {
    value.parse().map_err(|_| Error::Value { line, tag, value: value.to_owned() })
}

fn uri(attributes: &str, line: usize, tag: &'static str) -> Result<String, Error> {
    attribute(attributes, "URI").ok_or_else(|| Error::Value { line, tag, value: attributes.to_owned() })
}

/// One value of an attribute list (RFC 8216 §4.2), quotes removed; commas within quotes do not separate.
fn attribute(list: &str, name: &str) -> Option<String> {
    let mut quoted = false;
    let separated = list.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    let found = separated.filter_map(|item| item.split_once('=')).find(|(key, _)| key.trim() == name);
    found.map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIA: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:6\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6\n#EXT-X-PART-INF:PART-TARGET=0.2\n\
        #EXT-X-MEDIA-SEQUENCE:41\n#EXT-X-MAP:URI=\"init-0.mp4?a=1,2\"\n\
        #EXTINF:2.0,\ns41.m4s\n\
        #EXT-X-PART:DURATION=0.2,URI=\"p42-0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.2,URI=\"p42-1.m4s\"\n\
        #EXTINF:0.4,\ns42.m4s\n\
        #EXT-X-PART:DURATION=0.2,URI=\"p43-0.m4s\",INDEPENDENT=YES\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p43-1.m4s\"\n";

    #[test]
    fn segments_parts_and_the_unfinished_last_segment_are_read() {
        let Playlist::Media(media) = Playlist::parse(MEDIA).unwrap() else { panic!("no media playlist") };
        assert!(media.can_block && !media.ended);
        assert_eq!(media.target, Duration::from_secs(6));
        let shape: Vec<_> =
            media.segments.iter().map(|s| (s.number, s.uri.as_deref(), s.parts.len())).collect();
        assert_eq!(shape, [(41, Some("s41.m4s"), 0), (42, Some("s42.m4s"), 2), (43, None, 1)]);
        assert_eq!(media.segments[2].map.as_deref(), Some("init-0.mp4?a=1,2"));
        let independent: Vec<bool> = media.segments[1].parts.iter().map(|part| part.independent).collect();
        assert_eq!(independent, [true, false]);
    }

    #[test]
    fn a_multivariant_playlist_names_its_first_rendition() {
        let text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.42c01f,mp4a.40.2\"\nv.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2\nw.m3u8\n";
        assert_eq!(Playlist::parse(text), Ok(Playlist::Multivariant("v.m3u8".into())));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_line() {
        assert_eq!(Playlist::parse("<html>"), Err(Error::NoPlaylist));
        let value = Error::Value { line: 2, tag: "EXT-X-TARGETDURATION", value: "x".into() };
        assert_eq!(Playlist::parse("#EXTM3U\n#EXT-X-TARGETDURATION:x"), Err(value));
        let skip = Error::Unsupported { line: 2, tag: "EXT-X-SKIP" };
        assert_eq!(Playlist::parse("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3"), Err(skip));
    }
}
