//! The timeline of a record in words: one sentence for each envelope, in Chinese and in English.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::forms::TemplateCache;
use super::super::load;
use super::super::projection::names::{self, Name};
use super::super::reader::Reader;
use super::words::Wording;
use super::{conflict, rewrite};
use crate::crdt::FieldEdit;
use crate::domain::Role;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload::{KindStep, Partner};
use crate::domain::case::state::TimelineItem;
use crate::domain::case::{Deadlines, Event, Move, OnBehalfOf, Outcome, Part, Party, RecordState};
use crate::domain::civil::time_said;
use crate::domain::content::{Field, FieldValue};
use crate::id::{EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::limits::{LIST_ROWS_MAX, STORY_CHANGES_MAX};
use crate::media::MediaType;
use crate::record::{Node, NodeBody, Record};
use crate::texts::{Lang, say, text, word_code};
use crate::wire::verdict::Status;

/// A sentence names at most this many answers. More of them are counted.
const ANSWERS_SAID_MAX: usize = 5;

/// One page of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryPage {
    /// The events, in the order of the fold.
    pub entries: Vec<StoryEntry>,
    /// The last entry of this page, where more entries follow.
    pub next: Option<EnvelopeId>,
}

/// One envelope in the story of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryEntry {
    /// The envelope.
    pub id: EnvelopeId,
    /// The author; `None` when withheld from this phone.
    pub by: Option<MemberId>,
    /// The name of the author, Chinese and English.
    pub name: (String, String),
    /// The role of the author; `None` when withheld from this phone.
    pub role: Option<Role>,
    /// The move; `None` for the report and for edits.
    pub movement: Option<Move>,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
    /// The words of the person: note, reason or comment.
    pub note: String,
    /// Photos, voice and the like. For a case handled on the spot, the photos from before the work are
    /// first.
    pub attachments: Vec<Hash>,
    /// The fields that an edit changed, at most [`STORY_CHANGES_MAX`].
    pub edits: Vec<FieldChange>,
    /// How many more fields it changed.
    pub more_edits: usize,
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

/// A field that an edit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field.
    pub field: Field,
    /// Its name, Chinese and English.
    pub name: (String, String),
    /// The new value, Chinese and English; empty where it was removed.
    pub value: (String, String),
    /// The value that the author had seen, Chinese and English; empty where there was none. Only answers
    /// have it.
    pub before: (String, String),
}

impl Reader {
    /// The timeline of a record in words, at most 200 entries after one of them; `None` when the record is
    /// not on this phone.
    pub fn timeline(
        &self,
        record: RecordId,
        after: Option<EnvelopeId>,
        rows_max: usize,
    ) -> Result<Option<StoryPage>, ReplicaError> {
        self.at_once(|conn| {
            let loaded = load::record(conn, &self.certificates, record)?;
            let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
            let cache = &self.certificates.templates;
            loaded
                .map(|record| page(conn, cache, &record, after, rows_max))
                .transpose()
        })
    }
}

fn page(
    conn: &Connection,
    cache: &TemplateCache,
    record: &Record,
    after: Option<EnvelopeId>,
    rows_max: usize,
) -> Result<StoryPage, ReplicaError> {
    let Some(state) = record.state() else {
        return Ok(StoryPage {
            entries: Vec::new(),
            next: None,
        });
    };
    let items = &state.timeline;
    let start = match after {
        None => 0,
        Some(last) => {
            let at = items.iter().position(|item| item.id == last);
            at.ok_or(ReplicaError::BadToken)? + 1
        }
    };
    let end = items.len().min(start + rows_max);
    let teller = Teller {
        conn,
        wording: Wording::of(conn, cache, record)?,
        record,
        state,
        people: RefCell::default(),
    };
    let mut entries = Vec::with_capacity(end - start);
    for item in &items[start..end] {
        if let Some(node) = record.node(item.id) {
            entries.push(teller.entry(item, node)?);
        }
    }
    let more = end < items.len();
    let next = items[start..end]
        .last()
        .filter(|_| more)
        .map(|item| item.id);
    Ok(StoryPage { entries, next })
}

