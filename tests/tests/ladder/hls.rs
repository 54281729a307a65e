//! The same by HLS: the multivariant playlist, its renditions, and who is counted as a viewer of them.

use std::collections::HashMap;
use std::time::Duration;

use e2e::healthy::until;
use e2e::http::get;
use e2e::rtmp::PATIENCE;
use m3u8_rs::{MasterPlaylist, MediaPlaylist};
use server::App;
use tokio::time::timeout;

use crate::stage::{H264, conversions, publish, publish_layers, serve};

const SOUND: &[u8] = include_bytes!("../../fixtures/aac_only.flv");

/// The multivariant playlist of `live/x`.
async fn multivariant(app: &App, query: &str) -> MasterPlaylist {
    let answer = get(app.addresses().http, &format!("/live/x.m3u8?wait_ms=10000{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (_, playlist) = m3u8_rs::parse_master_playlist(answer.text().as_bytes()).expect("well-formed");
    playlist
}

/// The addresses of its variants by what a session calls them; the source's name is empty.
fn variants(playlist: &MasterPlaylist) -> HashMap<String, String> {
    let named = playlist.variants.iter().map(|variant| {
        let uri = variant.uri.strip_prefix("./").expect("relative");
        let name =
            uri.strip_suffix("/media.m3u8").expect("a media playlist").split('/').nth(3).unwrap_or_default();
        (name.to_owned(), format!("/live/{uri}"))
    });
    named.collect()
}

async fn media(app: &App, uri: &str) -> (MediaPlaylist, String) {
    let answer = get(app.addresses().http, uri).await;
    assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
    let (_, playlist) = m3u8_rs::parse_media_playlist(answer.text().as_bytes()).expect("well-formed");
    (playlist, answer.text().to_owned())
}

/// Segment numbers by when each begins.
fn starts(playlist: &MediaPlaylist) -> HashMap<i64, u64> {
    let at = |segment: &m3u8_rs::MediaSegment| segment.program_date_time.map(|at| at.timestamp_millis());
    (playlist.media_sequence..)
        .zip(&playlist.segments)
        .filter_map(|(msn, one)| Some((at(one)?, msn)))
        .collect()
}

#[tokio::test]
async fn a_stream_with_a_ladder_lists_every_rung_and_starts_none_before_its_playlist_is_asked_for() {
    let app = serve(|config| {
        config.ladder.streams = vec!["live/*".into()];
        config.transcode.ffmpeg = "".into();
    });
    let app = app.await;
    let _live = publish(&app, H264, 2).await;
    let playlist = multivariant(&app, "").await;
    let told: Vec<_> = playlist
        .variants
        .iter()
        .map(|one| {
            (one.resolution.map(|size| (size.width, size.height)), one.codecs.clone().unwrap_or_default())
        })
        .collect();
    let sizes: Vec<_> = told.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes, [Some((160, 120)), Some((128, 96)), Some((86, 64)), None], "{told:?}");
    assert_eq!(told[1].1, "avc1.4D400A,mp4a.40.2");
    assert_eq!(told[3].1, "mp4a.40.2");
    assert!(playlist.independent_segments);
    for pair in playlist.variants.windows(2) {
        let average = |one: &m3u8_rs::VariantStream| one.average_bandwidth.expect("it is told");
        assert!(average(&pair[0]) > average(&pair[1]) && pair[0].bandwidth >= average(&pair[0]), "{pair:?}");
        assert!((pair[0].frame_rate.expect("it is told") - 25.0).abs() < 0.01);
    }
    assert!(conversions(&app).await.is_empty(), "nothing runs before it is asked for");

    let named = variants(&playlist);
    let (rung, text) = media(&app, &named["64p"]).await;
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "nothing came before its first segment: {text}");
    assert_eq!(conversions(&app).await.len(), 2, "a decoder and one rung");
    assert!(text.contains("#EXT-X-RENDITION-REPORT:URI=\"../media.m3u8\",LAST-MSN="), "{text}");
    let viewers = get(app.addresses().http, "/api/v1/broadcasts/live/x").await.json();
    assert_eq!(viewers["viewers"]["hls"], 1, "one player, whatever it changes to");
    let rungs = viewers["renditions"].as_array().expect("a list").clone();
    let names: Vec<_> = rungs.iter().map(|one| one["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["source", "96p", "64p", "audio"]);
    assert_eq!((&rungs[2]["readers"], &rungs[1]["readers"]), (&1.into(), &serde_json::Value::Null));
    assert!(rungs[2]["cores"].as_f64().is_some_and(|cores| cores > 0.0), "{rungs:?}");
    drop(rung);

    // Segments that begin at the same time have the same number in each, and all begin at the same times.
    let aligned = async {
        loop {
            let (source, _) = media(&app, &named[""]).await;
            let (rung, _) = media(&app, &named["64p"]).await;
            let (theirs, ours) = (starts(&source), starts(&rung));
            let common: Vec<_> = ours.iter().filter(|(at, _)| theirs.contains_key(at)).collect();
            if common.len() >= 3 {
                assert!(common.iter().all(|(at, msn)| theirs[at] == **msn), "{ours:?} {theirs:?}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    timeout(PATIENCE, aligned).await.expect("they have segments of the same times");
}

#[tokio::test]
async fn whoever_names_a_rendition_gets_that_one_and_others_get_the_source_where_no_ladder_is_configured() {
    let app = serve(|_| {}).await;
    let _live = publish(&app, H264, 2).await;
    let plain = variants(&multivariant(&app, "").await);
    assert_eq!(plain.len(), 1);
    assert!(plain.contains_key(""));
    let named = variants(&multivariant(&app, "&rendition=64p").await);
    assert_eq!(named.len(), 1);
    let (_, text) = media(&app, &named["64p"]).await;
    let base = named["64p"].strip_suffix("media.m3u8").expect("a playlist");
    let init = text.lines().find(|line| line.starts_with("#EXT-X-MAP")).expect("an init segment");
    let init = init.split('"').nth(1).expect("an address");
    assert_eq!(get(app.addresses().http, &format!("{base}{init}")).await.status, 200);
    let sound = multivariant(&app, "&rendition=audio").await;
    assert_eq!(sound.variants[0].codecs.as_deref(), Some("mp4a.40.2"));
    let strange = get(app.addresses().http, "/live/x.m3u8?rendition=480p").await;
    assert_eq!(strange.status, 404);
    // No name of a rendition leads anywhere that was not offered.
    let session = plain[""].strip_suffix("media.m3u8").expect("a playlist");
    for (name, status) in [("480p", 404), ("065p", 404), ("..", 404), ("source", 404), ("%36%34p", 404)] {
        let answer = get(app.addresses().http, &format!("{session}{name}/media.m3u8")).await;
        assert!(answer.status == status || answer.status == 400, "{name}: {}", answer.status);
    }
}

#[tokio::test]
async fn layers_of_a_publisher_are_the_variants_and_each_has_its_pictures() {
    let app = serve(|_| {}).await;
    let publisher = publish_layers(&app).await;
    let path = media_path();
    let broadcast = app.context().find(&path, PATIENCE).await.expect("somebody publishes");
    let is_known = || broadcast.tracks().iter().filter(|track| track.stats.group_bytes > 0).count() == 3;
    until("its tracks are known", is_known).await;
    let playlist = multivariant(&app, "").await;
    let sizes: Vec<_> = playlist.variants.iter().map(|one| one.resolution.map(|size| size.height)).collect();
    assert_eq!(sizes, [Some(120), Some(60), None]);
    let named = variants(&playlist);
    let (lower, _) = media(&app, &named["60p"]).await;
    assert!(!lower.segments.is_empty());
    assert!(conversions(&app).await.is_empty(), "nothing is made");
    publisher.abort();
}

fn media_path() -> media::Path {
    media::Path::new("live/x").expect("well-formed")
}

#[tokio::test]
async fn sound_alone_is_one_variant_and_has_no_ladder() {
    let app = serve(|config| config.ladder.streams = vec!["*".into()]).await;
    let _live = publish(&app, SOUND, 1).await;
    let playlist = multivariant(&app, "").await;
    assert_eq!(playlist.variants.len(), 1);
    assert_eq!(playlist.variants[0].codecs.as_deref(), Some("mp4a.40.2"));
}

/// Runs FFmpeg's own HLS player, which opens every variant, and takes one of them.
#[tokio::test]
async fn ffmpeg_plays_every_variant_with_its_sound_in_step() {
    let app = serve(|config| config.ladder.streams = vec!["live/*".into()]).await;
    let _live = publish(&app, H264, 2).await;
    for (name, size) in [("source", "160,120"), ("96p", "128,96"), ("64p", "86,64")] {
        let url = format!("http://{}/live/x.m3u8?rendition={name}", app.addresses().http);
        let arguments = "-v error -read_intervals %+2 -show_entries stream=width,height,start_time:frame=pts_time,stream_index \
            -of csv";
        let mut command = tokio::process::Command::new("ffprobe");
        let probing = command.args(arguments.split_whitespace()).arg(url).kill_on_drop(true).output();
        let probed = timeout(PATIENCE, probing).await.expect("it plays").expect("these tests need ffprobe");
        let told = String::from_utf8(probed.stdout).expect("text");
        assert!(told.contains(size), "{name}: {told} {}", String::from_utf8_lossy(&probed.stderr));
        let times = |stream: &str| -> Vec<f64> {
            let lines = told.lines().filter_map(|line| line.strip_prefix("frame,")?.strip_prefix(stream));
            lines.filter_map(|rest| rest.split(',').find_map(|field| field.parse().ok())).collect()
        };
        let (pictures, sounds) = (times("0,"), times("1,"));
        assert!(pictures.len() >= 25 && sounds.len() >= 40, "{name}: {told}");
        let apart = (pictures[0] - sounds[0]).abs();
        // Of a segment that is joined, sound begins with the next whole frame of 23 ms, and pictures are 40 ms apart.
        assert!(apart <= 0.065, "{name}: sound begins {apart} s from the picture");
    }
}
