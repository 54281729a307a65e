//! Usage, as JSON and as CSV for whoever writes bills.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead};
use super::ask::Asked;
use super::fresh;
use crate::context::Context;
use crate::http::problem::Problem;
use crate::time::{parse_rfc3339, rfc3339};
use crate::usage::{Grouping, Hour, Key, Question, Report, Sums, report};

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(usage))
}

#[derive(Debug, Serialize, ToSchema)]
struct UsageReport {
    /// The beginning of the first hour that was summed, RFC 3339 in UTC.
    from: String,
    /// The end of the last.
    to: String,
    rows: Vec<UsageRow>,
}

#[derive(Debug, Serialize, ToSchema)]
struct UsageRow {
    /// Where `by` keeps apps or streams apart.
    app: Option<String>,
    /// Where `by` keeps streams apart.
    stream: Option<String>,
    /// Where `by` keeps protocols apart.
    protocol: Option<String>,
    /// `publish`, `play`, or `stage`: being on the stage of a room (app `room/{room}`, stream: the member).
    action: String,
    /// Sessions that began.
    sessions: u64,
    /// How long sessions lasted, together.
    seconds: f64,
    /// What they moved, as counted at the sockets; HLS by the bodies of its answers, WebRTC by its datagrams.
    bytes: u64,
    /// What no row was left for: an hour knows some four thousand rows. Its app is called `other`.
    overflow: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What is kept apart: any of `app`, `stream` and `protocol`, with commas between.
    #[param(example = "app,protocol")]
    by: Option<String>,
    /// RFC 3339, or a date. Usage is kept by whole hours, for 31 days.
    from: Option<String>,
    /// The end; an hour that begins before it is summed.
    to: Option<String>,
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
}

/// Who moved how much: bytes and seconds by app, stream and protocol.
#[utoipa::path(
    get, path = "/usage", tag = "usage", security(("bearer" = [])), params(Wanted),
    responses((status = 200, description = "The sums, as CSV where `format` or Accept asks for it", content(
        (UsageReport = "application/json"),
        (String = "text/csv"),
    )))
)]
async fn usage(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let by = grouping(wanted.by.as_deref().unwrap_or("app,stream,protocol"))?;
    let from = wanted.from.as_deref().map(|text| moment("from", text)).transpose()?;
    let to = wanted.to.as_deref().map(|text| moment("to", text)).transpose()?;
    // An hour that has begun before the end counts.
    let to = to.map_or(Hour(u64::MAX), |to| Hour(Hour::of(to - std::time::Duration::from_nanos(1)).0 + 1));
    let question = Question { by, from: from.map_or(Hour(0), Hour::of), to };
    let now = SystemTime::now();
    context.access.sessions.settle(now);
    let summing = Arc::clone(&context);
    let report = tokio::task::spawn_blocking(move || {
        report(&summing.config().data.dir, summing.access.sessions.usage(), question, now)
    });
    let report = report.await.map_err(std::io::Error::other).flatten().map_err(|error| {
        tracing::error!(%error, "usage cannot be read");
        Problem::unavailable("the files of usage cannot be read; the log says why", 30)
    })?;
    match wanted.format.unwrap_or_else(|| accepted(&headers)) {
        Format::Json => Ok(fresh(json(&report, by))),
        Format::Csv => Ok(csv(&report)),
    }
}

fn grouping(by: &str) -> Result<Grouping, Problem> {
    let mut grouping = Grouping { app: false, stream: false, protocol: false };
    for word in by.split(',') {
        match word {
            "app" => grouping.app = true,
            "stream" => grouping.stream = true,
            "protocol" => grouping.protocol = true,
            _ => return Err(Problem::bad_request("by takes app, stream and protocol, with commas between")),
        }
    }
    Ok(grouping)
}

fn moment(name: &str, text: &str) -> Result<SystemTime, Problem> {
    parse_rfc3339(text).ok_or_else(|| {
        Problem::bad_request(format!(
            "{name} must be a time like 2026-11-26T07:00:00Z, or a date like 2026-11-26"
        ))
    })
}

fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = accept.split([',', ';']).next().unwrap_or_default().trim();
    if first.eq_ignore_ascii_case("text/csv") { Format::Csv } else { Format::Json }
}

fn json(report: &Report, by: Grouping) -> UsageReport {
    let row = |(key, sums): &(Key<'static>, Sums)| {
        let app = app(key);
        UsageRow {
            app: (by.app || by.stream).then(|| app.to_owned()),
            stream: by.stream.then(|| key.stream.to_string()),
            protocol: by.protocol.then(|| key.protocol.to_string()),
            action: key.action.to_string(),
            sessions: sums.sessions,
            seconds: sums.milliseconds as f64 / 1_000.0,
            bytes: sums.bytes,
            overflow: key.overflow,
        }
    };
    UsageReport {
        from: rfc3339(report.from.start()),
        to: rfc3339(report.to.start()),
        rows: report.rows.iter().map(row).collect(),
    }
}

fn app<'a>(key: &'a Key<'_>) -> &'a str {
    if key.overflow { "other" } else { &key.app }
}

fn csv(report: &Report) -> Response {
    let mut text = String::from("app,stream,protocol,action,sessions,seconds,bytes,overflow\r\n");
    for (key, sums) in &report.rows {
        for name in [app(key), &key.stream, &key.protocol, &key.action] {
            text.push_str(&cell(name));
            text.push(',');
        }
        let seconds = sums.milliseconds as f64 / 1_000.0;
        text.push_str(&format!("{},{seconds:.3},{},{}\r\n", sums.sessions, sums.bytes, key.overflow));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    (StatusCode::OK, headers, text).into_response()
}

/// One cell (RFC 4180 §2). Names come from publishers: a text that a spreadsheet would take for a formula gets an
/// apostrophe in front, which spreadsheets take for "this is text".
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_formula_nor_two_cells() {
        for (name, expected) in [
            ("demo", "demo"),
            ("数学", "数学"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(name), expected);
        }
    }

    #[test]
    fn what_is_kept_apart_is_named_by_known_words() {
        assert_eq!(
            grouping("app,protocol").ok(),
            Some(Grouping { app: true, stream: false, protocol: true })
        );
        assert!(grouping("").is_err() && grouping("app,").is_err() && grouping("viewer").is_err());
    }
}
