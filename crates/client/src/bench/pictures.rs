//! Pictures told from the headers of their RTP packets: which wholly arrived and which number they have, without looking
//! into what is encrypted.

use super::load::Tally;
use crate::stamp::Stamp;

/// Ticks of RTP's clock a second for pictures (RFC 6184 §8.1).
const CLOCK_HZ: u32 = 90_000;

/// The header of a packet, and the stamp in it where somebody has decrypted it and found one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) sequence: u16,
    pub(super) time: u32,
    pub(super) marker: bool,
    pub(super) stamp: Option<Stamp>,
}

impl Head {
    /// The header of an RTP packet (RFC 3550 §5.1) and whose it is.
    pub(super) fn read(datagram: &[u8]) -> Option<(u32, Self)> {
        let &[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3, ..] = datagram else { return None };
        // RFC 5761 §4: what has these payload types is RTCP. RFC 7983: other first bytes are other protocols.
        if !(128..192).contains(&first) || (192..224).contains(&second) {
            return None;
        }
        let (sequence, time) = (u16::from_be_bytes([s0, s1]), u32::from_be_bytes([t0, t1, t2, t3]));
        let head = Self { sequence, time, marker: second & 0x80 != 0, stamp: None };
        Some((u32::from_be_bytes([c0, c1, c2, c3]), head))
    }
}

/// The pictures of one viewer.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    ticks_a_picture: u32,
    coming: Option<Coming>,
    /// The highest number of a picture that has wholly arrived.
    last: Option<u64>,
}

/// The picture whose packets come now.
#[derive(Clone, Copy, Debug)]
struct Coming {
    sequence: u16,
    time: u32,
    number: Option<u64>,
    sent_micros: Option<u64>,
    damaged: bool,
}

impl Pictures {
    pub(super) fn new(fps: u32) -> Self {
        Self { ticks_a_picture: CLOCK_HZ / fps.max(1), coming: None, last: None }
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Whether a stamp was seen, from which the numbers of all later pictures follow.
    pub(super) fn is_numbered(&self) -> bool {
        self.coming.is_some_and(|coming| coming.number.is_some())
    }

    /// The next packet; what is late or came before is left out. `true` when it completes a picture.
    pub(super) fn handle(&mut self, head: Head, now_micros: u64, tally: &mut Tally) -> bool {
        let Some(mut coming) = self.step(head) else { return false };
        if let Some(stamp) = head.stamp {
            (coming.number, coming.sent_micros) = (Some(stamp.sequence), Some(stamp.sent_micros));
        }
        self.coming = Some(coming);
        match coming.number {
            Some(number) if head.marker && !coming.damaged => {
                let lost = self.last.map_or(0, |last| number.saturating_sub(last + 1));
                self.last = self.last.max(Some(number));
                tally.picture(coming.sent_micros.map(|sent| now_micros.saturating_sub(sent)), number, lost);
                true
            }
            Some(_) | None => false,
        }
    }

    /// What comes after this packet's step: the same picture, or a later one.
    fn step(&self, head: Head) -> Option<Coming> {
        let Head { sequence, time, .. } = head;
        let Some(coming) = self.coming else {
            return Some(Coming { sequence, time, number: None, sent_micros: None, damaged: false });
        };
        let gap = sequence.wrapping_sub(coming.sequence).wrapping_sub(1);
        if gap >= 1 << 15 {
            return None;
        }
        if time == coming.time {
            return Some(Coming { sequence, damaged: coming.damaged || gap > 0, ..coming });
        }
        // Publishers' times are whole milliseconds, so that a step is a little more or less than a picture's.
        let ticks = time.wrapping_sub(coming.time);
        let steps = (ticks.saturating_add(self.ticks_a_picture / 2) / self.ticks_a_picture).max(1);
        let number = coming.number.map(|number| number + u64::from(steps));
        // A gap before a picture may have been its beginning.
        Some(Coming { sequence, time, number, sent_micros: None, damaged: gap > 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, picture: u32, marker: bool) -> Head {
        Head { sequence, time: (picture * 1_000 / 30) * 90, marker, stamp: None }
    }

    fn stamped(sequence: u16, picture: u32) -> Head {
        let stamp = Some(Stamp { sent_micros: 1_000, sequence: u64::from(picture) });
        Head { stamp, ..packet(sequence, picture, false) }
    }

    fn counted(heads: &[Head]) -> (u64, u64, Option<u64>) {
        let (mut pictures, mut tally) = (Pictures::new(30), Tally::default());
        tally.open();
        for head in heads {
            pictures.handle(*head, 4_000, &mut tally);
        }
        (tally.frames, tally.lost, pictures.last())
    }

    #[test]
    fn one_stamp_numbers_all_pictures_that_follow() {
        let heads = [stamped(65_535, 7), packet(0, 7, true), packet(1, 8, true), packet(2, 9, true)];
        assert_eq!(counted(&heads), (3, 0, Some(9)));
    }

    #[test]
    fn a_picture_with_a_gap_in_it_is_lost_and_so_are_those_that_did_not_come() {
        let whole = [stamped(1, 7), packet(2, 7, true)];
        let gap_within = [packet(3, 8, false), packet(5, 8, true), packet(6, 9, true)];
        assert_eq!(counted(&[&whole[..], &gap_within].concat()), (2, 1, Some(9)));
        let two_missing = [packet(7, 10, false), packet(8, 10, true), packet(9, 11, true)];
        assert_eq!(
            counted(&[&whole[..], &two_missing].concat()),
            (2, 3, Some(11)),
            "10 may have begun before"
        );
    }

    #[test]
    fn what_comes_twice_or_late_is_no_picture() {
        let heads = [stamped(1, 7), packet(2, 7, true), packet(2, 7, true), packet(1, 7, false)];
        assert_eq!(counted(&heads), (1, 0, Some(7)));
    }

    #[test]
    fn only_rtp_has_a_header_of_rtp() {
        let mut datagram = vec![0x80, 0xe0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 9];
        let (ssrc, head) = Head::read(&datagram).unwrap();
        assert_eq!((ssrc, head.sequence, head.time, head.marker), (4, 0x102, 3, true));
        for cut in 0..12 {
            assert!(Head::read(&datagram[..cut]).is_none(), "cut at {cut}");
        }
        datagram[1] = 200;
        assert!(Head::read(&datagram).is_none(), "a sender report");
        datagram[0] = 1;
        assert!(Head::read(&datagram).is_none(), "STUN");
    }
}
