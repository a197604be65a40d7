//! Reading a replica: everything that a screen asks for.
//!
//! A [`Replica`](super::Replica) reads through the connection that it writes with. Further readers have a
//! connection of their own to the same file. They see committed data while the replica writes, and they
//! never wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::attachments::folder::FileFolder;
use super::error::ReplicaError;
use super::identity::Identity;
use super::load::Certificates;
use super::marker::Epoch;
use super::readers::{Loan, Readers};
use super::table::meta::{self, Name};
use super::table::notice;
use crate::id::{DeviceId, MemberId};
use crate::limits::LIST_ROWS_MAX;
use crate::trust::certificate::{Anchors, Certificate};

/// One connection to a replica's file, and everything that reading through it needs.
pub struct Reader {
    pub(super) conn: Option<Connection>,
    pub(super) certificates: Certificates,
    pub(super) identity: Option<Identity>,
    pub(super) device: DeviceId,
    pub(super) path: PathBuf,
    /// The sealed photos and recordings.
    pub(super) files: FileFolder,
    /// Set for a lent reader; absent in the replica itself.
    pub(super) loan: Option<Loan>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({})", self.device)
    }
}

impl Readers {
    /// A reader. It is returned when it is dropped, and its connection is used again. So keep it for the
    /// reads of one screen, and not for the life of the app.
    pub fn reader(&self) -> Result<Reader, ReplicaError> {
        let lent = self.lend()?;
        Ok(Reader {
            conn: Some(lent.conn),
            certificates: lent.certificates,
            identity: lent.identity,
            device: lent.device,
            files: lent.files,
            path: lent.path,
            loan: Some(lent.loan),
        })
    }
}

impl Reader {
    pub(super) fn conn(&self) -> Result<&Connection, ReplicaError> {
        if self.loan.as_ref().is_some_and(Loan::is_halted) {
            return Err(ReplicaError::Suspended);
        }
        self.conn.as_ref().ok_or(ReplicaError::Suspended)
    }

    pub(super) fn conn_mut(&mut self) -> Result<&mut Connection, ReplicaError> {
        self.conn.as_mut().ok_or(ReplicaError::Suspended)
    }

    /// Runs several reads over one state of the file, even if a commit happens meanwhile.
    pub(super) fn at_once<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        let conn = self.conn()?;
        if !conn.is_autocommit() {
            return read(conn);
        }
        let tx = conn.unchecked_transaction()?;
        let found = read(&tx)?;
        tx.commit()?;
        Ok(found)
    }

    /// Returns the notices that the person must see, oldest first, at most 200.
    pub fn notices(&self) -> Result<Vec<notice::Notice>, ReplicaError> {
        Ok(notice::unseen(self.conn()?, LIST_ROWS_MAX)?)
    }

    /// This device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The person, once enrolled.
    #[must_use]
    pub fn own_member(&self) -> Option<MemberId> {
        self.identity
            .as_ref()
            .and_then(|identity| identity.certificate.facts().member)
    }

    /// The phone's own certificate, once enrolled.
    #[must_use]
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.identity.as_ref().map(|identity| &identity.certificate)
    }

    /// The keys of the deployment, once enrolled.
    #[must_use]
    pub fn anchors(&self) -> Option<&Anchors> {
        self.identity
            .as_ref()
            .map(|identity| identity.anchors.as_ref())
    }

    /// The epoch of the last write; `None` before the first.
    pub fn epoch(&self) -> Result<Option<Epoch>, ReplicaError> {
        Ok(meta::get_fixed(self.conn()?, Name::Epoch)?)
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Pages of 4 KiB that the file has.
    pub fn pages(&self) -> Result<u32, ReplicaError> {
        Ok(meta::pages(self.conn()?)?)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let (Some(loan), Some(conn)) = (self.loan.take(), self.conn.take()) {
            loan.give_back(conn, std::mem::take(&mut self.certificates));
        }
    }
}
