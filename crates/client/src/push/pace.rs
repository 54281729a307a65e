//! When each tag of a file is due, over any number of rounds: pure, so that time in tests is virtual.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use wire::flv::TagKind;
use wire::flv::file::Tag;
use wire::flv::tag::{self, Packet};

/// What the last frame lasts where a track has only one.
const FRAME_MS: i64 = 40;

/// Tracks whose ends lie this near are cut to one length where they loop; a track that is much shorter is meant so.
const SEAM_MS_MAX: i64 = 1_000;

/// A file's tags on a timeline that can be walked in rounds.
#[derive(Clone, Debug)]
pub struct Schedule {
    tags: Vec<Tag>,
    origin_ms: i64,
    seam: Seam,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When, since the beginning.
    pub after: Duration,
    /// The tag, its timestamp continued over rounds (and wrapping like RTMP's).
    pub tag: Tag,
}

/// A place in a schedule.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    round: u32,
    at: usize,
    /// Parameters in force, by kind: a round does not repeat what has not changed.
    video: Option<Bytes>,
    audio: Option<Bytes>,
}

impl Schedule {
    /// Of the tags of a file, in file order.
    pub fn new(tags: Vec<Tag>) -> anyhow::Result<Self> {
        let media: Vec<&Tag> =
            tags.iter().filter(|tag| tag.kind != TagKind::Script && !is_parameters(tag)).collect();
        ensure!(!media.is_empty(), "the file holds no frame");
        let origin_ms = media.iter().map(|tag| i64::from(tag.timestamp_ms)).min().unwrap_or(0);
        let seam = Seam::of(&media, origin_ms).context("the file holds no frame")?;
        Ok(Self { tags, origin_ms, seam })
    }

    /// How long one round takes.
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.seam.length_ms as u64)
    }

    /// The next tag of `cursor`; `None` at the end of a file that is not looped.
    pub fn next(&self, cursor: &mut Cursor, looped: bool) -> Option<Due> {
        loop {
            if cursor.at == self.tags.len() {
                if !looped {
                    return None;
                }
                cursor.at = 0;
                cursor.round += 1;
            }
            let tag = &self.tags[cursor.at];
            cursor.at += 1;
            if cursor.wants(tag) && !(looped && self.is_beyond_the_seam(tag)) {
                return Some(self.due(cursor.round, tag));
            }
        }
    }

    fn is_beyond_the_seam(&self, tag: &Tag) -> bool {
        let at_ms = i64::from(tag.timestamp_ms);
        match tag.kind {
            TagKind::Script => false,
            TagKind::Video => at_ms >= self.seam.pictures_end_ms && !is_parameters(tag),
            TagKind::Audio => at_ms >= self.seam.sounds_end_ms && !is_parameters(tag),
        }
    }

    fn due(&self, round: u32, tag: &Tag) -> Due {
        let in_round = (i64::from(tag.timestamp_ms) - self.origin_ms).max(0);
        let at_ms = i64::from(round) * self.seam.length_ms + in_round;
        let tag = Tag { timestamp_ms: at_ms as u32, ..tag.clone() };
        Due { after: Duration::from_millis(at_ms as u64), tag }
    }
}

impl Cursor {
    /// The parameters in force, to be sent again on a new connection.
    pub fn parameters(&self) -> impl Iterator<Item = (TagKind, &Bytes)> {
        let video = self.video.iter().map(|body| (TagKind::Video, body));
        video.chain(self.audio.iter().map(|body| (TagKind::Audio, body)))
    }

    fn wants(&mut self, tag: &Tag) -> bool {
        let slot = match tag.kind {
            // Metadata says the same each round.
            TagKind::Script => return self.round == 0 || !tag.body.starts_with(b"\x02\x00\x0aonMetaData"),
            TagKind::Video => &mut self.video,
            TagKind::Audio => &mut self.audio,
        };
        if !is_parameters(tag) {
            return true;
        }
        let changed = slot.as_ref() != Some(&tag.body);
        *slot = Some(tag.body.clone());
        changed
    }
}

