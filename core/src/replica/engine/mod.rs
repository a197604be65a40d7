//! The engine over one replica file.

pub(super) mod conflict;
pub(super) mod edit;
pub(super) mod list;
pub(super) mod load;
pub(super) mod project;
pub(super) mod report;
pub(super) mod rewrite;
pub(super) mod settle;
pub(super) mod shown;
pub(super) mod view;
pub(super) mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::CryptoRng;
use rusqlite::Connection;

use super::error::ReplicaError;
use super::marker::{Epoch, Marker, Marks};
use super::open::{self, FileKey};
use super::outbox_copy::{self, OutboxCopy};
use super::rescue::{self, Rescue};
use super::salvage;
use super::table::meta::{self, Name};
use super::table::{certificate, notice};
use crate::domain::Grant;
use crate::id::{DeviceId, MemberId};
use crate::limits::LIST_ROWS_MAX;
use crate::trust::certificate::{Anchors, Certificate, ServerKey};
use crate::trust::sign::{PublicKey, SecretKey};
use load::Certificates;

/// What a replica needs from its host.
pub struct ReplicaOptions {
    /// The database file. Its folder exists.
    pub path: PathBuf,
    /// The key of the file.
    pub file_key: FileKey,
    /// The marker, in a place that no backup of the database reaches.
    pub marker: Box<dyn Marker>,
    /// The device's signing key.
    pub signer: SecretKey,
    /// Randomness, for nonces, salts and epochs.
    pub entropy: Box<dyn CryptoRng + Send>,
}

/// Who this phone is, once it is enrolled.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) anchors: Arc<Anchors>,
    pub(super) certificate: Arc<Certificate>,
}

/// One person's replica on one phone. It holds the file exclusively.
pub struct Replica {
    pub(super) conn: Connection,
    pub(super) outbox_copy: OutboxCopy,
    pub(super) marks: Marks,
    pub(super) signer: SecretKey,
    pub(super) entropy: Box<dyn CryptoRng + Send>,
    pub(super) identity: Option<Identity>,
    pub(super) acting_as: Option<Grant>,
    pub(super) certificates: Certificates,
    /// Transactions since it was opened.
    pub(super) writes: u64,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replica({})", self.device())
    }
}

impl Replica {
    /// Makes a new replica where there is no file (or an empty one).
    pub fn create(options: ReplicaOptions) -> Result<Self, ReplicaError> {
        rescue::resume(&options.path, &options.file_key)?;
        open::vacant(&options.path)?;
        let left_over = outbox_copy::path_of(&options.path);
        if left_over.exists() {
            // Of a replica that is gone: kept, and no part of this one.
            salvage::set_aside(&left_over)?;
        }
        let conn = open::create(&options.path, &options.file_key)?;
        Self::with(conn, options)
    }

    /// Opens the replica. On an error the file is as it was; [`Replica::rescue`] is for a damaged one,
    /// [`Replica::start_over`] for a lost key.
    pub fn open(options: ReplicaOptions) -> Result<Self, ReplicaError> {
        rescue::resume(&options.path, &options.file_key)?;
        let marks = Marks::peek(options.marker.as_ref())?;
        let conn = open::open(&options.path, &options.file_key, marks)?;
        Self::with(conn, options)
    }

    /// Sets a damaged file aside and takes what is readable into a new one. What is not delivered is in a
    /// second file too, so that damage of one file, or its loss, costs none of it. The person is told by a
    /// notice. A rescue that was interrupted has cost nothing: open again, and rescue again if that says so.
    pub fn rescue(options: ReplicaOptions, now_ms: i64) -> Result<(Self, Rescue), ReplicaError> {
        rescue::resume(&options.path, &options.file_key)?;
        let known = Marks::peek(options.marker.as_ref())?;
        // Of a file that is lost or empty nothing else would tell.
        if known.is_some_and(|known| known != options.file_key.fingerprint()) {
            return Err(ReplicaError::WrongKey);
        }
        match open::open(&options.path, &options.file_key, known) {
            Err(ReplicaError::Damaged | ReplicaError::EmptyFile | ReplicaError::Inconsistent) => {}
            Err(ReplicaError::Missing) if outbox_copy::path_of(&options.path).exists() => {}
            // Nothing to rescue, or not with this key: the caller's own error, or an intact file.
            Err(error) => return Err(error),
            // The first page may be well and a later one not: the caller has seen it fail.
            Ok(conn) => drop(conn),
        }
        let rescue = rescue::run(&options.path, &options.file_key, now_ms)?;
        let conn = open::open(&options.path, &options.file_key, known)?;
        Ok((Self::with(conn, options)?, rescue))
    }

    /// Sets the file aside, whatever it is, and begins a new one: for a lost key. The host enrols again.
    pub fn start_over(options: ReplicaOptions) -> Result<(Self, Option<PathBuf>), ReplicaError> {
        rescue::resume(&options.path, &options.file_key)?;
        let there = options.path.exists();
        let aside = there
            .then(|| salvage::set_aside(&options.path))
            .transpose()?;
        Ok((Self::create(options)?, aside))
    }

