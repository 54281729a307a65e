//! Behaviour of rings and cursors.

use std::task::Waker;

use super::*;
use crate::codec::data::Format;

fn head() -> Option<Arc<Codec>> {
    Some(Arc::new(Codec::Data(Format::Amf0)))
}

fn frame(number: u64) -> Frame {
    Frame {
        dts: Timestamp::from_millis(number as i64 * 40),
        cts: Span::ZERO,
        sync: true,
        payload: bytes::Bytes::from(vec![number as u8; 100]),
    }
}

/// Writes frames `from..to`, a group opening at each multiple of `group`.
fn write(producer: &Producer<Frame>, from: u64, to: u64, group: u64) {
    for n in from..to {
        producer.push(n, (n % group == 0).then(head).flatten(), frame(n));
    }
}

fn next(consumer: &mut Consumer<Frame>) -> Poll<Option<Result<u64, Behind>>> {
    consumer
        .poll_next(&mut Context::from_waker(Waker::noop()))
        .map(|read| read.map(|read| read.map(|read| read.arrival)))
}

#[test]
fn a_ring_keeps_the_newest_two_groups_and_a_late_cursor_learns_what_it_lost() {
    let producer = Producer::new(Retention::default());
    let mut late = producer.subscribe();
    write(&producer, 0, 15, 10);
    assert_eq!(next(&mut late), Poll::Ready(Some(Ok(0))));
    write(&producer, 15, 35, 10);
    assert_eq!(
        next(&mut late),
        Poll::Ready(Some(Err(Behind { lost: 19 }))),
        "groups 0 and 1 are gone, 1 was read"
    );
    let start = late.newest_group().expect("a whole group is kept");
    assert_eq!((start.sequence, start.arrival), (30, 30));
    late.skip_to(start.sequence);
    assert_eq!(late.skipped(), 29);
    assert_eq!(next(&mut late), Poll::Ready(Some(Ok(30))));
}

#[test]
fn a_reader_gets_the_head_whenever_it_enters_another_group() {
    let producer = Producer::new(Retention::default());
    let mut reader = producer.subscribe();
    write(&producer, 0, 12, 10);
    let heads: Vec<bool> =
        std::iter::from_fn(|| reader.try_next()).map(|read| read.expect("kept").head.is_some()).collect();
    assert_eq!(heads.iter().enumerate().filter(|(_, h)| **h).map(|(n, _)| n).collect::<Vec<_>>(), [0, 10]);
}

#[test]
fn bytes_bound_a_ring_even_inside_one_group_and_then_nobody_can_join_it() {
    let producer = Producer::new(Retention { bytes_max: 500, ..Retention::default() });
    write(&producer, 0, 10, 100);
    let reader = producer.subscribe();
    assert_eq!((reader.position(), reader.end()), (5, 10));
    assert!(reader.newest_group().is_none(), "its first frame is gone");
}

#[test]
fn a_shared_budget_makes_the_writer_that_exceeds_it_give_up_its_own_items() {
    let budget = Budget::new(1_000);
    let retention = Retention { budget: Some(Arc::clone(&budget)), ..Retention::default() };
    let (modest, greedy) = (Producer::new(retention.clone()), Producer::new(retention));
    write(&modest, 0, 3, 10);
    write(&greedy, 0, 100, 1_000);
    assert!(budget.used() <= 1_000);
    assert_eq!(modest.subscribe().position(), 0, "the modest ring lost nothing");
    drop((modest, greedy));
    assert_eq!(budget.used(), 0);
}

#[test]
fn items_left_are_read_before_an_ended_track_says_so() {
    let producer = Producer::new(Retention::default());
    let mut reader = producer.subscribe();
    write(&producer, 0, 1, 10);
    drop(producer);
    assert_eq!(next(&mut reader), Poll::Ready(Some(Ok(0))));
    assert_eq!(next(&mut reader), Poll::Ready(None));
}

#[test]
fn one_owner_reads_for_many_cursors_without_moving_its_own() {
    let producer = Producer::new(Retention::default());
    let reader = producer.subscribe();
    write(&producer, 0, 10, 5);
    let mut out = vec![];
    assert_eq!(reader.read_from(3, 250, &mut out), Ok(5));
    assert_eq!(reader.read_from(5, 1, &mut out), Ok(6), "at least one item, however large");
    assert_eq!(out.len(), 3);
    assert_eq!(reader.read_from(10, 250, &mut out), Ok(10), "nothing new");
    assert_eq!(reader.position(), 0);
}

#[test]
fn readers_are_counted_while_they_live() {
    let producer: Producer<Frame> = Producer::new(Retention::default());
    let (a, b) = (producer.subscribe(), producer.subscribe());
    assert_eq!(producer.readers(), 2);
    drop(a);
    assert_eq!(producer.readers(), 1);
    drop(b);
    assert_eq!(producer.readers(), 0);
}
