//! The way to a viewer: what it carries, what is lost on it, how long it takes, and whether loss is for want of room. Time is an
//! argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::bwe::Bitrate;
use str0m::stats::{MediaEgressStats, PeerStats};

use super::copies::{Copies, Room};
use super::crowd::{ABOUT, Crowd};
use super::hold::Hold;
use super::jitter::Jitter;
use super::stuck::Stuck;
use super::uneven::Uneven;

/// What a way is taken to carry before it has been reckoned: the middle one of a browser's layers, with room to spare.
pub(super) const ESTIMATE_FIRST: u64 = 1_500_000;
/// A floor is put under the estimate no more often: each time, all is reckoned anew.
const FLOOR_EVERY: Duration = Duration::from_secs(1);
/// Where it is known why estimates are too low. Nothing is estimated for half a second after.
const FLOOR_SOON: Duration = Duration::from_millis(600);
/// What is lost of a crowded way beyond this is believed at once: no more passes than has passed. The estimate comes to the same,
/// in steps.
const LOSS_CLEAR: f32 = 0.15;
/// Over how long it is counted what was sent, as long as loss is told of.
const SENT_OVER: Duration = Duration::from_secs(1);

/// From this loss on each datagram has to be sent so often that there is no room for large pictures.
const LOSS_TORN: f32 = 0.58;
/// And it is, as often as this.
const COPIES_MANY: usize = 4;
/// Of copies some go missing now and then, if not in the last second.
const MISSING_MIN: f32 = 0.02;
/// Where there are none, sound is not repeated for more than this.
const MISSING_MAX: f32 = 0.25;
/// A round trip measured longer ago tells nothing of a way that loses the reports it is measured by.
const MEASURED_MAX: Duration = Duration::from_secs(4);

/// What is known at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    /// What the way carries; `None` where nobody reckons that.
    pub(super) estimate_bps: Option<u64>,
    /// Much is lost, and not for want of room.
    pub(super) is_lossy: bool,
    /// Packets come unevenly, and not for want of room, so that the estimate is too low.
    pub(super) is_uneven: bool,
    /// So much is lost that only the least comes through, as often as it is sent.
    pub(super) is_least: bool,
    /// There was a queue or loss a moment ago.
    pub(super) is_crowded: bool,
}

/// What is to be done about a way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// What is to be looked for room for. It is let fall for a moment now and then, as a rise of it has room looked for.
    pub(super) desired_bps: u64,
    /// What would be sent if there were room; `None` while no pictures are sent.
    pub(super) wanted_bps: Option<u64>,
    /// Below this the estimate is not believed: what was lost has another reason.
    pub(super) floor_bps: Option<u64>,
    /// Somebody has less than it wants for want of room.
    pub(super) is_short: bool,
}

impl Wishes {
    /// Somebody is short that has pictures: more is found sooner by sending what carries nothing.
    fn fills(&self) -> bool {
        self.is_short && self.wanted_bps.is_some()
    }
}

/// One way.
#[derive(Debug)]
pub(super) struct Way {
    estimate_bps: Option<u64>,
    reports: Reports,
    crowd: Crowd,
    copies: Copies,
    hold: Hold,
    /// What was estimated before it fell without a reason that is known, and when it did.
    before_bps: u64,
    fell: Option<Instant>,
    stuck: Stuck,
    /// Much is lost by chance, as far as is known: that an estimate falls for it says nothing of room.
    is_by_chance: bool,
    /// What is sent at least, with packets that carry nothing, and what is looked for room for.
    sought_bps: (u64, u64),
    floored: Option<Instant>,
    uneven: Uneven,
}

impl Way {
    /// One that is reckoned, or not, and on which a datagram is sent so often at most.
    pub(super) fn new(is_reckoned: bool, copies_max: usize) -> Self {
        Self {
            estimate_bps: is_reckoned.then_some(ESTIMATE_FIRST),
            reports: Reports::default(),
            crowd: Crowd::default(),
            copies: Copies::new(copies_max),
            hold: Hold::default(),
            before_bps: ESTIMATE_FIRST,
            fell: None,
            stuck: Stuck::default(),
            is_by_chance: false,
            sought_bps: (0, 0),
            floored: None,
            uneven: Uneven::default(),
        }
    }

