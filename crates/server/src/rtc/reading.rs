//! A cursor over one lane of a broadcast, and how it goes over to another lane, of the same broadcast or of another: at a
//! packet that decoding can begin with, and between two pictures.

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use media::packet::Format;
use media::track::Consumer;
use media::{Packet, Span, Timestamp};

use super::lanes::{Kind, Lanes, Place};
use super::outlet::Joined;

/// A keyframe this young is changed to at once; one that is older would have to be caught up with, by more than is there.
pub(super) const FRESH: Span = Span::from_millis(300);
/// A change waits for the end of the picture that is being sent, but no longer.
const BOUNDARY_MAX: Duration = Duration::from_millis(60);
/// A viewer that is this far behind in the layer it has goes on with the next keyframe of that.
const LAG_MAX: Duration = Duration::from_millis(1_500);
/// And one that changes because of it is sent nothing more of what it has.
const LAG_CHANGING: Duration = Duration::from_millis(300);

/// What feeds one stream of a peer.
pub(super) struct Reading {
    lanes: Arc<Lanes>,
    place: Place,
    consumer: Consumer<Packet>,
    /// What it is going to read.
    next: Option<Next>,
    /// Nothing is sent until a group opens.
    awaits_group: bool,
    /// What was read last opens one.
    opens: bool,
}

/// A lane that is changed to once a group of it opens.
struct Next {
    lanes: Arc<Lanes>,
    place: Place,
    consumer: Consumer<Packet>,
    opening: Option<Opening>,
}

/// The packet that opens it, of what format, and since when it is there.
struct Opening {
    packet: Packet,
    format: Option<Format>,
    since: Instant,
}

/// What was read.
pub(super) enum Got {
    /// A packet; where a group opens perhaps of another format than before.
    Packet(Packet, Option<Format>),
    /// What was not read yet is gone: the reader has to join anew.
    Behind,
    /// Nothing comes any more.
    Ended,
}

