//! What a session sends: one broadcast to a viewer, or whatever is on a stage to a member of the room.

use std::task::{Context as Task, Poll};
use std::time::Instant;

use str0m::Rtc;
use str0m::media::{MediaKind, Mid};
use str0m::stats::{MediaEgressStats, PeerStats};

use super::control::{Heard, Told};
use super::stage::Slots;
use super::watch::{Over, Watch};

/// The sending side of a session.
pub(super) enum Outgoing {
    /// One broadcast.
    Watch(Box<Watch>),
    /// A stage.
    Stage(Box<Slots>),
}

impl Outgoing {
    /// A section was negotiated.
    pub(super) fn add(&mut self, rtc: &mut Rtc, mid: Mid, kind: MediaKind, now: Instant) {
        match self {
            Self::Watch(watch) => watch.add(rtc, mid, kind, now),
            Self::Stage(slots) => slots.add(rtc, mid, kind),
        }
    }

    /// The peer is back.
    pub(super) fn rejoin(&mut self) {
        match self {
            Self::Watch(watch) => watch.rejoin(),
            Self::Stage(slots) => slots.rejoin(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Watch(watch) => watch.poll_timeout(),
            Self::Stage(slots) => Some(slots.poll_timeout()),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        match self {
            Self::Watch(watch) => watch.handle_timeout(now, rtc),
            Self::Stage(slots) => slots.handle_timeout(now, rtc),
        }
    }

    /// What the peer says of itself; what is for another kind of session is passed over.
    pub(super) fn handle_heard(&mut self, heard: Heard, now: Instant) {
        match (self, heard) {
            (Self::Watch(watch), Heard::View(view)) => watch.handle_view(view, now),
            (Self::Stage(slots), Heard::Tiles(tiles)) => slots.handle_tiles(tiles, now),
            (Self::Watch(_), Heard::Tiles(_)) | (Self::Stage(_), Heard::View(_)) => {}
        }
    }

    /// What the way is reckoned to carry.
    pub(super) fn handle_estimate(&mut self, bps: u64) {
        match self {
            Self::Watch(watch) => watch.handle_estimate(bps),
            Self::Stage(slots) => slots.handle_estimate(bps),
        }
    }

    /// How often each datagram is sent.
    pub(super) fn copies(&self) -> usize {
        match self {
            Self::Watch(watch) => watch.copies(),
            Self::Stage(slots) => slots.copies(),
        }
    }

    /// What is to be said on the control channel, where one is open.
    pub(super) fn take_told(&mut self, is_open: bool) -> Option<Told> {
        match self {
            Self::Watch(watch) => watch.take_told(is_open),
            Self::Stage(slots) if is_open => slots.take_told(),
            Self::Stage(_) => None,
        }
    }

    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
        match self {
            Self::Watch(watch) => watch.handle_stats(stats),
            Self::Stage(slots) => slots.handle_stats(stats),
        }
    }

    /// What is known of the way as a whole: how long it is, and what is lost on it.
    pub(super) fn handle_way(&mut self, stats: &PeerStats) {
        match self {
            Self::Watch(watch) => watch.handle_way(stats),
            Self::Stage(slots) => slots.handle_way(stats),
        }
    }

    /// The peer cannot decode what it got.
    pub(super) fn handle_keyframe_request(&mut self, mid: Mid, now: Instant) {
        match self {
            Self::Watch(watch) => watch.handle_keyframe_request(mid, now),
            Self::Stage(slots) => slots.handle_keyframe_request(mid, now),
        }
    }

    /// The next packet of any stream, written to `rtc`.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>, rtc: &mut Rtc) -> Poll<Result<(), Over>> {
        match self {
            Self::Watch(watch) => watch.poll_write(cx, rtc),
            Self::Stage(slots) => slots.poll_write(cx, rtc),
        }
    }
}
