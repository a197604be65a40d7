//! Tests the work on a case: dispatches, steps, places and pauses.

use super::support::*;
use crate::domain::Role;
use crate::domain::case::payload::{self as p, Party, Severity};
use crate::domain::case::{AssignmentState, Conflict, Event, Outcome, Stage};
use crate::id::RecordId;
use crate::limits::DANGER_LATE_MS;

#[test]
fn two_concurrent_dispatches_are_both_kept_until_one_is_withdrawn() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        let base = [log.triaged()];
        let first = log.after(&base, dispatcher(), dispatch(60));
        let second = log.after(&base, other_dispatcher(), dispatch(61));
        let state = log.state();
        assert!(
            state
                .assignments()
                .iter()
                .all(|a| a.state == AssignmentState::Dispatched)
        );
        assert_eq!(state.assignments().len(), 2);
        let [
            Conflict::DoubleDispatch {
                first: a,
                second: b,
            },
        ] = state.conflicts[..]
        else {
            panic!("seed {seed}: {:?}", state.conflicts);
        };
        let mut sides = [(a.id, a.by), (b.id, b.by)];
        sides.sort_unstable();
        let mut expected = [
            (first, dispatcher().member),
            (second, other_dispatcher().member),
        ];
        expected.sort_unstable();
        assert_eq!(sides, expected);

        // The case is resolved only when both assignments are.
        let mut both = log.clone();
        both.worked(60, first);
        assert_eq!(both.state().stage(), Stage::Dispatched);
        both.worked(61, second);
        assert_eq!(both.state().stage(), Stage::Resolved);

        log.then(dispatcher(), Event::Withdraw(give_back(second)));
        assert_eq!(log.state().conflicts, vec![]);
        log.worked(60, first);
        assert_eq!(log.state().stage(), Stage::Resolved);
    }
}

#[test]
fn the_most_advanced_open_lead_shows_and_support_does_not_count() {
    let mut log = Log::hazard(1);
    let lead = log.dispatched(60);
    let other = log.then(dispatcher(), dispatch(61));
    let support = log.then(dispatcher(), share(62));
    log.then(handler(61), Event::Accept(step(other)));
    assert_eq!(log.state().stage(), Stage::Accepted);
    log.then(handler(61), Event::Arrive(step(other)));
    assert_eq!(log.state().stage(), Stage::OnSite);
    log.then(handler(61), Event::Resolve(step(other)));
    assert_eq!(
        log.state().stage(),
        Stage::Dispatched,
        "the other lead has not even accepted"
    );
    log.worked(60, lead);
    assert_eq!(log.state().stage(), Stage::Resolved);
    assert_eq!(
        log.state().assignment(support).unwrap().state,
        AssignmentState::Dispatched
    );
    log.worked(62, support);
    assert_eq!(
        log.state().stage(),
        Stage::Resolved,
        "support may finish later"
    );
}

#[test]
fn a_step_needs_the_step_before_it() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    let early = log.then(handler(60), Event::Resolve(step(assignment)));
    assert_eq!(why(&log, early), "case.assignment_elsewhere");
    let arrive = log.then(handler(60), Event::Arrive(step(assignment)));
    assert_eq!(why(&log, arrive), "case.assignment_elsewhere");
    let strange = log.then(handler(60), Event::Accept(step(log.genesis())));
    assert_eq!(why(&log, strange), "may.not_assigned");
    log.then(handler(60), Event::Accept(step(assignment)));
    let twice = log.then(handler(60), Event::Accept(step(assignment)));
    assert_eq!(why(&log, twice), "case.assignment_elsewhere");
    assert_eq!(log.state().stage(), Stage::Accepted);
}

#[test]
fn a_second_return_goes_to_the_district_which_assigns_finally() {
    let mut log = Log::hazard(1);
    let first = log.dispatched(60);
    log.then(handler(60), Event::Return(give_back(first)));
    assert_eq!(log.state().stage(), Stage::Returned);
    let second = log.then(dispatcher(), dispatch(61));
    log.then(handler(61), Event::Return(give_back(second)));
    assert_eq!(log.state().stage(), Stage::Referred);
    let third = log.then(dispatcher(), dispatch(62));
    assert_eq!(why(&log, third), "case.not_now");
    let assign = Event::AssignFinally(p::AssignFinally {
        to: Party::Unit(unit(60)),
        deadlines: p::Deadlines::default(),
        reason: text("属燃气主管"),
    });
    let refused = log.then(dispatcher(), assign.clone());
    assert_eq!(why(&log, refused), "may.role");
    let last = log.then(district_lead(), assign);
    assert_eq!(log.state().stage(), Stage::Dispatched);
    let back = log.then(handler(60), Event::Return(give_back(last)));
    assert_eq!(why(&log, back), "case.final_assignment");
    log.worked(60, last);
    assert_eq!(log.state().stage(), Stage::Resolved);
}

