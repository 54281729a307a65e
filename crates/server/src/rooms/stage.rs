//! The stage of a room as the media side sees it: who is up, where they publish, and what they may be heard and seen with.

use std::sync::Arc;

use media::Path;
use room::track::all::Sending;
use room::{MemberId, Role};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Who is on a stage, kept up to date by whoever runs the room. It ends with the room.
pub type StageWatch = watch::Receiver<Arc<Stage>>;

/// A stage at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// Who is up, in the order of coming up.
    pub performers: Vec<Performer>,
    /// Whose picture is followed by the host's choice; otherwise the speaker's is.
    pub focus: Option<MemberId>,
}

/// One member on a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Performer {
    /// Who.
    pub member: MemberId,
    /// What it leads.
    pub role: Role,
    /// Where it publishes.
    pub path: Path,
    /// What is to be passed on of it. What comes beyond this is not.
    pub sending: Sending,
}

impl Stage {
    /// The member's place, if it has one.
    pub fn performer(&self, member: MemberId) -> Option<&Performer> {
        self.performers.iter().find(|performer| performer.member == member)
    }
}

/// A member of a room who may be sent what is on its stage.
#[derive(Clone, Debug)]
pub struct Attending {
    /// Who: its own sound is not sent to it.
    pub member: MemberId,
    /// Where the room's audience watches; what is sent is counted there.
    pub path: Path,
    /// The stage.
    pub stage: StageWatch,
    /// Cancelled when the member has left the room, which ends what it is sent.
    pub left: CancellationToken,
}
