//! Templates and answers made to exhaust the machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::support::{answers, json_of, parse, question, state, today};
use crate::domain::content::FieldValue;
use crate::domain::form::{Answers, Template, evaluate};
use crate::limits::{FORM_BYTES_MAX, FORM_ITEMS_MAX, FORM_ROWS_MAX};

fn relevance(expression: &str) -> &'static str {
    let item = question("text", "a", json!({ "relevant": expression }));
    parse(json!([item])).map_or_else(|error| error.code(), |_| "")
}

#[test]
fn deep_and_long_expressions_are_refused() {
    let nested =
        |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    assert_eq!(relevance(&nested("(", ")", 30)), "");
    assert_eq!(relevance(&nested("(", ")", 900)), "form.expression_deep");
    assert_eq!(relevance(&nested("(", ")", 1_001)), "form.expression_long");
    assert_eq!(relevance(&nested("not(", ")", 390)), "form.expression_deep");
    assert_eq!(relevance(&nested("-", "", 1_000)), "form.expression_deep");
    assert_eq!(
        relevance(&nested("if(1,", ",1)", 200)),
        "form.expression_deep"
    );
    assert_eq!(relevance(&nested("1+", "", 900)), "form.expression_long");
    assert_eq!(relevance(&"(".repeat(1_900)), "form.expression_deep");
    assert_eq!(relevance(&nested("1+", "", 100)), "");
}

#[test]
fn large_and_deep_templates_are_refused() {
    let many = |count: usize| {
        let item = |index: usize| question("text", &format!("q{index}"), json!({}));
        json!((0..count).map(item).collect::<Vec<_>>())
    };
    assert!(parse(many(FORM_ITEMS_MAX)).is_ok());
    let too_many = parse(many(FORM_ITEMS_MAX + 1)).unwrap_err();
    assert_eq!(too_many.code(), "form.item_count");
    let crowd = parse(many(10_000)).unwrap_err();
    assert_eq!(crowd.code(), "form.too_large");
    let blank = vec![b' '; FORM_BYTES_MAX + 1];
    assert_eq!(
        Template::parse(&blank).unwrap_err().code(),
        "form.too_large"
    );

    let mut deep = question("text", "q", json!({}));
    for level in 0..5 {
        deep = question("section", &format!("s{level}"), json!({ "items": [deep] }));
    }
    assert_eq!(parse(json!([deep])).unwrap_err().code(), "form.too_deep");
    for bytes in [
        "[".repeat(100_000),
        "{\"format\":1,\"items\":".repeat(10_000),
    ] {
        let error = Template::parse(bytes.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "form.malformed");
    }
}

/// Each prefix and each changed byte of a template gives an error or a template, and never a panic.
#[test]
fn mutated_templates_never_panic() {
    let json = json_of(json!([
        question(
            "number",
            "a",
            json!({ "min": "1", "max": "9", "default": "3" })
        ),
        question(
            "many",
            "b",
            json!({ "list": "fruit", "relevant": "${a} > 1 and not(1 = 2)" })
        ),
    ]));
    let bytes = serde_json::to_vec(&json).unwrap();
    for length in 0..bytes.len() {
        assert!(Template::parse(&bytes[..length]).is_err());
    }
    let mut good = 0;
    for at in 0..bytes.len() {
        for byte in *b"\x00\xff\"{}[]',.9$(a-" {
            let mut changed = bytes.clone();
            changed[at] = byte;
            if let Ok(template) = Template::parse(&changed) {
                let given = answers(&template, &[("a", "5"), ("b", "apple")]);
                state(&template, &given);
                good += 1;
            }
        }
    }
    assert!(good > 100, "{good}");
}

/// The largest form that the limits allow is judged in one pass; it would not end if the cost were squared.
#[test]
fn the_largest_form_is_judged() {
    let rule = format!("{}1", "${q0} + ".repeat(120));
    let inner = |index: usize| {
        let fields = if index == 0 {
            json!({})
        } else {
            json!({ "relevant": rule, "required": "true()" })
        };
        question("number", &format!("q{index}"), fields)
    };
    let items: Vec<Value> = (0..150).map(inner).collect();
    let template = parse(json!([question(
        "repeat",
        "rows",
        json!({ "items": items })
    )]))
    .unwrap();
    let mut fields = Vec::new();
    for row in 0..FORM_ROWS_MAX + 50 {
        fields.push((format!("q0-{row:016x}"), FieldValue::Text("1".into())));
        fields.push((
            format!("rows-{row:016x}"),
            FieldValue::Text(row.to_string()),
        ));
    }
    let read = fields.iter().map(|(key, value)| (key.as_str(), value));
    let answers = Answers::read(&template, 3, read);
    let state = evaluate(&template, &answers, today()).unwrap();
    assert_eq!(state.items().len(), 1 + 150 * FORM_ROWS_MAX);
    assert_eq!(state.progress().required, 149 * FORM_ROWS_MAX);
    let rows = state.get("rows", None).unwrap().problem.as_ref().unwrap();
    assert_eq!(rows.code(), "form.too_many_rows");
    assert!(!state.is_complete());
}

/// One device adds more rows than count, with the earliest marks, and two others add a few.
#[test]
fn devices_take_turns_in_a_crowded_repeat() {
    let inner = question("text", "name", json!({}));
    let repeat = question("repeat", "rows", json!({ "items": [inner] }));
    let template = parse(json!([repeat])).unwrap();
    let (mut fields, mut devices) = (Vec::new(), BTreeMap::new());
    let all = (0..=FORM_ROWS_MAX).map(|n| (n, 1));
    for (n, device) in all.chain([(500, 2), (501, 2), (502, 3)]) {
        let key = format!("rows-{n:016x}");
        devices.insert(key.clone(), [device; 8]);
        fields.push((key, FieldValue::Text(n.to_string())));
    }
    let read = fields.iter().map(|(key, value)| (key.as_str(), value));
    let answers = Answers::read(&template, 3, read).with_row_devices(&devices);
    let state = evaluate(&template, &answers, today()).unwrap();
    let rows: Vec<u64> = state
        .items()
        .iter()
        .filter_map(|item| Some(u64::from_be_bytes(item.row?.0)))
        .collect();
    let own = FORM_ROWS_MAX as u64 - 3;
    let expected: Vec<u64> = (0..own).chain([500, 501, 502]).collect();
    assert_eq!(rows, expected, "in the order of their marks");
    assert!(state.is_complete(), "surplus rows block no one");
}

#[test]
fn surplus_answers_are_kept_and_named() {
    let template = parse(json!([question("text", "a", json!({}))])).unwrap();
    let mut fields = vec![("a".to_owned(), FieldValue::Text("甲".into()))];
    for index in 0..2_000 {
        let mut key = String::from("zz");
        let _ = write!(key, "{index}");
        fields.push((key, FieldValue::Text("x".into())));
    }
    let read = fields.iter().map(|(key, value)| (key.as_str(), value));
    let answers = Answers::read(&template, 3, read);
    let state = evaluate(&template, &answers, today()).unwrap();
    assert_eq!(state.unknown().len(), 2_000);
    assert!(state.get("a", None).unwrap().answer.is_some());
}
