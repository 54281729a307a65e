//! `openmic lab network`: browsers behind a bad link, through a server and back, with figures for what is seen and heard.
//!
//! The link is `client::link` in real time between two networks of this process's own, and is proved before each run.

mod bed;
mod judge;
mod place;
mod probe;
mod shuttle;

pub use bed::Direction;
pub use probe::Proof;

use crate::link::Impairment;

/// Makes the networks, asks the link for `impairment` both ways, and proves by packets that it is there.
///
/// # Errors
/// What is missing on this machine, or what is not as it was asked for.
pub fn check(impairment: &Impairment, seed: u64) -> anyhow::Result<Vec<Proof>> {
    let bed = bed::Bed::open()?;
    bed.renew(impairment, seed);
    [Direction::Up, Direction::Down]
        .into_iter()
        .map(|direction| probe::prove(&bed, direction, impairment))
        .collect()
}
