//! What can be wrong with a publisher's tags, and what of it ends the session.

use media::codec::{self, Kind};

use crate::amf0;
use crate::flv::TrackKey;
use crate::flv::tag::{self, TRACKS_MAX};

/// What is wrong with a tag, or with the track it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body's header cannot be read.
    #[error(transparent)]
    Tag(#[from] tag::Error),
    /// A picture codec we do not carry.
    #[error("video codec {name} is not supported; send H.264, H.265, AV1 or VP9")]
    VideoCodec {
        /// Its name, or number or fourCC where it has none.
        name: String,
    },
    /// A sound codec we do not carry. The picture goes on.
    #[error("audio codec {name} is not supported; send AAC or Opus")]
    AudioCodec {
        /// Its name, or number or fourCC where it has none.
        name: String,
    },
    /// Frames before the configuration they need.
    #[error("{} track {} sends frames before its configuration", name(track.kind), track.id)]
    Unconfigured {
        /// Which track.
        track: TrackKey,
    },
    /// A frame without content.
    #[error("{} track {} sends an empty frame", name(track.kind), track.id)]
    EmptyFrame {
        /// Which track.
        track: TrackKey,
    },
    /// Configuration or a frame that cannot be read.
    #[error("{} track {}: {error}", name(track.kind), track.id)]
    Codec {
        /// Which track.
        track: TrackKey,
        /// What is wrong.
        error: codec::Error,
    },
    /// AV1 or others carried as in MPEG-TS.
    #[error("{} track {} is configured for MPEG-TS; send an ordinary sequence start", name(track.kind), track.id)]
    Mpeg2Ts {
        /// Which track.
        track: TrackKey,
    },
    /// Script data that cannot be read.
    #[error("script data: {0}")]
    Script(#[from] amf0::Error),
    /// Script data without a name.
    #[error("script data does not begin with a name")]
    ScriptName,
    /// More tracks than we keep for a publisher.
    #[error("more than {TRACKS_MAX} tracks")]
    TooManyTracks,
}

impl Error {
    /// Whether the publisher should be told and the session closed at once, for nothing better can follow. Everything
    /// else loses a tag or a track; a session closes after many of them in a row.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::VideoCodec { .. } | Self::TooManyTracks => true,
            Self::Tag(_)
            | Self::AudioCodec { .. }
            | Self::Unconfigured { .. }
            | Self::EmptyFrame { .. }
            | Self::Codec { .. }
            | Self::Mpeg2Ts { .. }
            | Self::Script(_)
            | Self::ScriptName => false,
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Data => "data",
    }
}