/// Writes the story of one record.
struct Teller<'a> {
    conn: &'a Connection,
    wording: Wording<'a>,
    record: &'a Record,
    state: &'a RecordState,
    people: RefCell<HashMap<Option<MemberId>, Name>>,
}

/// The fields that one edit changed.
#[derive(Default)]
struct Edits {
    /// The first ones in words.
    shown: Vec<FieldChange>,
    /// How many more there are.
    more: usize,
    /// Whether all of them are answers.
    answers_alone: bool,
}

/// One sentence under construction.
#[derive(Clone, Copy)]
struct Said<'a> {
    lang: Lang,
    /// The subject.
    who: &'a str,
    /// When it was said, ms UTC.
    at_ms: i64,
}

impl Teller<'_> {
    fn entry(&self, item: &TimelineItem, node: &Node) -> Result<StoryEntry, ReplicaError> {
        let name = self.who(node, item.by)?;
        let edits = self.edits(node)?;
        let mut sentences = Vec::new();
        for lang in Lang::ALL {
            let who = names::in_lang(name.clone(), lang);
            let said = Said {
                lang,
                who: &who,
                at_ms: item.effective_ms,
            };
            sentences.push(self.sentence(node, &edits, said)?);
        }
        let mut sentences = sentences.into_iter();
        let event = match &node.body {
            NodeBody::Event { event, .. } => Some(event.as_ref()),
            _ => None,
        };
        let status = node.verdict.map(|verdict| verdict.status);
        let refused = status.filter(|status| !status.is_accepted());
        Ok(StoryEntry {
            id: item.id,
            by: item.by,
            name,
            role: node.role(),
            movement: item.movement,
            zh: sentences.next().unwrap_or_default(),
            en: sentences.next().unwrap_or_default(),
            note: event
                .and_then(Event::words)
                .map(|words| words.as_str().to_owned())
                .unwrap_or_default(),
            attachments: event.map(Event::attachments).unwrap_or_default(),
            edits: edits.shown,
            more_edits: edits.more,
            outcome: item.outcome,
            why: item.why.or(refused.map(Status::code)),
            effective_ms: item.effective_ms,
            clock_ms: node.clock_ms,
            delivered: node.verdict.is_some(),
        })
    }

    fn who(&self, node: &Node, by: Option<MemberId>) -> Result<Name, ReplicaError> {
        if node.role() != Some(Role::System) {
            return self.person(by);
        }
        let rule = match &node.body {
            NodeBody::Event { event, .. } => event.rule(),
            _ => None,
        };
        let system = |lang| match rule {
            Some(rule) => say("story.rule", lang, &[("rule", rule.as_str())]),
            None => say("person.system", lang, &[]),
        };
        Ok((system(Lang::Zh), system(Lang::En)))
    }

    fn person(&self, member: Option<MemberId>) -> Result<Name, ReplicaError> {
        if let Some(known) = self.people.borrow().get(&member) {
            return Ok(known.clone());
        }
        let zh = conflict::name_of(self.conn, member, Lang::Zh)?;
        let en = conflict::name_of(self.conn, member, Lang::En)?;
        self.people
            .borrow_mut()
            .insert(member, (zh.clone(), en.clone()));
        Ok((zh, en))
    }

    fn edits(&self, node: &Node) -> Result<Edits, ReplicaError> {
        let NodeBody::Change(change) = &node.body else {
            return Ok(Edits::default());
        };
        let document = self.record.document();
        let counted = change.info.as_ref().and_then(|info| {
            let document = document.filter(|document| document.change(&info.hash).is_some());
            Some(document?.written_by(&info.hash))
        });
        let is_answer = |edit: &FieldEdit| matches!(edit.field, Field::Answer(_));
        let has_seen = counted.is_some();
        let seen = |edit: &FieldEdit| {
            let hash = change.info.as_ref()?.hash;
            let document = document.filter(|_| has_seen && is_answer(edit));
            document?.seen_by(&hash, &edit.field)
        };
        let edits = if let Some(edits) = counted {
            edits
        } else {
            let written = rewrite::written_in(&self.wording, self.record, node)?;
            written.0.unwrap_or_default()
        };
        let first = edits.iter().take(STORY_CHANGES_MAX);
        let shown = first.map(|edit| self.changed(edit, seen(edit).as_ref()));
        Ok(Edits {
            shown: shown.collect::<Result<_, _>>()?,
            more: edits.len().saturating_sub(STORY_CHANGES_MAX),
            answers_alone: edits.iter().all(is_answer),
        })
    }

    fn changed(
        &self,
        edit: &FieldEdit,
        before: Option<&FieldValue>,
    ) -> Result<FieldChange, ReplicaError> {
        let name = |lang| self.wording.field(&edit.field, lang);
        let value = |lang| self.wording.written(edit, lang);
        let seen = |lang| match before {
            Some(before) => self.wording.value(&edit.field, before, lang),
            None => Ok(String::new()),
        };
        Ok(FieldChange {
            field: edit.field.clone(),
            name: (name(Lang::Zh), name(Lang::En)),
            value: (value(Lang::Zh)?, value(Lang::En)?),
            before: (seen(Lang::Zh)?, seen(Lang::En)?),
        })
    }

    fn sentence(&self, node: &Node, edits: &Edits, said: Said<'_>) -> Result<String, ReplicaError> {
        let lang = said.lang;
        let plain = |code: &str| say(code, lang, &[("who", said.who)]);
        Ok(match &node.body {
            NodeBody::Genesis { .. } => plain("story.report"),
            NodeBody::Change(_) if edits.shown.is_empty() => plain("story.edit_unknown"),
            NodeBody::Change(_) => {
                let count = edits.shown.len() + edits.more;
                let code = match edits.answers_alone {
                    true if count > ANSWERS_SAID_MAX => "story.answered_many",
                    true => "story.answered",
                    false => "story.edit",
                };
                let changes = changes(edits, lang);
                let count = count.to_string();
                let parts = [
                    ("who", said.who),
                    ("changes", changes.as_str()),
                    ("count", count.as_str()),
                ];
                say(code, lang, &parts)
            }
            NodeBody::Unknown | NodeBody::Malformed => plain("story.unknown"),
            NodeBody::Event {
                event,
                on_behalf_of,
                ..
            } => {
                let sentence = self.event(event, said)?;
                match on_behalf_of {
                    None => sentence,
                    Some(behalf) => self.on_behalf(&sentence, behalf, lang)?,
                }
            }
        })
    }

    fn on_behalf(
        &self,
        sentence: &str,
        behalf: &OnBehalfOf,
        lang: Lang,
    ) -> Result<String, ReplicaError> {
        let party = self.party(behalf.party, lang)?;
        let reason = behalf.reason.as_str();
        let parts = [
            ("sentence", sentence),
            ("party", party.as_str()),
            ("reason", reason),
        ];
        Ok(say("story.behalf", lang, &parts))
    }

    fn event(&self, event: &Event, said: Said<'_>) -> Result<String, ReplicaError> {
        let lang = said.lang;
        let Some(movement) = event.movement() else {
            return Ok(say("story.unknown", lang, &[("who", said.who)]));
        };
        let code = word_code("story", movement.name(), self.state.facts.kind.name());
        let mut parts: Vec<(&str, String)> = vec![("who", said.who.to_owned())];
        let time = |at_ms: i64| time_said(at_ms, said.at_ms, lang);
        match event {
            Event::Triage(triage) => {
                parts.push(("category", self.category(triage.category.as_str(), lang)?));
                let severity = format!("severity.{}", triage.severity.name());
                parts.push(("severity", say(&severity, lang, &[])));
            }
            Event::Dispatch(dispatch) => {
                parts.push(("to", self.party(dispatch.to, lang)?));
                let support = dispatch.part == Part::Support;
                parts.push(("part", clause(support, "story.part_support", lang)));
                parts.push(("deadlines", deadlines(dispatch.deadlines, said)));
            }
            Event::AssignFinally(assign) => {
                parts.push(("to", self.party(assign.to, lang)?));
                parts.push(("deadlines", deadlines(assign.deadlines, said)));
            }
            Event::Share(share) => {
                let to = match share.with {
                    Partner::Party(party) => self.party(party, lang)?,
                    Partner::Area(area) => names::area(self.conn, area.leaf(), lang)?,
                };
                parts.push(("to", to));
                parts.push(("deadlines", deadlines(share.deadlines, said)));
            }
            Event::Transfer(transfer) => {
                parts.push(("to", names::area(self.conn, transfer.to.leaf(), lang)?));
            }
            Event::Withdraw(back) => parts.push(("to", self.assigned(back.assignment, lang)?)),
            Event::Escalate(escalate) => parts.push(("level", level(escalate.to, lang))),
            Event::FollowUp(follow) => {
                let code = match follow.satisfied {
                    Some(true) => "story.satisfied",
                    _ => "story.dissatisfied",
                };
                parts.push(("satisfied", clause(follow.satisfied.is_some(), code, lang)));
            }
            Event::Suspend(suspend) => {
                let until = suspend.until_ms.map(time);
                let until = until.map(|time| say("story.until", lang, &[("time", &time)]));
                parts.push(("until", until.unwrap_or_default()));
            }
            Event::RequestExtension(request) => parts.push(("time", time(request.until_ms))),
            Event::GrantExtension(grant) => parts.push(("time", time(grant.until_ms))),
            Event::HandToPolice(hand) => parts.push(("to", self.station(hand.to, lang)?)),
            Event::Step(step) => return Ok(self.kind_step(step, lang, parts)),
            Event::DangerHeld(_) => return Ok(filled("story.danger_held", lang, &parts)),
            Event::Attach(attach) => {
                let code = match attach.media_type() {
                    Some(MediaType::M4a) => "story.attach_voice",
                    _ => "story.attach_photo",
                };
                return Ok(filled(code, lang, &parts));
            }
            Event::MergeUndone(_) => return Ok(filled("story.merge_undone", lang, &parts)),
            Event::Merge(merge) => parts.push(("record", names::record(self.conn, merge.into)?)),
            Event::Comment(comment) if !comment.mentions.is_empty() => {
                parts.push(("people", self.called(&comment.mentions, lang)?));
                return Ok(filled("story.comment_calling", lang, &parts));
            }
            _ => {}
        }
        Ok(filled(&code, lang, &parts))
    }

    /// The words for a police station; empty where the move names none.
    fn station(&self, unit: Option<UnitId>, lang: Lang) -> Result<String, ReplicaError> {
        let Some(unit) = unit else {
            return Ok(String::new());
        };
        let unit = names::unit(self.conn, unit, lang)?;
        Ok(say("story.to_unit", lang, &[("unit", &unit)]))
    }

    /// A step of the kind's own table.
    fn kind_step(&self, made: &KindStep, lang: Lang, mut parts: Vec<(&str, String)>) -> String {
        let table = self.state.steps().map(|steps| steps.table);
        let Some(step) = table.and_then(|table| table.step(made.step)) else {
            return filled("story.unknown", lang, &parts);
        };
        let reason = made.reason.and_then(|code| table?.reason(code));
        let reason = reason.map(|reason| say(&format!("reason.{}", reason.name), lang, &[]));
        parts.push(("reason", reason.unwrap_or_default()));
        let kind = self.state.facts.kind.name();
        filled(&word_code("story", step.name, kind), lang, &parts)
    }

    fn category(&self, code: &str, lang: Lang) -> Result<String, ReplicaError> {
        let name = names::category(self.conn, code)?;
        Ok(name.map_or_else(|| code.to_owned(), |name| names::in_lang(name, lang)))
    }

    fn party(&self, party: Party, lang: Lang) -> Result<String, ReplicaError> {
        match party {
            Party::Unit(unit) => names::unit(self.conn, unit, lang),
            Party::Member(member) => Ok(names::in_lang(self.person(Some(member))?, lang)),
        }
    }

    fn assigned(&self, id: EnvelopeId, lang: Lang) -> Result<String, ReplicaError> {
        match self.state.assignment(id) {
            Some(assignment) => self.party(assignment.to, lang),
            None => Ok(String::new()),
        }
    }

    fn called(&self, members: &[MemberId], lang: Lang) -> Result<String, ReplicaError> {
        let mut people = Vec::new();
        for member in members {
            people.push(names::in_lang(self.person(Some(*member))?, lang));
        }
        Ok(people.join(joint(lang)))
    }
}

