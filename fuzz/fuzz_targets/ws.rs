//! WebSocket frames at either end: no input panics, and any cut gives the same. The first byte is the size of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::ws::{Error, Event, Session};

fn read(mut session: Session, data: &[u8], cut: usize) -> (Option<Error>, Vec<u8>, Vec<u8>) {
    let error = data.chunks(cut).find_map(|piece| session.handle_input(piece).err());
    let mut events = Vec::new();
    while let Some(event) = session.poll_event() {
        match event {
            Event::Data(bytes) | Event::Text(bytes) => events.extend_from_slice(&bytes),
            Event::Closed { code } => events.extend_from_slice(&code.to_be_bytes()),
        }
    }
    (error, session.poll_transmit().unwrap_or_default().to_vec(), events)
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else { return };
    if data.is_empty() {
        return;
    }
    let cut = usize::from(cut).max(1);
    assert_eq!(read(Session::server(), data, cut), read(Session::server(), data, data.len()));
    assert_eq!(read(Session::client(1), data, cut), read(Session::client(1), data, data.len()));
});
