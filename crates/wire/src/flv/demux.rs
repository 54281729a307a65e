//! From tags to the model: codec parameters, frames in the model's payload form, script data and SEI, one track at a
//! time. A broken tag or a codec we do not carry hurts only its own track.

use bytes::{Bytes, BytesMut};
use media::codec::{self, Codec, Kind, aac, av1, h264, h265, nal, opus, vp8, vp9};
use media::{Span, Timestamp};
use smallvec::SmallVec;

use super::tag::{self, Format, Packet, Part, TRACKS_MAX};
use super::{TagKind, TrackKey, script};
use crate::amf0;

mod coding;
mod error;
#[cfg(test)]
mod tests;

pub use error::Error;

use coding::Coding;

/// NAL units that wait for their picture: parameter sets and SEI of a sane encoder are far smaller.
const PREFIX_BYTES_MAX: usize = 64 << 10;

/// What one tag brings. An error stands for one track or one tag; the events beside it are good.
pub type Events = SmallVec<[Result<Event, Error>; 2]>;

/// What a publisher's tags tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Parameters of a track, before its first frame and whenever they change.
    Codec {
        /// Which track.
        track: TrackKey,
        /// What its next frames are coded with.
        codec: Codec,
    },
    /// One frame in decode order, in the payload form of [`media::Frame`].
    Frame {
        /// Which track.
        track: TrackKey,
        /// Decoding time on the source's clock, wraps undone. Where it begins is the source's affair; it may jump.
        at: Timestamp,
        /// What is to be added for the time of display.
        cts: Span,
        /// Decoding can begin here: an IDR or random access picture, as seen in the coded picture itself.
        sync: bool,
        /// The coded bytes; a slice of the tag's body wherever the source sent them in form.
        payload: Bytes,
    },
    /// `onMetaData`, as far as it could be read.
    Metadata {
        /// When, on the source's clock.
        at: Timestamp,
        /// The values behind the name; usually one ECMA array.
        values: Vec<amf0::Value>,
        /// The whole as [`media::codec::data::Format::Amf0`] has it, name included.
        payload: Bytes,
    },
    /// Any other script data.
    Script {
        /// When, on the source's clock.
        at: Timestamp,
        /// The name in front: `onTextData`, `onCuePoint` …
        name: String,
        /// The whole as [`media::codec::data::Format::Amf0`] has it, name included.
        payload: Bytes,
    },
    /// User data in a picture of H.264 or H.265; the picture keeps it too.
    Sei {
        /// The picture's track.
        track: TrackKey,
        /// Decoding time of the picture.
        at: Timestamp,
        /// What is to be added for the picture's time of display.
        cts: Span,
        /// One SEI NAL unit, as [`media::codec::data::Format::Sei`] has it.
        payload: Bytes,
    },
    /// The source says that a track has ended.
    End {
        /// Which track.
        track: TrackKey,
    },
}

/// Turns one publisher's tags into events. Tags of all kinds share its clock.
#[derive(Debug, Default)]
pub struct Demuxer {
    clock: Unwrapper,
    tracks: SmallVec<[Track; 2]>,
}

#[derive(Debug)]
struct Track {
    key: TrackKey,
    state: State,
    /// Bytes of the length before each NAL unit in the source's payloads.
    length_bytes: usize,
    /// The configuration that is in force, as the source sent it. Encoders repeat it, and what their frames said since
    /// is newer than a repetition.
    announced: Bytes,
    /// NAL units that came without a picture and wait for the next.
    prefix: BytesMut,
}

#[derive(Debug)]
enum State {
    /// No configuration yet; `told` once an error has said so.
    Waiting { told: bool },
    /// A VP9 record, which needs a keyframe for its size.
    Sizeless(vp9::Params),
    /// Frames can be read.
    Ready(Codec),
    /// Carries a codec we refuse, and the publisher was told.
    Refused(Format),
}

/// 32-bit millisecond stamps become a clock that does not wrap: each is taken to be at most 24.8 days from the last.
#[derive(Debug, Default)]
struct Unwrapper {
    last_ms: Option<i64>,
}

