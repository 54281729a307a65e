//! What we write is read by mp4-atom; what ffmpeg writes is read by us; what is broken is refused.

use bytes::{BufMut, BytesMut};
use mp4_atom::{Decode, Ftyp, Moov};
use proptest::prelude::*;

use super::*;

const MP4: &[u8] = include_bytes!("../../../../tests/fixtures/h264_aac.mp4");

fn file() -> File {
    File::parse(&Bytes::from_static(MP4)).unwrap()
}

#[test]
fn a_file_of_ffmpeg_s_becomes_frames_in_decode_order() {
    let file = file();
    let names: Vec<_> = file.tracks().map(|codec| codec.name()).collect();
    assert_eq!(names, ["H.264", "AAC"]);
    let frames: Vec<_> = file.frames().map(Result::unwrap).collect();
    assert_eq!(frames.len(), file.len());
    assert_eq!(frames[0].frame.dts, Timestamp::ZERO);
    assert!(frames.windows(2).all(|pair| pair[0].frame.dts <= pair[1].frame.dts));
    for track in [0, 1] {
        let of_track: Vec<_> = frames.iter().filter(|entry| entry.track == track).collect();
        assert!(of_track.windows(2).all(|pair| pair[0].frame.dts < pair[1].frame.dts));
        assert!(of_track[0].frame.sync);
    }
    let first = frames.iter().find(|entry| entry.track == 0).unwrap();
    assert!(media::codec::h264::is_idr(&first.frame.payload));
    let sync = frames.iter().filter(|entry| entry.track == 0);
    assert!(
        sync.clone().all(|entry| { entry.frame.sync == media::codec::h264::is_idr(&entry.frame.payload) })
    );
}

#[test]
fn an_entry_of_vp8_tells_its_size_and_its_record_the_profile() {
    let Some((width, height)) = file().tracks().find_map(|codec| codec.resolution()) else {
        panic!("pictures")
    };
    let mut bytes = MP4.to_vec();
    let stsd = bytes.windows(4).position(|window| window == b"stsd").unwrap();
    for (old, new) in [(b"avc1", b"vp08"), (b"avcC", b"vpcC")] {
        let at = stsd + bytes[stsd..].windows(4).position(|window| window == old).unwrap();
        bytes[at..at + 4].copy_from_slice(new);
    }
    let file = File::parse(&bytes.into()).unwrap();
    let Some(Codec::Vp8(params)) = file.tracks().next().map(|codec| &**codec) else { panic!("no VP8") };
    assert_eq!((params.width, params.height), (width, height));
}

#[test]
fn an_init_segment_keeps_records_byte_for_byte_and_says_sizes_and_rates() {
    let codecs: Vec<_> = file().tracks().cloned().collect();
    let tracks: Vec<_> = (1..).zip(&codecs).map(|(id, codec)| Track { id, codec: codec.clone() }).collect();
    let bytes = init_segment(&tracks);
    let mut rest = bytes.as_ref();
    Ftyp::decode(&mut rest).unwrap();
    let moov = Moov::decode(&mut rest).unwrap();
    let Codec::H264(h264) = &*codecs[0] else { panic!("pictures first") };
    let tkhd = &moov.trak[0].tkhd;
    assert_eq!(
        (u32::from(tkhd.width.integer()), u32::from(tkhd.height.integer())),
        (h264.width, h264.height)
    );
    assert_eq!(moov.trak[0].mdia.mdhd.timescale, 90_000);
    assert!(bytes.windows(h264.config.len()).any(|window| window == h264.config));
    let Codec::Aac(aac) = &*codecs[1] else { panic!("then sound") };
    assert_eq!(moov.trak[1].mdia.mdhd.timescale, aac.sample_rate);
    assert!(bytes.windows(aac.config.len()).any(|window| window == aac.config));
}

#[test]
fn a_fragment_s_fields_are_left_out_when_the_defaults_say_it_all() {
    let sample = |duration, sync| Sample { duration, cts: 0, sync, payload: Bytes::from_static(b"abc") };
    let sound = [sample(1_024, true), sample(1_024, true)];
    let run = Run { track: 2, decode_time: 7, samples: &sound };
    let lean = fragment(1, &[run]);
    assert_eq!(lean.len(), 8 + 16 + 8 + 24 + 20 + 20 + 2 * 4 + 8 + 6);
    let pictures = [sample(3_000, true), sample(3_001, false)];
    let full = fragment(1, &[Run { track: 1, decode_time: 7, samples: &pictures }]);
    assert_eq!(full.len(), 8 + 16 + 8 + 16 + 20 + 20 + 2 * 12 + 8 + 6);
}

