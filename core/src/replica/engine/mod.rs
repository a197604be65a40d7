//! The engine over one replica file.

pub(super) mod attach;
pub(super) mod changes;
pub(super) mod conflict;
pub(super) mod describe;
pub(super) mod due;
pub(super) mod edit;
pub(super) mod fill;
pub(super) mod form_page;
pub(super) mod list;
pub(super) mod moves;
pub(super) mod report;
pub(super) mod rewrite;
pub(super) mod settle;
pub(super) mod story;
pub(super) mod tally;
pub(super) mod templates;
pub(super) mod upkeep;
pub(super) mod view;
pub(super) mod walk;
pub(super) mod words;
pub(super) mod write;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use rand_core::CryptoRng;
use rusqlite::Connection;

use super::attachments::clean_up;
use super::attachments::folder::FileFolder;
use super::disk::{Disk, DiskLock};
use super::error::ReplicaError;
use super::identity::{self, Identity, Own};
use super::load::Certificates;
use super::marker::{Marker, Marks};
use super::outbox_copy::OutboxCopy;
use super::projection::{notify, rebuild};
use super::reader::Reader;
use super::readers::Readers;
use super::site::{FileKey, Site};
use super::table::meta::{self, Name};
use super::table::{certificate, changed, notice, notification};
use super::{open, rescue};
use crate::domain::Grant;
use crate::trust::certificate::{Anchors, Certificate};
use crate::trust::peer_session::MeetingSecrets;
use crate::trust::sign::SecretKey;
use crate::wire::transfer::FileName;

/// The things that a replica needs from its host.
pub struct ReplicaOptions {
    /// The database file. Its folder exists.
    pub path: PathBuf,
    /// The storage that holds the folder: mostly [`super::StdDisk`].
    pub disk: Arc<dyn Disk>,
    /// The key of the file.
    pub file_key: FileKey,
    /// The marker, in a place that no backup of the database reaches.
    pub marker: Box<dyn Marker>,
    /// The device's signing key.
    pub signer: SecretKey,
    /// Randomness, for nonces, salts and epochs.
    pub entropy: Box<dyn CryptoRng + Send>,
}

/// One person's replica on one phone: the only writer of its files. It reads by [`Reader`].
pub struct Replica {
    pub(super) reader: Reader,
    pub(super) readers: Readers,
    site: Site,
    pub(super) outbox_copy: OutboxCopy,
    pub(super) marks: Marks,
    pub(super) signer: SecretKey,
    pub(super) entropy: Box<dyn CryptoRng + Send>,
    pub(super) acting_as: Option<Grant>,
    /// Whether an answer of the server is applied in part.
    pub(super) answer_under_way: bool,
    /// The last attestation that the upkeep has reached.
    pub(super) pruned: i64,
    /// Transactions since it was opened.
    pub(super) writes: u64,
    /// Whether the host wants files removed that the server has.
    pub(super) low_storage: bool,
    /// Files that a transfer could not read, until the person is told.
    pub(super) unreadable: RefCell<BTreeSet<FileName>>,
    /// The lock, held while the replica is open and absent while it is suspended. It is dropped last.
    lock: Option<DiskLock>,
}

impl Deref for Replica {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replica({})", self.device())
    }
}

/// The open parts of a replica.
pub(super) struct Parts {
    reader: Reader,
    readers: Readers,
    outbox_copy: OutboxCopy,
}

impl Parts {
    pub(super) fn of(options: &ReplicaOptions, conn: Connection) -> Result<Self, ReplicaError> {
        let site = options.site();
        let device = site.device;
        let files = FileFolder::of(&site.disk, &site.path);
        let readers = Readers::new(&site, files.clone());
        let certificates = Certificates::with(readers.rebuilds().clone());
        identity::is_of(device, &conn, &certificates)?;
        let outbox_copy = OutboxCopy::open(&site, &conn)?;
        clean_up::tidy(&conn, &files, outbox_copy.is_open())?;
        let reader = Reader {
            identity: identity::of_file(&conn, &certificates)?,
            conn: Some(conn),
            certificates,
            device,
            path: site.path,
            files,
            loan: None,
        };
        Ok(Self {
            reader,
            readers,
            outbox_copy,
        })
    }
}

