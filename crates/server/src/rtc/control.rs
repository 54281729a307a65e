//! The control channel: a data channel on which a browser and the server tell each other what SDP has no words for. The
//! normative text is docs/control-channel.md.

use std::time::{Duration, Instant};

use room::MemberId;
use room::clock::Mapping;
use serde::{Deserialize, Serialize};
use str0m::Rtc;
use str0m::channel::ChannelId;

use super::choose::{Reason, View};

/// The channel's name; others are nobody's.
const LABEL: &str = "openmic";
/// More is no message of ours.
pub(super) const MESSAGE_BYTES_MAX: usize = 1_024;
/// Messages of a peer that are read at once, and then each second: an honest one sends four.
const BURST: u32 = 16;
const PER_SECOND: u32 = 8;
/// Pixels of an element beyond this are somebody's joke.
const PIXELS_MAX: u32 = 16_384;

/// What a peer says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Said {
    #[serde(rename_all = "camelCase")]
    View {
        #[serde(default)]
        width: u32,
        #[serde(default)]
        height: u32,
        #[serde(default = "yes")]
        visible: bool,
        #[serde(default)]
        audio_only: bool,
    },
    Tiles {
        tiles: Vec<Tile>,
    },
    #[serde(other)]
    Unknown,
}

/// What somebody in a room wants to see in one of its sections.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Tile {
    /// The section's name.
    pub(super) mid: String,
    /// Whom.
    pub(super) member: MemberId,
    /// Device pixels that it is shown in.
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
}

impl Tile {
    /// Device pixels that it is shown in, where that was told and can be.
    pub(super) fn pixels(&self) -> Option<(u32, u32)> {
        told_pixels(self.width, self.height)
    }
}

/// What makes sense of what a peer said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    View(View),
    /// All that is wanted, the most important first.
    Tiles(Vec<Tile>),
}

fn told_pixels(width: u32, height: u32) -> Option<(u32, u32)> {
    let is_told = (1..=PIXELS_MAX).contains(&width) && (1..=PIXELS_MAX).contains(&height);
    is_told.then_some((width, height))
}

fn yes() -> bool {
    true
}

/// What a peer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Told {
    /// A publisher: layers that somebody watches.
    Layers { active: Vec<String> },
    /// A publisher: how much of its pictures' packets is lost, before they are sent again.
    Loss { percent: u8 },
    /// A viewer: the layer it gets from now on.
    Layer { rid: String, width: u32, height: u32, reason: &'static str },
    /// A viewer: whether there are pictures at all.
    Video { state: &'static str, reason: &'static str },
    /// A viewer: how long to hold what comes.
    Hold { ms: u64 },
    /// A member of a room: whom it hears in a section.
    Voice { mid: String, member: Option<MemberId> },
    /// A member of a room: whom it sees in a section, or why not.
    Tile {
        mid: String,
        member: MemberId,
        width: u32,
        height: u32,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// A member of a room: who speaks, the loudest first.
    Speakers { speakers: Vec<Speaker> },
    /// A member of a room: which moment the RTP time of a section is.
    Clock {
        mid: String,
        member: MemberId,
        #[serde(flatten)]
        mapping: Mapping,
    },
}

/// Somebody who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Speaker {
    pub(super) member: MemberId,
    /// Decibels of full scale.
    pub(super) level: i8,
}

/// The name of a reason.
pub(super) fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Bandwidth => "bandwidth",
        Reason::Size => "size",
        Reason::Source => "source",
    }
}

/// One session's channel, if its peer opens any.
#[derive(Debug, Default)]
pub(super) struct Control {
    channel: Option<ChannelId>,
    /// Messages that may still be read, as of then.
    allowed: Option<(u32, Instant)>,
}

impl Control {
    /// A channel was opened; `true` when it is this one.
    pub(super) fn handle_open(&mut self, id: ChannelId, label: &str) -> bool {
        let is_own = label == LABEL && self.channel.is_none();
        if is_own {
            self.channel = Some(id);
        }
        is_own
    }

    pub(super) fn handle_close(&mut self, id: ChannelId) {
        self.channel.take_if(|known| *known == id);
    }

    /// Somebody listens.
    pub(super) fn is_open(&self) -> bool {
        self.channel.is_some()
    }

