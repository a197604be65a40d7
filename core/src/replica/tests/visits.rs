//! Visits on phones: two visitors without network, and a private note.

use super::server::Server;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::Audience;
use crate::domain::case::MoveInput;
use crate::domain::content::Field;
use crate::domain::kinds::note::Note;
use crate::domain::kinds::visit;
use crate::domain::steps::StepSpec;
use crate::id::RecordId;

fn make(phone: &mut FilePhone, record: RecordId, step: &StepSpec, now_ms: i64) {
    let input = MoveInput {
        reason: step.reasons.first().map(|reason| reason.name.to_owned()),
        ..MoveInput::of_step(step)
    };
    phone.replica().make_move(record, &input, now_ms).unwrap();
}

fn answer(phone: &mut FilePhone, record: RecordId, question: &str, answer: &str) {
    let edit = FieldEdit::text(Field::Answer(question.to_owned()), answer);
    phone.replica().edit(record, &[edit], NOW).unwrap();
}

/// Two grid workers start, answer and end the same visit without network. All answers are there, one end is in
/// force, and both phones show the same.
#[test]
fn two_phones_answer_one_visit_offline() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut ann, mut bo) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_XU));
    let record = ann.replica().report(&visit_draft(), NOW).unwrap();
    server.settle(&mut ann);
    server.settle(&mut bo);
    let refused = bo.replica().may_edit(record, None).unwrap();
    assert_eq!(refused.err(), Some("may.not_own"), "before the start");
    for (phone, question) in [(&mut ann, "health"), (&mut bo, "gas")] {
        make(phone, record, &visit::START, NOW + 1_000);
        answer(phone, record, question, "yes");
    }
    make(&mut ann, record, &visit::FINISH, NOW + 61_000);
    make(&mut bo, record, &visit::NOT_MET_STEP, NOW + 90_000);
    for _ in 0..2 {
        server.settle(&mut bo);
        server.settle(&mut ann);
    }
    // The answers of a visitor count after the end too.
    answer(&mut bo, record, "wish", "late");
    for _ in 0..2 {
        server.settle(&mut bo);
        server.settle(&mut ann);
    }
    for phone in [&mut ann, &mut bo] {
        let view = phone.replica().view(record).unwrap().unwrap();
        assert_eq!(
            (view.row.stage, view.row.open),
            (visit::FINISHED.code, false)
        );
        assert!(view.set_aside.is_empty(), "nothing is void");
        let state = view.state.unwrap();
        assert_eq!(visit::duration_ms(&state), Some(60_000));
        assert_eq!(state.superseded().count(), 1);
        let answers = view.content.unwrap().details().answers.clone();
        let given: Vec<&str> = answers.keys().map(String::as_str).collect();
        assert_eq!(given, ["gas", "health", "wish"]);
    }
}

#[test]
fn private_note_for_all_staff_is_refused() {
    let town = Deployment::new();
    let mut ann = town.phone(GRID_WORKER_CHEN);
    let visited = ann.replica().report(&visit_draft(), NOW).unwrap();
    let mut note = Draft::staff(Note::default().into(), home());
    note.linked = Some(visited);
    let open = ann.replica().report(&note, NOW);
    assert!(matches!(
        open,
        Err(ReplicaError::NotAllowed("may.audience"))
    ));
    note.audience = Audience::Restricted;
    let private = ann.replica().report(&note, NOW).unwrap();
    let view = ann.replica().view(private).unwrap().unwrap();
    assert_eq!(view.facts.linked, Some(visited));
    assert_eq!(ann.replica().rows().unwrap().len(), 2);
}
