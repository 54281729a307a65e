//! One rung that is made in this process: decoded pictures made smaller and encoded, on a thread of its own.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use av::picture::{Encoder, Options, Scaler, Shown};
use media::broadcast::{Broadcast, TrackInfo};
use media::codec::Codec;
use media::{Frame, Span};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Rung;
use super::pictures::Pictures;
use crate::derived::Cost;
use crate::transcode::Made;

/// Encoded pictures that wait to be written, which they do no longer than their task has other things to do.
const MADE_MAX: usize = 64;
/// Keyframes are the source's; this is for one that has none (intra refresh).
const KEYFRAME_INTERVAL: Span = Span::from_millis(20_000);

/// A running encoder: a thread that ends with this handle.
pub(crate) struct Encoding {
    pictures: Arc<io::Result<Pictures>>,
    name: u64,
    made: mpsc::Receiver<Made>,
    said: Arc<Mutex<String>>,
}

/// What one is made of.
pub(crate) struct Decoded<'a> {
    pub(crate) broadcast: &'a Broadcast,
    pub(crate) info: &'a TrackInfo,
    /// Room for its decoder, where it has none.
    pub(crate) decoding: Option<OwnedSemaphorePermit>,
}

impl Encoding {
    /// Starts the encoder, and the decoder if this is the source's first rung.
    pub(crate) fn start(source: Decoded<'_>, rung: Rung, cost: Arc<Cost>) -> io::Result<Self> {
        let Decoded { broadcast, info, decoding } = source;
        let rate = rung.rate(info);
        let (width, height) = rung.size(info.codec.resolution().unwrap_or_default());
        let options = Options {
            bitrate_bps: rate.bitrate_bps,
            fps: rate.fps,
            threads: 1,
            keyframe_interval: KEYFRAME_INTERVAL,
        };
        let encoder = Encoder::new(options).map_err(io::Error::other)?;
        let scaler = Scaler::new(width as usize, height as usize).map_err(io::Error::other)?;
        let pictures = Pictures::of(broadcast, info.id, decoding);
        let (name, read) = match &*pictures {
            Ok(pictures) => pictures.read(),
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        let (out, made) = mpsc::channel(MADE_MAX);
        let said = Arc::<Mutex<String>>::default();
        let work = Work { scaler, encoder, cost, out, said: Arc::clone(&said) };
        thread::Builder::new().name("rung".into()).spawn(move || work.run(&read))?;
        Ok(Self { pictures, name, made, said })
    }

    /// Takes a frame of the source.
    pub(crate) fn push(&self, codec: &Arc<Codec>, frame: &Frame) {
        if let Ok(pictures) = &*self.pictures {
            pictures.push(codec, frame);
        }
    }

    /// Nothing follows: it ends once it has made what it has.
    pub(crate) fn finish(&self) {
        if let Ok(pictures) = &*self.pictures {
            pictures.finish(self.name);
        }
    }

    /// What comes out next; `None` at the end. May be cancelled.
    pub(crate) async fn made(&mut self) -> Option<Made> {
        self.made.recv().await
    }

    /// Why it ended.
    pub(crate) fn last_words(&self) -> String {
        let own = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let decoder = self.pictures.as_ref().as_ref().map(Pictures::said).unwrap_or_default();
        if own.is_empty() { decoder } else { own }
    }
}

struct Work {
    scaler: Scaler,
    encoder: Encoder,
    cost: Arc<Cost>,
    out: mpsc::Sender<Made>,
    said: Arc<Mutex<String>>,
}

impl Work {
    fn run(mut self, pictures: &Receiver<Arc<Shown>>) {
        while let Ok(shown) = pictures.recv() {
            let cost = Arc::clone(&self.cost);
            let (codec, frame) = match cost.measure(|| self.encode(&shown)) {
                Ok(Some(encoded)) => encoded,
                Ok(None) => continue,
                Err(error) => {
                    *self.said.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
                    return;
                }
            };
            let made = codec.map(Made::Codec).into_iter().chain([Made::Picture(frame)]);
            for made in made {
                if self.out.blocking_send(made).is_err() {
                    return;
                }
            }
        }
    }

    fn encode(&mut self, shown: &Shown) -> Result<Option<(Option<Codec>, Frame)>, av::Error> {
        let scaled = self.scaler.scale(&shown.picture)?;
        // The rung's groups are the source's: players change between them where both begin.
        if shown.sync {
            self.encoder.want_keyframe();
        }
        self.encoder.encode(&scaled, shown.at)
    }
}
