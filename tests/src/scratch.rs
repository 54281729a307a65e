//! Folders for what a server keeps, one a server.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is not there yet.
pub fn folder() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("openmic-scratch-{}-{made}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}
