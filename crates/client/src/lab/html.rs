//! The report as one page that needs nothing else: its plots are SVG within it, and it follows the reader's choice of light
//! or dark.

use std::fmt::Write;

use super::plot;
use super::report::{Pair, Report};
use super::stats::Summary;

const STYLE: &str = include_str!("report.css");

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let head = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Latency, openmic {0}</title>\n<style>\n{STYLE}</style>\n\
         <header><p class=\"kicker\">openmic lab {0}</p><h1>From glass to glass</h1><p>{1}</p></header>\n<main>\n",
        text(report.version),
        text(&report.settings.line()),
    );
    out.push_str(&head);
    let measured: Vec<&Pair> = report.pairs.iter().filter(|pair| pair.glass.is_some()).collect();
    section(&mut out, "How old pictures are", LEGEND, &plot::overview(&measured));
    section(&mut out, "Every pair", TABLE_NOTE, &table(&report.pairs));
    section(&mut out, "Sound against its picture", SOUND_NOTE, &plot::sound(&measured));
    let panels: String = measured.iter().map(|pair| panel(pair)).collect();
    let panels = format!("<div class=\"panels\">{panels}</div>");
    section(&mut out, "Picture by picture", "Seconds since the first picture; milliseconds of age.", &panels);
    out.push_str("</main>\n</html>\n");
    out
}

const LEGEND: &str = "From the moment a picture was drawn until it was decoded (native) or shown (Chromium). \
    A bar reaches from the fastest picture to p99, the line in it is p50, the dark foot the server's own share. \
    The scale is logarithmic.";
const TABLE_NOTE: &str = "Milliseconds. Server: from the last byte of a picture sent to its first received. Join: from \
    asking to the first picture. Sound: by how much a beep comes before its picture.";
const SOUND_NOTE: &str = "Milliseconds by which a beep comes before its picture; left of zero it comes after. The band is \
    what viewers do not notice, 60 ms late to 40 ms early.";

fn section(out: &mut String, title: &str, note: &str, body: &str) {
    let _ = writeln!(out, "<section><h2>{title}</h2><p class=\"note\">{note}</p>{body}</section>");
}

fn panel(pair: &Pair) -> String {
    let glass = pair
        .glass
        .map_or_else(String::new, |glass| format!("p50 {:.0} · p99 {:.0} ms", glass.p50_ms, glass.p99_ms));
    format!(
        "<figure class=\"{}\"><figcaption><b>{}</b><span>{glass}</span></figcaption>{}</figure>",
        pair.input,
        name(pair),
        plot::series(&pair.points),
    )
}

/// What a pair is called.
pub(super) fn name(pair: &Pair) -> String {
    format!("{} → {}, {}", text(pair.input), text(pair.output), text(pair.reader))
}

fn table(pairs: &[Pair]) -> String {
    let rows: String = pairs.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>Way</th><th>Read by</th><th>Pictures</th><th>p50</th><th>p95</th>\
         <th>p99</th><th>Server p50</th><th>p99</th><th>Join p50</th><th>p95</th><th>Sound</th></tr></thead>\
         <tbody>{rows}</tbody></table></div>"
    )
}

fn row(pair: &Pair) -> String {
    let (input, output, reader) = (text(pair.input), text(pair.output), text(pair.reader));
    let lead = format!("<tr><th><i class=\"{input}\"></i>{input} → {output}</th><td>{reader}</td>");
    let Some(glass) = &pair.glass else {
        let why = text(pair.error.as_deref().unwrap_or("nothing was measured"));
        return format!("{lead}<td colspan=\"9\" class=\"failed\">{why}</td></tr>");
    };
    let cell = |found: &Option<Summary>, of: fn(&Summary) -> f64| {
        found.as_ref().map_or_else(|| "<td>–</td>".to_owned(), |found| format!("<td>{:.1}</td>", of(found)))
    };
    let some = Some(*glass);
    let cells = [
        cell(&some, |found| found.p50_ms),
        cell(&some, |found| found.p95_ms),
        cell(&some, |found| found.p99_ms),
        cell(&pair.server, |found| found.p50_ms),
        cell(&pair.server, |found| found.p99_ms),
        cell(&pair.join, |found| found.p50_ms),
        cell(&pair.join, |found| found.p95_ms),
        cell(&pair.sound, |found| found.p50_ms),
    ];
    format!("{lead}<td>{}</td>{}</tr>", glass.count, cells.concat())
}

/// Safe between tags and in attributes.
fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::tests::sample;

    #[test]
    fn a_page_shows_every_pair_escapes_what_servers_say_and_needs_nothing_else() {
        let page = page(&sample());
        assert!(page.contains("&lt;refused&gt; | by &amp; by") && !page.contains("<refused>"));
        for wanted in ["rtmp → flv, native", "<td>40.0</td>", "1280×720", "prefers-color-scheme: dark"] {
            assert!(page.contains(wanted), "{wanted}");
        }
        for foreign in ["<script", "http://", "https://", "@import", "<link"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        let count = |what: &str| page.matches(what).count();
        for tag in ["svg", "section", "table", "figure", "tr", "div"] {
            assert_eq!(count(&format!("<{tag}")), count(&format!("</{tag}>")), "{tag}");
        }
        // Two for all pairs, one for the one that has pictures.
        assert_eq!(count("<svg"), 3);
    }
}
