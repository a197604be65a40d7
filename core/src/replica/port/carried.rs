//! Envelopes of a meeting that this phone takes along to the server and does not apply.

use super::super::error::ReplicaError;
use crate::dag::{Dag, places};
use crate::domain::case::Event;
use crate::domain::case::payload::KindStep;
use crate::domain::kinds::step_tables;
use crate::domain::steps::StepTable;
use crate::domain::{RecordKind, Role};
use crate::id::EnvelopeId;
use crate::limits::{CLOCK_AHEAD_MS_MAX, CLOCK_BEHIND_MS_MAX};
use crate::wire::body::Body;
use crate::wire::envelope::{Envelope, VerifiedEnvelope};

/// Whether the server would hold an envelope of another phone: only a newer app can judge it, or its clock
/// is not plausible. If it were applied, it would freeze the record, or own words would build on it and
/// wait with it. `kind` is the kind of its record, if the Genesis is here.
pub(super) fn would_be_held(
    verified: &VerifiedEnvelope,
    kind: Option<RecordKind>,
    now_ms: i64,
) -> bool {
    let header = verified.envelope().header();
    let early = header.clock_ms < now_ms.saturating_sub(CLOCK_BEHIND_MS_MAX);
    let late = header.clock_ms > now_ms.saturating_add(CLOCK_AHEAD_MS_MAX);
    early || late || is_of_newer_app(verified, kind)
}

/// Whether this version does not know the step or its reason. Without the kind of the record, a step that some
/// kind has is known.
fn is_newer_step(kind: Option<RecordKind>, made: &KindStep) -> bool {
    let known = |table: &&StepTable| {
        let reason = made.reason.map(|code| table.reason(code));
        table.step(made.step).is_some() && reason.is_none_or(|known| known.is_some())
    };
    match kind {
        Some(kind) => kind.steps().is_some_and(|table| !known(&table)),
        None => !step_tables().any(|table| known(&table)),
    }
}

/// Whether this version does not know the body, the event, the kind of record, or the role of the author.
fn is_of_newer_app(verified: &VerifiedEnvelope, kind: Option<RecordKind>) -> bool {
    let envelope = verified.envelope();
    let body = match envelope.body() {
        Body::Unknown(..) => true,
        Body::Event(body) => {
            let event = Event::decode(body.code, body.fold_version, &body.data);
            match event {
                Ok(Event::Unknown { .. }) => true,
                Ok(Event::Step(step)) => is_newer_step(kind, &step),
                _ => false,
            }
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
