//! Rules of the lifecycle that are neither danger nor work, each by name.

use super::support::*;
use crate::domain::case::may::Denied;
use crate::domain::case::payload::{self as p, Part, Party};
use crate::domain::case::{
    Conflict, EntryBody, Event, GenesisFacts, Outcome, Refusal, Stage, judge,
};
use crate::domain::kinds::place;
use crate::domain::{Audience, Role};
use crate::id::EnvelopeId;

#[test]
fn a_case_runs_from_reported_to_followed_up() {
    let mut log = Log::hazard(1);
    let mut stages = vec![log.state().stage()];
    let mut note = |log: &Log| stages.push(log.state().stage());
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
    let done = &state.assignments()[0];
    assert_eq!(
        (done.accepted_ms, done.arrived_ms, done.resolved_ms),
        (Some(4_000), Some(5_000), Some(6_000))
    );
    assert_eq!(state.participants.len(), 4);
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
    // A colleague of a responsible unit has done no work, and still may not judge.
    let mut log = Log::resolved(1);
    let mut colleague = in_area(77, Role::VillageLead, &[1, 2, 3]);
    colleague.units = vec![unit(60)];
    let judged = log.then(colleague, verify(true));
    assert_eq!(why(&log, judged), "may.responsible_party");
    log.then(in_area(78, Role::VillageLead, &[1, 2, 3]), verify(true));
    assert_eq!(log.state().stage(), Stage::Verified);
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
        assert_eq!(state.stage(), Stage::Resolved, "seed {seed}");
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
    assert_eq!(state.stage(), Stage::Accepted);
    assert_eq!(
        state.assignments()[0].on_behalf.as_ref().unwrap().party,
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
    let heads = log.heads();
    let edit = log.content(&heads, dispatcher());
    let state = log.state();
    assert!(state.frozen);
    assert_eq!(state.stage(), Stage::Triaged);
    assert_eq!(outcome(&log, moved), Outcome::Unjudged);
    assert_eq!(outcome(&log, words), Outcome::Effective);
    assert_eq!(outcome(&log, edit), Outcome::Effective);
}

#[test]
fn attachment_of_a_newer_type_is_unjudged() {
    let mut log = Log::hazard(1);
    let known = log.then(volunteer(1), Event::Attach(attach()));
    let mut newer = attach();
    newer.media = 99;
    let newer = log.then(volunteer(1), Event::Attach(newer));
    assert_eq!(outcome(&log, known), Outcome::Effective);
    assert_eq!(outcome(&log, newer), Outcome::Unjudged);
    assert_eq!(why(&log, newer), "case.newer");
}

/// The permission is that of a comment: only readers of the record have it.
#[test]
fn stranger_attaches_nothing() {
    let mut log = Log::hazard(1);
    let stranger = in_area(77, Role::Volunteer, &[1, 99]);
    let photo = log.then(stranger.clone(), Event::Attach(attach()));
    let words = log.then(stranger, comment("话"));
    assert_eq!(outcome(&log, photo), Outcome::Illegal);
    assert_eq!(why(&log, photo), why(&log, words));
}

#[test]
fn frozen_case_is_opened_again_by_danger() {
    for seed in 0..16 {
        let mut log = Log::resolved(seed);
        log.then(grid_worker(), verify(true));
        let base = log.heads();
        log.then(dispatcher(), Event::decode(9_999, 1, &[0x80]).unwrap());
        let warned = log.then(volunteer(1), danger());
        assert_eq!(outcome(&log, warned), Outcome::Effective);
        assert_eq!(log.state().stage(), Stage::Accepted, "seed {seed}");
        let beside = log.after(&base, volunteer(2), danger());
        assert_eq!(outcome(&log, beside), Outcome::Effective);
    }
}

#[test]
fn what_only_a_newer_version_knows_is_unjudged() {
    let newer = |n| in_area(n, Role::Unknown(99), &[1, 2]);
    let mut log = Log::hazard(1);
    log.triaged();
    let heads = log.heads();
    let by_role = log.after(&heads, newer(9), comment("话"));
    let edited = log.content(&heads, newer(9));
    for id in [by_role, edited] {
        assert_eq!(outcome(&log, id), Outcome::Unjudged);
        assert_eq!(why(&log, id), "may.newer");
    }
    let made = Log::new(1, newer(9), hazard());
    assert_eq!(outcome(&made, made.genesis()), Outcome::Unjudged);
    assert!(made.state().frozen);
    // A concurrent move is judged by its own past. It changes nothing here, and a newer app did not make it.
    let beside = log.after(&heads, dispatcher(), dispatch(60));
    assert_eq!(outcome(&log, beside), Outcome::Unjudged);
    assert_eq!(log.state().outcome(beside).unwrap().why, None);
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
fn what_is_ones_own_is_the_servers_word_where_the_reporter_is_withheld() {
    // The reporter's certificate was renewed, and this replica knows the newer one from elsewhere.
    let facts = GenesisFacts {
        team: None,
        ..hazard()
    };
    let mut log = Log::new(1, in_area(1, Role::GridWorker, &[1, 2, 3, 4]), facts);
    let elsewhere = in_area(1, Role::GridWorker, &[1, 7, 8, 9]);
    let words = log.then(elsewhere, comment("还在"));
    assert_eq!(outcome(&log, words), Outcome::Effective, "on the server");
    let author = &mut log.entry(log.genesis()).author;
    (author.member, author.grant, author.units) = (None, None, vec![]);
    assert_eq!(outcome(&log, words), Outcome::Illegal, "before its verdict");
    log.entry(words).verdict_at_ms = Some(9_000);
    assert_eq!(outcome(&log, words), Outcome::Effective);
}

#[test]
fn effective_time_lies_between_the_parents_and_the_own_verdict() {
    let mut log = Log::hazard(1);
    let triaged = log.triaged();
    let words = log.then(volunteer(1), comment("晚报"));
    let late = log.then(volunteer(1), comment("手机时间错"));
    log.entry(triaged).verdict_at_ms = Some(5_000);
    // The work was done offline long before delivery, so the phone's time holds.
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
        (log.state().seen_ms, log.state().case().unwrap().handled_ms),
        (Some(3_000), None)
    );
    let assignment = log.dispatched(60);
    log.worked(60, assignment);
    assert_eq!(log.state().case().unwrap().handled_ms, Some(8_000));
    log.then(volunteer(1), danger());
    assert_eq!(log.state().case().unwrap().handled_ms, None);
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
    // The author of the same move had not seen the acceptance.
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
        log.state().stage(),
        Stage::Triaged,
        "the command room reads it"
    );
}

