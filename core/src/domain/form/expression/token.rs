//! The tokens of an expression.

use super::super::decimal::Decimal;
use super::Operator;
use super::error::ExpressionError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Number(Decimal),
    Text(&'a str),
    /// `${name}`.
    Reference(&'a str),
    /// `.`.
    Own,
    /// The name of a function, or of an operator such as `and`.
    Word(&'a str),
    Operator(Operator),
    Open,
    Close,
    Comma,
}

/// Reads the next token at or after byte `at`, with the byte after it; `None` at the end.
pub(super) fn next(text: &str, at: usize) -> Result<Option<(Token<'_>, usize)>, ExpressionError> {
    let skipped = text[at..].len() - text[at..].trim_start().len();
    let at = at + skipped;
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else {
        return Ok(None);
    };
    let (token, length) = match first {
        '(' => (Token::Open, 1),
        ')' => (Token::Close, 1),
        ',' => (Token::Comma, 1),
        '\'' | '"' => text_token(rest, first).ok_or(ExpressionError::Syntax { at })?,
        '$' => reference(rest).ok_or(ExpressionError::Syntax { at })?,
        '0'..='9' | '.' => number(rest).ok_or(ExpressionError::Syntax { at })?,
        'a'..='z' | 'A'..='Z' | '_' => {
            let word = |c: char| c.is_ascii_alphanumeric() || "_-:".contains(c);
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            (Token::Word(&rest[..length]), length)
        }
        _ => {
            let (operator, length) = operator(rest).ok_or(ExpressionError::Syntax { at })?;
            (Token::Operator(operator), length)
        }
    };
    Ok(Some((token, at + length)))
}

fn text_token(rest: &str, quote: char) -> Option<(Token<'_>, usize)> {
    let end = rest[1..].find(quote)?;
    Some((Token::Text(&rest[1..=end]), end + 2))
}

fn reference(rest: &str) -> Option<(Token<'_>, usize)> {
    let inner = rest.strip_prefix("${")?;
    let end = inner.find('}')?;
    Some((Token::Reference(inner[..end].trim()), end + 3))
}

fn number(rest: &str) -> Option<(Token<'_>, usize)> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let length = rest.find(|c| !digits(c)).unwrap_or(rest.len());
    if &rest[..length] == "." {
        return Some((Token::Own, length));
    }
    Some((Token::Number(Decimal::parse(&rest[..length])?), length))
}

fn operator(rest: &str) -> Option<(Operator, usize)> {
    let known = [
        ("!=", Operator::Unequal),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("+", Operator::Plus),
        ("-", Operator::Minus),
        ("*", Operator::Times),
    ];
    let found = known.iter().find(|(text, _)| rest.starts_with(text))?;
    Some((found.1, found.0.len()))
}
