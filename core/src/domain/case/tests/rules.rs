//! Each rule of the lifecycle once, by name.

use super::support::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload::{self as p, Part, Party, Severity};
use crate::domain::case::{
    AssignmentState, Conflict, EntryBody, EntryStatus, Event, Outcome, Refusal, Stage, judge,
};
use crate::domain::may::Denied;
use crate::domain::{Audience, Role};
use crate::id::{EnvelopeId, RecordId};

fn outcome(log: &Log, id: EnvelopeId) -> Outcome {
    log.state().outcome(id).unwrap().outcome
}

fn why(log: &Log, id: EnvelopeId) -> &'static str {
    log.state().outcome(id).unwrap().why.unwrap()
}

#[test]
fn a_case_runs_from_reported_to_followed_up() {
    let mut log = Log::hazard(1);
    let mut stages = vec![log.state().stage];
    let mut note = |log: &Log| stages.push(log.state().stage);
    log.triaged();
    note(&log);
    let assignment = log.then(dispatcher(), dispatch(60));
    note(&log);
    log.then(handler(60), Event::Accept(step(assignment)));
    note(&log);
    log.then(handler(60), Event::Arrive(step(assignment)));
    note(&log);
    log.then(handler(60), Event::Resolve(step(assignment)));
    note(&log);
    log.then(grid_worker(), verify(true));
    note(&log);
    log.then(grid_worker(), Event::Close(bare()));
    note(&log);
    let follow_up = p::FollowUp {
        satisfied: Some(true),
        note: None,
    };
    log.then(grid_worker(), Event::FollowUp(follow_up));
    note(&log);
    assert_eq!(stages, Stage::ALL[..9]);
    let state = log.state();
    assert!(
        state
            .timeline
            .iter()
            .all(|item| item.outcome == Outcome::Effective)
    );
    let done = &state.assignments[0];
    assert_eq!(
        (done.accepted_ms, done.arrived_ms, done.resolved_ms),
        (Some(4_000), Some(5_000), Some(6_000))
    );
    assert_eq!(state.participants.len(), 4);
}

#[test]
fn danger_wins_over_every_ending_that_had_not_seen_it() {
    for seed in 0..32 {
        let mut log = Log::resolved(seed);
        let base = log.heads();
        let pass = log.after(&base, grid_worker(), verify(true));
        let close = log.after(&[pass], grid_worker(), Event::Close(bare()));
        log.after(&base, volunteer(1), danger());
        assert_eq!(log.state().stage, Stage::Accepted, "seed {seed}");
        assert_eq!(outcome(&log, pass), Outcome::Superseded);
        assert_eq!(outcome(&log, close), Outcome::Superseded);
        assert!(
            log.state().timeline[5..]
                .iter()
                .any(|i| i.outcome == Outcome::Effective)
        );
    }
}

#[test]
fn danger_also_holds_against_dismissal_handing_over_merging_and_suspending() {
    let merge = Event::Merge(p::Merge {
        into: RecordId([6; 16]),
        note: None,
    });
    let police = Event::HandToPolice(p::HandToPolice {
        to: None,
        reason: text("涉刑"),
    });
    for ending in [Event::Dismiss(reasoned()), police, merge, suspend()] {
        for seed in 0..8 {
            let mut log = Log::hazard(seed);
            log.triaged();
            let base = log.heads();
            let ended = log.after(&base, dispatcher(), ending.clone());
            log.after(&base, volunteer(1), danger());
            assert_eq!(log.state().stage, Stage::Triaged, "seed {seed} {ending:?}");
            assert_eq!(outcome(&log, ended), Outcome::Superseded);
        }
    }
}

#[test]
fn an_ending_that_has_seen_the_danger_holds() {
    let mut log = Log::resolved(1);
    log.then(volunteer(1), danger());
    assert_eq!(
        log.state().stage,
        Stage::Accepted,
        "the unit is at work again"
    );
    let assignment = log.state().assignments[0].id;
    assert_eq!(log.state().assignments[0].resolved_ms, None);
    log.then(handler(60), Event::Resolve(step(assignment)));
    assert_eq!(
        (log.state().stage, log.state().danger),
        (Stage::Resolved, false)
    );
    assert_eq!(log.state().conflicts, vec![]);
}

