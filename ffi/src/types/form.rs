//! Checklists: templates, the page of one checklist, lists of them.
//!
//! A checklist is a record of a kind with a form, such as a visit. `docs/forms.md` of the project explains the
//! types of questions and the rules.

use super::{FieldInput, FieldValue, GeoPosition, Language, Near, RecordRow, Word};

/// A template of checklists, in the newest version that this app reads.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FormTemplate {
    /// The stable id.
    pub id: String,
    /// The version; absent if every version needs a newer app.
    pub version: Option<u32>,
    /// A higher version that needs a newer app.
    pub newer_version: Option<u32>,
    /// The title in Chinese.
    pub zh: String,
    /// The title in English.
    pub en: String,
    /// The purpose in Chinese; may be empty.
    pub zh_about: String,
    /// The purpose in English; may be empty.
    pub en_about: String,
    /// Whether the member may fill it in under the present role.
    pub usable: bool,
    /// Whether only the people of the checklist may know the name of the place.
    pub restricted_place: bool,
    /// Days until the next checklist is due.
    pub next_days: Option<u16>,
    /// Working days until the next checklist is due.
    pub next_working_days: Option<u16>,
}

/// A question, note, section or repeat of a template.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TemplateItem {
    /// The stable id.
    pub id: String,
    /// The type: `text`, `number`, `one` choice, `many` choices, `yes_no`, `date`, `time`, `position`,
    /// `photo`, `note`, `section`, `repeat`.
    pub kind: String,
    /// The section or repeat around it.
    pub parent: Option<String>,
    /// The repeat around it, at any distance.
    pub in_repeat: Option<String>,
    /// The question in Chinese.
    pub zh: String,
    /// The question in English.
    pub en: String,
    /// Help in Chinese; may be empty.
    pub zh_hint: String,
    /// Help in English; may be empty.
    pub en_hint: String,
    /// The unit of a number in Chinese; may be empty.
    pub zh_unit: String,
    /// The unit of a number in English; may be empty.
    pub en_unit: String,
    /// The least number, as digits.
    pub min: Option<String>,
    /// The largest number, as digits.
    pub max: Option<String>,
    /// The most digits after the point of a number, 0 to 6.
    pub decimals: u8,
    /// The choices of `one` and `many`, at most 200.
    pub choices: Vec<Word>,
}

/// An item of a checklist with its state; inside a repeat, of one row.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FormItem {
    /// The item.
    pub item: TemplateItem,
    /// The row, inside a repeat.
    pub row: Option<String>,
    /// Whether it is shown.
    pub relevant: bool,
    /// Whether an answer is needed; never for an item that is not shown.
    pub required: bool,
    /// The stored answer, even if it has a problem or is not shown. Yes or no is a flag, a position is a
    /// position. A number is its digits, `one` the code of the choice, `many` the codes with spaces between, a
    /// date `2026-11-30`, a time `18:30`, a photo its id (64 hex digits).
    pub answer: Option<FieldValue>,
    /// The answer in Chinese words; empty without an answer.
    pub zh_answer: String,
    /// The answer in English words; empty without an answer.
    pub en_answer: String,
    /// The problem that the person has to solve, such as `form.required`, with its sentences.
    pub problem: Option<Word>,
}

/// An answer as stored, in a checklist whose template this app cannot read.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StoredAnswer {
    /// The question, and the row inside a repeat: `question` or `question-row`.
    pub key: String,
    /// The stored text.
    pub text: String,
}

/// The progress of a checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FormStanding {
    /// The work has not begun.
    Planned,
    /// A person is at work.
    Begun,
    /// The work is done.
    Done,
    /// The work was tried in vain.
    InVain,
    /// The work was called off.
    CalledOff,
}

