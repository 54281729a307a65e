//! The report as one page that needs nothing else; its plots are SVG within it.

use std::fmt::Write;

use super::report::{METRICS, Outcome, Report, Run, cell, connects, recoveries, said};

const STYLE: &str = include_str!("../report.css");
/// What is only here.
const MORE: &str = ".picture{--own:#1c7ed6}.sound{--own:#2b8a3e}.rate{--own:#c2560c}.age{--own:#7048e8}\
    .kept{color:#2b8a3e}.step{stroke:var(--bad);stroke-dasharray:3 3;fill:none}\
    td.said{white-space:normal;text-align:left;min-width:220px}";
/// A plot.
const PANEL: (f64, f64) = (460.0, 130.0);
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 22.0;

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Bad networks, openmic {0}</title>\n<style>\n{STYLE}{MORE}</style>\n\
         <header><p class=\"kicker\">openmic lab {0}</p><h1>On a bad network</h1><p>{1}</p></header>\n<main>\n",
        text(report.version),
        text(&report.settings.line()),
    );
    let _ = writeln!(
        out,
        "<section><h2>Every scenario</h2><p class=\"note\">Median over seeds, the worst in brackets. Each link was proved by \
         packets before each run.</p>{}</section>",
        table(report)
    );
    for outcome in &report.outcomes {
        let _ = writeln!(
            out,
            "<section><h2>{}</h2><p class=\"note\">{}; found by the probe: {}</p>{}</section>",
            text(&outcome.scenario.about),
            text(&said(outcome)),
            text(&proved(outcome)),
            outcome.runs.iter().map(|run| panels(outcome, run)).collect::<String>()
        );
    }
    out + "</main>\n</html>\n"
}

fn table(report: &Report) -> String {
    let heads: String = METRICS.iter().map(|metric| format!("<th>{}</th>", text(metric.name))).collect();
    let rows: String = report.outcomes.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>Scenario</th><th>Kept</th>{heads}<th>connect p50, p95 ms</th>\
         <th>recovery ms</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

fn row(outcome: &Outcome) -> String {
    let cells: String =
        METRICS.iter().map(|metric| format!("<td>{}</td>", cell(metric, &outcome.runs))).collect();
    let class = if outcome.kept() { "said kept" } else { "said failed" };
    format!(
        "<tr><th>{}</th><td class=\"{class}\">{}</td>{cells}<td>{}</td><td>{}</td></tr>",
        text(&outcome.scenario.about),
        text(&said(outcome)),
        connects(&outcome.runs),
        recoveries(&outcome.runs),
    )
}

/// Of the first run.
fn proved(outcome: &Outcome) -> String {
    let proofs = outcome.runs.first().map(|run| &run.proofs[..]).unwrap_or_default();
    let each = proofs.iter().map(|proof| {
        let found = &proof.found;
        let mut said =
            format!("{} {:.1} % lost, {:.0} ms", proof.direction.name(), found.loss, found.delay_ms);
        if found.jitter_ms > 5.0 {
            let _ = write!(said, " ± {:.0}", found.jitter_ms);
        }
        if let Some(rate) = found.rate_kbps {
            let _ = write!(said, ", {rate:.0} kbit/s");
        }
        said
    });
    each.collect::<Vec<_>>().join("; ")
}

fn panels(outcome: &Outcome, run: &Run) -> String {
    if let Some(why) = &run.error {
        return format!("<p class=\"failed\">Seed {}: {}</p>", run.seed, text(why));
    }
    let steps: Vec<f64> = outcome.scenario.steps.iter().map(|step| step.at_s).collect();
    let time = &run.timeline;
    let plots = [
        ("picture", "ms from picture to picture", &time.gaps),
        ("age", "ms that pictures are old", &time.ages),
        ("rate", "kbit/s of pictures", &time.kbps),
        ("sound", "% of sound concealed", &time.concealed),
        ("sound", "STOI", &time.stoi),
        ("rate", "kbit/s offered to the link", &time.offered),
        ("rate", "% of packets that did not pass it", &time.dropped),
        ("age", "ms in the queue before it", &time.queue),
    ];
    let figures: String = plots
        .iter()
        .map(|(class, name, points)| {
            format!(
                "<figure class=\"{class}\"><figcaption><b>{name}</b><span>seed {}</span></figcaption>{}</figure>",
                run.seed,
                series((name, points), &steps)
            )
        })
        .collect();
    format!("<div class=\"panels\">{figures}</div>")
}

/// Values over seconds; steps of the scenario are broken lines.
fn series((name, points): (&str, &[(f64, f64)]), steps: &[f64]) -> String {
    let (width, height) = PANEL;
    let base = height - BOTTOM;
    let most = ceiling(points.iter().map(|point| point.1).fold(0.0, f64::max));
    let until = points.last().map_or(1.0, |point| point.0).max(0.001);
    let x = |s: f64| LEFT + s.max(0.0) / until * (width - LEFT - 8.0);
    let y = |value: f64| base - value.max(0.0) / most * (base - 10.0);
    let mut svg =
        format!("<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{name} over time\">");
    for share in [0.0, 0.5, 1.0] {
        let (at, value) = (y(most * share), most * share);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.0}\"/>", width - 8.0);
        let _ =
            write!(svg, "<text class=\"name\" x=\"{:.0}\" y=\"{:.1}\">{value}</text>", LEFT - 6.0, at + 4.0);
    }
    for at in steps.iter().filter(|at| **at <= until) {
        let _ = write!(svg, "<path class=\"step\" d=\"M{:.1} 10V{base:.1}\"/>", x(*at));
    }
    for (s, anchor) in [(0.0, "start"), (until, "end")] {
        let _ = write!(
            svg,
            "<text class=\"axis\" text-anchor=\"{anchor}\" x=\"{:.1}\" y=\"{:.0}\">{s:.1} s</text>",
            x(s),
            height - 6.0
        );
    }
    let line: Vec<String> =
        points.iter().map(|(s, value)| format!("{:.1},{:.1}", x(*s), y(*value))).collect();
    let _ = write!(svg, "<polyline class=\"line\" points=\"{}\"/>", line.join(" "));
    svg + "</svg>"
}

/// The next of 1, 2 and 5 times a power of ten; at least 1.
fn ceiling(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// Safe between tags and in attributes.
fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn a_page_shows_every_run_escapes_what_failed_and_needs_nothing_else() {
        let page = page(&sample());
        assert!(page.contains("&lt;no&gt; link") && !page.contains("<no>"));
        for wanted in ["10 % loss", "29.8 (28.0)", "up-link, our pages, 640×360"] {
            assert!(page.contains(wanted), "{wanted}");
        }
        for foreign in ["<script", "http://", "https://", "@import", "<link", "NaN", "inf\""] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        let count = |what: &str| page.matches(what).count();
        for tag in ["svg", "section", "table", "figure", "tr", "div"] {
            assert_eq!(count(&format!("<{tag}")), count(&format!("</{tag}>")), "{tag}");
        }
        // Eight plots for each of three runs.
        assert_eq!(count("<svg"), 24);
    }

    #[test]
    fn a_scale_ends_at_a_round_number_and_steps_are_drawn_where_they_were() {
        assert_eq!([0.0, 0.9, 3.0, 47.0].map(ceiling), [1.0, 1.0, 5.0, 50.0]);
        let svg = series(("ms", &[(0.0, 1.0), (10.0, 2.0)]), &[5.0, 99.0]);
        assert_eq!(svg.matches("class=\"step\"").count(), 1);
        assert!(svg.contains("M248.0 10V"), "{svg}");
    }
}
