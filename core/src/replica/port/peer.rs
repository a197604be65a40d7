//! The replica as a meeting with another phone sees it: provisional work of others through the same
//! admission, and nothing to anybody who may not read it.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::Connection;

use super::super::engine::write::Writing;
use super::super::engine::{Replica, load};
use super::super::error::ReplicaError;
use super::super::table::envelope::{self, Origin};
use super::super::table::{attestation, directory, pack, record, stray, withdrawn};
use super::intake::{Incoming, Intake};
use super::sql;
use crate::domain::directory::DirectoryEntry;
use crate::domain::may::{Action, Actor, may};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId, UnitId};
use crate::record::{Node, Record};
use crate::sync::port::{Applied, GiveAsk, Given, Identity, PeerPort, PortError, StreamItem};
use crate::trust::certificate::{Certificate, Facts};
use crate::wire::digest::Digest;
use crate::wire::envelope::RawEnvelope;
use crate::wire::signed_entry::SignedEntry;
use crate::wire::verdict::{AttestedEnvelope, RefusedReason, Status, Verdict};

/// Whether one of the grants of a certificate lets its member read the record.
fn reads(facts: &Facts, record: &Record) -> bool {
    let Some(state) = record.state() else {
        return false;
    };
    let units = units(facts);
    facts.grants.iter().any(|grant| {
        let actor = Actor {
            member: facts.member,
            grant,
            units: &units,
        };
        may(&actor, &Action::Read(state)).is_ok()
    })
}

fn units(facts: &Facts) -> Vec<UnitId> {
    let units = facts.grants.iter();
    units.filter_map(|grant| grant.scope.unit()).collect()
}

impl Replica {
    fn read_record(&self, id: RecordId) -> Result<Option<Record>, ReplicaError> {
        load::record(&self.conn, &self.certificates, id)
    }

    /// Ids of everything that is here of a record, what is only carried included.
    fn all_ids(&self, id: RecordId) -> Result<BTreeSet<EnvelopeId>, ReplicaError> {
        let mut ids: BTreeSet<EnvelopeId> = BTreeSet::new();
        if let Some(record) = self.read_record(id)? {
            ids.extend(record.nodes().iter().map(|node| node.id));
        }
        ids.extend(
            envelope::of_record(&self.conn, id)?
                .iter()
                .map(|stored| stored.id),
        );
        Ok(ids)
    }

    fn shared(&self, peer: &Certificate) -> Result<Vec<StreamItem>, ReplicaError> {
        let own = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let mut items = Vec::new();
        for row in record::all(&self.conn)? {
            let Some(loaded) = self.read_record(row.id)? else {
                continue;
            };
            let open = reads(peer.facts(), &loaded) && reads(own.facts(), &loaded);
            if open && !withdrawn::has(&self.conn, row.id)? {
                let digest = Digest::of_ids(self.all_ids(row.id)?);
                let (created_ms, record) = (row.genesis_ms, row.id);
                items.push(StreamItem {
                    created_ms,
                    record,
                    digest,
                });
            }
        }
        items.sort_unstable();
        Ok(items)
    }

    /// Leaves out what the peer may not read, and the names of those who gave evidence where its unit is
    /// responsible.
    fn give_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Given, ReplicaError> {
        let mut open = GiveAsk {
            bytes_max: ask.bytes_max,
            ..GiveAsk::default()
        };
        let mut withheld = HashMap::new();
        let mut absent = Vec::new();
        let mut known: HashMap<RecordId, bool> = HashMap::new();
        for id in &ask.records {
            if self.may_give(*id, peer, &mut known, &mut withheld)? {
                open.records.push(*id);
            }
        }
        for id in &ask.envelopes {
            let record = match envelope::get(&self.conn, *id)? {
                Some(stored) => Some(stored.record),
                None => pack::record_of(&self.conn, *id)?,
            };
            match record {
                Some(record) if self.may_give(record, peer, &mut known, &mut withheld)? => {
                    open.envelopes.push(*id);
                }
                _ => absent.push(*id),
            }
        }
        let mut given = self.gather(&open, &withheld)?;
        given.absent.extend(absent);
        Ok(given)
    }

    fn may_give(
        &self,
        id: RecordId,
        peer: &Certificate,
        known: &mut HashMap<RecordId, bool>,
        withheld: &mut HashMap<RecordId, HashSet<Hash>>,
    ) -> Result<bool, ReplicaError> {
        if let Some(open) = known.get(&id) {
            return Ok(*open);
        }
        let loaded = self.read_record(id)?;
        let mut open = loaded
            .as_ref()
            .is_some_and(|loaded| reads(peer.facts(), loaded));
        if let Some((record, state)) = loaded
            .as_ref()
            .and_then(|loaded| Some((loaded, loaded.state()?)))
        {
            let party = state.is_party(peer.facts().member, &units(peer.facts()));
            let own = state.reporter.is_some() && state.reporter == peer.facts().member;
            if party && !own {
                let witnesses = record.witnesses();
                // Without a verdict nothing vouches for what is given without its certificate.
                let vouched = |node: &Node| {
                    node.verdict.is_some() || !witnesses.contains(&node.certificate_hash)
                };
                open &= record.nodes().iter().all(vouched);
                withheld.insert(id, witnesses);
            }
        }
        known.insert(id, open);
        Ok(open)
    }

