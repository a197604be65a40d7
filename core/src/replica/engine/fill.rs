//! Filling in checklists: plan a form, answer its questions, take its steps, write private words, and report
//! findings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::error::ReplicaError;
use super::super::forms::{self, FormOf};
use super::super::projection::{form_rows, project};
use super::super::table::record_link;
use super::Replica;
use super::conflict::name_of;
use super::describe::describe;
use super::edit::change;
use super::form_page::{problems, today};
use super::report::Draft;
use super::words::Wording;
use super::write::Writing;
use crate::crdt::{DevicePrefix, FieldEdit, Write, build_genesis};
use crate::domain::case::{Event, OnBehalfOf};
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, StoredPosition};
use crate::domain::form::{Answer, AnswerKey, ItemId, Kind, RowId, RowMark, Template, TemplateId};
use crate::domain::kinds::FormSpec;
use crate::domain::{AreaPath, Audience, RecordKind, Source};
use crate::id::{EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::limits::{FORM_ROWS_MAX, NAMED_MAX};
use crate::record::Record;
use crate::texts::{Lang, say};
use crate::wire::body::{Body, Genesis};

/// The subject of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A record of the subject.
    Record(RecordId),
    /// A name and a place.
    Named {
        /// The name.
        title: String,
        /// The address in words.
        address: Option<String>,
        /// Where it is.
        position: Option<StoredPosition>,
    },
}

/// A form that a person is about to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormDraft {
    /// The kind of the record.
    pub kind: RecordKind,
    /// The template. The form takes the newest version that this app reads.
    pub template: TemplateId,
    /// Where it is, with the areas above.
    pub home: AreaPath,
    /// The subject; without one it is the place of the linked record.
    pub subject: Option<Subject>,
    /// The planned time, ms UTC.
    pub planned_ms: Option<i64>,
    /// The people who come along, at most [`NAMED_MAX`]. They may write answers, and read the restricted
    /// records of the form.
    pub companions: Vec<MemberId>,
    /// The names of the people who come along, as the form shows them; without them the public names of the
    /// companions.
    pub companion_names: Option<String>,
    /// The people who may read it.
    pub audience: Audience,
    /// The team that it is shared with.
    pub team: Option<UnitId>,
    /// The record that it follows up.
    pub linked: Option<RecordId>,
    /// Private words, for the author and the companions.
    pub note: Option<String>,
}

/// The records that a plan made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormRecords {
    /// The form.
    pub form: RecordId,
    /// The restricted record with the name of the subject, where the template hides it.
    pub subject: Option<RecordId>,
    /// The private words.
    pub note: Option<RecordId>,
}

/// A change of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormEdit {
    /// The question has this answer.
    Set(AnswerKey, Answer),
    /// The question has this answer, as a person entered it. An empty text clears the answer.
    Enter(AnswerKey, FieldValue),
    /// The question has no answer.
    Clear(AnswerKey),
    /// A repeat has one more row. [`Replica::row_id`] makes its id.
    AddRow(ItemId, RowId),
    /// A repeat has this row no longer. Its answers stay in the record.
    RemoveRow(ItemId, RowId),
}

/// Something that was found while a form was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The question that it comes from.
    pub question: Option<AnswerKey>,
    /// The content of the new record. Address, position and title are taken over where it has none.
    pub content: Content,
    /// The people who may read it.
    pub audience: Audience,
    /// The team that it is shared with.
    pub team: Option<UnitId>,
    /// The language of the words that are added.
    pub lang: Lang,
}

const NOT_FOR_ROLE: &str = "form.not_for_role";
const NO_FORM: &str = "form.no_form";

