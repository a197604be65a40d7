//! Lines of CSV (RFC 4180) that no spreadsheet takes for formulas.

use serde_json::{Map, Value};

/// Tells programs that the table is in UTF-8.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Characters that begin a formula in a spreadsheet, also in full-width form. A text that begins with one of
/// them gets an apostrophe before it.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Header line with these headings.
pub(super) fn head(headings: &[String]) -> String {
    format!("{}\r\n", headings.join(","))
}

/// One line with the values of these columns.
pub(super) fn line(columns: &[&str], values: &Map<String, Value>) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|column| values.get(*column).map(cell).unwrap_or_default())
        .collect();
    format!("{}\r\n", cells.join(","))
}

/// The text of a value in a cell.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            items.join("/")
        }
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn cell(value: &Value) -> String {
    let text = plain(value);
    // The server computes all numbers, and a minus before a number starts no formula.
    if value.is_number() || value.is_boolean() || text.is_empty() {
        return text;
    }
    let safe = if text.trim_start_matches(' ').starts_with(FORMULA) {
        format!("'{text}")
    } else {
        text
    };
    if safe.contains(['"', ',', '\r', '\n', '\'', ';']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_becomes_a_formula_and_every_cell_stays_one_cell() {
        for (value, written) in [
            (json!("五六个煤气罐"), "五六个煤气罐"),
            (json!("=1+1"), "\"'=1+1\""),
            (json!("  @SUM(A1)"), "\"'  @SUM(A1)\""),
            (json!("-2+3"), "\"'-2+3\""),
            (json!("＝cmd|' /C calc'!A0"), "\"'＝cmd|' /C calc'!A0\""),
            (json!("\t=1"), "\"'\t=1\""),
            (
                json!("says \"no\", twice\r\n"),
                "\"says \"\"no\"\", twice\r\n\"",
            ),
            (json!(-1_201_000_000), "-1201000000"),
            (json!(null), ""),
            (json!(["a", "b"]), "a/b"),
            (json!({}), ""),
            (json!({ "q": "=1" }), "\"{\"\"q\"\":\"\"=1\"\"}\""),
        ] {
            assert_eq!(cell(&value), written);
        }
        let values = [("a".to_owned(), json!(1)), ("c".to_owned(), json!("x,y"))];
        let values = values.into_iter().collect();
        assert_eq!(line(&["a", "b", "c"], &values), "1,,\"x,y\"\r\n");
    }
}
