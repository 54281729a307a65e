//! What a stream is like, from its frames and when they came: pure, the times are handed in.

use std::time::{Duration, Instant};

use media::codec::Kind;
use serde::Serialize;

use crate::stamp::Stamp;
use crate::stats::{Histogram, Percentiles};

/// A step of this many frame intervals is a gap.
const GAP_INTERVALS: f64 = 1.5;
/// Timestamps come in whole milliseconds at best: a step within this of the usual one is no gap.
const GAP_SLACK_MS: f64 = 2.0;
/// Weights of the running averages: RFC 3550 §6.4.1 for the jitter, and the same for the interval.
const SMOOTHING: f64 = 16.0;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Picture or sound; data is not measured.
    pub kind: Kind,
    /// Decoding time in microseconds on the source's clock.
    pub dts_micros: i64,
    /// Decoding can begin here; counted for pictures.
    pub key: bool,
    /// Bytes of the frame.
    pub bytes: usize,
    /// Its stamp, if it carries one.
    pub stamp: Option<Stamp>,
}

/// One second as it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Second {
    /// Since the first byte.
    pub at_s: f64,
    /// Bits received in this second, framing included.
    pub kbps: f64,
    /// Pictures that came.
    pub fps: f64,
    /// Sounds that came.
    pub sounds: u64,
    /// Length of the last whole group of pictures, in seconds of decoding time.
    pub group_s: Option<f64>,
    /// Gaps in this second.
    pub gaps: u64,
    /// Smoothed deviation of arrivals from decoding times.
    pub jitter_ms: f64,
    /// Median age of this second's pictures, if they carry stamps of this machine.
    pub latency_ms: Option<f64>,
}

/// What one kind of frames was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TrackReport {
    /// Frames that came.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// From the first to the last decoding time.
    pub seconds: f64,
    /// The usual step of decoding times.
    pub interval_ms: f64,
    /// Steps longer than one and a half of the usual.
    pub gaps: u64,
    /// The longest step.
    pub gap_max_ms: f64,
    /// Steps of decoding times to the same time or backwards.
    pub backwards: u64,
    /// The first decoding time in milliseconds.
    pub first_ms: Option<f64>,
}

/// The whole stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Bytes received, framing included.
    pub bytes: u64,
    /// Since the first byte.
    pub seconds: f64,
    /// From the start of the connection to the end of the first keyframe, or of the first sound without pictures.
    pub first_frame_ms: Option<f64>,
    /// Pictures.
    pub video: TrackReport,
    /// Sounds.
    pub audio: TrackReport,
    /// Codecs as they were announced, in order.
    pub codecs: Vec<String>,
    /// Whole groups of pictures.
    pub groups: u64,
    /// The longest group, in seconds of decoding time.
    pub group_max_s: f64,
    /// Smoothed deviation of arrivals from decoding times, at the end.
    pub jitter_ms: f64,
    /// Age of pictures on arrival, if they carry stamps of this machine.
    pub latency: Option<Percentiles>,
    /// Pictures left out, by the stamps' numbers.
    pub lost: u64,
}

#[derive(Clone, Debug, Default)]
struct Track {
    report: TrackReport,
    first_micros: Option<i64>,
    last_micros: Option<i64>,
}

/// Measures a stream.
#[derive(Debug)]
pub struct Meter {
    opened: Instant,
    began: Option<Instant>,
    report: Report,
    video: Track,
    audio: Track,
    group_opened: Option<i64>,
    group_last: Option<f64>,
    transit: Option<(Instant, i64)>,
    latency: Histogram,
    sequence: Option<u64>,
    second: Running,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    bytes: u64,
    pictures: u64,
    sounds: u64,
    gaps: u64,
    latency: Histogram,
}

impl Running {
    fn new(since: Instant) -> Self {
        Self { since, bytes: 0, pictures: 0, sounds: 0, gaps: 0, latency: Histogram::default() }
    }
}

impl Meter {
    /// For a connection that is being opened.
    pub fn new(opened: Instant) -> Self {
        Self {
            opened,
            began: None,
            report: Report::default(),
            video: Track::default(),
            audio: Track::default(),
            group_opened: None,
            group_last: None,
            transit: None,
            latency: Histogram::default(),
            sequence: None,
            second: Running::new(opened),
        }
    }

