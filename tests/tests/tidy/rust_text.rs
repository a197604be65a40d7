//! Enough of Rust's grammar to tell code from strings and comments, line by line.

/// One source line, taken apart.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Line {
    /// The code, with strings emptied and comments left out.
    pub code: String,
    /// The string literals that start on this line, without quotes, escapes as written.
    pub strings: Vec<String>,
    /// Whether the line belongs to a test.
    pub in_test: bool,
}

enum State {
    Code,
    LineComment,
    BlockComment(usize),
    Text {
        raw_hashes: Option<usize>,
        started: usize,
        content: String,
    },
}

/// Takes a source file apart. Tests at its end (`#[cfg(test)]` before `mod … {`) are marked.
pub fn lines(source: &str) -> Vec<Line> {
    let mut out = vec![Line::default()];
    let chars: Vec<char> = source.chars().collect();
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let here = chars[at];
        let next = chars.get(at + 1).copied();
        if here == '\n' {
            out.push(Line::default());
        }
        let line = out.len() - 1;
        let mut step = 1;
        match &mut state {
            State::Code => match (here, next) {
                ('/', Some('/')) => state = State::LineComment,
                ('/', Some('*')) => {
                    state = State::BlockComment(1);
                    step = 2;
                }
                ('"', _) => state = text(None, line),
                ('r', Some('"' | '#')) if starts_raw(&chars, at) => {
                    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                    state = text(Some(hashes), line);
                    step = hashes + 2;
                }
                ('\'', _) => {
                    step = char_literal(&chars, at);
                    out[line].code.push('\'');
                }
                ('\n', _) => {}
                _ => out[line].code.push(here),
            },
            State::LineComment => {
                if here == '\n' {
                    state = State::Code;
                }
            }
            State::BlockComment(depth) => match (here, next) {
                ('/', Some('*')) => {
                    *depth += 1;
                    step = 2;
                }
                ('*', Some('/')) => {
                    *depth -= 1;
                    step = 2;
                    if *depth == 0 {
                        state = State::Code;
                    }
                }
                _ => {}
            },
            State::Text {
                raw_hashes,
                started,
                content,
            } => {
                let closing = raw_hashes.unwrap_or(0);
                let closes = here == '"'
                    && chars[at + 1..]
                        .iter()
                        .take(closing)
                        .filter(|c| **c == '#')
                        .count()
                        == closing;
                if closes {
                    out[*started].strings.push(std::mem::take(content));
                    out[line].code.push_str("\"\"");
                    step = closing + 1;
                    state = State::Code;
                } else if here == '\\' && raw_hashes.is_none() {
                    content.push(here);
                    if let Some(escaped) = next {
                        content.push(escaped);
                        if escaped == '\n' {
                            out.push(Line::default());
                        }
                    }
                    step = 2;
                } else {
                    content.push(here);
                }
            }
        }
        at += step;
    }
    mark_tests(&mut out);
    out
}

fn text(raw_hashes: Option<usize>, started: usize) -> State {
    State::Text {
        raw_hashes,
        started,
        content: String::new(),
    }
}

/// Whether `r` at this place opens a raw string rather than ending a name or starting a raw identifier.
fn starts_raw(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|i| chars[i]);
    let is_prefix = before == Some('b') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let quote = chars[at + 1..].iter().find(|c| **c != '#');
    is_prefix && quote == Some(&'"')
}

/// Length of a character literal, or 1 for a lifetime.
fn char_literal(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let close = chars[at + 3..].iter().take(12).position(|c| *c == '\'');
            close.map_or(1, |distance| distance + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
}

fn mark_tests(lines: &mut [Line]) {
    let start = (0..lines.len()).find(|at| {
        lines[*at].code.trim() == "#[cfg(test)]"
            && lines[at + 1..]
                .iter()
                .map(|line| line.code.trim())
                .find(|code| !code.is_empty() && !code.starts_with("#["))
                .is_some_and(|code| code.contains("mod ") && code.ends_with('{'))
    });
    if let Some(start) = start {
        for line in &mut lines[start..] {
            line.in_test = true;
        }
    }
}

/// Whether `word` stands in `code` as a whole word or path.
pub fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[test]
fn strings_comments_and_tests_are_told_apart() {
    let source = "let a = \"x // y\"; // \"no\"\n/* \"no\n*/ let b = r#\"q \" q\"#;\nlet c = '\"';\n\
        let d = b\"z\\\" z\"; fn f<'a>() {}\n#[cfg(test)]\nmod tests {\n    fn t() { \"t\"; }\n}\n";
    let found = lines(source);
    let strings: Vec<&str> = found
        .iter()
        .flat_map(|l| &l.strings)
        .map(String::as_str)
        .collect();
    assert_eq!(strings, ["x // y", "q \" q", "z\\\" z", "t"]);
    assert!(found[3].code.contains("let c"));
    assert!(found[4].code.contains("fn f<"));
    assert_eq!(found.iter().position(|l| l.in_test), Some(5));
    assert!(has_word("use std::fs::File;", "std::fs") && !has_word("std::fsx", "std::fs"));
}
