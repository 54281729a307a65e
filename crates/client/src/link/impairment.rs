//! What a link does to packets, as scenarios in TOML and the command line name it.

use serde::{Deserialize, Serialize};

/// Longer delays are no network that anybody calls over.
const DELAY_MS_MAX: u32 = 60_000;

/// How one direction behaves. The default is a perfect one. Shares are in percent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Impairment {
    /// Packets lost, each by itself.
    pub loss: f64,
    /// Packets lost in bursts, beside those.
    pub burst: Option<Burst>,
    /// On the way for this long.
    pub delay_ms: u32,
    /// Standard deviation of the delay; a packet may overtake others by it.
    pub jitter_ms: u32,
    /// Packets that take no time at all and so overtake others.
    pub reorder: f64,
    /// Packets that arrive twice.
    pub duplicate: f64,
    /// Packets that arrive with a bit turned.
    pub corrupt: f64,
    /// A bottleneck of so many kilobits a second.
    pub rate_kbps: Option<u32>,
    /// What queues at the bottleneck for longer than this is dropped.
    pub queue_ms: u32,
    /// Nothing passes.
    pub outage: bool,
    /// UDP does not pass, as in many offices and schools.
    pub no_udp: bool,
}

/// Gilbert and Elliott's model: a good state that loses nothing and a bad one that loses `loss`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// From good to bad, each packet.
    pub enter: f64,
    /// From bad to good, each packet: bursts are 100 / `leave` packets long on average.
    pub leave: f64,
    /// Lost of those in the bad state.
    #[serde(default = "all")]
    pub loss: f64,
}

fn all() -> f64 {
    100.0
}

/// A value that no link can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {what}")]
pub struct Invalid {
    /// The key.
    pub key: &'static str,
    /// What is wrong, and what would do.
    pub what: String,
}

impl Default for Impairment {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: None,
            delay_ms: 0,
            jitter_ms: 0,
            reorder: 0.0,
            duplicate: 0.0,
            corrupt: 0.0,
            rate_kbps: None,
            queue_ms: 300,
            outage: false,
            no_udp: false,
        }
    }
}

impl Burst {
    /// The share of packets that it loses over a long time, in percent.
    pub fn share(&self) -> f64 {
        self.loss * self.enter / (self.enter + self.leave)
    }
}

impl Impairment {
    /// The first value that cannot be.
    ///
    /// # Errors
    /// [`Invalid`], which names it.
    pub fn check(&self) -> Result<(), Invalid> {
        let burst = self.burst.unwrap_or(Burst { enter: 0.0, leave: 100.0, loss: 0.0 });
        let shares = [
            ("loss", self.loss),
            ("burst.enter", burst.enter),
            ("burst.leave", burst.leave),
            ("burst.loss", burst.loss),
            ("reorder", self.reorder),
            ("duplicate", self.duplicate),
            ("corrupt", self.corrupt),
        ];
        if let Some((key, share)) = shares.into_iter().find(|(_, share)| !(0.0..=100.0).contains(share)) {
            return Err(Invalid { key, what: format!("is {share} but must be 0 to 100 percent") });
        }
        if burst.leave <= 0.0 {
            return Err(Invalid {
                key: "burst.leave",
                what: "must be more than 0: the first burst would never end".into(),
            });
        }
        let times = [("delay_ms", self.delay_ms), ("jitter_ms", self.jitter_ms), ("queue_ms", self.queue_ms)];
        if let Some((key, time)) = times.into_iter().find(|(_, time)| *time > DELAY_MS_MAX) {
            return Err(Invalid { key, what: format!("is {time} but must be at most {DELAY_MS_MAX}") });
        }
        match self.rate_kbps {
            Some(0) => Err(Invalid {
                key: "rate_kbps",
                what: "must be more than 0; outage = true passes nothing".into(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}
