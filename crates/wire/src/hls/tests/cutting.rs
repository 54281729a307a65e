//! Where parts and segments end, for sources of every kind.

use super::*;
use crate::hls::{Answer, Directives, Position};

fn seconds(list: &rules::Playlist) -> Vec<f64> {
    list.segments.iter().filter_map(|segment| segment.micros).map(|micros| micros as f64 / 1e6).collect()
}

#[test]
fn a_keyframe_every_two_seconds_begins_each_segment() {
    let mut source = Source::new(Options::default());
    source.run(30_000);
    let list = source.playlist();
    assert!(list.independent);
    assert!(seconds(&list).iter().all(|&s| s == 2.0), "{list:?}");
    assert!(list.segments.iter().all(|segment| segment.parts.first().is_none_or(|p| p.independent)));
}

#[test]
fn groups_of_ten_seconds_are_cut_within_the_target_and_again_at_the_keyframe() {
    let mut source = Source::new(Options { segments_listed: 12, ..Options::default() });
    source.group = 250;
    source.run(31_000);
    let list = source.playlist();
    assert!(!list.independent, "the second segment of a group begins without a keyframe");
    let starts: Vec<_> = seconds(&list)
        .iter()
        .scan(0.0, |at, s| {
            *at += s;
            Some((*at * 1e6_f64).round() as i64)
        })
        .collect();
    assert!(starts.contains(&10_000_000) && starts.contains(&20_000_000), "{starts:?}");
}

#[test]
fn a_start_waits_for_sound_that_is_known_to_come_and_not_long_for_what_may_never() {
    let tracks_at_first = |both| {
        let mut source = Source::new(Options { both, ..Options::default() });
        let sound = source.audio.take();
        source.run(1_800);
        source.audio = sound;
        source.from[1] = 1_800_000;
        source.run(8_000);
        let first = (0..).find_map(|n| source.packager.init(n)).expect("it has begun");
        rules::init(&first).len()
    };
    assert_eq!(tracks_at_first(true), 2, "players that began with pictures alone never take sound in");
    assert_eq!(tracks_at_first(false), 1);
}

#[test]
fn a_stream_without_keyframes_is_cut_by_time_alone() {
    let mut source = Source::new(Options::default());
    source.group = 0;
    source.run(40_000);
    let list = source.playlist();
    assert!(!list.independent);
    assert!(seconds(&list).iter().all(|&s| s > 5.0 && s <= 6.0), "{:?}", seconds(&list));
}

#[test]
fn sound_alone_is_cut_every_two_seconds() {
    let mut source = Source::new(Options::default());
    source.video = None;
    source.run(30_000);
    let list = source.playlist();
    assert!(list.independent);
    assert!(seconds(&list).iter().all(|&s| (2.0..2.1).contains(&s)), "{:?}", seconds(&list));
    assert!(list.segments.iter().flat_map(|s| &s.parts).all(|part| part.independent));
}

#[test]
fn pictures_alone_at_ten_a_second_get_a_part_target_that_fits_them() {
    let mut source = Source::new(Options::default());
    (source.audio, source.interval, source.group) = (None, 100_000, 20);
    source.run(30_000);
    let list = source.playlist();
    assert_eq!(list.part_target, 521_000);
    assert_eq!(list.segments[0].micros, Some(2_000_000));
}

#[test]
fn pictures_once_in_two_seconds_with_sound_keep_the_part_rules() {
    let mut source = Source::new(Options::default());
    (source.interval, source.group) = (2_000_000, 4);
    source.run(40_000);
    assert_eq!(source.playlist().part_target, 500_000);
}

#[test]
fn a_picture_longer_than_the_target_duration_becomes_a_discontinuity() {
    let mut source = Source::new(Options::default());
    (source.audio, source.interval, source.group) = (None, 10_000_000, 1);
    source.run(60_000);
    let list = source.playlist();
    assert!(list.segments.iter().skip(1).all(|segment| segment.discontinuity));
}

#[test]
fn a_publisher_that_stalls_and_goes_on_leaves_one_discontinuity_and_the_right_time_of_day() {
    let mut source = Source::new(Options { segments_listed: 20, ..Options::default() });
    source.packager.handle_wall_clock(Timestamp::ZERO, crate::hls::UnixMicros(1_700_000_000_000_000));
    source.run(5_000);
    source.stall(14_000);
    source.run(20_000);
    let list = source.playlist();
    let jumps: Vec<_> = list.segments.iter().filter(|segment| segment.discontinuity).collect();
    assert_eq!(jumps.len(), 1);
    assert_eq!(jumps[0].date.as_deref(), Some("2023-11-14T22:13:34.000Z"));
    assert_eq!(list.segments[0].date.as_deref(), Some("2023-11-14T22:13:20.000Z"));
}

#[test]
fn sound_that_begins_700_ms_late_is_in_the_first_init_segment() {
    let mut source = Source::new(Options::default());
    source.from[1] = 700_000;
    source.run(8_000);
    let list = source.playlist();
    assert_eq!(rules::init(&source.packager.init(0).unwrap()), [(1, 90_000), (2, 48_000)]);
    assert!(list.segments.iter().all(|segment| !segment.discontinuity));
}

