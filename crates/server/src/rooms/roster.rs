//! Whose member is whose, for whoever must know at once: it is kept up to date by the room's task as changes are written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use room::track::hidden;
use room::track::{all, hosts};
use room::{Change, MemberId, State, UserId};
use tokio_util::sync::CancellationToken;

/// The members of one room.
#[derive(Default)]
pub(crate) struct Roster(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    users: BTreeMap<MemberId, UserId>,
    banned: BTreeSet<UserId>,
    /// Of members whose leaving somebody waits for.
    left: BTreeMap<MemberId, CancellationToken>,
}

impl Roster {
    pub(super) fn new(state: &State) -> Self {
        let users = state.own.iter().map(|(member, own)| (*member, own.state.user.clone())).collect();
        let banned = state.hosts.state.bans.iter().map(|ban| ban.user.clone()).collect();
        Self(Mutex::new(Inner { users, banned, left: BTreeMap::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose member this is.
    pub(crate) fn user(&self, member: MemberId) -> Option<UserId> {
        self.lock().users.get(&member).cloned()
    }

    pub(crate) fn has_banned(&self, user: &UserId) -> bool {
        self.lock().banned.contains(user)
    }

    /// What is cancelled when the member of this user leaves; nothing where it is another's.
    pub(crate) fn left(&self, member: MemberId, user: &UserId) -> Option<CancellationToken> {
        let mut inner = self.lock();
        let theirs = inner.users.get(&member) == Some(user);
        theirs.then(|| inner.left.entry(member).or_default().clone())
    }

    /// Something was written down.
    pub(super) fn note(&self, change: &Change) {
        match change {
            Change::Hidden(hidden::Change::Entered { own }) => {
                self.lock().users.insert(own.id, own.user.clone());
            }
            Change::Hidden(hidden::Change::Gone { member, .. }) => {
                let mut inner = self.lock();
                inner.users.remove(member);
                if let Some(left) = inner.left.remove(member) {
                    left.cancel();
                }
            }
            Change::Hosts(hosts::Change::Banned { ban }) => {
                self.lock().banned.insert(ban.user.clone());
            }
            Change::Hosts(hosts::Change::Unbanned { user }) => {
                self.lock().banned.remove(user);
            }
            Change::All(all::Change::Ended { .. }) => {
                let mut inner = self.lock();
                inner.users.clear();
                std::mem::take(&mut inner.left).into_values().for_each(|left| left.cancel());
            }
            Change::All(_) | Change::Stage(_) | Change::Hosts(_) | Change::Own(..) | Change::Hidden(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use room::{Claims, Hello, Moment, Output, Role, Room, RoomId, Template};

    use super::*;

    fn noted(roster: &Roster, outputs: &room::Outputs) {
        for output in outputs {
            if let Output::Persist(changes) = output {
                changes.iter().for_each(|change| roster.note(change));
            }
        }
    }

    #[test]
    fn a_member_is_its_users_until_it_leaves_and_whoever_waits_for_that_is_told() {
        let now = Moment::from_millis(1);
        let id = RoomId::new("r").unwrap();
        let (mut room, _) = Room::new(id.clone(), "room", Template::Meeting.settings(), now);
        let roster = Roster::new(room.state());
        let ann = UserId::new("ann").unwrap();
        let claims = Claims {
            room: id,
            user: ann.clone(),
            name: Some("Ann".into()),
            role: Role::Guest,
            info: String::new(),
        };
        let (member, outputs) = room.join(&claims, &Hello::default(), now);
        let member = member.unwrap();
        assert_eq!(roster.user(member), None, "nobody is told before it is written down");
        noted(&roster, &outputs);
        assert_eq!(roster.user(member), Some(ann.clone()));
        assert!(roster.left(member, &UserId::new("bo").unwrap()).is_none());
        let left = roster.left(member, &ann).unwrap();
        let again = Roster::new(room.state());
        assert_eq!(again.user(member), Some(ann.clone()), "a room that is back knows its members");
        let ban = room::Command::Ban { member };
        noted(&roster, &room.handle(room::Actor::Backend, room::Request { n: 0, command: ban }, now));
        assert!(left.is_cancelled() && roster.has_banned(&ann) && roster.left(member, &ann).is_none());
    }
}
