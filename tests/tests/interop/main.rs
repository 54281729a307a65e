//! Strangers, every in × every out: each row publishes once, and all players watch it.
//!
//! The table is written to `test-output/interop.md`; a failing cell names what was seen.

mod browser;
mod ffmpeg;
mod gst;
mod measure;
mod player;
mod row;
mod server;
mod table;
mod tool;

use std::fs;

use row::Row;
use server::Server;
use table::Cell;

/// Publishes the row, lets everyone play it, writes the table, and fails with all that is wrong.
fn everyone_plays(name: &str) {
    let row = Row::named(name);
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop").join(row.name);
    drop(fs::remove_dir_all(&dir));
    fs::create_dir_all(&dir).expect("the target directory is writable");
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
