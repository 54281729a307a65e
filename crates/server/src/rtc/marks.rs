//! What packets to a viewer tell beside media: how long a picture may wait before it is shown, and when it was captured.

use std::time::{Duration, UNIX_EPOCH};

use media::{Span, Timestamp};
use str0m::media::{Media, MediaTime};
use str0m::rtp::{AbsCaptureTime, Extension, ExtensionValues};

use super::lanes::Kind;

/// What browsers allow themselves when nobody says anything; their own wish for more or less counts within it.
const WAIT_USUAL: Duration = Duration::from_secs(10);
/// So long after the joined group has gone by is the usual told again: some packet of it arrives.
const USUAL_TOLD: Span = Span::from_millis(1_000);
/// Receivers reckon the time between (abs-capture-time, §"RTP header extension"): sound is told about once a second.
const SOUND_TOLD: Span = Span::from_millis(1_000);

/// What one stream's viewer understands, and what it was told last.
#[derive(Debug)]
pub(super) struct Marks {
    kind: Kind,
    waits: bool,
    captures: bool,
    told: Option<Timestamp>,
}

impl Marks {
    /// As it was negotiated.
    pub(super) fn of(media: &Media, kind: Kind) -> Self {
        let has = |extension| media.remote_extmap().id_of(extension).is_some();
        Self {
            kind,
            waits: kind == Kind::Video && has(Extension::PlayoutDelay),
            captures: has(Extension::AbsoluteCaptureTime),
            told: None,
        }
    }

    /// What goes with a packet of what is at `at`, to a viewer that joined at `live`; `captured` is when that was by the
    /// publisher's clock, since 1970.
    pub(super) fn mark(
        &mut self,
        at: Timestamp,
        live: Timestamp,
        captured: impl FnOnce() -> Option<Span>,
    ) -> ExtensionValues {
        let mut values = ExtensionValues::default();
        if self.waits && at < live + USUAL_TOLD {
            let longest = if at < live { Duration::ZERO } else { WAIT_USUAL };
            values.play_delay_min = Some(MediaTime::from_hundredths(0));
            values.play_delay_max = Some(MediaTime::from_hundredths(longest.as_millis() as u64 / 10));
        }
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
        Marks { kind, waits: kind == Kind::Video, captures: true, told: None }
    }

    fn waits(values: &ExtensionValues) -> Option<(u64, u64)> {
        Some((values.play_delay_min?.numer(), values.play_delay_max?.numer()))
    }

    #[test]
    fn pictures_of_the_joined_group_do_not_wait_and_the_usual_is_restored() {
        let mut marks = marks(Kind::Video);
        let live = ms(5_000);
        assert_eq!(waits(&marks.mark(ms(1_000), live, || None)), Some((0, 0)));
        assert_eq!(waits(&marks.mark(ms(4_999), live, || None)), Some((0, 0)));
        assert_eq!(waits(&marks.mark(live, live, || None)), Some((0, 1_000)));
        assert_eq!(waits(&marks.mark(ms(5_999), live, || None)), Some((0, 1_000)));
        assert_eq!(waits(&marks.mark(ms(6_000), live, || None)), None, "nothing is told that is known");
    }

    #[test]
    fn each_picture_tells_once_when_it_was_captured_and_sound_does_once_a_second() {
        let captured = || Some(Span::from_millis(1_700_000_000_123));
        let tells = |marks: &mut Marks, at| marks.mark(at, ms(0), captured).abs_capture_time.is_some();
        let mut video = marks(Kind::Video);
        assert_eq!([0, 0, 40, 40, 80].map(|at| tells(&mut video, ms(at))), [true, false, true, false, true]);
        let mut audio = marks(Kind::Audio);
        let told = (0..101).filter(|n| tells(&mut audio, ms(n * 20))).count();
        assert_eq!(told, 3, "at 0, 1 and 2 s");
        let told = video.mark(ms(120), ms(0), captured).abs_capture_time.expect("known");
        assert_eq!(told.capture_time, UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
    }

    #[test]
    fn who_has_not_asked_is_told_nothing() {
        let mut marks = Marks { kind: Kind::Video, waits: false, captures: false, told: None };
        let values = marks.mark(ms(0), ms(5_000), || Some(Span::ZERO));
        assert_eq!((waits(&values), values.abs_capture_time.is_some()), (None, false));
    }
}
