//! GStreamer as player: every buffer its sinks take is listed with its time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ffmpeg::Watched;
use crate::measure::{SECONDS, Seen, Track};
use crate::row::{Audio, FPS, Row, Video};
use crate::tool;

/// As for FFmpeg; it starts by reading its list of plugins.
const LIMIT: Duration = Duration::from_secs(60);

/// How GStreamer comes to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Rtmp,
    Flv,
    Hls,
}

/// Plays `url` until all sinks have seen enough.
pub(crate) fn watch(row: &Row, source: Source, url: &str, dir: &Path, name: &str) -> Watched {
    let mut command = Command::new(tool::find("gst-launch-1.0", "gstreamer1.0-tools"));
    // Each buffer that a sink takes, by the sink's own log: `-v` loses lines when two sinks speak at once.
    let log = dir.join(format!("{name}.log"));
    command
        .arg("-q")
        .env("GST_DEBUG", "basesink:5")
        .env("GST_DEBUG_NO_COLOR", "1")
        .env("GST_DEBUG_FILE", &log);
    let video = format!("fakesink name=seen num-buffers={}", (SECONDS * FPS) as u32);
    let pieces = SECONDS / audio_frame_s(row).unwrap_or(1.0);
    let audio = format!("fakesink name=heard num-buffers={}", pieces as u32);
    if source == Source::Hls {
        let flags = match (row.video, row.audio) {
            (Some(_), Some(_)) => "video+audio",
            (Some(_), None) => "video",
            (None, _) => "audio",
        };
        command.args(["playbin3", &format!("uri={url}"), &format!("flags={flags}")]);
        command.args([format!("video-sink={video}"), format!("audio-sink={audio}")]);
    } else {
        let source = if source == Source::Rtmp { "rtmp2src" } else { "souphttpsrc is-live=true" };
        let mut graph = format!("{source} location={url} ! flvdemux name=from");
        if let Some(codec) = row.video {
            graph += &format!(" from.video ! queue ! {} ! {video}", video_decoder(codec));
        }
        if let Some(codec) = row.served_audio() {
            graph += &format!(" from.audio ! queue ! {} ! {audio}", audio_decoder(codec));
        }
        command.args(graph.split_whitespace());
    }
    let said = tool::run(&mut command, dir, name, LIMIT);
    let mut seen = Seen::default();
    for line in tool::read(&log).lines() {
        let (track, rest) = match line.split_once("chain_unlocked:<seen> got times start: ") {
            Some((_, rest)) => (&mut seen.video, rest),
            None => match line.split_once("chain_unlocked:<heard> got times start: ") {
                Some((_, rest)) => (&mut seen.audio, rest),
                None => continue,
            },
        };
        track.get_or_insert_with(Track::default).shown_s.extend(shown_s(rest));
    }
    let told = said.err.lines().chain(said.out.lines());
    seen.complaints = told.filter(|line| line.starts_with("ERROR")).take(4).map(str::to_owned).collect();
    if said.stopped {
        seen.complaints.push(format!("did not end in {LIMIT:?}"));
    }
    Watched { seen, said }
}

/// How long a decoded piece of sound is, where there is sound.
pub(crate) fn audio_frame_s(row: &Row) -> Option<f64> {
    row.served_audio().map(|codec| match codec {
        Audio::Aac => 1_024.0 / 48_000.0,
        Audio::Opus => 0.020,
    })
}

fn video_decoder(codec: Video) -> &'static str {
    match codec {
        Video::H264 => "h264parse ! avdec_h264",
        Video::H265 => "h265parse ! avdec_h265",
        Video::Av1 => "av1parse ! av1dec",
        Video::Vp9 => "vp9parse ! vp9dec",
        Video::Vp8 => "vp8dec",
    }
}

fn audio_decoder(codec: Audio) -> &'static str {
    match codec {
        Audio::Aac => "aacparse ! avdec_aac",
        Audio::Opus => "opusparse ! opusdec",
    }
}

/// `0:00:04.032000000, end: …`
fn shown_s(text: &str) -> Option<f64> {
    let (time, _) = text.split_once(',')?;
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}
