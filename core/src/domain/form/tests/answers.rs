//! Typed answers and their spelling in a record.

use serde_json::json;

use super::support::{parse, question};
use crate::domain::content::FieldValue;
use crate::domain::form::{Answer, AnswerKey, Decimal, Template};

fn template() -> Template {
    parse(json!([
        question("text", "text", json!({})),
        question("number", "number", json!({})),
        question("one", "one", json!({ "list": "fruit" })),
        question("many", "many", json!({ "list": "fruit" })),
        question("yes_no", "yes_no", json!({})),
        question("date", "date", json!({})),
        question("time", "time", json!({})),
        question("position", "position", json!({})),
        question("photo", "photo", json!({})),
        question("note", "note", json!({})),
    ]))
    .unwrap()
}

fn read(id: &str, text: &str) -> Result<Option<Answer>, &'static str> {
    let template = template();
    let kind = &template.item(id).unwrap().kind;
    let value = FieldValue::Text(text.to_owned());
    Answer::read(&template, kind, &value).map_err(|error| error.code())
}

#[test]
fn answers_have_one_spelling() {
    let hash = "ab".repeat(32);
    for (id, text) in [
        ("text", "第一行\n第二行"),
        ("number", "-12.5"),
        ("number", "0"),
        ("one", "pear"),
        ("many", "apple fig"),
        ("yes_no", "no"),
        ("date", "2024-02-29"),
        ("date", "0001-01-01"),
        ("date", "9999-12-31"),
        ("time", "00:00"),
        ("time", "23:59"),
        ("position", "302741000,1201551000,,0,gcj02"),
        ("photo", hash.as_str()),
    ] {
        let answer = read(id, text).unwrap().unwrap();
        assert_eq!(answer.to_value(), FieldValue::Text(text.to_owned()));
        assert_eq!(read(id, ""), Ok(None), "an empty text is a cleared answer");
    }
}

#[test]
fn wrong_spellings_are_errors_never_guesses() {
    let long = "长".repeat(4_001);
    for (id, text, code) in [
        ("number", "12.50", "form.wrong_type"),
        ("number", "+1", "form.wrong_type"),
        ("number", "-0", "form.wrong_type"),
        ("number", "1e3", "form.wrong_type"),
        ("number", "１２", "form.wrong_type"),
        ("number", "9223372036855", "form.wrong_type"),
        ("number", "0.0000001", "form.wrong_type"),
        ("number", ".", "form.wrong_type"),
        ("one", "nut", "form.unknown_choice"),
        ("one", "apple pear", "form.unknown_choice"),
        ("many", "fig apple", "form.wrong_type"),
        ("many", "apple apple", "form.wrong_type"),
        ("many", "apple  fig", "form.unknown_choice"),
        ("yes_no", "true", "form.wrong_type"),
        ("date", "2025-02-29", "form.wrong_type"),
        ("date", "2025-2-9", "form.wrong_type"),
        ("date", "0000-01-01", "form.wrong_type"),
        ("time", "24:00", "form.wrong_type"),
        ("time", "9:00", "form.wrong_type"),
        ("position", "30,120", "form.wrong_type"),
        ("photo", "photo.jpg", "form.wrong_type"),
        ("note", "x", "form.wrong_type"),
        ("text", " \n", "form.wrong_type"),
        ("text", "a\u{0}b", "form.wrong_type"),
        ("text", long.as_str(), "form.answer_long"),
    ] {
        assert_eq!(read(id, text), Err(code), "{id}: {text}");
    }
    let template = template();
    let kind = &template.item("number").unwrap().kind;
    let number = Answer::read(&template, kind, &FieldValue::Number(5));
    assert_eq!(number.unwrap_err().code(), "form.wrong_type");
}

#[test]
fn entered_values_become_the_one_spelling() {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    let template = template();
    let entered = |id: &str, value: &FieldValue| {
        let key = AnswerKey::of(id.parse().unwrap());
        let entered = template.entered(&key, value);
        let spelled = entered.map(|answer| answer.map(|answer| answer.to_text()));
        spelled.map_err(|error| error.code())
    };
    for (id, value, spelled) in [
        ("number", FieldValue::Number(-3), "-3"),
        ("number", text(" 12.50 "), "12.5"),
        ("yes_no", FieldValue::Flag(false), "no"),
        ("yes_no", text("yes"), "yes"),
        ("many", text("fig  apple fig"), "apple fig"),
        ("one", text("pear"), "pear"),
        ("date", text("2024-02-29"), "2024-02-29"),
    ] {
        assert_eq!(entered(id, &value), Ok(Some(spelled.to_owned())), "{id}");
    }
    for id in [
        "text", "number", "one", "many", "yes_no", "date", "position",
    ] {
        assert_eq!(entered(id, &text(" ")), Ok(None), "{id}");
    }
    for (id, value, code) in [
        ("number", text("many"), "form.wrong_type"),
        ("number", FieldValue::Number(i64::MAX), "form.wrong_type"),
        ("number", FieldValue::Flag(true), "form.wrong_type"),
        ("yes_no", FieldValue::Number(1), "form.wrong_type"),
        ("one", text("nut"), "form.unknown_choice"),
        ("many", text("fig nut"), "form.unknown_choice"),
        ("text", FieldValue::Number(1), "form.wrong_type"),
        ("note", text("x"), "form.no_question"),
        ("colour", text("x"), "form.no_question"),
    ] {
        assert_eq!(entered(id, &value), Err(code), "{id}");
    }
}

#[test]
fn keys_name_a_question_or_a_row() {
    for key in ["gas_valve", "gas_valve-00ffab0000000001"] {
        let read: AnswerKey = key.parse().unwrap();
        assert_eq!(read.to_string(), key);
    }
    for bad in [
        "",
        "-",
        "Gas",
        "gas-",
        "gas-1",
        "gas-00FFAB0000000001",
        "gas-+0ffab0000000001",
        "gas-00ffab0000000001-1",
        "1gas",
    ] {
        assert!(bad.parse::<AnswerKey>().is_err(), "{bad}");
    }
    // The longest key is a name of a field.
    let longest = format!("{}-{:016x}", "a".repeat(40), 1);
    let key: AnswerKey = longest.parse().unwrap();
    assert!(key.to_string().len() <= 64);
}

#[test]
fn decimals_are_exact_at_the_ends_of_their_range() {
    let of = |text: &str| Decimal::parse(text);
    let largest = of("9223372036854.775807").unwrap();
    assert_eq!(largest.to_string(), "9223372036854.775807");
    assert_eq!(of("9223372036854.775808"), None);
    assert_eq!(largest.plus(of("0.000001").unwrap()), None);
    assert_eq!(largest.negated().unwrap().minus(of("1").unwrap()), None);
    assert_eq!(largest.times(largest), None);
    assert_eq!(largest.over(Decimal::ZERO), None);
    assert_eq!(largest.remainder(Decimal::ZERO), None);
    assert_eq!(largest.over(largest), of("1"));
    assert_eq!(of("0.0000015"), None);
    let half = of("0.000001").unwrap().times(of("0.5").unwrap());
    assert_eq!(half, of("0.000001"), "halves are rounded away from zero");
    assert_eq!(
        of("-0.000001").unwrap().times(of("0.5").unwrap()),
        of("-0.000001")
    );
    assert_eq!(of("007.10"), of("7.1"));
    assert_eq!(
        (of(""), of("-"), of("."), of("1.2.3")),
        (None, None, None, None)
    );
}
