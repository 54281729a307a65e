//! A WHEP viewer: reads the lanes of a broadcast and writes them as its RTP streams. Of pictures in layers it reads the one
//! that [`Choice`] says, and changes to another at a keyframe of that one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use media::Packet;
use media::broadcast::Phase;
use str0m::Rtc;
use str0m::media::{MediaKind, Mid};
use str0m::stats::{MediaEgressStats, PeerStats};

use super::choice::Choice;
use super::choose::{Pictures, View};
use super::control::{Held, Told};
use super::lanes::{Kind, Lanes, Place};
use super::outlet::{self, Outlet};
use super::reading::{self, Got, Reading};
use super::way::Way;
use crate::audience::Seat;
use crate::sessions::Session;

/// Where frames are packetized nobody can be asked for a keyframe; the newest one is sent again, at most this often.
pub(super) const REJOIN_MIN: Duration = Duration::from_millis(500);
/// Packets written before the socket gets its turn: a joined group goes out in bursts that receivers' buffers hold.
pub(super) const BURST_PACKETS: usize = 48;
/// And the pause between such bursts: about 90 Mbit/s.
pub(super) const BURST_PAUSE: Duration = Duration::from_millis(5);

/// A viewer's reading side.
pub(super) struct Watch {
    lanes: Arc<Lanes>,
    streams: Vec<Stream>,
    seat: Seat,
    /// Where the pictures come in layers. In a box, for most do not.
    choice: Option<Box<Choice>>,
    way: Way,
    held: Held,
    session: Arc<Session>,
}

/// One of its RTP streams.
struct Stream {
    reading: Reading,
    outlet: Outlet,
    /// Nothing of it is read now.
    is_withheld: bool,
    rejoined: Option<Instant>,
}

/// The broadcast is over, or carries what this viewer has not negotiated.
#[derive(Debug)]
pub(super) enum Over {
    Ended,
    OtherCodec,
}

impl Watch {
    /// Of a viewer at the end of this way.
    pub(super) fn new(lanes: Arc<Lanes>, seat: Seat, way: Way, session: Arc<Session>) -> Self {
        Self { lanes, streams: Vec::new(), seat, choice: None, way, held: Held::default(), session }
    }

    /// A stream was negotiated: it begins with the newest group.
    pub(super) fn add(&mut self, rtc: &mut Rtc, mid: Mid, kind: MediaKind, now: Instant) {
        let kind = match kind {
            MediaKind::Audio => Kind::Audio,
            MediaKind::Video => Kind::Video,
        };
        let Some(format) = self.lanes.format(kind) else { return };
        let Some(outlet) = Outlet::new(rtc, mid, format, self.lanes.broadcast().started()) else { return };
        if kind == Kind::Video {
            self.follow_layers(now);
        }
        let layer = self.choice.as_ref().filter(|_| kind == Kind::Video).and_then(|choice| choice.at_hand());
        let place = layer.map_or(kind.into(), Place::of_layer);
        let reading = Reading::new(&self.lanes, place);
        let mut stream = Stream { reading, outlet, is_withheld: false, rejoined: None };
        stream.join();
        if stream.reading.awaits_group() && kind == Kind::Video {
            self.lanes.layers().want_keyframe(place.layer());
        }
        // Sound goes first, whichever order the viewer asked in: it never waits for a picture's packets.
        match kind {
            Kind::Audio => self.streams.insert(0, stream),
            Kind::Video => self.streams.push(stream),
        }
        if let (Some(choice), Some(layer)) = (&mut self.choice, layer) {
            choice.handle_lane(layer);
        }
    }

    /// There is a choice once there is something to choose from.
    fn follow_layers(&mut self, now: Instant) {
        if self.choice.is_none() && self.lanes.layers().is_many() {
            let session = Some(Arc::clone(&self.session));
            let way = self.way.look(now);
            self.choice = Some(Box::new(Choice::new(self.lanes.layers(), way, session, now)));
        }
    }

    /// Goes on with what is newest.
    pub(super) fn rejoin(&mut self) {
        self.way.rejoin();
        for stream in &mut self.streams {
            stream.reading.stay();
            stream.join();
        }
    }

