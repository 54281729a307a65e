//! The inputs: who publishes what, one row of the matrix each.

use std::path::Path;
use std::process::Command;

use crate::player::Player;
use crate::server::Server;
use crate::tool::{self, Running};

/// Frames a second of every picture here.
pub(crate) const FPS: f64 = 25.0;

/// Each second begins with a fifth of a second of white and of a tone, by which sight and sound are compared.
const PICTURE: &str =
    "testsrc2=size=320x180:rate=25,drawbox=color=white:t=fill:enable=lt(mod(t\\,1)\\,0.2),format=yuv420p";
const SOUND: &str = "aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.2):s=48000:c=stereo";

const X264: &str = "-c:v libx264 -preset veryfast -tune zerolatency -bf 0";
/// Decoding order differs from showing order: two B-frames in each gap, decided without look-ahead.
const X264_B: &str = "-c:v libx264 -preset veryfast -bf 2 -b_strategy 0 -rc-lookahead 5";
/// What WebRTC takes: each picture is shown when it is decoded.
const X264_BASELINE: &str =
    "-c:v libx264 -preset veryfast -tune zerolatency -bf 0 -profile:v baseline -pix_fmt yuv420p";
const X265: &str =
    "-c:v libx265 -preset ultrafast -x265-params log-level=0:bframes=0:scenecut=0:min-keyint=50";
const AV1: &str = "-c:v libsvtav1 -preset 11 -crf 40 -svtav1-params lp=1:scd=0:pred-struct=1";
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0";
const GROUPS: &str = "-g 50 -keyint_min 50 -sc_threshold 0";
/// Seconds of a tape: a whole number of groups and of frames of sound.
const TAPE_S: &str = "60";
/// Colours are named, or FFmpeg tells players of H.265 and AV1 that the picture is RGB.
const COLOURS: &str = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv";

/// A video codec of these rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Video {
    H264,
    H265,
    Av1,
    Vp9,
    Vp8,
}

/// An audio codec of these rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audio {
    Aac,
    Opus,
}

