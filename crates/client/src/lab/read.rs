//! Reads the stream as each kind of viewer would and hands its frames to the eye, with the time at which each one's first
//! byte came.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use media::{Codec, Frame, Span, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use wire::flv::file::Reader;
use wire::flv::{Demuxer, Event as FlvEvent, TagKind};
use wire::rtmp::client::{Event, Purpose};
use wire::rtmp::message::Kind as MessageKind;

use super::eye::Unit;
use super::{Output, wall_micros, whep};
use crate::http;
use crate::net::Rtmp;
use crate::play::fragment::{Track, pieces, tracks};
use crate::play::hls::{Cursor, due, join};
use crate::play::playlist::{Media, Playlist};
use crate::url::Url;

/// Playlists that may be followed from one to the next.
const VARIANTS_MAX: usize = 3;
/// A stream that has just begun has no playlist yet.
const PLAYLIST_TRIES: u32 = 40;
const PLAYLIST_RETRY: Duration = Duration::from_millis(250);
/// FLV: the file's header and the first PreviousTagSize; around each body, its header and PreviousTagSize (FLV 10.1 §E.2, §E.3).
const FLV_HEAD_BYTES: u64 = 9 + 4;
const FLV_AROUND_BYTES: u64 = 11 + 4;

/// Where frames go.
pub(super) type Sink = mpsc::Sender<Unit>;

/// One viewing.
#[derive(Clone, Debug)]
pub(super) struct Viewing {
    /// Of what.
    pub(super) url: Url,
    /// Accept any TLS certificate.
    pub(super) insecure: bool,
    /// Where its frames go.
    pub(super) sink: Sink,
    /// It ends when this becomes true.
    pub(super) stop: watch::Receiver<bool>,
}

impl Viewing {
    /// Returns once the viewing is to end.
    pub(super) async fn stopped(&self) {
        // Whoever could say so is gone: it is over.
        drop(self.stop.clone().wait_for(|stop| *stop).await);
    }
}

/// Reads until it is told to stop; the stream's own end is an error.
pub(super) async fn read(output: Output, viewing: &Viewing) -> anyhow::Result<()> {
    let Viewing { url, insecure, sink, .. } = viewing;
    let reading = async {
        match output {
            Output::Rtmp => rtmp(url, sink, *insecure).await,
            Output::Flv | Output::Ws => flv(url, sink, *insecure).await,
            Output::Hls => hls(url, sink, *insecure).await,
            // It has a session to end.
            Output::Whep => whep::read(viewing).await,
        }
    };
    match output {
        Output::Whep => reading.await,
        Output::Rtmp | Output::Flv | Output::Ws | Output::Hls => tokio::select! {
            read = reading => read,
            () = viewing.stopped() => Ok(()),
        },
    }
}

async fn flv(url: &Url, sink: &Sink, insecure: bool) -> anyhow::Result<()> {
    let mut response = http::get(url, insecure).await?;
    let (mut reader, mut tags, mut arrivals) = (Reader::new(), Tags::default(), Arrivals::default());
    let mut at = FLV_HEAD_BYTES;
    let mut bytes = BytesMut::new();
    loop {
        bytes.clear();
        if !response.read(|data| bytes.extend_from_slice(data)).await? {
            bail!("{url}: the stream has ended");
        }
        arrivals.put(bytes.len() as u64, wall_micros());
        reader.handle_input(&bytes);
        while let Some(tag) = reader.poll_tag()? {
            let arrived = arrivals.of(at);
            at += FLV_AROUND_BYTES + tag.body.len() as u64;
            for unit in tags.handle(tag.kind, tag.timestamp_ms, &tag.body, arrived) {
                sink.send(unit).await.context("nobody looks")?;
            }
        }
    }
}

async fn rtmp(url: &Url, sink: &Sink, insecure: bool) -> anyhow::Result<()> {
    let mut rtmp = Rtmp::open(url, Purpose::Play, insecure).await?;
    let mut tags = Tags::default();
    loop {
        // Of a frame that comes in more than one piece this is its last, by microseconds on loopback.
        let arrived = wall_micros();
        while let Some(event) = rtmp.poll_event() {
            let media = match event {
                Event::Media(media) => media,
                Event::StreamEof => bail!("{url}: the stream has ended"),
                Event::Ready | Event::Status(_) => continue,
            };
            let kind = match media.kind {
                MessageKind::Audio => TagKind::Audio,
                MessageKind::Video => TagKind::Video,
                MessageKind::Data => TagKind::Script,
            };
            for unit in tags.handle(kind, media.timestamp_ms, &media.payload, arrived) {
                sink.send(unit).await.context("nobody looks")?;
            }
        }
        rtmp.read().await?;
    }
}

/// Tags to frames, each with the parameters that came before it.
#[derive(Default)]
struct Tags {
    demuxer: Demuxer,
    changed: Vec<(media::codec::Kind, Codec)>,
}

impl Tags {
    fn handle(&mut self, kind: TagKind, timestamp_ms: u32, body: &Bytes, arrived: u64) -> Vec<Unit> {
        let mut units = Vec::new();
        for event in self.demuxer.handle_tag(kind, timestamp_ms, body) {
            match event {
                Ok(FlvEvent::Codec { track, codec }) => {
                    self.changed.retain(|(kind, _)| *kind != track.kind);
                    self.changed.push((track.kind, codec));
                }
                Ok(FlvEvent::Frame { track, at, cts, sync, payload }) => {
                    let changed = self.changed.iter().position(|(kind, _)| *kind == track.kind);
                    let codec = changed.map(|at| self.changed.swap_remove(at).1);
                    let frame = Frame { dts: at, cts, sync, payload };
                    let at = Some(frame.pts().micros());
                    units.push(Unit { kind: track.kind, codec, frame, at, arrived });
                }
                Ok(FlvEvent::Metadata { .. } | FlvEvent::Script { .. } | FlvEvent::Sei { .. }) => {}
                Ok(FlvEvent::End { .. }) => {}
                Err(error) => tracing::debug!("{error}"),
            }
        }
        units
    }
}

