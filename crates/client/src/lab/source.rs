//! The picture and sound that are published: a moving pattern with the block code in it, and beeps that begin with
//! marked pictures. Drawn and encoded by a thread in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use av::picture::{Encoder, Options, Picture};
use av::sound::{Channels, Target, Writer};
use media::{Codec, Frame, Span, Timestamp};
use tokio::sync::mpsc;

use super::beep;
use super::code::Code;
use crate::lab::wall_micros;

/// From one marked picture, and beep, to the next.
pub const MARK_EVERY: Span = Span::from_millis(1_000);
/// Frames that wait for the network; more are seconds, and the sender is then too slow for the stream.
const WAITING_MAX: usize = 256;
/// Samples that are made at a time: as much as a packet of Opus holds.
const CHUNK: i64 = 960;
/// A side of the pattern in pixels; a power of two.
const TILE: usize = 256;
/// The pattern moves by so many pixels from picture to picture.
const STEP: usize = 3;

/// What the stream is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pictures a second.
    pub fps: u32,
    /// Bits a second of pictures.
    pub bitrate: u32,
    /// From keyframe to keyframe.
    pub group: Span,
}

/// A coded frame, ready to be sent.
#[derive(Debug)]
pub(super) struct Made {
    /// Parameters that hold from here on.
    pub(super) codec: Option<Codec>,
    pub(super) frame: Frame,
    /// The number of a picture; `None` for sound.
    pub(super) picture: Option<u16>,
}

/// A running source; it ends when this is dropped.
pub(super) struct Source {
    pub(super) made: mpsc::Receiver<Made>,
    /// What the sound is coded with.
    pub(super) sound: Codec,
    wanted: Arc<AtomicBool>,
    /// When it began, which is zero on its timeline.
    pub(super) start: Instant,
}

impl Source {
    /// Begins now; sound is coded as `target`.
    pub(super) fn start(shape: Shape, target: Target) -> anyhow::Result<Self> {
        let (out, made) = mpsc::channel(WAITING_MAX);
        let wanted = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(target, Channels::Mono, Timestamp::ZERO)?;
        let sound = writer.codec().clone();
        let encoder = Encoder::new(Options {
            bitrate_bps: shape.bitrate,
            fps: shape.fps as f32,
            threads: 1,
            keyframe_interval: shape.group,
        })?;
        let start = Instant::now();
        let drawing = Drawing {
            scene: Scene::new(shape)?,
            encoder,
            writer,
            shape,
            wanted: Arc::clone(&wanted),
            start,
            out,
            packets: Vec::new(),
        };
        // It ends with the first frame that nobody takes, so that its owner is whoever holds the receiver.
        std::thread::Builder::new().name("lab-source".to_owned()).spawn(move || drawing.run())?;
        Ok(Self { made, sound, wanted, start })
    }

    /// Makes the next picture a keyframe.
    pub(super) fn want_keyframe(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }
}

struct Drawing {
    scene: Scene,
    encoder: Encoder,
    writer: Writer,
    shape: Shape,
    wanted: Arc<AtomicBool>,
    start: Instant,
    out: mpsc::Sender<Made>,
    packets: Vec<Frame>,
}

/// Nobody takes frames any more, or an encoder has failed and said so.
struct Ended;

impl Drawing {
    fn run(mut self) {
        let (mut picture, mut chunk) = (0_i64, 0_i64);
        loop {
            let picture_due = Span::from_ticks(picture, self.shape.fps);
            // A sample is there when it has been heard.
            let chunk_due = Span::from_ticks((chunk + 1) * CHUNK, beep::RATE);
            let is_picture = picture_due <= chunk_due;
            let due = self.start + if is_picture { picture_due } else { chunk_due }.to_duration();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let done = if is_picture { self.picture(picture) } else { self.sound(chunk) };
            if done.is_err() {
                return;
            }
            if !is_picture {
                chunk += 1;
                continue;
            }
            // A camera that is late leaves pictures out.
            let passed = self.start.elapsed().as_secs_f64() * f64::from(self.shape.fps);
            picture = (picture + 1).max(passed as i64);
        }
    }

    fn picture(&mut self, number: i64) -> Result<(), Ended> {
        let at = Timestamp::ZERO + Span::from_ticks(number, self.shape.fps);
        let marked = at.micros() % MARK_EVERY.micros() == 0;
        if self.wanted.swap(false, Ordering::Relaxed) {
            self.encoder.want_keyframe();
        }
        let code = Code::new(wall_micros(), number.unsigned_abs(), marked);
        self.scene.draw(&code);
        match self.encoder.encode(&self.scene.picture, at) {
            Ok(Some((codec, frame))) => self.put(Made { codec, frame, picture: Some(code.sequence) }),
            Ok(None) => Ok(()),
            Err(why) => Err(failed(&why)),
        }
    }

