#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn errors(table: &str) -> Vec<(usize, &'static str)> {
    let bad = Categories::built_in().merge_table(table);
    bad.into_iter()
        .map(|bad| (bad.line, bad.error.code()))
        .collect()
}

#[test]
fn the_built_in_table_is_valid_bilingual_and_invents_no_standard_code() {
    let mut categories = Categories::default();
    assert_eq!(categories.merge_table(BUILT_IN), Vec::new());
    assert_eq!(categories.classes().count(), 6);
    for category in categories.iter() {
        let names = &category.names;
        assert_ne!(
            names.en(),
            names.zh(),
            "{} has no English name",
            category.code
        );
        assert_eq!(category.standard_code, None, "{}", category.code);
    }
    for class in categories.classes() {
        assert!(
            categories.of_class(class.code.as_str()).count() > 0,
            "{} is empty",
            class.code
        );
    }
    let wanted = "gas fire_lane ebike building wire tree crowd noise burst_pipe road water fire";
    assert!(wanted.split(' ').all(|code| categories.get(code).is_some()));
}

#[test]
fn an_administrator_adds_renames_and_gives_a_standard_code() {
    let mut categories = Categories::built_in();
    let table =
        "\u{feff}# ours\nlift\tsafety\t电梯隐患\tLift hazard\ngas\tsafety\t燃气\tGas\t0512\n";
    assert_eq!(categories.merge_table(table), Vec::new());
    assert_eq!(categories.get("lift").unwrap().names.zh(), "电梯隐患");
    assert_eq!(
        categories.get("gas").unwrap().standard_code.as_deref(),
        Some("0512")
    );
}

#[test]
fn every_bad_line_is_named_and_the_good_ones_are_taken() {
    let table = "lift\tsafety\t电梯\tLift\n\
                 Lift\tsafety\t电梯\tLift\n\
                 a\tnothing\t甲\tA\n\
                 b\tgas\t乙\tB\n\
                 c\tsafety\n\
                 lift\tsafety\t电梯\tLift\n\
                 safety\tenvironment\t安全\tSafety\n\
                 d\tsafety\t\tD\n\
                 e\tsafety\t戊\tE\t1-2\n";
    let expected = [
        (2, "category.bad_code"),
        (3, "category.unknown_class"),
        (4, "category.unknown_class"),
        (5, "category.bad_columns"),
        (6, "category.duplicate"),
        (7, "category.class_changed"),
        (8, "name.empty"),
        (9, "category.bad_standard_code"),
    ];
    assert_eq!(errors(table), expected);
    let mut categories = Categories::built_in();
    categories.merge_table(table);
    assert!(categories.get("lift").is_some());
}

#[test]
fn a_table_beyond_the_limits_is_refused() {
    let many: Vec<String> = (0..CATEGORIES_MAX)
        .map(|n| format!("x{n}\tsafety\t项\tItem"))
        .collect();
    let many = many.join("\n");
    assert_eq!(
        errors(&many).last(),
        Some(&(CATEGORIES_MAX, "category.too_many"))
    );
    let long = "#".repeat(CATEGORY_TABLE_BYTES_MAX + 1);
    assert_eq!(errors(&long), [(1, "category.too_many")]);
}
