//! From bytes to verified envelopes: form, certificates, signatures. Records are looked at
//! elsewhere.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use onegrid_core::dag::{self, Walk};
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::sign::Authority;
use onegrid_core::wire::envelope::{Envelope, EnvelopeError, RawEnvelope, VerifiedEnvelope};
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::verdict::{AttestedEnvelope, RefusedReason, Status, Verdict};

use super::commit::CommitResult;
use super::unread::Unread;
use crate::error::Result;
use crate::limits::{VERIFY_ALONE_MAX, VERIFY_THREADS_MAX};
use crate::shared::Shared;

/// A bundle whose envelopes are each verified or refused.
pub(crate) struct CheckedBundle {
    /// Hashes in the order of the bundle.
    pub(super) order: Vec<Hash>,
    pub(super) verified: Vec<VerifiedEnvelope>,
    pub(super) refused: HashMap<EnvelopeId, RefusedReason>,
    /// Certificates that the envelopes name, verified.
    pub(super) certificates: HashMap<Hash, Arc<Certificate>>,
    /// Envelopes that only a newer server can read, with their descendants.
    pub(super) unread: Vec<Unread>,
    /// When the envelopes arrived, if they were kept unread until an upgrade, ms UTC.
    pub(super) arrived_ms: Option<i64>,
    /// Devices that wrote so much today that a person has to look at it.
    pub(super) busy: HashSet<DeviceId>,
}

pub(super) fn check(shared: &Shared, bundle: Bundle) -> Result<CheckedBundle> {
    let order: Vec<Hash> = bundle.envelopes.iter().map(RawEnvelope::hash).collect();
    let mut certificates = HashMap::new();
    for raw in bundle.certificates {
        // One that does not verify is not there; the envelopes that name it are refused.
        if let Some(certificate) = shared.certificates.verified(raw, shared.keys.anchors()) {
            certificates.insert(certificate.hash(), certificate);
        }
    }
    let (mut refused, mut unread) = (HashMap::new(), Vec::new());
    let mut parsed = Vec::with_capacity(bundle.envelopes.len());
    let mut seen = BTreeSet::new();
    for (raw, hash) in bundle.envelopes.into_iter().zip(&order) {
        if !seen.insert(*hash) {
            continue;
        }
        if raw.is_newer() {
            unread.push(Unread::newer(raw));
            continue;
        }
        match Envelope::parse(raw) {
            Ok(envelope) => parsed.push(envelope),
            Err(_) => {
                refused.insert(hash.envelope_id(), RefusedReason::Malformed);
            }
        }
    }
    let wanted: BTreeSet<Hash> = parsed
        .iter()
        .map(|envelope| envelope.header().certificate)
        .collect();
    for hash in wanted {
        if let Entry::Vacant(place) = certificates.entry(hash)
            && let Some(certificate) = shared.certificate(hash)?
        {
            place.insert(certificate);
        }
    }
    let results = verify_all(parsed, &certificates, shared.keys.authority());
    let mut verified = Vec::with_capacity(results.len());
    for (id, result) in results {
        match result {
            Ok(envelope) => verified.push(envelope),
            Err(reason) => {
                refused.insert(id, reason);
            }
        }
    }
    let mut checked = CheckedBundle {
        order,
        verified,
        refused,
        certificates,
        unread,
        arrived_ms: None,
        busy: HashSet::new(),
    };
    checked.refuse_descendants();
    checked.set_aside(&BTreeSet::new());
    Ok(checked)
}

type Verified = (
    EnvelopeId,
    std::result::Result<VerifiedEnvelope, RefusedReason>,
);

fn verify_all(
    parsed: Vec<Envelope>,
    certificates: &HashMap<Hash, Arc<Certificate>>,
    authority: &Authority,
) -> Vec<Verified> {
    let one = |envelope: Envelope| -> Verified {
        let id = envelope.id();
        let Some(certificate) = certificates.get(&envelope.header().certificate) else {
            return (id, Err(RefusedReason::BadCertificate));
        };
        let result = envelope
            .verify(certificate, authority)
            .map_err(|error| match error {
                EnvelopeError::BadSignature => RefusedReason::BadSignature,
                _ => RefusedReason::BadCertificate,
            });
        (id, result)
    };
    if parsed.len() <= VERIFY_ALONE_MAX {
        return parsed.into_iter().map(one).collect();
    }
    let threads = std::thread::available_parallelism()
        .map_or(2, std::num::NonZeroUsize::get)
        .clamp(2, VERIFY_THREADS_MAX);
    let share = parsed.len().div_ceil(threads);
    let mut shares: Vec<Vec<Envelope>> = Vec::with_capacity(threads);
    let mut rest = parsed;
    while rest.len() > share {
        let tail = rest.split_off(share);
        shares.push(std::mem::replace(&mut rest, tail));
    }
    shares.push(rest);
    let one = &one;
    std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(one).collect::<Vec<_>>()))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("verifying a signature does not panic"))
            .collect()
    })
}

impl CheckedBundle {
    /// Removes the envelopes that were refused after verification, with their descendants.
    pub(super) fn drop_refused(&mut self) {
        let refused = &self.refused;
        self.verified
            .retain(|verified| !refused.contains_key(&verified.envelope().id()));
        self.refuse_descendants();
    }

    /// Refuses the descendants of refused envelopes, because their past would have a hole.
    fn refuse_descendants(&mut self) {
        if self.refused.is_empty() {
            return;
        }
        let links = self.verified.iter().flat_map(|verified| {
            let envelope = verified.envelope();
            let parents = envelope.header().parents.iter();
            parents.map(|parent| (*parent, envelope.id()))
        });
        let children = dag::children(links);
        let mut walk = Walk::from_ids(self.refused.keys().copied());
        while let Some(id) = walk.next() {
            let reason = self.refused[&id];
            for child in children.get(&id).into_iter().flatten() {
                self.refused.entry(*child).or_insert(reason);
                walk.add(*child);
            }
        }
        let refused = &self.refused;
        self.verified
            .retain(|verified| !refused.contains_key(&verified.envelope().id()));
    }

    /// Envelopes that were kept unread and are read now, each with its author's member.
    pub(super) fn released(&self) -> Vec<(RawEnvelope, Option<MemberId>)> {
        if self.arrived_ms.is_none() {
            return Vec::new();
        }
        self.verified
            .iter()
            .map(|verified| {
                let certificate = verified.certificate();
                let member = certificate.and_then(|certificate| certificate.facts().member);
                (verified.envelope().raw().clone(), member)
            })
            .collect()
    }

    /// The lines of the receipt, in the order of the bundle.
    pub(super) fn lines(
        &self,
        known: &HashMap<EnvelopeId, Verdict>,
        committed: &CommitResult,
        generation: u32,
        now_ms: i64,
    ) -> Vec<AttestedEnvelope> {
        let refused = |id: &EnvelopeId| {
            let reason = self
                .refused
                .get(id)
                .copied()
                .unwrap_or(RefusedReason::Malformed);
            Verdict {
                status: Status::Refused(reason),
                at_ms: now_ms,
                generation,
            }
        };
        self.order
            .iter()
            .map(|hash| {
                let id = hash.envelope_id();
                let verdict = committed
                    .verdicts
                    .get(&id)
                    .or_else(|| known.get(&id))
                    .copied();
                AttestedEnvelope {
                    hash: *hash,
                    verdict: verdict.unwrap_or_else(|| refused(&id)),
                    at: committed.positions.get(&id).cloned().unwrap_or_default(),
                }
            })
            .collect()
    }
}