#[test]
fn a_place_has_words_but_no_lifecycle() {
    let mut facts = hazard();
    facts.kind = place::KIND;
    let mut log = Log::new(1, grid_worker(), facts);
    let moved = log.then(dispatcher(), triage());
    assert_eq!(why(&log, moved), "may.not_a_case");
    let words = log.then(volunteer(1), comment("门锁坏了"));
    assert_eq!(outcome(&log, words), Outcome::Effective);
    let mut newer = hazard();
    newer.kind = crate::domain::RecordKind::of_code(200);
    let log = Log::new(1, grid_worker(), newer);
    assert_eq!(why(&log, log.genesis()), "may.newer");
    assert_eq!(outcome(&log, log.genesis()), Outcome::Unjudged);
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

#[test]
fn broken_merge_opens_the_case_with_a_conflict() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        log.triaged();
        let base = log.heads();
        let merged = log.then(dispatcher(), merge(6));
        assert_eq!(log.state().stage(), Stage::Merged);
        let undone = log.then(system(), merge_undone(merged, p::MergeFault::Dismissed));
        // A comment beside it makes branches meet.
        let beside = log.after(&base, volunteer(1), comment("话"));
        for log in [log.clone(), {
            let mut linear = log.clone();
            linear.entries.retain(|entry| entry.id != beside);
            linear
        }] {
            let state = log.state();
            assert_eq!((state.stage(), state.merged_into()), (Stage::Triaged, None));
            let [
                Conflict::BrokenMerge {
                    merge, undone: by, ..
                },
            ] = state.conflicts[..]
            else {
                panic!("seed {seed}: {:?}", state.conflicts);
            };
            assert_eq!((merge.id, by.id), (merged, undone));
            assert_eq!(merge.by, dispatcher().member);
        }
        log.then(dispatcher(), Event::Dismiss(reasoned()));
        assert_eq!(log.state().conflicts, vec![], "decided by who has seen it");
    }
}

#[test]
fn undoing_an_older_merge_leaves_the_newer_one() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        let first = log.then(dispatcher(), merge(6));
        let base = log.heads();
        log.then(dispatcher(), Event::Unmerge(bare()));
        let second = log.then(dispatcher(), merge(7));
        let undone = log.after(&base, system(), merge_undone(first, p::MergeFault::Absent));
        let state = log.state();
        if outcome(&log, undone) == Outcome::Effective {
            // The server's unmerge is first in the order, so the person's own unmerge was overtaken.
            continue;
        }
        assert_eq!(
            state.case().unwrap().merge.map(|merge| merge.id),
            Some(second)
        );
        assert!(state.conflicts.is_empty(), "seed {seed}");
    }
    let mut log = Log::hazard(1);
    let merged = log.then(dispatcher(), merge(6));
    let forged = log.then(dispatcher(), merge_undone(merged, p::MergeFault::Absent));
    assert_eq!(why(&log, forged), "may.rule");
}
