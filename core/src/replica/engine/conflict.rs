//! Conflicts as data that a person can read: the author of each value, the kept values, the present value.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::forms::TemplateCache;
use super::super::projection::names;
use super::super::table::directory;
use super::words::{FieldWords, Wording};
use crate::crdt::FieldConflict;
use crate::domain::case::state::Side;
use crate::domain::case::{Conflict, MergeFault};
use crate::id::MemberId;
use crate::record::Record;
use crate::texts::{Lang, say, text, word_code};

/// The subject of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConflictSubject {
    /// Two people wrote a field without knowing of each other. [`super::Replica::settle`] settles it.
    Field(FieldConflict),
    /// Two people made moves that exclude each other. A further move settles it.
    Workflow(Conflict),
}

/// A conflict as a card: its subject, and one sentence in each language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictCard {
    /// The field or decision that people have to agree about.
    pub subject: ConflictSubject,
    /// The people concerned, as far as this phone may know them.
    pub people: Vec<MemberId>,
    /// The values of a field in words, Chinese and English, in the order of its versions.
    pub values: Vec<(String, String)>,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
}

impl ConflictCard {
    /// The sentence.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

/// Every conflict of a record.
pub(super) fn cards(
    conn: &Connection,
    cache: &TemplateCache,
    record: &Record,
) -> Result<Vec<ConflictCard>, ReplicaError> {
    let mut cards = Vec::new();
    let wording = Wording::of(conn, cache, record)?;
    for conflict in record
        .document()
        .map(crate::crdt::Document::conflicts)
        .unwrap_or_default()
    {
        cards.push(field_card(conn, &wording, record, conflict)?);
    }
    for conflict in record
        .state()
        .map(|state| state.conflicts.as_slice())
        .unwrap_or_default()
    {
        cards.push(workflow_card(conn, record, *conflict)?);
    }
    Ok(cards)
}

fn field_card(
    conn: &Connection,
    wording: &Wording<'_>,
    record: &Record,
    conflict: FieldConflict,
) -> Result<ConflictCard, ReplicaError> {
    let mut people = Vec::new();
    let mut sentences = Vec::new();
    for lang in Lang::ALL {
        let mut versions = Vec::new();
        for version in &conflict.versions {
            let writer = record.nodes().iter().find(|node| {
                node.change()
                    .and_then(|change| change.info.as_ref())
                    .map(|info| info.hash)
                    == Some(version.change)
            });
            let member = writer
                .and_then(|node| node.certificate.as_ref())
                .and_then(|certificate| certificate.facts().member);
            people.extend(member);
            let who = name_of(conn, member, lang)?;
            let value = wording.value(&conflict.field, &version.value, lang)?;
            versions.push(say(
                "conflict.version",
                lang,
                &[("who", &who), ("value", &value)],
            ));
        }
        let joint = match lang {
            Lang::Zh => "，",
            Lang::En => ", ",
        };
        sentences.push(say(
            "conflict.field",
            lang,
            &[
                ("field", &wording.field(&conflict.field, lang)),
                ("versions", &versions.join(joint)),
                (
                    "now",
                    &wording.value(&conflict.field, &conflict.winner().value, lang)?,
                ),
            ],
        ));
    }
    let mut values = Vec::new();
    for version in &conflict.versions {
        values.push(FieldWords::of(wording, &conflict.field, &version.value)?.value);
    }
    let card = card(ConflictSubject::Field(conflict), people, sentences);
    Ok(ConflictCard { values, ..card })
}

fn workflow_card(
    conn: &Connection,
    record: &Record,
    conflict: Conflict,
) -> Result<ConflictCard, ReplicaError> {
    let mut other = String::new();
    let (code, first, second) = match &conflict {
        Conflict::DangerOverEnding { ending, danger } => ("conflict.danger", danger, ending),
        Conflict::WorkOverEnding { ending, work } => ("conflict.work", work, ending),
        Conflict::DoubleDispatch { first, second } => ("conflict.double_dispatch", first, second),
        Conflict::Rival { in_force, other } => ("conflict.rival", in_force, other),
        Conflict::OwnWork { judgement, work } => ("conflict.own_work", judgement, work),
        Conflict::BrokenMerge {
            merge,
            undone,
            into,
            fault,
        } => {
            other = names::record(conn, *into)?;
            let code = match fault {
                MergeFault::Absent => "conflict.merge_absent",
                MergeFault::Dismissed => "conflict.merge_dismissed",
                MergeFault::Merged => "conflict.merge_merged",
                MergeFault::Mutual => "conflict.merge_mutual",
                MergeFault::Ended => "conflict.merge_ended",
                MergeFault::NoCase => "conflict.merge_no_case",
            };
            (code, merge, undone)
        }
    };
    let mut sentences = Vec::new();
    for lang in Lang::ALL {
        sentences.push(say(
            code,
            lang,
            &[
                ("first", &side_text(conn, record, first, lang)?),
                ("second", &side_text(conn, record, second, lang)?),
                ("record", &other),
            ],
        ));
    }
    let people = [first.by, second.by].into_iter().flatten().collect();
    Ok(card(ConflictSubject::Workflow(conflict), people, sentences))
}

fn card(
    subject: ConflictSubject,
    mut people: Vec<MemberId>,
    sentences: Vec<String>,
) -> ConflictCard {
    people.sort_unstable();
    people.dedup();
    let mut sentences = sentences.into_iter();
    ConflictCard {
        values: Vec::new(),
        subject,
        people,
        zh: sentences.next().unwrap_or_default(),
        en: sentences.next().unwrap_or_default(),
    }
}

/// “张三 结案” / “Zhang San: close”.
fn side_text(
    conn: &Connection,
    record: &Record,
    side: &Side,
    lang: Lang,
) -> Result<String, ReplicaError> {
    let system = record.node(side.id).and_then(crate::record::Node::role)
        == Some(crate::domain::Role::System);
    let who = if system {
        say("person.system", lang, &[])
    } else {
        name_of(conn, side.by, lang)?
    };
    let kind = record.genesis().map_or("", |facts| facts.kind.name());
    let code = word_code("act", side.movement.name(), kind);
    let what = text(&code, lang).unwrap_or(side.movement.name());
    Ok(say("conflict.side", lang, &[("who", &who), ("what", what)]))
}

/// Returns the public name of a member, or a general word for a member whose name this phone may not know.
pub(super) fn name_of(
    conn: &Connection,
    member: Option<MemberId>,
    lang: Lang,
) -> Result<String, ReplicaError> {
    let Some(member) = member else {
        return Ok(say("person.withheld", lang, &[]));
    };
    let names = directory::names(conn, names::MEMBERS, &member.0)?;
    let name = names.map(|(zh, en)| match lang {
        Lang::Zh => zh,
        Lang::En => en,
    });
    Ok(name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        // The directory of a colleague is not here yet, so a short id at least keeps colleagues apart.
        let id = names::short(&member.to_string());
        say("person.unknown", lang, &[("id", &id)])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::Move;
    use crate::domain::content::Field;

    #[test]
    fn every_word_of_a_card_has_a_text() {
        let moves = Move::ALL.iter().map(|m| format!("act.{}", m.name()));
        let codes: Vec<String> = moves
            .chain(Field::shared().map(|field| format!("field.{}", field.name())))
            .collect();
        for code in codes {
            for lang in Lang::ALL {
                assert!(text(&code, lang).is_some(), "{code}");
            }
        }
    }
}