impl Unwrapper {
    fn unwrap(&mut self, raw_ms: u32) -> Timestamp {
        let now = match self.last_ms {
            Some(last) => last.saturating_add(i64::from(raw_ms.wrapping_sub(last as u32) as i32)),
            None => i64::from(raw_ms),
        };
        self.last_ms = Some(now);
        Timestamp::from_millis(now)
    }
}

/// The times of one tag.
#[derive(Clone, Copy)]
struct When {
    at: Timestamp,
    cts: Span,
    key: bool,
}

impl Demuxer {
    /// For a publisher that begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a tag's or an RTMP message's body. `timestamp_ms` is the raw 32-bit stamp.
    pub fn handle_tag(&mut self, kind: TagKind, timestamp_ms: u32, body: &Bytes) -> Events {
        let at = self.clock.unwrap(timestamp_ms);
        let mut events = Events::new();
        let parsed = match kind {
            TagKind::Script => {
                events.extend(script::event(at, body).transpose());
                return events;
            }
            TagKind::Audio => tag::audio(body),
            TagKind::Video => tag::video(body),
        };
        match parsed {
            Err(error) => events.push(Err(error.into())),
            Ok(parsed) => {
                let offset = Span::from_micros(i64::from(parsed.offset_ns) / 1_000);
                let when = When { at: at + offset, cts: Span::ZERO, key: parsed.key };
                for part in parsed.parts {
                    self.handle_part(kind, when, part, &mut events);
                }
            }
        }
        events
    }

    /// The parameters of a track, once known.
    pub fn codec(&self, key: TrackKey) -> Option<&Codec> {
        self.tracks.iter().find(|track| track.key == key).and_then(|track| match &track.state {
            State::Ready(codec) => Some(codec),
            State::Waiting { .. } | State::Sizeless(_) | State::Refused(_) => None,
        })
    }

    fn handle_part(&mut self, kind: TagKind, when: When, part: Part, events: &mut Events) {
        let key =
            TrackKey { kind: if kind == TagKind::Audio { Kind::Audio } else { Kind::Video }, id: part.track };
        let index = match self.tracks.iter().position(|track| track.key == key) {
            Some(index) => index,
            None if self.tracks.len() < TRACKS_MAX => {
                self.tracks.push(Track::new(key));
                self.tracks.len() - 1
            }
            None => return events.push(Err(Error::TooManyTracks)),
        };
        if let Some(track) = self.tracks.get_mut(index)
            && let Err(error) = track.handle_part(when, part, events)
        {
            events.push(Err(error));
        }
    }
}

impl Track {
    fn new(key: TrackKey) -> Self {
        Self {
            key,
            state: State::Waiting { told: false },
            length_bytes: nal::LENGTH_BYTES,
            announced: Bytes::new(),
            prefix: BytesMut::new(),
        }
    }

    fn handle_part(&mut self, when: When, part: Part, events: &mut Events) -> Result<(), Error> {
        let Some(coding) = Coding::of(part.format) else {
            return self.refuse(part.format);
        };
        match part.packet {
            // FFmpeg's muxer writes an empty one before its encoder has parameters, and the real one later.
            Packet::SequenceStart if part.data.is_empty() => Ok(()),
            Packet::SequenceStart => self.configure(coding, &part.data, events),
            Packet::Frame { cts_ms } => {
                let cts = Span::from_millis(cts_ms.into());
                self.frame(coding, When { cts, ..when }, part.data, events)
            }
            Packet::SequenceEnd => {
                events.push(Ok(Event::End { track: self.key }));
                Ok(())
            }
            Packet::Description => Ok(()),
            Packet::Mpeg2TsStart => Err(Error::Mpeg2Ts { track: self.key }),
        }
    }

    /// An error the first time; silence for the frames that follow, which are all alike.
    fn refuse(&mut self, format: Format) -> Result<(), Error> {
        if matches!(self.state, State::Refused(told) if told == format) {
            return Ok(());
        }
        self.state = State::Refused(format);
        let name = coding::name(format);
        Err(if self.key.kind == Kind::Audio {
            Error::AudioCodec { name }
        } else {
            Error::VideoCodec { name }
        })
    }

    fn error(&self, error: codec::Error) -> Error {
        Error::Codec { track: self.key, error }
    }

