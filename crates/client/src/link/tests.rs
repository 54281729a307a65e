//! Links in virtual time: what was asked for is what packets meet.

use super::*;

const GAP: Duration = Duration::from_millis(1);

/// A UDP packet of IPv4 that carries its number.
fn packet(number: u32, bytes: usize) -> Bytes {
    let mut packet = vec![0; bytes.max(HEADER_BYTES + 4)];
    (packet[0], packet[9]) = (0x45, UDP);
    packet[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&number.to_be_bytes());
    packet.into()
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[HEADER_BYTES..HEADER_BYTES + 4].try_into().unwrap())
}

/// What arrives of `count` packets sent a millisecond apart, and when, counted from the sending of the first.
fn run(link: &mut Link, count: u32, bytes: usize) -> Vec<(Duration, u32)> {
    let start = Instant::now();
    let mut arrived = vec![];
    let mut receive = |link: &mut Link, until: Instant| {
        while let Some(due) = link.poll_timeout().filter(|due| *due <= until) {
            arrived.extend(link.poll_packet(due).map(|packet| (due - start, number(&packet))));
        }
    };
    for n in 0..count {
        let now = start + GAP * n;
        receive(link, now);
        link.handle_packet(now, packet(n, bytes));
    }
    receive(link, start + Duration::from_secs(3_600));
    arrived
}

fn link(impairment: Impairment) -> Link {
    impairment.check().unwrap();
    Link::new(impairment, 7)
}

#[test]
fn a_perfect_link_delivers_all_at_once_and_in_order() {
    let mut link = link(Impairment::default());
    let arrived = run(&mut link, 1_000, 100);
    assert!(arrived.iter().enumerate().all(|(n, (at, number))| *number == n as u32 && *at == GAP * *number));
    assert_eq!(link.counts(), Counts { entered: 1_000, left: 1_000, ..Counts::default() });
}

