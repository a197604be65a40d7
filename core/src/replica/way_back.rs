//! Opening a replica, in any state of its files.
//!
//! Invariant: nothing is deleted. A file that cannot be opened as it is gets set aside. Where only a person
//! can decide (a wrong key, a newer schema), no file is touched.

use std::path::PathBuf;

use rusqlite::Connection;

use super::engine::{Parts, Replica, ReplicaOptions};
use super::error::ReplicaError;
use super::marker::Marks;
use super::rescue::{self, Rescue};
use super::site::{Site, outbox_copy_path};
use super::table::outbox_copy as second;
use super::{open, salvage};

/// The outcome of [`Replica::open_or_recover`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayBack {
    /// The file was sound.
    Opened,
    /// An interrupted rescue was finished.
    Resumed {
        /// Where the damaged file is now.
        set_aside: PathBuf,
    },
    /// The file was damaged: a new one holds all readable data, of it and of the second file.
    Rescued(Rescue),
    /// The file was lost: undelivered work came from the second file. The rest comes with the next sync.
    FromSecondFile(Rescue),
    /// There was no file, and now there is an empty replica. The host enrols.
    Fresh {
        /// The marker knows of a replica here, but the replica is lost with all undelivered work.
        lost: bool,
    },
}

impl Replica {
    /// Opens the replica, and finds the way back without help where that is not possible. It finishes an
    /// interrupted rescue, rescues a damaged file, takes the undelivered work from the second file where
    /// the first is lost, and begins anew where there is no file. The person is told by a notice; the value
    /// is for the host.
    ///
    /// The errors that the host or the person decides about, with all files as they were:
    /// [`ReplicaError::WrongKey`] (then [`Replica::start_over`], if the key is lost for good),
    /// [`ReplicaError::NewerSchema`], [`ReplicaError::InUse`], [`ReplicaError::DiskFull`],
    /// [`ReplicaError::Storage`].
    ///
    /// Damage that only a later call meets is [`ReplicaError::Damaged`] there, and then [`Replica::rescue`]
    /// helps.
    pub fn open_or_recover(
        options: ReplicaOptions,
        now_ms: i64,
    ) -> Result<(Self, WayBack), ReplicaError> {
        let site = options.site();
        let lock = site.lock()?;
        let known = Marks::peek(options.marker.as_ref())?;
        let resumed = rescue::resume(&site)?;
        let opened = open::open(&site, known).and_then(|conn| Parts::of(&options, conn));
        let (parts, way) = match opened {
            Ok(parts) => {
                let way =
                    resumed.map_or(WayBack::Opened, |set_aside| WayBack::Resumed { set_aside });
                (parts, way)
            }
            Err(ReplicaError::Damaged | ReplicaError::Inconsistent) => {
                let rescue = rescue::run(&site, now_ms)?;
                (reopened(&options, &site, known)?, WayBack::Rescued(rescue))
            }
            Err(ReplicaError::Lost | ReplicaError::EmptyFile) if has_second(&site)? => {
                is_key_of_second(&site, known)?;
                let rescue = rescue::run(&site, now_ms)?;
                let way = WayBack::FromSecondFile(rescue);
                (reopened(&options, &site, known)?, way)
            }
            Err(ReplicaError::Missing | ReplicaError::EmptyFile) => {
                let conn = open::create(&site.path, &site.key)?;
                let lost = known.is_some();
                (Parts::of(&options, conn)?, WayBack::Fresh { lost })
            }
            Err(error) => return Err(error),
        };
        Ok((Self::with(lock, parts, options)?, way))
    }

    /// Makes a new replica where there is no file (or an empty one). If the second file of a lost replica
    /// is beside it, the error is [`ReplicaError::Lost`], and no file is touched.
    pub fn create(options: ReplicaOptions) -> Result<Self, ReplicaError> {
        let site = options.site();
        let lock = site.lock()?;
        rescue::resume(&site)?;
        if site.len(&site.path)?.is_some_and(|bytes| bytes > 0) {
            return Err(ReplicaError::InUse);
        }
        if has_second(&site)? {
            return Err(ReplicaError::Lost);
        }
        let conn = open::create(&site.path, &site.key)?;
        let parts = Parts::of(&options, conn)?;
        Self::with(lock, parts, options)
    }

    /// Opens the replica. On an error the file is as it was, and [`Replica::open_or_recover`] continues
    /// from there.
    pub fn open(options: ReplicaOptions) -> Result<Self, ReplicaError> {
        let site = options.site();
        let lock = site.lock()?;
        rescue::resume(&site)?;
        let known = Marks::peek(options.marker.as_ref())?;
        let parts = reopened(&options, &site, known)?;
        Self::with(lock, parts, options)
    }

    /// Sets a damaged file aside and copies all readable data into a new one. Undelivered work is in a
    /// second file too, so that damage of one file, or its loss, costs none of it. The person is told by a
    /// notice. An interrupted rescue has cost no data: open again, and rescue again if the error says so.
    pub fn rescue(options: ReplicaOptions, now_ms: i64) -> Result<(Self, Rescue), ReplicaError> {
        let site = options.site();
        let lock = site.lock()?;
        rescue::resume(&site)?;
        let known = Marks::peek(options.marker.as_ref())?;
        match open::open(&site, known) {
            Err(ReplicaError::Damaged | ReplicaError::Inconsistent) => {}
            Err(ReplicaError::EmptyFile | ReplicaError::Lost) => is_key_of_second(&site, known)?,
            // There is no file to rescue, or the key is wrong, so the caller gets the error.
            Err(error) => return Err(error),
            // The first page may be sound and a later one not, and the caller has seen it fail.
            Ok(conn) => drop(conn),
        }
        let rescue = rescue::run(&site, now_ms)?;
        let parts = reopened(&options, &site, known)?;
        Ok((Self::with(lock, parts, options)?, rescue))
    }

    /// Sets the files aside, in any state, and begins a new one. It is for a lost key. The host enrols
    /// again.
    pub fn start_over(options: ReplicaOptions) -> Result<(Self, Option<PathBuf>), ReplicaError> {
        let site = options.site();
        let lock = site.lock()?;
        rescue::resume(&site)?;
        let there = site.exists(&site.path)? || has_second(&site)?;
        let aside = there
            .then(|| salvage::set_aside(&site, &site.path))
            .transpose()?;
        let conn = open::create(&site.path, &site.key)?;
        let parts = Parts::of(&options, conn)?;
        Ok((Self::with(lock, parts, options)?, aside))
    }
}

fn reopened(
    options: &ReplicaOptions,
    site: &Site,
    known: Option<[u8; 16]>,
) -> Result<Parts, ReplicaError> {
    Parts::of(options, open::open(site, known)?)
}

fn has_second(site: &Site) -> Result<bool, ReplicaError> {
    site.exists(&outbox_copy_path(&site.path))
}

/// Whether the key is the one of the second file. For a lost or empty first file, only the second file
/// shows this.
fn is_key_of_second(site: &Site, known: Option<[u8; 16]>) -> Result<(), ReplicaError> {
    if let Some(known) = known {
        let same = known == site.key.fingerprint();
        return if same {
            Ok(())
        } else {
            Err(ReplicaError::WrongKey)
        };
    }
    let path = outbox_copy_path(&site.path);
    if !site.exists(&path)? {
        return Ok(());
    }
    let read = |conn: Connection| Ok(second::envelopes(&conn).map(drop)?);
    match open::open_damaged(&path, &site.key).and_then(read) {
        Err(ReplicaError::Damaged) => Err(ReplicaError::WrongKey),
        other => other,
    }
}
