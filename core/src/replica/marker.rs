//! The marker: the writes that this installation has reserved, kept where backups of the database do not
//! reach.
//!
//! Two writers that use one Automerge actor id split every replica. A phone restored from an older copy,
//! or cloned, would do just that. So the actor id holds the **epoch** of the installation, and the marker
//! holds the epoch with a mark of how many local writes may have happened under it. The mark is advanced
//! durably, in blocks, *before* writes use it, and lowered to the exact count when the app rests.
//!
//! Invariant: before the first write after opening, marker and database agree exactly (same epoch, same
//! count); otherwise the epoch is a new random one. A crash, an older copy and a clone all break the
//! agreement; an orderly rest does not.

use std::io;

use rand_core::Rng;

use super::error::ReplicaError;
use crate::id::Hash;
use crate::limits::MARKER_BLOCK_WRITES;

/// 8 random bytes: the second half of the installation's Automerge actor id.
pub type Epoch = [u8; 8];

const LEN: usize = 1 + 8 + 8 + 16 + 8;
const VERSION: u8 = 1;

/// A place for a few bytes that no backup or restore of the database touches.
pub trait Marker: Send {
    /// The bytes as last written; `None` before the first write.
    fn read(&self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces the bytes. They must be durable when this returns.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// The content of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: Epoch,
    /// The greatest number of local writes that may have happened.
    pub(super) reserved: u64,
    /// Which key the database has.
    pub(super) key: [u8; 16],
}

impl Mark {
    fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.epoch);
        bytes[9..17].copy_from_slice(&self.reserved.to_be_bytes());
        bytes[17..33].copy_from_slice(&self.key);
        let check = check(&bytes[..33]);
        bytes[33..].copy_from_slice(&check);
        bytes
    }

    /// `None` for bytes that are no marker. They are treated as no marker, which is always safe.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != LEN || bytes[0] != VERSION || bytes[33..] != check(&bytes[..33]) {
            return None;
        }
        Some(Self {
            epoch: bytes[1..9].try_into().ok()?,
            reserved: u64::from_be_bytes(bytes[9..17].try_into().ok()?),
            key: bytes[17..33].try_into().ok()?,
        })
    }
}

fn check(bytes: &[u8]) -> [u8; 8] {
    let hash = Hash::of(&[b"onegrid.marker", bytes]);
    let mut check = [0; 8];
    check.copy_from_slice(&hash.0[..8]);
    check
}

/// The marker and the agreement reached since opening.
pub(super) struct Marks {
    marker: Box<dyn Marker>,
    stored: Option<Mark>,
    key: [u8; 16],
    /// The epoch that writes of this run use; set before the first write.
    agreed: Option<Epoch>,
    /// The stored epoch must not be used again.
    renounced: bool,
}

impl Marks {
    pub(super) fn load(marker: Box<dyn Marker>, key: [u8; 16]) -> Result<Self, ReplicaError> {
        let mut marks = Self {
            marker,
            stored: None,
            key,
            agreed: None,
            renounced: false,
        };
        marks.read()?;
        Ok(marks)
    }

    /// Reads the marker anew. Another process may have written under it, so the agreement is void.
    pub(super) fn read(&mut self) -> Result<(), ReplicaError> {
        let bytes = self.marker.read().map_err(ReplicaError::Marker)?;
        self.stored = bytes.and_then(|bytes| Mark::from_bytes(&bytes));
        self.agreed = None;
        Ok(())
    }

    /// Fingerprint of the key that the database was last used with.
    pub(super) fn peek(marker: &dyn Marker) -> Result<Option<[u8; 16]>, ReplicaError> {
        let bytes = marker.read().map_err(ReplicaError::Marker)?;
        let mark = bytes.and_then(|bytes| Mark::from_bytes(&bytes));
        Ok(mark.map(|mark| mark.key))
    }

    /// The next write takes a new epoch, because a copy of this installation wrote under the old one.
    pub(super) fn renounce(&mut self) {
        self.agreed = None;
        self.renounced = true;
    }

    /// Makes sure that a durable mark covers one more write, and returns the epoch to write under. `epoch`
    /// and `written` come from the database.
    pub(super) fn before_write(
        &mut self,
        epoch: Option<Epoch>,
        written: u64,
        rng: &mut dyn Rng,
    ) -> Result<Epoch, ReplicaError> {
        let agreed = if let Some(agreed) = self.agreed {
            agreed
        } else {
            let same = !self.renounced
                && self
                    .stored
                    .is_some_and(|mark| Some(mark.epoch) == epoch && mark.reserved == written);
            match epoch {
                Some(epoch) if same => epoch,
                _ => {
                    let mut fresh = Epoch::default();
                    rng.fill_bytes(&mut fresh);
                    fresh
                }
            }
        };
        let covered = self
            .stored
            .is_some_and(|mark| mark.epoch == agreed && mark.reserved > written);
        if !covered {
            self.store(agreed, written + MARKER_BLOCK_WRITES)?;
        }
        self.agreed = Some(agreed);
        self.renounced = false;
        Ok(agreed)
    }

