//! Turns plain input into an event: the fields that an app asks a person for, and the one event that they
//! make.
//!
//! A move names its fields by [`needs`], so that a form follows from the move. A text, a reason and a note
//! are one field, because no move has two of them.

use super::payload as p;
use super::{Deadlines, Event, EventError, Move, OnBehalfOf, Part, Party, RecordState, Severity};
use crate::domain::area::AreaLevel;
use crate::domain::category::CategoryCode;
use crate::domain::steps::StepSpec;
use crate::domain::text::TextError;
use crate::domain::{AreaPath, Text};
use crate::id::{AreaId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::limits::{EVENT_ATTACHMENTS_MAX, MENTIONS_MAX};
use crate::texts::{Lang, say, text};

coded_enum! {
    /// A field of [`MoveInput`].
    InputField, u8 {
        /// Words of the person: the reason where the move needs one, otherwise a note.
        Text = 1, "text";
        /// The unit that becomes responsible.
        ToUnit = 2, "to_unit";
        /// The member who becomes responsible.
        ToMember = 3, "to_member";
        /// The area that becomes responsible.
        ToArea = 4, "to_area";
        /// Lead or support.
        Part = 5, "part";
        /// Deadlines of the assignment.
        Deadlines = 6, "deadlines";
        /// An instant: the end of a suspension, or a new deadline.
        Until = 7, "until";
        /// Code of the category.
        Category = 8, "category";
        /// How bad the danger is.
        Severity = 9, "severity";
        /// The grid that triage found.
        Grid = 10, "grid";
        /// The record that continues.
        Into = 11, "into";
        /// Whether the people concerned are content.
        Satisfied = 12, "satisfied";
        /// Photos from before the work.
        Before = 13, "before";
        /// Photos from after the work.
        After = 14, "after";
        /// Photos, voice and other files.
        Attachments = 15, "attachments";
        /// Members who are called by name.
        Mentions = 16, "mentions";
        /// The assignment that the step is about.
        Assignment = 17, "assignment";
        /// The request for more time that is granted.
        Request = 18, "request";
        /// The reason why the person acts for another party.
        BehalfReason = 19, "behalf_reason";
        /// The move itself.
        Move = 20, "move";
        /// The reason out of a list.
        Reason = 21, "reason";
    }
}

/// Whether a move needs a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The person may leave the field out.
    Optional,
    /// The move cannot be made without the field.
    Required,
    /// The move needs at least one of the fields that have this mark.
    OneOf,
}

/// A field of a move's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldNeed {
    /// The field.
    pub field: InputField,
    /// Whether the move needs it.
    pub need: Need,
}

const fn o(field: InputField) -> FieldNeed {
    let need = Need::Optional;
    FieldNeed { field, need }
}

const fn r(field: InputField) -> FieldNeed {
    let need = Need::Required;
    FieldNeed { field, need }
}

const fn one(field: InputField) -> FieldNeed {
    let need = Need::OneOf;
    FieldNeed { field, need }
}

use InputField as F;

const STEP: &[FieldNeed] = &[r(F::Assignment), o(F::Attachments), o(F::Text)];
const GIVE_BACK: &[FieldNeed] = &[r(F::Assignment), r(F::Text)];
const EVIDENCE: &[FieldNeed] = &[o(F::Attachments), o(F::Text)];
const NOTE: &[FieldNeed] = &[o(F::Text)];
const REASON: &[FieldNeed] = &[r(F::Text)];

