//! The judgement of everything that has no settled verdict: form, content, and the fold.

use std::collections::HashMap;

use super::Record;
use super::admit::Judged;
use super::graph::{Node, NodeBody};
use crate::domain::Role;
use crate::domain::case::fold::fold;
use crate::domain::case::{self, Author, Entry, EntryBody, EntryStatus};
use crate::id::EnvelopeId;
use crate::limits::RECORD_ENTRIES_MAX;
use crate::wire::verdict::{Status, VoidReason};

impl Record {
    /// Judges again all that is not settled, and makes state and content again.
    pub(super) fn rejudge(&mut self) {
        self.graph.mark_waiting();
        self.judge_form();
        self.judge_content();
        // What the fold finds illegal among the changes of the content must not be in the document, and goes
        // with all that builds on it.
        if self.fold_and_judge() && self.judge_content() {
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
            } else if node.verdict.is_none() && node.certificate.is_none() {
                // Only the server may vouch for somebody whom it does not name.
                Judged::Void(VoidReason::NotPermitted)
            } else if !settled && !self.saw_own(index, own) {
                Judged::Void(VoidReason::BadParents)
            } else {
                Judged::Valid
            };
            // What is void, held or refused binds nobody: its author does not build on it.
            let out = node.verdict.is_some_and(|v| v.status != Status::Accepted);
            if !out && judged != Judged::Void(VoidReason::BadParents) {
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
        // They lie on one line: who has seen the deepest has seen all.
        let deepest = own
            .iter()
            .max_by_key(|&&other| self.graph.nodes()[other].depth);
        if deepest.is_some_and(|&other| self.graph.is_ancestor(other, index)) {
            return true;
        }
        own.iter().all(|&other| {
            self.graph.is_ancestor(other, index) || self.graph.is_ancestor(index, other)
        })
    }

    /// Makes the state again. Returns whether a change of the content turned out illegal.
    pub(super) fn fold_and_judge(&mut self) -> bool {
        let mut content_void = false;
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
            if !node.fold_decides() {
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
            content_void |= judged != node.judged && node.change().is_some();
            self.graph.node_mut(index).judged = judged;
        }
        self.state = state.filter(|_| self.genesis_counts());
        content_void
    }

    fn genesis_counts(&self) -> bool {
        self.graph.nodes().first().is_some_and(Node::counts)
    }

    fn entry(&self, index: usize) -> Entry {
        let node = &self.graph.nodes()[index];
        let effective = match node.verdict.map(|verdict| verdict.status) {
            Some(Status::Accepted) => true,
            Some(_) => false,
            None => !node.waits && (node.judged == Judged::Newer || node.fold_decides()),
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
}

impl Node {
    /// Whether nothing but the fold speaks about it: then each fold judges it anew.
    fn fold_decides(&self) -> bool {
        let illegal = VoidReason::NotPermitted;
        match self.judged {
            Judged::Valid => true,
            Judged::Void(reason) if reason == illegal || reason == VoidReason::NotPossible => {
                self.certificate.is_some()
            }
            Judged::Void(_) | Judged::Newer => false,
        }
    }

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
                    .filter_map(|grant| grant.scope.unit())
                    .collect()
            })
            .unwrap_or_default(),
    }
}

/// The codes of `domain::case` for moves that the table does not have; all others are about roles.
fn void_reason(why: Option<&'static str>) -> VoidReason {
    match why {
        Some(code) if code.starts_with("case.") => VoidReason::NotPossible,
        _ => VoidReason::NotPermitted,
    }
}
