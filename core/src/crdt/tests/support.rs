//! What the tests share: people, their devices, and documents that they write.

use super::super::*;
use crate::domain::position::{Datum, Position};
use crate::id::DeviceId;

pub(super) fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

pub(super) fn actor(n: u8) -> ActorId {
    ActorId::new(&device(n), [n; 8])
}

pub(super) fn hazard() -> Content {
    let mut content = Content::empty(ContentKind::Hazard);
    let details = content.details_mut();
    details.title = Some("瓶装燃气隐患·武林路133号".into());
    details.category = Some("gas".into());
    details.address = Some("武林路133号".into());
    details.occurred_ms = Some(1_763_000_000_000);
    details.description = "店内有5只气瓶，无证。".into();
    let given = Position::new(302_741_000, 1_201_551_000, Datum::Gcj02, Some(12), 3_000);
    details.position = Some(StoredPosition::of(given.unwrap()));
    details.answers.insert("valve_closed".into(), "否".into());
    details
        .photos
        .insert(crate::id::Hash([9; 32]), "门口".into());
    if let Content::Hazard(hazard) = &mut content {
        hazard.severity = Some(2);
    }
    content
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
