//! The state of a room as tracks by visibility. A track is a state and the number of changes that made it.
//!
//! Applying a change is all that ever alters a state, here and on clients alike, so that a snapshot and the changes after
//! it give the same everywhere. Every change carries all it needs: applying never decides.

pub mod all;
pub mod hidden;
pub mod hosts;
pub mod own;
pub mod stage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::MemberId;
use crate::settings::Settings;
use crate::time::Moment;

pub use all::{Ended, Media, Open, Person, Place, Reaction, Said, Sending};
pub use hidden::Hidden;

/// A state that changes alter.
pub trait Fold {
    /// What can happen to it.
    type Change;

    /// Makes it so.
    fn apply(&mut self, change: &Self::Change);
}

/// A state after `n` changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbered<T> {
    /// How many changes made it.
    pub n: u64,
    /// The state.
    pub state: T,
}

impl<T: Fold> Numbered<T> {
    fn new(state: T) -> Self {
        Self { n: 0, state }
    }

    fn apply(&mut self, change: &T::Change) -> u64 {
        self.n += 1;
        self.state.apply(change);
        self.n
    }
}

/// One entry of custom data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Datum {
    /// Its key.
    pub key: String,
    /// Its value: text, of whatever form the application likes.
    pub value: String,
}

/// A track, with whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// Every member reads it.
    All,
    /// Who is on the stage and hosts read it.
    Stage,
    /// Hosts read it.
    Hosts,
    /// One member reads it.
    Own(MemberId),
}

/// What happened, to any part of the room: what is written down before anybody is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// To what everybody sees.
    All(all::Change),
    /// To what the stage sees.
    Stage(stage::Change),
    /// To what hosts see.
    Hosts(hosts::Change),
    /// To what one member sees.
    Own(MemberId, own::Change),
    /// To what nobody sees.
    Hidden(hidden::Change),
}

/// A change of one track under its number, as members get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "track", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the number and the change of the track it is named after")]
pub enum Delta {
    All { n: u64, change: all::Change },
    Stage { n: u64, change: stage::Change },
    Hosts { n: u64, change: hosts::Change },
    Own { n: u64, change: own::Change },
}

/// The state of one track under its number, as members get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "track", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the number and the state of the track it is named after")]
pub enum View {
    All { n: u64, state: all::All },
    Stage { n: u64, state: stage::Stage },
    Hosts { n: u64, state: hosts::Hosts },
    Own { n: u64, state: own::Own },
}

/// The whole room, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How it behaves.
    pub settings: Settings,
    /// What everybody sees.
    pub all: Numbered<all::All>,
    /// What the stage sees.
    pub stage: Numbered<stage::Stage>,
    /// What hosts see.
    pub hosts: Numbered<hosts::Hosts>,
    /// The members, each with what it sees of itself.
    pub own: BTreeMap<MemberId, Numbered<own::Own>>,
    /// What nobody sees.
    pub hidden: Hidden,
}

impl State {
    /// A room nobody has entered.
    pub fn new(settings: Settings, title: String, now: Moment) -> Self {
        let all = all::All::new(settings.template, title, settings.limits.chat_kept, now);
        Self {
            settings,
            all: Numbered::new(all),
            stage: Numbered::new(stage::Stage::default()),
            hosts: Numbered::new(hosts::Hosts::default()),
            own: BTreeMap::new(),
            hidden: Hidden::default(),
        }
    }

    /// Makes a change, and gives it its number if anybody may see it.
    pub fn apply(&mut self, change: &Change) -> Option<(Track, Delta)> {
        match change {
            Change::All(change) => {
                if let all::Change::Said { said } = change {
                    self.hidden.chats_ever = self.hidden.chats_ever.max(said.id.0);
                }
                let n = self.all.apply(change);
                Some((Track::All, Delta::All { n, change: change.clone() }))
            }
            Change::Stage(change) => {
                let n = self.stage.apply(change);
                Some((Track::Stage, Delta::Stage { n, change: change.clone() }))
            }
            Change::Hosts(change) => {
                let n = self.hosts.apply(change);
                Some((Track::Hosts, Delta::Hosts { n, change: change.clone() }))
            }
            Change::Own(member, change) => {
                let n = self.own.get_mut(member)?.apply(change);
                Some((Track::Own(*member), Delta::Own { n, change: change.clone() }))
            }
            Change::Hidden(change) => {
                self.apply_hidden(change);
                None
            }
        }
    }