    /// When [`Watch::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.choice.as_ref().map(|choice| choice.poll_timeout())
    }

    /// Chooses a layer anew, when it is time.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        let Some(choice) = self.choice.as_mut().filter(|choice| choice.poll_timeout() <= now) else { return };
        if let Some(missing) = self.way.missing() {
            self.streams.iter_mut().for_each(|stream| stream.outlet.handle_way(missing));
        }
        let pictures = self.streams.iter_mut().find(|stream| stream.outlet.kind() == Kind::Video);
        let Some(stream) = pictures else { return };
        let before = choice.pictures();
        let wishes = choice.handle_timeout(now, self.way.look(now), stream.reading.behind());
        self.way.apply(now, rtc, wishes);
        if choice.pictures() != before && choice.is_by_room() {
            stream.outlet.forget(rtc);
        }
        match choice.pictures() {
            Pictures::Lane(layer) => {
                stream.reading.change(&self.lanes, Place::of_layer(layer), reading::FRESH);
            }
            Pictures::Withheld => stream.reading.stay(),
        }
    }

    /// What the viewer says of itself.
    pub(super) fn handle_view(&mut self, view: View, now: Instant) {
        if let Some(choice) = &mut self.choice {
            choice.handle_view(view, now);
        }
    }

    /// What the way is reckoned to carry.
    pub(super) fn handle_estimate(&mut self, bps: u64) {
        self.way.handle_estimate(bps);
    }

    /// How often each datagram is sent.
    pub(super) fn copies(&self) -> usize {
        self.way.copies()
    }

    /// What is to be said on the control channel, where one is open.
    pub(super) fn take_told(&mut self, is_open: bool) -> Option<Told> {
        if !is_open {
            if let Some(choice) = &mut self.choice {
                choice.forget_told();
            }
            return None;
        }
        let told = self.held.take_told(self.lanes.hold().max(self.way.hold()));
        told.or_else(|| self.choice.as_mut()?.take_told())
    }

    /// The viewer cannot decode what it got.
    pub(super) fn handle_keyframe_request(&mut self, mid: Mid, now: Instant) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.outlet.mid() == mid) else { return };
        if self.lanes.is_forwarded() {
            self.lanes.layers().want_keyframe(stream.reading.place().layer());
            return;
        }
        // What the viewer has seen last is no news while nobody publishes: browsers ask because nothing comes.
        let is_live = self.lanes.broadcast().phase() == Phase::Live;
        if is_live && stream.rejoined.is_none_or(|at| now.duration_since(at) >= REJOIN_MIN) {
            stream.rejoined = Some(now);
            stream.join();
        }
    }

    /// What is known of the way as a whole: how long it is, and what is lost on it.
    pub(super) fn handle_way(&mut self, stats: &PeerStats) {
        self.way.handle_report(stats);
        // Where there is something to choose, it is looked at for that, oftener.
        if self.choice.is_none() {
            self.way.look(stats.timestamp);
        }
    }

    /// The same of one stream, for what is repeated in it.
    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
        // A publisher of layers may have taken over from one of a single rendering.
        if self.streams.iter().any(|stream| stream.outlet.kind() == Kind::Video) {
            self.follow_layers(stats.timestamp);
        }
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.outlet.mid() == stats.mid) {
            stream.outlet.handle_stats(stats);
            if stream.outlet.kind() == Kind::Video {
                self.way.handle_pictures(stats, stream.outlet.take_jitter(stats));
            }
        }
    }

    /// The next packet of any stream, written to `rtc`.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>, rtc: &mut Rtc) -> Poll<Result<(), Over>> {
        let mut ended = !self.streams.is_empty();
        let choice = self.choice.as_deref_mut();
        let is_withheld = choice.as_ref().is_some_and(|choice| choice.pictures() == Pictures::Withheld);
        let estimate = choice.as_ref().and_then(|_| self.way.estimate_bps());
        for stream in &mut self.streams {
            let is_video = stream.outlet.kind() == Kind::Video;
            // Whatever the machine has to send: the sooner it is the smaller one, the better.
            if let Some(opening) = stream.poll_change(cx).filter(|_| !is_withheld) {
                stream.outlet.forget(rtc);
                stream.write(rtc, opening);
                self.choice.iter_mut().for_each(|choice| choice.handle_lane(stream.reading.place().layer()));
                return Poll::Ready(Ok(()));
            }
            let has_room = estimate.is_none_or(|bps| {
                stream.outlet.queued(rtc) <= outlet::ahead(bps) && !stream.reading.is_left()
            });
            if is_video && (is_withheld || !has_room) {
                // The machine's own clock, or the next choice, comes back to it.
                stream.is_withheld |= is_withheld;
                ended &= stream.reading.ended();
                continue;
            }
            if is_video && std::mem::take(&mut stream.is_withheld) {
                stream.join();
            }
            match stream.poll_read(cx, &self.seat) {
                Poll::Ready(Ok(Some(packet))) => {
                    stream.write(rtc, packet);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(over)) => return Poll::Ready(Err(over)),
                Poll::Pending => ended = false,
            }
        }
        if ended { Poll::Ready(Err(Over::Ended)) } else { Poll::Pending }
    }
}

impl Stream {
    fn join(&mut self) {
        self.outlet.join(self.reading.join());
    }

    /// The packet that opens the layer that is changed to.
    fn poll_change(&mut self, cx: &mut Task<'_>) -> Option<Packet> {
        let (packet, _) = self.reading.poll_change(cx, self.outlet.is_at_boundary())?;
        self.outlet.begin(packet.at);
        Some(packet)
    }

    /// The next packet of what it reads; `None` at its end.
    fn poll_read(&mut self, cx: &mut Task<'_>, seat: &Seat) -> Poll<Result<Option<Packet>, Over>> {
        loop {
            match std::task::ready!(self.reading.poll_read(cx)) {
                Got::Packet(_, Some(format)) if format != self.outlet.format() => {
                    return Poll::Ready(Err(Over::OtherCodec));
                }
                Got::Packet(packet, _) => return Poll::Ready(Ok(Some(packet))),
                Got::Behind => {
                    seat.audience().skips.fetch_add(1, Ordering::Relaxed);
                    self.join();
                }
                Got::Ended => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn write(&mut self, rtc: &mut Rtc, packet: Packet) {
        let _time = self.outlet.write(rtc, &self.reading, packet);
    }
}
