//! Saved documents: one uncompressed chunk whose rows are counted before they are read.

use super::super::*;
use super::chunk::{run, seal, unsigned};
use super::support::*;
use crate::domain::content::Field;
use crate::domain::kinds::hazard;

fn merged() -> Document {
    let mut document = reported();
    let mut other = document.clone();
    edit(
        &mut document,
        1,
        &[number(Field::Own(&hazard::SEVERITY), 3)],
    );
    let raw = edit(&mut other, 2, &[number(Field::Own(&hazard::SEVERITY), 4)]);
    admit(&mut document, 2, &raw).unwrap();
    edit(
        &mut document,
        3,
        &[FieldEdit::text(Field::Description, "店内有6只气瓶")],
    );
    document
}

#[test]
fn a_saved_document_comes_back_whole() {
    let document = merged();
    let loaded = Document::from_save(&document.save()).unwrap();
    assert_eq!(
        loaded.content(&hazard::SPEC),
        document.content(&hazard::SPEC)
    );
    assert_eq!(loaded.heads(), document.heads());
    assert_eq!(loaded.conflicts(), document.conflicts());
    assert_eq!(loaded.raw_changes().len(), 4);
}

#[test]
fn a_document_of_another_kind_is_refused() {
    let mut document = merged();
    let raw = edit(
        &mut document,
        4,
        &[FieldEdit::text(Field::Description, "长".repeat(3_000))],
    );
    let deflated = document.doc.save();
    assert!(deflated.len() < document.save().len());
    assert_eq!(
        Document::from_save(&deflated).unwrap_err(),
        GateError::Compressed
    );
    assert_eq!(
        Document::from_save(&raw).unwrap_err(),
        GateError::NotAChange
    );
    assert_eq!(Document::from_save(b"").unwrap_err(), GateError::Truncated);
    let bytes = document.save();
    assert_eq!(
        Document::from_save(&bytes[..bytes.len() - 1]).unwrap_err(),
        GateError::Truncated
    );
    let twice = [bytes.clone(), raw].concat();
    assert!(
        Document::from_save(&twice).is_err(),
        "changes after the document"
    );
    let mut wrong = bytes;
    wrong[5] ^= 1;
    assert_eq!(
        Document::from_save(&wrong).unwrap_err(),
        GateError::Checksum
    );
    let empty = automerge::Automerge::new().save_nocompress();
    assert_eq!(
        Document::from_save(&empty).unwrap_err(),
        GateError::NotGenesis
    );
}

#[test]
fn a_document_that_claims_millions_of_rows_is_refused_unread() {
    let huge = 1_i64 << 40;
    // No actors, no heads, no columns of changes, one column of operations.
    let saved = |spec: u64, data: Vec<u8>| {
        let mut body = vec![0, 0, 0, 1];
        body.extend(unsigned(spec));
        body.extend(unsigned(data.len() as u64));
        body.extend(data);
        seal(0, &body)
    };
    let columns = [
        (0x21, run(huge, &[0])),
        (0x23, run(huge, &[1])),
        (0x15, run(huge, &[1, b'a'])),
        (0x34, unsigned(1 << 40)),
        (0x42, run(huge, &[1])),
        (0x80, run(1_000, &unsigned(1 << 40))),
    ];
    for (spec, data) in columns {
        let error = Document::from_save(&saved(spec, data)).unwrap_err();
        assert_eq!(error, GateError::TooLarge(Limit::Operations), "{spec:#x}");
    }
    let text = [unsigned(1_000), vec![b'k'; 1_000]].concat();
    let error = Document::from_save(&saved(0x15, run(100_000, &text))).unwrap_err();
    assert_eq!(error, GateError::TooLarge(Limit::Text));
    let error = Document::from_save(&saved(0x56, run(100_000, &unsigned(1_000 << 4)))).unwrap_err();
    assert_eq!(error, GateError::TooLarge(Limit::Text));
}
