//! The fragments of SDP that WHIP and WHEP exchange after the answer (RFC 8840 §9): candidates and ICE credentials.

/// What a peer answers to and proves itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// `a=ice-ufrag`
    pub ufrag: &'a str,
    /// `a=ice-pwd`
    pub pwd: &'a str,
}

/// The first credentials of a fragment or a whole description, if they keep within the grammar of RFC 8839 §5.4: a
/// name of 4 to 256 and a password of 22 to 256 characters, none of which could begin another line.
pub fn credentials(text: &str) -> Option<Credentials<'_>> {
    let value = |name: &str, shortest: usize| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let fits = (shortest..=256).contains(&line.len()) && line.bytes().all(is_ice_char);
        fits.then_some(line)
    };
    Some(Credentials { ufrag: value("a=ice-ufrag", 4)?, pwd: value("a=ice-pwd", 22)? })
}

/// What of an answer a fragment carries: credentials, and the candidates of the first media section.
pub fn of_answer(answer: &str) -> String {
    let mut fragment = String::new();
    let mut sections = 0;
    for line in answer.lines() {
        sections += usize::from(line.starts_with("m="));
        let of_ice = ["a=ice-ufrag:", "a=ice-pwd:", "a=ice-options:", "a=ice-lite"];
        let of_media = ["m=", "a=mid:", "a=candidate:", "a=end-of-candidates"];
        let starts_with = |names: &[&str]| names.iter().any(|name| line.starts_with(name));
        if sections < 2 && (starts_with(&of_ice) || (sections == 1 && starts_with(&of_media))) {
            fragment.push_str(line);
            fragment.push_str("\r\n");
        }
    }
    fragment
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n\
        a=candidate:1 1 udp 2130706175 127.0.0.1 8189 typ host\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n\
        a=ice-ufrag:abcd\r\n";

    #[test]
    fn a_fragment_has_ice_and_nothing_else() {
        let fragment = of_answer(ANSWER);
        assert_eq!(
            fragment,
            "a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\n\
             a=ice-pwd:0123456789012345678901\r\na=mid:0\r\n\
             a=candidate:1 1 udp 2130706175 127.0.0.1 8189 typ host\r\n"
        );
        let found = credentials(&fragment).unwrap();
        assert_eq!((found.ufrag, found.pwd), ("abcd", "0123456789012345678901"));
    }

    #[test]
    fn credentials_that_are_none_are_not_taken() {
        let with = |ufrag: &str, pwd: &str| format!("a=ice-ufrag:{ufrag}\na=ice-pwd:{pwd}\n");
        let long = "x".repeat(257);
        assert!(credentials(&with("abcd", "0123456789012345678901")).is_some());
        for (ufrag, pwd) in [
            ("abc", "0123456789012345678901"),
            ("abcd", "short"),
            ("ab d", "0123456789012345678901"),
            (&long, "0123456789012345678901"),
        ] {
            assert_eq!(credentials(&with(ufrag, pwd)), None, "{ufrag} {pwd}");
        }
        assert_eq!(credentials("a=candidate:1 1 udp 1 192.0.2.1 9 typ host"), None);
    }
}
