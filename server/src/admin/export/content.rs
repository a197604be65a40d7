//! Content and history of a record, for an export with `--as`.

use std::collections::{HashMap, HashSet};

use onegrid_core::domain::case::{Move, Severity};
use onegrid_core::domain::content::{Content, Details, FieldValue};
use onegrid_core::id::{Hash, MemberId};
use onegrid_core::record::{Node, NodeBody, Record};
use serde_json::{Map, Value, json};

use super::Told;
use super::outline::Words;
use crate::admin::time::local;
use crate::error::Result;
use crate::store::{Reader, StoreResult};

/// Columns of the content; they follow the columns of the outline.
pub(super) const COLUMNS: [&str; 10] = [
    "title",
    "description",
    "address",
    "severity",
    "severity_name",
    "occurred",
    "answers",
    "more",
    "reported_by",
    "reporter",
];
/// Columns of a history.
pub(super) const HISTORY: [&str; 9] = [
    "record", "entry", "at", "what", "by", "by_name", "outcome", "why", "words",
];

/// Adds content and history to the outline. Authors outside `shown` stay unnamed.
pub(super) fn told(
    tx: &dyn Reader,
    record: &Record,
    mut facts: Map<String, Value>,
    shown: &HashSet<Hash>,
    words_of: Words<'_>,
) -> Result<Told> {
    let mut people = People {
        tx,
        shown,
        names: HashMap::new(),
    };
    let kind = record.genesis().and_then(|facts| facts.kind.spec());
    let content = kind.and_then(|kind| record.content_in_force(kind));
    let details = content.as_ref().map(Content::details);
    let severity = record.state().and_then(|state| state.case()?.severity);
    let reporter = match record.nodes().first() {
        Some(first) => people.of(first)?,
        None => None,
    };
    let values: [Value; COLUMNS.len()] = [
        json!(details.and_then(|details| details.title.clone())),
        json!(details.map(|details| details.description.clone())),
        json!(details.and_then(|details| details.address.clone())),
        json!(severity.map(Severity::name)),
        severity.map_or(Value::Null, |severity| {
            words_of.of("severity", severity.name())
        }),
        json!(details.and_then(|details| details.occurred_ms.map(local))),
        json!(details.map(answers)),
        json!(content.as_ref().map(more)),
        json!(reporter.as_ref().map(|(member, _)| member.to_string())),
        json!(reporter.and_then(|(_, name)| name)),
    ];
    facts.extend(COLUMNS.into_iter().map(str::to_owned).zip(values));
    let mut history = Vec::new();
    for item in record.state().iter().flat_map(|state| &state.timeline) {
        let Some(node) = record.node(item.id) else {
            continue;
        };
        let by = people.of(node)?;
        let values: [Value; HISTORY.len()] = [
            json!(record.id().to_string()),
            json!(item.id.to_string()),
            json!(local(item.effective_ms)),
            json!(what(node)),
            json!(by.as_ref().map(|(member, _)| member.to_string())),
            json!(by.and_then(|(_, name)| name)),
            json!(item.outcome.name()),
            json!(item.why),
            json!(words(node)),
        ];
        history.push(HISTORY.into_iter().map(str::to_owned).zip(values).collect());
    }
    Ok(Told {
        facts,
        history: Some(history),
    })
}

fn answers(details: &Details) -> Value {
    json!(details.answers)
}

/// Fields that not every kind of record has.
fn more(content: &Content) -> Value {
    let exported = content.kind().spec().map_or(&[][..], |spec| spec.exported);
    let value = |value: Option<&FieldValue>| match value {
        None => Value::Null,
        Some(FieldValue::Text(text)) => json!(text),
        Some(FieldValue::Number(number)) => json!(number),
        Some(FieldValue::Flag(flag)) => json!(flag),
        Some(FieldValue::Position(stored)) => {
            let point = stored.position().point();
            let degrees = |e7: i32| f64::from(e7) / 1e7;
            json!([degrees(point.lat_e7()), degrees(point.lon_e7())])
        }
    };
    let columns = exported.iter().map(|field| {
        let name = field.name.to_owned();
        (name, value(content.value(field)))
    });
    Value::Object(columns.collect())
}

/// Name of the action of an envelope.
pub(in crate::admin) fn what(node: &Node) -> &'static str {
    match &node.body {
        NodeBody::Genesis { .. } => "report",
        NodeBody::Change(_) => "edit",
        NodeBody::Event { event, .. } => event.movement().map_or("unknown", Move::name),
        NodeBody::Unknown | NodeBody::Malformed => "unknown",
    }
}

/// Words of an event.
pub(in crate::admin) fn words(node: &Node) -> Option<&str> {
    match &node.body {
        NodeBody::Event { event, .. } => event.words().map(onegrid_core::domain::Text::as_str),
        _ => None,
    }
}

/// Finds authors with the names that colleagues see.
struct People<'a> {
    tx: &'a dyn Reader,
    shown: &'a HashSet<Hash>,
    names: HashMap<MemberId, Option<String>>,
}

impl People<'_> {
    fn of(&mut self, node: &Node) -> StoreResult<Option<(MemberId, Option<String>)>> {
        let member = node
            .certificate
            .as_ref()
            .filter(|certificate| self.shown.contains(&certificate.hash()))
            .and_then(|certificate| certificate.facts().member);
        let Some(member) = member else {
            return Ok(None);
        };
        if !self.names.contains_key(&member) {
            let row = self.tx.member(member)?;
            self.names
                .insert(member, row.and_then(|row| row.public_name));
        }
        Ok(Some((member, self.names[&member].clone())))
    }
}
