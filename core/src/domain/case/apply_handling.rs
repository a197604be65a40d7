//! Changes handling by one effective event, for cases and for records with steps alike.

use super::payload::{self, Partner};
use super::{
    Assignment, AssignmentState, Deadlines, Event, Extension, Handling, Move, OnBehalfOf, Part,
    Party,
};
use crate::id::EnvelopeId;

impl Handling {
    /// Applies an event at its effective time. An event that is not about parties, areas or deadlines changes
    /// nothing.
    pub(super) fn apply(
        &mut self,
        id: EnvelopeId,
        event: &Event,
        behalf: Option<&OnBehalfOf>,
        now_ms: i64,
    ) {
        match event {
            Event::Dispatch(d) => {
                self.assign(id, d.to, d.part, d.deadlines, now_ms);
            }
            Event::AssignFinally(a) => {
                self.assign(id, a.to, Part::Lead, a.deadlines, now_ms)
                    .is_final = true;
            }
            Event::Share(share) => match share.with {
                Partner::Party(party) => {
                    self.assign(id, party, Part::Support, share.deadlines, now_ms);
                }
                Partner::Area(area) => self.support_areas.push(area),
            },
            Event::Transfer(transfer) => {
                self.lead_area = transfer.to;
                self.support_areas.retain(|area| *area != transfer.to);
            }
            Event::RequestExtension(request) => self.extensions.push(Extension {
                request: id,
                assignment: request.assignment,
                until_ms: request.until_ms,
                granted_ms: None,
            }),
            Event::GrantExtension(grant) => self.extend(grant),
            // Two people who raised the same level raised it once. The widest level counts.
            Event::Escalate(escalate) => self.level = self.level.min(escalate.to),
            Event::Urge(_) => self.urged = self.urged.saturating_add(1),
            Event::Supervise(_) => self.supervised = true,
            _ => self.work(event, behalf, now_ms),
        }
    }

    fn assign(
        &mut self,
        id: EnvelopeId,
        to: Party,
        part: Part,
        deadlines: Deadlines,
        now_ms: i64,
    ) -> &mut Assignment {
        self.assignments.push(Assignment {
            id,
            to,
            part,
            state: AssignmentState::Dispatched,
            is_final: false,
            deadlines,
            dispatched_ms: now_ms,
            accepted_ms: None,
            arrived_ms: None,
            resolved_ms: None,
            ended_ms: None,
            on_behalf: None,
        });
        self.assignments.last_mut().expect("one was pushed above")
    }

    fn extend(&mut self, grant: &payload::GrantExtension) {
        let request = self
            .extensions
            .iter_mut()
            .find(|known| known.request == grant.request);
        let Some(request) = request else {
            return;
        };
        request.granted_ms = Some(grant.until_ms);
        let id = request.assignment;
        if let Some(assignment) = self.assignments.iter_mut().find(|known| known.id == id) {
            assignment.deadlines.resolve_by_ms = Some(grant.until_ms);
        }
    }

    /// One step of an assignment.
    fn work(&mut self, event: &Event, behalf: Option<&OnBehalfOf>, now_ms: i64) {
        let (Some(id), Some(movement)) = (event.assignment(), event.movement()) else {
            return;
        };
        let Some(assignment) = self.assignments.iter_mut().find(|known| known.id == id) else {
            return;
        };
        if let Some(behalf) = behalf {
            assignment.on_behalf = Some(behalf.clone());
        }
        match movement {
            Move::Accept => {
                assignment.state = AssignmentState::Accepted;
                assignment.accepted_ms = Some(now_ms);
            }
            Move::Arrive => {
                assignment.state = AssignmentState::OnSite;
                assignment.arrived_ms = Some(now_ms);
            }
            Move::Resolve => {
                assignment.state = AssignmentState::Resolved;
                assignment.resolved_ms = Some(now_ms);
            }
            Move::Return => {
                assignment.state = AssignmentState::Returned;
                assignment.ended_ms = Some(now_ms);
                if assignment.part == Part::Lead {
                    self.returns = self.returns.saturating_add(1);
                }
            }
            Move::Withdraw => {
                assignment.state = AssignmentState::Withdrawn;
                assignment.ended_ms = Some(now_ms);
            }
            _ => {}
        }
    }
}
