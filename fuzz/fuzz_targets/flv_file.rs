//! Any bytes as an FLV stream, in one piece and in two: the same tags and the same error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::flv::file::{Error, Reader, Tag};

fn read(pieces: &[&[u8]]) -> (Vec<Tag>, Option<Error>) {
    let mut reader = Reader::new();
    let mut tags = Vec::new();
    for piece in pieces {
        reader.handle_input(piece);
        loop {
            match reader.poll_tag() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Some(error)),
            }
        }
    }
    (tags, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else { return };
    let (front, back) = data.split_at(usize::from(cut).min(data.len()));
    assert_eq!(read(&[front, back]), read(&[data]));
});
