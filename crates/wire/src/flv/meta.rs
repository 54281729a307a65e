//! `onMetaData` on its way out: what viewers' players want to know beforehand (annex E.5, Enhanced RTMP v2 "Metadata").

use bytes::{Bytes, BytesMut};
use media::Codec;

use super::{TrackKey, mux, tag};
use crate::amf0::{self, Value};

#[cfg(test)]
mod tests;

/// A track as `onMetaData` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Track<'a> {
    /// Which track.
    pub key: TrackKey,
    /// What it is coded with.
    pub codec: &'a Codec,
    /// Bits a second, when known.
    pub bitrate: Option<u64>,
}

/// The script body: name and ECMA array. The first track of a kind fills the plain fields, further ones
/// `videoTrackIdInfoMap` and `audioTrackIdInfoMap`. There is no `duration`: live has none, and players take 0 for an end.
pub fn body(tracks: &[Track<'_>], muxer: &mux::Muxer) -> Bytes {
    let mut members = Vec::new();
    let mut more_video = Vec::new();
    let mut more_audio = Vec::new();
    for track in tracks {
        let fields = fields(track, muxer);
        if track.key.id == 0 {
            members.extend(fields);
        } else if track.codec.resolution().is_some() {
            more_video.push((track.key.id.to_string(), Value::Object(fields)));
        } else if track.codec.sound().is_some() {
            more_audio.push((track.key.id.to_string(), Value::Object(fields)));
        }
    }
    for (name, map) in [("videoTrackIdInfoMap", more_video), ("audioTrackIdInfoMap", more_audio)] {
        if !map.is_empty() {
            members.push((name.to_owned(), Value::Object(map)));
        }
    }
    members.push(("encoder".to_owned(), concat!("openmic ", env!("CARGO_PKG_VERSION")).into()));
    let mut out = BytesMut::new();
    amf0::encode_all(&[Value::from("onMetaData"), Value::EcmaArray(members)], &mut out);
    out.freeze()
}

fn fields(track: &Track<'_>, muxer: &mux::Muxer) -> Vec<(String, Value)> {
    let mut fields: Vec<(String, Value)> = Vec::new();
    let mut put = |name: &str, value: Value| fields.push((name.to_owned(), value));
    let codec = track.codec;
    let kbits = track.bitrate.map(|bits| bits as f64 / 1_000.0);
    if let Some((width, height)) = codec.resolution() {
        put("width", f64::from(width).into());
        put("height", f64::from(height).into());
        if let Some(rate) = codec.frame_rate() {
            put("framerate", rate.fps().into());
        }
        put("videocodecid", codec_id(codec, muxer).into());
        if let Some(kbits) = kbits {
            put("videodatarate", kbits.into());
        }
    } else if let Some((rate, channels)) = codec.sound() {
        put("audiosamplerate", f64::from(rate).into());
        put("audiosamplesize", 16.0.into());
        put("audiochannels", f64::from(channels).into());
        put("stereo", (channels > 1).into());
        put("audiocodecid", codec_id(codec, muxer).into());
        if let Some(kbits) = kbits {
            put("audiodatarate", kbits.into());
        }
    }
    fields
}

/// CodecID or SoundFormat of what has one, the fourCC as a number for the rest (Enhanced RTMP v2).
fn codec_id(codec: &Codec, muxer: &mux::Muxer) -> f64 {
    match codec {
        Codec::H264(_) => tag::LEGACY_AVC.into(),
        Codec::Aac(_) => tag::LEGACY_AAC.into(),
        Codec::H265(_) if muxer.hevc == mux::Hevc::Legacy => tag::LEGACY_HEVC.into(),
        Codec::G711(params) => tag::sound_format(params.law).into(),
        Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) | Codec::Opus(_) | Codec::Data(_) => {
            mux::fourcc(codec).map_or(0.0, |fourcc| fourcc.number().into())
        }
    }
}
