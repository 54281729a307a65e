//! Writes the media playlist and its delta update.

use std::fmt::Write as _;

use bytes::Bytes;
use media::Span;

use super::cut::Lengths;
use super::packager::{Report, UnixMicros};
use super::request::{Position, Resource};
use super::store::{Segment, Store};

/// EXT-X-SKIP needs 9 (RFC 8216bis §8); the version must not change between full and delta.
const VERSION: u32 = 9;

/// What stands in a playlist beside its own segments.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// Before the name of all that it lists.
    pub(super) directory: &'a str,
    pub(super) reports: &'a [Report],
}

/// Renders the playlist; with `skip`, segments behind the skip boundary are replaced by EXT-X-SKIP, where there
/// are any (RFC 8216bis §6.2.5.1).
pub(super) fn render(store: &Store, lengths: Lengths, skip: bool, names: Names<'_>) -> Bytes {
    let directory = names.directory;
    let mut out = String::with_capacity(4_096);
    head(&mut out, store, lengths);
    let skipped = if skip && !store.is_ended() { skippable(store, lengths) } else { 0 };
    if skipped > 0 {
        line(&mut out, format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
    }
    let mut distance = store.growing().map_or(Span::ZERO, Segment::duration)
        + store.listed().fold(Span::ZERO, |sum, segment| sum + segment.duration());
    let mut init = None;
    for (index, segment) in store.listed().enumerate() {
        distance = distance - segment.duration();
        let text_wanted = index >= skipped;
        if text_wanted {
            segment_tags(&mut out, segment, init, directory);
            // Parts are listed within three target durations of the end (RFC 8216bis §6.2.2).
            if distance < lengths.target + lengths.target + lengths.target {
                parts(&mut out, segment, directory);
            }
            line(&mut out, format_args!("#EXTINF:{},", seconds(segment.duration())));
            line(&mut out, format_args!("{directory}{}", Resource::Segment(segment.msn)));
        }
        init = Some(segment.init);
    }
    if let Some(segment) = store.growing() {
        segment_tags(&mut out, segment, init, directory);
        parts(&mut out, segment, directory);
    }
    if store.is_ended() {
        out.push_str("#EXT-X-ENDLIST\n");
    } else {
        let next = Position { msn: store.growing_msn(), part: store.growing_parts() };
        let hint = Resource::Part(next);
        line(&mut out, format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{directory}{hint}\""));
        for Report { uri, last: Position { msn, part } } in names.reports {
            let report =
                format_args!("#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn},LAST-PART={part}");
            line(&mut out, report);
        }
    }
    Bytes::from(out)
}

fn head(out: &mut String, store: &Store, lengths: Lengths) {
    let Lengths { target, part, .. } = lengths;
    let times = |span: Span, n: i64| seconds(Span::from_micros(span.micros() * n));
    line(out, format_args!("#EXTM3U\n#EXT-X-VERSION:{VERSION}"));
    if store.listed().chain(store.growing()).all(|segment| segment.independent) {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    line(out, format_args!("#EXT-X-TARGETDURATION:{}", target.micros() / 1_000_000));
    line(
        out,
        format_args!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={},CAN-SKIP-UNTIL={},HOLD-BACK={}",
            times(part, 3),
            times(target, 6),
            times(target, 3),
        ),
    );
    line(out, format_args!("#EXT-X-PART-INF:PART-TARGET={}", seconds(part)));
    line(out, format_args!("#EXT-X-MEDIA-SEQUENCE:{}", store.first_msn()));
    line(out, format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{}", store.discontinuity_sequence()));
}

/// The tags before a segment's first part; the init segment only where it is another than `init`.
fn segment_tags(out: &mut String, segment: &Segment, init: Option<u32>, directory: &str) {
    if segment.discontinuity {
        out.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if init != Some(segment.init) {
        line(out, format_args!("#EXT-X-MAP:URI=\"{directory}{}\"", Resource::Init(segment.init)));
    }
    if let Some(wall) = segment.wall {
        line(out, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", date_time(wall)));
    }
}

fn parts(out: &mut String, segment: &Segment, directory: &str) {
    for (part, index) in segment.parts.iter().zip(0..) {
        let uri = Resource::Part(Position { msn: segment.msn, part: index });
        let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
        let duration = seconds(part.duration);
        line(out, format_args!("#EXT-X-PART:DURATION={duration},URI=\"{directory}{uri}\"{independent}"));
    }
}

/// Segments that end before the skip boundary of six target durations from the last complete one's end.
fn skippable(store: &Store, lengths: Lengths) -> usize {
    let boundary = Span::from_micros(lengths.target.micros() * 6);
    let mut distance = Span::ZERO;
    let mut kept = 0;
    for segment in store.listed().rev() {
        if distance > boundary {
            break;
        }
        distance = distance + segment.duration();
        kept += 1;
    }
    store.listed().count() - kept
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes everything");
    out.push('\n');
}

/// Seconds with as many of six decimals as are needed, at least one.
fn seconds(span: Span) -> String {
    let micros = span.micros().max(0);
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let kept = text.trim_end_matches('0');
    if kept.ends_with('.') { format!("{kept}0") } else { kept.to_owned() }
}

/// ISO 8601 in UTC with milliseconds (RFC 8216bis §4.4.4.6).
fn date_time(UnixMicros(micros): UnixMicros) -> String {
    let millis = micros.div_euclid(1_000);
    let (days, millis) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    let millis = millis % 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar. Years are counted
/// from March, so that the leap day is their last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