impl Reading {
    /// Reads this lane; it is to be joined before anything is read.
    pub(super) fn new(lanes: &Arc<Lanes>, place: Place) -> Self {
        let consumer = lanes.read(place);
        Self { lanes: Arc::clone(lanes), place, consumer, next: None, awaits_group: true, opens: false }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// It reads this, or is about to.
    pub(super) fn is_of(&self, lanes: &Arc<Lanes>, place: Place) -> bool {
        match &self.next {
            Some(next) => Arc::ptr_eq(&next.lanes, lanes) && next.place == place,
            None => Arc::ptr_eq(&self.lanes, lanes) && self.place == place,
        }
    }

    /// Nothing is sent until a group opens.
    pub(super) fn awaits_group(&self) -> bool {
        self.awaits_group
    }

    /// What was read last opens a group.
    pub(super) fn opens(&self) -> bool {
        self.opens
    }

    /// It goes on with what it reads.
    pub(super) fn stay(&mut self) {
        self.next = None;
    }

    /// Nothing comes any more.
    pub(super) fn ended(&self) -> bool {
        self.consumer.ended()
    }

    /// Goes on with the newest group of pictures, or with the newest sound.
    pub(super) fn join(&mut self) -> Joined {
        let sequence = match self.place.kind() {
            Kind::Video => self.consumer.newest_group().map(|group| group.sequence),
            Kind::Audio => Some(self.consumer.end()),
        };
        self.join_at(sequence)
    }

    /// Goes on with the newest group of pictures if it is no older than this, else with the next.
    pub(super) fn join_fresh(&mut self, oldest: Span) -> Joined {
        let newest = self.lanes.newest(self.place).unwrap_or_default();
        let group = self.consumer.newest_group().map(|group| group.sequence);
        self.join_at(group.filter(|first| is_fresh(&self.consumer, *first, newest, oldest)))
    }

    fn join_at(&mut self, sequence: Option<u64>) -> Joined {
        let newest = self.lanes.newest(self.place).unwrap_or_default();
        self.awaits_group = sequence.is_none();
        self.consumer.start_at(sequence.unwrap_or_else(|| self.consumer.end()));
        let waiting = sequence.map_or(0, |first| self.consumer.end().saturating_sub(first));
        Joined { newest, packets: usize::try_from(waiting).unwrap_or(usize::MAX) }
    }

    /// The next packet of what it reads.
    pub(super) fn poll_read(&mut self, cx: &mut Task<'_>) -> Poll<Got> {
        loop {
            match std::task::ready!(self.consumer.poll_next(cx)) {
                Some(Ok(read)) => {
                    if self.awaits_group && !read.opens_group {
                        continue;
                    }
                    (self.awaits_group, self.opens) = (false, read.opens_group);
                    return Poll::Ready(Got::Packet(read.item, read.head.map(|format| *format)));
                }
                Some(Err(_behind)) => return Poll::Ready(Got::Behind),
                None => return Poll::Ready(Got::Ended),
            }
        }
    }

    /// Goes over to another lane as soon as a group of that opens, which may be there and as old as this; until then what is
    /// read now is read on.
    pub(super) fn change(&mut self, lanes: &Arc<Lanes>, place: Place, oldest: Span) {
        if self.next.as_ref().is_some_and(|next| next.place == place && Arc::ptr_eq(&next.lanes, lanes)) {
            return;
        }
        self.next = None;
        if Arc::ptr_eq(&self.lanes, lanes) && self.place == place && self.behind() <= LAG_MAX {
            return;
        }
        let mut consumer = lanes.read(place);
        let newest = lanes.newest(place).unwrap_or_default();
        let group = consumer.newest_group().map(|group| group.sequence);
        let fresh = group.filter(|first| is_fresh(&consumer, *first, newest, oldest));
        consumer.start_at(fresh.unwrap_or_else(|| consumer.end()));
        if fresh.is_none() {
            lanes.layers().want_keyframe(place.layer());
        }
        self.next = Some(Next { lanes: Arc::clone(lanes), place, consumer, opening: None });
    }

    /// The packet that opens what is changed to, and of what format, once it is there and what is being sent is whole.
    pub(super) fn poll_change(
        &mut self,
        cx: &mut Task<'_>,
        is_whole: bool,
    ) -> Option<(Packet, Option<Format>)> {
        let next = self.next.as_mut()?;
        while next.opening.is_none() {
            match next.consumer.poll_next(cx) {
                Poll::Ready(Some(Ok(read))) if read.opens_group => {
                    let format = read.head.map(|format| *format);
                    next.opening = Some(Opening { packet: read.item, format, since: Instant::now() });
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_behind))) => next.consumer.start_at(next.consumer.end()),
                Poll::Ready(None) | Poll::Pending => return None,
            }
        }
        let is_late = next.opening.as_ref().is_some_and(|opening| opening.since.elapsed() >= BOUNDARY_MAX);
        if !is_whole && !is_late {
            return None;
        }
        let Next { lanes, place, consumer, opening } = self.next.take()?;
        let Opening { packet, format, .. } = opening?;
        *self = Self { lanes, place, consumer, next: None, awaits_group: false, opens: true };
        Some((packet, format))
    }

    /// It is far behind in what it is about to leave.
    pub(super) fn is_left(&self) -> bool {
        self.next.is_some() && self.behind() > LAG_CHANGING
    }

    /// How long what is read next has waited.
    pub(super) fn behind(&self) -> Duration {
        let waits = self.consumer.dts(self.consumer.position());
        waits.map_or(Duration::ZERO, |(newest, next)| (newest - next).to_duration())
    }
}

/// The group that begins with this packet is no older than `oldest`.
fn is_fresh(consumer: &Consumer<Packet>, first: u64, newest: Timestamp, oldest: Span) -> bool {
    consumer.dts(first).is_some_and(|(_, opened)| newest - opened <= oldest)
}
