//! Envelopes on their way into the streams of their record.

use onegrid_core::id::{EnvelopeId, Hash};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::verdict::{Status, Verdict};

use super::plan::Fresh;
use crate::store::{Entry, StoreError, StoreResult, Writer};

/// An envelope that gets a position now in every stream of its record.
pub(super) struct Placement {
    pub(super) id: EnvelopeId,
    pub(super) certificate: Hash,
    pub(super) entry: Entry,
    pub(super) adds: Digest,
}

impl Placement {
    pub(super) fn fresh(fresh: &Fresh) -> Option<Self> {
        let id = fresh.hash.envelope_id();
        fresh.verdict.status.is_settled().then(|| Self {
            id,
            certificate: fresh.certificate,
            entry: Entry::Envelope(id),
            adds: Digest::line(id, &fresh.verdict),
        })
    }
}

/// The sum that all of them add to the digest of a stream.
pub(super) fn sum(placed: &[Placement]) -> Digest {
    placed.iter().map(|placed| placed.adds).sum()
}

/// Adds an envelope with another verdict than before: as a new envelope when no reader has it yet,
/// else as a changed verdict. Returns `None` when the verdict cannot be sent alone.
pub(super) fn decided(
    tx: &dyn Writer,
    mut placed: Vec<Placement>,
    id: EnvelopeId,
    (hash, known): (Option<Hash>, Verdict),
    verdict: &Verdict,
) -> StoreResult<Option<Vec<Placement>>> {
    if !verdict.status.is_settled() || *verdict == known {
        return Ok(Some(placed));
    }
    if hash.is_none() {
        return Ok(None);
    }
    let stored = tx.envelope(id)?.ok_or(StoreError::Missing("envelope"))?;
    let line = Digest::line(id, verdict);
    let (entry, adds) = if known.status.is_settled() {
        let adds = line.minus(Digest::line(id, &known));
        // Packs leave out void content, so a reader of a pack needs the whole envelope now.
        let entry = match (known.status, verdict.status) {
            (Status::Void(_), Status::Accepted | Status::Admitted) => Entry::Envelope(id),
            _ => Entry::Verdict(id),
        };
        (entry, adds)
    } else {
        (Entry::Envelope(id), line)
    };
    placed.push(Placement {
        id,
        certificate: stored.certificate,
        entry,
        adds,
    });
    Ok(Some(placed))
}
