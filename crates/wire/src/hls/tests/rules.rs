//! The rules of draft-pantos-hls-rfc8216bis that a live playlist must keep, read from its text, and those of
//! fragments, read by mp4-atom.

use std::collections::HashMap;

use bytes::Bytes;
use mp4_atom::{Atom, Decode, DecodeMaybe, Header, Moof, Moov};

use crate::hls::{Answer, Directives, Packager, Position, Resource};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) micros: i64,
    pub(super) independent: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Segment {
    pub(super) msn: u64,
    /// `None` while it grows.
    pub(super) micros: Option<i64>,
    pub(super) parts: Vec<Part>,
    pub(super) discontinuity: bool,
    pub(super) map: Option<String>,
    pub(super) date: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Playlist {
    pub(super) target: i64,
    pub(super) part_target: i64,
    pub(super) msn: u64,
    pub(super) discontinuities: u64,
    pub(super) skipped: u64,
    pub(super) independent: bool,
    pub(super) ended: bool,
    pub(super) hint: Option<String>,
    pub(super) control: HashMap<String, String>,
    pub(super) segments: Vec<Segment>,
}

/// Microseconds of a decimal number of seconds, exactly.
pub(super) fn micros(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 6, "{text}");
    let fraction = format!("{fraction:0<6}");
    whole.parse::<i64>().unwrap() * 1_000_000 + fraction.parse::<i64>().unwrap()
}

fn attributes(text: &str) -> HashMap<String, String> {
    text.split(',')
        .map(|pair| pair.split_once('=').expect("an attribute has a value"))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

impl Playlist {
    /// Reads our own text; any line it does not know fails.
    pub(super) fn read(text: &str) -> Self {
        let mut list = Self::default();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        let mut segment = Segment::default();
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-VERSION" => assert_eq!(value, "9"),
                "#EXT-X-INDEPENDENT-SEGMENTS" => list.independent = true,
                "#EXT-X-TARGETDURATION" => list.target = value.parse::<i64>().unwrap() * 1_000_000,
                "#EXT-X-SERVER-CONTROL" => list.control = attributes(value),
                "#EXT-X-PART-INF" => list.part_target = micros(&attributes(value)["PART-TARGET"]),
                "#EXT-X-MEDIA-SEQUENCE" => list.msn = value.parse().unwrap(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => list.discontinuities = value.parse().unwrap(),
                "#EXT-X-SKIP" => list.skipped = attributes(value)["SKIPPED-SEGMENTS"].parse().unwrap(),
                "#EXT-X-DISCONTINUITY" => segment.discontinuity = true,
                "#EXT-X-MAP" => segment.map = Some(attributes(value)["URI"].clone()),
                "#EXT-X-PROGRAM-DATE-TIME" => segment.date = Some(value.to_owned()),
                "#EXT-X-PART" => {
                    let part = attributes(value);
                    segment.parts.push(Part {
                        name: part["URI"].clone(),
                        micros: micros(&part["DURATION"]),
                        independent: part.get("INDEPENDENT").is_some_and(|yes| yes == "YES"),
                    });
                }
                "#EXTINF" => segment.micros = Some(micros(value.trim_end_matches(','))),
                "#EXT-X-PRELOAD-HINT" => {
                    assert_eq!(attributes(value)["TYPE"], "PART");
                    list.hint = Some(attributes(value)["URI"].clone());
                }
                "#EXT-X-RENDITION-REPORT" => {
                    let report = attributes(value);
                    assert!(
                        report["LAST-MSN"].parse::<u64>().is_ok()
                            && report["LAST-PART"].parse::<u64>().is_ok()
                    );
                }
                "#EXT-X-ENDLIST" => list.ended = true,
                name => {
                    let msn = list.msn + list.skipped + list.segments.len() as u64;
                    assert_eq!(Resource::parse(name), Some(Resource::Segment(msn)), "{line}");
                    segment.msn = msn;
                    list.segments.push(std::mem::take(&mut segment));
                }
            }
        }
        if !segment.parts.is_empty() {
            segment.msn = list.msn + list.skipped + list.segments.len() as u64;
            list.segments.push(segment);
        }
        list
    }

    /// Length of the complete segments.
    pub(super) fn duration(&self) -> i64 {
        self.segments.iter().filter_map(|segment| segment.micros).sum()
    }
}

