//! What is answered at once, what waits, what is refused, and for how long things stay.

use super::*;
use crate::hls::{Answer, Directives, Position, media_uri, multivariant};

fn ask(packager: &Packager, query: &str) -> Answer<Bytes> {
    packager.poll_playlist(&Directives::parse(query).unwrap())
}

/// A source that has two complete segments and two parts of the third.
fn source() -> Source {
    let mut source = Source::new(Options::default());
    source.run(5_100);
    let list = source.playlist();
    assert_eq!((list.segments.len(), list.segments[2].parts.len()), (3, 2));
    source
}

#[test]
fn a_playlist_is_rendered_once_a_version_and_shared() {
    let source = source();
    let (Answer::Ready(one), Answer::Ready(two)) = (ask(&source.packager, ""), ask(&source.packager, ""))
    else {
        panic!("the playlist is there")
    };
    assert_eq!(one.as_ptr(), two.as_ptr());
}

#[test]
fn a_player_that_knows_no_parts_waits_for_the_first_segment() {
    let mut source = Source::new(Options::default());
    source.run(1_500);
    assert_eq!(ask(&source.packager, ""), Answer::NotYet);
    assert!(matches!(ask(&source.packager, "_HLS_msn=0&_HLS_part=0"), Answer::Ready(_)));
    source.run(2_100);
    assert!(matches!(ask(&source.packager, ""), Answer::Ready(_)));
}

#[test]
fn a_blocking_request_waits_for_its_part_and_no_longer() {
    let mut source = source();
    assert!(matches!(ask(&source.packager, "_HLS_msn=2&_HLS_part=1"), Answer::Ready(_)));
    assert_eq!(ask(&source.packager, "_HLS_msn=2&_HLS_part=2"), Answer::NotYet);
    let version = source.packager.version();
    source.run(5_700);
    assert_ne!(source.packager.version(), version);
    assert!(matches!(ask(&source.packager, "_HLS_msn=2&_HLS_part=2"), Answer::Ready(_)));
}

#[test]
fn a_part_index_beyond_a_complete_segment_means_the_first_part_of_the_next() {
    let mut source = source();
    assert!(matches!(ask(&source.packager, "_HLS_msn=1&_HLS_part=9"), Answer::Ready(_)));
    source.run(6_080);
    // The third segment has just been completed, the fourth has no part yet.
    assert_eq!(source.playlist().segments.len(), 3);
    assert_eq!(ask(&source.packager, "_HLS_msn=2&_HLS_part=9"), Answer::NotYet);
    source.run(6_700);
    assert!(matches!(ask(&source.packager, "_HLS_msn=2&_HLS_part=9"), Answer::Ready(_)));
}

#[test]
fn requests_too_far_ahead_are_refused_at_once() {
    let source = source();
    assert_eq!(ask(&source.packager, "_HLS_msn=3&_HLS_part=0"), Answer::NotYet);
    for query in
        ["_HLS_msn=4", "_HLS_msn=9223372036854775808", "_HLS_msn=2&_HLS_part=8", "_HLS_msn=3&_HLS_part=6"]
    {
        assert_eq!(ask(&source.packager, query), Answer::TooFarAhead, "{query}");
    }
    assert_eq!(ask(&source.packager, "_HLS_msn=2&_HLS_part=7"), Answer::NotYet);
}

#[test]
fn a_request_for_what_has_left_the_playlist_gets_the_whole_playlist() {
    let mut source = source();
    source.run(60_000);
    assert!(source.playlist().msn > 0);
    assert!(matches!(ask(&source.packager, "_HLS_msn=0&_HLS_part=0"), Answer::Ready(_)));
}

#[test]
fn before_the_first_part_everyone_waits() {
    let mut source = Source::new(Options::default());
    assert_eq!(ask(&source.packager, ""), Answer::NotYet);
    assert_eq!(ask(&source.packager, "_HLS_msn=0&_HLS_part=0"), Answer::NotYet);
    assert_eq!(source.packager.poll_part(Position { msn: 0, part: 0 }), Answer::NotYet);
    assert_eq!(source.packager.variant("x"), None);
    source.run(300);
    assert_eq!(ask(&source.packager, ""), Answer::NotYet);
}

