//! The picture that an audience sees: one member's at a time, changed at a keyframe of the next, on one timeline that goes
//! on, in step with the sound.

use std::collections::VecDeque;
use std::sync::Arc;

use av::mix::{Mixer, STEP};
use media::broadcast::{Broadcast, Event, Producer, Reader, Selection, TrackId, WriteError};
use media::codec::{Codec, Kind};
use media::{Frame, Span, Timestamp};
use room::MemberId;

use super::follow::{Candidate, Follow};
use super::stage::Stage;
use super::voices::{self, Seen, voice};
use crate::context::Context;
use crate::transcode::{self, Picture as Codecs};

/// The track it is written to.
pub(super) const TRACK: TrackId = TrackId(0);
/// Pictures that come late, or all at once where a group is joined, follow each other by this: players show them at once.
const APART_MIN: Span = Span::from_micros(200);
/// A group that has just begun is joined as it is; of one that is older, the rest is waited for …
const YOUNG_FRAMES: usize = 8;
/// … but no longer than this. Publishers of RTMP cannot be asked for a keyframe.
const KEYFRAME_PATIENCE: Span = Span::from_millis(1_000);
/// Pictures without sound are shown so long after they have come, as sound is.
const UNHEARD_DELAY: Span = Span::from_millis(60);
/// Sound that is this far from where its pictures come has other times than they do.
const SHIFT_OFF_MAX: Span = Span::from_millis(1_500);
/// A change of the shift beyond this is made at once, for lips would show it …
const SHIFT_JUMP: Span = Span::from_millis(50);
/// … and a smaller one little by little: so much a step.
const SHIFT_SLEW: Span = Span::from_millis(1);
/// By how much the shift of what has come is believed to grow: a clock that drifts, far more than clocks do.
const ARRIVAL_LEAK: Span = Span::from_micros(200);
/// A member whose pictures could not be converted is not tried again for this long.
const REFUSED_REST: Span = Span::from_millis(10_000);
/// An audience that joins a room of which no picture comes by now sees an empty one: players have to know that there is
/// going to be one, and learn it when they begin or never.
const EMPTY_AFTER: Span = Span::from_millis(400);
/// The empty picture's.
const EMPTY_SIZE: (usize, usize) = (320, 180);

/// What there is to choose from at one step.
pub(super) struct Look<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) stage: &'a Stage,
    pub(super) seen: &'a [Seen],
    pub(super) mixer: &'a Mixer,
    /// When the step begins, on the mixer's timeline.
    pub(super) now: Timestamp,
}

/// One audience's.
pub(super) struct Picture {
    /// Who watches and is not shown to itself.
    without: Option<MemberId>,
    /// From the mixer's timeline to the audience's.
    zero: Span,
    begun: Timestamp,
    follow: Follow,
    shown: Option<Feed>,
    next: Option<Feed>,
    /// On the audience's timeline, until their time has come: sound waits in its buffer as long.
    held: VecDeque<Waiting>,
    placed: Timestamp,
    written: Option<Timestamp>,
    refused: Vec<(MemberId, Timestamp)>,
}

/// One member's pictures as they come.
struct Feed {
    member: MemberId,
    /// As it is published.
    source: Broadcast,
    reader: Reader,
    track: Option<TrackId>,
    /// Pictures of the newest group, or since they were taken.
    pending: Vec<Waiting>,
    opened: Timestamp,
    /// What was there when it was opened has been read.
    is_joined: bool,
    /// A group has opened since.
    is_fresh: bool,
    is_over: bool,
    /// From its own times to when they come, and to when they are shown.
    arrival: Option<Span>,
    shift: Option<Span>,
}

struct Waiting {
    codec: Option<Arc<Codec>>,
    frame: Frame,
}

impl Picture {
    /// Of a broadcast whose time is the mixer's and `zero`, from `now` on.
    pub(super) fn new(without: Option<MemberId>, zero: Span, now: Timestamp) -> Self {
        Self {
            without,
            zero,
            begun: now,
            follow: Follow::default(),
            shown: None,
            next: None,
            held: VecDeque::new(),
            placed: now + zero,
            written: None,
            refused: Vec::new(),
        }
    }

