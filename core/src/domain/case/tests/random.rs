//! Tests random records. The fold keeps its promises for all moves on any number of phones.
//!
//! A failing seed is in the message. `FOLD_SEEDS=from..to` runs other seeds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::support::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::fold::{Folder, judge_in};
use crate::domain::case::graph::Graph;
use crate::domain::case::payload as p;
use crate::domain::case::{
    Author, Entry, EntryBody, EntryStatus, Event, Outcome, Part, Party, RecordState, fold,
};
use crate::id::EnvelopeId;
use crate::limits::DANGER_LATE_MS;

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

pub(super) fn people() -> Vec<Author> {
    use crate::domain::Role;
    vec![
        volunteer(1),
        volunteer(2),
        grid_worker(),
        dispatcher(),
        other_dispatcher(),
        district_lead(),
        system(),
        handler(60),
        handler(61),
        in_unit(103, Role::Handler, 60),
        in_area(106, Role::VillageLead, &[1, 2, 3]),
        in_area(107, Role::Supervisor, &[1, 2]),
        in_unit(2, Role::TeamLead, TEAM),
    ]
}

fn random_event(rng: &mut ChaCha8Rng, log: &Log) -> Event {
    let opened: Vec<EnvelopeId> = log
        .entries
        .iter()
        .filter(|e| matches!(&e.body, EntryBody::Event { event, .. } if event.assignee().is_some()))
        .map(|e| e.id)
        .collect();
    let assignment = if opened.is_empty() {
        log.genesis()
    } else {
        pick(rng, &opened)
    };
    let any = pick(rng, &log.entries).id;
    let to = pick(
        rng,
        &[
            Party::Unit(unit(60)),
            Party::Unit(unit(61)),
            Party::Member(member(103)),
        ],
    );
    let level = pick(rng, &[AreaLevel::Town, AreaLevel::District]);
    match below(rng, 30) {
        0 | 1 => triage(),
        2..=4 => dispatch_to(to, pick(rng, &[Part::Lead, Part::Lead, Part::Support])),
        5..=8 => Event::Accept(step(assignment)),
        9 => Event::Arrive(step(assignment)),
        10..=14 => Event::Resolve(step(assignment)),
        15 => Event::Return(give_back(assignment)),
        16 => Event::Withdraw(give_back(assignment)),
        17 | 18 => verify(!rng.next_u32().is_multiple_of(4)),
        19 => Event::Close(bare()),
        20 => pick(rng, &[danger(), danger(), danger_held(any)]),
        21 => comment("话"),
        22 => escalate(level, rng.next_u32().is_multiple_of(2)),
        23 => pick(rng, &[suspend(), Event::Resume(bare())]),
        24 => {
            let undone = merge_undone(last_merge(log), p::MergeFault::Mutual);
            pick(rng, &[merge(6), Event::Unmerge(bare()), undone])
        }
        25 => pick(
            rng,
            &[Event::Reopen(reasoned()), Event::Dismiss(reasoned())],
        ),
        26 => on_spot(),
        27 => Event::Transfer(p::Transfer {
            to: path(&pick(rng, &[[1, 9], [1, 8]])),
            reason: text("t"),
        }),
        28 => Event::AssignFinally(p::AssignFinally {
            to,
            deadlines: p::Deadlines::default(),
            reason: text("指定"),
        }),
        _ => pick(rng, &extensions(assignment, any)),
    }
}

fn last_merge(log: &Log) -> EnvelopeId {
    let merges = log.entries.iter().rev().find(|entry| {
        matches!(
            &entry.body,
            EntryBody::Event {
                event: Event::Merge(_),
                ..
            }
        )
    });
    merges.map_or(log.genesis(), |entry| entry.id)
}

fn extensions(assignment: EnvelopeId, request: EnvelopeId) -> [Event; 2] {
    let ask = p::RequestExtension {
        assignment,
        until_ms: 5,
        reason: text("缺件"),
    };
    let grant = p::GrantExtension {
        request,
        until_ms: 6,
        note: None,
    };
    [Event::RequestExtension(ask), Event::GrantExtension(grant)]
}

