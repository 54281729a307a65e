//! Another configuration for a running server: read and checked whole before any of it takes effect, and no session ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use serde::Serialize;
use toml::{Table, Value};

use crate::access;
use crate::config::{Config, Invalid, LoadError};
use crate::context::Context;
use crate::tls;

/// Reads the configuration anew from where the server got it: file, environment, flags. Not checked yet.
pub type Source = Box<dyn Fn() -> Result<Config, LoadError> + Send + Sync>;

/// The configuration in effect, and where another one comes from.
pub(crate) struct Reload {
    current: ArcSwap<Config>,
    source: OnceLock<Source>,
    /// One reload at a time: two at once could each keep a half of the other's.
    turn: Mutex<()>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Keys (`section.key`) that have another value now.
    pub changed: Vec<String>,
    /// Keys whose new value waits for a restart; until then the old one is in effect.
    pub needs_restart: Vec<&'static str>,
}

/// Why the old configuration stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server was given its configuration by a program, which named no source of another.
    #[error("this server's configuration came from no file that could be read again")]
    NoSource,
    /// It cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A setting cannot work.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The keys cannot be used.
    #[error(transparent)]
    Access(#[from] access::Error),
}

impl Reload {
    pub(crate) fn new(config: Config) -> Self {
        Self { current: ArcSwap::from_pointee(config), source: OnceLock::new(), turn: Mutex::new(()) }
    }

    pub(crate) fn current(&self) -> Arc<Config> {
        self.current.load_full()
    }
}

impl Context {
    /// Names where [`Context::reload`] gets the configuration from. Only the first call counts: the source is that of
    /// the configuration which the server started with.
    pub fn set_source(&self, source: Source) {
        let _ = self.operation.reload.source.set(source);
    }

    /// Reads the configuration again and puts what can change live into effect. On an error nothing has changed.
    ///
    /// It reads files: call it where blocking is allowed.
    pub fn reload(&self) -> Result<Reloaded, Error> {
        let reload = &self.operation.reload;
        let _turn = reload.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = reload.source.get().ok_or(Error::NoSource)?()?;
        next.check()?;
        let before = reload.current();
        let needs_restart = take_back(&before, &mut next);
        // The old value of one key and the new one of another may not go together.
        next.check()?;
        let certificates = self.operation.certificates.as_ref();
        let prepared = certificates.map(|certificates| certificates.prepare(&next)).transpose()?;
        let access = self.access.reload(&next)?;
        let reloaded = Reloaded { changed: changes(&before, &next), needs_restart };
        self.operation.hooks.configure(&next);
        reload.current.store(Arc::new(next));
        access();
        if let Some((certificates, prepared)) = certificates.zip(prepared) {
            certificates.show(prepared);
        }
        tracing::info!(changed = ?reloaded.changed, needs_restart = ?reloaded.needs_restart, "configuration read again");
        Ok(reloaded)
    }
}

/// Takes back what a running server cannot change, and names it.
///
/// These are set up once at the start: sockets are bound, shards run, rings have their budget. Every other key is read
/// when it is used, so a session that begins after the reload goes by the new value.
macro_rules! fixed {
    ($($section:ident . $field:ident = $key:literal),* $(,)?) => {
        /// Keys that need a restart, as `section.key`.
        pub const NEEDS_RESTART: &[&str] = &[$($key),*];

        fn take_back(before: &Config, next: &mut Config) -> Vec<&'static str> {
            let mut taken = Vec::new();
            if before.tls.source() != next.tls.source() {
                // Where certificates come from is wired at the start, so the whole section waits.
                next.tls.clone_from(&before.tls);
                taken.push("tls");
            }
            $(if next.$section.$field != before.$section.$field {
                next.$section.$field.clone_from(&before.$section.$field);
                taken.push($key);
            })*
            taken
        }
    };
}

