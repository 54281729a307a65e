//! A broadcast as RTP packets: what WebRTC viewers read, whether a WebRTC publisher wrote it or frames were packetized.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::broadcast::Broadcast;
use media::packet::Format;
use media::track::{Consumer, Producer, Retention};
use media::{Frame, Packet, Span, Timestamp};
use tokio::sync::watch;

use super::feed;
use super::layers::Layers;
use super::loudness::{Loudness, Meter};
use super::simulcast::LAYERS_MAX;
use crate::context::Context;

/// Sound is joined at its newest packet; what is kept serves viewers that were held up.
const SOUND_KEPT: Span = Span::from_millis(5_000);

/// The packet tracks of one broadcast: one of pictures for each of its layers, and one of sound. They outlive publishers: a publisher that
/// returns, or one of another protocol that takes over, goes on in the same rings.
pub(super) struct Lanes {
    broadcast: Broadcast,
    video: [Arc<Lane>; LAYERS_MAX],
    audio: Arc<Lane>,
    layers: Arc<Layers>,
    /// Milliseconds that viewers are to hold what comes.
    hold_ms: AtomicU32,
    /// How loud the sound is.
    loudness: Mutex<Loudness>,
    /// While WebRTC publishers write, frames need not be packetized.
    forwarded: watch::Sender<Forwarded>,
}

/// WebRTC publishers that write: two for the moment in which one takes over from the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forwarded {
    publishers: usize,
    /// Kinds that the newest of them has agreed to send.
    kinds: usize,
}

impl Forwarded {
    /// Somebody writes.
    pub(super) fn is_on(&self) -> bool {
        self.publishers > 0
    }
}

struct Lane {
    kind: Kind,
    /// Orders packets over both rings.
    arrivals: Arc<AtomicU64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Absent once the broadcast has ended, by which readers learn of it.
    ring: Option<Arc<Producer<Packet>>>,
    format: Option<Format>,
    /// After the highest sequence number written.
    next: u64,
    /// The newest packet's time.
    newest: Option<Timestamp>,
    /// From the broadcast's time to the publisher's own clock, since 1970, where it has told that.
    captured: Option<Span>,
    /// Writers so far; the last of them writes.
    writers: u64,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Video,
    Audio,
}

/// Which lane: sound, or one layer of the pictures. The only layer is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    kind: Kind,
    layer: u8,
}

impl Place {
    /// Pictures of this layer.
    pub(super) fn of_layer(layer: u8) -> Self {
        Self { kind: Kind::Video, layer }
    }

    pub(super) fn kind(self) -> Kind {
        self.kind
    }

    pub(super) fn layer(self) -> u8 {
        self.layer
    }
}

impl From<Kind> for Place {
    fn from(kind: Kind) -> Self {
        Self { kind, layer: 0 }
    }
}

impl Lanes {
    /// The lanes of this broadcast, which are made, and fed from its frames, while somebody holds them.
    pub(super) fn of(context: &Arc<Context>, broadcast: &Broadcast) -> Arc<Self> {
        broadcast.derivations().get_or_start(0, || {
            let pictures = Retention { budget: broadcast.budget(), ..Retention::default() };
            let sound = Retention { groups: None, ..pictures.clone() };
            let (forwarded, watched) = watch::channel(Forwarded::default());
            let arrivals = Arc::<AtomicU64>::default();
            let lane = |kind, retention| {
                let ring = Some(Arc::new(Producer::new(retention)));
                let state = Mutex::new(State { ring, ..State::default() });
                Arc::new(Lane { kind, arrivals: Arc::clone(&arrivals), state })
            };
            let lanes = Arc::new(Self {
                broadcast: broadcast.clone(),
                video: std::array::from_fn(|_| lane(Kind::Video, pictures.clone())),
                audio: lane(Kind::Audio, sound),
                layers: Arc::new(Layers::new(broadcast.clone())),
                hold_ms: AtomicU32::new(0),
                loudness: Mutex::default(),
                forwarded,
            });
            context.spawn(feed::run(Arc::downgrade(&lanes), Arc::clone(context), watched));
            lanes
        })
    }

    pub(super) fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    /// What is known of the layers of the pictures, where there is more than one.
    pub(super) fn layers(&self) -> &Arc<Layers> {
        &self.layers
    }

    /// How long viewers are to hold what comes, because what is lost on the publisher's way comes so late.
    pub(super) fn hold(&self) -> Duration {
        Duration::from_millis(self.hold_ms.load(Ordering::Relaxed).into())
    }

    pub(super) fn set_hold(&self, hold: Duration) {
        self.hold_ms.store(hold.as_millis() as u32, Ordering::Relaxed);
    }

    /// How loud its sound is: to be told, measured and asked.
    pub(super) fn loudness(&self) -> MutexGuard<'_, Loudness> {
        self.loudness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sound that came as it is passed on: how loud it is, is measured where somebody wants to know and nobody tells.
    pub(super) fn handle_sound(&self, now: Instant, meter: &mut Meter, frame: &Frame) {
        if self.loudness().is_to_be_measured(now)
            && let Some(level) = meter.measure(frame)
        {
            self.loudness().handle_level(now, level);
        }
    }

    fn lane(&self, place: Place) -> &Arc<Lane> {
        let [first, ..] = &self.video;
        match place.kind {
            Kind::Video => self.video.get(usize::from(place.layer)).unwrap_or(first),
            Kind::Audio => &self.audio,
        }
    }

    /// The lanes of one kind.
    fn of_kind(&self, kind: Kind) -> &[Arc<Lane>] {
        match kind {
            Kind::Video => &self.video,
            Kind::Audio => std::slice::from_ref(&self.audio),
        }
    }

