//! The voices of a room in one sound: the six loudest, each from a buffer of its own that absorbs what networks and
//! clocks do, and for each who speaks the same without its own voice.
//!
//! One step is 20 ms of 48 kHz stereo. Time is counted in steps; whoever calls them keeps them in pace with the clock.

mod conceal;
mod input;
mod level;
mod limit;
mod pace;
mod stretch;
#[cfg(test)]
mod tests;

use media::{Codec, Frame, Span, Timestamp};

use self::input::Input;
use self::level::Level;
use self::limit::Limiter;
use crate::Error;
use crate::sound::Stereo;

/// Samples of each channel a second.
pub const RATE: u32 = 48_000;
/// Samples of each channel in a step.
pub const STEP_SAMPLES: usize = 960;
/// How long a step is.
pub const STEP: Span = Span::from_millis(20);
/// By how much what an [`Output`] gives out lags behind the mixer: the limiter looks ahead.
pub const OUTPUT_DELAY: Span = Span::from_ticks(limit::PIECE as i64, RATE);
/// Voices that are heard at a time. More than this speaking at once is noise to listeners, whoever mixes it.
pub const VOICES_MAX: usize = 6;
/// A voice that is heard keeps its place until another is this many times as strong: 3 dB.
const KEEPS_PLACE: f32 = 2.0;

/// One step of sound.
pub type Block = [Stereo; STEP_SAMPLES];

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voice(pub u32);

/// Mixes.
pub struct Mixer {
    slots: Vec<Slot>,
    sum: Box<Block>,
    /// Where the next step begins.
    at: Timestamp,
}

/// One voice.
struct Slot {
    voice: Voice,
    codec: Codec,
    input: Input,
    level: Level,
    /// Of the last step, faded as it went into the sum.
    block: Box<Block>,
    /// It is one of the loudest.
    is_heard: bool,
    /// What it was faded to.
    gain: f32,
    leaves: bool,
}

impl Mixer {
    /// One whose first step begins at `at`, on a timeline of the caller's.
    pub fn new(at: Timestamp) -> Self {
        Self { slots: Vec::new(), sum: Box::new([[0.0; 2]; STEP_SAMPLES]), at }
    }

    /// Where the next step begins.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// This voice is in, or comes in anew where it is coded in another way than before.
    ///
    /// # Errors
    /// When its codec is no sound, or beyond what can be decoded.
    pub fn join(&mut self, voice: Voice, codec: &Codec) -> Result<(), Error> {
        if self.slot(voice).is_some_and(|slot| slot.codec == *codec) {
            return Ok(());
        }
        let input = Input::new(codec)?;
        self.leave(voice);
        self.slots.push(Slot {
            voice,
            codec: codec.clone(),
            input,
            level: Level::default(),
            block: Box::new([[0.0; 2]; STEP_SAMPLES]),
            is_heard: false,
            gain: 0.0,
            leaves: false,
        });
        Ok(())
    }

    /// It is faded out and gone with the next step.
    pub fn leave(&mut self, voice: Voice) {
        self.slots.iter_mut().filter(|slot| slot.voice == voice).for_each(|slot| slot.leaves = true);
    }

    /// Whether this voice is in.
    pub fn has(&self, voice: Voice) -> bool {
        self.slot(voice).is_some()
    }

    /// A packet of a voice, in the order of its times.
    ///
    /// # Errors
    /// When its source is of no use any more; it is out then.
    pub fn handle_frame(&mut self, voice: Voice, frame: &Frame) -> Result<(), Error> {
        let slot = self.slots.iter_mut().find(|slot| slot.voice == voice && !slot.leaves);
        let handled = slot.map_or(Ok(()), |slot| slot.input.handle_frame(frame));
        if handled.is_err() {
            self.leave(voice);
        }
        handled
    }

    /// Makes the next step.
    pub fn step(&mut self) {
        self.sum.fill([0.0; 2]);
        self.slots.retain(|slot| !(slot.leaves && slot.gain == 0.0));
        for slot in &mut self.slots {
            slot.input.take(self.at, &mut slot.block);
            slot.level.handle_block(&slot.block);
        }
        self.choose();
        for slot in &mut self.slots {
            if slot.fade() {
                for (sum, own) in self.sum.iter_mut().zip(slot.block.iter()) {
                    *sum = [sum[0] + own[0], sum[1] + own[1]];
                }
            }
        }
        self.at += STEP;
    }

    /// Who is heard in the step that is being made.
    fn choose(&mut self) {
        let strength = |slot: &Slot| slot.level.power() * if slot.is_heard { KEEPS_PLACE } else { 1.0 };
        let mut order: Vec<usize> =
            (0..self.slots.len()).filter(|index| !self.slots[*index].leaves).collect();
        // Those who have been in for longer are before others that are as loud.
        order.sort_by(|a, b| strength(&self.slots[*b]).total_cmp(&strength(&self.slots[*a])));
        order.truncate(VOICES_MAX);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.is_heard = order.contains(&index);
        }
    }

    /// How loud a voice is of late, in dB of a full-scale square wave.
    pub fn level_db(&self, voice: Voice) -> Option<f32> {
        self.slot(voice).map(|slot| slot.level.db())
    }

    /// Whether a voice is one of those that are heard.
    pub fn is_heard(&self, voice: Voice) -> bool {
        self.slot(voice).is_some_and(|slot| slot.is_heard)
    }

    /// What is to be added to a voice's own times for the times at which they are heard in the steps; `None` before it is.
    pub fn shift(&self, voice: Voice) -> Option<Span> {
        self.slot(voice)?.input.shift()
    }

    fn slot(&self, voice: Voice) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.voice == voice && !slot.leaves)
    }
}

impl Slot {
    /// Fades its block in or out where it begins or ends to be heard, and tells whether anything is left of it.
    fn fade(&mut self) -> bool {
        let wanted = if self.is_heard && !self.leaves { 1.0 } else { 0.0 };
        if self.gain != wanted {
            for (index, sample) in self.block.iter_mut().enumerate() {
                let gain = self.gain + (wanted - self.gain) * smooth(index, STEP_SAMPLES);
                *sample = scaled(*sample, gain);
            }
        } else if wanted == 0.0 {
            self.block.fill([0.0; 2]);
        }
        std::mem::replace(&mut self.gain, wanted) > 0.0 || wanted > 0.0
    }
}

/// What one listener hears, or all who hear the same.
pub struct Output {
    without: Option<Voice>,
    limiter: Limiter,
}

impl Output {
    /// All voices, or all without one.
    pub fn new(without: Option<Voice>) -> Self {
        Self { without, limiter: Limiter::default() }
    }

    /// The last step of the mixer, within ±1 and later by [`OUTPUT_DELAY`].
    pub fn take(&mut self, mixer: &Mixer, out: &mut Block) {
        out.copy_from_slice(&*mixer.sum);
        // The sum less one's own: one pass for each listener, however many there are.
        let own = mixer.slots.iter().filter(|slot| Some(slot.voice) == self.without);
        for slot in own {
            for (sample, own) in out.iter_mut().zip(slot.block.iter()) {
                *sample = [sample[0] - own[0], sample[1] - own[1]];
            }
        }
        self.limiter.limit(out);
    }
}

fn scaled(sample: Stereo, gain: f32) -> Stereo {
    [sample[0] * gain, sample[1] * gain]
}

/// From 0 to 1 over `count` samples without a corner at either end, which would be heard as a click.
fn smooth(index: usize, count: usize) -> f32 {
    let part = (index as f32 + 0.5) / count as f32;
    0.5 - 0.5 * (part * std::f32::consts::PI).cos()
}