impl Replica {
    /// Plans a form. Where its template hides the subject, the name goes into a restricted record.
    pub fn plan_form(
        &mut self,
        draft: &FormDraft,
        now_ms: i64,
    ) -> Result<FormRecords, ReplicaError> {
        let spec = form_spec(draft.kind)?;
        let template = self.newest_template(&draft.template)?;
        if draft.companions.len() > NAMED_MAX {
            return Err(ReplicaError::BadContent("event.too_large"));
        }
        self.check_role(&template)?;
        let subject = self.subject(draft)?;
        let companions = self.companion_names(draft)?;
        self.write(now_ms, |writing| {
            writing.fill_in(&template);
            let (subject, made) = place(writing, spec, draft, &template, subject)?;
            let content = form_content(spec, draft, &template, (subject, companions))?;
            let form = report(
                writing,
                &Draft {
                    audience: draft.audience,
                    team: draft.team,
                    named: draft.companions.clone(),
                    linked: draft.linked,
                    ..Draft::staff(content, draft.home)
                },
            )?;
            let note = match draft.note.as_deref().filter(|text| !text.trim().is_empty()) {
                None => None,
                Some(text) => Some(note(writing, spec, form, text, &draft.companions)?),
            };
            Ok(FormRecords {
                form,
                subject: made,
                note,
            })
        })
    }

    /// Changes answers, all of them or none. A value that is no answer to its question is refused.
    pub fn answer(
        &mut self,
        record: RecordId,
        edits: &[FormEdit],
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        let (loaded, form) = self.form_of(record)?;
        let template = Arc::clone(form.readable().map_err(ReplicaError::NotAllowed)?);
        self.check_role(&template)?;
        let day = today(&loaded, now_ms);
        self.check_rows(&loaded, edits)?;
        let (mut fields, mut photos) = (Vec::new(), Vec::new());
        for edit in edits {
            match edit {
                FormEdit::Set(key, answer) => {
                    let checked = template.check(key, answer);
                    checked.map_err(|error| ReplicaError::BadContent(error.code()))?;
                    photos.extend(photo(answer));
                    fields.push(set(key, answer.to_value()));
                }
                FormEdit::Enter(key, value) => {
                    let entered = template
                        .entered(key, value)
                        .map_err(|error| ReplicaError::BadContent(error.code()))?;
                    photos.extend(entered.as_ref().and_then(photo));
                    fields.push(match entered {
                        Some(answer) => set(key, answer.to_value()),
                        None => clear(key),
                    });
                }
                FormEdit::Clear(key) => {
                    template
                        .question(key)
                        .map_err(|error| ReplicaError::BadContent(error.code()))?;
                    fields.push(clear(key));
                }
                FormEdit::AddRow(repeat, row) => {
                    check_repeat(&template, repeat)?;
                    let mark = AnswerKey::in_row(repeat.clone(), *row);
                    fields.push(set(&mark, RowMark::Added(now_ms).to_value()));
                    for (item, answer) in template.defaults(Some(repeat), day) {
                        let key = AnswerKey::in_row(item.clone(), *row);
                        fields.push(set(&key, answer.to_value()));
                    }
                }
                FormEdit::RemoveRow(repeat, row) => {
                    check_repeat(&template, repeat)?;
                    let mark = AnswerKey::in_row(repeat.clone(), *row);
                    fields.push(set(&mark, RowMark::Removed.to_value()));
                }
            }
        }
        self.write(now_ms, |writing| {
            writing.fill_in(&template);
            describe(writing, record, &photos)?;
            change(writing, record, &fields, None)
        })
    }

    /// A new id for a row of a repeat.
    pub fn row_id(&mut self) -> RowId {
        let mut id = [0; 8];
        self.entropy.fill_bytes(&mut id);
        RowId(id)
    }

