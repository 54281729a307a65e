//! What everybody in the room sees.

use serde::{Deserialize, Serialize};

use super::{Datum, Fold, set};
use crate::id::{ChatId, MemberId};
use crate::output::Goodbye;
use crate::rights::Role;
use crate::template::Template;
use crate::time::Moment;

/// The room for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct All {
    /// What kind of room this is.
    pub about: About,
    /// What is open.
    pub open: Open,
    /// Members listed by name, in the order of their numbers.
    pub members: Vec<Person>,
    /// How many more there are, as of the last count.
    pub audience: u32,
    /// Who is on the stage, in the order of coming up.
    pub stage: Vec<Place>,
    /// The newest lines of chat, oldest first.
    pub chat: Vec<Said>,
    /// Reactions so far.
    pub reactions: Vec<Count>,
    /// Custom data, in the order of keys.
    pub data: Vec<Datum>,
    /// Whose picture is followed, if the host chose.
    pub focus: Option<MemberId>,
    /// Until when a call rings.
    pub ringing_until: Option<Moment>,
    /// Until when the room waits for its host.
    pub host_until: Option<Moment>,
    /// That it is over.
    pub ended: Option<Ended>,
}

/// What kind of room this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its title, perhaps empty.
    pub title: String,
    /// Its template.
    pub template: Template,
    /// When it was made.
    pub born: Moment,
    /// How many lines of chat are kept: the oldest goes when one more is said.
    pub chat_kept: u32,
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Whether newcomers are let in.
    pub door: bool,
    /// Whether guests may write.
    pub chat: bool,
    /// Whether hands may be raised.
    pub hands: bool,
}

/// A listed member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// Its number.
    pub id: MemberId,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Whether it has lost its connection and may come back.
    pub away: bool,
    /// What its token says for the application's pages.
    pub info: String,
}

/// A place on the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Who has it.
    pub member: MemberId,
    /// Since when.
    pub since: Moment,
    /// What it sends.
    pub sending: Sending,
}

/// What a member on the stage sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    /// Sound.
    pub sound: bool,
    /// The picture of a camera.
    pub picture: bool,
    /// A screen; one at a time in a room.
    pub screen: bool,
}

/// A kind of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Sound.
    Sound,
    /// The picture of a camera.
    Picture,
    /// A screen.
    Screen,
}

/// A line of chat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Its number.
    pub id: ChatId,
    /// Who said it.
    pub member: MemberId,
    /// Under which name.
    pub by: String,
    /// When.
    pub at: Moment,
    /// What.
    pub text: String,
}

/// A reaction. The set is closed: applications map them to their pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Reaction {
    Like,
    Love,
    Laugh,
    Wow,
    Sad,
    Clap,
    Flower,
    Rocket,
}

/// How many of a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Which.
    pub reaction: Reaction,
    /// How many.
    pub count: u64,
}

/// That a room is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why.
    pub reason: Goodbye,
    /// Since when.
    pub at: Moment,
}

/// What can happen before everybody's eyes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each sets the field of `All` or `Person` it is named after")]
pub enum Change {
    /// A member is listed from now on.
    Joined {
        person: Person,
    },
    /// A member is not listed any more: it left, or is counted from now on.
    Left {
        member: MemberId,
    },
    Renamed {
        member: MemberId,
        to: String,
    },
    Role {
        member: MemberId,
        role: Role,
    },
    Away {
        member: MemberId,
        away: bool,
    },
    Audience {
        count: u32,
    },
    /// A member has a place on the stage.
    Up {
        place: Place,
    },
    /// A member has none any more.
    Down {
        member: MemberId,
    },
    Sending {
        member: MemberId,
        sending: Sending,
    },
    Title {
        to: String,
    },
    Open {
        open: Open,
    },
    Data {
        key: String,
        value: Option<String>,
    },
    Focus {
        member: Option<MemberId>,
    },
    Said {
        said: Said,
    },
    Unsaid {
        chat: ChatId,
    },
    /// So many more of these.
    Reacted {
        counts: Vec<Count>,
    },
    Ringing {
        until: Option<Moment>,
    },
    HostAway {
        until: Option<Moment>,
    },
    Ended {
        ended: Ended,
    },
}