    /// What the peer says of itself, if that is what came. What is too long, too often or no sense is passed over.
    pub(super) fn handle_data(&mut self, now: Instant, id: ChannelId, data: &[u8]) -> Option<Heard> {
        if self.channel != Some(id) || data.len() > MESSAGE_BYTES_MAX || !self.takes(now) {
            return None;
        }
        match serde_json::from_slice(data).ok()? {
            Said::View { width, height, visible, audio_only } => Some(Heard::View(View {
                pixels: told_pixels(width, height),
                is_visible: visible,
                sound_only: audio_only,
            })),
            Said::Tiles { tiles } => Some(Heard::Tiles(tiles)),
            Said::Unknown => None,
        }
    }

    fn takes(&mut self, now: Instant) -> bool {
        let (left, since) = self.allowed.get_or_insert((BURST, now));
        let earned = now.saturating_duration_since(*since).as_millis() * u128::from(PER_SECOND) / 1_000;
        if earned > 0 {
            *left = BURST.min(left.saturating_add(u32::try_from(earned).unwrap_or(BURST)));
            *since = now;
        }
        let takes = *left > 0;
        *left = left.saturating_sub(1);
        takes
    }

    /// Tells the peer, if it listens and takes it.
    pub(super) fn tell(&self, rtc: &mut Rtc, told: &Told) {
        let Some(mut channel) = self.channel.and_then(|id| rtc.channel(id)) else { return };
        let Ok(text) = serde_json::to_vec(told) else { return };
        // A peer that reads nothing of what it asked to be told has no use for more.
        drop(channel.write(false, &text));
    }
}

/// How long a peer was told to hold what comes; it is told again when that changes.
#[derive(Debug, Default)]
pub(super) struct Held(Duration);

impl Held {
    /// What is to be said now that it is to hold so long, if that is news.
    pub(super) fn take_told(&mut self, hold: Duration) -> Option<Told> {
        let is_news = std::mem::replace(&mut self.0, hold) != hold;
        is_news.then_some(Told::Hold { ms: hold.as_millis() as u64 })
    }
}

/// How long a viewer's wishes may wait to be looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Said> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_view_is_read_whatever_it_leaves_out_or_adds() {
        let view =
            |width, height, visible, audio_only| Some(Said::View { width, height, visible, audio_only });
        assert_eq!(
            read(r#"{"type":"view","width":640,"height":360,"visible":true}"#),
            view(640, 360, true, false)
        );
        assert_eq!(read(r#"{"audioOnly":true,"type":"view","more":[1]}"#), view(0, 0, true, true));
        assert_eq!(read(r#"{"type":"dance","width":"x"}"#), Some(Said::Unknown));
        for no_sense in
            ["", "{}", "[]", r#"{"type":"view","width":-1}"#, r#"{"type":"view","width":1e99}"#, "\u{0}"]
        {
            assert_eq!(read(no_sense), None, "{no_sense}");
        }
    }

    #[test]
    fn what_is_told_is_what_the_document_says() {
        let text = |told| serde_json::to_string(&told).expect("JSON");
        assert_eq!(text(Told::Layers { active: vec!["l".into()] }), r#"{"type":"layers","active":["l"]}"#);
        assert_eq!(
            text(Told::Layer { rid: "m".into(), width: 640, height: 360, reason: "size" }),
            r#"{"type":"layer","rid":"m","width":640,"height":360,"reason":"size"}"#
        );
        assert_eq!(
            text(Told::Video { state: "paused", reason: "bandwidth" }),
            r#"{"type":"video","state":"paused","reason":"bandwidth"}"#
        );
        assert_eq!(text(Told::Loss { percent: 45 }), r#"{"type":"loss","percent":45}"#);
        assert_eq!(text(Told::Hold { ms: 240 }), r#"{"type":"hold","ms":240}"#);
        let mapping = Mapping { rtp: 3_123_456_789, rate: 90_000, at_us: 1_790_000_000_250_000 };
        assert_eq!(
            text(Told::Clock { mid: "6".into(), member: MemberId(3), mapping }),
            r#"{"type":"clock","mid":"6","member":3,"rtp":3123456789,"rate":90000,"at_us":1790000000250000}"#
        );
    }

    #[test]
    fn how_long_to_hold_is_said_when_it_changes() {
        let mut held = Held::default();
        let said = [0, 240, 240, 0].map(|ms| held.take_told(Duration::from_millis(ms)));
        assert_eq!(said, [None, Some(Told::Hold { ms: 240 }), None, Some(Told::Hold { ms: 0 })]);
    }

    #[test]
    fn a_peer_that_talks_without_end_is_heard_eight_times_a_second() {
        let mut control = Control::default();
        let start = Instant::now();
        let heard = (0..10_000).filter(|ms| control.takes(start + Duration::from_millis(*ms))).count();
        assert!((16 + 70..=16 + 80).contains(&heard), "{heard}");
    }
}
