//! `[[hooks]]` and `[outbound]`: whom the server tells what happens, whom it asks first, and where it may call at all.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};

use super::Invalid;
use crate::outbound::Url;

/// Each is asked one after the other while somebody waits.
const HOOKS_MAX: usize = 16;
/// A name is a label in logs and a part of an address.
const NAME_CHARS_MAX: usize = 40;
/// A publisher gives up after some seconds, and RTMP's set-up time is 15.
const VETO_TIMEOUT_MAX: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// 128 bits in hexadecimal are 32; half of that is what somebody types.
const SECRET_CHARS_MIN: usize = 16;

/// `[outbound]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Networks that are called although they are not public: `127.0.0.1/32`, `10.0.0.0/8`.
    pub allow: Vec<IpNet>,
    /// PEM file with certificate authorities that are believed beside this machine's own.
    pub ca: Option<PathBuf>,
}

/// One of `[[hooks]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Its name in the API and in logs.
    pub name: String,
    /// Where it is called, by POST.
    #[serde(serialize_with = "without_query")]
    pub url: String,
    /// Of what.
    pub events: Vec<Event>,
    /// Only of these apps; empty: of all.
    #[serde(default)]
    pub apps: Vec<String>,
    /// It is asked before somebody publishes or plays, and may refuse.
    #[serde(default)]
    pub veto: bool,
    /// What an answer that does not come means.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How long an answer may take; unset: 5 s, and 20 s for `wechat`.
    pub timeout_ms: Option<u64>,
    /// What calls are signed with; better in a file.
    pub secret: Option<Secret>,
    /// What they were signed with before: receivers may check either until it is gone from here.
    pub secret_previous: Option<Secret>,
    /// A file with the secret in its first line, and the previous one in its second if there is one.
    pub secret_file: Option<PathBuf>,
    /// How the body looks.
    #[serde(default)]
    pub format: Format,
    /// `appid` and `app` of `wechat` bodies.
    #[serde(default)]
    pub wechat: Wechat,
}

/// What receivers of the WeChat-style format know the server by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wechat {
    /// The number of the account.
    pub appid: u64,
    /// The domain that is pushed to; empty: the name of this machine.
    pub app: String,
}

/// What hooks are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Somebody begins to publish.
    Publish,
    /// A publisher is gone.
    Unpublish,
    /// Somebody begins to watch.
    Play,
    /// A viewer is gone.
    Stop,
    /// A broadcast is over: its publisher ended it, or did not come back in time.
    End,
    /// Somebody is a member of a room.
    Join,
    /// A member has left a room, whatever the reason.
    Leave,
    /// A member has come up to the stage of a room.
    StageUp,
    /// A member has no place on the stage any more.
    StageDown,
    /// A member of a room raises a hand.
    HandUp,
    /// A room is over.
    RoomEnd,
    /// A line of chat in a moderated room, which waits for the answer.
    Chat,
}

impl Event {
    /// Its name in bodies, logs and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Unpublish => "unpublish",
            Self::Play => "play",
            Self::Stop => "stop",
            Self::End => "end",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::StageUp => "stage_up",
            Self::StageDown => "stage_down",
            Self::HandUp => "hand_up",
            Self::RoomEnd => "room_end",
            Self::Chat => "chat",
        }
    }
}

/// What an answer that does not come means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// No.
    #[default]
    Refuse,
    /// Yes.
    Allow,
}

/// How a body looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Our own.
    #[default]
    Openmic,
    /// The callbacks that back-ends of WeChat's live streaming parse.
    Wechat,
}

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// From a file or a test.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For signing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(secret)")
    }
}

/// People put tokens into queries.
fn without_query<S: Serializer>(url: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(url.split(['?', '#']).next().unwrap_or_default())
}

