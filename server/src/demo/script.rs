//! What the person at the terminal sees: a line a step, and what was expected where it is not so.

use std::fmt::Display;
use std::io::Write;

use onegrid_core::domain::case::Event;
use onegrid_core::domain::case::payload::Comment;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::net::now_ms;
use onegrid_core::replica::{RecordRow, RecordView, ReplicaError};
use onegrid_core::texts::{self, Lang};

use super::cast::note;
use super::phone::Phone;
use crate::error::{Phrase, Problem, Result};

/// The running text of the demo.
pub(super) struct Script<'a> {
    lang: Lang,
    out: &'a mut dyn Write,
    step: usize,
}

impl<'a> Script<'a> {
    pub(super) fn new(lang: Lang, out: &'a mut dyn Write) -> Self {
        Self { lang, out, step: 0 }
    }

    /// The language of everything, also of what the people of the story write.
    pub(super) fn lang(&self) -> Lang {
        self.lang
    }

    /// A text in the language of the demo.
    pub(super) fn text(&self, code: &'static str) -> String {
        texts::say(code, self.lang, &[])
    }

    pub(super) fn line(&mut self, line: impl Display) -> Result<()> {
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        written.map_err(|error| Problem::new("cli.output").because(&error))
    }

    pub(super) fn say(&mut self, phrase: &Phrase) -> Result<()> {
        self.line(phrase.sentence(self.lang))
    }

    /// The title of a story.
    pub(super) fn title(&mut self, code: &'static str) -> Result<()> {
        let title = self.text(code);
        self.line(format_args!("\n── {title}"))
    }

    /// A step that came out as it must.
    pub(super) fn done(&mut self, phrase: &Phrase) -> Result<()> {
        self.step += 1;
        let sentence = phrase.sentence(self.lang);
        let step = self.step;
        self.line(format_args!("  ✓ {step:>2}  {sentence}"))
    }

    /// A part of the step before, indented.
    pub(super) fn detail(&mut self, text: impl Display) -> Result<()> {
        self.line(format_args!("        {text}"))
    }

    /// Compares what a person sees with what must be there.
    pub(super) fn expect<T: PartialEq + Display>(
        &self,
        what: &str,
        found: T,
        expected: T,
    ) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(Problem::new("demo.differs")
            .with("step", self.step + 1)
            .with("what", what)
            .with("expected", expected)
            .with("found", found))
    }

    /// A step that was refused or failed, with the sentence of its code.
    pub(super) fn failed(&self, code: &str) -> Problem {
        Problem::new("demo.step_failed")
            .with("step", self.step + 1)
            .with("code", code)
            .with("reason", texts::say(code, self.lang, &[]))
    }

    /// The same for a result of a phone.
    pub(super) fn ok<T>(&self, result: std::result::Result<T, ReplicaError>) -> Result<T> {
        result.map_err(|error| self.failed(error.code()).because(&error))
    }

    /// Makes a move on a phone.
    pub(super) fn act(&self, phone: &Phone, record: RecordId, event: &Event) -> Result<EnvelopeId> {
        self.ok(phone.replica().act(record, event, None, now_ms()))
    }

    /// Says something on a phone.
    pub(super) fn comment(
        &self,
        phone: &Phone,
        record: RecordId,
        words: &str,
    ) -> Result<EnvelopeId> {
        let comment = Comment {
            text: note(words),
            attachments: Vec::new(),
            mentions: Vec::new(),
        };
        self.ok(phone.replica().comment(record, comment, now_ms()))
    }

    /// What a phone's list shows of a record.
    pub(super) fn row(&self, phone: &Phone, record: RecordId) -> Result<RecordRow> {
        let row = self.ok(phone.replica().row(record))?;
        row.ok_or_else(|| self.failed("replica.no_record"))
    }

    /// What a phone's page of a record shows.
    pub(super) fn view(&self, phone: &Phone, record: RecordId) -> Result<RecordView> {
        let view = self.ok(phone.replica().view(record))?;
        view.ok_or_else(|| self.failed("replica.no_record"))
    }
}
