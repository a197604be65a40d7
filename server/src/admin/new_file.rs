//! A new file that has its name only when it is whole.
//!
//! ```text
//!  NAME.part ─▶ written, synced ─▶ NAME      a file that exists is never replaced
//! ```
//!
//! **Invariant.** A killed process and a full disk leave no file under the final name. The next run replaces the
//! part that they left, because its lock is free.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::data_dir::is_at;

/// The file while it is written. A drop before [`Self::finish`] removes it.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    is_whole: bool,
}

impl NewFile {
    /// Creates the part for its owner alone, because it may hold confidential texts. A file of the final name,
    /// or another process that writes it, is an error of the kind `AlreadyExists`.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let part = Self::part_of(path);
        let file = match create_new(&part) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                remove_left(&part)?;
                create_new(&part)?
            }
            made => made?,
        };
        // Another process may have taken the part for one that was left, before it had its lock.
        let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if is_taken || !is_at(&file, &part) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(Self {
            path: path.to_owned(),
            part,
            file,
            is_whole: false,
        })
    }

    /// Puts the bytes so far on the disk, under the name of the part.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        self.sync_folder();
        Ok(())
    }

    /// Gives the file its name. Its bytes are on the disk by then.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        rename_new(&self.part, &self.path)?;
        self.is_whole = true;
        self.sync_folder();
        Ok(())
    }

    /// Path of the part.
    pub(super) fn part_of(path: &Path) -> PathBuf {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        PathBuf::from(part)
    }

    fn sync_folder(&self) {
        let folder = self.path.parent().filter(|path| *path != Path::new(""));
        // Some file systems cannot sync a folder. The file itself is on the disk.
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
    }

    /// Removes the file even if it is whole, because another one that belongs to it failed.
    pub(super) fn remove(&mut self) {
        if self.is_whole {
            // A file that stays is named by the next export.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_whole {
            // The next run takes the place of a part that stays.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes the part of a run that has ended.
fn remove_left(part: &Path) -> io::Result<()> {
    match File::open(part)?.try_lock() {
        Ok(()) => std::fs::remove_file(part),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::AlreadyExists.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Renames a file, and replaces none.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;

        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system knows it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
    }
    if to.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}
