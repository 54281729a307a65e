//! What a player saw, and what is asked of it.

/// Media time that each player is watched for.
pub(crate) const SECONDS: f64 = 4.0;
/// Sight and sound further apart than this are noticed (EBU R 37 allows 40 ms early and 60 ms late).
const OFFSET_MAX_S: f64 = 0.060;
/// RTMP and FLV round to milliseconds.
const ROUNDING_S: f64 = 0.002;
/// Frames that may be missing at both ends of what was watched.
const FRAMES_SLACK: f64 = 5.0;

/// One track as a player saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// When each decoded frame is shown, in seconds, in showing order.
    pub(crate) shown_s: Vec<f64>,
    /// When flashes or tones begin.
    pub(crate) marks_s: Vec<f64>,
    /// Decoding times of packets, in the order of the stream; empty where the player does not tell.
    pub(crate) decoded_s: Vec<f64>,
}

/// What a player saw of a broadcast.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) video: Option<Track>,
    pub(crate) audio: Option<Track>,
    /// Packets that are shown at another time than they are decoded.
    pub(crate) reordered: bool,
    /// What the player complained about.
    pub(crate) complaints: Vec<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Length of a video frame, if there is video.
    pub(crate) video_frame_s: Option<f64>,
    /// Length of a decoded piece of sound, if there is sound.
    pub(crate) audio_frame_s: Option<f64>,
    /// Longest that two packets of sound lie apart in a whole stream.
    pub(crate) audio_packet_s: f64,
    /// The marks must lie together.
    pub(crate) marked: bool,
    /// Some packets must be reordered.
    pub(crate) reordered: bool,
    /// Where pictures are reordered, the first is shown this much after the sound that is decoded with it.
    pub(crate) reorder_s: f64,
    /// Gaps that the source itself makes.
    pub(crate) stutter_s: f64,
}

impl Seen {
    /// What was seen in a few words, or all that is wrong.
    pub(crate) fn judge(&self, asked: &Asked) -> Result<String, String> {
        let mut wrong = self.complaints.clone();
        let mut words = vec![];
        wrong.extend(
            judge_track(
                "video",
                self.video.as_ref(),
                asked.video_frame_s,
                asked.video_frame_s.unwrap_or_default() + asked.stutter_s,
                &mut words,
            )
            .err(),
        );
        wrong.extend(
            judge_track(
                "audio",
                self.audio.as_ref(),
                asked.audio_frame_s,
                asked.audio_packet_s + asked.stutter_s,
                &mut words,
            )
            .err(),
        );
        if asked.reordered && !self.reordered {
            wrong.push("no B-frame came through".into());
        }
        if let (Some(video), Some(audio)) = (&self.video, &self.audio) {
            match offset(video, audio, asked) {
                Ok(offset) => words.push(format!("A/V {:+.0} ms", offset * 1_000.0)),
                Err(what) => wrong.push(what),
            }
        }
        if wrong.is_empty() { Ok(words.join(", ")) } else { Err(wrong.join("; ")) }
    }
}

fn judge_track(
    name: &str,
    seen: Option<&Track>,
    frame_s: Option<f64>,
    packet_s: f64,
    words: &mut Vec<String>,
) -> Result<(), String> {
    let (track, frame_s) = match (seen, frame_s) {
        (None, None) => return Ok(()),
        (Some(track), None) if track.shown_s.is_empty() => return Ok(()),
        (Some(_), None) => return Err(format!("{name} out of nothing")),
        (None, Some(_)) => return Err(format!("no {name}")),
        (Some(track), Some(frame_s)) => (track, frame_s),
    };
    let wanted = (SECONDS - FRAMES_SLACK * packet_s) / frame_s;
    let count = track.shown_s.len();
    if (count as f64) < wanted {
        return Err(format!("{count} {name} frames, wanted {wanted:.0}"));
    }
    if name == "video" {
        words.push(format!("{count} frames"));
    }
    continuous(name, "shown", &track.shown_s, frame_s.max(packet_s))?;
    continuous(name, "decoded", &track.decoded_s, packet_s)
}

/// Time goes on, and never by more than two frames at once.
fn continuous(name: &str, what: &str, times: &[f64], frame_s: f64) -> Result<(), String> {
    for pair in times.windows(2) {
        let step = pair[1] - pair[0];
        if step < 0.0 {
            return Err(format!("{name} {what} backwards: {} after {}", pair[1], pair[0]));
        }
        if step > 2.0 * frame_s + ROUNDING_S {
            return Err(format!("{name} {what} with a gap of {step:.3} s at {}", pair[0]));
        }
    }
    Ok(())
}

/// How much later the sound comes than the picture: of the marks where there are marks, else of the first frames.
fn offset(video: &Track, audio: &Track, asked: &Asked) -> Result<f64, String> {
    // Whoever draws late at times may have begun so.
    let most = if asked.marked { OFFSET_MAX_S } else { OFFSET_MAX_S + asked.stutter_s };
    let apart = |from: f64, to: f64| {
        if (to - from).abs() <= most { Ok(to - from) } else { Err(format!("A/V offset {:.3} s", to - from)) }
    };
    if !asked.marked {
        let first = |track: &Track| track.shown_s.first().copied().unwrap_or_default();
        // The marks that other players of the same row show tell whether the two really belong together.
        return apart(first(video) - asked.reorder_s, first(audio))
            .or_else(|_| apart(first(video), first(audio)));
    }
    let nearest =
        |at: f64| audio.marks_s.iter().copied().min_by(|a, b| (a - at).abs().total_cmp(&(b - at).abs()));
    // Near the ends, the mark of the other track may lie outside of what was watched.
    let last = audio.shown_s.last().copied().unwrap_or_default();
    let first = audio.shown_s.first().copied().unwrap_or_default();
    let inside = video.marks_s.iter().filter(|at| (first + OFFSET_MAX_S..last - OFFSET_MAX_S).contains(*at));
    let mut offsets: Vec<f64> = inside.filter_map(|at| Some(nearest(*at)? - at)).collect();
    offsets.sort_by(f64::total_cmp);
    if asked.stutter_s > 0.0 && offsets.len() > 1 {
        // A publisher that stutters draws a flash late at times.
        return apart(0.0, offsets[offsets.len() / 2]);
    }
    if let Some(wrong) = offsets.iter().find_map(|offset| apart(0.0, *offset).err()) {
        return Err(format!("{wrong} (of {offsets:.3?})"));
    }
    if offsets.len() < 2 {
        return Err(format!("flashes at {:?}, tones at {:?}", video.marks_s, audio.marks_s));
    }
    Ok(offsets.iter().sum::<f64>() / offsets.len() as f64)
}