/// The form of each move, in the order of [`Move::ALL`] (`r`: required, `o`: optional, `one`: one of these).
#[rustfmt::skip]
const FORMS: [(Move, &[FieldNeed]); 31] = [
    (Move::Triage, &[r(F::Category), r(F::Severity), o(F::Grid), o(F::Text)]),
    (Move::Dispatch, &[one(F::ToUnit), one(F::ToMember), o(F::Part), o(F::Deadlines), o(F::Text)]),
    (Move::Accept, STEP),
    (Move::Arrive, STEP),
    (Move::Resolve, STEP),
    (Move::Return, GIVE_BACK),
    (Move::Withdraw, GIVE_BACK),
    (Move::Transfer, &[r(F::ToArea), r(F::Text)]),
    (Move::Share, &[one(F::ToUnit), one(F::ToMember), one(F::ToArea), o(F::Deadlines), o(F::Text)]),
    (Move::VerifyPass, EVIDENCE),
    (Move::VerifyFail, EVIDENCE),
    (Move::Close, NOTE),
    (Move::FollowUp, &[o(F::Satisfied), o(F::Text)]),
    (Move::HandledOnSpot, &[r(F::Before), r(F::After), o(F::Text)]),
    (Move::Dismiss, REASON),
    (Move::Escalate, REASON),
    (Move::AssignFinally, &[one(F::ToUnit), one(F::ToMember), o(F::Deadlines), r(F::Text)]),
    (Move::Urge, NOTE),
    (Move::Supervise, NOTE),
    (Move::Suspend, &[o(F::Until), r(F::Text)]),
    (Move::Resume, NOTE),
    (Move::RequestExtension, &[r(F::Assignment), r(F::Until), r(F::Text)]),
    (Move::GrantExtension, &[r(F::Request), o(F::Until), o(F::Text)]),
    (Move::HandToPolice, &[o(F::ToUnit), r(F::Text)]),
    (Move::Merge, &[r(F::Into), o(F::Text)]),
    (Move::Unmerge, NOTE),
    (Move::Reopen, REASON),
    (Move::DangerRemains, EVIDENCE),
    (Move::Comment, &[one(F::Text), one(F::Attachments), o(F::Mentions)]),
    (Move::Seen, &[]),
    (Move::Step, EVIDENCE),
];

const STEP_TEXT: &[FieldNeed] = &[o(F::Attachments), r(F::Text)];
const STEP_REASON: &[FieldNeed] = &[r(F::Reason), o(F::Attachments), o(F::Text)];
const STEP_REASON_TEXT: &[FieldNeed] = &[r(F::Reason), o(F::Attachments), r(F::Text)];

/// The fields of a move's form. An app asks for them in this order.
#[must_use]
pub fn needs(movement: Move) -> &'static [FieldNeed] {
    FORMS[usize::from(movement.code()) - 1].1
}

/// The fields of the form of a step. An app asks for them in this order.
#[must_use]
pub fn needs_of_step(step: &StepSpec) -> &'static [FieldNeed] {
    match (step.reasons.is_empty(), step.needs_text) {
        (true, false) => needs(Move::Step),
        (true, true) => STEP_TEXT,
        (false, false) => STEP_REASON,
        (false, true) => STEP_REASON_TEXT,
    }
}

/// The input of a person for a move. Fields that the move does not have are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoveInput {
    /// The name of the move, see [`Move::name`], or of a step in the table of the record's kind.
    pub movement: String,
    /// The assignment that the step is about.
    pub assignment: Option<EnvelopeId>,
    /// The request for more time that is granted.
    pub request: Option<EnvelopeId>,
    /// The reason where the move needs one, otherwise a note. A blank text counts as none.
    pub text: Option<String>,
    /// The unit that becomes responsible.
    pub to_unit: Option<UnitId>,
    /// The member who becomes responsible.
    pub to_member: Option<MemberId>,
    /// The area that becomes responsible.
    pub to_area: Option<AreaPath>,
    /// Lead or support; `None` means lead.
    pub part: Option<Part>,
    /// Deadlines of the assignment.
    pub deadlines: Deadlines,
    /// The end of a suspension, or the new deadline, ms UTC. With `None`, an extension is granted as it was
    /// asked for.
    pub until_ms: Option<i64>,
    /// Code of the category.
    pub category: Option<String>,
    /// How bad the danger is.
    pub severity: Option<Severity>,
    /// The grid that triage found.
    pub grid: Option<AreaId>,
    /// The record that continues.
    pub into: Option<RecordId>,
    /// Whether the people concerned are content.
    pub satisfied: Option<bool>,
    /// Photos from before the work.
    pub before: Vec<Hash>,
    /// Photos from after the work.
    pub after: Vec<Hash>,
    /// Photos, voice and other files.
    pub attachments: Vec<Hash>,
    /// Members who are called by name.
    pub mentions: Vec<MemberId>,
    /// The reason why the person acts for the party of the assignment; `None` if the person acts on its own
    /// behalf.
    pub behalf_reason: Option<String>,
    /// The name of the reason, for a step that has reasons.
    pub reason: Option<String>,
}

