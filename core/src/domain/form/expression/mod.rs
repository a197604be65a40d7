//! Expressions: a small subset of XPath 1.0, as XLSForm writes it.
//!
//! ```text
//!  text ─▶ token ─▶ parse ─▶ Expression (postfix) ─▶ run(answers) ─▶ Value
//! ```
//!
//! **Contract.** Parsing and running use no recursion. A program is as long as its text has tokens, and each
//! step costs at most the length of the texts that it compares. Running always gives a value.
//! `docs/forms.md` lists the language with the source of each rule.

mod error;
mod parse;
mod run;
mod token;
mod value;

pub use self::error::ExpressionError;
pub(super) use self::parse::{Scope, Target};
pub(super) use self::run::Place;
pub(super) use self::value::Value;
use super::decimal::Decimal;

/// A checked expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    source: String,
    steps: Vec<Step>,
}

/// One step of a program; it takes its operands from a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Number(Decimal),
    Text(String),
    /// The answer to a question, by the index of its item.
    Answer(usize),
    /// The rows of a repeat, by the index of its item.
    Rows(usize),
    /// The answer that a constraint is about.
    Own,
    Negate,
    Operator(Operator),
    Call(Function),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Div,
    Mod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    True,
    False,
    Not,
    If,
    Coalesce,
    Selected,
    CountSelected,
    Count,
    StringLength,
    Number,
    Int,
    Today,
    Date,
    DecimalTime,
}

impl Function {
    /// Each function with its name and the number of its arguments.
    const ALL: [(Self, &'static str, usize); 14] = [
        (Self::True, "true", 0),
        (Self::False, "false", 0),
        (Self::Not, "not", 1),
        (Self::If, "if", 3),
        (Self::Coalesce, "coalesce", 2),
        (Self::Selected, "selected", 2),
        (Self::CountSelected, "count-selected", 1),
        (Self::Count, "count", 1),
        (Self::StringLength, "string-length", 1),
        (Self::Number, "number", 1),
        (Self::Int, "int", 1),
        (Self::Today, "today", 0),
        (Self::Date, "date", 1),
        (Self::DecimalTime, "decimal-time", 1),
    ];

    fn of_name(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known, _)| *known == name)?;
        Some(known.0)
    }

    fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(function, ..)| *function == self);
        known.map_or("", |(_, name, _)| name)
    }

    fn arguments(self) -> usize {
        let known = Self::ALL.iter().find(|(function, ..)| *function == self);
        known.map_or(0, |(_, _, arguments)| *arguments)
    }
}

impl Expression {
    /// The expression as the template writes it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The items whose answers or rows it reads, by index.
    pub(super) fn items(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().filter_map(|step| match step {
            Step::Answer(item) | Step::Rows(item) => Some(*item),
            _ => None,
        })
    }
}
