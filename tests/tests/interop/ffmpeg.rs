//! FFmpeg as player: every packet listed, every frame decoded, brightness and loudness measured.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::{SECONDS, Seen, Track};
use crate::tool::{self, Said};

/// Four seconds of media and a start, on a machine that may be ten times as busy as it should be.
const LIMIT: Duration = Duration::from_secs(40);
/// Samples of a piece in which sound is measured.
const PIECE: u32 = 240;
/// Its length at 48 kHz.
pub(crate) const PIECE_S: f64 = 0.005;
/// A white picture has 235, the test picture about 120.
const BRIGHT: f64 = 200.0;
/// The tone is at −9 dB, the rest is silent but for what codecs smear.
const LOUD_DB: f64 = -20.0;

/// What was seen, and the player's words for those who look for a refusal.
pub(crate) struct Watched {
    pub(crate) seen: Seen,
    pub(crate) said: Said,
}

/// Plays `url` with `ffmpeg`, leaving its lists in `dir` under `name`.
pub(crate) fn watch(ffmpeg: &Path, url: &str, dir: &Path, name: &str) -> Watched {
    let file = |what: &str| dir.join(format!("{name}.{what}"));
    let print = |filter: &str, key: &str, what: &str| {
        format!("{filter}=mode=print:key=lavfi.{key}:file={}", file(what).display())
    };
    let video = format!("signalstats,{}", print("metadata", "signalstats.YAVG", "video"));
    let audio = format!(
        "asetnsamples=n={PIECE}:p=0,astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=RMS_level,{}",
        print("ametadata", "astats.Overall.RMS_level", "audio")
    );
    let seconds = SECONDS.to_string();
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-y", "-v", "level+warning", "-i", url]);
    command.args(["-map", "0:v?", "-t", &seconds, "-vf", &video, "-fps_mode", "passthrough"]);
    command.args(["-map", "0:a?", "-t", &seconds, "-af", &audio, "-f", "null", "-"]);
    command.args([
        "-map",
        "0:v?",
        "-map",
        "0:a?",
        "-t",
        &seconds,
        "-c",
        "copy",
        "-copyinkf",
        "-f",
        "framecrc",
    ]);
    command.arg(file("packets"));
    let said = tool::run(&mut command, dir, name, LIMIT);
    let mut seen = Seen { complaints: complaints(&said), ..Seen::default() };
    read_packets(&tool::read(&file("packets")), &mut seen);
    if let Some(track) = &mut seen.video {
        read_levels(&tool::read(&file("video")), BRIGHT, track);
    }
    if let Some(track) = &mut seen.audio {
        read_levels(&tool::read(&file("audio")), LOUD_DB, track);
    }
    Watched { seen, said }
}

/// Errors, and warnings about time.
fn complaints(said: &Said) -> Vec<String> {
    // The null muxer counts in whole pictures and takes stamps half a picture off for repeated ones. Steps of time are
    // judged by the exact lists of packets and pictures instead.
    let of_null_muxer =
        |line: &str| line.starts_with("[null @") && line.contains("monotonically increasing dts");
    let is_bad = |line: &&str| {
        let bad = ["[error]", "[fatal]", "DTS", "timestamp"].iter().any(|word| line.contains(word));
        bad && !of_null_muxer(line)
    };
    let mut complaints: Vec<String> = said.err.lines().filter(is_bad).take(4).map(str::to_owned).collect();
    if said.stopped {
        complaints.push(format!("did not end in {LIMIT:?}"));
    }
    complaints
}

/// `framecrc`: `#tb 0: 1/1000`, `#media_type 0: video`, then `stream, dts, pts, duration, size, checksum`.
fn read_packets(text: &str, seen: &mut Seen) {
    let mut tick_s = [0.0; 2];
    let mut is_video = [false; 2];
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('#') {
            let Some((key, value)) = header.split_once(": ") else { continue };
            let Some((key, stream)) = key.split_once(' ') else { continue };
            let Some(at) = stream.parse::<usize>().ok().filter(|at| *at < 2) else { continue };
            match (key, value) {
                ("tb", ratio) => tick_s[at] = parse_ratio(ratio),
                ("media_type", "video") => {
                    is_video[at] = true;
                    seen.video = Some(Track::default());
                }
                ("media_type", "audio") => seen.audio = Some(Track::default()),
                _ => {}
            }
            continue;
        }
        let fields: Vec<i64> = line.split(',').map_while(|field| field.trim().parse().ok()).collect();
        let [stream, dts, pts, ..] = fields[..] else { continue };
        let at = usize::from(stream == 1);
        seen.reordered |= dts != pts;
        let track = if is_video[at] { &mut seen.video } else { &mut seen.audio };
        if let Some(track) = track {
            track.decoded_s.push(dts as f64 * tick_s[at]);
        }
    }
}

fn parse_ratio(text: &str) -> f64 {
    let (over, under) = text.split_once('/').unwrap_or((text, "1"));
    over.parse::<f64>().unwrap_or_default() / under.parse::<f64>().unwrap_or(1.0)
}

/// `frame:0 pts:21 pts_time:0.021`, then `lavfi.KEY=LEVEL`. A mark begins where the level rises over `threshold`.
fn read_levels(text: &str, threshold: f64, track: &mut Track) {
    let mut was_over = None;
    for line in text.lines() {
        if let Some((_, time)) = line.split_once("pts_time:") {
            track.shown_s.extend(time.trim().parse::<f64>());
        } else if let Some((_, level)) = line.split_once('=') {
            // Digital silence is "-inf", which parses.
            let is_over = level.trim().parse::<f64>().unwrap_or(f64::NEG_INFINITY) > threshold;
            if is_over && was_over == Some(false) {
                track.marks_s.extend(track.shown_s.last());
            }
            was_over = Some(is_over);
        }
    }
}
