//! What a broken or hostile peer sends, from the handshake to the last command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rstest::rstest;

use crate::amf0::{self, Value};
use crate::rtmp::chunk::{self, Header};
use crate::rtmp::command::{self, Command, code};
use crate::rtmp::handshake::PACKET_BYTES;
use crate::rtmp::limits::{CHUNK_BYTES_DEFAULT, COMMANDS_MAX};
use crate::rtmp::message::{Control, Kind, TYPE_AGGREGATE, TYPE_COMMAND, TYPE_COMMAND_AMF3, TYPE_DATA_AMF3};
use crate::rtmp::server::{Config, Error, Event, Session};

/// A server and a peer that writes what it likes.
struct Peer {
    now: Instant,
    session: Session,
}

impl Peer {
    /// Past the handshake.
    fn new() -> Peer {
        let now = Instant::now();
        let mut session = Session::new(now, Arc::new(Config::default()), 1);
        let mut hello = vec![0; 1 + 2 * PACKET_BYTES];
        hello[0] = 3;
        session.handle_input(now, &hello).unwrap();
        session.poll_transmit();
        Peer { now, session }
    }

    fn connected(app: &str) -> Peer {
        let mut peer = Peer::new();
        peer.command("connect", 1.0, &[Value::object([("app", app.into())])]).unwrap();
        peer
    }

    fn publishing() -> Peer {
        let mut peer = Peer::connected("live");
        peer.command("publish", 0.0, &[Value::Null, "a".into()]).unwrap();
        assert!(matches!(peer.session.poll_event(), Some(Event::PublishRequested { .. })));
        assert!(peer.session.accept_publish(peer.now));
        peer.answers();
        peer
    }

    fn send(&mut self, type_id: u8, payload: &[u8]) -> Result<(), Error> {
        let mut out = BytesMut::new();
        let header = Header { csid: 3, timestamp_ms: 1_000, type_id, stream_id: 1 };
        chunk::message_into(&mut out, &header, &[payload], CHUNK_BYTES_DEFAULT).unwrap();
        self.session.handle_input(self.now, &out)
    }

    fn command(&mut self, name: &str, transaction: f64, rest: &[Value]) -> Result<(), Error> {
        let mut body = BytesMut::new();
        amf0::encode_all(&[&[name.into(), transaction.into()], rest].concat(), &mut body);
        self.send(TYPE_COMMAND, &body)
    }