    fn apply_hidden(&mut self, change: &hidden::Change) {
        match change {
            hidden::Change::Entered { own } => {
                self.own.insert(own.id, Numbered::new((**own).clone()));
            }
            hidden::Change::Gone { member, .. } => {
                self.own.remove(member);
            }
            hidden::Change::Settings { settings } => self.settings = (**settings).clone(),
            hidden::Change::Host { .. }
            | hidden::Change::Answered { .. }
            | hidden::Change::Held { .. }
            | hidden::Change::Judged { .. }
            | hidden::Change::Tallied { .. }
            | hidden::Change::TallyTold {}
            | hidden::Change::Emptied { .. } => {}
        }
        self.hidden.apply(change);
    }

    /// How many changes made a track; nothing for a member that is not there.
    pub fn n(&self, track: Track) -> Option<u64> {
        match track {
            Track::All => Some(self.all.n),
            Track::Stage => Some(self.stage.n),
            Track::Hosts => Some(self.hosts.n),
            Track::Own(member) => self.own.get(&member).map(|own| own.n),
        }
    }

    /// A track as its readers get it whole; nothing for a member that is not there.
    pub fn view(&self, track: Track) -> Option<View> {
        Some(match track {
            Track::All => View::All { n: self.all.n, state: self.all.state.clone() },
            Track::Stage => View::Stage { n: self.stage.n, state: self.stage.state.clone() },
            Track::Hosts => View::Hosts { n: self.hosts.n, state: self.hosts.state.clone() },
            Track::Own(member) => {
                let own = self.own.get(&member)?;
                View::Own { n: own.n, state: own.state.clone() }
            }
        })
    }
}

impl View {
    /// Applies a change that follows it. A change that was seen is passed over.
    ///
    /// # Errors
    /// The number it has, when a change is of another track or changes in between are missing: time to ask for a snapshot.
    pub fn follow(&mut self, delta: &Delta) -> Result<(), u64> {
        match (self, delta) {
            (Self::All { n, state }, Delta::All { n: next, change }) => follow(n, state, *next, change),
            (Self::Stage { n, state }, Delta::Stage { n: next, change }) => follow(n, state, *next, change),
            (Self::Hosts { n, state }, Delta::Hosts { n: next, change }) => follow(n, state, *next, change),
            (Self::Own { n, state }, Delta::Own { n: next, change }) => follow(n, state, *next, change),
            (view, Delta::All { .. } | Delta::Stage { .. } | Delta::Hosts { .. } | Delta::Own { .. }) => {
                Err(view.n())
            }
        }
    }

    /// How many changes made it.
    pub const fn n(&self) -> u64 {
        match self {
            Self::All { n, .. } | Self::Stage { n, .. } | Self::Hosts { n, .. } | Self::Own { n, .. } => *n,
        }
    }
}

fn follow<T: Fold>(n: &mut u64, state: &mut T, next: u64, change: &T::Change) -> Result<(), u64> {
    if next <= *n {
        return Ok(());
    }
    if next != *n + 1 {
        return Err(*n);
    }
    state.apply(change);
    *n = next;
    Ok(())
}

/// Sets or takes away one entry; they stand in the order of their keys.
fn set(data: &mut Vec<Datum>, key: &str, value: Option<&str>) {
    let at = data.binary_search_by(|datum| datum.key.as_str().cmp(key));
    match (at, value) {
        (Ok(at), Some(value)) => value.clone_into(&mut data[at].value),
        (Ok(at), None) => {
            data.remove(at);
        }
        (Err(at), Some(value)) => data.insert(at, Datum { key: key.to_owned(), value: value.to_owned() }),
        (Err(_), None) => {}
    }
}
