//! The judgement of every envelope without a settled verdict: form, content, and the fold.

use std::collections::HashMap;

use super::Record;
use super::graph::{Node, NodeBody, OwnJudgement};
use super::line::{AuthorUsage, Line};
use crate::domain::Role;
use crate::domain::case::fold::fold;
use crate::domain::case::{self, Author, Entry, EntryBody, EntryStatus, Refusal};
use crate::domain::may::Denied;
use crate::id::{DeviceId, EnvelopeId};
use crate::limits::RECORD_ENTRIES_MAX;
use crate::wire::verdict::{Status, VoidReason};

impl Record {
    /// Judges all unsettled envelopes again, and makes state and content again.
    pub(super) fn rejudge(&mut self) {
        self.graph.mark_waiting();
        self.judge_form();
        self.judge_content();
        // A change that the fold finds illegal must not be in the document, nor must its descendants.
        if self.fold_and_judge() && self.judge_content() {
            self.fold_and_judge();
        }
    }

    /// Judges everything that needs no state: bodies, depth, the line of each author and its quotas. Quotas
    /// count along that line, so they are equal on every replica, whatever past a change claims. An accepted
    /// change counts and is never refused.
    fn judge_form(&mut self) {
        let nodes = self.graph.nodes();
        let mut by_author: HashMap<DeviceId, Vec<usize>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            by_author.entry(node.author).or_default().push(index);
        }
        let mut found = Vec::with_capacity(nodes.len());
        let mut line = Line::new(nodes);
        for mut own in by_author.into_values() {
            own.sort_by_key(|&index| {
                let node = &nodes[index];
                (!node.is_settled(), node.depth, node.id)
            });
            line.clear();
            let mut written = AuthorUsage::default();
            for index in own {
                let node = &nodes[index];
                let info = node.change().and_then(|change| change.info.as_ref());
                let judged = match node.form() {
                    // The server's own automatic moves are exempt, because their only parent is their cause.
                    OwnJudgement::Valid
                        if node.is_settled() || node.role() == Some(Role::System) =>
                    {
                        OwnJudgement::Valid
                    }
                    OwnJudgement::Valid if !line.takes(index) => {
                        OwnJudgement::Void(VoidReason::BadParents)
                    }
                    OwnJudgement::Valid if info.is_some_and(|info| !written.has_room(info)) => {
                        OwnJudgement::Void(VoidReason::Limit)
                    }
                    form => form,
                };
                let status = node.verdict.map(|verdict| verdict.status);
                if status.map_or(judged == OwnJudgement::Valid, Status::is_accepted) {
                    if node.binds(judged) {
                        line.put(index);
                    }
                    if let Some(info) = info {
                        written.add(info);
                    }
                }
                found.push((index, judged));
            }
        }
        for (index, judged) in found {
            self.graph.node_mut(index).judged = judged;
        }
    }

    /// Makes the state again. Returns whether a change of the content turned out illegal.
    pub(super) fn fold_and_judge(&mut self) -> bool {
        let mut content_void = false;
        let state = fold(&self.entries());
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
                    case::Outcome::Illegal => OwnJudgement::Void(broken_rule(item.why)),
                    // A verdict judges an envelope in its own past alone, so an unknown event beside it
                    // changes nothing.
                    case::Outcome::Unjudged if item.why.is_some() => OwnJudgement::Newer,
                    _ => OwnJudgement::Valid,
                },
                None => OwnJudgement::Valid,
            };
            content_void |= judged != node.judged && node.change().is_some();
            self.graph.node_mut(index).judged = judged;
        }
        self.state = state.filter(|_| self.genesis_counts());
        content_void
    }

    /// Accepted envelopes that could not be accepted beside the others: the changes that the content cannot
    /// hold, or else the first envelope that is not legal in its own past. Pasts that meet after a restore
    /// may hold them. Further ones may show once these are void.
    #[must_use]
    pub fn untenable(&self) -> Vec<(EnvelopeId, VoidReason)> {
        let clashing = self.clashing();
        if clashing.is_empty() {
            self.first_illegal().into_iter().collect()
        } else {
            clashing
        }
    }

    fn first_illegal(&self) -> Option<(EnvelopeId, VoidReason)> {
        let nodes = self.graph.nodes().iter();
        let mut accepted = nodes.filter(|node| {
            let status = node.verdict.map(|verdict| verdict.status);
            status.is_some_and(Status::is_accepted)
        });
        accepted.find_map(|node| match node.judged {
            OwnJudgement::Void(reason) if is_of_the_fold(reason) => Some((node.id, reason)),
            OwnJudgement::Valid | OwnJudgement::Void(_) | OwnJudgement::Newer => None,
        })
    }

    /// Whether a held envelope would count if a reviewer admitted it now.
    #[must_use]
    pub fn would_count(&self, id: EnvelopeId) -> bool {
        self.first_that_would_count(&[id]).is_some()
    }

    /// The first of these held envelopes that would count if a reviewer admitted it now, because it is well
    /// formed and legal in the state that its author had seen.
    #[must_use]
    pub fn first_that_would_count(&self, ids: &[EnvelopeId]) -> Option<EnvelopeId> {
        let valid = |id: &EnvelopeId| {
            let index = self.graph.find(*id)?;
            (self.graph.nodes()[index].judged == OwnJudgement::Valid).then_some(index)
        };
        let valid: Vec<usize> = ids.iter().filter_map(valid).collect();
        if valid.is_empty() {
            return None;
        }
        let entries = self.entries();
        let mut legal = valid.into_iter().map(|index| &entries[index]);
        legal
            .find(|entry| case::judge(&entries, entry).is_ok())
            .map(|entry| entry.id)
    }

    /// Whether this version cannot judge an envelope that is held. The present line of its author does not
    /// matter: it binds nobody who is let in.
    #[must_use]
    pub fn needs_newer(&self, id: EnvelopeId) -> bool {
        let newer = [Refusal::Newer, Refusal::Denied(Denied::Newer)];
        match self.node(id).map(Node::form) {
            Some(OwnJudgement::Newer) => true,
            Some(OwnJudgement::Valid) => {
                let alone = self.judged_alone(id);
                alone.is_some_and(|judged| judged.is_err_and(|why| newer.contains(&why)))
            }
            Some(OwnJudgement::Void(_)) | None => false,
        }
    }

    /// The judgement of the fold on an envelope in its own past, whatever its verdict.
    fn judged_alone(&self, id: EnvelopeId) -> Option<Result<(), Refusal>> {
        let index = self.graph.find(id)?;
        let entries = self.entries();
        Some(case::judge(&entries, &entries[index]))
    }

    fn entries(&self) -> Vec<Entry> {
        let count = self.graph.nodes().len();
        (0..count).map(|index| self.entry(index)).collect()
    }

    fn genesis_counts(&self) -> bool {
        self.graph.nodes().first().is_some_and(Node::counts)
    }

    fn entry(&self, index: usize) -> Entry {
        let node = &self.graph.nodes()[index];
        let effective = match node.verdict.map(|verdict| verdict.status) {
            Some(status) => status.is_accepted(),
            None => !node.waits && (node.judged == OwnJudgement::Newer || node.fold_decides()),
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
    fn is_settled(&self) -> bool {
        self.verdict
            .is_some_and(|verdict| verdict.status.is_settled())
    }

    /// Whether later envelopes of its author must have seen it. The author builds on it unless it is held,
    /// void or refused. An admitted one was held, and its author may have written on meanwhile.
    fn binds(&self, judged: OwnJudgement) -> bool {
        match self.verdict.map(|verdict| verdict.status) {
            None => judged == OwnJudgement::Valid,
            Some(status) => status == Status::Accepted,
        }
    }

    /// The judgement of its form, which needs no other envelope.
    fn form(&self) -> OwnJudgement {
        if matches!(self.body, NodeBody::Unknown) {
            OwnJudgement::Newer
        } else if matches!(self.body, NodeBody::Malformed) {
            OwnJudgement::Void(VoidReason::Malformed)
        } else if self.depth as usize >= RECORD_ENTRIES_MAX {
            OwnJudgement::Void(VoidReason::Limit)
        } else if self.verdict.is_none() && self.certificate.is_none() {
            // An envelope of an unnamed author needs a verdict of the server.
            OwnJudgement::Void(VoidReason::NotPermitted)
        } else if let Some(change) = self.change().filter(|change| change.info.is_none()) {
            OwnJudgement::Void(change.broken.unwrap_or(VoidReason::BadContent))
        } else {
            OwnJudgement::Valid
        }
    }

    /// Whether the fold alone judges it; then each fold judges it anew.
    fn fold_decides(&self) -> bool {
        match self.judged {
            OwnJudgement::Valid => true,
            OwnJudgement::Void(reason) => is_of_the_fold(reason),
            OwnJudgement::Newer => false,
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

/// Whether the reason is a rule of the fold.
fn is_of_the_fold(reason: VoidReason) -> bool {
    let code = reason.code();
    code.starts_with("may.") || code.starts_with("case.")
}

/// The reason of the rule that the fold names.
fn broken_rule(why: Option<&'static str>) -> VoidReason {
    why.and_then(VoidReason::of_code)
        .unwrap_or(VoidReason::NotPermitted)
}
