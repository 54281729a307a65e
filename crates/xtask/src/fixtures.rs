//! Small inputs for the tests, made by `ffmpeg` from its own generators and kept in `tests/fixtures`.
//!
//! Pictures are 160×120 at 25 a second with two-second closed groups, sound is a 440 Hz tone at 48 kHz, unless the
//! recipe says otherwise. H.265, AV1, VP9 and Opus in FLV need FFmpeg 7.1 or newer (`OPENMIC_FFMPEG`).

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::{ffmpeg, flv};

/// A fixture larger than this slows every clone down for ever.
const BYTES_MAX: u64 = 150_000;

const X264: &str = "-c:v libx264 -preset veryfast -crf 30 -bf 0 -g 50 -keyint_min 50 -sc_threshold 0";
const AAC: &str = "-c:a aac -b:a 48k";
const OPUS: &str = "-c:a libopus -b:a 48k";
/// Colours are named, or FFmpeg tells the players of H.265 and AV1 that the picture is RGB.
const VIDEO: &str =
    "-pix_fmt yuv420p -vf setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv";
const FLV: &str = "-flvflags no_sequence_end";

/// File, then what follows the inputs. `{v}` and `{a}` stand for four seconds of picture and of sound.
const RECIPES: &[(&str, &str)] = &[
    ("h264_aac.flv", "{v} {a} {x264} {aac} {flv}"),
    ("h264_aac.mp4", "{v} {a} {x264} {aac} -movflags +faststart"),
    ("h264_bframes_aac.flv", "{v} {a} {x264} -bf 2 {aac} {flv}"),
    ("h264_only.flv", "{v} {x264} {flv}"),
    ("aac_only.flv", "{a} {aac} {flv}"),
    ("long_gop.flv", "{v10} {a10} {x264} -crf 36 -g 125 -keyint_min 125 {aac} -b:a 24k {flv}"),
    ("intra_refresh.flv", "{v} {a} {x264} -x264-params intra-refresh=1 {aac} {flv}"),
    ("hevc_aac.flv", "{v} {a} {x265} {aac} {flv}"),
    (
        "av1_opus.flv",
        "{v} {a} -c:v libsvtav1 -preset 8 -crf 45 -g 50 -svtav1-params lp=1:scd=0:pred-struct=1 {opus} {flv}",
    ),
    ("vp9_opus.flv", "{v} {a} -c:v libvpx-vp9 -crf 45 -b:v 0 -g 50 -deadline good -cpu-used 4 {opus} {flv}"),
    ("multitrack.flv", "{v} {a} {a2} -map 0 -map 1 -map 2 {x264} {aac} {flv}"),
];

const X265: &str = "-c:v libx265 -preset fast -crf 34 -x265-params info=0:log-level=0:bframes=0:keyint=50:min-keyint=50:scenecut=0:pools=none:frame-threads=1";

/// Makes every fixture anew in `dir`.
///
/// # Errors
/// When `ffmpeg` is missing or too old, or a fixture comes out over [`BYTES_MAX`].
pub fn make(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir)?;
    for (name, recipe) in RECIPES {
        encode(recipe, &dir.join(name))?;
    }
    resolution_change(dir)?;
    hevc_legacy(dir)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (name, bytes) = (entry.file_name(), entry.metadata()?.len());
        anyhow::ensure!(bytes <= BYTES_MAX, "{} has {bytes} bytes, over {BYTES_MAX}", name.display());
        println!("{:24} {bytes:7}", name.display());
    }
    Ok(())
}

fn encode(recipe: &str, out: &Path) -> anyhow::Result<()> {
    let line = recipe
        .replace("{v}", "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4")
        .replace("{v10}", "-f lavfi -i testsrc2=size=160x120:rate=25:duration=10")
        .replace("{small}", "-f lavfi -i testsrc2=size=128x96:rate=25:duration=4")
        .replace("{a}", "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=4")
        .replace("{a2}", "-f lavfi -i sine=frequency=880:sample_rate=48000:duration=4")
        .replace("{a10}", "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=10")
        .replace("{x264}", X264)
        .replace("{x265}", X265)
        .replace("{aac}", AAC)
        .replace("{opus}", OPUS)
        .replace("{flv}", FLV);
    let mut arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    if line.contains("-c:v") {
        arguments.extend(VIDEO.split(' ').map(OsString::from));
    }
    // The tone is mono at its source; publishers send stereo.
    if line.contains("-c:a") {
        arguments.extend(["-ac".into(), "2".into()]);
    }
    arguments.push(out.into());
    ffmpeg::run(&arguments)
}

/// Two seconds of 160×120, then two of 128×96 with a parameter set of its own, the sound running on.
fn resolution_change(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join("resolution_change.flv");
    encode("{small} {x264} {flv}", &path)?;
    let small = flv::read(&fs::read(&path)?)?;
    let large = flv::read(&fs::read(dir.join("h264_aac.flv"))?)?;
    // Sound leads by the codec's delay, so the picture starts a little after zero there and at zero here.
    let start =
        large.iter().filter(|tag| flv::is_picture(tag)).map(|tag| tag.timestamp).min().unwrap_or_default();
    let change = start + 2_000;
    let mut tags: Vec<flv::Tag> =
        large.into_iter().filter(|tag| tag.kind != flv::VIDEO || tag.timestamp < change).collect();
    let parameters = small.iter().find(|tag| tag.kind == flv::VIDEO).cloned();
    tags.extend(parameters.map(|tag| flv::Tag { timestamp: change, ..tag }));
    let rest = small.into_iter().filter(|tag| flv::is_picture(tag) && tag.timestamp >= 2_000);
    tags.extend(rest.map(|tag| flv::Tag { timestamp: start + tag.timestamp, ..tag }));
    // Stable: the parameters stay before the first picture they describe.
    tags.sort_by_key(|tag| tag.timestamp);
    Ok(fs::write(path, flv::write(&tags))?)
}

/// `hevc_aac.flv` as encoders wrote it before Enhanced RTMP.
fn hevc_legacy(dir: &Path) -> anyhow::Result<()> {
    let mut tags = flv::read(&fs::read(dir.join("hevc_aac.flv"))?)?;
    // The script data of the original names the codec by its four characters, and colour metadata came with it.
    tags.retain(|tag| tag.kind != flv::SCRIPT && !flv::is_video_metadata(tag));
    tags.iter_mut().filter(|tag| tag.kind == flv::VIDEO).try_for_each(flv::hevc_to_legacy)?;
    Ok(fs::write(dir.join("hevc_legacy12.flv"), flv::write(&tags))?)
}
