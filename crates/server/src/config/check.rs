//! Rules about the configuration that types cannot express.

use std::net::IpAddr;
use std::time::Duration;

use super::{Config, Source, hooks};
use crate::interfaces;

/// A setting that cannot work, and what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {what}")]
pub struct Invalid {
    /// `section.key`.
    pub key: &'static str,
    /// What is wrong with its value, and the remedy.
    pub what: String,
}

/// Let's Encrypt puts no more names into one certificate.
const ACME_DOMAINS_MAX: usize = 100;
/// HLS players reload every target duration and buffer three of them; longer ones are of no use live.
const SEGMENT_MAX: Duration = Duration::from_secs(60);
/// Below this the requests cost more than the waiting saves.
const PART_MIN: Duration = Duration::from_millis(100);
/// Far more than eight target durations of two-second segments.
const SEGMENTS_MAX: usize = 200;
/// More copies of a datagram help nobody: of eight, one in seventeen is lost where seventy in a hundred are.
pub(super) const COPIES_MAX: usize = 8;

impl Config {
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Invalid> {
        self.access.check()?;
        self.rooms.check()?;
        self.check_tls()?;
        self.check_telemetry()?;
        self.check_hls()?;
        self.check_ladder()?;
        self.check_api()?;
        self.check_times()?;
        hooks::check(&self.hooks)
    }

    fn check_api(&self) -> Result<(), Invalid> {
        let what = || "must be at least 1: the console could not ask anything".into();
        match &self.api {
            api if api.requests_per_second == 0 => {
                Err(Invalid { key: "api.requests_per_second", what: what() })
            }
            api if api.burst == 0 => Err(Invalid { key: "api.burst", what: what() }),
            _ => Ok(()),
        }
    }

    fn check_tls(&self) -> Result<(), Invalid> {
        let tls = &self.tls;
        let invalid = |key, what: &str| Err(Invalid { key, what: what.into() });
        if tls.sources().count() > 1 {
            let what =
                "comes from one place: tls.certificate with tls.key, tls.acme_domains, or tls.local_ca";
            return invalid("tls.certificate", what);
        }
        let wanted = self.http.tls_listen.or(self.rtmp.tls_listen).is_some();
        match tls.source() {
            None if wanted => invalid(
                "tls.certificate",
                "must name a PEM file where a tls_listen is set, or tls.acme_domains or tls.local_ca be set",
            ),
            None => Ok(()),
            Some(Source::Files) if tls.certificate.is_none() => {
                invalid("tls.certificate", "must name the PEM file to which tls.key belongs")
            }
            Some(Source::Files) if tls.key.is_none() => {
                invalid("tls.key", "must name the PEM file of the key to tls.certificate")
            }
            Some(Source::Acme) => self.check_acme(),
            Some(Source::LocalCa) if self.http.tls_listen.is_none() => {
                invalid("tls.local_ca", "is of use with http.tls_listen only, such as 0.0.0.0:8443")
            }
            Some(Source::Files | Source::LocalCa) => Ok(()),
        }
    }

    fn check_telemetry(&self) -> Result<(), Invalid> {
        let Some(endpoint) = &self.telemetry.otlp_endpoint else { return Ok(()) };
        let names_host =
            endpoint.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        match names_host {
            true => Ok(()),
            false => Err(Invalid {
                key: "telemetry.otlp_endpoint",
                what: format!(
                    "is {endpoint:?} but must be http:// and a host, such as a collector on this machine that goes on by TLS"
                ),
            }),
        }
    }

    fn check_acme(&self) -> Result<(), Invalid> {
        let invalid = |key, what: String| Err(Invalid { key, what });
        let tls = &self.tls;
        if self.http.tls_listen.is_none() {
            let what = "needs http.tls_listen, to which port 443 of every name leads";
            return invalid("tls.acme_domains", what.into());
        }
        let is_name = |name: &&String| interfaces::is_dns_name(name) && name.parse::<IpAddr>().is_err();
        if let Some(name) = tls.acme_domains.iter().find(|name| !is_name(name)) {
            let what =
                format!("holds {name:?}, which is no name of a host (wildcards and addresses cannot be had)");
            return invalid("tls.acme_domains", what);
        }
        if tls.acme_domains.len() > ACME_DOMAINS_MAX {
            let what = format!("has more than {ACME_DOMAINS_MAX} names");
            return invalid("tls.acme_domains", what);
        }
        if !tls.acme_directory.starts_with("https://") {
            let what = format!("is {:?} but must begin with https://", tls.acme_directory);
            return invalid("tls.acme_directory", what);
        }
        match tls.acme_contact.iter().find(|address| !address.contains('@') || address.contains(':')) {
            Some(address) => invalid(
                "tls.acme_contact",
                format!("holds {address:?}; mail addresses stand in it, such as ops@live.example"),
            ),
            None => Ok(()),
        }
    }

