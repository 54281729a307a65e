//! `openmic play`: reads any of our outputs as a viewer would, and tells what it is like.

pub(crate) mod fragment;
pub(crate) mod hls;
pub mod meter;
pub(crate) mod playlist;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use wire::flv::file::Reader;
use wire::flv::{Demuxer, Event as FlvEvent, TagKind, mux};
use wire::rtmp::client::{Event, Purpose};
use wire::rtmp::message::{Kind as MessageKind, Media};

use crate::http;
use crate::net::Rtmp;
use crate::stamp::{Stamp, now_micros};
use crate::url::{Scheme, Url};
use meter::{Meter, Report, Sample, Second};

/// A stamp lies this early in a picture or not at all.
const STAMP_BYTES_MAX: usize = 512;

/// What to play and how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// `http(s)://….flv`, `ws(s)://….flv`, `rtmp(s)://…` or `http(s)://….m3u8`.
    pub url: Url,
    /// How long after the first frame; `None` plays to the stream's end.
    pub duration: Option<Duration>,
    /// Without a frame for this long, playing has failed.
    pub timeout: Duration,
    /// Where to write what was received: FLV, or fMP4 for HLS.
    pub out: Option<PathBuf>,
    /// Accept any TLS certificate.
    pub insecure: bool,
}

impl Options {
    /// To the stream's end, ten seconds of patience, nothing kept.
    pub fn new(url: Url) -> Self {
        Self { url, duration: None, timeout: Duration::from_secs(10), out: None, insecure: false }
    }
}

/// Plays until the stream or the duration ends, telling each second as it passes.
///
/// # Errors
/// When the server refuses, what it sends cannot be read, or no frame came within the timeout.
pub async fn run(options: &Options, mut tell: impl FnMut(&Second) + Send) -> anyhow::Result<Report> {
    let out = match &options.out {
        Some(path) => Some(File::create(path).await.with_context(|| format!("creating {}", path.display()))?),
        None => None,
    };
    let mut player = Player {
        options,
        meter: Meter::new(Instant::now()),
        out,
        tell: &mut tell,
        second_ends: None,
        last_frame: Instant::now(),
        frames: 0,
    };
    let ended = player.run().await;
    player.finish().await?;
    let report = player.meter.report(Instant::now());
    match ended {
        Ok(()) => ensure!(player.frames > 0, "{}: the stream ended before its first frame", options.url),
        // A stream that breaks off after frames came has been played; what was measured is worth more than the error.
        Err(why) if player.frames == 0 || why.is::<Silent>() => return Err(why),
        Err(why) => tracing::warn!("{why:#}"),
    }
    Ok(report)
}

/// Nothing came any more.
#[derive(Debug, thiserror::Error)]
#[error("{url}: no frame for {} s", timeout.as_secs_f64())]
struct Silent {
    url: String,
    timeout: Duration,
}

/// Whether bytes belong into the file of what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Keep,
    Drop,
}

struct Player<'a> {
    options: &'a Options,
    meter: Meter,
    out: Option<File>,
    tell: &'a mut (dyn FnMut(&Second) + Send),
    second_ends: Option<Instant>,
    last_frame: Instant,
    frames: u64,
}

