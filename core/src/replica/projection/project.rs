//! Projections: the rows that lists, counts, map and search read, made from one record.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::forms::TemplateCache;
use super::super::identity::Own;
use super::super::search;
use super::super::table::record::{self as record_table, Basis, Before, NEVER_MS, RecordRow};
use super::super::table::record_assignment::{self, Open, party_key};
use super::super::table::{
    attachment, envelope, own_work, record_area, record_map, record_search, record_sharing, stream,
    stream_record, unnamed,
};
use super::notify::{self, Telling};
use super::shown::Shown;
use super::{attachments, form_rows, names, outcomes};
use crate::crdt::Document;
use crate::domain::case::{Event, RecordState, Severity, Stage};
use crate::domain::content::Content;
use crate::domain::may::Readership;
use crate::id::{AreaId, EnvelopeId, MemberId, RecordId};
use crate::record::{Accepted, Node, NodeBody, Record};
use crate::wire::digest::{self, Digest};

/// Whether a stored row may stay where it shows the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// This version of the app made it.
    Good,
    /// Another version made it, so all of it is written.
    Stale,
}

/// Writes every projection of a record, and keeps the digests of its streams.
pub(in crate::replica) fn write(
    conn: &Connection,
    templates: &TemplateCache,
    record: &Record,
    own: &Own,
) -> Result<(), ReplicaError> {
    write_over(conn, templates, record, own, Stored::Good)
}

/// Writes every projection of a record, without regard to its stored rows.
pub(in crate::replica) fn write_anew(
    conn: &Connection,
    templates: &TemplateCache,
    record: &Record,
    own: &Own,
) -> Result<(), ReplicaError> {
    write_over(conn, templates, record, own, Stored::Stale)
}

fn write_over(
    conn: &Connection,
    templates: &TemplateCache,
    record: &Record,
    own: &Own,
    stored: Stored,
) -> Result<(), ReplicaError> {
    let content = content(record);
    let shown = Shown::of(record, content.as_ref());
    let Some(row) = row_of(record, &shown, own.member) else {
        return Ok(());
    };
    let before = record_table::before(conn, record.id())?;
    let words = words(conn, record, content.as_ref(), &row)?;
    let basis = Basis::of(record, &shown, &words);
    let known = before.as_ref().and_then(|before| before.basis.as_ref());
    let same_words =
        stored == Stored::Good && known.is_some_and(|known| known.words == basis.words);
    let no = put(conn, before.as_ref(), record, (&row, &basis), own)?;
    form_rows::write(conn, templates, no, record, content.as_ref())?;
    if stored == Stored::Stale {
        record_map::set(conn, no, row.at)?;
    }
    if !same_words {
        record_search::set(conn, no, &words, before.is_none())?;
    }
    let telling = match stored {
        Stored::Good => Telling::New,
        Stored::Stale => Telling::Known,
    };
    notify::of_record(conn, record, own, telling)
}

/// Writes the projections of a fully accepted record without its document: the shown content stays. Returns
/// `false` and writes nothing where the shown content is not known.
pub(in crate::replica) fn write_accepted(
    conn: &Connection,
    templates: &TemplateCache,
    record: &Accepted,
    own: &Own,
) -> Result<bool, ReplicaError> {
    let record = record.without_content();
    let Some(before) = record_table::before(conn, record.id())? else {
        return Ok(false);
    };
    let Some(basis) = before.basis.as_ref().filter(|basis| basis.is_of(record)) else {
        return Ok(false);
    };
    let shown = Shown::again(&before.row, basis);
    let Some(row) = row_of(record, &shown, own.member) else {
        return Ok(false);
    };
    // The name of the category is among the words.
    if row.category != before.row.category {
        return Ok(false);
    }
    if !form_rows::write(conn, templates, before.no, record, None)? {
        return Ok(false);
    }
    put(conn, Some(&before), record, (&row, basis), own)?;
    Ok(true)
}

