//! The little of STUN (RFC 8489) that tells apart who of many sessions behind one port a datagram is for.
//!
//! Nothing here is authenticated: a name found by [`local_ufrag`] says whom to ask, and only what that session answers
//! ([`is_binding_success`]) says that the peer is who it claims to be.

/// RFC 8489 §5.
const HEADER_BYTES: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
/// RFC 8489 §14.3.
const USERNAME: u16 = 0x0006;
/// RFC 8445 §5.3: a fragment of a user name is at most this long, and a user name two of them.
const UFRAG_BYTES_MAX: usize = 256;

/// The receiver's name in a binding request: the part of USERNAME before the colon (RFC 8445 §7.2.2). `None` for
/// anything else.
pub fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut attributes) = datagram.split_at_checked(HEADER_BYTES)?;
    if header.get(..2)? != BINDING_REQUEST || header.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    while let Some((&[t0, t1, l0, l1], rest)) = attributes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([t0, t1]) == USERNAME {
            let end = value.iter().position(|byte| *byte == b':')?;
            return std::str::from_utf8(value.get(..end.min(UFRAG_BYTES_MAX))?).ok();
        }
        // Attributes are padded to four bytes.
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// This datagram says that a binding request was authentic.
pub fn is_binding_success(datagram: &[u8]) -> bool {
    datagram.get(..2) == Some(&BINDING_SUCCESS) && datagram.get(4..8) == Some(&MAGIC_COOKIE)
}

/// RFC 7983: the first byte tells STUN from DTLS and RTP.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|byte| *byte < 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut datagram = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        datagram.extend([7; 12]);
        for (kind, value) in attributes {
            datagram.extend(kind.to_be_bytes());
            datagram.extend((value.len() as u16).to_be_bytes());
            datagram.extend(*value);
            datagram.resize(datagram.len().next_multiple_of(4), 0);
        }
        datagram
    }

    #[test]
    fn the_name_before_the_colon_is_ours_wherever_the_attribute_stands() {
        assert_eq!(local_ufrag(&request(&[(USERNAME, b"ours:theirs")])), Some("ours"));
        assert_eq!(
            local_ufrag(&request(&[(0x8022, b"agent"), (0x0024, &[0; 4]), (USERNAME, b"ours:t")])),
            Some("ours")
        );
        assert_eq!(local_ufrag(&request(&[(USERNAME, b"no colon")])), None);
        assert_eq!(local_ufrag(&request(&[(USERNAME, b"\xff\xfe:t")])), None);
    }

    #[test]
    fn what_is_cut_or_not_a_request_names_nobody() {
        let whole = request(&[(0x8022, b"agent"), (USERNAME, b"ours:theirs")]);
        for end in 0..whole.len() - 1 {
            assert_eq!(local_ufrag(&whole[..end]), None, "cut at {end}");
        }
        let mut answer = whole.clone();
        answer[..2].copy_from_slice(&BINDING_SUCCESS);
        assert_eq!(local_ufrag(&answer), None);
        assert!(is_binding_success(&answer) && !is_binding_success(&whole));
        assert!(is_stun(&whole) && !is_stun(&[22, 254]) && !is_stun(&[0x80]) && !is_stun(&[]));
    }
}
