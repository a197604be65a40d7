//! Templates: bytes, errors, order.

use serde_json::{Value, json};

use super::support::{json_of, parse, question};
use crate::domain::form::{Template, TemplateError};
use crate::texts::Lang;

fn code(items: Value) -> &'static str {
    parse(items).unwrap_err().code()
}

fn code_of(json: &Value) -> &'static str {
    let error = Template::parse(&serde_json::to_vec(json).unwrap()).unwrap_err();
    for lang in Lang::ALL {
        let said = error.say(lang);
        assert!(!said.contains('{') && said != error.code(), "{said}");
    }
    error.code()
}

#[test]
fn canonical_bytes_do_not_depend_on_the_spelling() {
    let template = parse(json!([
        question(
            "number",
            "age",
            json!({ "min": "0", "max": "0150.50", "decimals": 2 })
        ),
        question(
            "section",
            "more",
            json!({ "relevant": "${age} > 3", "items": [
                question("date", "day", json!({ "default": "today()" })),
            ]})
        ),
    ]))
    .unwrap();
    let bytes = template.to_bytes();
    assert!(
        String::from_utf8(bytes.clone())
            .unwrap()
            .contains(r#""max":"150.5""#)
    );
    let again = Template::parse(&bytes).unwrap();
    assert_eq!(again, template);
    assert_eq!(again.to_bytes(), bytes);
    let spaced: Value = serde_json::from_slice(&bytes).unwrap();
    let spaced = serde_json::to_vec_pretty(&spaced).unwrap();
    assert_ne!(spaced, bytes);
    assert_eq!(Template::parse(&spaced).unwrap().hash(), template.hash());
}

#[test]
fn newer_templates_are_told_from_wrong_ones() {
    let mut json = json_of(json!([question("text", "a", json!({}))]));
    json["format"] = json!(2);
    json["shape"] = json!("unknown");
    assert_eq!(code_of(&json), "form.newer");
    json["format"] = json!(1);
    assert_eq!(code_of(&json), "form.newer");
    assert_eq!(
        code(json!([question("hologram", "a", json!({}))])),
        "form.newer"
    );
    let field = parse(json!([question("text", "a", json!({ "colour": "red" }))]));
    let part = "colour".to_owned();
    assert_eq!(field.unwrap_err(), TemplateError::Newer { part });
    let nested = question("text", "a", json!({ "hint": { "zh": "甲", "fr": "a" } }));
    assert_eq!(code(json!([nested])), "form.newer");
}

#[test]
#[allow(clippy::too_many_lines, reason = "one line for each kind of error")]
fn wrong_templates_name_the_item_and_the_reason() {
    let text = |id: &str, more: Value| question("text", id, more);
    for (items, expected) in [
        (json!([]), "form.item_count"),
        (json!([text("A", json!({}))]), "form.bad_name"),
        (json!([text("a-b", json!({}))]), "form.bad_name"),
        (json!([text(&"a".repeat(41), json!({}))]), "form.bad_name"),
        (
            json!([text("a", json!({})), text("a", json!({}))]),
            "form.duplicate",
        ),
        (
            json!([text("a", json!({ "label": { "zh": " " } }))]),
            "form.bad_words",
        ),
        (
            json!([text("a", json!({ "hint": { "zh": "x".repeat(1_001) } }))]),
            "form.bad_words",
        ),
        (
            json!([text("a", json!({ "list": "fruit" }))]),
            "form.misplaced_field",
        ),
        (
            json!([text("a", json!({ "min": "1" }))]),
            "form.misplaced_field",
        ),
        (
            json!([text("a", json!({ "items": [] }))]),
            "form.misplaced_field",
        ),
        (
            json!([text("a", json!({ "constraint_message": { "zh": "a" } }))]),
            "form.misplaced_field",
        ),
        (
            json!([question("note", "a", json!({ "required": "true()" }))]),
            "form.misplaced_field",
        ),
        (
            json!([question("one", "a", json!({}))]),
            "form.missing_field",
        ),
        (
            json!([question("section", "a", json!({}))]),
            "form.missing_field",
        ),
        (
            json!([question("section", "a", json!({ "items": [] }))]),
            "form.missing_field",
        ),
        (
            json!([question("many", "a", json!({ "list": "nuts" }))]),
            "form.unknown_list",
        ),
        (
            json!([question("number", "a", json!({ "min": "2", "max": "1" }))]),
            "form.bad_range",
        ),
        (
            json!([question("number", "a", json!({ "min": "two" }))]),
            "form.bad_range",
        ),
        (
            json!([question("number", "a", json!({ "decimals": 7 }))]),
            "form.bad_range",
        ),
        (
            json!([question(
                "number",
                "a",
                json!({ "max": "5", "default": "6" })
            )]),
            "form.bad_default",
        ),
        (
            json!([question(
                "one",
                "a",
                json!({ "list": "fruit", "default": "nut" })
            )]),
            "form.bad_default",
        ),
        (
            json!([question("date", "a", json!({ "default": "2026-02-30" }))]),
            "form.bad_default",
        ),
        (
            json!([text("a", json!({ "relevant": "1 +" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "" }))]),
            "form.expression_long",
        ),
        (
            json!([text("a", json!({ "relevant": "'open" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "1 1" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "(1" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "1)" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "1.2.3 = 1" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "#" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "${a" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "/data/a = 1" }))]),
            "form.syntax",
        ),
        (
            json!([text("a", json!({ "relevant": "regex(1, 2)" }))]),
            "form.unknown_function",
        ),
        (
            json!([text("a", json!({ "relevant": "selected(1)" }))]),
            "form.wrong_arguments",
        ),
        (
            json!([text("a", json!({ "relevant": "true(1)" }))]),
            "form.wrong_arguments",
        ),
        (
            json!([text("a", json!({ "relevant": "not()" }))]),
            "form.wrong_arguments",
        ),
        (
            json!([text("a", json!({ "relevant": "count(1)" }))]),
            "form.wrong_arguments",
        ),
        (
            json!([text("a", json!({ "relevant": "${b}" }))]),
            "form.unknown_reference",
        ),
        (
            json!([text("a", json!({ "relevant": ". = 1" }))]),
            "form.no_own_value",
        ),
    ] {
        let shown = items.to_string();
        let json = json_of(items);
        assert_eq!(code_of(&json), expected, "{shown}");
    }
    let mut json = json_of(json!([text("a", json!({}))]));
    json["version"] = json!(0);
    assert_eq!(code_of(&json), "form.bad_count");
    json["version"] = json!(1);
    json["next_visit"] = json!({ "days": 1, "working_days": 1 });
    assert_eq!(code_of(&json), "form.bad_count");
    json["next_visit"] = json!({ "days": 1 });
    json["lists"] = json!([{ "id": "empty", "choices": [] }]);
    assert_eq!(code_of(&json), "form.choice_count");
    let twice = json!({ "id": "x", "label": { "zh": "甲" } });
    json["lists"] = json!([{ "id": "twice", "choices": [twice, twice] }]);
    assert_eq!(code_of(&json), "form.duplicate");
}

#[test]
fn references_into_a_repeat_stay_inside_it() {
    let repeat = |id: &str, inner: Value| question("repeat", id, json!({ "items": [inner] }));
    let inner = question("text", "inner", json!({}));
    let outside = question("text", "out", json!({ "relevant": "${inner} = 1" }));
    assert_eq!(
        code(json!([repeat("row", inner.clone()), outside])),
        "form.repeat_reference"
    );
    let other = question("text", "other", json!({ "relevant": "${inner} = 1" }));
    assert_eq!(
        code(json!([repeat("row", inner.clone()), repeat("row2", other)])),
        "form.repeat_reference"
    );
    let whole = question("text", "out", json!({ "relevant": "${row} = 1" }));
    assert_eq!(
        code(json!([repeat("row", inner.clone()), whole])),
        "form.repeat_reference"
    );
    let nested = repeat("outer", repeat("row", inner));
    assert_eq!(code(json!([nested])), "form.too_deep");
}

#[test]
fn relevance_in_a_circle_names_the_circle() {
    let rule =
        |id: &str, of: &str| question("text", id, json!({ "relevant": format!("${{{of}}} = 1") }));
    let circle = parse(json!([
        rule("a", "b"),
        rule("b", "c"),
        rule("c", "b"),
        rule("d", "a")
    ]));
    let TemplateError::Loop { items } = circle.unwrap_err() else {
        panic!("a circle");
    };
    assert_eq!(items, ["b", "c"]);
    assert_eq!(code(json!([rule("a", "a")])), "form.loop");
    let inside = question(
        "section",
        "s",
        json!({
            "relevant": "${a} = 1",
            "items": [question("text", "a", json!({}))],
        }),
    );
    assert_eq!(code(json!([inside])), "form.loop");
    // A later question may decide about an earlier one, and constraints may look at each other.
    let forward = parse(json!([
        rule("a", "b"),
        question("number", "b", json!({ "constraint": ". < ${c}" })),
        question("number", "c", json!({ "constraint": ". > ${b}" })),
    ]));
    assert!(forward.is_ok());
}
