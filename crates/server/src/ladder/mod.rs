//! Renditions of a broadcast: the layers that its publisher sends, smaller pictures that are made of it while somebody
//! watches them (rungs), and its sound alone. An address asks for one by name: `?rendition=480p`.

mod encoding;
mod pictures;
mod policy;
mod rung;
mod select;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use media::broadcast::{Broadcast, TrackInfo};
use media::codec::Kind;
use tokio::time::{Instant, sleep};

use crate::context::Context;
use crate::encoders::Rate;
use crate::rtmp::query_value;
use crate::transcode::{self, Goal, Picture};

pub(crate) use encoding::{Decoded, Encoding};
pub(crate) use policy::{Running, Slot};
pub(crate) use rung::{Rung, room};

/// A broadcast that has just begun says within this what it carries …
const TRACKS_PATIENCE: Duration = Duration::from_secs(3);
/// … and is looked at this often.
const TRACKS_LOOK: Duration = Duration::from_millis(50);

/// What an address asks for of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    /// In which pictures.
    pub(crate) picture: Picture,
    /// And how large.
    pub(crate) rendition: Rendition,
}

/// The name of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rendition {
    /// The best that is published.
    Source,
    /// Pictures whose shorter side has so many pixels.
    Height(u32),
    /// Sound alone.
    Sound,
}

impl Asked {
    /// What a query asks for: `rendition=480p` and `video=h264`.
    pub(crate) fn of(query: &str) -> Result<Self, Refusal> {
        let rendition = query_value(query, "rendition").map_or(Some(Rendition::Source), Rendition::named);
        Ok(Self { picture: Picture::asked(query), rendition: rendition.ok_or(Refusal::Unreadable)? })
    }

    /// The best in these pictures.
    #[cfg(test)]
    pub(crate) fn best(picture: Picture) -> Self {
        Self { picture, rendition: Rendition::Source }
    }
}

impl Rendition {
    /// Reads a name. There is one spelling of each.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "source" => Some(Self::Source),
            "audio" => Some(Self::Sound),
            _ => {
                let height: u16 = name.strip_suffix('p')?.parse().ok()?;
                let rendition = Self::Height(height.into());
                (rendition.to_string() == name).then_some(rendition)
            }
        }
    }
}

impl fmt::Display for Rendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Height(height) => write!(f, "{height}p"),
            Self::Sound => f.write_str("audio"),
        }
    }
}

/// Why a rendition cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The name is none.
    #[error("rendition must be source, audio, or a height such as 480p")]
    Unreadable,
    /// There is none of this name.
    #[error("this stream has no rendition {asked}; it has {exist}")]
    Unknown {
        /// As it was asked for.
        asked: Rendition,
        /// The names of all that can be had.
        exist: String,
    },
    /// The configuration does not let an address start it.
    #[error(
        "this server makes no smaller pictures of this stream because an address asks for them; an operator allows it \
         with ladder.streams or ladder.on_request"
    )]
    NotAllowed,
    /// As many run as may.
    #[error("{max} smaller pictures are being made already, as many as may be (ladder.max); try again later")]
    TooMany {
        /// `ladder.max`
        max: usize,
    },
    /// The machine cannot.
    #[error(transparent)]
    Transcode(#[from] transcode::Refusal),
}

/// A rendition that can be had.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Its name.
    pub(crate) rendition: Rendition,
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// Width and height in pixels, where they are known.
    pub(crate) size: Option<(u32, u32)>,
}

/// Where a rendition comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A picture that is published: the best, or one of its layers.
    Published(Box<TrackInfo>),
    /// It is made.
    Rung {
        /// How large.
        rung: Rung,
        /// And how fast.
        rate: Rate,
    },
    /// The sound that is published.
    Sound,
}

/// Every rendition of a broadcast that can be had, the best first and sound alone last.
pub(crate) fn offers(context: &Context, broadcast: &Broadcast) -> Vec<Offer> {
    let tracks = broadcast.tracks();
    let pictures = pictures(&tracks);
    let mut offers = published(&pictures);
    if let Some(best) = pictures.first().filter(|_| pictures.len() == 1) {
        let allowed = policy::allows(context, broadcast.path());
        let rungs = context.config().ladder.rungs.clone();
        let possible = rungs.iter().filter(|_| allowed).filter_map(|rung| Rung::of(*rung, best));
        offers.extend(possible.map(|rung| {
            let size = best.codec.resolution().map(|size| rung.size(size));
            let origin = Origin::Rung { rung, rate: rung.rate(best) };
            Offer { rendition: Rendition::Height(rung.height()), origin, size }
        }));
    }
    if tracks.iter().any(|track| track.kind == Kind::Audio) {
        offers.push(Offer { rendition: Rendition::Sound, origin: Origin::Sound, size: None });
    }
    offers
}

/// Whether its HLS lists every rendition, and not the source alone.
pub(crate) fn is_listed(context: &Context, broadcast: &Broadcast) -> bool {
    pictures(&broadcast.tracks()).len() > 1 || policy::lists(context, broadcast.path())
}