    /// Writes the person's private words about a form, or writes them anew. They are a restricted record for
    /// its author and the people who were named when it was made; a later call adds no reader.
    pub fn write_note(
        &mut self,
        form: RecordId,
        text: &str,
        named: &[MemberId],
        now_ms: i64,
    ) -> Result<RecordId, ReplicaError> {
        let (_, found) = self.form_of(form)?;
        let known = self.own_note(form, found.spec)?;
        // A note that exists may be cleared.
        if known.is_none() && text.trim().is_empty() {
            return Err(ReplicaError::BadContent("form.no_words"));
        }
        self.write(now_ms, |writing| match known {
            None => note(writing, found.spec, form, text, named),
            Some(known) => {
                let edit = FieldEdit::text(Field::Description, text);
                change(writing, known, &[edit], None)?;
                Ok(known)
            }
        })
    }

    /// Reports what was found while a form was filled in, as a record that is linked to the form. The place
    /// is taken over where the readers of the new record may know it.
    pub fn report_finding(
        &mut self,
        form: RecordId,
        finding: &Finding,
        now_ms: i64,
    ) -> Result<RecordId, ReplicaError> {
        let (loaded, found) = self.form_of(form)?;
        let facts = loaded.genesis().ok_or(ReplicaError::Inconsistent)?.clone();
        let mut content = finding.content.clone();
        let of_form = project::content(&loaded).ok_or(ReplicaError::Inconsistent)?;
        let open_place = facts.audience == Audience::Staff;
        let restricted = finding.audience == Audience::Restricted;
        if open_place || restricted {
            take_place(content.details_mut(), of_form.details());
        }
        if let Some(subject) = of_form
            .text(found.spec.subject)
            .and_then(|id| id.parse().ok())
            && let Some(subject) = self.load(subject)?
            && let Some(place) = project::content(&subject)
        {
            let audience = subject.genesis().map(|facts| facts.audience);
            if restricted || audience == Some(Audience::Staff) {
                take_place(content.details_mut(), place.details());
            }
        }
        let wording = Wording::of(self.conn()?, &self.certificates.templates, &loaded)?;
        let origin = origin(
            &wording,
            &found,
            &of_form,
            finding,
            open_place || restricted,
        )?;
        let details = content.details_mut();
        if details
            .title
            .as_ref()
            .is_none_or(|title| title.trim().is_empty())
        {
            details.title = Some(origin.title);
        }
        let lines = [details.description.as_str(), origin.sentence.as_str()];
        let lines = lines.into_iter().filter(|line| !line.is_empty());
        details.description = lines.collect::<Vec<_>>().join("\n");
        let draft = Draft {
            audience: finding.audience,
            team: finding.team,
            named: if restricted { facts.named } else { Vec::new() },
            linked: Some(form),
            ..Draft::staff(content, facts.home)
        };
        self.report(&draft, now_ms)
    }

    /// Takes a step of a form. Its end needs a complete form, and its beginning fills in the defaults.
    pub(super) fn step(
        &mut self,
        record: RecordId,
        (event, on_behalf_of): (&Event, Option<OnBehalfOf>),
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        let found = match self.form_of(record) {
            // Content of other software may name no template.
            Err(ReplicaError::BadContent(NO_FORM)) => None,
            found => Some(found?),
        };
        let (Some((loaded, form)), Event::Step(step)) = (found, event) else {
            return self.act(record, event, on_behalf_of, now_ms);
        };
        let begins = step.step == form.spec.begin.code;
        let finishes = step.step == form.spec.finish.code;
        let template = form.readable().map(Arc::clone);
        if let Ok(template) = &template {
            self.check_role(template)?;
        }
        let mut defaults = Vec::new();
        if begins || finishes {
            let template = template
                .as_ref()
                .map_err(|code| ReplicaError::NotAllowed(code))?;
            let content = project::content(&loaded).ok_or(ReplicaError::Inconsistent)?;
            let day = today(&loaded, now_ms);
            if finishes {
                let missing = problems(template, &content, day)?;
                if !missing.is_empty() {
                    return Err(ReplicaError::FormIncomplete(missing));
                }
            } else {
                let answered = &content.details().answers;
                for (item, answer) in template.defaults(None, day) {
                    if !answered.contains_key(item.as_str()) {
                        defaults.push(set(&AnswerKey::of(item.clone()), answer.to_value()));
                    }
                }
            }
        }
        self.write(now_ms, |writing| {
            if let Ok(template) = &template {
                writing.fill_in(template);
            }
            describe(writing, record, &event.attachments())?;
            let body = writing.event(event, on_behalf_of);
            let id = writing.append(record, &body)?;
            if !defaults.is_empty() {
                change(writing, record, &defaults, None)?;
            }
            Ok(id)
        })
    }