impl ReplicaOptions {
    pub(super) fn site(&self) -> Site {
        Site {
            path: self.path.clone(),
            key: self.file_key.clone(),
            disk: Arc::clone(&self.disk),
            device: self.signer.public().device(),
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // Readers that the host still holds end with this replica.
        self.readers.shut();
    }
}

impl Replica {
    pub(super) fn with(
        lock: DiskLock,
        parts: Parts,
        options: ReplicaOptions,
    ) -> Result<Self, ReplicaError> {
        let site = options.site();
        let mut marks = Marks::load(options.marker, site.key.fingerprint())?;
        marks.remember_key()?;
        let Parts {
            mut reader,
            readers,
            outbox_copy,
        } = parts;
        if let Some(conn) = reader.conn.as_mut() {
            begin(conn);
        }
        readers.open(reader.identity.clone());
        Ok(Self {
            reader,
            readers,
            site,
            lock: Some(lock),
            outbox_copy,
            marks,
            signer: options.signer,
            entropy: options.entropy,
            acting_as: None,
            answer_under_way: false,
            pruned: 0,
            writes: 0,
            low_storage: false,
            unreadable: RefCell::default(),
        })
    }

    /// Returns readers of the same file for other threads. They keep reading while an answer is applied.
    /// The handle is good as long as the replica, suspended or not.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }

    /// One of [`Replica::readers`].
    pub fn reader(&self) -> Result<Reader, ReplicaError> {
        self.readers.reader()
    }

    /// Reads anew who this phone is.
    pub(super) fn read_identity(&mut self) -> Result<(), ReplicaError> {
        self.reader.identity = identity::of_file(self.reader.conn()?, &self.reader.certificates)?;
        self.readers.set_identity(self.reader.identity.clone());
        Ok(())
    }

    /// Takes the phone's certificate with the keys and secrets of its deployment, at enrolment and at each
    /// renewal. A replica that has an owner stays with that person and that deployment.
    pub fn enrol(
        &mut self,
        anchors: &Anchors,
        secrets: &MeetingSecrets,
        own: &Certificate,
    ) -> Result<(), ReplicaError> {
        let of_another = |known: &Identity| {
            let member = known.certificate.facts().member;
            known.anchors.root() != anchors.root() || member != own.facts().member
        };
        if own.facts().device != self.device() || self.identity.as_ref().is_some_and(of_another) {
            return Err(ReplicaError::BadInput);
        }
        let tx = self.reader.conn_mut()?.transaction()?;
        meta::put(&tx, Name::Root, anchors.root().as_bytes())?;
        certificate::put_server_keys(&tx, anchors.list())?;
        certificate::put_secrets(&tx, secrets)?;
        certificate::insert(&tx, own)?;
        meta::put(&tx, Name::OwnCertificate, own.hash().as_bytes())?;
        notify::enrolled(&tx, own.facts().issued_ms)?;
        // An identity that cannot be read back would lock the person out.
        identity::of_file(&tx, &Certificates::default())?.ok_or(ReplicaError::BadInput)?;
        tx.commit()?;
        self.outbox_copy.follow_identity(self.reader.conn()?);
        self.read_identity()?;
        self.identity
            .as_ref()
            .map(|_| ())
            .ok_or(ReplicaError::BadInput)
    }

    /// From now on the person writes under exactly this grant, until the replica is closed. `None` selects
    /// the grant that is nearest to the record ([`crate::domain::may::choice`]). Every reader of the record
    /// sees the role. A write that the grant does not allow is refused, even if another grant would allow
    /// it.
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

    /// The grant that [`Self::act_as`] chose.
    #[must_use]
    pub fn acting_as(&self) -> Option<&Grant> {
        self.acting_as.as_ref()
    }

    /// The device's signing key, for enrolment.
    #[must_use]
    pub fn signer(&self) -> &SecretKey {
        &self.signer
    }

    /// Makes every projection again from envelopes and verdicts.
    pub fn rebuild(&mut self) -> Result<(), ReplicaError> {
        let own = self.own_member();
        let reader = &mut self.reader;
        let conn = reader.conn.as_mut().ok_or(ReplicaError::Suspended)?;
        let tx = conn.transaction()?;
        rebuild::whole(&tx, &reader.certificates, own)?;
        tx.commit()?;
        Ok(())
    }

    /// Makes a slice of the projections again that an update of the app made stale. Returns the number of
    /// records that are left. The host calls it between other work until none is left. Each sync and each
    /// rest does one slice too.
    pub fn rebuild_slice(&mut self) -> Result<u64, ReplicaError> {
        if self.rebuilding()?.is_none() {
            return Ok(0);
        }
        let own = Own::of(self.identity.as_ref());
        let reader = &mut self.reader;
        let conn = reader.conn.as_mut().ok_or(ReplicaError::Suspended)?;
        let tx = conn.transaction()?;
        let left = rebuild::slice(&tx, &reader.certificates, &own)?;
        tx.commit()?;
        Ok(left)
    }