    pub(super) fn handle_estimate(&mut self, bps: u64) {
        self.estimate_bps = Some(bps);
    }

    pub(super) fn handle_report(&mut self, stats: &PeerStats) {
        self.reports.handle_report(stats);
    }

    /// What is told of the pictures alone, once a second: all that is known where nothing is reckoned. By how much they come sooner and
    /// later, if that is news.
    pub(super) fn handle_pictures(&mut self, stats: &MediaEgressStats, jitter: Option<Jitter>) {
        jitter.into_iter().for_each(|jitter| self.crowd.handle_jitter(stats.timestamp, stats.mid, jitter));
        let Some(loss) = stats.loss.filter(|_| self.estimate_bps.is_none()) else { return };
        self.reports.handle_told(stats.timestamp, Some(loss), stats.rtt);
    }

    /// What it is taken to carry, where that is reckoned.
    pub(super) fn estimate_bps(&self) -> Option<u64> {
        self.estimate_bps
    }

    /// To be asked several times a second.
    pub(super) fn look(&mut self, now: Instant) -> Outlook {
        let (missing, round_trip) = (self.reports.loss, self.reports.round_trip(now));
        let loss = self.copies.of_way(now, missing);
        let is_lossy = self.crowd.handle_report(now, loss, round_trip);
        let is_uneven = self.crowd.is_uneven();
        if self.uneven.handle_varies(self.crowd.varies()) {
            self.copies.handle_late(now, loss);
        }
        // On an uneven way what is late is told to be lost.
        let is_lost = if is_uneven { self.uneven.is_lossy() } else { is_lossy };
        let room = match (self.crowd.has_queue(), is_lost) {
            (true, _) => Room::Queue,
            (false, true) => Room::Lossy,
            (false, false) => Room::Unknown,
        };
        let carried = self.reports.passed_bps().filter(|_| !self.crowd.has_queue());
        self.uneven.handle_carried(now, carried);
        self.uneven.handle_way(now, (is_uneven, self.crowd.has_queue()), (missing, loss));
        self.copies.handle_loss(now, (loss, self.reports.sent_bps()), room);
        self.is_by_chance = is_lossy && self.copies.is_trusted(now) && !is_uneven;
        self.hold.handle_way(now, room, self.copies.number() > 1, self.crowd.round_trip());
        let is_crowded = self.crowd.is_about(now);
        let is_least = is_lossy && loss >= LOSS_TORN && self.copies.number() >= COPIES_MANY;
        let passed = self.reports.passed_bps().filter(|_| is_crowded && !is_lossy && missing >= LOSS_CLEAR);
        let before = if self.is_by_chance { self.before_bps } else { 0 };
        let estimate_bps = self.estimate_bps.map(|bps| bps.max(before).min(passed.unwrap_or(u64::MAX)));
        Outlook { estimate_bps, is_lossy, is_uneven, is_least, is_crowded }
    }

    /// What is lost by chance of all that is sent, 0 to 1, where much was lately; `None` where that is not known. On an uneven way what is late
    /// is told to be lost, and without copies part of it may be lost for want of room.
    pub(super) fn missing(&self) -> Option<f32> {
        let is_known = self.estimate_bps.is_some() && self.hold.is_lossy() && !self.crowd.is_uneven();
        let (least, most) = if self.copies.number() > 1 { (MISSING_MIN, 1.0) } else { (0.0, MISSING_MAX) };
        is_known.then_some(self.reports.loss.clamp(least, most))
    }

    /// How often each datagram is sent.
    pub(super) fn copies(&self) -> usize {
        self.copies.number()
    }

    /// The peer is back, perhaps by another way.
    pub(super) fn rejoin(&mut self) {
        *self = Self {
            estimate_bps: self.estimate_bps,
            before_bps: self.before_bps.min(ESTIMATE_FIRST),
            sought_bps: self.sought_bps,
            copies: self.copies.anew(),
            ..Self::new(false, 1)
        };
    }

