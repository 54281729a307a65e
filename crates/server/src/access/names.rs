//! Names of HLS sessions, which nobody guesses and which tell by themselves that this server has given them out: nothing is
//! looked up, or started, for a name that somebody made up.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use media::Path;

use super::secret::{equal, random};

/// 128 random bits, and as many of their signature.
const HALF_BYTES: usize = 16;
const HALF_CHARS: usize = 22;
/// In front, so that no name begins like the mark of what a player asked for.
const MARK: char = 's';

/// Gives names and knows them again, for as long as this server runs.
pub(crate) struct Names(hmac::Key);

impl Default for Names {
    fn default() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()))
    }
}

impl Names {
    /// A name for a session of this broadcast.
    pub(crate) fn give(&self, path: &Path) -> String {
        let random = URL_SAFE_NO_PAD.encode(random::<HALF_BYTES>());
        let signature = self.sign(path, &random);
        format!("{MARK}{random}{signature}")
    }

    /// Whether `name` was given for this broadcast.
    pub(crate) fn knows(&self, path: &Path, name: &str) -> bool {
        let halves = name.strip_prefix(MARK).and_then(|name| name.split_at_checked(HALF_CHARS));
        halves.is_some_and(|(random, theirs)| equal(self.sign(path, random).as_bytes(), theirs.as_bytes()))
    }

    fn sign(&self, path: &Path, random: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{random}\n{path}").as_bytes());
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..HALF_BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_for_its_broadcast_by_the_server_that_gave_it_and_every_change_of_it_is_not() {
        let (names, others) = (Names::default(), Names::default());
        let (path, sibling) = (Path::new("live/a").unwrap(), Path::new("live/b").unwrap());
        let name = names.give(&path);
        assert!(wire::hls::is_session(&name) && name != names.give(&path));
        assert!(names.knows(&path, &name) && !names.knows(&sibling, &name) && !others.knows(&path, &name));
        for end in 0..name.len() {
            assert!(!names.knows(&path, &name[..end]), "cut at {end}");
            let mut changed = name.clone().into_bytes();
            changed[end] ^= 1;
            assert!(!names.knows(&path, &String::from_utf8(changed).unwrap()), "changed at {end}");
        }
        assert!(!names.knows(&path, &format!("{name}A")) && !names.knows(&path, "séééééééééééééééé"));
    }
}
