//! A server's keys that a test knows, and what is signed with them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use server::Config;
use server::access::addresses::Signer;
use server::access::jwt::{self, Grant, Scope};
use server::access::keys::Keys;
use server::access::{Path, now};
use server::private;
use server::sessions::Action;

/// The token of administration.
pub const ADMIN: &str = "openmic_test-of-the-admin-token-0123456789";
/// Its SHA-256.
const ADMIN_SHA256: &str = "f27a484da31be5168086c24c9e9f2b053b9631049ee725b6b7d07974790c65d6";
/// Every value, none of which may ever be seen in a log.
pub const VALUES: [&str; 6] = [
    "publish-now-0123456789",
    "publish-former-0123456789",
    "play-now-0123456789",
    "play-former-0123456789",
    "jwt-now-0123456789-0123456789-0123456789",
    "jwt-former-0123456789-0123456789-0123456789",
];

/// A data directory with keys, gone with this value.
pub struct Kit {
    folder: PathBuf,
    /// The keys in use.
    pub now: Keys,
    /// The same with their former values alone.
    pub former: Keys,
}

fn keys(current: usize) -> String {
    let row = |(id, at): (&str, usize)| {
        let kind = id;
        format!(
            "[[key]]\nid = \"{id}\"\nkind = \"{kind}\"\ncreated = 1\ncurrent = \"{}\"\nprevious = \"{}\"\nprevious_until = {}\n",
            VALUES[at + current],
            VALUES[at + 1 - current],
            now() + 1_000_000,
        )
    };
    let admin =
        format!("[[key]]\nid = \"admin\"\nkind = \"admin\"\ncreated = 1\ncurrent = \"{ADMIN_SHA256}\"\n");
    [("publish", 0), ("play", 2), ("jwt", 4)].map(row).concat() + &admin
}

impl Kit {
    /// Makes them.
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("openmic-keys-{}-{made}", std::process::id()));
        let read = |name: &str, current| {
            let path = Keys::path(&folder.join(name));
            private::write(&path, keys(current).as_bytes()).expect("the temporary folder is writable");
            Keys::load(&path).expect("keys of ours").expect("just written")
        };
        Self { now: read("now", 0), former: read("former", 1), folder }
    }

    /// Makes a server go by them.
    pub fn guard(&self, config: &mut Config) {
        config.access.required = true;
        config.data.dir = self.data();
    }

    /// Where the server keeps its files.
    pub fn data(&self) -> PathBuf {
        self.folder.join("now")
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        // A folder that is left behind harms no test.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn path(name: &str) -> Path {
    Path::new(name).expect("a name of the test's own")
}

/// An `auth` token that is good for `seconds` from now.
pub fn auth(keys: &Keys, action: Action, name: &str, seconds: i64) -> String {
    let signer = Signer { keys, expiry: now().saturating_add_signed(seconds) };
    signer.token(action, &path(name)).expect("a key of each kind")
}

/// `txSecret` and `txTime`, likewise.
pub fn tx(keys: &Keys, action: Action, name: &str, seconds: i64) -> String {
    let signer = Signer { keys, expiry: now().saturating_add_signed(seconds) };
    signer.tx(action, &path(name)).expect("a key of each kind")
}

/// A JWT of one scope for one path or all, likewise.
pub fn token(keys: &Keys, scope: Scope, name: Option<&str>, seconds: i64) -> String {
    let exp = now().saturating_add_signed(seconds);
    let grant = Grant { scope: vec![scope], path: name.map(str::to_owned), app: None, sub: None, exp };
    jwt::make(keys, "openmic", &grant).expect("a key of each kind")
}
