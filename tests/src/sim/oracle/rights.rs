//! Invariant 5 and the rule of danger, in words of their own: who may do a thing at all, that nobody judges
//! one's own work, that what a revoked phone says late waits, and that no ending outweighs a danger unseen.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::Role;
use onegrid_core::domain::case::{Move, Outcome};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::record::{Node, NodeBody, Record};
use onegrid_core::wire::verdict::Status;

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
    }
    Ok(())
}

/// Whether an effective event is one that its role may make at all, and no judgement of one's own work.
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

/// The page of the domain, once more: which roles may make a move in some record at all.
fn role_may(role: Role, movement: Move) -> bool {
    use Role as R;
    let leads = matches!(
        role,
        R::StationHead | R::VillageLead | R::Dispatcher | R::DistrictLead
    );
    match movement {
        Move::Comment | Move::DangerRemains | Move::Seen => role != R::System,
        Move::Triage | Move::Dispatch => leads || matches!(role, R::TeamLead | R::System),
        Move::Withdraw
        | Move::Transfer
        | Move::Share
        | Move::Merge
        | Move::Unmerge
        | Move::Suspend
        | Move::Resume => leads || role == R::TeamLead,
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
    }
}

fn movement_of(node: &Node) -> Option<Move> {
    match &node.body {
        NodeBody::Event { event, .. } => event.movement(),
        _ => None,
    }
}

/// What came of a revoked phone after its revocation is accepted only by a person.
fn late(world: &World, node: &Node) -> Result<(), String> {
    let Some(known) = world.revoked.get(&node.author) else {
        return Ok(());
    };
    let accepted = node.verdict.map(|verdict| verdict.status) == Some(Status::Accepted);
    let fine = known.contains(&node.id)
        || world.let_in.contains(&node.id)
        || world.had.contains(&node.id)
        || world.receipts.contains_key(&node.id);
    if accepted && !fine {
        return Err(format!("{} of a revoked phone was accepted late", node.id));
    }
    Ok(())
}

/// An ending that holds has every danger in its past, or before every danger in theirs.
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
            if !before(danger.id, ending.id) && !before(ending.id, danger.id) {
                return Err(format!(
                    "{} ends what {} says is dangerous, unseen",
                    ending.id, danger.id
                ));
            }
        }
    }
    Ok(())
}

/// All ancestors of every envelope, by walking the parents.
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
