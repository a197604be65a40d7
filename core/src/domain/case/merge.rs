//! Rules for branches that meet. Danger wins. Work wins over an ending that would stop it. A judgement
//! by a person who had worked on the case elsewhere does not hold. Rivals are shown. Evidence beside an
//! ending asks for review, and so does a danger that arrived long after the ending.

use std::collections::BTreeSet;

use super::graph::Graph;
use super::merge_steps::{Standing, StepMerge};
use super::refusal::Legality;
use super::state::{Conflict, Review, Side};
use super::table::{Next, next};
use super::{EntryBody, Event, Move, Outcome, Part, RecordState, Refusal, Stage};

/// A decision is shown in conflict with at most this many rivals, the newest ones.
const RIVALS_MET_MAX: usize = 32;

/// A set of entries that is folded together, with the facts that matter where branches meet.
pub(super) struct Meeting<'g, 'a> {
    graph: &'g Graph<'a>,
    /// The record is a case. The endings and dangers of a case do not concern records with steps.
    is_case: bool,
    /// Legal danger moves.
    dangers: Vec<usize>,
    /// Legal work, and the events that make a party responsible.
    works: Vec<usize>,
    /// Effective decisions so far. A decision settles the conflicts that its author had seen.
    decisions: Vec<(usize, Decision)>,
    /// Effective endings of a case so far.
    endings: Vec<usize>,
    /// Effective triage, dispatch of a lead, and transfer so far.
    rivals: Vec<usize>,
    evidence: Vec<usize>,
    /// Endings that a danger overtook.
    overtaken: Vec<usize>,
    /// Endings that would have made the work of another branch impossible.
    premature: Vec<usize>,
    /// Judgements by a person who had done the work in another branch.
    partial: Vec<usize>,
    /// Rivals that met, the later one first.
    meetings: Vec<(usize, usize, Conflict)>,
    /// The steps of the kind's own table.
    steps: StepMerge,
}

/// An effective entry that settles the conflicts that its author had seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Work may follow, so a double dispatch stays a conflict.
    Open,
    /// The record needs no more work.
    Over,
}

impl Move {
    /// Whether the move leaves no more work, so that a double dispatch is no longer a conflict.
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

/// The stage of an ending that takes a case out of work.
fn out_of_work(ending: Move) -> Option<Stage> {
    match ending {
        Move::Dismiss => Some(Stage::Dismissed),
        Move::HandToPolice => Some(Stage::HandedToPolice),
        Move::Merge => Some(Stage::Merged),
        Move::Suspend => Some(Stage::Suspended),
        _ => None,
    }
}

impl RecordState {
    /// Whether an event is a decision: a move that is one, or a step that ends the record.
    pub(super) fn decision(&self, event: &Event, movement: Move) -> Option<Decision> {
        if let (Some(steps), Event::Step(made)) = (self.steps(), event) {
            let step = steps.table.step(made.step)?;
            return step.to.is_ended.then_some(Decision::Over);
        }
        let decides = if movement.is_over() {
            Decision::Over
        } else {
            Decision::Open
        };
        movement.is_decision().then_some(decides)
    }

