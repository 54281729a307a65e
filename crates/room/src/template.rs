//! Templates as data: what a call, a class, a show or a meeting begins with.

use serde::{Deserialize, Serialize};

use crate::rights::{Right, Standing};
use crate::settings::{Devices, HostPolicy, Limits, Settings, Times, UpOnJoin};
use crate::time::Millis;

/// A kind of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// Two people. It rings, and times out.
    Call,
    /// Everybody may be on the stage.
    ClassSmall,
    /// One teacher; thousands watch, raise hands and are brought up.
    ClassLarge,
    /// A host, co-hosts, an audience.
    Show,
    /// Everybody speaks; whoever comes first hosts until the host comes.
    Meeting,
}

const SHOW_SCREENS_AND_DRAW: &[(Standing, Right)] = &[
    (Standing::Speaker, Right::Screen),
    (Standing::Speaker, Right::Draw),
    (Standing::Audience, Right::StepUp),
];

impl Template {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Call, Self::ClassSmall, Self::ClassLarge, Self::Show, Self::Meeting];

    /// What it adds to the table of rights.
    pub const fn grants(self) -> &'static [(Standing, Right)] {
        match self {
            Self::Call | Self::Meeting => SHOW_SCREENS_AND_DRAW,
            Self::ClassSmall => &[(Standing::Audience, Right::StepUp), (Standing::Speaker, Right::Draw)],
            Self::ClassLarge | Self::Show => &[],
        }
    }

    /// The settings a room of this kind begins with.
    pub const fn settings(self) -> Settings {
        let times = Times {
            grace: Millis::from_secs(30),
            host_grace: Millis::from_secs(120),
            hand: Millis::from_secs(600),
            invitation: Millis::from_secs(30),
            ring: None,
            empty: Millis::from_secs(300),
        };
        let base = Settings {
            template: self,
            limits: Limits {
                members: 10_000,
                stage: 9,
                listed: 200,
                hands: 100,
                invitations: 50,
                chat_kept: 100,
            },
            times,
            devices: Devices::Replace,
            host_policy: HostPolicy::Wait,
            up_on_join: UpOnJoin::Host,
            first_hosts: false,
            ends_when_one_leaves: false,
            moderated: false,
        };
        match self {
            Self::Call => Settings {
                limits: Limits { members: 2, stage: 2, ..base.limits },
                times: Times { ring: Some(Millis::from_secs(45)), empty: Millis::from_secs(10), ..times },
                host_policy: HostPolicy::Promote,
                up_on_join: UpOnJoin::Everybody,
                first_hosts: true,
                ends_when_one_leaves: true,
                ..base
            },
            Self::ClassSmall => Settings {
                limits: Limits { members: 60, stage: 50, ..base.limits },
                up_on_join: UpOnJoin::Everybody,
                ..base
            },
            Self::ClassLarge => Settings { limits: Limits { listed: 50, ..base.limits }, ..base },
            Self::Show => Settings {
                limits: Limits { members: 50_000, listed: 50, ..base.limits },
                times: Times { hand: Millis::from_secs(30), ..times },
                host_policy: HostPolicy::End,
                up_on_join: UpOnJoin::Hosts,
                ..base
            },
            Self::Meeting => Settings {
                limits: Limits { members: 200, stage: 50, ..base.limits },
                devices: Devices::Both,
                host_policy: HostPolicy::Promote,
                up_on_join: UpOnJoin::Everybody,
                first_hosts: true,
                ..base
            },
        }
    }
}
