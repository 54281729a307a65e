//! One track of Opus or G.711 as AAC without gaps.

use std::sync::Arc;

use av::sound::{Converter, Target};
use bytes::Bytes;
use media::codec::Codec;
use media::{Frame, Span, Timestamp};

use crate::audience::Protocol;
use crate::derived::{Cost, Derived};

/// AAC for players: what broadcasters use for stereo.
const AAC_BITRATE: u32 = 128_000;
/// Whose viewers know AAC.
const PLAYERS: &[Protocol] = &[Protocol::Rtmp, Protocol::Flv, Protocol::WsFlv, Protocol::Hls];
/// Sound this far behind the picture has stopped: less is the network, and the conversion's own delay.
const GAP_MIN: Span = Span::from_millis(400);
/// Silence ends this far behind the picture, so that sound that comes back finds its place.
const MARGIN: Span = Span::from_millis(200);

/// The conversion of one track.
pub(super) struct Sound {
    source: Codec,
    converter: Converter,
    silence: Option<Bytes>,
    /// Where the next packet belongs if nothing is missing.
    next: Option<Timestamp>,
    /// Where silence that was put in ends.
    filled: Option<Timestamp>,
    out: Vec<Frame>,
    cost: Cost,
}

impl Sound {
    /// `None`, and a word in the log, where this build cannot convert it.
    pub(super) fn new(source: &Codec, derived: &Arc<Derived>) -> Option<Self> {
        let converter = converter(source)
            .inspect_err(|error| tracing::warn!(%error, "players of AAC get no sound of this broadcast"))
            .ok()?;
        let silence = av::silence(converter.codec());
        Some(Self {
            source: source.clone(),
            converter,
            silence,
            next: None,
            filled: None,
            out: Vec::new(),
            cost: derived.add(name(source), PLAYERS),
        })
    }

    pub(super) fn is_of(&self, source: &Codec) -> bool {
        self.source == *source
    }

    /// What comes out.
    pub(super) fn codec(&self) -> &Codec {
        self.converter.codec()
    }

    /// A packet in, what it completes out.
    pub(super) fn handle_frame(&mut self, frame: &Frame) -> impl Iterator<Item = Frame> {
        let Self { converter, out, cost, .. } = self;
        if let Err(error) = cost.measure(|| converter.handle_frame(frame, out)) {
            tracing::debug!(%error, "sound is converted anew");
            if let Ok(anew) = self::converter(&self.source) {
                self.converter = anew;
            }
        }
        if let Some(filled) = self.filled {
            // Sound that was only late comes into the place that silence has taken: time does not go back for it.
            self.out.retain(|frame| frame.dts >= filled);
        }
        if let Some(last) = self.out.last() {
            self.next = Some(last.dts + self.packet());
        }
        self.out.drain(..)
    }

    /// Silence up to shortly before the picture at `newest`, if sound has stopped.
    pub(super) fn fill(&mut self, newest: Timestamp) -> impl Iterator<Item = Frame> {
        let step = self.packet();
        if let (Some(next), Some(silence)) = (self.next, &self.silence)
            && newest - next > GAP_MIN
            && step > Span::ZERO
        {
            let mut dts = next;
            while dts < newest - MARGIN {
                self.out.push(Frame { dts, cts: Span::ZERO, sync: true, payload: silence.clone() });
                dts += step;
            }
            self.next = Some(dts);
            self.filled = self.next;
        }
        self.out.drain(..)
    }

    /// How long a packet is.
    fn packet(&self) -> Span {
        match self.converter.codec() {
            Codec::Aac(params) => Span::from_ticks(params.frame_samples.into(), params.core_sample_rate),
            _ => Span::ZERO,
        }
    }
}

fn converter(source: &Codec) -> Result<Converter, av::Error> {
    Converter::new(source, Target::Aac { bitrate_bps: AAC_BITRATE })
}

fn name(source: &Codec) -> &'static str {
    match source {
        Codec::G711(_) => "AAC from G.711",
        _ => "AAC from Opus",
    }
}