impl All {
    pub(super) fn new(template: Template, title: String, chat_kept: u32, born: Moment) -> Self {
        Self {
            about: About { title, template, born, chat_kept },
            open: Open { door: true, chat: true, hands: true },
            members: vec![],
            audience: 0,
            stage: vec![],
            chat: vec![],
            reactions: vec![],
            data: vec![],
            focus: None,
            ringing_until: None,
            host_until: None,
            ended: None,
        }
    }

    /// A listed member.
    pub fn person(&self, member: MemberId) -> Option<&Person> {
        let at = self.members.binary_search_by_key(&member, |person| person.id).ok()?;
        self.members.get(at)
    }

    /// The place of a member on the stage.
    pub fn place(&self, member: MemberId) -> Option<&Place> {
        self.stage.iter().find(|place| place.member == member)
    }

    fn alter(&mut self, member: MemberId, how: impl FnOnce(&mut Person)) {
        if let Ok(at) = self.members.binary_search_by_key(&member, |person| person.id) {
            how(&mut self.members[at]);
        }
    }

    fn say(&mut self, said: &Said) {
        self.chat.push(said.clone());
        let over = self.chat.len().saturating_sub(self.about.chat_kept as usize);
        self.chat.drain(..over);
    }

    fn count(&mut self, more: &Count) {
        match self.reactions.iter_mut().find(|count| count.reaction == more.reaction) {
            Some(count) => count.count += more.count,
            None => self.reactions.push(*more),
        }
    }
}

impl Fold for All {
    type Change = Change;

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Joined { person } => {
                let at = self.members.partition_point(|other| other.id < person.id);
                self.members.insert(at, person.clone());
            }
            Change::Left { member } => self.members.retain(|person| person.id != *member),
            Change::Renamed { member, to } => self.alter(*member, |person| to.clone_into(&mut person.name)),
            Change::Role { member, role } => self.alter(*member, |person| person.role = *role),
            Change::Away { member, away } => self.alter(*member, |person| person.away = *away),
            Change::Audience { count } => self.audience = *count,
            Change::Up { place } => self.stage.push(place.clone()),
            Change::Down { member } => self.stage.retain(|place| place.member != *member),
            Change::Sending { member, sending } => {
                if let Some(place) = self.stage.iter_mut().find(|place| place.member == *member) {
                    place.sending = *sending;
                }
            }
            Change::Title { to } => to.clone_into(&mut self.about.title),
            Change::Open { open } => self.open = *open,
            Change::Data { key, value } => set(&mut self.data, key, value.as_deref()),
            Change::Focus { member } => self.focus = *member,
            Change::Said { said } => self.say(said),
            Change::Unsaid { chat } => self.chat.retain(|said| said.id != *chat),
            Change::Reacted { counts } => counts.iter().for_each(|count| self.count(count)),
            Change::Ringing { until } => self.ringing_until = *until,
            Change::HostAway { until } => self.host_until = *until,
            Change::Ended { ended } => self.ended = Some(*ended),
        }
    }
}

impl Sending {
    /// Whether this kind is sent.
    pub const fn has(self, media: Media) -> bool {
        match media {
            Media::Sound => self.sound,
            Media::Picture => self.picture,
            Media::Screen => self.screen,
        }
    }

    /// The same without this kind.
    pub const fn without(self, media: Media) -> Self {
        match media {
            Media::Sound => Self { sound: false, ..self },
            Media::Picture => Self { picture: false, ..self },
            Media::Screen => Self { screen: false, ..self },
        }
    }
}

impl Media {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Sound, Self::Picture, Self::Screen];
}
