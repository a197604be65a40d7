//! The fold turns the envelopes of one record into its state. Phone and server run the same code.
//!
//! 1. The entries are ordered by Lamport time and id (`graph`).
//! 2. Each entry is judged in the state that its author had seen: first by `may`, then by `guard`.
//! 3. The legal entries are applied in order. An entry that a concurrent one overtook is superseded (`merge`).
//!
//! An entry meets no other branch if its author had seen everything before it. Its state is then the state of
//! its parent plus the entry, so a history without forks is folded in one pass. An entry that joins branches
//! folds its past anew. A record has at most [`crate::limits::RECORD_ENTRIES_MAX`] entries, and the caller
//! that admits them counts.

use std::collections::HashMap;

use super::graph::Graph;
use super::guard::{handled, possible};
use super::merge::Meeting;
use super::merge_steps::Standing;
use super::refusal::Legality;
use super::state::TimelineItem;
use super::{Entry, EntryBody, EntryStatus, Event, Move, Outcome, RecordState, Refusal};
use crate::dag::Walk;
use crate::domain::case::may::{Action, Actor, Denied, may};
use crate::domain::steps::AuthoredStep;

/// Folds a record to its state. The order of the entries does not matter. Duplicates and entries that do not
/// descend from the Genesis are left out. Returns `None` without a Genesis.
#[must_use]
pub fn fold(entries: &[Entry]) -> Option<RecordState> {
    let entries: Vec<&Entry> = entries.iter().collect();
    Folder::new(Graph::new(&entries)?).run()
}

/// Judges an entry in its own past, which is looked up among the given entries of its record.
pub fn judge(entries: &[Entry], candidate: &Entry) -> Result<(), Refusal> {
    if let EntryBody::Genesis(facts) = &candidate.body {
        return may_report(candidate, facts);
    }
    let past = past_of(entries, candidate);
    let state = Graph::new(&past).and_then(|graph| Folder::new(graph).run());
    match judge_in(state.as_ref(), candidate) {
        Legality::Legal => Ok(()),
        Legality::Illegal(why) | Legality::Unjudged(why) => Err(why),
        Legality::Ignored => Err(Refusal::Newer),
    }
}

fn past_of<'a>(entries: &'a [Entry], candidate: &Entry) -> Vec<&'a Entry> {
    let by_id: HashMap<_, _> = entries.iter().map(|e| (e.id, e)).collect();
    let mut walk = Walk::from_ids(candidate.parents.iter().copied());
    let mut past = Vec::new();
    while let Some(id) = walk.next() {
        if let Some(entry) = by_id.get(&id) {
            past.push(*entry);
            walk.extend(entry.parents.iter().copied());
        }
    }
    past
}

fn may_report(entry: &Entry, facts: &super::GenesisFacts) -> Result<(), Refusal> {
    match actor_of(entry) {
        Some(actor) => Ok(may(&actor, &Action::Report(facts))?),
        None => Ok(()),
    }
}

/// The actor for `may`. It is `None` if the server, which knows all certificates, has accepted the entry and
/// the creator of the record is withheld from this replica. The replica cannot tell then whether the record
/// is the author's own.
fn asked_in<'a>(state: &RecordState, entry: &'a Entry) -> Option<Actor<'a>> {
    let accepted = entry.verdict_at_ms.is_some() && entry.status == EntryStatus::Effective;
    let vouched = accepted && state.reporter.is_none();
    actor_of(entry).filter(|_| !vouched)
}

/// `None` when the certificate is withheld. The server knows the certificate and has accepted the entry.
fn actor_of(entry: &Entry) -> Option<Actor<'_>> {
    let author = &entry.author;
    let grant = author.grant.as_ref()?;
    Some(Actor {
        member: author.member,
        grant,
        units: &author.units,
    })
}

