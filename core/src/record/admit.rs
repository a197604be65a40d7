//! Imports and judges envelopes.

use super::Record;
use super::content::broken_rule;
use super::graph::{ContentChange, Node, NodeBody, OwnJudgement};
use crate::crdt::{ChangeInfo, GateError, inspect};
use crate::domain::case::{Event, GenesisFacts, OnBehalfOf};
use crate::id::EnvelopeId;
use crate::wire::body::Body;
use crate::wire::envelope::VerifiedEnvelope;
use crate::wire::verdict::{HeldReason, Status, VoidReason};

/// The result of admitting one envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// New, and its author was allowed to write it.
    Valid,
    /// It was here already, and keeps its verdict.
    Known,
    /// New, kept, and without effect.
    Void(VoidReason),
    /// New, kept, and awaiting review or a newer app.
    Held(HeldReason),
    /// Left out, because these parents are not here. Nothing is stored.
    Missing(Vec<EnvelopeId>),
    /// Left out, because it belongs to another record.
    OtherRecord,
}

/// An envelope with the result of admitting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The envelope.
    pub id: EnvelopeId,
    /// The result.
    pub outcome: Admission,
}

impl Record {
    /// Imports envelopes, in any order, and judges them. The judgements are in the order of the batch.
    ///
    /// An envelope whose parents are neither here nor in the batch is [`Admission::Missing`]. All others are
    /// part of the graph from now on, whatever their judgement.
    pub fn admit(&mut self, batch: &[VerifiedEnvelope]) -> Vec<Judgement> {
        let mut outcomes: Vec<Option<Admission>> = vec![None; batch.len()];
        let mut waiting: Vec<usize> = Vec::with_capacity(batch.len());
        for (index, verified) in batch.iter().enumerate() {
            let envelope = verified.envelope();
            if envelope.record() != self.id {
                outcomes[index] = Some(Admission::OtherRecord);
            } else if self.has_whole(envelope.id()) {
                outcomes[index] = Some(Admission::Known);
            } else {
                waiting.push(index);
            }
        }
        let fresh = self.push_closed(batch, &mut waiting, &mut outcomes);
        if !fresh.is_empty() {
            self.rejudge();
        }
        for (index, node) in fresh {
            outcomes[index] = Some(self.outcome_of(node));
        }
        for index in waiting {
            outcomes[index] = Some(Admission::Missing(self.missing(&batch[index])));
        }
        batch
            .iter()
            .zip(outcomes)
            .map(|(verified, outcome)| Judgement {
                id: verified.envelope().id(),
                outcome: outcome.unwrap_or(Admission::Known),
            })
            .collect()
    }

    /// Pushes every envelope that has all its parents; the others stay in `waiting`. Returns the place in the
    /// batch and the node of each.
    fn push_closed(
        &mut self,
        batch: &[VerifiedEnvelope],
        waiting: &mut Vec<usize>,
        outcomes: &mut [Option<Admission>],
    ) -> Vec<(usize, usize)> {
        let envelopes = waiting.iter().map(|&index| batch[index].envelope());
        let order = self.graph.order_of(envelopes);
        let mut fresh = Vec::with_capacity(order.len());
        let mut left = vec![true; waiting.len()];
        for place in order {
            left[place] = false;
            let index = waiting[place];
            let envelope = batch[index].envelope();
            let known = self.graph.find(envelope.id());
            if self.has_whole(envelope.id()) {
                outcomes[index] = Some(Admission::Known);
                continue;
            }
            let parents = envelope.header().parents.iter();
            let parents: Vec<usize> = parents.filter_map(|id| self.graph.find(*id)).collect();
            let node = node_of(&batch[index], parents);
            let node = if let Some(known) = known {
                self.graph.fill(known, node);
                known
            } else {
                self.graph.push(node)
            };
            fresh.push((index, node));
        }
        let mut left = left.into_iter();
        waiting.retain(|_| left.next() == Some(true));
        fresh
    }

    /// Whether the envelope is here with its content. A void envelope that a pack names has none.
    fn has_whole(&self, id: EnvelopeId) -> bool {
        let known = self.graph.find(id);
        known.is_some_and(|index| !self.graph.nodes()[index].is_stub())
    }

    fn missing(&self, verified: &VerifiedEnvelope) -> Vec<EnvelopeId> {
        let parents = &verified.envelope().header().parents;
        parents
            .iter()
            .copied()
            .filter(|id| self.graph.find(*id).is_none())
            .collect()
    }

    fn outcome_of(&self, index: usize) -> Admission {
        let node = &self.graph.nodes()[index];
        if let Some(verdict) = node.verdict {
            return match verdict.status {
                Status::Void(reason) => Admission::Void(reason),
                Status::Held(reason) => Admission::Held(reason),
                Status::Accepted | Status::Admitted | Status::Refused(_) => Admission::Known,
            };
        }
        match node.judged {
            OwnJudgement::Newer => Admission::Held(HeldReason::Newer),
            // This rule comes first: only the author has the parent, so only the author may get this, not
            // even as void.
            _ if node.waits => Admission::Held(HeldReason::ParentHeld),
            OwnJudgement::Void(reason) => Admission::Void(reason),
            OwnJudgement::Valid => Admission::Valid,
        }
    }
}

/// The body of an event, from its parts as received.
pub(super) fn event_body(
    code: u16,
    fold_version: u8,
    data: Vec<u8>,
    on_behalf_of: Option<OnBehalfOf>,
) -> NodeBody {
    match Event::decode(code, fold_version, &data) {
        Ok(event) => NodeBody::Event {
            event: Box::new(event),
            on_behalf_of,
            fold_version,
            data: (code, data),
        },
        Err(_) => NodeBody::Malformed,
    }
}

/// Makes the node of an envelope.
pub(super) fn node_of(verified: &VerifiedEnvelope, parents: Vec<usize>) -> Node {
    let envelope = verified.envelope();
    let header = envelope.header();
    // A change under the name of another device is void by form, so its header never counts. No other device
    // can take the number or the hash of a change away from its author.
    let content = |raw: &Vec<u8>| {
        let own = |info: ChangeInfo| {
            let is_own = info.actor.device().matches(&header.author);
            is_own.then_some(info).ok_or(GateError::ForeignActor)
        };
        let read = inspect(raw).and_then(own);
        ContentChange {
            broken: read.as_ref().err().map(broken_rule),
            info: read.ok(),
            raw: Some(raw.clone()),
        }
    };
    let body = match envelope.body() {
        Body::Genesis(genesis) => NodeBody::Genesis {
            facts: Box::new(GenesisFacts {
                kind: genesis.kind,
                home: genesis.home,
                audience: genesis.audience,
                team: genesis.team,
                source: genesis.source,
                named: genesis.named.clone(),
                linked: genesis.linked,
            }),
            change: content(&genesis.content),
        },
        Body::Change(change) => NodeBody::Change(content(&change.change)),
        Body::Event(body) => event_body(
            body.code,
            body.fold_version,
            body.data.clone(),
            body.on_behalf_of.clone(),
        ),
        Body::Unknown(..) => NodeBody::Unknown,
    };
    Node {
        id: envelope.id(),
        hash: Some(envelope.hash()),
        parents,
        depth: 0,
        author: header.author,
        certificate_hash: header.certificate,
        certificate: verified.certificate().cloned(),
        grant: header.grant,
        directory_seen: header.directory_seen,
        clock_ms: header.clock_ms,
        body,
        replaces: envelope.body().replaces(),
        verdict: None,
        judged: OwnJudgement::Valid,
        waits: false,
        packed: false,
    }
}
