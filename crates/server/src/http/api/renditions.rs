//! What can be had of a broadcast with `?rendition=`, and what it costs where it is made.

use media::broadcast::Broadcast;
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::Context;
use crate::derived;
use crate::ladder::{self, Offer, Origin};

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rendition {
    /// For `?rendition=`: `source`, `480p`, `audio`
    name: String,
    width: Option<u32>,
    height: Option<u32>,
    /// Of the newest whole group, or what one that is made takes at most; sound is not in it.
    bitrate_bps: Option<u64>,
    /// `published`, `made` or `sound`
    origin: &'static str,
    /// How many outputs (FLV, RTMP, HLS, WebRTC) read one that is being made; none of one that is not.
    readers: Option<usize>,
    /// The share of one core that making it takes, without what all of a stream share.
    cores: Option<f64>,
}

/// All of them, the best first.
pub(super) fn of(
    context: &Context,
    broadcast: &Broadcast,
    running: &[derived::Conversion],
) -> Vec<Rendition> {
    let offers = ladder::offers(context, broadcast);
    offers.iter().map(|offer| told(broadcast, offer, running)).collect()
}

fn told(broadcast: &Broadcast, offer: &Offer, running: &[derived::Conversion]) -> Rendition {
    let name = offer.rendition.to_string();
    let (origin, bitrate_bps, readers) = match &offer.origin {
        Origin::Published(track) => ("published", track.stats.bitrate_bps(), None),
        Origin::Rung { rung, rate } => {
            ("made", Some(rate.bitrate_bps.into()), ladder::readers(broadcast, *rung))
        }
        Origin::Sound => ("sound", None, None),
    };
    let beginning = format!("{name} from ");
    let is_its = |one: &&derived::Conversion| readers.is_some() && one.what.starts_with(&beginning);
    let cores = running.iter().find(is_its).map(|one| super::broadcasts::rounded(one.cores));
    let (width, height) = offer.size.unzip();
    Rendition { name, width, height, bitrate_bps, origin, readers, cores }
}
