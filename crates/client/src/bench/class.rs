//! A large class: one teacher, and an audience that watches the room's broadcast by HTTP-FLV and, one of ten, by WebRTC.

use anyhow::Context;
use serde_json::{Value, json};

use super::measure::{Cell, Scene, Stage};
use super::report::Run;
use super::scenario::Bench;
use super::source::Shape;
use super::subject::{Addresses, Subject, in_folder};
use super::target::Target;
use crate::http::{self, Caller};
use crate::url::Url;

/// Of so many who watch one does by WebRTC.
const WEBRTC_EACH: usize = 10;
const ROOM: &str = "class";
/// Longer than any run.
const TOKEN_SECONDS: u32 = 3_600;

/// Measures what the audience costs, mix and followed picture included; then how fast more of it come in.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<Run> {
    in_folder(|data| measure(bench, data))
}

fn measure(bench: &Bench<'_>, data: &str) -> anyhow::Result<Run> {
    let shape = Shape { audio: true, ..bench.config.shape };
    let cell = Cell { shape, ..bench.cell() };
    bench.check_files(cell.viewers)?;
    let subject =
        Subject::openmic_with(bench.config.binary.as_ref(), bench.cores, &[("OPENMIC_DATA_DIR", data)])?;
    let Subject::Openmic(_, addresses) = &subject else { unreachable!("it was started as one") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scene = runtime.block_on(scene(addresses, cell))?;
    let mut stage = Stage::play(&subject, cell, bench.cores, scene)?;
    stage.fill()?;
    let mut run = stage.window("class")?;
    run.join = stage.join()?;
    let by_webrtc = cell.viewers.div_ceil(WEBRTC_EACH);
    run.note = Some(format!(
        "{by_webrtc} of them by WebRTC; from the teacher's socket to theirs p50 {:.1} ms, p95 {:.1} ms; 100 more join in {:.1} ms (p95)",
        run.latency.map_or(f64::NAN, |latency| latency.p50_ms),
        run.latency.map_or(f64::NAN, |latency| latency.p95_ms),
        run.join.map_or(f64::NAN, |join| join.p95_ms),
    ));
    stage.strike()?;
    Ok(run)
}

/// Makes the room and its teacher.
async fn scene(at: &Addresses, cell: Cell) -> anyhow::Result<Scene> {
    let api = format!("http://{}/api/v1/rooms", at.http);
    post(&api, &json!({ "id": ROOM, "template": "class-large" })).await.context("making the room")?;
    let wish = json!({ "user": "teacher", "name": "Teacher", "role": "host" });
    let teacher = post(&format!("{api}/{ROOM}/members"), &wish).await.context("making the teacher")?;
    let push = format!("{}/{}", text(&teacher, "/push/rtmp/server")?, text(&teacher, "/push/rtmp/key")?);
    let wish = json!({ "user": "audience", "name": "Audience", "seconds": TOKEN_SECONDS });
    let made =
        post(&format!("{api}/{ROOM}/tokens"), &wish).await.context("making a token for the audience")?;
    let (token, merge_ms) = (text(&made, "/token")?, cell.merge_ms);
    let flv = format!("http://{}/room/{ROOM}.flv?latency_ms={merge_ms}&auth={token}", at.http);
    let whep = format!("http://{}/room/{ROOM}/whep?auth={token}", at.http);
    let flv = Target::new(&Url::parse(&flv)?, cell.shape.fps)?;
    let mut targets = vec![Target::new(&Url::parse(&whep)?, cell.shape.fps)?];
    targets.extend(std::iter::repeat_n(flv, WEBRTC_EACH - 1));
    Ok(Scene { pushes: vec![Url::parse(&push)?], targets })
}

async fn post(url: &str, wish: &Value) -> anyhow::Result<Value> {
    let body = wish.to_string();
    let answer =
        http::post(&Url::parse(url)?, "application/json", body.as_bytes(), Caller::default()).await?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The text at a place of an answer (RFC 6901).
fn text<'a>(answer: &'a Value, at: &str) -> anyhow::Result<&'a str> {
    answer.pointer(at).and_then(Value::as_str).with_context(|| format!("the answer has no text at {at}"))
}
