//! The authors whose names a dispatched unit does not learn: they gave evidence and decided nothing.

use std::collections::HashSet;

use super::Record;
use super::graph::{Node, NodeBody};
use crate::domain::Role;
use crate::domain::case::{Event, GenesisFacts};
use crate::domain::permissions::Row;
use crate::id::{DeviceId, Hash};

impl Record {
    /// Certificates of authors who made no decision that counts. A dispatched unit does not learn who they
    /// are. A void, held or refused decision counts as none, so it reveals no reporter. The look of the
    /// office is a decision, because it moves the reporter's ladder and every phone must be able to tell
    /// whose it is. Members of the dispatched unit know each other, so their words make none of them a
    /// witness. The reporter stays hidden under every certificate, even a reporter who is one of them.
    ///
    /// A record that an office makes, such as a joint call, has none: its parties know who called them. A dispute
    /// has them, because a neighbour may have registered it.
    #[must_use]
    pub fn witnesses(&self) -> HashSet<Hash> {
        let is_of_an_office = |facts: &GenesisFacts| {
            let report = facts.kind.spec().map(|spec| spec.report);
            matches!(report, Some(Row::RequestCall | Row::Publish | Row::Roster))
        };
        if self.genesis().is_some_and(is_of_an_office) {
            return HashSet::new();
        }
        let reporter = self.state().map(|state| state.reporter_device);
        let mut witnesses = HashSet::new();
        let mut deciders = HashSet::new();
        for node in self.nodes() {
            let evidence = !node.counts()
                || match &node.body {
                    NodeBody::Event { event, .. } => match **event {
                        Event::Comment(_)
                        | Event::Attach(_)
                        | Event::DangerRemains(_)
                        | Event::Unknown { .. } => true,
                        Event::Seen(_) => !looks_for_the_office(node, reporter),
                        _ => false,
                    },
                    NodeBody::Genesis { .. }
                    | NodeBody::Change(_)
                    | NodeBody::Unknown
                    | NodeBody::Malformed => true,
                };
            let genesis = matches!(node.body, NodeBody::Genesis { .. });
            let by_reporter = Some(node.author) == reporter;
            if evidence && !genesis && !by_reporter && self.is_by_party(node) {
                continue;
            }
            let system = node.role() == Some(Role::System);
            if evidence && !system {
                witnesses.insert(node.certificate_hash);
            } else {
                deciders.insert(node.certificate_hash);
            }
        }
        witnesses.retain(|certificate| !deciders.contains(certificate));
        witnesses
    }
}

impl Record {
    fn is_by_party(&self, node: &Node) -> bool {
        let facts = node.certificate.as_ref().map(|known| known.facts());
        self.state().zip(facts).is_some_and(|(state, facts)| {
            let units = facts.grants.iter().filter_map(|grant| grant.scope.unit());
            state.is_party(facts.member, &units.collect::<Vec<_>>())
        })
    }
}

fn looks_for_the_office(node: &Node, reporter: Option<DeviceId>) -> bool {
    Some(node.author) != reporter && node.role().is_some_and(Role::opens_for_reporter)
}
