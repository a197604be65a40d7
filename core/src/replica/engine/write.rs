//! Writing envelopes of this phone: one transaction with outbox and projections, all or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use rand_core::CryptoRng;
use rusqlite::{Connection, TransactionBehavior};

use super::super::error::ReplicaError;
use super::super::identity::{Identity, Own};
use super::super::load::{self, Certificates};
use super::super::marker::{Epoch, Marks};
use super::super::projection::project;
use super::super::table::envelope::{self, Arrival, Origin};
use super::super::table::meta::{self, Name};
use super::super::table::notice;
use super::Replica;
use crate::crdt::ActorId;
use crate::domain::Grant;
use crate::domain::case::payload::Seen;
use crate::domain::case::{Event, FOLD_VERSION, OnBehalfOf, RecordState};
use crate::domain::directory::DirectoryMark;
use crate::domain::form::Template;
use crate::domain::may::choice::{self, Matter};
use crate::id::{DeviceId, EnvelopeId, RecordId};
use crate::record::{Accepted, Admission, Record};
use crate::trust::certificate::Anchors;
use crate::trust::sign::SecretKey;
use crate::wire::body::{Body, EventBody, Genesis};
use crate::wire::envelope::{Envelope, FORMAT_VERSION, Header, SUITE_ED25519_SHA256};
use crate::wire::verdict::HeldReason;

/// Envelopes on their way into one transaction.
pub(in crate::replica) struct Writing<'a> {
    pub(in crate::replica) conn: &'a Connection,
    pub(in crate::replica) certificates: &'a Certificates,
    pub(in crate::replica) now_ms: i64,
    identity: &'a Identity,
    acting_as: Option<&'a Grant>,
    /// The checklist that the author fills in. Roles that may not use it do not sign.
    template: Option<Arc<Template>>,
    signer: &'a SecretKey,
    entropy: &'a mut (dyn CryptoRng + Send),
    marks: &'a mut Marks,
    /// The epoch in the database; after the first envelope of this transaction, the epoch that it will
    /// hold.
    epoch: Option<Epoch>,
    written: u64,
    written_before: u64,
    directory_seen: DirectoryMark,
    own: Own,
    touched: HashMap<RecordId, Record>,
}

impl Replica {
    /// Runs `write` in one durable transaction.
    pub(in crate::replica) fn write<T>(
        &mut self,
        now_ms: i64,
        write: impl FnOnce(&mut Writing<'_>) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        let reader = &mut self.reader;
        let conn = reader.conn.as_mut().ok_or(ReplicaError::Suspended)?;
        let identity = reader.identity.as_ref().ok_or(ReplicaError::NotEnrolled)?;
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writing = Writing {
            conn: &tx,
            certificates: &reader.certificates,
            now_ms,
            identity,
            acting_as: self.acting_as.as_ref(),
            template: None,
            signer: &self.signer,
            entropy: self.entropy.as_mut(),
            marks: &mut self.marks,
            epoch: meta::get_fixed(&tx, Name::Epoch)?,
            written: meta::written(&tx)?,
            written_before: meta::written(&tx)?,
            directory_seen: directory_mark(&tx)?,
            own: Own::of(Some(identity)),
            touched: HashMap::new(),
        };
        let written = write(&mut writing)?;
        writing.finish()?;
        tx.commit()?;
        self.writes += 1;
        self.sweep_files();
        self.outbox_copy.follow(self.reader.conn()?);
        Ok(written)
    }
}

/// The refusal of an own act, by the code of its judgement.
fn not_allowed(code: &'static str) -> ReplicaError {
    if code == HeldReason::Newer.code() {
        ReplicaError::NeedsNewerApp
    } else {
        ReplicaError::NotAllowed(code)
    }
}

fn of_report(genesis: &Genesis) -> Matter {
    Matter {
        areas: vec![genesis.home],
        units: genesis.team.into_iter().collect(),
        movement: None,
    }
}

fn of_case(state: &RecordState, body: &Body) -> Matter {
    let movement = match body {
        Body::Event(event) => Event::decode(event.code, event.fold_version, &event.data)
            .ok()
            .and_then(|event| event.movement()),
        _ => None,
    };
    Matter::of_case(state, movement)
}

/// The newest directory position seen.
pub(in crate::replica) fn directory_mark(conn: &Connection) -> Result<DirectoryMark, ReplicaError> {
    match meta::get(conn, Name::DirectoryMark)? {
        None => Ok(DirectoryMark::default()),
        Some(bytes) => minicbor::decode(&bytes).map_err(|_| ReplicaError::Inconsistent),
    }
}

impl Writing<'_> {
    /// Returns the actor of the changes that this installation writes now. Its mark is durable when this
    /// returns.
    pub(in crate::replica) fn actor(&mut self) -> Result<ActorId, ReplicaError> {
        let epoch = self
            .marks
            .before_write(self.epoch, self.written, &mut *self.entropy)?;
        self.epoch = Some(epoch);
        Ok(ActorId::new(&self.device(), epoch))
    }

