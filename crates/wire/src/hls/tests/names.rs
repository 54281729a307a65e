//! Names and queries: what is read, and what is refused.

use proptest::prelude::*;
use rstest::rstest;

use crate::hls::{Directives, DirectivesError, Position, Resource, is_session, media_uri};

fn position(msn: u64, part: u64) -> Option<Position> {
    Some(Position { msn, part })
}

#[test]
fn every_resource_has_one_name() {
    for (name, resource) in [
        ("media.m3u8", Resource::Playlist),
        ("init-3.mp4", Resource::Init(3)),
        ("seg-0.m4s", Resource::Segment(0)),
        ("part-18446744073709551615.7.m4s", Resource::Part(Position { msn: u64::MAX, part: 7 })),
    ] {
        assert_eq!(Resource::parse(name), Some(resource));
        assert_eq!(resource.to_string(), name);
    }
}

#[rstest]
#[case("")]
#[case("media.m3u")]
#[case("seg-.m4s")]
#[case("seg-00.m4s")]
#[case("seg-+1.m4s")]
#[case("seg--1.m4s")]
#[case("seg-1.mp4")]
#[case("seg-18446744073709551616.m4s")]
#[case("init-4294967296.mp4")]
#[case("part-1.m4s")]
#[case("part-1.2.3.m4s")]
#[case("part-1.٣.m4s")]
#[case("../seg-1.m4s")]
#[case("seg-1.m4s\0")]
fn other_spellings_are_no_resource(#[case] name: &str) {
    assert_eq!(Resource::parse(name), None);
}

#[test]
fn directives_are_read_in_any_order_among_other_parameters() {
    let read = Directives::parse("token=a%26b&_HLS_part=3&x&_HLS_msn=12&_HLS_skip=YES").unwrap();
    assert_eq!(read, Directives { position: position(12, 3), skip: true });
    assert_eq!(Directives::parse("").unwrap(), Directives::default());
    assert!(Directives::parse("_HLS_skip=v2").unwrap().skip);
}

#[test]
fn a_sequence_number_without_a_part_means_its_first_part() {
    assert_eq!(Directives::parse("_HLS_msn=5").unwrap().position, position(5, 0));
}

#[rstest]
#[case("_HLS_part=0", DirectivesError::PartWithoutSequence)]
#[case("_HLS_msn=", DirectivesError::Value("_HLS_msn"))]
#[case("_HLS_msn=-1", DirectivesError::Value("_HLS_msn"))]
#[case("_HLS_msn=99999999999999999999", DirectivesError::Value("_HLS_msn"))]
#[case("_HLS_msn=1&_HLS_part=x", DirectivesError::Value("_HLS_part"))]
#[case("_HLS_skip=maybe", DirectivesError::Value("_HLS_skip"))]
#[case("_HLS_msn=1&_HLS_msn=2", DirectivesError::Twice("_HLS_msn"))]
fn queries_that_make_no_sense_are_refused(#[case] query: &str, #[case] error: DirectivesError) {
    assert_eq!(Directives::parse(query), Err(error));
}

#[test]
fn the_media_playlist_is_named_relative_to_its_stream_and_encoded() {
    assert_eq!(media_uri("demo", "k3"), "./demo/hls/k3/media.m3u8");
    assert_eq!(media_uri("a:b 数\"", "k3"), "./a%3Ab%20%E6%95%B0%22/hls/k3/media.m3u8");
}

#[test]
fn a_session_token_is_short_and_plain() {
    assert!(is_session("aZ09_-"));
    assert!(is_session(&"x".repeat(64)));
    for token in ["", "a/b", "a.b", "é", &"x".repeat(65)] {
        assert!(!is_session(token), "{token}");
    }
}

proptest! {
    #[test]
    fn any_name_that_is_read_is_written_the_same(name in "(init|seg|part)-[0-9]{1,21}(\\.[0-9]{1,21})?\\.(m4s|mp4)") {
        if let Some(resource) = Resource::parse(&name) {
            prop_assert_eq!(resource.to_string(), name);
        }
    }

    #[test]
    fn no_query_panics(query in ".{0,80}") {
        let _ = Directives::parse(&query);
    }
}
