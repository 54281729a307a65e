//! What a broadcast knows under its lock: tracks, their groups, the writer's epoch, and who waits.

use std::sync::Arc;

use super::{Demand, Phase, Rendition, TRACKS_MAX, TrackId, WriteError, has_keyframes};
use crate::codec::{Codec, Kind};
use crate::frame::Frame;
use crate::time::{Span, Timestamp};
use crate::track::{self, Budget, GROUPS_KEPT, Retention};
use crate::wake::WakerSet;

/// Sound and data are joined at any packet; their groups only bound how far back a reader of one track starts.
const SOUND_GROUP_SPAN: Span = Span::from_millis(1_000);
/// Pictures without a keyframe for this long (intra refresh, endless groups) open a group anyway, so that rings
/// stay bounded; longer than any group that encoders really make.
const PICTURE_GROUP_SPAN_MAX: Span = Span::from_millis(20_000);
/// The same bound in bytes; half of what a ring holds.
const PICTURE_GROUP_BYTES_MAX: usize = track::TRACK_BYTES_MAX / 2;
/// Sound is kept as long as the pictures it belongs to, but never longer than this.
const SOUND_KEPT_MAX: Span = Span::from_millis(30_000);
/// Pictures dropped while a session's first keyframe is awaited; then it is taken as a source without any.
const AWAIT_KEYFRAME_FRAMES_MAX: u32 = 900;

/// A track as people ask about it.
#[derive(Clone, Debug)]
pub struct TrackInfo {
    /// Its name.
    pub id: TrackId,
    /// What it is for.
    pub kind: Kind,
    /// Its newest parameters.
    pub codec: Arc<Codec>,
    /// Which rendering of which source it is.
    pub rendition: Option<Rendition>,
    /// What it carried.
    pub stats: TrackStats,
}

/// What a track carried so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrackStats {
    /// Frames written.
    pub frames: u64,
    /// Payload bytes written.
    pub bytes: u64,
    /// Frames of the newest whole group.
    pub group_frames: u32,
    /// Bytes of the newest whole group.
    pub group_bytes: u64,
    /// Length of the newest whole group.
    pub group_span: Span,
    /// Frames dropped because no keyframe had come yet.
    pub dropped: u64,
    /// Some were shown before others that had been decoded before them: B-pictures.
    pub reordered: bool,
}

impl TrackInfo {
    /// Of several tracks of a kind the least of these is the best: unranked ones as rank 0, equals by number.
    pub fn place(&self) -> (u8, TrackId) {
        (self.rendition.map_or(0, |rendition| rendition.rank), self.id)
    }
}

impl TrackStats {
    /// Bits a second of the newest whole group, once there is one.
    pub fn bitrate_bps(&self) -> Option<u64> {
        let span_us = u64::try_from(self.group_span.micros()).ok()?;
        self.group_bytes.saturating_mul(8_000_000).checked_div(span_us)
    }
}

pub(super) struct Slot {
    pub(super) info: TrackInfo,
    pub(super) ring: track::Producer<Frame>,
    group: OpenGroup,
    /// The next frame opens a group: new parameters or a new session.
    reopen: bool,
    await_sync: bool,
    newest: Option<Timestamp>,
    shown: Option<Timestamp>,
}

#[derive(Default)]
struct OpenGroup {
    start: Option<Timestamp>,
    frames: u32,
    bytes: u64,
}

pub(super) struct State {
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    pub(super) slots: Vec<Slot>,
    /// Rises with every change of the set of tracks.
    pub(super) catalog: u64,
    pub(super) newest: Option<Timestamp>,
    pub(super) demand: Demand,
    pub(super) wakers: WakerSet,
    /// Of those who wait for the end alone: frames do not wake them.
    pub(super) ending: WakerSet,
}

impl Default for State {
    fn default() -> Self {
        Self {
            epoch: 0,
            phase: Phase::Waiting,
            slots: Vec::new(),
            catalog: 0,
            newest: None,
            demand: Demand::default(),
            wakers: WakerSet::default(),
            ending: WakerSet::default(),
        }
    }
}

impl State {
    pub(super) fn check(&self, epoch: u64) -> Result<(), WriteError> {
        if self.epoch == epoch && self.phase == Phase::Live { Ok(()) } else { Err(WriteError::Fenced) }
    }

