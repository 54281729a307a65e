//! From frames to the bytes of one format, once for all its viewers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::broadcast::TrackId;
use media::codec::{Codec, Kind};
use media::{Frame, Timestamp};
use wire::flv::{self, TagKind, TrackKey, meta, mux};
use wire::rtmp::{chunk, limits, message};
use wire::ws;

use super::Format;
use super::feed::Preamble;

/// The tracks of a broadcast as one format sees them.
pub(super) struct Mux {
    format: Format,
    tags: mux::Muxer,
    tracks: BTreeMap<TrackId, Arc<Codec>>,
    scratch: BytesMut,
}

impl Mux {
    pub(super) fn new(format: Format) -> Self {
        Self { format, tags: mux::Muxer::default(), tracks: BTreeMap::new(), scratch: BytesMut::new() }
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.tracks.values().any(|codec| codec.kind() == kind)
    }

    /// The track whose groups viewers join at: the first picture, else the first sound, else whatever there is.
    pub(super) fn lead(&self) -> Option<TrackId> {
        self.tracks.iter().min_by_key(|(id, codec)| (codec.kind(), **id)).map(|(id, _)| *id)
    }

    /// Takes a track's parameters; `true` when they differ from those it had.
    pub(super) fn set_codec(&mut self, track: TrackId, codec: &Arc<Codec>) -> bool {
        match self.tracks.get(&track) {
            Some(known) if Arc::ptr_eq(known, codec) || known == codec => false,
            Some(_) | None => {
                self.tracks.insert(track, Arc::clone(codec));
                true
            }
        }
    }

    /// What a viewer needs before a group whose first frame is due at `at`.
    pub(super) fn preamble(&mut self, at: Timestamp) -> Preamble {
        let mut intro = BytesMut::new();
        let tracks: Vec<meta::Track<'_>> = self
            .tracks
            .iter()
            .filter_map(|(id, codec)| {
                let key = TrackKey { kind: codec.kind(), id: self.number(*id)? };
                Some(meta::Track { key, codec, bitrate: None })
            })
            .collect();
        let metadata = meta::body(&tracks, &self.tags);
        match self.format {
            Format::Flv => intro.extend_from_slice(&self.file_header()),
            Format::WsFlv => write_ws(&self.file_header(), &mut intro),
            Format::Rtmp => {}
        }
        // FFmpeg takes a script tag with any other stamp for subtitles.
        self.write((TagKind::Script, Timestamp::ZERO), [&[], &metadata], &mut intro);
        let mut headers = BytesMut::new();
        let ids: Vec<TrackId> = self.tracks.keys().copied().collect();
        for id in ids {
            self.write_header(id, at, &mut headers);
        }
        Preamble { intro: intro.freeze(), headers: headers.freeze() }
    }

    /// A track's parameters within the stream, before its frame due at `at`.
    pub(super) fn write_header(&mut self, track: TrackId, at: Timestamp, out: &mut BytesMut) {
        let Some((codec, number)) = self.track(track) else { return };
        let header = self.tags.sequence_header(&codec, number);
        if let Some((kind, body)) = mux::tag_kind(&codec).zip(header) {
            self.write((kind, at), [&body, &[]], out);
        }
    }

    /// One frame; nothing when the format has no place for it (SEI, which its picture carries).
    pub(super) fn write_frame(&mut self, track: TrackId, frame: &Frame, out: &mut BytesMut) {
        let Some((codec, number)) = self.track(track) else { return };
        let head = self.tags.body_header(&codec, frame, number);
        if let Some((kind, head)) = mux::tag_kind(&codec).zip(head) {
            self.write((kind, frame.dts), [&head, &frame.payload], out);
        }
    }

    fn track(&self, track: TrackId) -> Option<(Arc<Codec>, u8)> {
        Some((Arc::clone(self.tracks.get(&track)?), self.number(track)?))
    }

    /// The Enhanced RTMP track number: tracks of one kind count from 0 in the order of their ids.
    fn number(&self, track: TrackId) -> Option<u8> {
        let kind = self.tracks.get(&track)?.kind();
        let before = self.tracks.range(..track).filter(|(_, codec)| codec.kind() == kind).count();
        u8::try_from(before).ok()
    }

    fn file_header(&self) -> [u8; mux::FILE_HEADER_BYTES] {
        mux::file_header(self.has(Kind::Audio), self.has(Kind::Video))
    }

    /// One tag or message whose body is a head and a payload. A body beyond what the format can say is left out.
    fn write(&mut self, (kind, at): (TagKind, Timestamp), [head, payload]: [&[u8]; 2], out: &mut BytesMut) {
        match self.format {
            Format::Flv => {
                mux::write_tag(kind, at, head, payload, out);
            }
            Format::WsFlv => {
                self.scratch.clear();
                if mux::write_tag(kind, at, head, payload, &mut self.scratch) {
                    write_ws(&self.scratch, out);
                }
            }
            Format::Rtmp => {
                let kind = match kind {
                    TagKind::Audio => message::Kind::Audio,
                    TagKind::Video => message::Kind::Video,
                    TagKind::Script => message::Kind::Data,
                };
                let header = kind.header(flv::mux::stamp(at));
                // Only a body of over 16 MB is refused, and such a frame never passed our own ingest.
                let _ = chunk::message_into(out, &header, &[head, payload], limits::CHUNK_BYTES_OUT);
            }
        }
    }
}

fn write_ws(message: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(ws::frame_header(message.len()).as_ref());
    out.extend_from_slice(message);
}

/// Bytes of several chunks in one buffer; a single one as it is.
pub(super) fn join(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() == 1 {
        return chunks.swap_remove(0);
    }
    let mut run = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| run.extend_from_slice(chunk));
    run.freeze()
}
