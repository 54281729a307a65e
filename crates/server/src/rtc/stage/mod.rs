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
use str0m::bwe::Bitrate;
use str0m::media::{MediaKind, Mid};
use str0m::stats::{MediaEgressStats, PeerStats};
use tokio_util::sync::CancellationToken;

use super::choice::ESTIMATE_FIRST;
use super::control;
use super::control::{Held, LOOK_EVERY, Told};
use super::offer::Refusal;
use super::outlet;
use super::watch::Over;
use super::way::{ABOUT, Crowd, Reports};
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
/// A floor is put under the estimate no more often: each time, all is reckoned anew.
const FLOOR_EVERY: Duration = Duration::from_secs(1);

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

/// What is known of the way.
#[derive(Debug, Default)]
struct Way {
    /// `None` where nobody reckons it.
    estimate_bps: Option<u64>,
    reports: Reports,
    crowd: Crowd,
    /// What was estimated before it fell without a reason that is known, and when it did.
    before_bps: u64,
    fell: Option<Instant>,
    desired_bps: u64,
    floored: Option<Instant>,
}

impl Slots {
    pub(super) fn new(context: Arc<Context>, member: Attending, is_reckoned: bool, now: Instant) -> Self {
        let Attending { member, stage, left, path: _ } = member;
        Self {
            cast: Cast::new(context, stage, member),
            left,
            zero: now,
            hearing: Hearing::new(member),
            tiles: Tiles::default(),
            way: Way {
                estimate_bps: is_reckoned.then_some(ESTIMATE_FIRST),
                before_bps: ESTIMATE_FIRST,
                ..Way::default()
            },
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
        self.way.estimate_bps = Some(bps);
    }

    pub(super) fn handle_way(&mut self, stats: &PeerStats) {
        self.way.reports.handle_report(stats);
    }

    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
        if let Some(outlet) = self.slot(stats.mid).and_then(Slot::outlet) {
            outlet.handle_stats(stats);
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
            estimate_bps: self.way.estimate_bps,
            voices: self.hearing.voices.heard().flatten().count(),
            behind: Duration::ZERO,
            is_lossy: self.way.is_lossy(now),
            is_crowded: self.way.crowd.is_about(now),
        };
        let wishes = self.tiles.handle_cast(now, rtc, &self.cast, conditions);
        self.way.apply(now, rtc, wishes);
    }

    /// What is to be said on the control channel.
    pub(super) fn take_told(&mut self) -> Option<Told> {
        let told = self.held.take_told(self.cast.hold());
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
        let room = self.way.estimate_bps.map(outlet::ahead);
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

impl Way {
    /// Much is lost, and not for want of room.
    fn is_lossy(&mut self, now: Instant) -> bool {
        self.crowd.handle_report(now, self.reports.loss(), self.reports.round_trip(now))
    }

    /// What an estimate is put back to that fell without loss and without a queue: it does when packets come unevenly, as when a
    /// joined group goes out at once. Were there no room after all, a queue or loss would tell, and what it fell to be believed.
    fn forgiven(&mut self, now: Instant, estimate: u64, is_short: bool) -> Option<u64> {
        if estimate >= self.before_bps || self.crowd.is_about(now) {
            (self.before_bps, self.fell) = (estimate, None);
            return None;
        }
        let fell = *self.fell.get_or_insert(now);
        let is_known = now.saturating_duration_since(fell) >= ABOUT;
        (is_short && is_known).then_some(self.before_bps)
    }

    /// Has room looked for, and what was misjudged reckoned anew.
    fn apply(&mut self, now: Instant, rtc: &mut Rtc, wishes: share::Wishes) {
        let Some(estimate) = self.estimate_bps else { return };
        if wishes.desired_bps != self.desired_bps {
            self.desired_bps = wishes.desired_bps;
            rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(self.desired_bps));
        }
        let is_due = self.floored.is_none_or(|at| now.saturating_duration_since(at) >= FLOOR_EVERY);
        let floor = wishes.floor_bps.max(self.forgiven(now, estimate, wishes.is_short));
        if let Some(floor) = floor.filter(|floor| *floor > estimate && is_due) {
            self.floored = Some(now);
            self.estimate_bps = Some(floor);
            rtc.bwe().reset(Bitrate::bps(floor));
        }
    }
}
