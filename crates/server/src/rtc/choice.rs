//! A viewer's choice of a layer, carried out: what is known is brought to [`Chooser`], and what it decides to the machine
//! that reckons bandwidth, to the publisher and to the viewer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::choose::{Chooser, Conditions, Decision, Layer, Pictures, Reason, View};
use super::control::{LOOK_EVERY, Told, name};
use super::layers::{Layers, Want};
use super::way::{Outlook, Wishes};
use crate::sessions::Session;

/// One viewer's choice.
pub(super) struct Choice {
    chooser: Chooser,
    layers: Arc<Layers>,
    seen: Vec<Layer>,
    want: Option<Want>,
    decision: Decision,
    look: Instant,
    /// Whose layer it is shown beside.
    session: Option<Arc<Session>>,
    shown: Option<(Pictures, Option<u64>)>,
    /// What the viewer has not been told yet: that pictures go or come, and which.
    untold: Vec<Told>,
}

impl Choice {
    /// Of a viewer whose way is like this.
    pub(super) fn new(
        layers: &Arc<Layers>,
        way: Outlook,
        session: Option<Arc<Session>>,
        now: Instant,
    ) -> Self {
        let decision =
            Decision { pictures: Pictures::Lane(0), reason: Reason::Source, wishes: Wishes::default() };
        let mut choice = Self {
            chooser: Chooser::default(),
            layers: Arc::clone(layers),
            seen: Vec::new(),
            want: None,
            decision,
            look: now,
            session,
            shown: None,
            untold: Vec::new(),
        };
        choice.decide(now, way, Duration::ZERO);
        choice
    }

    pub(super) fn handle_view(&mut self, view: View, now: Instant) {
        self.chooser.handle_view(view);
        self.look = now;
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.look
    }

    pub(super) fn pictures(&self) -> Pictures {
        self.decision.pictures
    }

    /// It was chosen so for want of room: whatever is sent beside it makes less of that.
    pub(super) fn is_by_room(&self) -> bool {
        self.decision.reason == Reason::Bandwidth && !self.is_misjudged()
    }

    /// What is lost is lost by chance, or comes unevenly by itself.
    fn is_misjudged(&self) -> bool {
        self.decision.wishes.floor_bps.is_some()
    }

    /// A lane whose pictures come now, for somebody who cannot wait for what was chosen.
    pub(super) fn at_hand(&self) -> Option<u8> {
        let comes = |lane: u8| self.seen.iter().any(|layer| layer.lane == lane && layer.is_heard);
        match self.decision.pictures {
            Pictures::Lane(lane) if comes(lane) => Some(lane),
            Pictures::Lane(_) | Pictures::Withheld => {
                self.seen.iter().rev().find(|layer| layer.is_heard).map(|layer| layer.lane)
            }
        }
    }

    /// Chooses anew, and tells what is to be done about the way; `behind` is how long the next packet has waited.
    pub(super) fn handle_timeout(&mut self, now: Instant, way: Outlook, behind: Duration) -> Wishes {
        self.decide(now, way, behind);
        self.decision.wishes
    }

    fn decide(&mut self, now: Instant, way: Outlook, behind: Duration) {
        self.look = now + LOOK_EVERY;
        self.layers.look(now, &mut self.seen);
        let conditions = Conditions { layers: &self.seen, way, behind };
        let before = self.decision.pictures;
        self.decision = self.chooser.handle_conditions(now, &conditions);
        let is_by_room = self.decision.reason == Reason::Bandwidth;
        match (before, self.decision.pictures) {
            (Pictures::Lane(_), Pictures::Withheld) if is_by_room => {
                self.untold.push(Told::Video { state: "paused", reason: "bandwidth" });
            }
            (Pictures::Withheld, Pictures::Lane(_)) if is_by_room => {
                self.untold.push(Told::Video { state: "playing", reason: "bandwidth" });
            }
            (Pictures::Lane(_) | Pictures::Withheld, _) => {}
        }
        self.want = match self.decision.pictures {
            Pictures::Lane(lane) => match self.want.take() {
                Some(want) if want.is_for(lane) => Some(want),
                // The new wish before the old one goes: nobody is let rest between.
                former => {
                    let want = self.layers.want(lane);
                    drop(former);
                    Some(want)
                }
            },
            Pictures::Withheld => None,
        };
        self.show(way.estimate_bps);
    }

    /// The viewer gets pictures of this lane from now on.
    pub(super) fn handle_lane(&mut self, lane: u8) {
        if let Some((rid, (width, height))) = self.layers.named(lane) {
            let reason = name(self.decision.reason);
            self.untold.retain(|told| !matches!(told, Told::Layer { .. }));
            self.untold.push(Told::Layer { rid, width, height, reason });
        }
    }

    /// What the viewer is to be told next.
    pub(super) fn take_told(&mut self) -> Option<Told> {
        (!self.untold.is_empty()).then(|| self.untold.remove(0))
    }

    /// Nobody listens: only what is still so when somebody does is worth telling.
    pub(super) fn forget_told(&mut self) {
        let keep = self.untold.len().saturating_sub(2);
        self.untold.drain(..keep);
    }

    /// For people to look at, when it has changed by more than anybody would see.
    fn show(&mut self, estimate_bps: Option<u64>) {
        let Some(session) = &self.session else { return };
        let rounded = estimate_bps.map(|bps| bps / 50_000);
        if self.shown.replace((self.decision.pictures, rounded)) == Some((self.decision.pictures, rounded)) {
            return;
        }
        let layer = match self.decision.pictures {
            Pictures::Lane(lane) => self.layers.named(lane),
            Pictures::Withheld => None,
        };
        session.set_view(crate::sessions::View { layer, estimate_bps });
    }
}
