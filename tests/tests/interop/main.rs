//! Strangers, every in × every out: each row publishes once, and all players watch it.
//!
//! The table is written to `test-output/interop.md`; a failing cell names what was seen.

mod browser;
mod ffmpeg;
mod gst;
mod layers;
mod measure;
mod player;
mod row;
mod server;
mod table;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use browser::Drive;
use row::Row;
use server::Server;
use table::Cell;

/// An empty directory for what the programs leave behind.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop").join(name);
    drop(fs::remove_dir_all(&dir));
    fs::create_dir_all(&dir).expect("the target directory is writable");
    dir
}

/// Publishes the row, lets everyone play it, writes the table, and fails with all that is wrong.
fn everyone_plays(name: &str) {
    let row = Row::named(name);
    let dir = folder(row.name);
    let mut server = Server::start(&dir);
    let publisher = row.publish(&mut server, &dir);
    let cells = player::play_all(&row, &server, &dir);
    drop((publisher, server));
    table::write(&row, &cells);
    let wrong: Vec<String> = cells
        .iter()
        .filter_map(|(player, cell)| match cell {
            Cell::Fails(why) => Some(format!("{}: {why}", player.title())),
            Cell::Plays(_) | Cell::Cannot(_) => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} ({})\n{}", wrong.len(), cells.len(), dir.display(), wrong.join("\n"));
}

#[test]
fn everyone_plays_h264_and_aac_of_ffmpeg() {
    everyone_plays("h264_aac");
}

#[test]
fn everyone_plays_h264_with_b_frames_in_the_right_order() {
    everyone_plays("h264_bframes_aac");
}

#[test]
fn everyone_plays_sound_without_a_picture() {
    everyone_plays("aac_only");
}

#[test]
fn everyone_plays_a_picture_without_sound() {
    everyone_plays("h264_only");
}

#[test]
fn h265_is_played_by_whoever_can() {
    everyone_plays("h265_aac");
}

#[test]
fn av1_and_opus_are_played_by_whoever_can() {
    everyone_plays("av1_opus");
}

#[test]
fn vp9_and_opus_are_played_by_whoever_can() {
    everyone_plays("vp9_opus");
}

#[test]
fn everyone_plays_what_gstreamer_publishes() {
    everyone_plays("gst_h264_aac");
}

#[test]
fn everyone_plays_what_openmic_push_publishes() {
    everyone_plays("push_h264_aac");
}

#[test]
fn hls_js_plays_on_by_delta_updates() {
    const SECONDS: f64 = 14.0;
    let dir = folder("delta");
    // Short segments: the playlist is longer than the skip boundary after six seconds, not thirty-six.
    let short = [("OPENMIC_HLS_SEGMENT_MIN_MS", "500"), ("OPENMIC_HLS_SEGMENT_MAX_MS", "1000")];
    let mut server = Server::start_with(&dir, &short);
    let row = Row::named("push_h264_aac");
    let publisher = row.publish(&mut server, &dir);
    let seen = browser::deltas(&server, row.name, SECONDS, &dir);
    drop((publisher, server));
    let seen = seen.unwrap_or_else(|| panic!("{}", tool::read(&dir.join("delta.err"))));
    assert!(seen.started && seen.errors.is_empty(), "{seen:?}");
    assert!(seen.asked >= 10 && seen.updates >= 5, "{seen:?}");
    assert!((seen.played_s() - SECONDS).abs() < SECONDS * 0.15, "{seen:?}");
}

#[test]
fn hls_js_goes_down_a_ladder_and_up_again_while_it_plays_on() {
    let dir = folder("levels");
    let ladder = [
        ("OPENMIC_LADDER_STREAMS", r#"["live/*"]"#),
        ("OPENMIC_LADDER_RUNGS", "[{ height = 64, kbps = 100 }]"),
        ("OPENMIC_HLS_SEGMENT_MIN_MS", "1000"),
        ("OPENMIC_HLS_SEGMENT_MAX_MS", "2000"),
    ];
    let mut server = Server::start_with(&dir, &ladder);
    let row = Row::named("push_h264_aac");
    let publisher = row.publish(&mut server, &dir);
    let seen = browser::levels(&server, row.name, 2.0, &dir);
    drop((publisher, server));
    let seen = seen.unwrap_or_else(|| panic!("{}", tool::read(&dir.join("levels.err"))));
    assert!(seen.plays, "{seen:?}");
    let fatal = seen.errors.iter().any(|error| error.starts_with("fatal"));
    assert!(!fatal && seen.changes.iter().all(|change| change.came), "{seen:?}");
    let heights: Vec<u32> = seen.changes.iter().map(|change| change.height).collect();
    assert_eq!(heights, [120, 64, 120], "{seen:?}");
    // A rung that has just been started plays at the latest after a few of its segments.
    assert!(seen.changes.iter().all(|change| change.took_ms < 15_000.0), "{seen:?}");
    assert!(seen.played_s > 5.0 && seen.still_ms < 2_000.0, "{seen:?}");
}

#[test]
fn everyone_plays_what_ffmpeg_publishes_by_whip() {
    everyone_plays("whip_h264_opus");
}

#[test]
fn everyone_plays_what_chromium_publishes_by_whip() {
    everyone_plays("chromium_whip");
}

#[test]
fn chromium_publishes_in_layers_and_gets_the_one_that_it_shows() {
    layers::a_viewer_gets_what_it_shows(&folder("layers"));
}

#[test]
fn vp8_of_chromium_is_played_by_whoever_can() {
    everyone_plays("chromium_whip_vp8");
}

#[test]
fn vp9_of_chromium_is_played_by_whoever_can() {
    everyone_plays("chromium_whip_vp9");
}

#[test]
fn av1_of_chromium_is_played_by_whoever_can() {
    everyone_plays("chromium_whip_av1");
}

#[test]
fn what_firefox_publishes_by_whip_is_played_by_whoever_can() {
    everyone_plays("firefox_whip");
}

#[test]
fn whep_goes_by_tcp_where_udp_is_blocked() {
    let row = Row::named("whip_h264_opus");
    let dir = folder("whep_by_tcp");
    let mut server = Server::start(&dir);
    let _publisher = row.publish(&mut server, &dir);
    let browser = tool::find("chromium", "chromium");
    let (kind, stream, seconds) = ("tcp", row.name, measure::SECONDS);
    let run = Drive { kind, browser: &browser, server: &server, stream, seconds, players: &[] };
    let played = browser::watch(&run, &dir);
    let played = played.get("whep").unwrap_or_else(|| panic!("{}", tool::read(&dir.join("tcp.err"))));
    played.judge(&row).unwrap_or_else(|wrong| panic!("{wrong} ({})", dir.display()));
    assert_eq!(played.protocol(), Some("tcp"));
}