pub(super) fn judge_in(state: Option<&RecordState>, entry: &Entry) -> Legality {
    let Some(state) = state else {
        return Legality::Illegal(Refusal::SecondGenesis);
    };
    let result = match &entry.body {
        EntryBody::Genesis(_) => Err(Refusal::SecondGenesis),
        EntryBody::Unknown
        | EntryBody::Event {
            event: Event::Unknown { .. },
            ..
        } => Err(Refusal::Newer),
        EntryBody::Content => match asked_in(state, entry) {
            Some(actor) => may(&actor, &Action::Edit(state)).map_err(Refusal::from),
            None => Ok(()),
        },
        EntryBody::Event { event, .. } if state.frozen && !is_always_possible(event) => {
            Err(Refusal::Newer)
        }
        EntryBody::Event {
            event,
            on_behalf_of,
        } => {
            let on_behalf_of = on_behalf_of.as_ref();
            let permitted = asked_in(state, entry).map_or(Ok(()), |actor| {
                may(
                    &actor,
                    &Action::Do {
                        state,
                        event,
                        on_behalf_of,
                    },
                )
            });
            permitted
                .map_err(Refusal::from)
                .and_then(|()| possible(state, event, entry.author.device))
        }
    };
    match result {
        Ok(()) => Legality::Legal,
        // The author is not at fault where only a newer version can answer.
        Err(why @ (Refusal::Newer | Refusal::Denied(Denied::Newer))) => Legality::Unjudged(why),
        Err(why) => Legality::Illegal(why),
    }
}

fn is_always_possible(event: &Event) -> bool {
    event.movement().is_some_and(Move::is_always_possible)
}

pub(super) struct Folder<'a> {
    pub(super) graph: Graph<'a>,
    pub(super) judged: Vec<Legality>,
    /// The state after an entry, as its author saw it. It is kept while later entries build on it.
    after: Vec<Option<RecordState>>,
    /// How many entries still build on the state.
    uses: Vec<u32>,
}

impl<'a> Folder<'a> {
    pub(super) fn new(graph: Graph<'a>) -> Self {
        let count = graph.len();
        let uses = graph.main_children.clone();
        Self {
            graph,
            judged: Vec::with_capacity(count),
            after: std::iter::repeat_with(|| None).take(count).collect(),
            uses,
        }
    }

    pub(super) fn run(mut self) -> Option<RecordState> {
        let last = self.graph.len().checked_sub(1)?;
        for at in 0..=last {
            self.visit(at, last);
        }
        if self.graph.ancestry.has_seen_all_before(last) {
            return self.after[last].take();
        }
        let all: Vec<usize> = (0..=last).collect();
        self.fold_set(&all, true)
    }

    fn visit(&mut self, at: usize, last: usize) {
        let entry = self.graph.entries[at];
        if at == 0 {
            self.judged.push(Legality::Legal);
            self.after[0] = self.birth();
            return;
        }
        let wanted = self.uses[at] > 0 || at == last;
        let ignored = entry.status == EntryStatus::Ignored;
        let judge = |before: Option<&RecordState>| {
            if ignored {
                Legality::Ignored
            } else {
                judge_in(before, entry)
            }
        };
        let Some(main) = self.graph.main_parent[at] else {
            let past = self.graph.ancestry.past_of(at);
            // Open conflicts of branches decide no move. They are for people to see, in a state that has seen
            // everything.
            let shown = self.graph.ancestry.has_seen_all_before(at);
            let before = self.fold_set(&past, shown);
            self.judged.push(judge(before.as_ref()));
            self.after[at] = before.filter(|_| wanted);
            self.advance(at);
            return;
        };
        self.judged.push(judge(self.after[main].as_ref()));
        self.uses[main] -= 1;
        let before = if self.uses[main] == 0 {
            self.after[main].take()
        } else {
            None
        };
        if wanted {
            self.after[at] = before.or_else(|| self.after[main].clone());
        }
        self.advance(at);
    }

    fn birth(&self) -> Option<RecordState> {
        let genesis = self.graph.entries[0];
        let EntryBody::Genesis(facts) = &genesis.body else {
            return None;
        };
        let mut state = RecordState::born(genesis, facts, self.graph.effective_ms[0]);
        if let Err(why) = may_report(genesis, facts) {
            let newer = why == Refusal::Denied(Denied::Newer);
            state.frozen = newer;
            let first = &mut state.timeline[0];
            first.outcome = if newer {
                Outcome::Unjudged
            } else {
                Outcome::Illegal
            };
            first.why = Some(why.code());
        }
        if genesis.status == EntryStatus::Ignored {
            state.timeline[0].outcome = Outcome::Ignored;
            state.timeline[0].why = None;
        }
        Some(state)
    }

    /// Adds the entry to the state that its author had seen.
    fn advance(&mut self, at: usize) {
        if let Some(mut state) = self.after[at].take() {
            self.add(&mut state, at, None);
            self.after[at] = Some(state);
        }
    }

