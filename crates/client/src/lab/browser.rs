//! Measures one pair in a real browser: the server's own `<live-player>`, and the block code read from what is shown.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use super::chromium::{Chromium, Work};
use super::report::Figures;
use super::source::MARK_EVERY;
use super::stats::{Summary, offsets, thinned};
use super::{Options, Output};
use crate::url::Url;

const READER: &str =
    concat!("(() => {\n", include_str!("blocks.js"), "return (\n", include_str!("reader.js"), ");\n})()");
/// Until the player has come near live.
const SETTLE: Duration = Duration::from_secs(4);
/// Without a first picture for so long, joining has failed.
const FIRST_MAX: Duration = Duration::from_secs(15);
/// Between joins; see the native reader.
const JOIN_PAUSE: Duration = Duration::from_millis(370);
/// Seconds of `min-cache` and `max-cache` for what is buffered by the element.
const CACHES: (f64, f64) = (0.1, 0.3);

/// What `reader.js` returns: times in milliseconds since the epoch, and ages in milliseconds.
#[derive(Debug, Default, Deserialize)]
struct Seen {
    joins: Vec<f64>,
    pictures: Vec<(f64, f64)>,
    marks: Vec<f64>,
    beeps: Vec<f64>,
    unreadable: u64,
}

/// How the player is asked for it: its mode, its caches, and the transport that it then uses; `None` for what browsers
/// do not play.
fn asked(output: Output) -> Option<(&'static str, (f64, f64), &'static str)> {
    match output {
        Output::Rtmp => None,
        Output::Flv => Some(("live", CACHES, "http-flv")),
        Output::Ws => Some(("live", CACHES, "ws-flv")),
        Output::Hls => Some(("live", CACHES, "hls")),
        // Nothing is asked for beyond what the jitter buffer holds of its own accord.
        Output::Whep => Some(("RTC", (0.0, CACHES.1), "whep")),
    }
}

/// Joins and watches; `None` for what browsers do not play.
pub(super) async fn measure(
    browser: &mut Chromium,
    options: &Options,
    output: Output,
    (page, url): (&Url, &Url),
) -> anyhow::Result<Option<Figures>> {
    let Some((mode, (min_cache, max_cache), transport)) = asked(output) else { return Ok(None) };
    let millis = |span: Duration| span.as_millis() as u64;
    let argument = json!({
        "src": url.to_string(), "mode": mode, "minCache": min_cache, "maxCache": max_cache,
        "transport": transport, "joins": options.joins, "pauseMs": millis(JOIN_PAUSE),
        "settleMs": millis(SETTLE), "watchMs": millis(options.span), "firstMaxMs": millis(FIRST_MAX),
    });
    let joins = u32::try_from(options.joins).unwrap_or(u32::MAX).saturating_add(2);
    let patience = SETTLE + options.span + (FIRST_MAX + JOIN_PAUSE).saturating_mul(joins);
    let work = Work { element: "live-player", function: READER, argument: &argument, patience };
    let seen = browser.run(page, work).await?;
    let seen: Seen = serde_json::from_value(seen).context("what the page tells")?;
    figures(&seen).context("no picture was shown").map(Some)
}

fn figures(seen: &Seen) -> Option<Figures> {
    let micros = |ms: &f64| (ms * 1_000.0).round() as i64;
    let all = |times: &[f64]| times.iter().map(micros).collect::<Vec<i64>>();
    let first = seen.pictures.first()?.0;
    let points: Vec<(f64, f64)> = seen.pictures.iter().map(|(at, age)| ((at - first) / 1e3, *age)).collect();
    Some(Figures {
        glass: Summary::of(seen.pictures.iter().map(|(_, age)| micros(age)))?,
        server: None,
        join: Summary::of(all(&seen.joins)),
        sound: Summary::of(offsets(&all(&seen.marks), &all(&seen.beeps), MARK_EVERY.micros())),
        unreadable: seen.unreadable,
        points: thinned(&points),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_tells_becomes_figures() {
        let told = r#"{"joins":[120.5,99],"pictures":[[1700000000000.5,80.1],[1700000000033.5,90]],
            "marks":[1700000000000.5],"beeps":[1700000000020.5],"unreadable":1}"#;
        let found = figures(&serde_json::from_str(told).unwrap()).unwrap();
        assert_eq!((found.glass.p50_ms, found.glass.max_ms), (80.1, 90.0));
        assert_eq!(found.join.unwrap().max_ms, 120.5);
        // The beep came after its picture.
        assert_eq!(found.sound.unwrap().p50_ms, -20.0);
        assert_eq!((found.unreadable, found.server), (1, None));
        assert_eq!(found.points, [(0.0, 80.1), (0.033, 90.0)]);
        assert_eq!(figures(&Seen::default()), None);
    }

    #[test]
    fn browsers_play_no_rtmp() {
        assert_eq!(asked(Output::Rtmp), None);
        assert!(
            [Output::Flv, Output::Ws, Output::Hls, Output::Whep]
                .into_iter()
                .all(|output| asked(output).is_some())
        );
    }
}