/// A publishing program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// Debian's FFmpeg with these encoders.
    Ffmpeg(&'static str),
    /// The static one.
    NewFfmpeg(&'static str),
    /// `rtmp2sink` of GStreamer.
    Gst,
    /// `openmic push` of a fixture, looped.
    Push(&'static str),
    /// The static FFmpeg's `whip` muxer.
    FfmpegWhip(&'static str),
    /// Chromium, by WHIP, with nothing but this codec for its picture, or with what it pleases.
    ChromiumWhip(Option<&'static str>),
    /// Firefox, by WHIP, with what it pleases.
    FirefoxWhip,
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// File and stream name.
    pub(crate) name: &'static str,
    /// What the table says.
    pub(crate) title: &'static str,
    pub(crate) video: Option<Video>,
    pub(crate) audio: Option<Audio>,
    /// Some pictures are shown later than they are decoded.
    pub(crate) reordered: bool,
    pub(crate) from: From,
    /// Who plays it.
    pub(crate) columns: &'static [Player],
}

/// All of them, in the order of the table.
pub(crate) const ROWS: [Row; 15] = [
    Row {
        name: "h264_aac",
        title: "ffmpeg 5.1: H.264 + AAC",
        video: Some(Video::H264),
        audio: Some(Audio::Aac),
        reordered: false,
        from: From::Ffmpeg(X264),
        columns: &Player::ALL,
    },
    Row {
        name: "h264_bframes_aac",
        title: "ffmpeg 5.1: H.264 with B-frames + AAC",
        video: Some(Video::H264),
        audio: Some(Audio::Aac),
        reordered: true,
        from: From::Ffmpeg(X264_B),
        columns: Player::OF_H264,
    },
    Row {
        name: "aac_only",
        title: "ffmpeg 5.1: AAC only",
        video: None,
        audio: Some(Audio::Aac),
        reordered: false,
        from: From::Ffmpeg(""),
        columns: &Player::ALL,
    },
    Row {
        name: "h264_only",
        title: "ffmpeg 5.1: H.264 only",
        video: Some(Video::H264),
        audio: None,
        reordered: false,
        from: From::Ffmpeg(X264),
        columns: Player::OF_H264,
    },
    Row {
        name: "h265_aac",
        title: "ffmpeg 9: H.265 + AAC",
        video: Some(Video::H265),
        audio: Some(Audio::Aac),
        reordered: false,
        from: From::NewFfmpeg(X265),
        columns: &Player::ALL,
    },
    Row {
        name: "av1_opus",
        title: "ffmpeg 9: AV1 + Opus",
        video: Some(Video::Av1),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::NewFfmpeg(AV1),
        columns: &Player::ALL,
    },
    Row {
        name: "vp9_opus",
        title: "ffmpeg 9: VP9 + Opus",
        video: Some(Video::Vp9),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::NewFfmpeg(VP9),
        columns: &Player::ALL,
    },
    Row {
        name: "gst_h264_aac",
        title: "GStreamer rtmp2sink: H.264 + AAC",
        video: Some(Video::H264),
        audio: Some(Audio::Aac),
        reordered: false,
        from: From::Gst,
        columns: Player::OF_H264,
    },
    Row {
        name: "push_h264_aac",
        title: "openmic push: H.264 + AAC",
        video: Some(Video::H264),
        audio: Some(Audio::Aac),
        reordered: false,
        from: From::Push("h264_aac.flv"),
        columns: Player::OF_H264,
    },
    Row {
        name: "whip_h264_opus",
        title: "ffmpeg 9: WHIP H.264 + Opus",
        video: Some(Video::H264),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::FfmpegWhip(X264_BASELINE),
        columns: Player::OF_H264,
    },
    Row {
        name: "chromium_whip",
        title: "Chromium: WHIP H.264 + Opus",
        video: Some(Video::H264),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::ChromiumWhip(None),
        columns: Player::OF_H264,
    },
    Row {
        name: "chromium_whip_vp8",
        title: "Chromium: WHIP VP8 + Opus",
        video: Some(Video::Vp8),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::ChromiumWhip(Some("vp8")),
        columns: &Player::OF_CODEC,
    },
    Row {
        name: "chromium_whip_vp9",
        title: "Chromium: WHIP VP9 + Opus",
        video: Some(Video::Vp9),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::ChromiumWhip(Some("vp9")),
        columns: &Player::OF_CODEC,
    },
    Row {
        name: "chromium_whip_av1",
        title: "Chromium: WHIP AV1 + Opus",
        video: Some(Video::Av1),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::ChromiumWhip(Some("av1")),
        columns: &Player::OF_CODEC,
    },
    Row {
        name: "firefox_whip",
        title: "Firefox: WHIP VP8 + Opus",
        video: Some(Video::Vp8),
        audio: Some(Audio::Opus),
        reordered: false,
        from: From::FirefoxWhip,
        columns: &Player::OF_CODEC,
    },
];

impl Row {
    /// The row of this name.
    pub(crate) fn named(name: &str) -> Self {
        *ROWS.iter().find(|row| row.name == name).expect("a row of the table")
    }

    /// Tracks of media.
    pub(crate) fn tracks(&self) -> usize {
        usize::from(self.video.is_some()) + usize::from(self.audio.is_some())
    }

    /// The sound that players of FLV, RTMP and HLS are served: those of H.264 may know no Opus.
    pub(crate) fn served_audio(&self) -> Option<Audio> {
        match (self.video, self.audio) {
            (None | Some(Video::H264), Some(Audio::Opus)) => Some(Audio::Aac),
            (_, audio) => audio,
        }
    }

    /// Its publisher is a browser, which draws, captures and encodes all at once.
    pub(crate) fn is_of_browser(&self) -> bool {
        match self.from {
            From::ChromiumWhip(_) | From::FirefoxWhip => true,
            From::Ffmpeg(_) | From::NewFfmpeg(_) | From::FfmpegWhip(_) | From::Push(_) | From::Gst => false,
        }
    }

    /// How much its publisher skips at times when it encodes live beside a dozen players, in seconds, half as much a step.
    pub(crate) fn stutter_s(&self) -> f64 {
        match self.from {
            From::Gst => 0.2,
            // It draws, captures, encodes and sends in a browser.
            From::ChromiumWhip(_) | From::FirefoxWhip => 0.25,
            From::Ffmpeg(_) | From::NewFfmpeg(_) | From::FfmpegWhip(_) | From::Push(_) => 0.0,
        }
    }

    /// Browsers have no decoder for it and get it from a converter by WebRTC.
    pub(crate) fn is_converted(&self) -> bool {
        self.video == Some(Video::H265)
    }

    /// Its codec takes so much that an encoder beside a browser would stall, and its stamps with it: it is encoded before.
    fn is_taped(&self) -> bool {
        matches!(self.video, Some(Video::Av1 | Video::Vp9 | Video::H265))
    }

    /// The picture and the sound carry marks that belong together.
    pub(crate) fn is_marked(&self) -> bool {
        let carries = match self.from {
            From::Ffmpeg(_) | From::NewFfmpeg(_) | From::FfmpegWhip(_) => true,
            From::ChromiumWhip(_) => true,
            // Without a loudspeaker Firefox's captured sound strays from its picture by tenths of a second.
            From::FirefoxWhip | From::Gst | From::Push(_) => false,
        };
        carries && self.tracks() == 2
    }

    /// Starts the publisher and waits until all its tracks are live.
    pub(crate) fn publish(&self, server: &mut Server, dir: &Path) -> Running {
        let rtmp = format!("rtmp://{}/live/{}", server.rtmp, self.name);
        let whip = format!("http://{}/live/{}/whip", server.http, self.name);
        let mut command = match self.from {
            From::Ffmpeg(encoder) => self.ffmpeg(&tool::find("ffmpeg", "ffmpeg"), encoder, "flv", &rtmp),
            From::NewFfmpeg(encoder) if self.is_taped() => self.tape(encoder, dir, &rtmp),
            From::NewFfmpeg(encoder) => self.ffmpeg(&tool::new_ffmpeg(), encoder, "flv", &rtmp),
            From::FfmpegWhip(encoder) => self.ffmpeg(&tool::new_ffmpeg(), encoder, "whip", &whip),
            From::Gst => gst(&rtmp),
            From::Push(fixture) => push(fixture, &rtmp),
            From::ChromiumWhip(codec) => {
                self.whip(server, "chromium", &tool::find("chromium", "chromium"), codec)
            }
            From::FirefoxWhip => {
                self.whip(server, "firefox", &tool::find("firefox-esr", "firefox-esr"), None)
            }
        };
        let mut running = Running::start(&mut command, dir, "publisher");
        server.wait_until_live(self.name, self.tracks(), &mut running);
        running
    }

    fn whip(&self, server: &Server, kind: &str, browser: &Path, codec: Option<&str>) -> Command {
        let mut command = Command::new(tool::find("node", "nodejs"));
        command.arg(tool::root().join("tests/interop/whip.mjs")).arg(kind);
        command.args([format!("http://{}", server.http), format!("live/{}", self.name)]);
        command.arg(browser).args(codec);
        command
    }

    /// Encodes a minute as fast as the machine can, and sends that in real time again and again.
    fn tape(&self, encoder: &str, dir: &Path, url: &str) -> Command {
        let tape = dir.join("tape.mkv");
        let mut encode = ffmpeg(&tool::new_ffmpeg());
        self.encode(&mut encode, &[], encoder);
        encode.args(["-t", TAPE_S, "-f", "matroska", "-y"]).arg(&tape);
        let encoded = encode.status().expect("ffmpeg runs");
        assert!(encoded.success(), "encoding {}: {encoded}", self.name);
        let mut command = ffmpeg(&tool::new_ffmpeg());
        command.args(["-re", "-stream_loop", "-1", "-i"]).arg(&tape).args(["-c", "copy"]);
        command.args(["-flvflags", "no_duration_filesize", "-f", "flv", url]);
        command
    }

    fn ffmpeg(&self, program: &Path, encoder: &str, muxer: &str, url: &str) -> Command {
        let mut command = ffmpeg(program);
        self.encode(&mut command, &["-re"], encoder);
        if muxer == "flv" {
            command.args(["-flvflags", "no_duration_filesize"]);
        }
        command.args(["-f", muxer, url]);
        command
    }

    /// What is drawn, played and encoded; `pace` comes before each input.
    fn encode(&self, command: &mut Command, pace: &[&str], encoder: &str) {
        if self.video.is_some() {
            command.args(pace).args(["-f", "lavfi", "-i", PICTURE]);
        }
        if self.audio.is_some() {
            command.args(pace).args(["-f", "lavfi", "-i", SOUND]);
        }
        if self.video.is_some() {
            command.args([encoder, GROUPS, COLOURS].iter().flat_map(|words| words.split(' ')));
        }
        match self.audio {
            Some(Audio::Aac) => command.args(["-c:a", "aac", "-b:a", "64k"]),
            Some(Audio::Opus) => command.args(["-c:a", "libopus", "-b:a", "64k", "-ar", "48000", "-ac", "2"]),
            None => command,
        };
    }
}

fn ffmpeg(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-hide_banner", "-v", "warning", "-nostdin"]);
    command
}

fn gst(url: &str) -> Command {
    let mut command = Command::new(tool::find("gst-launch-1.0", "gstreamer1.0-tools"));
    let graph = format!(
        "videotestsrc pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1 \
         ! x264enc key-int-max=50 speed-preset=veryfast tune=zerolatency bitrate=400 ! h264parse ! clocksync ! queue ! mux. \
         audiotestsrc ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=64000 ! aacparse ! clocksync ! queue ! mux. \
         flvmux name=mux streamable=true ! rtmp2sink location={url}"
    );
    command.args(graph.split_whitespace());
    command
}

fn push(fixture: &str, url: &str) -> Command {
    let mut command = Command::new(tool::openmic());
    command.arg("push").arg(tool::root().join("tests/fixtures").join(fixture)).args([url, "--loop"]);
    command
}
