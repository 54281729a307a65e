//! Whatever a publisher sends, the playlist keeps the rules and the fragments follow one another.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What happens next on a track or to the whole stream.
#[derive(Clone, Debug)]
enum Event {
    /// Pictures at a distance in microseconds, the first one a keyframe or not.
    Pictures {
        count: usize,
        interval: i64,
        sync: bool,
    },
    /// Sound of about as long as the pictures before it, shifted by its jitter.
    Silence,
    Sound,
    Stall(i64),
    Resolution(u32),
    Rate(u32),
    Discontinuity,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => (1..120_usize, prop_oneof![1_000..20_000_i64, Just(33_333), Just(40_000), 20_000..300_000_i64, 300_000..9_000_000_i64], any::<bool>())
            .prop_map(|(count, interval, sync)| Event::Pictures { count: count.min((12_000_000 / interval) as usize + 1), interval, sync }),
        1 => Just(Event::Silence),
        2 => Just(Event::Sound),
        1 => (1_000..20_000_000_i64).prop_map(Event::Stall),
        1 => prop_oneof![Just(640_u32), Just(1_280)].prop_map(Event::Resolution),
        1 => prop_oneof![Just(8_000_u32), Just(44_100), Just(48_000)].prop_map(Event::Rate),
        1 => Just(Event::Discontinuity),
    ]
}

/// Runs `events` and calls `check` after each change.
fn run(options: Options, events: &[Event], mut check: impl FnMut(&Packager)) -> Packager {
    let mut packager = Packager::new(options);
    let (mut video, mut audio, mut sound) = (video_codec(1_280), audio_codec(48_000), true);
    let (mut now, mut heard) = (0_i64, 0_i64);
    let mut rate = 48_000_i64;
    for event in events {
        match event {
            Event::Silence => sound = false,
            Event::Sound => (sound, heard) = (true, heard.max(now)),
            Event::Stall(micros) => (now, heard) = (now + micros, heard.max(now + micros)),
            Event::Resolution(width) => video = video_codec(*width),
            Event::Rate(hz) => (audio, rate) = (audio_codec(*hz), i64::from(*hz)),
            Event::Discontinuity => packager.handle_discontinuity(),
            Event::Pictures { count, interval, sync } => {
                for n in 0..*count {
                    packager.handle_frame(VIDEO, &video, &frame(now, *sync && n == 0));
                    now += interval;
                    while sound && heard < now {
                        packager.handle_frame(AUDIO, &audio, &frame(heard, true));
                        heard += 1_024_000_000 / rate;
                    }
                    check(&packager);
                }
            }
        }
        check(&packager);
    }
    packager.handle_end();
    check(&packager);
    packager
}

/// Sequence numbers rise, what was listed stays the same until it leaves, and it leaves in order.
fn check_growth(before: &rules::Playlist, after: &rules::Playlist) {
    assert!(after.msn >= before.msn && after.discontinuities >= before.discontinuities);
    assert_eq!((after.target, after.part_target), (before.target, before.part_target));
    let left = before.segments.iter().filter(|s| s.micros.is_some() && s.msn < after.msn);
    assert_eq!(
        after.discontinuities - before.discontinuities,
        left.filter(|s| s.discontinuity).count() as u64
    );
    for old in before.segments.iter().filter(|segment| segment.msn >= after.msn) {
        let new = &after.segments[(old.msn - after.msn) as usize];
        assert_eq!((new.discontinuity, &new.date), (old.discontinuity, &old.date));
        assert!(old.micros.is_none() || new.micros == old.micros);
        assert!(new.parts.is_empty() || new.parts.starts_with(&old.parts), "{new:?} after {old:?}");
    }
}

/// Each track's fragments follow one another without overlap; without gap, too, where nothing was lost.
fn check_ticks(packager: &Packager, strict: bool) {
    let list = rules::check(packager);
    let mut ends: HashMap<u32, u64> = HashMap::new();
    for segment in list.iter().flat_map(|list| &list.segments).filter(|s| s.micros.is_some()) {
        if segment.discontinuity {
            ends.clear();
        }
        for bytes in packager.segment(segment.msn).unwrap() {
            for (track, span) in rules::fragment(&bytes) {
                let end = ends.insert(track, span.to);
                assert!(end.is_none_or(|end| !strict || end == span.from), "track {track}: {end:?} {span:?}");
            }
        }
    }
}

fn options() -> impl Strategy<Value = Options> {
    (2..8_u32, 0..4_000_i64, 100..1_500_i64, 1..40_usize, any::<bool>()).prop_map(
        |(target, min, part, listed, aligned)| Options {
            target_seconds: target,
            segment_min: Span::from_millis(min),
            part_target: Span::from_millis(part),
            segments_listed: listed,
            both: false,
            aligned,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_source_keeps_every_rule(options in options(), events in prop::collection::vec(event(), 1..25)) {
        let (mut version, mut last) = (0, None);
        let packager = run(options, &events, |packager| {
            if packager.version() != version {
                version = packager.version();
                if let Some(list) = rules::check(packager) {
                    if let Some(last) = &last {
                        check_growth(last, &list);
                    }
                    last = Some(list);
                }
            }
        });
        check_ticks(&packager, false);
    }

    #[test]
    fn steady_sources_leave_no_gap_in_either_track(
        interval in 8_000..400_000_i64,
        group in 1..300_usize,
        rate in prop_oneof![Just(8_000_u32), Just(22_050), Just(44_100), Just(48_000)],
        options in options(),
    ) {
        let groups = (30_000_000 / interval) as usize / group + 2;
        let mut events = vec![Event::Rate(rate)];
        events.extend(vec![Event::Pictures { count: group, interval, sync: true }; groups]);
        let packager = run(options, &events, |_| ());
        check_ticks(&packager, true);
        let list = rules::check(&packager).unwrap();
        prop_assert!(list.segments.iter().all(|segment| !segment.discontinuity));
        prop_assert_eq!(packager.dropped(), 0);
    }
}