#[test]
fn what_is_overtaken_is_kept_and_marked_superseded() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        let assignment = log.dispatched(60);
        let base = log.heads();
        let withdrawn = log.after(&base, dispatcher(), Event::Withdraw(give_back(assignment)));
        let accepted = log.after(&base, handler(60), Event::Accept(step(assignment)));
        let state = log.state();
        assert_eq!(state.stage(), Stage::Triaged, "seed {seed}");
        assert_eq!(outcome(&log, withdrawn), Outcome::Effective);
        // Either order gives the same state; the acceptance is overtaken only when it comes second.
        let second = state.timeline.last().unwrap();
        if second.id == accepted {
            assert_eq!(second.outcome, Outcome::Superseded);
            assert_eq!(state.superseded().count(), 1);
        }
    }
}

#[test]
fn a_suspension_keeps_the_state_below_and_work_goes_on_under_it() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    log.then(dispatcher(), suspend());
    assert_eq!(log.state().stage(), Stage::Suspended);
    assert_eq!(log.state().case().unwrap().stage_below, Stage::Dispatched);
    log.then(handler(60), Event::Accept(step(assignment)));
    assert_eq!(log.state().stage(), Stage::Suspended);
    log.then(dispatcher(), Event::Resume(bare()));
    assert_eq!(log.state().stage(), Stage::Accepted);
    log.then(dispatcher(), suspend());
    log.then(volunteer(1), danger());
    assert_eq!(
        log.state().stage(),
        Stage::Accepted,
        "a danger does not sleep"
    );
}

#[test]
fn a_merged_case_comes_back_as_it_was() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    log.then(handler(60), Event::Accept(step(assignment)));
    let merge = |to| {
        Event::Merge(p::Merge {
            into: to,
            note: None,
        })
    };
    log.then(dispatcher(), merge(RecordId([6; 16])));
    assert_eq!(log.state().stage(), Stage::Merged);
    let late = log.then(handler(60), Event::Resolve(step(assignment)));
    assert_eq!(why(&log, late), "case.not_now");
    log.then(dispatcher(), Event::Unmerge(bare()));
    assert_eq!(log.state().stage(), Stage::Accepted);
    assert_eq!(log.state().merged_into(), None);
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&log.genesis().0);
    let itself = RecordId::v8(&crate::id::Hash(hash));
    let merged = log.then(dispatcher(), merge(itself));
    assert_eq!(why(&log, merged), "case.merge_self");
}

#[test]
fn more_time_is_asked_for_and_granted_once() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    let ask = p::RequestExtension {
        assignment,
        until_ms: 2_000_000,
        reason: text("缺件"),
    };
    let request = log.then(handler(60), Event::RequestExtension(ask));
    let grant = || {
        Event::GrantExtension(p::GrantExtension {
            request,
            until_ms: 3,
            note: None,
        })
    };
    let own = log.then(handler(60), grant());
    assert_eq!(why(&log, own), "may.role");
    log.then(dispatcher(), grant());
    assert_eq!(
        log.state().assignments()[0].deadlines.resolve_by_ms,
        Some(3)
    );
    let twice = log.then(dispatcher(), grant());
    assert_eq!(why(&log, twice), "case.no_request");
}

#[test]
fn handled_on_the_spot_is_resolved_and_still_to_be_checked() {
    let mut log = Log::hazard(1);
    log.then(volunteer(1), on_spot());
    assert_eq!(
        (
            log.state().stage(),
            log.state().case().unwrap().handled_on_spot
        ),
        (Stage::Resolved, true)
    );
    let mut own = in_area(1, Role::VillageLead, &[1, 2, 3]);
    own.member = volunteer(1).member;
    let judged = log.then(own, verify(true));
    assert_eq!(why(&log, judged), "may.own_work");
    log.then(grid_worker(), verify(false));
    assert_eq!(
        (
            log.state().stage(),
            log.state().case().unwrap().handled_on_spot
        ),
        (Stage::Reported, false)
    );
}

#[test]
fn two_concurrent_triages_that_differ_are_shown_as_rivals() {
    let mut log = Log::hazard(1);
    let base = [log.genesis()];
    log.after(&base, dispatcher(), triage());
    let Event::Triage(mut other) = triage() else {
        unreachable!()
    };
    other.severity = Severity::General;
    log.after(&base, other_dispatcher(), Event::Triage(other));
    let state = log.state();
    let [Conflict::Rival { in_force, .. }] = state.conflicts[..] else {
        panic!("{:?}", state.conflicts);
    };
    let of_second = in_force.by == other_dispatcher().member;
    let expected = if of_second {
        Severity::General
    } else {
        Severity::Serious
    };
    assert_eq!(state.case().unwrap().severity, Some(expected));
    log.then(dispatcher(), triage());
    assert_eq!(
        log.state().conflicts,
        vec![],
        "whoever triages again had seen both"
    );
}

