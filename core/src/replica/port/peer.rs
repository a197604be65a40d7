//! The replica during a meeting with another phone: provisional work of others passes the same admission,
//! and only readers of a record receive it.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::Connection;

use super::super::engine::Replica;
use super::super::engine::write::Writing;
use super::super::error::ReplicaError;
use super::super::load;
use super::super::projection::project;
use super::super::table::envelope::{self, Origin};
use super::super::table::record_sharing::{self, Sharing};
use super::super::table::{attestation, directory, forgotten, pack, stray};
use super::intake::{Incoming, Intake};
use super::peer_reader::{Access, PeerReader, admits};
use super::sql;
use crate::domain::directory::DirectoryEntry;
use crate::domain::may::Readership;
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::record::Record;
use crate::sync::port::{
    ApplyCounts, GiveAsk, Handover, Identity, PeerPort, PortError, StreamItem,
};
use crate::trust::certificate::{Certificate, Facts, ServerKeys};
use crate::trust::peer_session::MeetingDigests;
use crate::wire::digest::Digest;
use crate::wire::envelope::RawEnvelope;
use crate::wire::parcel::Parcel;
use crate::wire::signed_entry::SignedEntry;
use crate::wire::verdict::{AttestedEnvelope, RefusedReason, Status, Verdict};

/// Whether one of the grants of a certificate lets its member read the record.
fn reads(facts: &Facts, record: &Record) -> bool {
    record
        .state()
        .is_some_and(|state| admits(facts, &Readership::of(state)))
}

impl Replica {
    pub(super) fn read_record(&self, id: RecordId) -> Result<Option<Record>, ReplicaError> {
        load::record(self.conn()?, &self.certificates, id)
    }

    /// Ids of all envelopes of a record here, sorted. Carried envelopes are included.
    pub(in crate::replica) fn all_ids(
        &self,
        id: RecordId,
    ) -> Result<Vec<EnvelopeId>, ReplicaError> {
        let record = self.read_record(id)?;
        let ids = project::held_ids(self.conn()?, id, record.as_ref())?;
        Ok(ids.into_iter().collect())
    }

    /// The hash over the ids of a record that both may read.
    pub(super) fn shared_held(
        &self,
        sharing: Sharing,
        peer: &PeerReader,
    ) -> Result<Option<Hash>, ReplicaError> {
        let own = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let noted = match sharing.noted {
            Some(noted) => noted,
            None => match self.read_record(sharing.record)? {
                Some(loaded) => project::sharing(self.conn()?, &loaded)?,
                None => return Ok(None),
            },
        };
        let both = |readers: &Readership| peer.admitted_by(readers) && admits(own.facts(), readers);
        Ok(noted
            .readers
            .as_ref()
            .is_some_and(both)
            .then_some(noted.held))
    }

    fn shared(
        &self,
        peer: &Certificate,
        digests: &MeetingDigests,
    ) -> Result<Vec<StreamItem>, ReplicaError> {
        let mut items = Vec::new();
        let peer = PeerReader::of(self, peer)?;
        record_sharing::each(self.conn()?, |sharing| {
            let (created_ms, record) = (sharing.genesis_ms, sharing.record);
            let held = self.shared_held(sharing, &peer)?;
            items.extend(held.map(|held| StreamItem {
                created_ms,
                record,
                digest: Digest::from_bytes(digests.of(&held)),
            }));
            Ok::<_, ReplicaError>(())
        })?;
        items.sort_unstable();
        Ok(items)
    }

    fn shared_ids_of(
        &self,
        id: RecordId,
        peer: &Certificate,
    ) -> Result<Vec<EnvelopeId>, ReplicaError> {
        let peer = PeerReader::of(self, peer)?;
        let shared = match record_sharing::get(self.conn()?, id)? {
            Some(sharing) => self.shared_held(sharing, &peer)?.is_some(),
            None => false,
        };
        if shared {
            self.all_ids(id)
        } else {
            Ok(Vec::new())
        }
    }

