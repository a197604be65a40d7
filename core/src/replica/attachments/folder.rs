//! The folder of sealed files. Names are random, so that they say nothing about the content.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::disk::Disk;
use super::super::error::ReplicaError;
use super::super::site::{outbox_copy_path, with_suffix};
use super::super::table::attachment::{Place, SealedFile};
use crate::limits::FREE_BYTES_RESERVED;
use crate::media::sealed::Seal;

/// The ending of a file that is being written.
const PART: &str = ".part";

/// The sealed files beside a replica.
#[derive(Debug, Clone)]
pub(in crate::replica) struct FileFolder {
    disk: Arc<dyn Disk>,
    replica: PathBuf,
    path: PathBuf,
}

/// How far a file has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::replica) struct FileProgress {
    /// Plain bytes in the file.
    pub(in crate::replica) here: u64,
    /// Bytes behind them, fewer than a segment.
    pub(in crate::replica) tail: Vec<u8>,
}

impl FileFolder {
    /// The folder of the replica with this database.
    pub(in crate::replica) fn of(disk: &Arc<dyn Disk>, replica: &Path) -> Self {
        Self {
            disk: Arc::clone(disk),
            replica: replica.to_owned(),
            path: with_suffix(replica, ".files"),
        }
    }

    /// Whether a file of so many plain bytes fits, with room left for the replica.
    pub(in crate::replica) fn has_room(&self, plain_bytes: u64) -> Result<bool, ReplicaError> {
        Ok(self.free_bytes()? >= plain_bytes.saturating_add(FREE_BYTES_RESERVED))
    }

    /// Free bytes of the disk.
    pub(in crate::replica) fn free_bytes(&self) -> Result<u64, ReplicaError> {
        let free = self.disk.free_bytes(self.parent());
        free.map_err(|error| failed(&error))
    }

    /// Seals a whole file. When this returns, it is durable; on an error it leaves no trace.
    pub(in crate::replica) fn store(
        &self,
        file: &SealedFile,
        plain: &[u8],
    ) -> Result<(), ReplicaError> {
        self.make()?;
        let (part, path) = (self.part(file.place), self.file(file.place));
        let seal = Seal::new(&file.key, plain.len() as u64);
        let stored = self.append(&part, &seal, 0, plain).and_then(|_| {
            let named = self.disk.sync(&part);
            let named = named.and_then(|()| self.disk.rename(&part, &path));
            let named = named.and_then(|()| self.disk.sync_folder(&path));
            named.map_err(|error| failed(&error))
        });
        if stored.is_err() {
            // A file that stays is removed at the next opening.
            let _ = self.disk.remove(&part);
            let _ = self.disk.remove(&path);
        }
        stored
    }

    /// Adds bytes to an arriving file of `plain_bytes`. Whole segments go into the file durably;
    /// the rest is for the row. Bytes of the file that the row does not know yet are written anew.
    pub(in crate::replica) fn arrive(
        &self,
        file: &SealedFile,
        plain_bytes: u64,
        before: &FileProgress,
        bytes: &[u8],
    ) -> Result<FileProgress, ReplicaError> {
        let seal = Seal::new(&file.key, plain_bytes);
        let path = self.file(file.place);
        let plain = [before.tail.as_slice(), bytes].concat();
        if before.here == 0 {
            self.make()?;
        }
        let added = self.append(&path, &seal, before.here, &plain)?;
        if added > 0 {
            let durable = self.disk.sync(&path);
            let durable = durable.and_then(|()| {
                if before.here == 0 {
                    self.disk.sync_folder(&path)?;
                }
                Ok(())
            });
            durable.map_err(|error| failed(&error))?;
        }
        Ok(FileProgress {
            here: before.here + added as u64,
            tail: plain[added..].to_vec(),
        })
    }

    /// Whether an arriving file has more bytes than its row tells, because a crash came between both.
    pub(in crate::replica) fn is_longer(
        &self,
        file: &SealedFile,
        plain_bytes: u64,
        here: u64,
    ) -> Result<bool, ReplicaError> {
        if here >= plain_bytes {
            return Ok(false);
        }
        let seal = Seal::new(&file.key, plain_bytes);
        let end = seal.sealed_range(seal.segment_of(here)).start;
        let length = self.disk.len(&self.file(file.place));
        let length = length.map_err(|error| failed(&error))?;
        Ok(length.is_some_and(|length| length > end))
    }

    /// Seals the whole segments of plain bytes that follow `here`. Returns how many of the bytes
    /// they are.
    fn append(
        &self,
        path: &Path,
        seal: &Seal,
        here: u64,
        plain: &[u8],
    ) -> Result<usize, ReplicaError> {
        let mut done = 0_usize;
        loop {
            let segment = seal.segment_of(here + done as u64);
            let range = seal.plain_range(segment);
            let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            let whole = plain.get(done..done.saturating_add(length));
            let Some(whole) = whole.filter(|whole| !whole.is_empty()) else {
                return Ok(done);
            };
            let sealed = seal.seal(segment, whole)?;
            let at = seal.sealed_range(segment).start;
            let written = self.disk.write_at(path, at, &sealed);
            written.map_err(|error| failed(&error))?;
            done += length;
        }
    }