coded_error! {
    /// The reason why input makes no event. Every variant names the field, so that a form can mark it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum InputError {
        /// No move of this version has this name.
        #[error("input.unknown_move")]
        UnknownMove,
        /// The move needs the field.
        #[error("input.missing")]
        Missing(InputField),
        /// The value of the field is refused; the code says why.
        #[error("input.invalid")]
        Invalid(InputField, &'static str),
        /// The list is longer than an event may carry.
        #[error("input.too_many")]
        TooMany(InputField),
    }
}

impl InputError {
    /// The field that is concerned.
    #[must_use]
    pub const fn field(&self) -> InputField {
        match self {
            Self::UnknownMove => InputField::Move,
            Self::Missing(field) | Self::Invalid(field, _) | Self::TooMany(field) => *field,
        }
    }

    /// The sentence for the person, with the name of the field.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> String {
        let field = text(&format!("input.{}", self.field().name()), lang).unwrap_or_default();
        let why = match self {
            Self::Invalid(_, why) => text(why, lang).unwrap_or_default(),
            _ => "",
        };
        say(self.code(), lang, &[("field", field), ("why", why)])
    }
}

impl MoveInput {
    /// Input for a move, without any field.
    #[must_use]
    pub fn of(movement: Move) -> Self {
        Self {
            movement: movement.name().to_owned(),
            ..Self::default()
        }
    }

    /// Input for a step, without any field.
    #[must_use]
    pub fn of_step(step: &StepSpec) -> Self {
        Self {
            movement: step.name.to_owned(),
            ..Self::default()
        }
    }

    /// The move.
    pub fn movement(&self) -> Result<Move, InputError> {
        Move::from_name(&self.movement).ok_or(InputError::UnknownMove)
    }

    /// The event that the input makes in this state, and the party that it is made for. Another function
    /// decides whether the move is allowed ([`super::offer`]).
    pub fn event(&self, state: &RecordState) -> Result<(Event, Option<OnBehalfOf>), InputError> {
        let steps = state.steps();
        let event = match steps.and_then(|steps| steps.table.step_named(&self.movement)) {
            Some(step) => Event::Step(self.kind_step(step)?),
            None => self.bare_event(state)?,
        };
        event.check().map_err(|error| self.why(&event, error))?;
        Ok((event, self.on_behalf_of(state)?))
    }

    fn bare_event(&self, state: &RecordState) -> Result<Event, InputError> {
        let movement = self.movement()?;
        Ok(match movement {
            Move::Accept => Event::Accept(self.step()?),
            Move::Arrive => Event::Arrive(self.step()?),
            Move::Resolve => Event::Resolve(self.step()?),
            Move::Return => Event::Return(self.give_back()?),
            Move::Withdraw => Event::Withdraw(self.give_back()?),
            Move::Close => Event::Close(self.bare()?),
            Move::Urge => Event::Urge(self.bare()?),
            Move::Supervise => Event::Supervise(self.bare()?),
            Move::Resume => Event::Resume(self.bare()?),
            Move::Unmerge => Event::Unmerge(self.bare()?),
            Move::Dismiss => Event::Dismiss(self.reasoned()?),
            Move::Reopen => Event::Reopen(self.reasoned()?),
            Move::Seen => Event::Seen(p::Seen {}),
            // A step has a name of its own.
            Move::Step => return Err(InputError::UnknownMove),
            Move::VerifyPass => Event::Verify(self.verify(true)?),
            Move::VerifyFail => Event::Verify(self.verify(false)?),
            Move::DangerRemains => Event::DangerRemains(p::DangerRemains {
                text: self.note()?,
                attachments: self.attachments.clone(),
            }),
            Move::Comment => Event::Comment(p::Comment {
                text: self.note()?,
                attachments: self.attachments.clone(),
                mentions: self.mentions.clone(),
            }),
            Move::FollowUp => Event::FollowUp(p::FollowUp {
                satisfied: self.satisfied,
                note: self.note()?,
            }),
            Move::HandledOnSpot => Event::HandledOnSpot(p::HandledOnSpot {
                before: photos(&self.before, F::Before)?,
                after: photos(&self.after, F::After)?,
                note: self.note()?,
            }),
            Move::Merge => Event::Merge(p::Merge {
                into: self.into.ok_or(InputError::Missing(F::Into))?,
                note: self.note()?,
            }),
            Move::RequestExtension => Event::RequestExtension(p::RequestExtension {
                assignment: self.assignment()?,
                until_ms: self.until_ms.ok_or(InputError::Missing(F::Until))?,
                reason: self.reason()?,
            }),
            Move::GrantExtension => self.grant_extension(state)?,
            Move::Suspend => Event::Suspend(p::Suspend {
                until_ms: self.until_ms,
                reason: self.reason()?,
            }),
            Move::Triage
            | Move::Dispatch
            | Move::Share
            | Move::Transfer
            | Move::Escalate
            | Move::AssignFinally
            | Move::HandToPolice => self.responsibility(movement, state)?,
        })
    }

