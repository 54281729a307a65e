//! What FFmpeg is told: one input, one output, both pipes; no name of a publisher's making is in it.

use crate::encoders::{KEYFRAME_INTERVAL, Rate};

/// Longer than [`KEYFRAME_INTERVAL`] at any rate of pictures: time decides, not counting.
const GROUP_PICTURES_MAX: &str = "1000";

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wanted {
    /// Width in pixels.
    pub(super) width: u32,
    /// Height in pixels.
    pub(super) height: u32,
    /// How fast.
    pub(super) rate: Rate,
    /// Where viewers can join.
    pub(super) keyframes: Keyframes,
}

/// Which pictures can be joined at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keyframes {
    /// One every so often.
    Timed,
    /// Those that could be in the source.
    OfSource,
}

/// The arguments. Options before `-i` are those of the input.
pub(super) fn arguments(wanted: &Wanted) -> Vec<String> {
    let kilobits = format!("{}k", wanted.rate.bitrate_bps.div_ceil(1_000));
    // H.264 of 4:2:0 has no odd sides.
    let (width, height) = (even(wanted.width), even(wanted.height));
    let scale = format!("scale={width}:{height},format=yuv420p");
    let seconds = KEYFRAME_INTERVAL.micros() / 1_000_000;
    let keyframes = match wanted.keyframes {
        Keyframes::Timed => format!("expr:gte(t,n_forced*{seconds})"),
        Keyframes::OfSource => "source".to_owned(),
    };
    let input = [
        "-hide_banner -nostats -nostdin -loglevel error -protocol_whitelist pipe",
        // The boxes in front tell the codec. `-fflags nobuffer` would drop the keyframe that is read while probing.
        "-flags low_delay -probesize 32 -analyzeduration 0 -threads 1 -copyts",
        "-f mp4 -i pipe:0",
    ];
    let encoder = [
        // Every picture once, at its own time, in FLV's milliseconds.
        "-fps_mode passthrough -enc_time_base 1:1000",
        "-c:v libx264 -preset superfast -tune zerolatency -profile:v main -bf 0 -sc_threshold 0 -threads 1",
        "-g",
        GROUP_PICTURES_MAX,
    ];
    let output = "-flush_packets 1 -flvflags no_duration_filesize+no_sequence_end -f flv pipe:1";
    let mut arguments = Vec::new();
    let mut add = |words: &str| arguments.extend(words.split(' ').map(str::to_owned));
    input.into_iter().for_each(&mut add);
    add("-map 0:v:0 -vf");
    add(&scale);
    encoder.into_iter().for_each(&mut add);
    add("-force_key_frames");
    add(&keyframes);
    for option in ["-b:v", "-maxrate", "-bufsize"] {
        add(option);
        add(&kilobits);
    }
    add(output);
    arguments
}

fn even(side: u32) -> u32 {
    (side & !1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_exactly_these() {
        let rate = Rate { bitrate_bps: 1_500_000, fps: 30.0 };
        let wanted = Wanted { width: 1_281, height: 720, rate, keyframes: Keyframes::Timed };
        let line = "-hide_banner -nostats -nostdin -loglevel error -protocol_whitelist pipe -flags low_delay \
            -probesize 32 -analyzeduration 0 -threads 1 -copyts -f mp4 -i pipe:0 -map 0:v:0 \
            -vf scale=1280:720,format=yuv420p -fps_mode passthrough -enc_time_base 1:1000 -c:v libx264 \
            -preset superfast -tune zerolatency -profile:v main -bf 0 -sc_threshold 0 -threads 1 -g 1000 \
            -force_key_frames expr:gte(t,n_forced*2) -b:v 1500k -maxrate 1500k -bufsize 1500k -flush_packets 1 \
            -flvflags no_duration_filesize+no_sequence_end -f flv pipe:1";
        assert_eq!(arguments(&wanted).join(" "), line);
        let aligned = Wanted { keyframes: Keyframes::OfSource, ..wanted };
        let line = line.replace("expr:gte(t,n_forced*2)", "source");
        assert_eq!(arguments(&aligned).join(" "), line);
    }
}
