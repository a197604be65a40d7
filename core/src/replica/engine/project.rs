//! Projections: what lists, counts, map and search read, made from one record.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::search;
use super::super::table::record::{self as record_table, Before, RecordRow};
use super::super::table::{
    envelope, pack, record_area, record_map, record_search, stream, stream_record,
};
use super::load::{self, Certificates};
use super::shown::{Basis, Shown};
use crate::crdt::{Content, ContentKind, Document};
use crate::domain::case::{Event, Severity, Stage};
use crate::domain::category::Categories;
use crate::id::{AreaId, MemberId, RecordId};
use crate::record::{Accepted, Node, NodeBody, Record};
use crate::wire::digest::Digest;

/// Names of the categories that every phone knows, so that a search for 燃气 finds what is filed there.
static CATEGORIES: LazyLock<Categories> = LazyLock::new(Categories::built_in);

/// Writes every projection of a record, and keeps the digests of its streams.
pub(in crate::replica) fn write(
    conn: &Connection,
    record: &Record,
    own: Option<MemberId>,
) -> Result<(), ReplicaError> {
    let content = content(record);
    let shown = Shown::of(record, content.as_ref());
    let Some(row) = row_of(record, &shown, own) else {
        return Ok(());
    };
    let before = record_table::before(conn, record.id())?;
    let words = words(record, content.as_ref(), &row);
    let basis = Basis::of(record, &shown, &words);
    let known = before.as_ref().and_then(|before| before.basis.as_ref());
    let same_words = known.is_some_and(|known| known.words == basis.words);
    let no = put(conn, before.as_ref(), record, &row, &basis)?;
    if !same_words {
        record_search::set(conn, no, &words, before.is_none())?;
    }
    Ok(())
}

/// The same for a record of which everything is accepted, without its document: what is shown of the content
/// stays. `false`, and nothing is written, where that is not known.
pub(in crate::replica) fn write_accepted(
    conn: &Connection,
    record: &Accepted,
    own: Option<MemberId>,
) -> Result<bool, ReplicaError> {
    let record = record.without_content();
    let Some(before) = record_table::before(conn, record.id())? else {
        return Ok(false);
    };
    let Some(basis) = before.basis.as_ref().filter(|basis| basis.is_of(record)) else {
        return Ok(false);
    };
    let shown = Shown::again(&before.row, basis);
    let Some(row) = row_of(record, &shown, own) else {
        return Ok(false);
    };
    // The name of the category is among the words.
    if row.category != before.row.category {
        return Ok(false);
    }
    put(conn, Some(&before), record, &row, basis)?;
    Ok(true)
}

/// Everything but the words; gives the number of the row.
fn put(
    conn: &Connection,
    before: Option<&Before>,
    record: &Record,
    row: &RecordRow,
    basis: &Basis,
) -> Result<i64, ReplicaError> {
    let no = record_table::put(conn, before.map(|before| before.no), row, basis)?;
    record_area::set(conn, no, &areas(record))?;
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

/// Makes every projection again, and the digests of the streams.
pub(in crate::replica) fn rebuild(
    conn: &Connection,
    certificates: &mut Certificates,
    own: Option<MemberId>,
) -> Result<(), ReplicaError> {
    record_table::clear(conn)?;
    for known in stream::all(conn)? {
        stream::set_digest(conn, known.no, Digest::EMPTY)?;
    }
    let mut records: BTreeSet<RecordId> = envelope::records(conn)?.into_iter().collect();
    records.extend(pack::records(conn)?);
    for id in records {
        if let Some(record) = load::record(conn, certificates, id)? {
            write(conn, &record, own)?;
        }
    }
    Ok(())
}

/// Forgets the projections of a record.
pub(in crate::replica) fn remove(conn: &Connection, id: RecordId) -> Result<(), ReplicaError> {
    if let Some(no) = record_table::number(conn, id)? {
        record_area::set(conn, no, &[])?;
        record_map::set(conn, no, None)?;
        record_search::delete(conn, no)?;
        record_table::delete(conn, id)?;
    }
    Ok(())
}

/// The content as it counts; where nothing counts (yet, or any more), as its creator wrote it.
pub(in crate::replica) fn content(record: &Record) -> Option<Content> {
    let kind = ContentKind::of(record.genesis()?.kind)?;
    if let Some(document) = record.document() {
        return Some(document.content(kind));
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
    let category = state.and_then(|state| state.category.as_ref());
    let category = category.map(|code| code.as_str().to_owned());
    let stage = state.map_or(Stage::Reported, |state| state.stage);
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
        stage: stage.code(),
        open: !stage.is_ended(),
        category: category
            .or_else(|| shown.category.clone())
            .unwrap_or_default(),
        severity: state
            .and_then(|state| state.severity)
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
        digest: record.digest(),
    })
}

/// Effective time of the newest envelope that counts.
fn updated_ms(record: &Record) -> Option<i64> {
    let timeline = &record.state()?.timeline;
    let counting = timeline.iter().filter(|item| record.counts(item.id));
    counting.map(|item| item.effective_ms).max()
}

/// 仅存本机 0, 已送达 1, 已查看 2, 已处结 3; 已到服务器、等待 4: held, and why is in the view.
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
    match (delivered, state.seen_ms, state.handled_ms) {
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

fn words(record: &Record, content: Option<&Content>, row: &RecordRow) -> String {
    let mut texts: Vec<&str> = vec![&row.title, &row.address];
    if let Some(details) = content.map(Content::details) {
        texts.push(&details.description);
        texts.extend(details.answers.values().map(String::as_str));
        texts.extend(details.photos.values().map(String::as_str));
    }
    if let Some(category) = CATEGORIES.get(&row.category) {
        texts.extend([category.names.zh(), category.names.en()]);
    }
    texts.extend(record.nodes().iter().filter_map(comment));
    search::index_words(texts)
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