/// Whether decoding can begin with this tag, where the file has pictures.
pub fn is_key(tag: &Tag) -> bool {
    tag.kind == TagKind::Video && !is_parameters(tag) && tag::video(&tag.body).is_ok_and(|body| body.key)
}

fn is_parameters(tag: &Tag) -> bool {
    let body = match tag.kind {
        TagKind::Script => return false,
        TagKind::Video => tag::video(&tag.body),
        TagKind::Audio => tag::audio(&tag.body),
    };
    body.is_ok_and(|body| {
        !body.parts.is_empty()
            && body.parts.iter().all(|part| match part.packet {
                Packet::SequenceStart | Packet::Description | Packet::Mpeg2TsStart => true,
                Packet::Frame { .. } | Packet::SequenceEnd => false,
            })
    })
}

/// Where a round ends, so that both pictures and sounds go on at their own pace over it: pictures exactly, sounds
/// within half of one. What begins at a track's end or later is left out of a loop.
#[derive(Clone, Copy, Debug)]
struct Seam {
    /// From one round's beginning to the next one's.
    length_ms: i64,
    pictures_end_ms: i64,
    sounds_end_ms: i64,
}

impl Seam {
    fn of(media: &[&Tag], origin_ms: i64) -> Option<Self> {
        let (pictures, sounds) = (Times::of(media, TagKind::Video), Times::of(media, TagKind::Audio));
        let end_ms = pictures.iter().chain(&sounds).map(|times| times.end_ms).max()?;
        let whole = Self {
            length_ms: (end_ms - origin_ms).max(1),
            pictures_end_ms: i64::MAX,
            sounds_end_ms: i64::MAX,
        };
        let Some((pictures, sounds)) = pictures.zip(sounds) else { return Some(whole) };
        if (pictures.end_ms - sounds.end_ms).abs() > SEAM_MS_MAX {
            return Some(whole);
        }
        let half = sounds.each_ms / 2;
        let longest = sounds.end_ms - sounds.first_ms + half;
        let lengths = pictures.at_ms.iter().chain([&pictures.end_ms]).map(|at| at - pictures.first_ms);
        Some(lengths.filter(|length| (1..=longest).contains(length)).max().map_or(whole, |length_ms| Self {
            length_ms,
            pictures_end_ms: pictures.first_ms + length_ms,
            sounds_end_ms: sounds.first_ms + length_ms - half,
        }))
    }
}

/// When the frames of a kind begin, and when the last one ends, each lasting as long as they do on average.
struct Times {
    at_ms: Vec<i64>,
    first_ms: i64,
    each_ms: i64,
    end_ms: i64,
}

