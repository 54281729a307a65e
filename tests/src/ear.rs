//! What a viewer hears and sees: tones by their level, pictures by their time and size. FFmpeg makes what they are published
//! from, and plays what is not FLV.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::process::Command;

use av::sound::{Brought, Samples};
use bytes::Bytes;
use media::{Codec, Frame, Span, Timestamp};
use wire::flv::file::Tag;
use wire::flv::{Demuxer, Event, TrackKey};

use crate::rtmp::{Viewer, tags};

/// Samples that a level is measured over: 50 ms, so that half a percent off in pitch changes nothing.
const WINDOW: usize = 2_400;

/// FLV of so many seconds: H.264 of 25 pictures a second with a keyframe each second, and AAC. The sound is what FFmpeg's
/// source of this name makes.
pub fn tape(size: &str, sound: &str, seconds: u32) -> Vec<Tag> {
    tape_coded(size, sound, seconds, "aac -b:a 128k -ac 2")
}

/// The same with the sound coded as FFmpeg is told.
pub fn tape_coded(size: &str, sound: &str, seconds: u32, coding: &str) -> Vec<Tag> {
    let arguments = format!(
        "-v error -f lavfi -i testsrc2=size={size}:rate=25:duration={seconds} -f lavfi -i {sound} -t {seconds} \
         -c:v libx264 -preset ultrafast -tune zerolatency -b:v 200k -g 25 -bf 0 -pix_fmt yuv420p -c:a {coding} \
         -f flv pipe:1"
    );
    let made = Command::new("ffmpeg").args(arguments.split_whitespace()).output();
    let made = made.expect("these tests need ffmpeg in PATH: apt install ffmpeg");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    tags(&made.stdout)
}

/// The same with a tone of −21 dB: FFmpeg's is an eighth of full scale, and 3 dB less on each of two sides.
pub fn tone_tape(size: &str, hz: u32, seconds: u32) -> Vec<Tag> {
    tape(size, &tone(hz), seconds)
}

/// FFmpeg's source of a tone.
pub fn tone(hz: u32) -> String {
    format!("sine=frequency={hz}:sample_rate=48000")
}

/// How loud a frequency is in samples at 48 kHz, as the amplitude of a tone, in dB of full scale.
pub fn db(samples: &[f32], hz: f64) -> f64 {
    let power = samples.chunks_exact(WINDOW).map(|part| power(part, hz)).sum::<f64>();
    let count = samples.len() / WINDOW;
    assert!(count > 0, "{} samples are too few", samples.len());
    10.0 * (power / count as f64).max(1e-12).log10()
}

fn power(samples: &[f32], hz: f64) -> f64 {
    let count = samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let window = 1.0 - (at as f64 / count * TAU).cos();
        let phase = at as f64 * hz / 48_000.0 * TAU;
        re += f64::from(*sample) * window * phase.cos();
        im += f64::from(*sample) * window * phase.sin();
    }
    4.0 * (re * re + im * im) / (count * count)
}

/// Packets of one track to what is heard.
#[derive(Default)]
pub struct Ear {
    samples: Option<(Codec, Samples)>,
    /// The left side, at 48 kHz.
    pub heard: Vec<f32>,
    /// When the first of them is heard.
    pub from: Option<Timestamp>,
}

impl Ear {
    /// Takes a packet.
    pub fn hear(&mut self, codec: &Codec, frame: &Frame) {
        if self.samples.as_ref().is_none_or(|(known, _)| known != codec) {
            self.samples = Some((codec.clone(), Samples::new(codec).expect("sound")));
        }
        let Some((_, samples)) = &mut self.samples else { return };
        let mut brought = Brought::default();
        samples.handle_frame(frame, &mut brought).expect("it decodes");
        if let Some(from) = brought.from {
            let begin = *self.from.get_or_insert(from);
            let expected = begin + Span::from_ticks(self.heard.len() as i64, 48_000);
            let off = (from - expected).millis();
            assert!(
                off.abs() <= 1,
                "the sound jumps by {off} ms to {from:?}, {} ms after its beginning",
                self.heard.len() / 48
            );
        }
        self.heard.extend(brought.samples.iter().map(|[left, _]| *left));
    }

    /// The last so many milliseconds.
    pub fn last(&self, ms: usize) -> &[f32] {
        &self.heard[self.heard.len().saturating_sub(ms * 48)..]
    }
}

/// A picture as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// On the broadcast's timeline, in milliseconds.
    pub at_ms: i64,
    /// Decoding can begin with it.
    pub is_key: bool,
    /// Of its parameters.
    pub size: (u32, u32),
}

/// Watches HTTP-FLV with eyes and ears.
pub struct Watcher {
    viewer: Viewer,
    demuxer: Demuxer,
    codecs: HashMap<TrackKey, Codec>,
    /// What was heard so far.
    pub ear: Ear,
    /// What was seen so far.
    pub shown: Vec<Shown>,
    /// Times of sound, in milliseconds.
    pub sounds: Vec<i64>,
}

impl Watcher {
    /// Joins an address.
    pub async fn join(app: &server::App, target: &str) -> Self {
        let viewer = Viewer::watch_target(app.addresses().http, target).await;
        assert!(viewer.head.starts_with("HTTP/1.1 200"), "{}", viewer.head);
        Self {
            viewer,
            demuxer: Demuxer::new(),
            codecs: HashMap::new(),
            ear: Ear::default(),
            shown: Vec::new(),
            sounds: Vec::new(),
        }
    }

    /// Watches so many milliseconds of sound more.
    pub async fn watch(&mut self, ms: usize) {
        let end = self.ear.heard.len() + ms * 48;
        while self.ear.heard.len() < end {
            assert!(self.take().await, "the stream goes on");
        }
    }

    /// Takes one tag; `false` at the end.
    pub async fn take(&mut self) -> bool {
        let Some(tag) = self.viewer.tag().await else { return false };
        for event in self.demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            match event.expect("well-formed FLV") {
                Event::Codec { track, codec } => drop(self.codecs.insert(track, codec)),
                Event::Frame { track, at, cts, sync, payload } => {
                    self.handle_frame(track, Frame { dts: at, cts, sync, payload });
                }
                Event::Metadata { .. } | Event::Script { .. } | Event::Sei { .. } | Event::End { .. } => {}
            }
        }
        true
    }

    fn handle_frame(&mut self, track: TrackKey, frame: Frame) {
        let codec = &self.codecs[&track];
        match codec.resolution() {
            Some(size) => {
                self.shown.push(Shown { at_ms: frame.dts.millis(), is_key: frame.sync, size });
            }
            None => {
                self.sounds.push(frame.dts.millis());
                self.ear.hear(codec, &frame);
            }
        }
    }

    /// The sizes that were shown, one after the other.
    pub fn sizes(&self) -> Vec<(u32, u32)> {
        let mut sizes: Vec<_> = self.shown.iter().map(|shown| shown.size).collect();
        sizes.dedup();
        sizes
    }
}

/// What FFmpeg hears at an address within so many seconds of it: samples at 48 kHz, one channel.
pub async fn heard_by_ffmpeg(url: &str, seconds: u32) -> Vec<f32> {
    let arguments = format!("-v error -i {url} -t {seconds} -vn -ac 1 -ar 48000 -f f32le pipe:1");
    let made = tokio::process::Command::new("ffmpeg").args(arguments.split_whitespace()).output();
    let made = made.await.expect("these tests need ffmpeg in PATH: apt install ffmpeg");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bytes = Bytes::from(made.stdout);
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
