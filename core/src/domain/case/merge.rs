//! What branches do to each other when they meet: danger wins, nobody judges what the same person did
//! elsewhere, rivals are shown, evidence beside an ending asks for review.

use super::fold::Judged;
use super::graph::Graph;
use super::state::{Conflict, Review, Side};
use super::{CaseState, EntryBody, Event, Move, Outcome, Part, Refusal};

/// A set of entries that is folded as one, with what matters for meetings.
pub(super) struct Meeting<'g, 'a> {
    graph: &'g Graph<'a>,
    /// Legal danger moves.
    dangers: Vec<usize>,
    /// Legal work, and whatever makes somebody responsible.
    works: Vec<usize>,
    /// Effective decisions so far: they settle what they have seen.
    decisions: Vec<(usize, Move)>,
    /// Effective endings so far.
    endings: Vec<usize>,
    /// Effective triage, dispatch of a lead, and transfer so far.
    rivals: Vec<usize>,
    evidence: Vec<usize>,
    conflicts: Vec<(usize, usize, Conflict)>,
}

impl Move {
    /// Whether nothing is left to be done after it, so that two dispatches are no question any more.
    const fn is_over(self) -> bool {
        matches!(
            self,
            Self::VerifyPass | Self::Close | Self::Dismiss | Self::HandToPolice | Self::Merge
        )
    }

    /// Whether the move is a decision that settles the conflicts that its author had seen.
    pub(super) const fn is_decision(self) -> bool {
        self.is_ending()
            || matches!(
                self,
                Self::Triage
                    | Self::Dispatch
                    | Self::Withdraw
                    | Self::Transfer
                    | Self::VerifyFail
                    | Self::AssignFinally
                    | Self::Reopen
            )
    }
}

impl CaseState {
    /// A decision whose author had seen everything settles every conflict. A double dispatch stays until only
    /// one of the two is responsible, or the case is over.
    pub(super) fn settle(&mut self, movement: Move) {
        if movement.is_decision() {
            let over = movement.is_over();
            self.conflicts
                .retain(|c| !over && matches!(c, Conflict::DoubleDispatch { .. }));
            self.needs_review.clear();
        }
        self.settle_dispatches();
    }

    fn settle_dispatches(&mut self) {
        if self.conflicts.is_empty() {
            return;
        }
        let mut conflicts = std::mem::take(&mut self.conflicts);
        let at_work = |side: &Side| {
            self.assignment(side.id)
                .is_some_and(|a| a.state.is_responsible())
        };
        conflicts.retain(|known| match known {
            Conflict::DoubleDispatch { first, second } => at_work(first) && at_work(second),
            _ => true,
        });
        self.conflicts = conflicts;
    }
}

impl<'g, 'a> Meeting<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, set: &[usize], legal: &[Judged]) -> Self {
        let moves = |at: usize| match (&graph.entries[at].body, &legal[at]) {
            (EntryBody::Event { event, .. }, Judged::Legal) => Some(event),
            _ => None,
        };
        let select = |wanted: &dyn Fn(&Event) -> bool| {
            set.iter()
                .copied()
                .filter(|at| moves(*at).is_some_and(wanted))
                .collect()
        };
        Self {
            graph,
            dangers: select(&Event::is_danger),
            works: select(&|event| {
                event.movement().is_some_and(Move::is_work) || event.assignee().is_some()
            }),
            decisions: Vec::new(),
            endings: Vec::new(),
            rivals: Vec::new(),
            evidence: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    fn event(&self, at: usize) -> Option<&'a Event> {
        match &self.graph.entries[at].body {
            EntryBody::Event { event, .. } => Some(event),
            _ => None,
        }
    }

    fn side(&self, at: usize) -> Side {
        let entry = self.graph.entries[at];
        let movement = self
            .event(at)
            .and_then(Event::movement)
            .unwrap_or(Move::Comment);
        Side {
            id: entry.id,
            movement,
            by: entry.author.member,
        }
    }

