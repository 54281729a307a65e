//! Pictures as they are to H.264 and back, for whoever draws or looks at them.

use bytes::Bytes;
use media::codec::{h264, nal};
use media::{Codec, Frame, Span, Timestamp};
use openh264::OpenH264API;
use openh264::encoder::{
    self, BitRate, Encoder as Library, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
};

use super::{Options, Picture, annex_b, check, failed, open_decoder};
use crate::Error;

/// A slice of this size, with its headers, is one RTP packet; slices are what threads divide among themselves.
const SLICE_BYTES: u32 = 1_200;

/// Pictures to one track of H.264 without B-pictures.
pub struct Encoder {
    library: Library,
    interval: Span,
    codec: Option<h264::Params>,
    keyframe_wanted: bool,
    keyframe_at: Option<Timestamp>,
    first: Option<Timestamp>,
}

impl Encoder {
    /// An encoder that has encoded nothing.
    ///
    /// # Errors
    /// [`Error::Library`] when it cannot be set up.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self {
            library: open_encoder(options)?,
            interval: options.keyframe_interval,
            codec: None,
            keyframe_wanted: true,
            keyframe_at: None,
            first: None,
        })
    }

    /// Makes the next picture a keyframe.
    pub fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// The picture that is shown at `at`, with the parameters that it and what follows need where they changed. `None`
    /// where the library made nothing of it.
    ///
    /// # Errors
    /// [`Error::Library`] when the encoder fails, or the picture's size changes.
    pub fn encode(
        &mut self,
        picture: &Picture,
        at: Timestamp,
    ) -> Result<Option<(Option<Codec>, Frame)>, Error> {
        let first = *self.first.get_or_insert(at);
        let due = self.keyframe_at.is_none_or(|last| at - last >= self.interval);
        // Before its first picture the library has no encoder to tell; that one is a keyframe anyway.
        if (due || self.keyframe_wanted) && self.keyframe_at.is_some() {
            self.library.force_intra_frame();
        }
        let millis = openh264::Timestamp::from_millis((at - first).millis().unsigned_abs());
        let coded = self.library.encode_at(picture, millis).map_err(|error| failed("encoding", error))?;
        let sync = coded.frame_type() == FrameType::IDR;
        let units = nal::join(nal::annex_b(&coded.to_vec()));
        if units.is_empty() {
            return Ok(None);
        }
        if sync {
            self.keyframe_at = Some(at);
            self.keyframe_wanted = false;
        }
        let codec = self.changed_codec(&units)?;
        let payload = nal::join(nal::units(&units).filter(|unit| !matches!(h264::unit_type(unit), 7 | 8)));
        Ok(Some((codec, Frame { dts: at, cts: Span::ZERO, sync, payload })))
    }

    /// The parameters in `units` if they differ from those before.
    fn changed_codec(&mut self, units: &Bytes) -> Result<Option<Codec>, Error> {
        let sets = h264::parameter_sets(units);
        if sets.sps.is_empty() || sets.pps.is_empty() {
            return Ok(None);
        }
        let params = h264::Params::from_parameter_sets(&sets.sps, &sets.pps)
            .map_err(|error| failed("reading the encoder's parameters", error))?;
        if self.codec.as_ref() == Some(&params) {
            return Ok(None);
        }
        self.codec = Some(params.clone());
        Ok(Some(Codec::H264(params)))
    }
}

/// One track of H.264 to pictures, in the order in which they come: for tracks without B-pictures.
pub struct Decoder {
    library: openh264::decoder::Decoder,
    source: h264::Params,
}

impl Decoder {
    /// A decoder of a track with these parameters; a track that changes them needs another.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for what the decoder cannot do; [`Error::Library`] when it cannot be set up.
    pub fn new(source: &h264::Params) -> Result<Self, Error> {
        check(source)?;
        Ok(Self { library: open_decoder()?, source: source.clone() })
    }

    /// The picture of one access unit; `None` where the decoder waits for more.
    ///
    /// # Errors
    /// [`Error::Library`] when the unit does not decode: what follows does not either, until a keyframe.
    pub fn decode(&mut self, frame: &Frame) -> Result<Option<Picture>, Error> {
        let unit = annex_b(&self.source, frame);
        let decoded = self.library.decode(&unit).map_err(|error| failed("decoding", error))?;
        decoded.map(|picture| Picture::copy(&picture)).transpose()
    }
}

fn open_encoder(options: Options) -> Result<Library, Error> {
    let mut config = EncoderConfig::new()
        .bitrate(BitRate::from_bps(options.bitrate_bps))
        .max_frame_rate(FrameRate::from_hz(options.fps.clamp(1.0, 120.0)))
        .rate_control_mode(encoder::RateControlMode::Bitrate)
        .profile(encoder::Profile::Baseline)
        .num_threads(options.threads.max(1))
        // Every picture of the source comes out, each at its time.
        .skip_frames(false)
        // Keyframes come when we say.
        .scene_change_detect(false)
        .intra_frame_period(IntraFramePeriod::from_num_frames(0));
    if options.threads > 1 {
        config = config.max_slice_len(SLICE_BYTES);
    }
    Library::with_api_config(OpenH264API::from_source(), config)
        .map_err(|error| failed("opening the encoder", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        bitrate_bps: 1_000_000,
        fps: 25.0,
        threads: 1,
        keyframe_interval: Span::from_millis(1_000),
    };

    #[test]
    fn pictures_come_back_one_for_one_and_a_keyframe_when_it_is_wanted_or_due() {
        let mut encoder = Encoder::new(OPTIONS).unwrap();
        let mut decoder = None;
        let mut syncs = Vec::new();
        for number in 0..40_u8 {
            let mut drawn = Picture::grey(64, 48).unwrap();
            drawn.luma_mut().fill(40 + number * 4);
            if number == 10 {
                encoder.want_keyframe();
            }
            let at = Timestamp::from_millis(i64::from(number) * 40);
            let (codec, frame) = encoder.encode(&drawn, at).unwrap().unwrap();
            assert_eq!((frame.dts, frame.cts), (at, Span::ZERO));
            if frame.sync {
                syncs.push(number);
            }
            if let Some(Codec::H264(params)) = codec {
                decoder = Some(Decoder::new(&params).unwrap());
            }
            let seen = decoder.as_mut().unwrap().decode(&frame).unwrap().unwrap();
            assert_eq!(seen.size(), (64, 48));
            assert!(seen.luma().iter().all(|light| light.abs_diff(40 + number * 4) < 6), "{number}");
        }
        // Wanted at 10, due a second after it.
        assert_eq!(syncs, [0, 10, 35]);
    }
}