    /// Whether there is room for the rows that edits add. Rows of other phones do not count here,
    /// because phones take turns where a repeat has more rows than count.
    fn check_rows(&self, record: &Record, edits: &[FormEdit]) -> Result<(), ReplicaError> {
        let added = |edit: &FormEdit| match edit {
            FormEdit::AddRow(repeat, _) => Some(repeat.clone()),
            _ => None,
        };
        let mut room: BTreeMap<ItemId, usize> = BTreeMap::new();
        for repeat in edits.iter().filter_map(added) {
            *room.entry(repeat).or_default() += 1;
        }
        if room.is_empty() {
            return Ok(());
        }
        let own = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let own = DevicePrefix::of(&own.facts().device).0;
        let content = project::content(record).ok_or(ReplicaError::Inconsistent)?;
        for (key, text) in &content.details().answers {
            let is_own = content.row_devices().get(key) == Some(&own);
            let is_added = matches!(RowMark::of_text(text), Some(RowMark::Added(_)));
            let repeat = key.parse().ok().map(|key: AnswerKey| key.item);
            let rows = repeat.and_then(|repeat| room.get_mut(&repeat));
            if let Some(rows) = rows.filter(|_| is_own && is_added) {
                *rows += 1;
            }
        }
        let fits = room.values().all(|rows| *rows <= FORM_ROWS_MAX);
        fits.then_some(())
            .ok_or(ReplicaError::BadContent("form.row_limit"))
    }

    /// The record and its form.
    fn form_of(&self, record: RecordId) -> Result<(Record, FormOf), ReplicaError> {
        let loaded = self.load(record)?.ok_or(ReplicaError::NoRecord)?;
        let content = project::content(&loaded).ok_or(ReplicaError::BadContent(NO_FORM))?;
        let form = FormOf::content(self.conn()?, &self.certificates.templates, &content)?;
        Ok((loaded, form.ok_or(ReplicaError::BadContent(NO_FORM))?))
    }

    fn newest_template(&self, id: &TemplateId) -> Result<Arc<Template>, ReplicaError> {
        let all = self.templates(false)?;
        let info = all.into_iter().find(|info| info.id == *id);
        let info = info.ok_or(ReplicaError::NotAllowed(forms::NO_TEMPLATE))?;
        info.template
            .ok_or(ReplicaError::NotAllowed(forms::NEWER_TEMPLATE))
    }

    /// Whether the person has a role that may use the template.
    fn check_role(&self, template: &Template) -> Result<(), ReplicaError> {
        self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        self.may_fill(template, self.acting_as())
            .then_some(())
            .ok_or(ReplicaError::NotAllowed(NOT_FOR_ROLE))
    }

