//! Words for full-text search in Chinese and English.
//!
//! A run of Han characters is written as its overlapping pairs, and its last character once more alone;
//! other letters and digits as lower-case words. `消防通道 Gas` becomes `消防 防通 通道 道 gas`. So a query
//! of two characters and more is a phrase of pairs (an exact substring), a single character is the prefix
//! of a pair (or the last one), and a latin word matches from its start. Several words must all be there.

use crate::limits::{SEARCH_QUERY_TERMS_MAX, SEARCH_TEXT_CHARS_MAX};

/// One run of the text: Han characters, or a word of anything else.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    Han(Vec<char>),
    Word(String),
}

/// The words of a text as they go into the index. Text past [`SEARCH_TEXT_CHARS_MAX`] is not indexed.
#[must_use]
pub(super) fn index_words<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut words = String::new();
    let mut chars_left = SEARCH_TEXT_CHARS_MAX;
    for text in texts {
        let part: String = text.chars().take(chars_left).collect();
        chars_left -= part.chars().count().min(chars_left);
        for run in runs(&part) {
            match run {
                Run::Word(word) => push(&mut words, &word),
                Run::Han(han) => {
                    for pair in han.windows(2) {
                        push(&mut words, &pair.iter().collect::<String>());
                    }
                    if let Some(last) = han.last() {
                        push(&mut words, &last.to_string());
                    }
                }
            }
        }
    }
    words
}

/// Returns the FTS5 expression for a person's search text; `None` when it has no words to search for.
#[must_use]
pub(super) fn query(typed: &str) -> Option<String> {
    let terms: Vec<String> = runs(typed)
        .into_iter()
        .take(SEARCH_QUERY_TERMS_MAX)
        .map(|run| match run {
            // Only letters and digits get here, so no character needs an escape inside the quotes.
            Run::Word(word) => format!("\"{word}\" *"),
            Run::Han(han) if han.len() == 1 => format!("\"{}\" *", han[0]),
            Run::Han(han) => {
                let pairs: Vec<String> = han.windows(2).map(|pair| pair.iter().collect()).collect();
                format!("\"{}\"", pairs.join(" "))
            }
        })
        .collect();
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

fn push(words: &mut String, word: &str) {
    if !words.is_empty() {
        words.push(' ');
    }
    words.push_str(word);
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    for c in text.chars().map(narrow).flat_map(char::to_lowercase) {
        let joins = c.is_alphanumeric();
        match runs.last_mut() {
            Some(Some(Run::Han(han))) if is_han(c) => han.push(c),
            Some(Some(Run::Word(word))) if joins && !is_han(c) => word.push(c),
            _ if is_han(c) => runs.push(Some(Run::Han(vec![c]))),
            _ if joins => runs.push(Some(Run::Word(c.to_string()))),
            // A gap: the next letter starts a new run.
            _ => runs.push(None),
        }
    }
    runs.into_iter().flatten().collect()
}

/// Full-width letters, digits and signs as Chinese input methods type them, in their usual form.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    }
}

fn is_han(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}' | '\u{3005}' | '\u{3007}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rusqlite::Connection;

    use super::*;

    fn found(texts: &[&str], typed: &str) -> Vec<i64> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("migrations/0003_projections.sql"))
            .unwrap();
        for text in texts {
            conn.execute(
                "INSERT INTO record_search (words) VALUES (?1)",
                [index_words([*text])],
            )
            .unwrap();
        }
        let Some(expression) = query(typed) else {
            return Vec::new();
        };
        conn.prepare("SELECT rowid FROM record_search WHERE record_search MATCH ?1 ORDER BY rowid")
            .unwrap()
            .query_map([expression], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    const TEXTS: [&str; 6] = [
        "武林路133号无证餐饮，煤气罐五六个",
        "消防通道被电动车占用",
        "通道里有杂物，消防栓漏水",
        "Gas cylinders in an unlicensed eatery, 133 Wulin Road",
        "灭火器过期 fire extinguisher EXPIRED",
        "楼道充电 e-bike",
    ];

    #[test]
    fn chinese_words_of_two_characters_and_more_are_exact_substrings() {
        assert_eq!(found(&TEXTS, "消防"), [2, 3]);
        assert_eq!(
            found(&TEXTS, "消防通道"),
            [2],
            "not both words somewhere: the phrase"
        );
        assert_eq!(found(&TEXTS, "通道"), [2, 3]);
        assert_eq!(found(&TEXTS, "煤气"), [1]);
        assert_eq!(found(&TEXTS, "气罐五"), [1]);
        assert_eq!(found(&TEXTS, "道充"), [6]);
        assert_eq!(found(&TEXTS, "防道"), [0; 0]);
    }

    #[test]
    fn a_single_character_is_found_wherever_it_stands() {
        assert_eq!(found(&TEXTS, "火"), [5]);
        assert_eq!(found(&TEXTS, "期"), [5], "the last of its run");
        assert_eq!(found(&TEXTS, "道"), [2, 3, 6]);
        assert_eq!(found(&TEXTS, "号"), [1]);
    }

    #[test]
    fn english_words_match_by_prefix_in_any_case() {
        assert_eq!(found(&TEXTS, "gas"), [4]);
        assert_eq!(found(&TEXTS, "GAS CYL"), [4]);
        assert_eq!(found(&TEXTS, "fir"), [5]);
        assert_eq!(found(&TEXTS, "expired"), [5]);
        assert_eq!(found(&TEXTS, "ire"), [0; 0], "a prefix, no infix");
        assert_eq!(found(&TEXTS, "bike"), [6]);
    }

    #[test]
    fn several_words_must_all_be_there_whatever_their_script_and_order() {
        assert_eq!(found(&TEXTS, "消防 漏水"), [3]);
        assert_eq!(found(&TEXTS, "漏水 消防"), [3]);
        assert_eq!(found(&TEXTS, "133"), [1, 4]);
        assert_eq!(found(&TEXTS, "武林 133"), [1]);
        assert_eq!(found(&TEXTS, "武林路133号"), [1], "runs of a mixed text");
        assert_eq!(found(&TEXTS, "灭火 fire"), [5]);
        assert_eq!(found(&TEXTS, "煤气 fire"), [0; 0]);
        assert_eq!(found(&TEXTS, "１３３ Ｗｕ"), [4], "full width");
    }

    #[test]
    fn signs_of_the_query_language_mean_nothing() {
        for typed in [
            "\"",
            "*",
            "消防\" OR \"gas",
            "NOT 消防",
            "a:b",
            "(",
            "  ",
            "",
            "-",
        ] {
            let _ = found(&TEXTS, typed);
        }
        assert_eq!(found(&TEXTS, "消防* \"通道\""), [2, 3]);
        assert_eq!(query("。，"), None);
        assert!(query(&"词 ".repeat(1_000)).unwrap().matches("AND").count() < 64);
    }
}
