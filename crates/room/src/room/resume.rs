//! Coming back on another connection, the first message to a connection, and sending everybody away for a while.

use super::{Claims, Done, Resume, Room};
use crate::id::MemberId;
use crate::message::{Seen, VERSION, Welcome};
use crate::output::{Goodbye, Output, Outputs};
use crate::refusal::Refusal;
use crate::time::{Millis, Moment};
use crate::track::Track;

impl Room {
    /// A member comes back: it gets what it missed. The outputs are to be done whatever the result.
    pub fn resume(
        &mut self,
        claims: &Claims,
        resume: Resume,
        now: Moment,
    ) -> (Result<MemberId, Refusal>, Outputs) {
        let now = self.begin(now);
        let result = self.readmit(claims, resume).map(|()| resume.member);
        (result, self.commit(now))
    }

    fn readmit(&mut self, claims: &Claims, resume: Resume) -> Done {
        self.let_in(claims)?;
        // The number is the client's word, the user is the token's: whoever guesses a number gains nothing.
        let theirs = self.own(resume.member).is_some_and(|own| own.user == claims.user);
        if !theirs {
            return Err(Refusal::UnknownMember);
        }
        self.attach(resume.member, Goodbye::Resumed);
        self.turn.welcome = Some((resume.member, resume.seen));
        Ok(())
    }

    pub(super) fn welcome(&mut self, member: MemberId, seen: Seen, now: Moment) -> Option<Output> {
        // The room may have ended in the same turn.
        self.connected.contains_key(&member).then_some(())?;
        let reads = self.reads(member);
        self.connected.insert(member, reads);
        let acknowledged = self.state.hidden.answered.get(&member).copied().unwrap_or(0);
        let mut welcome = Welcome {
            v: VERSION,
            room: self.id.clone(),
            member,
            now,
            answered: acknowledged.max(self.answers.highest(member)),
            tracks: vec![],
            states: vec![],
            deltas: vec![],
        };
        let tracks = [
            (Track::All, seen.all, true),
            (Track::Stage, seen.stage, reads.stage),
            (Track::Hosts, seen.hosts, reads.hosts),
            (Track::Own(member), seen.own, true),
        ];
        for (track, seen, _) in tracks.into_iter().filter(|(.., reads)| *reads) {
            self.catch_up_track(track, seen, &mut welcome);
        }
        Some(Output::Welcome { to: member, welcome: Box::new(welcome) })
    }

    fn catch_up_track(&self, track: Track, seen: Option<u64>, welcome: &mut Welcome) {
        welcome.tracks.push(track.into());
        let Some(now) = self.state.n(track) else { return };
        match seen.and_then(|seen| self.log.after(track, seen, now)) {
            Some(missed) => welcome.deltas.extend(missed),
            None => welcome.states.extend(self.state.view(track)),
        }
    }

    /// Tells everybody to come back, the first after `from`, the others spread over `over`: a server that starts is not
    /// trampled.
    pub fn drain(&mut self, from: Millis, over: Millis, now: Moment) -> Outputs {
        let now = self.begin(now);
        let many = self.connected.len().max(1) as u64;
        for (at, member) in (0_u64..).zip(self.connected.keys()) {
            let after = Millis(from.0.saturating_add(over.0.saturating_mul(at) / many));
            self.turn.answers.push(Output::Drain { to: *member, after });
        }
        self.commit(now)
    }
}
