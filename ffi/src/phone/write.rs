//! Writing: reports, edits, comments, moves, settling. Each call returns once the data is on disk.

use onegrid_core::crdt::{FieldEdit, Write};
use onegrid_core::domain::case::payload::Seen;
use onegrid_core::domain::case::{
    Deadlines, Event, MoveInput as CoreInput, Part, RecordState, Severity,
};
use onegrid_core::domain::content::{Content, Field, FieldValue as CoreValue};
use onegrid_core::domain::position::Position;
use onegrid_core::domain::{AreaPath, Audience, RecordKind, Source};
use onegrid_core::id::{AreaId, RecordId};
use onegrid_core::net::now_ms;
use onegrid_core::replica::{Draft, Reader, Replica, ReplicaError};

use super::read::{invalid, no_record};
use super::{Phone, id, ids, maybe_id, show};
use crate::error::{Answer, OneGridError};
use crate::types::{FieldChange, FieldInput, FieldValue, MoveInput, ReportDraft};

#[uniffi::export]
impl Phone {
    /// Writes a report and returns the record. When this returns, the report survives power loss.
    ///
    /// Errors: `report.confirm_area` if the grid is not sure (ask [`Self::locate`], let the person choose, and
    /// set the choice as `area`); `report.no_place` without position and area; `content.*`, `position.*`,
    /// `media.unknown_id`, `may.*`, `replica.not_enrolled`, `replica.disk_full`.
    pub fn report(&self, draft: ReportDraft) -> Answer<String> {
        let draft = self.0.read(|reader| whole_draft(reader, &draft))?;
        let record = self
            .0
            .write(|replica, now| Ok(replica.report(&draft, now)?))?;
        Ok(record.to_string())
    }

    /// Changes fields of a record's content and returns the envelope. Concurrent changes of others are merged;
    /// if both wrote one field, a conflict card shows it.
    ///
    /// Errors: `replica.no_record`, `content.*`, `may.*`.
    pub fn edit(&self, record: String, changes: Vec<FieldChange>) -> Answer<String> {
        let record: RecordId = id(&record)?;
        let edits = changes.iter().map(field_edit).collect::<Answer<Vec<_>>>()?;
        let envelope = self
            .0
            .write(|replica, now| Ok(replica.edit(record, &edits, now)?))?;
        Ok(envelope.to_string())
    }

    /// Writes a comment on a record with photos and recordings, and mentions people by name. It changes no state.
    ///
    /// `text` has 1 to 2,000 characters. `attachments` are at most 16 ids of photos and recordings that are staged
    /// or in the record. Errors: `replica.no_record`, `may.not_readable`, `input.invalid`, `media.unknown_id`.
    pub fn comment(
        &self,
        record: String,
        text: String,
        mentions: Vec<String>,
        attachments: Vec<String>,
    ) -> Answer<String> {
        self.act(
            record,
            MoveInput {
                movement: "comment".to_owned(),
                text: Some(text),
                mentions,
                attachments,
                ..MoveInput::default()
            },
        )
    }