/// All renditions of the same thing, the best first.
fn pictures(tracks: &[TrackInfo]) -> Vec<TrackInfo> {
    let mut pictures: Vec<_> = tracks.iter().filter(|track| track.kind == Kind::Video).cloned().collect();
    pictures.sort_by_key(TrackInfo::place);
    // Further pictures that are no rendition show something else.
    let set = pictures.iter().find_map(|track| track.rendition).map(|rendition| rendition.set);
    let mut index = 0;
    pictures.retain(|track| {
        index += 1;
        index == 1 || track.rendition.is_some_and(|rendition| Some(rendition.set) == set)
    });
    pictures
}

fn published(pictures: &[TrackInfo]) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for (index, track) in pictures.iter().enumerate() {
        let size = track.codec.resolution();
        let rendition = match (index, size) {
            (0, _) => Rendition::Source,
            (_, Some((width, height))) => Rendition::Height(width.min(height)),
            // It has no name yet.
            (_, None) => continue,
        };
        if offers.iter().all(|offer| offer.rendition != rendition) {
            offers.push(Offer { rendition, origin: Origin::Published(Box::new(track.clone())), size });
        }
    }
    offers
}

/// What an address asks for, found.
pub(crate) enum Found {
    /// What is published, as it is.
    Source,
    /// One of its layers.
    Layer(Broadcast, Box<TrackInfo>),
    /// Pictures in H.264 made for it, or none.
    Made(Broadcast),
}

/// Finds a rendition, and starts it where it has to be made.
pub(crate) fn find(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    rendition: Rendition,
) -> Result<Found, Refusal> {
    let tracks = broadcast.tracks();
    let offers = offers(context, broadcast);
    let own = offers.first().and_then(|best| best.size).map(|(width, height)| width.min(height));
    if rendition == Rendition::Source || own.is_some_and(|own| rendition == Rendition::Height(own)) {
        return Ok(Found::Source);
    }
    match offers.iter().find(|offer| offer.rendition == rendition).map(|offer| &offer.origin) {
        Some(Origin::Published(track)) => {
            Ok(Found::Layer(select::picture(context, broadcast, track.id), track.clone()))
        }
        Some(Origin::Sound) => Ok(Found::Made(select::sound(context, broadcast))),
        Some(Origin::Rung { rung, .. }) => {
            Ok(Found::Made(transcode::made(context, broadcast, Goal::Rung(*rung))?))
        }
        None if policy::would_make(context, rendition, &pictures(&tracks)) => Err(Refusal::NotAllowed),
        None => {
            let names: Vec<_> = offers.iter().map(|offer| offer.rendition.to_string()).collect();
            Err(Refusal::Unknown { asked: rendition, exist: names.join(", ") })
        }
    }
}

/// Outputs that read a rung; `None` where it does not run.
pub(crate) fn readers(broadcast: &Broadcast, rung: Rung) -> Option<usize> {
    transcode::readers(broadcast, rung.height())
}

/// Finds a rendition for WebRTC, which has to know what it carries before it answers.
pub(crate) async fn for_browsers(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    asked: Asked,
) -> Result<Broadcast, Refusal> {
    settle(broadcast, asked).await;
    let made = match find(context, broadcast, asked.rendition)? {
        Found::Source => return Ok(broadcast.clone()),
        Found::Layer(made, _) | Found::Made(made) => made,
    };
    settle(&made, asked).await;
    Ok(made)
}

/// Waits a moment until it is known of which renditions a broadcast is, where another than the best is asked for.
pub(crate) async fn settle(broadcast: &Broadcast, asked: Asked) {
    let end = Instant::now() + TRACKS_PATIENCE;
    let is_there = || {
        let tracks = broadcast.tracks();
        let has = |kind| tracks.iter().any(|track| track.kind == kind);
        match asked.rendition {
            Rendition::Source => true,
            Rendition::Height(_) => has(Kind::Video),
            Rendition::Sound => has(Kind::Audio),
        }
    };
    while !is_there() && Instant::now() < end {
        sleep(TRACKS_LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendition_has_one_name_and_everything_else_is_none() {
        for name in ["source", "audio", "720p", "48p", "0p"] {
            assert_eq!(Rendition::named(name).map(|rendition| rendition.to_string()).as_deref(), Some(name));
        }
        let others =
            ["", "p", "720", "0720p", "+720p", "-1p", "720P", "99999p", "Source", "audio ", "../x", "７p"];
        for name in others {
            assert_eq!(Rendition::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_query_asks_for_the_source_unless_it_names_another_rendition() {
        assert_eq!(Asked::of("wait_ms=1"), Ok(Asked::best(Picture::Any)));
        let asked = Asked { picture: Picture::H264, rendition: Rendition::Height(480) };
        assert_eq!(Asked::of("rendition=480p&video=h264&rendition=audio"), Ok(asked));
        assert_eq!(Asked::of("rendition="), Err(Refusal::Unreadable));
        assert_eq!(Asked::of("rendition=%34%38%30p"), Err(Refusal::Unreadable));
    }
}
