//! Files that nobody but this server's user may read or change: keys, accounts, the audit log.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Makes the directory, and those above it, where they are missing; only its owner may look into what is made.
pub fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a whole file so that it is there with all of `bytes` or as it was before, whenever the power fails.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    directory(folder)?;
    // Beside the file, for a rename across file systems is a copy.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    // One that was left by a crash may have anybody's permissions, so it is not written into.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

/// Opens a file to write behind its end, and takes from everybody else the right to read it.
pub fn append(path: &Path) -> io::Result<File> {
    directory(path.parent().unwrap_or(Path::new(".")))?;
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// A folder for one test, gone with this value.
#[cfg(test)]
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

#[cfg(test)]
impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let made = MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("openmic-test-{}-{made}", std::process::id())))
    }
}

#[cfg(test)]
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_its_owners_alone_and_so_is_the_folder_that_was_made_for_it() {
        let folder = Folder::new();
        let file = folder.0.join("deep/key.pem");
        write(&file, b"one").unwrap();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        write(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_others_could_read_is_taken_from_them() {
        let folder = Folder::new();
        directory(&folder.0).unwrap();
        let file = folder.0.join("log");
        std::fs::write(&file, b"before\n").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        append(&file).unwrap().write_all(b"after\n").unwrap();
        assert_eq!((mode(&file), std::fs::read(&file).unwrap()), (0o600, b"before\nafter\n".to_vec()));
    }
}
