//! From what pages told and packets did to figures. Pure.

use serde::Serialize;

use super::super::stats::thinned;
use super::scenario::{Scenario, Step};
use super::shuttle::Passage;
use super::told::{Media, Sample, Told};

/// A gap above this is one that is noticed as a freeze.
pub(super) const LONG_GAP_MS: f64 = 500.0;
/// A rate is looked at over this long, and so far apart.
const RATE_WINDOW_MS: f64 = 1_000.0;
const RATE_STEP_MS: f64 = 100.0;
/// A rate has settled downwards when this much of the capacity is asked for at most, and the queue is as short as this.
const DOWN_SHARE: f64 = 1.0;
const DOWN_QUEUE_MS: f64 = 150.0;
/// And upwards when at least this much of it is.
const UP_SHARE: f64 = 0.9;
/// The link over time is told in steps of so many milliseconds.
const LINK_STEP_MS: f64 = 250.0;

/// All that was measured in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// What was seen.
    pub picture: Picture,
    /// What was heard.
    pub sound: Sound,
    /// What went over the link.
    pub network: Network,
    /// How the connection fared.
    pub session: Session,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Picture {
    /// Pictures shown a second.
    pub fps: f64,
    /// The longest time without a new one.
    pub gap_ms: f64,
    /// Gaps above 500 ms a minute.
    pub long_gaps: f64,
    /// How old half of them were at most when they were shown; `None` if none could be read.
    pub delay_p50_ms: Option<f64>,
    /// How old 95 % of them were at most.
    pub delay_p95_ms: Option<f64>,
    /// Shown, but too damaged to be read.
    pub unreadable: usize,
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sound {
    /// Made up by the receiver, in percent.
    pub concealed: Option<f64>,
    /// How intelligible it was, on average.
    pub stoi: Option<f64>,
}

/// What went over the link.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Network {
    /// Of pictures, received by the viewer.
    pub kbps: Option<f64>,
    /// Of everything, offered to the bad link in the direction of the media.
    pub offered_kbps: f64,
    /// 95 % of the packets waited at most so long before the bottleneck.
    pub queue_p95_ms: f64,
}

/// How the connection fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Session {
    /// From asking until the connection was there, and when watching until the first picture: each time that was tried.
    pub connect_ms: Vec<f64>,
    /// How long it took until all was well again, step by step; `None` for one after which it never was.
    pub recovery_ms: Vec<Option<f64>>,
    /// How often a page made a connection anew.
    pub again: u32,
    /// What the player played by.
    pub used: Option<String>,
}

/// The run over time: seconds since the link became bad, and values.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// Milliseconds since the picture before.
    pub gaps: Vec<(f64, f64)>,
    /// Milliseconds that pictures were old.
    pub ages: Vec<(f64, f64)>,
    /// Kilobits a second of pictures received.
    pub kbps: Vec<(f64, f64)>,
    /// Concealed in percent.
    pub concealed: Vec<(f64, f64)>,
    /// STOI.
    pub stoi: Vec<(f64, f64)>,
    /// Kilobits a second of everything, offered to the bad link in the direction of the media.
    pub offered: Vec<(f64, f64)>,
    /// Percent of those packets that did not pass it.
    pub dropped: Vec<(f64, f64)>,
    /// Milliseconds that they waited before the bottleneck at most.
    pub queue: Vec<(f64, f64)>,
}

/// What a run left behind, to be measured.
pub(super) struct Raw<'a> {
    pub(super) scenario: &'a Scenario,
    /// When the link became bad and when the run ended, in milliseconds since the epoch.
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) viewer: &'a Told,
    pub(super) publisher: &'a Told,
    /// Second by second since the first sample, from `Speech::judge`.
    pub(super) stoi: Vec<(f64, f64)>,
    /// Of the direction of the media.
    pub(super) log: &'a [Passage],
    pub(super) connect_ms: Vec<f64>,
}

