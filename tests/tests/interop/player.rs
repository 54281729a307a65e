//! The outputs: who plays what, one column of the matrix each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crate::browser::{self, Drive, Played};
use crate::ffmpeg::{self, Watched};
use crate::gst::{self, Source};
use crate::measure::{Asked, SECONDS};
use crate::row::{FPS, Row, Video};
use crate::server::Server;
use crate::table::Cell;
use crate::tool;

/// Programs at a time: two cores decode that many small pictures and the encoder still keeps its pace.
const PROGRAMS_MAX: usize = 3;
/// Beside a browser that publishes, which takes most of a core and loses sound when it gets less.
const PROGRAMS_BESIDE_BROWSER_MAX: usize = 2;

/// A playing program, library or element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Player {
    FfmpegRtmp,
    FfmpegFlv,
    FfmpegHls,
    NewFfmpegRtmp,
    NewFfmpegFlv,
    NewFfmpegHls,
    GstRtmp,
    GstFlv,
    GstHls,
    MpegtsFlv,
    MpegtsWs,
    HlsJs,
    OwnPage,
    RtcPage,
    WebkitHls,
    Whep,
    FirefoxWhep,
}

/// A program to run for one or several columns, the slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Program {
    Webkit,
    Chromium,
    Firefox,
    One(Player),
}