/// The page of a checklist, beside the page of its record.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FormDetail {
    /// The id of the template.
    pub template: String,
    /// The version of the template that the answers belong to.
    pub version: u32,
    /// The title of the template in Chinese; its id if the template is not on this phone.
    pub zh: String,
    /// The title of the template in English.
    pub en: String,
    /// The reason why the member may only read it, such as `form.no_template` or `form.newer_template`.
    pub read_only: Option<Word>,
    /// The items in the order of the template. The items in a repeat come once for each row, row by row. Empty
    /// without the template.
    pub items: Vec<FormItem>,
    /// The answers as stored, if this app cannot read the template.
    pub stored: Vec<StoredAnswer>,
    /// Keys of answers that the template has no place for.
    pub unknown: Vec<String>,
    /// Required questions whose answer counts.
    pub answered: u32,
    /// Required questions that are shown.
    pub required: u32,
    /// Whether no item has a problem, so that the checklist may be finished.
    pub complete: bool,
    /// The day that `today()` means in the rules, such as `2026-11-30`.
    pub today: String,
    /// The progress; absent while the beginning of the record does not count.
    pub standing: Option<FormStanding>,
    /// The planned time, ms UTC.
    pub planned_ms: Option<i64>,
    /// The begin, ms UTC.
    pub begun_ms: Option<i64>,
    /// The end, ms UTC.
    pub ended_ms: Option<i64>,
    /// The time from begin to end, ms, by the signed steps.
    pub duration_ms: Option<i64>,
    /// The time when the next checklist about the subject is due, ms UTC, as this one says.
    pub next_due_ms: Option<i64>,
    /// The record of the place or person, if this phone may read it.
    pub subject: Option<RecordRow>,
    /// The records that belong to it: findings, private notes, the case that it follows up.
    pub linked: Vec<LinkedRecord>,
}

/// The kind of a link between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LinkKind {
    /// One was made for the other: a finding, a follow-up, a private note.
    MadeFor,
    /// One is a checklist about the other.
    About,
    /// One is a duplicate of the other.
    MergedInto,
}

/// The direction of a link, seen from the record that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LinkDirection {
    /// The record points at the other one.
    Outward,
    /// The other one points at the record.
    Inward,
}

/// A record that belongs to another one.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct LinkedRecord {
    /// The kind of the link.
    pub link: LinkKind,
    /// The direction of the link.
    pub direction: LinkDirection,
    /// The other record, with its stage.
    pub row: RecordRow,
}

/// A checklist that a person is about to plan.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FormDraft {
    /// The stable name of a kind with a form, such as `visit`.
    pub kind: String,
    /// The id of the template; the checklist takes the newest version that this app reads.
    pub template: String,
    /// The record of the place or person; without it and without `title`, the one in `linked`.
    #[uniffi(default = None)]
    pub subject: Option<String>,
    /// The name of a place that has no record; left out with `subject`.
    #[uniffi(default = None)]
    pub title: Option<String>,
    /// The address of a place that has no record.
    #[uniffi(default = None)]
    pub address: Option<String>,
    /// The position of a place that has no record. The phone finds the grid if the accuracy is 50 m or better.
    #[uniffi(default = None)]
    pub position: Option<GeoPosition>,
    /// The grid or village; without it and without `position`, the place of `subject` or
    /// `linked`.
    #[uniffi(default = None)]
    pub area: Option<String>,
    /// The planned time, ms UTC.
    #[uniffi(default = None)]
    pub planned_ms: Option<i64>,
    /// Members who come along, at most 64. They may write answers and read the private notes.
    #[uniffi(default = [])]
    pub companions: Vec<String>,
    /// The names of the people who come along; without it, the public names of the companions.
    #[uniffi(default = None)]
    pub companion_names: Option<String>,
    /// Whether the checklist itself is restricted, as in `ReportDraft`.
    #[uniffi(default = false)]
    pub restricted: bool,
    /// The member's own team that it is shared with.
    #[uniffi(default = None)]
    pub team: Option<String>,
    /// The record that it follows up.
    #[uniffi(default = None)]
    pub linked: Option<String>,
    /// Private words, for the member and the companions.
    #[uniffi(default = None)]
    pub note: Option<String>,
}

/// The records that a plan made.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PlannedForm {
    /// The checklist.
    pub form: String,
    /// The restricted record with the name of the place, if the template hides it.
    pub subject: Option<String>,
    /// The private note.
    pub note: Option<String>,
}

