//! A record, as lists and its page show it.

use super::{FieldValue, Word};

/// The progress of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReceiptStep {
    /// Saved on this phone.
    Saved,
    /// Delivered to the server.
    Delivered,
    /// Opened by a dispatcher or handler.
    Seen,
    /// Resolved.
    Handled,
    /// Delivered, and held for review; the page of the record gives the reason.
    Held,
}

/// A record as lists show it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub struct RecordRow {
    /// The record.
    pub id: String,
    /// The kind, such as hazard.
    pub kind: Word,
    /// Whether only the named people may read it.
    pub restricted: bool,
    /// The stage.
    pub stage: Word,
    /// Whether work remains to be done.
    pub open: bool,
    /// The category from triage or from the creator; absent until one of them sets it.
    pub category: Option<Word>,
    /// The severity or urgency; absent until a person sets it.
    pub severity: Option<Word>,
    /// The title, or the start of the description if there is no title.
    pub title: String,
    /// The address as written.
    pub address: String,
    /// Latitude, degrees WGS-84.
    pub lat: Option<f64>,
    /// Longitude, degrees WGS-84.
    pub lon: Option<f64>,
    /// The time of the report, ms UTC.
    pub created_ms: i64,
    /// The time of the last change, ms UTC.
    pub updated_ms: i64,
    /// Whether this member made it.
    pub mine: bool,
    /// The number of envelopes here that no server has judged.
    pub undelivered: u32,
    /// Whether even the first envelope is not judged yet.
    pub provisional: bool,
    /// The number of conflicts that people have to settle.
    pub conflicts: u32,
    /// Whether evidence arrived concurrently with an ending.
    pub needs_review: bool,
    /// Whether it contains an envelope of a newer app.
    pub needs_newer_app: bool,
    /// The progress of the report.
    pub receipt: ReceiptStep,
    /// The earliest deadline that still counts, ms UTC.
    pub due_ms: Option<i64>,
    /// Whether that deadline has passed.
    pub overdue: bool,
    /// Distance from the centre of `near`, metres.
    pub distance_m: Option<u32>,
}

/// A person, as far as this phone may know them.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Person {
    /// The member.
    pub member: String,
    /// The public name in Chinese.
    pub zh: String,
    /// The public name in English.
    pub en: String,
}

/// A field of the content, with its value in words.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ContentField {
    /// The stable name.
    pub field: String,
    /// The field's name in Chinese.
    pub zh_label: String,
    /// The field's name in English.
    pub en_label: String,
    /// The value.
    pub value: FieldValue,
    /// The value in Chinese words.
    pub zh: String,
    /// The value in English words.
    pub en: String,
}

/// A responsible unit or person, with deadlines and progress.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Assignment {
    /// Names the assignment in moves.
    pub id: String,
    /// The responsible unit; absent for a person.
    pub unit: Option<String>,
    /// The responsible person; absent for a unit.
    pub member: Option<String>,
    /// Their name in Chinese.
    pub zh: String,
    /// Their name in English.
    pub en: String,
    /// The part: lead or support.
    pub part: Word,
    /// The progress of the assignment.
    pub state: Word,
    /// Whether the district made the final assignment, so that it cannot be returned.
    pub is_final: bool,
    /// The latest time to accept, ms UTC.
    pub accept_by_ms: Option<i64>,
    /// The latest time to be on site, ms UTC.
    pub arrive_by_ms: Option<i64>,
    /// The latest time to resolve, ms UTC.
    pub resolve_by_ms: Option<i64>,
    /// The time of the dispatch, ms UTC.
    pub dispatched_ms: i64,
    /// The time of acceptance, ms UTC.
    pub accepted_ms: Option<i64>,
    /// The time of arrival on site, ms UTC.
    pub arrived_ms: Option<i64>,
    /// The time of resolution, ms UTC.
    pub resolved_ms: Option<i64>,
}

