//! The folder of files: `<2 hex digits>/<id>-<record>` for whole ones, `staging/<device>-<record>-<id>` for
//! those that arrive.
//!
//! A whole file never changes, so a backup may be a second name of it. Files are for their owner alone.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};

use crate::store::AttachmentKey;

const STAGING: &str = "staging";
/// File that the nodes over a folder lock.
const NODES: &str = "nodes.lock";
/// File that a node locks while it puts a whole file in place or removes one.
const PLACES: &str = "places.lock";

/// A folder of files.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

/// A staging file that is written.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
}

impl Files {
    /// Wraps a path. The folder need not exist.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Path of the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Creates the folder and the one for staging files.
    pub fn make(&self) -> io::Result<()> {
        make_folder(&self.folder)?;
        make_folder(&self.folder.join(STAGING))?;
        if let Some(above) = self.folder.parent() {
            sync(above)?;
        }
        sync(&self.folder)
    }

    /// Holds the folder together with the other nodes, as long as the file is open. `alone` runs first, and only
    /// when no other node holds it: the others wait meanwhile.
    pub(super) fn hold<E>(
        &self,
        failed: impl Fn(io::Error) -> E,
        alone: impl FnOnce() -> Result<(), E>,
    ) -> Result<File, E> {
        let mut options = OpenOptions::new();
        // NFS version 4 gives no shared lock on a file that is open for writing alone.
        options.create(true).truncate(false).read(true).write(true);
        private(&mut options);
        let file = options.open(self.folder.join(NODES)).map_err(&failed)?;
        match file.try_lock() {
            Ok(()) => {
                alone()?;
                file.unlock().map_err(&failed)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.lock_shared().map_err(failed)?;
        Ok(file)
    }

    /// Waits until no other node puts a whole file in place or removes one, as long as the file is open.
    pub(super) fn lock_places(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        let file = options.open(self.folder.join(PLACES))?;
        file.lock()?;
        Ok(file)
    }

    /// Bytes that this user can still write to the disk.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Opens the staging file, creates it if it does not exist, and cuts it to the durable bytes. Fails with
    /// [`ErrorKind::UnexpectedEof`] when it has fewer, and with [`ErrorKind::WouldBlock`] while another node writes
    /// it.
    pub(super) fn stage(
        &self,
        device: DeviceId,
        key: AttachmentKey,
        durable: u64,
    ) -> io::Result<Staged> {
        let path = self.staging(device, key);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        let is_new = !path.exists();
        let mut file = options.open(&path)?;
        // Another node may still write bytes of a dead connection. The lock ends with the file.
        file.try_lock()?;
        if file.metadata()?.len() < durable {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        file.set_len(durable)?;
        file.seek(SeekFrom::End(0))?;
        if is_new {
            // Otherwise a power cut could take the name, and with it bytes whose offset was told.
            sync(&self.folder.join(STAGING))?;
        }
        Ok(Staged { file })
    }

    /// Reads a whole staging file; `None` if it is gone.
    pub(super) fn read_staged(
        &self,
        device: DeviceId,
        key: AttachmentKey,
    ) -> io::Result<Option<Vec<u8>>> {
        if_there(std::fs::read(self.staging(device, key)))
    }

    /// Removes a staging file. A missing one is no error.
    pub(super) fn unstage(&self, device: DeviceId, key: AttachmentKey) -> io::Result<()> {
        if_there(std::fs::remove_file(self.staging(device, key))).map(drop)
    }

    /// Keeps only the staging files that `durable` names, cut to its number of bytes, and returns them. One that
    /// cannot be opened is left out, because it must not keep the server from starting.
    pub(super) fn recover(
        &self,
        mut durable: impl FnMut(DeviceId, AttachmentKey) -> Option<u64>,
    ) -> io::Result<Vec<(DeviceId, AttachmentKey)>> {
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(self.folder.join(STAGING))? {
            let entry = entry?;
            let named = entry.file_name();
            let named = named.to_str().and_then(staging_name);
            let of = named.and_then(|(device, key)| Some((device, key, durable(device, key)?)));
            let done = match of {
                None => std::fs::remove_file(entry.path()),
                Some((device, key, bytes)) => match self.stage(device, key, bytes) {
                    Ok(_) => {
                        kept.push((device, key));
                        Ok(())
                    }
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                        std::fs::remove_file(entry.path())
                    }
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = done {
                tracing::warn!(%error, "an unfinished upload cannot be continued");
            }
        }
        Ok(kept)
    }

    /// Makes a durable staging file the file of its key, durably.
    pub(super) fn keep(&self, device: DeviceId, key: AttachmentKey) -> io::Result<()> {
        let folder = self.make_folder_of(key)?;
        std::fs::rename(self.staging(device, key), folder.join(file_name(key)))?;
        sync(&folder)?;
        sync(&self.folder.join(STAGING))
    }

    /// Adds a file of another folder. A file that is here stays. The caller makes the folders durable with
    /// [`Self::sync_folders`]. Returns whether the file is here now: one that the other folder lacks or cannot
    /// read is left out.
    pub fn add(&self, from: &Self, key: AttachmentKey) -> io::Result<bool> {
        if if_there(std::fs::symlink_metadata(self.path(key)))?.is_some() {
            return Ok(true);
        }
        self.replace(from, key)
    }

    /// Puts a file of another folder in the place of the one that is here: as a second name of it if both are
    /// on one disk, else as a copy. Like [`Self::add`] otherwise.
    pub fn replace(&self, from: &Self, key: AttachmentKey) -> io::Result<bool> {
        let to = self.make_folder_of(key)?.join(file_name(key));
        let (from, part) = (from.path(key), to.with_extension("part"));
        if_there(std::fs::remove_file(&part))?;
        // Another disk and one without second names get a copy.
        if std::fs::hard_link(&from, &part).is_err() {
            let Ok(bytes) = std::fs::read(&from) else {
                return Ok(false);
            };
            let mut options = OpenOptions::new();
            options.create_new(true).write(true);
            private(&mut options);
            let mut copy = options.open(&part)?;
            copy.write_all(&bytes)?;
            copy.sync_all()?;
        }
        std::fs::rename(part, to).map(|()| true)
    }

    /// Waits until the names of all files are on the disk.
    pub fn sync_folders(&self) -> io::Result<()> {
        for number in 0..=u8::MAX {
            if_there(sync(&self.folder.join(folder_name(number))))?;
        }
        sync(&self.folder)
    }

    /// Waits until the name of a file is on the disk.
    pub(super) fn sync_folder_of(&self, key: AttachmentKey) -> io::Result<()> {
        sync(&self.folder.join(folder_name(key.id.0[0])))
    }

    /// Opens a file; `None` if it is not here.
    pub fn open(&self, key: AttachmentKey) -> io::Result<Option<File>> {
        if_there(File::open(self.path(key)))
    }

    /// The length of a file, bytes; `None` if it is not here.
    pub fn length(&self, key: AttachmentKey) -> io::Result<Option<u64>> {
        let found = if_there(std::fs::metadata(self.path(key)))?;
        Ok(found.map(|found| found.len()))
    }

    /// Reads a whole file of at most so many bytes; `None` if it is not here or has another length.
    pub fn read(&self, key: AttachmentKey, bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(key)? else {
            return Ok(None);
        };
        let mut read = Vec::new();
        file.take(bytes.saturating_add(1)).read_to_end(&mut read)?;
        Ok((read.len() as u64 == bytes).then_some(read))
    }

    /// Removes a file. A missing one is no error.
    pub(super) fn remove(&self, key: AttachmentKey) -> io::Result<()> {
        if_there(std::fs::remove_file(self.path(key))).map(drop)
    }

    /// The keys of the files in one of the 256 folders.
    pub fn keys(&self, number: u8) -> io::Result<Vec<AttachmentKey>> {
        let listed = std::fs::read_dir(self.folder.join(folder_name(number)));
        let Some(listed) = if_there(listed)? else {
            return Ok(Vec::new());
        };
        let mut keys = Vec::new();
        for entry in listed {
            // A file that was not copied to its end has another name.
            keys.extend(entry?.file_name().to_str().and_then(key_of));
        }
        Ok(keys)
    }

    pub(super) fn path(&self, key: AttachmentKey) -> PathBuf {
        self.folder
            .join(folder_name(key.id.0[0]))
            .join(file_name(key))
    }

    fn staging(&self, device: DeviceId, key: AttachmentKey) -> PathBuf {
        let record = EnvelopeId(key.record.0);
        let name = format!("{device}-{record}-{}", key.id);
        self.folder.join(STAGING).join(name)
    }

    fn make_folder_of(&self, key: AttachmentKey) -> io::Result<PathBuf> {
        let folder = self.folder.join(folder_name(key.id.0[0]));
        if !folder.is_dir() {
            make_folder(&folder)?;
            sync(&self.folder)?;
        }
        Ok(folder)
    }
}

impl Staged {
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Waits until everything that was appended is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn folder_name(number: u8) -> String {
    format!("{number:02x}")
}

fn file_name(key: AttachmentKey) -> String {
    format!("{}-{}", key.id, EnvelopeId(key.record.0))
}

fn key_of(name: &str) -> Option<AttachmentKey> {
    let (id, record) = name.split_once('-')?;
    let record = record.parse::<EnvelopeId>().ok()?;
    Some(AttachmentKey {
        record: RecordId(record.0),
        id: id.parse::<Hash>().ok()?,
    })
}

fn staging_name(name: &str) -> Option<(DeviceId, AttachmentKey)> {
    let (device, rest) = name.split_once('-')?;
    let (record, id) = rest.split_once('-')?;
    let record = record.parse::<EnvelopeId>().ok()?;
    let key = AttachmentKey {
        record: RecordId(record.0),
        id: id.parse::<Hash>().ok()?,
    };
    Some((device.parse().ok()?, key))
}

fn if_there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