    /// The subject of a draft, with the name that the readers of the form may know.
    fn subject(&self, draft: &FormDraft) -> Result<Chosen, ReplicaError> {
        let about = match &draft.subject {
            Some(Subject::Named {
                title,
                address,
                position,
            }) => {
                if title.trim().is_empty() {
                    return Err(ReplicaError::BadContent("form.no_subject"));
                }
                return Ok(Chosen {
                    record: None,
                    details: Details {
                        title: Some(title.trim().to_owned()),
                        address: address.clone(),
                        position: *position,
                        ..Details::default()
                    },
                });
            }
            Some(Subject::Record(record)) => *record,
            None => draft
                .linked
                .ok_or(ReplicaError::BadContent("form.no_subject"))?,
        };
        let loaded = self.load(about)?.ok_or(ReplicaError::NoRecord)?;
        if form_rows::surviving(self.conn()?, about)? != about {
            return Err(ReplicaError::NotAllowed("form.subject_merged"));
        }
        let hidden = loaded.genesis().map(|facts| facts.audience) != Some(Audience::Staff)
            && draft.audience == Audience::Staff;
        let mut details = Details::default();
        if let Some(content) = project::content(&loaded).filter(|_| !hidden) {
            details.title.clone_from(&content.details().title);
            take_place(&mut details, content.details());
        }
        Ok(Chosen {
            record: Some(about),
            details,
        })
    }

    fn companion_names(&self, draft: &FormDraft) -> Result<String, ReplicaError> {
        if let Some(names) = &draft.companion_names {
            return Ok(names.trim().to_owned());
        }
        let conn = self.conn()?;
        let mut names = Vec::new();
        for member in &draft.companions {
            names.push(name_of(conn, Some(*member), Lang::default())?);
        }
        Ok(names.join("、"))
    }

    fn own_note(&self, form: RecordId, spec: &FormSpec) -> Result<Option<RecordId>, ReplicaError> {
        let kind = spec.note_kind.code();
        Ok(record_link::own_source(self.conn()?, form, kind)?)
    }
}

/// The subject that a person chose.
struct Chosen {
    record: Option<RecordId>,
    /// Name, address and position, as far as the readers of the form may know them.
    details: Details,
}

/// The title and the last line of a finding.
struct Origin {
    title: String,
    sentence: String,
}

fn form_spec(kind: RecordKind) -> Result<&'static FormSpec, ReplicaError> {
    let spec = kind.spec().and_then(|spec| spec.form);
    spec.ok_or(ReplicaError::BadContent(NO_FORM))
}

/// The photo that an answer names.
fn photo(answer: &Answer) -> Option<Hash> {
    match answer {
        Answer::Photo(id) => Some(*id),
        _ => None,
    }
}

fn set(key: &AnswerKey, value: FieldValue) -> FieldEdit {
    FieldEdit::set(Field::Answer(key.to_string()), value)
}

fn clear(key: &AnswerKey) -> FieldEdit {
    FieldEdit {
        field: Field::Answer(key.to_string()),
        write: Write::Remove,
    }
}

fn check_repeat(template: &Template, repeat: &ItemId) -> Result<(), ReplicaError> {
    let item = template.item(repeat.as_str());
    let is_repeat = item.is_some_and(|item| item.kind == Kind::Repeat);
    is_repeat
        .then_some(())
        .ok_or(ReplicaError::BadContent("form.no_question"))
}

/// Takes over address and position where there are none.
fn take_place(details: &mut Details, from: &Details) {
    if details.address.is_none() {
        details.address.clone_from(&from.address);
    }
    details.position = details.position.or(from.position);
}

fn report(writing: &mut Writing<'_>, draft: &Draft) -> Result<RecordId, ReplicaError> {
    let content = build_genesis(&draft.content, writing.actor()?)
        .map_err(|error| ReplicaError::BadContent(error.code()))?;
    let body = Body::Genesis(Genesis {
        nonce: writing.random(),
        kind: draft.content.kind(),
        home: draft.home,
        audience: draft.audience,
        team: draft.team,
        source: Source::Member,
        named: draft.named.clone(),
        linked: draft.linked,
        content,
    });
    writing.genesis(&body)
}

