//! A turn: one input, the changes it led to, and whom they are told to.

use std::collections::BTreeSet;

use super::Room;
use crate::id::MemberId;
use crate::message::Seen;
use crate::output::{Goodbye, Output, Outputs};
use crate::rights::Role;
use crate::time::Moment;
use crate::track::{Change, Delta, Track, all, hidden};

/// The tracks a connection reads beside those of all and its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) stage: bool,
    pub(super) hosts: bool,
}

/// What has come of the input at hand so far.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) changes: Vec<Change>,
    pub(super) deltas: Vec<(Track, Delta)>,
    /// Members whose role or place changed.
    pub(super) touched: BTreeSet<MemberId>,
    pub(super) answers: Outputs,
    pub(super) closes: Outputs,
    /// Who came in, and what it has seen.
    pub(super) welcome: Option<(MemberId, Seen)>,
    pub(super) ended: Option<Goodbye>,
}

impl Room {
    /// Opens a turn: what has run out by now happens first, so that it never matters how often somebody looks.
    pub(super) fn begin(&mut self, now: Moment) -> Moment {
        self.latest = self.latest.max(now);
        self.catch_up(self.latest);
        self.latest
    }

    /// Makes a change and notes whom to tell.
    pub(super) fn put(&mut self, change: Change) {
        if let Change::All(all::Change::Up { place }) = &change {
            self.turn.touched.insert(place.member);
        }
        if let Change::All(all::Change::Down { member } | all::Change::Role { member, .. }) = &change {
            self.turn.touched.insert(*member);
        }
        if let Some((track, delta)) = self.state.apply(&change) {
            self.log.push(track, delta.clone());
            self.turn.deltas.push((track, delta));
        }
        self.turn.changes.push(change);
    }

    pub(super) fn put_all(&mut self, change: all::Change) {
        self.put(Change::All(change));
    }

    pub(super) fn put_hidden(&mut self, change: hidden::Change) {
        self.put(Change::Hidden(change));
    }

    /// Closes a turn: written first, then told, then answered.
    pub(super) fn commit(&mut self, now: Moment) -> Outputs {
        let turn = std::mem::take(&mut self.turn);
        let mut out = Outputs::new();
        if !turn.changes.is_empty() {
            out.push(Output::Persist(turn.changes));
        }
        out.extend(turn.deltas.into_iter().map(|(to, delta)| Output::Delta { to, delta }));
        for member in turn.touched {
            if turn.welcome.is_none_or(|(newcomer, _)| newcomer != member) {
                self.reread(member, &mut out);
            }
        }
        out.extend(turn.answers);
        out.extend(turn.closes);
        if let Some((member, seen)) = turn.welcome {
            out.extend(self.welcome(member, seen, now));
        }
        out.extend(turn.ended.map(|reason| Output::Ended { reason }));
        out
    }

    /// Shows and hides tracks after a change of role or place.
    fn reread(&mut self, member: MemberId, out: &mut Outputs) {
        let wants = self.reads(member);
        let Some(reads) = self.connected.get_mut(&member) else { return };
        let had = std::mem::replace(reads, wants);
        let tracks = [(Track::Stage, had.stage, wants.stage), (Track::Hosts, had.hosts, wants.hosts)];
        for (track, had, wants) in tracks {
            if had && !wants {
                out.push(Output::Hide { to: member, track });
            } else if wants && !had {
                let view = self.state.view(track);
                out.extend(view.map(|view| Output::Show { to: member, view: Box::new(view) }));
            }
        }
    }

    pub(super) fn reads(&self, member: MemberId) -> Reads {
        let hosts = self.own(member).is_some_and(|own| own.role > Role::Guest);
        Reads { stage: hosts || self.is_on_stage(member), hosts }
    }
}
