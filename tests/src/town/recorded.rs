//! The files of a phone outside `SQLite`, on a disk that records everything and can fail.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::replica::{Disk, DiskLock, Marker, MarkerFile, StdDisk};
use onegrid_failing_disk::{Call, Failure, Recording};

/// The file system of the operating system, recorded.
#[derive(Debug, Clone)]
pub struct RecordedDisk(Arc<Recording>);

impl RecordedDisk {
    /// The disk of a recording.
    #[must_use]
    pub fn new(recording: &Arc<Recording>) -> Self {
        Self(Arc::clone(recording))
    }

    fn may(&self, call: Call) -> io::Result<()> {
        let failure = self.0.failure(call);
        failure.map_or(Ok(()), |failure| Err(failure.error()))
    }
}

impl Disk for RecordedDisk {
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        StdDisk.len(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        StdDisk.rename(from, to)?;
        self.0.renamed(from, to);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        StdDisk.remove(path)?;
        self.0.removed(path);
        Ok(())
    }

    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        self.may(Call::Sync)?;
        self.0.synced_folder();
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        StdDisk.make_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        StdDisk.list(folder)
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let before = StdDisk.len(path)?;
        let file = self.0.opened(path, before.is_none());
        let failure = self.0.failure(Call::Write);
        let written = match failure {
            None => bytes,
            Some(Failure::Full) => &bytes[..bytes.len() / 2],
            Some(failure) => return Err(failure.error()),
        };
        StdDisk.write_at(path, offset, written)?;
        if before.is_some_and(|length| length > offset) {
            self.0.cut(file, offset);
        }
        self.0.wrote(file, offset, written);
        failure.map_or(Ok(()), |failure| Err(failure.error()))
    }

    fn read_at(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.may(Call::Read)?;
        StdDisk.read_at(path, offset, bytes_max)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.may(Call::Sync)?;
        let file = self.0.opened(path, false);
        self.0.synced(file);
        Ok(())
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        StdDisk.free_bytes(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        StdDisk.lock(path)
    }
}

/// A marker that is written by the same steps as [`MarkerFile`], recorded.
#[derive(Debug)]
pub struct RecordedMarker {
    recording: Arc<Recording>,
    path: PathBuf,
}

impl RecordedMarker {
    /// The marker in this file of a recording.
    #[must_use]
    pub fn new(recording: &Arc<Recording>, path: PathBuf) -> Self {
        Self {
            recording: Arc::clone(recording),
            path,
        }
    }
}

impl Marker for RecordedMarker {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        MarkerFile::new(&self.path).read()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.with_extension("next");
        for call in [Call::Write, Call::Sync] {
            if let Some(failure) = self.recording.failure(call) {
                return Err(failure.error());
            }
        }
        let is_new = !next.exists();
        File::create(&next)?.write_all(bytes)?;
        let file = self.recording.opened(&next, is_new);
        self.recording.cut(file, 0);
        self.recording.wrote(file, 0, bytes);
        self.recording.synced(file);
        fs::rename(&next, &self.path)?;
        self.recording.renamed(&next, &self.path);
        self.recording.synced_folder();
        Ok(())
    }
}
