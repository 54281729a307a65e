//! How each broadcast went in the last ten minutes, for charts that are full when they are opened: 4 KB a broadcast.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::Path;
use media::broadcast::Broadcast;
use media::codec::Kind;

use crate::audience::Audience;
use crate::sessions::Sessions;

/// Between two samples.
pub const STEP: Duration = Duration::from_secs(5);
/// Ten minutes of them.
pub const SAMPLES_MAX: usize = 120;

/// How a broadcast went during one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// What its publisher sent.
    pub bitrate_bps: u32,
    /// Pictures, where there are any.
    pub fps: Option<f32>,
    /// The length of the newest whole group.
    pub group_ms: Option<u32>,
    /// Viewers of all protocols.
    pub viewers: u32,
    /// How far the median viewer is behind, of those of whom it is known.
    pub delay_ms: Option<u32>,
}

/// Measures one broadcast between two looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    started: Instant,
    at: Instant,
    bytes: u64,
    pictures: u64,
}

impl Meter {
    /// Begins to measure.
    pub fn new(broadcast: &Broadcast, now: Instant) -> Self {
        let (bytes, pictures, _) = totals(broadcast);
        Self { started: broadcast.started(), at: now, bytes, pictures: pictures.unwrap_or(0) }
    }

    /// What happened since the last look. `delay` is that of the median viewer.
    pub fn measure(&mut self, broadcast: &Broadcast, delay: Option<Duration>, now: Instant) -> Sample {
        let (bytes, pictures, group) = totals(broadcast);
        if broadcast.started() != self.started {
            // Another one of the same name.
            *self = Self { started: broadcast.started(), at: self.at, bytes: 0, pictures: 0 };
        }
        let seconds = now.duration_since(self.at).as_secs_f64();
        let rate = |new: u64, old: u64| match seconds > 0.0 {
            true => new.saturating_sub(old) as f64 / seconds,
            false => 0.0,
        };
        let sample = Sample {
            bitrate_bps: (rate(bytes, self.bytes) * 8.0) as u32,
            fps: pictures.map(|pictures| rate(pictures, self.pictures) as f32),
            group_ms: group.map(millis),
            viewers: Audience::of(broadcast).viewers().map(|(_, count)| count).sum(),
            delay_ms: delay.map(millis),
        };
        *self = Self { at: now, bytes, pictures: pictures.unwrap_or(0), ..*self };
        sample
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Bytes of all tracks; pictures and the length of a group of the first track of pictures.
fn totals(broadcast: &Broadcast) -> (u64, Option<u64>, Option<Duration>) {
    let tracks = broadcast.tracks();
    let bytes = tracks.iter().map(|track| track.stats.bytes).sum();
    let first = tracks.iter().find(|track| track.kind == Kind::Video).map(|track| &track.stats);
    let group = first.map(|stats| stats.group_span.to_duration()).filter(|span| !span.is_zero());
    (bytes, first.map(|stats| stats.frames), group)
}

/// The median of how far viewers are behind.
pub fn median(mut lags: Vec<Duration>) -> Option<Duration> {
    let middle = lags.len().checked_sub(1)? / 2;
    Some(*lags.select_nth_unstable(middle).1)
}

struct Series {
    meter: Meter,
    samples: VecDeque<Sample>,
}

/// All broadcasts' last ten minutes.
#[derive(Default)]
pub struct History(Mutex<HashMap<Path, Series>>);

impl History {
    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at all broadcasts, once each [`STEP`]; those that are over are forgotten.
    pub fn look(&self, broadcasts: &[Broadcast], sessions: &Sessions, now: Instant) {
        let mut lags: HashMap<Path, Vec<Duration>> = HashMap::new();
        for session in sessions.list() {
            if let Some(lag) = session.lag() {
                lags.entry(session.path.clone()).or_default().push(lag);
            }
        }
        let mut all = self.lock();
        let mut kept = HashMap::with_capacity(broadcasts.len());
        for broadcast in broadcasts {
            let path = broadcast.path();
            let delay = lags.remove(path).and_then(median);
            let series = match all.remove(path) {
                None => Series { meter: Meter::new(broadcast, now), samples: VecDeque::new() },
                Some(mut series) => {
                    if series.samples.len() >= SAMPLES_MAX {
                        series.samples.pop_front();
                    }
                    let sample = series.meter.measure(broadcast, delay, now);
                    series.samples.push_back(sample);
                    series
                }
            };
            kept.insert(path.clone(), series);
        }
        *all = kept;
    }

    /// The samples of this broadcast, oldest first.
    pub fn of(&self, path: &Path) -> Vec<Sample> {
        self.lock().get(path).map(|series| series.samples.iter().copied().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use media::hub::{Hub, Options, Takeover};
    use media::{Frame, Span, Timestamp};

    use super::*;

    #[test]
    fn ten_minutes_are_kept_in_four_kilobytes_and_nothing_of_what_is_over() {
        let hub =
            Hub::new(Options { grace: Duration::from_secs(1), broadcasts_max: 10, ring_bytes_max: 1 << 20 });
        let (path, start) = (Path::new("live/a").unwrap(), Instant::now());
        let producer = hub.claim(&path, Takeover::Newest, start).unwrap();
        let data = media::Codec::Data(media::codec::data::Format::Amf0);
        producer.set_codec(media::broadcast::TrackId(2), data, None).unwrap();
        let (history, sessions) = (History::default(), Sessions::default());
        for step in 0..1_000_u32 {
            history.look(&hub.list(), &sessions, start + STEP * step);
            let dts = Timestamp::from_micros(i64::from(step) * 5_000_000);
            let payload = vec![0; 1_000].into();
            let frame = Frame { dts, cts: Span::ZERO, sync: true, payload };
            producer.write(media::broadcast::TrackId(2), frame).unwrap();
        }
        let samples = history.of(&path);
        assert_eq!(samples.len(), SAMPLES_MAX);
        assert_eq!((samples[0].bitrate_bps, samples[0].fps), (1_600, None), "1,000 bytes in 5 s");
        assert!(std::mem::size_of::<Sample>() * SAMPLES_MAX.next_power_of_two() <= 4 << 10);
        producer.end();
        hub.handle_timeout(start);
        history.look(&hub.list(), &sessions, start + STEP * 1_001);
        assert_eq!(history.of(&path), []);
    }

    #[test]
    fn the_median_of_nobody_is_unknown() {
        let seconds = |all: &[u64]| all.iter().map(|s| Duration::from_secs(*s)).collect();
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(seconds(&[9, 1, 5])), Some(Duration::from_secs(5)));
        assert_eq!(median(seconds(&[4, 2])), Some(Duration::from_secs(2)));
    }
}
