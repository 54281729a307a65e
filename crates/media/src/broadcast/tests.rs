//! Behaviour of broadcasts and their readers.

use std::task::Waker;

use bytes::Bytes;

use super::*;
use crate::codec::{aac, data, h264};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

fn h264(width: u32) -> Codec {
    Codec::H264(h264::Params {
        config: Bytes::from_static(b"c"),
        width,
        height: 90,
        profile: 66,
        constraints: 0,
        level: 30,
        frame_rate: None,
    })
}

fn aac() -> Codec {
    Codec::Aac(aac::Params {
        config: Bytes::from_static(&[0x11, 0x90]),
        object_type: 2,
        sample_rate: 48_000,
        core_sample_rate: 48_000,
        channels: 2,
        frame_samples: 1_024,
    })
}

fn frame(millis: i64, sync: bool) -> Frame {
    let payload = Bytes::copy_from_slice(&millis.to_be_bytes());
    Frame { dts: Timestamp::from_millis(millis), cts: Span::ZERO, sync, payload }
}

fn broadcast() -> Broadcast {
    Broadcast::new(Path::new("live/x").unwrap(), None, Instant::now())
}

/// One video frame each 40 ms from `from` to `to`, a keyframe each second, sound each 20 ms.
fn write(producer: &Producer, from: i64, to: i64) {
    for millis in (from..to).step_by(20) {
        if millis % 40 == 0 {
            producer.write(VIDEO, frame(millis, millis % 1_000 == 0)).unwrap();
        }
        producer.write(AUDIO, frame(millis, true)).unwrap();
    }
}

fn publisher(broadcast: &Broadcast) -> Producer {
    let producer = broadcast.claim();
    producer.set_codec(VIDEO, h264(160), None).unwrap();
    producer.set_codec(AUDIO, aac(), None).unwrap();
    producer
}

fn next(reader: &mut Reader) -> Poll<Option<Event>> {
    reader.poll_next(&mut Context::from_waker(Waker::noop()))
}

fn frames(reader: &mut Reader) -> Vec<(TrackId, i64)> {
    std::iter::from_fn(|| match next(reader) {
        Poll::Ready(Some(Event::Frame { track, frame, .. })) => Some((track, frame.dts.millis())),
        Poll::Ready(_) | Poll::Pending => None,
    })
    .collect()
}

#[test]
fn a_reader_joins_all_tracks_at_the_newest_keyframe_and_gets_them_in_order_of_arrival() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    write(&producer, 0, 3_500);
    let got = frames(&mut broadcast.read(Selection::Best));
    assert_eq!(got[..4], [(VIDEO, 3_000), (AUDIO, 3_000), (AUDIO, 3_020), (VIDEO, 3_040)]);
    assert_eq!(got.last(), Some(&(AUDIO, 3_480)));
}

#[test]
fn sound_is_kept_as_far_back_as_the_pictures() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    write(&producer, 0, 2_960);
    let oldest = |slot: usize| broadcast.0.state().slots[slot].ring.oldest_arrival();
    let first_of_group_1 = 25 + 50;
    assert_eq!((oldest(0), oldest(1)), (Some(first_of_group_1), Some(first_of_group_1 + 1)));
}

#[test]
fn a_reader_that_falls_behind_skips_all_tracks_to_one_keyframe_and_counts_what_it_lost() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    let mut reader = broadcast.read(Selection::Best);
    write(&producer, 0, 1_000);
    assert_eq!(frames(&mut reader).len(), 25 + 50);
    write(&producer, 1_000, 5_500);
    let Poll::Ready(Some(Event::Skipped { frames: lost })) = next(&mut reader) else { panic!("must skip") };
    assert_eq!(lost, (100 + 200), "four seconds of both tracks");
    assert_eq!(frames(&mut reader)[..2], [(VIDEO, 5_000), (AUDIO, 5_000)]);
}

#[test]
fn a_returning_publisher_goes_on_later_on_the_same_timeline_and_readers_stay() {
    let broadcast = broadcast();
    let first = publisher(&broadcast);
    write(&first, 0, 1_000);
    let mut reader = broadcast.read(Selection::Best);
    frames(&mut reader);
    drop(first);
    assert!(matches!(next(&mut reader), Poll::Ready(Some(Event::Phase(Phase::Waiting)))));
    assert!(next(&mut reader).is_pending());
    let second = publisher(&broadcast);
    let now = broadcast.started() + std::time::Duration::from_secs(7);
    let mut timeline = second.timeline(now);
    assert_eq!(timeline.map(now, VIDEO, Timestamp::from_millis(90_000)).millis(), 7_000);
    second.write(VIDEO, frame(7_000, false)).unwrap();
    second.write(VIDEO, frame(7_040, true)).unwrap();
    assert!(
        matches!(next(&mut reader), Poll::Ready(Some(Event::Frame { frame, opens_group: true, .. }))
        if frame.dts.millis() == 7_040),
        "pictures before the first keyframe are dropped"
    );
}

#[test]
fn an_overtaken_session_cannot_write_and_learns_why() {
    let broadcast = broadcast();
    let mut old = publisher(&broadcast);
    let _new = publisher(&broadcast);
    assert_eq!(old.write(VIDEO, frame(0, true)), Err(WriteError::Fenced));
    let demand = old.poll_demand(&mut Context::from_waker(Waker::noop()));
    assert_eq!(demand, Poll::Ready(Err(WriteError::Fenced)));
    drop(old);
    assert_eq!(broadcast.phase(), Phase::Live, "the old session's end is not the broadcast's");
}

