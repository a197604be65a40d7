//! The people, devices and documents that the tests share.

use super::super::*;
use super::chunk::Chunk;
use crate::domain::case::Severity;
use crate::domain::content::{Content, Details, Field, FieldValue, StoredPosition};
use crate::domain::kinds::hazard;
use crate::domain::kinds::hazard::Hazard;
use crate::domain::position::{Datum, Position};
use crate::id::DeviceId;

pub(super) fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

pub(super) fn actor(n: u8) -> ActorId {
    ActorId::new(&device(n), [n; 8])
}

pub(super) fn hazard() -> Content {
    let given = Position::new(302_741_000, 1_201_551_000, Datum::Gcj02, Some(12), 3_000);
    let details = Details {
        title: Some("瓶装燃气隐患·武林路133号".into()),
        category: Some("gas".into()),
        address: Some("武林路133号".into()),
        occurred_ms: Some(1_763_000_000_000),
        position: Some(StoredPosition::of(given.unwrap())),
        description: "店内有5只气瓶，无证。".into(),
        answers: [("valve_closed".into(), "否".into())].into(),
        photos: [(crate::id::Hash([9; 32]), "门口".into())].into(),
        logs: [].into(),
    };
    Content::from(Hazard {
        details,
        severity: Some(Severity::Elevated),
    })
}

/// A record that person 1 reported.
pub(super) fn reported() -> Document {
    let raw = build_genesis(&hazard(), actor(1)).unwrap();
    Document::genesis(&raw, device(1)).unwrap()
}

/// Person `n` edits; the change goes in through the gate.
pub(super) fn edit(document: &mut Document, n: u8, edits: &[FieldEdit]) -> Vec<u8> {
    let raw = document.edit(actor(n), edits).unwrap();
    admit(document, n, &raw).unwrap();
    raw
}

pub(super) fn admit(document: &mut Document, n: u8, raw: &[u8]) -> Result<ChangeInfo, GateError> {
    document
        .admit(&[Candidate {
            raw,
            author: device(n),
        }])
        .remove(0)
}

pub(super) fn number(field: Field, value: i64) -> FieldEdit {
    FieldEdit::set(field, FieldValue::Number(value))
}

/// A change by person 2 that replaces a value, adds words and takes some away.
pub(super) fn second_change(document: &Document) -> Vec<u8> {
    let edits = [
        number(Field::Own(&hazard::SEVERITY), 4),
        FieldEdit::text(Field::Title, "abc"),
        FieldEdit::text(Field::Description, "店内有6只气瓶，无证。x"),
    ];
    document.edit(actor(2), &edits).unwrap()
}

/// The result of plain automerge for a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Refuses,
    Panics,
    /// Automerge says `Ok`, but cannot load again the document that it saves.
    NeverLoadsAgain,
    Takes,
}

pub(super) fn plain(document: &Document, raw: &[u8]) -> Plain {
    let outcome = super::super::quiet::guarded(|| {
        let change = automerge::Change::try_from(raw).ok()?;
        let mut doc = document.doc.clone();
        doc.apply_changes([change]).ok()?;
        Some(automerge::Automerge::load(&doc.save()).is_ok())
    });
    match outcome {
        None => Plain::Panics,
        Some(None) => Plain::Refuses,
        Some(Some(false)) => Plain::NeverLoadsAgain,
        Some(Some(true)) => Plain::Takes,
    }
}

/// The gate refuses the change, the document stays as it was, and an honest change still goes in.
pub(super) fn refused(document: &Document, n: u8, raw: &[u8]) -> GateError {
    let mut after = document.clone();
    let error = admit(&mut after, n, raw).unwrap_err();
    assert_eq!(after.save(), document.save(), "the document is as it was");
    admit(
        &mut after,
        9,
        &document
            .edit(actor(9), &[number(Field::Own(&hazard::SEVERITY), 1)])
            .unwrap(),
    )
    .unwrap();
    Document::from_save(&after.save()).unwrap();
    error
}

/// A document, and a change of person 2 on it, taken apart.
pub(super) fn target() -> (Document, Chunk) {
    let document = reported();
    let chunk = Chunk::of(&second_change(&document));
    assert_eq!(
        chunk.raw(),
        second_change(&document),
        "taking apart loses nothing"
    );
    (document, chunk)
}
