//! Whether packets met what was asked for. Pure: it is handed when they left and when they came.

use std::fmt;

use crate::link::{Burst, Impairment};

/// How far a share may be off by chance: four standard deviations, one run in sixteen thousand.
const DEVIATIONS: f64 = 4.0;
/// Beyond chance: the last packets of a run may fall to the clock.
const SHARE_SLACK: f64 = 0.3;
/// What a busy machine's timers add to a delay, and what its clock may take off.
const LATE_MS: f64 = 12.0;
const EARLY_MS: f64 = 1.0;
/// Of a standard deviation: the machine's own jitter and chance.
const JITTER_SHARE: f64 = 0.12;
const JITTER_SLACK_MS: f64 = 6.0;
/// Of a rate.
const RATE_SHARE: f64 = 0.08;

/// A packet that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) number: u32,
    /// Microseconds since the probe began.
    pub(super) at: u64,
}

/// What became of a probe.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// When each packet left, by its number.
    pub(super) sent: Vec<u64>,
    /// Bytes of UDP payload each.
    pub(super) bytes: usize,
    /// In the order in which they came, copies too.
    pub(super) arrived: Vec<Arrival>,
}

/// What a link was found to do.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Found {
    /// Lost, in percent.
    pub loss: f64,
    /// Packets lost in a row, on average.
    pub burst_length: f64,
    /// Half of the packets took at most this.
    pub delay_ms: f64,
    /// Standard deviation of what they took.
    pub jitter_ms: f64,
    /// Came after one that was sent later, in percent.
    pub reordered: f64,
    /// Of what was offered twice as much.
    pub rate_kbps: Option<f64>,
}

/// What is not as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wrong {
    what: &'static str,
    asked: f64,
    found: f64,
    slack: f64,
    unit: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, asked, found, slack, unit } = self;
        write!(f, "{what} is {found:.1} {unit}, asked for was {asked:.1} (±{slack:.1})")
    }
}

/// Whether loss, bursts, delay and jitter are as asked for.
pub(super) fn judge(asked: &Impairment, seen: &Seen) -> Result<Found, Wrong> {
    let found = find(seen);
    let blocked = asked.outage || asked.no_udp;
    let expected = if blocked { 100.0 } else { share_lost(asked) };
    let slack = if blocked { 0.0 } else { share_slack(asked, expected, seen.sent.len()) };
    within("loss", (expected, found.loss), (slack, slack), "%")?;
    if blocked || found.loss >= 100.0 {
        return Ok(found);
    }
    if let Some(burst) = asked.burst.filter(|_| asked.loss == 0.0) {
        let length = burst_length(burst);
        let slack = length * (DEVIATIONS / (bursts(seen) as f64).max(1.0).sqrt()).min(1.0);
        within("the mean length of bursts", (length, found.burst_length), (slack, slack), "packets")?;
    }
    if asked.reorder == 0.0 {
        let (mean, deviation) = rectified(f64::from(asked.delay_ms), f64::from(asked.jitter_ms));
        // A median where there is jitter is uncertain by its standard error.
        let chance = DEVIATIONS * 1.25 * deviation / (seen.arrived.len() as f64).sqrt();
        let middle = if asked.jitter_ms == 0 { mean } else { f64::from(asked.delay_ms) };
        within("delay", (middle, found.delay_ms), (EARLY_MS + chance, LATE_MS + chance), "ms")?;
        // Without jitter a busy machine makes some of its own, which is no reason to measure nothing.
        if asked.jitter_ms > 0 {
            let slack = JITTER_SHARE * deviation + JITTER_SLACK_MS;
            within("jitter", (deviation, found.jitter_ms), (slack, slack), "ms")?;
        }
    }
    if asked.reorder > 0.0 && asked.delay_ms > 0 {
        // Those that overtake leave those behind them late: with packets closer than the delay nearly each is overtaken.
        within("reordering", (50.0, found.reordered), (50.0 - asked.reorder / 2.0, 50.0), "%")?;
    }
    Ok(found)
}

/// Whether a bottleneck that was offered twice its rate passed that rate, in kilobits a second.
pub(super) fn judge_rate(asked_kbps: u32, seen: &Seen) -> Result<f64, Wrong> {
    /// IPv4 and UDP, which the link counts, too.
    const HEADERS: usize = 28;
    let asked = f64::from(asked_kbps);
    let (first, last) = (seen.arrived.first(), seen.arrived.last());
    let span = first.zip(last).map_or(0, |(first, last)| last.at - first.at);
    let bits = (seen.arrived.len().saturating_sub(1) * (seen.bytes + HEADERS) * 8) as f64;
    let found = if span == 0 { 0.0 } else { bits * 1e3 / span as f64 };
    within("the rate", (asked, found), (RATE_SHARE * asked, RATE_SHARE * asked), "kbit/s")?;
    Ok(found)
}

