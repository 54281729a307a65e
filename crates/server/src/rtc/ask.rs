//! Which packets of a publisher's stream are missing, and when each is asked for (again). The library's own asking gives up
//! after five times, which at half of all packets lost is every sixtieth; and it asks sound for nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::queue::Sent;

/// How often one packet is asked for: at half lost, one in sixteen thousand still does not come.
const TRIES_MAX: u8 = 13;
/// Nobody waits longer for a packet, whatever is lost.
pub(super) const PATIENCE_MAX: Duration = Duration::from_millis(1_400);
/// The library takes no packet that is further behind than this.
const BEHIND_MAX: u64 = 100;
/// A gap this large is an outage: what was sent meanwhile is old, and asking for all of it would keep the way full.
const GAP_MAX: u64 = 80;
/// What a full queue drops is asked for so often: each answer has to go through that queue.
const TRIES_CROWDED: u8 = 1;
/// If it dropped more than this, the answers would keep it full. A keyframe is shorter.
const CROWDED_MAX: usize = 12;
/// Packets on the way together come in any order for so long.
const GRACE: Duration = Duration::from_millis(8);
const GRACE_MAX: Duration = Duration::from_millis(100);
/// And for so long where packets tell when they were sent, so that it is known which were late and which sent again.
const GRACE_KNOWN_MAX: Duration = Duration::from_millis(250);
/// What is due within this goes together.
const TOGETHER: Duration = Duration::from_millis(5);
/// As long as the way is not known to be shorter or longer.
const TRIP_FIRST: Duration = Duration::from_millis(100);
const TRIP_MIN: Duration = Duration::from_millis(10);
const TRIP_MAX: Duration = Duration::from_millis(600);
/// Beyond the usual trip of an answer, and an eighth of it: senders answer once in a trip as they reckon it, and a question
/// that comes a moment too early is passed over.
const MARGIN: Duration = Duration::from_millis(5);
/// Less than this is a packet now and then.
const LOST_MIN: f32 = 0.03;
/// One packet's weight in the share that is lost: some two hundred packets are looked back on.
const LOSS_WEIGHT: f32 = 0.005;
/// So few packets may be missing when they are no longer waited for.
const REST: f32 = 0.000_5;
/// And so few may be late when it is to be said at once how late they will be.
const REST_LATE: f32 = 0.004;

/// Of one RTP stream.
#[derive(Debug)]
pub(super) struct Ask {
    newest: Option<u64>,
    missing: BTreeMap<u64, Missing>,
    /// To the peer and back.
    trip: Duration,
    /// How late packets come by themselves.
    grace: Duration,
    lost: f32,
    /// A queue stands on the way: what is lost was dropped by it, and not by chance.
    is_crowded: bool,
    /// So much was dropped that nothing is waited for.
    gave_up: bool,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Instant,
    asked: u8,
    last: Instant,
    /// When the packet was sent whose coming showed that this one had not.
    before: Option<Sent>,
}

impl Missing {
    /// When it is to be asked for: after a grace the first time, then whenever the answer is overdue.
    fn due(&self, grace: Duration, again: Duration) -> Instant {
        if self.asked == 0 { self.since + grace } else { self.last + again }
    }
}

impl Ask {
    pub(super) fn new() -> Self {
        Self {
            newest: None,
            missing: BTreeMap::new(),
            trip: TRIP_FIRST,
            grace: GRACE,
            lost: 0.0,
            is_crowded: false,
            gave_up: false,
        }
    }

    /// Whether a queue stands on the way.
    pub(super) fn handle_queue(&mut self, is_crowded: bool) {
        self.is_crowded = is_crowded;
        self.gave_up &= is_crowded;
    }

    /// How long the way to the peer and back was measured to be.
    pub(super) fn handle_trip(&mut self, trip: Duration) {
        self.trip = trip.clamp(TRIP_MIN, TRIP_MAX);
    }

