//! Giving envelopes to another side that lacks them: a server that lost them, or another phone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::{attestation, certificate, envelope, pack, sealed, verdict_change};
use super::peer_reader::PeerReader;
use crate::dag::descendants;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{GIVE_PROOF_BYTES_MAX, PACK_BYTES_MAX, RECORD_BYTES_MAX};
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
    /// Bytes of the attestations.
    proof_bytes: usize,
}

/// The request for one record.
struct RecordAsk<'a> {
    record: RecordId,
    /// Single envelopes; `None` for the whole record.
    ids: Option<BTreeSet<EnvelopeId>>,
    /// Envelopes that are left out, with all that builds on them.
    without: &'a HashSet<EnvelopeId>,
    /// Certificates that the other side does not get.
    witnesses: HashSet<Hash>,
    ask: &'a GiveAsk,
}

impl Replica {
    /// Gives records and envelopes, as many as fit. A record that does not fit beside others comes first in the
    /// next part; one that is larger than a record may be comes in several parts, parents first. A `reader` that
    /// is another phone does not get everything.
    pub(super) fn gather(
        &self,
        ask: &GiveAsk,
        mut reader: Option<&mut PeerReader>,
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
            let witnesses = match reader.as_deref_mut() {
                Some(reader) => reader.witnesses(self, record)?.clone(),
                None => HashSet::new(),
            };
            let of_record = RecordAsk {
                record,
                ids,
                without: &without,
                witnesses,
                ask,
            };
            self.gather_record(&of_record, &mut given, &mut gathered, reader.as_deref_mut())?;
        }
        given.left.bytes_max = ask.bytes_max;
        if !given.left.is_empty() {
            let here = given.bundle.envelopes.iter();
            given.left.sent.clone_from(&ask.sent);
            given
                .left
                .sent
                .extend(here.map(|raw| raw.hash().envelope_id()));
            given.left.packed.extend(&ask.packed);
        }
        self.complete(given, gathered)
    }

    /// Gathers one record: all of it, or some envelopes with their ancestors that are single envelopes and that
    /// were not sent before.
    fn gather_record(
        &self,
        of: &RecordAsk<'_>,
        given: &mut Handover,
        gathered: &mut GiveParts,
        mut reader: Option<&mut PeerReader>,
    ) -> Result<(), ReplicaError> {
        let picked = of.pick(self.singles(of, reader.as_deref_mut())?);
        let packs = if picked.needs_pack {
            pack::size(self.conn()?, of.record)?
        } else {
            0
        };
        let mut costs = Vec::with_capacity(picked.singles.len());
        let mut seen = BTreeSet::new();
        for single in &picked.singles {
            let fresh = single.attestation;
            let fresh = fresh.filter(|no| !gathered.attestations.contains(no) && seen.insert(*no));
            let proof = match fresh {
                Some(no) => attestation::size(self.conn()?, no)?,
                None => 0,
            };
            costs.push((single.parsed.raw().len(), proof));
        }
        let bytes = costs.iter().map(|(bytes, _)| bytes).sum::<usize>() + packs;
        let proofs = costs.iter().map(|(_, proof)| proof).sum::<usize>();
        let fits = gathered.bytes + bytes <= of.ask.bytes_max
            && gathered.proof_bytes + proofs <= GIVE_PROOF_BYTES_MAX;
        if gathered.bytes > 0 && !fits {
            match &of.ids {
                Some(ids) => given.left.envelopes.extend(ids),
                None => given.left.records.push(of.record),
            }
            return Ok(());
        }
        // A peer that may read the record only because of its last envelope needs it whole.
        let bytes_max = of.ask.bytes_max.max(RECORD_BYTES_MAX);
        let named = std::mem::take(&mut gathered.certificates);
        if picked.needs_pack {
            self.gather_packs(of.record, gathered, reader)?;
            given.left.packed.insert(of.record);
        }
        let mut rest = Vec::new();
        for (single, (bytes, proof)) in picked.singles.into_iter().zip(costs) {
            let fits = gathered.bytes + bytes <= bytes_max
                && gathered.proof_bytes + proof <= GIVE_PROOF_BYTES_MAX;
            let fits = fits || given.bundle.envelopes.is_empty();
            if !rest.is_empty() || !fits {
                rest.push(single.id());
                continue;
            }
            gathered.bytes += bytes;
            gathered.proof_bytes += proof;
            gathered.certificates.insert(single.certificate);
            gathered.attestations.extend(single.attestation);
            given.bundle.envelopes.push(single.parsed.raw().clone());
        }
        given.left.envelopes.extend(rest);
        let of_record = std::mem::replace(&mut gathered.certificates, named);
        for hash in of_record {
            let kind = if of.witnesses.contains(&hash) {
                &mut gathered.withheld
            } else {
                &mut gathered.certificates
            };
            kind.insert(hash);
        }
        Ok(())
    }

    /// The single envelopes of a record, with the proof that the other side may see.
    fn singles(
        &self,
        of: &RecordAsk<'_>,
        mut reader: Option<&mut PeerReader>,
    ) -> Result<Vec<Single>, ReplicaError> {
        let mut singles = Vec::new();
        for stored in envelope::of_record(self.conn()?, of.record)? {
            let settled = stored.verdict.map(|verdict| verdict.status.is_settled());
            let shown = match (stored.attestation, reader.as_deref_mut()) {
                (Some(no), Some(reader)) => reader.may_show(self, no)?.then_some(no),
                (no, _) => no,
            };
            // A pack proves a settled verdict that has no attestation.
            let by_pack = settled == Some(true) && stored.attestation.is_none();
            let vouched = by_pack || settled == Some(true) && shown.is_some();
            singles.push(Single {
                is_hidden: of.witnesses.contains(&stored.certificate) && !vouched,
                certificate: stored.certificate,
                attestation: shown,
                open: settled != Some(false),
                proven: !by_pack,
                parsed: Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?,
            });
        }
        Ok(singles)
    }

    /// Gathers the packs of a record, as many as fit into one message, with the verdicts that changed since.
    fn gather_packs(
        &self,
        record: RecordId,
        gathered: &mut GiveParts,
        mut reader: Option<&mut PeerReader>,
    ) -> Result<(), ReplicaError> {
        let mut bytes = 0;
        for stored in pack::of_record(self.conn()?, record)? {
            bytes += stored.bytes.len();
            if bytes > PACK_BYTES_MAX {
                tracing::warn!(code = "wire.too_large", "a pack was left out");
                break;
            }
            gathered.bytes += stored.bytes.len();
            let opened = Pack::from_bytes(&stored.bytes).map_err(|_| ReplicaError::Inconsistent)?;
            gathered
                .certificates
                .extend(opened.entries.iter().map(|entry| entry.certificate));
            let batch = gathered.packs.entry(stored.proof).or_default();
            batch.push(stored.bytes);
        }
        for (_, _, no) in verdict_change::of_record(self.conn()?, record)? {
            let Some(no) = no else { continue };
            let open = match reader.as_deref_mut() {
                Some(reader) => reader.may_show(self, no)?,
                None => true,
            };
            if open && gathered.attestations.insert(no) {
                gathered.proof_bytes += attestation::size(self.conn()?, no)?;
            }
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

/// The part of a record to give.
struct Picked {
    singles: Vec<Single>,
    needs_pack: bool,
}

impl RecordAsk<'_> {
    /// Picks the envelopes to give, parents first. An envelope of `without`, a hidden one that is asked for, and
    /// any envelope that builds on them, is left out.
    fn pick(&self, singles: Vec<Single>) -> Picked {
        let is_named = |id: &EnvelopeId| self.ids.as_ref().is_none_or(|ids| ids.contains(id));
        let hidden = singles.iter().filter(|single| single.is_hidden);
        let hidden = hidden.map(Single::id).filter(is_named);
        let out = self.without.iter().copied().chain(hidden);
        let left_out = descendants(out, singles.iter().flat_map(Single::links));
        let wanted: Option<HashSet<EnvelopeId>> = self.ids.as_ref().map(|ids| {
            let mut wanted: HashSet<EnvelopeId> = ids.iter().copied().collect();
            // Children come after their parents, so one pass backwards finds all ancestors.
            for single in singles.iter().rev() {
                if wanted.contains(&single.id()) {
                    let parents = single.parsed.header().parents.iter();
                    wanted.extend(parents.filter(|parent| !self.ask.sent.contains(*parent)));
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
        let is_packed = self.ids.is_some() && self.ask.packed.contains(&self.record);
        let needs_pack = !is_packed
            && (self
                .ids
                .as_ref()
                .is_none_or(|ids| !ids.iter().all(|id| alone.contains(id)))
                || singles.iter().any(unproven));
        let whole = self.ids.is_none();
        let goes = |single: &Single| {
            let id = single.id();
            let asked = wanted.as_ref().is_none_or(|wanted| wanted.contains(&id));
            let goes_along = single.open || !whole;
            asked && goes_along && !single.is_hidden && !left_out.contains(&id)
        };
        Picked {
            singles: singles.into_iter().filter(goes).collect(),
            needs_pack,
        }
    }
}

/// A single envelope of a record.
struct Single {
    parsed: Envelope,
    certificate: Hash,
    /// Number of the attestation that says its verdict, where the other side may see it.
    attestation: Option<i64>,
    /// Neither its author's certificate nor a verdict may prove it to the other side.
    is_hidden: bool,
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
