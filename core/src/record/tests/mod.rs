//! The record as a whole: which envelopes are admitted, which are not, and that order never matters.

#![allow(clippy::unwrap_used, reason = "tests")]

mod convergence;
mod forged;
mod packs;
mod quotas;
mod writers;

use super::*;
use crate::crdt::FieldEdit;
use crate::domain::RecordKind;
use crate::domain::case::payload::DangerRemains;
use crate::domain::case::{Event, Stage};
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;
use crate::fixtures::*;
use crate::texts;
use crate::wire::envelope::VerifiedEnvelope;
use crate::wire::verdict::{HeldReason, VoidReason};
use writers::record_of;

pub(super) fn severity(value: i64) -> FieldEdit {
    FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(value))
}

pub(super) fn id(verified: &VerifiedEnvelope) -> EnvelopeId {
    verified.envelope().id()
}

fn id_of(genesis: &VerifiedEnvelope) -> RecordId {
    genesis.envelope().record()
}

fn outcomes(judgements: &[Judgement]) -> Vec<&Admission> {
    judgements
        .iter()
        .map(|judgement| &judgement.outcome)
        .collect()
}

#[test]
fn what_lacks_a_parent_is_named_missing_and_not_kept() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let full = record_of(&[&genesis]);
    let note = worker.act(&full, &comment("one"));
    let with_note = record_of(&[&genesis, &note]);
    let second = worker.act(&with_note, &comment("two"));

    let mut record = record_of(&[&genesis]);
    let judged = record.admit(std::slice::from_ref(&second));
    assert_eq!(outcomes(&judged), [&Admission::Missing(vec![id(&note)])]);
    assert!(record.node(id(&second)).is_none());
    let judged = record.admit(&[second.clone(), note.clone()]);
    assert_eq!(outcomes(&judged), [&Admission::Valid, &Admission::Valid]);
    let judged = record.admit(&[second.clone(), second]);
    assert_eq!(outcomes(&judged), [&Admission::Known, &Admission::Known]);
}

#[test]
fn an_envelope_of_another_record_is_not_taken() {
    let deployment = Deployment::new();
    let mut volunteer = deployment.writer(VOLUNTEER_WANG);
    let (first, second) = (volunteer.report("a"), volunteer.report("b"));
    let mut record = record_of(&[&first]);
    assert_eq!(
        outcomes(&record.admit(&[second])),
        [&Admission::OtherRecord]
    );
}

#[test]
fn one_bad_change_among_fifty_takes_only_its_own_continuation_along() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let mut batch = Vec::new();
    for n in 0..48 {
        let answer = FieldEdit::text(Field::Answer(format!("q{n}")), "yes");
        let edit = volunteer.edit(&record, &[answer]);
        assert_eq!(
            record.admit(std::slice::from_ref(&edit))[0].outcome,
            Admission::Valid
        );
        batch.push(edit);
    }
    // A worker writes one good change and builds another on it. The first is damaged on the way.
    let fresh = record_of(&[&genesis]);
    let good = fresh
        .document()
        .unwrap()
        .edit(worker.actor, &[severity(3)])
        .unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let bad = worker.raw_change(&fresh, &fresh.heads(), bad);
    let base = worker.raw_change(&fresh, &fresh.heads(), good);
    let with_base = record_of(&[&genesis, &base]);
    let next = with_base
        .document()
        .unwrap()
        .edit(worker.actor, &[severity(4)])
        .unwrap();
    let next = worker.raw_change(&with_base, &[id(&bad)], next);
    batch.insert(20, bad.clone());
    batch.insert(5, next.clone());

    let mut record = record_of(&[&genesis]);
    let judged = record.admit(&batch);
    for judgement in &judged {
        let expected = if judgement.id == id(&bad) {
            Admission::Void(VoidReason::ContentChecksum)
        } else if judgement.id == id(&next) {
            Admission::Void(VoidReason::ContentUnknownDeps)
        } else {
            Admission::Valid
        };
        assert_eq!(judgement.outcome, expected);
    }
    let document = record.document().unwrap();
    assert_eq!(document.changes().count(), 49);
    assert_eq!(
        document.field(&Field::Answer("q47".into())),
        Some(FieldValue::Text("yes".into()))
    );
}