    /// The commands that we sent.
    fn answers(&mut self) -> Vec<Command> {
        let (mut reader, mut commands) = (chunk::Reader::new(), Vec::new());
        let output = self.session.poll_transmit().unwrap_or_default();
        // A reader that starts in mid-connection has not heard our chunk size; all that is sent here fits into it.
        let mut input = &[&b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\xEA\x60"[..], &output].concat()[..];
        while let Some(message) = reader.read(&mut input).unwrap() {
            if message.header.type_id == TYPE_COMMAND {
                commands.push(Command::parse(&message.payload).unwrap());
            }
        }
        commands
    }

    /// Names and status codes of [`Peer::answers`].
    fn codes(&mut self) -> Vec<(String, String)> {
        let code = |command: &Command| {
            command.arguments.first().map_or_else(String::new, |v| command::Status::of(v).code)
        };
        self.answers().iter().map(|command| (command.name.clone(), code(command))).collect()
    }
}

fn pair(name: &str, code: &str) -> (String, String) {
    (name.to_owned(), code.to_owned())
}

#[test]
fn a_handshake_of_a_byte_a_second_ends_in_time() {
    let start = Instant::now();
    let mut session = Session::new(start, Arc::new(Config::default()), 1);
    let mut seconds = 0;
    let ended = loop {
        seconds += 1;
        let now = start + Duration::from_secs(seconds);
        session.handle_input(now, &[3]).unwrap();
        if now >= session.poll_timeout() {
            break session.handle_timeout(now);
        }
    };
    assert_eq!(ended, Err(Error::SetUpTimeout(Config::default().set_up_max)));
    assert_eq!(seconds, Config::default().set_up_max.as_secs());
}

#[test]
fn a_peer_that_connects_and_never_says_what_it_wants_ends_in_time() {
    let mut peer = Peer::connected("live");
    let over = peer.session.poll_timeout();
    peer.session.handle_input(over, &[]).unwrap();
    assert!(matches!(peer.session.handle_timeout(over), Err(Error::SetUpTimeout(_))));
}

#[rstest]
#[case::traversal("..")]
#[case::encoded("%2e%2e")]
#[case::twice_encoded("%252e%252e")]
#[case::nul("a\0b")]
#[case::control("a\nb")]
#[case::empty("")]
#[case::long(&"n".repeat(4_096))]
fn a_bad_name_is_refused_with_a_status_that_people_can_read(#[case] stream: &str) {
    for (ask, refusal) in [("publish", code::PUBLISH_BAD_NAME), ("play", code::PLAY_STREAM_NOT_FOUND)] {
        let mut peer = Peer::connected("live");
        peer.answers();
        let asked = peer.command(ask, 0.0, &[Value::Null, stream.into()]);
        assert!(matches!(asked, Err(Error::Name(_))), "{asked:?}");
        assert_eq!(peer.codes(), [pair("onStatus", refusal)]);
        assert_eq!(peer.session.poll_event(), None);
    }
}

#[test]
fn a_bad_app_is_refused_at_connect() {
    for app in ["../etc", "a\0", "%2e%2e/x", &"n".repeat(4_096)] {
        let mut peer = Peer::new();
        let asked = peer.command("connect", 1.0, &[Value::object([("app", app.into())])]);
        assert!(matches!(asked, Err(Error::Name(_))), "{asked:?}");
        assert_eq!(peer.codes(), [pair("_error", code::CONNECT_INVALID_APP)]);
    }
}

#[test]
fn play_then_publish_on_one_session_is_refused() {
    for (first, second) in [("play", "publish"), ("publish", "play"), ("publish", "publish")] {
        let mut peer = Peer::connected("live");
        peer.command(first, 0.0, &[Value::Null, "a".into()]).unwrap();
        let asked = peer.command(second, 0.0, &[Value::Null, "b".into()]);
        assert!(matches!(asked, Err(Error::OutOfOrder { .. })), "{first} then {second}");
    }
}

#[test]
fn a_verdict_never_falls_on_another_request_than_it_was_meant_for() {
    let mut peer = Peer::connected("live");
    peer.command("publish", 0.0, &[Value::Null, "mine".into()]).unwrap();
    assert!(matches!(peer.session.poll_event(), Some(Event::PublishRequested { .. })));
    peer.command("deleteStream", 0.0, &[Value::Null, 1.0.into()]).unwrap();
    let asked = peer.command("publish", 0.0, &[Value::Null, "yours".into()]);
    assert!(matches!(asked, Err(Error::OutOfOrder { .. })), "{asked:?}");
    assert!(!peer.session.accept_publish(peer.now), "the request was withdrawn");
    peer.command("publish", 0.0, &[Value::Null, "yours".into()]).unwrap();
    assert_eq!(peer.session.poll_event(), Some(Event::Unpublished));
    assert!(
        matches!(peer.session.poll_event(), Some(Event::PublishRequested { name }) if name.stream == "yours")
    );
}

#[test]
fn media_waits_behind_the_verdict_and_is_dropped_by_a_refusal() {
    for accept in [true, false] {
        let mut peer = Peer::connected("live");
        peer.command("publish", 0.0, &[Value::Null, "a".into()]).unwrap();
        peer.send(9, b"frame").unwrap();
        assert!(matches!(peer.session.poll_event(), Some(Event::PublishRequested { .. })));
        assert_eq!(peer.session.poll_event(), None);
        if accept {
            assert!(peer.session.accept_publish(peer.now));
        } else {
            peer.session.reject(peer.now, code::PUBLISH_BAD_NAME, "no");
        }
        assert_eq!(peer.session.poll_event().is_some(), accept);
    }
    let mut peer = Peer::connected("live");
    peer.command("publish", 0.0, &[Value::Null, "a".into()]).unwrap();
    let frame = vec![0; 1 << 20];
    let ended = (0..5).find_map(|_| peer.send(9, &frame).err());
    assert_eq!(ended, Some(Error::UndecidedTooLarge { len: 5 << 20 }));
}

#[test]
fn commands_before_connect_and_a_second_connect_are_refused() {
    assert!(matches!(Peer::new().command("publish", 0.0, &[]), Err(Error::OutOfOrder { .. })));
    let again = Peer::connected("live").command("connect", 1.0, &[Value::object([])]);
    assert!(matches!(again, Err(Error::OutOfOrder { command: "connect", .. })));
}

#[test]
fn commands_that_are_no_amf_too_long_or_too_deep_are_refused() {
    let mut peer = Peer::connected("live");
    assert!(matches!(peer.send(TYPE_COMMAND, b"\x02\xFF\xFFabc"), Err(Error::Command { .. })));
    assert!(matches!(
        peer.send(TYPE_COMMAND, b"\x05"),
        Err(Error::Command { source: command::Error::NoName, .. })
    ));
    let long = vec![5; 65 << 10];
    assert!(matches!(peer.send(TYPE_COMMAND, &long), Err(Error::CommandTooLong { len: 66_560, .. })));
    let nest = |depth: usize| [&b"\x02\x00\x01x\x05"[..], &b"\x0A\0\0\0\x01".repeat(depth), &[5]].concat();
    peer.send(TYPE_COMMAND, &nest(64)).unwrap();
    assert!(matches!(peer.send(TYPE_COMMAND, &nest(65)), Err(Error::Command { .. })));
}

#[test]
fn a_flood_of_commands_ends_the_session_and_a_slow_player_does_not() {
    let mut peer = Peer::connected("live");
    let flood = (0..1_000).find_map(|_| peer.command("nonsense", 0.0, &[]).err());
    assert_eq!(flood, Some(Error::TooManyCommands));
    let mut peer = Peer::publishing();
    for _ in 0..10 * COMMANDS_MAX {
        peer.now += Duration::from_millis(100);
        peer.command("nonsense", 0.0, &[]).unwrap();
    }
}

#[test]
fn pings_without_reading_end_the_session_at_a_bound() {
    let mut peer = Peer::publishing();
    let mut ping = BytesMut::new();
    Control::Ping(7).write(&mut ping);
    let flood = (0..100_000).find_map(|_| peer.session.handle_input(peer.now, &ping).err());
    assert!(matches!(flood, Some(Error::OutputFull { .. })));
}

#[test]
fn unknown_commands_are_answered_only_if_they_ask() {
    let mut peer = Peer::connected("live");
    peer.answers();
    peer.command("nonsense", 0.0, &[]).unwrap();
    assert_eq!(peer.codes(), []);
    peer.command("nonsense", 9.0, &[]).unwrap();
    assert_eq!(peer.codes(), [pair("_error", code::CALL_FAILED)]);
}

#[test]
fn what_encoders_ask_before_publishing_is_answered() {
    let mut peer = Peer::connected("live");
    peer.answers();
    for (transaction, name) in
        [(2.0, "releaseStream"), (3.0, "FCPublish"), (4.0, "createStream"), (5.0, "_checkbw")]
    {
        peer.command(name, transaction, &[Value::Null, "a".into()]).unwrap();
    }
    let answers = peer.answers();
    let results: Vec<f64> =
        answers.iter().filter(|answer| answer.name == "_result").map(|answer| answer.transaction).collect();
    assert_eq!(results, [2.0, 3.0, 4.0, 5.0]);
    assert!(answers.iter().any(|answer| answer.name == "onFCPublish"));
}

#[test]
fn seeking_is_refused_and_pausing_tolerated() {
    let mut peer = Peer::connected("live");
    peer.command("play", 0.0, &[Value::Null, "a".into()]).unwrap();
    peer.session.poll_event();
    assert!(peer.session.accept_play(peer.now));
    peer.answers();
    peer.command("seek", 0.0, &[Value::Null, 5_000.0.into()]).unwrap();
    peer.command("pause", 0.0, &[Value::Null, true.into(), 0.0.into()]).unwrap();
    peer.command("getStreamLength", 8.0, &[Value::Null, "a".into()]).unwrap();
    assert_eq!(
        peer.codes(),
        [pair("onStatus", code::SEEK_FAILED), pair("onStatus", code::PAUSE_NOTIFY), pair("_result", "")]
    );
    assert_eq!(peer.session.poll_event(), Some(Event::Paused(true)));
    peer.command("closeStream", 0.0, &[Value::Null]).unwrap();
    assert_eq!(peer.session.poll_event(), Some(Event::PlayStopped));
}

#[test]
fn enhanced_peers_hear_our_codecs_and_old_ones_nothing_new() {
    let fourccs = Value::StrictArray(vec!["hvc1".into(), "av01".into(), "hvc1".into(), "too long".into()]);
    let object = Value::object([
        ("app", "live".into()),
        ("tcUrl", "rtmp://host/live?secret=1".into()),
        ("fourCcList", fourccs),
        ("capsEx", 3.0.into()),
    ]);
    let mut peer = Peer::new();
    peer.command("connect", 1.0, &[object]).unwrap();
    let answer = peer.answers().remove(0);
    let information = &answer.arguments[0];
    assert_eq!(information.get("capsEx").and_then(Value::as_f64), Some(7.0));
    assert!(information.get("fourCcList").unwrap().as_array().unwrap().contains(&"hvc1".into()));
    assert_eq!(information.get("videoFourCcInfoMap").unwrap().get("av01"), Some(&4.0.into()));
    let info = peer.session.peer_info().unwrap();
    assert_eq!((info.fourccs.join(" "), info.tc_url.as_str()), ("hvc1 av01".to_owned(), "rtmp://host/live"));
    assert!(peer.session.request_reconnect(None));

    let mut old = Peer::connected("live");
    assert_eq!(old.answers()[0].arguments[0].get("capsEx"), None);
    assert!(!old.session.request_reconnect(None));
}

#[test]
fn amf3_messages_that_hold_amf0_are_understood() {
    let mut peer = Peer::new();
    let mut body = BytesMut::from(&[0_u8][..]);
    amf0::encode_all(&["connect".into(), 1.0.into(), Value::object([("app", "live".into())])], &mut body);
    peer.send(TYPE_COMMAND_AMF3, &body).unwrap();
    assert_eq!(peer.codes(), [pair("_result", code::CONNECT_SUCCESS)]);

    let mut peer = Peer::publishing();
    peer.send(TYPE_DATA_AMF3, b"\x00\x02\x00\x0D@setDataFrame\x02\x00\x0AonMetaData\x05").unwrap();
    peer.send(TYPE_DATA_AMF3, b"\x0Areal AMF3").unwrap();
    let Some(Event::Media(media)) = peer.session.poll_event() else { panic!("script data") };
    assert_eq!((media.kind, &media.payload[..]), (Kind::Data, &b"\x02\x00\x0AonMetaData\x05"[..]));
    assert_eq!(peer.session.poll_event(), None);
}

#[test]
fn an_aggregate_is_unpacked_with_its_timestamps_moved_and_its_bytes_shared() {
    let tag = |type_id: u8, timestamp: u8, body: &[u8]| {
        [&[type_id, 0, 0, body.len() as u8, 0, 0, timestamp, 0, 0, 0, 0][..], body, &[0, 0, 0, 0]].concat()
    };
    let body = [tag(8, 100, b"sound"), tag(9, 140, b"picture"), tag(1, 0, b"nothing")].concat();
    let mut peer = Peer::publishing();
    peer.send(TYPE_AGGREGATE, &body[..body.len() - 4]).unwrap();
    let got: Vec<_> = std::iter::from_fn(|| peer.session.poll_event())
        .map(|event| match event {
            Event::Media(media) => (media.kind, media.timestamp_ms, media.payload),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(got.len(), 2);
    assert_eq!((got[0].0, got[0].1, &got[0].2[..]), (Kind::Audio, 1_000, &b"sound"[..]));
    assert_eq!((got[1].0, got[1].1, &got[1].2[..]), (Kind::Video, 1_040, &b"picture"[..]));
    assert!(matches!(peer.send(TYPE_AGGREGATE, &body[..25]), Err(Error::Aggregate(_))));
    let many = tag(8, 0, b"").repeat(5_000);
    assert!(matches!(peer.send(TYPE_AGGREGATE, &many), Err(Error::Aggregate(_))));
}

#[test]
fn timestamps_that_jump_or_run_backwards_pass_as_they_are() {
    let mut peer = Peer::publishing();
    let mut out = BytesMut::new();
    let stamps = [u32::MAX, 0, 1 << 31, 5, 4];
    for stamp in stamps {
        chunk::message_into(&mut out, &Kind::Audio.header(stamp), &[b"a"], CHUNK_BYTES_DEFAULT).unwrap();
    }
    peer.session.handle_input(peer.now, &out).unwrap();
    let got: Vec<u32> = std::iter::from_fn(|| peer.session.poll_event())
        .filter_map(|event| if let Event::Media(media) = event { Some(media.timestamp_ms) } else { None })
        .collect();
    assert_eq!(got, stamps);
}
