//! The outputs: who plays what, one column of the matrix each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crate::browser::{self, Played};
use crate::ffmpeg::{self, Watched};
use crate::gst::{self, Source};
use crate::measure::Asked;
use crate::row::{FPS, Row, Video};
use crate::server::Server;
use crate::table::Cell;
use crate::tool;

/// Programs at a time: two cores decode that many small pictures and the encoder still keeps its pace.
const PROGRAMS_MAX: usize = 3;

/// A playing program, library or element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    WebkitHls,
    Whep,
}

/// A program to run for one or several columns.
#[derive(Clone, Copy, Debug)]
enum Program {
    One(Player),
    Chromium,
    Webkit,
}

impl Player {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 15] = [
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
        Self::WebkitHls,
        Self::Whep,
    ];

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
            Self::WebkitHls => "WebKitGTK native HLS",
            Self::Whep => "Chromium WHEP",
        }
    }

    /// The name that `browser.mjs` gives it.
    fn in_browser(self) -> Option<&'static str> {
        match self {
            Self::MpegtsFlv => Some("http_flv"),
            Self::MpegtsWs => Some("ws_flv"),
            Self::HlsJs => Some("hls"),
            Self::OwnPage => Some("live_player"),
            Self::WebkitHls => Some("webkit_hls"),
            Self::Whep => Some("whep"),
            Self::FfmpegRtmp | Self::FfmpegFlv | Self::FfmpegHls => None,
            Self::NewFfmpegRtmp | Self::NewFfmpegFlv | Self::NewFfmpegHls => None,
            Self::GstRtmp | Self::GstFlv | Self::GstHls => None,
        }
    }

    /// Why this player cannot play this input, and what it says then. What is not here must play.
    fn cannot(self, row: &Row) -> Option<(&'static str, &'static str)> {
        const OLD_FLV: &str = "FFmpeg 5.1 reads no Enhanced RTMP";
        const GST_FLV: &str = "GStreamer 1.22 reads no Enhanced RTMP";
        match (self, row.video?) {
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
            (Self::Whep, Video::H265) => Some(("Debian's Chromium has no H.265", "this stream is H265")),
            (
                Self::FfmpegHls
                | Self::NewFfmpegRtmp
                | Self::NewFfmpegFlv
                | Self::NewFfmpegHls
                | Self::GstHls
                | Self::HlsJs
                | Self::OwnPage
                | Self::MpegtsFlv
                | Self::MpegtsWs
                | Self::WebkitHls
                | Self::Whep,
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
            Self::Whep => format!("http://{}/live/{}/whep", server.http, row.name),
        }
    }
}

/// Runs every player against a row that is live.
pub(crate) fn play_all(row: &Row, server: &Server, dir: &Path) -> Vec<(Player, Cell)> {
    let programs =
        Player::ALL.iter().filter(|player| player.in_browser().is_none()).map(|player| Program::One(*player));
    // The slowest first.
    let queue = Mutex::new(
        [Program::Chromium, Program::Webkit].into_iter().chain(programs).collect::<Vec<_>>().into_iter(),
    );
    let cells = Mutex::new(vec![]);
    thread::scope(|scope| {
        for _ in 0..PROGRAMS_MAX {
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
    };
    let played = browser::watch(kind, &browser, server, row, dir);
    let is_here = |player: &&Player| (**player == Player::WebkitHls) == (kind == "webkit");
    let players = Player::ALL.iter().filter(|player| player.in_browser().is_some()).filter(is_here);
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
        | Player::WebkitHls
        | Player::Whep => {
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
        stutter_s: row.stutter_s(),
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
