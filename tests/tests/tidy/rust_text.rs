//! Enough of Rust's grammar to tell code from strings and comments, line by line.

/// One source line in its parts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The code, with strings emptied and comments left out.
    pub(crate) code: String,
    /// The string literals that start on this line, without quotes, escapes as written.
    pub(crate) strings: Vec<String>,
    /// Whether the line belongs to a test.
    pub(crate) in_test: bool,
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

struct Lexer {
    chars: Vec<char>,
    out: Vec<Line>,
    state: State,
}

/// Splits a source file into lines. Tests at its end (`#[cfg(test)]` before `mod … {`) are marked.
pub(crate) fn lines(source: &str) -> Vec<Line> {
    let mut lexer = Lexer {
        chars: source.chars().collect(),
        out: vec![Line::default()],
        state: State::Code,
    };
    let mut at = 0;
    while at < lexer.chars.len() {
        if lexer.chars[at] == '\n' {
            lexer.out.push(Line::default());
        }
        at += match lexer.state {
            State::Code => lexer.code(at),
            State::LineComment => lexer.line_comment(at),
            State::BlockComment(depth) => lexer.block_comment(at, depth),
            State::Text { .. } => lexer.text(at),
        };
    }
    mark_tests(&mut lexer.out);
    lexer.out
}

/// Each step reads at one place in one state and returns the place that it reached.
impl Lexer {
    fn code(&mut self, at: usize) -> usize {
        let line = self.out.len() - 1;
        match (self.chars[at], self.chars.get(at + 1)) {
            ('/', Some('/')) => self.state = State::LineComment,
            ('/', Some('*')) => {
                self.state = State::BlockComment(1);
                return 2;
            }
            ('"', _) => self.open(None, line),
            ('r', Some('"' | '#')) if starts_raw(&self.chars, at) => {
                let hashes = self.chars[at + 1..]
                    .iter()
                    .take_while(|c| **c == '#')
                    .count();
                self.open(Some(hashes), line);
                return hashes + 2;
            }
            ('\'', _) => {
                self.out[line].code.push('\'');
                return char_literal(&self.chars, at);
            }
            ('\n', _) => {}
            (other, _) => self.out[line].code.push(other),
        }
        1
    }

    fn open(&mut self, raw_hashes: Option<usize>, started: usize) {
        self.state = State::Text {
            raw_hashes,
            started,
            content: String::new(),
        };
    }

    fn line_comment(&mut self, at: usize) -> usize {
        if self.chars[at] == '\n' {
            self.state = State::Code;
        }
        1
    }

    fn block_comment(&mut self, at: usize, depth: usize) -> usize {
        match (self.chars[at], self.chars.get(at + 1)) {
            ('/', Some('*')) => {
                self.state = State::BlockComment(depth + 1);
                2
            }
            ('*', Some('/')) => {
                self.state = if depth == 1 {
                    State::Code
                } else {
                    State::BlockComment(depth - 1)
                };
                2
            }
            _ => 1,
        }
    }

    fn text(&mut self, at: usize) -> usize {
        let State::Text {
            raw_hashes,
            started,
            content,
        } = &mut self.state
        else {
            return 1;
        };
        let here = self.chars[at];
        let hashes = raw_hashes.unwrap_or(0);
        let after = &self.chars[at + 1..];
        if here == '"' && after.iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            self.out[*started].strings.push(std::mem::take(content));
            if let Some(line) = self.out.last_mut() {
                line.code.push_str("\"\"");
            }
            self.state = State::Code;
            return hashes + 1;
        }
        content.push(here);
        if here != '\\' || raw_hashes.is_some() {
            return 1;
        }
        if let Some(escaped) = after.first() {
            content.push(*escaped);
            if *escaped == '\n' {
                self.out.push(Line::default());
            }
        }
        2
    }
}

/// Whether `r` at this place opens a raw string rather than ending a name or starting a raw identifier.
fn starts_raw(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|i| chars[i]);
    let is_prefix = before == Some('b') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let quote = chars[at + 1..].iter().find(|c| **c != '#');
    is_prefix && quote == Some(&'"')
}

/// Returns the length of a character literal, or 1 for a lifetime.
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

/// Whether `code` contains `word` as a whole word or path.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
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
