//! What will happen at which moment, if nothing happens before.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{ChatId, MemberId};
use crate::time::{Millis, Moment};
use crate::track::State;

/// Reactions are told four times a second, however many there are.
pub(crate) const TALLY_EVERY: Millis = Millis(250);
/// The audience is counted once a second, however many come and go.
pub(crate) const COUNT_EVERY: Millis = Millis(1_000);

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The place of a member without a connection.
    Grace(MemberId),
    Hand(MemberId),
    Invitation(MemberId),
    /// A line of chat without a verdict.
    Held(ChatId),
    Ring,
    HostAway,
    Empty,
    Tally,
    Audience,
}

/// All that is set, each timer once.
#[derive(Default)]
pub(crate) struct Timers {
    at: BTreeMap<Timer, Moment>,
    order: BTreeSet<(Moment, Timer)>,
}

impl Timers {
    /// Sets a timer, in place of what it was set to.
    pub(crate) fn set(&mut self, timer: Timer, at: Moment) {
        self.stop(timer);
        self.at.insert(timer, at);
        self.order.insert((at, timer));
    }

    /// Sets a timer that is not set.
    pub(crate) fn begin(&mut self, timer: Timer, at: Moment) {
        if !self.at.contains_key(&timer) {
            self.set(timer, at);
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    pub(crate) fn next(&self) -> Option<Moment> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The first that has run out by `now`, with the moment it was set to.
    pub(crate) fn take_due(&mut self, now: Moment) -> Option<(Moment, Timer)> {
        let (at, timer) = *self.order.first().filter(|(at, _)| *at <= now)?;
        self.stop(timer);
        Some((at, timer))
    }

    /// The timers a room needs that was read back.
    pub(crate) fn of(state: &State, now: Moment) -> Self {
        let mut timers = Self::default();
        for (member, own) in &state.own {
            if let Some(until) = own.state.away_until {
                timers.set(Timer::Grace(*member), until);
            }
        }
        let hosts = &state.hosts.state;
        hosts.hands.iter().for_each(|hand| timers.set(Timer::Hand(hand.member), hand.until));
        hosts.invitations.iter().for_each(|open| timers.set(Timer::Invitation(open.member), open.until));
        state.hidden.held.iter().for_each(|(chat, held)| timers.set(Timer::Held(*chat), held.until));
        let all = &state.all.state;
        let at = [
            (Timer::Ring, all.ringing_until),
            (Timer::HostAway, all.host_until),
            (Timer::Empty, state.hidden.empty_until),
            (Timer::Tally, (!state.hidden.tally.is_empty()).then_some(now + TALLY_EVERY)),
            (Timer::Audience, (state.counted() != all.audience).then_some(now + COUNT_EVERY)),
        ];
        at.into_iter()
            .filter_map(|(timer, at)| Some((timer, at?)))
            .for_each(|(timer, at)| timers.set(timer, at));
        timers
    }
}