#[test]
fn a_change_may_not_depend_on_content_that_its_envelope_had_not_seen() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let edit = volunteer.edit(&record_of(&[&genesis]), &[severity(3)]);
    let mut record = record_of(&[&genesis, &edit]);
    let change = record
        .document()
        .unwrap()
        .edit(worker.actor, &[severity(4)])
        .unwrap();
    let hidden = worker.raw_change(&record, &[id(&genesis)], change);
    let judged = record.admit(&[hidden]);
    assert_eq!(
        outcomes(&judged),
        [&Admission::Void(VoidReason::BadParents)]
    );
}

#[test]
fn an_author_who_leaves_out_its_own_past_is_not_believed() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let first = worker.act(&record, &comment("one"));
    record.admit(std::slice::from_ref(&first));
    record.set_verdict(id(&first), verdict(Status::Accepted, 5_000));
    let forked = worker.act_on(&record, &[id(&genesis)], &comment("never said it"));
    let judged = record.admit(&[forked]);
    assert_eq!(
        outcomes(&judged),
        [&Admission::Void(VoidReason::BadParents)]
    );
}

#[test]
fn the_accepted_one_of_two_clones_stays_whatever_came_first() {
    let deployment = Deployment::new();
    let mut phone = deployment.writer(VOLUNTEER_WANG);
    let genesis = phone.report("a");
    let start = record_of(&[&genesis]);
    let mut copy = deployment.writer(VOLUNTEER_WANG);
    copy.report("a");
    let first = phone.edit(&start, &[severity(3)]);
    let second = copy.edit(&start, &[severity(4)]);
    for accepted in [&first, &second] {
        let other = if id(accepted) == id(&first) {
            &second
        } else {
            &first
        };
        let mut record = record_of(&[&genesis, other]);
        record.admit(std::slice::from_ref(accepted));
        record.set_verdict(id(accepted), verdict(Status::Accepted, 5_000));
        let expected = if id(accepted) == id(&first) { 3 } else { 4 };
        let shown = record
            .document()
            .unwrap()
            .field(&Field::Own(&hazard::SEVERITY));
        assert_eq!(shown, Some(FieldValue::Number(expected)));
        assert!(!record.counts(id(other)) && record.counts(id(accepted)));
    }
}

#[test]
fn what_builds_on_a_held_envelope_waits_with_it_and_counts_once_it_is_accepted() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    record.set_verdict(id(&genesis), verdict(Status::Accepted, 1));
    let edit = volunteer.edit(&record, &[severity(4)]);
    record.admit(std::slice::from_ref(&edit));
    record.set_verdict(id(&edit), verdict(Status::Held(HeldReason::Revoked), 2));
    let note = worker.act_on(&record, &[id(&edit)], &comment("seen there"));
    let judged = record.admit(std::slice::from_ref(&note));
    assert_eq!(
        outcomes(&judged),
        [&Admission::Held(HeldReason::ParentHeld)]
    );
    assert!(!record.counts(id(&edit)) && !record.counts(id(&note)));
    assert_eq!(
        record.heads(),
        [id(&genesis)],
        "nobody builds on what is held"
    );
    let shown = |record: &Record| {
        record
            .document()
            .unwrap()
            .field(&Field::Own(&hazard::SEVERITY))
    };
    assert_eq!(shown(&record), Some(FieldValue::Number(2)));

    record.set_verdict(id(&edit), verdict(Status::Accepted, 3));
    assert!(record.counts(id(&edit)) && record.counts(id(&note)));
    assert_eq!(shown(&record), Some(FieldValue::Number(4)));
}

#[test]
fn who_is_not_named_is_believed_only_on_the_word_of_the_server() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let nameless = VerifiedEnvelope::vouched(genesis.envelope().clone());
    let mut record = Record::new(genesis.envelope().record());
    let judged = record.admit(&[nameless]);
    assert_eq!(
        outcomes(&judged),
        [&Admission::Void(VoidReason::NotPermitted)]
    );
    assert!(record.state().is_none());
    record.set_verdict(id(&genesis), verdict(Status::Accepted, 9));
    assert!(record.state().is_some() && record.document().is_some());
}

#[test]
fn an_author_goes_on_beside_what_was_held() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let first = worker.act(&record, &comment("one"));
    record.admit(std::slice::from_ref(&first));
    record.set_verdict(id(&first), verdict(Status::Held(HeldReason::Clock), 5_000));
    let second = worker.act(&record, &comment("two"));
    assert_eq!(outcomes(&record.admit(&[second])), [&Admission::Valid]);
}

