//! What a member of a room is sent: one connection whatever happens on the stage. Its sections are slots: the loudest others
//! are put into those of sound, and whom the member asks to see into those of pictures (docs/control-channel.md).

mod cast;
mod clock;
mod share;
mod slot;
mod speakers;
mod tiles;
mod voices;

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use room::MemberId;
use room::clock::Mapping;
use str0m::Rtc;
use str0m::media::{MediaKind, Mid};
use str0m::stats::{MediaEgressStats, PeerStats};
use tokio_util::sync::CancellationToken;

use super::control;
use super::control::{Held, LOOK_EVERY, Told};
use super::lanes::Kind;
use super::offer::Refusal;
use super::outlet;
use super::watch::Over;
use super::way::Way;
use crate::context::Context;
use crate::rooms::micros_at;
use crate::rooms::stage::Attending;
use cast::{Cast, Ended};
use clock::Point;
use share::Conditions;
use slot::{Slot, Wrote};
use speakers::Speakers;
use tiles::Tiles;
use voices::{LEVEL_UNKNOWN, Talker, Voices};

/// As many are heard at once: more is noise.
const VOICES_MAX: usize = 6;
/// And as many are seen: three rows of three, of the size of a thumb on a phone.
const TILES_MAX: usize = 9;

/// Whether an offer has no more sections than there are slots.
pub(super) fn check(offer: &str) -> Result<(), Refusal> {
    let count = |kind: &str| offer.lines().filter(|line| line.starts_with(kind)).count();
    let (voices, tiles) = (count("m=audio "), count("m=video "));
    if voices <= VOICES_MAX && tiles <= TILES_MAX {
        return Ok(());
    }
    Err(Refusal::Malformed(format!(
        "it has {voices} sections of sound and {tiles} of pictures; a stage is sent in {VOICES_MAX} and {TILES_MAX} at most"
    )))
}

/// A member's sending side.
pub(super) struct Slots {
    cast: Cast,
    left: CancellationToken,
    /// When the time of all slots began.
    zero: Instant,
    hearing: Hearing,
    tiles: Tiles,
    way: Way,
    held: Held,
    look: Instant,
    is_over: bool,
}

/// What is heard.
struct Hearing {
    voices: Voices,
    slots: Vec<Slot>,
    /// Whom the peer was told that it hears, by slot.
    told: Vec<Option<MemberId>>,
    speakers: Speakers,
}

impl Slots {
    pub(super) fn new(context: Arc<Context>, member: Attending, is_reckoned: bool, now: Instant) -> Self {
        let Attending { member, stage, left, path: _ } = member;
        let copies_max = context.config().rtc.copies_max;
        Self {
            cast: Cast::new(context, stage, member),
            left,
            zero: now,
            hearing: Hearing::new(member),
            tiles: Tiles::default(),
            way: Way::new(is_reckoned, copies_max),
            held: Held::default(),
            look: now,
            is_over: false,
        }
    }

    /// A section was negotiated.
    pub(super) fn add(&mut self, rtc: &Rtc, mid: Mid, kind: MediaKind) {
        if !rtc.media(mid).is_some_and(|media| media.direction().is_sending()) {
            return;
        }
        let slot = Slot::new(mid, self.zero);
        match kind {
            MediaKind::Audio => {
                self.hearing.slots.push(slot);
                self.hearing.told.push(None);
                self.hearing.voices.add_slot();
            }
            MediaKind::Video => self.tiles.add(slot),
        }
    }

    pub(super) fn rejoin(&mut self) {
        self.way.rejoin();
        self.hearing.slots.iter_mut().for_each(Slot::rejoin);
        self.tiles.rejoin();
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.look
    }

    /// What the member wants to see.
    pub(super) fn handle_tiles(&mut self, tiles: Vec<control::Tile>, now: Instant) {
        self.tiles.handle_asked(tiles);
        self.look = now;
    }

    pub(super) fn handle_estimate(&mut self, bps: u64) {
        self.way.handle_estimate(bps);
    }

    pub(super) fn handle_way(&mut self, stats: &PeerStats) {
        self.way.handle_report(stats);
    }

