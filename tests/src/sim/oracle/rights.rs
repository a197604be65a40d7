//! Invariant 5 and the rule of danger, in the oracle's own words: the rights of roles, the ban on judging
//! one's own work, the review of late uploads of a revoked phone, and the rule that no ending outweighs an
//! unseen danger.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::Role;
use onegrid_core::domain::case::{Event, Move, Outcome, RecordState, Stage};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::record::{Node, NodeBody, Record};
use onegrid_core::wire::verdict::{HeldReason, Status};

use super::super::world::World;

pub(super) fn judge(world: &World, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
    for record in truth.values() {
        for node in record.nodes() {
            rightful(record, node)?;
            if world.forged.contains(&node.id) && node.counts() {
                return Err(format!("the server counts the forged {}", node.id));
            }
            late(world, node)?;
        }
        danger(record)?;
        held_danger(record)?;
        merger(record, truth)?;
    }
    Ok(())
}

/// Checks that the role of an effective event may make its move, and that the event does not judge its
/// author's own work.
fn rightful(record: &Record, node: &Node) -> Result<(), String> {
    let Some(state) = record.state() else {
        return Ok(());
    };
    let outcome = state.outcome(node.id);
    if node.counts() && outcome.is_some_and(|item| item.outcome == Outcome::Illegal) {
        return Err(format!("{} counts and is not legal", node.id));
    }
    let effective = outcome.is_some_and(|item| item.outcome == Outcome::Effective);
    let (NodeBody::Event { event, .. }, true) = (&node.body, effective) else {
        return Ok(());
    };
    let (Some(movement), Some(role)) = (event.movement(), node.role()) else {
        return Ok(());
    };
    if !role_may(role, movement) {
        return Err(format!("{}: {role} did {movement:?}", node.id));
    }
    if !matches!(movement, Move::VerifyPass | Move::Close) {
        return Ok(());
    }
    let member = node.certificate.as_ref().and_then(|c| c.facts().member);
    let worked = record.nodes().iter().any(|other| {
        let same = other.certificate.as_ref().and_then(|c| c.facts().member) == member;
        let work = matches!(
            movement_of(other),
            Some(Move::Accept | Move::Arrive | Move::Resolve | Move::HandledOnSpot)
        );
        let done = state
            .outcome(other.id)
            .is_some_and(|item| item.outcome == Outcome::Effective);
        same && work && done && !record.is_ancestor(node.id, other.id)
    });
    if worked && member.is_some() {
        return Err(format!("{} judges the author's own work", node.id));
    }
    Ok(())
}

/// Whether a role may make a move in some record at all. This table repeats the page of the domain.
fn role_may(role: Role, movement: Move) -> bool {
    use Role as R;
    let leads = matches!(
        role,
        R::StationHead | R::VillageLead | R::Dispatcher | R::DistrictLead
    );
    match movement {
        Move::Comment | Move::Seen => role != R::System,
        // The server says so for a danger that awaits review.
        Move::DangerRemains => true,
        Move::Triage | Move::Dispatch => leads || matches!(role, R::TeamLead | R::System),
        Move::Withdraw
        | Move::Transfer
        | Move::Share
        | Move::Merge
        | Move::Suspend
        | Move::Resume => leads || role == R::TeamLead,
        Move::Unmerge => leads || matches!(role, R::TeamLead | R::System),
        Move::Dismiss | Move::HandToPolice | Move::GrantExtension => leads,
        Move::AssignFinally => role == R::DistrictLead,
        Move::Accept | Move::Arrive | Move::Resolve | Move::Return | Move::RequestExtension => {
            !matches!(role, R::Supervisor | R::System)
        }
        Move::Escalate => !matches!(role, R::Volunteer | R::Guard),
        Move::VerifyPass | Move::VerifyFail | Move::Close | Move::FollowUp => {
            leads || matches!(role, R::GridWorker | R::CommunityOfficer)
        }
        Move::Reopen => {
            leads || matches!(role, R::GridWorker | R::CommunityOfficer | R::Supervisor)
        }
        Move::HandledOnSpot => !matches!(
            role,
            R::Mediator | R::Dispatcher | R::Supervisor | R::DistrictLead | R::System
        ),
        Move::Urge | Move::Supervise => leads || role == R::Supervisor,
        Move::Step => !matches!(
            role,
            R::Guard | R::Dispatcher | R::Supervisor | R::DistrictLead | R::System
        ),
    }
}

fn movement_of(node: &Node) -> Option<Move> {
    match &node.body {
        NodeBody::Event { event, .. } => event.movement(),
        _ => None,
    }
}

