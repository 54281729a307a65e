//! The names and addresses by which this machine can be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host with more has containers by the hundred, whose addresses nobody types.
const ADDRESSES_MAX: usize = 64;

/// This machine's addresses, loopback among them; link-local ones of IPv6 are left out, for they mean nothing without
/// an interface, which no URL can name.
pub fn addresses() -> Vec<IpAddr> {
    let v4 = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut all: Vec<IpAddr> = ipv4(&v4).map(IpAddr::V4).chain(ipv6(&v6).map(IpAddr::V6)).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(ADDRESSES_MAX);
    all
}

/// The machine's own name; `None` where it has none that a certificate could bear.
pub fn host_name() -> Option<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?.trim_end_matches('.').to_ascii_lowercase();
    is_dns_name(&name).then_some(name)
}

/// Letters, digits, dashes and dots as names of hosts have them (RFC 1123 §2.1).
pub fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// `/proc/net/fib_trie` shows each local address as a leaf, and what it is on the next line.
fn ipv4(trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut leaf = None;
    trie.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
            return None;
        }
        if line == "/32 host LOCAL" { leaf } else { None }
    })
}

/// `/proc/net/if_inet6`: the address in hexadecimal without colons, then the interface, prefix and scope.
fn ipv6(table: &str) -> impl Iterator<Item = Ipv6Addr> {
    table.lines().filter_map(|line| {
        let hexadecimal = line.split_ascii_whitespace().next()?;
        let address = Ipv6Addr::from(u128::from_str_radix(hexadecimal, 16).ok()?);
        (!address.is_unicast_link_local()).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_told_from_networks_and_broadcasts() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 192.168.1.0\n        \
            /24 link UNICAST\nLocal:\n     |-- 192.168.1.5\n        /32 host LOCAL\n     |-- 192.168.1.255\n        \
            /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        let found: Vec<_> = ipv4(trie).collect();
        assert_eq!(found, [Ipv4Addr::new(192, 168, 1, 5), Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn addresses_that_need_an_interface_are_left_out() {
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
            fe800000000000000000000000000001 02 40 20 80     eth0\n\
            20010db8000000000000000000000007 02 40 00 00     eth0\n";
        let found: Vec<_> = ipv6(table).collect();
        assert_eq!(found, [Ipv6Addr::LOCALHOST, "2001:db8::7".parse().unwrap()]);
    }

    #[test]
    fn this_machine_reaches_itself() {
        assert!(addresses().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn only_what_is_a_host_s_name_is_one() {
        for name in ["studio", "a-b.example", "9.local"] {
            assert!(is_dns_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", "a..b", "-a", "a_b", "*.example", "a b", "é", &long] {
            assert!(!is_dns_name(name), "{name}");
        }
    }
}