    fn take_from_peer(&mut self, given: &Given, now_ms: i64) -> Result<Applied, ReplicaError> {
        let own = self.certificate().ok_or(ReplicaError::NotEnrolled)?.clone();
        self.write(now_ms, |writing| {
            let newest = attestation::newest(writing.conn)?;
            let said = said_of(writing, given)?;
            let mut intake = Intake::new(writing, Origin::Peer);
            intake.certificates(&given.bundle.certificates, None)?;
            let mut came = BTreeSet::new();
            for batch in &given.give_back.packs {
                if batch.verify(intake.writing.anchors()).is_ok() {
                    came.extend(intake.packs(batch)?.into_iter().flatten());
                }
            }
            let incoming = given.bundle.envelopes.iter().map(|raw| Incoming {
                verdict: said.get(&raw.hash()).copied(),
                raw: raw.clone(),
            });
            came.extend(intake.envelopes(incoming.collect())?);
            intake.sealed(&given.give_back.sealed)?;
            for id in std::mem::take(&mut intake.unknown) {
                forget_unreadable(intake.writing, own.facts(), id)?;
            }
            for id in &came {
                stray::insert(intake.writing.conn, *id)?;
            }
            forget_unused(intake.writing.conn, given, newest)?;
            intake.finish()
        })
    }
}

/// What the server signed of the envelopes that come along: the latest of each, with the number of its
/// attestation. An attestation that speaks of none of them is not looked at. A refusal that no reviewer decided
/// says nothing: other bytes under the same hash may have been refused, or it is put off.
fn said_of(
    writing: &Writing<'_>,
    given: &Given,
) -> Result<HashMap<Hash, (Verdict, i64)>, ReplicaError> {
    let come: HashSet<Hash> = given
        .bundle
        .envelopes
        .iter()
        .map(RawEnvelope::hash)
        .collect();
    let mut said: HashMap<Hash, (Verdict, i64)> = HashMap::new();
    for signed in &given.give_back.attestations {
        let tells = |line: &&AttestedEnvelope| {
            let reviewed = Status::Refused(RefusedReason::Rejected);
            let status = line.verdict.status;
            come.contains(&line.hash)
                && (!matches!(status, Status::Refused(_)) || status == reviewed)
        };
        let lines: Vec<&AttestedEnvelope> = signed.envelopes.iter().filter(tells).collect();
        if lines.is_empty() {
            continue;
        }
        if signed.verify(writing.anchors()).is_err() {
            tracing::warn!(code = "trust.bad_signature", "an attestation was left out");
            continue;
        }
        let no = attestation::insert(writing.conn, signed)?;
        for line in lines {
            let known = said.get(&line.hash);
            if known.is_none_or(|(known, _)| line.verdict.is_later_than(known)) {
                said.insert(line.hash, (line.verdict, no));
            }
        }
    }
    Ok(said)
}

/// Of the attestations that came just now, only those stay that prove how something here stands: else another
/// phone could fill this one with them.
fn forget_unused(conn: &Connection, given: &Given, newest: i64) -> Result<(), ReplicaError> {
    let mut used = HashSet::new();
    for raw in &given.bundle.envelopes {
        used.extend(attestation::of_envelope(conn, raw.hash().envelope_id())?);
    }
    for no in newest + 1..=attestation::newest(conn)? {
        if !used.contains(&no) {
            attestation::delete(conn, no)?;
        }
    }
    Ok(())
}

/// A record of which nothing was here before and that this phone's member may not read is not kept.
fn forget_unreadable(
    writing: &mut Writing<'_>,
    own: &Facts,
    id: RecordId,
) -> Result<(), ReplicaError> {
    let loaded = load::with_carried(writing.conn, writing.certificates, id)?;
    if loaded.as_ref().is_some_and(|loaded| reads(own, loaded)) {
        return Ok(());
    }
    tracing::warn!(code = "may.not_readable", "a record of a peer was left out");
    super::super::engine::project::remove(writing.conn, id)?;
    envelope::delete_unreadable(writing.conn, id)?;
    pack::delete(writing.conn, id)?;
    writing.forget(id);
    Ok(())
}

impl PeerPort for Replica {
    fn identity(&self) -> Result<Identity, PortError> {
        self.port_identity()
    }

    fn is_revoked(&self, peer: &Certificate) -> Result<bool, PortError> {
        directory::is_revoked(&self.conn, peer.facts().device).map_err(sql)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        directory::revocations(&self.conn).map_err(sql)
    }

    fn apply_revocations(&mut self, entries: &[Vec<u8>], now_ms: i64) -> Result<(), PortError> {
        Ok(self.write(now_ms, |writing| {
            for bytes in entries {
                let entry = SignedEntry::from_bytes(bytes)
                    .and_then(|signed| signed.verify(writing.anchors()));
                if matches!(entry, Ok(DirectoryEntry::Revocation(_))) {
                    super::directory::store(writing, &StreamId::DirectoryBase, bytes)?;
                }
            }
            Ok(())
        })?)
    }

    fn shared_items(&self, peer: &Certificate) -> Result<Vec<StreamItem>, PortError> {
        Ok(self.shared(peer)?)
    }

    fn all_record_ids(&self, record: &RecordId) -> Result<Vec<EnvelopeId>, PortError> {
        Ok(self.all_ids(*record)?.into_iter().collect())
    }

    fn give_to_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Given, PortError> {
        Ok(self.give_peer(ask, peer)?)
    }

    fn apply_peer(
        &mut self,
        given: &Given,
        _peer: &Certificate,
        now_ms: i64,
    ) -> Result<Applied, PortError> {
        Ok(self.take_from_peer(given, now_ms)?)
    }
}
