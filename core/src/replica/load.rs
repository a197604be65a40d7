//! From stored bytes to a record in memory.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, MAIN_DB, TransactionState};

use super::error::ReplicaError;
use super::forms::TemplateCache;
use super::table::{certificate, envelope, meta, pack, verdict_change};
use crate::crdt::Rebuilds;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{CERTIFICATES_CACHED, RECORDS_CACHED};
use crate::record::{Record, StoredEnvelope, StoredRecord};
use crate::trust::certificate::Certificate;
use crate::wire::envelope::{Envelope, VerifiedEnvelope};
use crate::wire::pack::Pack;

/// Caches in memory. Certificates are kept because a phone meets the same few authors again and again. The
/// last read records are kept because a person who looks at a record looks at it again, and then writes.
#[derive(Debug, Default)]
pub(in crate::replica) struct Certificates {
    by_hash: RefCell<HashMap<Hash, Arc<Certificate>>>,
    recent: RefCell<Recent>,
    of_peer: RefCell<Option<OfPeer>>,
    /// Templates of the directory.
    pub(in crate::replica) templates: TemplateCache,
    /// Documents of this replica that one of its readers made lately.
    pub(in crate::replica) rebuilds: Rebuilds,
}

/// Records as they are on disk, valid until the next write of any connection.
#[derive(Debug, Default)]
struct Recent {
    version: Version,
    records: HashMap<RecordId, Record>,
}

/// The certificates of the other phone of a meeting, and of all devices of its member.
#[derive(Debug)]
struct OfPeer {
    version: Version,
    peer: Hash,
    hashes: Vec<Hash>,
}

/// Changes by this connection, and a number that changes with each commit of another one.
type Version = (u64, i64);

fn version(conn: &Connection) -> Result<Version, ReplicaError> {
    Ok((conn.total_changes(), meta::data_version(conn)?))
}

impl Recent {
    fn get(&mut self, version: Version, id: RecordId) -> Option<Record> {
        if self.version != version {
            self.version = version;
            self.records.clear();
        }
        self.records.get(&id).cloned()
    }

    /// Keeps a record that was just read at this version.
    fn put(&mut self, version: Version, id: RecordId, record: &Record) {
        if self.version != version {
            return;
        }
        if self.records.len() >= RECORDS_CACHED {
            self.records.clear();
        }
        self.records.insert(id, record.clone());
    }
}

impl Certificates {
    pub(in crate::replica) fn with(rebuilds: Rebuilds) -> Self {
        Self {
            rebuilds,
            ..Self::default()
        }
    }

    /// A stored certificate (it was verified when it was stored); `None` where the server withholds it.
    pub(in crate::replica) fn get(
        &self,
        conn: &Connection,
        hash: Hash,
    ) -> Result<Option<Arc<Certificate>>, ReplicaError> {
        let mut by_hash = self.by_hash.borrow_mut();
        if let Some(found) = by_hash.get(&hash) {
            return Ok(Some(Arc::clone(found)));
        }
        let Some(raw) = certificate::get(conn, hash)? else {
            return Ok(None);
        };
        let stored = Certificate::from_store(raw).map_err(|_| ReplicaError::Inconsistent)?;
        if by_hash.len() >= CERTIFICATES_CACHED {
            by_hash.clear();
        }
        let stored = Arc::new(stored);
        by_hash.insert(hash, Arc::clone(&stored));
        Ok(Some(stored))
    }

    /// The stored certificates of a peer's device, and of all devices of its member. A meeting asks for them with
    /// each record.
    pub(in crate::replica) fn of_peer(
        &self,
        conn: &Connection,
        peer: &Certificate,
    ) -> Result<Vec<Arc<Certificate>>, ReplicaError> {
        let now = version(conn)?;
        let mut known = self.of_peer.borrow_mut();
        let hashes = match known.take() {
            Some(known) if (known.version, known.peer) == (now, peer.hash()) => known.hashes,
            _ => certificate::of_member(conn, peer.facts().member, peer.facts().device)?,
        };
        let mut found = Vec::with_capacity(hashes.len());
        for hash in &hashes {
            found.extend(self.get(conn, *hash)?);
        }
        *known = Some(OfPeer {
            version: now,
            peer: peer.hash(),
            hashes,
        });
        Ok(found)
    }
}

