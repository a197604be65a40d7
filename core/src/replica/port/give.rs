//! Giving envelopes to another side that lacks them: a server that lost them, or another phone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::{attestation, certificate, envelope, pack, sealed, verdict_change};
use crate::dag::descendants;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::sync::port::{GiveAsk, Handover};
use crate::wire::envelope::Envelope;
use crate::wire::pack::{Pack, PackBatch};

/// The envelopes and packs gathered for one side.
#[derive(Default)]
struct GiveParts {
    attestations: BTreeSet<i64>,
    packs: BTreeMap<i64, Vec<Vec<u8>>>,
    certificates: BTreeSet<Hash>,
    /// Certificates that the other side does not get.
    withheld: BTreeSet<Hash>,
    bytes: usize,
}

impl Replica {
    /// Gives records and envelopes, as many as fit. `withheld` certificates of a record are left out.
    pub(super) fn gather(
        &self,
        ask: &GiveAsk,
        withheld: &HashMap<RecordId, HashSet<Hash>>,
    ) -> Result<Handover, ReplicaError> {
        let mut given = Handover::default();
        let mut gathered = GiveParts::default();
        let mut wanted: BTreeMap<RecordId, Option<BTreeSet<EnvelopeId>>> = BTreeMap::new();
        for id in &ask.envelopes {
            let record = match envelope::get(self.conn()?, *id)? {
                Some(stored) => Some(stored.record),
                None => pack::record_of(self.conn()?, *id)?,
            };
            match record {
                Some(record) => {
                    let some = wanted
                        .entry(record)
                        .or_insert_with(|| Some(BTreeSet::new()));
                    some.as_mut().map(|ids| ids.insert(*id));
                }
                None => given.absent.push(*id),
            }
        }
        let without: HashSet<EnvelopeId> = ask.without.iter().copied().collect();
        // A whole record takes precedence over its single envelopes.
        wanted.extend(ask.records.iter().map(|record| (*record, None)));
        for (record, ids) in wanted {
            if gathered.bytes >= ask.bytes_max && gathered.bytes > 0 {
                match ids {
                    Some(ids) => given.left.envelopes.extend(ids),
                    None => given.left.records.push(record),
                }
                continue;
            }
            let named = std::mem::take(&mut gathered.certificates);
            self.gather_record(record, (ids.as_ref(), &without), &mut given, &mut gathered)?;
            let of_record = std::mem::replace(&mut gathered.certificates, named);
            for hash in of_record {
                let out = withheld.get(&record).is_some_and(|out| out.contains(&hash));
                let kind = if out {
                    &mut gathered.withheld
                } else {
                    &mut gathered.certificates
                };
                kind.insert(hash);
            }
        }
        given.left.bytes_max = ask.bytes_max;
        self.complete(given, gathered)
    }

    /// Gathers one record: all of it, or some envelopes with their ancestors that are single envelopes. An
    /// envelope of `without`, and any envelope that builds on it, is left out.
    fn gather_record(
        &self,
        record: RecordId,
        (ids, without): (Option<&BTreeSet<EnvelopeId>>, &HashSet<EnvelopeId>),
        given: &mut Handover,
        gathered: &mut GiveParts,
    ) -> Result<(), ReplicaError> {
        let mut singles = Vec::new();
        for stored in envelope::of_record(self.conn()?, record)? {
            let settled = stored.verdict.map(|verdict| verdict.status.is_settled());
            singles.push(Single {
                certificate: stored.certificate,
                attestation: stored.attestation,
                open: settled != Some(false),
                proven: settled != Some(true) || stored.attestation.is_some(),
                parsed: Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?,
            });
        }
        let links = singles.iter().flat_map(Single::links);
        let left_out = descendants(without.iter().copied(), links);
        let wanted: Option<HashSet<EnvelopeId>> = ids.map(|ids| {
            let mut wanted: HashSet<EnvelopeId> = ids.iter().copied().collect();
            // Children come after their parents, so one pass backwards finds all ancestors.
            for single in singles.iter().rev() {
                if wanted.contains(&single.id()) {
                    wanted.extend(&single.parsed.header().parents);
                }
            }
            wanted
        });
        let alone: HashSet<EnvelopeId> = singles.iter().map(Single::id).collect();
        // A pack proves a settled verdict that no attestation proves.
        let unproven = |single: &Single| {
            let asked = wanted
                .as_ref()
                .is_some_and(|wanted| wanted.contains(&single.id()));
            asked && !single.proven
        };
        let needs_pack = ids.is_none_or(|ids| !ids.iter().all(|id| alone.contains(id)))
            || singles.iter().any(unproven);
        if needs_pack {
            for stored in pack::of_record(self.conn()?, record)? {
                gathered.bytes += stored.bytes.len();
                let opened =
                    Pack::from_bytes(&stored.bytes).map_err(|_| ReplicaError::Inconsistent)?;
                gathered
                    .certificates
                    .extend(opened.entries.iter().map(|entry| entry.certificate));
                let batch = gathered.packs.entry(stored.proof).or_default();
                batch.push(stored.bytes);
            }
            let changed = verdict_change::of_record(self.conn()?, record)?;
            gathered
                .attestations
                .extend(changed.into_iter().filter_map(|(_, _, no)| no));
        }
        for single in singles {
            let id = single.id();
            let asked = wanted.as_ref().is_none_or(|wanted| wanted.contains(&id));
            if !asked || (ids.is_none() && !single.open) || left_out.contains(&id) {
                continue;
            }
            gathered.bytes += single.parsed.raw().len();
            gathered.certificates.insert(single.certificate);
            gathered.attestations.extend(single.attestation);
            given.bundle.envelopes.push(single.parsed.raw().clone());
        }
        Ok(())
    }

    fn complete(&self, mut given: Handover, gathered: GiveParts) -> Result<Handover, ReplicaError> {
        for no in gathered.attestations {
            given
                .give_back
                .attestations
                .extend(attestation::get(self.conn()?, no)?);
        }
        for (no, packs) in gathered.packs {
            let proof = pack::proof(self.conn()?, no)?.ok_or(ReplicaError::Inconsistent)?;
            given.give_back.packs.push(PackBatch { proof, packs });
        }
        for hash in gathered.certificates.union(&gathered.withheld) {
            let shown = if gathered.certificates.contains(hash) {
                certificate::get(self.conn()?, *hash)?
            } else {
                None
            };
            if shown.is_none() {
                let sealed = sealed::get(self.conn()?, *hash)?;
                given.give_back.sealed.extend(sealed);
            }
            given.bundle.certificates.extend(shown);
        }
        Ok(given)
    }
}

/// A single envelope of a record.
struct Single {
    parsed: Envelope,
    certificate: Hash,
    /// Number of the attestation that says its verdict.
    attestation: Option<i64>,
    /// It is settled or without verdict, so it goes along with its whole record.
    open: bool,
    /// It needs no pack to prove its verdict.
    proven: bool,
}

impl Single {
    fn id(&self) -> EnvelopeId {
        self.parsed.id()
    }

    /// A link from each parent to this envelope.
    fn links(&self) -> impl Iterator<Item = (EnvelopeId, EnvelopeId)> {
        let parents = self.parsed.header().parents.iter();
        parents.map(|parent| (*parent, self.id()))
    }
}