    /// Whether a legal event is overtaken by something that its author had not seen.
    pub(super) fn overtaken(&mut self, at: usize, movement: Move) -> Result<(), Refusal> {
        let mut found = Ok(());
        if movement.is_ending() {
            for danger in self.dangers.clone() {
                if self.graph.concurrent(at, danger) {
                    let (ending, by) = (self.side(at), self.side(danger));
                    let conflict = Conflict::DangerOverEnding { ending, danger: by };
                    self.conflicts.push((at, danger, conflict));
                    found = Err(Refusal::DangerUnseen);
                }
            }
        }
        // A judgement that says “not done” stands whoever makes it: danger wins.
        if found.is_ok() && movement.is_judgement() && !movement.may_be_danger() {
            for work in self.works.clone() {
                if self.graph.concurrent(at, work) && self.same_person(at, work) {
                    let (judgement, work_side) = (self.side(at), self.side(work));
                    let conflict = Conflict::OwnWork {
                        judgement,
                        work: work_side,
                    };
                    self.conflicts.push((at, work, conflict));
                    found = Err(Refusal::OwnWorkElsewhere);
                }
            }
        }
        found
    }

    fn same_person(&self, judge: usize, work: usize) -> bool {
        let judge = &self.graph.entries[judge].author;
        let Some(event) = self.event(work) else {
            return false;
        };
        let assigned = event
            .assignee()
            .is_some_and(|to| to.is(judge.member, &judge.units));
        let worked = event.movement().is_some_and(Move::is_work)
            && judge.member.is_some()
            && judge.member == self.graph.entries[work].author.member;
        assigned || worked
    }

    /// Notes an effective event.
    pub(super) fn effective(&mut self, at: usize, event: &'a Event, movement: Move) {
        if movement == Move::Comment {
            self.evidence.push(at);
        }
        if movement.is_decision() {
            self.decisions.push((at, movement));
        }
        if movement.is_ending() {
            self.endings.push(at);
        }
        let lead = match event {
            Event::Dispatch(dispatch) => dispatch.part == Part::Lead,
            Event::AssignFinally(_) => true,
            _ => false,
        };
        if !lead && !matches!(movement, Move::Triage | Move::Transfer) {
            return;
        }
        for other in self.rivals.clone() {
            if self.graph.concurrent(at, other) {
                self.meet_rival(at, other, lead);
            }
        }
        self.rivals.push(at);
    }

    fn meet_rival(&mut self, at: usize, other: usize, lead: bool) {
        let (Some(mine), Some(theirs)) = (self.event(at), self.event(other)) else {
            return;
        };
        let (now, before) = (self.side(at), self.side(other));
        let other_leads = theirs.assignee().is_some();
        let conflict = match (mine, theirs) {
            (Event::Triage(a), Event::Triage(b)) if differ(a, b) => Conflict::Rival {
                in_force: now,
                other: before,
            },
            (Event::Transfer(a), Event::Transfer(b)) if a.to != b.to => Conflict::Rival {
                in_force: now,
                other: before,
            },
            _ if lead && other_leads => Conflict::DoubleDispatch {
                first: before,
                second: now,
            },
            _ => return,
        };
        self.conflicts.push((at, other, conflict));
    }

    /// Notes effective content.
    pub(super) fn content(&mut self, at: usize) {
        self.evidence.push(at);
    }

    /// Puts into the state what is still to be settled when all have met.
    pub(super) fn finish(&self, state: &mut CaseState) {
        // The two sides themselves have not seen each other, so neither settles anything.
        let sees_both =
            |d: usize, a: usize, b: usize| self.graph.has_seen(d, a) && self.graph.has_seen(d, b);
        let settled = |a: usize, b: usize| self.decisions.iter().any(|d| sees_both(d.0, a, b));
        let over = |a: usize, b: usize| {
            self.decisions
                .iter()
                .any(|d| d.1.is_over() && sees_both(d.0, a, b))
        };
        state.conflicts = self
            .conflicts
            .iter()
            .filter(|(a, b, conflict)| match conflict {
                Conflict::DoubleDispatch { .. } => !over(*a, *b),
                _ => !settled(*a, *b),
            })
            .map(|(_, _, conflict)| *conflict)
            .collect();
        state.conflicts.sort_unstable();
        state.settle_dispatches();
        state.needs_review.clear();
        for ending in &self.endings {
            for evidence in &self.evidence {
                if self.graph.concurrent(*ending, *evidence) && !settled(*ending, *evidence) {
                    state.needs_review.push(Review {
                        evidence: self.graph.entries[*evidence].id,
                        ending: self.graph.entries[*ending].id,
                    });
                }
            }
        }
        state.needs_review.sort_unstable();
        debug_assert!(
            state
                .timeline
                .iter()
                .all(|item| item.outcome != Outcome::Ignored || item.why.is_none()),
            "the reason of what is ignored is in its verdict"
        );
    }
}

fn differ(a: &super::payload::Triage, b: &super::payload::Triage) -> bool {
    (&a.category, a.severity, a.grid) != (&b.category, b.severity, b.grid)
}