    /// Durably starts another epoch. A change under the present one does not count, or a copy of this
    /// installation wrote under it, so the next change would take a number that is taken.
    pub(in crate::replica) fn renounce_epoch(&mut self) -> Result<(), ReplicaError> {
        meta::delete(self.conn, Name::Epoch)?;
        self.epoch = None;
        self.marks.renounce();
        Ok(())
    }

    /// From now on only roles that may use this template sign.
    pub(in crate::replica) fn fill_in(&mut self, template: &Arc<Template>) {
        self.template = Some(Arc::clone(template));
    }

    /// Random bytes.
    pub(in crate::replica) fn random(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.entropy.fill_bytes(&mut bytes);
        bytes
    }

    pub(in crate::replica) fn device(&self) -> DeviceId {
        self.identity.certificate.facts().device
    }

    /// Adds a notice for the person.
    pub(in crate::replica) fn tell(
        &self,
        code: &str,
        about: (RecordId, Option<EnvelopeId>),
        detail: &str,
    ) -> Result<(), ReplicaError> {
        notice::insert(
            self.conn,
            self.now_ms,
            code,
            (Some(about.0), about.1),
            detail,
        )?;
        Ok(())
    }

    /// Returns a record, with the writes of this transaction so far.
    pub(in crate::replica) fn record(&mut self, id: RecordId) -> Result<&Record, ReplicaError> {
        if !self.touched.contains_key(&id) {
            let loaded = load::record(self.conn, self.certificates, id)?;
            self.touched
                .insert(id, loaded.ok_or(ReplicaError::NoRecord)?);
        }
        self.touched.get(&id).ok_or(ReplicaError::NoRecord)
    }

    /// Takes a record, or an empty one, out for a change. [`Writing::touch`] puts it back.
    pub(in crate::replica) fn take(&mut self, id: RecordId) -> Result<Record, ReplicaError> {
        if let Some(record) = self.touched.remove(&id) {
            return Ok(record);
        }
        let loaded = load::record(self.conn, self.certificates, id)?;
        Ok(loaded.unwrap_or_else(|| Record::with(id, self.certificates.rebuilds.clone())))
    }

    /// Reads a record anew from the database. A record with only carried envelopes is out of sight.
    pub(in crate::replica) fn reload(&mut self, id: RecordId) -> Result<(), ReplicaError> {
        self.touched.remove(&id);
        match load::record(self.conn, self.certificates, id)? {
            Some(record) => self.touch(record),
            None => project::remove(self.conn, id)?,
        }
        Ok(())
    }

    /// Writes the projections of a record at once and drops it, so that a page of many records does not
    /// need the memory for all of them.
    pub(in crate::replica) fn settle(&mut self, record: &Record) -> Result<(), ReplicaError> {
        self.touched.remove(&record.id());
        project::write(self.conn, &self.certificates.templates, record, &self.own)
    }

    /// Writes the projections of a fully accepted record without its document. Returns `false` and writes
    /// nothing where the document is needed.
    pub(in crate::replica) fn settle_accepted(
        &mut self,
        record: &Accepted,
    ) -> Result<bool, ReplicaError> {
        project::write_accepted(self.conn, &self.certificates.templates, record, &self.own)
    }

    /// Whether this transaction has a record in memory, with more than is stored.
    pub(in crate::replica) fn is_touched(&self, id: RecordId) -> bool {
        self.touched.contains_key(&id)
    }

    /// A record is no longer here.
    pub(in crate::replica) fn forget(&mut self, id: RecordId) {
        self.touched.remove(&id);
    }

    pub(in crate::replica) fn anchors(&self) -> &Anchors {
        &self.identity.anchors
    }

    /// Adds a record that changed elsewhere to those with projections to make again.
    pub(in crate::replica) fn touch(&mut self, record: Record) {
        self.touched.insert(record.id(), record);
    }

    /// Makes a record.
    pub(in crate::replica) fn genesis(&mut self, body: &Body) -> Result<RecordId, ReplicaError> {
        let matter = match body {
            Body::Genesis(genesis) => of_report(genesis),
            _ => Matter::default(),
        };
        let mut refused = choice::NO_ROLE;
        for grant in self.grants(&matter) {
            let envelope = self.seal(None, Vec::new(), grant, body)?;
            let id = envelope.record();
            let mut record = Record::new(id);
            match self.admit(&mut record, &envelope)? {
                Ok(()) => {
                    self.touch(record);
                    return Ok(id);
                }
                Err(code) => refused = choice::telling(refused, code),
            }
        }
        Err(not_allowed(refused))
    }

    /// Adds an envelope to a record, under the first grant that allows it.
    ///
    /// The envelope states that the author has seen everything here. Where more people wrote at the same
    /// time than one envelope may name, the author first states it about some of them, until the rest fits.
    pub(in crate::replica) fn append(
        &mut self,
        id: RecordId,
        body: &Body,
    ) -> Result<EnvelopeId, ReplicaError> {
        while self.record(id)?.has_too_many_heads() {
            let seen = self.event(&Event::Seen(Seen {}), None);
            self.append_here(id, &seen)?;
        }
        self.append_here(id, body)
    }