/// When each byte of a stream came, as far back as it matters.
#[derive(Debug, Default)]
struct Arrivals {
    received: u64,
    /// Where a piece ends, and when it came.
    pieces: VecDeque<(u64, u64)>,
}

impl Arrivals {
    fn put(&mut self, bytes: u64, now: u64) {
        self.received += bytes;
        self.pieces.push_back((self.received, now));
    }

    /// When the byte at `offset` came; asked for rising offsets.
    fn of(&mut self, offset: u64) -> u64 {
        while self.pieces.len() > 1 && self.pieces.front().is_some_and(|(end, _)| *end <= offset) {
            self.pieces.pop_front();
        }
        self.pieces.front().map_or_else(wall_micros, |(_, at)| *at)
    }
}

async fn hls(url: &Url, sink: &Sink, insecure: bool) -> anyhow::Result<()> {
    let (url, mut media) = open(url, insecure).await?;
    let mut cursor = join(&media).with_context(|| format!("{url} lists no segment"))?;
    let (mut map, mut known) = (None, Vec::new());
    loop {
        for (item, init) in due(&media, &mut cursor) {
            let mut fresh = false;
            if init.is_some() && init != map {
                let init_url = url.join(init.as_deref().unwrap_or_default())?;
                known = tracks(&http::get_all(&init_url, insecure).await?);
                (map, fresh) = (init, true);
            }
            let mut response = http::get(&url.join(&item)?, insecure).await?;
            let arrived = wall_micros();
            let mut bytes = Vec::new();
            while response.read(|data| bytes.extend_from_slice(data)).await? {}
            for unit in part(&bytes, &known, fresh, arrived) {
                sink.send(unit).await.context("nobody looks")?;
            }
        }
        ensure!(!media.ended, "{url}: the stream has ended");
        media = reload(&url, &media, cursor, insecure).await?;
    }
}

/// The frames of one part; `fresh` parameters go with the first of each track.
fn part(bytes: &[u8], known: &[Track], fresh: bool, arrived: u64) -> Vec<Unit> {
    let mut told: Vec<u32> = if fresh { Vec::new() } else { known.iter().map(|track| track.id).collect() };
    let mut units: Vec<Unit> = Vec::new();
    for piece in pieces(bytes, known) {
        let is_told = told.contains(&piece.track.id);
        let codec = if is_told { None } else { piece.track.codec.clone() };
        told.extend((!is_told).then_some(piece.track.id));
        let dts = Timestamp::from_micros(piece.dts_micros);
        let (cts, payload) = (Span::from_micros(piece.cts_micros), Bytes::copy_from_slice(piece.body));
        let frame = Frame { dts, cts, sync: piece.key, payload };
        let at = Some(frame.pts().micros());
        units.push(Unit { kind: piece.track.kind, codec, frame, at, arrived });
    }
    units
}

/// Follows multivariant playlists to the first rendition's.
async fn open(url: &Url, insecure: bool) -> anyhow::Result<(Url, Media)> {
    let mut url = url.clone();
    for _ in 0..VARIANTS_MAX {
        match first(&url, insecure).await? {
            Playlist::Media(media) => return Ok((url, media)),
            Playlist::Multivariant(next) => url = url.join(&next)?,
        }
    }
    bail!("{url} leads from one multivariant playlist to another");
}

/// A playlist as soon as there is one that lists something.
async fn first(url: &Url, insecure: bool) -> anyhow::Result<Playlist> {
    let mut tries = 0;
    loop {
        let why = match fetch(url, insecure).await {
            Ok(Playlist::Media(media)) if media.segments.is_empty() => {
                anyhow::anyhow!("{url} lists no segment")
            }
            Ok(playlist) => return Ok(playlist),
            Err(why) => why,
        };
        tries += 1;
        if tries == PLAYLIST_TRIES {
            return Err(why);
        }
        sleep(PLAYLIST_RETRY).await;
    }
}

async fn fetch(url: &Url, insecure: bool) -> anyhow::Result<Playlist> {
    let bytes = http::get_all(url, insecure).await?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{url} is no text"))?;
    Playlist::parse(text).with_context(|| format!("{url} as playlist"))
}

async fn reload(url: &Url, media: &Media, cursor: Cursor, insecure: bool) -> anyhow::Result<Media> {
    let next = if media.can_block {
        let next = url.with_query("_HLS_msn", &cursor.segment.to_string());
        let parts = media.segments.iter().any(|segment| !segment.parts.is_empty());
        if parts { next.with_query("_HLS_part", &cursor.part.to_string()) } else { next }
    } else {
        sleep(media.target.max(PLAYLIST_RETRY * 2) / 2).await;
        url.clone()
    };
    match fetch(&next, insecure).await? {
        Playlist::Media(media) => Ok(media),
        Playlist::Multivariant(_) => bail!("{url} became a multivariant playlist"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_came_with_the_piece_that_holds_it() {
        let mut arrivals = Arrivals::default();
        [(100, 1), (50, 2), (200, 3)].into_iter().for_each(|(bytes, at)| arrivals.put(bytes, at));
        assert_eq!([0, 99, 100, 149, 150, 349].map(|offset| arrivals.of(offset)), [1, 1, 2, 2, 3, 3]);
    }
}
