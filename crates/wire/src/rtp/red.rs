//! RFC 2198: earlier sound packets repeated in later ones, so that a loss costs neither a round trip nor the word it was in.

use std::sync::Arc;

use media::Packet;

/// The time of a repeated packet lies at most this many ticks before that of its carrier (14 bits, §3).
const OFFSET_MAX: i64 = (1 << 14) - 1;
/// A repeated packet is at most this long (10 bits, §3).
const BLOCK_BYTES_MAX: usize = (1 << 10) - 1;
/// A payload is at most this long where anything is repeated in it: no network cuts such a packet.
const PAYLOAD_BYTES_MAX: usize = 1_150;
/// Before each repeated packet.
const HEADER_BYTES: usize = 4;
/// Repeated packets in one; browsers send two at most, and more than this is nobody's.
const BLOCKS_MAX: usize = 32;

/// The payload that carries `primary` and, before it, those of `earlier` (oldest first) that the format and one packet can hold; the newest
/// of them where not all have room.
/// `pt` is the payload type of both, of a clock of `rate` ticks a second.
pub fn wrap<'a>(pt: u8, rate: u32, primary: &Packet, earlier: impl Iterator<Item = &'a Packet>) -> Vec<u8> {
    let fitting = earlier.filter_map(|packet| {
        let offset = (primary.at - packet.at).ticks(rate);
        let fits = (1..=OFFSET_MAX).contains(&offset) && packet.payload.len() <= BLOCK_BYTES_MAX;
        fits.then_some((offset as u32, &packet.payload))
    });
    let fitting: Vec<(u32, &Arc<[u8]>)> = fitting.collect();
    let mut bytes = 1 + primary.payload.len();
    let has_room = |(_, payload): &&(u32, &Arc<[u8]>)| {
        bytes += HEADER_BYTES + payload.len();
        bytes <= PAYLOAD_BYTES_MAX
    };
    let kept = fitting.iter().rev().take_while(has_room).count();
    let fitting = fitting.get(fitting.len() - kept..).unwrap_or_default();
    let mut out = Vec::new();
    for (offset, payload) in fitting {
        let header = 0x8000_0000 | u32::from(pt & 0x7F) << 24 | offset << 10 | payload.len() as u32;
        out.extend(header.to_be_bytes());
    }
    out.push(pt & 0x7F);
    for (_, payload) in fitting {
        out.extend_from_slice(payload);
    }
    out.extend_from_slice(&primary.payload);
    out
}

/// One packet of several in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// How many packets before its carrier it was sent: 0 is the carrier's own.
    pub distance: u64,
    /// Ticks between the two.
    pub offset: u32,
    /// The packet's payload.
    pub payload: &'a [u8],
}

/// The packets in a payload, oldest first, the carrier's own last; none when it is malformed. Distances are those of
/// packets as long as the one just before the carrier's own.
pub fn unwrap(payload: &[u8]) -> Vec<Block<'_>> {
    split(payload).unwrap_or_default()
}

fn split(mut rest: &[u8]) -> Option<Vec<Block<'_>>> {
    let mut headers: Vec<(u32, usize)> = Vec::new();
    while rest.first()? & 0x80 != 0 {
        let (header, after) = rest.split_first_chunk()?;
        let header = u32::from_be_bytes(*header);
        if headers.len() == BLOCKS_MAX {
            return None;
        }
        headers.push((header >> 10 & 0x3FFF, (header & 0x3FF) as usize));
        rest = after;
    }
    rest = rest.get(1..)?;
    // The nearest repeated packet is one packet away; its offset is how long a packet is.
    let step = headers.last().map_or(1, |(offset, _)| *offset).max(1);
    let mut blocks = Vec::with_capacity(headers.len() + 1);
    for (offset, length) in headers {
        let (payload, after) = rest.split_at_checked(length)?;
        blocks.push(Block { distance: u64::from(offset / step), offset, payload });
        rest = after;
    }
    blocks.push(Block { distance: 0, offset: 0, payload: rest });
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use media::Timestamp;

    use super::*;

    fn packet(n: u64, payload: &[u8]) -> Packet {
        Packet {
            at: Timestamp::from_millis(n as i64 * 20),
            sequence: n,
            marker: false,
            discardable: false,
            payload: payload.into(),
        }
    }

    #[test]
    fn a_payload_is_laid_out_as_in_section_3() {
        let (first, second) = (packet(10, &[1, 2, 3]), packet(11, &[4]));
        let wrapped = wrap(111, 48_000, &second, [&first].into_iter());
        // F=1, PT 111, offset 960, length 3; F=0, PT 111; then the two payloads.
        assert_eq!(wrapped, [0x80 | 111, 0x0F, 0x00, 0x03, 111, 1, 2, 3, 4]);
    }

    #[test]
    fn no_more_is_repeated_than_one_packet_takes() {
        let packets: Vec<_> = (0..9).map(|n| packet(n, &[n as u8; 240])).collect();
        let wrapped = wrap(111, 48_000, &packets[8], packets[..8].iter());
        let distances: Vec<u64> = unwrap(&wrapped).iter().map(|block| block.distance).collect();
        assert!(wrapped.len() <= PAYLOAD_BYTES_MAX, "{} bytes", wrapped.len());
        assert_eq!(distances, [3, 2, 1, 0], "the newest of them");
        let large = packet(9, &[9; 1_300]);
        assert_eq!(unwrap(&wrap(111, 48_000, &large, packets.iter())).len(), 1);
    }

    #[test]
    fn what_was_wrapped_comes_out_with_its_distance() {
        let packets: Vec<_> = (0..9).map(|n| packet(n, &[n as u8; 5])).collect();
        let wrapped = wrap(111, 48_000, &packets[8], [&packets[4], &packets[6], &packets[7]].into_iter());
        let blocks = unwrap(&wrapped);
        assert_eq!(blocks.iter().map(|block| block.distance).collect::<Vec<_>>(), [4, 2, 1, 0]);
        assert_eq!(blocks.iter().map(|block| block.payload[0]).collect::<Vec<_>>(), [4, 6, 7, 8]);
    }

    #[test]
    fn what_the_format_cannot_hold_is_left_out() {
        let (old, long) = (packet(0, &[1]), packet(99, &[2; 1_024]));
        let carrier = packet(100, &[3]);
        let wrapped = wrap(111, 48_000, &carrier, [&old, &long].into_iter());
        assert_eq!(wrapped, [111, 3]);
    }

    #[test]
    fn no_bytes_are_more_than_a_malformed_payload() {
        let packets: Vec<_> = (0..3).map(|n| packet(n, &[n as u8; 40])).collect();
        let whole = wrap(111, 48_000, &packets[2], packets[..2].iter());
        for end in 0..whole.len() {
            let blocks = unwrap(&whole[..end]);
            assert!(blocks.iter().map(|block| block.payload.len()).sum::<usize>() <= end, "cut at {end}");
        }
        assert_eq!(unwrap(&[]), []);
        assert_eq!(unwrap(&[0xFF; 200]), [], "headers without end");
        assert_eq!(unwrap(&[111]).len(), 1, "an empty packet");
    }
}
