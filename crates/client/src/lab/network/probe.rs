//! Proves that an impairment is there before anything is measured under it: packets of our own go over the same link.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::bed::{Bed, Direction, NEAR};
use super::judge::{self, Arrival, Found, Seen};
use crate::link::Impairment;

/// Packets of a proof.
const PACKETS: u32 = 2_000;
/// From one to the next: half a megabit a second with their headers, which a bottleneck of any scenario lets pass.
const GAP: Duration = Duration::from_millis(2);
const BYTES: usize = 100;
/// Of IP and UDP.
const OVERHEAD: usize = 28;
/// Nothing comes back from an outage, and few packets tell so.
const OUTAGE_PACKETS: u32 = 100;
/// A bottleneck is offered twice its rate for so long.
const FLOOD: Duration = Duration::from_millis(2_500);
const FLOOD_BYTES: usize = 1_200;
/// After the last packet was sent, beyond what delay, jitter and queue may hold it.
const GRACE: Duration = Duration::from_millis(300);
/// For TCP through a network without UDP.
const CONNECT_MAX: Duration = Duration::from_secs(8);

/// One direction as it was asked for and found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Proof {
    /// Which.
    pub direction: Direction,
    /// What was found.
    pub found: Found,
}

/// Sends packets in `direction` and judges what arrives; the link behaves as `impairment` says already.
///
/// # Errors
/// What is not as it was asked for, in words.
pub(super) fn prove(bed: &Bed, direction: Direction, impairment: &Impairment) -> anyhow::Result<Proof> {
    let count = if impairment.outage || impairment.no_udp { OUTAGE_PACKETS } else { PACKETS };
    let seen = send(bed, direction, impairment, Stream { count, gap: gap(impairment), bytes: BYTES })?;
    let mut found = judge::judge(impairment, &seen)
        .map_err(|why| anyhow::anyhow!("the link {} is not what was asked for: {why}", direction.name()))?;
    if let Some(rate) = impairment.rate_kbps.filter(|_| !impairment.outage && !impairment.no_udp) {
        let gap = Duration::from_secs_f64(FLOOD_BYTES as f64 * 8.0 / (2_000.0 * f64::from(rate)));
        let count = (FLOOD.as_secs_f64() / gap.as_secs_f64()) as u32;
        let seen = send(bed, direction, impairment, Stream { count, gap, bytes: FLOOD_BYTES })?;
        let rate = judge::judge_rate(rate, &seen)
            .map_err(|why| anyhow::anyhow!("the bottleneck {} is not there: {why}", direction.name()))?;
        found.rate_kbps = Some(rate);
    }
    if impairment.no_udp && !impairment.outage {
        connect(bed).context("TCP must pass where UDP alone is blocked")?;
    }
    Ok(Proof { direction, found })
}

/// From one small packet to the next: they take half of the bottleneck at most, or they would wait for each other.
fn gap(impairment: &Impairment) -> Duration {
    let bits = (BYTES + OVERHEAD) as f64 * 8.0;
    let half = impairment.rate_kbps.map(|rate| Duration::from_secs_f64(bits / (500.0 * f64::from(rate))));
    half.unwrap_or_default().max(GAP)
}

#[derive(Clone, Copy)]
struct Stream {
    count: u32,
    gap: Duration,
    bytes: usize,
}

fn send(bed: &Bed, direction: Direction, impairment: &Impairment, stream: Stream) -> anyhow::Result<Seen> {
    let (near, far) = (IpAddr::from(NEAR), bed.far_address());
    let bind = |address: IpAddr| move || UdpSocket::bind(SocketAddr::new(address, 0));
    let (near, far) = (bed.near.run(bind(near))?, bed.far.run(bind(far))?);
    let (from, to) = match direction {
        Direction::Up => (far?, near?),
        Direction::Down => (near?, far?),
    };
    let start = Instant::now();
    let waits = GRACE
        + Duration::from_millis(
            u64::from(impairment.delay_ms)
                + 4 * u64::from(impairment.jitter_ms)
                + impairment.rate_kbps.map_or(0, |_| u64::from(impairment.queue_ms)),
        );
    let until = start + stream.gap * stream.count + waits;
    let address = to.local_addr().context("the probe's own address")?;
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&to, start, until));
        let sent = transmit(&from, address, start, stream);
        let arrived = receiver.join().map_err(|_| anyhow::anyhow!("the probe has panicked"))?;
        Ok(Seen { sent: sent?, bytes: stream.bytes, arrived: arrived? })
    })
}

/// Sends at a steady pace and tells when each packet left, in microseconds since `start`.
fn transmit(socket: &UdpSocket, to: SocketAddr, start: Instant, stream: Stream) -> anyhow::Result<Vec<u64>> {
    let mut sent = Vec::new();
    for number in 0..stream.count {
        let due = start + stream.gap * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut packet = vec![0; stream.bytes];
        packet[..4].copy_from_slice(&number.to_be_bytes());
        sent.push(start.elapsed().as_micros() as u64);
        socket.send_to(&packet, to).context("sending a probe")?;
    }
    Ok(sent)
}

fn receive(socket: &UdpSocket, start: Instant, until: Instant) -> anyhow::Result<Vec<Arrival>> {
    let mut arrived = Vec::new();
    let mut packet = [0; FLOOD_BYTES];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(arrived);
        }
        socket.set_read_timeout(Some(left)).context("waiting for probes")?;
        let read = match socket.recv(&mut packet) {
            Ok(read) => read,
            Err(why)
                if matches!(why.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(why) => bail!("receiving probes: {why}"),
        };
        if let Some(number) = packet[..read].first_chunk() {
            let at = start.elapsed().as_micros() as u64;
            arrived.push(Arrival { number: u32::from_be_bytes(*number), at });
        }
    }
}

fn connect(bed: &Bed) -> anyhow::Result<()> {
    let listener = bed.near.run(|| TcpListener::bind((NEAR, 0)))?.context("listening")?;
    let address = listener.local_addr().context("the listener's address")?;
    bed.far.run(move || TcpStream::connect_timeout(&address, CONNECT_MAX))?.context("connecting")?;
    Ok(())
}
