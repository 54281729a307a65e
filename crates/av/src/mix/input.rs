//! One voice on its way into the mix: decoded as it comes, buffered for as long as its network needs, and taken step by
//! step whatever comes.

use std::collections::VecDeque;

use media::{Codec, Frame, Span, Timestamp};

use super::conceal::Conceal;
use super::pace::{BEGIN, KEPT_MAX, Pace, Wanted};
use super::stretch::Stretch;
use super::{Block, RATE, STEP_SAMPLES, smooth};
use crate::Error;
use crate::sound::{Brought, Samples, Stereo};

/// What two ends of a cut share: 10 ms.
const CUT_JOIN: usize = 480;
/// Where the other end may be, so that both are alike: 10 ms.
const CUT_SEARCH: usize = 480;

/// The buffer of one voice.
pub(super) struct Input {
    samples: Samples,
    brought: Brought,
    /// Not taken yet; at most [`KEPT_MAX`].
    ready: VecDeque<Stereo>,
    /// The source's time where counting began, and samples since then up to the last of them.
    counted: Option<(Timestamp, i64)>,
    conceal: Conceal,
    pace: Pace,
    stretch: Stretch,
    /// What a step takes; kept for its capacity.
    taken: Vec<Stereo>,
    /// It waits until there is enough to begin with.
    waits: bool,
    /// Samples that were made up here since real ones ran out: what the source says is missing was heard already.
    owed: usize,
    shift: Option<Span>,
}

impl Input {
    pub(super) fn new(codec: &Codec) -> Result<Self, Error> {
        let mut conceal = Conceal::default();
        conceal.forget();
        Ok(Self {
            samples: Samples::new(codec)?,
            brought: Brought::default(),
            ready: VecDeque::new(),
            counted: None,
            conceal,
            pace: Pace::default(),
            stretch: Stretch::new()?,
            taken: Vec::new(),
            waits: true,
            owed: 0,
            shift: None,
        })
    }

    pub(super) fn shift(&self) -> Option<Span> {
        self.shift
    }

    pub(super) fn handle_frame(&mut self, frame: &Frame) -> Result<(), Error> {
        self.samples.handle_frame(frame, &mut self.brought)?;
        self.accept();
        Ok(())
    }

    /// Takes over what a packet has brought.
    fn accept(&mut self) {
        let Self { brought, ready, owed, counted, .. } = self;
        if brought.samples.is_empty() {
            return;
        }
        if let Some(from) = brought.from {
            *counted = Some((from, 0));
        }
        if let Some((_, count)) = counted {
            *count += brought.samples.len() as i64;
        }
        // The source's gap was heard as a gap when it happened, unless it is still to come.
        let heard = brought.made_up.min(*owed);
        *owed = 0;
        ready.extend(&brought.samples[heard..]);
        if ready.len() > KEPT_MAX {
            ready.drain(..ready.len() - BEGIN);
        }
    }

    /// The next step, which is heard from `at` on.
    pub(super) fn take(&mut self, at: Timestamp, out: &mut Block) {
        if self.waits && !self.begin() {
            self.owed = (self.owed + STEP_SAMPLES).min(KEPT_MAX);
            out.fill([0.0; 2]);
            return;
        }
        let wanted = self.stretch.wants();
        let real = wanted.min(self.ready.len());
        if let Some((from, count)) = self.counted.filter(|_| real > 0) {
            let first = count - (self.ready.len() + self.stretch.delay()) as i64;
            self.shift = Some(at - (from + Span::from_ticks(first, RATE)));
        }
        self.taken.clear();
        self.taken.extend(self.ready.drain(..real));
        self.conceal.pass(&mut self.taken);
        self.taken.resize(wanted, [0.0; 2]);
        if real < wanted {
            self.conceal.fill(&mut self.taken[real..]);
            self.owed = (self.owed + wanted - real).min(KEPT_MAX);
        }
        if self.stretch.step(&self.taken, out).is_err() {
            out.fill([0.0; 2]);
        }
        self.keep_pace();
        self.waits = self.conceal.is_over();
    }

    /// Whether there is enough to begin with; what is older than that is left out.
    fn begin(&mut self) -> bool {
        if self.ready.len() < BEGIN {
            return false;
        }
        self.ready.drain(..self.ready.len() - BEGIN);
        self.pace = Pace::default();
        self.waits = false;
        true
    }

    fn keep_pace(&mut self) {
        match self.pace.handle_left(self.ready.len()) {
            // Within what it allows, always.
            Wanted::Ratio(ratio) => drop(self.stretch.set_ratio(ratio)),
            Wanted::Cut(samples) => self.cut(samples),
        }
    }

    /// Leaves about so many samples out, where what follows is most like what they began with.
    fn cut(&mut self, samples: usize) {
        let ready = self.ready.make_contiguous();
        let Some(least) = samples.checked_sub(CUT_SEARCH) else { return };
        if ready.len() < samples + CUT_JOIN {
            return;
        }
        let alike = |cut: usize| -> f32 {
            let ends = ready[..CUT_JOIN].iter().zip(&ready[cut..cut + CUT_JOIN]);
            let (product, power) = ends.fold((0.0, 1e-9), |(product, power), (old, new)| {
                (product + old[0] * new[0] + old[1] * new[1], power + new[0] * new[0] + new[1] * new[1])
            });
            product / f32::sqrt(power)
        };
        let best = (least..=samples).map(|cut| (alike(cut), cut)).max_by(|(a, _), (b, _)| a.total_cmp(b));
        let Some((_, cut)) = best else { return };
        for index in 0..CUT_JOIN {
            let (old, new, weight) = (ready[index], ready[cut + index], smooth(index, CUT_JOIN));
            ready[cut + index] =
                [old[0] * (1.0 - weight) + new[0] * weight, old[1] * (1.0 - weight) + new[1] * weight];
        }
        self.ready.drain(..cut);
    }
}

#[cfg(test)]
impl Input {
    /// Samples as a packet brings them, without a codec that would hide what the buffer does to them.
    pub(super) fn handle_samples(&mut self, samples: &[Stereo], from: Option<Timestamp>, made_up: usize) {
        self.brought = Brought { samples: samples.to_vec(), made_up, from };
        self.accept();
    }

    /// Samples that are ready.
    pub(super) fn left(&self) -> usize {
        self.ready.len()
    }

    /// Something stands in for samples that are late.
    pub(super) fn is_short(&self) -> bool {
        self.owed > 0
    }
}