fn filled(code: &str, lang: Lang, parts: &[(&str, String)]) -> String {
    let parts: Vec<(&str, &str)> = parts
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    say(code, lang, &parts)
}

/// A part of a sentence that may be left out.
fn clause(wanted: bool, code: &str, lang: Lang) -> String {
    if wanted {
        text(code, lang).unwrap_or_default().to_owned()
    } else {
        String::new()
    }
}

fn joint(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "、",
        Lang::En => ", ",
    }
}

fn changes(edits: &Edits, lang: Lang) -> String {
    let changes: Vec<String> = edits
        .shown
        .iter()
        .map(|change| {
            let name = names::in_lang(change.name.clone(), lang);
            let value = names::in_lang(change.value.clone(), lang);
            if matches!(change.field, Field::Answer(_)) {
                return answer(change, &name, &value, lang);
            }
            if value.is_empty() {
                return say("story.removed", lang, &[("field", &name)]);
            }
            say("story.set", lang, &[("field", &name), ("value", &value)])
        })
        .collect();
    let changes = changes.join(joint(lang));
    if edits.more == 0 {
        return changes;
    }
    let more = edits.more.to_string();
    say(
        "story.more",
        lang,
        &[("changes", &changes), ("count", &more)],
    )
}

/// “Valve closed?”: yes → no
fn answer(change: &FieldChange, question: &str, value: &str, lang: Lang) -> String {
    let before = names::in_lang(change.before.clone(), lang);
    let code = match (before.is_empty(), value.is_empty()) {
        (_, true) => "story.answer_cleared",
        (true, false) => "story.answer_first",
        (false, false) => "story.answer_again",
    };
    let parts = [("field", question), ("before", &before), ("value", value)];
    say(code, lang, &parts)
}

fn deadlines(deadlines: Deadlines, said: Said<'_>) -> String {
    [
        ("story.accept_by", deadlines.accept_by_ms),
        ("story.arrive_by", deadlines.arrive_by_ms),
        ("story.resolve_by", deadlines.resolve_by_ms),
    ]
    .into_iter()
    .filter_map(|(code, by_ms)| {
        let time = time_said(by_ms?, said.at_ms, said.lang);
        Some(say(code, said.lang, &[("time", &time)]))
    })
    .collect()
}

fn level(level: AreaLevel, lang: Lang) -> String {
    say(&format!("level.{}", level.as_str()), lang, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_and_level_has_a_sentence() {
        let moves = Move::ALL.iter().map(|one| format!("story.{}", one.name()));
        let levels = AreaLevel::ALL.iter().map(|one| format!("level.{one}"));
        for code in moves.chain(levels) {
            for lang in Lang::ALL {
                assert!(text(&code, lang).is_some(), "{code}");
            }
        }
    }
}
