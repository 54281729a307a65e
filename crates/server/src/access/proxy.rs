//! Who asks, where proxies stand between: the last address in front of those that are trusted.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::config::Network;

/// Hops that are looked at, from our end; a chain of proxies has two or three.
const HOPS_MAX: usize = 16;

/// What a request says of the way it has come. Anybody may say anything here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The lines of `X-Forwarded-For`, joined.
    forwarded_for: String,
    /// The lines of `Forwarded` (RFC 7239), joined.
    forwarded: String,
}

impl Way {
    /// Reads header lines; what is no text is as if it were not there.
    pub(crate) fn of<'a>(lines: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut way = Self::default();
        for (name, value) in lines {
            let joined = match name {
                name if name.eq_ignore_ascii_case("x-forwarded-for") => &mut way.forwarded_for,
                name if name.eq_ignore_ascii_case("forwarded") => &mut way.forwarded,
                _ => continue,
            };
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(std::str::from_utf8(value).unwrap_or_default());
        }
        way
    }

    /// The request says that it has come through a proxy.
    pub(crate) fn is_told(&self) -> bool {
        !self.forwarded_for.is_empty() || !self.forwarded.is_empty()
    }

    pub(crate) fn of_headers(headers: &HeaderMap) -> Self {
        Self::of(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
    }

    /// Whom the connection's peer asks for: itself, unless it is `trusted`. Each proxy writes behind what was there where
    /// its own peer is, so what stands further left than the first address that is not trusted is hearsay.
    pub(crate) fn origin(&self, trusted: &[Network], peer: SocketAddr) -> SocketAddr {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let mut origin = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if trusted.is_empty() {
            return origin;
        }
        let mut hops = match self.forwarded_for.is_empty() {
            false => self.forwarded_for.rsplit(',').map(hop).take(HOPS_MAX).collect::<Vec<_>>(),
            true => self.forwarded.rsplit(',').map(|element| hop(for_of(element))).take(HOPS_MAX).collect(),
        }
        .into_iter();
        while is_trusted(origin.ip()) {
            // A hop without an address ("unknown", a name) ends what can be known.
            let Some(Some(before)) = hops.next() else { break };
            origin = before;
        }
        origin
    }
}

/// The value of `for` of one element of `Forwarded`, without its quotes (RFC 7239 §4).
fn for_of(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    found.next().map(|(_, value)| value.trim().trim_matches('"')).unwrap_or_default()
}

/// An address with or without a port; port 0 where it has none.
fn hop(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = match bare.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, 0),
        Err(_) => text.parse().ok()?,
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.1:4711";

    fn origin(trusted: &[&str], peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let way = Way::of(lines.iter().map(|(name, value)| (*name, value.as_bytes())));
        way.origin(&trusted, peer.parse().unwrap()).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        let lines = [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1")];
        assert_eq!(origin(&[], PEER, &lines), PEER);
        assert_eq!(origin(&["10.0.0.2"], PEER, &lines), PEER);
        assert_eq!(origin(&["10.0.0.0/8"], "203.0.113.5:1", &lines), "203.0.113.5:1");
    }

    #[test]
    fn the_last_address_in_front_of_the_trusted_ones_counts_whatever_stands_before_it() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        for (name, value, expected) in [
            ("X-Forwarded-For", "192.0.2.1", "192.0.2.1:0"),
            ("x-forwarded-for", "127.0.0.1, 192.0.2.1", "192.0.2.1:0"),
            ("X-Forwarded-For", "127.0.0.1, 192.0.2.1,10.9.9.9", "192.0.2.1:0"),
            ("X-Forwarded-For", "10.1.1.1, 10.2.2.2", "10.1.1.1:0"),
            ("X-Forwarded-For", "192.0.2.1:99", "192.0.2.1:99"),
            ("X-Forwarded-For", "::ffff:192.0.2.1", "192.0.2.1:0"),
            ("X-Forwarded-For", "2001:db8::1, fd00::1", "[2001:db8::1]:0"),
            ("X-Forwarded-For", "192.0.2.1, unknown", PEER),
            ("X-Forwarded-For", "", PEER),
            ("Forwarded", "for=127.0.0.1, For=\"[2001:db8::1]:99\";proto=https", "[2001:db8::1]:99"),
            ("Forwarded", "by=10.0.0.1;for=192.0.2.1, for=10.3.3.3", "192.0.2.1:0"),
            ("Forwarded", "for=_hidden", PEER),
        ] {
            assert_eq!(origin(&trusted, PEER, &[(name, value)]), expected, "{name}: {value}");
        }
        let lines = [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", "192.0.2.1")];
        assert_eq!(origin(&trusted, PEER, &lines), "192.0.2.1:0", "lines are one list");
        let both = [("Forwarded", "for=127.0.0.1"), ("X-Forwarded-For", "192.0.2.1")];
        assert_eq!(origin(&trusted, PEER, &both), "192.0.2.1:0");
    }

    #[test]
    fn a_chain_without_end_is_not_followed() {
        let long = "10.0.0.9,".repeat(10_000) + "10.0.0.9";
        assert_eq!(origin(&["10.0.0.0/8"], PEER, &[("X-Forwarded-For", &long)]), "10.0.0.9:0");
    }
}
