//! Rows that a job has named before it asks for them, read together with one wait.
//!
//! **Invariant.** A row that is here equals the row of the database after all writes of the transaction so far, the
//! waiting ones included. A write either changes the row here as well or forgets it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::Hash as Key;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::wire::verdict::Verdict;
use tokio_postgres::Row;

use super::convert::{Columns as _, Value, values};
use super::db::Db;
use super::memo::Memo;
use super::{envelopes, feed, records, streams};
use crate::store::{Ahead, CurrentEntry, RecordRow, StoreResult};

/// Rows by their keys; `None` for a row that does not exist.
pub(super) type Rows<K, V> = RefCell<HashMap<K, Option<V>>>;

/// A verdict with the hash of the bytes, if they are there.
pub(super) type Judged = (Option<Hash>, Verdict);

/// Foreseen rows.
#[derive(Debug, Default)]
pub(super) struct Foresight {
    pub(super) notes: Rows<String, Vec<u8>>,
    pub(super) records: Rows<RecordId, RecordRow>,
    /// The streams of each foreseen record.
    pub(super) holders: RefCell<HashMap<RecordId, Vec<StreamId>>>,
    pub(super) verdicts: Rows<EnvelopeId, Judged>,
    pub(super) entries: Rows<(StreamId, Vec<u8>), CurrentEntry>,
}

impl Foresight {
    pub(super) fn forget(&self) {
        self.notes.borrow_mut().clear();
        self.records.borrow_mut().clear();
        self.holders.borrow_mut().clear();
        self.verdicts.borrow_mut().clear();
        self.entries.borrow_mut().clear();
    }
}

/// Returns a foreseen row, or else the answer of `ask`.
pub(super) fn look<K: Key + Eq, V: Clone>(
    rows: &Rows<K, V>,
    key: &K,
    ask: impl FnOnce() -> StoreResult<Option<V>>,
) -> StoreResult<Option<V>> {
    match rows.borrow().get(key) {
        Some(found) => Ok(found.clone()),
        None => ask(),
    }
}

/// Changes a foreseen row; another one stays unknown.
pub(super) fn set<K: Key + Eq, V>(rows: &Rows<K, V>, key: &K, value: Option<V>) {
    if let Some(row) = rows.borrow_mut().get_mut(key) {
        *row = value;
    }
}

/// Reads the rows that are not known yet.
pub(super) fn read(db: &Db, memo: &Memo, ahead: &Ahead) -> StoreResult<()> {
    let unknown = Unknown::of(memo, ahead);
    let waiting = db.waiting();
    let is_waiting =
        waiting.has_record(&unknown.records) || waiting.has_envelope(&unknown.envelopes);
    drop(waiting);
    if is_waiting {
        db.flush()?;
    }
    let queries = unknown.queries();
    let asked = queries.each_ref().map(Option::is_some);
    let queries: Vec<(&str, Vec<Value>)> = queries.into_iter().flatten().collect();
    if queries.is_empty() {
        return Ok(());
    }
    let mut answers = db.all_beside(queries)?.into_iter();
    let answers = asked.map(|asked| asked.then(|| answers.next()).flatten().unwrap_or_default());
    unknown.note(memo, &answers)
}

/// The keys that a job names and that are not known.
struct Unknown {
    notes: Vec<&'static str>,
    records: Vec<RecordId>,
    envelopes: Vec<EnvelopeId>,
    entries: Vec<(StreamId, Vec<u8>)>,
    certificates: Vec<Hash>,
    streams: Vec<StreamId>,
}

/// Number of the queries that read everything.
const QUERIES: usize = 7;

impl Unknown {
    fn of(memo: &Memo, ahead: &Ahead) -> Self {
        let known = &memo.foresight;
        let of_entries = ahead.entries.iter().map(|(stream, _)| *stream);
        let streams: Vec<StreamId> = ahead.streams.iter().copied().chain(of_entries).collect();
        Self {
            notes: new(&ahead.notes, |name| {
                known.notes.borrow().contains_key(*name)
            }),
            records: new(&ahead.records, |id| known.records.borrow().contains_key(id)),
            envelopes: new(&ahead.envelopes, |id| {
                known.verdicts.borrow().contains_key(id)
            }),
            entries: new(&ahead.entries, |key| {
                known.entries.borrow().contains_key(key)
            }),
            certificates: new(&ahead.certificates, |hash| memo.knows_certificate(*hash)),
            streams: new(&streams, |stream| memo.knows_stream(*stream)),
        }
    }