    /// Bytes arrived, framing included.
    pub fn handle_bytes(&mut self, now: Instant, count: usize) {
        if self.began.is_none() {
            self.began = Some(now);
            self.second.since = now;
        }
        self.report.bytes += count as u64;
        self.second.bytes += count as u64;
    }

    /// Parameters were announced.
    pub fn handle_codec(&mut self, name: String) {
        if self.report.codecs.last() != Some(&name) {
            self.report.codecs.push(name);
        }
    }

    /// A frame wholly arrived; `now_micros` is the clock of stamps.
    pub fn handle_sample(&mut self, now: Instant, now_micros: u64, sample: &Sample) {
        let track = match sample.kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
            Kind::Data => return,
        };
        self.second.gaps += u64::from(track.take(sample));
        match sample.kind {
            Kind::Video => {
                self.second.pictures += 1;
                self.take_picture(now_micros, sample);
            }
            Kind::Audio | Kind::Data => self.second.sounds += 1,
        }
        let first = sample.kind == Kind::Video && sample.key || self.video.report.frames == 0;
        if first && (self.report.first_frame_ms.is_none()) {
            self.report.first_frame_ms = Some(ms(now.saturating_duration_since(self.opened)));
        }
        // One track's clock tells the jitter: pictures', where there are any.
        if sample.kind == Kind::Video || self.video.report.frames == 0 {
            self.take_arrival(now, sample.dts_micros);
        }
    }

    /// How many frames came so far.
    pub fn frames(&self) -> u64 {
        self.video.report.frames + self.audio.report.frames
    }

    /// The time since the last call, which is then forgotten.
    pub fn take_second(&mut self, now: Instant) -> Second {
        let done = std::mem::replace(&mut self.second, Running::new(now));
        let span = now.saturating_duration_since(done.since).as_secs_f64().max(1e-3);
        Second {
            at_s: self.began.map_or(0.0, |began| now.saturating_duration_since(began).as_secs_f64()),
            kbps: done.bytes as f64 * 8.0 / span / 1_000.0,
            fps: done.pictures as f64 / span,
            sounds: done.sounds,
            group_s: self.group_last,
            gaps: done.gaps,
            jitter_ms: self.report.jitter_ms,
            latency_ms: done.latency.percentile(0.5).map(|micros| micros as f64 / 1_000.0),
        }
    }

    /// Everything so far.
    pub fn report(&self, now: Instant) -> Report {
        Report {
            seconds: self.began.map_or(0.0, |began| now.saturating_duration_since(began).as_secs_f64()),
            video: self.video.report,
            audio: self.audio.report,
            latency: self.latency.percentiles(),
            ..self.report.clone()
        }
    }

    fn take_picture(&mut self, now_micros: u64, sample: &Sample) {
        if sample.key {
            if let Some(opened) = self.group_opened {
                let length = (sample.dts_micros - opened) as f64 / 1e6;
                self.group_last = Some(length);
                self.report.groups += 1;
                self.report.group_max_s = self.report.group_max_s.max(length);
            }
            self.group_opened = Some(sample.dts_micros);
        }
        // A stamp from the future is of another machine.
        let Some(stamp) = sample.stamp.filter(|stamp| stamp.sent_micros <= now_micros) else { return };
        let age = now_micros - stamp.sent_micros;
        self.latency.record(age);
        self.second.latency.record(age);
        if let Some(last) = self.sequence {
            self.report.lost += stamp.sequence.saturating_sub(last + 1);
        }
        self.sequence = Some(stamp.sequence);
    }

    fn take_arrival(&mut self, now: Instant, dts_micros: i64) {
        if let Some((then, dts)) = self.transit {
            let elapsed = now.saturating_duration_since(then).as_micros() as f64;
            let deviation = (elapsed - (dts_micros - dts) as f64).abs() / 1_000.0;
            self.report.jitter_ms += (deviation - self.report.jitter_ms) / SMOOTHING;
        }
        self.transit = Some((now, dts_micros));
    }
}