    /// A packet has come, or was found in another. `true` when it is the first after an outage, of which nothing is asked for.
    pub(super) fn handle_packet(&mut self, now: Instant, sequence: u64, sent: Option<Sent>) -> bool {
        let Some(newest) = self.newest else {
            self.newest = Some(sequence);
            return false;
        };
        if sequence <= newest {
            if let Some(missing) = self.missing.remove(&sequence) {
                self.learn(now, missing, sent);
            }
            return false;
        }
        self.newest = Some(sequence);
        let gap = sequence - newest - 1;
        if gap > GAP_MAX {
            self.missing.clear();
            return true;
        }
        if !self.is_crowded {
            self.lost *= 1.0 - LOSS_WEIGHT;
        }
        for each in newest + 1..sequence {
            self.missing.insert(each, Missing { since: now, asked: 0, last: now, before: sent });
        }
        let oldest = sequence.saturating_sub(BEHIND_MAX);
        self.missing = self.missing.split_off(&oldest);
        if self.is_crowded && self.missing.len() > CROWDED_MAX {
            self.missing.clear();
            self.gave_up = true;
        }
        false
    }

    /// What the time of a packet that was missing tells.
    fn learn(&mut self, now: Instant, missing: Missing, sent: Option<Sent>) {
        let answered = now.saturating_duration_since(missing.last);
        let (is_late, most) = match missing.before.zip(sent) {
            Some((before, sent)) => (sent < before, GRACE_KNOWN_MAX),
            None => (missing.asked == 0 || missing.asked == 1 && answered < self.trip / 2, GRACE_MAX),
        };
        if is_late {
            // And not lost.
            let late = now.saturating_duration_since(missing.since);
            self.grace = (late + late / 4).clamp(self.grace, most.max(self.grace));
            self.lost -= f32::from(missing.asked.min(1)) * self.lost.min(LOSS_WEIGHT);
        } else {
            self.grace = (self.grace * 63 / 64).max(GRACE);
        }
    }

    /// From one question to the next.
    fn again(&self) -> Duration {
        self.trip + self.trip / 8 + MARGIN
    }

    /// The share that is lost at first.
    pub(super) fn lost(&self) -> f32 {
        self.lost
    }

    /// When something is to be asked for next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.due(self.grace, self.again())).min()
    }

    /// What is to be asked for now, in order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<u64> {
        let tries = if self.is_crowded { TRIES_CROWDED } else { TRIES_MAX };
        self.missing.retain(|_, missing| {
            missing.asked < tries && now.saturating_duration_since(missing.since) < PATIENCE_MAX
        });
        if self.poll_timeout().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let (again, grace) = (self.again(), self.grace);
        let mut due = Vec::new();
        for (sequence, missing) in &mut self.missing {
            if missing.due(grace, again) <= now + TOGETHER {
                if missing.asked == 0 && !self.is_crowded {
                    self.lost += (1.0 - self.lost) * LOSS_WEIGHT;
                }
                (missing.asked, missing.last) = (missing.asked + 1, now);
                due.push(*sequence);
            }
        }
        due
    }

    /// How long a missing packet may well take to come: as often as has to be asked at such loss.
    pub(super) fn patience(&self) -> Duration {
        match (self.gave_up, self.is_crowded) {
            (true, _) => Duration::ZERO,
            (false, true) => self.grace + self.again() * u32::from(TRIES_CROWDED),
            (false, false) => self.after(REST),
        }
    }

    /// How late what is lost is going to be, before it has been seen; nothing while hardly anything is lost.
    pub(super) fn outlook(&self) -> Duration {
        if self.lost < LOST_MIN { Duration::ZERO } else { self.after(REST_LATE) }
    }

    /// When all but this share has come.
    fn after(&self, rest: f32) -> Duration {
        let mut tries = 1;
        let mut missing = self.lost * self.lost;
        while missing > rest && tries < u32::from(TRIES_MAX) {
            (missing, tries) = (missing * self.lost, tries + 1);
        }
        (self.grace + self.again() * tries).min(PATIENCE_MAX)
    }
}

