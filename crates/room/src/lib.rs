//! Rooms as one pure state machine: commands in, outputs out; no sockets, no clock, no runtime.
//!
//! A [`Room`] is four kinds of track (for all, for the stage, for the hosts, for one member), each a snapshot and numbered
//! changes. Whatever happens is a [`Change`]: written first, then told, then acknowledged. A room names broadcasts and
//! never touches a frame. The messages are specified in `docs/signalling.md`.

mod answers;
pub mod clock;
mod command;
mod id;
mod limits;
mod log;
pub mod message;
mod output;
mod refusal;
mod rights;
mod room;
mod settings;
mod template;
pub mod text;
mod time;
mod timers;
pub mod track;

pub use command::{Actor, Command, DataTrack, Request};
pub use id::{ChatId, MemberId, RoomId, UserId};
pub use output::{Goodbye, Output, Outputs, Verdict};
pub use refusal::Refusal;
pub use rights::{Right, Role, Standing};
pub use room::{Claims, Hello, Loss, Resume, Room, Snapshot};
pub use settings::{Devices, HostPolicy, Limits, Settings, Times, UpOnJoin};
pub use template::Template;
pub use time::{Millis, Moment};
pub use track::{Change, State};
