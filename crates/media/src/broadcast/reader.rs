//! A reader of a whole broadcast: its tracks merged in the order in which they arrived.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::state::{Slot, State};
use super::{Broadcast, Inner, Phase, TrackId, has_keyframes};
use crate::codec::{Codec, Kind};
use crate::frame::Frame;
use crate::time::Span;
use crate::track::{Consumer, Read};
use crate::wake::WaiterId;

/// Frames taken from a ring under one lock.
const LOOKAHEAD: usize = 32;
/// A picture older than this against the newest frame is not what a joining reader should wait behind.
const STALE_PICTURE: Span = Span::from_millis(5_000);

/// Which tracks a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The best picture, the first sound, and data.
    Best,
    /// Every track.
    All,
    /// This picture, the first sound, and data.
    Picture(TrackId),
    /// The first sound, and data.
    Sound,
}

impl Selection {
    /// The track whose groups the reader joins at.
    fn primary(self, state: &State) -> Option<&Slot> {
        let sound = || state.slots.iter().find(|slot| slot.info.kind == Kind::Audio);
        match self {
            Self::Best | Self::All => state.primary(),
            Self::Picture(id) => state.slots.iter().find(|slot| slot.info.id == id).or_else(sound),
            Self::Sound => sound(),
        }
    }

    fn has(self, slot: &Slot, state: &State) -> bool {
        let info = &slot.info;
        let primary = self.primary(state).map(|slot| &slot.info);
        let first = state.slots.iter().map(|slot| &slot.info).find(|first| first.kind == info.kind);
        let is_picture = info.kind == Kind::Video;
        match self {
            Self::All => true,
            Self::Best => {
                info.kind == Kind::Data
                    || primary.is_some_and(|primary| match primary.kind == info.kind {
                        true => primary.id == info.id,
                        false => first.is_some_and(|first| first.id == info.id),
                    })
            }
            Self::Picture(id) if is_picture => info.id == id,
            Self::Sound if is_picture => false,
            Self::Picture(_) | Self::Sound => {
                info.kind == Kind::Data || first.is_some_and(|first| first.id == info.id)
            }
        }
    }
}

/// What a reader sees next.
#[derive(Debug)]
pub enum Event {
    /// A frame of a track.
    Frame {
        /// Which track.
        track: TrackId,
        /// Its parameters, on the track's first frame and whenever a new group begins.
        codec: Option<Arc<Codec>>,
        /// The frame opens a group of its track.
        opens_group: bool,
        /// The frame.
        frame: Frame,
    },
    /// The reader was too slow and goes on at a newer group, for all tracks together.
    Skipped {
        /// Frames lost over all tracks.
        frames: u64,
    },
    /// The publisher vanished or came back.
    Phase(Phase),
}

struct Cursor {
    track: TrackId,
    kind: Kind,
    consumer: Consumer<Frame>,
    ahead: VecDeque<Read<Frame>>,
}

/// Merges the tracks of a broadcast by arrival, joins and skips them together at a group of the primary track.
pub struct Reader {
    inner: Arc<Inner>,
    waiter: WaiterId,
    selection: Selection,
    cursors: Vec<Cursor>,
    catalog: u64,
    phase: Phase,
    /// Arrival number of the next frame to give; tracks that appear later begin here.
    position: u64,
}

impl Broadcast {
    /// A reader that begins at the newest group.
    pub fn read(&self, selection: Selection) -> Reader {
        let inner = Arc::clone(&self.0);
        let mut state = inner.state();
        state.demand.readers += 1;
        let waiter = state.wakers.enter();
        let wakers = state.wakers.take();
        let mut reader = Reader {
            inner: Arc::clone(&inner),
            waiter,
            selection,
            cursors: Vec::new(),
            catalog: 0,
            phase: state.phase,
            position: 0,
        };
        reader.follow_catalog(&state);
        reader.join(&state);
        drop(state);
        // The source learns of the new reader.
        for waker in wakers {
            waker.wake();
        }
        reader
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.inner.change(|state| {
            state.wakers.leave(self.waiter);
            state.demand.readers -= 1;
        });
    }
}