/// Checks that late uploads of a revoked phone are accepted only by a person.
fn late(world: &World, node: &Node) -> Result<(), String> {
    let Some(known) = world.revoked.get(&node.author) else {
        return Ok(());
    };
    let accepted = node
        .verdict
        .is_some_and(|verdict| verdict.status.is_accepted());
    let fine = known.contains(&node.id)
        || world.let_in.contains(&node.id)
        || world.had.contains(&node.id)
        || world.receipts.contains_key(&node.id);
    if accepted && !fine {
        return Err(format!("{} of a revoked phone was accepted late", node.id));
    }
    Ok(())
}

/// Checks that every reader sees a warning whose words await review.
fn held_danger(record: &Record) -> Result<(), String> {
    if !record
        .state()
        .is_some_and(|state| state.facts.kind.is_case())
    {
        return Ok(());
    }
    let event = |node: &Node| match &node.body {
        NodeBody::Event { event, .. } => Some((**event).clone()),
        _ => None,
    };
    let said: Vec<_> = record
        .nodes()
        .iter()
        .filter_map(|node| match event(node)? {
            Event::DangerHeld(held) => Some(record.node(held.danger)?.author),
            _ => None,
        })
        .collect();
    for node in record.nodes() {
        let held = matches!(
            node.verdict.map(|verdict| verdict.status),
            Some(Status::Held(
                HeldReason::Clock | HeldReason::TooMany | HeldReason::ParentHeld
            ))
        );
        let danger = event(node).is_some_and(|event| event.is_danger());
        if held && danger && record.would_count(node.id) && !said.contains(&node.author) {
            return Err(format!("nobody sees that {} warns and waits", node.id));
        }
    }
    Ok(())
}

/// Checks that no case is merged into a dismissed case, and that no two cases are merged into each other.
fn merger(record: &Record, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
    let Some(into) = record.state().and_then(RecordState::merged_into) else {
        return Ok(());
    };
    let Some(other) = truth.get(&into).and_then(Record::state) else {
        return Ok(());
    };
    if other.stage() == Stage::Dismissed || other.merged_into() == Some(record.id()) {
        return Err(format!(
            "{} goes on nowhere: {:?}",
            record.id(),
            other.stage()
        ));
    }
    Ok(())
}

/// Whether the server had accepted the ending more than 30 days before the danger came.
fn came_late(danger: &Node, ending: &Node) -> bool {
    let came_ms = danger
        .verdict
        .map_or(danger.clock_ms, |verdict| verdict.at_ms);
    let month_ms = 30 * 24 * 3_600_000;
    ending
        .verdict
        .is_some_and(|verdict| came_ms - verdict.at_ms > month_ms)
}

/// Checks that each effective ending comes after or before each danger, so that none of them is unseen by
/// the other. A danger that came a month late is exempt.
fn danger(record: &Record) -> Result<(), String> {
    let Some(state) = record.state() else {
        return Ok(());
    };
    let counts = |node: &&Node| node.counts();
    let past = pasts(record);
    let before = |a: EnvelopeId, b: EnvelopeId| past.get(&b).is_some_and(|past| past.contains(&a));
    let is_danger = |node: &&Node| match &node.body {
        NodeBody::Event { event, .. } => match event.movement() {
            Some(Move::DangerRemains | Move::VerifyFail | Move::Reopen) => true,
            Some(Move::Escalate) => node.role() != Some(Role::System),
            _ => false,
        },
        _ => false,
    };
    let dangers: Vec<&Node> = record
        .nodes()
        .iter()
        .filter(counts)
        .filter(is_danger)
        .filter(|node| {
            state
                .outcome(node.id)
                .is_some_and(|item| item.outcome == Outcome::Effective)
        })
        .collect();
    for ending in record.nodes().iter().filter(counts) {
        let ends = matches!(
            movement_of(ending),
            Some(
                Move::Resolve
                    | Move::VerifyPass
                    | Move::Close
                    | Move::FollowUp
                    | Move::HandledOnSpot
                    | Move::Dismiss
                    | Move::HandToPolice
                    | Move::Merge
                    | Move::Suspend
            )
        );
        let holds = state
            .outcome(ending.id)
            .is_some_and(|item| item.outcome == Outcome::Effective);
        if !ends || !holds {
            continue;
        }
        for danger in &dangers {
            let unseen = !before(danger.id, ending.id) && !before(ending.id, danger.id);
            if unseen && !came_late(danger, ending) {
                return Err(format!(
                    "{} ends what {} says is dangerous, unseen",
                    ending.id, danger.id
                ));
            }
        }
    }
    Ok(())
}

/// Returns all ancestors of every envelope by a walk over the parents.
fn pasts(record: &Record) -> BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>> {
    let mut pasts: BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>> = BTreeMap::new();
    for node in record.nodes() {
        let mut past = BTreeSet::new();
        for parent in record.parents_of(node) {
            past.insert(parent);
            past.extend(pasts.get(&parent).into_iter().flatten().copied());
        }
        pasts.insert(node.id, past);
    }
    pasts
}
