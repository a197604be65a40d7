//! Envelopes of a meeting that this phone takes along to the server and does not apply.

use super::super::error::ReplicaError;
use crate::dag::{Dag, places};
use crate::domain::Role;
use crate::domain::case::Event;
use crate::id::EnvelopeId;
use crate::limits::{CLOCK_AHEAD_MS_MAX, CLOCK_BEHIND_MS_MAX};
use crate::wire::body::Body;
use crate::wire::envelope::{Envelope, VerifiedEnvelope};

/// Whether the server would hold an envelope of another phone: only a newer app can judge it, or its clock
/// is not plausible. If it were applied, it would freeze the record, or own words would build on it and
/// wait with it.
pub(super) fn would_be_held(verified: &VerifiedEnvelope, now_ms: i64) -> bool {
    let header = verified.envelope().header();
    let early = header.clock_ms < now_ms.saturating_sub(CLOCK_BEHIND_MS_MAX);
    let late = header.clock_ms > now_ms.saturating_add(CLOCK_AHEAD_MS_MAX);
    early || late || is_of_newer_app(verified)
}

/// Whether this version does not know the body, the event, the kind of record, or the role of the author.
fn is_of_newer_app(verified: &VerifiedEnvelope) -> bool {
    let envelope = verified.envelope();
    let body = match envelope.body() {
        Body::Unknown(..) => true,
        Body::Event(body) => {
            let event = Event::decode(body.code, body.fold_version, &body.data);
            matches!(event, Ok(Event::Unknown { .. }))
        }
        Body::Genesis(genesis) => !genesis.kind.is_known(),
        Body::Change(_) => false,
    };
    let grants = verified.certificate().map(|known| &known.facts().grants);
    let grant = grants.and_then(|grants| grants.get(usize::from(envelope.header().grant)));
    body || grant.is_some_and(|grant| matches!(grant.role, Role::Unknown(_)))
}

/// The places of the envelopes whose past is here or among them, parents first. Each parent of each envelope is
/// looked up once, whatever order a peer chose.
pub(in crate::replica) fn parents_first(
    envelopes: &[&Envelope],
    mut is_here: impl FnMut(EnvelopeId) -> Result<bool, ReplicaError>,
) -> Result<Vec<usize>, ReplicaError> {
    let place_of = places(envelopes.iter().map(|envelope| envelope.id()));
    let mut dag = Dag::with_capacity(envelopes.len());
    for envelope in envelopes {
        let mut absent = Vec::new();
        for parent in &envelope.header().parents {
            if !is_here(*parent)? {
                absent.push(place_of.get(parent).copied());
            }
        }
        dag.push(absent);
    }
    Ok(dag.by_wave())
}
