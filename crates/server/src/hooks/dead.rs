//! Dead letters: what a hook was never told, one JSON line each in `hooks-dead.jsonl` of `data.dir`, for whoever repairs
//! the receiver.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::private;
use crate::time::rfc3339;

/// The file of the newest letters.
pub(super) const FILE: &str = "hooks-dead.jsonl";
/// The file is set aside as `hooks-dead.jsonl.1` at this size, some thirty thousand letters, and the one before it goes:
/// a receiver that is never repaired must not fill the disk.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// One delivery that was given up.
#[derive(Debug, Serialize)]
pub(super) struct Letter<'a> {
    pub(super) hook: &'a str,
    pub(super) attempts: u32,
    pub(super) error: &'a str,
    /// The body in the openmic format, whatever the hook's format is: it holds no secret and no signature.
    pub(super) body: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339 in UTC.
    at: String,
    hook: &'a str,
    attempts: u32,
    error: &'a str,
    body: &'a RawValue,
}

/// The file.
#[derive(Debug)]
pub(super) struct Dead {
    path: PathBuf,
    turn: Mutex<()>,
}

impl Dead {
    /// In this directory; nothing is made before the first letter.
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join(FILE), turn: Mutex::new(()) }
    }

    /// Keeps a letter. What cannot be written is told to the log instead.
    pub(super) fn keep(&self, letter: &Letter<'_>, now: SystemTime) {
        let Letter { hook, attempts, error, body } = *letter;
        tracing::warn!(hook, attempts, error, "a delivery is given up; it is kept in {FILE}");
        let body = RawValue::from_string(body.to_owned()).expect("a body is JSON");
        let line = Line { at: rfc3339(now), hook, attempts, error, body: &body };
        let line = serde_json::to_string(&line).expect("texts and numbers are always JSON");
        if let Err(error) = self.append(&format!("{line}\n")) {
            tracing::error!(file = %self.path.display(), %error, "a dead letter cannot be kept: {line}");
        }
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = private::append(&self.path)?;
        if file.metadata()?.len() + line.len() as u64 > FILE_BYTES_MAX {
            std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
            file = private::append(&self.path)?;
        }
        file.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::private::Folder;

    #[test]
    fn a_letter_is_a_line_that_its_owner_alone_reads() {
        let folder = Folder::new();
        let dead = Dead::new(&folder.0);
        let body = "{\"id\":\"d1\",\"agent\":\"a\\nb\"}";
        dead.keep(&Letter { hook: "x", attempts: 16, error: "no\nanswer", body }, SystemTime::UNIX_EPOCH);
        let path = folder.0.join(FILE);
        let owed = "{\"at\":\"1970-01-01T00:00:00.000Z\",\"hook\":\"x\",\"attempts\":16,\
            \"error\":\"no\\nanswer\",\"body\":{\"id\":\"d1\",\"agent\":\"a\\nb\"}}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), owed);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn letters_without_end_fill_two_files_and_not_the_disk() {
        let folder = Folder::new();
        let dead = Dead::new(&folder.0);
        let path = folder.0.join(FILE);
        for round in 0..3 {
            dead.keep(&Letter { hook: "x", attempts: round, error: "", body: "{}" }, SystemTime::UNIX_EPOCH);
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(FILE_BYTES_MAX).unwrap();
        }
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2);
        let aside = std::fs::read(folder.0.join("hooks-dead.jsonl.1")).unwrap();
        assert!(aside.windows(12).any(|text| text == b"\"attempts\":1"), "the second round's");
    }
}