fixed! {
    http.listen = "http.listen",
    http.tls_listen = "http.tls_listen",
    rtmp.listen = "rtmp.listen",
    rtmp.tls_listen = "rtmp.tls_listen",
    rtc.listen = "rtc.listen",
    rtc.public = "rtc.public",
    rtc.half_open_max = "rtc.half_open_max",
    publish.grace = "publish.grace_ms",
    egress.shards = "egress.shards",
    egress.latency = "egress.latency_ms",
    egress.latency_max = "egress.latency_max_ms",
    egress.lag_max = "egress.lag_max_ms",
    egress.stalled_max = "egress.stalled_max_ms",
    tls.acme_domains = "tls.acme_domains",
    tls.acme_contact = "tls.acme_contact",
    tls.acme_directory = "tls.acme_directory",
    tls.acme_root = "tls.acme_root",
    tls.local_ca = "tls.local_ca",
    telemetry.otlp_endpoint = "telemetry.otlp_endpoint",
    transcode.ffmpeg = "transcode.ffmpeg",
    limits.broadcasts = "limits.broadcasts",
    limits.connections = "limits.connections",
    limits.ring_bytes = "limits.ring_bytes",
    data.dir = "data.dir",
    demo.enabled = "demo.enabled",
    rooms.app = "rooms.app",
    rooms.max = "rooms.max",
}

/// The keys whose printed values differ.
fn changes(before: &Config, next: &Config) -> Vec<String> {
    let (before, next) = (table(before), table(next));
    let names: BTreeSet<&String> = before.keys().chain(next.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != next.get(*name)).cloned().collect()
}

/// Every key that has a value, by its whole name.
fn table(config: &Config) -> BTreeMap<String, Value> {
    // What cannot be printed cannot have been read either.
    let sections = Table::try_from(config).unwrap_or_default();
    let keys = sections.into_iter().flat_map(|(section, value)| match value {
        Value::Table(keys) => {
            keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)).collect()
        }
        // A list of sections is one key.
        list => vec![(section, list)],
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_running_server_cannot_change_stays_and_is_named() {
        let before = Config::default();
        let mut next = before.clone();
        next.http.listen = ([127, 0, 0, 1], 9).into();
        next.egress.shards = 7;
        next.http.hosts = vec!["live.example".into()];
        assert_eq!(take_back(&before, &mut next), ["http.listen", "egress.shards"]);
        assert_eq!((next.http.listen, next.egress.shards), (before.http.listen, before.egress.shards));
        assert_eq!(changes(&before, &next), ["http.hosts"]);
    }

    #[test]
    fn certificates_from_elsewhere_wait_for_a_restart_as_a_whole() {
        let mut before = Config::default();
        (before.tls.certificate, before.tls.key) = (Some("c.pem".into()), Some("k.pem".into()));
        let mut next = Config::default();
        next.tls.local_ca = true;
        assert_eq!(take_back(&before, &mut next), ["tls"]);
        assert_eq!(next.tls, before.tls);
        next.tls.key = Some("other.pem".into());
        assert!(take_back(&before, &mut next).is_empty());
    }

    #[test]
    fn a_key_that_appears_or_goes_is_a_change() {
        let before = Config::default();
        let mut next = before.clone();
        next.tls.key = Some("key.pem".into());
        assert_eq!(changes(&before, &next), ["tls.key"]);
        assert_eq!(changes(&next, &before), ["tls.key"]);
    }

    #[test]
    fn the_example_marks_the_keys_that_need_a_restart_and_no_others() {
        let example = include_str!("../../../openmic.example.toml");
        let mut section = "";
        let mut marked = Vec::new();
        for line in example.lines().skip_while(|line| !line.starts_with('[')) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.split(']').next().unwrap();
            } else if line.ends_with("restart") {
                let key = line.trim_start_matches('#').split(' ').next().unwrap();
                marked.push(format!("{section}.{key}"));
            }
        }
        let mut needed = NEEDS_RESTART.to_vec();
        needed.sort_unstable();
        marked.sort_unstable();
        assert_eq!(marked, needed);
    }
}