impl Times {
    fn of(media: &[&Tag], kind: TagKind) -> Option<Self> {
        let at_ms: Vec<i64> =
            media.iter().filter(|tag| tag.kind == kind).map(|tag| i64::from(tag.timestamp_ms)).collect();
        let (first, last) = (*at_ms.iter().min()?, *at_ms.iter().max()?);
        let steps = at_ms.len() as i64 - 1;
        let each_ms =
            if steps > 0 { ((last - first) as f64 / steps as f64).round() as i64 } else { FRAME_MS };
        Some(Self { at_ms, first_ms: first, each_ms, end_ms: last + each_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: TagKind, timestamp_ms: u32, body: &'static [u8]) -> Tag {
        Tag { kind, timestamp_ms, body: Bytes::from_static(body) }
    }

    /// Three pictures 40 ms apart and two sounds 50 ms apart, behind parameters; the file begins at 1 s.
    fn file() -> Vec<Tag> {
        vec![
            tag(TagKind::Script, 0, b"\x02\x00\x0aonMetaData\x05"),
            tag(TagKind::Video, 0, &[0x17, 0, 0, 0, 0, 1]),
            tag(TagKind::Audio, 0, &[0xaf, 0, 0x12, 0x10]),
            tag(TagKind::Video, 1_000, &[0x17, 1, 0, 0, 0, 1]),
            tag(TagKind::Audio, 1_000, &[0xaf, 1, 9]),
            tag(TagKind::Video, 1_040, &[0x27, 1, 0, 0, 0, 2]),
            tag(TagKind::Audio, 1_050, &[0xaf, 1, 9]),
            tag(TagKind::Video, 1_080, &[0x27, 1, 0, 0, 0, 3]),
        ]
    }

    fn times(looped: bool, count: usize) -> Vec<u32> {
        let schedule = Schedule::new(file()).unwrap();
        let mut cursor = Cursor::default();
        std::iter::from_fn(|| schedule.next(&mut cursor, looped))
            .take(count)
            .map(|due| due.tag.timestamp_ms)
            .collect()
    }

    #[test]
    fn a_round_begins_where_the_last_frame_of_the_one_before_ends_and_repeats_no_parameters() {
        assert_eq!(times(true, 14), [0, 0, 0, 0, 0, 40, 50, 80, 120, 120, 160, 170, 200, 240]);
    }

    #[test]
    fn pictures_and_sounds_keep_their_pace_over_the_seam_whichever_are_longer() {
        let files: [&[u8]; 2] = [
            include_bytes!("../../../../tests/fixtures/h264_aac.flv"),
            include_bytes!("../../../../tests/fixtures/h264_bframes_aac.flv"),
        ];
        for file in files {
            let mut reader = wire::flv::file::Reader::new();
            reader.handle_input(file);
            let tags: Vec<Tag> = std::iter::from_fn(|| reader.poll_tag().unwrap()).collect();
            let sound_longer = tags.clone();
            let last = tags.iter().map(|tag| tag.timestamp_ms).max().unwrap();
            let is_late = |tag: &Tag| tag.kind == TagKind::Audio && tag.timestamp_ms + 300 > last;
            let pictures_longer = tags.into_iter().filter(|tag| !is_late(tag)).collect();
            for tags in [sound_longer, pictures_longer] {
                let schedule = Schedule::new(tags).unwrap();
                let mut cursor = Cursor::default();
                let mut last: [Option<i64>; 2] = [None; 2];
                for _ in 0..2_000 {
                    let tag = schedule.next(&mut cursor, true).unwrap().tag;
                    if tag.kind == TagKind::Script || is_parameters(&tag) {
                        continue;
                    }
                    let sound = usize::from(tag.kind == TagKind::Audio);
                    let now = i64::from(tag.timestamp_ms);
                    let Some(then) = last[sound].replace(now) else { continue };
                    let steps = if sound == 1 { 9..=36 } else { 39..=41 };
                    assert!(steps.contains(&(now - then)), "{} ms at {now}", now - then);
                }
                assert!(cursor.round > 3);
            }
        }
    }

    #[test]
    fn without_looping_the_file_ends() {
        assert_eq!(times(false, 100).len(), 8);
    }

    #[test]
    fn parameters_that_changed_within_the_file_are_sent_again_each_round() {
        let mut tags = file();
        tags.insert(6, tag(TagKind::Video, 1_050, &[0x17, 0, 0, 0, 0, 2]));
        let schedule = Schedule::new(tags).unwrap();
        let mut cursor = Cursor::default();
        let round = |cursor: &mut Cursor, count| {
            (0..count).filter(|_| is_parameters(&schedule.next(cursor, true).unwrap().tag)).count()
        };
        assert_eq!(round(&mut cursor, 9), 3, "two pictures' and one sound's");
        assert_eq!(round(&mut cursor, 7), 2, "the pictures' only");
        assert_eq!(cursor.parameters().count(), 2);
    }

    #[test]
    fn a_file_without_frames_cannot_be_pushed() {
        assert!(Schedule::new(file()[..3].to_vec()).is_err());
    }
}