impl Hook {
    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        let default = match self.format {
            Format::Openmic => 5_000,
            Format::Wechat => 20_000,
        };
        Duration::from_millis(self.timeout_ms.unwrap_or(default))
    }

    /// The secret, and the previous one while there is one.
    ///
    /// It reads a file: call it where blocking is allowed.
    ///
    /// # Errors
    /// In words that follow the key `hooks`.
    pub fn secrets(&self) -> Result<Vec<Secret>, String> {
        let name = &self.name;
        let secrets = match (&self.secret, &self.secret_file) {
            (Some(secret), None) => [Some(secret.clone()), self.secret_previous.clone()],
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("{name}: secret_file = {}: {error}", path.display()))?;
                let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Secret::new);
                [lines.next(), lines.next()]
            }
            (Some(_), Some(_)) => return Err(format!("{name} has both secret and secret_file; keep one")),
            (None, None) => [None, None],
        };
        let secrets: Vec<Secret> = secrets.into_iter().flatten().collect();
        let min = match self.format {
            Format::Openmic => SECRET_CHARS_MIN,
            // Its receivers have the keys they have.
            Format::Wechat => 1,
        };
        if secrets.is_empty() {
            return Err(format!(
                "{name} has no secret, without which its receiver cannot tell us from others; \
                 `openssl rand -hex 32 > hook.secret` makes one for secret_file"
            ));
        }
        match secrets.iter().any(|secret| secret.0.chars().count() < min) {
            true => Err(format!("{name} has a secret of fewer than {min} characters")),
            false => Ok(secrets),
        }
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let is_label = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_label) {
            return Err(format!(
                "has the name {name:?} but names are 1 to {NAME_CHARS_MAX} letters, digits, - _ ."
            ));
        }
        if let Err(error) = self.url.parse::<Url>() {
            return Err(format!("{name}: its url {error}"));
        }
        if self.events.is_empty() {
            return Err(format!("{name} has no events"));
        }
        let is_asked = |event: &Event| matches!(event, Event::Publish | Event::Play | Event::Chat);
        if self.veto && !self.events.iter().any(is_asked) {
            return Err(format!(
                "{name} has veto = true but neither publish nor play nor chat among its events"
            ));
        }
        if !self.veto && self.events.contains(&Event::Chat) {
            return Err(format!(
                "{name} has chat among its events, which is asked about, but not veto = true"
            ));
        }
        let known = |event: &Event| matches!(event, Event::Publish | Event::Unpublish);
        if self.format == Format::Wechat && (self.veto || !self.events.iter().all(known)) {
            return Err(format!("{name}: the wechat format tells of publish and unpublish and asks nothing"));
        }
        let max = if self.veto { VETO_TIMEOUT_MAX } else { TIMEOUT_MAX };
        if self.timeout().is_zero() || self.timeout() > max {
            return Err(format!("{name}: timeout_ms must be 1 to {}", max.as_millis()));
        }
        self.secrets().map(|_| ())
    }
}

/// Rules that types cannot express.
pub(super) fn check(hooks: &[Hook]) -> Result<(), Invalid> {
    let invalid = |what| Err(Invalid { key: "hooks", what });
    if hooks.len() > HOOKS_MAX {
        return invalid(format!("has {} entries but may have {HOOKS_MAX}", hooks.len()));
    }
    for (number, hook) in hooks.iter().enumerate() {
        if let Err(what) = hook.check() {
            return invalid(what);
        }
        if hooks[..number].iter().any(|other| other.name == hook.name) {
            return invalid(format!("has the name {} twice", hook.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::private::{self, Folder};

    const WHOLE: &str = "[[hooks]]\nname = \"x\"\nurl = \"https://a.example/h?token=abc\"\n\
        events = [\"publish\", \"play\"]\nsecret = \"0123456789abcdef\"\nveto = true\n";

    fn said(change: &str) -> String {
        let config: Config = toml::from_str(&format!("{WHOLE}{change}")).unwrap();
        config.check().expect_err(change).to_string()
    }

    #[test]
    fn a_hook_is_read_and_its_secrets_are_printed_nowhere() {
        let config: Config = toml::from_str(WHOLE).unwrap();
        config.check().unwrap();
        let printed = toml::to_string(&config).unwrap();
        let shown = format!("{printed}{:?}", config.hooks[0].secret);
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("abc\""), "{shown}");
        assert_eq!(config.hooks[0].on_failure, OnFailure::Refuse, "fails closed unless told otherwise");
    }

    #[test]
    fn hooks_that_cannot_work_are_refused_with_their_name() {
        assert!(said("timeout_ms = 20000\n").contains("timeout_ms must be 1 to 10000"));
        assert!(said("format = \"wechat\"\n").contains("asks nothing"));
        assert!(said("secret_file = \"nowhere\"\n").contains("keep one"));
        assert!(said(WHOLE).contains("twice"));
        let broken = |from: &str, to: &str| {
            let config: Config = toml::from_str(&WHOLE.replace(from, to)).unwrap();
            config.check().expect_err(to).to_string()
        };
        assert!(broken("https://a", "https://me:pw@a").contains("password"));
        assert!(broken("\"publish\", \"play\"", "\"end\"").contains("neither publish nor play"));
        assert!(broken("secret = \"0123456789abcdef\"", "").contains("has no secret"));
        assert!(broken("0123456789abcdef", "short").contains("16 characters"));
        assert!(broken("secret = \"0123456789abcdef\"", "secret_file = \"/nowhere\"").contains("/nowhere"));
        assert!(broken("name = \"x\"", "name = \"../x\"").contains("letters"));
    }

    #[test]
    fn a_secret_file_holds_the_secret_and_the_one_before_it() {
        let folder = Folder::new();
        let path = folder.0.join("hook.secret");
        private::write(&path, b"new-new-new-new-new\n\nold-old-old-old-old\r\n").unwrap();
        let mut config: Config = toml::from_str(WHOLE).unwrap();
        let hook = &mut config.hooks[0];
        (hook.secret, hook.secret_file) = (None, Some(path));
        let secrets = hook.secrets().unwrap();
        let texts: Vec<_> = secrets.iter().map(Secret::expose).collect();
        assert_eq!(texts, ["new-new-new-new-new", "old-old-old-old-old"]);
    }
}