    /// How often each datagram is sent.
    pub(super) fn copies(&self) -> usize {
        self.way.copies()
    }

    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
        let Some(outlet) = self.slot(stats.mid).and_then(Slot::outlet) else { return };
        outlet.handle_stats(stats);
        if outlet.kind() == Kind::Video {
            let jitter = outlet.take_jitter(stats);
            self.way.handle_pictures(stats, jitter);
        }
    }

    pub(super) fn handle_keyframe_request(&mut self, mid: Mid, now: Instant) {
        if let Some(slot) = self.slot(mid) {
            slot.handle_keyframe_request(now);
        }
    }

    fn slot(&mut self, mid: Mid) -> Option<&mut Slot> {
        let slots = self.hearing.slots.iter_mut().chain(self.tiles.slots());
        slots.into_iter().find(|slot| slot.mid() == mid)
    }

    /// Looks who is on the stage, how loud they are and what the way carries.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        if now < self.look {
            return;
        }
        self.look = now + LOOK_EVERY;
        if self.cast.look().is_err_and(|Ended| true) || self.left.is_cancelled() {
            self.is_over = true;
            return;
        }
        self.hearing.handle_cast(now, &self.cast);
        let conditions = Conditions {
            way: self.way.look(now),
            voices: self.hearing.voices.heard().flatten().count(),
            behind: Duration::ZERO,
        };
        let wishes = self.tiles.handle_cast(now, rtc, &self.cast, conditions);
        self.way.apply(now, rtc, wishes);
        if let Some(missing) = self.way.missing() {
            let outlets = self.hearing.slots.iter_mut().filter_map(Slot::outlet);
            outlets.for_each(|outlet| outlet.handle_way(missing));
        }
    }

    /// What is to be said on the control channel.
    pub(super) fn take_told(&mut self) -> Option<Told> {
        let told = self.held.take_told(self.cast.hold().max(self.way.hold()));
        told.or_else(|| self.hearing.take_told(Instant::now()))
            .or_else(|| self.tiles.take_told())
            .or_else(|| self.take_clock())
    }

    /// Which moment the RTP time of a section is.
    fn take_clock(&mut self) -> Option<Told> {
        let clock = &self.cast.context().clock;
        let slots = self.hearing.slots.iter_mut().chain(self.tiles.slots());
        slots.into_iter().find_map(|slot| {
            let (member, Point { rtp, rate, live }) = slot.take_clock()?;
            let mapping = Mapping { rtp, rate, at_us: micros_at(clock, live) };
            Some(Told::Clock { mid: slot.mid().to_string(), member, mapping })
        })
    }

    /// The next packet of any slot, written to `rtc`: sound first, then pictures by their importance.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>, rtc: &mut Rtc) -> Poll<Result<(), Over>> {
        if self.is_over {
            return Poll::Ready(Err(Over::Ended));
        }
        // Who is muted is not heard for a moment longer.
        if self.cast.has_changed() {
            let now = Instant::now();
            self.look = now;
            self.handle_timeout(now, rtc);
        }
        for slot in &mut self.hearing.slots {
            let member = slot.member().and_then(|member| self.cast.member(member));
            if let Poll::Ready(Wrote::Packet | Wrote::First) = slot.poll_write(cx, rtc, member) {
                return Poll::Ready(Ok(()));
            }
        }
        let room = self.way.estimate_bps().map(outlet::ahead);
        self.tiles.poll_write(cx, rtc, &self.cast, room).map(Ok)
    }
}

impl Hearing {
    fn new(own: MemberId) -> Self {
        let (slots, told) = (Vec::new(), Vec::new());
        Self { voices: Voices::new(own), slots, told, speakers: Speakers::default() }
    }

    /// Puts the loudest into the slots.
    fn handle_cast(&mut self, now: Instant, cast: &Cast) {
        let talker = |(member, level): (MemberId, Option<i8>)| Some(Talker { member, level: level? });
        let levels: Vec<(MemberId, Option<i8>)> = cast.levels(now).collect();
        let measured: Vec<Talker> = levels.iter().copied().filter_map(talker).collect();
        self.speakers.handle_levels(now, &measured);
        let talkers: Vec<Talker> = levels
            .into_iter()
            .map(|(member, level)| Talker { member, level: level.unwrap_or(LEVEL_UNKNOWN) })
            .collect();
        self.voices.handle_levels(now, &talkers);
        for (slot, heard) in self.slots.iter_mut().zip(self.voices.heard()) {
            match heard.and_then(|member| Some((member, cast.member(member)?.sound()?))) {
                Some((member, lanes)) => slot.hear(member, lanes),
                None => slot.clear(),
            }
        }
    }

    fn take_told(&mut self, now: Instant) -> Option<Told> {
        for (slot, told) in self.slots.iter().zip(&mut self.told) {
            let member = slot.member();
            if std::mem::replace(told, member) != member {
                return Some(Told::Voice { mid: slot.mid().to_string(), member });
            }
        }
        self.speakers.take_told(now).map(|speakers| Told::Speakers { speakers })
    }
}