    /// Lowers the mark to the number of actual writes. Call it only when that number is durable in the
    /// database.
    pub(super) fn rest(&mut self, written: u64) -> Result<(), ReplicaError> {
        match (self.agreed, self.stored) {
            (Some(agreed), Some(mark)) if mark.reserved != written => self.store(agreed, written),
            _ => Ok(()),
        }
    }

    /// Remembers the key of a database that was just made or opened for the first time.
    pub(super) fn remember_key(&mut self) -> Result<(), ReplicaError> {
        match self.stored {
            Some(mark) if mark.key == self.key => Ok(()),
            // An epoch of zeros is never drawn, so the first write still takes a new one.
            _ => self.store(Epoch::default(), 0),
        }
    }

    fn store(&mut self, epoch: Epoch, reserved: u64) -> Result<(), ReplicaError> {
        let mark = Mark {
            epoch,
            reserved,
            key: self.key,
        };
        self.marker
            .write(&mark.to_bytes())
            .map_err(ReplicaError::Marker)?;
        self.stored = Some(mark);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs;
    use std::path::Path;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::super::disk::MarkerFile;
    use super::*;

    fn marks(path: &Path) -> Marks {
        Marks::load(Box::new(MarkerFile::new(path)), [1; 16]).unwrap()
    }

    #[test]
    fn an_orderly_rest_keeps_the_epoch_and_anything_else_takes_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marker");
        let mut rng = ChaCha8Rng::seed_from_u64(1);

        let mut first = marks(&path);
        let epoch = first.before_write(None, 0, &mut rng).unwrap();
        assert_eq!(first.before_write(Some(epoch), 1, &mut rng).unwrap(), epoch);
        first.rest(2).unwrap();

        let mut rested = marks(&path);
        assert_eq!(
            rested.before_write(Some(epoch), 2, &mut rng).unwrap(),
            epoch,
            "an orderly restart goes on under the same epoch"
        );
        drop(rested);

        let mut crashed = marks(&path);
        let second = crashed.before_write(Some(epoch), 2, &mut rng).unwrap();
        assert_ne!(
            second, epoch,
            "the mark was ahead: a write may have been lost"
        );
        crashed.rest(3).unwrap();

        let mut restored = marks(&path);
        let third = restored.before_write(Some(epoch), 2, &mut rng).unwrap();
        assert!(third != epoch && third != second, "an older copy");

        fs::remove_file(&path).unwrap();
        let mut cloned = marks(&path);
        let fourth = cloned.before_write(Some(second), 3, &mut rng).unwrap();
        assert_ne!(fourth, second, "a copy without the marker");
    }

    #[test]
    fn a_crash_between_mark_and_write_takes_a_new_epoch_though_the_database_never_heard_of_the_old()
    {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marker");
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let lost = marks(&path).before_write(None, 0, &mut rng).unwrap();
        let next = marks(&path).before_write(None, 0, &mut rng).unwrap();
        assert_ne!(lost, next);
    }

    #[test]
    fn the_mark_is_durable_before_a_write_that_it_covers_and_moves_in_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marker");
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut marks = marks(&path);
        let mut epoch = None;
        let mut written_marker = 0;
        let mut last = None;
        for written in 0..=MARKER_BLOCK_WRITES * 2 {
            epoch = Some(marks.before_write(epoch, written, &mut rng).unwrap());
            let bytes = fs::read(&path).unwrap();
            let mark = Mark::from_bytes(&bytes).unwrap();
            assert!(mark.reserved > written, "write {written} is not covered");
            if last != Some(mark) {
                written_marker += 1;
                last = Some(mark);
            }
        }
        assert_eq!(written_marker, 3);
    }

    #[test]
    fn a_torn_or_foreign_marker_counts_as_none() {
        let mark = Mark {
            epoch: [7; 8],
            reserved: 9,
            key: [3; 16],
        };
        let bytes = mark.to_bytes();
        assert_eq!(Mark::from_bytes(&bytes), Some(mark));
        for at in 0..LEN {
            let mut torn = bytes;
            torn[at] ^= 1;
            assert_eq!(Mark::from_bytes(&torn), None, "byte {at}");
        }
        assert_eq!(Mark::from_bytes(&bytes[..20]), None);
    }
}
