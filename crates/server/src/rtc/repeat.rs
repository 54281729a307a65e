//! Sound sent more than once to viewers that lose some of it, the more the more they lose (RFC 2198).

use std::collections::VecDeque;
use std::sync::Arc;

use media::Packet;
use str0m::media::Pt;
use wire::rtp::red;

/// Up to this loss, these earlier packets ride along. What is lost by itself mostly is in the next packet; what is lost
/// in bursts needs more distance. Sound is a tenth of what a viewer gets, so even the last step is cheap.
const LADDER: [(f32, &[usize]); 5] =
    [(0.01, &[]), (0.05, &[1]), (0.15, &[1, 2]), (0.30, &[1, 2, 4]), (f32::MAX, &[1, 2, 3, 4, 5, 6, 7, 8])];
const DISTANCE_MAX: usize = 8;
/// A viewer that has not told yet is taken for one that loses a little, as browsers do among themselves.
const LOSS_UNKNOWN: f32 = 0.02;
/// What a good report leaves of a bad one: a network that was bad a moment ago may be again.
const FADING: f32 = 0.8;
/// The same of what is known of the whole way ten times a second.
const FADING_OF_WAY: f32 = 0.97;

/// What is repeated for one viewer.
pub(super) struct Repeat {
    /// The payload type of RED, and of what is in it.
    red: Pt,
    inner: Pt,
    rate: u32,
    loss: f32,
    earlier: VecDeque<Packet>,
}

impl Repeat {
    pub(super) fn new(red: Pt, inner: Pt, rate: u32) -> Self {
        Self { red, inner, rate, loss: LOSS_UNKNOWN, earlier: VecDeque::with_capacity(DISTANCE_MAX) }
    }

    /// The viewer has reported that it lost this share of the sound.
    pub(super) fn handle_loss(&mut self, loss: f32) {
        self.loss = loss.max(self.loss * FADING);
    }

    /// It has lost this share of all that it was sent lately, which is known seconds sooner.
    pub(super) fn handle_way(&mut self, loss: f32) {
        self.loss = loss.max(self.loss * FADING_OF_WAY);
    }

    fn distances(&self) -> &'static [usize] {
        LADDER.iter().find(|(loss, _)| self.loss < *loss).map_or(&[], |(_, distances)| distances)
    }

    /// The payload type and payload that `packet` is sent as.
    pub(super) fn wrap(&mut self, packet: &Packet) -> (Pt, Arc<[u8]>) {
        let distances = self.distances();
        let at = |distance: &usize| self.earlier.get(self.earlier.len().checked_sub(*distance)?);
        let sent = match distances.is_empty() {
            true => (self.inner, Arc::clone(&packet.payload)),
            false => {
                let earlier = distances.iter().rev().filter_map(at);
                (self.red, red::wrap(*self.inner, self.rate, packet, earlier).into())
            }
        };
        if self.earlier.len() == DISTANCE_MAX {
            self.earlier.pop_front();
        }
        self.earlier.push_back(packet.clone());
        sent
    }
}

#[cfg(test)]
mod tests {
    use media::Timestamp;

    use super::*;

    fn send(repeat: &mut Repeat, n: i64) -> (u8, usize) {
        let at = Timestamp::from_millis(n * 20);
        let packet = Packet {
            at,
            sequence: n as u64,
            marker: false,
            discardable: false,
            payload: [n as u8; 3].into(),
        };
        let (pt, payload) = repeat.wrap(&packet);
        (*pt, if *pt == 63 { red::unwrap(&payload).len() } else { 1 })
    }

    #[test]
    fn the_more_a_viewer_loses_the_more_is_repeated_and_nothing_when_it_loses_nothing() {
        let mut repeat = Repeat::new(63.into(), 111.into(), 48_000);
        assert_eq!(send(&mut repeat, 0), (63, 1), "nothing came before");
        assert_eq!(send(&mut repeat, 1), (63, 2));
        repeat.handle_loss(0.5);
        for n in 2..20 {
            send(&mut repeat, n);
        }
        assert_eq!(send(&mut repeat, 20), (63, 9));
        for _ in 0..30 {
            repeat.handle_loss(0.0);
        }
        assert_eq!(send(&mut repeat, 21), (111, 1));
    }

    #[test]
    fn what_is_lost_on_the_whole_way_counts_as_soon_as_it_is_known_and_fades_as_soon() {
        let mut repeat = Repeat::new(63.into(), 111.into(), 48_000);
        repeat.handle_way(0.2);
        for n in 0..8 {
            send(&mut repeat, n);
        }
        assert_eq!(send(&mut repeat, 8), (63, 4));
        for _ in 0..80 {
            repeat.handle_way(0.02);
        }
        assert_eq!(send(&mut repeat, 9), (63, 2), "within eight seconds");
    }

    #[test]
    fn a_single_good_report_does_not_end_the_repeating() {
        let mut repeat = Repeat::new(63.into(), 111.into(), 48_000);
        repeat.handle_loss(0.2);
        repeat.handle_loss(0.0);
        for n in 0..8 {
            send(&mut repeat, n);
        }
        assert!(send(&mut repeat, 8).1 >= 3);
    }
}