    /// What the packets of one kind are now; `None` before the first publisher said so. Layers are all of one format, and
    /// whichever comes first tells it.
    pub(super) fn format(&self, kind: Kind) -> Option<Format> {
        self.of_kind(kind).iter().find_map(|lane| lane.state().format)
    }

    /// How many of the two kinds the broadcast has, or is going to have as far as its publisher said.
    pub(super) fn kinds(&self) -> usize {
        let forwarded = *self.forwarded.borrow();
        if forwarded.is_on() {
            return forwarded.kinds;
        }
        let tracks = self.broadcast.tracks();
        let has = |kind| usize::from(tracks.iter().any(|track| track.kind == kind));
        has(media::codec::Kind::Video) + has(media::codec::Kind::Audio)
    }

    /// A cursor over one lane; at its end already once the broadcast has ended.
    pub(super) fn read(&self, place: impl Into<Place>) -> Consumer<Packet> {
        let ring = self.lane(place.into()).state().ring.clone();
        ring.unwrap_or_else(|| Arc::new(Producer::new(Retention::default()))).subscribe()
    }

    /// The broadcast has ended: readers come to the end once they have read what is there.
    pub(super) fn end(&self) {
        for lane in self.video.iter().chain([&self.audio]) {
            lane.state().ring = None;
        }
    }

    /// The newest packet's time on one lane.
    pub(super) fn newest(&self, place: impl Into<Place>) -> Option<Timestamp> {
        self.lane(place.into()).state().newest
    }

    /// The newest packet's time of one kind.
    pub(super) fn newest_of(&self, kind: Kind) -> Option<Timestamp> {
        self.of_kind(kind).iter().filter_map(|lane| lane.state().newest).max()
    }

    /// What the publisher's clock showed when what is at `at` was captured, since 1970.
    pub(super) fn captured(&self, place: Place, at: Timestamp) -> Option<Span> {
        Some(at - Timestamp::ZERO + self.lane(place).state().captured?)
    }

    /// A WebRTC publisher writes here, so a keyframe can be asked for.
    pub(super) fn is_forwarded(&self) -> bool {
        self.forwarded.borrow().is_on()
    }

    /// The writer of one lane from now on, whose packets follow what is there. What a former one still writes is
    /// dropped: its numbers would fall among the new ones.
    pub(super) fn write(&self, place: impl Into<Place>, format: Format) -> Writer {
        let lane = self.lane(place.into());
        let mut state = lane.state();
        state.format = Some(format);
        state.captured = None;
        state.writers += 1;
        Writer { lane: Arc::clone(lane), format, number: state.writers, offset: None }
    }

    /// Until the guard is dropped, frames are not packetized. The publisher has agreed to send so many `kinds`, pictures in
    /// these layers.
    pub(super) fn forward(self: &Arc<Self>, kinds: usize, layers: &[String]) -> Forward {
        self.layers.reset(layers);
        self.forwarded.send_modify(|forwarded| {
            forwarded.publishers += 1;
            forwarded.kinds = kinds;
        });
        Forward(Arc::clone(self))
    }
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a WebRTC publisher writes.
pub(super) struct Forward(Arc<Lanes>);

impl Forward {
    /// Where it writes.
    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.0
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let mut is_last = false;
        self.0.forwarded.send_modify(|forwarded| {
            forwarded.publishers -= 1;
            is_last = forwarded.publishers == 0;
        });
        // What comes next, unless another has begun already, comes in one rendering.
        if is_last {
            self.0.layers.reset(&[]);
            self.0.set_hold(Duration::ZERO);
        }
    }
}

/// Writes one lane for one publisher. It does not keep the lanes: they go when nobody reads them.
pub(super) struct Writer {
    lane: Arc<Lane>,
    format: Format,
    /// Which of the lane's writers.
    number: u64,
    /// What is added to the source's sequence numbers.
    offset: Option<u64>,
}

impl Writer {
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// What the source's clock showed, since 1970, when what is at `at` was captured.
    pub(super) fn handle_captured(&mut self, at: Timestamp, clock: Span) {
        let mut state = self.lane.state();
        if state.writers == self.number {
            state.captured = Some(clock - (at - Timestamp::ZERO));
        }
    }

    /// Appends the packets of one frame and leaves their buffer empty; `opens` says that decoding can begin with it.
    pub(super) fn push_frame(&mut self, packets: &mut Vec<Packet>, mut opens: bool) {
        for packet in packets.drain(..) {
            self.push(packet, std::mem::take(&mut opens));
        }
    }

    /// Appends a packet; `opens` says that decoding can begin with it.
    pub(super) fn push(&mut self, mut packet: Packet, opens: bool) {
        let lane = &self.lane;
        let (ring, head) = {
            let mut state = lane.state();
            if state.writers != self.number {
                return;
            }
            // A packet of the former publisher and the first of this one leave a gap of one, as if one were lost:
            // nothing of the two belongs together.
            let offset = *self.offset.get_or_insert_with(|| (state.next + 1).wrapping_sub(packet.sequence));
            packet.sequence = packet.sequence.wrapping_add(offset);
            let opens = opens || state.newest.is_none() || lane.kind == Kind::Audio;
            state.next = state.next.max(packet.sequence.wrapping_add(1));
            state.newest = state.newest.max(Some(packet.at));
            let Some(ring) = state.ring.clone() else { return };
            (ring, opens.then(|| Arc::new(self.format)))
        };
        let arrival = lane.arrivals.fetch_add(1, Ordering::Relaxed);
        ring.push(arrival, head, packet);
        if lane.kind == Kind::Audio {
            ring.evict_older_than(SOUND_KEPT);
        }
    }
}
