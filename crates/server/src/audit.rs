//! Who changed what in this server: one JSON line an act, appended to `audit.jsonl` in `data.dir` and told to the log
//! under the target `audit`.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::private;
use crate::time::rfc3339;

/// The file of the newest acts.
pub const FILE: &str = "audit.jsonl";
/// The file is set aside at this size: some fifty thousand acts, which an editor still opens.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files set aside (`audit.jsonl.1` is the newest of them); older ones go. With the first that is a million acts or so
/// in 320 MB, more than a year of a busy console. Who must keep more collects the lines of the log.
pub const FILES_ASIDE_MAX: usize = 19;
/// Names and reasons come from requests: a longer one says nothing more, and must not fill the disk.
const TEXT_CHARS_MAX: usize = 512;

/// One administrative act, tried or done.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// The key, account or signal by whose right it was done; never a secret.
    pub who: &'a str,
    /// A short fixed name: `kick`, `key.create`, `reload`.
    pub what: &'static str,
    /// What it was done to: a stream, a key's name, a file.
    pub target: &'a str,
    /// Whether it was done.
    pub outcome: Outcome<'a>,
    /// Where the request came from; `None` for a signal or a command of this machine.
    pub peer: Option<SocketAddr>,
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// As asked.
    Done,
    /// The asker had no right to it, and why.
    Refused(&'a str),
    /// It was tried and did not work, and why.
    Failed(&'a str),
}

/// The log. Acts are rare and lines short, so a line is written where it is recorded, into the kernel's cache; a crash of
/// the machine may lose the last seconds of it, a crash of the server does not.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    file: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339 in UTC.
    at: String,
    who: &'a str,
    what: &'static str,
    target: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    peer: Option<SocketAddr>,
}

impl Audit {
    /// The log in this directory; neither is made before the first act.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join(FILE), file: Mutex::new(None) }
    }

    /// Writes one act down. What cannot be written is told to the ordinary log, with the act: it has been done already.
    pub fn record(&self, act: &Act<'_>) {
        self.record_at(act, SystemTime::now());
    }

    fn record_at(&self, act: &Act<'_>, now: SystemTime) {
        let line = line(act, now);
        tracing::info!(target: "audit", "{line}");
        if let Err(error) = self.append(&format!("{line}\n")) {
            tracing::error!(file = %self.path.display(), %error, "the audit log cannot be written: {line}");
        }
    }

    fn append(&self, line: &str) -> io::Result<()> {
        // A panic while it was held left a file that is still one to append to.
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let length = line.len() as u64;
        let is_full = self.open(&mut held)?.bytes + length > FILE_BYTES_MAX;
        if is_full {
            *held = None;
            self.set_aside()?;
        }
        let open = self.open(&mut held)?;
        open.file.write_all(line.as_bytes())?;
        open.bytes += length;
        Ok(())
    }

    fn open<'a>(&self, held: &'a mut Option<Open>) -> io::Result<&'a mut Open> {
        match held {
            Some(open) => Ok(open),
            None => {
                let file = private::append(&self.path)?;
                let bytes = file.metadata()?.len();
                Ok(held.insert(Open { file, bytes }))
            }
        }
    }

    fn set_aside(&self) -> io::Result<()> {
        let aside = |number: usize| self.path.with_file_name(format!("{FILE}.{number}"));
        for number in (1..FILES_ASIDE_MAX).rev() {
            match std::fs::rename(aside(number), aside(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(&self.path, aside(1))
    }
}

fn line(act: &Act<'_>, now: SystemTime) -> String {
    let (outcome, why) = match act.outcome {
        Outcome::Done => ("done", None),
        Outcome::Refused(why) => ("refused", Some(clipped(why))),
        Outcome::Failed(why) => ("failed", Some(clipped(why))),
    };
    let line = Line {
        at: rfc3339(now),
        who: clipped(act.who),
        what: act.what,
        target: clipped(act.target),
        outcome,
        why,
        peer: act.peer,
    };
    let json = serde_json::to_string(&line).expect("strings and an address are always JSON");
    harmless(&json)
}

fn clipped(text: &str) -> &str {
    text.char_indices().nth(TEXT_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

/// JSON escapes only what is below the space. A terminal that shows the file obeys the controls of Latin-1 as well, and
/// what turns the direction of writing makes a line read as another; in JSON they all can stand only within strings,
/// where an escape means the same.
fn harmless(json: &str) -> String {
    use std::fmt::Write as _;
    let turns =
        |char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    json.chars().fold(String::with_capacity(json.len()), |mut text, char| {
        if char.is_control() || turns(char) {
            // All of them are within the first plane, where four digits name a character.
            let _ = write!(text, "\\u{:04x}", u32::from(char));
        } else {
            text.push(char);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::private::Folder;

    fn act<'a>(target: &'a str, outcome: Outcome<'a>) -> Act<'a> {
        Act { who: "key:ops", what: "kick", target, outcome, peer: Some(([192, 0, 2, 7], 4_711).into()) }
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_act_is_one_line_of_json_and_the_next_one_follows_it() {
        let folder = Folder::new();
        let audit = Audit::new(&folder.0);
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        audit.record_at(&act("live/a", Outcome::Done), now);
        audit.record_at(&act("live/b", Outcome::Refused("no scope")), now);
        let path = folder.0.join(FILE);
        let first = "{\"at\":\"2023-11-14T22:13:20.123Z\",\"who\":\"key:ops\",\"what\":\"kick\",\"target\":\"live/a\",\
            \"outcome\":\"done\",\"peer\":\"192.0.2.7:4711\"}";
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().next(), Some(first));
        let lines = lines(&path);
        assert_eq!(
            (lines.len(), &lines[1]["why"], &lines[1]["outcome"]),
            (2, &"no scope".into(), &"refused".into())
        );
        // Another run of the server goes on where this one ended.
        Audit::new(&folder.0).record_at(&act("live/c", Outcome::Done), now);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn whatever_a_name_holds_it_stays_within_its_string_and_commands_no_terminal() {
        let folder = Folder::new();
        let evil = "a\n{\"who\":\"root\"}\r\u{1b}[2J\u{9b}2J\u{7f}\u{202e}gpj\u{2028}\0é中";
        Audit::new(&folder.0).record(&act(evil, Outcome::Failed(evil)));
        let path = folder.0.join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.trim_end_matches('\n').chars().all(|char| !char.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}') && text.contains("é中"), "{text:?}");
        let line = &lines(&path)[0];
        assert_eq!((line["target"].as_str(), line["why"].as_str()), (Some(evil), Some(evil)));
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let name = "é".repeat(100_000);
        let line = line(&act(&name, Outcome::Done), UNIX_EPOCH);
        assert!(line.len() < 2 * TEXT_CHARS_MAX + 200, "{}", line.len());
    }

    #[test]
    fn a_full_file_is_set_aside_and_the_oldest_of_them_goes() {
        let folder = Folder::new();
        let path = folder.0.join(FILE);
        let aside = |number: usize| folder.0.join(format!("{FILE}.{number}"));
        for round in 1..=FILES_ASIDE_MAX + 2 {
            let line = format!("{{\"round\":{round}}}\n");
            private::append(&path).unwrap().write_all(line.as_bytes()).unwrap();
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(FILE_BYTES_MAX).unwrap();
            let audit = Audit::new(&folder.0);
            audit.record(&act("goes into another file", Outcome::Done));
        }
        assert!(aside(FILES_ASIDE_MAX).exists() && !aside(FILES_ASIDE_MAX + 1).exists());
        assert!(std::fs::metadata(&path).unwrap().len() < 1_000);
    }
}
