//! ffmpeg plays what the packager makes of every fixture: all frames decode, both tracks, at the right times.
//!
//! `OPENMIC_FFMPEG` names a newer ffmpeg than Debian's; without it, `ffmpeg` and `ffprobe` must be installed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use media::codec::Kind;
use media::{Codec, Frame};
use rstest::rstest;
use wire::flv::demux::Event;
use wire::flv::{Demuxer, file};
use wire::fmp4;
use wire::hls::{Answer, Directives, Options, Packager, Resource, TrackKey};

/// Frames that went in, and the address of the playlist that came out.
struct Packaged {
    folder: tempdir::Folder,
    pictures: usize,
    sounds: usize,
}

mod tempdir {
    //! A folder that is removed with its owner.
    use super::*;

    pub(super) struct Folder(pub(super) PathBuf);

    impl Folder {
        pub(super) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("openmic-hls-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder for the segments");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn fixture(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

/// The frames of an FLV file with their codecs, in file order.
fn flv_frames(bytes: &Bytes) -> Vec<(TrackKey, Arc<Codec>, Frame)> {
    let (mut reader, mut demuxer) = (file::Reader::new(), Demuxer::new());
    reader.handle_input(bytes);
    let (mut codecs, mut frames) = (HashMap::new(), Vec::new());
    while let Some(tag) = reader.poll_tag().expect("a fixture is FLV") {
        for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            match event.expect("a fixture is right") {
                Event::Codec { track, codec } => drop(codecs.insert(track, Arc::new(codec))),
                Event::Frame { track, at, cts, sync, payload } => {
                    let codec: &Arc<Codec> = &codecs[&track];
                    let key = TrackKey(u32::from(track.id) + 256 * u32::from(codec.kind() == Kind::Audio));
                    frames.push((key, codec.clone(), Frame { dts: at, cts, sync, payload }));
                }
                Event::Metadata { .. } | Event::Script { .. } | Event::Sei { .. } | Event::End { .. } => {}
            }
        }
    }
    frames
}

fn mp4_frames(bytes: &Bytes) -> Vec<(TrackKey, Arc<Codec>, Frame)> {
    let file = fmp4::File::parse(bytes).expect("a fixture is MP4");
    let entries = file.frames().map(|entry| entry.expect("a fixture is right"));
    entries.map(|entry| (TrackKey(entry.track as u32), entry.codec, entry.frame)).collect()
}

/// Packages a fixture and writes playlist, init segments and segments into a folder.
fn package(name: &str) -> Packaged {
    let bytes = fixture(name);
    let frames = if name.ends_with(".mp4") { mp4_frames(&bytes) } else { flv_frames(&bytes) };
    let mut packager = Packager::new(Options { segments_listed: 100, ..Options::default() });
    let first: HashMap<_, _> = frames.iter().rev().map(|(key, codec, _)| (codec.kind(), *key)).collect();
    for (key, codec, frame) in &frames {
        packager.handle_frame(*key, codec, frame);
    }
    packager.handle_end();
    let count = |kind: Kind| {
        let key = first.get(&kind);
        frames.iter().filter(|(owner, codec, _)| codec.kind() == kind && Some(owner) == key).count()
    };
    let folder = tempdir::Folder::new(name);
    let Answer::Ready(text) = packager.poll_playlist(&Directives::default()) else { panic!("it has ended") };
    let text = String::from_utf8(text.to_vec()).expect("a playlist is text");
    let maps = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"'));
    for name in maps.chain(text.lines().filter(|line| !line.starts_with('#'))) {
        let bytes = match Resource::parse(name) {
            Some(Resource::Init(n)) => packager.init(n).expect("a named init segment is there").to_vec(),
            Some(Resource::Segment(msn)) => {
                packager.segment(msn).expect("a listed segment is there").concat()
            }
            other => panic!("{name}: {other:?}"),
        };
        std::fs::write(folder.0.join(name), bytes).expect("the folder takes files");
    }
    std::fs::write(folder.0.join("media.m3u8"), &text).expect("the folder takes files");
    Packaged { folder, pictures: count(Kind::Video), sounds: count(Kind::Audio) }
}

/// Runs a program and returns its standard output; fails on what it complains about.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}); install it: apt-get install ffmpeg")
    });
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.is_empty(), "{program} {arguments:?}: {complaints}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Time stamps of a stream's packets as ffprobe sees them, decode order, in microseconds.
fn packets(playlist: &Path, stream: &str) -> Vec<i64> {
    let playlist = playlist.to_str().expect("our folder's name is text");
    let select =
        ["-v", "error", "-select_streams", stream, "-show_entries", "packet=dts_time", "-of", "csv=p=0"];
    let text = run("ffprobe", &[&select[..], &[playlist]].concat());
    text.lines()
        .map(|line| line.trim_end_matches(','))
        .filter(|line| !line.is_empty())
        .map(|line| (line.parse::<f64>().expect("a time") * 1e6).round() as i64)
        .collect()
}

#[rstest]
#[case("h264_aac.mp4")]
#[case("h264_aac.flv")]
#[case("h264_bframes_aac.flv")]
#[case("h264_only.flv")]
#[case("aac_only.flv")]
#[case("hevc_aac.flv")]
#[case("hevc_legacy12.flv")]
#[case("av1_opus.flv")]
#[case("vp9_opus.flv")]
#[case("intra_refresh.flv")]
#[case("long_gop.flv")]
#[case("multitrack.flv")]
fn ffmpeg_decodes_every_frame_without_complaint(#[case] name: &str) {
    let packaged = package(name);
    let playlist = packaged.folder.0.join("media.m3u8");
    let path = playlist.to_str().expect("our folder's name is text");
    for (stream, count) in [("v:0", packaged.pictures), ("a:0", packaged.sounds)] {
        if count == 0 {
            continue;
        }
        let times = packets(&playlist, stream);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{stream}: {times:?}");
        // Sound before the first keyframe has no picture and is left out: at most what one part holds.
        assert!(times.len() <= count && times.len() + 24 >= count, "{stream}: {} of {count}", times.len());
        if stream == "v:0" {
            assert_eq!(times.len(), count);
        }
    }
    let ffmpeg = std::env::var("OPENMIC_FFMPEG").unwrap_or_else(|_| "ffmpeg".into());
    run(&ffmpeg, &["-v", "error", "-xerror", "-i", path, "-f", "null", "-"]);
}

#[test]
fn a_change_of_resolution_plays_on_in_each_init_segment() {
    let packaged = package("resolution_change.flv");
    let text = std::fs::read_to_string(packaged.folder.0.join("media.m3u8")).expect("we wrote it");
    assert_eq!(text.matches("#EXT-X-MAP").count(), 2, "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    let (before, after) = text.split_once("#EXT-X-DISCONTINUITY\n").expect("counted above");
    let mut pictures = 0;
    for (n, half) in [before, after].into_iter().enumerate() {
        let names = half.lines().filter(|line| line.starts_with("seg-"));
        let mut bytes = std::fs::read(packaged.folder.0.join(format!("init-{n}.mp4"))).expect("we wrote it");
        for name in names {
            bytes.extend(std::fs::read(packaged.folder.0.join(name)).expect("we wrote it"));
        }
        let path = packaged.folder.0.join(format!("half-{n}.mp4"));
        std::fs::write(&path, bytes).expect("the folder takes files");
        pictures += packets(&path, "v:0").len();
        let path = path.to_str().expect("our folder's name is text");
        run("ffmpeg", &["-v", "error", "-xerror", "-i", path, "-f", "null", "-"]);
    }
    assert_eq!(pictures, packaged.pictures);
}
