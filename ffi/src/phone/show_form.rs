//! Converts templates and checklists into the data that cross the border.

use std::collections::BTreeMap;

use onegrid_core::domain::content;
use onegrid_core::domain::form::{
    self, AnswerKey, Decimal, FormState, Interval, Item, ItemState, Kind, Problem, Template, Words,
};
use onegrid_core::domain::kinds::FormStanding as CoreStanding;
use onegrid_core::replica::{self, Page, Reader, TemplateInfo};
use onegrid_core::texts::Lang;

use super::show;
use crate::error::Answer;
use crate::types::{
    FormCounts, FormDetail, FormItem, FormPage, FormRow, FormStanding, FormTemplate, LinkDirection,
    LinkKind, LinkedRecord, StoredAnswer, TemplateItem, Word,
};

/// Words in Chinese and English; both empty without words.
fn both(words: Option<&Words>) -> (String, String) {
    let said = |lang| words.map_or_else(String::new, |words| words.in_lang(lang).to_owned());
    (said(Lang::Zh), said(Lang::En))
}

fn title(id: &str, template: Option<&Template>) -> (String, String) {
    match template {
        Some(template) => both(Some(template.title())),
        None => (id.to_owned(), id.to_owned()),
    }
}

/// Converts an entry of the list of templates.
pub(super) fn template(info: &TemplateInfo, usable: bool) -> FormTemplate {
    let template = info.template.as_deref();
    let (zh, en) = title(info.id.as_str(), template);
    let (zh_about, en_about) = both(template.and_then(Template::about));
    let next = template.and_then(Template::next_visit);
    FormTemplate {
        id: info.id.to_string(),
        version: template.map(Template::version),
        newer_version: info.newer_version,
        zh,
        en,
        zh_about,
        en_about,
        usable,
        restricted_place: template.is_some_and(Template::has_restricted_place),
        next_days: match next {
            Some(Interval::Days(days)) => Some(days),
            _ => None,
        },
        next_working_days: match next {
            Some(Interval::WorkingDays(days)) => Some(days),
            _ => None,
        },
    }
}

/// Converts all items of a template.
pub(super) fn template_items(template: &Template) -> Vec<TemplateItem> {
    let items = template.items().iter();
    items.map(|item| template_item(template, item)).collect()
}

fn template_item(template: &Template, item: &Item) -> TemplateItem {
    let around = |index: Option<usize>| Some(template.items().get(index?)?.id.to_string());
    let (zh, en) = both(Some(&item.label));
    let (zh_hint, en_hint) = both(item.hint.as_ref());
    let (unit, min, max, decimals) = match &item.kind {
        Kind::Number {
            unit,
            min,
            max,
            decimals,
        } => (unit.as_ref(), *min, *max, *decimals),
        _ => (None, None, None, 0),
    };
    let (zh_unit, en_unit) = both(unit);
    let digits = |number: Option<Decimal>| number.map(|number| number.to_string());
    let choices = template.choices(&item.kind).iter().map(|choice| {
        let (zh, en) = both(Some(&choice.label));
        let code = choice.id.clone();
        Word { code, zh, en }
    });
    TemplateItem {
        id: item.id.to_string(),
        kind: item.kind.name().to_owned(),
        parent: around(item.parent),
        in_repeat: around(item.repeat),
        zh,
        en,
        zh_hint,
        en_hint,
        zh_unit,
        en_unit,
        min: digits(min),
        max: digits(max),
        decimals,
        choices: choices.collect(),
    }
}

/// Converts the page of a checklist.
pub(super) fn detail(reader: &Reader, page: &replica::FormPage, now: i64) -> Answer<FormDetail> {
    let template = page.template.as_deref();
    let (zh, en) = title(page.id.as_str(), template);
    let state = page.state();
    let stored: BTreeMap<&str, &str> = page
        .stored
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    let items = template.zip(state.as_ref()).map(|(template, state)| {
        let items = state.items().iter();
        items
            .map(|item| form_item(template, item, page, &stored))
            .collect()
    });
    let progress = state.as_ref().map(FormState::progress);
    let progress = progress.unwrap_or_default();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let row = page.row.as_ref();
    let raw = page.stored.iter().filter(|_| template.is_none());
    Ok(FormDetail {
        template: page.id.to_string(),
        version: page.version,
        zh,
        en,
        read_only: page.read_only.map(Word::coded),
        items: items.unwrap_or_default(),
        stored: raw
            .map(|(key, text)| StoredAnswer {
                key: key.clone(),
                text: text.clone(),
            })
            .collect(),
        unknown: state
            .as_ref()
            .map_or_else(Vec::new, |state| state.unknown().to_vec()),
        answered: count(progress.answered),
        required: count(progress.required),
        complete: state.as_ref().is_some_and(FormState::is_complete),
        today: page.today.to_string(),
        standing: row.map(|row| standing(row.standing)),
        planned_ms: row.and_then(|row| row.planned_ms),
        begun_ms: row.and_then(|row| row.begun_ms),
        ended_ms: row.and_then(|row| row.ended_ms),
        duration_ms: page.duration_ms,
        next_due_ms: row.and_then(|row| row.next_due_ms),
        subject: page
            .subject
            .as_ref()
            .map(|subject| show::row(reader, subject, None, now))
            .transpose()?,
        linked: page
            .linked
            .iter()
            .map(|one| linked(reader, one, now))
            .collect::<Answer<_>>()?,
    })
}

