//! A packager under test: made-up sources on one side, the rules of the draft as assertions on the other.

mod aligned;
mod answers;
mod cutting;
mod golden;
mod names;
mod properties;
mod rules;

use std::sync::Arc;

use bytes::Bytes;
use media::codec::{aac, h264};
use media::{Codec, Frame, Span, Timestamp};

use super::{Options, Packager, TrackKey};

const VIDEO: TrackKey = TrackKey(1);
const AUDIO: TrackKey = TrackKey(2);

fn video_codec(width: u32) -> Arc<Codec> {
    // A Baseline 3.0 record with one short SPS and PPS; nothing here decodes them.
    let config = Bytes::from_static(&[1, 66, 192, 30, 255, 225, 0, 4, 0x67, 66, 192, 30, 1, 0, 2, 0x68, 1]);
    Arc::new(Codec::H264(h264::Params {
        config,
        width,
        height: 720,
        profile: 66,
        constraints: 192,
        level: 30,
        frame_rate: None,
    }))
}

fn audio_codec(hz: u32) -> Arc<Codec> {
    Arc::new(Codec::Aac(aac::Params {
        config: Bytes::from_static(&[0x12, 0x10]),
        object_type: 2,
        sample_rate: hz,
        core_sample_rate: hz,
        channels: 2,
        frame_samples: 1_024,
    }))
}

fn frame(dts: i64, sync: bool) -> Frame {
    let payload = Bytes::from(vec![dts as u8; if sync { 400 } else { 100 }]);
    Frame { dts: Timestamp::from_micros(dts), cts: Span::ZERO, sync, payload }
}

/// A source with pictures and sound at their own rates, and the packager it feeds.
struct Source {
    packager: Packager,
    video: Option<Arc<Codec>>,
    audio: Option<Arc<Codec>>,
    /// Microseconds between pictures.
    interval: i64,
    /// Pictures a group; 0 for one without keyframes after the first.
    group: i64,
    pictures: i64,
    sounds: i64,
    /// Where counting began, in microseconds.
    from: [i64; 2],
}

impl Source {
    fn new(options: Options) -> Self {
        Self {
            packager: Packager::new(options),
            video: Some(video_codec(1_280)),
            audio: Some(audio_codec(48_000)),
            interval: 40_000,
            group: 50,
            pictures: 0,
            sounds: 0,
            from: [0, 0],
        }
    }

    /// Sends all frames before `until` (in milliseconds), checking the playlist whenever it changed.
    fn run(&mut self, until: i64) {
        loop {
            let version = self.packager.version();
            let picture = self.from[0] + self.pictures * self.interval;
            let sound = self.from[1] + self.sounds * 1_024_000 / 48;
            let video = self.video.clone().filter(|_| picture < until * 1_000);
            let audio = self.audio.clone().filter(|_| sound < until * 1_000);
            match (video, audio) {
                (Some(video), audio) if audio.is_none() || picture <= sound => {
                    let sync = self.pictures == 0 || self.group > 0 && self.pictures % self.group == 0;
                    self.packager.handle_frame(VIDEO, &video, &frame(picture, sync));
                    self.pictures += 1;
                }
                (_, Some(audio)) => {
                    self.packager.handle_frame(AUDIO, &audio, &frame(sound, true));
                    self.sounds += 1;
                }
                (_, None) => return,
            }
            if self.packager.version() != version {
                rules::check(&self.packager);
            }
        }
    }

    /// Both tracks are silent until `from` (in milliseconds).
    fn stall(&mut self, from: i64) {
        self.from = [from * 1_000; 2];
        (self.pictures, self.sounds) = (0, 0);
    }

    fn playlist(&self) -> rules::Playlist {
        rules::check(&self.packager).expect("the playlist has something")
    }
}