    /// How long the viewer is to hold what comes, because what is lost comes later.
    pub(super) fn hold(&self) -> Duration {
        self.hold.long()
    }

    /// Has room looked for, and what was misjudged reckoned anew.
    pub(super) fn apply(&mut self, now: Instant, rtc: &mut Rtc, wishes: Wishes) {
        if self.estimate_bps.is_none() {
            return;
        }
        // Estimates rise by what is sent: room is found sooner that is filled up.
        let minimum_bps = if wishes.fills() && wishes.floor_bps.is_none() { wishes.desired_bps } else { 0 };
        let sought_bps = (minimum_bps, wishes.desired_bps);
        if std::mem::replace(&mut self.sought_bps, sought_bps) != sought_bps {
            rtc.bwe().set_bitrate(Bitrate::bps(minimum_bps), Bitrate::bps(wishes.desired_bps));
        }
        if let Some(floor) = self.floor(now, wishes) {
            rtc.bwe().reset(Bitrate::bps(floor));
        }
    }

    /// What it is taken to carry from now on, if it was misjudged.
    fn floor(&mut self, now: Instant, wishes: Wishes) -> Option<u64> {
        let estimate = self.estimate_bps?;
        let is_uneven = self.crowd.is_uneven();
        let forgiven = self.forgiven(now, estimate, wishes);
        let every = if is_uneven || self.is_by_chance { FLOOR_SOON } else { FLOOR_EVERY };
        if self.floored.is_some_and(|at| now.saturating_duration_since(at) < every) {
            return None;
        }
        let likely = match is_uneven {
            true => {
                let held = self.uneven.floor(now, estimate, wishes.wanted_bps);
                held.max(forgiven.filter(|_| wishes.wanted_bps.is_none()))
            }
            false => forgiven,
        };
        let least = if is_uneven { self.uneven.bounded(now, wishes.floor_bps) } else { wishes.floor_bps };
        let floor = least.max(likely).filter(|floor| *floor > estimate);
        let may_rise = wishes.is_short && !self.crowd.is_about(now);
        let is_stuck = self.stuck.handle_estimate(now, (estimate, self.reports.sent_bps()), may_rise);
        let floor = floor.or(is_stuck.then_some(estimate))?;
        (self.floored, self.estimate_bps) = (Some(now), Some(floor));
        Some(floor)
    }

    /// What an estimate is put back to that fell without loss and without a queue: it does when packets come unevenly, as when a
    /// joined group goes out at once. Were there no room after all, a queue or loss would tell, and what it fell to be believed.
    /// For loss by chance it falls, too, and is put back at once as long as copies help.
    fn forgiven(&mut self, now: Instant, estimate: u64, wishes: Wishes) -> Option<u64> {
        if estimate >= self.before_bps || self.crowd.is_about(now) && !self.is_by_chance {
            (self.before_bps, self.fell) = (estimate, None);
            return None;
        }
        if self.is_by_chance {
            return Some(self.before_bps.min(wishes.wanted_bps?));
        }
        let fell = *self.fell.get_or_insert(now);
        let is_known = now.saturating_duration_since(fell) >= ABOUT;
        (wishes.is_short && is_known).then_some(self.before_bps)
    }
}

/// What was reported last.
#[derive(Clone, Debug, Default)]
struct Reports {
    /// Of what was sent lately, 0 to 1.
    loss: f32,
    round_trip: Option<Duration>,
    /// When that was measured.
    measured: Option<Instant>,
    /// Bytes that were sent until then, lately.
    sent: VecDeque<(Instant, u64)>,
}