impl Player {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 17] = [
        Self::FfmpegRtmp,
        Self::FfmpegFlv,
        Self::FfmpegHls,
        Self::NewFfmpegRtmp,
        Self::NewFfmpegFlv,
        Self::NewFfmpegHls,
        Self::GstRtmp,
        Self::GstFlv,
        Self::GstHls,
        Self::MpegtsFlv,
        Self::MpegtsWs,
        Self::HlsJs,
        Self::OwnPage,
        Self::RtcPage,
        Self::WebkitHls,
        Self::Whep,
        Self::FirefoxWhep,
    ];

    /// All but the last, Firefox, which refuses H.264 whoever publishes it.
    pub(crate) const OF_H264: &[Self] = Self::ALL.split_at(Self::ALL.len() - 1).0;

    /// Those that tell something of a codec that its publisher chose from what it can: by WebRTC as it is.
    pub(crate) const OF_CODEC: [Self; 3] = [Self::RtcPage, Self::Whep, Self::FirefoxWhep];

    /// Gaps that the player itself makes: GStreamer's old `hlsdemux` leaves up to 0.8 s of a sound without a picture out on a
    /// busy machine, where FFmpeg and hls.js get all of the same segments.
    fn stutter_s(self) -> f64 {
        const GST_HLS_S: f64 = 0.5;
        if self == Self::GstHls { GST_HLS_S } else { 0.0 }
    }

    /// What the table says.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::FfmpegRtmp => "ffmpeg 5.1 RTMP",
            Self::FfmpegFlv => "ffmpeg 5.1 HTTP-FLV",
            Self::FfmpegHls => "ffmpeg 5.1 HLS",
            Self::NewFfmpegRtmp => "ffmpeg 9 RTMP",
            Self::NewFfmpegFlv => "ffmpeg 9 HTTP-FLV",
            Self::NewFfmpegHls => "ffmpeg 9 HLS",
            Self::GstRtmp => "GStreamer rtmp2src",
            Self::GstFlv => "GStreamer HTTP-FLV",
            Self::GstHls => "GStreamer HLS",
            Self::MpegtsFlv => "mpegts.js HTTP-FLV",
            Self::MpegtsWs => "mpegts.js WS-FLV",
            Self::HlsJs => "hls.js LL-HLS",
            Self::OwnPage => "`<live-player>` page",
            Self::RtcPage => "`<live-player mode=\"RTC\">` page",
            Self::WebkitHls => "WebKitGTK native HLS",
            Self::Whep => "Chromium WHEP",
            Self::FirefoxWhep => "Firefox WHEP",
        }
    }

    /// The name that `browser.mjs` gives it.
    fn in_browser(self) -> Option<&'static str> {
        match self {
            Self::MpegtsFlv => Some("http_flv"),
            Self::MpegtsWs => Some("ws_flv"),
            Self::HlsJs => Some("hls"),
            Self::OwnPage => Some("live_player"),
            Self::RtcPage => Some("rtc_player"),
            Self::WebkitHls => Some("webkit_hls"),
            Self::Whep => Some("whep"),
            Self::FirefoxWhep => Some("firefox_whep"),
            Self::FfmpegRtmp | Self::FfmpegFlv | Self::FfmpegHls => None,
            Self::NewFfmpegRtmp | Self::NewFfmpegFlv | Self::NewFfmpegHls => None,
            Self::GstRtmp | Self::GstFlv | Self::GstHls => None,
        }
    }

    fn program(self) -> Program {
        match self {
            Self::MpegtsFlv | Self::MpegtsWs | Self::HlsJs | Self::OwnPage | Self::RtcPage | Self::Whep => {
                Program::Chromium
            }
            Self::WebkitHls => Program::Webkit,
            Self::FirefoxWhep => Program::Firefox,
            Self::FfmpegRtmp | Self::FfmpegFlv | Self::FfmpegHls => Program::One(self),
            Self::NewFfmpegRtmp | Self::NewFfmpegFlv | Self::NewFfmpegHls => Program::One(self),
            Self::GstRtmp | Self::GstFlv | Self::GstHls => Program::One(self),
        }
    }

    /// Why this player cannot play this input, and what it says then. What is not here must play.
    fn cannot(self, row: &Row) -> Option<(&'static str, &'static str)> {
        const OLD_FLV: &str = "FFmpeg 5.1 reads no Enhanced RTMP";
        const GST_FLV: &str = "GStreamer 1.22 reads no Enhanced RTMP";
        const FIREFOX: &str = "Firefox has no H.264 without a plug-in that Debian does not carry";
        match (self, row.video?) {
            (Self::FirefoxWhep, Video::H264) => Some((FIREFOX, "this stream is H264")),
            (Self::FirefoxWhep, Video::H265) => Some((FIREFOX, "this stream is H265")),
            (_, Video::H264) => None,
            (Self::FfmpegRtmp | Self::FfmpegFlv, Video::H265) => Some((OLD_FLV, "dimensions not set")),
            (Self::FfmpegRtmp | Self::FfmpegFlv, Video::Av1 | Video::Vp9 | Video::Vp8) => {
                Some((OLD_FLV, "codec none"))
            }
            (Self::GstRtmp | Self::GstFlv, _) => Some((GST_FLV, "Internal data stream error")),
            (Self::GstHls, Video::Av1) => {
                Some(("GStreamer's av1dec gives up where dav1d goes on", "Failed to decode frame"))
            }
            (Self::MpegtsFlv | Self::MpegtsWs, Video::H265) => {
                Some(("Debian's Chromium has no H.265", "is unsupported"))
            }
            (Self::HlsJs, Video::H265) => {
                Some(("Debian's Chromium has no H.265", "manifestIncompatibleCodecsError"))
            }
            (Self::OwnPage, Video::H265) => {
                Some(("Debian's Chromium has no H.265", "Its codec is not supported here"))
            }
            (Self::MpegtsFlv | Self::MpegtsWs, Video::Vp9 | Video::Vp8) => {
                Some(("mpegts.js knows neither VP9 nor VP8", "Unsupported codec in video frame"))
            }
            (
                Self::FfmpegHls
                | Self::NewFfmpegRtmp
                | Self::NewFfmpegFlv
                | Self::NewFfmpegHls
                | Self::GstHls
                | Self::HlsJs
                | Self::OwnPage
                | Self::RtcPage
                | Self::MpegtsFlv
                | Self::MpegtsWs
                | Self::WebkitHls
                | Self::Whep
                | Self::FirefoxWhep,
                _,
            ) => None,
        }
    }

    fn url(self, server: &Server, row: &Row) -> String {
        match self {
            Self::FfmpegRtmp | Self::NewFfmpegRtmp | Self::GstRtmp => {
                format!("rtmp://{}/live/{}", server.rtmp, row.name)
            }
            Self::FfmpegFlv | Self::NewFfmpegFlv | Self::GstFlv | Self::MpegtsFlv | Self::MpegtsWs => {
                format!("http://{}/live/{}.flv", server.http, row.name)
            }
            Self::FfmpegHls
            | Self::NewFfmpegHls
            | Self::GstHls
            | Self::HlsJs
            | Self::OwnPage
            | Self::WebkitHls => {
                format!("http://{}/live/{}.m3u8", server.http, row.name)
            }
            Self::Whep | Self::FirefoxWhep | Self::RtcPage => {
                format!("http://{}/live/{}/whep", server.http, row.name)
            }
        }
    }
}

/// Runs every player against a row that is live.
pub(crate) fn play_all(row: &Row, server: &Server, dir: &Path) -> Vec<(Player, Cell)> {
    let mut programs: Vec<Program> = row.columns.iter().map(|player| player.program()).collect();
    programs.sort_unstable();
    programs.dedup();
    let queue = Mutex::new(programs.into_iter());
    let cells = Mutex::new(vec![]);
    thread::scope(|scope| {
        let programs_max = if row.is_of_browser() { PROGRAMS_BESIDE_BROWSER_MAX } else { PROGRAMS_MAX };
        for _ in 0..programs_max {
            scope.spawn(|| {
                loop {
                    let Some(program) = queue.lock().expect("no worker panics while it holds it").next()
                    else {
                        return;
                    };
                    let made = run(program, row, server, dir);
                    cells.lock().expect("no worker panics while it holds it").extend(made);
                }
            });
        }
    });
    let mut cells = cells.into_inner().expect("the workers are done");
    cells.sort_by_key(|(player, _)| Player::ALL.iter().position(|each| each == player));
    cells
}

