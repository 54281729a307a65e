//! Paths that nobody may publish for a while: an operator ended what was there. They are in `bans.json` in `data.dir`, so
//! that a restart lets nobody back in.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path as File, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media::Path;

use crate::access::{Refused, Why};
use crate::private;

/// Paths at a time: an operator bans by hand. Some 6 MB at worst.
pub const BANS_MAX: usize = 10_000;
/// The longest ban. What is not wanted for longer is a matter of keys and policies.
pub const BAN_S_MAX: u64 = 30 * 86_400;
const FILE: &str = "bans.json";

/// The list. Times are seconds since 1970.
#[derive(Debug)]
pub struct Bans {
    file: PathBuf,
    until: Mutex<BTreeMap<Path, u64>>,
}

/// The list is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Bans {
    /// Those of a server with this data directory. A file that cannot be read is reported and left as it is until the next
    /// ban: a server that does not start helps nobody.
    pub fn load(data: &File) -> Self {
        let file = data.join(FILE);
        let until = read(&file).unwrap_or_else(|error| {
            let path = file.display();
            tracing::error!(%path, %error, "the list of banned streams cannot be read: nobody is banned; mend or remove it");
            BTreeMap::new()
        });
        Self { file, until: Mutex::new(until) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Path, u64>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses publishers of this path for so long. It writes a file of at most a few megabytes.
    ///
    /// # Errors
    /// [`Full`], where so many are banned already.
    pub fn ban(&self, path: &Path, lasts: Duration, now: u64) -> Result<(), Full> {
        let mut bans = self.lock();
        bans.retain(|_, until| *until > now);
        if bans.len() >= BANS_MAX && !bans.contains_key(path) {
            return Err(Full);
        }
        bans.insert(path.clone(), now.saturating_add(lasts.as_secs()));
        self.save(&bans);
        Ok(())
    }

    /// Lets publishers of this path come again; whether it was banned. It writes the file, too.
    pub fn lift(&self, path: &Path, now: u64) -> bool {
        let mut bans = self.lock();
        let Some(until) = bans.remove(path) else { return false };
        self.save(&bans);
        until > now
    }

    /// What is banned, and until when.
    pub fn list(&self, now: u64) -> Vec<(Path, u64)> {
        let bans = self.lock();
        bans.iter().filter(|(_, until)| **until > now).map(|(path, until)| (path.clone(), *until)).collect()
    }

    /// Lets publishers of this path come.
    ///
    /// # Errors
    /// [`Refused`] while it is banned.
    pub fn check(&self, path: &Path, now: u64) -> Result<(), Refused> {
        let until = self.lock().get(path).copied().unwrap_or_default();
        if until <= now {
            return Ok(());
        }
        let detail = format!("an operator banned this stream; try again in {} s", until - now);
        Err(Refused { why: Why::Forbidden, detail })
    }

    /// A ban that cannot be kept holds until the server stops, which is more than none.
    fn save(&self, bans: &BTreeMap<Path, u64>) {
        let names: BTreeMap<&str, u64> = bans.iter().map(|(path, until)| (path.as_str(), *until)).collect();
        let written = serde_json::to_vec_pretty(&names).map_err(io::Error::from);
        if let Err(error) = written.and_then(|bytes| private::write(&self.file, &bytes)) {
            let path = self.file.display();
            tracing::error!(%path, %error, "the list of banned streams cannot be written: a restart would forget it");
        }
    }
}

fn read(file: &File) -> io::Result<BTreeMap<Path, u64>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let names: BTreeMap<String, u64> = serde_json::from_slice(&text)?;
    let named = |(name, until): (String, u64)| Path::new(&name).map(|path| (path, until));
    names.into_iter().take(BANS_MAX).map(named).collect::<Result<_, _>>().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("openmic-bans-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    fn path(n: usize) -> Path {
        Path::new(&format!("live/{n}")).unwrap()
    }

    #[test]
    fn a_ban_ends_by_itself_and_the_list_of_them_is_bounded() {
        let folder = folder("bounded");
        private::directory(&folder).unwrap();
        let full: BTreeMap<String, u64> =
            (0..BANS_MAX).map(|n| (path(n).as_str().to_owned(), NOW + 60)).collect();
        std::fs::write(folder.join(FILE), serde_json::to_vec(&full).unwrap()).unwrap();
        let (bans, lasts) = (Bans::load(&folder), Duration::from_secs(60));
        assert_eq!(bans.ban(&path(BANS_MAX), lasts, NOW), Err(Full));
        assert_eq!(bans.ban(&path(0), lasts * 2, NOW), Ok(()), "one that is there may last longer");
        assert!(bans.check(&path(1), NOW).is_err() && bans.check(&path(BANS_MAX), NOW).is_ok());
        let later = NOW + 60;
        assert!(bans.check(&path(1), later).is_ok() && bans.check(&path(0), later).is_err());
        assert_eq!(bans.ban(&path(BANS_MAX), lasts, later), Ok(()));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_restart_lets_nobody_back_in_and_lifting_a_ban_does() {
        let folder = folder("restart");
        Bans::load(&folder).ban(&path(1), Duration::from_secs(60), NOW).unwrap();
        let again = Bans::load(&folder);
        assert!(again.check(&path(1), NOW + 1).is_err());
        assert_eq!(again.list(NOW + 1), [(path(1), NOW + 60)]);
        assert!(again.lift(&path(1), NOW + 1) && !again.lift(&path(1), NOW + 1));
        assert!(Bans::load(&folder).check(&path(1), NOW + 1).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_broken_file_bans_nobody_and_is_left_for_whoever_mends_it() {
        let folder = folder("broken");
        private::directory(&folder).unwrap();
        for broken in ["{\"live/a\":", "[]", "{\"../etc\": 1}", "{\"live/a\": -1}"] {
            std::fs::write(folder.join(FILE), broken).unwrap();
            assert!(Bans::load(&folder).list(0).is_empty(), "{broken}");
            assert_eq!(std::fs::read_to_string(folder.join(FILE)).unwrap(), broken);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