impl Raw<'_> {
    /// Everything, and over time.
    pub(super) fn measure(&self) -> (Figures, Timeline) {
        let window = Window { from: self.from + self.scenario.settle_s * 1e3, until: self.until };
        let stoi = self.stoi_in(window);
        let counted = |of: fn(&Sample) -> Option<Media>| window.counted(&self.viewer.samples, of);
        let audio = counted(|sample| sample.audio);
        let concealed = audio.filter(|count| count.total_samples_received > 0.0);
        let video = counted(|sample| sample.video);
        let figures = Figures {
            picture: picture(&self.viewer.pictures, window),
            sound: Sound {
                concealed: concealed
                    .map(|count| count.concealed_samples * 100.0 / count.total_samples_received),
                stoi: mean(stoi.iter().map(|point| point.1)),
            },
            network: Network {
                kbps: video.map(|count| count.bytes_received * 8.0 / window.span_ms()),
                offered_kbps: offered_kbps(self.log, window),
                queue_p95_ms: queue_p95_ms(self.log, window),
            },
            session: Session {
                connect_ms: self.connect_ms.clone(),
                recovery_ms: self.recoveries(),
                again: self.viewer.again + self.publisher.again,
                used: self.viewer.used.clone(),
            },
        };
        (figures, self.timeline(&stoi))
    }

    fn stoi_in(&self, window: Window) -> Vec<(f64, f64)> {
        let begin = self.viewer.heard_at.unwrap_or_default();
        let at = |(s, score): &(f64, f64)| (begin + s * 1e3, *score);
        self.stoi.iter().map(at).filter(|(at, _)| window.has(*at) && window.has(at + 1e3)).collect()
    }

    fn timeline(&self, stoi: &[(f64, f64)]) -> Timeline {
        let window = Window { from: self.from, until: self.until };
        let s = |at: f64| (at - self.from) / 1e3;
        let shown: Vec<_> = self.viewer.pictures.iter().filter(|(at, ..)| window.has(*at)).copied().collect();
        let gaps: Vec<_> = shown.windows(2).map(|pair| (s(pair[1].0), pair[1].0 - pair[0].0)).collect();
        let ages: Vec<_> = shown.iter().filter_map(|(at, age, _)| Some((s(*at), (*age)?))).collect();
        let (mut kbps, mut concealed) = (Vec::new(), Vec::new());
        for pair in self.viewer.samples.windows(2).filter(|pair| window.has(pair[0].at)) {
            let [before, after] = pair else { continue };
            if before.peer != after.peer {
                continue;
            }
            if let (Some(a), Some(b)) = (before.video, after.video) {
                kbps.push((
                    s(after.at),
                    (b.bytes_received - a.bytes_received) * 8.0 / (after.at - before.at),
                ));
            }
            if let (Some(a), Some(b)) = (before.audio, after.audio) {
                let total = b.total_samples_received - a.total_samples_received;
                let made_up = b.concealed_samples - a.concealed_samples;
                concealed.push((s(after.at), if total > 0.0 { made_up * 100.0 / total } else { 0.0 }));
            }
        }
        let mut time = Timeline {
            gaps: thinned(&gaps),
            ages: thinned(&ages),
            kbps: thinned(&kbps),
            concealed: thinned(&concealed),
            stoi: stoi.iter().map(|(at, score)| (s(*at), *score)).collect(),
            ..Timeline::default()
        };
        self.look_at_link(&mut time);
        time
    }

    /// What the link did over time.
    fn look_at_link(&self, time: &mut Timeline) {
        let step = |passage: &Passage| ((passage.at as f64 / 1e3 - self.from) / LINK_STEP_MS).floor();
        let all = Window { from: self.from, until: self.until };
        let all: Vec<_> = within(self.log, all).collect();
        for passages in all.chunk_by(|a, b| step(a) == step(b)) {
            let at = passages.first().map_or(0.0, |first| step(first)) * LINK_STEP_MS / 1e3;
            let bits: f64 = passages.iter().map(|passage| f64::from(passage.bytes) * 8.0).sum();
            let dropped = passages.iter().filter(|passage| !passage.passed).count();
            let queue = passages.iter().map(|passage| passage.queue_micros).max().unwrap_or_default();
            time.offered.push((at, bits / LINK_STEP_MS));
            time.dropped.push((at, dropped as f64 * 100.0 / passages.len() as f64));
            time.queue.push((at, f64::from(queue) / 1e3));
        }
    }

    /// Step by step.
    fn recoveries(&self) -> Vec<Option<f64>> {
        let rates = std::iter::once(self.scenario.link.rate_kbps)
            .chain(self.scenario.steps.iter().map(|step| step.link.as_ref().and_then(|link| link.rate_kbps)));
        let steps = self.scenario.steps.iter().zip(rates);
        steps
            .filter(|(step, _)| step.recovery_ms_max.is_some())
            .map(|(step, before)| self.recovery(step, before))
            .collect()
    }

    fn recovery(&self, step: &Step, before: Option<u32>) -> Option<f64> {
        let at = self.from + step.at_s * 1e3;
        let after = step.link.as_ref().and_then(|link| link.rate_kbps);
        match before.zip(after) {
            Some((before, after)) => self.settled(at, (f64::from(before), f64::from(after))),
            // Live again: a picture that was drawn since then is seen.
            None => {
                let mut shown =
                    self.viewer.pictures.iter().filter_map(|(shown, age, _)| Some((*shown, (*age)?)));
                let (shown, _) = shown.find(|(shown, age)| *shown >= at && shown - age >= at)?;
                Some(shown - at)
            }
        }
    }

    /// When what is sent has come to terms with another capacity.
    fn settled(&self, at: f64, (before, after): (f64, f64)) -> Option<f64> {
        let mut from = at;
        while from + RATE_WINDOW_MS <= self.until {
            let window = Window { from, until: from + RATE_WINDOW_MS };
            let offered = offered_kbps(self.log, window);
            let is_settled = if after < before {
                offered <= after * DOWN_SHARE && queue_p95_ms(self.log, window) <= DOWN_QUEUE_MS
            } else {
                offered >= after * UP_SHARE
            };
            if is_settled {
                return Some(from - at);
            }
            from += RATE_STEP_MS;
        }
        None
    }
}

