//! `openmic push`: sends a file to an RTMP server in real time, as a live encoder would.

mod mp4;
pub mod pace;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::flv::TagKind;
use wire::flv::file::{Reader, Tag};
use wire::rtmp::client::Purpose;
use wire::rtmp::message::Kind;

use crate::net::Rtmp;
use crate::stamp::{NAL_BYTES, Stamp, now_micros};
use crate::url::{Scheme, Url};
use pace::{Cursor, Schedule, is_key};

/// A file is held in memory once for all copies; a longer one is refused.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// FLV's header of a legacy AVC picture (FLV 10.1 §E.4.3.1).
const AVC_HEADER_BYTES: usize = 5;

/// What to push and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// An FLV file, or an MP4 file that is not fragmented.
    pub file: PathBuf,
    /// Where to; with several copies `{n}` stands for the number, else `-1`, `-2` … is put behind the stream's name.
    pub url: String,
    /// Begin again at the end, timestamps going on.
    pub looped: bool,
    /// How many streams at once.
    pub copies: usize,
    /// Accept any TLS certificate.
    pub insecure: bool,
    /// Connect again this long after the connection was lost; `None` gives up.
    pub reconnect: Option<Duration>,
    /// Put a [`Stamp`] into every H.264 picture.
    pub stamp: bool,
}

/// What one copy did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Where to.
    pub url: String,
    /// Since the first connection.
    pub seconds: f64,
    /// Tag bodies sent.
    pub bytes: u64,
    /// Pictures and sounds sent.
    pub frames: u64,
    /// How often the connection was lost and made again.
    pub reconnects: u64,
    /// By how much the tag that was latest left behind its time.
    pub late_max_ms: f64,
}

/// Pushes until the file's end, or until `stop` becomes true; every stream then ends cleanly.
///
/// # Errors
/// When the file cannot be read or is neither FLV nor MP4, an address is none of RTMP, or a server refuses or is lost and there is
/// to be no reconnection.
pub async fn run(options: Options, stop: watch::Receiver<bool>) -> anyhow::Result<Vec<Report>> {
    let urls = addresses(&options.url, options.copies)?;
    let schedule = Arc::new(Schedule::new(read_file(&options.file).await?)?);
    let mut copies = JoinSet::new();
    for url in urls {
        let copy = Copy {
            schedule: schedule.clone(),
            report: Report { url: url.to_string(), ..Report::default() },
            cursor: Cursor::default(),
            sequence: 0,
            options: options.clone(),
            url,
        };
        copies.spawn(copy.run(stop.clone()));
    }
    let mut reports = Vec::new();
    while let Some(report) = copies.join_next().await {
        reports.push(report.context("a copy's task")??);
    }
    reports.sort_by(|a, b| a.url.cmp(&b.url));
    Ok(reports)
}

/// The address of each copy.
pub fn addresses(url: &str, copies: usize) -> anyhow::Result<Vec<Url>> {
    let numbered = |n: usize| match (url.contains("{n}"), copies) {
        (true, _) => url.replace("{n}", &n.to_string()),
        (false, 0 | 1) => url.to_owned(),
        (false, _) => match url.split_once('?') {
            Some((path, query)) => format!("{path}-{n}?{query}"),
            None => format!("{url}-{n}"),
        },
    };
    let parse = |text: String| {
        let parsed = Url::parse(&text)?;
        match parsed.scheme {
            Scheme::Rtmp | Scheme::Rtmps => parsed.rtmp_names()?,
            Scheme::Http | Scheme::Https | Scheme::Ws | Scheme::Wss => {
                bail!("{text}: streams are pushed to rtmp:// or rtmps:// addresses")
            }
        };
        Ok(parsed)
    };
    (1..=copies.max(1)).map(|n| parse(numbered(n))).collect()
}

async fn read_file(path: &Path) -> anyhow::Result<Vec<Tag>> {
    let name = path.display();
    let len = tokio::fs::metadata(path).await.with_context(|| format!("reading {name}"))?.len();
    ensure!(len <= FILE_BYTES_MAX, "{name} has {len} bytes, at most {FILE_BYTES_MAX} can be pushed");
    let bytes = tokio::fs::read(path).await.with_context(|| format!("reading {name}"))?;
    if bytes.get(4..8) == Some(b"ftyp") {
        return mp4::tags(&bytes.into()).with_context(|| format!("reading {name}"));
    }
    ensure!(
        bytes.starts_with(b"FLV"),
        "{name} is neither FLV nor MP4; remedy: ffmpeg -i {name} -c copy {}",
        path.with_extension("flv").display()
    );
    let mut reader = Reader::new();
    reader.handle_input(&bytes);
    drop(bytes);
    let mut tags = Vec::new();
    while let Some(tag) = reader.poll_tag().with_context(|| format!("reading {name}"))? {
        tags.push(tag);
    }
    Ok(tags)
}

