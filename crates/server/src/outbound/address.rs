//! Which addresses a name that somebody else chose may lead us to: the internet at large, and what the operator allows.
//! The tables are those of the IANA special-purpose registries (RFC 6890, RFC 8190).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What kind of address it is, as far as it matters to who is led there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// On the internet.
    Public,
    /// This machine.
    Loopback,
    /// 0.0.0.0/8 and `::`, which connect to this machine.
    Unspecified,
    /// A network of one's own: RFC 1918, unique local and site-local.
    Private,
    /// The carrier's network behind its NAT (RFC 6598).
    Shared,
    /// This link alone.
    LinkLocal,
    /// Where a cloud tells its guests their keys.
    Metadata,
    /// Many receivers at once.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// For examples in texts.
    Documentation,
    /// Within IPv6, by a translator or tunnel that we cannot see behind: 6to4, Teredo, local NAT64, IPv4-compatible.
    Tunnel,
    /// Set aside for something else, or for nothing yet.
    Reserved,
}

impl Class {
    /// In words for an operator.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::Private => "private",
            Self::Shared => "carrier NAT",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Tunnel => "tunnel or translator",
            Self::Reserved => "reserved",
        }
    }
}

/// Where a connection to this address may go: `Err` with its kind where it may not.
///
/// What is really reached is judged, so an IPv4 address within an IPv6 one is judged by itself, in `allowed` too.
pub fn judge(address: IpAddr, allowed: &[IpNet]) -> Result<(), Class> {
    let reached = reached(address);
    let is_allowed = allowed.iter().any(|net| net.contains(&reached) || net.contains(&address));
    match class(reached) {
        Class::Public => Ok(()),
        _ if is_allowed => Ok(()),
        class => Err(class),
    }
}

