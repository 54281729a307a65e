//! How one room behaves: limits, times and policies. A template gives them; whoever makes the room may change them.

use serde::{Deserialize, Serialize};

use crate::template::Template;
use crate::time::Millis;

/// Everything a room is told when it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The kind of room; it decides rights.
    pub template: Template,
    /// How many of what.
    pub limits: Limits,
    /// How long for what.
    pub times: Times,
    /// What a second device of a user does.
    pub devices: Devices,
    /// What happens to a room without its host.
    pub host_policy: HostPolicy,
    /// Who is on the stage at once.
    pub up_on_join: UpOnJoin,
    /// Whether the first to join hosts.
    pub first_hosts: bool,
    /// Whether the end of one is the end of all: a call.
    pub ends_when_one_leaves: bool,
    /// Whether every line of chat is judged before it is delivered.
    pub moderated: bool,
}

/// Limits, each for the sake of memory or of people's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Members, listed and counted.
    pub members: u32,
    /// Places on the stage.
    pub stage: u32,
    /// Members that are listed by name; whoever comes later is counted. Hosts and the stage are always listed.
    pub listed: u32,
    /// Hands up at a time.
    pub hands: u32,
    /// Invitations open at a time.
    pub invitations: u32,
    /// Lines of chat that late joiners get.
    pub chat_kept: u32,
}

/// Times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// How long a member without a connection keeps its place.
    pub grace: Millis,
    /// How long the room waits for a host without a connection before the policy is followed.
    pub host_grace: Millis,
    /// How long a hand stays up.
    pub hand: Millis,
    /// How long an invitation stands.
    pub invitation: Millis,
    /// How long a call rings; other rooms do not ring.
    pub ring: Option<Millis>,
    /// How long a room without members stays.
    pub empty: Millis,
}

/// What happens when a user who is in the room joins with another device. One without a connection is always replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Devices {
    /// The second is refused.
    Refuse,
    /// The second takes the place of the first.
    Replace,
    /// Both stay.
    Both,
}

/// What happens when the host has left, or has stayed away too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPolicy {
    /// The room ends.
    End,
    /// The earliest co-host leads, else the earliest on the stage; without either the room ends.
    Promote,
    /// The room goes on without a host until one comes.
    Wait,
}

/// Who gets a place on the stage by joining, while there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpOnJoin {
    /// The host.
    Host,
    /// The host and co-hosts.
    Hosts,
    /// Everybody.
    Everybody,
}
