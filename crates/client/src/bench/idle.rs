//! What publishers cost whom nobody watches: memory beyond the rings that their streams fill.

use std::thread::sleep;
use std::time::Duration;

use super::process;
use super::publisher::Publishers;
use super::report::{Cpu, Frames, Run, Setting};
use super::scenario::Bench;
use super::source::Shape;
use super::target::Protocol;

/// A stream of next to nothing, so that its ring weighs little beside what is asked for.
const BITRATE: u32 = 64_000;
const FPS: u32 = 10;
/// A ring holds two groups; in the third nothing grows any more.
const GROUPS: u32 = 3;

/// Measures the server's resident memory before and after the publishers come.
pub(super) fn publishers(bench: &Bench<'_>) -> anyhow::Result<Run> {
    let count = bench.config.idle_publishers.max(1);
    bench.check_files(count)?;
    let subject = bench.openmic()?;
    process::pin(bench.cores.load)?;
    let shape = Shape { bitrate: BITRATE, fps: FPS, ..bench.config.shape };
    let push = |numbers: std::ops::Range<usize>| -> anyhow::Result<Publishers> {
        let urls = numbers.map(|number| subject.push_url(number)).collect::<anyhow::Result<Vec<_>>>()?;
        let publishers = Publishers::start(&urls.into_iter().flatten().collect::<Vec<_>>(), shape)?;
        sleep(shape.group * GROUPS);
        Ok(publishers)
    };
    // Buffers that threads share are there once anybody has published.
    let first = push(0..1)?;
    let (before, ring_before) = (subject.usage()?, subject.ring_bytes()?);
    let others = push(1..1 + count)?;
    let (after, ring_after) = (subject.usage()?, subject.ring_bytes()?);
    others.finish()?;
    first.finish()?;
    let each = |bytes: i64| bytes / count as i64;
    let (grown, rings) = (after.rss as i64 - before.rss as i64, ring_after as i64 - ring_before as i64);
    Ok(Run {
        scenario: "publishers-idle".to_owned(),
        subject: subject.name().to_owned(),
        setting: Setting {
            protocol: Protocol::Rtmp,
            viewers: count,
            streams: count,
            merge_ms: 0,
            bitrate: BITRATE,
            seconds: (shape.group * GROUPS).as_secs_f64(),
        },
        delivered_gb: 0.0,
        cpu: Cpu::new(after.cpu.saturating_sub(before.cpu), Duration::ZERO, 0),
        frames: Frames { expected: 0, got: 0, lost: 0, viewers_closed: 0 },
        latency: None,
        join: None,
        rss_per_viewer_bytes: each(grown - rings),
        load_busy: 0.0,
        note: Some(format!(
            "{count} publishers and no viewer: {:.1} KB each, of which {:.1} KB are its ring",
            each(grown) as f64 / 1e3,
            each(rings) as f64 / 1e3,
        )),
    })
}