fn run(program: Program, row: &Row, server: &Server, dir: &Path) -> Vec<(Player, Cell)> {
    let (kind, browser) = match program {
        Program::One(player) => return vec![(player, run_one(player, row, server, dir))],
        Program::Chromium => ("chromium", tool::find("chromium", "chromium")),
        Program::Webkit => ("webkit", tool::mini_browser()),
        Program::Firefox => ("firefox", tool::find("firefox-esr", "firefox-esr")),
    };
    let players = row.columns.iter().filter(|player| player.program() == program);
    let names: Vec<_> = players.clone().filter_map(|player| player.in_browser()).collect();
    // Two browsers, of which one encodes, take some seconds on a busy machine to bring sight and sound together.
    let seconds = if row.is_of_browser() { 2.0 * SECONDS } else { SECONDS };
    let run = Drive { kind, browser: &browser, server, stream: row.name, seconds, players: &names };
    let played = browser::watch(&run, dir);
    let log = || tool::read(&dir.join(format!("{kind}.err")));
    players.map(|player| (*player, browser_cell(*player, &played, row, &log))).collect()
}

fn browser_cell(
    player: Player,
    played: &HashMap<String, Played>,
    row: &Row,
    log: &dyn Fn() -> String,
) -> Cell {
    let Some(played) = player.in_browser().and_then(|name| played.get(name)) else {
        return Cell::Fails(format!("the browser's driver said nothing of it: {}", log()));
    };
    let said = played.complaints().join("\n");
    cell(player, row, played.judge(row), &said)
}

fn run_one(player: Player, row: &Row, server: &Server, dir: &Path) -> Cell {
    let name = format!("{player:?}");
    let url = player.url(server, row);
    let from_ffmpeg = |ffmpeg: PathBuf| (ffmpeg::watch(&ffmpeg, &url, dir, &name), true);
    let from_gst = |source| (gst::watch(row, source, &url, dir, &name), false);
    let (Watched { mut seen, said }, is_ffmpeg) = match player {
        Player::FfmpegRtmp | Player::FfmpegFlv | Player::FfmpegHls => {
            from_ffmpeg(tool::find("ffmpeg", "ffmpeg"))
        }
        Player::NewFfmpegRtmp | Player::NewFfmpegFlv | Player::NewFfmpegHls => {
            from_ffmpeg(tool::new_ffmpeg())
        }
        Player::GstRtmp => from_gst(Source::Rtmp),
        Player::GstFlv => from_gst(Source::Flv),
        Player::GstHls => from_gst(Source::Hls),
        Player::MpegtsFlv
        | Player::MpegtsWs
        | Player::HlsJs
        | Player::OwnPage
        | Player::RtcPage
        | Player::WebkitHls
        | Player::Whep
        | Player::FirefoxWhep => {
            unreachable!("browsers play several at a time")
        }
    };
    if row.stutter_s() > 0.0 {
        // What FFmpeg warns of is the gap, which is judged by its length.
        seen.complaints.retain(|said| !said.contains("[warning]"));
    }
    let packet_s = gst::audio_frame_s(row);
    let asked = Asked {
        video_frame_s: row.video.map(|_| 1.0 / FPS),
        audio_frame_s: if is_ffmpeg { row.audio.map(|_| ffmpeg::PIECE_S) } else { packet_s },
        audio_packet_s: packet_s.unwrap_or_default(),
        marked: row.is_marked() && is_ffmpeg,
        reordered: row.reordered && is_ffmpeg,
        // Two B-frames, as x264 is asked for.
        stutter_s: row.stutter_s() + player.stutter_s(),
        reorder_s: if row.reordered { 2.0 / FPS } else { 0.0 },
    };
    cell(player, row, seen.judge(&asked), &format!("{}\n{}", said.err, said.out))
}

/// A player that cannot must say so; any other must play.
fn cell(player: Player, row: &Row, judged: Result<String, String>, said: &str) -> Cell {
    match (player.cannot(row), judged) {
        // A player that has learnt what it could not do is welcome to.
        (None | Some(_), Ok(words)) => Cell::Plays(words),
        (None, Err(words)) => Cell::Fails(words),
        (Some((reason, words)), Err(_)) if said.contains(words) => {
            Cell::Cannot(format!("{reason} (“{words}”)"))
        }
        (Some((reason, words)), Err(judged)) => {
            Cell::Fails(format!("{reason}, but it does not say “{words}”: {judged}"))
        }
    }
}