    /// Prepares for the background: reads the second copy of the outbox whole, and lowers the mark of
    /// reserved writes, so that the next start continues under the same epoch. Writing works afterwards as
    /// before.
    pub fn rest(&mut self) -> Result<(), ReplicaError> {
        self.outbox_copy.rest(self.reader.conn()?)?;
        let written = meta::written(self.conn()?)?;
        self.marks.rest(written)?;
        // It makes lists faster, and a failure of it does not fail the rest.
        let tidied = self
            .upkeep_slice()
            .and_then(|_| Ok(meta::optimize(self.conn()?)?));
        if let Err(error) = tidied {
            tracing::warn!(code = error.code(), "the statistics of indexes stay old");
        }
        Ok(())
    }

    /// Rests, writes the log back into the file, and closes it. No content stays in memory.
    pub fn close(mut self) -> Result<(), ReplicaError> {
        if self.reader.conn.is_some() {
            self.rest()?;
        }
        self.suspend()
    }

    /// The system is about to stop the app. When this returns, no transaction runs, and no file of the
    /// replica is open or locked. All written work is kept. Until [`Replica::resume`] every call that needs
    /// a file is [`ReplicaError::Suspended`].
    ///
    /// An answer of the server that is being applied has the replica: [`Readers::halt`] first makes it stop
    /// after its present slice.
    ///
    /// # Errors
    /// All that can be closed is closed. [`ReplicaError::ReadersOpen`] where the host keeps a [`Reader`]:
    /// drop it, and call again.
    pub fn suspend(&mut self) -> Result<(), ReplicaError> {
        let readers = self.readers.close();
        let mut closed = Ok(());
        if let Some(conn) = self.reader.conn.take() {
            let written = meta::written(&conn).map_err(ReplicaError::from);
            // The files come first, because the vault of the marker may take its time.
            closed = open::close_whole(conn);
            self.outbox_copy.suspend();
            // The next start continues under the same epoch, even if the app is never resumed.
            closed = written
                .and_then(|written| self.marks.rest(written))
                .and(closed);
        }
        self.reader.certificates = Certificates::default();
        self.outbox_copy.suspend();
        self.lock = None;
        readers.and(closed)
    }

    /// The app is back. On an error the replica stays suspended.
    pub fn resume(&mut self) -> Result<(), ReplicaError> {
        if self.reader.conn.is_none() {
            let lock = self.site.lock()?;
            // Meanwhile another process may have used the replica.
            rescue::resume(&self.site)?;
            let mut conn = open::open(&self.site, Some(self.site.key.fingerprint()))?;
            begin(&mut conn);
            self.marks.read()?;
            let certificates = Certificates::with(self.readers.rebuilds().clone());
            self.reader.identity = identity::of_file(&conn, &certificates)?;
            let resumed = self.outbox_copy.resume(&conn);
            let (files, copy) = (&self.reader.files, &self.outbox_copy);
            let resumed = resumed.and_then(|()| clean_up::tidy(&conn, files, copy.is_open()));
            if let Err(error) = resumed {
                self.outbox_copy.suspend();
                return Err(error);
            }
            self.reader.certificates = certificates;
            self.reader.conn = Some(conn);
            self.lock = Some(lock);
        }
        self.readers.open(self.reader.identity.clone());
        Ok(())
    }

    /// Notes that the person has seen the notices up to this number.
    pub fn notices_seen(&mut self, up_to: i64) -> Result<(), ReplicaError> {
        Ok(notice::seen_up_to(self.conn()?, up_to)?)
    }

    /// Notes that the host has shown the news up to this number.
    pub fn notifications_taken(&mut self, up_to: i64) -> Result<(), ReplicaError> {
        Ok(notification::taken_up_to(self.conn()?, up_to)?)
    }

    /// Caps the file at this number of 4 KiB pages, for tests and for hosts that ration storage. A write
    /// that does not fit fails as on a full disk.
    pub fn limit_pages(&mut self, pages_max: u32) -> Result<(), ReplicaError> {
        Ok(meta::limit_pages(self.conn()?, pages_max)?)
    }
}

/// Begins each connection that writes. A full or failing disk does not keep a person from reading stored
/// data.
fn begin(conn: &mut Connection) {
    if let Err(error) = rebuild::begin(conn) {
        tracing::warn!(code = error.code(), "projections wait for the next start");
    }
    if let Err(error) = changed::watch(conn).map_err(ReplicaError::from) {
        tracing::warn!(code = error.code(), "nobody is told which records change");
    }
}
