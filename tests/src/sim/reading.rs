//! Invariant 5 for two phones that meet: only the reporter of a tip, its handlers and the command room may
//! learn of the tip.

use std::collections::BTreeSet;

use onegrid_core::domain::case::RecordState;
use onegrid_core::domain::{Audience, Role};
use onegrid_core::id::{MemberId, RecordId, UnitId};

use super::act::broken;
use super::world::World;

/// Whether a record is for others than this member: a tip of another person, with no part in it for
/// the member or for one of these units.
#[must_use]
pub fn is_secret_to(state: &RecordState, member: Option<MemberId>, units: &[UnitId]) -> bool {
    let secret = state.facts.audience == Audience::Restricted;
    let own = member.is_some() && state.reporter == member
        || member.is_some_and(|member| state.facts.named.contains(&member));
    secret && !own && !state.is_party(member, units)
}

impl World {
    /// Returns the records of a phone as a set.
    pub fn shown_to(&mut self, who: usize) -> Result<BTreeSet<RecordId>, String> {
        Ok(self.records_of(who)?.into_iter().collect())
    }

    /// Checks that a meeting brought this phone only records that its owner may read.
    pub fn learned_nothing_secret(
        &mut self,
        who: usize,
        before: &BTreeSet<RecordId>,
    ) -> Result<(), String> {
        let phone = &mut self.people[who].phone;
        let name = phone.name.clone();
        let facts = phone.replica().certificate().map(|own| own.facts().clone());
        let facts = facts.ok_or("a phone that is not enrolled")?;
        if facts.grants.iter().any(|g| g.role == Role::Dispatcher) {
            return Ok(());
        }
        let units: Vec<_> = facts.grants.iter().filter_map(|g| g.scope.unit()).collect();
        for id in self.shown_to(who)?.difference(before) {
            let loaded = self.people[who].phone.replica().load(*id);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            let Some(state) = loaded.as_ref().and_then(|loaded| loaded.state()) else {
                continue;
            };
            if is_secret_to(state, facts.member, &units) {
                return Err(format!("{name} learns of {id}, which is not for its owner"));
            }
        }
        Ok(())
    }
}
