//! The keys of access: `keys.toml` in `data.dir`, which nobody but the server's user may read. Each key has a value and
//! may have the one before it, which is accepted for a while.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub mod rooms;

use serde::{Deserialize, Serialize, Serializer};

use super::secret::{Secret, hex, random, sha256_hex, unhex};
use crate::private;

/// The file's name.
pub const FILE: &str = "keys.toml";
/// Far more than the keys below need; a larger file is a mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A signed address may be of any of the keys of its kind, and all are tried.
pub const KEYS_MAX: usize = 256;
/// Whoever has one signed address can try keys against it at home, billions a second.
const SECRET_BYTES_MIN: usize = 16;
/// RFC 7518 §3.2: a key of HS256 is no shorter than its hash.
const JWT_SECRET_BYTES_MIN: usize = 32;
const SECRET_BYTES_MAX: usize = 512;
const ID_BYTES_MAX: usize = 64;
/// In front of a token of administration, so that scanners of repositories know it.
const TOKEN_PREFIX: &str = "openmic_";

const HEAD: &str = "# Keys of openmic. Whoever reads this file can publish, watch and sign tokens: leave it at mode 0600.\n\
    # Change values with `openmic token rotate ID`, then send the server SIGHUP.\n\n";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It signs addresses to publish at.
    Publish,
    /// It signs addresses to watch at.
    Play,
    /// It signs JWTs, which name it by its id (`kid`).
    Jwt,
    /// A bearer token of administration; only its SHA-256 is kept.
    Admin,
}

impl Kind {
    /// Its name in the API and the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Play => "play",
            Self::Jwt => "jwt",
            Self::Admin => "admin",
        }
    }
}

/// One key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name; of a JWT's key, the `kid`.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// The one app it is for, where it is not for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// When its current value was made, in seconds since 1970.
    pub created: u64,
    #[serde(serialize_with = "written")]
    current: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "written_if_any")]
    previous: Option<Secret>,
    /// Until when the value before is accepted, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<u64>,
}

fn written<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

fn written_if_any<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => written(secret, to),
        None => to.serialize_none(),
    }
}

/// All keys of a server.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    #[serde(default)]
    key: Vec<Key>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("{}: {error}{}", path.display(), remedy(error))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others may read it.
    #[error(
        "{} may be read or written by other users of this machine (mode {mode:04o}), who could publish and watch with \
         its keys. Run: chmod 600 {0}; and if others use this machine, make new keys with `openmic token rotate`", path.display()
    )]
    Readable {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no list of keys. What it holds is not repeated: it is secret.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong, and in which line where that is known.
        what: String,
    },
    /// No key has this name.
    #[error("there is no key {0:?}")]
    Unknown(String),
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; it must belong to the user who runs the server",
        _ => "",
    }
}

impl Key {
    fn new(id: &str, kind: Kind, now: u64) -> (Self, Secret) {
        let (current, shown) = fresh(kind);
        let key = Self {
            id: id.to_owned(),
            kind,
            app: None,
            created: now,
            current,
            previous: None,
            previous_until: None,
        };
        (key, shown)
    }

    /// The values that are accepted, with the end of each where it has one; the current first.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Secret, Option<u64>)> {
        let previous =
            self.previous.as_ref().map(|previous| (previous, Some(self.previous_until.unwrap_or(0))));
        std::iter::once((&self.current, None)).chain(previous)
    }

    /// What new signatures are made with.
    pub(crate) fn current(&self) -> &Secret {
        &self.current
    }

    /// The end of the value before the current one, while that is accepted.
    pub fn previous_until(&self, now: u64) -> Option<u64> {
        self.previous_until.filter(|until| now < *until && self.previous.is_some())
    }

    /// Whether it is for this app.
    pub(crate) fn is_for(&self, app: &str) -> bool {
        self.app.as_deref().is_none_or(|own| own == app)
    }

    fn fault(&self) -> Option<String> {
        let id = &self.id;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=ID_BYTES_MAX).contains(&id.len()) || !id.bytes().all(is_name) {
            return Some(format!("a key's id has 1 to {ID_BYTES_MAX} of A-Z a-z 0-9 - _ ."));
        }
        let least = if self.kind == Kind::Jwt { JWT_SECRET_BYTES_MIN } else { SECRET_BYTES_MIN };
        self.values().find_map(|(secret, _)| match self.kind {
            Kind::Admin => {
                let is_hash = unhex::<32>(secret.expose()).is_some();
                (!is_hash).then(|| format!("key {id}: its value is no SHA-256 in hexadecimal digits"))
            }
            Kind::Publish | Kind::Play | Kind::Jwt => {
                let fits = (least..=SECRET_BYTES_MAX).contains(&secret.expose().len());
                (!fits).then(|| {
                    format!("key {id}: its value must have {least} to {SECRET_BYTES_MAX} characters")
                })
            }
        })
    }
}

