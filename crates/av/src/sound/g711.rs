//! G.711 (ITU-T G.711): each byte is a sample, by one of two laws.

use media::codec::g711::Law;

/// Appends the samples of a packet, between -1 and 1.
pub(super) fn decode(law: Law, packet: &[u8], out: &mut Vec<f32>) {
    let linear = match law {
        Law::Mu => mu_law,
        Law::A => a_law,
    };
    out.extend(packet.iter().map(|byte| f32::from(linear(*byte)) / 32_768.0));
}

/// Table 2b/G.711: sign, three bits of exponent, four of mantissa, all inverted, on a scale that is 33 (of 4) too far out.
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let (exponent, mantissa) = (byte >> 4 & 0x07, i16::from(byte & 0x0F));
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Table 1b/G.711: the same fields with every other bit inverted; the lowest exponent is linear.
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (byte >> 4 & 0x07, i16::from(byte & 0x0F));
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_middle_of_both_laws_are_those_of_the_tables() {
        assert_eq!([0xFF, 0x7F, 0x80, 0x00, 0xFE].map(mu_law), [0, 0, 32_124, -32_124, 8]);
        assert_eq!([0xD5, 0x55, 0xAA, 0x2A, 0xD4].map(a_law), [8, -8, 32_256, -32_256, 24]);
    }

    #[test]
    fn every_byte_is_a_sample_and_its_sign_bit_alone_turns_it_over() {
        for byte in 0..=127 {
            assert_eq!(mu_law(byte), -mu_law(byte | 0x80));
            assert_eq!(a_law(byte), -a_law(byte | 0x80));
        }
        let mut out = vec![];
        decode(Law::A, &[0xD5; 160], &mut out);
        assert_eq!(out.len(), 160);
    }
}