/// The author cannot know of the admission while the phone is without network.
#[test]
fn work_beside_an_envelope_admitted_later_counts() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let first = worker.act(&record, &comment("one"));
    record.admit(std::slice::from_ref(&first));
    record.set_verdict(id(&first), verdict(Status::Held(HeldReason::Clock), 5_000));
    let second = worker.act(&record, &comment("two"));
    record.set_verdict(id(&first), verdict(Status::Admitted, 6_000));
    assert!(record.counts(id(&first)));
    assert_eq!(outcomes(&record.admit(&[second])), [&Admission::Valid]);
}

/// A reviewer's decision waits for an app that knows the envelope, wherever its author wrote it.
#[test]
fn held_envelope_off_its_line_needs_the_newer_app() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report_as("b", RecordKind::of_code(200));
    let mut record = Record::new(id_of(&genesis));
    record.admit(std::slice::from_ref(&genesis));
    record.set_verdict(id(&genesis), verdict(Status::Accepted, 5_000));
    let first = worker.act(&record, &comment("one"));
    let beside = worker.act(&record, &comment("two"));
    record.admit(&[first.clone(), beside.clone()]);
    record.set_verdict(id(&first), verdict(Status::Accepted, 6_000));
    record.set_verdict(id(&beside), verdict(Status::Held(HeldReason::Newer), 6_000));
    assert!(record.needs_newer(id(&beside)));
}

#[test]
fn an_older_verdict_never_replaces_a_later_one() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let mut record = record_of(&[&genesis]);
    assert!(record.set_verdict(id(&genesis), verdict(Status::Accepted, 9)));
    assert!(!record.set_verdict(id(&genesis), verdict(Status::Held(HeldReason::Revoked), 8)));
    assert!(record.counts(id(&genesis)));
}

#[test]
fn a_void_change_takes_the_content_on_it_along_but_not_the_events() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let edit = volunteer.edit(&record, &[severity(3)]);
    record.admit(std::slice::from_ref(&edit));
    let onward = worker.edit(&record, &[severity(4)]);
    record.admit(std::slice::from_ref(&onward));
    let note = worker.act(&record, &comment("still counts"));
    record.admit(std::slice::from_ref(&note));
    assert!(record.counts(id(&onward)));

    record.set_verdict(
        id(&edit),
        verdict(Status::Void(VoidReason::NotPermitted), 9),
    );
    let node = record.node(id(&onward)).unwrap();
    assert_eq!(node.judged, OwnJudgement::Void(VoidReason::VoidParent));
    assert!(record.counts(id(&note)));
    let shown = record
        .document()
        .unwrap()
        .field(&Field::Own(&hazard::SEVERITY));
    assert_eq!(shown, Some(FieldValue::Number(2)));
}

#[test]
fn a_reporter_no_longer_edits_what_has_been_accepted() {
    let deployment = Deployment::new();
    let (mut volunteer, mut room) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(DISPATCHER_ZHOU),
    );
    let mut handler = deployment.writer(HANDLER_SHEN);
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let sorted = room.act(&record, &triage());
    record.admit(std::slice::from_ref(&sorted));
    let sent = room.act(&record, &dispatch());
    record.admit(std::slice::from_ref(&sent));
    let taken = handler.act(&record, &Event::Accept(step(id(&sent))));
    record.admit(std::slice::from_ref(&taken));
    assert_eq!(record.state().unwrap().stage(), Stage::Accepted);
    let late = volunteer.edit(&record, &[severity(4)]);
    let judged = record.admit(std::slice::from_ref(&late));
    assert_eq!(outcomes(&judged), [&Admission::Void(VoidReason::MayNotOwn)]);
    let shown = record
        .document()
        .unwrap()
        .field(&Field::Own(&hazard::SEVERITY));
    assert_eq!(
        shown,
        Some(FieldValue::Number(2)),
        "what is void is not in the content"
    );
    // The same edit is fine when its author had not seen the acceptance.
    let unaware = {
        let mut early = deployment.writer(VOLUNTEER_WANG);
        early.report("a");
        early.edit(&record_of(&[&genesis]), &[severity(3)])
    };
    let mut other = record_of(&[&genesis, &sorted, &sent, &taken]);
    assert_eq!(other.admit(&[unaware])[0].outcome, Admission::Valid);
}

