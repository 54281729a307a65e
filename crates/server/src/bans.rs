//! Paths that nobody may publish for a while: an operator ended what was there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::Path;

use crate::access::{Refused, Why};

/// Paths at a time: an operator bans by hand. Some 6 MB at worst.
pub const BANS_MAX: usize = 10_000;
/// The longest ban. What is not wanted for longer is a matter of keys and policies.
pub const BAN_S_MAX: u64 = 30 * 86_400;

/// The list. It does not outlast the server.
#[derive(Debug, Default)]
pub struct Bans(Mutex<HashMap<Path, Instant>>);

/// The list is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Bans {
    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses publishers of this path for so long.
    ///
    /// # Errors
    /// [`Full`], where so many are banned already.
    pub fn ban(&self, path: &Path, lasts: Duration, now: Instant) -> Result<(), Full> {
        let mut bans = self.lock();
        bans.retain(|_, until| *until > now);
        if bans.len() >= BANS_MAX && !bans.contains_key(path) {
            return Err(Full);
        }
        bans.insert(path.clone(), now + lasts);
        Ok(())
    }

    /// Lets publishers of this path come.
    ///
    /// # Errors
    /// [`Refused`] while it is banned.
    pub fn check(&self, path: &Path, now: Instant) -> Result<(), Refused> {
        let left = self.lock().get(path).and_then(|until| until.checked_duration_since(now));
        match left.filter(|left| !left.is_zero()) {
            None => Ok(()),
            Some(left) => Err(Refused {
                why: Why::Forbidden,
                detail: format!("an operator banned this stream; try again in {} s", left.as_secs() + 1),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_by_itself_and_the_list_of_them_is_bounded() {
        let (bans, now, lasts) = (Bans::default(), Instant::now(), Duration::from_secs(60));
        let path = |n: usize| Path::new(&format!("live/{n}")).unwrap();
        for n in 0..BANS_MAX {
            bans.ban(&path(n), lasts, now).unwrap();
        }
        assert_eq!(bans.ban(&path(BANS_MAX), lasts, now), Err(Full));
        assert_eq!(bans.ban(&path(0), lasts * 2, now), Ok(()), "one that is there may last longer");
        assert!(bans.check(&path(1), now).is_err() && bans.check(&path(BANS_MAX), now).is_ok());
        let later = now + lasts;
        assert!(bans.check(&path(1), later).is_ok() && bans.check(&path(0), later).is_err());
        assert_eq!(bans.ban(&path(BANS_MAX), lasts, later), Ok(()));
    }
}