#[test]
fn a_void_danger_move_holds_nothing_open() {
    let mut log = Log::resolved(1);
    let base = log.heads();
    log.after(&base, grid_worker(), verify(true));
    let danger = log.after(&base, volunteer(1), danger());
    assert_eq!(log.state().stage, Stage::Accepted);
    log.entry(danger).status = EntryStatus::Ignored;
    assert_eq!(log.state().stage, Stage::Verified);
    assert_eq!(outcome(&log, danger), Outcome::Ignored);
}

#[test]
fn an_escalation_by_a_person_is_danger_one_by_a_rule_is_not() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        let assignment = log.dispatched(60);
        log.then(handler(60), Event::Accept(step(assignment)));
        let base = log.heads();
        log.after(&base, handler(60), Event::Resolve(step(assignment)));
        let mut by_rule = log.clone();
        let escalation = by_rule.after(&base, system(), escalate(AreaLevel::Town, true));
        assert_eq!(by_rule.state().stage, Stage::Resolved, "seed {seed}");
        assert!(matches!(
            outcome(&by_rule, escalation),
            Outcome::Effective | Outcome::Superseded
        ));
        log.after(&base, grid_worker(), escalate(AreaLevel::Town, false));
        assert_eq!(log.state().stage, Stage::Accepted, "seed {seed}");
        assert_eq!(log.state().level, AreaLevel::Town);
    }
}

#[test]
fn only_the_server_names_a_rule_and_it_always_does() {
    let mut log = Log::hazard(1);
    log.triaged();
    let forged = log.then(grid_worker(), escalate(AreaLevel::Town, true));
    assert_eq!(why(&log, forged), "may.rule");
    let unnamed = log.then(system(), escalate(AreaLevel::Town, false));
    assert_eq!(why(&log, unnamed), "may.rule");
    assert_eq!(log.state().level, AreaLevel::Village);
}

#[test]
fn two_people_who_escalate_at_once_raise_the_level_once() {
    let mut log = Log::hazard(1);
    let base = [log.triaged()];
    log.after(&base, grid_worker(), escalate(AreaLevel::Town, false));
    log.after(&base, dispatcher(), escalate(AreaLevel::Town, false));
    assert_eq!(log.state().level, AreaLevel::Town);
    let skipped = log.then(grid_worker(), escalate(AreaLevel::Town, false));
    assert_eq!(why(&log, skipped), "case.not_next_level");
    log.then(grid_worker(), escalate(AreaLevel::District, false));
    assert_eq!(log.state().level, AreaLevel::District);
}

#[test]
fn evidence_beside_an_ending_asks_for_review_and_reopens_nothing() {
    for seed in 0..16 {
        let mut log = Log::resolved(seed);
        let base = log.heads();
        let pass = log.after(&base, grid_worker(), verify(true));
        let words = log.after(&base, volunteer(1), comment("又闻到味道"));
        let edit = log.content(&base, dispatcher());
        let state = log.state();
        assert_eq!(state.stage, Stage::Verified);
        let mut evidence: Vec<_> = state.needs_review.iter().map(|r| r.evidence).collect();
        evidence.sort_unstable();
        let mut expected = vec![words, edit];
        expected.sort_unstable();
        assert_eq!(evidence, expected);
        assert!(state.needs_review.iter().all(|r| r.ending == pass));
        log.then(other_dispatcher(), Event::Close(bare()));
        assert_eq!(
            log.state().needs_review,
            vec![],
            "whoever closed had seen both"
        );
    }
}

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
                .assignments
                .iter()
                .all(|a| a.state == AssignmentState::Dispatched)
        );
        assert_eq!(state.assignments.len(), 2);
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

        // Resolved only when both are.
        let mut both = log.clone();
        both.worked(60, first);
        assert_eq!(both.state().stage, Stage::Dispatched);
        both.worked(61, second);
        assert_eq!(both.state().stage, Stage::Resolved);

        log.then(dispatcher(), Event::Withdraw(give_back(second)));
        assert_eq!(log.state().conflicts, vec![]);
        log.worked(60, first);
        assert_eq!(log.state().stage, Stage::Resolved);
    }
}