#[test]
fn sound_that_never_comes_holds_nothing_up_for_longer_than_a_second() {
    let mut source = Source::new(Options::default());
    source.audio = None;
    source.run(1_700);
    assert_eq!(rules::init(&source.packager.init(0).unwrap()), [(1, 90_000)]);
    let ask = |query| source.packager.poll_playlist(&Directives::parse(query).unwrap());
    assert!(matches!(ask("_HLS_msn=0&_HLS_part=2"), Answer::Ready(_)), "three parts are there");
    assert_eq!(ask("_HLS_msn=0&_HLS_part=3"), Answer::NotYet);
}

#[test]
fn sound_that_appears_later_joins_at_a_keyframe_with_a_new_init_segment() {
    let mut source = Source::new(Options::default());
    source.from[1] = 5_000_000;
    source.run(9_000);
    let list = source.playlist();
    let joined = list.segments.iter().find(|segment| segment.discontinuity).unwrap();
    assert_eq!((joined.msn, joined.map.as_deref()), (3, Some("init-1.mp4")));
    assert!(joined.parts[0].independent);
    assert_eq!(rules::init(&source.packager.init(1).unwrap()), [(1, 90_000), (2, 48_000)]);
}

#[test]
fn sound_that_stops_leaves_the_init_segment_after_a_target_duration() {
    let mut source = Source::new(Options::default());
    source.run(5_000);
    source.audio = None;
    source.run(20_000);
    let list = source.playlist();
    let left: Vec<_> = list.segments.iter().filter_map(|segment| segment.map.as_deref()).collect();
    assert_eq!(left, ["init-0.mp4", "init-1.mp4"]);
    assert_eq!(rules::init(&source.packager.init(1).unwrap()), [(1, 90_000)]);
}

#[test]
fn a_new_resolution_brings_a_new_init_segment_at_once() {
    let mut source = Source::new(Options::default());
    source.run(4_000);
    source.video = Some(video_codec(640));
    source.run(8_000);
    let list = source.playlist();
    let changed = list.segments.iter().find(|segment| segment.discontinuity).unwrap();
    assert_eq!((changed.msn, changed.map.as_deref()), (2, Some("init-1.mp4")));
    assert_eq!(list.segments.iter().filter(|segment| segment.discontinuity).count(), 1);
}

#[test]
fn a_reader_that_skipped_goes_on_at_a_keyframe_behind_a_discontinuity() {
    let mut source = Source::new(Options::default());
    source.run(5_000);
    source.packager.handle_discontinuity();
    source.stall(9_000);
    (source.pictures, source.sounds) = (30, 56);
    source.run(14_000);
    let list = source.playlist();
    let after = list.segments.iter().find(|segment| segment.discontinuity).unwrap();
    assert!(after.parts[0].independent);
    let Answer::Ready(part) = source.packager.poll_part(Position { msn: after.msn, part: 0 }) else {
        panic!("listed parts are there")
    };
    // Picture 50 of the new group is the first keyframe: 9 s + 2 s, on a timeline that begins at 10 s.
    assert_eq!(rules::fragment(&part)[&1].from, 21 * 90_000);
}

#[test]
fn millisecond_stamps_leave_no_gap_between_access_units_and_no_drift() {
    let mut packager = Packager::new(Options::default());
    let codec = audio_codec(44_100);
    for n in 0..3_000_i64 {
        let millis = n * 1_024_000 / 44_100;
        packager.handle_frame(AUDIO, &codec, &frame(millis * 1_000, true));
    }
    let list = rules::check(&packager).unwrap();
    let mut end = None;
    for segment in list.segments.iter().filter(|segment| segment.micros.is_some()) {
        for bytes in packager.segment(segment.msn).unwrap() {
            let span = rules::fragment(&bytes)[&2];
            assert_eq!(span.to - span.from, 1_024 * span.samples as u64);
            assert!(end.is_none_or(|end| end == span.from));
            end = Some(span.to);
        }
    }
    assert_eq!(end.unwrap() % 1_024, 441_000 % 1_024);
}

#[test]
fn frames_of_enormous_size_end_parts_and_segments_early_and_memory_stays_bounded() {
    let mut packager = Packager::new(Options::default());
    let codec = video_codec(1_280);
    let payload = Bytes::from(vec![7; 1 << 20]);
    for n in 0..400 {
        let frame = Frame { payload: payload.clone(), ..frame(n * 40_000, n % 50 == 0) };
        packager.handle_frame(VIDEO, &codec, &frame);
    }
    let kept: usize = (0..1_000)
        .filter_map(|msn| packager.segment(msn))
        .flat_map(|pieces| pieces.into_iter().map(|piece| piece.len()))
        .sum();
    assert!(kept > 16 << 20 && kept <= super::super::store::BYTES_MAX, "{kept}");
}
