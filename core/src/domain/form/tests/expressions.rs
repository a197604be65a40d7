//! The language of expressions, case by case.

use serde_json::json;

use super::support::{answers, parse, question, shown, state};

/// The truth of an expression over a form with one question of each type. The form has a blank question
/// `blank` and a repeat `row` of two rows.
fn truth(expression: &str) -> bool {
    let template = parse(json!([
        question("text", "name", json!({})),
        question("text", "blank", json!({})),
        question("number", "age", json!({ "decimals": 2 })),
        question("number", "empty", json!({})),
        question("one", "one", json!({ "list": "fruit" })),
        question("many", "many", json!({ "list": "fruit" })),
        question("yes_no", "flag", json!({})),
        question("date", "day", json!({})),
        question("time", "clock", json!({})),
        question("position", "where", json!({})),
        question(
            "repeat",
            "row",
            json!({ "items": [question("text", "inner", json!({}))] })
        ),
        question("note", "out", json!({ "relevant": expression })),
    ]))
    .unwrap_or_else(|error| panic!("{expression}: {error:?}"));
    let answers = answers(
        &template,
        &[
            ("name", "王大妈"),
            ("age", "81.5"),
            ("one", "pear"),
            ("many", "apple fig"),
            ("flag", "yes"),
            ("day", "2026-11-29"),
            ("clock", "18:00"),
            ("where", "302741000,1201551000,12,0,wgs84"),
            ("row-0000000000000001", "1"),
            ("row-0000000000000002", "2"),
        ],
    );
    shown(&state(&template, &answers), "out")
}

#[test]
fn expressions_are_true_or_false_as_in_xpath() {
    for (expression, expected) in [
        // Precedence and associativity.
        ("1 + 2 * 3 = 7", true),
        ("(1 + 2) * 3 = 9", true),
        ("10 - 4 - 3 = 3", true),
        ("-2 * -3 = 6", true),
        ("- - 2 = 2", true),
        ("true() or true() and false()", true),
        ("1 < 2 = true()", true),
        ("7 div 2 = 3.5 and 7 mod 2 = 1 and -7 mod 2 = -1", true),
        // Exact decimals.
        ("0.1 + 0.2 = 0.3", true),
        ("1 div 3 * 3 = 0.999999", true),
        ("2 div 3 = 0.666667 and -2 div 3 = -0.666667", true),
        // Answers.
        ("${age} >= 81.5 and ${age} < 82", true),
        ("${name} = '王大妈'", true),
        ("${one} = 'pear' and ${one} != 'apple'", true),
        ("${flag} = 'yes'", true),
        ("selected(${many}, 'fig')", true),
        ("selected(${many}, 'pear')", false),
        ("selected(${one}, 'pear')", true),
        ("selected(${blank}, '')", false),
        (
            "count-selected(${many}) = 2 and count-selected(${blank}) = 0",
            true,
        ),
        ("count(${row}) = 2", true),
        (
            "string-length(${name}) = 3 and string-length(${blank}) = 0",
            true,
        ),
        // Days and times.
        ("${day} = today() - 1", true),
        ("${day} < today()", true),
        ("${day} = '2026-11-29'", true),
        (
            "${day} > '2026-11-28' and ${day} < date('2026-11-30')",
            true,
        ),
        (
            "today() = date('2026-11-30') and number(today()) = 20787",
            true,
        ),
        ("date('2026-02-30') = date('2026-02-30')", false),
        ("decimal-time(${clock}) = 0.75", true),
        ("decimal-time(${name}) = decimal-time(${name})", false),
        // Functions.
        ("if(${age} > 80, 'old', 'young') = 'old'", true),
        (
            "coalesce(${empty}, 5) = 5 and coalesce(${age}, 5) = 81.5",
            true,
        ),
        ("coalesce(1 div 0, 5) = 5", true),
        ("int(-81.9) = -81 and int(81.9) = 81", true),
        ("number('12') = 12 and number(true()) = 1", true),
        ("not(false()) and not(${blank}) and not(0)", true),
        ("${where} != ''", true),
        ("\"it's\" = \"it's\"", true),
        ("true()and true()", true),
    ] {
        assert_eq!(truth(expression), expected, "{expression}");
    }
}

/// ODK: an empty value is not converted to zero, and a calculation with it is “not a number”.
#[test]
fn blank_compares_as_in_odk() {
    for (expression, expected) in [
        ("${empty} = ''", true),
        ("${empty} = ${blank}", true),
        ("${empty} = 0", false),
        ("${empty} != 0", true),
        ("${empty} != 'yes'", true),
        ("${empty} < 5", false),
        ("${empty} >= 5", false),
        ("${empty} + 1 = 1", false),
        ("${empty} + 1 > 0", false),
        ("${empty} + 1 = ''", false),
        ("${empty} + 1 != 1", true),
        ("${empty}", false),
        ("${blank} = false()", true),
    ] {
        assert_eq!(truth(expression), expected, "{expression}");
    }
}

#[test]
fn division_by_zero_and_overflow_are_no_number() {
    for expression in [
        "1 div 0 = 1 div 0",
        "1 div 0 > 0",
        "1 mod 0 < 1",
        "-1 div 0 < 0",
        "9000000000000 + 9000000000000 > 0",
        "9000000000000 * 9000000000000 > 0",
        "-9000000000000 - 9000000000000 < 0",
        "9000000000000 div 0.000001 > 0",
        "number('9999999999999999999') > 0",
        "number('1.0000001') > 0",
        "date(99999999999) > 0",
        "1 div 0",
    ] {
        assert!(!truth(expression), "{expression}");
    }
    assert!(truth("1 div 0 != 1 div 0"));
}