    /// Notes that the person looks at a record. The first opening by a dispatcher or handler is signed, becomes
    /// the step “seen” of the reporter's receipt, and returns `true`. Later ones return `false`.
    pub fn opened(&self, record: String) -> Answer<bool> {
        let record: RecordId = id(&record)?;
        let grants = self.0.read(|reader| {
            let view = reader.view(record)?.ok_or_else(no_record)?;
            // The reporter's phone sends no step “seen” to its own reporter.
            let waits = view.state.is_some_and(|state| {
                state.seen_ms.is_none() && state.reporter_device != reader.device()
            });
            let own = reader.certificate().filter(|_| waits);
            let grants = own.map(|own| own.facts().grants.clone());
            Ok(grants.unwrap_or_default())
        })?;
        let chosen = self.0.acting_as().clone();
        let grant = grants.into_iter().find(|grant| {
            grant.role.opens_for_reporter() && chosen.as_ref().is_none_or(|one| one == grant)
        });
        let Some(grant) = grant else {
            return Ok(false);
        };
        // The role must count as the office; under a nearer role the signature would have no effect.
        self.0.write(|replica, now| {
            replica.act_as(Some(grant))?;
            let acted = replica.act(record, &Event::Seen(Seen {}), None, now);
            replica.act_as(chosen)?;
            match acted {
                Ok(_) => Ok(true),
                Err(ReplicaError::NotAllowed(_)) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Makes a move and returns the envelope. The phone refuses it at once if the rules do not allow it in the
    /// state that the phone knows; [`Self::moves`] lists the allowed moves.
    ///
    /// Errors: `input.unknown_move`, `input.missing`, `input.invalid`, `input.too_many`, `media.unknown_id`,
    /// `case.*`, `may.*`, `replica.no_record`.
    pub fn act(&self, record: String, input: MoveInput) -> Answer<String> {
        let record: RecordId = id(&record)?;
        let input = self.0.read(|reader| core_input(reader, &input))?;
        let envelope = self
            .0
            .write(|replica, now| Ok(replica.make_move(record, &input, now)?))?;
        Ok(envelope.to_string())
    }

    /// Settles a field that people wrote without knowing of each other: from now on it has this value, one of
    /// theirs or another. Returns the envelope, for [`Self::undo_settle`].
    ///
    /// Errors: `replica.no_conflict` if the conflict was settled already, `content.*`, `may.*`.
    pub fn settle(&self, record: String, field: String, value: FieldValue) -> Answer<String> {
        let (record, field) = (id(&record)?, named(&field)?);
        let value = show::core_value(&value)?;
        let envelope = self
            .0
            .write(|replica, now| Ok(replica.settle(record, &field, value, now)?))?;
        Ok(envelope.to_string())
    }

    /// Undoes a settling, as long as the field has not been written since.
    ///
    /// Errors: `replica.nothing_to_undo`.
    pub fn undo_settle(&self, record: String, envelope: String) -> Answer<String> {
        let (record, settled) = (id(&record)?, id(&envelope)?);
        let undone = self
            .0
            .write(|replica, now| Ok(replica.undo_settle(record, settled, now)?))?;
        Ok(undone.to_string())
    }

    /// Notes that the person has seen the notices up to this number.
    pub fn notices_seen(&self, up_to: i64) -> Answer<()> {
        self.0.write(|replica, _| Ok(replica.notices_seen(up_to)?))
    }

    /// Notes that the phone has shown the notifications up to this number; they are not given again.
    pub fn notifications_taken(&self, up_to: i64) -> Answer<()> {
        self.0
            .write(|replica: &mut Replica, _| Ok(replica.notifications_taken(up_to)?))
    }
}

fn named(field: &str) -> Answer<Field> {
    Field::of_name(field).ok_or_else(|| OneGridError::of("content.no_place"))
}

/// Whether this is a text field that the person left empty.
fn is_blank(value: &FieldValue) -> bool {
    matches!(value, FieldValue::Text { text } if text.is_empty())
}

fn field_edit(change: &FieldChange) -> Answer<FieldEdit> {
    let field = named(&change.field)?;
    Ok(match &change.value {
        Some(value) => FieldEdit::set(field, show::core_value(value)?),
        None => FieldEdit {
            field,
            write: Write::Remove,
        },
    })
}

fn whole_draft(reader: &Reader, draft: &ReportDraft) -> Answer<Draft> {
    let position = draft.position.as_ref();
    let position = position
        .map(crate::types::GeoPosition::checked)
        .transpose()?;
    let content = content(&draft.kind, &draft.fields, position.as_ref())?;
    let area: Option<AreaId> = maybe_id(draft.area.as_ref())?;
    Ok(Draft {
        audience: audience(draft.restricted),
        team: maybe_id(draft.team.as_ref())?,
        source: Source::Member,
        named: ids(&draft.named)?,
        linked: maybe_id(draft.linked.as_ref())?,
        attachments: ids(&draft.attachments)?,
        content,
        home: home(reader, area, position, None)?,
    })
}

/// Converts the fields of a new record.
pub(super) fn content(
    kind: &str,
    fields: &[FieldInput],
    position: Option<&Position>,
) -> Answer<Content> {
    let kind = RecordKind::from_name(kind).and_then(RecordKind::spec);
    let kind = kind.ok_or_else(|| invalid("kind"))?;
    let mut fields = fields
        .iter()
        .filter(|input| !is_blank(&input.value))
        .map(|FieldInput { field, value }| Ok((named(field)?, show::core_value(value)?)))
        .collect::<Answer<Vec<_>>>()?;
    if let Some(position) = position {
        let stored = CoreValue::Position(show::stored(position));
        fields.push((Field::Position, stored));
    }
    let content = kind.content(fields.iter().cloned());
    // A field that the kind does not have, or a value that the field does not take, is refused, because a
    // person's words must not get lost.
    let taken = content.fields();
    if let Some((field, _)) = fields.iter().find(|field| !taken.contains(field)) {
        let code = if kind.has(field) {
            "content.wrong_value"
        } else {
            "content.no_place"
        };
        return Err(OneGridError::of(code));
    }
    Ok(content)
}

/// Returns the place of a new record: the chosen area, the grid of its position, or the place of another record.
pub(super) fn home(
    reader: &Reader,
    area: Option<AreaId>,
    position: Option<Position>,
    other: Option<RecordId>,
) -> Answer<AreaPath> {
    match (area, position, other) {
        (Some(area), _, _) => area_path(reader, area),
        (None, Some(position), _) => {
            let found = reader.locate(&position, now_ms())?;
            found
                .grid
                .filter(|_| !found.needs_confirmation)
                .ok_or_else(|| OneGridError::of("report.confirm_area"))
        }
        (None, None, Some(other)) => {
            let view = reader.view(other)?.ok_or_else(no_record)?;
            let place = view.state.as_ref().map(RecordState::place);
            Ok(place.unwrap_or(view.facts.home))
        }
        (None, None, None) => Err(OneGridError::of("report.no_place")),
    }
}

/// Returns the audience of a new record.
pub(super) fn audience(restricted: bool) -> Audience {
    if restricted {
        Audience::Restricted
    } else {
        Audience::Staff
    }
}

fn area_path(reader: &Reader, area: AreaId) -> Answer<AreaPath> {
    reader.area_path(area)?.ok_or_else(|| invalid("to_area"))
}

fn core_input(reader: &Reader, input: &MoveInput) -> Answer<CoreInput> {
    let to_area: Option<AreaId> = maybe_id(input.to_area.as_ref())?;
    let part = input.part.as_deref();
    let part = part.map(|name| Part::from_name(name).ok_or_else(|| invalid("part")));
    let severity = input.severity;
    let severity =
        severity.map(|code| Severity::from_code(code).ok_or_else(|| invalid("severity")));
    Ok(CoreInput {
        movement: input.movement.clone(),
        assignment: maybe_id(input.assignment.as_ref())?,
        request: maybe_id(input.request.as_ref())?,
        text: input.text.clone(),
        to_unit: maybe_id(input.to_unit.as_ref())?,
        to_member: maybe_id(input.to_member.as_ref())?,
        to_area: to_area.map(|area| area_path(reader, area)).transpose()?,
        part: part.transpose()?,
        deadlines: Deadlines {
            accept_by_ms: input.accept_by_ms,
            arrive_by_ms: input.arrive_by_ms,
            resolve_by_ms: input.resolve_by_ms,
        },
        until_ms: input.until_ms,
        category: input.category.clone(),
        severity: severity.transpose()?,
        grid: maybe_id(input.grid.as_ref())?,
        into: maybe_id(input.into.as_ref())?,
        satisfied: input.satisfied,
        before: ids(&input.before)?,
        after: ids(&input.after)?,
        attachments: ids(&input.attachments)?,
        mentions: ids(&input.mentions)?,
        behalf_reason: input.behalf_reason.clone(),
        reason: input.reason.clone(),
    })
}