    fn queries(&self) -> [Option<(&'static str, Vec<Value>)>; QUERIES] {
        let notes = self.notes.iter().map(|name| Some((*name).to_owned()));
        let records = bytes(self.records.iter().map(|id| id.0.to_vec()));
        let envelopes = bytes(self.envelopes.iter().map(|id| id.0.to_vec()));
        let of_entries = bytes(self.entries.iter().map(|(stream, _)| stream.to_bytes()));
        let names = bytes(self.entries.iter().map(|(_, name)| name.clone()));
        let certificates = bytes(self.certificates.iter().map(|hash| hash.0.to_vec()));
        let streams = bytes(self.streams.iter().map(StreamId::to_bytes));
        let ask = |sql, count: usize, values| (count > 0).then_some((sql, values));
        [
            ask(NOTES, self.notes.len(), values![notes.collect::<Vec<_>>()]),
            ask(records::MANY, records.len(), values![records.clone()]),
            ask(streams::HOLDERS, records.len(), values![records]),
            ask(envelopes::VERDICTS, envelopes.len(), values![envelopes]),
            ask(streams::CURRENTS, names.len(), values![of_entries, names]),
            ask(
                envelopes::NUMBERS,
                certificates.len(),
                values![certificates],
            ),
            ask(feed::KNOWN, streams.len(), values![streams]),
        ]
    }

    /// Keeps the answers to the queries. A key without a row has none.
    fn note(self, memo: &Memo, answers: &[Vec<Row>; QUERIES]) -> StoreResult<()> {
        let known = &memo.foresight;
        let [
            notes,
            records,
            holders,
            verdicts,
            entries,
            certificates,
            streams,
        ] = answers;
        let mut all = known.notes.borrow_mut();
        all.extend(self.notes.iter().map(|name| ((*name).to_owned(), None)));
        for row in notes {
            all.insert(row.text(0)?, Some(row.bytes(1)?));
        }
        let (mut all, mut held) = (known.records.borrow_mut(), known.holders.borrow_mut());
        all.extend(self.records.iter().map(|id| (*id, None)));
        held.extend(self.records.iter().map(|id| (*id, Vec::new())));
        for row in records {
            let row = records::read(row)?;
            all.insert(row.id, Some(row));
        }
        for row in holders {
            let record = row.array(0).map(RecordId)?;
            held.entry(record).or_default().push(row.stream(1)?);
        }
        let mut all = known.verdicts.borrow_mut();
        all.extend(self.envelopes.iter().map(|id| (*id, None)));
        for row in verdicts {
            let id = row.array(0).map(EnvelopeId)?;
            all.insert(id, Some(envelopes::judged(row, 1)?));
        }
        let mut all = known.entries.borrow_mut();
        all.extend(self.entries.into_iter().map(|key| (key, None)));
        for row in entries {
            let key = (row.stream(0)?, row.bytes(1)?);
            all.insert(key, Some(streams::current_at(row, 2)?));
        }
        for row in certificates {
            memo.know_certificate(row.array(0).map(Hash)?, row.int(1)?);
        }
        for row in streams {
            memo.know_stream(row.stream(3)?, feed::known_at(row)?);
        }
        Ok(())
    }
}

const NOTES: &str = "SELECT name, value FROM meta WHERE name = ANY($1::text[])";

/// The keys that are not known, each once.
fn new<K: Clone + Key + Eq>(keys: &[K], is_known: impl Fn(&K) -> bool) -> Vec<K> {
    let mut seen = HashSet::new();
    let new = keys
        .iter()
        .filter(|key| !is_known(key) && seen.insert(*key));
    new.cloned().collect()
}

fn bytes(keys: impl Iterator<Item = Vec<u8>>) -> Vec<Option<Vec<u8>>> {
    keys.map(Some).collect()
}
