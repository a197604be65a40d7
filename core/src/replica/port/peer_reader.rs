//! The other phone of a meeting as a reader: the records that it may read, the names that it may not learn,
//! and the attestations that would tell it one of them.

use std::collections::{HashMap, HashSet};

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::{attestation, envelope, pack, record_sharing};
use crate::domain::may::{Actor, Readership};
use crate::domain::stream::StreamId;
use crate::id::{Hash, MemberId, RecordId, UnitId};
use crate::limits::PEER_ATTESTED_MAX;
use crate::trust::certificate::{Certificate, Facts};
use crate::wire::verdict::{AttestedEnvelope, StreamPosition};

/// How much a reader may learn of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Nothing,
    /// Everything.
    Whole,
    /// Everything except the names of witnesses, because the reader is responsible for the record.
    Party,
}

/// The other phone of a meeting.
pub(super) struct PeerReader {
    /// Certificates that all have to admit the reader: the one that it shows, and the newest one of its device.
    shown: Vec<Facts>,
    member: Option<MemberId>,
    /// The units of the member under every certificate that is here.
    units: Vec<UnitId>,
    access: HashMap<RecordId, Access>,
    /// The readers of each record that this one is responsible for.
    party_of: HashMap<RecordId, Readership>,
    witnesses: HashMap<RecordId, HashSet<Hash>>,
    may_show: HashMap<i64, bool>,
}

/// Whether one of the grants of a certificate lets its member read a record of these readers.
pub(super) fn admits(facts: &Facts, readers: &Readership) -> bool {
    let units = units(facts);
    facts.grants.iter().any(|grant| {
        readers.admits(&Actor {
            member: facts.member,
            grant,
            units: &units,
        })
    })
}

fn units(facts: &Facts) -> Vec<UnitId> {
    let units = facts.grants.iter();
    units.filter_map(|grant| grant.scope.unit()).collect()
}

impl PeerReader {
    pub(super) fn of(replica: &Replica, peer: &Certificate) -> Result<Self, ReplicaError> {
        let facts = peer.facts();
        let mut shown = vec![facts.clone()];
        let mut all = units(facts);
        let mut newest = facts.issued_ms;
        for known in replica.certificates.of_peer(replica.conn()?, peer)? {
            let known = known.facts();
            all.extend(units(known));
            if known.device == facts.device && known.issued_ms > newest {
                newest = known.issued_ms;
                shown.truncate(1);
                shown.push(known.clone());
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(Self {
            shown,
            member: facts.member,
            units: all,
            access: HashMap::new(),
            party_of: HashMap::new(),
            witnesses: HashMap::new(),
            may_show: HashMap::new(),
        })
    }

    pub(super) fn admitted_by(&self, readers: &Readership) -> bool {
        self.shown.iter().all(|facts| admits(facts, readers))
    }

    pub(super) fn access(
        &mut self,
        replica: &Replica,
        id: RecordId,
    ) -> Result<Access, ReplicaError> {
        if let Some(known) = self.access.get(&id) {
            return Ok(*known);
        }
        let noted = match record_sharing::get(replica.conn()?, id)? {
            Some(sharing) => sharing.noted,
            None => None,
        };
        let readers = match noted {
            Some(noted) => noted.readers,
            None => replica
                .read_record(id)?
                .and_then(|loaded| loaded.state().map(Readership::of)),
        };
        let access = match readers {
            Some(readers) if self.admitted_by(&readers) => {
                let party = readers.is_party(self.member, &self.units);
                if party && !readers.is_reporter(self.member) {
                    self.party_of.insert(id, readers);
                    Access::Party
                } else {
                    Access::Whole
                }
            }
            _ => Access::Nothing,
        };
        self.access.insert(id, access);
        Ok(access)
    }

    /// The certificates of a record that the reader does not get.
    pub(super) fn witnesses(
        &mut self,
        replica: &Replica,
        id: RecordId,
    ) -> Result<&HashSet<Hash>, ReplicaError> {
        let known = self.witnesses.remove(&id);
        let found = match (known, self.access(replica, id)?) {
            (Some(known), _) => known,
            (None, Access::Party) => replica
                .read_record(id)?
                .map(|loaded| loaded.witnesses())
                .unwrap_or_default(),
            (None, Access::Whole | Access::Nothing) => HashSet::new(),
        };
        Ok(self.witnesses.entry(id).or_insert(found))
    }

    /// Whether the reader may see an attestation. It is signed as a whole, so one line that the reader may not
    /// know keeps all of it back: a line about an envelope of a record that is not here or not the reader's, or,
    /// in a record that the reader is responsible for, a position in a stream of few people. The reporter's
    /// receipt names the stream of the reporter.
    pub(super) fn may_show(&mut self, replica: &Replica, no: i64) -> Result<bool, ReplicaError> {
        if let Some(known) = self.may_show.get(&no) {
            return Ok(*known);
        }
        let mut open = false;
        if let Some(signed) = attestation::get(replica.conn()?, no)? {
            open = signed.envelopes.len() <= PEER_ATTESTED_MAX;
            for line in signed.envelopes.iter().take(PEER_ATTESTED_MAX) {
                open = open && self.may_know(replica, line)?;
            }
        }
        self.may_show.insert(no, open);
        Ok(open)
    }

    fn may_know(
        &mut self,
        replica: &Replica,
        line: &AttestedEnvelope,
    ) -> Result<bool, ReplicaError> {
        let id = line.hash.envelope_id();
        let record = match envelope::filed(replica.conn()?, id)? {
            Some(filed) => Some(filed.record),
            None => pack::record_of(replica.conn()?, id)?,
        };
        let Some(record) = record else {
            return Ok(false);
        };
        Ok(match self.access(replica, record)? {
            Access::Nothing => false,
            Access::Whole => true,
            Access::Party => line.at.iter().all(|at| self.names_nobody(record, at)),
        })
    }

    /// Whether a position tells nothing about a person who stays unnamed: the office, the reader itself, or a party
    /// of the record reads that stream.
    fn names_nobody(&self, record: RecordId, at: &StreamPosition) -> bool {
        let readers = self.party_of.get(&record);
        let party = |member: Option<MemberId>, units: &[UnitId]| {
            readers.is_some_and(|known| known.is_party(member, units))
        };
        match at.stream {
            StreamId::AreaStaff(_) | StreamId::Command(_) => true,
            StreamId::Unit(unit) => self.units.contains(&unit) || party(None, &[unit]),
            StreamId::Member(member) => {
                let member = Some(member);
                let reported = readers.is_none_or(|known| known.is_reporter(member));
                !reported && (self.member == member || party(member, &[]))
            }
            _ => false,
        }
    }
}
