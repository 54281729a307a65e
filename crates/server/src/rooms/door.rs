//! Who may publish and watch what belongs to a room: its members at their own places while they are on the stage, whoever
//! has a token of the room its audience broadcast, and nobody else.

use media::Path;
use room::{Claims, MemberId, RoomId, UserId};

use super::Rooms;
use super::handle::Handle;
use super::stage::Attending;
use crate::access::{Caller, Credentials, Refused, Request, Why};
use crate::context::Context;
use crate::sessions::Action;

/// What a path in the app of rooms names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `{app}/{room}`: what the audience watches.
    Audience(RoomId),
    /// `{app}/{room}/{member}`: what a member on the stage publishes.
    Member(RoomId, MemberId),
    /// `{app}/{room}/{member}/others`: the others, for a member that has no other way to hear them.
    Others(RoomId, MemberId),
    /// Nothing that there is.
    Nothing,
}

impl Place {
    /// `None` outside the app of rooms.
    pub(super) fn of(app: &str, path: &Path) -> Option<Self> {
        let rest = path.as_str().strip_prefix(app)?.strip_prefix('/')?;
        let segments: Vec<&str> = rest.split('/').collect();
        let member = |text: &str| text.parse().ok().filter(|n: &u32| n.to_string() == text).map(MemberId);
        let place = match segments[..] {
            [room] => RoomId::new(room).map(Self::Audience),
            [room, n] => RoomId::new(room).zip(member(n)).map(|(room, member)| Self::Member(room, member)),
            [room, n, "others"] => {
                RoomId::new(room).zip(member(n)).map(|(room, member)| Self::Others(room, member))
            }
            _ => None,
        };
        Some(place.unwrap_or(Self::Nothing))
    }
}

fn forbidden(detail: &str) -> Refused {
    Refused { why: Why::Forbidden, detail: detail.into() }
}

impl Rooms {
    /// What a path names, if it is in the app of rooms.
    pub(crate) fn place(&self, path: &Path) -> Option<Place> {
        Place::of(&self.app, path)
    }
}

impl Context {
    /// Whether somebody may publish or watch at a place of a room.
    pub(crate) fn check_room(&self, place: &Place, request: &Request<'_>) -> Result<(), Refused> {
        let (Place::Audience(room) | Place::Member(room, _) | Place::Others(room, _)) = place else {
            return Err(forbidden("no room has such a broadcast"));
        };
        // A signed address was made by whoever holds the keys, for this very broadcast.
        let claims = match self.room_bearer(room, request.caller, request.query) {
            Ok(claims) => Some(claims),
            Err(refused) => match self.access.check(request) {
                Ok(()) => None,
                Err(other) => return Err(if refused.why == Why::Unauthorized { other } else { refused }),
            },
        };
        let handle = self.rooms.get(room).ok_or_else(no_room)?;
        let user = claims.map(|claims| claims.user);
        if user.as_ref().is_some_and(|user| handle.roster.has_banned(user)) {
            return Err(forbidden("you were banned from this room"));
        }
        match (request.action, place) {
            (Action::Play, Place::Audience(_)) => Ok(()),
            (Action::Publish, Place::Member(_, member)) => {
                if handle.stage.borrow().performer(*member).is_none() {
                    return Err(forbidden("this needs a place on the stage of the room"));
                }
                is_theirs(&handle, user, *member)
            }
            (Action::Play, Place::Others(_, member)) => is_theirs(&handle, user, *member),
            // What one member publishes is watched through the room, where nobody is heard twice or who is not to be.
            (Action::Play, Place::Member(..)) if user.is_none() => Ok(()),
            (Action::Publish | Action::Play, _) => Err(forbidden("your token does not allow this here")),
        }
    }

    /// Who brings a token of this room, as a bearer or in the query.
    fn room_bearer(&self, room: &RoomId, caller: &Caller, query: &str) -> Result<Claims, Refused> {
        let mut why = Refused { why: Why::Unauthorized, detail: "this needs a token of the room".into() };
        let credentials = Credentials::of(query, caller.bearer.as_deref());
        for token in credentials.tokens.into_iter().flatten().filter(|token| token.contains('.')) {
            match self.access.room_claims(caller, token, false) {
                Ok(claims) if claims.room == *room => return Ok(claims),
                Ok(_) => why = forbidden("the token is for another room"),
                Err(refused) => why = refused,
            }
        }
        Err(why)
    }

    /// Lets somebody attend a room's stage: whoever brings a token of the user whose member this is.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub fn attend(&self, room: &RoomId, member: MemberId, caller: &Caller) -> Result<Attending, Refused> {
        let claims = self.room_bearer(room, caller, "")?;
        let handle = self.rooms.get(room).ok_or_else(no_room)?;
        let left = handle.roster.left(member, &claims.user);
        let left = left.ok_or_else(|| forbidden("this is not your member of the room; join first"))?;
        let path = format!("{}/{}", self.rooms.app, room.as_str());
        let path = Path::new(&path).map_err(|error| forbidden(&error.to_string()))?;
        Ok(Attending { member, path, stage: handle.stage.clone(), left })
    }
}

fn no_room() -> Refused {
    forbidden("there is no such room")
}

/// Whether a member is there, and is this user's where a user asks.
fn is_theirs(handle: &Handle, user: Option<UserId>, member: MemberId) -> Result<(), Refused> {
    match (handle.roster.user(member), user) {
        (None, _) => Err(forbidden("there is no such member in the room")),
        (Some(owner), Some(user)) if owner != user => Err(forbidden("the token is another user's")),
        (Some(_), _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_place_of_a_room_in_one_way() {
        let of = |path: &str| Place::of("room", &Path::new(path).unwrap());
        let room = || RoomId::new("abcd-efgh").unwrap();
        assert_eq!(of("room/abcd-efgh"), Some(Place::Audience(room())));
        assert_eq!(of("room/abcd-efgh/3"), Some(Place::Member(room(), MemberId(3))));
        assert_eq!(of("room/abcd-efgh/3/others"), Some(Place::Others(room(), MemberId(3))));
        for nothing in
            ["room/a/03", "room/a/+3", "room/a/x", "room/a/3/other", "room/a b", "room/a/3/others/x"]
        {
            assert_eq!(of(nothing), Some(Place::Nothing), "{nothing}");
        }
        assert_eq!(of("rooms2/a"), None);
        assert_eq!(of("live/room"), None);
    }
}
