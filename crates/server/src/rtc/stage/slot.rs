//! The sections of a member's connection: one stream each, whoever it is fed by.

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use media::packet::Format;
use media::{Packet, Span, Timestamp};
use room::MemberId;
use str0m::Rtc;
use str0m::media::Mid;

use super::super::lanes::{Kind, Lanes, Place};
use super::super::layers::Want;
use super::super::outlet::{self, Joined, Outlet};
use super::super::reading::{FRESH, Got, Reading};
use super::super::watch::REJOIN_MIN;
use super::cast::Member;
use super::clock::{Point, SlotClock};

/// Whoever comes into a tile begins with the newest group if that is no older than this. Publishers of a single rendering are
/// asked for keyframes no oftener, so that a younger one is there sooner than the next.
const JOIN_OLDEST: Span = Span::from_millis(2_000);

/// One section.
pub(super) struct Slot {
    mid: Mid,
    zero: Instant,
    /// Made once it is known of what format the first source is.
    outlet: Option<Outlet>,
    feed: Option<Feed>,
    rejoined: Option<Instant>,
    clock: SlotClock,
}

/// Who feeds it.
struct Feed {
    member: MemberId,
    reading: Reading,
    /// It is about to be fed by this one.
    next: Option<MemberId>,
    /// Nothing of it was written yet.
    entering: Option<Entry>,
}

/// How it comes in.
#[derive(Clone, Copy)]
enum Entry {
    /// With what was there already.
    Joined(Joined),
    /// With a packet that opens a group.
    Opened,
}

/// What became of an attempt to write.
pub(super) enum Wrote {
    /// A packet.
    Packet,
    /// The first one of this member, or of this layer.
    First,
    /// Nothing, for its format was not agreed on.
    Unfit,
}

impl Slot {
    /// A section whose time begins at `zero`.
    pub(super) fn new(mid: Mid, zero: Instant) -> Self {
        Self { mid, zero, outlet: None, feed: None, rejoined: None, clock: SlotClock::default() }
    }

    pub(super) fn mid(&self) -> Mid {
        self.mid
    }

    pub(super) fn outlet(&mut self) -> Option<&mut Outlet> {
        self.outlet.as_mut()
    }

    /// The peer agreed to take this.
    pub(super) fn takes(&self, rtc: &Rtc, format: Format) -> bool {
        outlet::is_agreed(rtc, self.mid, format)
    }

    /// Who feeds it now.
    pub(super) fn member(&self) -> Option<MemberId> {
        self.feed.as_ref().map(|feed| feed.member)
    }

