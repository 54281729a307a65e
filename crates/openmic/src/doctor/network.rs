//! Ports, and who can reach them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use server::{Config, interfaces};

use super::finding::Finding;
use super::owner;

/// Where the server would listen, and whether by UDP.
fn listeners(config: &Config) -> Vec<(&'static str, SocketAddr, bool)> {
    let all = [
        ("http.listen", Some(config.http.listen), false),
        ("http.tls_listen", config.http.tls_listen, false),
        ("rtmp.listen", Some(config.rtmp.listen), false),
        ("rtmp.tls_listen", config.rtmp.tls_listen, false),
        ("rtc.listen", Some(config.rtc_listen()), false),
        ("rtc.listen", Some(config.rtc_listen()), true),
    ];
    all.into_iter().filter_map(|(key, at, is_udp)| Some((key, at?, is_udp))).collect()
}

pub(super) fn ports(config: &Config) -> Vec<Finding> {
    let ephemeral = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let ephemeral = range(&ephemeral);
    let listeners = listeners(config).into_iter();
    listeners
        .flat_map(|(key, at, is_udp)| [Some(port(key, at, is_udp)), borrowed(key, at, ephemeral)])
        .flatten()
        .collect()
}

fn port(key: &'static str, at: SocketAddr, is_udp: bool) -> Finding {
    let kind = if is_udp { "UDP" } else { "TCP" };
    // Nothing is accepted or answered: it is closed before anybody could connect.
    let bound = if is_udp { UdpSocket::bind(at).map(drop) } else { TcpListener::bind(at).map(drop) };
    let what = format!("{key} = {at} ({kind})");
    let Err(error) = bound else { return Finding::good("ports", format!("{what} is free")) };
    match error.kind() {
        ErrorKind::AddrInUse => match owner::of_port(at.port(), is_udp) {
            Some(name) if name.starts_with("openmic ") => {
                Finding::good("ports", format!("{what} is {name}, a server that runs"))
            }
            Some(name) => Finding::wrong(
                "ports",
                format!("{what} is in use by {name}"),
                "stop that program, or choose another port here",
            ),
            None => Finding::wrong(
                "ports",
                format!("{what} is in use by a program that cannot be seen"),
                "ask as root for its name, or choose another port here",
            ),
        },
        ErrorKind::PermissionDenied => Finding::wrong(
            "ports",
            format!("{what} needs a right that this user lacks"),
            "choose a port above 1023, or grant CAP_NET_BIND_SERVICE as packaging/openmic.service does",
        ),
        ErrorKind::AddrNotAvailable => Finding::wrong(
            "ports",
            format!("{what} is no address of this machine"),
            format!("it has {}; 0.0.0.0 is all of them", list(&interfaces::addresses())),
        ),
        _ => Finding::wrong(
            "ports",
            format!("{what} cannot be listened on: {error}"),
            "choose another address",
        ),
    }
}

/// A port that outgoing connections take, too, is some day taken by one when the server starts again.
fn borrowed(key: &'static str, at: SocketAddr, ephemeral: Option<(u16, u16)>) -> Option<Finding> {
    let (first, last) = ephemeral?;
    let is_within = (first..=last).contains(&at.port());
    is_within.then(|| {
        Finding::doubt(
            "ports",
            format!("{key} = {at} lies within net.ipv4.ip_local_port_range, {first} to {last}"),
            format!("choose another, or: sysctl -w net.ipv4.ip_local_reserved_ports={}", at.port()),
        )
    })
}

fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_ascii_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn reach(config: &Config) -> Vec<Finding> {
    let beyond = |at: &SocketAddr| !at.ip().is_loopback();
    if !listeners(config).iter().any(|(_, at, _)| beyond(at)) {
        let what = "the server listens for this machine only";
        return vec![Finding::good("reach", what)];
    }
    let mut findings = vec![rtc_reach(config)];
    if config.http.tls_listen.filter(beyond).is_none() {
        findings.push(Finding::doubt(
            "reach",
            "pages are reached without TLS: browsers give no camera or microphone to them",
            "set http.tls_listen with tls.acme_domains, or with tls.local_ca on a LAN, or put a proxy in front that ends TLS",
        ));
    }
    if config.access.open_to_everyone {
        let what = "access.open_to_everyone = true: whoever reaches this server may publish and watch";
        findings.push(Finding::doubt(
            "reach",
            what,
            "make keys with `openmic token init` unless that is meant",
        ));
    }
    findings
}

fn rtc_reach(config: &Config) -> Finding {
    let at = config.rtc_listen();
    if !config.rtc.public.is_empty() {
        return Finding::good("reach", format!("WebRTC peers are told {}", list(&config.rtc.public)));
    }
    if at.ip().is_loopback() {
        return Finding::doubt(
            "reach",
            format!("rtc.listen = {at}: WebRTC works on this machine only"),
            "set rtc.listen = \"0.0.0.0:8189\" and let UDP through",
        );
    }
    let addresses = match at.ip().is_unspecified() {
        true => interfaces::addresses().into_iter().filter(|ip| !ip.is_loopback()).collect(),
        false => vec![at.ip()],
    };
    match addresses.iter().any(|ip| !is_private(ip)) {
        true => Finding::good(
            "reach",
            format!("WebRTC peers are told addresses of this machine, {}", list(&addresses)),
        ),
        false => Finding::doubt(
            "reach",
            format!(
                "this machine has private addresses only ({}): WebRTC works within its network",
                list(&addresses)
            ),
            "behind NAT or in a cloud set rtc.public to the address that the internet knows, and forward UDP",
        ),
    }
}

fn is_private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            // RFC 6598 beside RFC 1918: carriers and overlays.
            let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || is_shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "none".into() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn open() -> Config {
        let mut config = Config::default();
        config.access.open_to_everyone = true;
        config.http.listen = ([0, 0, 0, 0], 8080).into();
        config
    }

    #[test]
    fn a_port_in_use_is_wrong_and_its_owner_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let finding = port("http.listen", taken.local_addr().unwrap(), false);
        assert_eq!(finding.level, Level::Wrong);
        assert!(finding.what.contains(&format!("process {}", std::process::id())), "{finding}");
        assert_eq!(port("http.listen", ([127, 0, 0, 1], 0).into(), false).level, Level::Good);
        let foreign = port("http.listen", ([192, 0, 2, 1], 8080).into(), false);
        assert!(foreign.level == Level::Wrong && foreign.remedy.contains("127.0.0.1"), "{foreign}");
    }

    #[test]
    fn a_port_that_outgoing_connections_take_is_doubtful() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert!(borrowed("rtmp.listen", at(40_000), range("32768\t60999\n")).is_some());
        assert!(borrowed("rtmp.listen", at(1_935), range("32768\t60999\n")).is_none());
        assert!(borrowed("rtmp.listen", at(40_000), range("")).is_none());
    }

    #[test]
    fn who_can_reach_the_server_is_said_and_what_they_would_miss() {
        assert!(reach(&Config::default()).iter().all(|finding| finding.level == Level::Good));
        let texts: Vec<String> = reach(&open()).iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.contains("no camera")), "{texts:?}");
        assert!(texts.iter().any(|text| text.contains("openmic token init")), "{texts:?}");
        let mut public = open();
        public.rtc.public = vec![[203, 0, 113, 9].into()];
        assert_eq!(rtc_reach(&public).level, Level::Good);
        public.rtc =
            server::config::Rtc { listen: Some(([192, 168, 1, 5], 8189).into()), ..Default::default() };
        assert!(rtc_reach(&public).remedy.contains("rtc.public"));
    }
}