impl Reports {
    /// Takes what the peer told of all that it got lately, numbered across streams (TWCC): that of one stream says nothing
    /// where little is sent in it, and comes after seconds.
    fn handle_report(&mut self, stats: &PeerStats) {
        self.handle_told(stats.timestamp, stats.egress_loss_fraction, stats.rtt);
        self.sent.push_back((stats.timestamp, stats.peer_bytes_tx));
        let is_old = |at: Instant| stats.timestamp.saturating_duration_since(at) >= SENT_OVER;
        while self.sent.get(1).is_some_and(|(at, _)| is_old(*at)) {
            self.sent.pop_front();
        }
    }

    fn handle_told(&mut self, at: Instant, loss: Option<f32>, round_trip: Option<Duration>) {
        self.loss = loss.unwrap_or(self.loss);
        // The same to the nanosecond is the same measurement, told once more.
        if round_trip.is_some() && round_trip != self.round_trip {
            (self.round_trip, self.measured) = (round_trip, Some(at));
        }
    }

    /// How much of what was sent lately has come, in bits a second; `None` before that is known.
    fn passed_bps(&self) -> Option<u64> {
        Some((self.sent_bps()? as f64 * f64::from(1.0 - self.loss)) as u64)
    }

    /// How much was sent lately, each datagram counted once, in bits a second.
    fn sent_bps(&self) -> Option<u64> {
        let ((from, before), (until, after)) = (self.sent.front()?, self.sent.back()?);
        let over = until.saturating_duration_since(*from);
        if over < SENT_OVER / 2 {
            return None;
        }
        Some((after.saturating_sub(*before) as f64 * 8.0 / over.as_secs_f64()) as u64)
    }

