//! A reporter stays unknown to a dispatched unit: it sees the names of those who decided, and no others.

use std::collections::BTreeMap;

use onegrid_core::domain::Role;
use onegrid_core::domain::case::Event;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::record::{Node, NodeBody, Record};

use super::super::act::broken;
use super::super::world::World;

/// The certificates of reporters that a phone shows, each with a place where it shows them.
pub type Names = BTreeMap<Hash, (RecordId, EnvelopeId)>;

/// The giver of news to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The server, which knows everybody.
    Server,
    /// Another phone.
    Phone(usize),
}

impl World {
    /// Returns the reporters that a phone of a dispatched unit shows, of cases that its unit is responsible for
    /// and that are neither its own nor its team's; `None` for any other phone.
    pub fn names_shown(&mut self, who: usize) -> Result<Option<Names>, String> {
        let own = self.people[who].phone.replica().certificate().cloned();
        let Some(own) = own else { return Ok(None) };
        let is_handler = |role: Role| role == Role::Handler || matches!(role, Role::Unknown(_));
        if !own.facts().grants.iter().all(|g| is_handler(g.role)) {
            return Ok(None);
        }
        let mut names = Names::new();
        for id in self.records_of(who)? {
            let loaded = self.people[who].phone.replica().load(id);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            let Some(loaded) = loaded else { continue };
            let (Some(genesis), Some(state)) = (loaded.nodes().first(), loaded.state()) else {
                continue;
            };
            let grants = own.facts().grants.iter();
            let units: Vec<_> = grants.filter_map(|grant| grant.scope.unit()).collect();
            let own_report = genesis.author == own.facts().device;
            let of_team = state.facts.team.is_some_and(|team| units.contains(&team));
            if own_report || of_team || !state.is_party(own.facts().member, &units) {
                continue;
            }
            for node in loaded.nodes() {
                if node.author == genesis.author && node.certificate.is_some() {
                    names.entry(node.certificate_hash).or_insert((id, node.id));
                }
            }
        }
        Ok(Some(names))
    }

    /// Checks that the names which came to the phone are names that it may know.
    pub fn learned_no_name(
        &mut self,
        who: usize,
        before: Option<Names>,
        source: Source,
    ) -> Result<(), String> {
        let (Some(before), Some(after)) = (before, self.names_shown(who)?) else {
            return Ok(());
        };
        let own = self.people[who].phone.replica().certificate().cloned();
        let own = own.and_then(|own| own.facts().member);
        for (name, (id, envelope)) in after {
            if before.contains_key(&name) {
                continue;
            }
            let loaded = self.people[who].phone.replica().load(id);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            let open = loaded
                .as_ref()
                .is_some_and(|record| is_open(record, name, own));
            if !open
                && !self.is_known(who, name, id)?
                && !self.is_open_elsewhere(name, id, source)?
            {
                let phone = &self.people[who].phone.name;
                return Err(format!("{phone} learns who wrote {envelope} in {id}"));
            }
        }
        Ok(())
    }

    /// Whether the person knows the certificate from a meeting, from a record of its own, or from a decision in another
    /// record. A phone recognises it then in every record.
    fn is_known(&mut self, who: usize, name: Hash, but: RecordId) -> Result<bool, String> {
        if self.acquainted.contains(&(who, name)) {
            return Ok(true);
        }
        for id in self.records_of(who)? {
            let replica = self.people[who].phone.replica();
            let loaded = replica.load(id).map_err(|error| broken("load", &error))?;
            let own = replica.certificate().map(|own| own.facts().device);
            let Some(loaded) = loaded.filter(|_| id != but) else {
                continue;
            };
            let mut nodes = loaded.nodes().iter();
            let is_own = nodes.next().map(|genesis| genesis.author) == own;
            let edits_own = is_own && nodes.any(|node| node.certificate_hash == name);
            if edits_own || is_open(&loaded, name, None) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the source could show this name, because of what only the source has.
    fn is_open_elsewhere(
        &mut self,
        name: Hash,
        id: RecordId,
        source: Source,
    ) -> Result<bool, String> {
        match source {
            Source::Phone(giver) => {
                let replica = self.people[giver].phone.replica();
                let itself = replica.certificate().map(|own| own.hash()) == Some(name);
                let loaded = replica.load(id);
                let loaded = loaded.map_err(|error| broken("load", &error))?;
                Ok(itself || loaded.is_some_and(|record| is_open(&record, name, None)))
            }
            Source::Server => {
                let truth = self.truth()?;
                Ok(truth.values().any(|record| is_open(record, name, None)))
            }
        }
    }
}

/// Whether the name belongs to the reader, to a present or former party of the case, or to a person whose decision
/// counts.
fn is_open(record: &Record, name: Hash, reader: Option<onegrid_core::id::MemberId>) -> bool {
    let mut nodes = record.nodes().iter();
    nodes.any(|node| {
        if node.certificate_hash != name {
            return false;
        }
        let facts = node.certificate.as_ref().map(|known| known.facts());
        let member = facts.and_then(|facts| facts.member);
        let units: Vec<_> = facts
            .map(|facts| facts.grants.iter().filter_map(|g| g.scope.unit()).collect())
            .unwrap_or_default();
        let party = record.state().is_some_and(|state| {
            let mut assigned = state.assignments().iter();
            assigned.any(|one| one.to.is(member, &units))
        });
        let reader = member.is_some() && member == reader;
        let genesis = matches!(node.body, NodeBody::Genesis { .. });
        reader || node.role() == Some(Role::System) || decides(node) || party && !genesis
    })
}

/// Whether an envelope counts and is more than evidence.
fn decides(node: &Node) -> bool {
    let NodeBody::Event { event, .. } = &node.body else {
        return false;
    };
    let evidence = matches!(
        **event,
        Event::Comment(_) | Event::Attach(_) | Event::DangerRemains(_) | Event::Unknown { .. }
    );
    node.counts() && !evidence
}