/// Makes the restricted record of a subject that the template hides. Returns the subject as the form names
/// it, and the record that was made.
fn place(
    writing: &mut Writing<'_>,
    spec: &FormSpec,
    draft: &FormDraft,
    template: &Template,
    chosen: Chosen,
) -> Result<(Chosen, Option<RecordId>), ReplicaError> {
    let hides = template.has_restricted_place() && draft.audience == Audience::Staff;
    if !hides {
        return Ok((chosen, None));
    }
    if let Some(record) = chosen.record {
        let details = Details::default();
        let record = Some(record);
        return Ok((Chosen { record, details }, None));
    }
    let kind = spec.subject_kind.spec().ok_or(ReplicaError::Inconsistent)?;
    let subject = Draft {
        audience: Audience::Restricted,
        named: draft.companions.clone(),
        ..Draft::staff(kind.content_of(chosen.details), draft.home)
    };
    let made = report(writing, &subject)?;
    let chosen = Chosen {
        record: Some(made),
        details: Details::default(),
    };
    Ok((chosen, Some(made)))
}

fn form_content(
    spec: &FormSpec,
    draft: &FormDraft,
    template: &Template,
    (chosen, companions): (Chosen, String),
) -> Result<Content, ReplicaError> {
    let kind = draft.kind.spec().ok_or(ReplicaError::Inconsistent)?;
    let mut content = kind.content_of(chosen.details);
    let named = !companions.is_empty();
    let text = |text: String| Some(FieldValue::Text(text));
    let fields: [(&'static FieldSpec, Option<FieldValue>); 5] = [
        (spec.template, text(template.id().to_string())),
        (
            spec.version,
            Some(FieldValue::Number(i64::from(template.version()))),
        ),
        (spec.planned, draft.planned_ms.map(FieldValue::Number)),
        (
            spec.subject,
            chosen.record.and_then(|record| text(record.to_string())),
        ),
        (spec.companions, text(companions).filter(|_| named)),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            content.set(Field::Own(field), value);
        }
    }
    Ok(content)
}

/// Makes the record with the private words about a form.
fn note(
    writing: &mut Writing<'_>,
    spec: &FormSpec,
    form: RecordId,
    text: &str,
    named: &[MemberId],
) -> Result<RecordId, ReplicaError> {
    if named.len() > NAMED_MAX {
        return Err(ReplicaError::BadContent("event.too_large"));
    }
    let home = writing
        .record(form)?
        .genesis()
        .ok_or(ReplicaError::Inconsistent)?
        .home;
    let kind = spec.note_kind.spec().ok_or(ReplicaError::Inconsistent)?;
    let content = kind.content_of(Details {
        description: text.to_owned(),
        ..Details::default()
    });
    let draft = Draft {
        audience: Audience::Restricted,
        named: named.to_vec(),
        linked: Some(form),
        ..Draft::staff(content, home)
    };
    report(writing, &draft)
}

/// The question and answer that a finding comes from, in words. The answer is left out where the readers of the
/// finding may not read the form.
fn origin(
    wording: &Wording<'_>,
    form: &FormOf,
    content: &Content,
    finding: &Finding,
    may_quote: bool,
) -> Result<Origin, ReplicaError> {
    let lang = finding.lang;
    let template = form.template();
    let form_title = template.map_or_else(
        || form.id.to_string(),
        |template| template.title().in_lang(lang).to_owned(),
    );
    let Some(key) = &finding.question else {
        let sentence = say("form.found_in", lang, &[("form", &form_title)]);
        return Ok(Origin {
            title: form_title,
            sentence,
        });
    };
    let field = Field::Answer(key.to_string());
    let question = wording.field(&field, lang);
    if !may_quote {
        return Ok(Origin {
            sentence: say("form.found_in", lang, &[("form", &form_title)]),
            title: question,
        });
    }
    let answer = match content.details().answers.get(&key.to_string()) {
        Some(text) => wording.value(&field, &FieldValue::Text(text.clone()), lang)?,
        None => String::new(),
    };
    let parts = [
        ("form", form_title.as_str()),
        ("question", question.as_str()),
        ("answer", answer.as_str()),
    ];
    Ok(Origin {
        sentence: say("form.found_at", lang, &parts),
        title: question,
    })
}