#[test]
fn new_parameters_open_a_group_that_carries_them_and_equal_ones_change_nothing() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    let mut reader = broadcast.read(Selection::Best);
    producer.write(VIDEO, frame(0, true)).unwrap();
    producer.set_codec(VIDEO, h264(160), None).unwrap();
    producer.write(VIDEO, frame(40, false)).unwrap();
    producer.set_codec(VIDEO, h264(320), None).unwrap();
    producer.write(VIDEO, frame(80, false)).unwrap();
    let widths: Vec<Option<u32>> = std::iter::from_fn(|| match next(&mut reader) {
        Poll::Ready(Some(Event::Frame { codec, .. })) => Some(codec.and_then(|c| Some(c.resolution()?.0))),
        _ => None,
    })
    .collect();
    assert_eq!(widths, [Some(160), None, Some(320)]);
}

#[test]
fn a_track_that_appears_later_joins_the_readers_it_finds() {
    let broadcast = broadcast();
    let producer = broadcast.claim();
    producer.set_codec(VIDEO, h264(160), None).unwrap();
    let mut reader = broadcast.read(Selection::Best);
    producer.write(VIDEO, frame(0, true)).unwrap();
    assert_eq!(frames(&mut reader), [(VIDEO, 0)]);
    producer.set_codec(AUDIO, aac(), None).unwrap();
    producer.write(AUDIO, frame(10, true)).unwrap();
    assert_eq!(frames(&mut reader), [(AUDIO, 10)]);
}

#[test]
fn a_reader_that_is_behind_gets_a_later_track_from_its_first_frame_on() {
    let broadcast = broadcast();
    let producer = broadcast.claim();
    producer.set_codec(AUDIO, aac(), None).unwrap();
    producer.write(AUDIO, frame(0, true)).unwrap();
    let mut reader = broadcast.read(Selection::Best);
    assert_eq!(frames(&mut reader), [(AUDIO, 0)]);
    producer.set_codec(VIDEO, h264(160), None).unwrap();
    producer.write(VIDEO, frame(10, true)).unwrap();
    producer.write(AUDIO, frame(20, true)).unwrap();
    assert_eq!(frames(&mut reader), [(VIDEO, 10), (AUDIO, 20)]);
}

#[test]
fn of_several_renditions_a_reader_of_the_best_gets_one_and_a_reader_of_all_gets_all() {
    let broadcast = broadcast();
    let producer = broadcast.claim();
    for (id, rank, width) in [(0, 1, 160), (2, 0, 320)] {
        let rendition = Some(Rendition { set: 0, rank });
        producer.set_codec(TrackId(id), h264(width), rendition).unwrap();
    }
    producer.set_codec(AUDIO, aac(), None).unwrap();
    producer.set_codec(TrackId(3), Codec::Data(data::Format::Sei), None).unwrap();
    let tracks =
        |selection| broadcast.read(selection).tracks().iter().map(|(id, _)| id.0).collect::<Vec<_>>();
    assert_eq!(tracks(Selection::Best), [1, 2, 3]);
    assert_eq!(tracks(Selection::All), [0, 1, 2, 3]);
}

#[test]
fn decode_times_rise_even_if_the_source_repeats_one_and_display_times_stay() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    let mut reader = broadcast.read(Selection::Best);
    producer.write(VIDEO, frame(40, true)).unwrap();
    producer.write(VIDEO, frame(40, false)).unwrap();
    assert!(next(&mut reader).is_ready());
    let Poll::Ready(Some(Event::Frame { frame, .. })) = next(&mut reader) else { panic!("a frame") };
    assert_eq!((frame.dts.micros(), frame.pts().micros()), (40_001, 40_000));
}

#[test]
fn sound_goes_on_without_old_sound_when_the_picture_has_frozen() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    write(&producer, 0, 100);
    for millis in (100..20_000).step_by(20) {
        producer.write(AUDIO, frame(millis, true)).unwrap();
    }
    let got = frames(&mut broadcast.read(Selection::Best));
    assert_eq!(got[0], (VIDEO, 0));
    let first_sound = got.iter().find(|(track, _)| *track == AUDIO).unwrap().1;
    assert!(first_sound >= 18_000, "sound begins at {first_sound} ms");
}

#[test]
fn readers_show_up_in_the_demand_the_source_sees() {
    let broadcast = broadcast();
    let mut producer = publisher(&broadcast);
    let mut demand = || match producer.poll_demand(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(demand)) => Some((demand.readers, demand.keyframes_wanted)),
        _ => None,
    };
    assert_eq!(demand(), None);
    let reader = broadcast.read(Selection::Best);
    broadcast.want_keyframe();
    broadcast.want_keyframe();
    assert_eq!(demand(), Some((1, 2)));
    drop(reader);
    assert_eq!(demand(), Some((0, 2)));
}

#[test]
fn an_ended_broadcast_is_read_to_its_end() {
    let broadcast = broadcast();
    let producer = publisher(&broadcast);
    write(&producer, 0, 40);
    let mut reader = broadcast.read(Selection::Best);
    producer.end();
    assert_eq!(frames(&mut reader).len(), 3);
    assert!(matches!(next(&mut reader), Poll::Ready(None)));
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_the_end_alone_is_woken_by_it_and_by_nothing_else_and_is_no_reader() {
    let broadcast = broadcast();
    let mut producer = publisher(&broadcast);
    let woken = Arc::new(Woken::default());
    let waker = std::task::Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut ending = broadcast.ending();
    assert!(ending.poll_ended(&mut cx).is_pending());
    write(&producer, 0, 1_000);
    assert!(producer.poll_demand(&mut cx).is_pending(), "nobody reads");
    drop(producer);
    let producer = broadcast.claim();
    assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 0);
    producer.end();
    assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(ending.poll_ended(&mut cx).is_ready());
    assert!(broadcast.ending().poll_ended(&mut cx).is_ready(), "who comes late learns at once");
}