/// A value to keep, and the one that its owner is shown.
fn fresh(kind: Kind) -> (Secret, Secret) {
    match kind {
        Kind::Publish | Kind::Play => {
            let secret = Secret::random_hex();
            (secret.clone(), secret)
        }
        Kind::Jwt => {
            let secret = Secret::random_base64();
            (secret.clone(), secret)
        }
        Kind::Admin => {
            let token = format!("{TOKEN_PREFIX}{}", Secret::random_base64().expose());
            (sha256_hex(&token).into(), token.into())
        }
    }
}

impl Keys {
    /// One key of each kind, and the token of administration, which is not kept.
    pub fn generate(now: u64) -> (Self, Secret) {
        let (admin, token) = Key::new("admin", Kind::Admin, now);
        // A name of its own, so that a token of another server's key is not taken for a wrong one of this.
        let kid = format!("jwt-{}", hex(&random::<4>()));
        let others = [("publish", Kind::Publish), ("play", Kind::Play), (kid.as_str(), Kind::Jwt)];
        let mut key: Vec<_> = others.map(|(id, kind)| Key::new(id, kind, now).0).into();
        key.push(admin);
        (Self { key }, token)
    }

    /// Where the keys of a server with this data directory are.
    pub fn path(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// Reads the file; `None` where there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, Error> {
        let unread = |error| Error::File { path: path.to_owned(), error };
        let mut file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        // Of the open file, so that it cannot be another one than is read.
        let about = file.metadata().map_err(unread)?;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::Readable { path: path.to_owned(), mode });
        }
        let mut text = zeroize::Zeroizing::new(String::new());
        (&mut file).take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unread)?;
        Self::parse(&text).map(Some).map_err(|what| Error::Content { path: path.to_owned(), what })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let keys: Self = toml::from_str(text).map_err(|error: toml::de::Error| {
            // The parser's own words would quote the line, secret and all.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            format!("line {}: {}", before.matches('\n').count() + 1, told(error.message()))
        })?;
        if keys.key.len() > KEYS_MAX {
            return Err(format!("{} keys; there may be {KEYS_MAX}", keys.key.len()));
        }
        let twice =
            keys.key.iter().enumerate().find(|(at, key)| keys.key[..*at].iter().any(|k| k.id == key.id));
        match keys.key.iter().find_map(Key::fault) {
            Some(fault) => Err(fault),
            None => {
                twice.map_or(Ok(()), |(_, key)| Err(format!("two keys are called {}", key.id))).map(|()| keys)
            }
        }
    }

    /// Writes the file as its owner's alone.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let text = toml::to_string(self).expect("a list of strings and numbers is always TOML");
        let text = zeroize::Zeroizing::new(format!("{HEAD}{text}"));
        let unwritten = |error| Error::File { path: path.to_owned(), error };
        private::write(path, text.as_bytes()).map_err(unwritten)
    }

    /// All of them, in the order of the file.
    pub fn list(&self) -> &[Key] {
        &self.key
    }

    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.key.iter().filter(move |key| key.kind == kind)
    }

    /// Gives a key a new value and shows it; the old one is accepted until `until`, in seconds since 1970.
    pub fn rotate(&mut self, id: &str, now: u64, until: u64) -> Result<Secret, Error> {
        let key = self.key.iter_mut().find(|key| key.id == id);
        let key = key.ok_or_else(|| Error::Unknown(id.to_owned()))?;
        let (kept, shown) = fresh(key.kind);
        key.previous = Some(std::mem::replace(&mut key.current, kept));
        key.previous_until = Some(until);
        key.created = now;
        Ok(shown)
    }
}