/// The record as stored; `None` when no part of it is here. Envelopes that are only carried for the server
/// are left out.
pub(in crate::replica) fn record(
    conn: &Connection,
    certificates: &Certificates,
    id: RecordId,
) -> Result<Option<Record>, ReplicaError> {
    let before = version(conn)?;
    if let Some(record) = certificates.recent.borrow_mut().get(before, id) {
        return Ok(Some(record));
    }
    let record = read(conn, certificates, id, false)?;
    // A write of this transaction may still be rolled back, and the count of changes would show no trace of
    // it.
    let writing = conn.transaction_state(Some(MAIN_DB))? == TransactionState::Write;
    if let Some(record) = record.as_ref().filter(|_| !writing) {
        let mut recent = certificates.recent.borrow_mut();
        recent.put(version(conn)?, id, record);
    }
    Ok(record)
}

/// Returns a record including its carried envelopes, because their subject can be known too.
pub(in crate::replica) fn with_carried(
    conn: &Connection,
    certificates: &Certificates,
    id: RecordId,
) -> Result<Option<Record>, ReplicaError> {
    read(conn, certificates, id, true)
}

fn read(
    conn: &Connection,
    certificates: &Certificates,
    id: RecordId,
    carried_too: bool,
) -> Result<Option<Record>, ReplicaError> {
    let packs = packs(conn, id)?;
    let mut envelopes = Vec::new();
    for stored in envelope::of_record(conn, id)? {
        if stored.carried && !carried_too {
            continue;
        }
        let verified = from_store(conn, certificates, stored.raw)?;
        envelopes.push(StoredEnvelope {
            verified,
            verdict: stored.verdict,
        });
    }
    let envelopes = closed(&packs, envelopes);
    if packs.is_empty() && envelopes.is_empty() {
        return Ok(None);
    }
    let mut known = HashMap::new();
    for entry in packs.iter().flat_map(|pack| &pack.entries) {
        if let Some(found) = certificates.get(conn, entry.certificate)? {
            known.insert(entry.certificate, found);
        }
    }
    let past = StoredRecord {
        packs,
        certificates: known,
        envelopes,
        rebuilds: certificates.rebuilds.clone(),
    };
    let mut record = Record::load(id, past).map_err(|_| ReplicaError::Inconsistent)?;
    let changed = verdict_change::of_record(conn, id)?;
    record.set_verdicts(changed.into_iter().map(|(id, verdict, _)| (id, verdict)));
    Ok(Some(record))
}

/// Returns the packs of a record.
pub(in crate::replica) fn packs(
    conn: &Connection,
    id: RecordId,
) -> Result<Vec<Pack>, ReplicaError> {
    let stored = pack::of_record(conn, id)?;
    stored
        .iter()
        .map(|stored| Pack::from_bytes(&stored.bytes).map_err(|_| ReplicaError::Inconsistent))
        .collect()
}

/// The envelopes whose parents are all here. An envelope that was carried and accepted before its parents
/// arrived waits for them.
fn closed(packs: &[Pack], envelopes: Vec<StoredEnvelope>) -> Vec<StoredEnvelope> {
    let mut here: HashSet<EnvelopeId> = packs
        .iter()
        .flat_map(|pack| &pack.entries)
        .map(|entry| entry.id)
        .collect();
    let mut waiting = envelopes;
    let mut taken = Vec::with_capacity(waiting.len());
    loop {
        let before = waiting.len();
        let mut left = Vec::new();
        for stored in waiting {
            let envelope = stored.verified.envelope();
            if envelope
                .header()
                .parents
                .iter()
                .all(|parent| here.contains(parent))
            {
                here.insert(envelope.id());
                taken.push(stored);
            } else {
                left.push(stored);
            }
        }
        if left.is_empty() || left.len() == before {
            return taken;
        }
        waiting = left;
    }
}

/// An envelope whose signature was verified before it was stored.
pub(in crate::replica) fn from_store(
    conn: &Connection,
    certificates: &Certificates,
    raw: crate::wire::envelope::RawEnvelope,
) -> Result<VerifiedEnvelope, ReplicaError> {
    let parsed = Envelope::parse(raw).map_err(|_| ReplicaError::Inconsistent)?;
    let certificate = certificates.get(conn, parsed.header().certificate)?;
    Ok(match certificate {
        Some(certificate) => VerifiedEnvelope::stored(parsed, certificate),
        None => VerifiedEnvelope::vouched(parsed),
    })
}