    fn sound(&mut self, chunk: i64) -> Result<(), Ended> {
        let sample =
            |tick| beep::sample(Span::from_ticks(chunk * CHUNK + tick, beep::RATE).micros(), MARK_EVERY);
        let samples: Vec<f32> = (0..CHUNK).map(sample).collect();
        let mut packets = std::mem::take(&mut self.packets);
        if let Err(why) = self.writer.push(&samples, &mut packets) {
            return Err(failed(&why));
        }
        for frame in packets.drain(..) {
            // What an encoder puts out for the time before the start has no place on the wire.
            if frame.dts >= Timestamp::ZERO {
                self.put(Made { codec: None, frame, picture: None })?;
            }
        }
        self.packets = packets;
        Ok(())
    }

    fn put(&self, made: Made) -> Result<(), Ended> {
        self.out.blocking_send(made).map_err(|_| Ended)
    }
}

fn failed(why: &av::Error) -> Ended {
    tracing::error!("the lab's source: {why}");
    Ended
}

/// What is drawn: the code on the left, on the right a pattern that moves and costs bits as real pictures do.
struct Scene {
    picture: Picture,
    tile: Vec<u8>,
    moved: usize,
}

impl Scene {
    fn new(shape: Shape) -> anyhow::Result<Self> {
        Ok(Self { picture: Picture::grey(shape.width, shape.height)?, tile: tile(), moved: 0 })
    }

    fn draw(&mut self, code: &Code) {
        let (width, _) = self.picture.size();
        let luma = self.picture.luma_mut();
        for (y, row) in luma.chunks_exact_mut(width).enumerate() {
            let line = &self.tile[(y + self.moved) % TILE * TILE..][..TILE];
            for piece in row[width / 2..].chunks_mut(TILE) {
                piece.copy_from_slice(&line[..piece.len()]);
            }
        }
        self.moved += STEP;
        code.draw(luma, width);
    }
}

/// Light that changes softly over eight pixels, with grain: between a drawn picture and a camera's.
fn tile() -> Vec<u8> {
    let mut state = 7_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    };
    let coarse: Vec<u32> = (0..TILE / 8 * (TILE / 8)).map(|_| 60 + draw() / 2).collect();
    let at = |x: usize, y: usize| coarse[y / 8 * (TILE / 8) + x / 8];
    let pixel = |n: usize| (at(n % TILE, n / TILE), draw() / 24);
    (0..TILE * TILE).map(pixel).map(|(light, grain)| (light + grain) as u8).collect()
}

#[cfg(test)]
mod tests {
    use av::picture::Decoder;

    use super::*;
    use crate::lab::code::Plane;

    #[test]
    fn every_code_survives_the_encoder_at_a_low_rate() {
        let shape =
            Shape { width: 320, height: 180, fps: 30, bitrate: 150_000, group: Span::from_millis(1_000) };
        let (mut scene, options) = (
            Scene::new(shape).unwrap(),
            Options { bitrate_bps: 150_000, fps: 30.0, threads: 1, keyframe_interval: shape.group },
        );
        let (mut encoder, mut decoder) = (Encoder::new(options).unwrap(), None);
        for number in 0..60_u32 {
            let code = Code {
                ticks: number.wrapping_mul(0x9E37_79B9),
                sequence: number as u16,
                marked: number % 30 == 0,
            };
            scene.draw(&code);
            let at = Timestamp::ZERO + Span::from_ticks(number.into(), 30);
            let (codec, frame) = encoder.encode(&scene.picture, at).unwrap().unwrap();
            if let Some(Codec::H264(params)) = codec {
                decoder = Some(Decoder::new(&params).unwrap());
            }
            let seen = decoder.as_mut().unwrap().decode(&frame).unwrap().unwrap();
            let plane = Plane { luma: seen.luma(), width: seen.size().0 };
            assert_eq!(Code::read(plane), Some(code), "picture {number}");
        }
    }

    #[test]
    fn beeps_begin_with_marked_pictures() {
        for number in [0, 30, 60] {
            let at = Span::from_ticks(number, 30);
            assert_eq!(at.micros() % MARK_EVERY.micros(), 0);
            let quiet = beep::sample(at.micros() - 1, MARK_EVERY);
            let loud = beep::sample(at.micros() + 250, MARK_EVERY);
            assert!(quiet == 0.0 && loud > 0.4, "{quiet} {loud}");
        }
    }
}
