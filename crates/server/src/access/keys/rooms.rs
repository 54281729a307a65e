//! The key of join tokens where no key file has one: a server on a laptop has rooms, too, and who one is in them comes from
//! the token. It signs nothing but tokens of rooms.

use std::io;
use std::path::{Path, PathBuf};

use super::super::secret::Secret;
use super::Error;
use crate::private;

/// Tokens name it by this.
pub const KID: &str = "rooms";
/// The file's name.
const FILE: &str = "rooms.key";
/// RFC 7518 §3.2.
const BYTES_MIN: usize = 32;

fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// The key, if one was made.
pub(crate) fn load(data: &Path) -> Result<Option<Secret>, Error> {
    let path = path(data);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= BYTES_MIN => Ok(Some(Secret::from(text.trim().to_owned()))),
        Ok(_) => {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it holds no key; remove it");
            Err(Error::File { path, error })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::File { path, error }),
    }
}

/// The key; one that was missing is made.
///
/// # Errors
/// The file cannot be read or written.
pub fn load_or_make(data: &Path) -> Result<Secret, Error> {
    if let Some(secret) = load(data)? {
        return Ok(secret);
    }
    let (secret, path) = (Secret::random_base64(), path(data));
    let written = private::write(&path, format!("{}\n", secret.expose()).as_bytes());
    written.map_err(|error| Error::File { path, error })?;
    Ok(secret)
}