    fn configure(&mut self, coding: Coding, config: &Bytes, events: &mut Events) -> Result<(), Error> {
        let in_force = matches!(&self.state, State::Ready(codec) if coding.matches(codec));
        if in_force && self.announced == *config {
            return Ok(());
        }
        self.announced = config.clone();
        let read = self.read_config(coding, config);
        if read.is_err() {
            // Frames behind parameters that cannot be read are not those of the old parameters either.
            self.state = State::Waiting { told: true };
        }
        if let Some(codec) = read.map_err(|error| self.error(error))? {
            self.set(codec, events);
        }
        Ok(())
    }

    /// `Ok(None)` when it takes a keyframe to know more.
    fn read_config(&mut self, coding: Coding, config: &Bytes) -> Result<Option<Codec>, codec::Error> {
        let codec = match coding {
            Coding::H264 => {
                self.length_bytes = h264::length_bytes(config);
                Codec::H264(h264::Params::from_config(config)?)
            }
            Coding::H265 => {
                self.length_bytes = h265::length_bytes(config);
                Codec::H265(h265::Params::from_config(config)?)
            }
            // A record without sequence header is allowed: the first keyframe has it.
            Coding::Av1 if config.len() == av1::RECORD_BYTES => return Ok(None),
            Coding::Av1 => Codec::Av1(av1::Params::from_config(config)?),
            Coding::Vp9 => {
                self.state = State::Sizeless(vp9::Params::from_config(config)?);
                return Ok(None);
            }
            // The record has no size, and all else is in the keyframe too.
            Coding::Vp8 => return Ok(None),
            Coding::G711(params) => Codec::G711(params),
            Coding::Aac => Codec::Aac(aac::Params::from_config(config)?),
            Coding::Opus => Codec::Opus(opus::Params::from_config(config)?),
        };
        Ok(Some(codec))
    }

    /// Makes `codec` current, and tells if that is news: many encoders repeat their configuration.
    fn set(&mut self, codec: Codec, events: &mut Events) {
        if matches!(&self.state, State::Ready(current) if *current == codec) {
            return;
        }
        self.state = State::Ready(codec.clone());
        events.push(Ok(Event::Codec { track: self.key, codec }));
    }

    fn frame(&mut self, coding: Coding, when: When, data: Bytes, events: &mut Events) -> Result<(), Error> {
        if data.is_empty() {
            return Err(Error::EmptyFrame { track: self.key });
        }
        let payload = match coding {
            Coding::H264 => nal::normalize("H.264", &data, self.length_bytes),
            Coding::H265 => nal::normalize("H.265", &data, self.length_bytes),
            Coding::Av1 => av1::normalize(&data),
            Coding::Aac => return self.sound(when, &data, events),
            Coding::Vp9 | Coding::Vp8 | Coding::Opus | Coding::G711(_) => Ok(data),
        }
        .map_err(|error| self.error(error))?;
        let sync = match coding {
            Coding::H264 => h264::is_idr(&payload) || (when.key && h264::is_random_access(&payload)),
            Coding::H265 => h265::is_random_access(&payload),
            Coding::Av1 => av1::is_keyframe(&payload),
            Coding::Vp9 => vp9::is_keyframe(&payload),
            Coding::Vp8 => vp8::is_keyframe(&payload),
            Coding::Aac | Coding::Opus | Coding::G711(_) => true,
        };
        self.follow(coding, &payload, sync, events);
        if payload.is_empty() || !self.ready(coding)? {
            return Ok(());
        }
        let (track, When { at, cts, .. }) = (self.key, when);
        for payload in coding.user_data(&payload) {
            events.push(Ok(Event::Sei { track, at, cts, payload }));
        }
        if let Some(payload) = self.with_prefix(coding, payload) {
            events.push(Ok(Event::Frame { track, at, cts, sync, payload }));
        }
        Ok(())
    }