fn within(
    what: &'static str,
    (asked, found): (f64, f64),
    (below, above): (f64, f64),
    unit: &'static str,
) -> Result<(), Wrong> {
    if (asked - below..=asked + above).contains(&found) {
        return Ok(());
    }
    Err(Wrong { what, asked, found, slack: below.max(above), unit })
}

fn find(seen: &Seen) -> Found {
    let mut came = vec![false; seen.sent.len()];
    let (mut delays, mut newest, mut late) = (Vec::new(), 0, 0_u32);
    for Arrival { number, at } in &seen.arrived {
        let index = *number as usize;
        let Some(sent) = seen.sent.get(index) else { continue };
        if std::mem::replace(&mut came[index], true) {
            continue;
        }
        delays.push(at.saturating_sub(*sent) as f64 / 1e3);
        late += u32::from(*number < newest);
        newest = newest.max(*number);
    }
    let lost = came.iter().filter(|came| !**came).count();
    let share = |count: f64, of: usize| if of == 0 { 100.0 } else { count * 100.0 / of as f64 };
    let mean = delays.iter().sum::<f64>() / (delays.len() as f64).max(1.0);
    let square = delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>();
    delays.sort_by(f64::total_cmp);
    Found {
        loss: share(lost as f64, seen.sent.len()),
        burst_length: lost as f64 / (runs(&came) as f64).max(1.0),
        delay_ms: delays.get(delays.len() / 2).copied().unwrap_or_default(),
        jitter_ms: (square / (delays.len() as f64).max(1.0)).sqrt(),
        reordered: share(f64::from(late), delays.len()),
        rate_kbps: None,
    }
}

/// How often packets in a row are lost.
fn runs(came: &[bool]) -> usize {
    let begins = came.windows(2).filter(|pair| pair[0] && !pair[1]).count();
    begins + usize::from(came.first() == Some(&false))
}

fn bursts(seen: &Seen) -> usize {
    let mut came = vec![false; seen.sent.len()];
    for arrival in &seen.arrived {
        if let Some(came) = came.get_mut(arrival.number as usize) {
            *came = true;
        }
    }
    runs(&came)
}

/// Lost of all, in percent: by the burst model, and by chance of what that leaves.
fn share_lost(asked: &Impairment) -> f64 {
    let burst = asked.burst.map_or(0.0, |burst| burst.share());
    burst + (100.0 - burst) * asked.loss / 100.0
}

/// Packets lost in a row on average: the bad state lasts 100 / leave packets, and a burst that does not lose all is shorter.
fn burst_length(burst: Burst) -> f64 {
    let stays = (1.0 - burst.leave / 100.0) * burst.loss / 100.0;
    1.0 / (1.0 - stays)
}

fn share_slack(asked: &Impairment, share: f64, count: usize) -> f64 {
    // What comes in bursts says less: as many fewer packets as a burst is long, twice over.
    let together = asked.burst.map_or(1.0, |burst| 2.0 * 100.0 / burst.leave);
    let lost = share / 100.0;
    let deviation = (lost * (1.0 - lost) * together / (count as f64).max(1.0)).sqrt();
    DEVIATIONS * deviation * 100.0 + SHARE_SLACK
}

