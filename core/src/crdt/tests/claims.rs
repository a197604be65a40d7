//! A few bytes that claim a lot: run lengths, deflate, and many writes of one thing.

use automerge::Change;

use super::super::*;
use super::chunk::{self, Chunk, run, seal, unsigned};
use super::support::*;
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::request;
use crate::limits::{CHANGE_BYTES_MAX, CHANGE_OPS_MAX};

#[test]
fn a_deflated_change_is_not_inflated() {
    let mut document = reported();
    let raw = document
        .edit(actor(2), &[FieldEdit::text(Field::Title, "瓶".repeat(400))])
        .unwrap();
    let mut change = Change::try_from(&raw[..]).unwrap();
    let deflated = change.bytes().into_owned();
    assert!(deflated.len() < raw.len() && Change::try_from(&deflated[..]).is_ok());
    assert_eq!(refused(&document, 2, &deflated), GateError::Compressed);
    admit(&mut document, 2, &raw).unwrap();

    // 97 kB of fixed Huffman codes: a zero byte, then over and over “258 times the byte before”.
    let bomb = bits(97_000);
    let bomb = seal(2, &bomb);
    assert_eq!(inspect(&bomb), Err(GateError::Compressed));
    // A column that claims to be deflated.
    let (document, chunk) = target();
    let column = chunk
        .columns
        .iter()
        .find(|(spec, _)| *spec == chunk::VALUE)
        .unwrap()
        .1
        .clone();
    let raw = chunk
        .column(chunk::VALUE, &[])
        .column(chunk::VALUE | 8, &column)
        .raw();
    assert_eq!(refused(&document, 2, &raw), GateError::Compressed);
}