    pub(super) fn begin_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.phase = Phase::Live;
        for slot in &mut self.slots {
            slot.reopen = true;
            slot.shown = None;
            slot.info.stats.reordered = false;
            slot.await_sync = has_keyframes(slot.info.kind);
        }
        self.epoch
    }

    pub(super) fn tracks(&self) -> Vec<TrackInfo> {
        self.slots.iter().map(|slot| slot.info.clone()).collect()
    }

    /// The track whose groups all readers join at: the best picture, or the first sound.
    pub(super) fn primary(&self) -> Option<&Slot> {
        let rank = |slot: &&Slot| (slot.info.kind, slot.info.place());
        self.slots.iter().filter(|slot| slot.info.kind != Kind::Data).min_by_key(rank)
    }

    pub(super) fn set_codec(
        &mut self,
        id: TrackId,
        codec: Codec,
        rendition: Option<Rendition>,
        budget: Option<Arc<Budget>>,
    ) -> Result<(), WriteError> {
        let kind = codec.kind();
        let tracks = self.slots.len();
        match self.slots.iter_mut().find(|slot| slot.info.id == id) {
            Some(slot) if *slot.info.codec == codec => {}
            Some(slot) => {
                slot.info.codec = Arc::new(codec);
                slot.reopen = true;
            }
            None if tracks >= TRACKS_MAX => return Err(WriteError::TooManyTracks),
            None => {
                let groups = has_keyframes(kind).then_some(GROUPS_KEPT);
                let retention = Retention { groups, budget, ..Retention::default() };
                let codec = Arc::new(codec);
                let info = TrackInfo { id, kind, codec, rendition, stats: TrackStats::default() };
                let ring = track::Producer::new(retention);
                let await_sync = has_keyframes(kind);
                let group = OpenGroup::default();
                self.slots.push(Slot {
                    info,
                    ring,
                    group,
                    reopen: true,
                    await_sync,
                    newest: None,
                    shown: None,
                });
                self.slots.sort_by_key(|slot| slot.info.id);
                self.catalog += 1;
            }
        }
        Ok(())
    }

    /// Appends a frame under `arrival`; `false` when it was dropped because it cannot be decoded.
    pub(super) fn write(&mut self, id: TrackId, frame: Frame, arrival: u64) -> Result<bool, WriteError> {
        let slot = self.slots.iter_mut().find(|slot| slot.info.id == id).ok_or(WriteError::NoCodec(id))?;
        let Some(dts) = slot.write(frame, arrival) else { return Ok(false) };
        self.newest = self.newest.max(Some(dts));
        self.evict(id);
        Ok(true)
    }

    /// Sound and data are kept as far back as the primary track reaches.
    fn evict(&mut self, written: TrackId) {
        let floor = self
            .primary()
            .filter(|primary| primary.info.id == written && has_keyframes(primary.info.kind))
            .and_then(|primary| primary.ring.oldest_arrival());
        for slot in self.slots.iter().filter(|slot| !has_keyframes(slot.info.kind)) {
            match floor {
                Some(floor) => slot.ring.evict_before(floor),
                None if slot.info.id == written => slot.ring.evict_older_than(SOUND_KEPT_MAX),
                None => {}
            }
        }
    }
}

impl Slot {
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Appends the frame and tells its decode time, or drops it.
    fn write(&mut self, mut frame: Frame, arrival: u64) -> Option<Timestamp> {
        if self.await_sync && !frame.sync && self.info.stats.dropped < u64::from(AWAIT_KEYFRAME_FRAMES_MAX) {
            self.info.stats.dropped += 1;
            return None;
        }
        self.await_sync = false;
        self.keep_rising(&mut frame);
        let opens = self.opens_group(&frame);
        if opens {
            self.close_group(frame.dts);
        }
        self.info.stats.reordered |= self.shown.is_some_and(|shown| frame.pts() < shown);
        self.shown = self.shown.max(Some(frame.pts()));
        let (dts, bytes) = (frame.dts, frame.payload.len() as u64);
        self.group.frames += 1;
        self.group.bytes += bytes;
        self.info.stats.frames += 1;
        self.info.stats.bytes += bytes;
        self.ring.push(arrival, opens.then(|| Arc::clone(&self.info.codec)), frame);
        Some(dts)
    }

    /// Decode times rise strictly, whatever the source says; a picture's time of display stays, and sound is heard when it is
    /// decoded.
    fn keep_rising(&mut self, frame: &mut Frame) {
        if let Some(newest) = self.newest.filter(|newest| frame.dts <= *newest) {
            let pts = frame.pts();
            frame.dts = newest + Span::from_micros(1);
            frame.cts = if has_keyframes(self.info.kind) { pts - frame.dts } else { Span::ZERO };
        }
        self.newest = Some(frame.dts);
    }

    fn opens_group(&mut self, frame: &Frame) -> bool {
        let Some(start) = self.group.start else { return true };
        if std::mem::take(&mut self.reopen) {
            return true;
        }
        let span = frame.dts - start;
        match has_keyframes(self.info.kind) {
            true => {
                frame.sync
                    || span >= PICTURE_GROUP_SPAN_MAX
                    || self.group.bytes >= PICTURE_GROUP_BYTES_MAX as u64
            }
            false => span >= SOUND_GROUP_SPAN,
        }
    }

    fn close_group(&mut self, next: Timestamp) {
        self.reopen = false;
        let closed =
            std::mem::replace(&mut self.group, OpenGroup { start: Some(next), ..OpenGroup::default() });
        if let Some(start) = closed.start {
            self.info.stats.group_frames = closed.frames;
            self.info.stats.group_bytes = closed.bytes;
            self.info.stats.group_span = next - start;
        }
    }
}
