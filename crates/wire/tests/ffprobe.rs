//! A stranger reads what we mux: Debian's ffprobe counts streams, frames and sizes in our FLV and MP4.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::codec::{g711, vp8};
use media::{Codec, Frame, Span, Timestamp};
use wire::flv::{Demuxer, Event, Muxer, TrackKey, file, meta, mux};
use wire::fmp4;

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

/// What ffprobe tells of a file's streams, sorted; it must not complain.
fn ffprobe(file: &[u8], entries: &str) -> Vec<String> {
    let mut ffprobe = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", entries, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffprobe must be installed for this test: apt-get install ffmpeg");
    let mut stdin = ffprobe.stdin.take().expect("a pipe was asked for");
    stdin.write_all(file).expect("ffprobe reads all");
    drop(stdin);
    let output = ffprobe.wait_with_output().expect("ffprobe ends with its input");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffprobe complains");
    let mut streams: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    streams.sort_unstable();
    streams
}

#[test]
fn ffprobe_decodes_every_frame_of_what_we_mux() {
    let streams = ffprobe(&muxed(), "stream=codec_name,width,height,nb_read_frames");
    assert_eq!(streams, ["aac,30", "h264,162,90,18"]);
}

#[test]
fn ffprobe_knows_g711_in_flv_and_mp4_and_vp8_in_mp4() {
    const ENTRIES: &str = "stream=codec_name,sample_rate,channels,width,height";
    let sound = |law| Codec::G711(g711::Params { law, channels: 1 });
    let payload = Bytes::from_static(&[0xD5; 1_600]);
    for (law, told) in [(g711::Law::A, "pcm_alaw,8000,1"), (g711::Law::Mu, "pcm_mulaw,8000,1")] {
        let codec = sound(law);
        let mut flv = BytesMut::from(&mux::file_header(true, false)[..]);
        for number in 0..20 {
            let dts = Timestamp::from_millis(number * 200);
            let frame = Frame { dts, cts: Span::ZERO, sync: true, payload: payload.clone() };
            assert!(Muxer::default().write_frame(&codec, &frame, 0, &mut flv));
        }
        assert_eq!(ffprobe(&flv, ENTRIES), [told], "FLV");
        let sample = fmp4::Sample { duration: 1_600, cts: 0, sync: true, payload: payload.clone() };
        assert_eq!(ffprobe(&mp4(codec, sample), ENTRIES), [told], "MP4");
    }
    // The first frame behind IVF's headers of 32 and 12 bytes.
    const IVF: &[u8] = include_bytes!("fixtures/rtp/vp8.ivf");
    let len = usize::from(u16::from_le_bytes([IVF[32], IVF[33]]));
    let payload = Bytes::from_static(&IVF[44..44 + len]);
    let key = vp8::Keyframe::parse(&payload).expect("a sound fixture").expect("a keyframe comes first");
    let codec = Codec::Vp8(vp8::Params::from_keyframe(&key));
    let sample = fmp4::Sample { duration: 6_000, cts: 0, sync: true, payload };
    assert_eq!(ffprobe(&mp4(codec, sample), ENTRIES), ["vp8,162,90"]);
}

/// A file of one track with one sample.
fn mp4(codec: Codec, sample: fmp4::Sample) -> Vec<u8> {
    let init = fmp4::init_segment(&[fmp4::Track { id: 1, codec: Arc::new(codec) }]);
    let runs = [fmp4::Run { track: 1, decode_time: 0, samples: &[sample] }];
    [init, fmp4::fragment(1, &runs)].concat()
}
