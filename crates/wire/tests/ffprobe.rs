//! A stranger reads what we mux: Debian's ffprobe counts streams, frames and sizes in our FLV.

use std::io::Write;
use std::process::{Command, Stdio};

use bytes::BytesMut;
use media::{Codec, Frame, Timestamp};
use wire::flv::{Demuxer, Event, Muxer, TrackKey, file, meta, mux};

const AVC_AAC: &[u8] = include_bytes!("fixtures/flv/avc_aac.flv");

fn events() -> Vec<Event> {
    let mut reader = file::Reader::new();
    reader.handle_input(AVC_AAC);
    let mut demuxer = Demuxer::new();
    let tags = std::iter::from_fn(|| reader.poll_tag().expect("a sound fixture"));
    let events = tags.flat_map(|tag| demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body));
    events.map(|event| event.expect("a sound fixture")).collect()
}

/// Our metadata, sequence headers and frames in a file of our own.
fn muxed() -> BytesMut {
    let events = events();
    let codecs: Vec<(TrackKey, Codec)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Codec { track, codec } => Some((*track, codec.clone())),
            _ => None,
        })
        .collect();
    let muxer = Muxer::default();
    let mut out = BytesMut::from(&mux::file_header(true, true)[..]);
    let tracks: Vec<meta::Track<'_>> =
        codecs.iter().map(|(key, codec)| meta::Track { key: *key, codec, bitrate: None }).collect();
    mux::write_tag(wire::flv::TagKind::Script, Timestamp::ZERO, &meta::body(&tracks, &muxer), &[], &mut out);
    for (key, codec) in &codecs {
        muxer.write_sequence_header(codec, key.id, Timestamp::ZERO, &mut out);
    }
    for event in &events {
        if let Event::Frame { track, at, cts, sync, payload } = event {
            let (_, codec) = codecs.iter().find(|(key, _)| key == track).expect("a codec comes first");
            let frame = Frame { dts: *at, cts: *cts, sync: *sync, payload: payload.clone() };
            assert!(muxer.write_frame(codec, &frame, track.id, &mut out));
        }
    }
    out
}

#[test]
fn ffprobe_decodes_every_frame_of_what_we_mux() {
    let mut ffprobe = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=codec_name,width,height,nb_read_frames", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffprobe must be installed for this test: apt-get install ffmpeg");
    let mut stdin = ffprobe.stdin.take().expect("a pipe was asked for");
    stdin.write_all(&muxed()).expect("ffprobe reads all");
    drop(stdin);
    let output = ffprobe.wait_with_output().expect("ffprobe ends with its input");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffprobe complains");
    let told = String::from_utf8_lossy(&output.stdout);
    let mut streams: Vec<&str> = told.lines().collect();
    streams.sort_unstable();
    assert_eq!(streams, ["aac,30", "h264,162,90,18"]);
}
