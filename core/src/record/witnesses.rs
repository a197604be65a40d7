//! Who only gave evidence: what those learn who are dispatched to a case, and what not.

use std::collections::HashSet;

use super::Record;
use super::graph::{Node, NodeBody};
use crate::domain::Role;
use crate::domain::case::Event;
use crate::domain::may::opens_for_reporter;
use crate::id::{DeviceId, Hash};

impl Record {
    /// Certificates whose owners wrote evidence and made no decision: who is dispatched does not learn who
    /// they are. The look of the office is no evidence: it moves the reporter's ladder, and every phone must be
    /// able to tell whose it is. Nor are the words of the party that is dispatched, who know each other; but
    /// who reported it stays out, also when it is one of them.
    #[must_use]
    pub fn witnesses(&self) -> HashSet<Hash> {
        let reporter = self.state().map(|state| state.reporter_device);
        let mut witnesses = HashSet::new();
        let mut deciders = HashSet::new();
        for node in self.nodes() {
            let evidence = match &node.body {
                NodeBody::Event { event, .. } => match **event {
                    Event::Comment(_) | Event::DangerRemains(_) => true,
                    Event::Seen(_) => !looks_for_the_office(node, reporter),
                    _ => false,
                },
                NodeBody::Genesis { .. } | NodeBody::Change(_) => true,
                _ => false,
            };
            let genesis = matches!(node.body, NodeBody::Genesis { .. });
            if evidence && !genesis && self.is_by_party(node) {
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
    Some(node.author) != reporter && node.role().is_some_and(opens_for_reporter)
}
