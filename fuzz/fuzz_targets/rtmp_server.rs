//! A server session behind a finished handshake: no input panics, time passes, verdicts come, output stays bounded.
#![no_main]

use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use wire::rtmp::handshake::PACKET_BYTES;
use wire::rtmp::server::{Config, Event, Session};

fn verdict(session: &mut Session, now: Instant, event: &Event) {
    match event {
        Event::PublishRequested { name } | Event::PlayRequested { name, .. } if name.query == "no" => {
            session.reject(now, "NetStream.Publish.BadName", "no");
        }
        Event::PublishRequested { .. } => {
            session.accept_publish(now);
        }
        Event::PlayRequested { .. } => {
            session.accept_play(now);
        }
        Event::Media(_)
        | Event::Unpublished
        | Event::PlayStopped
        | Event::Paused(_)
        | Event::BufferLength(_) => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else { return };
    let mut now = Instant::now();
    let mut session = Session::new(now, Arc::new(Config::default()), 1);
    let mut hello = vec![0; 1 + 2 * PACKET_BYTES];
    hello[0] = 3;
    session.handle_input(now, &hello).expect("a simple handshake");
    for piece in data.chunks(usize::from(cut).max(1)) {
        if session.handle_input(now, piece).is_err() {
            break;
        }
        while let Some(event) = session.poll_event() {
            verdict(&mut session, now, &event);
        }
        now += Duration::from_millis(100);
        if now >= session.poll_timeout() && session.handle_timeout(now).is_err() {
            break;
        }
        if cut % 2 == 0 {
            session.poll_transmit();
        }
    }
    assert!(session.heap_bytes() < 64 << 20);
});