struct Copy {
    schedule: Arc<Schedule>,
    cursor: Cursor,
    options: Options,
    url: Url,
    report: Report,
    sequence: u64,
}

/// Why a connection's work ended.
enum Ended {
    File,
    Stopped,
}

impl Copy {
    async fn run(mut self, mut stop: watch::Receiver<bool>) -> anyhow::Result<Report> {
        let start = Instant::now();
        loop {
            let ended = self.connection(start, &mut stop).await;
            self.report.seconds = start.elapsed().as_secs_f64();
            let why = match ended {
                Ok(Ended::File | Ended::Stopped) => return Ok(self.report),
                Err(why) => why.context(format!("pushing to {}", self.url)),
            };
            let Some(pause) = self.options.reconnect else { return Err(why) };
            tracing::warn!("{why:#}; again in {} s", pause.as_secs_f64());
            tokio::select! {
                () = tokio::time::sleep(pause) => self.report.reconnects += 1,
                () = stopped(&mut stop) => return Ok(self.report),
            }
        }
    }

    async fn connection(
        &mut self,
        start: Instant,
        stop: &mut watch::Receiver<bool>,
    ) -> anyhow::Result<Ended> {
        let mut rtmp = tokio::select! {
            opened = Rtmp::open(&self.url, Purpose::Publish, self.options.insecure) => opened?,
            () = stopped(stop) => return Ok(Ended::Stopped),
        };
        let resumed = self.report.reconnects > 0;
        if resumed {
            let now_ms = start.elapsed().as_millis() as u32;
            for (kind, body) in self.cursor.parameters() {
                rtmp.session.send_media(message_kind(kind), now_ms, body)?;
            }
        }
        let ended = self.send_all(&mut rtmp, start, stop, resumed).await?;
        rtmp.finish().await.context("saying goodbye")?;
        Ok(ended)
    }

    /// `resumed` leaves out what is past and what cannot be decoded after the loss.
    async fn send_all(
        &mut self,
        rtmp: &mut Rtmp,
        start: Instant,
        stop: &mut watch::Receiver<bool>,
        mut resumed: bool,
    ) -> anyhow::Result<Ended> {
        let schedule = self.schedule.clone();
        while let Some(due) = schedule.next(&mut self.cursor, self.options.looped) {
            let at = start + due.after;
            if resumed && (at < Instant::now() || !is_key(&due.tag)) {
                continue;
            }
            resumed = false;
            loop {
                tokio::select! {
                    biased;
                    () = stopped(stop) => return Ok(Ended::Stopped),
                    () = tokio::time::sleep_until(at) => break,
                    read = rtmp.read() => read?,
                }
                while rtmp.poll_event().is_some() {}
            }
            self.report.late_max_ms = self.report.late_max_ms.max(at.elapsed().as_secs_f64() * 1_000.0);
            self.send(rtmp, due.tag).await?;
        }
        Ok(Ended::File)
    }

    async fn send(&mut self, rtmp: &mut Rtmp, tag: Tag) -> anyhow::Result<()> {
        let body = if self.options.stamp { self.stamped(&tag) } else { tag.body };
        rtmp.session.send_media(message_kind(tag.kind), tag.timestamp_ms, &body)?;
        rtmp.flush().await.context("sending")?;
        self.report.bytes += body.len() as u64;
        self.report.frames += u64::from(tag.kind != TagKind::Script);
        Ok(())
    }

    /// The picture with a stamp before its NAL units, if it is one of legacy AVC with 4-byte lengths.
    fn stamped(&mut self, tag: &Tag) -> Bytes {
        if tag.kind != TagKind::Video || !matches!(tag.body[..], [0x17 | 0x27, 1, ..]) {
            return tag.body.clone();
        }
        let Some((header, units)) = tag.body.split_at_checked(AVC_HEADER_BYTES) else {
            return tag.body.clone();
        };
        let stamp = Stamp { sent_micros: now_micros(), sequence: self.sequence };
        self.sequence += 1;
        let mut body = BytesMut::with_capacity(tag.body.len() + 4 + NAL_BYTES);
        body.extend_from_slice(header);
        body.extend_from_slice(&(NAL_BYTES as u32).to_be_bytes());
        body.extend_from_slice(&stamp.to_nal());
        body.extend_from_slice(units);
        body.freeze()
    }
}

/// Returns once `stop` is true; a sender that is gone means that nobody can ask any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

fn message_kind(kind: TagKind) -> Kind {
    match kind {
        TagKind::Audio => Kind::Audio,
        TagKind::Video => Kind::Video,
        TagKind::Script => Kind::Data,
    }
}

#[cfg(test)]
mod tests;