    /// Reads plain bytes of a whole file, at most `bytes_max`; fewer only at its end.
    pub(in crate::replica) fn read(
        &self,
        file: &SealedFile,
        plain_bytes: u64,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ReplicaError> {
        let seal = Seal::new(&file.key, plain_bytes);
        let end = plain_bytes.min(offset.saturating_add(bytes_max as u64));
        let mut plain = Vec::new();
        let mut at = offset;
        while at < end {
            let segment = seal.segment_of(at);
            let opened = self.open(file.place, &seal, segment)?;
            let start = seal.plain_range(segment).start;
            let from = usize::try_from(at - start).unwrap_or(usize::MAX);
            let to = usize::try_from(end - start).unwrap_or(usize::MAX);
            let part = opened.get(from..to.min(opened.len()));
            let part = part.ok_or(ReplicaError::MediaUnreadable)?;
            plain.extend_from_slice(part);
            at = seal.plain_range(segment).end;
        }
        Ok(plain)
    }

    fn open(
        &self,
        place: Place,
        seal: &Seal,
        segment: u32,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, ReplicaError> {
        let range = seal.sealed_range(segment);
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let sealed = self.disk.read_at(&self.file(place), range.start, length);
        let sealed = sealed.map_err(|error| unreadable(&error))?;
        Ok(seal.open(segment, &sealed)?)
    }

    /// Whether there is such a file.
    pub(in crate::replica) fn holds(&self, place: Place) -> Result<bool, ReplicaError> {
        let length = self.disk.len(&self.file(place));
        Ok(length.map_err(|error| failed(&error))?.is_some())
    }

    /// Removes a file. A file that is not there counts as removed.
    pub(in crate::replica) fn remove(&self, place: Place) -> Result<(), ReplicaError> {
        self.remove_path(&self.file(place))
    }

    /// Removes files that a crash left: half ones, and whole ones that no row names. Other names
    /// stay. All whole files stay where the names are not known (`None`), and while a replica or an
    /// outbox copy lies set aside, because its rows may name them.
    pub(in crate::replica) fn tidy(
        &self,
        named: Option<&BTreeSet<Place>>,
    ) -> Result<(), ReplicaError> {
        let names = self.disk.list(&self.path).map_err(|error| failed(&error))?;
        let named = named.filter(|_| !names.is_empty());
        let named = match named {
            Some(named) if !self.is_set_aside()? => Some(named),
            _ => None,
        };
        let mut failed = Ok(());
        for name in names {
            let is_half = name
                .strip_suffix(PART)
                .is_some_and(|name| place_of(name).is_some());
            let is_lost = place_of(&name)
                .zip(named)
                .is_some_and(|(place, named)| !named.contains(&place));
            if is_half || is_lost {
                failed = self.remove_path(&self.path.join(name)).and(failed);
            }
        }
        failed
    }

    /// Whether a replica or an outbox copy lies set aside.
    fn is_set_aside(&self) -> Result<bool, ReplicaError> {
        let beside = self.disk.list(self.parent());
        let beside = beside.map_err(|error| failed(&error))?;
        let aside = [self.replica.clone(), outbox_copy_path(&self.replica)];
        let aside = aside.map(|path| with_suffix(&path, ".aside-"));
        let aside = aside.each_ref().map(|path| path.file_name());
        Ok(aside.into_iter().flatten().any(|prefix| {
            let prefix = prefix.to_string_lossy();
            beside.iter().any(|name| name.starts_with(&*prefix))
        }))
    }

    /// The folder that holds the replica.
    fn parent(&self) -> &Path {
        let folder = self.replica.parent();
        let folder = folder.filter(|path| !path.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    fn remove_path(&self, path: &Path) -> Result<(), ReplicaError> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(()),
        }
    }

    /// Makes the folder, durably.
    fn make(&self) -> Result<(), ReplicaError> {
        let made = self.disk.make_folder(&self.path);
        // A crash after an earlier attempt may have left its name without durability.
        let made = made.and_then(|()| self.disk.sync_folder(&self.path));
        made.map_err(|error| failed(&error))
    }

    fn file(&self, place: Place) -> PathBuf {
        self.path.join(name_of(place))
    }

    fn part(&self, place: Place) -> PathBuf {
        self.path.join(format!("{}{PART}", name_of(place)))
    }
}

fn name_of(place: Place) -> String {
    format!("{:032x}", u128::from_be_bytes(place.0))
}

/// The place of a name; `None` for a name of another form.
fn place_of(name: &str) -> Option<Place> {
    let place = Place(u128::from_str_radix(name, 16).ok()?.to_be_bytes());
    (name_of(place) == name).then_some(place)
}

/// The error of a file that cannot be read. A fault of the file itself must not stop other files; a
/// fault of the phone (locked storage, too many open files) passes, and says nothing about the file.
fn unreadable(error: &io::Error) -> ReplicaError {
    use rustix::io::Errno;
    let of_phone = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::ACCESS,
        Errno::PERM,
    ];
    match Errno::from_io_error(error) {
        Some(errno) if of_phone.contains(&errno) => ReplicaError::Storage,
        _ => ReplicaError::MediaUnreadable,
    }
}

fn failed(error: &io::Error) -> ReplicaError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ReplicaError::MediaDiskFull,
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => ReplicaError::MediaUnreadable,
        _ => ReplicaError::Storage,
    }
}
