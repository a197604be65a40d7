//! The way in for envelopes, and the judgement of everything that has no settled verdict.

use std::collections::{HashMap, HashSet};

use super::Record;
use super::graph::{ContentChange, Node, NodeBody};
use crate::crdt::inspect;
use crate::domain::case::fold::fold;
use crate::domain::case::{
    self, Author, CaseState, Entry, EntryBody, EntryStatus, Event, GenesisFacts, OnBehalfOf,
};
use crate::domain::{Role, Scope};
use crate::id::EnvelopeId;
use crate::limits::RECORD_ENTRIES_MAX;
use crate::wire::body::Body;
use crate::wire::envelope::VerifiedEnvelope;
use crate::wire::verdict::{HeldReason, Status, VoidReason};

/// What a replica finds about an envelope by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Its author might write it.
    Valid,
    /// It moves nothing.
    Void(VoidReason),
    /// This version can not judge it.
    Newer,
}

/// What came of one envelope that was to be admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// New, and its author might write it.
    Valid,
    /// It was here already; the verdict that it has stands.
    Known,
    /// New, kept, and without effect.
    Void(VoidReason),
    /// New, kept, and awaiting review or a newer app.
    Held(HeldReason),
    /// Not taken in: these parents are not here. Nothing is stored.
    Missing(Vec<EnvelopeId>),
    /// Not taken in: it belongs to another record.
    OtherRecord,
}

/// An envelope and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The envelope.
    pub id: EnvelopeId,
    /// What came of it.
    pub outcome: Outcome,
}

impl Record {
    /// Takes envelopes in, in any order, and judges them; the judgements are in the order of the batch.
    ///
    /// An envelope whose parents are neither here nor in the batch is [`Outcome::Missing`]; all others are
    /// part of the graph from now on, whatever was found about them.
    pub fn admit(&mut self, batch: &[VerifiedEnvelope]) -> Vec<Judgement> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        let mut waiting: Vec<usize> = Vec::with_capacity(batch.len());
        for (index, verified) in batch.iter().enumerate() {
            let envelope = verified.envelope();
            if envelope.record() != self.id {
                outcomes[index] = Some(Outcome::OtherRecord);
            } else if self.graph.find(envelope.id()).is_some() {
                outcomes[index] = Some(Outcome::Known);
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
            outcomes[index] = Some(Outcome::Missing(self.missing(&batch[index])));
        }
        batch
            .iter()
            .zip(outcomes)
            .map(|(verified, outcome)| Judgement {
                id: verified.envelope().id(),
                outcome: outcome.unwrap_or(Outcome::Known),
            })
            .collect()
    }

    /// Pushes what has all its parents, until nothing more has. Returns (place in the batch, node).
    fn push_closed(
        &mut self,
        batch: &[VerifiedEnvelope],
        waiting: &mut Vec<usize>,
        outcomes: &mut [Option<Outcome>],
    ) -> Vec<(usize, usize)> {
        let mut fresh = Vec::with_capacity(waiting.len());
        loop {
            let before = waiting.len();
            waiting.retain(|&index| {
                let envelope = batch[index].envelope();
                if self.graph.find(envelope.id()).is_some() {
                    outcomes[index] = Some(Outcome::Known);
                    return false;
                }
                let parents: Option<Vec<usize>> = envelope
                    .header()
                    .parents
                    .iter()
                    .map(|id| self.graph.find(*id))
                    .collect();
                let Some(parents) = parents else { return true };
                fresh.push((index, self.graph.push(node_of(&batch[index], parents))));
                false
            });
            if waiting.len() == before {
                return fresh;
            }
        }
    }

    fn missing(&self, verified: &VerifiedEnvelope) -> Vec<EnvelopeId> {
        let parents = &verified.envelope().header().parents;
        parents
            .iter()
            .copied()
            .filter(|id| self.graph.find(*id).is_none())
            .collect()
    }

    fn outcome_of(&self, index: usize) -> Outcome {
        let node = &self.graph.nodes()[index];
        if let Some(verdict) = node.verdict {
            return match verdict.status {
                Status::Void(reason) => Outcome::Void(reason),
                Status::Held(reason) => Outcome::Held(reason),
                Status::Accepted | Status::Refused(_) => Outcome::Known,
            };
        }
        match node.judged {
            Judged::Newer => Outcome::Held(HeldReason::Newer),
            // What the form of the past says outweighs that a parent waits: a review can not mend it.
            Judged::Void(reason) => Outcome::Void(reason),
            Judged::Valid if node.waits => Outcome::Held(HeldReason::ParentHeld),
            Judged::Valid => Outcome::Valid,
        }
    }

    /// Judges again all that is not settled, and makes state and content again.
    pub(super) fn rejudge(&mut self) {
        self.graph.mark_waiting();
        self.judge_form();
        self.judge_content();
        self.fold_and_judge();
        // What the fold found illegal among the changes of the content must not be in the document, and
        // goes with all that builds on it.
        if self.judge_content() {
            self.fold_and_judge();
        }
    }

