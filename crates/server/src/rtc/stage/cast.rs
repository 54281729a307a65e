//! Who is on the stage beside oneself, and where what they send is read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use media::broadcast::Phase;
use media::codec;
use room::MemberId;

use super::super::choose::Layer;
use super::super::lanes::{Kind, Lanes};
use crate::audience::{self, Audience, Seat};
use crate::context::Context;
use crate::rooms::stage::{Performer, StageWatch};

/// Pictures that are older than this do not come: longer than any that is slow, and shorter than anybody's patience.
const SILENT: Duration = Duration::from_secs(3);
/// Pictures that nobody has measured yet are taken to have so many bits a second for each of their pixels, as 720p of 1.5 Mbit/s
/// has: to wait for a whole group to be measured would keep newcomers waiting, and small pictures from being shown at all.
const BITS_A_PIXEL: f64 = 1.6;
/// Within these.
const BITRATE_UNKNOWN: std::ops::RangeInclusive<u64> = 100_000..=1_500_000;

/// Everybody else on a stage.
pub(super) struct Cast {
    context: Arc<Context>,
    stage: StageWatch,
    own: MemberId,
    members: Vec<Member>,
}

/// One of them.
pub(super) struct Member {
    performer: Performer,
    source: Option<Source>,
}

/// What comes of one.
struct Source {
    lanes: Arc<Lanes>,
    seat: Seat,
}

/// The room has ended.
pub(super) struct Ended;

impl Cast {
    pub(super) fn new(context: Arc<Context>, stage: StageWatch, own: MemberId) -> Self {
        let mut cast = Self { context, stage, own, members: Vec::new() };
        cast.stage.mark_changed();
        cast
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Takes who is on the stage now, and looks for what they send.
    pub(super) fn look(&mut self) -> Result<(), Ended> {
        if self.stage.has_changed().map_err(|_| Ended)? {
            let stage = Arc::clone(&self.stage.borrow_and_update());
            let mut before = std::mem::take(&mut self.members);
            let others = stage.performers.iter().filter(|performer| performer.member != self.own);
            self.members.extend(others.map(|performer| {
                let known = before.iter().position(|known| known.performer.path == performer.path);
                let source = known.and_then(|index| before.swap_remove(index).source);
                Member { performer: performer.clone(), source }
            }));
        }
        for member in &mut self.members {
            member.source.take_if(|source| source.lanes.broadcast().phase() == Phase::Ended);
            if member.source.is_none()
                && let Some(broadcast) = self.context.hub.get(&member.performer.path)
            {
                let seat = Audience::of(&broadcast).sit(audience::Protocol::Whep);
                member.source = Some(Source { lanes: Lanes::of(&self.context, &broadcast), seat });
            }
        }
        Ok(())
    }

    /// There is something that was not taken yet.
    pub(super) fn has_changed(&self) -> bool {
        self.stage.has_changed().unwrap_or(true)
    }

    /// Who sends sound that may be heard, and how loud it is where that is known already.
    pub(super) fn levels(&self, now: Instant) -> impl Iterator<Item = (MemberId, Option<i8>)> {
        self.members
            .iter()
            .filter_map(move |member| Some((member.performer.member, member.sound()?.loudness().level(now))))
    }

    /// How long what comes is to be held, because somebody's way to us loses so much.
    pub(super) fn hold(&self) -> Duration {
        let sources = self.members.iter().filter_map(|member| member.source.as_ref());
        sources.map(|source| source.lanes.hold()).max().unwrap_or_default()
    }

    pub(super) fn member(&self, member: MemberId) -> Option<&Member> {
        self.members.iter().find(|known| known.performer.member == member)
    }
}

impl Member {
    /// Where its sound is read, if it is to be passed on and there is any.
    pub(super) fn sound(&self) -> Option<&Arc<Lanes>> {
        self.lanes(Kind::Audio).filter(|_| self.performer.sending.sound)
    }

    /// The same of its picture, which may be a screen.
    pub(super) fn picture(&self) -> Option<&Arc<Lanes>> {
        let sending = self.performer.sending;
        self.lanes(Kind::Video).filter(|_| sending.picture || sending.screen)
    }

    fn lanes(&self, kind: Kind) -> Option<&Arc<Lanes>> {
        let source = self.source.as_ref()?;
        source.lanes.format(kind).map(|_| &source.lanes)
    }

    /// A reader has missed something of it.
    pub(super) fn count_skip(&self) {
        if let Some(source) = &self.source {
            source.seat.audience().skips.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// The layers of somebody's pictures that can be had, the best first; a single rendering is one. None while nothing comes.
pub(super) fn layers(lanes: &Lanes, now: Instant, into: &mut Vec<Layer>) {
    if lanes.layers().is_many() {
        lanes.layers().look(now, into);
        into.retain(|layer| layer.is_sent || layer.is_resting);
        return;
    }
    into.clear();
    let Some(newest) = lanes.newest(Kind::Video) else { return };
    let shown = lanes.broadcast().started() + Duration::from_micros(newest.micros().max(0) as u64);
    if now.saturating_duration_since(shown) > SILENT {
        return;
    }
    let tracks = lanes.broadcast().tracks();
    let track = tracks.iter().find(|track| track.kind == codec::Kind::Video);
    let size = track.and_then(|track| track.codec.resolution());
    into.push(Layer {
        lane: 0,
        size,
        bitrate_bps: track.and_then(|track| track.stats.bitrate_bps()).unwrap_or_else(|| unmeasured(size)),
        is_sent: true,
        is_heard: true,
        is_resting: false,
    });
}

/// What pictures of this size take as long as nobody has measured them.
fn unmeasured(size: Option<(u32, u32)>) -> u64 {
    let (least, most) = (*BITRATE_UNKNOWN.start(), *BITRATE_UNKNOWN.end());
    let by_size = |(width, height): (u32, u32)| f64::from(width) * f64::from(height) * BITS_A_PIXEL;
    size.map_or(most, |size| (by_size(size) as u64).clamp(least, most))
}
