//! Moves: the actions on a record that are possible now, and their inputs.

use super::Word;

/// Whether a move needs an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum NeedKind {
    /// The input is optional.
    Optional,
    /// The move is refused without this input.
    Required,
    /// At least one of the inputs with this mark is needed, such as a unit or a member.
    OneOf,
}

/// An input that a move takes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Need {
    /// The field of [`MoveInput`]: `text`, `to_unit`, `to_member`, `to_area`, `part`, `deadlines` (the three
    /// `…_by_ms`), `until`, `category`, `severity`, `grid`, `into`, `satisfied`, `before`, `after`,
    /// `attachments`, `mentions`, `assignment`, `request`, `behalf_reason`, `reason`.
    pub input: Word,
    /// Whether the move needs it.
    pub kind: NeedKind,
}

/// A move on a record, and whether this person may make it now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MoveOption {
    /// The move.
    pub movement: Word,
    /// The assignment that the move is about.
    pub assignment: Option<String>,
    /// The request for more time that the move is about.
    pub request: Option<String>,
    /// Whether it is allowed now.
    pub allowed: bool,
    /// The reason why the move is not allowed, with a sentence in both languages.
    pub why: Option<Word>,
    /// The role of the person for this move.
    pub role: Option<Word>,
    /// Whether the person can make the move on behalf of the responsible party, with a reason.
    pub on_behalf: bool,
    /// The inputs that the move takes.
    pub needs: Vec<Need>,
    /// The reasons to choose from, for the input `reason`.
    pub reasons: Vec<Word>,
}

/// A move with its inputs. Inputs that the move does not take are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct MoveInput {
    /// The code of the move.
    pub movement: String,
    /// The assignment that the move is about.
    #[uniffi(default = None)]
    pub assignment: Option<String>,
    /// The person's words: a note, a comment, or the reason where the move needs one.
    #[uniffi(default = None)]
    pub text: Option<String>,
    /// The unit that becomes responsible.
    #[uniffi(default = None)]
    pub to_unit: Option<String>,
    /// The person who becomes responsible.
    #[uniffi(default = None)]
    pub to_member: Option<String>,
    /// The area that becomes responsible.
    #[uniffi(default = None)]
    pub to_area: Option<String>,
    /// `lead` or `support`; without it `lead`.
    #[uniffi(default = None)]
    pub part: Option<String>,
    /// The latest time to accept, ms UTC.
    #[uniffi(default = None)]
    pub accept_by_ms: Option<i64>,
    /// The latest time to be on site, ms UTC.
    #[uniffi(default = None)]
    pub arrive_by_ms: Option<i64>,
    /// The latest time to resolve, ms UTC.
    #[uniffi(default = None)]
    pub resolve_by_ms: Option<i64>,
    /// The record that continues, for `merge`.
    #[uniffi(default = None)]
    pub into: Option<String>,
    /// The request for more time, for `grant_extension`.
    #[uniffi(default = None)]
    pub request: Option<String>,
    /// Whether the people concerned are satisfied, for `follow_up`.
    #[uniffi(default = None)]
    pub satisfied: Option<bool>,
    /// A time, ms UTC, for `suspend`, `request_extension` and `grant_extension`.
    #[uniffi(default = None)]
    pub until_ms: Option<i64>,
    /// Code of the category, for `triage`.
    #[uniffi(default = None)]
    pub category: Option<String>,
    /// 1 (general) to 4 (critical), for `triage`.
    #[uniffi(default = None)]
    pub severity: Option<u8>,
    /// The grid, for `triage`.
    #[uniffi(default = None)]
    pub grid: Option<String>,
    /// Photos and recordings that are staged or in the record, at most 16, by their ids.
    #[uniffi(default = [])]
    pub attachments: Vec<String>,
    /// Members mentioned by name, for `comment`.
    #[uniffi(default = [])]
    pub mentions: Vec<String>,
    /// Photos from before the work, at most 16, by their ids, for `handled_on_spot`.
    #[uniffi(default = [])]
    pub before: Vec<String>,
    /// Photos from after the work, at most 16, by their ids, for `handled_on_spot`.
    #[uniffi(default = [])]
    pub after: Vec<String>,
    /// The reason for acting on behalf of the assigned party, which does not act.
    #[uniffi(default = None)]
    pub behalf_reason: Option<String>,
    /// The code of the reason, out of the reasons of the option.
    #[uniffi(default = None)]
    pub reason: Option<String>,
}
