//! What is made of a source's pictures, and by what.

use media::broadcast::{Broadcast, TrackInfo};
use media::codec::Codec;
use tokio::sync::OwnedSemaphorePermit;

use super::argv::{Keyframes, Wanted};
use super::tool::Ffmpeg;
use super::{BITRATE_PERCENT, Refusal};
use crate::context::Context;
use crate::encoders::Rate;
use crate::ladder::{self, Rung};

/// What is made of a source's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The same in H.264.
    H264,
    /// Smaller ones in H.264.
    Rung(Rung),
}

/// What makes them.
pub(crate) enum Means {
    /// A child.
    Child(Ffmpeg),
    /// This process, which may have to decode the source first.
    Inside {
        /// Room for that.
        decoding: Option<OwnedSemaphorePermit>,
    },
}

/// The right to make them, until it is dropped.
pub(crate) struct Room {
    pub(crate) means: Means,
    /// One of the rungs that may be.
    pub(crate) slot: Option<ladder::Slot>,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Goal {
    /// The variant of its derivation.
    pub(super) fn variant(self) -> u32 {
        match self {
            Self::H264 => 0,
            Self::Rung(rung) => rung.height(),
        }
    }

    /// Whether such pictures are what is wanted already.
    pub(super) fn takes(self, codec: &Codec) -> bool {
        let is_h264 = matches!(codec, Codec::H264(_));
        match self {
            Self::H264 => is_h264,
            // A source that has become smaller is passed on.
            Self::Rung(rung) => is_h264 && codec.resolution().is_some_and(|size| !rung.is_below(size)),
        }
    }

    /// What a child is told.
    pub(super) fn wanted(self, info: &TrackInfo) -> Wanted {
        let own = info.codec.resolution().unwrap_or_default();
        let ((width, height), rate, keyframes) = match self {
            Self::H264 => (own, Rate::of(info, BITRATE_PERCENT), Keyframes::Timed),
            Self::Rung(rung) => (rung.size(own), rung.rate(info), Keyframes::OfSource),
        };
        Wanted { width, height, rate, keyframes }
    }

    /// How it is called where people see it.
    pub(super) fn name(self, source: &Codec, means: &Means) -> String {
        let by = match (self, means) {
            (Self::H264, _) => return format!("H.264 from {}", source.name()),
            (Self::Rung(_), Means::Child(_)) => "by a child process",
            (Self::Rung(_), Means::Inside { .. }) => "in process",
        };
        format!("{} from {}, {by}", self.what(), source.name())
    }

    /// What comes out.
    pub(super) fn what(self) -> String {
        match self {
            Self::H264 => "H.264".into(),
            Self::Rung(rung) => rung.name(),
        }
    }

    /// The right to make it of this track; `None` where nothing is to be made.
    pub(super) fn room(
        self,
        context: &Context,
        source: &Broadcast,
        info: &TrackInfo,
    ) -> Result<Option<Room>, ladder::Refusal> {
        if self.takes(&info.codec) {
            return Ok(None);
        }
        match self {
            Self::H264 => Ok(Some(child(context, info)?)),
            Self::Rung(rung) => ladder::room(context, source, rung, info).map(Some),
        }
    }
}

fn child(context: &Context, info: &TrackInfo) -> Result<Room, Refusal> {
    let codec = info.codec.name();
    let ffmpeg = context.shared.ffmpeg.clone().map_err(|missing| Refusal::Missing { codec, missing })?;
    let (width, height) = info.codec.resolution().unwrap_or_default();
    let fps = Rate::of(info, BITRATE_PERCENT).fps;
    let permit = context.shared.capacity.take((width, height), fps);
    let what = Goal::H264.what();
    let permit = permit.ok_or(Refusal::NoRoom { codec, what, width, height })?;
    Ok(Room { means: Means::Child(ffmpeg), slot: None, permit })
}
