//! Stands in for samples that have not come in time: the last period of what was heard, again and again, fading.

use super::{scaled, smooth};
use crate::sound::Stereo;

/// What is remembered: 40 ms.
const HISTORY: usize = 1_920;
/// What is compared to find the period: 10 ms.
const COMPARED: usize = 480;
/// Periods that are looked for: 2.5 to 20 ms, of which low voices have up to 15.
const PERIODS: std::ops::RangeInclusive<usize> = 120..=960;
/// It has faded after 80 ms: beyond that a held vowel sounds like a machine.
const FADE: usize = 3_840;
/// From what stands in to what comes again: 5 ms.
const JOIN: usize = 240;

/// What was heard last, and how it goes on.
#[derive(Default)]
pub(super) struct Conceal {
    history: Vec<Stereo>,
    running: Option<Running>,
}

/// It stands in now.
struct Running {
    period: usize,
    samples: usize,
}

impl Conceal {
    /// Real samples, in place. The first of them after others that stood in are joined with those.
    pub(super) fn pass(&mut self, samples: &mut [Stereo]) {
        if samples.is_empty() {
            return;
        }
        if let Some(mut running) = self.running.take() {
            let count = JOIN.min(samples.len());
            for (index, sample) in samples[..count].iter_mut().enumerate() {
                let old = running.next(&self.history);
                let weight = smooth(index, count);
                *sample = [
                    old[0] * (1.0 - weight) + sample[0] * weight,
                    old[1] * (1.0 - weight) + sample[1] * weight,
                ];
            }
        }
        let keep = HISTORY.saturating_sub(samples.len()).min(self.history.len());
        self.history.drain(..self.history.len() - keep);
        self.history.extend_from_slice(&samples[samples.len().saturating_sub(HISTORY)..]);
    }

    /// Fills in for samples that are not there.
    pub(super) fn fill(&mut self, samples: &mut [Stereo]) {
        let Self { history, running } = self;
        let running = running.get_or_insert_with(|| Running { period: period(history), samples: 0 });
        samples.iter_mut().for_each(|sample| *sample = running.next(history));
    }

    /// What stands in has faded to nothing.
    pub(super) fn is_over(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.samples >= FADE)
    }

    /// Nothing was heard before: the next samples fade in.
    pub(super) fn forget(&mut self) {
        self.history.clear();
        self.running = Some(Running { period: 1, samples: FADE });
    }
}

impl Running {
    fn next(&mut self, history: &[Stereo]) -> Stereo {
        let gain = 1.0 - smooth(self.samples.min(FADE), FADE);
        let sample = history.get((history.len().saturating_sub(self.period)) + self.samples % self.period);
        self.samples += 1;
        sample.map_or([0.0; 2], |sample| scaled(*sample, gain.max(0.0)))
    }
}

/// The distance at which the newest samples resemble those before them most.
fn period(history: &[Stereo]) -> usize {
    let end = history.len();
    let mono = |at: usize| history[at][0] + history[at][1];
    let mut best = (f32::MIN, *PERIODS.end());
    for period in PERIODS {
        let Some(begin) = end.checked_sub(COMPARED + period) else { break };
        let (mut product, mut power) = (0.0, 1e-9);
        for at in begin..begin + COMPARED {
            product += mono(at) * mono(at + period);
            power += mono(at) * mono(at);
        }
        let alike = product / f32::sqrt(power);
        if alike > best.0 {
            best = (alike, period);
        }
    }
    best.1.min(end.max(1))
}