#[test]
fn danger_said_offline_keeps_a_case_open_that_somebody_resolved() {
    let deployment = Deployment::new();
    let (mut volunteer, mut room) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(DISPATCHER_ZHOU),
    );
    let mut handler = deployment.writer(HANDLER_SHEN);
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let sorted = room.act(&record, &triage());
    record.admit(std::slice::from_ref(&sorted));
    let sent = room.act(&record, &dispatch());
    record.admit(std::slice::from_ref(&sent));
    let taken = handler.act(&record, &Event::Accept(step(id(&sent))));
    record.admit(std::slice::from_ref(&taken));
    let offline = record_of(&[&genesis, &sorted, &sent, &taken]);
    let resolved = handler.act(&record, &Event::Resolve(step(id(&sent))));
    record.admit(std::slice::from_ref(&resolved));
    assert_eq!(record.state().unwrap().stage(), Stage::Resolved);
    let danger = Event::DangerRemains(DangerRemains {
        attachments: Vec::new(),
        text: None,
    });
    let danger = volunteer.act(&offline, &danger);
    assert_eq!(record.admit(&[danger])[0].outcome, Admission::Valid);
    let state = record.state().unwrap();
    assert!(!state.stage().is_ended() && !state.conflicts.is_empty());
}

/// A void verdict names the rule, so every new rule of the domain or the gate needs a reason.
#[test]
fn every_rule_is_a_void_reason() {
    const OTHER_ANSWERS: [&str; 12] = [
        // Edits that a phone does not make.
        "content.no_change",
        "content.too_long",
        "content.wrong_value",
        "content.no_place",
        // Limit, clone and void parent have reasons that say more to a person.
        "content.too_large",
        "content.clone",
        "content.refused_parent",
        // Overtaken envelopes are accepted; envelopes of a newer app are held.
        "case.danger_unseen",
        "case.work_unseen",
        "case.own_work_elsewhere",
        "case.step_overtaken",
        "case.newer",
    ];
    let rules = texts::codes().filter(|code| {
        let area = code.split('.').next().unwrap();
        ["may", "case", "content"].contains(&area) && !OTHER_ANSWERS.contains(code)
    });
    let missing: Vec<_> = rules
        .filter(|code| VoidReason::of_code(code).is_none())
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn kind_and_role_of_newer_app_are_held() {
    let deployment = Deployment::new();
    let newer = Admission::Held(HeldReason::Newer);
    let newcomer = VOLUNTEER_WANG.acting_as(crate::domain::Role::Unknown(99), Workplace::Town);
    let mut author = deployment.writer(newcomer);
    let mut record = Record::new(id_of(&author.report("a")));
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_ZHAO),
        deployment.writer(GRID_WORKER_LIN),
    );
    // A report under a role, or of a kind, that this version does not know.
    let mut author_again = deployment.writer(newcomer);
    let genesis = author_again.report("a");
    assert_eq!(outcomes(&record.admit(&[genesis])), [&newer]);
    assert!(record.state().is_none() && record.document().is_none());
    let dispute = volunteer.report_as("b", RecordKind::of_code(200));
    let mut record = Record::new(id_of(&dispute));
    assert_eq!(
        outcomes(&record.admit(std::slice::from_ref(&dispute))),
        [&newer]
    );

    // A word and an edit under such a role, beside a move that this version knows.
    let genesis = volunteer.report("c");
    let mut record = record_of(&[&genesis]);
    let beside = worker.act(&record, &comment("two"));
    let word = author.act(&record, &comment("one"));
    assert_eq!(outcomes(&record.admit(&[word])), [&newer]);
    let edit = author.edit(&record, &[severity(3)]);
    let judged = record.admit(&[edit, beside]);
    assert_eq!(outcomes(&judged), [&newer, &Admission::Valid]);
    let shown = record
        .document()
        .unwrap()
        .field(&Field::Own(&hazard::SEVERITY));
    assert_eq!(shown, Some(FieldValue::Number(2)));

    // A server that knows the kind has accepted the envelope. It is kept here, and needs a newer app.
    let mut record = Record::new(id_of(&dispute));
    record.admit(std::slice::from_ref(&dispute));
    record.set_verdict(id(&dispute), verdict(Status::Accepted, 5_000));
    assert!(record.state().unwrap().frozen);
    let word = worker.act(&record, &comment("three"));
    assert_eq!(outcomes(&record.admit(&[word])), [&newer]);
}