/// A question with its new answer.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct AnswerChange {
    /// The id of the question.
    pub question: String,
    /// The row, inside a repeat.
    #[uniffi(default = None)]
    pub row: Option<String>,
    /// The answer, in the forms of `FormItem.answer`; choices may be in any order, and a whole number may be a
    /// number. Without one, and with an empty text, the answer is cleared.
    pub value: Option<FieldValue>,
}

/// A finding, from which a new record is made.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FindingDraft {
    /// The stable name of the kind of the new record, such as `hazard`.
    pub kind: String,
    /// The question that the finding comes from.
    #[uniffi(default = None)]
    pub question: Option<String>,
    /// The row of the question, inside a repeat.
    #[uniffi(default = None)]
    pub row: Option<String>,
    /// The fields of the new record. It gets the title, address and position of the checklist where it has
    /// none of its own.
    #[uniffi(default = [])]
    pub fields: Vec<FieldInput>,
    /// Whether the new record is restricted, as in `ReportDraft`.
    #[uniffi(default = false)]
    pub restricted: bool,
    /// The member's own team that it is shared with.
    #[uniffi(default = None)]
    pub team: Option<String>,
    /// The language of the line that names the question and its answer.
    pub language: Language,
}

/// The conditions of a list of due dates; a due date must meet every condition that is set.
#[derive(Debug, Clone, Default, PartialEq, uniffi::Record)]
pub struct DueQuery {
    /// Due before this time, ms UTC.
    #[uniffi(default = None)]
    pub before_ms: Option<i64>,
    /// Overdue now.
    #[uniffi(default = false)]
    pub overdue: bool,
    /// Inside a circle. The list is then in the order of distance, and without it in the order of due dates.
    #[uniffi(default = None)]
    pub near: Option<Near>,
    /// In an area of the member's own roles.
    #[uniffi(default = false)]
    pub in_my_areas: bool,
    /// In this area or below it.
    #[uniffi(default = None)]
    pub area: Option<String>,
    /// The id of the template.
    #[uniffi(default = None)]
    pub template: Option<String>,
}

/// A checklist as lists show it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FormRow {
    /// The record.
    pub row: RecordRow,
    /// The id of the template.
    pub template: String,
    /// The version of the template.
    pub version: u32,
    /// The name of the place, from its record if this phone may read it; may be empty.
    pub title: String,
    /// The address of the place; may be empty.
    pub address: String,
    /// Latitude, degrees WGS-84.
    pub lat: Option<f64>,
    /// Longitude, degrees WGS-84.
    pub lon: Option<f64>,
    /// The record of the place or person, if it has one.
    pub subject: Option<String>,
    /// The progress.
    pub standing: FormStanding,
    /// The planned time, ms UTC.
    pub planned_ms: Option<i64>,
    /// The begin, ms UTC.
    pub begun_ms: Option<i64>,
    /// The end, ms UTC.
    pub ended_ms: Option<i64>,
    /// The person who made the last step, or the record; absent if withheld from this phone.
    pub member: Option<String>,
    /// Whether no answer is missing and none has a problem; absent without the template.
    pub complete: Option<bool>,
    /// In lists of due dates: the time when it is due, ms UTC.
    pub due_ms: Option<i64>,
    /// The time when the next checklist about the subject is due, ms UTC, as this one says.
    pub next_due_ms: Option<i64>,
    /// Distance from the centre of `near`, metres.
    pub distance_m: Option<u32>,
}

/// One page of a list of checklists.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FormPage {
    /// The rows.
    pub rows: Vec<FormRow>,
    /// The token of the next page; absent at the end.
    pub next: Option<String>,
}

/// The checklists of one person in a period.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FormCounts {
    /// The person; absent if withheld from this phone.
    pub member: Option<String>,
    /// The name in Chinese.
    pub zh: String,
    /// The name in English.
    pub en: String,
    /// Planned in the period and not begun.
    pub planned: u64,
    /// Begun in the period and not ended.
    pub begun: u64,
    /// Done in the period.
    pub done: u64,
    /// Tried in vain in the period.
    pub in_vain: u64,
    /// Called off in the period.
    pub called_off: u64,
}