/// A parser's message, without what it quotes of the file.
fn told(message: &str) -> &str {
    let end = message.find(['`', '"', '\'']).unwrap_or(message.len());
    let kept = message[..end].trim_end_matches([' ', ':', ',']);
    if kept.is_empty() { "this is no list of keys" } else { kept }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;
    use crate::private::Folder;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn keys_read_back_from_a_file_that_is_its_owners_alone() {
        let folder = Folder::new();
        let path = Keys::path(&folder.0);
        assert!(Keys::load(&path).unwrap().is_none());
        let (keys, token) = Keys::generate(NOW);
        keys.save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(token.expose()) && text.contains(&sha256_hex(token.expose())));
        let again = Keys::load(&path).unwrap().unwrap();
        let values = |keys: &Keys| -> Vec<String> {
            keys.list().iter().map(|key| format!("{} {}", key.id, key.current().expose())).collect()
        };
        assert_eq!(values(&again), values(&keys));
        let kinds: Vec<_> = again.list().iter().map(|key| key.kind).collect();
        assert_eq!(kinds, [Kind::Publish, Kind::Play, Kind::Jwt, Kind::Admin]);
        let shown = format!("{again:?}");
        assert!(again.list().iter().all(|key| !shown.contains(key.current().expose())), "{shown}");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        let folder = Folder::new();
        let path = Keys::path(&folder.0);
        Keys::generate(NOW).0.save(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = Keys::load(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains(&format!("{mode:04o}")), "{error}");
        }
    }

    #[test]
    fn a_rotated_key_keeps_its_name_and_its_former_value_for_a_while() {
        let (mut keys, first) = Keys::generate(NOW);
        let second = keys.rotate("admin", NOW + 10, NOW + 100).unwrap();
        assert_ne!(first.expose(), second.expose());
        let key = keys.of(Kind::Admin).next().unwrap();
        let kept: Vec<_> = key.values().map(|(secret, until)| (secret.expose().to_owned(), until)).collect();
        assert_eq!(
            kept,
            [(sha256_hex(second.expose()), None), (sha256_hex(first.expose()), Some(NOW + 100))]
        );
        assert_eq!((key.previous_until(NOW + 99), key.previous_until(NOW + 100)), (Some(NOW + 100), None));
        assert!(matches!(keys.rotate("nobody", NOW, NOW), Err(Error::Unknown(_))));
        let text = toml::to_string(&keys).unwrap();
        assert_eq!(toml::to_string(&Keys::parse(&text).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_broken_file_is_named_by_its_line_and_never_quoted() {
        let row = |id: &str, kind: &str, value: &str| {
            format!("[[key]]\nid = \"{id}\"\nkind = \"{kind}\"\ncreated = 1\ncurrent = \"{value}\"\n")
        };
        let good = "sesame-sesame-sesame-sesame-sesame";
        assert!(Keys::parse(&row("a", "publish", good)).is_ok());
        for (text, told) in [
            (row("a", "publish", "sesame"), "16"),
            (row("a", "jwt", "sesame-sesame-sesame"), "32"),
            (row("a", "admin", good), "SHA-256"),
            (row("a b", "play", good), "id"),
            (row("a", "play", good) + &row("a", "publish", good), "two keys"),
            (row("a", "sesame-kind", good), "line 3"),
            (row("a", "play", good) + "sesame = 1\n", "line 6"),
            (format!("[[key]]\nid = sesame-{good}\n"), "line 2"),
            (format!("[[key]]\ncurrent = \"{good}\n"), "line 2"),
        ] {
            let fault = Keys::parse(&text).unwrap_err();
            assert!(fault.contains(told) && !fault.contains("sesame"), "{fault}");
        }
    }
}
