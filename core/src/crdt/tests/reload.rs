//! The last layer alone: with all structural checks left out, the document that automerge makes of a change
//! must still survive being saved and loaded before it replaces the old one.

use super::super::change::parse;
use super::super::*;
use super::chunk::{self, Chunk, run};
use super::support::*;
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;

/// Hands a change to automerge past all structural checks.
fn blindly(document: &Document, raw: &[u8]) -> (Document, Result<(), GateError>) {
    let mut after = document.clone();
    let parsed = parse(raw).unwrap();
    after.history.push_blindly(&parsed);
    let result = after.apply(&[raw]);
    (after, result)
}

#[test]
fn a_panic_and_a_document_that_never_loads_again_end_before_the_swap() {
    let document = reported();
    let honest = second_change(&document);
    let (after, result) = blindly(&document, &honest);
    assert_eq!(result, Ok(()), "the layer lets honest changes through");
    assert_eq!(
        after.field(&Field::Own(&hazard::SEVERITY)),
        Some(FieldValue::Number(4))
    );

    let chunk = Chunk::of(&honest);
    let panics = chunk
        .clone()
        .column(chunk::KEY_COUNTER, &[0, 2, 0x7d, 0x0e, 1, 7])
        .raw();
    assert_eq!(plain(&document, &panics), Plain::Panics);
    let lost = chunk
        .clone()
        .column(chunk::PRED_COUNTER, &[0x7d, 7, 0x7b, 12])
        .raw();
    assert_eq!(plain(&document, &lost), Plain::NeverLoadsAgain);
    let mut stale = chunk.clone();
    stale.start_op = 1;
    let mut waiting = chunk;
    waiting.deps = vec![crate::id::Hash([0xee; 32])];
    for raw in [panics, lost, stale.raw(), waiting.raw()] {
        let (after, result) = blindly(&document, &raw);
        assert_eq!(result, Err(GateError::Rejected));
        assert_eq!(after.save(), document.save());
    }
}

#[test]
fn change_in_another_form_would_get_another_hash() {
    let document = reported();
    let raw = document
        .edit(actor(2), &[number(Field::Own(&hazard::SEVERITY), 4)])
        .unwrap();
    // One row as a run of one rather than as a literal, so the same operation in other bytes.
    let other = Chunk::of(&raw).column(chunk::ACTION, &run(1, &[1])).raw();
    assert_ne!(raw, other);
    assert_eq!(plain(&document, &other), Plain::NeverLoadsAgain);
    let long = GateError::Malformed("a column is not in its shortest form");
    assert_eq!(refused(&document, 2, &other), long);
}
