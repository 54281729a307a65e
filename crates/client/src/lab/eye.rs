//! Looks at pictures and listens to sound as they come: a thread that decodes, so that decoding delays no reading.

use av::picture::Decoder;
use av::sound::{Read, Reader};
use media::codec::Kind;
use media::{Codec, Frame, Timestamp};
use tokio::sync::{mpsc, watch};

use super::beep::Ear;
use super::code::{Code, Plane};
use super::wall_micros;

/// Frames that wait to be decoded: more than a group of ten seconds at 60 pictures a second.
const WAITING_MAX: usize = 2_048;

/// A frame that a reader has read.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    /// Parameters that hold from here on.
    pub(super) codec: Option<Codec>,
    /// The frame as it is to be decoded.
    pub(super) frame: Frame,
    /// When it is shown or heard, in microseconds on one timeline for sound and pictures; `None` while that is not known.
    pub(super) at: Option<i64>,
    /// When its first byte came, in microseconds since the epoch.
    pub(super) arrived: u64,
}

/// A picture that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// What it says about itself.
    pub(super) code: Code,
    /// When its first byte came, in microseconds since the epoch.
    pub(super) arrived: u64,
    /// When it was decoded or shown.
    pub(super) shown: u64,
    /// Its place on the timeline of pictures and sound, in microseconds.
    pub(super) at: Option<i64>,
}

/// What was seen and heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Pictures whose code could be read.
    pub(super) pictures: Vec<Shown>,
    /// Where beeps begin, on the same timeline.
    pub(super) beeps: Vec<i64>,
    /// Pictures whose code could not be read, and frames that did not decode.
    pub(super) unreadable: u64,
}

/// The thread.
pub(super) struct Eye {
    /// Takes frames.
    pub(super) units: mpsc::Sender<Unit>,
    /// When the first picture was decoded.
    pub(super) first: watch::Receiver<Option<u64>>,
    thread: std::thread::JoinHandle<Record>,
}

impl Eye {
    /// Begins to look.
    pub(super) fn open() -> anyhow::Result<Self> {
        let (units, waiting) = mpsc::channel(WAITING_MAX);
        let (tell, first) = watch::channel(None);
        let looking = Looking {
            record: Record::default(),
            tell: Some(tell),
            ear: Ear::default(),
            picture: None,
            sound: None,
        };
        let thread = std::thread::Builder::new().name("lab-eye".to_owned());
        let thread = thread.spawn(move || looking.run(waiting))?;
        Ok(Self { units, first, thread })
    }

    /// All that was seen, once what waits has been decoded.
    pub(super) async fn finish(self) -> anyhow::Result<Record> {
        let Self { units, first: _, thread } = self;
        drop(units);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("the thread that decodes has panicked"))
    }
}

struct Looking {
    record: Record,
    /// Until the first picture was told.
    tell: Option<watch::Sender<Option<u64>>>,
    ear: Ear,
    picture: Option<Decoder>,
    sound: Option<Reader>,
}

impl Looking {
    fn run(mut self, mut waiting: mpsc::Receiver<Unit>) -> Record {
        while let Some(unit) = waiting.blocking_recv() {
            let done = match unit.kind {
                Kind::Video => self.look(&unit),
                Kind::Audio => self.listen(&unit),
                Kind::Data => Ok(()),
            };
            if let Err(why) = done {
                tracing::debug!("a frame that does not decode: {why}");
                self.record.unreadable += 1;
            }
        }
        self.record
    }

    fn look(&mut self, unit: &Unit) -> Result<(), av::Error> {
        if let Some(Codec::H264(params)) = &unit.codec {
            self.picture = Some(Decoder::new(params)?);
        }
        let Some(decoder) = &mut self.picture else { return Ok(()) };
        let Some(picture) = decoder.decode(&unit.frame)? else { return Ok(()) };
        let shown = wall_micros();
        match Code::read(Plane { luma: picture.luma(), width: picture.size().0 }) {
            Some(code) => {
                self.record.pictures.push(Shown { code, arrived: unit.arrived, shown, at: unit.at });
                if let Some(tell) = self.tell.take() {
                    tell.send_replace(Some(shown));
                }
            }
            None => self.record.unreadable += 1,
        }
        Ok(())
    }

    fn listen(&mut self, unit: &Unit) -> Result<(), av::Error> {
        if let Some(codec) = &unit.codec {
            self.sound = Some(Reader::new(codec)?);
        }
        let Some(reader) = &mut self.sound else { return Ok(()) };
        let mut samples = Vec::new();
        let at = Timestamp::from_micros(unit.at.unwrap_or_default());
        let Read { rate, channels, at } = reader.read(&unit.frame.payload, at, &mut samples)?;
        if unit.at.is_none() {
            return Ok(());
        }
        let beep = self.ear.hear(at, rate, channels, &samples);
        self.record.beeps.extend(beep.map(Timestamp::micros));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use media::Span;

    use super::*;
    use crate::lab::source::{Shape, Source};

    #[tokio::test]
    async fn what_the_source_makes_is_seen_and_heard_in_step() {
        let shape =
            Shape { width: 128, height: 64, fps: 30, bitrate: 200_000, group: Span::from_millis(1_000) };
        let target = av::sound::Target::Opus { channels: av::sound::Channels::Mono, bitrate_bps: 64_000 };
        let mut source = Source::start(shape, target).unwrap();
        let eye = Eye::open().unwrap();
        let mut sound = Some(source.sound.clone());
        while let Some(made) =
            source.made.recv().await.filter(|made| made.frame.dts < Timestamp::from_millis(1_300))
        {
            let kind = if made.picture.is_some() { Kind::Video } else { Kind::Audio };
            let codec = if kind == Kind::Audio { sound.take() } else { made.codec };
            let at = Some(made.frame.pts().micros());
            let unit = Unit { kind, codec, frame: made.frame, at, arrived: wall_micros() };
            eye.units.send(unit).await.unwrap();
        }
        let record = eye.finish().await.unwrap();
        assert!(record.pictures.len() > 20 && record.unreadable == 0, "{record:?}");
        assert!(record.pictures.iter().all(|shown| shown.shown >= shown.arrived));
        let [beep] = record.beeps[..] else { panic!("one beep within 1.3 s: {:?}", record.beeps) };
        assert!((beep - 1_000_000).abs() < 10_000, "{beep}");
    }
}
