//! Who may do what: one table, what templates add to it, and what a host allowed or took from one member.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What somebody is in the room, whether on the stage or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everybody who is neither of the others.
    Guest,
    /// Helps the host.
    Cohost,
    /// The one who leads; there is one at most.
    Host,
}

/// A column of the table: a role, guests told apart by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The host.
    Host,
    /// A co-host.
    Cohost,
    /// A guest on the stage.
    Speaker,
    /// A guest who is not.
    Audience,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// To publish sound, from a place on the stage.
    Sound,
    /// To publish a picture, from a place on the stage.
    Picture,
    /// To show a screen, from a place on the stage.
    Screen,
    /// To write in the chat.
    Chat,
    /// To send reactions.
    React,
    /// To draw on the board.
    Draw,
    /// To raise a hand.
    Hand,
    /// To go up to the stage unasked.
    StepUp,
    /// To invite others to the stage.
    Invite,
    /// To mute others and to ask them to unmute.
    Mute,
    /// To answer hands and to take others down from the stage.
    Move,
    /// To allow or forbid something to one member.
    Allow,
    /// To remove and to ban others.
    Remove,
    /// To delete what others wrote.
    Moderate,
    /// To lock, to open and close chat and hands, to set title, data and the picture in focus.
    Configure,
    /// To make co-hosts and to hand over.
    Appoint,
    /// To end the room.
    End,
}

const YES: bool = true;
const NO: bool = false;

/// The table. Columns: host, co-host, speaker, audience.
const TABLE: &[(Right, [bool; 4])] = &[
    (Right::Sound, [YES, YES, YES, NO]),
    (Right::Picture, [YES, YES, YES, NO]),
    (Right::Screen, [YES, YES, NO, NO]),
    (Right::Chat, [YES, YES, YES, YES]),
    (Right::React, [YES, YES, YES, YES]),
    (Right::Draw, [YES, YES, NO, NO]),
    (Right::Hand, [NO, NO, NO, YES]),
    (Right::StepUp, [YES, YES, NO, NO]),
    (Right::Invite, [YES, YES, NO, NO]),
    (Right::Mute, [YES, YES, NO, NO]),
    (Right::Move, [YES, YES, NO, NO]),
    (Right::Allow, [YES, YES, NO, NO]),
    (Right::Remove, [YES, YES, NO, NO]),
    (Right::Moderate, [YES, YES, NO, NO]),
    (Right::Configure, [YES, YES, NO, NO]),
    (Right::Appoint, [YES, NO, NO, NO]),
    (Right::End, [YES, NO, NO, NO]),
];

impl Right {
    /// All of them, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(right, _)| *right)
    }

    /// Whether a role of this template has it.
    pub fn holds(self, standing: Standing, template: Template) -> bool {
        let column = match standing {
            Standing::Host => 0,
            Standing::Cohost => 1,
            Standing::Speaker => 2,
            Standing::Audience => 3,
        };
        let row = TABLE.iter().find(|(right, _)| *right == self);
        row.is_some_and(|(_, columns)| columns[column]) || template.grants().contains(&(standing, self))
    }

    /// Whether a host may allow it to, or take it from, one member. The others go with a role.
    pub const fn is_personal(self) -> bool {
        match self {
            Self::Sound
            | Self::Picture
            | Self::Screen
            | Self::Chat
            | Self::React
            | Self::Draw
            | Self::Hand => true,
            Self::StepUp
            | Self::Invite
            | Self::Mute
            | Self::Move
            | Self::Allow
            | Self::Remove
            | Self::Moderate
            | Self::Configure
            | Self::Appoint
            | Self::End => false,
        }
    }

    /// Whether a back-end has it, which is no member and has no camera.
    pub const fn is_for_backends(self) -> bool {
        !self.is_personal() && !matches!(self, Self::StepUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_has_one_row() {
        let rights: Vec<Right> = Right::all().collect();
        let mut sorted = rights.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(rights, sorted, "in the order of their declaration, each once");
        assert_eq!(rights.last(), Some(&Right::End));
    }

    #[test]
    fn templates_grant_nothing_that_belongs_to_hosts_but_the_stage_and_what_is_shown_on_it() {
        for template in Template::ALL {
            for (standing, right) in template.grants() {
                assert!(
                    right.is_personal() || *right == Right::StepUp,
                    "{template:?} grants {right:?} to {standing:?}"
                );
            }
        }
    }
}
