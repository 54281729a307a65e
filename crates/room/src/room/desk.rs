//! What hosts do at their desk: removing and banning, opening and closing, title, data, focus.

use super::{Done, Room};
use crate::command::{Actor, DataTrack};
use crate::id::{MemberId, UserId};
use crate::output::{Goodbye, Outputs};
use crate::refusal::Refusal;
use crate::settings::{Limits, Settings};
use crate::text;
use crate::time::Moment;
use crate::track::hosts::Ban;
use crate::track::{Change, Datum, Open, all, hidden, hosts, stage};

/// A room that needs more should have tokens of its own.
const BANS_MAX: usize = 1_000;
/// Entries of custom data a track.
const DATA_ENTRIES_MAX: usize = 64;
/// Keys and values of custom data a track, together: late joiners get all of it.
const DATA_BYTES_MAX: usize = 32 << 10;

impl Room {
    /// The room behaves otherwise from now on: who is in, up, invited or waiting stays so, also beyond a smaller limit. Its
    /// template and how much chat it keeps are what it was made with, for rights and clients hold on to them.
    pub fn configure(&mut self, settings: Settings, now: Moment) -> Outputs {
        let now = self.begin(now);
        let before = &self.state.settings;
        let limits = Limits { chat_kept: before.limits.chat_kept, ..settings.limits };
        let settings = Settings { template: before.template, limits, ..settings };
        if self.state.all.state.ended.is_none() && settings != *before {
            self.put_hidden(hidden::Change::Settings { settings: Box::new(settings) });
        }
        self.commit(now)
    }

    pub(super) fn remove(&mut self, by: Actor, member: MemberId, now: Moment) -> Done {
        self.outranks(by, member)?;
        self.depart(member, Goodbye::Removed, now);
        Ok(())
    }

    /// Bans the user: all of its devices go, and no name brings it back.
    pub(super) fn ban(&mut self, by: Actor, member: MemberId, now: Moment) -> Done {
        let own = self.other(member)?;
        let (user, known_as) = (own.user.clone(), own.name.clone());
        let devices = self.state.hidden.members_of(&user).to_vec();
        devices.iter().try_for_each(|device| self.outranks(by, *device))?;
        if self.state.hosts.state.bans.len() >= BANS_MAX {
            return Err(Refusal::DataFull);
        }
        self.put(Change::Hosts(hosts::Change::Banned { ban: Ban { user, known_as, at: now } }));
        devices.into_iter().for_each(|device| self.depart(device, Goodbye::Banned, now));
        Ok(())
    }

    pub(super) fn unban(&mut self, user: UserId) -> Done {
        if !self.state.hosts.state.has_banned(&user) {
            return Err(Refusal::NotFound);
        }
        self.put(Change::Hosts(hosts::Change::Unbanned { user }));
        Ok(())
    }

    /// Hands that are up stay up when hands close: closing ends the asking, not the answering.
    pub(super) fn set_open(&mut self, open: Open) -> Done {
        if open != self.state.all.state.open {
            self.put_all(all::Change::Open { open });
        }
        Ok(())
    }

    pub(super) fn set_title(&mut self, to: &str) -> Done {
        let to = if to.is_empty() { String::new() } else { text::title(to).ok_or(Refusal::BadText)? };
        self.put_all(all::Change::Title { to });
        Ok(())
    }

    pub(super) fn focus(&mut self, member: Option<MemberId>) -> Done {
        if let Some(member) = member {
            self.other(member)?;
            if !self.is_on_stage(member) {
                return Err(Refusal::NotOnStage);
            }
        }
        if member != self.state.all.state.focus {
            self.put_all(all::Change::Focus { member });
        }
        Ok(())
    }

    pub(super) fn set_data(&mut self, track: DataTrack, key: String, value: Option<String>) -> Done {
        let data = match track {
            DataTrack::All => &self.state.all.state.data,
            DataTrack::Stage => &self.state.stage.state.data,
            DataTrack::Hosts => &self.state.hosts.state.data,
        };
        may_set(data, &key, value.as_deref())?;
        self.put(match track {
            DataTrack::All => Change::All(all::Change::Data { key, value }),
            DataTrack::Stage => Change::Stage(stage::Change::Data { key, value }),
            DataTrack::Hosts => Change::Hosts(hosts::Change::Data { key, value }),
        });
        Ok(())
    }
}

fn may_set(data: &[Datum], key: &str, value: Option<&str>) -> Done {
    let Some(value) = value else {
        let there = data.iter().any(|datum| datum.key == key);
        return if there { Ok(()) } else { Err(Refusal::NotFound) };
    };
    if !text::is_key(key) || value.len() > text::VALUE_BYTES_MAX {
        return Err(Refusal::BadValue);
    }
    let others = data.iter().filter(|datum| datum.key != key);
    let (count, bytes) =
        others.fold((0, 0), |(count, bytes), datum| (count + 1, bytes + datum.key.len() + datum.value.len()));
    let fits = count < DATA_ENTRIES_MAX && bytes + key.len() + value.len() <= DATA_BYTES_MAX;
    if fits { Ok(()) } else { Err(Refusal::DataFull) }
}