#[test]
fn the_most_advanced_open_lead_shows_and_support_does_not_count() {
    let mut log = Log::hazard(1);
    let lead = log.dispatched(60);
    let other = log.then(dispatcher(), dispatch(61));
    let support = log.then(dispatcher(), share(62));
    log.then(handler(61), Event::Accept(step(other)));
    assert_eq!(log.state().stage, Stage::Accepted);
    log.then(handler(61), Event::Arrive(step(other)));
    assert_eq!(log.state().stage, Stage::OnSite);
    log.then(handler(61), Event::Resolve(step(other)));
    assert_eq!(
        log.state().stage,
        Stage::Dispatched,
        "the other lead has not even accepted"
    );
    log.worked(60, lead);
    assert_eq!(log.state().stage, Stage::Resolved);
    assert_eq!(
        log.state().assignment(support).unwrap().state,
        AssignmentState::Dispatched
    );
    log.worked(62, support);
    assert_eq!(
        log.state().stage,
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
    assert_eq!(log.state().stage, Stage::Accepted);
}

#[test]
fn a_second_return_goes_to_the_district_which_assigns_finally() {
    let mut log = Log::hazard(1);
    let first = log.dispatched(60);
    log.then(handler(60), Event::Return(give_back(first)));
    assert_eq!(log.state().stage, Stage::Returned);
    let second = log.then(dispatcher(), dispatch(61));
    log.then(handler(61), Event::Return(give_back(second)));
    assert_eq!(log.state().stage, Stage::Referred);
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
    assert_eq!(log.state().stage, Stage::Dispatched);
    let back = log.then(handler(60), Event::Return(give_back(last)));
    assert_eq!(why(&log, back), "case.final_assignment");
    log.worked(60, last);
    assert_eq!(log.state().stage, Stage::Resolved);
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
        assert_eq!(state.stage, Stage::Triaged, "seed {seed}");
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
    assert_eq!(log.state().stage, Stage::Suspended);
    assert_eq!(log.state().stage_below, Stage::Dispatched);
    log.then(handler(60), Event::Accept(step(assignment)));
    assert_eq!(log.state().stage, Stage::Suspended);
    log.then(dispatcher(), Event::Resume(bare()));
    assert_eq!(log.state().stage, Stage::Accepted);
    log.then(dispatcher(), suspend());
    log.then(volunteer(1), danger());
    assert_eq!(
        log.state().stage,
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
    assert_eq!(log.state().stage, Stage::Merged);
    let late = log.then(handler(60), Event::Resolve(step(assignment)));
    assert_eq!(why(&log, late), "case.not_now");
    log.then(dispatcher(), Event::Unmerge(bare()));
    assert_eq!(log.state().stage, Stage::Accepted);
    assert_eq!(log.state().merged_into, None);
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&log.genesis().0);
    let itself = RecordId::v8(&crate::id::Hash(hash));
    let merged = log.then(dispatcher(), merge(itself));
    assert_eq!(why(&log, merged), "case.merge_self");
}

#[test]
fn nobody_judges_own_work_nor_as_responsible_party() {
    let mut log = Log::hazard(1);
    let both = in_area(60, Role::VillageLead, &[1, 2, 3]);
    log.triaged();
    let to = Party::Member(member(60));
    let assignment = log.then(dispatcher(), dispatch_to(to, Part::Lead));
    log.then(both.clone(), Event::Accept(step(assignment)));
    log.then(both.clone(), Event::Resolve(step(assignment)));
    for judgement in [verify(true), verify(false), Event::Reopen(reasoned())] {
        let mut log = log.clone();
        let judged = log.then(both.clone(), judgement);
        assert_eq!(why(&log, judged), "may.own_work");
    }
    // A colleague of a responsible unit has done nothing, and may not either.
    let mut log = Log::resolved(1);
    let mut colleague = in_area(77, Role::VillageLead, &[1, 2, 3]);
    colleague.units = vec![unit(60)];
    let judged = log.then(colleague, verify(true));
    assert_eq!(why(&log, judged), "may.responsible_party");
    log.then(in_area(78, Role::VillageLead, &[1, 2, 3]), verify(true));
    assert_eq!(log.state().stage, Stage::Verified);
}

#[test]
fn own_work_on_another_phone_takes_the_judgement_away() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        let first = log.dispatched(60);
        let person = in_area(90, Role::VillageLead, &[1, 2, 3]);
        let second = log.then(
            dispatcher(),
            dispatch_to(Party::Member(member(90)), Part::Support),
        );
        log.then(dispatcher(), Event::Withdraw(give_back(second)));
        let third = log.then(dispatcher(), share(91));
        log.worked(60, first);
        let base = log.heads();
        // On one phone the person works for unit 91, on the other it verifies.
        let mut worker = in_unit(90, Role::Handler, 91);
        worker.device = crate::id::DeviceId([200; 16]);
        let work = log.after(&base, worker, Event::Accept(step(third)));
        let judged = log.after(&base, person, verify(true));
        let state = log.state();
        assert_eq!(state.stage, Stage::Resolved, "seed {seed}");
        assert_eq!(why(&log, judged), "case.own_work_elsewhere");
        let [
            Conflict::OwnWork {
                judgement,
                work: named,
            },
        ] = state.conflicts[..]
        else {
            panic!("seed {seed}: {:?}", state.conflicts);
        };
        assert_eq!((judgement.id, named.id), (judged, work));
    }
}

