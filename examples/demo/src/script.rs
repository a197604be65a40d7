//! The output for the person at the terminal: one line a step, and the expected value if a result
//! differs.

use std::fmt::Display;
use std::io::Write;

use onegrid_core::domain::case::Event;
use onegrid_core::domain::case::payload::Comment;
use onegrid_core::domain::point::GeoPoint;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::net::now_ms;
use onegrid_core::replica::{AttachmentInfo, AttachmentState, RecordRow, RecordView, ReplicaError};
use onegrid_core::texts::{self, Lang};

use crate::cast::note;
use crate::phone::Phone;
use crate::photo::{Scene, take};
use onegrid_server::error::{Phrase, Problem, Result};

/// The running text of the demo.
pub(crate) struct Script<'a> {
    lang: Lang,
    out: &'a mut dyn Write,
    step: usize,
}

impl<'a> Script<'a> {
    pub(crate) fn new(lang: Lang, out: &'a mut dyn Write) -> Self {
        Self { lang, out, step: 0 }
    }

    /// Returns the language of everything, also of the words of the people in the story.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// Returns a text in the language of the demo.
    pub(crate) fn text(&self, code: &'static str) -> String {
        texts::say(code, self.lang, &[])
    }

    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        written.map_err(|error| Problem::new("cli.output").because(&error))
    }

    pub(crate) fn say(&mut self, phrase: &Phrase) -> Result<()> {
        self.line(phrase.sentence(self.lang))
    }

    /// Prints the title of a story.
    pub(crate) fn title(&mut self, code: &'static str) -> Result<()> {
        let title = self.text(code);
        self.line(format_args!("\n── {title}"))
    }

    /// Prints a step that was successful.
    pub(crate) fn done(&mut self, phrase: &Phrase) -> Result<()> {
        self.step += 1;
        let sentence = phrase.sentence(self.lang);
        let step = self.step;
        self.line(format_args!("  ✓ {step:>2}  {sentence}"))
    }

    /// Prints a part of the step before, indented.
    pub(crate) fn detail(&mut self, text: impl Display) -> Result<()> {
        self.line(format_args!("        {text}"))
    }

    /// Compares the value that a person sees with the expected value.
    pub(crate) fn expect<T: PartialEq + Display>(
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

    /// Returns the problem of a step that was refused or failed, with the sentence of its code.
    pub(crate) fn failed(&self, code: &str) -> Problem {
        Problem::new("demo.step_failed")
            .with("step", self.step + 1)
            .with("code", code)
            .with("reason", texts::say(code, self.lang, &[]))
    }

    /// Returns the result of a phone, or the problem with the sentence of its code.
    pub(crate) fn ok<T>(&self, result: std::result::Result<T, ReplicaError>) -> Result<T> {
        result.map_err(|error| self.failed(error.code()).because(&error))
    }

    /// Makes a move on a phone.
    pub(crate) fn act(&self, phone: &Phone, record: RecordId, event: &Event) -> Result<EnvelopeId> {
        self.ok(phone.replica().act(record, event, None, now_ms()))
    }

    /// Comments on a phone.
    pub(crate) fn comment(
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

    /// Takes a photo on a phone, with the place that its camera adds.
    pub(crate) fn photograph(
        &self,
        phone: &Phone,
        scene: Scene,
        (lat, lon): (f64, f64),
    ) -> Result<Hash> {
        let at = GeoPoint::from_degrees(lat, lon).map_err(|_| self.failed("demo.outside"))?;
        let id = self.ok(phone.photograph(&take(scene, at)))?;
        self.expect("place removed", phone.has_removed_place(id), true)?;
        Ok(id)
    }

    /// Returns the photos of a record as a phone has them.
    pub(crate) fn photos(&self, phone: &Phone, record: RecordId) -> Result<Vec<AttachmentInfo>> {
        self.ok(phone.replica().attachments_of(record))
    }

    /// Expects so many photos of a record on a phone, all of them in this state.
    pub(crate) fn expect_photos(
        &self,
        (phone, record): (&Phone, RecordId),
        count: usize,
        state: AttachmentState,
    ) -> Result<()> {
        let photos = self.photos(phone, record)?;
        self.expect("photos", photos.len(), count)?;
        for photo in photos {
            self.expect("photo", photo.state.name(), state.name())?;
            self.expect("small picture", photo.has_thumbnail, true)?;
        }
        Ok(())
    }

    /// Returns the row of a record in a phone's list.
    pub(crate) fn row(&self, phone: &Phone, record: RecordId) -> Result<RecordRow> {
        let row = self.ok(phone.replica().row(record))?;
        row.ok_or_else(|| self.failed("replica.no_record"))
    }

    /// Returns the page of a record on a phone.
    pub(crate) fn view(&self, phone: &Phone, record: RecordId) -> Result<RecordView> {
        let view = self.ok(phone.replica().view(record))?;
        view.ok_or_else(|| self.failed("replica.no_record"))
    }
}
