//! An MP4 file as the tags that an FLV file of the same content would hold.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::Codec;
use wire::flv::file::Tag;
use wire::flv::mux::{self, Muxer};
use wire::fmp4::{Entry, Error, File};

/// The frames in decode order, a track's parameters before its first frame and wherever they change. The first
/// frame's stamp is zero; tracks beyond the first of their kind are written as Enhanced RTMP's further tracks.
///
/// # Errors
/// When the file is no progressive MP4, or a frame does not lie in it as its tables say.
pub(super) fn tags(bytes: &Bytes) -> Result<Vec<Tag>, Error> {
    let file = File::parse(bytes)?;
    let kinds: Vec<_> = file.tracks().map(|codec| codec.kind()).collect();
    let number =
        |track: usize| kinds.iter().take(track).filter(|kind| Some(*kind) == kinds.get(track)).count() as u8;
    let muxer = Muxer::default();
    let mut known: Vec<Option<Arc<Codec>>> = vec![None; kinds.len()];
    let mut tags = Vec::with_capacity(file.len());
    for entry in file.frames() {
        let Entry { track, codec, frame } = entry?;
        let (Some(kind), number) = (mux::tag_kind(&codec), number(track)) else { continue };
        let timestamp_ms = mux::stamp(frame.dts);
        if known[track].as_ref() != Some(&codec) {
            let header = muxer.sequence_header(&codec, number);
            tags.extend(header.map(|body| Tag { kind, timestamp_ms, body }));
            known[track] = Some(Arc::clone(&codec));
        }
        let Some(head) = muxer.body_header(&codec, &frame, number) else { continue };
        let mut body = BytesMut::with_capacity(head.len() + frame.payload.len());
        body.extend_from_slice(&head);
        body.extend_from_slice(&frame.payload);
        tags.push(Tag { kind, timestamp_ms, body: body.freeze() });
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use wire::flv::{Demuxer, Event};

    use super::*;

    #[test]
    fn an_mp4_file_becomes_the_tags_from_which_its_frames_come_back() {
        let bytes = Bytes::from_static(include_bytes!("../../../../tests/fixtures/h264_aac.mp4"));
        let mut demuxer = Demuxer::new();
        let (mut codecs, mut frames) = (Vec::new(), Vec::new());
        for tag in tags(&bytes).unwrap() {
            for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
                match event.unwrap() {
                    Event::Codec { codec, .. } => codecs.push(codec.name()),
                    Event::Frame { at, cts, sync, payload, .. } => {
                        frames.push((at.millis(), (at + cts).millis(), sync, payload));
                    }
                    Event::Sei { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        codecs.sort_unstable();
        assert_eq!(codecs, ["AAC", "H.264"]);
        let wanted: Vec<_> = File::parse(&bytes)
            .unwrap()
            .frames()
            .map(|entry| entry.unwrap().frame)
            .map(|frame| (frame.dts.millis(), frame.pts().millis(), frame.sync, frame.payload))
            .collect();
        assert_eq!(frames, wanted);
    }
}
