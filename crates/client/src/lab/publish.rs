//! Publishes the source by RTMP or WHIP and keeps when each picture had left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use av::sound::{Channels, Target};
use media::{Codec, Frame};
use str0m::media::MediaKind;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire::flv::mux::Muxer;
use wire::flv::{TrackKey, meta};
use wire::rtmp::client::Purpose;
use wire::rtmp::message::Kind;
use wire::rtp::Packetizer;

use super::peer::{Peer, Seen, Way};
use super::source::{Made, Shape, Source};
use super::{Input, wall_micros};
use crate::http::Caller;
use crate::net::Rtmp;
use crate::url::Url;

const SOUND_BPS: u32 = 96_000;

/// When pictures had left, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<HashMap<u16, u64>>);

impl Sent {
    fn put(&self, sequence: u16) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(sequence, wall_micros());
    }

    /// When the last byte of this picture was handed to the socket, in microseconds since the epoch.
    pub(super) fn at(&self, sequence: u16) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&sequence).copied()
    }
}

/// A running publisher.
pub(super) struct Publisher {
    /// When pictures had left.
    pub(super) sent: Arc<Sent>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Publisher {
    /// Connects and begins to send.
    pub(super) async fn start(input: Input, url: &Url, shape: Shape, insecure: bool) -> anyhow::Result<Self> {
        let sent = Arc::new(Sent::default());
        let log = Arc::clone(&sent);
        let (stop, stopped) = oneshot::channel();
        let task = match input {
            Input::Rtmp => {
                let rtmp = Rtmp::open(url, Purpose::Publish, insecure).await?;
                let target = Target::Aac { bitrate_bps: SOUND_BPS };
                let source = Source::start(shape, target)?;
                tokio::spawn(rtmp_task(rtmp, source, log, stopped))
            }
            Input::Whip => {
                let caller = Caller { bearer: None, insecure };
                let peer = Peer::connect(url, Way::Publish, caller).await?;
                let target = Target::Opus { channels: Channels::Mono, bitrate_bps: SOUND_BPS };
                let source = Source::start(shape, target)?;
                tokio::spawn(whip_task(peer, source, log, (stopped, insecure)))
            }
        };
        Ok(Self { sent, stop, task })
    }

    /// Ends the session; an error that had ended it before is returned.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        // A task that has ended listens no more, and tells why.
        let _ = self.stop.send(());
        self.task.await.context("the publisher's task")?
    }
}

/// Until it is told to stop, or whoever could tell is gone.
type Stopped = oneshot::Receiver<()>;

async fn rtmp_task(mut rtmp: Rtmp, source: Source, sent: Arc<Sent>, stopped: Stopped) -> anyhow::Result<()> {
    tokio::select! {
        ended = send_rtmp(&mut rtmp, source, sent) => ended,
        _ = stopped => rtmp.finish().await.context("saying goodbye"),
    }
}

async fn whip_task(
    mut peer: Peer,
    source: Source,
    sent: Arc<Sent>,
    (stopped, insecure): (Stopped, bool),
) -> anyhow::Result<()> {
    let ended = tokio::select! {
        ended = send_whip(&mut peer, source, sent) => ended,
        _ = stopped => Ok(()),
    };
    peer.close(Caller { bearer: None, insecure }).await;
    ended
}

async fn send_rtmp(rtmp: &mut Rtmp, mut source: Source, sent: Arc<Sent>) -> anyhow::Result<()> {
    let mut codecs = [Some(source.sound.clone()), None];
    let mut begun = false;
    loop {
        let made = tokio::select! {
            biased;
            made = source.made.recv() => made.context("the source has ended")?,
            read = rtmp.read() => {
                read.context("publishing")?;
                while rtmp.poll_event().is_some() {}
                continue;
            }
        };
        if let Some(codec) = made.codec.clone() {
            codecs[1] = Some(codec);
        }
        let at = media_ms(&made.frame);
        if made.codec.is_some() {
            announce(rtmp, &codecs, at)?;
            begun = true;
        }
        let [sound, picture] = &codecs;
        let (kind, codec) = match made.picture {
            Some(_) => (Kind::Video, picture),
            None => (Kind::Audio, sound),
        };
        // Sound before the first picture would be announced twice.
        let Some(codec) = codec.as_ref().filter(|_| begun) else { continue };
        let Some(head) = Muxer::default().body_header(codec, &made.frame, 0) else { continue };
        rtmp.session.send_media(kind, at, &[&head, &made.frame.payload[..]].concat())?;
        rtmp.flush().await.context("publishing")?;
        made.picture.into_iter().for_each(|sequence| sent.put(sequence));
    }
}

/// Metadata and parameters, in the order in which encoders send them.
fn announce(rtmp: &mut Rtmp, codecs: &[Option<Codec>; 2], at: u32) -> anyhow::Result<()> {
    let muxer = Muxer::default();
    let track =
        |codec| meta::Track { key: TrackKey { kind: Codec::kind(codec), id: 0 }, codec, bitrate: None };
    let tracks: Vec<_> = codecs.iter().flatten().map(track).collect();
    rtmp.session.send_media(Kind::Data, at, &meta::body(&tracks, &muxer))?;
    for codec in codecs.iter().flatten() {
        let kind = if codec.sound().is_some() { Kind::Audio } else { Kind::Video };
        let header = muxer.sequence_header(codec, 0).context("a codec without parameters")?;
        rtmp.session.send_media(kind, at, &header)?;
    }
    Ok(())
}

fn media_ms(frame: &Frame) -> u32 {
    frame.dts.millis() as u32
}

async fn send_whip(peer: &mut Peer, mut source: Source, sent: Arc<Sent>) -> anyhow::Result<()> {
    let (mut pictures, mut sounds) = (Packetizer::default(), Packetizer::default());
    let sound = source.sound.clone();
    let mut picture = None;
    let mut packets = Vec::new();
    loop {
        let made: Made = tokio::select! {
            biased;
            made = source.made.recv() => made.context("the source has ended")?,
            seen = peer.step() => {
                if matches!(seen.context("publishing")?, Seen::KeyframeWanted) {
                    source.want_keyframe();
                }
                continue;
            }
        };
        let wall = source.start + (made.frame.dts - media::Timestamp::ZERO).to_duration();
        packets.clear();
        if let Some(sequence) = made.picture {
            picture = made.codec.or(picture);
            let codec = picture.as_ref().context("a picture without parameters")?;
            pictures.handle_frame(codec, made.frame.sync, &made.frame, &mut packets);
            peer.send(MediaKind::Video, &packets, wall, None)?;
            sent.put(sequence);
        } else {
            sounds.handle_frame(&sound, false, &made.frame, &mut packets);
            peer.send(MediaKind::Audio, &packets, wall, None)?;
        }
    }
}
