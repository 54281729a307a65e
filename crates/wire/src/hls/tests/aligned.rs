//! Several renditions of one broadcast: cut at the same keyframes and numbered alike, whenever each was begun.

use super::*;
use crate::hls::{Answer, Directives, Position, Report, UnixMicros, Variant, multivariant, rendition_uri};

/// A source with a keyframe each `group` pictures that is read from `from` (in milliseconds) on.
fn begun_at(from: i64, group: i64, until: i64) -> Source {
    let mut source = Source::new(Options { aligned: true, ..Options::default() });
    source.packager.handle_wall_clock(Timestamp::ZERO, UnixMicros(0));
    source.group = group;
    source.stall(from);
    source.run(until);
    source
}

/// The numbers of the segments and when they begin, in milliseconds of a clock that began with the source.
fn segments(packager: &Packager) -> Vec<(u64, i64)> {
    let Answer::Ready(text) = packager.poll_playlist(&Directives::default()) else {
        panic!("it has segments")
    };
    let text = String::from_utf8(text.to_vec()).unwrap();
    let number = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
    let starts =
        text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:"));
    let millis = |start: &str| (start.trim_end_matches('Z').parse::<f64>().unwrap() * 1e3).round() as i64;
    (number.parse().unwrap()..).zip(starts.map(millis)).collect()
}

#[test]
fn renditions_are_cut_at_the_same_keyframes_and_numbered_alike_whenever_they_were_begun() {
    // A keyframe each 800 ms does not divide the two seconds of a segment.
    let leader = begun_at(0, 20, 18_000);
    for from in [800, 4_000, 5_600, 7_200] {
        let mut other = begun_at(from, 20, 18_000);
        // The first segment began within one of the leader's.
        let start = other.packager.first_wall().expect("the clock is known");
        let mark =
            leader.packager.marks(0).filter(|mark| mark.wall <= start).last().expect("the leader was there");
        other.packager.renumber(mark);
        let ours = segments(&other.packager);
        let marks = segments(&leader.packager);
        assert_eq!(ours[0].0, mark.msn);
        assert!(
            ours.len() > 4 && ours[1..].iter().all(|segment| marks.contains(segment)),
            "{ours:?} {marks:?}"
        );
    }
}

#[test]
fn every_segment_begins_in_another_length_of_time_and_none_is_longer_than_the_target() {
    let source = begun_at(0, 20, 59_000);
    let starts: Vec<_> = segments(&source.packager).iter().map(|(_, start)| start / 2_000).collect();
    assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
}

#[test]
fn a_playlist_reports_how_far_other_renditions_are_until_it_ends() {
    let mut source = begun_at(0, 50, 5_000);
    assert_eq!(source.packager.last(), Some(Position { msn: 2, part: 1 }));
    let report = Report { uri: "../360p/media.m3u8".into(), last: Position { msn: 7, part: 3 } };
    source.packager.set_reports(vec![report]);
    source.run(6_500);
    let line = "#EXT-X-RENDITION-REPORT:URI=\"../360p/media.m3u8\",LAST-MSN=7,LAST-PART=3\n";
    let text = |packager: &Packager| match packager.poll_playlist(&Directives::default()) {
        Answer::Ready(text) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(text(&source.packager).ends_with(line));
    source.packager.handle_end();
    assert!(!text(&source.packager).contains("RENDITION-REPORT"));
}

#[test]
fn a_multivariant_playlist_of_several_reads_like_this() {
    let mut source = begun_at(0, 50, 5_000);
    source.run(5_000);
    let best = Variant {
        bandwidth: 2_400_000,
        average: 2_000_000,
        ..source.packager.variant(&rendition_uri("demo", "k3", None)).unwrap()
    };
    let sound = Variant {
        uri: rendition_uri("demo", "k3", Some("audio")),
        bandwidth: 64_000,
        average: 60_000,
        codecs: "mp4a.40.2".into(),
        resolution: None,
        frame_rate: None,
    };
    let text = multivariant(&[best, sound], source.packager.is_independent());
    let wanted = r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=2400000,AVERAGE-BANDWIDTH=2000000,CODECS="avc1.42C01E,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000
./demo/hls/k3/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=64000,AVERAGE-BANDWIDTH=60000,CODECS="mp4a.40.2"
./demo/hls/k3/audio/media.m3u8
"#;
    assert_eq!(std::str::from_utf8(&text).unwrap(), wanted);
}
