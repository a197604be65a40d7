//! The comparison of an expected value with a found one: equality, `at_least` and `contains`.

use serde_json::Value;

/// Compares a found value with the expected one.
///
/// # Errors
/// A sentence that names the difference.
pub fn compare(expected: &Value, found: &Value) -> Result<(), String> {
    let differs = || Err(format!("expected {expected}, found {found}"));
    match expected {
        Value::Object(fields) => {
            if let Some((word, wanted)) = comparison(fields) {
                let holds = match word {
                    "at_least" => is_at_least(wanted, found),
                    _ => holds(wanted, found),
                };
                return if holds { Ok(()) } else { differs() };
            }
            for (name, wanted) in fields {
                compare(wanted, found.get(name).unwrap_or(&Value::Null))
                    .map_err(|why| format!("{name}: {why}"))?;
            }
            if found.is_object() { Ok(()) } else { differs() }
        }
        Value::Array(wanted) => match found {
            Value::Array(items) if items.len() == wanted.len() => wanted
                .iter()
                .zip(items)
                .try_for_each(|(wanted, item)| compare(wanted, item)),
            _ => differs(),
        },
        other if other == found => Ok(()),
        _ => differs(),
    }
}

/// Returns the comparison of an object with exactly one of the two words.
fn comparison(fields: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let (word, wanted) = fields.iter().next().filter(|_| fields.len() == 1)?;
    ["at_least", "contains"]
        .contains(&word.as_str())
        .then_some((word, wanted))
}

fn is_at_least(wanted: &Value, found: &Value) -> bool {
    match (wanted.as_i64(), found.as_i64()) {
        (Some(wanted), Some(found)) => found >= wanted,
        _ => false,
    }
}

fn holds(wanted: &Value, found: &Value) -> bool {
    match found {
        Value::Array(items) => items.iter().any(|item| compare(wanted, item).is_ok()),
        Value::String(text) => wanted.as_str().is_some_and(|part| text.contains(part)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expectation_holds_for_what_it_names() {
        for (expected, found) in [
            (json!(1), json!(1)),
            (json!(null), json!(null)),
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 })),
            (json!({ "a": null }), json!({})),
            (json!({ "at_least": 2 }), json!(2)),
            (json!({ "contains": "b" }), json!("abc")),
            (json!({ "contains": "b" }), json!(["a", "b"])),
            (
                json!({ "contains": { "a": 1 } }),
                json!([{ "a": 1, "b": 2 }]),
            ),
            (json!([{ "a": 1 }]), json!([{ "a": 1, "b": 2 }])),
        ] {
            assert_eq!(compare(&expected, &found), Ok(()), "{expected} {found}");
        }
    }

    #[test]
    fn expectation_fails_for_anything_else() {
        for (expected, found) in [
            (json!(1), json!(2)),
            (json!(1), json!("1")),
            (json!(null), json!(false)),
            (json!({ "a": 1 }), json!({ "b": 1 })),
            (json!({ "a": 1 }), json!(null)),
            (json!({}), json!(1)),
            (json!({ "at_least": 2 }), json!(1)),
            (json!({ "at_least": 2 }), json!("3")),
            (json!({ "contains": "d" }), json!("abc")),
            (json!({ "contains": "b" }), json!(["ab"])),
            (json!([1]), json!([1, 2])),
            (json!([1, 2]), json!([2, 1])),
        ] {
            assert!(compare(&expected, &found).is_err(), "{expected} {found}");
        }
    }
}
