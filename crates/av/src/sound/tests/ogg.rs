//! As much of Ogg (RFC 3533) as carries Opus to FFmpeg and back.

use bytes::Bytes;

/// Each packet on a page of its own, after the two heads of RFC 7845 §3.
pub(super) fn wrap(head: &[u8], packets: &[&[u8]]) -> Vec<u8> {
    let mut out = page(head, 0, 0, 2);
    out.extend(page(b"OpusTags\0\0\0\0\0\0\0\0", 0, 1, 0));
    for (n, packet) in packets.iter().enumerate() {
        out.extend(page(packet, (n as u64 + 1) * 960, n as u32 + 2, 0));
    }
    out
}

fn page(packet: &[u8], granule: u64, number: u32, flags: u8) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(7_u32.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push((packet.len() / 255 + 1) as u8);
    page.extend(std::iter::repeat_n(255, packet.len() / 255));
    page.push((packet.len() % 255) as u8);
    page.extend(packet);
    let checksum = checksum(&page);
    page[22..26].copy_from_slice(&checksum.to_le_bytes());
    page
}

fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            if sum >> 31 == 1 { sum << 1 ^ 0x04C1_1DB7 } else { sum << 1 }
        })
    })
}

/// The packets of a file with one stream, heads included.
pub(super) fn packets(mut file: &[u8]) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut open = Vec::new();
    while let Some(head) = file.get(..27) {
        let segments = usize::from(head[26]);
        let (laces, mut body) = file[27..].split_at(segments);
        for lace in laces {
            let (piece, rest) = body.split_at(usize::from(*lace));
            open.extend_from_slice(piece);
            body = rest;
            if *lace < 255 {
                packets.push(Bytes::from(std::mem::take(&mut open)));
            }
        }
        file = body;
    }
    packets
}