/// One of the values that people wrote into a field without knowing of each other.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ConflictVersion {
    /// The value, as `settle` takes it.
    pub value: FieldValue,
    /// Whether the field shows it now.
    pub shown: bool,
    /// The value in Chinese words.
    pub zh: String,
    /// The value in English words.
    pub en: String,
}

/// A conflict that people have to settle.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ConflictCard {
    /// The field for `settle`; absent if another move settles the conflict.
    pub field: Option<String>,
    /// The values of that field.
    pub versions: Vec<ConflictVersion>,
    /// The people concerned, as far as this phone may know them.
    pub people: Vec<String>,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
}

/// Work of this phone that does not count (yet).
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SetAside {
    /// The envelope.
    pub id: String,
    /// The reason: a stable code such as `void.clone` or `held.revoked`, with its sentences.
    pub why: Word,
    /// The person's own words.
    pub words: String,
    /// The envelope that repeats the words, if this one was written again.
    pub rewritten: Option<String>,
}

/// A comment on a record.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Comment {
    /// The envelope.
    pub id: String,
    /// The author; absent if withheld from this phone.
    pub by: Option<String>,
    /// The author's name in Chinese.
    pub zh_name: String,
    /// The author's name in English.
    pub en_name: String,
    /// The text of the comment.
    pub text: String,
    /// Members mentioned by name.
    pub mentions: Vec<String>,
    /// The ids of photos and recordings of the comment.
    pub attachments: Vec<String>,
    /// The time, ms UTC.
    pub at_ms: i64,
    /// Whether the server has judged the comment.
    pub delivered: bool,
}

/// The page of a record.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct RecordDetail {
    /// The record as lists show it.
    pub row: RecordRow,
    /// The record's place, from the district down, in Chinese.
    pub zh_area: String,
    /// The record's place, from the district down, in English.
    pub en_area: String,
    /// The content.
    pub fields: Vec<ContentField>,
    /// The reporter; absent if withheld from this phone.
    pub reporter: Option<Person>,
    /// The present and former responsible parties.
    pub assignments: Vec<Assignment>,
    /// The conflicts that people have to settle.
    pub conflicts: Vec<ConflictCard>,
    /// Work of this phone that does not count (yet).
    pub set_aside: Vec<SetAside>,
    /// The comments.
    pub comments: Vec<Comment>,
    /// The record that this one is a duplicate of.
    pub merged_into: Option<String>,
    /// The record that this one belongs to.
    pub linked: Option<String>,
    /// The number of times that the case was urged.
    pub urged: u32,
    /// Whether it is under supervision.
    pub supervised: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// The end of the suspension, ms UTC, if known.
    pub suspended_until_ms: Option<i64>,
}

/// One step in the story of a record.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TimelineItem {
    /// The envelope.
    pub id: String,
    /// The author; absent if withheld from this phone.
    pub by: Option<String>,
    /// The author's name in Chinese.
    pub zh_name: String,
    /// The author's name in English.
    pub en_name: String,
    /// Code of the move; absent for the report itself and for edits.
    pub movement: Option<String>,
    /// The step in one sentence in Chinese.
    pub zh: String,
    /// The step in one sentence in English.
    pub en: String,
    /// The person's words beside the step.
    pub note: Option<String>,
    /// The ids of photos and recordings of the step. For a case handled on the spot, the photos from before the
    /// work are first.
    pub attachments: Vec<String>,
    /// The effect of the step.
    pub outcome: Word,
    /// The reason why the step does not count.
    pub why: Option<Word>,
    /// The effective time, ms UTC.
    pub at_ms: i64,
    /// The device's own clock, ms UTC.
    pub clock_ms: i64,
    /// Whether the server has judged the step.
    pub delivered: bool,
}

/// One page of a record's story, in the order of the events.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TimelinePage {
    /// The steps.
    pub items: Vec<TimelineItem>,
    /// The token of the next page; absent at the end.
    pub next: Option<String>,
}
