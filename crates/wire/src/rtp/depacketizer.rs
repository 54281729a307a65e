//! Packets of one publisher's track, in any order and with gaps, into whole frames in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::codec::{self, opus};
use media::{Codec, Packet, Timestamp};

use super::limits::{
    AUDIO_WAIT, FRAME_BYTES_MAX, KEYFRAME_REQUEST_EVERY, PENDING_BYTES_MAX, PENDING_PACKETS_MAX,
    PENDING_RUNS_MAX, REORDER_PACKETS, REORDER_WAIT, VIDEO_WAIT, WAIT_MAX,
};
use super::runs::{Run, Runs};
use super::{Malformed, PayloadKind, Picture, av1, begins_picture, g711, h264, h265, vp8, vp9};

/// What a publisher's packets turn out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The frames that follow need these parameters.
    Codec(Codec),
    /// A frame, in decode order.
    Frame {
        /// When it is shown or heard. Decoding times are not in RTP.
        at: Timestamp,
        /// Decoding may begin here.
        sync: bool,
        /// In the form of [`media::Frame`].
        payload: Bytes,
    },
    /// What follows cannot be decoded until a keyframe comes; frames are dropped until then.
    KeyframeNeeded,
}

/// Puts frames together. A source that starts its numbering anew gets a new one.
///
/// A picture waits [`VIDEO_WAIT`] for a missing packet, sound [`AUDIO_WAIT`], or longer where its sender can be asked. A complete keyframe does not wait for
/// what was lost before it; [`REORDER_PACKETS`] and [`REORDER_WAIT`] tell loss from disorder. After a loss, frames are
/// dropped until decoding can begin again: that the lost one was needed by none is not to be known.
#[derive(Debug)]
pub struct Depacketizer {
    kind: PayloadKind,
    /// How long what is missing is waited for.
    wait: Duration,
    runs: Runs,
    reader: Reader,
    /// The next number in order; what is below came too late.
    next: u64,
    /// A number at which a frame begins, for the one before it ended there.
    boundary: Option<u64>,
    /// Frames up to `next` are whole, so that what follows can be decoded.
    synced: bool,
    /// When a keyframe is asked for again, while one is needed.
    request_at: Option<Instant>,
    /// The parameters that were last told.
    codec: Option<Codec>,
    events: VecDeque<Event>,
}

impl Depacketizer {
    /// For the packets of one track.
    pub fn new(kind: PayloadKind) -> Self {
        Self {
            kind,
            wait: least_wait(kind),
            runs: Runs::default(),
            reader: Reader::new(kind),
            next: 0,
            boundary: None,
            synced: false,
            request_at: None,
            codec: None,
            events: VecDeque::new(),
        }
    }

    /// How long what is missing may well take to come, because the sender is asked for it; [`WAIT_MAX`] at most.
    pub fn set_patience(&mut self, patience: Duration) {
        self.wait = patience.min(WAIT_MAX).max(least_wait(self.kind));
    }