    /// Leaves out the envelopes that the peer may not read. Where the peer is responsible, it leaves out the names
    /// of witnesses, every envelope that only such a name proves, and the carried envelopes, because this phone
    /// cannot tell yet whether they make their authors witnesses.
    fn give_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Handover, ReplicaError> {
        let mut reader = PeerReader::of(self, peer)?;
        let mut open = GiveAsk {
            bytes_max: ask.bytes_max,
            sent: ask.sent.clone(),
            packed: ask.packed.clone(),
            ..GiveAsk::default()
        };
        let mut absent = Vec::new();
        let mut parties = BTreeSet::new();
        for id in &ask.records {
            let access = reader.access(self, *id)?;
            if access != Access::Nothing {
                open.records.push(*id);
            }
            if access == Access::Party {
                parties.insert(*id);
            }
        }
        for id in &ask.envelopes {
            let record = match envelope::filed(self.conn()?, *id)? {
                Some(filed) => Some(filed.record),
                None => pack::record_of(self.conn()?, *id)?,
            };
            let access = match record {
                Some(record) => reader.access(self, record)?,
                None => Access::Nothing,
            };
            if access == Access::Nothing {
                absent.push(*id);
            } else {
                open.envelopes.push(*id);
            }
            if access == Access::Party {
                parties.extend(record);
            }
        }
        for record in parties {
            let carried = envelope::ids_of_record(self.conn()?, record)?;
            let carried = carried.into_iter().filter(|(_, carried)| *carried);
            open.without.extend(carried.map(|(id, _)| id));
        }
        let mut given = self.gather(&open, Some(&mut reader))?;
        given.absent.extend(absent);
        Ok(given)
    }

    pub(super) fn take_from_peer(
        &mut self,
        given: &Handover,
        now_ms: i64,
    ) -> Result<ApplyCounts, ReplicaError> {
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

/// The verdicts that the server signed for the given envelopes: the latest for each, with the number of its
/// attestation. An attestation for other envelopes only is skipped. A refusal without a reviewer's decision
/// proves nothing, because other bytes under the same hash may have been refused, or the envelope is put
/// off.
fn said_of(
    writing: &Writing<'_>,
    given: &Handover,
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

/// Of the new attestations, keeps only the ones that prove the verdict of an envelope here. Otherwise
/// another phone could fill this one with them.
fn forget_unused(conn: &Connection, given: &Handover, newest: i64) -> Result<(), ReplicaError> {
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

/// The number of envelopes in a record that this phone wrote.
fn wrote(record: &Record, own: &Facts) -> i64 {
    let nodes = record.nodes().iter();
    let count = nodes.filter(|node| node.author == own.device).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Removes a record that was not here before, if this phone's member may not read it, or if the server withdrew it
/// from this phone and the copy lacks the phone's own work. Only applied envelopes
/// make a reader: a dispatch that is only carried may never count. Where nothing is applied, nothing shows.
fn forget_unreadable(
    writing: &mut Writing<'_>,
    own: &Facts,
    id: RecordId,
) -> Result<(), ReplicaError> {
    let loaded = match load::record(writing.conn, writing.certificates, id)? {
        Some(applied) => Some(applied),
        None => load::with_carried(writing.conn, writing.certificates, id)?,
    };
    let mine = forgotten::own(writing.conn, id)?;
    let fits = |loaded: &Record| reads(own, loaded) && wrote(loaded, own) >= mine;
    if loaded.as_ref().is_some_and(fits) {
        return Ok(());
    }
    tracing::warn!(code = "may.not_readable", "a record of a peer was left out");
    project::remove(writing.conn, id)?;
    if mine > 0 {
        // Own work that came along is settled. It goes too, or the next copy would not be new here.
        envelope::delete_record(writing.conn, id)?;
    } else {
        envelope::delete_unreadable(writing.conn, id)?;
    }
    pack::delete(writing.conn, id)?;
    writing.forget(id);
    Ok(())
}

impl PeerPort for Replica {
    fn identity(&self) -> Result<Identity, PortError> {
        self.port_identity()
    }

    fn adopt_keys(&mut self, list: &ServerKeys) -> Result<(), PortError> {
        Ok(self.take_server_keys(list)?)
    }

    fn is_revoked(&self, peer: &Certificate) -> Result<bool, PortError> {
        directory::is_revoked(self.conn()?, peer.facts().device).map_err(sql)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        super::directory::revocations(self.conn()?).map_err(sql)
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

    fn shared_items(
        &self,
        peer: &Certificate,
        digests: &MeetingDigests,
    ) -> Result<Vec<StreamItem>, PortError> {
        Ok(self.shared(peer, digests)?)
    }

    fn shared_ids(
        &self,
        record: &RecordId,
        peer: &Certificate,
    ) -> Result<Vec<EnvelopeId>, PortError> {
        Ok(self.shared_ids_of(*record, peer)?)
    }

    fn give_to_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Handover, PortError> {
        Ok(self.give_peer(ask, peer)?)
    }

    fn apply_peer(
        &mut self,
        given: &Handover,
        _peer: &Certificate,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError> {
        Ok(self.take_from_peer(given, now_ms)?)
    }

    fn parcel_for(&self, peer: &Certificate) -> Result<Option<Parcel>, PortError> {
        Ok(self.make_parcel(peer)?)
    }

    fn take_parcel(
        &mut self,
        parcel: &Parcel,
        from: &Certificate,
        now_ms: i64,
    ) -> Result<bool, PortError> {
        Ok(self.keep_parcel(parcel, from, now_ms)?)
    }
}
