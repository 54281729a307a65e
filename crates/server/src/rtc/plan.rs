//! What was agreed on with a peer, kept small until the peer shows itself: the protocol machine of a session takes three
//! times the memory that one which never connects may cost, so it is made for the answer, let go, and made again.

use std::sync::Arc;
use std::time::Instant;

use media::packet::Format;
use str0m::change::SdpOffer;
use str0m::media::Mid;
use str0m::rtp::Ssrc;
use str0m::{IceCreds, Rtc};

use super::offer::{self, Refusal};
use super::service::Service;

/// Which way media goes.
pub(super) enum Way {
    In,
    /// With these formats, of which there may be layers to choose from.
    Out {
        formats: Vec<Format>,
        is_reckoned: bool,
    },
    /// Whatever members of a room come to send.
    Stage {
        is_reckoned: bool,
    },
}

/// All that the machine is made of.
pub(super) struct Plan {
    offer: Arc<str>,
    credentials: IceCreds,
    way: Way,
    /// What the answer says of our streams, and a new machine would choose anew.
    sources: Vec<Source>,
}

struct Source {
    mid: Mid,
    ssrc: Ssrc,
    resent: Option<Ssrc>,
}

impl Plan {
    /// Takes an offer as it was read, and answers it.
    pub(super) fn new(
        service: &Service,
        (parsed, text): (SdpOffer, String),
        way: Way,
        now: Instant,
    ) -> Result<(Self, String), Refusal> {
        let credentials = IceCreds::new();
        let mut plan = Self { offer: text.into(), credentials, way, sources: Vec::new() };
        let (mut rtc, answer) = plan.machine(service, parsed, now)?;
        let mids = answer.lines().filter_map(|line| line.strip_prefix("a=mid:")).map(Mid::from);
        let source = |mid: Mid| {
            let mut api = rtc.direct_api();
            let stream = api.stream_tx_by_mid(mid, None)?;
            Some(Source { mid, ssrc: stream.ssrc(), resent: stream.rtx() })
        };
        plan.sources = mids.filter_map(source).collect();
        Ok((plan, answer))
    }

    /// The peer's offer, without its candidates.
    pub(super) fn offer(&self) -> &Arc<str> {
        &self.offer
    }

    /// Our half of the user name of the ICE session.
    pub(super) fn ufrag(&self) -> &str {
        &self.credentials.ufrag
    }

    /// The machine that the answer was given by, once more.
    pub(super) fn machine_again(&self, service: &Service, now: Instant) -> Result<Rtc, Refusal> {
        let (mut rtc, _) = self.machine(service, offer::again(&self.offer)?, now)?;
        let mut api = rtc.direct_api();
        for Source { mid, ssrc, resent } in &self.sources {
            if let Some(chosen) = api.stream_tx_by_mid(*mid, None).map(|stream| stream.ssrc()) {
                api.remove_stream_tx(chosen);
            }
            api.declare_stream_tx(*ssrc, *resent, *mid, None);
        }
        Ok(rtc)
    }

    fn machine(&self, service: &Service, offer: SdpOffer, now: Instant) -> Result<(Rtc, String), Refusal> {
        let config = service.machine(&self.offer, self.credentials.clone());
        let config = match &self.way {
            Way::In => offer::publishing(config, &self.offer),
            Way::Out { formats, is_reckoned } => {
                offer::watching(config, &self.offer, formats.iter().copied(), *is_reckoned)?
            }
            Way::Stage { is_reckoned } => offer::attending(config, &self.offer, *is_reckoned),
        };
        let mut rtc = config.build(now);
        service.add_candidates(&mut rtc);
        let answer =
            rtc.sdp_api().accept_offer(offer).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let answer = answer.to_sdp_string();
        let answer = match self.way {
            Way::In | Way::Out { .. } => offer::in_one_stream(&answer),
            // Whose sound and picture they are changes: browsers are not to hold one back for another.
            Way::Stage { .. } => answer,
        };
        Ok((rtc, offer::with_candidates_in_use(&answer)))
    }
}