impl Player<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        let url = self.options.url.clone();
        match url.scheme {
            Scheme::Rtmp | Scheme::Rtmps => self.play_rtmp(&url).await,
            Scheme::Http | Scheme::Https if url.path.ends_with(".m3u8") => hls::play(self, &url).await,
            Scheme::Http | Scheme::Https | Scheme::Ws | Scheme::Wss => self.play_flv(&url).await,
        }
    }

    async fn play_flv(&mut self, url: &Url) -> anyhow::Result<()> {
        let mut response = self.patiently(http::get(url, self.options.insecure)).await??;
        let (mut reader, mut demuxer) = (Reader::new(), Demuxer::new());
        let mut bytes = BytesMut::new();
        loop {
            bytes.clear();
            let read = self.patiently(response.read(|data| bytes.extend_from_slice(data))).await?;
            if !read? || self.done() {
                return Ok(());
            }
            self.bytes(&bytes, Out::Keep).await?;
            reader.handle_input(&bytes);
            while let Some(tag) = reader.poll_tag()? {
                self.tag(&mut demuxer, tag.kind, tag.timestamp_ms, &tag.body);
            }
        }
    }

    async fn play_rtmp(&mut self, url: &Url) -> anyhow::Result<()> {
        let mut rtmp = self.patiently(Rtmp::open(url, Purpose::Play, self.options.insecure)).await??;
        let mut demuxer = Demuxer::new();
        self.keep(&mux::file_header(true, true)).await?;
        let ended = 'playing: loop {
            while let Some(event) = rtmp.poll_event() {
                match event {
                    Event::Media(media) => self.rtmp_media(&mut demuxer, &media).await?,
                    Event::StreamEof => break 'playing Ok(()),
                    Event::Status(status) if status.code == "NetStream.Play.UnpublishNotify" => {
                        break 'playing Ok(());
                    }
                    Event::Ready | Event::Status(_) => {}
                }
            }
            if self.done() {
                break Ok(());
            }
            if let Err(why) = self.patiently(rtmp.read()).await.and_then(|read| read) {
                break Err(why);
            }
        };
        // The server may be gone already, which is no failure of playing.
        let _ = rtmp.finish().await;
        ended
    }

    async fn rtmp_media(&mut self, demuxer: &mut Demuxer, media: &Media) -> anyhow::Result<()> {
        let kind = match media.kind {
            MessageKind::Audio => TagKind::Audio,
            MessageKind::Video => TagKind::Video,
            MessageKind::Data => TagKind::Script,
        };
        self.meter.handle_bytes(Instant::now(), media.payload.len());
        let at = media::Timestamp::from_millis(i64::from(media.timestamp_ms));
        if self.out.is_some() {
            let mut tag = BytesMut::new();
            mux::write_tag(kind, at, &[], &media.payload, &mut tag);
            self.keep(&tag).await?;
        }
        self.tag(demuxer, kind, media.timestamp_ms, &media.payload);
        Ok(())
    }

    /// Waits as long as frames may be missing, telling the seconds that pass.
    async fn patiently<T>(&mut self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let silent_at = self.last_frame + self.options.timeout;
            let wake = self.second_ends.map_or(silent_at, |ends| ends.min(silent_at));
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(wake.into()) => {}
            }
            self.pass(Instant::now());
            if Instant::now() >= silent_at {
                let (url, timeout) = (self.options.url.to_string(), self.options.timeout);
                bail!(Silent { url, timeout });
            }
        }
    }

    async fn bytes(&mut self, bytes: &[u8], out: Out) -> anyhow::Result<()> {
        self.meter.handle_bytes(Instant::now(), bytes.len());
        if out == Out::Keep { self.keep(bytes).await } else { Ok(()) }
    }

    async fn keep(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match &mut self.out {
            Some(file) => file.write_all(bytes).await.context("writing what was received"),
            None => Ok(()),
        }
    }

    fn tag(&mut self, demuxer: &mut Demuxer, kind: TagKind, timestamp_ms: u32, body: &Bytes) {
        for event in demuxer.handle_tag(kind, timestamp_ms, body) {
            match event {
                Ok(FlvEvent::Codec { codec, .. }) => self.codec(codec.name().to_owned()),
                Ok(FlvEvent::Frame { track, at, sync, payload, .. }) => {
                    let stamp = Stamp::find(&payload[..payload.len().min(STAMP_BYTES_MAX)]);
                    let bytes = payload.len();
                    self.sample(&Sample {
                        kind: track.kind,
                        dts_micros: at.micros(),
                        key: sync,
                        bytes,
                        stamp,
                    });
                }
                Ok(FlvEvent::Metadata { .. } | FlvEvent::Script { .. } | FlvEvent::Sei { .. }) => {}
                Ok(FlvEvent::End { .. }) => {}
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }

    fn codec(&mut self, name: String) {
        self.meter.handle_codec(name);
    }

    fn sample(&mut self, sample: &Sample) {
        let now = Instant::now();
        self.meter.handle_sample(now, now_micros(), sample);
        self.frames = self.meter.frames();
        self.last_frame = now;
        self.second_ends.get_or_insert(now + Duration::from_secs(1));
        self.pass(now);
    }

    /// Tells the seconds that have passed.
    fn pass(&mut self, now: Instant) {
        if let Some(ends) = self.second_ends.filter(|ends| now >= *ends) {
            (self.tell)(&self.meter.take_second(now));
            self.second_ends = Some(ends.max(now - Duration::from_secs(1)) + Duration::from_secs(1));
        }
    }

    fn done(&self) -> bool {
        let played = self.meter.report(Instant::now()).seconds;
        self.options.duration.is_some_and(|duration| self.frames > 0 && played >= duration.as_secs_f64())
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        match &mut self.out {
            Some(file) => file.flush().await.context("writing what was received"),
            None => Ok(()),
        }
    }
}