    /// A picture was written, so that sound may begin.
    pub(super) fn has_begun(&self) -> bool {
        self.written.is_some()
    }

    /// Takes what has come and writes what is due in this step.
    pub(super) fn step(&mut self, look: &Look<'_>, producer: &Producer) -> Result<(), WriteError> {
        let wanted = self.wanted(look);
        self.open(look, wanted);
        for feed in self.shown.iter_mut().chain(&mut self.next) {
            feed.read(look.now);
        }
        self.shown.take_if(|feed| feed.is_over);
        self.next.take_if(|feed| feed.is_over);
        if self.next.as_ref().is_some_and(|next| next.is_ready(look.now, self.shown.is_none())) {
            // What was to be shown of the former later than this is not.
            self.held.clear();
            self.placed = self.written.unwrap_or(self.placed).max(self.begun + self.zero);
            self.shown = self.next.take();
        }
        self.place(look);
        self.release(look.now + STEP + self.zero, producer)?;
        let nobody = wanted.is_none() || look.now - self.begun >= EMPTY_AFTER;
        if self.written.is_none() && nobody {
            self.write_empty(look.now + self.zero, producer)?;
        }
        Ok(())
    }

    /// Who is to be shown.
    fn wanted(&mut self, look: &Look<'_>) -> Option<MemberId> {
        self.refused.retain(|(_, until)| look.now < *until);
        let can_be = |seen: &&Seen| {
            seen.has_picture
                && Some(seen.member) != self.without
                && self.refused.iter().all(|(refused, _)| *refused != seen.member)
        };
        let candidate = |seen: &Seen| Candidate {
            member: seen.member,
            level_db: look.mixer.level_db(voice(seen.member)),
        };
        let candidates: Vec<_> = look.seen.iter().filter(can_be).map(candidate).collect();
        self.follow.step(look.now, look.stage.focus, &candidates)
    }

    /// Reads who is wanted, beside who is shown until a keyframe of the former is there.
    fn open(&mut self, look: &Look<'_>, wanted: Option<MemberId>) {
        let Some(wanted) = wanted else {
            (self.shown, self.next) = (None, None);
            return;
        };
        let Some(seen) = look.seen.iter().find(|seen| seen.member == wanted) else { return };
        let is_it = |feed: &Feed| feed.member == wanted && feed.source.same_as(&seen.broadcast);
        // Nothing more of somebody who may not be shown any more.
        self.shown
            .take_if(|shown| look.seen.iter().all(|seen| seen.member != shown.member || !seen.has_picture));
        if self.shown.as_ref().is_some_and(is_it) {
            self.next = None;
        } else if !self.next.as_ref().is_some_and(is_it) {
            match Feed::open(look, seen) {
                Ok(feed) => self.next = Some(feed),
                Err(refusal) => {
                    tracing::warn!(path = %seen.broadcast.path(), "its picture is not shown: {refusal}");
                    self.refused.push((wanted, look.now + REFUSED_REST));
                }
            }
        }
    }

    /// Gives what has come of who is shown its times on the audience's timeline.
    fn place(&mut self, look: &Look<'_>) {
        let Self { shown: Some(feed), held, placed, zero, .. } = self else { return };
        feed.follow_sound(look);
        let Some(shift) = feed.shift else { return };
        for mut waiting in feed.pending.drain(..) {
            let dts = (waiting.frame.dts + shift + *zero).max(*placed + APART_MIN);
            waiting.frame.dts = dts;
            *placed = dts;
            held.push_back(waiting);
        }
    }

    /// Writes what is due before `end`.
    fn release(&mut self, end: Timestamp, producer: &Producer) -> Result<(), WriteError> {
        while let Some(Waiting { codec, frame }) = self.held.pop_front_if(|waiting| waiting.frame.dts < end) {
            if let Some(codec) = codec {
                producer.set_codec(TRACK, (*codec).clone(), None)?;
            }
            self.written = Some(frame.dts);
            producer.write(TRACK, frame)?;
        }
        Ok(())
    }

    fn write_empty(&mut self, at: Timestamp, producer: &Producer) -> Result<(), WriteError> {
        match empty(at) {
            Ok(Some((codec, frame))) => {
                producer.set_codec(TRACK, codec, None)?;
                producer.write(TRACK, frame)?;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "an empty picture could not be made"),
        }
        (self.written, self.placed) = (Some(at), at);
        Ok(())
    }
}

