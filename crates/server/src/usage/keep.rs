//! Usage on the disk: a file an hour in `usage/` of `data.dir`, one JSON line a row, written anew each minute and whole or
//! not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use super::table::{Key, Sums, Table};
use super::{Hour, ROWS_MAX};
use crate::context::Context;
use crate::private;
use crate::time::{parse_rfc3339, rfc3339};

/// The folder in `data.dir`.
pub const FOLDER: &str = "usage";
/// Older files are removed: a month's bill can be made from what is there.
pub const DAYS_KEPT: u64 = 31;
/// How often usage is settled and written: what a crash of the machine may cost.
const EVERY: Duration = Duration::from_secs(60);
/// An hour is held this long after its end: what was measured just before it is added just after it.
const OPEN_AFTER: Duration = Duration::from_secs(120);
/// A file that is longer is none of ours: rows have names of 512 bytes at most, escaped at worst six times as long.
const FILE_BYTES_MAX: u64 = (ROWS_MAX as u64 + 16) * 4_096;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(flatten)]
    key: Key<'a>,
    #[serde(flatten)]
    sums: Sums,
}

/// Settles and writes usage until the server stops, and then once more.
pub(crate) async fn serve(context: Arc<Context>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is due at once.
    tick.tick().await;
    loop {
        let stopped = context.stopping.run_until_cancelled(tick.tick()).await.is_none();
        let writing = Arc::clone(&context);
        blocking(&context, move || write(&writing, SystemTime::now())).await;
        if stopped {
            return;
        }
    }
}

async fn blocking(context: &Context, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
    if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
        let folder = folder(context);
        tracing::error!(folder = %folder.display(), %error, "usage cannot be kept; it is tried again in a minute");
    }
}

fn folder(context: &Context) -> PathBuf {
    context.config().data.dir.join(FOLDER)
}

fn write(context: &Context, now: SystemTime) -> io::Result<()> {
    context.access.sessions.settle(now);
    let (folder, usage) = (folder(context), context.access.sessions.usage());
    for hour in usage.hours() {
        let Some(table) = usage.copy(hour, || read(&folder, hour))? else { continue };
        private::write(&folder.join(name(hour)), text(&table).as_bytes())?;
        if hour < Hour::of(now - OPEN_AFTER) {
            usage.forget(hour);
        }
    }
    remove_old(&folder, Hour::of(now))
}

fn remove_old(folder: &Path, current: Hour) -> io::Result<()> {
    for hour in kept(folder)? {
        if hour.0 + DAYS_KEPT * 24 < current.0 {
            std::fs::remove_file(folder.join(name(hour)))?;
        }
    }
    Ok(())
}

/// The hours that there are files of, in order.
pub(super) fn kept(folder: &Path) -> io::Result<Vec<Hour>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut hours = Vec::new();
    for entry in entries {
        hours.extend(entry?.file_name().to_str().and_then(hour));
    }
    hours.sort_unstable();
    Ok(hours)
}

/// `2026-11-26T07Z.jsonl`
fn name(hour: Hour) -> String {
    let time = rfc3339(hour.start());
    format!("{}Z.jsonl", time.get(..13).unwrap_or_default())
}

fn hour(name: &str) -> Option<Hour> {
    let start = name.strip_suffix("Z.jsonl").filter(|start| start.len() == 13)?;
    parse_rfc3339(&format!("{start}:00:00Z")).map(Hour::of)
}

fn text(table: &Table) -> String {
    let lines = table.rows().map(|(key, sums)| {
        let line = Line { key: key.clone(), sums: *sums };
        serde_json::to_string(&line).expect("a struct of texts and numbers is always JSON") + "\n"
    });
    lines.collect()
}

/// What was written for an hour; empty where nothing was. A line that is broken is left out: usage that another hand has
/// touched is no reason to lose the rest.
pub(super) fn read(folder: &Path, hour: Hour) -> io::Result<Table> {
    let mut table = Table::new(ROWS_MAX);
    let file = folder.join(name(hour));
    let length = match std::fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(table),
        metadata => metadata?.len(),
    };
    if length > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a file of usage is too long"));
    }
    for line in std::fs::read_to_string(&file)?.lines() {
        match serde_json::from_str::<Line<'_>>(line) {
            Ok(line) => table.add(line.key, line.sums),
            Err(error) => tracing::warn!(file = %file.display(), %error, "a line of usage is left out"),
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private::Folder;

    #[test]
    fn an_hour_is_read_as_it_was_written_whatever_its_names_are() {
        let folder = Folder::new();
        let hour = Hour(498_700);
        let mut table = Table::new(ROWS_MAX);
        for stream in ["a", "数学", "=1+1", "a\"b,c"] {
            let sums = Sums { sessions: 3, milliseconds: 1, bytes: u64::MAX };
            table.add(Key { app: "live".into(), stream: stream.into(), ..Key::default() }, sums);
        }
        table.add(Key { overflow: true, ..Key::default() }, Sums { sessions: 1, ..Sums::default() });
        private::write(&folder.0.join(name(hour)), text(&table).as_bytes()).unwrap();
        std::fs::write(folder.0.join("notes.txt"), "x").unwrap();
        assert_eq!(read(&folder.0, hour).unwrap(), table);
        assert_eq!(kept(&folder.0).unwrap(), [hour], "by its name, and no other file");
        assert_eq!(read(&folder.0, Hour(1)).unwrap().rows().len(), 0);
    }

    #[test]
    fn a_file_is_kept_for_31_days_and_no_longer() {
        let folder = Folder::new();
        let current = Hour(498_700);
        let (last, gone) = (Hour(current.0 - 31 * 24), Hour(current.0 - 31 * 24 - 1));
        for hour in [current, last, gone] {
            private::write(&folder.0.join(name(hour)), b"").unwrap();
        }
        remove_old(&folder.0, current).unwrap();
        assert_eq!(kept(&folder.0).unwrap(), [last, current]);
    }

    #[test]
    fn a_broken_line_costs_itself_alone() {
        let folder = Folder::new();
        let good = r#"{"app":"live","stream":"a","protocol":"flv","action":"play","sessions":1,"milliseconds":2,"bytes":3}"#;
        private::write(&folder.0.join(name(Hour(7))), format!("{{\"app\":\n{good}\n").as_bytes()).unwrap();
        assert_eq!(read(&folder.0, Hour(7)).unwrap().rows().next().unwrap().1.bytes, 3);
    }
}