fn form_item(
    template: &Template,
    state: &ItemState<'_>,
    page: &replica::FormPage,
    stored: &BTreeMap<&str, &str>,
) -> FormItem {
    let key = AnswerKey {
        item: state.item.id.clone(),
        row: state.row,
    };
    let spelled = key.to_string();
    let stored = stored.get(spelled.as_str());
    let stored = stored.filter(|_| state.item.kind.is_question());
    let answer = page.answers.as_ref().and_then(|answers| answers.get(&key));
    let value = answer.map(form::Answer::to_entry);
    let kept = || stored.map(|text| content::FieldValue::Text((*text).to_owned()));
    let value = value.or_else(kept);
    let words = page.words.get(&spelled).filter(|_| value.is_some());
    let (zh_answer, en_answer) = words.cloned().unwrap_or_default();
    FormItem {
        item: template_item(template, state.item),
        row: state.row.map(|row| row.to_string()),
        relevant: state.relevant,
        required: state.required,
        answer: value.as_ref().map(show::field_value),
        zh_answer,
        en_answer,
        problem: state.problem.as_ref().map(problem),
    }
}

fn problem(problem: &Problem<'_>) -> Word {
    Word {
        code: problem.code().to_owned(),
        zh: problem.say(Lang::Zh),
        en: problem.say(Lang::En),
    }
}

fn standing(standing: CoreStanding) -> FormStanding {
    match standing {
        CoreStanding::Planned => FormStanding::Planned,
        CoreStanding::Begun => FormStanding::Begun,
        CoreStanding::Done => FormStanding::Done,
        CoreStanding::InVain => FormStanding::InVain,
        CoreStanding::CalledOff => FormStanding::CalledOff,
    }
}

/// Converts a record that belongs to another one.
pub(super) fn linked(
    reader: &Reader,
    linked: &replica::LinkedRecord,
    now: i64,
) -> Answer<LinkedRecord> {
    Ok(LinkedRecord {
        link: match linked.link {
            replica::LinkKind::MadeFor => LinkKind::MadeFor,
            replica::LinkKind::About => LinkKind::About,
            replica::LinkKind::MergedInto => LinkKind::MergedInto,
        },
        direction: match linked.direction {
            replica::LinkDirection::To => LinkDirection::Outward,
            replica::LinkDirection::From => LinkDirection::Inward,
        },
        row: show::row(reader, &linked.row, None, now)?,
    })
}

/// Converts a page of a list of checklists.
pub(super) fn page(reader: &Reader, found: Page<replica::FormItem>, now: i64) -> Answer<FormPage> {
    let rows = found.items.into_iter().map(|item| {
        let degrees = |e7: i32| f64::from(e7) / 1e7;
        let form = item.form;
        Ok(FormRow {
            row: show::row(reader, &item.row, None, now)?,
            template: form.template,
            version: form.version,
            title: item.subject.0,
            address: item.subject.1,
            lat: item.at.map(|at| degrees(at.0)),
            lon: item.at.map(|at| degrees(at.1)),
            subject: form.subject.map(|subject| subject.to_string()),
            standing: standing(form.standing),
            planned_ms: form.planned_ms,
            begun_ms: form.begun_ms,
            ended_ms: form.ended_ms,
            member: form.member.map(|member| member.to_string()),
            complete: form.complete,
            due_ms: item.due_ms,
            next_due_ms: form.next_due_ms,
            distance_m: item.distance_m,
        })
    });
    Ok(FormPage {
        rows: rows.collect::<Answer<_>>()?,
        next: found.next.map(|next| next.to_string()),
    })
}

/// Converts the counts of one person.
pub(super) fn counts(counts: replica::FormCounts) -> FormCounts {
    FormCounts {
        member: counts.member.map(|member| member.to_string()),
        zh: counts.name.0,
        en: counts.name.1,
        planned: counts.planned,
        begun: counts.begun,
        done: counts.done,
        in_vain: counts.in_vain,
        called_off: counts.called_off,
    }
}