/// A black picture.
fn empty(at: Timestamp) -> Result<Option<(Codec, Frame)>, av::Error> {
    let options = av::picture::Options {
        bitrate_bps: 100_000,
        fps: 1.0,
        threads: 1,
        keyframe_interval: KEYFRAME_PATIENCE,
    };
    let mut picture = av::picture::Picture::grey(EMPTY_SIZE.0, EMPTY_SIZE.1)?;
    picture.luma_mut().fill(16);
    let made = av::picture::Encoder::new(options)?.encode(&picture, at)?;
    Ok(made.and_then(|(codec, frame)| Some((codec?, frame))))
}

impl Feed {
    /// Begins to read somebody's pictures, in H.264 whatever they are.
    fn open(look: &Look<'_>, seen: &Seen) -> Result<Self, transcode::Refusal> {
        let readable = transcode::for_players(look.context, &seen.broadcast, Codecs::H264)?;
        seen.broadcast.want_keyframe();
        Ok(Self {
            member: seen.member,
            source: seen.broadcast.clone(),
            reader: readable.read(Selection::Best),
            track: None,
            pending: Vec::new(),
            opened: look.now,
            is_joined: false,
            is_fresh: false,
            is_over: false,
            arrival: None,
            shift: None,
        })
    }

    /// Takes what has come.
    fn read(&mut self, now: Timestamp) {
        self.arrival = self.arrival.map(|arrival| arrival + ARRIVAL_LEAK);
        while let Some(event) = voices::now(&mut self.reader) {
            match event {
                Some(Event::Frame { track, codec, opens_group, frame }) => {
                    self.handle_frame(now, track, opens_group, Waiting { codec, frame });
                }
                Some(Event::Phase(_) | Event::Skipped { .. }) => {}
                None => self.is_over = true,
            }
            if self.is_over {
                return;
            }
        }
        self.is_joined |= !self.pending.is_empty();
    }

    /// Sources without keyframes open groups, too.
    fn handle_frame(&mut self, now: Timestamp, track: TrackId, opens_group: bool, waiting: Waiting) {
        match waiting.codec.as_deref() {
            Some(Codec::H264(_)) => self.track = Some(track),
            // It has changed to what has to be converted, or is opened anew.
            Some(codec) if codec.kind() == Kind::Video => self.is_over = true,
            Some(_) | None => {}
        }
        if self.track != Some(track) || self.is_over {
            return;
        }
        let arrival = now - waiting.frame.dts;
        self.arrival = self.arrival.map_or(Some(arrival), |least| Some(least.min(arrival)));
        // While somebody else is shown, what is before the newest group is of no use.
        if opens_group && self.shift.is_none() {
            self.pending.clear();
            self.is_fresh |= self.is_joined;
        }
        if opens_group || !self.pending.is_empty() || self.shift.is_some() {
            self.pending.push(waiting);
        }
    }

    /// Whether it may be changed to.
    fn is_ready(&self, now: Timestamp, nobody_is_shown: bool) -> bool {
        let is_young = self.is_fresh || self.pending.len() <= YOUNG_FRAMES;
        !self.pending.is_empty() && (nobody_is_shown || is_young || now - self.opened >= KEYFRAME_PATIENCE)
    }

    /// Pictures are shown when the sound of their time is heard.
    fn follow_sound(&mut self, look: &Look<'_>) {
        let Some(by_arrival) = self.arrival.map(|arrival| arrival + UNHEARD_DELAY) else { return };
        let by_sound = look.mixer.shift(voice(self.member));
        let wanted =
            by_sound.filter(|shift| (*shift - by_arrival).abs() <= SHIFT_OFF_MAX).unwrap_or(by_arrival);
        self.shift = Some(match self.shift {
            Some(shift) if (wanted - shift).abs() <= SHIFT_JUMP => {
                let off = (wanted - shift).micros();
                shift + Span::from_micros(off.clamp(-SHIFT_SLEW.micros(), SHIFT_SLEW.micros()))
            }
            Some(_) | None => wanted,
        });
    }
}