fn text(packager: &Packager, directives: &str) -> Option<String> {
    match packager.poll_playlist(&Directives::parse(directives).unwrap()) {
        Answer::Ready(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
        Answer::NotYet => None,
        other => panic!("{other:?}"),
    }
}

/// Checks everything that must hold of one playlist and of what it names; `None` while there is none.
pub(super) fn check(packager: &Packager) -> Option<Playlist> {
    let full_text = text(packager, "")?;
    let list = Playlist::read(&full_text);
    m3u8_rs::parse_media_playlist_res(full_text.as_bytes()).expect("m3u8-rs reads it");
    head(&list);
    for segment in &list.segments {
        durations(&list, segment);
    }
    availability(packager, &list);
    delta(packager, &list, &full_text);
    Some(list)
}

fn head(list: &Playlist) {
    let control = |name: &str| micros(&list.control[name]);
    assert_eq!(list.control["CAN-BLOCK-RELOAD"], "YES");
    assert!(control("PART-HOLD-BACK") >= 3 * list.part_target);
    assert!(control("HOLD-BACK") >= 3 * list.target);
    assert!(control("CAN-SKIP-UNTIL") >= 6 * list.target);
    assert_eq!(list.hint.is_none(), list.ended, "a hint unless the stream has ended");
    assert!(list.segments.first().is_none_or(|s| s.map.is_some()), "the first segment says its init segment");
    if list.msn > 0 {
        assert!(list.duration() >= 3 * list.target, "segments left a playlist that became too short");
    }
}

fn durations(list: &Playlist, segment: &Segment) {
    let last = segment.parts.len().wrapping_sub(1);
    for (index, part) in segment.parts.iter().enumerate() {
        assert!(part.micros > 0 && part.micros <= list.part_target, "{part:?} of {}", list.part_target);
        let exempt = part.independent || segment.micros.is_some() && index == last;
        assert!(exempt || part.micros * 100 >= list.part_target * 85, "{part:?} in {segment:?}");
    }
    if let Some(micros) = segment.micros {
        // "EXTINF duration, when rounded to the nearest integer, MUST be less than or equal to the target".
        assert!(micros > 0 && (micros + 500_000) / 1_000_000 * 1_000_000 <= list.target, "{segment:?}");
        if !segment.parts.is_empty() {
            assert_eq!(micros, segment.parts.iter().map(|part| part.micros).sum::<i64>());
        }
    }
}

/// What is listed can be fetched; what is hinted waits; anything else is not found.
fn availability(packager: &Packager, list: &Playlist) {
    for segment in &list.segments {
        if let Some(map) = &segment.map {
            let Some(Resource::Init(n)) = Resource::parse(map) else { panic!("{map}") };
            assert!(packager.init(n).is_some());
        }
        assert_eq!(packager.segment(segment.msn).is_some(), segment.micros.is_some());
        for (part, index) in segment.parts.iter().zip(0..) {
            let position = Position { msn: segment.msn, part: index };
            assert_eq!(Resource::parse(&part.name), Some(Resource::Part(position)));
            assert!(matches!(packager.poll_part(position), Answer::Ready(_)));
        }
    }
    if let Some(hint) = &list.hint {
        let Some(Resource::Part(position)) = Resource::parse(hint) else { panic!("{hint}") };
        assert_eq!(packager.poll_part(position), Answer::NotYet);
        let next = Position { part: position.part + 1, ..position };
        assert_eq!(packager.poll_part(next), Answer::NotFound);
    }
}

/// A delta update is the full playlist with the lines of old segments replaced by one.
fn delta(packager: &Packager, list: &Playlist, full_text: &str) {
    let delta_text = text(packager, "_HLS_skip=YES").unwrap();
    let delta = Playlist::read(&delta_text);
    let mut after = 0;
    let behind: Vec<_> = list
        .segments
        .iter()
        .rev()
        .filter_map(|segment| segment.micros)
        .map(|micros| {
            let distance = after;
            after += micros;
            distance
        })
        .collect();
    let boundary = micros(&list.control["CAN-SKIP-UNTIL"]);
    let skippable = behind.iter().filter(|&&distance| distance > boundary).count() as u64;
    assert_eq!(delta.skipped, if list.ended { 0 } else { skippable });
    if delta.skipped == 0 {
        assert_eq!(delta_text, full_text);
        return;
    }
    assert_eq!(delta.discontinuities, list.discontinuities);
    assert_eq!(delta.segments, list.segments[delta.skipped as usize..]);
    let (delta_head, delta_rest) = delta_text.split_once("#EXT-X-SKIP").unwrap();
    assert!(full_text.starts_with(delta_head));
    assert!(full_text.ends_with(delta_rest.split_once('\n').unwrap().1));
}

/// Samples of a track in a fragment: decode time and end, in ticks, and how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) samples: usize,
}

/// Reads one part as mp4-atom sees it: for each track id its span. Offsets must stay inside the fragment.
pub(super) fn fragment(bytes: &Bytes) -> HashMap<u32, Span> {
    let mut rest = bytes.as_ref();
    let moof = Moof::decode(&mut rest).expect("a fragment begins with moof");
    let moof_len = bytes.len() - rest.len();
    let header = Header::decode_maybe(&mut rest).unwrap().expect("then comes mdat");
    assert_eq!(header.kind, mp4_atom::Mdat::KIND);
    assert_eq!(header.size, Some(rest.len()), "mdat fills the rest");
    let mut at = moof_len + 8;
    let mut spans = HashMap::new();
    for traf in &moof.traf {
        let from = traf.tfdt.as_ref().unwrap().base_media_decode_time;
        assert!(traf.tfhd.default_base_is_moof);
        assert_eq!(traf.trun.len(), 1);
        assert_eq!(traf.trun[0].data_offset, Some(at as i32));
        let mut to = from;
        for sample in traf.trun[0].samples.iter() {
            let duration = sample.duration.or(traf.tfhd.default_sample_duration).unwrap();
            assert!(duration > 0);
            to += u64::from(duration);
            at += sample.size.unwrap() as usize;
        }
        let samples = traf.trun[0].samples.len();
        assert!(spans.insert(traf.tfhd.track_id, Span { from, to, samples }).is_none());
    }
    assert_eq!(at, bytes.len());
    spans
}

/// Reads an init segment; returns id and clock rate of each track.
pub(super) fn init(bytes: &Bytes) -> Vec<(u32, u32)> {
    let mut rest = bytes.as_ref();
    mp4_atom::Ftyp::decode(&mut rest).unwrap();
    let moov = Moov::decode(&mut rest).unwrap();
    assert!(rest.is_empty());
    assert_eq!(moov.mvex.unwrap().trex.len(), moov.trak.len());
    moov.trak.iter().map(|trak| (trak.tkhd.track_id, trak.mdia.mdhd.timescale)).collect()
}
