//! The authors whose names a dispatched unit does not learn: they gave evidence and decided nothing.

use std::collections::HashSet;

use super::Record;
use super::graph::{Node, NodeBody};
use crate::domain::Role;
use crate::domain::case::Event;
use crate::id::{DeviceId, Hash};

impl Record {
    /// Certificates of authors who made no decision that counts. A dispatched unit does not learn who they
    /// are. A void, held or refused decision counts as none, so it reveals no reporter. The look of the
    /// office is a decision, because it moves the reporter's ladder and every phone must be able to tell
    /// whose it is. Members of the dispatched unit know each other, so their words make none of them a
    /// witness. The reporter stays hidden under every certificate, even a reporter who is one of them.
    ///
    /// Only a case has witnesses. The parties of a record with steps know who called or assigned them.
    #[must_use]
    pub fn witnesses(&self) -> HashSet<Hash> {
        if self
            .genesis()
            .is_some_and(|facts| facts.kind.steps().is_some())
        {
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
