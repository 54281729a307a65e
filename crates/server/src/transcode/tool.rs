//! Finding the FFmpeg that is run: once, when the server starts.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// An FFmpeg, by its absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ffmpeg(PathBuf);

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    /// The configuration says so.
    #[error("transcode.ffmpeg is empty; set it to \"ffmpeg\", or to a path")]
    Disabled,
    /// It is not where it should be.
    #[error("there is no {0} in PATH; install FFmpeg 5.1 or newer, or set transcode.ffmpeg to its path")]
    NotInPath(String),
    /// The configured path is wrong.
    #[error("{0} is no program that can be run; install FFmpeg there, or set transcode.ffmpeg to its path")]
    NotThere(String),
}

impl Ffmpeg {
    /// The program of this path, or of this name in one of the directories of `path`.
    pub(crate) fn find(name: &Path, path: Option<impl AsRef<OsStr>>) -> Result<Self, Missing> {
        if name.as_os_str().is_empty() {
            return Err(Missing::Disabled);
        }
        if name.components().count() > 1 {
            return usable(name).ok_or_else(|| Missing::NotThere(name.display().to_string()));
        }
        let path = path.as_ref().map(AsRef::as_ref).unwrap_or_default();
        std::env::split_paths(path)
            .find_map(|directory| usable(&directory.join(name)))
            .ok_or_else(|| Missing::NotInPath(name.display().to_string()))
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// The FFmpeg that a server would run which is set to `name`, or what to do where there is none.
pub fn find(name: &Path) -> Result<PathBuf, String> {
    Ffmpeg::find(name, std::env::var_os("PATH")).map(|found| found.0).map_err(|missing| missing.to_string())
}

fn usable(path: &Path) -> Option<Ffmpeg> {
    let meta = path.metadata().ok()?;
    let is_program = meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    std::path::absolute(path).ok().filter(|_| is_program).map(Ffmpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_path_and_by_name_and_its_lack_is_explained() {
        let sh = Ffmpeg::find(Path::new("sh"), Some("/nowhere:/usr/bin:/bin")).expect("every system has it");
        assert!(sh.path().is_absolute() && sh.path().ends_with("sh"));
        assert_eq!(Ffmpeg::find(Path::new("/bin/sh"), None::<&str>).unwrap().path(), Path::new("/bin/sh"));
        let missing = |name: &str| Ffmpeg::find(Path::new(name), Some("/bin")).unwrap_err();
        assert_eq!(missing(""), Missing::Disabled);
        assert_eq!(missing("no-such-program"), Missing::NotInPath("no-such-program".into()));
        assert_eq!(missing("/bin/no-such-program"), Missing::NotThere("/bin/no-such-program".into()));
        assert_eq!(missing("/etc/passwd"), Missing::NotThere("/etc/passwd".into()), "it cannot be run");
    }
}