    /// Makes the body of an event, with a fresh salt.
    pub(in crate::replica) fn event(
        &mut self,
        event: &Event,
        on_behalf_of: Option<OnBehalfOf>,
    ) -> Body {
        let (code, data) = event.encode();
        Body::Event(EventBody {
            salt: Some(self.random()),
            code,
            fold_version: FOLD_VERSION,
            data,
            on_behalf_of,
            replaces: None,
        })
    }

    fn append_here(&mut self, id: RecordId, body: &Body) -> Result<EnvelopeId, ReplicaError> {
        let author = self.device();
        let record = self.record(id)?;
        let parents = record.heads_for(author);
        if parents.is_empty() {
            // Everything here awaits review, so any envelope that builds on it would wait too.
            return Err(ReplicaError::NotAllowed("replica.awaits_review"));
        }
        let grants = record.state().map(|state| of_case(state, body));
        let mut refused = choice::NO_ROLE;
        for grant in self.grants(&grants.unwrap_or_default()) {
            let envelope = self.seal(Some(id), parents.clone(), grant, body)?;
            self.record(id)?;
            let mut record = self.touched.remove(&id).ok_or(ReplicaError::NoRecord)?;
            match self.admit(&mut record, &envelope)? {
                Ok(()) => {
                    self.touch(record);
                    return Ok(envelope.id());
                }
                // The refused envelope is in this copy's graph, so the record is loaded again for the next
                // grant.
                Err(code) => refused = choice::telling(refused, code),
            }
        }
        // The copy is gone, and with it the note that this transaction has changed the record before. The caller
        // may go on, so the record is read anew and its projections are written at the end.
        self.reload(id)?;
        Err(not_allowed(refused))
    }

    /// The grants to try, in this order.
    fn grants(&self, matter: &Matter) -> Vec<u8> {
        let grants = &self.identity.certificate.facts().grants;
        let mut tried = choice::tried(grants, self.acting_as, matter);
        if let Some(template) = &self.template {
            let grant = |index: &u8| grants.get(usize::from(*index));
            tried.retain(|index| grant(index).is_some_and(|grant| template.is_for(grant.role)));
        }
        tried
    }

    fn seal(
        &mut self,
        record: Option<RecordId>,
        parents: Vec<EnvelopeId>,
        grant: u8,
        body: &Body,
    ) -> Result<Envelope, ReplicaError> {
        let header = Header {
            version: FORMAT_VERSION,
            suite: SUITE_ED25519_SHA256,
            body_kind: body.kind(),
            record,
            author: self.device(),
            certificate: self.identity.certificate.hash(),
            grant,
            parents,
            directory_seen: self.directory_seen,
            clock_ms: self.now_ms,
        };
        let authority = self.identity.anchors.authority();
        Envelope::seal(header, body, self.signer, authority).map_err(|_| ReplicaError::BadInput)
    }

    /// Admits the envelope in the same way as every other author's. The inner error is the code of the
    /// refusal.
    fn admit(
        &mut self,
        record: &mut Record,
        envelope: &Envelope,
    ) -> Result<Result<(), &'static str>, ReplicaError> {
        let certificate = &self.identity.certificate;
        let authority = self.identity.anchors.authority();
        let verified = envelope
            .clone()
            .verify(certificate, authority)
            .map_err(|_| ReplicaError::BadInput)?;
        let judgements = record.admit(&[verified]);
        let id = envelope.id();
        match judgements.first().map(|judgement| &judgement.outcome) {
            Some(Admission::Valid) => {}
            Some(Admission::Void(reason)) => {
                let why = record.state().and_then(|state| state.outcome(id)?.why);
                return Ok(Err(why.unwrap_or(reason.code())));
            }
            Some(Admission::Held(reason)) => return Ok(Err(reason.code())),
            _ => return Err(ReplicaError::Inconsistent),
        }
        self.actor()?;
        let arrival = Arrival {
            origin: Origin::Own,
            carried: false,
            verdict: None,
            attestation: None,
        };
        if !envelope::insert(self.conn, envelope, &arrival)? {
            return Err(ReplicaError::Inconsistent);
        }
        self.written += 1;
        Ok(Ok(()))
    }

    /// Writes the projections of all touched records, and the count of local writes.
    pub(in crate::replica) fn finish(self) -> Result<(), ReplicaError> {
        for record in self.touched.values() {
            project::write(self.conn, &self.certificates.templates, record, &self.own)?;
        }
        if self.written != self.written_before {
            meta::put(self.conn, Name::Written, &self.written.to_be_bytes())?;
            if let Some(epoch) = self.epoch {
                meta::put(self.conn, Name::Epoch, &epoch)?;
            }
        }
        Ok(())
    }
}