impl Track {
    /// Takes a frame; says whether there is a gap before it.
    fn take(&mut self, sample: &Sample) -> bool {
        self.report.frames += 1;
        self.report.bytes += sample.bytes as u64;
        let first = *self.first_micros.get_or_insert(sample.dts_micros);
        self.report.first_ms = Some(first as f64 / 1_000.0);
        self.report.seconds = (sample.dts_micros - first) as f64 / 1e6;
        let Some(last) = self.last_micros.replace(sample.dts_micros) else { return false };
        let step = (sample.dts_micros - last) as f64 / 1_000.0;
        if step <= 0.0 {
            self.report.backwards += 1;
            return false;
        }
        let usual = &mut self.report.interval_ms;
        let gap = *usual > 0.0 && step > (*usual * GAP_INTERVALS).max(*usual + GAP_SLACK_MS);
        if gap {
            self.report.gaps += 1;
            self.report.gap_max_ms = self.report.gap_max_ms.max(step);
        } else {
            *usual = if *usual == 0.0 { step } else { *usual + (step - *usual) / SMOOTHING };
        }
        gap
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(dts_ms: i64, key: bool) -> Sample {
        Sample { kind: Kind::Video, dts_micros: dts_ms * 1_000, key, bytes: 100, stamp: None }
    }

    fn feed(meter: &mut Meter, start: Instant, samples: &[(u64, Sample)]) {
        for (arrival_ms, sample) in samples {
            let now = start + Duration::from_millis(*arrival_ms);
            meter.handle_bytes(now, sample.bytes + 15);
            meter.handle_sample(now, arrival_ms * 1_000, sample);
        }
    }

    #[test]
    fn groups_gaps_and_steps_backwards_are_counted() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let times = [0, 40, 80, 120, 160, 200, 320, 360, 340, 380];
        let samples: Vec<_> =
            times.iter().map(|&t| (t as u64, picture(t, matches!(t, 0 | 120 | 360)))).collect();
        feed(&mut meter, start, &samples);
        let report = meter.report(start + Duration::from_secs(1));
        assert_eq!((report.video.frames, report.groups, report.group_max_s), (10, 2, 0.24));
        assert_eq!((report.video.gaps, report.video.gap_max_ms, report.video.backwards), (1, 120.0, 1));
        assert_eq!(report.first_frame_ms, Some(0.0));
        assert_eq!(report.bytes, 1_150);
    }

    #[test]
    fn milliseconds_of_thirty_frames_a_second_are_no_gaps() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let samples: Vec<_> =
            (0..90).map(|n| (n * 1_000 / 30, picture((n * 1_000 / 30) as i64, false))).collect();
        feed(&mut meter, start, &samples);
        let report = meter.report(start);
        assert_eq!((report.video.gaps, report.video.backwards), (0, 0));
        assert!((report.video.interval_ms - 33.3).abs() < 0.5);
    }

    #[test]
    fn arrivals_in_step_with_the_timestamps_have_no_jitter_and_others_do() {
        let start = Instant::now();
        let mut even = Meter::new(start);
        feed(
            &mut even,
            start,
            &(0..50).map(|n| (n * 40 + 7, picture(n as i64 * 40, false))).collect::<Vec<_>>(),
        );
        assert!(even.report(start).jitter_ms < 0.001);
        let mut uneven = Meter::new(start);
        let late =
            |n: u64| (n * 40 + if n.is_multiple_of(2) { 20 } else { 0 }, picture(n as i64 * 40, false));
        feed(&mut uneven, start, &(0..200).map(late).collect::<Vec<_>>());
        assert!((uneven.report(start).jitter_ms - 20.0).abs() < 1.0);
    }

    #[test]
    fn stamps_tell_the_age_and_what_is_missing() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for (n, sequence) in [5, 6, 9].into_iter().enumerate() {
            let stamp = Some(Stamp { sent_micros: n as u64 * 40_000, sequence });
            let sample = Sample { stamp, ..picture(n as i64 * 40, false) };
            meter.handle_sample(start, n as u64 * 40_000 + 2_000, &sample);
        }
        let report = meter.report(start);
        assert_eq!((report.lost, report.latency.unwrap().p50_ms), (2, 2.0));
    }

    #[test]
    fn a_second_tells_its_own_bits_and_pictures() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        feed(
            &mut meter,
            start,
            &(0..25).map(|n| (n * 40, picture(n as i64 * 40, false))).collect::<Vec<_>>(),
        );
        let second = meter.take_second(start + Duration::from_secs(1));
        assert_eq!((second.fps, second.kbps), (25.0, 25.0 * 115.0 * 8.0 / 1_000.0));
        assert_eq!(meter.take_second(start + Duration::from_secs(2)).fps, 0.0);
    }
}
