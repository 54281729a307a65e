//! Measures one pair with readers of our own: joins a few times, then watches.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::eye::{Eye, Record, Shown};
use super::publish::Sent;
use super::read::{Viewing, read};
use super::report::Figures;
use super::source::MARK_EVERY;
use super::stats::{Summary, offsets, thinned};
use super::{Options, Output, wall_micros};
use crate::url::Url;

/// Pictures of a stream's past come fast at first: what is seen within this time of the first says nothing about later.
const SETTLE: Duration = Duration::from_millis(1_500);
/// Without a first picture for so long, joining has failed.
const FIRST_MAX: Duration = Duration::from_secs(15);
/// Between joins: no part of any usual group's length, so that joins fall at all places of a group.
const JOIN_PAUSE: Duration = Duration::from_millis(370);

/// Joins and watches.
pub(super) async fn measure(
    options: &Options,
    output: Output,
    url: &Url,
    sent: &Sent,
) -> anyhow::Result<Figures> {
    let mut joins = Vec::new();
    for _ in 0..options.joins {
        joins.push(view(options, output, url, Duration::ZERO).await?.0);
        sleep(JOIN_PAUSE).await;
    }
    let (_, record) = view(options, output, url, SETTLE + options.span).await?;
    figures(&record, &joins, sent)
        .with_context(|| format!("{url}: {} pictures, none of use", record.pictures.len()))
}

/// Watches for `span` from the first picture on. Returns how long that took, in microseconds, and all that was seen.
async fn view(options: &Options, output: Output, url: &Url, span: Duration) -> anyhow::Result<(i64, Record)> {
    let eye = Eye::open()?;
    let (stop, stopped) = watch::channel(false);
    let sink = eye.units.clone();
    let viewing = Viewing { url: url.clone(), insecure: options.insecure, sink, stop: stopped };
    let mut first = eye.first.clone();
    let begun = wall_micros();
    let timing = async {
        // What is awaited here holds a lock until it is dropped, and the eye would wait for that.
        let seen = timeout(FIRST_MAX, first.wait_for(Option::is_some)).await.is_ok_and(|seen| seen.is_ok());
        if !seen {
            bail!("{url}: no picture within {} s", FIRST_MAX.as_secs());
        }
        sleep(span).await;
        stop.send_replace(true);
        // Stopping is quick; what is not is the reader's own affair.
        std::future::pending().await
    };
    tokio::select! {
        read = read(output, &viewing) => read?,
        timed = timing => timed?,
    }
    drop(viewing);
    let at = *eye.first.borrow();
    let record = eye.finish().await?;
    let joined = at.context("the first picture has a time")?.saturating_sub(begun);
    Ok((joined as i64, record))
}

/// What a record says; `None` when nothing in it does.
fn figures(record: &Record, joins: &[i64], sent: &Sent) -> Option<Figures> {
    let first = record.pictures.first()?.shown;
    let from = first + SETTLE.as_micros() as u64;
    let settled: Vec<&Shown> = record.pictures.iter().filter(|shown| shown.shown >= from).collect();
    let age = |shown: &&Shown| shown.code.age(shown.shown);
    let waited = |shown: &&Shown| {
        let left = sent.at(shown.code.sequence)?;
        // The first packet may come before the last has left.
        Some(shown.arrived.saturating_sub(left) as i64)
    };
    let points: Vec<(f64, f64)> =
        settled.iter().map(|shown| ((shown.shown - first) as f64 / 1e6, age(shown) as f64 / 1e3)).collect();
    let marks: Vec<i64> =
        record.pictures.iter().filter(|shown| shown.code.marked).filter_map(|shown| shown.at).collect();
    Some(Figures {
        glass: Summary::of(settled.iter().map(age))?,
        server: Summary::of(settled.iter().filter_map(waited)),
        join: Summary::of(joins.iter().copied()),
        sound: Summary::of(offsets(&marks, &record.beeps, MARK_EVERY.micros())),
        unreadable: record.unreadable,
        points: thinned(&points),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::code::Code;

    #[test]
    fn figures_leave_out_what_came_before_the_stream_had_settled() {
        let at = |ms: u64| 1_000_000_000 + ms * 1_000;
        let shown = |ms: u64, age_ms: u64| Shown {
            code: Code::new(at(ms - age_ms), ms, ms == 2_000),
            arrived: at(ms) - 3_000,
            shown: at(ms),
            at: Some(ms as i64 * 1_000),
        };
        let pictures = vec![shown(100, 90), shown(1_000, 80), shown(2_000, 40), shown(2_033, 50)];
        let record = Record { pictures, beeps: vec![1_990_000], unreadable: 2 };
        let found = figures(&record, &[120_000, 80_000], &Sent::default()).unwrap();
        assert_eq!((found.glass.count, found.glass.p50_ms, found.glass.max_ms), (2, 40.0, 50.0));
        assert_eq!((found.join.unwrap().max_ms, found.sound.unwrap().p50_ms), (120.0, 10.0));
        assert_eq!((found.server, found.unreadable), (None, 2));
        assert_eq!(found.points, [(1.9, 40.0), (1.933, 50.0)]);
        assert_eq!(figures(&Record::default(), &[], &Sent::default()), None);
    }
}