    /// As it was lately; `None` where nobody can tell.
    fn round_trip(&self, now: Instant) -> Option<Duration> {
        let is_new = |at| now.saturating_duration_since(at) <= MEASURED_MAX;
        self.round_trip.filter(|_| self.measured.is_some_and(is_new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(at: Instant, sent: u64, (loss, round_trip_ms): (Option<f32>, Option<u64>)) -> PeerStats {
        PeerStats {
            peer_bytes_rx: 0,
            peer_bytes_tx: sent,
            bytes_rx: 0,
            bytes_tx: 0,
            timestamp: at,
            bwe_tx: None,
            egress_loss_fraction: loss,
            ingress_loss_fraction: None,
            rtt: round_trip_ms.map(Duration::from_millis),
            selected_candidate_pair: None,
        }
    }

    /// A way, asked ten times a second about four reports a second.
    struct Asked {
        way: Way,
        now: Instant,
        asked: u64,
        sent: u64,
        kbps: u64,
        loss: f32,
        round_trip_ms: u64,
        jitter_ms: u64,
        wishes: Wishes,
    }

    impl Asked {
        fn new(kbps: u64) -> Self {
            let way = Way::new(true, 8);
            Self {
                way,
                now: Instant::now(),
                asked: 0,
                sent: 0,
                kbps,
                loss: 0.0,
                round_trip_ms: 50,
                jitter_ms: 1,
                wishes: Wishes::default(),
            }
        }

        /// For so long; tells the last outlook, and what the estimate was put up to in the meantime.
        fn run(&mut self, ms: u64) -> (Outlook, Option<u64>) {
            let (mut outlook, mut floor) = (Outlook::default(), None);
            for _ in 0..ms / 50 {
                self.now += Duration::from_millis(50);
                self.asked += 1;
                self.sent += self.kbps * 50 / 8;
                if self.asked.is_multiple_of(5) {
                    // Never the same to the nanosecond.
                    let report = stats(
                        self.now,
                        self.sent,
                        (Some(self.loss), Some(self.round_trip_ms + self.asked / 5 % 2)),
                    );
                    self.way.handle_report(&report);
                    let long = Duration::from_millis(self.jitter_ms);
                    let jitter = Jitter { long, interval: Duration::from_millis(33) };
                    self.way.crowd.handle_jitter(self.now, "0".into(), jitter);
                }
                if self.asked.is_multiple_of(2) {
                    outlook = self.way.look(self.now);
                    let floor_bps = self.wishes.floor_bps.filter(|_| outlook.is_lossy);
                    floor = floor.or(self.way.floor(self.now, Wishes { floor_bps, ..self.wishes }));
                }
            }
            (outlook, floor)
        }
    }

    #[test]
    fn an_estimate_that_falls_without_loss_or_queue_is_put_back_once_somebody_is_short() {
        let mut asked = Asked::new(2_000);
        for _ in 0..6 {
            asked.way.handle_estimate(5_000_000);
            asked.wishes.is_short = false;
            assert_eq!(asked.run(3_000).1, None);
            asked.way.handle_estimate(400_000);
            assert_eq!(asked.run(1_000).1, None, "nobody wants more");
            asked.wishes.is_short = true;
            assert_eq!(asked.run(1_000).1, Some(5_000_000), "as it was before");
        }
        asked.way.handle_estimate(400_000);
        assert_eq!(asked.run(200).1, None, "loss may yet be told of");
        asked.round_trip_ms = 300;
        assert_eq!(asked.run(5_000).1, None, "this is a queue");
    }

    #[test]
    fn where_packets_come_unevenly_what_was_carried_is_held_until_there_is_a_queue() {
        let mut asked = Asked::new(300);
        asked.way.handle_estimate(400_000);
        asked.run(6_000);
        (asked.wishes.wanted_bps, asked.jitter_ms) = (Some(1_000_000), 80);
        let varied = [90, 150, 70, 120, 60, 140, 100, 160];
        let mut floors = Vec::new();
        for (round, round_trip_ms) in varied.into_iter().cycle().take(120).enumerate() {
            // Each reckoning is lower than that, and in the end there is no room.
            asked.way.handle_estimate(if round < 16 { 400_000 } else { 100_000 });
            asked.round_trip_ms = round_trip_ms + if round < 80 { 0 } else { 400 };
            floors.extend(asked.run(250).1.map(|floor| (round, floor)));
        }
        assert!(floors.first().is_some_and(|(_, floor)| *floor <= 500_000), "as it was: {floors:?}");
        let last = floors.last().copied().unwrap_or_default();
        assert!(
            last.1 == 1_000_000 && last.0 < 88,
            "what is wanted, and not for long in a queue: {floors:?}"
        );
        assert!(floors.is_sorted(), "nothing takes it back: {floors:?}");
    }

    #[test]
    fn what_is_late_on_an_uneven_way_is_not_sent_more_often_and_what_is_lost_is() {
        let mut asked = Asked::new(1_000);
        asked.run(5_000);
        asked.jitter_ms = 80;
        let varied = [90, 150, 70, 120, 60, 140, 100, 160];
        let mut play = |loss, rounds| {
            let mut numbers = Vec::new();
            for round_trip_ms in varied.into_iter().cycle().take(rounds) {
                (asked.round_trip_ms, asked.loss) = (round_trip_ms, loss);
                let (outlook, _) = asked.run(250);
                numbers.push(asked.way.copies());
                assert!(numbers.len() < 16 || outlook.is_uneven, "the least is always sent");
            }
            numbers
        };
        assert_eq!(play(0.15, 60)[16..], [1; 44]);
        assert!(play(0.4, 60).contains(&3));
    }

    #[test]
    fn no_more_is_taken_to_pass_a_crowded_way_than_has_passed() {
        let mut asked = Asked::new(2_000);
        asked.way.handle_estimate(2_500_000);
        assert_eq!(asked.run(5_000).0.estimate_bps, Some(2_500_000));
        (asked.loss, asked.round_trip_ms) = (0.8, 500);
        let (outlook, _) = asked.run(1_500);
        assert!(outlook.estimate_bps.is_some_and(|bps| (350_000..450_000).contains(&bps)), "{outlook:?}");
        asked.round_trip_ms = 50;
        let (outlook, _) = asked.run(3_000);
        assert_eq!((outlook.estimate_bps, outlook.is_lossy), (Some(2_500_000), true), "loss without a queue");
    }

    #[test]
    fn what_is_lost_by_chance_is_sent_more_often_and_a_queue_ends_that() {
        let mut asked = Asked::new(1_000);
        asked.run(5_000);
        assert_eq!(asked.way.copies(), 1);
        asked.loss = 0.3;
        let (outlook, _) = asked.run(1_000);
        assert_eq!((asked.way.copies(), outlook.is_lossy, outlook.is_least), (3, true, false));
        assert_eq!(asked.way.hold(), Duration::from_millis(150), "a round trip and a half, and a little");
        asked.loss = 0.027;
        let (outlook, _) = asked.run(20_000);
        assert_eq!((asked.way.copies(), outlook.is_lossy), (3, true), "it still loses as much by itself");
        asked.round_trip_ms = 200;
        asked.run(500);
        assert_eq!((asked.way.copies(), asked.way.hold()), (1, Duration::from_millis(150)));
        (asked.loss, asked.round_trip_ms) = (0.0, 50);
        asked.run(9_000);
        assert_eq!(asked.way.hold(), Duration::from_millis(150), "it may be lost again in a moment");
        asked.run(2_000);
        assert_eq!(asked.way.hold(), Duration::ZERO);
    }

    #[test]
    fn an_estimate_that_does_not_rise_without_reason_is_reckoned_anew() {
        let mut asked = Asked::new(80);
        asked.way.handle_estimate(1_600_000);
        assert_eq!(asked.run(10_000).1, None, "nobody wants more");
        asked.wishes.is_short = true;
        assert_eq!(asked.run(2_500).1, None);
        assert_eq!(asked.run(1_000).1, Some(1_600_000));
        asked.round_trip_ms = 400;
        assert_eq!(asked.run(10_000).1, None, "there is a queue");
    }

    #[test]
    fn an_estimate_that_falls_for_loss_by_chance_is_put_back_as_long_as_copies_help() {
        let mut asked = Asked::new(1_000);
        asked.way.handle_estimate(2_500_000);
        asked.wishes.wanted_bps = Some(2_000_000);
        asked.run(5_000);
        asked.loss = 0.3;
        asked.run(200);
        asked.way.handle_estimate(300_000);
        let (outlook, floor) = asked.run(800);
        assert_eq!((outlook.estimate_bps, floor), (Some(2_500_000), Some(2_000_000)), "what is wanted");
        asked.loss = 0.4;
        let (_, floor) = asked.run(1_000);
        assert_eq!((asked.way.copies(), floor), (1, None), "copies make it worse");
        asked.way.handle_estimate(300_000);
        assert_eq!(asked.run(1_000), (Outlook { estimate_bps: Some(300_000), ..outlook }, None));
    }

    #[test]
    fn where_nothing_is_reckoned_what_is_told_of_pictures_counts() {
        let (mut way, now) = (Way::new(false, 8), Instant::now());
        for second in 0..8 {
            let at = now + Duration::from_secs(second);
            let stats = MediaEgressStats {
                mid: "0".into(),
                rid: None,
                bytes: 0,
                packets: 0,
                firs: 0,
                plis: 0,
                nacks: 0,
                rtt: Some(Duration::from_micros(50_000 + second)),
                loss: Some([0.0, 0.0, 0.3, 0.3, 0.027, 0.027, 0.027, 0.027][second as usize]),
                timestamp: at,
                remote: None,
            };
            way.handle_pictures(&stats, None);
            way.look(at);
            assert_eq!(way.copies(), if second < 3 { 1 } else { 3 }, "{second}");
        }
    }

    #[test]
    fn what_all_streams_lost_together_counts_and_an_old_round_trip_does_not() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let stats = |at, loss, round_trip_ms| stats(at, 0, (loss, round_trip_ms));
        reports.handle_report(&stats(now, Some(0.2), Some(80)));
        let later = now + Duration::from_secs(3);
        reports.handle_report(&stats(later, None, Some(80)));
        assert_eq!((reports.loss, reports.round_trip(later)), (0.2, Some(Duration::from_millis(80))));
        let late = now + MEASURED_MAX + Duration::from_secs(1);
        assert_eq!(reports.round_trip(late), None, "it was measured once");
    }
}