    /// Some encoders send parameter sets or SEI in a tag of their own. Those go in front of the next picture, for a
    /// frame without a picture stops decoders. `None` when there is no picture yet.
    fn with_prefix(&mut self, coding: Coding, payload: Bytes) -> Option<Bytes> {
        if !coding.has_picture(&payload) {
            if self.prefix.len() + payload.len() <= PREFIX_BYTES_MAX {
                self.prefix.extend_from_slice(&payload);
            }
            return None;
        }
        if self.prefix.is_empty() {
            return Some(payload);
        }
        self.prefix.extend_from_slice(&payload);
        Some(std::mem::take(&mut self.prefix).freeze())
    }

    /// Access units of AAC, without ADTS headers. Encoders that leave those on often send no configuration either.
    fn sound(&mut self, when: When, data: &Bytes, events: &mut Events) -> Result<(), Error> {
        if !matches!(self.state, State::Ready(Codec::Aac(_)))
            && let Some(adts) = aac::Adts::parse(data)
        {
            let params = aac::Params::from_adts(&adts).map_err(|error| self.error(error))?;
            self.set(Codec::Aac(params), events);
        }
        self.ready(Coding::Aac)?;
        let State::Ready(Codec::Aac(params)) = &self.state else { return Ok(()) };
        let (samples, rate) = (i64::from(params.frame_samples), params.core_sample_rate);
        for (index, payload) in aac::access_units(data).enumerate() {
            let at = when.at + Span::from_ticks(index as i64 * samples, rate);
            events.push(Ok(Event::Frame { track: self.key, at, cts: Span::ZERO, sync: true, payload }));
        }
        Ok(())
    }

    /// Follows parameters that change, or come first, in the frames themselves.
    fn follow(&mut self, coding: Coding, payload: &Bytes, sync: bool, events: &mut Events) {
        let changed = match (&self.state, coding) {
            (State::Ready(Codec::H264(params)), Coding::H264) => params.changed_by(payload).map(Codec::H264),
            (State::Ready(Codec::H265(params)), Coding::H265) => params.changed_by(payload).map(Codec::H265),
            (State::Ready(Codec::Av1(params)), Coding::Av1) if sync => {
                params.changed_by(payload).map(Codec::Av1)
            }
            (State::Ready(Codec::Vp9(params)) | State::Sizeless(params), Coding::Vp9) if sync => {
                vp9::Keyframe::parse(payload).ok().flatten().map(|key| Codec::Vp9(params.with_keyframe(&key)))
            }
            (_, Coding::H264) if sync => {
                let sets = h264::parameter_sets(payload);
                h264::Params::from_parameter_sets(&sets.sps, &sets.pps).map(Codec::H264).ok()
            }
            (_, Coding::H265) if sync => {
                let sets = h265::parameter_sets(payload);
                h265::Params::from_parameter_sets(&sets.vps, &sets.sps, &sets.pps).map(Codec::H265).ok()
            }
            (_, Coding::Av1) if sync => av1::Params::from_payload(payload).map(Codec::Av1),
            (_, Coding::Vp9) if sync => vp9::Keyframe::parse(payload)
                .ok()
                .flatten()
                .map(|key| Codec::Vp9(vp9::Params::from_keyframe(&key))),
            (_, Coding::Vp8) if sync => vp8::Keyframe::parse(payload)
                .ok()
                .flatten()
                .map(|key| Codec::Vp8(vp8::Params::from_keyframe(&key))),
            (_, Coding::G711(params)) => Some(Codec::G711(params)),
            (_, Coding::H264 | Coding::H265 | Coding::Av1 | Coding::Vp9 | Coding::Vp8) => None,
            (_, Coding::Aac | Coding::Opus) => None,
        };
        if let Some(codec) = changed {
            self.set(codec, events);
        }
    }

    /// Whether frames of `coding` can be told; an error the first time that their configuration is missing, so that
    /// a source without one does not fill the log.
    fn ready(&mut self, coding: Coding) -> Result<bool, Error> {
        match &self.state {
            State::Ready(codec) if coding.matches(codec) => Ok(true),
            State::Waiting { told: true } => Ok(false),
            State::Sizeless(_) if coding == Coding::Vp9 => Ok(false),
            State::Waiting { .. } | State::Sizeless(_) | State::Ready(_) | State::Refused(_) => {
                self.state = State::Waiting { told: true };
                Err(Error::Unconfigured { track: self.key })
            }
        }
    }
}