    fn check_hls(&self) -> Result<(), Invalid> {
        let hls = &self.hls;
        let invalid = |key, what: String| Err(Invalid { key, what });
        if hls.segment_max.subsec_nanos() != 0 || hls.segment_max.is_zero() || hls.segment_max > SEGMENT_MAX {
            let what = format!("is {} but must be whole seconds, 1000 to 60000", hls.segment_max.as_millis());
            return invalid("hls.segment_max_ms", what);
        }
        if hls.segment_min > hls.segment_max {
            let what = format!("is {}, above hls.segment_max_ms", hls.segment_min.as_millis());
            return invalid("hls.segment_min_ms", what);
        }
        if hls.part < PART_MIN || hls.part > hls.segment_max / 2 {
            let what = format!("is {} but must be 100 to half of hls.segment_max_ms", hls.part.as_millis());
            return invalid("hls.part_ms", what);
        }
        if !(3..=SEGMENTS_MAX).contains(&hls.segments) {
            return invalid("hls.segments", format!("is {} but must be 3 to {SEGMENTS_MAX}", hls.segments));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), Invalid> {
        let positive = [
            ("http.header_ms", self.http.header),
            ("http.idle_ms", self.http.idle),
            ("rtmp.set_up_ms", self.rtmp.set_up),
            ("rtc.set_up_ms", self.rtc.set_up),
            ("publish.idle_ms", self.publish.idle),
            ("egress.lag_max_ms", self.egress.lag_max),
            ("egress.stalled_max_ms", self.egress.stalled_max),
            ("hls.idle_ms", self.hls.idle),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| value.is_zero()) {
            return Err(Invalid { key, what: "must be more than 0".into() });
        }
        if self.egress.latency > self.egress.latency_max {
            let what = format!("is {}, above egress.latency_max_ms", self.egress.latency.as_millis());
            return Err(Invalid { key: "egress.latency_ms", what });
        }
        if !(1..=COPIES_MAX).contains(&self.rtc.copies_max) {
            let what = format!("is {} but must be 1 to {COPIES_MAX}", self.rtc.copies_max);
            return Err(Invalid { key: "rtc.copies_max", what });
        }
        let counts = [
            ("limits.broadcasts", self.limits.broadcasts),
            ("limits.connections", self.limits.connections),
            ("rtc.half_open_max", self.rtc.half_open_max),
        ];
        match counts.into_iter().find(|(_, count)| !(1..=1_000_000).contains(count)) {
            Some((key, count)) => Err(Invalid { key, what: format!("is {count} but must be 1 to 1000000") }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        config.check().err().map(|invalid| invalid.key)
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(broken(|_| {}), None);
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        assert_eq!(broken(|c| c.hls.segment_max = Duration::from_millis(5_500)), Some("hls.segment_max_ms"));
        assert_eq!(broken(|c| c.hls.segment_min = Duration::from_secs(7)), Some("hls.segment_min_ms"));
        assert_eq!(broken(|c| c.hls.part = Duration::from_millis(50)), Some("hls.part_ms"));
        assert_eq!(broken(|c| c.rtc.copies_max = 0), Some("rtc.copies_max"));
        assert_eq!(broken(|c| c.hls.segments = 0), Some("hls.segments"));
        assert_eq!(broken(|c| c.http.idle = Duration::ZERO), Some("http.idle_ms"));
        assert_eq!(broken(|c| c.egress.latency = Duration::from_secs(9)), Some("egress.latency_ms"));
        assert_eq!(broken(|c| c.limits.connections = 0), Some("limits.connections"));
        let tls = |c: &mut Config| c.http.tls_listen = Some(([127, 0, 0, 1], 8443).into());
        assert_eq!(broken(tls), Some("tls.certificate"));
        let acme = |domain: &'static str| {
            broken(move |c| {
                tls(c);
                c.tls.acme_domains = vec![domain.into()];
            })
        };
        assert_eq!(acme("live.example"), None);
        assert_eq!(
            (acme("*.example"), acme("192.0.2.1")),
            (Some("tls.acme_domains"), Some("tls.acme_domains"))
        );
        let both = |c: &mut Config| {
            tls(c);
            (c.tls.local_ca, c.tls.key) = (true, Some("key.pem".into()));
        };
        assert_eq!(broken(both), Some("tls.certificate"));
        assert_eq!(broken(|c| c.tls.local_ca = true), Some("tls.local_ca"));
        for endpoint in ["https://collector.example", "127.0.0.1:4318", "http://", "http:///v1"] {
            let wrong = broken(|c| c.telemetry.otlp_endpoint = Some(endpoint.into()));
            assert_eq!(wrong, Some("telemetry.otlp_endpoint"), "{endpoint}");
        }
    }
}