/// Mean and standard deviation of a normal delay that cannot be below zero.
fn rectified(mean: f64, deviation: f64) -> (f64, f64) {
    if deviation == 0.0 {
        return (mean, 0.0);
    }
    let at = mean / deviation;
    let density = (-at * at / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let below = normal(at);
    let first = mean * below + deviation * density;
    let second = (mean * mean + deviation * deviation) * below + mean * deviation * density;
    (first, (second - first * first).max(0.0).sqrt())
}

/// The normal distribution (Abramowitz and Stegun 26.2.17, good to 7.5e-8).
fn normal(at: f64) -> f64 {
    const COEFFICIENTS: [f64; 5] =
        [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * at.abs());
    let series: f64 = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| (sum + c) * t);
    let tail = (-at * at / 2.0).exp() / std::f64::consts::TAU.sqrt() * series;
    if at < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::*;
    use crate::link::Link;

    /// A probe over the pure link, in virtual time.
    fn probe(link: Impairment, count: u32, (bytes, gap_us): (usize, u64)) -> Seen {
        let (start, mut link) = (Instant::now(), Link::new(link, 5));
        let mut seen = Seen { bytes, ..Seen::default() };
        let take = |link: &mut Link, until: Instant, arrived: &mut Vec<Arrival>| {
            while let Some(due) = link.poll_timeout().filter(|due| *due <= until) {
                let Some(packet) = link.poll_packet(due) else { return };
                let number = u32::from_be_bytes(packet[28..32].try_into().unwrap());
                arrived.push(Arrival { number, at: (due - start).as_micros() as u64 });
            }
        };
        for number in 0..count {
            let at = u64::from(number) * gap_us;
            let now = start + Duration::from_micros(at);
            take(&mut link, now, &mut seen.arrived);
            let mut packet = vec![0; bytes + 28];
            packet[0] = 0x45;
            packet[9] = 17;
            packet[28..32].copy_from_slice(&number.to_be_bytes());
            seen.sent.push(at);
            link.handle_packet(now, Bytes::from(packet));
        }
        take(&mut link, start + Duration::from_secs(3_600), &mut seen.arrived);
        seen
    }

    fn steady(link: &Impairment) -> Seen {
        probe(link.clone(), 2_000, (100, 2_000))
    }

    #[test]
    fn a_link_that_is_what_was_asked_for_passes() {
        let bursts = Some(Burst { enter: 2.0, leave: 20.0, loss: 100.0 });
        let plain = Impairment { delay_ms: 50, ..Impairment::default() };
        let links = [
            plain.clone(),
            Impairment { loss: 30.0, ..plain.clone() },
            Impairment { loss: 80.0, ..plain.clone() },
            Impairment { burst: bursts, ..plain.clone() },
            Impairment { jitter_ms: 100, ..plain.clone() },
            Impairment { delay_ms: 200, jitter_ms: 100, ..plain.clone() },
            Impairment { reorder: 25.0, ..plain.clone() },
            Impairment { outage: true, ..plain.clone() },
            Impairment { no_udp: true, ..plain.clone() },
        ];
        for link in links {
            let found = judge(&link, &steady(&link));
            assert!(found.is_ok(), "{link:?}: {found:?}");
        }
    }

    #[test]
    fn a_link_that_is_not_is_named_with_what_it_is() {
        let asked = Impairment { loss: 30.0, delay_ms: 50, ..Impairment::default() };
        let says = |asked: &Impairment, is: &Impairment| judge(asked, &steady(is)).unwrap_err().to_string();
        let perfect = Impairment::default();
        assert!(says(&asked, &perfect).starts_with("loss is 0.0 %, asked for was 30.0 (±"));
        let quick = Impairment { loss: 30.0, ..perfect.clone() };
        assert!(says(&asked, &quick).starts_with("delay is 0.0 ms, asked for was 50.0"));
        let jittery = Impairment { delay_ms: 50, jitter_ms: 40, ..perfect.clone() };
        assert!(
            says(&jittery, &Impairment { delay_ms: 50, ..perfect.clone() }).starts_with("jitter is 0.0 ms")
        );
        let bursts =
            Impairment { burst: Some(Burst { enter: 2.0, leave: 20.0, loss: 100.0 }), ..perfect.clone() };
        let single = Impairment { loss: 9.1, ..perfect.clone() };
        assert!(says(&bursts, &single).starts_with("the mean length of bursts is 1."));
        assert!(says(&Impairment { outage: true, ..perfect.clone() }, &perfect).starts_with("loss is 0.0 %"));
        let late = Impairment { reorder: 25.0, delay_ms: 50, ..perfect };
        assert!(
            says(&late, &Impairment { delay_ms: 50, ..Impairment::default() })
                .starts_with("reordering is 0.0")
        );
    }

    #[test]
    fn a_bottleneck_is_known_by_what_it_passes_of_twice_as_much() {
        let link = Impairment { rate_kbps: Some(600), queue_ms: 200, ..Impairment::default() };
        let seen = probe(link, 312, (1_200, 8_000));
        let rate = judge_rate(600, &seen).unwrap();
        assert!((rate - 600.0).abs() < 30.0, "{rate}");
        let open = probe(Impairment::default(), 312, (1_200, 8_000));
        assert!(judge_rate(600, &open).unwrap_err().to_string().starts_with("the rate is 12"));
        assert!(judge_rate(600, &Seen::default()).is_err());
    }

    #[test]
    fn a_delay_that_cannot_be_negative_spreads_less() {
        let (mean, deviation) = rectified(0.0, 100.0);
        assert!((mean - 39.894).abs() < 0.01 && (deviation - 58.38).abs() < 0.01, "{mean} {deviation}");
        let (mean, deviation) = rectified(1_000.0, 10.0);
        assert!((mean - 1_000.0).abs() < 0.01 && (deviation - 10.0).abs() < 0.01);
        assert_eq!(rectified(50.0, 0.0), (50.0, 0.0));
    }

    #[test]
    fn copies_count_once_and_strangers_not_at_all() {
        let arrived = [(0, 10), (0, 11), (2, 30), (1, 40), (99, 50)];
        let arrived = arrived.map(|(number, at)| Arrival { number, at }).to_vec();
        let found = find(&Seen { sent: vec![0, 10, 20, 30], bytes: 100, arrived });
        assert_eq!((found.loss, found.reordered.round(), found.burst_length), (25.0, 33.0, 1.0));
    }
}
