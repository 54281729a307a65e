//! Client and server, in virtual time, over a wire that cuts where it likes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::rtmp::client::{self, Options, Purpose};
use crate::rtmp::command::code;
use crate::rtmp::message::{Kind, Media};
use crate::rtmp::name::Name;
use crate::rtmp::server::{self, Config, Error};

/// Two sessions and the wire between them.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: client::Session,
    pub(super) server: server::Session,
    /// The wire delivers pieces of at most this size.
    cut: usize,
}

impl Pair {
    pub(super) fn new(purpose: Purpose, edit: impl FnOnce(&mut Options)) -> Pair {
        let now = Instant::now();
        let mut options =
            Options::for_url(purpose, "rtmp://host/live/a?token=1").expect("the address is complete");
        edit(&mut options);
        let server = server::Session::new(now, Arc::new(Config::default()), 1);
        Pair { now, client: client::Session::new(now, options, 2), server, cut: usize::MAX }
    }

    /// Carries bytes until both are silent.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        loop {
            let (up, down) = (self.client.poll_transmit(), self.server.poll_transmit());
            for piece in up.iter().flat_map(|bytes| bytes.chunks(self.cut)) {
                self.server.handle_input(self.now, piece)?;
            }
            for piece in down.iter().flat_map(|bytes| bytes.chunks(self.cut)) {
                self.client.handle_input(self.now, piece)?;
            }
            if up.is_none() && down.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) fn server_events(&mut self) -> Vec<server::Event> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }

    pub(super) fn client_events(&mut self) -> Vec<client::Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// Up to the accepted request.
    pub(super) fn set_up(&mut self) {
        self.run().unwrap();
        self.server_events();
        assert!(self.server.accept_publish(self.now) || self.server.accept_play(self.now));
        self.run().unwrap();
    }
}

fn name() -> Name {
    Name { app: "live".to_owned(), stream: "a".to_owned(), query: "token=1".to_owned() }
}

fn media(kind: Kind, timestamp_ms: u32, len: usize) -> Media {
    Media { kind, timestamp_ms, payload: Bytes::from(vec![0x17; len]) }
}

#[test]
fn a_publisher_is_asked_for_accepted_and_heard_by_either_handshake_and_any_cut() {
    for (digest, cut) in [(true, usize::MAX), (false, usize::MAX), (true, 1), (false, 7), (true, 1_400)] {
        let mut pair = Pair::new(Purpose::Publish, |options| options.digest = digest);
        pair.cut = cut;
        pair.run().unwrap();
        assert_eq!(pair.server_events(), [server::Event::PublishRequested { name: name() }]);
        assert_eq!(pair.client_events(), [], "not before the verdict");
        assert!(pair.server.accept_publish(pair.now));
        pair.run().unwrap();
        assert_eq!(pair.client_events(), [client::Event::Ready]);

        let sent = [
            media(Kind::Video, 0, 70_000),
            media(Kind::Audio, 0xFF_FFFF, 10),
            media(Kind::Video, u32::MAX, 200_001),
        ];
        for Media { kind, timestamp_ms, payload } in &sent {
            pair.client.send_media(*kind, *timestamp_ms, payload).unwrap();
        }
        pair.run().unwrap();
        assert_eq!(pair.server_events(), sent.map(server::Event::Media));

        pair.client.finish();
        pair.run().unwrap();
        assert_eq!(pair.server_events(), [server::Event::Unpublished]);
    }
}

#[test]
fn a_viewer_is_asked_for_accepted_and_served_between_shared_messages() {
    let mut pair = Pair::new(Purpose::Play, |_| {});
    pair.run().unwrap();
    let events = pair.server_events();
    assert_eq!(events[0], server::Event::PlayRequested { name: name(), start: -2.0 });
    assert!(pair.server.accept_play(pair.now));
    assert_eq!(pair.server_events(), [server::Event::BufferLength(1_000)]);
    pair.run().unwrap();
    assert_eq!(pair.client_events()[1], client::Event::Ready, "after Play.Reset");

    let sent = [media(Kind::Video, 5, 150_000), media(Kind::Audio, 0x1234_5678, 100)];
    let mut shared = bytes::BytesMut::new();
    for Media { kind, timestamp_ms, payload } in &sent {
        let header = kind.header(*timestamp_ms);
        crate::rtmp::chunk::message_into(&mut shared, &header, &[payload], Config::default().chunk_size)
            .unwrap();
    }
    pair.client_events();
    pair.client.handle_input(pair.now, &shared).unwrap();
    assert_eq!(pair.client_events(), sent.map(client::Event::Media));
    pair.server.end_play();
    pair.run().unwrap();
    assert!(pair.client_events().contains(&client::Event::StreamEof));
}

#[test]
fn a_refused_publisher_learns_code_and_reason() {
    let mut pair = Pair::new(Purpose::Publish, |_| {});
    pair.run().unwrap();
    pair.server_events();
    pair.server.reject(pair.now, code::PUBLISH_BAD_NAME, "already live");
    let Err(Error::Refused(status)) = pair.run() else { panic!("refused") };
    assert_eq!((status.code.as_str(), status.description.as_str()), (code::PUBLISH_BAD_NAME, "already live"));
    assert!(pair.server.poll_timeout() > pair.now + Duration::from_secs(1), "it may ask again");
}

#[test]
fn a_silent_publisher_is_pinged_and_then_given_up() {
    let mut pair = Pair::new(Purpose::Publish, |_| {});
    pair.set_up();
    let pinged = pair.server.poll_timeout();
    assert_eq!(pinged - pair.now, Config::default().ping_after);
    assert_eq!(pair.server.handle_timeout(pinged), Ok(()));
    assert_eq!(&pair.server.poll_transmit().expect("a ping")[12..14], [0, 6]);
    let over = pair.server.poll_timeout();
    assert_eq!(over - pair.now, Config::default().publish_idle_max);
    assert_eq!(pair.server.handle_timeout(over), Err(Error::Idle(Config::default().publish_idle_max)));
}

#[test]
fn an_answered_ping_keeps_a_viewer() {
    let mut pair = Pair::new(Purpose::Play, |_| {});
    pair.set_up();
    for _ in 0..100 {
        pair.now = pair.server.poll_timeout();
        assert_eq!(pair.server.handle_timeout(pair.now), Ok(()));
        pair.run().unwrap();
    }
    assert!(pair.server.poll_timeout() > pair.now);
}