    fn with(conn: Connection, options: ReplicaOptions) -> Result<Self, ReplicaError> {
        let mut marks = Marks::load(options.marker, options.file_key.fingerprint())?;
        marks.remember_key()?;
        let outbox_copy = OutboxCopy::open(&options.path, &options.file_key, &conn)?;
        let mut replica = Self {
            conn,
            outbox_copy,
            marks,
            signer: options.signer,
            entropy: options.entropy,
            identity: None,
            acting_as: None,
            certificates: Certificates::default(),
            writes: 0,
        };
        replica.identity = replica.stored_identity()?;
        Ok(replica)
    }

    /// Takes the phone's certificate and the keys of its deployment, at enrolment and at each renewal.
    pub fn enrol(
        &mut self,
        root: &PublicKey,
        server_keys: &[ServerKey],
        own: &Certificate,
    ) -> Result<(), ReplicaError> {
        if own.facts().device != self.device() {
            return Err(ReplicaError::BadInput);
        }
        let tx = self.conn.transaction()?;
        meta::put(&tx, Name::Root, root.as_bytes())?;
        for key in server_keys {
            certificate::put_anchor(&tx, key)?;
        }
        certificate::insert(&tx, own)?;
        meta::put(&tx, Name::OwnCertificate, own.hash().as_bytes())?;
        tx.commit()?;
        self.outbox_copy.follow_identity(&self.conn);
        self.identity = self.stored_identity()?;
        self.identity
            .as_ref()
            .map(|_| ())
            .ok_or(ReplicaError::BadInput)
    }

    /// From now on the person writes under this grant and no other, until the replica is closed; `None`:
    /// under the one that is nearest to the record ([`crate::domain::may::choice`]). Everybody who reads
    /// the record sees the role. What the grant does not allow is refused, even if another one would.
    pub fn act_as(&mut self, grant: Option<Grant>) -> Result<(), ReplicaError> {
        let held = |grant: &Grant| {
            self.certificate()
                .is_some_and(|own| own.facts().grants.contains(grant))
        };
        if grant.as_ref().is_some_and(|grant| !held(grant)) {
            return Err(ReplicaError::NotAllowed("may.role"));
        }
        self.acting_as = grant;
        Ok(())
    }

    /// Makes every projection again from envelopes and verdicts.
    pub fn rebuild(&mut self) -> Result<(), ReplicaError> {
        let own = self.own_member();
        let tx = self.conn.transaction()?;
        project::rebuild(&tx, &mut self.certificates, own)?;
        tx.commit()?;
        Ok(())
    }

    /// The app goes to the background: reads the second copy of the outbox whole, and lowers the mark of
    /// reserved writes, so that the next start goes on under the same epoch. Writing goes on as before afterwards.
    pub fn rest(&mut self) -> Result<(), ReplicaError> {
        self.outbox_copy.rest(&self.conn);
        let written = meta::written(&self.conn)?;
        self.marks.rest(written)
    }

    /// Rests, writes the log back into the file, and closes it. No content stays in memory.
    pub fn close(mut self) -> Result<(), ReplicaError> {
        crate::crdt::forget_rebuilt();
        self.rest()?;
        self.conn.close().map_err(|(_, error)| error.into())
    }

    /// What the person must be told, oldest first, at most 200.
    pub fn notices(&self) -> Result<Vec<notice::Notice>, ReplicaError> {
        Ok(notice::unseen(&self.conn, LIST_ROWS_MAX)?)
    }

    /// The person has seen the notices up to this number.
    pub fn notices_seen(&mut self, up_to: i64) -> Result<(), ReplicaError> {
        Ok(notice::seen_up_to(&self.conn, up_to)?)
    }

    /// This device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.signer.public().device()
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
        Ok(meta::get_fixed(&self.conn, Name::Epoch)?)
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.conn.path().map(Path::new)
    }

    /// Pages of 4 KiB that the file has.
    pub fn pages(&self) -> Result<u32, ReplicaError> {
        Ok(meta::pages(&self.conn)?)
    }

    /// Caps the file at this number of 4 KiB pages: for tests and for hosts that ration storage. A write
    /// that does not fit fails as a full disk does.
    pub fn limit_pages(&mut self, pages_max: u32) -> Result<(), ReplicaError> {
        Ok(meta::limit_pages(&self.conn, pages_max)?)
    }

    pub(super) fn stored_identity(&self) -> Result<Option<Identity>, ReplicaError> {
        identity(&self.conn, &self.certificates)
    }
}

/// Who a file says that its phone is.
pub(super) fn identity(
    conn: &Connection,
    certificates: &Certificates,
) -> Result<Option<Identity>, ReplicaError> {
    let Some(root) = meta::get_fixed(conn, Name::Root)? else {
        return Ok(None);
    };
    let root = PublicKey::from_bytes(&root).map_err(|_| ReplicaError::Inconsistent)?;
    let keys = certificate::anchors(conn)?;
    let anchors = Anchors::new(root, &keys).map_err(|_| ReplicaError::Inconsistent)?;
    let Some(hash) = meta::get_fixed(conn, Name::OwnCertificate)? else {
        return Ok(None);
    };
    let own = certificates.get(conn, crate::id::Hash(hash))?;
    Ok(own.map(|certificate| Identity {
        anchors: Arc::new(anchors),
        certificate,
    }))
}