    /// Takes a packet. Duplicates and packets of frames that were given up are ignored.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet) {
        if packet.sequence < self.next {
            return;
        }
        self.runs.insert(self.kind, now, packet.clone(), self.is_audio());
        if self.runs.packets() > PENDING_PACKETS_MAX
            || self.runs.bytes() > PENDING_BYTES_MAX
            || self.runs.len() > PENDING_RUNS_MAX
        {
            self.next = self.runs.end().unwrap_or(self.next);
            self.boundary = None;
            self.runs.clear();
            self.lose(now);
        }
        self.advance(now);
        if !self.synced && !self.runs.iter().any(|(_, run)| run.opens) {
            self.lose(now);
        }
    }

    /// Gives up what has waited long enough, and repeats the request for a keyframe.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        if self.request_at.is_some_and(|at| at <= now) {
            self.request(now);
        }
    }

    /// When [`Depacketizer::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let reorder = self.overtaking().map(|(_, run)| run.since + REORDER_WAIT);
        [self.deadline(), self.request_at, reorder.filter(|_| !self.is_audio())].into_iter().flatten().min()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    #[cfg(test)]
    pub(super) fn pending_runs(&self) -> usize {
        self.runs.len()
    }

    fn is_audio(&self) -> bool {
        self.kind.kind() == codec::Kind::Audio
    }

    fn advance(&mut self, now: Instant) {
        while if self.is_audio() { self.step_audio(now) } else { self.step_video(now) } {}
    }

    /// Gives the next packet of sound if it is in order or the one before it is given up.
    fn step_audio(&mut self, now: Instant) -> bool {
        let Some((first, _)) = self.runs.iter().next() else { return false };
        let in_order = !self.synced || first == self.next;
        if in_order || self.deadline().is_some_and(|deadline| deadline <= now) {
            self.take(now);
            return true;
        }
        false
    }

    /// Gives the next picture, or moves past one that cannot be had. False when there is nothing to do.
    fn step_video(&mut self, now: Instant) -> bool {
        let Some((first, _)) = self.runs.iter().next() else { return false };
        if self.synced && first == self.next && self.runs.is_ended(first) {
            self.take(now);
            return true;
        }
        if let Some((key, _)) = self.overtaking().filter(|(_, run)| self.may_overtake(now, run)) {
            while self.runs.iter().next().is_some_and(|(first, _)| first < key) {
                self.runs.pop();
            }
            self.take(now);
            return true;
        }
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            if !self.synced || first == self.next {
                self.drop_first();
            }
            self.lose(now);
            return true;
        }
        false
    }

    /// The first whole picture that decoding could begin at. One that may lack parameter sets in front is none: with
    /// older ones it would decode to garbage.
    fn overtaking(&self) -> Option<(u64, &Run)> {
        self.runs
            .iter()
            .find(|(first, run)| run.opens && self.runs.is_ended(*first) && self.begins(*first, run))
    }

    /// Whether a run is known to have the first packet of its frame.
    fn begins(&self, first: u64, run: &Run) -> bool {
        self.boundary == Some(first)
            || self.runs.has_before(first)
            || run.packets.front().is_some_and(|packet| begins_picture(self.kind, &packet.payload))
    }

    /// Whether what is missing before a keyframe is lost, rather than about to come.
    fn may_overtake(&self, now: Instant, key: &Run) -> bool {
        let newer = || -> usize {
            let runs = self.runs.iter().filter(|(first, _)| *first != self.next);
            runs.map(|(_, run)| run.packets.len()).sum()
        };
        !self.synced || key.since + REORDER_WAIT <= now || newer() >= REORDER_PACKETS
    }

    /// When what is missing at the front is given up. A frame that only goes on slowly misses nothing.
    fn deadline(&self) -> Option<Instant> {
        let mut runs = self.runs.iter();
        let (first, head) = runs.next()?;
        if self.is_audio() {
            return (self.synced && first != self.next).then(|| head.since + self.wait);
        }
        let waits_itself =
            if self.synced { first != self.next } else { !head.opens || !self.begins(first, head) };
        let behind = if waits_itself { Some(head) } else { runs.next().map(|(_, run)| run) };
        behind.map(|run| run.since + self.wait)
    }

    /// Takes the first run as a frame.
    fn take(&mut self, now: Instant) {
        let Some((first, run)) = self.runs.pop() else { return };
        self.next = first.saturating_add(run.packets.len() as u64);
        self.boundary = Some(self.next);
        let read = if run.bytes > FRAME_BYTES_MAX { Err(Malformed) } else { self.reader.read(&run) };
        let codec = self.reader.codec();
        if codec != self.codec
            && let Some(codec) = codec
        {
            self.codec = Some(codec.clone());
            self.events.push_back(Event::Codec(codec));
        }
        match read {
            Err(Malformed) => self.lose(now),
            Ok(None) => {}
            Ok(Some(picture)) if (self.synced || picture.sync) && self.codec.is_some() => {
                self.synced = true;
                self.request_at = None;
                let Picture { sync, payload } = picture;
                self.events.push_back(Event::Frame { at: run.at(), sync, payload });
            }
            Ok(Some(_)) => self.lose(now),
        }
    }

    /// Gives up the first run, a frame with a hole or one that cannot be decoded.
    fn drop_first(&mut self) {
        let Some((first, _)) = self.runs.iter().next() else { return };
        let ended = self.runs.is_ended(first);
        let len = self.runs.pop().map_or(0, |(_, run)| run.packets.len());
        self.next = first.saturating_add(len as u64);
        self.boundary = ended.then_some(self.next);
    }

    /// What follows cannot be decoded. Sound goes on at its next packet.
    fn lose(&mut self, now: Instant) {
        self.synced = false;
        if !self.is_audio() && self.request_at.is_none() {
            self.request(now);
        }
    }

    fn request(&mut self, now: Instant) {
        self.request_at = Some(now + KEYFRAME_REQUEST_EVERY);
        self.events.push_back(Event::KeyframeNeeded);
    }
}

fn least_wait(kind: PayloadKind) -> Duration {
    match kind.kind() {
        codec::Kind::Audio => AUDIO_WAIT,
        codec::Kind::Video | codec::Kind::Data => VIDEO_WAIT,
    }
}

/// What reads the payloads of each kind.
#[derive(Debug)]
enum Reader {
    H264(h264::Reader),
    H265(h265::Reader),
    Vp9(vp9::Reader),
    Av1(av1::Reader),
    Vp8(vp8::Reader),
    Opus { channels: u8 },
    G711(codec::g711::Law),
}

impl Reader {
    fn new(kind: PayloadKind) -> Self {
        match kind {
            PayloadKind::H264 => Self::H264(h264::Reader::default()),
            PayloadKind::H265 => Self::H265(h265::Reader::default()),
            PayloadKind::Vp9 => Self::Vp9(vp9::Reader::default()),
            PayloadKind::Av1 => Self::Av1(av1::Reader::default()),
            PayloadKind::Vp8 => Self::Vp8(vp8::Reader::default()),
            PayloadKind::Opus { channels } => Self::Opus { channels },
            PayloadKind::Pcmu => Self::G711(codec::g711::Law::Mu),
            PayloadKind::Pcma => Self::G711(codec::g711::Law::A),
        }
    }

    fn codec(&self) -> Option<Codec> {
        match self {
            Self::H264(reader) => reader.codec(),
            Self::H265(reader) => reader.codec(),
            Self::Vp8(reader) => reader.codec(),
            Self::Vp9(reader) => reader.codec(),
            Self::Av1(reader) => reader.codec(),
            Self::Opus { channels } => Some(Codec::Opus(opus::Params::simple(*channels))),
            Self::G711(law) => Some(Codec::G711(codec::g711::Params { law: *law, channels: 1 })),
        }
    }

    /// `Ok(None)` for packets without media: padding, parameter sets alone.
    fn read(&mut self, run: &Run) -> Result<Option<Picture>, Malformed> {
        let mut payloads =
            run.packets.iter().map(|packet| &packet.payload[..]).filter(|payload| !payload.is_empty());
        match self {
            Self::H264(reader) => reader.read(payloads),
            Self::H265(reader) => reader.read(payloads),
            Self::Vp8(reader) => reader.read(payloads),
            Self::Vp9(reader) => reader.read(payloads),
            Self::Av1(reader) => reader.read(payloads),
            Self::Opus { .. } => payloads.next().map(super::opus::read).transpose(),
            Self::G711(_) => payloads.next().map(g711::read).transpose(),
        }
    }
}
