//! Members without a connection of their own, made by a back-end for devices that only publish: their media is what they are
//! there by.

use std::collections::BTreeMap;

use room::message::Seen;
use room::track::Sending;
use room::{
    Claims, Command, Hello, Loss, MemberId, Millis, Moment, Outputs, Refusal, Request, Resume, RoomId,
};

use super::journal::Write;
use super::task::Task;

/// How long whoever made the member has to begin publishing: somebody types the address into a program.
const FIRST_MEDIA: Millis = Millis::from_secs(600);

/// All of a room.
pub(super) struct Hosted {
    members: BTreeMap<MemberId, Media>,
    /// What of it is still to be written down.
    unwritten: Vec<(MemberId, bool)>,
    /// Commands are numbered by who sends them, and here that is us.
    commands: u32,
}

/// What comes from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// Nothing yet; until then.
    Expected(Moment),
    /// Something.
    Up,
    /// Nothing any more. The room keeps the place for its time of grace.
    Down,
}

impl Hosted {
    /// Those that were kept: what they publish is expected back.
    pub(super) fn new(members: Vec<MemberId>) -> Self {
        let members = members.into_iter().map(|member| (member, Media::Down)).collect();
        Self { members, unwritten: Vec::new(), commands: 0 }
    }

    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        self.members.values().filter_map(|media| media.expected()).min()
    }

    /// Those that were expected for too long.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<MemberId> {
        let is_due = |media: &Media| media.expected().is_some_and(|until| until <= now);
        let due = self.members.iter_mut().filter(|(_, media)| is_due(media));
        due.map(|(member, media)| {
            *media = Media::Down;
            *member
        })
        .collect()
    }

    /// Members that came and went, to be written down.
    pub(super) fn writes(&mut self, room: &RoomId) -> Vec<Write> {
        let unwritten = std::mem::take(&mut self.unwritten).into_iter();
        unwritten.map(|(member, there)| Write::Hosted { room: room.clone(), member, there }).collect()
    }

    /// A membership has ended.
    pub(super) fn forget(&mut self, member: MemberId) {
        if self.members.remove(&member).is_some() {
            self.unwritten.push((member, false));
        }
    }

    pub(super) fn has(&self, member: MemberId) -> bool {
        self.members.contains_key(&member)
    }
}

impl Media {
    fn expected(self) -> Option<Moment> {
        match self {
            Self::Expected(until) => Some(until),
            Self::Up | Self::Down => None,
        }
    }
}

impl Task {
    /// Makes such a member.
    pub(super) fn host(&mut self, claims: &Claims, now: Moment) -> (Result<MemberId, Refusal>, Outputs) {
        let (result, outputs) = self.room.join(claims, &Hello::default(), now);
        if let Ok(member) = result {
            self.hosted.members.insert(member, Media::Expected(now + FIRST_MEDIA));
            self.hosted.unwritten.push((member, true));
        }
        (result, outputs)
    }

    /// Does something as such a member.
    pub(super) fn act_as(
        &mut self,
        member: MemberId,
        command: Command,
        now: Moment,
    ) -> (Result<(), Refusal>, Outputs) {
        if !self.hosted.has(member) {
            let known = self.room.state().own.contains_key(&member);
            let refusal = if known { Refusal::NoRight } else { Refusal::UnknownMember };
            return (Err(refusal), Outputs::new());
        }
        let n = self.next_number(member);
        let outputs = self.room.handle(member, Request { n, command }, now);
        let result = outputs.iter().find_map(|output| match output {
            room::Output::Answer { result, .. } => Some(*result),
            _ => None,
        });
        (result.unwrap_or(Err(Refusal::Ended)), outputs)
    }

    /// Above what the member had answered, here or before a restart.
    fn next_number(&mut self, member: MemberId) -> u32 {
        let answered = self.room.state().hidden.answered.get(&member).copied().unwrap_or(0);
        self.hosted.commands = self.hosted.commands.max(answered) + 1;
        self.hosted.commands
    }

    /// The broadcast of a member has begun or is over.
    pub(super) fn handle_media(&mut self, member: MemberId, up: bool, now: Moment) -> Outputs {
        if up && self.room.state().all.state.place(member).is_none() {
            // It was let in while the member was on the stage, and has only begun now that it is not.
            let path = format!("{}/{}/{}", self.context.rooms.app(), self.room.id().as_str(), member.0);
            if let Ok(path) = media::Path::new(&path) {
                self.end_media(&path);
            }
            return Outputs::new();
        }
        let Some(media) = self.hosted.members.get_mut(&member) else { return Outputs::new() };
        let before = std::mem::replace(media, if up { Media::Up } else { Media::Down });
        if !up {
            return self.room.lost(member, Loss::Network, now);
        }
        let mut outputs = match before {
            Media::Expected(_) | Media::Up => Outputs::new(),
            Media::Down => self.come_back(member, now),
        };
        let sends = self.room.state().all.state.place(member).map(|place| place.sending);
        // What was muted meanwhile stays so: only the first media switches on what it is there for.
        if matches!(before, Media::Expected(_)) && sends == Some(Sending::default()) {
            let sending = Sending { sound: true, picture: true, screen: false };
            outputs.extend(self.act_as(member, Command::Publish { sending }, now).1);
        }
        outputs
    }

    fn come_back(&mut self, member: MemberId, now: Moment) -> Outputs {
        let Some(own) = self.room.state().own.get(&member).map(|own| own.state.clone()) else {
            return Outputs::new();
        };
        let room = self.room.id().clone();
        let claims = Claims { room, user: own.user, name: None, role: own.role, info: own.info };
        self.room.resume(&claims, Resume { member, seen: Seen::default() }, now).1
    }
}