    /// Settles every conflict after a decision whose author had seen everything. A double dispatch stays
    /// until only one of the two parties is responsible, or the record is over.
    pub(super) fn settle(&mut self, decision: Option<Decision>) {
        if let Some(decision) = decision {
            let over = decision == Decision::Over;
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
    pub(super) fn new(graph: &'g Graph<'a>, set: &[usize], legal: &[Legality]) -> Self {
        let is_case = match graph.entries.first().map(|entry| &entry.body) {
            Some(EntryBody::Genesis(facts)) => facts.kind.steps().is_none(),
            _ => true,
        };
        let moves = |at: usize| match (&graph.entries[at].body, &legal[at]) {
            (EntryBody::Event { event, .. }, Legality::Legal) => Some(event),
            _ => None,
        };
        let select = |wanted: &dyn Fn(&Event) -> bool| {
            set.iter()
                .copied()
                .filter(|at| is_case && moves(*at).is_some_and(wanted))
                .collect()
        };
        Self {
            graph,
            is_case,
            dangers: select(&Event::is_danger),
            works: select(&|event| {
                event.movement().is_some_and(Move::is_work) || event.assignee().is_some()
            }),
            decisions: Vec::new(),
            endings: Vec::new(),
            rivals: Vec::new(),
            evidence: Vec::new(),
            overtaken: Vec::new(),
            premature: Vec::new(),
            partial: Vec::new(),
            meetings: Vec::new(),
            steps: StepMerge::new(graph, set, legal),
        }
    }

    /// Whether a legal step is in force when all branches have met.
    pub(super) fn standing_of(&self, step: usize) -> Standing {
        self.steps.standing_of(step)
    }

    /// Whether a legal move of handling is possible when all branches have met, if the steps decide it.
    pub(super) fn handles(&self, at: usize, movement: Move) -> Option<bool> {
        self.steps.handles(self.graph, at, movement)
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

    /// Whether an event that its author had not seen overtakes a legal event.
    pub(super) fn overtaken(&mut self, at: usize, movement: Move) -> Result<(), Refusal> {
        if movement.is_ending()
            && self.meets_any(at, &self.dangers, |danger| !self.came_late(danger, at))
        {
            self.overtaken.push(at);
            return Err(Refusal::DangerUnseen);
        }
        let stops = out_of_work(movement).is_some();
        if stops && self.meets_any(at, &self.works, |work| self.is_stopped(at, work)) {
            self.premature.push(at);
            return Err(Refusal::WorkUnseen);
        }
        // A judgement that says “not done” holds for every author, because danger wins.
        if movement.is_judgement()
            && !movement.may_be_danger()
            && self.meets_any(at, &self.works, |work| self.same_person(at, work))
        {
            self.partial.push(at);
            return Err(Refusal::OwnWorkElsewhere);
        }
        Ok(())
    }

    /// The entries of `others` that are concurrent with `at`, the newest first. `others` is in order.
    fn concurrent<'b>(
        &'b self,
        at: usize,
        others: &'b [usize],
    ) -> impl Iterator<Item = usize> + 'b {
        let around = self.graph.ancestry.around(at);
        let first = others.partition_point(|other| *other < around.start);
        let end = others.partition_point(|other| *other < around.end);
        let near = others.get(first..end).unwrap_or_default();
        near.iter()
            .rev()
            .copied()
            .filter(move |other| self.graph.ancestry.concurrent(at, *other))
    }

    fn meets_any(&self, at: usize, others: &[usize], also: impl Fn(usize) -> bool) -> bool {
        self.concurrent(at, others).any(also)
    }

    /// Pairs of concurrent entries that no decision has settled. Each entry of either side is paired with the
    /// newest of the other side. So all people concerned are named, and the pairs are no more than the
    /// entries.
    fn pairs(
        &self,
        ones: &[usize],
        others: &[usize],
        meet: impl Fn(usize, usize) -> bool,
    ) -> BTreeSet<(usize, usize)> {
        let open = |one: usize, other: usize| meet(one, other) && !self.is_settled(one, other);
        let of_one = |&one: &usize| {
            let mut near = self.concurrent(one, others);
            near.find(|other| open(one, *other))
                .map(|other| (one, other))
        };
        let of_other = |&other: &usize| {
            let mut near = self.concurrent(other, ones);
            near.find(|one| open(*one, other)).map(|one| (one, other))
        };
        let mut pairs: BTreeSet<_> = ones.iter().filter_map(of_one).collect();
        pairs.extend(others.iter().filter_map(of_other));
        pairs
    }

    /// Whether the author of an effective decision has seen both. The two have not seen each other, so
    /// neither settles the conflict.
    fn is_settled(&self, a: usize, b: usize) -> bool {
        self.settles(a, b, |_| true)
    }

    fn settles(&self, a: usize, b: usize, wanted: impl Fn(Decision) -> bool) -> bool {
        let after = self
            .decisions
            .partition_point(|(decision, _)| *decision <= a.max(b));
        self.decisions[after..]
            .iter()
            .rev()
            .any(|(decision, kind)| {
                wanted(*kind)
                    && self.graph.ancestry.has_seen(*decision, a)
                    && self.graph.ancestry.has_seen(*decision, b)
            })
    }

    /// Whether a danger, or work, that had not seen the ending reached the server long after the server had
    /// accepted the ending.
    fn came_late(&self, danger: usize, ending: usize) -> bool {
        self.graph.came_late(danger, ending)
    }

    /// Whether a danger arrived too late to take back an ending in force.
    pub(super) fn asks_for_review(&self, danger: usize) -> bool {
        self.endings
            .iter()
            .any(|at| self.graph.ancestry.concurrent(*at, danger) && self.came_late(danger, *at))
    }

    /// Whether the ending would make work impossible that its author had not seen. Work that arrives long
    /// after the ending takes back nothing, as with dangers.
    fn is_stopped(&self, ending: usize, work: usize) -> bool {
        let movement = |at| self.event(at).and_then(Event::movement);
        let stage = movement(ending).and_then(out_of_work);
        let stopped = stage.zip(movement(work));
        stopped.is_some_and(|(stage, work)| next(stage, work) == Next::No)
            && !self.came_late(work, ending)
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
    pub(super) fn effective(
        &mut self,
        at: usize,
        event: &'a Event,
        movement: Move,
        decision: Option<Decision>,
    ) {
        if movement == Move::Comment {
            self.evidence.push(at);
        }
        if let Some(decision) = decision {
            self.decisions.push((at, decision));
        }
        if self.is_case && movement.is_ending() {
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
        let met: Vec<usize> = self
            .concurrent(at, &self.rivals)
            .take(RIVALS_MET_MAX)
            .collect();
        for other in met {
            self.meet_rival(at, other, lead);
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
        self.meetings.push((at, other, conflict));
    }

    /// Notes that the server undoes the merge in force.
    pub(super) fn broken_merge(&mut self, at: usize, state: &RecordState, event: &Event) {
        let Event::MergeUndone(undone) = event else {
            return;
        };
        let case = state.case();
        let Some(conflict) = case.and_then(|case| case.broken_merge(self.side(at), undone)) else {
            return;
        };
        let entries = &self.graph.entries;
        let merge = entries.iter().position(|entry| entry.id == undone.merge);
        self.meetings.push((at, merge.unwrap_or(at), conflict));
    }

    /// Notes effective content.
    pub(super) fn content(&mut self, at: usize) {
        self.evidence.push(at);
    }

    /// Writes the open conflicts and reviews into the state when all branches have met.
    pub(super) fn finish(&self, state: &mut RecordState) {
        let mut conflicts: Vec<Conflict> = self
            .meetings
            .iter()
            .filter(|(a, b, conflict)| match conflict {
                Conflict::DoubleDispatch { .. } => {
                    !self.settles(*a, *b, |decision| decision == Decision::Over)
                }
                _ => !self.is_settled(*a, *b),
            })
            .map(|(_, _, conflict)| *conflict)
            .collect();
        let endangered = self.pairs(&self.overtaken, &self.dangers, |ending, danger| {
            !self.came_late(danger, ending)
        });
        conflicts.extend(endangered.into_iter().map(|(ending, danger)| {
            let (ending, danger) = (self.side(ending), self.side(danger));
            Conflict::DangerOverEnding { ending, danger }
        }));
        let premature = self.pairs(&self.premature, &self.works, |ending, work| {
            self.is_stopped(ending, work)
        });
        conflicts.extend(premature.into_iter().map(|(ending, work)| {
            let (ending, work) = (self.side(ending), self.side(work));
            Conflict::WorkOverEnding { ending, work }
        }));
        let partial = self.pairs(&self.partial, &self.works, |judge, work| {
            self.same_person(judge, work)
        });
        conflicts.extend(partial.into_iter().map(|(judgement, work)| {
            let (judgement, work) = (self.side(judgement), self.side(work));
            Conflict::OwnWork { judgement, work }
        }));
        conflicts.sort_unstable();
        state.conflicts = conflicts;
        state.settle_dispatches();
        let words = self.pairs(&self.endings, &self.evidence, |_, _| true);
        // A danger beside an ending in force arrived late, because any other danger would have taken the
        // ending back.
        let late = self.pairs(&self.endings, &self.dangers, |_, _| true);
        let review = |(ending, evidence): (usize, usize), danger| Review {
            evidence: self.graph.entries[evidence].id,
            ending: self.graph.entries[ending].id,
            danger,
        };
        let words = words.into_iter().map(|pair| review(pair, false));
        state.needs_review = words
            .chain(late.into_iter().map(|pair| review(pair, true)))
            .collect();
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
