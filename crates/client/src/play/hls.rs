//! A minimal player of (Low-Latency) HLS: joins at the newest place where decoding can begin and then asks for each
//! part as soon as it can exist.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::sleep;

use super::fragment::{Track, samples, tracks};
use super::playlist::{Media, Playlist, Segment};
use super::{Out, Player};
use crate::http;
use crate::url::Url;

/// Playlists that may be followed from one to the next.
const VARIANTS_MAX: usize = 3;
/// How often a plain playlist is asked for again within its target duration (RFC 8216 §6.3.4 allows half of it).
const RELOADS: u32 = 2;

/// The next part that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) segment: u64,
    pub(crate) part: usize,
}

/// Plays until the playlist or the duration ends.
pub(super) async fn play(player: &mut Player<'_>, url: &Url) -> anyhow::Result<()> {
    let insecure = player.options.insecure;
    let (url, mut media) = open(player, url).await?;
    let Some(mut cursor) = join(&media) else { bail!("{url} lists no segment") };
    let mut map = None;
    let mut known: Vec<Track> = Vec::new();
    loop {
        for (item, init) in due(&media, &mut cursor) {
            if init.is_some() && init != map {
                let init_url = url.join(init.as_deref().unwrap_or_default())?;
                let bytes = player.patiently(http::get_all(&init_url, insecure)).await??;
                player.bytes(&bytes, Out::Keep).await?;
                known = tracks(&bytes);
                known.iter().for_each(|track| player.codec(track.entry.clone()));
                map = init;
            }
            let item_url = url.join(&item)?;
            let bytes = player.patiently(http::get_all(&item_url, insecure)).await??;
            player.bytes(&bytes, Out::Keep).await?;
            samples(&bytes, &known).iter().for_each(|sample| player.sample(sample));
            if player.done() {
                return Ok(());
            }
        }
        if media.ended {
            return Ok(());
        }
        media = reload(player, &url, &media, cursor).await?;
    }
}

/// Follows multivariant playlists to the first rendition's.
async fn open(player: &mut Player<'_>, url: &Url) -> anyhow::Result<(Url, Media)> {
    let mut url = url.clone();
    for _ in 0..VARIANTS_MAX {
        match fetch(player, &url).await? {
            Playlist::Media(media) => return Ok((url, media)),
            Playlist::Multivariant(first) => url = url.join(&first)?,
        }
    }
    bail!("{url} leads from one multivariant playlist to another");
}

async fn fetch(player: &mut Player<'_>, url: &Url) -> anyhow::Result<Playlist> {
    let insecure = player.options.insecure;
    let bytes = player.patiently(http::get_all(url, insecure)).await??;
    player.bytes(&bytes, Out::Drop).await?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{url} is no text"))?;
    Playlist::parse(text).with_context(|| format!("{url} as playlist"))
}

async fn reload(player: &mut Player<'_>, url: &Url, media: &Media, cursor: Cursor) -> anyhow::Result<Media> {
    let next = if media.can_block {
        let next = url.with_query("_HLS_msn", &cursor.segment.to_string());
        let parts = media.segments.iter().any(|segment| !segment.parts.is_empty());
        if parts { next.with_query("_HLS_part", &cursor.part.to_string()) } else { next }
    } else {
        player.patiently(sleep(media.target.max(Duration::from_millis(500)) / RELOADS)).await?;
        url.clone()
    };
    match fetch(player, &next).await? {
        Playlist::Media(media) => Ok(media),
        Playlist::Multivariant(_) => bail!("{url} became a multivariant playlist"),
    }
}

/// The newest independent part, else the newest finished segment.
pub(crate) fn join(media: &Media) -> Option<Cursor> {
    let newest = media.segments.iter().rev();
    let independent = newest.clone().find_map(|segment| {
        let part = segment.parts.iter().rposition(|part| part.independent)?;
        Some(Cursor { segment: segment.number, part })
    });
    independent.or_else(|| newest.map(|segment| Cursor { segment: segment.number, part: 0 }).next())
}

/// What is listed at or after the cursor, with the map that holds for it; the cursor moves behind it.
pub(crate) fn due(media: &Media, cursor: &mut Cursor) -> Vec<(String, Option<String>)> {
    let mut items = Vec::new();
    // The server may have dropped what we wanted: go on with its oldest.
    if let Some(oldest) = media.segments.first().filter(|oldest| oldest.number > cursor.segment) {
        *cursor = Cursor { segment: oldest.number, part: 0 };
    }
    for segment in &media.segments {
        take(segment, cursor, &mut items);
    }
    items
}

fn take(segment: &Segment, cursor: &mut Cursor, items: &mut Vec<(String, Option<String>)>) {
    if segment.number != cursor.segment {
        return;
    }
    if segment.parts.is_empty() && cursor.part == 0 {
        items.extend(segment.uri.iter().map(|uri| (uri.clone(), segment.map.clone())));
    } else {
        let parts = segment.parts.iter().skip(cursor.part);
        items.extend(parts.map(|part| (part.uri.clone(), segment.map.clone())));
        cursor.part = cursor.part.max(segment.parts.len());
    }
    if segment.uri.is_some() {
        *cursor = Cursor { segment: segment.number + 1, part: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::super::playlist::Part;
    use super::*;

    fn segment(number: u64, parts: &[bool], finished: bool) -> Segment {
        let part = |(at, independent): (usize, &bool)| Part {
            uri: format!("p{number}.{at}"),
            independent: *independent,
        };
        Segment {
            number,
            uri: finished.then(|| format!("s{number}")),
            parts: parts.iter().enumerate().map(part).collect(),
            map: None,
        }
    }

    fn uris(media: &Media, cursor: &mut Cursor) -> Vec<String> {
        due(media, cursor).into_iter().map(|(uri, _)| uri).collect()
    }

    #[test]
    fn joins_at_the_newest_independent_part_and_takes_each_part_once() {
        let mut media = Media {
            segments: vec![
                segment(1, &[], true),
                segment(2, &[true, false], true),
                segment(3, &[true, false], false),
            ],
            ..Media::default()
        };
        let mut cursor = join(&media).unwrap();
        assert_eq!(uris(&media, &mut cursor), ["p3.0", "p3.1"]);
        assert_eq!(uris(&media, &mut cursor), Vec::<String>::new());
        media.segments[2] = segment(3, &[true, false, false], true);
        media.segments.push(segment(4, &[true], false));
        assert_eq!(uris(&media, &mut cursor), ["p3.2", "p4.0"]);
        assert_eq!(cursor, Cursor { segment: 4, part: 1 });
    }

    #[test]
    fn without_parts_whole_segments_are_taken_and_what_was_dropped_is_passed_over() {
        let media =
            Media { segments: vec![segment(7, &[], true), segment(8, &[], true)], ..Media::default() };
        let mut cursor = join(&media).unwrap();
        assert_eq!(uris(&media, &mut cursor), ["s8"]);
        let mut late = Cursor { segment: 3, part: 5 };
        assert_eq!(uris(&media, &mut late), ["s7", "s8"]);
    }
}
