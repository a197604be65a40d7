//! The state of a form: relevance, required, constraints, rows, progress.

use serde_json::{Value, json};

use super::support::{answers, parse, problem, question, shown, state, today};
use crate::domain::form::{
    Answer, AnswerKey, Answers, Progress, RowId, RowMark, Template, evaluate,
};
use crate::texts::Lang;

const FIRST: RowId = RowId([0xff; 8]);
const SECOND: RowId = RowId([0x01; 8]);

fn visit() -> Template {
    parse(json!([
        question("yes_no", "home", json!({ "required": "true()" })),
        question(
            "section",
            "inside",
            json!({ "relevant": "${home} = 'yes'", "items": [
                question("number", "cylinders", json!({
                    "required": "true()", "min": "0", "max": "20",
                    "constraint": ". != 13",
                    "constraint_message": { "zh": "不能是 13", "en": "Not 13" },
                })),
                question("text", "why", json!({
                    "relevant": "${cylinders} > 5",
                    "required": "true()",
                    "constraint": "string-length(.) > 2",
                })),
            ]})
        ),
    ]))
    .unwrap()
}

/// XLSForm: “required” holds where the question is relevant; ODK removes the answers of hidden questions.
#[test]
fn hidden_questions_are_not_required_and_their_answers_do_not_count() {
    let template = visit();
    let none = answers(&template, &[]);
    let state_of_none = state(&template, &none);
    assert_eq!(problem(&state_of_none, "home", None), "form.required");
    assert!(!shown(&state_of_none, "cylinders"));
    assert_eq!(problem(&state_of_none, "cylinders", None), "");

    let hidden = answers(
        &template,
        &[("home", "no"), ("cylinders", "6"), ("why", "x")],
    );
    let hidden = state(&template, &hidden);
    assert!(hidden.is_complete());
    assert!(hidden.get("cylinders", None).unwrap().answer.is_none());
    // The hidden number is blank for others, so `why` stays hidden for two reasons.
    assert!(!shown(&hidden, "why"));
    let progress = Progress {
        answered: 1,
        required: 1,
    };
    assert_eq!(hidden.progress(), progress);

    let open = answers(&template, &[("home", "yes"), ("cylinders", "6")]);
    let open = state(&template, &open);
    assert!(shown(&open, "why"));
    assert_eq!(problem(&open, "why", None), "form.required");
    assert_eq!(
        open.progress(),
        Progress {
            answered: 2,
            required: 3
        }
    );
}

/// ODK XForms: a constraint is “only evaluated when the node is non-empty”.
#[test]
fn constraints_judge_answers_and_never_blanks() {
    let template = visit();
    let of = |cylinders: &str, why: &str| {
        let fields = [("home", "yes"), ("cylinders", cylinders), ("why", why)];
        let answers = answers(&template, &fields);
        let state = state(&template, &answers);
        (
            problem(&state, "cylinders", None),
            problem(&state, "why", None),
        )
    };
    assert_eq!(of("6", ""), ("", "form.required"));
    assert_eq!(of("6", "ab"), ("", "form.constraint"));
    assert_eq!(of("13", "abc"), ("form.constraint", ""));
    assert_eq!(of("21", "abc"), ("form.too_big", ""));
    assert_eq!(of("-1", ""), ("form.too_small", ""));
    assert_eq!(of("6.5", "abc"), ("form.too_precise", ""));
    assert_eq!(of("six", "abc"), ("form.wrong_type", ""));
    let answers = answers(&template, &[("home", "yes"), ("cylinders", "13")]);
    let state = state(&template, &answers);
    let words = state
        .get("cylinders", None)
        .unwrap()
        .problem
        .as_ref()
        .unwrap();
    assert_eq!(
        (words.say(Lang::Zh), words.say(Lang::En)),
        ("不能是 13".into(), "Not 13".into())
    );
}

#[test]
fn other_versions_are_refused() {
    let template = visit();
    for answers in [
        Answers::new(template.id().clone(), 2),
        Answers::new("other".parse().unwrap(), 3),
    ] {
        let error = evaluate(&template, &answers, today()).unwrap_err();
        assert_eq!(error.code(), "form.other_version");
    }
}

fn bottles() -> Template {
    parse(json!([
        question("number", "count", json!({})),
        question(
            "repeat",
            "bottle",
            json!({ "relevant": "${count} > 0", "items": [
                question("yes_no", "sound", json!({ "required": "true()" })),
                question("section", "details", json!({ "relevant": "${sound} = 'no'", "items": [
                    question("text", "defect", json!({ "required": "${count} > 1" })),
                ]})),
            ]})
        ),
        question(
            "note",
            "differs",
            json!({ "relevant": "count(${bottle}) != ${count}" })
        ),
    ]))
    .unwrap()
}

fn row(item: &str, row: RowId) -> AnswerKey {
    AnswerKey::in_row(item.parse().unwrap(), row)
}

