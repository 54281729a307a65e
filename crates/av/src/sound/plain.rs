//! Samples to packets and back, for whoever makes or listens to them.

use media::codec::opus;
use media::{Codec, Frame, Span, Timestamp};

use super::decode::{Decoder, Format};
use super::encode::Encoder;
use super::{Channels, Target};
use crate::Error;

/// Samples at 48 kHz to packets of one track.
pub struct Writer {
    encoder: Encoder,
    start: Timestamp,
    samples: i64,
}

impl Writer {
    /// A track whose first sample is heard at `start`.
    ///
    /// Packets are stamped as publishers do: AAC with what a plain decoder puts out for it, and so earlier than the
    /// first sample by the encoder's delay; Opus with the first sample in (RFC 7587 §4.2).
    ///
    /// # Errors
    /// When this build lacks the codec or its library refuses.
    pub fn new(target: Target, channels: Channels, start: Timestamp) -> Result<Self, Error> {
        // The encoder takes what a track like this one would decode to: 48 kHz and these channels.
        let like = Codec::Opus(opus::Params::simple(channels.count() as u8));
        let encoder = Encoder::new(&like, target)?;
        let delay = match target {
            Target::Opus { .. } => 0,
            Target::Aac { .. } => encoder.delay(),
        };
        let start = start - Span::from_ticks(delay as i64, encoder.rate());
        Ok(Self { encoder, start, samples: 0 })
    }

    /// What the packets are coded with.
    pub fn codec(&self) -> &Codec {
        self.encoder.codec()
    }

    /// Takes interleaved samples, which follow the last, and appends the packets that they complete.
    ///
    /// # Errors
    /// [`Error::Library`] when the encoder fails.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<Frame>) -> Result<(), Error> {
        let Self { encoder, start, samples: count, .. } = self;
        let rate = encoder.rate();
        encoder.push(samples, &mut |payload, samples| {
            let dts = *start + Span::from_ticks(*count, rate);
            *count += samples as i64;
            out.push(Frame { dts, cts: Span::ZERO, sync: true, payload });
        })
    }
}

/// Packets of one track to samples.
pub struct Reader {
    decoder: Decoder,
    /// It lags behind a plain decoder, as it says itself. Of Opus what it says is what WebRTC's packets lack, and there a
    /// plain decoder lags by that, too.
    lags: bool,
}

/// The form of what a [`Reader`] has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Samples a second.
    pub rate: u32,
    /// Channels, interleaved.
    pub channels: usize,
    /// When the first sample is heard.
    pub at: Timestamp,
}

impl Reader {
    /// A decoder of a track coded as `source`.
    ///
    /// # Errors
    /// When `source` is no sound, or beyond what can be decoded.
    pub fn new(source: &Codec) -> Result<Self, Error> {
        Ok(Self { decoder: Decoder::new(source, "samples")?, lags: matches!(source, Codec::Aac(_)) })
    }

    /// Appends the interleaved samples of one packet that is heard at `at`.
    ///
    /// # Errors
    /// [`Error::Library`] when the packet does not decode.
    pub fn read(&mut self, packet: &[u8], at: Timestamp, out: &mut Vec<f32>) -> Result<Read, Error> {
        let Format { rate, channels, delay, .. } = self.decoder.decode(packet, out)?;
        let lag = if self.lags { Span::from_ticks(delay as i64, rate) } else { Span::ZERO };
        Ok(Read { rate, channels, at: at - lag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000);
    /// A click after a tenth of a second.
    const CLICK: usize = 4_800;

    /// When a plain decoder puts the click out, in milliseconds after the start.
    fn heard(target: Target) -> i64 {
        let mut writer = Writer::new(target, Channels::Mono, START).unwrap();
        let mut reader = Reader::new(writer.codec()).unwrap();
        let mut samples = vec![0.0; 19_200];
        for (at, sample) in samples[CLICK..CLICK + 480].iter_mut().enumerate() {
            *sample = (at as f32 * 0.13).sin() * 0.5;
        }
        let mut packets = Vec::new();
        samples.chunks(960).for_each(|chunk| writer.push(chunk, &mut packets).unwrap());
        for packet in &packets {
            let mut pcm = Vec::new();
            let read = reader.read(&packet.payload, packet.dts, &mut pcm).unwrap();
            let loud = pcm.chunks(read.channels).position(|sample| sample[0].abs() > 0.2);
            if let Some(at) = loud {
                return (read.at + Span::from_ticks(at as i64, read.rate) - START).micros() / 1_000;
            }
        }
        panic!("the click was not heard");
    }

    #[test]
    fn sound_is_heard_when_its_packets_say() {
        let late = heard(Target::Opus { channels: Channels::Mono, bitrate_bps: 64_000 });
        // By the encoder's look-ahead, as RFC 7587 has it.
        assert!((104..=110).contains(&late), "{late}");
    }

    #[test]
    #[cfg(feature = "fdk")]
    fn the_delay_of_an_aac_encoder_is_in_its_stamps() {
        let at = heard(Target::Aac { bitrate_bps: 96_000 });
        assert!((96..=104).contains(&at), "{at}");
    }
}