#[test]
fn a_seed_repeats_itself_and_another_does_otherwise() {
    let impairment = Impairment { loss: 20.0, jitter_ms: 30, delay_ms: 50, ..Impairment::default() };
    let with = |seed| run(&mut Link::new(impairment.clone(), seed), 500, 100);
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn as_many_are_lost_as_was_asked_for() {
    for loss in [1.0, 10.0, 30.0, 70.0] {
        let mut link = link(Impairment { loss, ..Impairment::default() });
        run(&mut link, 20_000, 100);
        let share = link.counts().lost as f64 / 200.0;
        assert!((share - loss).abs() < 1.0, "{share} % of {loss} %");
    }
}

#[test]
fn bursts_are_as_long_and_as_many_as_was_asked_for() {
    let burst = Burst { enter: 2.0, leave: 20.0, loss: 100.0 };
    let mut link = link(Impairment { burst: Some(burst), ..Impairment::default() });
    let arrived = run(&mut link, 50_000, 100);
    let share = link.counts().lost as f64 / 500.0;
    assert!((share - burst.share()).abs() < 1.0, "{share} % of {} %", burst.share());
    let bursts = arrived.windows(2).filter(|pair| pair[1].1 > pair[0].1 + 1).count();
    let length = link.counts().lost as f64 / bursts as f64;
    assert!((length - 5.0).abs() < 0.5, "bursts of {length}");
}

#[test]
fn a_bottleneck_sends_at_its_rate_and_drops_what_queues_too_long() {
    let mut link = link(Impairment { rate_kbps: Some(500), queue_ms: 300, ..Impairment::default() });
    // Eight megabits a second for two seconds.
    let arrived = run(&mut link, 2_000, 1_000);
    let last = arrived.last().unwrap().0.as_secs_f64();
    let rate = arrived.len() as f64 * 8.0 / last;
    assert!((rate - 500.0).abs() < 10.0, "{rate} kbit/s");
    let waited = arrived.iter().map(|(at, number)| *at - GAP * *number).max().unwrap();
    assert!((300..=320).contains(&waited.as_millis()), "the longest waited {waited:?}");
    assert_eq!(link.counts().tail_dropped + link.counts().left, 2_000);
}

#[test]
fn delay_alone_keeps_the_order_and_jitter_spreads_it() {
    let delayed = run(&mut link(Impairment { delay_ms: 100, ..Impairment::default() }), 1_000, 100);
    assert!(delayed.iter().all(|(at, number)| *at == GAP * *number + Duration::from_millis(100)));
    let spread =
        run(&mut link(Impairment { delay_ms: 100, jitter_ms: 20, ..Impairment::default() }), 5_000, 100);
    let delays: Vec<f64> =
        spread.iter().map(|(at, number)| (*at - GAP * *number).as_secs_f64() * 1e3).collect();
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    let deviation =
        (delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>() / delays.len() as f64).sqrt();
    assert!((mean - 100.0).abs() < 2.0 && (deviation - 20.0).abs() < 1.0, "{mean} ± {deviation} ms");
    assert!(spread.windows(2).any(|pair| pair[1].1 < pair[0].1), "some overtake others");
}

#[test]
fn packets_overtake_double_and_turn_as_often_as_was_asked_for() {
    let impairment =
        Impairment { delay_ms: 30, reorder: 25.0, duplicate: 5.0, corrupt: 10.0, ..Impairment::default() };
    let mut link = link(impairment);
    run(&mut link, 10_000, 100);
    let counts = link.counts();
    assert!((2_400..2_600).contains(&counts.reordered), "{counts:?}");
    assert!((430..570).contains(&counts.duplicated), "{counts:?}");
    assert!((900..1_100).contains(&counts.corrupted), "{counts:?}");
    assert_eq!(counts.left, 10_000 + counts.duplicated);
}

#[test]
fn corruption_turns_one_bit_and_spares_the_headers() {
    let mut link = link(Impairment { corrupt: 100.0, ..Impairment::default() });
    let now = Instant::now();
    for n in 0..200 {
        let sent = packet(n, 60);
        link.handle_packet(now, sent.clone());
        let got = link.poll_packet(now).unwrap();
        let turned: u32 = sent.iter().zip(&got).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((turned, &sent[..HEADER_BYTES]), (1, &got[..HEADER_BYTES]));
    }
}

#[test]
fn an_outage_passes_nothing_and_a_network_without_udp_passes_the_rest() {
    let now = Instant::now();
    let mut away = link(Impairment { outage: true, ..Impairment::default() });
    away.handle_packet(now, packet(0, 100));
    assert_eq!((away.poll_packet(now), away.counts().blocked), (None, 1));
    away.set(Impairment::default());
    away.handle_packet(now, packet(1, 100));
    assert_eq!(away.poll_packet(now).as_deref().map(number), Some(1), "back again");

    let mut office = link(Impairment { no_udp: true, ..Impairment::default() });
    let mut tcp = packet(1, 100).to_vec();
    tcp[9] = 6;
    let mut udp6 = vec![0_u8; 60];
    (udp6[0], udp6[6]) = (0x60, UDP);
    for sent in [packet(0, 100), udp6.into(), tcp.into()] {
        office.handle_packet(now, sent);
    }
    assert_eq!(office.poll_packet(now).as_deref().map(number), Some(1));
    assert_eq!((office.poll_packet(now), office.counts().blocked), (None, 2));
}

#[test]
fn what_no_link_can_be_is_named() {
    let key = |impairment: Impairment| impairment.check().unwrap_err().key;
    assert_eq!(key(Impairment { loss: 101.0, ..Impairment::default() }), "loss");
    assert_eq!(key(Impairment { loss: f64::NAN, ..Impairment::default() }), "loss");
    let burst = Some(Burst { enter: 1.0, leave: 0.0, loss: 100.0 });
    assert_eq!(key(Impairment { burst, ..Impairment::default() }), "burst.leave");
    assert_eq!(key(Impairment { rate_kbps: Some(0), ..Impairment::default() }), "rate_kbps");
    assert_eq!(key(Impairment { delay_ms: 100_000, ..Impairment::default() }), "delay_ms");
}