    /// The event of a move that hands the case to a party, an area or a level, or of a triage.
    fn responsibility(&self, movement: Move, state: &RecordState) -> Result<Event, InputError> {
        Ok(match movement {
            Move::Dispatch => Event::Dispatch(p::Dispatch {
                to: self.party()?,
                part: self.part.unwrap_or(Part::Lead),
                deadlines: self.deadlines,
                rule: None,
                note: self.note()?,
            }),
            Move::Share => Event::Share(p::Share {
                with: self.partner()?,
                deadlines: self.deadlines,
                note: self.note()?,
            }),
            Move::Transfer => Event::Transfer(p::Transfer {
                to: self.to_area.ok_or(InputError::Missing(F::ToArea))?,
                reason: self.reason()?,
            }),
            Move::Escalate => {
                let level = state.handling().map(|handling| handling.level);
                let level = level.unwrap_or(AreaLevel::District);
                Event::Escalate(p::Escalate {
                    // No level is above the district, so `guard` refuses the same level.
                    to: level.above().unwrap_or(level),
                    reason: self.reason()?,
                    rule: None,
                })
            }
            Move::AssignFinally => Event::AssignFinally(p::AssignFinally {
                to: self.party()?,
                deadlines: self.deadlines,
                reason: self.reason()?,
            }),
            Move::HandToPolice => Event::HandToPolice(p::HandToPolice {
                to: self.to_unit,
                reason: self.reason()?,
            }),
            _ => Event::Triage(p::Triage {
                category: self.category()?,
                severity: self.severity.ok_or(InputError::Missing(F::Severity))?,
                grid: self.grid,
                rule: None,
                note: self.note()?,
            }),
        })
    }

    fn grant_extension(&self, state: &RecordState) -> Result<Event, InputError> {
        let request = self.request.ok_or(InputError::Missing(F::Request))?;
        let handling = state.handling().into_iter();
        let mut all = handling.flat_map(|handling| &handling.extensions);
        let asked = all.find(|one| one.request == request);
        let until_ms = self.until_ms.or(asked.map(|one| one.until_ms));
        Ok(Event::GrantExtension(p::GrantExtension {
            request,
            until_ms: until_ms.ok_or(InputError::Missing(F::Until))?,
            note: self.note()?,
        }))
    }

    fn on_behalf_of(&self, state: &RecordState) -> Result<Option<OnBehalfOf>, InputError> {
        let Some(reason) = &self.behalf_reason else {
            return Ok(None);
        };
        let reason = words(Some(reason), F::BehalfReason)?;
        let id = self.assignment()?;
        let unknown = InputError::Invalid(F::Assignment, "case.no_assignment");
        Ok(Some(OnBehalfOf {
            party: state.assignment(id).ok_or(unknown)?.to,
            reason: reason.ok_or(InputError::Missing(F::BehalfReason))?,
        }))
    }

    /// The field of an event that is incomplete or too large.
    fn why(&self, event: &Event, error: EventError) -> InputError {
        match error {
            EventError::TooLarge if self.mentions.len() > MENTIONS_MAX => {
                InputError::TooMany(F::Mentions)
            }
            EventError::TooLarge if matches!(event, Event::HandledOnSpot(_)) => {
                InputError::TooMany(if self.before.len() > EVENT_ATTACHMENTS_MAX {
                    F::Before
                } else {
                    F::After
                })
            }
            EventError::TooLarge => InputError::TooMany(F::Attachments),
            EventError::Incomplete | EventError::Malformed => InputError::Missing(F::Text),
        }
    }