#[test]
fn composition_offsets_may_be_negative() {
    let payload = Bytes::from_static(b"x");
    let samples = [Sample { duration: 10, cts: -20, sync: true, payload }];
    let bytes = fragment(1, &[Run { track: 1, decode_time: 0, samples: &samples }]);
    let moof = mp4_atom::Moof::decode(&mut bytes.as_ref()).unwrap();
    assert_eq!(moof.traf[0].trun[0].samples.get(0).unwrap().cts, Some(-20));
}

#[test]
fn every_truncation_of_a_file_is_an_error_or_a_file_and_never_a_panic() {
    let moov = MP4.windows(4).position(|window| window == b"moov").unwrap();
    for len in (0..200).chain(moov - 8..(moov + 4_000).min(MP4.len())).chain([MP4.len() - 1]) {
        if let Ok(file) = File::parse(&Bytes::from_static(&MP4[..len.min(MP4.len())])) {
            assert!(file.frames().all(|entry| entry.is_ok()), "{len}");
        }
    }
}

/// `MP4` with the four bytes at `offset` behind the first box of `kind` replaced.
fn patched(kind: &[u8; 4], offset: usize, value: u32) -> Bytes {
    let mut bytes = MP4.to_vec();
    let at = bytes.windows(4).position(|window| window == kind).unwrap() + 4 + offset;
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    bytes.into()
}

#[test]
fn tables_that_claim_what_is_not_there_are_refused() {
    assert_eq!(File::parse(&patched(b"stsz", 8, u32::MAX)).unwrap_err(), Error::Truncated("stsz"));
    let claimed = u32::MAX as usize;
    let mut common = patched(b"stsz", 8, u32::MAX).to_vec();
    let at = common.windows(4).position(|window| window == b"stsz").unwrap() + 8;
    common[at..at + 4].copy_from_slice(&1_u32.to_be_bytes());
    assert_eq!(File::parse(&common.into()).unwrap_err(), Error::TooManySamples { claimed });
    let table = "the file";
    assert_eq!(File::parse(&patched(b"stco", 8, u32::MAX)).unwrap_err(), Error::Table { table, sample: 0 });
    assert!(matches!(File::parse(&patched(b"stco", 4, 0)), Ok(_) | Err(Error::Table { .. })));
    assert!(matches!(File::parse(&patched(b"stts", 4, 0)), Err(Error::Table { table: "stts", .. })));
    assert_eq!(File::parse(&patched(b"mdhd", 12, 0)).unwrap_err(), Error::Truncated("mdhd"));
}

#[test]
fn a_file_says_what_is_wrong_with_it() {
    assert_eq!(File::parse(&Bytes::new()).unwrap_err(), Error::Missing("moov"));
    let mut text = BytesMut::new();
    text.put_slice(b"RIFF....WAVE....");
    assert_eq!(File::parse(&text.freeze()).unwrap_err(), Error::Box { at: 0 });
    let codec = file().tracks().next().unwrap().clone();
    let init = init_segment(&[Track { id: 1, codec }]);
    assert_eq!(File::parse(&init).unwrap_err(), Error::Fragmented);
}

#[test]
fn a_loop_goes_on_after_the_last_frame() {
    let file = file();
    let last = file.frames().last().unwrap().unwrap().frame.dts;
    assert!(file.duration() > last - Timestamp::ZERO);
    assert!(file.duration() < last - Timestamp::ZERO + Span::from_millis(200));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic(at in 0..8_000_usize, bytes in prop::collection::vec(any::<u8>(), 1..8)) {
        let mut changed = MP4.to_vec();
        let moov = MP4.windows(4).position(|window| window == b"moov").unwrap();
        for (slot, byte) in changed.iter_mut().skip(moov - 4 + at).zip(bytes) {
            *slot = byte;
        }
        if let Ok(file) = File::parse(&changed.into()) {
            prop_assert!(file.frames().count() == file.len());
        }
    }
}

use bytes::Bytes;
use media::{Span, Timestamp};