/// A random DAG: mostly one phone that has seen everything, sometimes one that has not.
pub(super) fn random_log(seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = people();
    let mut log = match rng.next_u32() % 4 {
        0 => Log::hazard(seed),
        1 => {
            let mut log = Log::hazard(seed);
            log.dispatched(60);
            log
        }
        _ => Log::resolved(seed),
    };
    for _ in 0..below(&mut rng, 24) {
        let parents = match rng.next_u32() % 8 {
            0..=2 => log.heads(),
            3 => vec![pick(&mut rng, &log.entries).id],
            4 => vec![
                pick(&mut rng, &log.entries).id,
                pick(&mut rng, &log.entries).id,
            ],
            _ => vec![pick(&mut rng, &log.heads())],
        };
        let event = random_event(&mut rng, &log);
        // The author is mostly allowed to make the move, so that the case advances.
        let mut author = pick(&mut rng, &people);
        for _ in 0..12 {
            let id = log.after(&parents, author.clone(), event.clone());
            let candidate = log.entries.pop().unwrap();
            assert_eq!(candidate.id, id);
            if crate::domain::case::judge(&log.entries, &candidate).is_ok() {
                break;
            }
            author = pick(&mut rng, &people);
        }
        let id = if rng.next_u32() % 12 == 0 {
            log.content(&parents, author)
        } else {
            log.after(&parents, author, event)
        };
        if rng.next_u32() % 20 == 0 {
            log.entry(id).status = EntryStatus::Ignored;
        }
        let verdict = rng.next_u32() % 4 != 0;
        let months = i64::from(rng.next_u32() % 2) * 2 * DANGER_LATE_MS;
        log.entry(id).verdict_at_ms = verdict.then(|| i64::from(rng.next_u32() % 60_000) + months);
    }
    log
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("FOLD_SEEDS") else {
        return 0..1_000;
    };
    let (from, to) = text.split_once("..").expect("FOLD_SEEDS is from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

pub(crate) fn shuffle(rng: &mut ChaCha8Rng, entries: &mut [Entry]) {
    for at in (1..entries.len()).rev() {
        entries.swap(at, below(rng, at + 1));
    }
}

/// The fold without any short cut: every past is folded anew.
pub(crate) fn fold_plainly(entries: &[Entry]) -> RecordState {
    let refs: Vec<&Entry> = entries.iter().collect();
    let mut folder = Folder::new(Graph::new(&refs).unwrap());
    for at in 0..folder.graph.len() {
        let entry = folder.graph.entries[at];
        let judged = if at == 0 {
            crate::domain::case::refusal::Legality::Legal
        } else if entry.status == EntryStatus::Ignored {
            crate::domain::case::refusal::Legality::Ignored
        } else {
            let past = folder.graph.ancestry.past_of(at);
            judge_in(folder.fold_set(&past, true).as_ref(), entry)
        };
        folder.judged.push(judged);
    }
    let all: Vec<usize> = (0..folder.graph.len()).collect();
    folder.fold_set(&all, true).unwrap()
}

#[test]
fn order_and_duplicates_change_nothing() {
    for seed in seeds() {
        let log = random_log(seed);
        let expected = log.state();
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut entries = log.entries.clone();
        let again = pick(&mut rng, &entries);
        entries.push(again);
        for _ in 0..2 {
            shuffle(&mut rng, &mut entries);
            assert_eq!(fold(&entries).unwrap(), expected, "seed {seed}");
        }
    }
}

#[test]
fn the_short_cut_through_linear_history_gives_what_the_plain_fold_gives() {
    for seed in seeds() {
        let log = random_log(seed);
        assert_eq!(log.state(), fold_plainly(&log.entries), "seed {seed}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one history, step by step")]
fn no_case_ends_while_a_danger_is_outside_the_endings_past() {
    let (mut ended, mut contested, mut reviewed) = (0, 0, 0);
    for seed in seeds() {
        let log = random_log(seed);
        let state = log.state();
        let position = |id| log.entries.iter().position(|e: &Entry| e.id == id);
        let has_seen = |later: EnvelopeId, earlier: EnvelopeId| {
            let mut stack = vec![later];
            let mut seen = std::collections::BTreeSet::new();
            while let Some(id) = stack.pop() {
                let Some(at) = position(id).filter(|_| seen.insert(id)) else {
                    continue;
                };
                stack.extend(log.entries[at].parents.iter().copied());
            }
            later != earlier && seen.contains(&earlier)
        };
        let effective = |wanted: fn(&Event) -> bool| -> Vec<EnvelopeId> {
            let is = |id| match &log.entries[position(id).unwrap()].body {
                EntryBody::Event { event, .. } => wanted(event),
                _ => false,
            };
            let items = state
                .timeline
                .iter()
                .filter(|i| i.outcome == Outcome::Effective);
            items.map(|i| i.id).filter(|id| is(*id)).collect()
        };
        let dangers = effective(Event::is_danger);
        let endings = effective(|event| event.movement().unwrap().is_ending());
        let decisions = effective(|event| event.movement().unwrap().is_decision());
        let entry = |id| &log.entries[position(id).unwrap()];
        let late = |danger, ending| {
            let came_ms = entry(danger)
                .verdict_at_ms
                .unwrap_or(entry(danger).clock_ms);
            let ended_ms = entry(ending).verdict_at_ms;
            ended_ms.is_some_and(|ended_ms| came_ms - ended_ms > DANGER_LATE_MS)
        };
        contested += usize::from(!state.conflicts.is_empty());
        for danger in &dangers {
            for ending in &endings {
                let ordered = has_seen(*ending, *danger) || has_seen(*danger, *ending);
                if !ordered && late(*danger, *ending) {
                    reviewed += 1;
                    let (danger, ending) = (*danger, *ending);
                    let decided = |d: &EnvelopeId| has_seen(*d, danger) && has_seen(*d, ending);
                    let asked = state.needs_review.iter().any(|review| {
                        review.danger && (review.evidence, review.ending) == (danger, ending)
                    });
                    assert_ne!(decisions.iter().any(decided), asked, "seed {seed}");
                    assert!(!asked || state.is_open(), "seed {seed}");
                    continue;
                }
                assert!(ordered, "seed {seed}: {ending} holds beside {danger}");
            }
        }
        if !state.is_open() {
            ended += 1;
            assert!(!state.case().unwrap().danger, "seed {seed}");
            for danger in dangers {
                let answered = decisions.iter().any(|decision| has_seen(*decision, danger));
                assert!(
                    answered,
                    "seed {seed}: ended as {} over {danger}",
                    state.stage()
                );
            }
        }
    }
    assert!(
        ended > 100 && contested > 40 && reviewed > 0,
        "the seeds show nothing: {ended} {contested} {reviewed}"
    );
}

#[test]
fn nobody_judges_what_the_same_person_did_whatever_the_order() {
    let mut judged = 0;
    for seed in seeds() {
        let log = random_log(seed);
        let state = log.state();
        let mut worked = std::collections::BTreeSet::new();
        for item in state
            .timeline
            .iter()
            .filter(|i| i.outcome == Outcome::Effective)
        {
            let Some((movement, by)) = item.movement.zip(item.by) else {
                continue;
            };
            if movement.is_judgement() {
                judged += 1;
                // Danger holds for every author, even if the work was done elsewhere at the same time.
                let past = !worked.contains(&by) || movement.may_be_danger();
                assert!(past, "seed {seed}: {by} judges own work");
            }
            if movement.is_work() {
                worked.insert(by);
            }
        }
    }
    assert!(judged > 60, "the seeds show nothing: {judged}");
}