/// A deflate stream of about `len` bytes that inflates to 159 times as much.
fn bits(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let (mut byte, mut filled) = (0_u8, 0);
    let mut put = |bit: u8| {
        byte |= bit << filled;
        filled += 1;
        if filled == 8 {
            out.push(byte);
            (byte, filled) = (0, 0);
        }
        out.len()
    };
    // Last block, fixed codes, literal 0.
    for bit in [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0] {
        put(bit);
    }
    // Length 258 (code 285), distance 1.
    while [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
        .into_iter()
        .map(&mut put)
        .last()
        < Some(len)
    {}
    out
}

/// A first change of so many operations, all by run length.
fn claims(operations: i64) -> Vec<u8> {
    let count = u64::try_from(operations).unwrap();
    Chunk {
        kind: 1,
        deps: Vec::new(),
        actor: actor(2).0.to_vec(),
        seq: 1,
        start_op: 1,
        time: 0,
        message: String::new(),
        others: Vec::new(),
        columns: Vec::new(),
        trailing: Vec::new(),
    }
    .column(chunk::KEY_TEXT, &run(operations, &[1, b'a']))
    .column(chunk::INSERT, &unsigned(count))
    .column(chunk::ACTION, &run(operations, &[1]))
    .column(chunk::VALUE_META, &run(operations, &[2]))
    .column(chunk::PRED_COUNT, &run(operations, &[0]))
    .raw()
}

#[test]
fn a_few_bytes_that_claim_millions_of_operations() {
    let many = claims(50_000);
    assert!(many.len() < 80);
    assert_eq!(
        Change::try_from(&many[..]).unwrap().len(),
        50_000,
        "automerge believes it"
    );
    // Ten million operations take automerge gigabytes, and 2^40 never end, so only the gate is asked.
    let limit = i64::try_from(CHANGE_OPS_MAX).unwrap();
    for operations in [limit + 1, 50_000, 10_000_000, 1 << 40, i64::MAX] {
        let raw = claims(operations);
        assert!(raw.len() < 110, "{} bytes", raw.len());
        assert_eq!(
            inspect(&raw),
            Err(GateError::TooLarge(Limit::Operations)),
            "{operations}"
        );
    }
    assert!(inspect(&claims(limit)).is_ok());
}

#[test]
fn run_lengths_in_any_column_are_not_believed() {
    let (document, chunk) = target();
    let huge = 1_i64 << 40;
    for (spec, data) in chunk.columns.clone() {
        let rows = match spec {
            chunk::VALUE => continue,
            chunk::INSERT => unsigned(1 << 40),
            chunk::KEY_TEXT => run(huge, &[1, b'a']),
            _ => run(huge, &[1]),
        };
        for extended in [rows.clone(), [data, rows].concat()] {
            let raw = chunk.clone().column(spec, &extended).raw();
            refused(&document, 2, &raw);
        }
    }
    // One operation that replaces 2^40 values.
    let raw = chunk
        .clone()
        .column(chunk::PRED_COUNT, &run(5, &unsigned(1 << 40)))
        .raw();
    assert_eq!(
        refused(&document, 2, &raw),
        GateError::TooLarge(Limit::Operations)
    );
    // A long key, repeated by run length, is counted as often as it is repeated.
    let key = [unsigned(100).as_slice(), &[b'k'; 100]].concat();
    let wide = Chunk::of(&claims(6_000))
        .column(chunk::KEY_TEXT, &run(6_000, &key))
        .raw();
    let error = super::super::change::parse(&wide).unwrap_err();
    assert_eq!(error, GateError::TooLarge(Limit::Text));
    // The bytes are limited before anything is read.
    let fat = seal(1, &vec![0; CHANGE_BYTES_MAX]);
    assert_eq!(inspect(&fat), Err(GateError::TooLarge(Limit::Bytes)));
}

/// A change that claims `count` deletions by run length, all of one character.
fn deletions(document: &Document, count: i64) -> Vec<u8> {
    let shorter = FieldEdit::text(Field::Description, "店内有5只气瓶，无证");
    let one = document.edit(actor(2), &[shorter]).unwrap();
    let mut chunk = Chunk::of(&one);
    for (spec, data) in chunk.columns.clone() {
        let value = match spec {
            chunk::INSERT => {
                chunk = chunk.column(spec, &unsigned(u64::try_from(count).unwrap()));
                continue;
            }
            // Differences: the first counter, then nothing more.
            chunk::KEY_COUNTER | chunk::PRED_COUNTER => {
                let rest = run(count - 1, &[0]);
                chunk = chunk.column(spec, &[data, rest].concat());
                continue;
            }
            _ => &data[1..],
        };
        chunk = chunk.column(spec, &run(count, value));
    }
    chunk.raw()
}

#[test]
fn thing_written_twice_in_one_change_is_refused() {
    let document = reported();
    let twice = GateError::Unsupported("one thing is written twice in one change");
    let many = deletions(&document, 5_000);
    assert!(many.len() < 200, "{} bytes", many.len());
    assert_eq!(refused(&document, 2, &many), twice);
    let title = document
        .edit(
            actor(2),
            &[FieldEdit::text(Field::Own(&request::CONTACT), "a")],
        )
        .unwrap();
    let mut chunk = Chunk::of(&title);
    for (spec, data) in chunk.columns.clone() {
        let doubled = match spec {
            chunk::INSERT => unsigned(2),
            chunk::VALUE => b"aa".to_vec(),
            // Each was one row in a literal run.
            _ => run(2, &data[1..]),
        };
        chunk = chunk.column(spec, &doubled);
    }
    assert_eq!(refused(&document, 2, &chunk.raw()), twice);
}

#[test]
fn edit_of_one_field_twice_writes_the_last() {
    let mut document = reported();
    let edits = ["a", "b"].map(|text| FieldEdit::text(Field::Title, text));
    edit(&mut document, 2, &edits);
    let title = document.field(&Field::Title);
    assert_eq!(title, Some(FieldValue::Text("b".into())));
}

#[test]
fn header_is_read_without_writing_out_rows() {
    // 8,192 changes of 12,000 operations each would be 98 million rows if they were written out.
    let limit = i64::try_from(CHANGE_OPS_MAX).unwrap();
    let raw = claims(limit);
    for _ in 0..8_192 {
        assert_eq!(inspect(&raw).unwrap().operations(), 12_000);
    }
}