#[test]
fn transfer_and_sharing_make_other_areas_responsible() {
    let mut log = Log::hazard(1);
    log.triaged();
    let beyond = in_area(121, Role::Dispatcher, &[1, 9]);
    let early = log.then(beyond.clone(), dispatch(60));
    assert_eq!(why(&log, early), "may.elsewhere");
    let transfer = p::Transfer {
        to: path(&[1, 9, 10]),
        reason: text("属地在隔壁"),
    };
    log.then(dispatcher(), Event::Transfer(transfer.clone()));
    let again = log.then(dispatcher(), Event::Transfer(transfer));
    assert_eq!(why(&log, again), "case.same_area");
    log.then(beyond, dispatch(60));
    let state = log.state();
    assert_eq!(
        (state.lead_area(), state.stage()),
        (path(&[1, 9, 10]), Stage::Dispatched)
    );
    let with = p::Partner::Area(path(&[1, 8]));
    let share = p::Share {
        with,
        deadlines: p::Deadlines::default(),
        note: None,
    };
    log.then(dispatcher(), Event::Share(share));
    assert_eq!(log.state().areas().count(), 3);
}

#[test]
fn a_grid_found_by_triage_opens_the_case_to_that_grids_worker() {
    let mut log = Log::hazard(1);
    let neighbour = in_area(122, Role::GridWorker, &[1, 2, 3, 5]);
    let refused = log.content(&log.heads(), neighbour.clone());
    assert_eq!(why(&log, refused), "may.elsewhere");
    let Event::Triage(mut found) = triage() else {
        unreachable!()
    };
    found.grid = Some(area(5));
    log.then(dispatcher(), Event::Triage(found));
    let edit = log.content(&log.heads(), neighbour);
    assert_eq!(outcome(&log, edit), Outcome::Effective);
}

/// Every ending that takes a case out of work, and none that is a step of the work itself.
fn stops() -> [Event; 4] {
    let police = Event::HandToPolice(p::HandToPolice {
        to: None,
        reason: text("涉刑"),
    });
    [Event::Dismiss(reasoned()), police, merge(6), suspend()]
}

#[test]
fn stale_ending_takes_back_no_work() {
    for ending in stops() {
        for seed in 0..8 {
            let mut log = Log::hazard(seed);
            let triaged = log.triaged();
            let sent = log.then(dispatcher(), dispatch(60));
            log.then(handler(60), Event::Accept(step(sent)));
            log.then(handler(60), Event::Arrive(step(sent)));
            let stale = log.after(&[triaged], other_dispatcher(), ending.clone());
            let state = log.state();
            assert_eq!(state.stage(), Stage::OnSite, "seed {seed} {ending:?}");
            assert_eq!(why(&log, stale), "case.work_unseen");
            assert_eq!(state.superseded().count(), 1);
            let sides = state.conflicts.iter().map(|conflict| match conflict {
                Conflict::WorkOverEnding { ending, work } => (ending.id, work.id),
                other => panic!("seed {seed}: {other:?}"),
            });
            let (endings, works): (Vec<_>, Vec<_>) = sides.unzip();
            assert!(endings.iter().all(|id| *id == stale));
            assert!(works.contains(&sent), "the dispatcher is named too");

            log.then(dispatcher(), Event::Withdraw(give_back(sent)));
            assert_eq!(log.state().conflicts, vec![], "decided with both in sight");
        }
    }
}

#[test]
fn suspension_beside_a_step_holds() {
    for seed in 0..8 {
        let mut log = Log::hazard(seed);
        let sent = log.dispatched(60);
        let base = log.heads();
        let suspended = log.after(&base, dispatcher(), suspend());
        let accepted = log.after(&base, handler(60), Event::Accept(step(sent)));
        assert_eq!(log.state().stage(), Stage::Suspended, "seed {seed}");
        for id in [suspended, accepted] {
            assert_eq!(outcome(&log, id), Outcome::Effective);
        }
    }
}

#[test]
fn work_long_after_an_ending_takes_nothing_back() {
    for seed in 0..8 {
        let mut log = Log::hazard(seed);
        let sent = log.dispatched(60);
        let base = log.heads();
        let ended = log.after(&base, dispatcher(), merge(6));
        let accepted = log.after(&base, handler(60), Event::Accept(step(sent)));
        log.entry(ended).verdict_at_ms = Some(10_000);
        log.entry(accepted).verdict_at_ms = Some(10_000 + DANGER_LATE_MS);
        assert_eq!(log.state().stage(), Stage::Accepted, "seed {seed}");
        log.entry(accepted).verdict_at_ms = Some(10_001 + DANGER_LATE_MS);
        let state = log.state();
        assert_eq!(outcome(&log, ended), Outcome::Effective);
        assert_eq!((state.stage(), state.conflicts), (Stage::Merged, vec![]));
    }
}