#[derive(Clone, Copy)]
struct Window {
    from: f64,
    until: f64,
}

impl Window {
    fn has(self, at: f64) -> bool {
        (self.from..=self.until).contains(&at)
    }

    fn span_ms(self) -> f64 {
        (self.until - self.from).max(1.0)
    }

    /// What was counted within it: connection by connection, the last less the first.
    fn counted(self, samples: &[Sample], of: fn(&Sample) -> Option<Media>) -> Option<Media> {
        let within: Vec<_> = samples
            .iter()
            .filter(|sample| self.has(sample.at))
            .filter_map(|sample| Some((sample.peer, of(sample)?)))
            .collect();
        let grown = within.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| Media {
            bytes_received: pair[1].1.bytes_received - pair[0].1.bytes_received,
            concealed_samples: pair[1].1.concealed_samples - pair[0].1.concealed_samples,
            total_samples_received: pair[1].1.total_samples_received - pair[0].1.total_samples_received,
        });
        grown.reduce(|sum, more| Media {
            bytes_received: sum.bytes_received + more.bytes_received,
            concealed_samples: sum.concealed_samples + more.concealed_samples,
            total_samples_received: sum.total_samples_received + more.total_samples_received,
        })
    }
}

fn picture(pictures: &[(f64, Option<f64>, u32)], window: Window) -> Picture {
    let within: Vec<_> = pictures.iter().filter(|(at, ..)| window.has(*at)).collect();
    // What came before the window and after its end counts: a picture that stands still is a gap, too.
    let times = std::iter::once(window.from)
        .chain(within.iter().map(|(at, ..)| *at))
        .chain(std::iter::once(window.until))
        .collect::<Vec<f64>>();
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let minutes = window.span_ms() / 60_000.0;
    let mut ages: Vec<f64> = within.iter().filter_map(|(_, age, _)| *age).collect();
    ages.sort_by(f64::total_cmp);
    Picture {
        fps: within.iter().map(|(.., count)| f64::from(*count)).sum::<f64>() * 1e3 / window.span_ms(),
        gap_ms: gaps.iter().copied().fold(0.0, f64::max),
        long_gaps: gaps.iter().filter(|gap| **gap > LONG_GAP_MS).count() as f64 / minutes,
        delay_p50_ms: quantile(&ages, 0.5),
        delay_p95_ms: quantile(&ages, 0.95),
        unreadable: within.len() - ages.len(),
    }
}