#[test]
fn the_end_answers_everyone_and_leaves_every_frame_in_the_playlist() {
    let mut source = source();
    source.packager.handle_end();
    let list = source.playlist();
    assert!(list.ended);
    assert!(matches!(ask(&source.packager, "_HLS_msn=2&_HLS_part=5"), Answer::Ready(_)));
    assert!(matches!(ask(&source.packager, "_HLS_msn=77"), Answer::Ready(_)));
    assert_eq!(source.packager.poll_part(Position { msn: 3, part: 0 }), Answer::NotFound);
    let pictures: usize = (0..3)
        .flat_map(|msn| source.packager.segment(msn).unwrap())
        .map(|part| rules::fragment(&part).get(&1).map_or(0, |span| span.samples))
        .sum();
    assert_eq!(pictures as i64, source.pictures);
    // The last sample, of sound, is taken to last as long as the one before it.
    let end = source.pictures * 40_000;
    assert!((end - 25_000..=end + 25_000).contains(&list.duration()), "{}", list.duration());
}

#[test]
fn a_segment_can_be_fetched_for_a_playlist_s_length_after_it_left() {
    let mut source = Source::new(Options { segments_listed: 7, ..Options::default() });
    source.run(24_000);
    let first = source.playlist().msn;
    assert!(source.packager.segment(0).is_some() && first > 0);
    source.run(38_000);
    assert!(source.packager.segment(0).is_some(), "18 s of playlist and 2 s of its own have not passed");
    source.run(60_000);
    assert!(source.packager.segment(0).is_none());
    assert_eq!(source.packager.poll_part(Position { msn: 0, part: 0 }), Answer::NotFound);
}

#[test]
fn a_playlist_lasts_eight_target_durations_so_that_a_delta_update_leaves_something_out() {
    let mut source = Source::new(Options::default());
    source.run(120_900);
    let list = source.playlist();
    assert_eq!((list.segments.len(), list.duration()), (25, 48_000_000), "24 of two seconds, and one grows");
    let Answer::Ready(delta) = ask(&source.packager, "_HLS_skip=YES") else { panic!("it is there") };
    let delta = rules::Playlist::read(std::str::from_utf8(&delta).unwrap());
    assert_eq!(delta.skipped, 5, "beyond 36 s");
    assert_eq!(delta.segments.len() as u64 + delta.skipped, list.segments.len() as u64);
    // Long segments last as long together: fewer are listed, whatever the most is.
    let mut long = Source::new(Options { segments_listed: 100, ..Options::default() });
    long.group = 150;
    long.run(120_100);
    assert_eq!(long.playlist().duration(), 48_000_000);
}

#[test]
fn a_heavy_stream_is_listed_for_three_target_durations_only() {
    let mut packager = Packager::new(Options::default());
    let codec = video_codec(1_280);
    for picture in 0..60 * 25 {
        let payload = Bytes::from(vec![0; 60_000]);
        let frame = Frame { payload, ..frame(picture * 40_000, picture % 50 == 0) };
        packager.handle_frame(VIDEO, &codec, &frame);
    }
    let list = rules::check(&packager).unwrap();
    // 12 Mbit/s: 18 s are 27 MB, more than is listed beyond that.
    assert_eq!(list.duration(), 18_000_000);
    assert!(packager.segment(list.msn - 1).is_some(), "what left it can still be fetched");
}

#[test]
fn discontinuities_that_leave_the_playlist_are_counted() {
    let mut source = Source::new(Options::default());
    source.run(4_000);
    source.video = Some(video_codec(640));
    source.run(8_000);
    assert_eq!(source.playlist().discontinuities, 0);
    source.run(120_000);
    let list = source.playlist();
    assert_eq!(list.discontinuities, 1);
    assert_eq!(list.segments[0].map.as_deref(), Some("init-1.mp4"));
    assert!(source.packager.init(0).is_none(), "nothing needs it any more");
}

#[test]
fn the_multivariant_playlist_says_codecs_size_and_rate() {
    let source = source();
    let text = multivariant(&[source.packager.variant(&media_uri("demo", "k3")).unwrap()], true);
    let m3u8_rs::MasterPlaylist { variants, .. } = m3u8_rs::parse_master_playlist_res(&text).unwrap();
    let [variant] = &variants[..] else { panic!("one variant") };
    assert_eq!(variant.uri, "./demo/hls/k3/media.m3u8");
    assert_eq!(variant.resolution.unwrap().width, 1_280);
    assert_eq!(variant.frame_rate, Some(25.0));
    assert!(variant.codecs.as_deref().unwrap().ends_with("mp4a.40.2"));
    // 25 pictures of 100 bytes (400 for keyframes) and 47 sounds of 400 bytes, with their boxes.
    assert!((150_000..600_000).contains(&variant.bandwidth), "{}", variant.bandwidth);
}
