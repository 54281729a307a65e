//! Real clients' bytes, as captured on loopback: the first 12 KB of a publisher, all that a player sends.

use std::sync::Arc;
use std::time::Instant;

use rstest::rstest;

use crate::amf0;
use crate::rtmp::message::Kind;
use crate::rtmp::server::{Config, Error, Event, Session};

const FFMPEG: &[u8] = include_bytes!("../fixtures/ffmpeg-publish.bin");
const GSTREAMER: &[u8] = include_bytes!("../fixtures/gstreamer-rtmp2sink.bin");
const LIBRTMP: &[u8] = include_bytes!("../fixtures/librtmp-publish.bin");
const FFPROBE_PLAY: &[u8] = include_bytes!("../fixtures/ffprobe-play.bin");
const LIBRTMP_PLAY: &[u8] = include_bytes!("../fixtures/librtmp-play.bin");

/// All events of a client that is given what it asks for, its bytes in pieces of `cut`, and the session after them.
fn heard(bytes: &[u8], cut: usize) -> Result<(Vec<Event>, Session), Error> {
    let now = Instant::now();
    let mut session = Session::new(now, Arc::new(Config::default()), 1);
    let mut events = Vec::new();
    for piece in bytes.chunks(cut) {
        session.handle_input(now, piece)?;
        while let Some(event) = session.poll_event() {
            match &event {
                Event::PublishRequested { .. } => assert!(session.accept_publish(now)),
                Event::PlayRequested { .. } => assert!(session.accept_play(now)),
                Event::Media(_)
                | Event::Unpublished
                | Event::PlayStopped
                | Event::Paused(_)
                | Event::BufferLength(_) => {}
            }
            events.push(event);
        }
    }
    Ok((events, session))
}

fn count(events: &[Event], wanted: Kind) -> usize {
    events.iter().filter(|event| matches!(event, Event::Media(media) if media.kind == wanted)).count()
}

#[rstest]
#[case::ffmpeg(FFMPEG, "live", "x", "token=1")]
#[case::gstreamer(GSTREAMER, "live", "g", "")]
#[case::librtmp(LIBRTMP, "live/a", "l", "")]
fn publishers_are_understood(
    #[case] bytes: &[u8],
    #[case] app: &str,
    #[case] stream: &str,
    #[case] query: &str,
) {
    let (events, _) = heard(bytes, 1_400).unwrap();
    let Event::PublishRequested { name } = &events[0] else { panic!("{:?}", events[0]) };
    assert_eq!((name.app.as_str(), name.stream.as_str(), name.query.as_str()), (app, stream, query));
    let Event::Media(first) = &events[1] else { panic!("{:?}", events[1]) };
    let metadata = amf0::decode_all(&first.payload).unwrap();
    assert_eq!(metadata[0].as_str(), Some("onMetaData"), "@setDataFrame is removed");
    assert_eq!(metadata[1].get("width").and_then(amf0::Value::as_f64), Some(160.0));
    assert!(count(&events, Kind::Video) > 2);
}

#[test]
fn a_publish_session_gives_the_same_events_and_answers_however_it_is_cut() {
    let answers = |cut| {
        let (events, mut session) = heard(FFMPEG, cut).unwrap();
        (events, session.poll_transmit())
    };
    let whole = answers(FFMPEG.len());
    assert!(count(&whole.0, Kind::Audio) > 2 && count(&whole.0, Kind::Video) > 2);
    for cut in (1..64).chain((64..FFMPEG.len()).step_by(331)) {
        assert_eq!(answers(cut).0, whole.0, "cut every {cut} bytes");
    }
    assert_eq!(answers(1).1.map(|bytes| bytes.len()), whole.1.map(|bytes| bytes.len()));
}

#[test]
fn a_publish_session_that_breaks_off_anywhere_is_not_an_error() {
    for len in (0..FFMPEG.len()).step_by(97).chain(3_073..3_200) {
        assert!(heard(&FFMPEG[..len], 1_400).is_ok(), "{len} bytes");
    }
}

#[rstest]
#[case::ffprobe(FFPROBE_PLAY, "x")]
#[case::librtmp(LIBRTMP_PLAY, "g")]
fn players_are_understood(#[case] bytes: &[u8], #[case] stream: &str) {
    let (events, session) = heard(bytes, 16).unwrap();
    let asked = events.iter().find_map(|event| match event {
        Event::PlayRequested { name, .. } => Some(name.path()),
        _ => None,
    });
    assert_eq!(asked, Some(format!("live/{stream}")));
    assert!(session.peer_info().unwrap().tc_url.starts_with("rtmp://127.0.0.1:"));
}

#[rstest]
#[case::before_its_delete_stream(&FFPROBE_PLAY[..FFPROBE_PLAY.len() - 50])]
#[case::whole(LIBRTMP_PLAY)]
fn an_idle_viewer_costs_less_than_600_bytes_of_heap(#[case] bytes: &[u8]) {
    let (events, mut session) = heard(bytes, 16).unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::PlayRequested { .. })));
    assert!(!events.contains(&Event::PlayStopped));
    while session.poll_transmit().is_some() {}
    let heap = session.heap_bytes();
    assert!(heap < 600, "{heap} bytes of heap");
    assert!(size_of::<Session>() < 300, "{} bytes of struct", size_of::<Session>());
}