#[test]
fn nobody_acts_for_another_silently() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    let silent = log.then(dispatcher(), Event::Accept(step(assignment)));
    assert_eq!(why(&log, silent), "may.not_assigned");
    let other = Party::Unit(unit(61));
    let wrong = log.behalf(dispatcher(), Event::Accept(step(assignment)), other);
    assert_eq!(why(&log, wrong), "may.on_behalf");
    let by_worker = log.behalf(
        grid_worker(),
        Event::Accept(step(assignment)),
        Party::Unit(unit(60)),
    );
    assert_eq!(why(&log, by_worker), "may.on_behalf");
    let elsewhere = in_area(120, Role::Dispatcher, &[1, 9]);
    let far = log.behalf(
        elsewhere,
        Event::Accept(step(assignment)),
        Party::Unit(unit(60)),
    );
    assert_eq!(why(&log, far), "may.elsewhere");
    log.behalf(
        dispatcher(),
        Event::Accept(step(assignment)),
        Party::Unit(unit(60)),
    );
    let state = log.state();
    assert_eq!(state.stage, Stage::Accepted);
    assert_eq!(
        state.assignments[0].on_behalf.as_ref().unwrap().party,
        Party::Unit(unit(60))
    );
}

#[test]
fn an_event_of_a_newer_version_freezes_the_moves_but_not_the_words() {
    let mut log = Log::hazard(1);
    log.triaged();
    log.then(dispatcher(), Event::decode(9_999, 1, &[0x80]).unwrap());
    let moved = log.then(dispatcher(), dispatch(60));
    let words = log.then(volunteer(1), comment("还在"));
    let state = log.state();
    assert!(state.frozen);
    assert_eq!(state.stage, Stage::Triaged);
    assert_eq!(outcome(&log, moved), Outcome::Unjudged);
    assert_eq!(outcome(&log, words), Outcome::Effective);
}

#[test]
fn an_entry_whose_certificate_is_withheld_counts_as_permitted() {
    let mut log = Log::hazard(1);
    let words = log.then(volunteer(1), comment("现场照片"));
    for id in [log.genesis(), words] {
        let author = &mut log.entry(id).author;
        (author.member, author.grant, author.units) = (None, None, vec![]);
    }
    let state = log.state();
    assert_eq!(state.reporter, None);
    assert!(
        state
            .timeline
            .iter()
            .all(|item| item.outcome == Outcome::Effective)
    );
    assert!(state.participants.is_empty());
}

#[test]
fn effective_time_lies_between_the_parents_and_the_own_verdict() {
    let mut log = Log::hazard(1);
    let triaged = log.triaged();
    let words = log.then(volunteer(1), comment("晚报"));
    let late = log.then(volunteer(1), comment("手机时间错"));
    log.entry(triaged).verdict_at_ms = Some(5_000);
    // Done offline long before it was delivered: the phone's time stands.
    log.entry(words).clock_ms = 3_000;
    log.entry(words).verdict_at_ms = Some(90_000);
    // A clock in the future is cut at the verdict, one in the past at the parents.
    log.entry(late).clock_ms = i64::MAX;
    log.entry(late).verdict_at_ms = Some(90_000);
    let state = log.state();
    let at = |id| state.outcome(id).unwrap().effective_ms;
    assert_eq!((at(triaged), at(words), at(late)), (2_000, 3_000, 90_000));
    log.entry(late).clock_ms = i64::MIN;
    assert_eq!(log.state().outcome(late).unwrap().effective_ms, 3_000);
}

