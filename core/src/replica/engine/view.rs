//! The page of one record: content, state, events and their outcome.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::load;
use super::super::projection::project;
use super::super::reader::Reader;
use super::super::table::envelope::{self, Origin};
use super::super::table::record::RecordRow;
use super::conflict::{self, ConflictCard};
use super::rewrite;
use super::words::{FieldWords, Wording};
use crate::domain::case::{Event, GenesisFacts, Outcome, RecordState};
use crate::domain::content::{Content, Field, FieldValue};
use crate::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use crate::record::{Node, NodeBody, Record};
use crate::texts::Lang;
use crate::wire::envelope::Envelope;
use crate::wire::verdict::Status;

/// Everything that the page of a record shows.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// The row that lists show.
    pub row: RecordRow,
    /// The facts that never change.
    pub facts: GenesisFacts,
    /// The content; `None` for kinds of a newer app.
    pub content: Option<Content>,
    /// The words of each field of the content, in the same order.
    pub words: Vec<FieldWords>,
    /// The state of the workflow; `None` while the beginning does not count.
    pub state: Option<RecordState>,
    /// The events, in the order of the fold.
    pub timeline: Vec<TimelineEntry>,
    /// The comments of people.
    pub comments: Vec<Comment>,
    /// The conflicts that people have to settle.
    pub conflicts: Vec<ConflictCard>,
    /// This phone's own work that does not count (yet), with the reason, so that its author sees it.
    pub set_aside: Vec<SetAside>,
}

/// One envelope in the story of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The envelope.
    pub id: EnvelopeId,
    /// The author; `None` when withheld from this phone.
    pub by: Option<MemberId>,
    /// The name of the author, Chinese and English.
    pub name: (String, String),
    /// The device.
    pub device: DeviceId,
    /// The event; `None` for the beginning and for edits.
    pub event: Option<Event>,
    /// The result of the event in the fold.
    pub outcome: Outcome,
    /// The reason why it does not count, a stable code.
    pub why: Option<&'static str>,
    /// Effective time, ms UTC.
    pub effective_ms: i64,
    /// The device's own clock, ms UTC.
    pub clock_ms: i64,
    /// Whether the server has judged it.
    pub delivered: bool,
}

/// A word on a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The envelope.
    pub id: EnvelopeId,
    /// The author; `None` when withheld from this phone.
    pub by: Option<MemberId>,
    /// The name of the author, Chinese and English.
    pub name: (String, String),
    /// The words; empty for voice and photos alone.
    pub text: String,
    /// Voice and photos.
    pub attachments: Vec<Hash>,
    /// The people who are called by name.
    pub mentions: Vec<MemberId>,
    /// Effective time, ms UTC.
    pub effective_ms: i64,
    /// Whether the server has judged it.
    pub delivered: bool,
}

/// This phone's own envelope that does not count (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The envelope.
    pub id: EnvelopeId,
    /// The verdict's code, such as `void.clone` or `held.revoked`.
    pub code: &'static str,
    /// The person's words.
    pub words: String,
    /// The envelope that repeats it.
    pub rewritten: Option<EnvelopeId>,
}

impl Reader {
    /// The page of a record; `None` when it is not on this phone.
    pub fn view(&self, id: RecordId) -> Result<Option<RecordView>, ReplicaError> {
        self.at_once(|conn| self.view_now(conn, id))
    }

    /// The record itself, for comparing replicas.
    pub fn load(&self, id: RecordId) -> Result<Option<Record>, ReplicaError> {
        self.at_once(|conn| load::record(conn, &self.certificates, id))
    }

    fn view_now(
        &self,
        conn: &Connection,
        id: RecordId,
    ) -> Result<Option<RecordView>, ReplicaError> {
        let own = self.own_member();
        let Some(record) = load::record(conn, &self.certificates, id)? else {
            return Ok(None);
        };
        let (Some(row), Some(facts)) = (project::row(&record, own), record.genesis()) else {
            return Ok(None);
        };
        let timeline = self.entries(&record)?;
        let content = project::content(&record);
        let wording = Wording::of(conn, &self.certificates.templates, &record)?;
        let fields = content.as_ref().map(Content::fields).unwrap_or_default();
        // A log entry is for the functions of its kind, and says nothing to a person.
        let for_people = |(field, _): &&(Field, FieldValue)| !matches!(field, Field::Log(_));
        let words = fields
            .iter()
            .filter(for_people)
            .map(|(field, value)| FieldWords::of(&wording, field, value));
        Ok(Some(RecordView {
            row,
            facts: facts.clone(),
            words: words.collect::<Result<_, _>>()?,
            content,
            state: record.state().cloned(),
            comments: timeline.iter().filter_map(comment).collect(),
            timeline,
            conflicts: conflict::cards(conn, &self.certificates.templates, &record)?,
            set_aside: self.set_aside(id, &record)?,
        }))
    }

    fn entries(&self, record: &Record) -> Result<Vec<TimelineEntry>, ReplicaError> {
        let Some(state) = record.state() else {
            return Ok(Vec::new());
        };
        let mut timeline = Vec::with_capacity(state.timeline.len());
        for item in &state.timeline {
            let Some(node) = record.node(item.id) else {
                continue;
            };
            let name = (
                self.name(node, item.by, Lang::Zh)?,
                self.name(node, item.by, Lang::En)?,
            );
            timeline.push(TimelineEntry {
                id: item.id,
                by: item.by,
                name,
                device: node.author,
                event: match &node.body {
                    NodeBody::Event { event, .. } => Some(event.as_ref().clone()),
                    _ => None,
                },
                outcome: item.outcome,
                why: item.why,
                effective_ms: item.effective_ms,
                clock_ms: node.clock_ms,
                delivered: node.verdict.is_some(),
            });
        }
        Ok(timeline)
    }

    fn name(&self, node: &Node, by: Option<MemberId>, lang: Lang) -> Result<String, ReplicaError> {
        if node.role() == Some(crate::domain::Role::System) {
            return Ok(crate::texts::say("person.system", lang, &[]));
        }
        conflict::name_of(self.conn()?, by, lang)
    }

    fn set_aside(&self, id: RecordId, record: &Record) -> Result<Vec<SetAside>, ReplicaError> {
        let mut set_aside = Vec::new();
        let wording = Wording::of(self.conn()?, &self.certificates.templates, record)?;
        for stored in envelope::of_record(self.conn()?, id)? {
            if stored.origin != Origin::Own || record.counts(stored.id) {
                continue;
            }
            let code = match stored.verdict.map(|verdict| verdict.status) {
                Some(Status::Accepted | Status::Admitted) => continue,
                Some(status) => status.code(),
                None => "replica.waits",
            };
            let parsed = Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?;
            let edits = rewrite::edits_in(record, &parsed);
            set_aside.push(SetAside {
                id: stored.id,
                code,
                words: rewrite::words(&wording, &parsed, edits.as_deref())?,
                rewritten: stored.rewritten,
            });
        }
        Ok(set_aside)
    }
}

fn comment(entry: &TimelineEntry) -> Option<Comment> {
    let counts = matches!(entry.outcome, Outcome::Effective | Outcome::Superseded);
    match &entry.event {
        Some(Event::Comment(said)) if counts => Some(Comment {
            id: entry.id,
            by: entry.by,
            name: entry.name.clone(),
            text: said
                .text
                .as_ref()
                .map(|text| text.as_str().to_owned())
                .unwrap_or_default(),
            attachments: said.attachments.clone(),
            mentions: said.mentions.clone(),
            effective_ms: entry.effective_ms,
            delivered: entry.delivered,
        }),
        _ => None,
    }
}
