//! Plain English: habits that make a sentence hard to read are counted, and their number may only fall.
//!
//! Comments of code and the text of Markdown count; strings, code, and words between backticks do not.

use std::sync::LazyLock;

use regex::Regex;

use super::report;
use super::source::FILES;

/// Habits for each 1,000 words, at most. Lower a number when a folder has become better.
const CEILINGS: [(&str, f64); 7] = [
    ("core/", 1.0),
    ("server/", 1.0),
    ("ffi/", 1.0),
    ("mobile-bindings/", 1.0),
    ("examples/", 1.0),
    ("tests/", 1.0),
    ("docs/", 1.0),
];

/// Longest line of prose in Markdown, in characters.
const MARKDOWN_LINE_MAX: usize = 100;

/// Longest line of code in Markdown, and of Chinese, which has few places to break.
const MARKDOWN_CODE_MAX: usize = 120;

/// Longest row of a table in Markdown.
const MARKDOWN_ROW_MAX: usize = 200;

/// How a line comment begins, by the end of the file's name.
const COMMENTS: [(&str, &str); 7] = [
    (".rs", "//"),
    (".kt", "//"),
    (".swift", "//"),
    (".ts", "//"),
    (".sql", "--"),
    (".py", "#"),
    (".toml", "#"),
];

/// A free relative (“what is left”) as subject or object; a question is none.
static FREE_RELATIVE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:^|[.;:,(] )(?:what|who|whoever|whom|whose)\b",
        r"|\bwhat (?:is|was|has|had|are|were|does|did|comes?|came|builds?|waits?|stands?",
        r"|nobody|somebody|no|a|an)\b",
    ))
});

/// Further habits.
static HABITS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"\b(?:nobody|somebody|whoever|nothing but|no other than|but for|and no other)\b",
        r"\bcan not\b",
        r"\b(?:of|from|to|for|by|with|in|on) (?:which|whom)\b",
        r"(?:^|[.] )the same(?:,| with| for| as)",
        r"\b(?:go|goes|went) on\b|\btold of\b|\bfor ever\b|\bbelongs? into\b",
        r"\bthat of\b|\bthose of\b|\bby (?:it|one)sel(?:f|ves)\b",
    ]
    .map(pattern)
    .into()
});

static STANDS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bstands?\b( for| alone| behind)?"));
static CODE: LazyLock<Regex> = LazyLock::new(|| pattern("`[^`]*`"));
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern("[a-z']+"));

fn pattern(text: &str) -> Regex {
    let text = format!("(?i){text}");
    Regex::new(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether a character is Chinese, punctuation included.
fn is_chinese(letter: char) -> bool {
    matches!(letter, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// How many habits a line has.
fn habits(line: &str) -> usize {
    let relatives = FREE_RELATIVE.find_iter(line).filter(|found| {
        let sentence = line[found.end()..].split('.').next().unwrap_or_default();
        !sentence.contains('?')
    });
    let stands = STANDS
        .captures_iter(line)
        .filter(|found| found.get(1).is_none());
    let others = HABITS.iter().map(|habit| habit.find_iter(line).count());
    relatives.count() + stands.count() + others.sum::<usize>()
}

/// The prose of a file: each line with its number.
fn prose(path: &str, text: &str) -> Vec<(usize, String)> {
    let comment = COMMENTS.iter().find(|(end, _)| path.ends_with(end));
    let mut fenced = false;
    let line_of_prose = |line: &str| {
        if path.ends_with(".md") {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            return (!fenced && !fence)
                .then(|| line.trim_matches([' ', '|', '#', '*', '-', '>']).to_owned());
        }
        let comment = line.trim_start().strip_prefix(comment?.1)?;
        Some(
            comment
                .trim_start_matches(['/', '!', '#', '-'])
                .trim()
                .to_owned(),
        )
    };
    let lines: Vec<_> = text.lines().map(line_of_prose).collect();
    let numbered = (1..).zip(lines);
    numbered
        .filter_map(|(number, line)| Some((number, CODE.replace_all(&line?, "X").into_owned())))
        .collect()
}

#[test]
fn english_is_plain() {
    let mut findings = Vec::new();
    for (folder, ceiling) in CEILINGS {
        let (mut words, mut found) = (0, Vec::new());
        for file in FILES.iter().filter(|file| file.path.starts_with(folder)) {
            for (number, line) in prose(&file.path, &file.text) {
                words += WORD.find_iter(&line).count();
                for _ in 0..habits(&line) {
                    found.push(format!("{}:{number}: {line}", file.path));
                }
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let rate = 1000.0 * found.len() as f64 / words.max(1) as f64;
        if rate > ceiling {
            findings.push(format!(
                "{folder} has {rate:.2} for 1,000 words, {ceiling} are allowed:"
            ));
            findings.extend(found.into_iter().take(40));
        }
    }
    report(
        "plain English (subject first, positive, one word for one thing)",
        &findings,
    );
}

#[test]
fn markdown_lines_are_short_enough_for_a_diff() {
    let mut findings = Vec::new();
    for file in FILES.iter().filter(|file| file.path.ends_with(".md")) {
        let mut fenced = false;
        for (number, line) in (1..).zip(file.text.lines()) {
            fenced ^= line.trim_start().starts_with("```");
            let length = line.chars().count();
            let longest = if line.starts_with('|') {
                MARKDOWN_ROW_MAX
            } else if fenced || line.chars().any(is_chinese) {
                MARKDOWN_CODE_MAX
            } else {
                MARKDOWN_LINE_MAX
            };
            if length > longest {
                let at = format!("{}:{number}", file.path);
                findings.push(format!("{at}: {length} characters, {longest} are allowed"));
            }
        }
    }
    report("lines of Markdown fit a screen", &findings);
}

#[test]
fn habits_are_found_and_questions_are_left_alone() {
    assert_eq!(habits("What is left is sent."), 1);
    assert_eq!(habits("It waits for ever, and nobody can not see it."), 3);
    assert_eq!(habits("Who reads this? The command room."), 0);
    assert_eq!(
        habits("A stub stands for the envelope; it stands there."),
        1
    );
}
