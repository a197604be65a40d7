//! Errors that the server and its command line show to people.
//!
//! A [`Problem`] has a stable code `area.reason`, the values of its sentence's placeholders and, for the log
//! only, a cause. One table (`error/table.rs`) gives each code a [`Class`]. The class decides the HTTP
//! status, the exit code and the log level. The sentences are in core's `texts.tsv`.
//!
//! **Invariant:** no `Debug` text and no text of a foreign error reaches a client. Values are numbers,
//! identifiers, file paths or words that the same person typed, never personal data of others.

mod phrase;
mod table;

use std::fmt::Write as _;

use onegrid_core::texts::Lang;

pub use phrase::Phrase;

/// Result with a [`Problem`] as its error.
pub type Result<T> = std::result::Result<T, Problem>;

/// Meaning of a code for its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request or command line is not understood; it must change.
    Usage,
    /// The data in the request is wrong; it must be corrected.
    Data,
    /// The caller is not signed in, or its session has ended.
    Unauthorized,
    /// The person or device may not do this.
    Refused,
    /// The named thing does not exist.
    NotFound,
    /// The address does not support this HTTP method.
    Method,
    /// The request contradicts the present data.
    Conflict,
    /// The request is larger than the limit.
    TooLarge,
    /// The server does not read this media type here.
    MediaType,
    /// The request took longer than the limit.
    Timeout,
    /// The caller asks more often than allowed and has to wait.
    TooMany,
    /// The server is loaded or shutting down; a later attempt can succeed.
    Busy,
    /// The named part of the thing does not exist.
    Range,
    /// The request asks for another version of the protocol.
    Version,
    /// Another request holds the thing.
    Locked,
    /// The received bytes are not those that were announced.
    Checksum,
    /// The server has too little space left.
    Full,
    /// A fault of the server or its machine.
    Internal,
}

impl Class {
    /// HTTP status of the answer.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::Data => 422,
            Self::Unauthorized => 401,
            Self::Refused => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::MediaType => 415,
            Self::Timeout => 408,
            Self::TooMany => 429,
            Self::Version => 412,
            Self::Range => 416,
            Self::Locked => 423,
            // The tus protocol has this status for it.
            Self::Checksum => 460,
            Self::Full => 507,
            Self::Busy => 503,
            Self::Internal => 500,
        }
    }

    /// Exit code of a command: 1 failure, 2 usage, 3 data, 4 refused.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage | Self::Method | Self::MediaType | Self::Version => 2,
            Self::Data
            | Self::NotFound
            | Self::Conflict
            | Self::TooLarge
            | Self::Range
            | Self::Checksum => 3,
            Self::Unauthorized | Self::Refused => 4,
            Self::Timeout
            | Self::TooMany
            | Self::Busy
            | Self::Locked
            | Self::Full
            | Self::Internal => 1,
        }
    }
}

/// Seconds until the next attempt after “busy”.
const RETRY_BUSY_S: u32 = 2;

/// A coded problem; the module's documentation explains it.
#[derive(Debug, Clone)]
pub struct Problem {
    phrase: Phrase,
    cause: Option<String>,
    retry_after_s: Option<u32>,
}

impl Problem {
    /// Makes a problem of a code that the table lists.
    #[must_use]
    pub fn new(code: &'static str) -> Self {
        debug_assert!(
            table::class_of(code).is_some(),
            "{code} is missing in error/table.rs"
        );
        Self {
            phrase: Phrase::new(code),
            cause: None,
            retry_after_s: None,
        }
    }

    /// Fills the placeholder `{name}` of the sentence.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.phrase = self.phrase.with(name, value);
        self
    }

    /// Fills the placeholder `{name}` with the sentence of another code.
    #[must_use]
    pub fn with_phrase(mut self, name: &'static str, phrase: Phrase) -> Self {
        self.phrase = self.phrase.with_phrase(name, phrase);
        self
    }

    /// Keeps the cause, with its own causes, for the log. No client ever receives it.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut below = error.source();
        while let Some(source) = below {
            // Writing into a String cannot fail.
            let _ = write!(text, ": {source}");
            below = source.source();
        }
        self.cause = Some(text);
        self
    }

    /// Sets the time until the next attempt, in seconds from now.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Seconds until the next attempt; `None` if waiting does not help.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        let usual = (self.class() == Class::Busy).then_some(RETRY_BUSY_S);
        self.retry_after_s.or(usual)
    }

    /// The sentence, before a language is chosen.
    #[must_use]
    pub const fn phrase(&self) -> &Phrase {
        &self.phrase
    }

    /// Stable code, `area.reason`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.phrase.code()
    }

    /// Class of the code. A code that the table lacks counts as a fault of the server.
    #[must_use]
    pub fn class(&self) -> Class {
        table::class_of(self.code()).unwrap_or(Class::Internal)
    }

    /// Cause, for the log only.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Sentence for a person.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> String {
        self.phrase.sentence(lang)
    }

    /// Body of an `application/problem+json` answer (RFC 9457). `title` is in the requested language. `zh`
    /// and `en` hold both languages, so that a phone shows its own.
    #[must_use]
    pub fn body(&self, lang: Lang) -> serde_json::Value {
        serde_json::json!({
            "type": format!("urn:onegrid:problem:{}", self.code()),
            "code": self.code(),
            "status": self.class().http_status(),
            "title": self.sentence(lang),
            "zh": self.sentence(Lang::Zh),
            "en": self.sentence(Lang::En),
        })
    }

    /// Logs the problem: faults as errors with their cause, all other problems as information.
    pub fn log(&self) {
        let cause = self.cause().unwrap_or_default();
        match self.class() {
            Class::Internal => tracing::error!(code = self.code(), cause, "problem"),
            Class::Busy | Class::Timeout | Class::Full => {
                tracing::warn!(code = self.code(), cause, "problem");
            }
            _ => tracing::info!(code = self.code(), cause, "problem"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn every_code_of_the_table_has_sentences_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, _) in table::CLASSES {
            assert!(
                seen.insert(code),
                "server/src/error/table.rs: `{code}` stands twice"
            );
            assert!(
                onegrid_core::texts::text(code, Lang::Zh).is_some(),
                "`{code}` has no line in core/src/texts.tsv"
            );
        }
    }

    #[test]
    fn the_cause_stays_out_of_what_is_sent() {
        let cause = std::io::Error::other("/srv/secret: permission denied for 张三");
        let problem = Problem::new("server.internal").because(&cause);
        assert!(problem.cause().unwrap().contains("张三"));
        for lang in Lang::ALL {
            assert!(!problem.body(lang).to_string().contains("张三"));
            assert!(!problem.sentence(lang).contains("secret"));
        }
    }

    #[test]
    fn a_body_names_code_status_and_both_languages() {
        let body = Problem::new("http.too_large").with("max", 8).body(Lang::En);
        assert_eq!(body["code"], "http.too_large");
        assert_eq!(body["status"], 413);
        assert_eq!(body["title"], body["en"]);
        assert!(body["zh"].as_str().unwrap().contains('8'));
    }
}
