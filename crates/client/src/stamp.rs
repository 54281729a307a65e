//! When a frame was sent, written into the picture itself as an SEI message (user data unregistered, ISO 14496-10
//! §D.1.7), so that any player of ours on the same machine can tell how old a frame is, whatever carried it.

/// What every stamp begins with; no byte is zero, so that no emulation prevention (§7.4.1) is needed.
pub const UUID: [u8; 16] = *b"openmic/stamp/v1";

/// Bytes of a stamp's NAL unit, without a start code or length.
pub const NAL_BYTES: usize = 3 + UUID.len() + DIGITS + 1;

/// Sixteen hexadecimal digits each for the time and the number: ASCII needs no emulation prevention either.
const DIGITS: usize = 32;
const NAL_SEI: u8 = 6;
const SEI_USER_DATA_UNREGISTERED: u8 = 5;
const RBSP_STOP: u8 = 0x80;

/// The time and number of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the frame was handed to the socket, on this machine's monotonic clock ([`now_micros`]).
    pub sent_micros: u64,
    /// Counts the frames of a stream from 0 without gaps.
    pub sequence: u64,
}

impl Stamp {
    /// The SEI NAL unit to put in front of a picture's slices.
    pub fn to_nal(self) -> [u8; NAL_BYTES] {
        let mut nal = [0; NAL_BYTES];
        let digits = format!("{:016x}{:016x}", self.sent_micros, self.sequence);
        nal[..3].copy_from_slice(&[NAL_SEI, SEI_USER_DATA_UNREGISTERED, (UUID.len() + DIGITS) as u8]);
        nal[3..19].copy_from_slice(&UUID);
        nal[19..51].copy_from_slice(digits.as_bytes());
        nal[51] = RBSP_STOP;
        nal
    }

    /// The first stamp that lies wholly in `bytes`, wherever in them.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(UUID.len()).position(|window| window == UUID)? + UUID.len();
        let sent_micros = hex(bytes.get(at..at + 16)?)?;
        let sequence = hex(bytes.get(at + 16..at + DIGITS)?)?;
        Some(Self { sent_micros, sequence })
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Microseconds on the machine's monotonic clock, the same in every process.
#[cfg(target_os = "linux")]
pub fn now_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64) * 1_000_000 + (now.tv_nsec as u64) / 1_000
}

/// Microseconds since the epoch, the same in every process; a step of the clock shows as latency.
#[cfg(not(target_os = "linux"))]
pub fn now_micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { sent_micros: 1_234_567_890_123, sequence: 42 };

    #[test]
    fn a_stamp_is_found_wherever_it_lies_and_not_when_cut() {
        let nal = STAMP.to_nal();
        let mut frame = vec![0, 0, 0, NAL_BYTES as u8];
        frame.extend_from_slice(&nal);
        frame.extend_from_slice(&[0, 0, 0, 2, 0x65, 0x88]);
        assert_eq!(Stamp::find(&frame), Some(STAMP));
        for cut in 0..4 + NAL_BYTES - 1 {
            assert_eq!(Stamp::find(&frame[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_stamp_needs_no_emulation_prevention() {
        let extremes = [0, u64::MAX].map(|n| Stamp { sent_micros: n, sequence: n }.to_nal());
        for nal in extremes {
            assert!(nal.windows(3).all(|w| !(w[0] == 0 && w[1] == 0 && w[2] <= 3)));
        }
    }

    #[test]
    fn the_clock_does_not_go_backwards() {
        let first = now_micros();
        assert!(now_micros() >= first);
    }
}