/// Writes everything except the words. Returns the number of the row.
fn put(
    conn: &Connection,
    before: Option<&Before>,
    record: &Record,
    (row, basis): (&RecordRow, &Basis),
    own: &Own,
) -> Result<i64, ReplicaError> {
    let no = record_table::put(conn, before.map(|before| before.no), row, basis)?;
    record_area::set(conn, no, row.updated_ms, &areas(record))?;
    record_assignment::set(conn, no, &open_assignments(record))?;
    own_work::set(conn, record.id(), &outcomes::of_record(record, own.member))?;
    record_sharing::put(conn, record.id(), &sharing(conn, record)?)?;
    attachments::write(conn, record, own)?;
    for node in record
        .nodes()
        .iter()
        .filter(|node| node.certificate.is_none())
    {
        unnamed::insert(conn, node.certificate_hash, record.id())?;
    }
    if before.is_none_or(|before| before.row.at != row.at) {
        record_map::set(conn, no, row.at)?;
    }
    let digest_before = before.map_or(Digest::EMPTY, |before| before.row.digest);
    if digest_before != row.digest {
        for number in stream_record::streams_of(conn, record.id())? {
            let digest = stream::digest(conn, number)?;
            let digest = digest.minus(digest_before).plus(row.digest);
            stream::set_digest(conn, number, digest)?;
        }
    }
    Ok(no)
}

/// Everything that a meeting asks about a record.
pub(in crate::replica) fn sharing(
    conn: &Connection,
    record: &Record,
) -> Result<record_sharing::SharingRow, ReplicaError> {
    let ids: Vec<EnvelopeId> = held_ids(conn, record.id(), Some(record))?
        .into_iter()
        .collect();
    Ok(record_sharing::SharingRow {
        readers: record.state().map(Readership::of),
        held: digest::held(&ids),
    })
}

/// Ids of all envelopes of a record, those included that are only carried for the server.
pub(in crate::replica) fn held_ids(
    conn: &Connection,
    id: RecordId,
    record: Option<&Record>,
) -> Result<BTreeSet<EnvelopeId>, ReplicaError> {
    let mut ids: BTreeSet<EnvelopeId> = envelope::ids_of_record(conn, id)?
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    if let Some(record) = record {
        ids.extend(record.nodes().iter().map(|node| node.id));
    }
    Ok(ids)
}

/// Forgets the projections of a record.
pub(in crate::replica) fn remove(conn: &Connection, id: RecordId) -> Result<(), ReplicaError> {
    if let Some(no) = record_table::number(conn, id)? {
        form_rows::remove(conn, no, id)?;
        record_area::set(conn, no, 0, &[])?;
        record_assignment::set(conn, no, &[])?;
        record_map::set(conn, no, None)?;
        record_search::delete(conn, no)?;
        record_table::delete(conn, id)?;
    }
    Ok(attachment::delete_record(conn, id)?)
}

/// The content that counts. Where no content counts (yet, or any more), it is the content that the creator
/// wrote.
pub(in crate::replica) fn content(record: &Record) -> Option<Content> {
    let kind = record.genesis()?.kind.spec()?;
    if let Some(content) = record.content_in_force(kind) {
        return Some(content);
    }
    let first = record.nodes().first()?;
    let raw = first.change()?.raw.as_ref()?;
    Document::genesis(raw, first.author)
        .ok()
        .map(|document| document.content(kind))
}

/// The row of a record; `None` while its Genesis is not here.
pub(in crate::replica) fn row(record: &Record, own: Option<MemberId>) -> Option<RecordRow> {
    let content = content(record);
    row_of(record, &Shown::of(record, content.as_ref()), own)
}