fn within(log: &[Passage], window: Window) -> impl Iterator<Item = &Passage> {
    log.iter().filter(move |passage| window.has(passage.at as f64 / 1e3))
}

fn offered_kbps(log: &[Passage], window: Window) -> f64 {
    within(log, window).map(|passage| f64::from(passage.bytes) * 8.0).sum::<f64>() / window.span_ms()
}

fn queue_p95_ms(log: &[Passage], window: Window) -> f64 {
    let mut waits: Vec<f64> = within(log, window)
        .filter(|passage| passage.passed)
        .map(|passage| f64::from(passage.queue_micros) / 1e3)
        .collect();
    waits.sort_by(f64::total_cmp);
    quantile(&waits, 0.95).unwrap_or_default()
}

/// The nearest rank of sorted values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::super::scenario::Scenarios;
    use super::*;

    const START: f64 = 1_700_000_000_000.0;

    fn scenario(more: &str) -> Scenario {
        let text = format!("[[scenario]]\nname = \"a\"\nabout = \"b\"\n{more}");
        Scenarios::parse(&text).unwrap().remove(0)
    }

    /// A picture each 40 ms for 10 s, 100 ms old, but for those between `gone`.
    fn viewer(gone: (f64, f64)) -> Told {
        let shown = (0..250).map(|n| f64::from(n) * 40.0).filter(|at| !(gone.0..gone.1).contains(at));
        let media = |s: u32| Media {
            bytes_received: f64::from(s) * 50_000.0,
            concealed_samples: f64::from(s) * 480.0,
            total_samples_received: f64::from(s) * 48_000.0,
        };
        let sample = |s| Sample {
            at: START + f64::from(s) * 1e3,
            peer: 0,
            video: Some(media(s)),
            audio: Some(media(s)),
        };
        Told {
            pictures: shown.map(|at| (START + at, Some(100.0), 1)).collect(),
            samples: (0..=10).map(sample).collect(),
            heard_at: Some(START),
            again: 1,
            ..Told::default()
        }
    }

    fn raw<'a>(scenario: &'a Scenario, told: &'a Told, log: &'a [Passage]) -> Raw<'a> {
        let stoi = vec![(0.0, 0.9), (4.0, 0.8), (9.9, 0.1)];
        let (from, until) = (START, START + 10_000.0);
        Raw { scenario, from, until, viewer: told, publisher: told, stoi, log, connect_ms: vec![7.0] }
    }

    #[test]
    fn pictures_sound_and_bytes_become_figures() {
        let (scenario, told) = (scenario(""), viewer((4_000.0, 4_800.0)));
        let (figures, timeline) = raw(&scenario, &told, &[]).measure();
        let Picture { fps, gap_ms, long_gaps, delay_p50_ms, delay_p95_ms, unreadable } = figures.picture;
        assert_eq!((fps, gap_ms, long_gaps, unreadable), (23.0, 840.0, 6.0, 0));
        assert_eq!((delay_p50_ms, delay_p95_ms), (Some(100.0), Some(100.0)));
        // The last second of STOI reaches beyond the end.
        assert_eq!(figures.sound.concealed, Some(1.0));
        assert!((figures.sound.stoi.unwrap() - 0.85).abs() < 1e-9);
        assert_eq!(figures.network.kbps, Some(400.0));
        assert_eq!((figures.session.again, &figures.session.connect_ms[..]), (2, &[7.0][..]));
        assert_eq!(timeline.gaps.iter().map(|gap| gap.1).fold(0.0, f64::max), 840.0);
        assert_eq!((timeline.kbps[0], timeline.concealed[0]), ((1.0, 400.0), (1.0, 1.0)));
    }

    #[test]
    fn a_picture_that_stands_still_until_the_end_is_a_gap() {
        let (scenario, told) = (scenario(""), viewer((2_000.0, 99_999.0)));
        let (figures, _) = raw(&scenario, &told, &[]).measure();
        assert_eq!(figures.picture.gap_ms, 8_040.0);
    }

    #[test]
    fn a_new_connection_counts_anew_and_takes_nothing_away() {
        let (scenario, mut told) = (scenario(""), viewer((0.0, 0.0)));
        for sample in &mut told.samples[6..] {
            sample.peer = 1;
            sample.video =
                sample.video.map(|media| Media { bytes_received: media.bytes_received - 3e5, ..media });
        }
        let (figures, _) = raw(&scenario, &told, &[]).measure();
        assert_eq!(figures.network.kbps, Some(360.0));
    }

    #[test]
    fn recovery_is_a_picture_that_was_drawn_since() {
        let outage = "steps = [{ at_s = 2, link = { outage = true } }, { at_s = 4, link = {}, recovery_ms_max = 1000 }]";
        let (scenario, mut told) = (scenario(outage), viewer((2_000.0, 4_200.0)));
        // The first that comes is an old one.
        told.pictures.iter_mut().find(|(at, ..)| *at >= START + 4_200.0).unwrap().1 = Some(2_500.0);
        let (figures, _) = raw(&scenario, &told, &[]).measure();
        assert_eq!(figures.session.recovery_ms, [Some(240.0)]);
        let never = viewer((2_000.0, 99_999.0));
        assert_eq!(raw(&scenario, &never, &[]).measure().0.session.recovery_ms, [None]);
    }

    #[test]
    fn a_rate_has_settled_when_what_is_offered_fits_the_link() {
        let steps = "link = { rate_kbps = 1000 }\n\
            steps = [{ at_s = 2, link = { rate_kbps = 500 }, recovery_ms_max = 3000 },\n\
                     { at_s = 6, link = { rate_kbps = 1000 }, recovery_ms_max = 3000 }]";
        let (scenario, told) = (scenario(steps), viewer((0.0, 0.0)));
        // 1,000 bytes each 10 ms are 800 kbit/s; from 3 s on half of that, from 8 s on 950.
        let mut log = Vec::new();
        for n in 0..1_000_u64 {
            let bytes = if n < 300 {
                1_000
            } else if n < 800 {
                500
            } else {
                1_188
            };
            let queue_micros = if (200..300).contains(&n) { 200_000 } else { 0 };
            log.push(Passage { at: START as u64 * 1_000 + n * 10_000, bytes, queue_micros, passed: true });
        }
        let (figures, _) = raw(&scenario, &told, &log).measure();
        let [Some(down), Some(up)] = figures.session.recovery_ms[..] else { panic!("{figures:?}") };
        assert!((900.0..=1_000.0).contains(&down) && (1_700.0..=2_000.0).contains(&up), "{down} {up}");
        assert!(figures.network.queue_p95_ms >= 200.0 && figures.network.offered_kbps > 500.0);
        let (_, time) = raw(&scenario, &told, &log).measure();
        assert_eq!(
            (time.offered[0], time.queue[8], time.dropped[8]),
            ((0.0, 800.0), (2.0, 200.0), (2.0, 0.0))
        );
    }
}