/// The kind of an address.
pub fn class(address: IpAddr) -> Class {
    match reached(address) {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

/// The IPv4 address behind one that is mapped (RFC 4291 §2.5.5.2, the kernel connects by IPv4) or translated by the
/// well-known NAT64 prefix (RFC 6052 §2.1, which IPv6-only networks use for the whole of IPv4).
fn reached(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => {
            Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into()
        }
        _ => address,
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [192, 168, ..] => Class::Private,
        [172, second, ..] if second & 0xF0 == 16 => Class::Private,
        // The same in every cloud but Azure's wire server, Alibaba's and Oracle's.
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => {
            Class::Metadata
        }
        [169, 254, ..] => Class::LinkLocal,
        [100, second, ..] if second & 0xC0 == 64 => Class::Shared,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        // Protocol assignments (RFC 6890), relays of 6to4 (RFC 7526), benchmarks (RFC 2544).
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => Class::Reserved,
        [255, 255, 255, 255] => Class::Broadcast,
        [224..=239, ..] => Class::Multicast,
        [240..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    const LOOPBACK: [u16; 8] = [0, 0, 0, 0, 0, 0, 0, 1];
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        LOOPBACK => Class::Loopback,
        // IPv4-compatible (RFC 4291 §2.5.5.1) and stateless translation (RFC 2765).
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xFFFF, 0, ..] => Class::Tunnel,
        // NAT64 of a network's own (RFC 8215), and any other that resembles the well-known prefix.
        [0x64, 0xFF9B, ..] => Class::Tunnel,
        // Teredo (RFC 4380), 6to4 (RFC 3056).
        [0x2001, 0, ..] | [0x2002, ..] => Class::Tunnel,
        [0x2001, 0xDB8, ..] => Class::Documentation,
        [0x3FFF, second, ..] if second < 0x1000 => Class::Documentation,
        // The rest of 2001::/23: benchmarks, ORCHID and other assignments that are no hosts.
        [0x2001, second, ..] if second < 0x200 => Class::Reserved,
        // Amazon's and Google's.
        [0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254] | [0xFD20, 0xCE, 0, 0, 0, 0, 0, 0x254] => Class::Metadata,
        [first, ..] if first & 0xFE00 == 0xFC00 => Class::Private,
        [first, ..] if first & 0xFFC0 == 0xFEC0 => Class::Private,
        [first, ..] if first & 0xFFC0 == 0xFE80 => Class::LinkLocal,
        [first, ..] if first & 0xFF00 == 0xFF00 => Class::Multicast,
        // Global unicast is 2000::/3; nothing else has been given out (RFC 4291 §2.4).
        [first, ..] if first & 0xE000 == 0x2000 => Class::Public,
        _ => Class::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every form of `facts/bad-inputs.md`, the edges of every range, and their neighbours outside it.
    const TABLE: &[(&str, Class)] = &[
        ("8.8.8.8", Class::Public),
        ("0.0.0.0", Class::Unspecified),
        ("0.255.255.255", Class::Unspecified),
        ("1.0.0.0", Class::Public),
        ("9.255.255.255", Class::Public),
        ("10.0.0.0", Class::Private),
        ("10.255.255.255", Class::Private),
        ("11.0.0.0", Class::Public),
        ("100.63.255.255", Class::Public),
        ("100.64.0.0", Class::Shared),
        ("100.100.100.200", Class::Metadata),
        ("100.127.255.255", Class::Shared),
        ("100.128.0.0", Class::Public),
        ("126.255.255.255", Class::Public),
        ("127.0.0.1", Class::Loopback),
        ("127.255.255.255", Class::Loopback),
        ("128.0.0.0", Class::Public),
        ("168.63.129.16", Class::Metadata),
        ("169.253.255.255", Class::Public),
        ("169.254.0.0", Class::LinkLocal),
        ("169.254.169.254", Class::Metadata),
        ("169.254.255.255", Class::LinkLocal),
        ("172.15.255.255", Class::Public),
        ("172.16.0.0", Class::Private),
        ("172.31.255.255", Class::Private),
        ("172.32.0.0", Class::Public),
        ("192.0.0.1", Class::Reserved),
        ("192.0.0.192", Class::Metadata),
        ("192.0.2.1", Class::Documentation),
        ("192.88.99.1", Class::Reserved),
        ("192.167.255.255", Class::Public),
        ("192.168.0.0", Class::Private),
        ("192.168.255.255", Class::Private),
        ("192.169.0.0", Class::Public),
        ("198.17.255.255", Class::Public),
        ("198.18.0.0", Class::Reserved),
        ("198.19.255.255", Class::Reserved),
        ("198.51.100.7", Class::Documentation),
        ("203.0.113.7", Class::Documentation),
        ("223.255.255.255", Class::Public),
        ("224.0.0.1", Class::Multicast),
        ("239.255.255.255", Class::Multicast),
        ("240.0.0.1", Class::Reserved),
        ("255.255.255.254", Class::Reserved),
        ("255.255.255.255", Class::Broadcast),
        ("::", Class::Unspecified),
        ("::1", Class::Loopback),
        ("::2", Class::Tunnel),
        ("::7f00:1", Class::Tunnel),
        ("::127.0.0.1", Class::Tunnel),
        ("::8.8.8.8", Class::Tunnel),
        ("::ffff:127.0.0.1", Class::Loopback),
        ("::ffff:10.1.2.3", Class::Private),
        ("::ffff:169.254.169.254", Class::Metadata),
        ("::ffff:8.8.8.8", Class::Public),
        ("::ffff:0:127.0.0.1", Class::Tunnel),
        ("64:ff9b::127.0.0.1", Class::Loopback),
        ("64:ff9b::a00:1", Class::Private),
        ("64:ff9b::169.254.169.254", Class::Metadata),
        ("64:ff9b::8.8.8.8", Class::Public),
        ("64:ff9b:1::808:808", Class::Tunnel),
        ("64:ff9b:0:0:0:1:808:808", Class::Tunnel),
        ("100::1", Class::Reserved),
        ("2000::1", Class::Public),
        ("2001::1", Class::Tunnel),
        ("2001:0:7f00:1::", Class::Tunnel),
        ("2001:2::1", Class::Reserved),
        ("2001:20::1", Class::Reserved),
        ("2001:1ff::1", Class::Reserved),
        ("2001:200::1", Class::Public),
        ("2001:db8::1", Class::Documentation),
        ("2001:4860:4860::8888", Class::Public),
        ("2002:7f00:1::", Class::Tunnel),
        ("2002:808:808::", Class::Tunnel),
        ("2606:4700::1111", Class::Public),
        ("3fff::1", Class::Documentation),
        ("3fff:fff::1", Class::Documentation),
        ("3fff:1000::1", Class::Public),
        ("4000::1", Class::Reserved),
        ("5f00::1", Class::Reserved),
        ("fbff::1", Class::Reserved),
        ("fc00::1", Class::Private),
        ("fd00:ec2::254", Class::Metadata),
        ("fd20:ce::254", Class::Metadata),
        ("fdff::1", Class::Private),
        ("fe00::1", Class::Reserved),
        ("fe80::1", Class::LinkLocal),
        ("febf::1", Class::LinkLocal),
        ("fec0::1", Class::Private),
        ("ff02::1", Class::Multicast),
    ];

    fn nets(names: &[&str]) -> Vec<IpNet> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn every_form_of_an_address_is_of_its_kind_and_only_public_ones_are_reached() {
        for (address, owed) in TABLE {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(class(address), *owed, "{address}");
            let judged = if *owed == Class::Public { Ok(()) } else { Err(*owed) };
            assert_eq!(judge(address, &[]), judged, "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_reached_in_every_form_and_nothing_beside_it() {
        let allowed = nets(&["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "10.9.9.9", "fd12::1"] {
            assert_eq!(judge(address.parse().unwrap(), &allowed), Ok(()), "{address}");
        }
        for address in ["127.0.0.2", "::1", "::127.0.0.1", "192.168.0.1", "fe80::1", "2002:a00:1::"] {
            assert!(judge(address.parse().unwrap(), &allowed).is_err(), "{address}");
        }
    }

    proptest! {
        #[test]
        fn an_address_and_its_mapped_and_translated_forms_are_judged_alike(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let (high, low) = ((bits >> 16) as u16, bits as u16);
            let translated = Ipv6Addr::new(0x64, 0xFF9B, 0, 0, 0, 0, high, low);
            prop_assert_eq!(class(v4.to_ipv6_mapped().into()), class(v4.into()));
            prop_assert_eq!(class(translated.into()), class(v4.into()));
        }

        #[test]
        fn no_address_that_the_standard_library_calls_local_is_public(bits: u128, v4: u32) {
            let (six, four) = (Ipv6Addr::from(bits), Ipv4Addr::from(v4));
            let local = six.is_loopback() || six.is_unspecified() || six.is_multicast()
                || six.is_unique_local() || six.is_unicast_link_local();
            prop_assert!(!local || class(six.into()) != Class::Public);
            let local = four.is_loopback() || four.is_private() || four.is_link_local() || four.is_multicast()
                || four.is_broadcast() || four.is_documentation() || four.is_unspecified();
            prop_assert!(!local || class(four.into()) != Class::Public);
        }
    }
}
