//! The names that the interface has for the server's own words.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audience::Protocol;
use crate::sessions::Action;

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionName {
    Publish,
    Play,
}

impl From<Action> for ActionName {
    fn from(action: Action) -> Self {
        match action {
            Action::Publish => Self::Publish,
            Action::Play => Self::Play,
        }
    }
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProtocolName {
    Rtmp,
    Flv,
    WsFlv,
    Hls,
    Whip,
    Whep,
    Demo,
}

impl From<Protocol> for ProtocolName {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Rtmp => Self::Rtmp,
            Protocol::Flv => Self::Flv,
            Protocol::WsFlv => Self::WsFlv,
            Protocol::Hls => Self::Hls,
            Protocol::Whip => Self::Whip,
            Protocol::Whep => Self::Whep,
            Protocol::Demo => Self::Demo,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_one_name_in_the_interface_metrics_and_hooks() {
        for protocol in Protocol::ALL {
            let name = serde_json::to_value(ProtocolName::from(protocol)).unwrap();
            assert_eq!(name, protocol.name());
        }
        for action in [Action::Publish, Action::Play] {
            assert_eq!(serde_json::to_value(ActionName::from(action)).unwrap(), action.name());
        }
    }
}