    /// How large its pictures are, where that is known.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        let feed = self.feed.as_ref()?;
        let (lanes, place) = (feed.reading.lanes(), feed.reading.place());
        if let Some((_, size)) = lanes.layers().named(place.layer()) {
            return Some(size);
        }
        let tracks = lanes.broadcast().tracks();
        tracks.iter().find_map(|track| track.codec.resolution())
    }

    /// What is fed to it is on its way to the peer.
    pub(super) fn is_flowing(&self) -> bool {
        self.feed.as_ref().is_some_and(|feed| feed.entering.is_none())
    }

    /// How long what is read next has waited.
    pub(super) fn behind(&self) -> Duration {
        self.feed.as_ref().map_or(Duration::ZERO, |feed| feed.reading.behind())
    }

    /// Which moment its RTP time is, and of whom, where that is news.
    pub(super) fn take_clock(&mut self) -> Option<(MemberId, Point)> {
        self.clock.take_told()
    }

    /// Nothing feeds it any more.
    pub(super) fn clear(&mut self) {
        self.feed = None;
    }

    /// It is fed with this sound from now on.
    pub(super) fn hear(&mut self, member: MemberId, lanes: &Arc<Lanes>) {
        let place = Kind::Audio.into();
        if self.feed.as_ref().is_some_and(|feed| feed.member == member && feed.reading.is_of(lanes, place)) {
            return;
        }
        let mut reading = Reading::new(lanes, place);
        let entering = Some(Entry::Joined(reading.join()));
        self.feed = Some(Feed { member, reading, next: None, entering });
    }

    /// It is to be fed with these pictures: at once where nothing feeds it, else once decoding can begin with them.
    pub(super) fn see(&mut self, member: MemberId, lanes: &Arc<Lanes>, layer: u8) {
        let place = Place::of_layer(layer);
        let same = self.feed.as_ref().is_some_and(|feed| feed.member == member);
        match &mut self.feed {
            Some(feed) if feed.entering.is_none() && (same || lanes.is_forwarded()) => {
                feed.next = Some(member);
                feed.reading.change(lanes, place, if same { FRESH } else { JOIN_OLDEST });
            }
            Some(feed) if same && feed.reading.is_of(lanes, place) => {}
            Some(_) | None => {
                let mut reading = Reading::new(lanes, place);
                let entering = match lanes.is_forwarded() {
                    true => reading.join_fresh(JOIN_OLDEST),
                    // Nobody can be asked for a keyframe.
                    false => reading.join(),
                };
                if reading.awaits_group() {
                    lanes.layers().want_keyframe(layer);
                }
                self.feed =
                    Some(Feed { member, reading, next: None, entering: Some(Entry::Joined(entering)) });
            }
        }
    }

    /// It goes on with what is newest.
    pub(super) fn rejoin(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        feed.reading.stay();
        let joined = feed.reading.join();
        match (&mut self.outlet, &feed.entering) {
            (Some(outlet), None) => outlet.join(joined),
            (Some(_) | None, _) => feed.entering = Some(Entry::Joined(joined)),
        }
    }

    /// The peer cannot decode what it got.
    pub(super) fn handle_keyframe_request(&mut self, now: Instant) {
        let Some(feed) = &self.feed else { return };
        if feed.reading.place().kind() == Kind::Audio {
            return;
        }
        if feed.reading.lanes().is_forwarded() {
            feed.reading.lanes().layers().want_keyframe(feed.reading.place().layer());
        } else if self.rejoined.is_none_or(|at| now.saturating_duration_since(at) >= REJOIN_MIN) {
            self.rejoined = Some(now);
            self.rejoin();
        }
    }

    /// What opens whatever it is about to be fed with, if that is there.
    pub(super) fn poll_change(&mut self, cx: &mut Task<'_>, rtc: &mut Rtc) -> Option<Wrote> {
        let (feed, outlet) = (self.feed.as_mut()?, self.outlet.as_mut()?);
        let (packet, format) = feed.reading.poll_change(cx, outlet.is_at_boundary())?;
        feed.member = feed.next.take().unwrap_or(feed.member);
        feed.entering = Some(Entry::Opened);
        outlet.forget(rtc);
        Some(self.write(rtc, packet, format))
    }

    /// It is far behind in what it is about to leave.
    pub(super) fn is_left(&self) -> bool {
        self.feed.as_ref().is_some_and(|feed| feed.reading.is_left())
    }

    /// The next packet; pending too when nothing feeds it, or nothing comes any more.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Task<'_>,
        rtc: &mut Rtc,
        member: Option<&Member>,
    ) -> Poll<Wrote> {
        loop {
            let Some(feed) = &mut self.feed else { return Poll::Pending };
            match std::task::ready!(feed.reading.poll_read(cx)) {
                Got::Packet(packet, format) => return Poll::Ready(self.write(rtc, packet, format)),
                Got::Behind => {
                    member.iter().for_each(|member| member.count_skip());
                    self.rejoin();
                }
                Got::Ended => return Poll::Pending,
            }
        }
    }

    fn write(&mut self, rtc: &mut Rtc, packet: Packet, format: Option<Format>) -> Wrote {
        let is_fit = match format {
            Some(format) => fit(&mut self.outlet, rtc, (self.mid, self.zero), format),
            None => true,
        };
        let (Some(feed), Some(outlet), true) = (&mut self.feed, &mut self.outlet, is_fit) else {
            self.feed = None;
            return Wrote::Unfit;
        };
        let entering = feed.entering.take();
        let lanes = feed.reading.lanes();
        if let Some(entry) = entering {
            outlet.enter(lanes.broadcast().started(), packet.at);
            match entry {
                Entry::Joined(joined) => outlet.join(joined),
                Entry::Opened => outlet.begin(packet.at),
            }
        }
        let live = lanes.broadcast().started() + (packet.at - Timestamp::ZERO).to_duration();
        let written = outlet.write(rtc, &feed.reading, packet);
        if let Some(rtp) = written {
            self.clock.handle_packet(feed.member, Point { rtp, rate: outlet.format().clock_rate(), live });
        }
        if entering.is_some() { Wrote::First } else { Wrote::Packet }
    }
}

/// The stream can be of this format from now on.
fn fit(outlet: &mut Option<Outlet>, rtc: &Rtc, (mid, zero): (Mid, Instant), format: Format) -> bool {
    match outlet {
        Some(outlet) => outlet.set_format(rtc, format),
        None => {
            *outlet = Outlet::new(rtc, mid, format, zero);
            outlet.is_some()
        }
    }
}

/// A wish for the layer of somebody's pictures that a section gets or waits for.
pub(super) fn want(before: Option<Want>, lanes: &Arc<Lanes>, layer: u8) -> Option<Want> {
    match before {
        Some(want) if want.is_of(lanes.layers(), layer) => Some(want),
        // The new wish before the old one goes: nobody is let rest between.
        former => {
            let want = lanes.layers().want(layer);
            drop(former);
            Some(want)
        }
    }
}
