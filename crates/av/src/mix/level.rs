//! How loud a voice is of late.

use super::Block;

/// What a louder step adds of itself: speech is there within two steps.
const RISE: f32 = 0.5;
/// And a quieter one: half a second, so that the gaps between words cost nobody its place.
const FALL: f32 = 0.04;
/// Below it there is nothing: −100 dB.
const POWER_MIN: f32 = 1e-10;

/// The power of one voice, smoothed.
#[derive(Default)]
pub(super) struct Level(f32);

impl Level {
    pub(super) fn handle_block(&mut self, block: &Block) {
        let sum: f32 = block.iter().map(|[left, right]| left * left + right * right).sum();
        let power = sum / (2 * block.len()) as f32;
        let share = if power > self.0 { RISE } else { FALL };
        self.0 += (power - self.0) * share;
    }

    /// The mean square.
    pub(super) fn power(&self) -> f32 {
        self.0
    }

    /// In dB of a full-scale square wave.
    pub(super) fn db(&self) -> f32 {
        10.0 * self.0.max(POWER_MIN).log10()
    }
}