#[test]
fn each_row_is_judged_with_its_own_answers() {
    let template = bottles();
    let mut answers = Answers::new(template.id().clone(), 3);
    let two = Answer::Number("2".parse_decimal());
    answers.put(AnswerKey::of("count".parse().unwrap()), two);
    answers.mark_row("bottle".parse().unwrap(), FIRST, RowMark::Added(10));
    answers.mark_row("bottle".parse().unwrap(), SECOND, RowMark::Added(20));
    answers.put(row("sound", FIRST), Answer::YesNo(false));
    answers.put(row("sound", SECOND), Answer::YesNo(true));
    let judged = state(&template, &answers);
    let order: Vec<_> = judged
        .items()
        .iter()
        .map(|s| (s.item.id.as_str(), s.row))
        .collect();
    assert_eq!(
        order,
        [
            ("count", None),
            ("bottle", None),
            ("sound", Some(FIRST)),
            ("details", Some(FIRST)),
            ("defect", Some(FIRST)),
            ("sound", Some(SECOND)),
            ("details", Some(SECOND)),
            ("defect", Some(SECOND)),
            ("differs", None),
        ]
    );
    assert_eq!(problem(&judged, "defect", Some(FIRST)), "form.required");
    assert_eq!(problem(&judged, "defect", Some(SECOND)), "");
    assert!(!shown(&judged, "differs"));
    assert_eq!(
        judged.progress(),
        Progress {
            answered: 2,
            required: 3
        }
    );

    // A hidden repeat has no rows for `count`, and none of its questions counts.
    answers.put(
        AnswerKey::of("count".parse().unwrap()),
        Answer::Number("0".parse_decimal()),
    );
    let hidden = state(&template, &answers);
    assert!(hidden.is_complete() && !shown(&hidden, "differs"));
}

/// Two people add a row each, offline; one of them removes a row while the other still writes in it.
#[test]
fn rows_of_two_people_merge() {
    let template = bottles();
    let mut both = answers(
        &template,
        &[
            ("count", "2"),
            ("bottle-0101010101010101", "20"),
            ("sound-0101010101010101", "yes"),
            ("bottle-ffffffffffffffff", "removed"),
            ("sound-ffffffffffffffff", "no"),
        ],
    );
    let judged = state(&template, &both);
    assert!(judged.get("sound", Some(SECOND)).is_some());
    assert!(
        judged.get("sound", Some(FIRST)).is_none(),
        "the removed row does not count"
    );
    let removed = [("bottle".parse().unwrap(), FIRST)];
    assert_eq!(judged.removed_rows(), removed, "and its author is told");
    assert!(shown(&judged, "differs"));
    // A row whose mark is missing exists by its answer.
    both.put(row("sound", RowId([7; 8])), Answer::YesNo(true));
    assert!(!shown(&state(&template, &both), "differs"));
}

#[test]
fn answers_survive_the_way_through_a_record() {
    let template = bottles();
    let fields = [
        ("count", "2"),
        ("bottle-0101010101010101", "20"),
        ("sound-0101010101010101", "yes"),
        ("strange", "x"),
        ("sound", "yes"),
        ("bottle", "20"),
    ];
    let read = answers(&template, &fields);
    assert_eq!(
        state(&template, &read).unknown(),
        ["bottle", "sound", "strange"]
    );
    let stored: Vec<_> = read.fields().collect();
    let stored = stored.iter().map(|(key, value)| (key.as_str(), value));
    let again = Answers::read(&template, 3, stored);
    assert_eq!(
        state(&template, &again).items(),
        state(&template, &read).items()
    );
}

#[test]
fn typed_answers_of_a_wrong_type_are_problems_too() {
    let template = visit();
    let mut answers = Answers::new(template.id().clone(), 3);
    answers.put(
        AnswerKey::of("home".parse().unwrap()),
        Answer::Text("maybe".into()),
    );
    answers.put(
        AnswerKey::of("nothing".parse().unwrap()),
        Answer::YesNo(true),
    );
    let judged = state(&template, &answers);
    assert_eq!(problem(&judged, "home", None), "form.wrong_type");
    assert_eq!(judged.unknown(), ["nothing"]);
    assert!(!shown(&judged, "cylinders"));
}

#[test]
fn defaults_fill_a_new_form_once() {
    let template = parse(json!([
        question("date", "day", json!({ "default": "today()" })),
        question(
            "one",
            "fruit",
            json!({ "list": "fruit", "default": "pear" })
        ),
        question(
            "repeat",
            "rows",
            json!({ "items": [
                question("number", "n", json!({ "default": "1" })),
            ]})
        ),
    ]))
    .unwrap();
    let of = |repeat: Option<&str>| -> Vec<Value> {
        let repeat = repeat.map(|id| id.parse().unwrap());
        let defaults = template.defaults(repeat.as_ref(), today());
        defaults
            .map(|(id, answer)| json!([id.as_str(), answer.to_text()]))
            .collect()
    };
    assert_eq!(
        of(None),
        [json!(["day", "2026-11-30"]), json!(["fruit", "pear"])]
    );
    assert_eq!(of(Some("rows")), [json!(["n", "1"])]);
}

trait ParseDecimal {
    fn parse_decimal(&self) -> crate::domain::form::Decimal;
}

impl ParseDecimal for str {
    fn parse_decimal(&self) -> crate::domain::form::Decimal {
        crate::domain::form::Decimal::parse(self).unwrap()
    }
}
