//! Chunk streams: no input panics, and any cut gives the same messages. The first byte is the size of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtmp::chunk::{Error, Message, Reader};

fn read(data: &[u8], cut: usize) -> (Vec<Message>, Option<Error>) {
    let (mut reader, mut messages) = (Reader::new(), Vec::new());
    for mut piece in data.chunks(cut) {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else { return };
    if !data.is_empty() {
        assert_eq!(read(data, usize::from(cut).max(1)), read(data, data.len()));
    }
});