#[test]
fn the_receipt_ladder_reads_seen_and_handled() {
    let mut log = Log::hazard(1);
    log.then(grid_worker(), Event::Seen(p::Seen {}));
    assert_eq!(
        log.state().seen_ms,
        None,
        "only a dispatcher or handler counts"
    );
    log.then(dispatcher(), Event::Seen(p::Seen {}));
    log.then(other_dispatcher(), Event::Seen(p::Seen {}));
    assert_eq!(
        (log.state().seen_ms, log.state().handled_ms),
        (Some(3_000), None)
    );
    let assignment = log.dispatched(60);
    log.worked(60, assignment);
    assert_eq!(log.state().handled_ms, Some(8_000));
    log.then(volunteer(1), danger());
    assert_eq!(log.state().handled_ms, None);
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
    assert_eq!(log.state().assignments[0].deadlines.resolve_by_ms, Some(3));
    let twice = log.then(dispatcher(), grant());
    assert_eq!(why(&log, twice), "case.no_request");
}

#[test]
fn handled_on_the_spot_is_resolved_and_still_to_be_checked() {
    let mut log = Log::hazard(1);
    log.then(volunteer(1), on_spot());
    assert_eq!(
        (log.state().stage, log.state().handled_on_spot),
        (Stage::Resolved, true)
    );
    let mut own = in_area(1, Role::VillageLead, &[1, 2, 3]);
    own.member = volunteer(1).member;
    let judged = log.then(own, verify(true));
    assert_eq!(why(&log, judged), "may.own_work");
    log.then(grid_worker(), verify(false));
    assert_eq!(
        (log.state().stage, log.state().handled_on_spot),
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
    assert_eq!(state.severity, Some(expected));
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
        (state.lead_area, state.stage),
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

#[test]
fn judge_answers_for_one_entry_in_its_own_past() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    let accepted = log.then(handler(60), Event::Accept(step(assignment)));
    let candidate = |log: &mut Log, parents: &[EnvelopeId], event| {
        log.after(parents, handler(60), event);
        log.entries.pop().unwrap()
    };
    let resolve = candidate(&mut log, &[accepted], Event::Resolve(step(assignment)));
    assert_eq!(judge(&log.entries, &resolve), Ok(()));
    // The same move by an author who had not seen the acceptance.
    let early = candidate(&mut log, &[assignment], Event::Resolve(step(assignment)));
    assert_eq!(
        judge(&log.entries, &early),
        Err(Refusal::AssignmentElsewhere)
    );
    let genesis = Log::new(9, in_area(1, Role::GridWorker, &[7, 8, 9]), hazard());
    let refused = judge(&[], &genesis.entries[0]);
    assert_eq!(
        refused,
        Err(Refusal::Denied(Denied::Elsewhere)),
        "another district"
    );
}

#[test]
fn a_restricted_record_is_moved_only_by_those_who_read_it() {
    let mut facts = hazard();
    facts.audience = Audience::Restricted;
    facts.team = None;
    facts.named = vec![member(30)];
    let mut log = Log::new(1, volunteer(1), facts);
    let head = in_area(31, Role::VillageLead, &[1, 2, 3]);
    let refused = log.then(head, triage());
    assert_eq!(why(&log, refused), "may.not_readable");
    let stranger = log.then(volunteer(2), danger());
    assert_eq!(why(&log, stranger), "may.not_readable");
    let named = log.then(volunteer(30), comment("知情"));
    assert_eq!(outcome(&log, named), Outcome::Effective);
    log.triaged();
    assert_eq!(
        log.state().stage,
        Stage::Triaged,
        "the command room reads it"
    );
}

#[test]
fn a_place_has_words_but_no_lifecycle() {
    let mut facts = hazard();
    facts.kind = crate::domain::RecordKind::Place;
    let mut log = Log::new(1, grid_worker(), facts);
    let moved = log.then(dispatcher(), triage());
    assert_eq!(why(&log, moved), "may.not_a_case");
    let words = log.then(volunteer(1), comment("门锁坏了"));
    assert_eq!(outcome(&log, words), Outcome::Effective);
    let mut newer = hazard();
    newer.kind = crate::domain::RecordKind::Unknown(4);
    let log = Log::new(1, grid_worker(), newer);
    assert_eq!(why(&log, log.genesis()), "may.newer");
}

#[test]
fn a_second_genesis_and_strangers_change_nothing() {
    let mut log = Log::hazard(1);
    log.triaged();
    let before = log.state();
    log.push(&[EnvelopeId([9; 16])], dispatcher(), EntryBody::Content);
    let state = log.state();
    assert_eq!(
        state, before,
        "what does not descend from the Genesis is left out"
    );
    let heads = [log.entries[1].id];
    let second = log.push(&heads, volunteer(1), EntryBody::Genesis(hazard()));
    assert_eq!(why(&log, second), "case.second_genesis");
}
