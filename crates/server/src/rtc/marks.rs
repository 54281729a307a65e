//! What packets to a viewer tell beside media: when it was captured.
//!
//! Not how long a picture may wait (playout-delay): Chromium, told not to wait with the group it joins, then keeps sound and
//! picture up to a second apart (decision 0011).

use std::time::{Duration, UNIX_EPOCH};

use media::{Span, Timestamp};
use str0m::media::Media;
use str0m::rtp::{AbsCaptureTime, Extension, ExtensionValues};

use super::lanes::Kind;

/// Receivers reckon the time between (abs-capture-time, §"RTP header extension"): sound is told about once a second.
const SOUND_TOLD: Span = Span::from_millis(1_000);

/// What one stream's viewer understands, and what it was told last.
#[derive(Debug)]
pub(super) struct Marks {
    kind: Kind,
    captures: bool,
    told: Option<Timestamp>,
}

impl Marks {
    /// As it was negotiated.
    pub(super) fn of(media: &Media, kind: Kind) -> Self {
        let has = |extension| media.remote_extmap().id_of(extension).is_some();
        Self { kind, captures: has(Extension::AbsoluteCaptureTime), told: None }
    }

    /// What goes with a packet of what is at `at`; `captured` is when that was by the publisher's clock, since 1970.
    pub(super) fn mark(&mut self, at: Timestamp, captured: impl FnOnce() -> Option<Span>) -> ExtensionValues {
        let mut values = ExtensionValues::default();
        let is_due = match self.kind {
            Kind::Video => self.told != Some(at),
            Kind::Audio => self.told.is_none_or(|told| at >= told + SOUND_TOLD || at < told),
        };
        if self.captures && is_due {
            let captured = captured().and_then(|span| u64::try_from(span.micros()).ok());
            let at_clock = captured.map(|micros| UNIX_EPOCH + Duration::from_micros(micros));
            values.abs_capture_time =
                at_clock.map(|capture_time| AbsCaptureTime { capture_time, clock_offset: None });
            self.told = Some(at);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn marks(kind: Kind) -> Marks {
        Marks { kind, captures: true, told: None }
    }

    #[test]
    fn each_picture_tells_once_when_it_was_captured_and_sound_does_once_a_second() {
        let captured = || Some(Span::from_millis(1_700_000_000_123));
        let tells = |marks: &mut Marks, at| marks.mark(at, captured).abs_capture_time.is_some();
        let mut video = marks(Kind::Video);
        assert_eq!([0, 0, 40, 40, 80].map(|at| tells(&mut video, ms(at))), [true, false, true, false, true]);
        let mut audio = marks(Kind::Audio);
        let told = (0..101).filter(|n| tells(&mut audio, ms(n * 20))).count();
        assert_eq!(told, 3, "at 0, 1 and 2 s");
        let told = video.mark(ms(120), captured).abs_capture_time.expect("known");
        assert_eq!(told.capture_time, UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
    }

    #[test]
    fn who_has_not_asked_is_told_nothing() {
        let mut marks = Marks { kind: Kind::Video, captures: false, told: None };
        assert!(marks.mark(ms(0), || Some(Span::ZERO)).abs_capture_time.is_none());
    }
}
