//! Playlists in full: every tag, its order and its spelling.

use super::*;
use crate::hls::{Answer, Directives, UnixMicros};

const YOUNG: &str = r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:6
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,CAN-SKIP-UNTIL=36.0,HOLD-BACK=18.0
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXT-X-PART:DURATION=0.44,URI="part-0.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.44,URI="part-0.1.m4s"
#EXT-X-PART:DURATION=0.44,URI="part-0.2.m4s"
#EXT-X-PART:DURATION=0.44,URI="part-0.3.m4s"
#EXT-X-PART:DURATION=0.24,URI="part-0.4.m4s"
#EXTINF:2.0,
seg-0.m4s
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z
#EXT-X-PART:DURATION=0.44,URI="part-1.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.44,URI="part-1.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-1.2.m4s"
"#;

const ENDED: &str = r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:6
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0,CAN-SKIP-UNTIL=36.0,HOLD-BACK=18.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="init-0.mp4"
#EXT-X-PART:DURATION=0.88,URI="part-0.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.88,URI="part-0.1.m4s"
#EXT-X-PART:DURATION=0.24,URI="part-0.2.m4s"
#EXTINF:2.0,
seg-0.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init-1.mp4"
#EXT-X-PART:DURATION=0.88,URI="part-1.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.12,URI="part-1.1.m4s"
#EXTINF:1.0,
seg-1.m4s
#EXT-X-ENDLIST
"#;

#[test]
fn a_young_stream_reads_like_this() {
    let mut source = Source::new(Options::default());
    source.packager.handle_wall_clock(Timestamp::ZERO, UnixMicros(1_700_000_000_000_000));
    source.run(3_100);
    let Answer::Ready(text) = source.packager.poll_playlist(&Directives::default()) else {
        panic!("the playlist is there")
    };
    assert_eq!(std::str::from_utf8(&text).unwrap(), YOUNG);
}

#[test]
fn shared_segments_are_named_in_one_place_and_nothing_else_differs() {
    let mut source = Source::new(Options::default());
    source.packager.handle_wall_clock(Timestamp::ZERO, UnixMicros(1_700_000_000_000_000));
    source.run(3_100);
    source.packager.share_segments("all");
    let Answer::Ready(text) = source.packager.poll_playlist(&Directives::default()) else {
        panic!("the playlist is there")
    };
    let expected = YOUNG.replace("URI=\"", "URI=\"../all/").replace("\nseg-", "\n../all/seg-");
    assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
}

#[test]
fn an_ended_stream_that_changed_its_resolution_reads_like_this() {
    let mut source = Source::new(Options { part_target: Span::from_millis(1_000), ..Options::default() });
    source.audio = None;
    source.run(2_000);
    source.video = Some(video_codec(640));
    source.run(3_000);
    source.packager.handle_end();
    let Answer::Ready(text) = source.packager.poll_playlist(&Directives::default()) else {
        panic!("the playlist is there")
    };
    assert_eq!(std::str::from_utf8(&text).unwrap(), ENDED);
}