fn row_of(record: &Record, shown: &Shown, own: Option<MemberId>) -> Option<RecordRow> {
    let facts = record.genesis()?;
    let first = record.nodes().first()?;
    let state = record.state();
    let category = state.and_then(RecordState::category);
    let category = category.map(|code| code.as_str().to_owned());
    let stage = state.map_or(Stage::Reported.code(), RecordState::stage_code);
    let creator = first
        .certificate
        .as_ref()
        .and_then(|found| found.facts().member);
    let conflicts = state.map_or(0, |state| state.conflicts.len());
    let conflicts = u32::try_from(conflicts).unwrap_or(u32::MAX);
    let undelivered = record
        .nodes()
        .iter()
        .filter(|node| node.verdict.is_none())
        .count();
    Some(RecordRow {
        id: record.id(),
        kind: facts.kind.code(),
        audience: facts.audience.code(),
        stage,
        open: state.is_none_or(RecordState::is_open),
        category: category
            .or_else(|| shown.category.clone())
            .unwrap_or_default(),
        severity: state
            .and_then(|state| state.case()?.severity)
            .map(Severity::code)
            .or(shown.severity)
            .unwrap_or(0),
        title: shown.title.clone(),
        address: shown.address.clone(),
        at: shown.at,
        genesis_ms: first.clock_ms,
        created_ms: state.map_or(first.clock_ms, |state| state.reported_ms),
        updated_ms: updated_ms(record).unwrap_or(first.clock_ms),
        mine: own.is_some() && creator == own,
        undelivered: u32::try_from(undelivered).unwrap_or(u32::MAX),
        provisional: first.verdict.is_none(),
        conflicts: conflicts.saturating_add(shown.conflicts),
        needs_review: state.is_some_and(|state| !state.needs_review.is_empty()),
        needs_newer_app: state.is_some_and(|state| state.frozen),
        ladder: ladder(record),
        due_ms: state.and_then(RecordState::next_due_ms),
        digest: record.digest(),
    })
}

/// Effective time of the newest envelope that counts.
fn updated_ms(record: &Record) -> Option<i64> {
    let timeline = &record.state()?.timeline;
    let counting = timeline.iter().filter(|item| record.counts(item.id));
    counting.map(|item| item.effective_ms).max()
}

/// 仅存本机 0, 已送达 1, 已查看 2, 已处结 3; 已到服务器、等待 4: the server holds it, and the view shows the reason.
fn ladder(record: &Record) -> u8 {
    let Some(state) = record.state() else {
        return if record.nodes().first().is_some_and(Node::is_held) {
            4
        } else {
            0
        };
    };
    let delivered = record
        .nodes()
        .first()
        .is_some_and(|first| first.verdict.is_some());
    let handled_ms = state.case().and_then(|case| case.handled_ms);
    match (delivered, state.seen_ms, handled_ms) {
        (false, _, _) => 0,
        (true, _, Some(_)) => 3,
        (true, Some(_), None) => 2,
        (true, None, None) => 1,
    }
}

fn areas(record: &Record) -> Vec<AreaId> {
    let ids: BTreeSet<AreaId> = match (record.state(), record.genesis()) {
        (Some(state), _) => state.areas().flat_map(|path| path.ids().to_vec()).collect(),
        (None, Some(facts)) => facts.home.ids().iter().copied().collect(),
        (None, None) => BTreeSet::new(),
    };
    ids.into_iter().collect()
}

fn open_assignments(record: &Record) -> Vec<Open> {
    let Some(state) = record.state() else {
        return Vec::new();
    };
    let mut open: Vec<Open> = state
        .open_assignments()
        .map(|one| Open {
            party: party_key(&one.to),
            id: one.id,
            due_ms: state.due_ms(one).unwrap_or(NEVER_MS),
        })
        .collect();
    open.sort_unstable();
    open
}

fn words(
    conn: &Connection,
    record: &Record,
    content: Option<&Content>,
    row: &RecordRow,
) -> Result<String, ReplicaError> {
    let category = names::category(conn, &row.category)?;
    let mut texts: Vec<&str> = vec![&row.title, &row.address];
    if let Some(details) = content.map(Content::details) {
        texts.push(&details.description);
        texts.extend(details.answers.values().map(String::as_str));
        texts.extend(details.photos.values().map(String::as_str));
    }
    if let Some((zh, en)) = &category {
        texts.extend([zh.as_str(), en.as_str()]);
    }
    texts.extend(record.nodes().iter().filter_map(comment));
    Ok(search::index_words(texts))
}

fn comment(node: &Node) -> Option<&str> {
    match &node.body {
        NodeBody::Event { event, .. } if node.counts() => match event.as_ref() {
            Event::Comment(comment) => comment.text.as_ref().map(crate::domain::Text::as_str),
            Event::DangerRemains(danger) => danger.text.as_ref().map(crate::domain::Text::as_str),
            _ => None,
        },
        _ => None,
    }
}