    /// Folds a set where branches may meet. The set holds the past of each of its entries.
    pub(super) fn fold_set(&self, set: &[usize], shown: bool) -> Option<RecordState> {
        let mut state = self.birth()?;
        let mut meeting = Meeting::new(&self.graph, set, &self.judged);
        for at in set.iter().copied().filter(|at| *at > 0) {
            self.add(&mut state, at, Some(&mut meeting));
        }
        if shown {
            meeting.finish(&mut state);
        }
        Some(state)
    }

    fn add(&self, state: &mut RecordState, at: usize, meeting: Option<&mut Meeting<'_, 'a>>) {
        let entry = self.graph.entries[at];
        let effective_ms = self.graph.effective_ms[at];
        let movement = match &entry.body {
            EntryBody::Event { event, .. } => event.movement(),
            _ => None,
        };
        let (outcome, why) = match self.judged[at] {
            Legality::Ignored => (Outcome::Ignored, None),
            Legality::Illegal(why) => (Outcome::Illegal, Some(why)),
            Legality::Unjudged(why) => {
                state.frozen = true;
                (Outcome::Unjudged, Some(why))
            }
            Legality::Legal => match self.add_legal(state, at, meeting) {
                Ok(outcome) => (outcome, None),
                Err(why) => (Outcome::Superseded, Some(why)),
            },
        };
        if let Some(member) = entry
            .author
            .member
            .filter(|_| outcome == Outcome::Effective)
        {
            state.participants.insert(member);
        }
        state.timeline.push(TimelineItem {
            id: entry.id,
            movement,
            by: entry.author.member,
            outcome,
            why: why.map(|why| why.code()),
            effective_ms,
        });
    }

    fn add_legal(
        &self,
        state: &mut RecordState,
        at: usize,
        meeting: Option<&mut Meeting<'_, 'a>>,
    ) -> Result<Outcome, Refusal> {
        let entry = self.graph.entries[at];
        let EntryBody::Event {
            event,
            on_behalf_of,
        } = &entry.body
        else {
            if let Some(meeting) = meeting {
                meeting.content(at);
            }
            return Ok(Outcome::Effective);
        };
        let Some(movement) = event.movement() else {
            return Ok(Outcome::Unjudged);
        };
        if state.frozen && !movement.is_always_possible() {
            return Ok(Outcome::Unjudged);
        }
        let effective_ms = self.graph.effective_ms[at];
        if let (Event::Step(made), Some(steps)) = (event, &mut state.steps) {
            if let Some(member) = entry.author.member {
                steps.workers.insert(member);
                steps.made.insert((made.step, member));
            }
            steps.authored.push(AuthoredStep {
                code: made.step,
                id: entry.id,
                device: entry.author.device,
                at_ms: effective_ms,
                verdict_at_ms: entry.verdict_at_ms,
            });
            if let Some(meeting) = &meeting {
                match meeting.standing_of(at) {
                    Standing::InForce => {}
                    Standing::Agrees => return Ok(Outcome::Effective),
                    Standing::Overtaken => return Err(Refusal::StepOvertaken),
                    Standing::OwnWork => return Err(Refusal::OwnWorkElsewhere),
                }
            }
        }
        let decision = state.decision(event, movement);
        let Some(meeting) = meeting else {
            state.apply(entry, event, on_behalf_of.as_ref(), effective_ms);
            state.settle(decision);
            return Ok(Outcome::Effective);
        };
        meeting.overtaken(at, movement)?;
        // An event that says that something is still wrong with a case is effective in every stage. A record
        // with steps knows no danger.
        let is_danger = event.is_danger() && state.steps.is_none();
        let handles = state.handles_by_table(movement);
        if handles && let Some(is_possible) = meeting.handles(at, movement) {
            handled(state, event, movement, is_possible)?;
        } else if !is_danger {
            possible(state, event, entry.author.device)?;
        }
        meeting.broken_merge(at, state, event);
        if is_danger && meeting.asks_for_review(at) {
            state.apply_late(entry, event, effective_ms);
        } else {
            state.apply(entry, event, on_behalf_of.as_ref(), effective_ms);
        }
        meeting.effective(at, event, movement, decision);
        Ok(Outcome::Effective)
    }
}