    fn note(&self) -> Result<Option<Text>, InputError> {
        words(self.text.as_deref(), F::Text)
    }

    fn reason(&self) -> Result<Text, InputError> {
        self.note()?.ok_or(InputError::Missing(F::Text))
    }

    fn bare(&self) -> Result<p::Bare, InputError> {
        Ok(p::Bare { note: self.note()? })
    }

    fn reasoned(&self) -> Result<p::Reasoned, InputError> {
        Ok(p::Reasoned {
            reason: self.reason()?,
        })
    }

    fn verify(&self, pass: bool) -> Result<p::Verify, InputError> {
        Ok(p::Verify {
            pass,
            attachments: self.attachments.clone(),
            note: self.note()?,
        })
    }

    fn assignment(&self) -> Result<EnvelopeId, InputError> {
        self.assignment.ok_or(InputError::Missing(F::Assignment))
    }

    fn step(&self) -> Result<p::Step, InputError> {
        Ok(p::Step {
            assignment: self.assignment()?,
            attachments: self.attachments.clone(),
            note: self.note()?,
        })
    }

    fn kind_step(&self, step: &StepSpec) -> Result<p::KindStep, InputError> {
        let name = self.reason.as_deref().filter(|name| !name.is_empty());
        let unknown = InputError::Invalid(F::Reason, "input.unknown_reason");
        let reason = name.map(|name| step.reason_named(name).ok_or(unknown));
        let reason = reason.transpose()?.map(|reason| reason.code);
        let note = if step.needs_text {
            Some(self.reason()?)
        } else {
            self.note()?
        };
        if !step.takes(reason) {
            return Err(InputError::Missing(F::Reason));
        }
        Ok(p::KindStep {
            step: step.code,
            reason,
            attachments: self.attachments.clone(),
            note,
        })
    }

    fn give_back(&self) -> Result<p::GiveBack, InputError> {
        Ok(p::GiveBack {
            assignment: self.assignment()?,
            reason: self.reason()?,
        })
    }

    fn category(&self) -> Result<CategoryCode, InputError> {
        let code = self.category.as_deref().filter(|code| !code.is_empty());
        code.ok_or(InputError::Missing(F::Category))?
            .parse()
            .map_err(|_| InputError::Invalid(F::Category, "category.bad_code"))
    }

    fn party(&self) -> Result<Party, InputError> {
        match (self.to_unit, self.to_member) {
            (Some(unit), None) => Ok(Party::Unit(unit)),
            (None, Some(member)) => Ok(Party::Member(member)),
            (None, None) => Err(InputError::Missing(F::ToUnit)),
            (Some(_), Some(_)) => Err(InputError::Invalid(F::ToMember, "input.one_target")),
        }
    }

    fn partner(&self) -> Result<p::Partner, InputError> {
        match self.to_area {
            None => Ok(p::Partner::Party(self.party()?)),
            Some(area) if self.to_unit.is_none() && self.to_member.is_none() => {
                Ok(p::Partner::Area(area))
            }
            Some(_) => Err(InputError::Invalid(F::ToArea, "input.one_target")),
        }
    }
}

/// Checks the words of a person. A blank text counts as none.
fn words(typed: Option<&str>, field: InputField) -> Result<Option<Text>, InputError> {
    let Some(typed) = typed.map(str::trim).filter(|typed| !typed.is_empty()) else {
        return Ok(None);
    };
    let refused = |error| match error {
        TextError::Blank => InputError::Missing(field),
        TextError::TooLong => InputError::Invalid(field, "text.too_long"),
        TextError::BadCharacter => InputError::Invalid(field, "text.bad_character"),
    };
    Text::new(typed).map(Some).map_err(refused)
}

fn photos(photos: &[Hash], field: InputField) -> Result<Vec<Hash>, InputError> {
    if photos.is_empty() {
        return Err(InputError::Missing(field));
    }
    Ok(photos.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_stand_where_the_codes_of_moves_say() {
        for (index, (movement, _)) in FORMS.iter().enumerate() {
            assert_eq!(Move::ALL[index], *movement);
        }
        assert_eq!(FORMS.len(), Move::ALL.len());
    }
}
