//! The demo clip: a test card and its sound, drawn here and encoded by an `ffmpeg` child process.
//!
//! Eight seconds, because that is the shortest whole number of seconds that is also a whole number of AAC
//! frames: 8 s = 375 × 1024 samples at 48 kHz = 240 pictures at 30 a second. The loop closes exactly.

mod card;
mod font;
mod paint;
mod sound;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::ffmpeg;

/// Length of one round of the loop.
const SECONDS: u32 = 8;
/// Pictures a second.
const RATE: u32 = 30;
/// Picture size in pixels.
const SIZE: (u32, u32) = (1280, 720);
/// Audio samples a second.
const SAMPLE_RATE: u32 = 48_000;
/// AAC frames in one round of the loop.
const AAC_FRAMES: usize = (SECONDS * SAMPLE_RATE / 1024) as usize;

/// Draws, encodes and writes the clip as FLV: H.264 High without B-frames in 2-second closed groups, AAC-LC.
///
/// # Errors
/// When `ffmpeg` is missing or fails, or a file cannot be written.
pub fn make(out: &Path) -> anyhow::Result<()> {
    let dir = tempdir(out)?;
    let (video, audio) = (dir.join("video.nut"), dir.join("audio.aac"));
    encode_pictures(&video)?;
    encode_sound(&audio)?;
    ffmpeg::run(&[
        "-i".into(),
        video.into(),
        "-i".into(),
        audio.into(),
        "-c".into(),
        "copy".into(),
        "-bsf:a".into(),
        "aac_adtstoasc".into(),
        "-flvflags".into(),
        "no_sequence_end".into(),
        out.into(),
    ])?;
    fs::remove_dir_all(dir)?;
    Ok(())
}

/// Writes one picture of the card as PPM, to look at.
///
/// # Errors
/// When the file cannot be written.
pub fn picture(frame: u32, out: &Path) -> anyhow::Result<()> {
    let mut bytes = format!("P6 {} {} 255\n", SIZE.0, SIZE.1).into_bytes();
    bytes.extend(card::Card::new(SIZE).draw(frame % (SECONDS * RATE)));
    Ok(fs::write(out, bytes)?)
}

fn encode_pictures(out: &Path) -> anyhow::Result<()> {
    let card = card::Card::new(SIZE);
    let size = format!("{}x{}", SIZE.0, SIZE.1);
    let rate = RATE.to_string();
    let group = (2 * RATE).to_string();
    let arguments = words(&[
        "-f rawvideo -pix_fmt rgb24 -video_size",
        &size,
        "-framerate",
        &rate,
        "-i -",
        "-vf scale=out_color_matrix=bt709:out_range=tv -pix_fmt yuv420p",
        "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv",
        "-c:v libx264 -profile:v high -level 3.1 -preset slower -tune animation -crf 22 -bf 0 -refs 3",
        "-sc_threshold 0 -keyint_min",
        &group,
        "-g",
        &group,
    ]);
    let arguments: Vec<OsString> = arguments.into_iter().chain([out.into()]).collect();
    ffmpeg::run_with_input(&arguments, |input| {
        for frame in 0..SECONDS * RATE {
            input.write_all(&card.draw(frame))?;
        }
        Ok(())
    })
}

/// Encodes three rounds and keeps the second, so that the codec's delay and its overlap with the frame before
/// fall inside the loop: frame `n` decodes to samples `(n − 1) × 1024 ..`, hence the cut one frame late.
fn encode_sound(out: &Path) -> anyhow::Result<()> {
    let rounds = out.with_extension("rounds.aac");
    let arguments = words(&["-f s16le -ar 48000 -ac 2 -i - -c:a aac -b:a 96k -f adts"]);
    let arguments: Vec<OsString> = arguments.into_iter().chain([rounds.clone().into()]).collect();
    let samples = sound::round(SAMPLE_RATE, SECONDS);
    ffmpeg::run_with_input(&arguments, |input| (0..3).try_for_each(|_| input.write_all(&samples)))?;
    let bytes = fs::read(rounds)?;
    let frames = adts_frames(&bytes)?;
    let round = frames.get(AAC_FRAMES + 1..2 * AAC_FRAMES + 1);
    let round = round.ok_or_else(|| anyhow::anyhow!("only {} AAC frames", frames.len()))?;
    Ok(fs::write(out, round.concat())?)
}

/// Splits an ADTS stream into frames, headers included (ISO/IEC 13818-7 §6.2: the length is 13 bits at bit 30).
fn adts_frames(mut bytes: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    let mut frames = vec![];
    while let [0xff, _, _, a, b, c, ..] = *bytes {
        let length = usize::from(a & 3) << 11 | usize::from(b) << 3 | usize::from(c >> 5);
        anyhow::ensure!(
            (7..=bytes.len()).contains(&length),
            "ADTS frame {} has length {length}",
            frames.len()
        );
        let (frame, rest) = bytes.split_at(length);
        frames.push(frame);
        bytes = rest;
    }
    anyhow::ensure!(bytes.is_empty(), "{} bytes after the last ADTS frame", bytes.len());
    Ok(frames)
}

/// A command line from pieces, split at spaces.
fn words(pieces: &[&str]) -> Vec<OsString> {
    pieces.iter().flat_map(|piece| piece.split(' ')).map(OsString::from).collect()
}

fn tempdir(beside: &Path) -> anyhow::Result<std::path::PathBuf> {
    let dir = std::env::temp_dir().join(format!("openmic-clip-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    if let Some(parent) = beside.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adts_frames_are_cut_by_their_lengths_and_a_truncated_one_is_refused() {
        let frame = |len: u16| {
            let [high, low] = (len << 5).to_be_bytes();
            let mut bytes = vec![0xff, 0xf1, 0x4c, 0x80 | (len >> 11) as u8, high, low, 0xfc];
            bytes.resize(usize::from(len), 0xaa);
            bytes
        };
        let bytes = [frame(9), frame(300)].concat();
        let lengths: Vec<usize> = adts_frames(&bytes).unwrap().iter().map(|f| f.len()).collect();
        assert_eq!(lengths, [9, 300]);
        assert!(adts_frames(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn the_first_picture_follows_the_last_without_a_jump() {
        let card = card::Card::new(SIZE);
        let last = SECONDS * RATE - 1;
        let differ = |a: u32, b: u32| {
            let (a, b) = (card.draw(a), card.draw(b));
            a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        // A second begins at the seam as it does at every other second, with the same flash.
        let (seam, ordinary) = (differ(last, 0), differ(4 * RATE - 1, 4 * RATE));
        assert!(seam < ordinary * 3 / 2, "{seam} against {ordinary}");
    }

    #[test]
    fn one_round_of_sound_is_a_whole_number_of_aac_frames() {
        assert_eq!(SECONDS * SAMPLE_RATE % 1024, 0);
        assert_eq!(sound::round(SAMPLE_RATE, SECONDS).len(), AAC_FRAMES * 1024 * 2 * 2);
    }
}
