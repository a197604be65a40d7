//! The answer to a command: a JSON object, or a coded refusal.

use onegrid_core::texts::Lang;
use onegrid_server::error::Problem;
use serde_json::{Map, Value, json};

/// A refusal: a stable code and a sentence for the log of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// The sentence.
    pub text: String,
}

/// The answer to one command.
pub type Answer = Result<Value, Refusal>;

impl Refusal {
    pub(super) fn new(code: &str, text: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            text: text.into(),
        }
    }

    /// Refuses a request with a missing or wrong argument.
    pub(super) fn argument(name: &str) -> Self {
        Self::new(
            "testbed.bad_argument",
            format!("the argument `{name}` is missing or wrong"),
        )
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(problem.code(), problem.sentence(Lang::En))
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::new("testbed.io", error.to_string())
    }
}

/// Returns the line of an answer, without its line break.
pub(super) fn line(answer: &Answer) -> String {
    match answer {
        Ok(value) => json!({ "ok": value }),
        Err(Refusal { code, text }) => json!({ "error": { "code": code, "text": text } }),
    }
    .to_string()
}

/// Reads the line of an answer; `None` for any other line.
pub(super) fn parse(line: &str) -> Option<Answer> {
    let mut line: Map<String, Value> = serde_json::from_str(line).ok()?;
    if let Some(value) = line.remove("ok") {
        return Some(Ok(value));
    }
    let error = line.remove("error")?;
    let text = |name: &str| error.get(name)?.as_str().map(str::to_owned);
    Some(Err(Refusal {
        code: text("code")?,
        text: text("text")?,
    }))
}