    /// What can be said without state: unknown bodies, depth, and that an author saw what it wrote before.
    fn judge_form(&mut self) {
        let mut order: Vec<usize> = (0..self.graph.nodes().len()).collect();
        order.sort_by_key(|&index| {
            let node = &self.graph.nodes()[index];
            let settled = node
                .verdict
                .is_some_and(|verdict| verdict.status.is_settled());
            (!settled, node.depth, node.id)
        });
        let mut written: HashMap<_, Vec<usize>> = HashMap::new();
        for index in order {
            let node = &self.graph.nodes()[index];
            let settled = node
                .verdict
                .is_some_and(|verdict| verdict.status.is_settled());
            let own = written.entry(node.author).or_default();
            let judged = if matches!(node.body, NodeBody::Unknown) {
                Judged::Newer
            } else if matches!(node.body, NodeBody::Malformed) {
                Judged::Void(VoidReason::Malformed)
            } else if node.depth as usize >= RECORD_ENTRIES_MAX {
                Judged::Void(VoidReason::Limit)
            } else if !settled && !self.saw_own(index, own) {
                Judged::Void(VoidReason::BadParents)
            } else {
                Judged::Valid
            };
            if judged != Judged::Void(VoidReason::BadParents) {
                own.push(index);
            }
            self.graph.node_mut(index).judged = judged;
        }
    }

    /// Whether an author's envelopes lie on one line: each new one had seen all that went before.
    ///
    /// The server's own automatic moves are exempt: their only parent is their cause.
    fn saw_own(&self, index: usize, own: &[usize]) -> bool {
        let node = &self.graph.nodes()[index];
        if node.role() == Some(Role::System) {
            return true;
        }
        own.iter().all(|&other| {
            self.graph.is_ancestor(other, index) || self.graph.is_ancestor(index, other)
        })
    }

    fn fold_and_judge(&mut self) {
        let entries: Vec<Entry> = (0..self.graph.nodes().len())
            .map(|index| self.entry(index))
            .collect();
        let state = fold(&entries);
        let by_id: HashMap<EnvelopeId, &case::state::TimelineItem> = state
            .iter()
            .flat_map(|state| &state.timeline)
            .map(|item| (item.id, item))
            .collect();
        for index in 0..self.graph.nodes().len() {
            let node = &self.graph.nodes()[index];
            if node.judged != Judged::Valid {
                continue;
            }
            let judged = match by_id.get(&node.id) {
                Some(item) => match item.outcome {
                    case::Outcome::Illegal => Judged::Void(void_reason(item.why)),
                    case::Outcome::Unjudged => Judged::Newer,
                    _ => Judged::Valid,
                },
                None => Judged::Valid,
            };
            self.graph.node_mut(index).judged = judged;
        }
        self.state = state.filter(|_| self.genesis_counts());
    }

    fn genesis_counts(&self) -> bool {
        self.graph.nodes().first().is_some_and(Node::counts)
    }

    fn entry(&self, index: usize) -> Entry {
        let node = &self.graph.nodes()[index];
        let effective = match node.verdict.map(|verdict| verdict.status) {
            Some(Status::Accepted) => true,
            Some(_) => false,
            None => !node.waits && !matches!(node.judged, Judged::Void(_)),
        };
        Entry {
            id: node.id,
            parents: node
                .parents
                .iter()
                .map(|&parent| self.graph.nodes()[parent].id)
                .collect(),
            author: author_of(node),
            body: match &node.body {
                NodeBody::Genesis { facts, .. } => EntryBody::Genesis((**facts).clone()),
                NodeBody::Change(_) => EntryBody::Content,
                NodeBody::Event {
                    event,
                    on_behalf_of,
                    ..
                } => EntryBody::Event {
                    event: (**event).clone(),
                    on_behalf_of: on_behalf_of.clone(),
                },
                NodeBody::Unknown | NodeBody::Malformed => EntryBody::Unknown,
            },
            clock_ms: node.clock_ms,
            verdict_at_ms: node.verdict.map(|verdict| verdict.at_ms),
            status: if effective {
                EntryStatus::Effective
            } else {
                EntryStatus::Ignored
            },
        }
    }

    /// The state that the author of an envelope had seen: the fold of its past, itself not included.
    #[must_use]
    pub fn state_before(&self, id: EnvelopeId) -> Option<CaseState> {
        let end = self.graph.find(id)?;
        let mut past = HashSet::new();
        let mut stack = self.graph.nodes()[end].parents.clone();
        while let Some(index) = stack.pop() {
            if past.insert(index) {
                stack.extend(&self.graph.nodes()[index].parents);
            }
        }
        let mut past: Vec<usize> = past.into_iter().collect();
        past.sort_unstable();
        let entries: Vec<Entry> = past.into_iter().map(|index| self.entry(index)).collect();
        fold(&entries)
    }
}

impl Node {
    /// The role that its author acts under; `None` where the certificate is withheld.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        let certificate = self.certificate.as_ref()?;
        certificate
            .facts()
            .grants
            .get(usize::from(self.grant))
            .map(|grant| grant.role)
    }
}

fn author_of(node: &Node) -> Author {
    let facts = node
        .certificate
        .as_ref()
        .map(|certificate| certificate.facts());
    Author {
        device: node.author,
        member: facts.and_then(|facts| facts.member),
        grant: facts.and_then(|facts| facts.grants.get(usize::from(node.grant)).cloned()),
        units: facts
            .map(|facts| {
                facts
                    .grants
                    .iter()
                    .filter_map(|grant| unit_of(&grant.scope))
                    .collect()
            })
            .unwrap_or_default(),
    }
}

fn unit_of(scope: &Scope) -> Option<crate::id::UnitId> {
    scope.unit()
}

/// The codes of `domain::case` for moves that the table does not have; all others are about roles.
fn void_reason(why: Option<&'static str>) -> VoidReason {
    match why {
        Some(code) if code.starts_with("case.") => VoidReason::NotPossible,
        _ => VoidReason::NotPermitted,
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
    let content = |raw: &Vec<u8>| ContentChange {
        info: inspect(raw).ok(),
        raw: Some(raw.clone()),
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
        judged: Judged::Valid,
        waits: false,
        packed: false,
    }
}