/// Sequence numbers as the entries of a generic NACK (RFC 4585 §6.2.1): one each, and the sixteen that follow it as bits.
pub(super) fn entries(sequences: &[u64]) -> Vec<u8> {
    let mut entries: Vec<(u64, u16)> = Vec::new();
    for &sequence in sequences {
        match entries.last_mut() {
            Some((first, rest)) if (1..=16).contains(&(sequence - *first)) => {
                *rest |= 1 << (sequence - *first - 1);
            }
            _ => entries.push((sequence, 0)),
        }
    }
    let bytes = |(first, rest): (u64, u16)| [(first as u16).to_be_bytes(), rest.to_be_bytes()].concat();
    entries.into_iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::queue::Queue;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A sender whose answers take `trip`, over a way that loses what `is_lost` says of a packet and a try. Returns how many
    /// of `packets` never came, how many questions were asked, and the asker.
    fn play(packets: u64, trip: u32, is_lost: impl FnMut(u64, u8) -> bool) -> (usize, usize, Ask) {
        play_with(Ask::new(), packets, trip, is_lost)
    }

    fn play_with(
        mut ask: Ask,
        packets: u64,
        trip: u32,
        mut is_lost: impl FnMut(u64, u8) -> bool,
    ) -> (usize, usize, Ask) {
        let start = Instant::now();
        let mut coming: BTreeMap<(u32, u64), ()> = BTreeMap::new();
        let (mut tries, mut came) = (BTreeMap::<u64, u8>::new(), std::collections::BTreeSet::new());
        let mut questions = 0;
        for ms in 0..packets as u32 * 10 + 3_000 {
            let now = start + ms * MS;
            if ms % 10 == 0 && u64::from(ms / 10) < packets {
                let sequence = u64::from(ms / 10);
                if !is_lost(sequence, 0) {
                    coming.insert((ms, sequence), ());
                }
            }
            while let Some((&(at, sequence), ())) = coming.first_key_value().filter(|((at, _), ())| *at <= ms)
            {
                coming.remove(&(at, sequence));
                came.insert(sequence);
                ask.handle_packet(now, sequence, None);
            }
            for sequence in ask.take_due(now) {
                questions += 1;
                let tried = tries.entry(sequence).or_default();
                *tried += 1;
                if !is_lost(sequence, *tried) {
                    coming.insert((ms + trip, sequence), ());
                }
            }
        }
        ((0..packets).filter(|sequence| !came.contains(sequence)).count(), questions, ask)
    }

    #[test]
    fn what_comes_is_never_asked_for_and_what_is_lost_is_once() {
        let (missing, questions, ask) = play(1_000, 100, |_, _| false);
        assert_eq!((missing, questions, ask.poll_timeout()), (0, 0, None));
        let (missing, questions, _) = play(1_000, 100, |n, tried| n % 10 == 5 && tried == 0);
        assert_eq!((missing, questions), (0, 100));
    }

    #[test]
    fn at_half_lost_nearly_all_comes_in_the_end() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (missing, questions, ask) = play(5_000, 100, |n, _| n < 4_990 && rng.bool());
        assert!(missing <= 5, "{missing} of 5,000 never came");
        assert!((4_000..6_500).contains(&questions), "{questions} questions for some 2,500 lost packets");
        assert!((0.4..0.6).contains(&ask.lost), "{}", ask.lost);
        assert!(ask.patience() > 800 * MS, "{:?}", ask.patience());
    }

    #[test]
    fn it_is_asked_again_as_soon_as_the_answer_is_overdue_on_a_short_way_and_on_a_long_one() {
        for trip in [20, 300] {
            let mut ask = Ask::new();
            ask.handle_trip(trip * MS);
            let (missing, questions, _) = play_with(ask, 2_000, trip, |n, tried| n % 20 == 5 && tried < 2);
            assert_eq!(missing, 0);
            assert_eq!(questions, 200, "each was asked for twice");
        }
    }

    #[test]
    fn what_overtakes_is_soon_no_longer_asked_for() {
        let start = Instant::now();
        let mut ask = Ask::new();
        let mut asked = vec![];
        for n in 0..4_000_u64 {
            let now = start + n as u32 * 10 * MS;
            // Each fourth packet is overtaken by the next three.
            let came = match n % 4 {
                3 => n - 3,
                rest => n - n % 4 + rest + 1,
            };
            ask.handle_packet(now, came, None);
            asked.push(ask.take_due(now + 9 * MS).len());
        }
        let late: usize = asked[2_000..].iter().sum();
        assert_eq!(late, 0, "grace {:?}", ask.grace);
        assert_eq!(ask.outlook(), Duration::ZERO, "late is not lost");
    }

    #[test]
    fn what_was_sent_before_it_was_asked_for_was_late_however_late_it_comes() {
        let start = Instant::now();
        let sent = Queue::default().handle_packet(start, start);
        let (mut queue, mut ask, mut asked) = (Queue::default(), Ask::new(), vec![]);
        queue.handle_packet(start, start);
        for n in 0..3_000_u64 {
            let now = start + n as u32 * 10 * MS;
            // Each tenth takes 180 ms more.
            let coming = [(n % 10 != 3).then_some(n), n.checked_sub(18).filter(|late| late % 10 == 3)];
            for number in coming.into_iter().flatten() {
                let sent = queue.handle_packet(now, start + number as u32 * 10 * MS);
                ask.handle_packet(now, number, Some(sent));
            }
            asked.push(ask.take_due(now).len());
        }
        assert_eq!(asked[200..].iter().sum::<usize>(), 0, "grace {:?}", ask.grace);
        assert!(asked[..200].iter().sum::<usize>() < 10 && ask.lost < LOST_MIN, "{asked:?} {}", ask.lost);
        // What is sent again was sent later than what showed that it was missing.
        ask.handle_packet(start + 40_000 * MS, 4_000, Some(sent));
        let grace = ask.grace;
        let before = queue.handle_packet(start + 40_020 * MS, start + 40_020 * MS);
        ask.handle_packet(start + 40_020 * MS, 4_002, Some(before));
        let again = queue.handle_packet(start + 40_600 * MS, start + 40_500 * MS);
        ask.handle_packet(start + 40_600 * MS, 4_001, Some(again));
        assert!(ask.grace < grace);
    }

    #[test]
    fn what_a_queue_drops_is_no_loss_is_asked_for_once_and_given_up_when_it_is_much() {
        let start = Instant::now();
        let mut ask = Ask::new();
        ask.handle_queue(true);
        let mut questions = 0;
        for n in (0..1_000_u64).filter(|n| n % 20 != 7) {
            let now = start + n as u32 * 10 * MS;
            ask.handle_packet(now, n, None);
            questions += ask.take_due(now).len();
        }
        assert_eq!((questions, ask.lost(), ask.outlook()), (50, 0.0, Duration::ZERO));
        assert!(ask.patience() >= ask.again(), "as long as one answer takes");
        for n in (1_000..1_100_u64).filter(|n| n % 3 == 0) {
            ask.handle_packet(start + n as u32 * 10 * MS, n, None);
        }
        assert_eq!(ask.patience(), Duration::ZERO);
        ask.handle_queue(false);
        assert!(ask.patience() > Duration::ZERO);
    }

    #[test]
    fn after_an_outage_nothing_old_is_asked_for_and_what_lies_too_far_behind_is_forgotten() {
        let start = Instant::now();
        let mut ask = Ask::new();
        assert!(!ask.handle_packet(start, 0, None));
        assert!(ask.handle_packet(start, 5_000, None), "it is the first after an outage");
        assert_eq!(ask.poll_timeout(), None);
        assert!(!ask.handle_packet(start, 5_002, None));
        for n in 5_003..5_200 {
            ask.handle_packet(start, n, None);
        }
        assert_eq!(ask.poll_timeout(), None, "5,001 would not be taken any more");
        // Any order, any numbers.
        let mut rng = fastrand::Rng::with_seed(1);
        for n in 0..20_000 {
            ask.handle_packet(start + n / 100 * MS, rng.u64(0..=u64::MAX), None);
            assert!(ask.missing.len() <= BEHIND_MAX as usize);
        }
    }

    #[test]
    fn numbers_are_entries_with_those_that_follow_as_bits() {
        assert_eq!(entries(&[]), [0; 0]);
        assert_eq!(entries(&[7]), [0, 7, 0, 0]);
        assert_eq!(entries(&[7, 8, 23, 24]), [0, 7, 0x80, 1, 0, 24, 0, 0]);
        assert_eq!(entries(&[0xffff, 0x1_0000]), [0xff, 0xff, 0, 1]);
    }
}
