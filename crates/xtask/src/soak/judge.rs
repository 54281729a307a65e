//! Whether a server that lived through a soak is as it was.

/// The server at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Resident memory in kB.
    pub(super) resident_kb: u64,
    /// Open file descriptors.
    pub(super) descriptors: u64,
    /// `panics_total` of its metrics.
    pub(super) panics: u64,
}

/// Growth allowed between the first and the last third under the same load.
const GROWTH_PERCENT_MAX: u64 = 10;
/// Below this a percentage says nothing: an allocator's arenas fill up for a while.
const GROWTH_KB_FREE: u64 = 16 * 1024;
/// Descriptors that may stay open afterwards: idle connections of the last scrape.
const DESCRIPTORS_SPARE: u64 = 4;

/// Compares thirds of the run, and the end with the start.
pub(super) fn judge(idle: Sample, samples: &[Sample], settled: Sample) -> anyhow::Result<()> {
    let third = samples.len().div_ceil(3);
    let early = median(&samples[..third]);
    let late = median(&samples[samples.len() - third..]);
    let allowed = early + (early * GROWTH_PERCENT_MAX / 100).max(GROWTH_KB_FREE);
    println!(
        "soak: memory {} kB idle, {early} kB in the first third, {late} kB in the last, {} kB after; \
         descriptors {} before, {} after; panics {}",
        idle.resident_kb, settled.resident_kb, idle.descriptors, settled.descriptors, settled.panics
    );
    anyhow::ensure!(settled.panics == 0, "{} panics", settled.panics);
    anyhow::ensure!(late <= allowed, "memory grew from {early} to {late} kB, over {allowed}");
    let descriptors = idle.descriptors + DESCRIPTORS_SPARE;
    anyhow::ensure!(settled.descriptors <= descriptors, "{} descriptors stayed open", settled.descriptors);
    Ok(())
}

fn median(samples: &[Sample]) -> u64 {
    let mut sizes: Vec<u64> = samples.iter().map(|sample| sample.resident_kb).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Sample = Sample { resident_kb: 20_000, descriptors: 12, panics: 0 };

    fn rising(step: u64) -> Vec<Sample> {
        (0..60).map(|n| Sample { resident_kb: 60_000 + n * step, descriptors: 80, panics: 0 }).collect()
    }

    #[test]
    fn a_steady_server_passes_and_a_growing_one_does_not() {
        assert!(judge(IDLE, &rising(0), IDLE).is_ok());
        assert!(judge(IDLE, &rising(1_000), IDLE).is_err());
    }

    #[test]
    fn a_panic_or_a_leaked_descriptor_fails() {
        assert!(judge(IDLE, &rising(0), Sample { panics: 1, ..IDLE }).is_err());
        assert!(judge(IDLE, &rising(0), Sample { descriptors: 40, ..IDLE }).is_err());
    }
}