impl Reader {
    /// What comes next; `Ready(None)` once the broadcast has ended and everything was read.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let committed = self.inner.committed.load(Ordering::Acquire);
            // Looked at after `committed`, so that no frame below that is of a track not followed yet: a reader that
            // is behind would pass by the first frames of a new track, its keyframe among them.
            if self.catalog != self.inner.catalog.load(Ordering::Acquire) {
                let inner = Arc::clone(&self.inner);
                self.follow_catalog(&inner.state());
            }
            if let Some(event) = self.next_before(committed) {
                return Poll::Ready(Some(event));
            }
            let inner = Arc::clone(&self.inner);
            let mut state = inner.state();
            if self.catalog != state.catalog {
                self.follow_catalog(&state);
                continue;
            }
            if inner.committed.load(Ordering::Acquire) != committed {
                continue;
            }
            if state.phase == Phase::Ended {
                return Poll::Ready(None);
            }
            if self.phase != state.phase {
                self.phase = state.phase;
                return Poll::Ready(Some(Event::Phase(state.phase)));
            }
            state.wakers.register(self.waiter, cx.waker());
            return Poll::Pending;
        }
    }

    /// The tracks this reader follows, with the parameters they have now.
    pub fn tracks(&self) -> Vec<(TrackId, Arc<Codec>)> {
        let state = self.inner.state();
        let codec =
            |id| state.slots.iter().find(|slot| slot.info.id == id).map(|slot| Arc::clone(&slot.info.codec));
        self.cursors.iter().filter_map(|cursor| Some((cursor.track, codec(cursor.track)?))).collect()
    }

    /// The frame with the lowest arrival number, if it is below `committed`: every frame below that is in its
    /// ring already, so no lower number can still come.
    fn next_before(&mut self, committed: u64) -> Option<Event> {
        let mut behind = false;
        for cursor in &mut self.cursors {
            behind |= cursor.fill().is_err();
        }
        if behind {
            return Some(self.skip());
        }
        let arrival = |cursor: &Cursor| cursor.ahead.front().map_or(u64::MAX, |read| read.arrival);
        let cursor = self.cursors.iter_mut().min_by_key(|cursor| arrival(cursor))?;
        if arrival(cursor) >= committed {
            return None;
        }
        let read = cursor.ahead.pop_front()?;
        self.position = read.arrival + 1;
        Some(Event::Frame {
            track: cursor.track,
            codec: read.head,
            opens_group: read.opens_group,
            frame: read.item,
        })
    }

    fn skip(&mut self) -> Event {
        let inner = Arc::clone(&self.inner);
        let lost =
            |reader: &Self| reader.cursors.iter().map(|c| c.consumer.position() - c.ahead.len() as u64).sum();
        let before: u64 = lost(self);
        self.join(&inner.state());
        let after: u64 = lost(self);
        Event::Skipped { frames: after.saturating_sub(before) }
    }

    fn follow_catalog(&mut self, state: &State) {
        self.catalog = state.catalog;
        let selection = self.selection;
        let wanted = |slot: &&Slot| selection.has(slot, state);
        let wanted: Vec<&Slot> = state.slots.iter().filter(wanted).collect();
        self.cursors.retain(|cursor| wanted.iter().any(|slot| slot.info.id == cursor.track));
        for slot in wanted {
            if self.cursors.iter().all(|cursor| cursor.track != slot.info.id) {
                let mut consumer = slot.ring.subscribe();
                consumer.start_at(consumer.sequence_at(self.position));
                let (track, kind) = (slot.info.id, slot.info.kind);
                self.cursors.push(Cursor { track, kind, consumer, ahead: VecDeque::new() });
            }
        }
    }

    /// Puts every cursor at the newest group of the primary track, or at the live end while there is none.
    fn join(&mut self, state: &State) {
        let committed = self.inner.committed.load(Ordering::Acquire);
        let start = self.selection.primary(state).and_then(|slot| slot.ring.subscribe().newest_group());
        let stale = self.selection.primary(state).zip(state.newest).is_some_and(|(slot, newest)| {
            has_keyframes(slot.info.kind) && slot.newest().is_some_and(|own| newest - own > STALE_PICTURE)
        });
        let arrival = start.map_or(committed, |start| start.arrival);
        for cursor in &mut self.cursors {
            cursor.ahead.clear();
            // A frozen picture is shown, but the sound of the time it has been frozen is not played again.
            let own = match stale && !has_keyframes(cursor.kind) {
                true => cursor.consumer.newest_group().map_or(arrival, |start| start.arrival),
                false => arrival,
            };
            cursor.consumer.start_at(cursor.consumer.sequence_at(own));
        }
        self.position = arrival;
    }
}

impl Cursor {
    fn fill(&mut self) -> Result<(), crate::track::Behind> {
        if !self.ahead.is_empty() {
            return Ok(());
        }
        while self.ahead.len() < LOOKAHEAD {
            match self.consumer.try_next() {
                Some(Ok(read)) => self.ahead.push_back(read),
                Some(Err(behind)) if self.ahead.is_empty() => return Err(behind),
                Some(Err(_)) | None => break,
            }
        }
        Ok(())
    }
}
