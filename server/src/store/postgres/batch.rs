//! New rows of a transaction that wait for one another: each table gets them in one statement.
//!
//! **Invariant.** Every other statement sends the waiting rows first ([`super::db::Db`]), so the order of writes stays,
//! for whoever reads. A row waits only if the order among the waiting rows themselves does not matter: each key waits
//! once.

use std::collections::{BTreeMap, HashMap, HashSet};

use onegrid_core::id::{EnvelopeId, RecordId};

use super::convert::{Value, cbor, status_code, values};
use super::memo::Known;
use crate::store::{Entry, Head, NewEntry, NewEnvelope, RecordRow, StoreError, StoreResult};

/// Waiting rows before they are sent.
const ROWS_MAX: usize = 4_096;

/// A statement with its values.
pub(super) type Statement = (&'static str, Vec<Value>);

/// A column of bytes; an element may be missing.
type ByteColumn = Vec<Option<Vec<u8>>>;

#[derive(Debug, Default)]
pub(super) struct Batch {
    envelopes: Envelopes,
    /// The order of the records, and the newest row of each.
    records: (Vec<RecordId>, HashMap<RecordId, RecordRow>),
    feed: Feed,
    heads: BTreeMap<i64, Head>,
    holds: BTreeMap<(i64, RecordId), u64>,
    needs: Vec<(i64, i64, u64)>,
    /// The first position and the newest bytes of each name.
    currents: BTreeMap<(i64, Vec<u8>), (u64, Vec<u8>)>,
    rows: usize,
}

#[derive(Debug, Default)]
struct Envelopes {
    waiting: HashSet<EnvelopeId>,
    ids: ByteColumn,
    records: ByteColumn,
    authors: ByteColumn,
    certificates: Vec<i64>,
    headers: ByteColumn,
    bodies: ByteColumn,
    signatures: ByteColumn,
    statuses: Vec<i64>,
    verdicts: ByteColumn,
}

#[derive(Debug, Default)]
struct Feed {
    streams: Vec<i64>,
    positions: Vec<i64>,
    kinds: Vec<i64>,
    subjects: ByteColumn,
    data: ByteColumn,
    digests: ByteColumn,
}

impl Batch {
    /// Whether enough rows wait.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX
    }

    /// Whether no row waits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether one of these envelopes waits.
    pub(super) fn has_envelope(&self, ids: &[EnvelopeId]) -> bool {
        ids.iter().any(|id| self.envelopes.waiting.contains(id))
    }

    /// Whether one of these records waits.
    pub(super) fn has_record(&self, ids: &[RecordId]) -> bool {
        ids.iter().any(|id| self.records.1.contains_key(id))
    }

    pub(super) fn envelope(&mut self, envelope: &NewEnvelope<'_>, certificate: i64) {
        let id = envelope.hash.envelope_id();
        // The first of two stays, as in the table.
        if !self.envelopes.waiting.insert(id) {
            return;
        }
        self.rows += 1;
        let to = &mut self.envelopes;
        to.ids.push(Some(id.0.to_vec()));
        to.records.push(Some(envelope.record.0.to_vec()));
        to.authors.push(Some(envelope.author.0.to_vec()));
        to.certificates.push(certificate);
        to.headers.push(Some(envelope.raw.header.clone()));
        to.bodies.push(Some(envelope.raw.body.clone()));
        to.signatures.push(Some(envelope.raw.signature.to_vec()));
        to.statuses.push(status_code(&envelope.verdict));
        to.verdicts.push(Some(cbor(&envelope.verdict)));
    }

    /// A record that is new, or whose `open` stays.
    pub(super) fn record(&mut self, record: &RecordRow) {
        self.rows += 1;
        let (order, rows) = &mut self.records;
        if rows.insert(record.id, record.clone()).is_none() {
            order.push(record.id);
        }
    }

    /// Entries at the next positions of a stream. Returns its new head.
    pub(super) fn append(&mut self, known: Known, entries: &[NewEntry]) -> StoreResult<Head> {
        let Known { no, mut head } = known;
        self.rows += entries.len() + 1;
        for NewEntry { entry, adds } in entries {
            head.position += 1;
            head.digest = head.digest.plus(*adds);
            self.feed.add(no, entry, head)?;
        }
        self.heads.insert(no, head);
        Ok(head)
    }

    /// A record that the stream holds from its head on. The record exists, or waits.
    pub(super) fn hold(&mut self, stream: Known, record: RecordId) {
        self.rows += 1;
        self.holds.insert((stream.no, record), stream.head.position);
    }

    pub(super) fn need(&mut self, stream: i64, certificate: i64, position: u64) {
        self.rows += 1;
        self.needs.push((stream, certificate, position));
    }

    pub(super) fn current(&mut self, stream: i64, name: &[u8], position: u64, data: &[u8]) {
        self.rows += 1;
        self.currents
            .entry((stream, name.to_vec()))
            .and_modify(|(_, newest)| data.clone_into(newest))
            .or_insert_with(|| (position, data.to_vec()));
    }

    /// The statements that write the waiting rows, in their order.
    pub(super) fn statements(self) -> Vec<Statement> {
        let mut all = Vec::new();
        all.extend(self.envelopes.statement());
        all.extend(records(self.records));
        all.extend(self.feed.statement());
        all.extend(heads(&self.heads));
        all.extend(holds(&self.holds));
        all.extend(needs(&self.needs));
        all.extend(currents(self.currents));
        all
    }
}

impl Envelopes {
    /// The verdict of an envelope that a pack listed before stays.
    fn statement(self) -> Option<Statement> {
        (!self.ids.is_empty()).then(|| {
            (
                "INSERT INTO envelopes AS e (no, id, record_id, author, certificate_no, header, body,
                     signature, status, verdict)
                 SELECT (SELECT coalesce(max(no), 0) FROM envelopes) + new.place, new.id, new.record,
                     new.author, new.certificate, new.header, new.body, new.signature, new.status,
                     new.verdict
                 FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[],
                     $6::bytea[], $7::bytea[], $8::bigint[], $9::bytea[]) WITH ORDINALITY AS new
                     (id, record, author, certificate, header, body, signature, status, verdict, place)
                 ON CONFLICT (id) DO UPDATE SET header = excluded.header, body = excluded.body,
                     signature = excluded.signature
                 WHERE e.header IS NULL",
                values![
                    self.ids,
                    self.records,
                    self.authors,
                    self.certificates,
                    self.headers,
                    self.bodies,
                    self.signatures,
                    self.statuses,
                    self.verdicts
                ],
            )
        })
    }
}

impl Feed {
    fn add(&mut self, stream: i64, entry: &Entry, head: Head) -> StoreResult<()> {
        let (kind, subject, data) = match entry {
            Entry::Envelope(id) => (1, Some(id.0.to_vec()), None),
            Entry::Add(record) => (2, Some(record.0.to_vec()), None),
            Entry::Withdraw(record) => (3, Some(record.0.to_vec()), None),
            Entry::Verdict(id) => (4, Some(id.0.to_vec()), None),
            Entry::Directory(data) => (5, None, Some(data.clone())),
            Entry::Bulletin(data) => (6, None, Some(data.clone())),
        };
        let position = i64::try_from(head.position);
        self.positions
            .push(position.map_err(|_| StoreError::Row("a position"))?);
        self.streams.push(stream);
        self.kinds.push(kind);
        self.subjects.push(subject);
        self.data.push(data);
        self.digests.push(Some(head.digest.to_bytes().to_vec()));
        Ok(())
    }

    fn statement(self) -> Option<Statement> {
        (!self.streams.is_empty()).then(|| {
            (
                "INSERT INTO feed (stream_no, position, kind, subject, data, digest)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[],
                     $5::bytea[], $6::bytea[])",
                values![
                    self.streams,
                    self.positions,
                    self.kinds,
                    self.subjects,
                    self.data,
                    self.digests
                ],
            )
        })
    }
}

fn records((order, mut rows): (Vec<RecordId>, HashMap<RecordId, RecordRow>)) -> Option<Statement> {
    let rows: Vec<RecordRow> = order.iter().filter_map(|id| rows.remove(id)).collect();
    let int = |of: fn(&RecordRow) -> i64| rows.iter().map(of).collect::<Vec<_>>();
    let maybe = |of: fn(&RecordRow) -> Option<i64>| rows.iter().map(of).collect::<Vec<_>>();
    let bytes = |of: fn(&RecordRow) -> Option<Vec<u8>>| rows.iter().map(of).collect::<ByteColumn>();
    let categories: Vec<Option<String>> = rows.iter().map(|row| row.category.clone()).collect();
    (!rows.is_empty()).then(|| {
        (
            "INSERT INTO records (no, id, kind, audience, home, created_ms, open, state, category,
                 lat_e7, lon_e7, due_ms, digest, changed_ms, merged_into)
             SELECT (SELECT coalesce(max(no), 0) FROM records) + new.place, new.id, new.kind,
                 new.audience, new.home, new.created_ms, new.open, new.state, new.category,
                 new.lat_e7, new.lon_e7, new.due_ms, new.digest, new.changed_ms, new.merged_into
             FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[],
                 $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[],
                 $12::bytea[], $13::bigint[], $14::bytea[]) WITH ORDINALITY AS new
                 (id, kind, audience, home, created_ms, open, state, category, lat_e7, lon_e7,
                 due_ms, digest, changed_ms, merged_into, place)
             ON CONFLICT (id) DO UPDATE SET open = excluded.open, state = excluded.state,
                 category = excluded.category, lat_e7 = excluded.lat_e7, lon_e7 = excluded.lon_e7,
                 due_ms = excluded.due_ms, digest = excluded.digest,
                 changed_ms = excluded.changed_ms, merged_into = excluded.merged_into",
            values![
                bytes(|row| Some(row.id.0.to_vec())),
                int(|row| row.kind.into()),
                int(|row| row.audience.into()),
                bytes(|row| Some(cbor(&row.home))),
                int(|row| row.created_ms),
                int(|row| row.open.into()),
                int(|row| row.state.into()),
                categories,
                maybe(|row| row.position.map(|position| position.0.into())),
                maybe(|row| row.position.map(|position| position.1.into())),
                maybe(|row| row.due_ms),
                bytes(|row| Some(row.digest.to_bytes().to_vec())),
                int(|row| row.changed_ms),
                bytes(|row| row.merged_into.map(|id| id.0.to_vec())),
            ],
        )
    })
}

fn heads(heads: &BTreeMap<i64, Head>) -> Option<Statement> {
    let digests = heads
        .values()
        .map(|head| Some(head.digest.to_bytes().to_vec()));
    (!heads.is_empty()).then(|| {
        (
            "UPDATE streams SET head = new.head, digest = new.digest
             FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS new (no, head, digest)
             WHERE streams.no = new.no",
            values![
                heads.keys().copied().collect::<Vec<_>>(),
                heads
                    .values()
                    .map(|head| number(head.position))
                    .collect::<Vec<_>>(),
                digests.collect::<ByteColumn>(),
            ],
        )
    })
}

fn holds(holds: &BTreeMap<(i64, RecordId), u64>) -> Option<Statement> {
    let records = holds.keys().map(|(_, record)| Some(record.0.to_vec()));
    (!holds.is_empty()).then(|| {
        (
            "INSERT INTO stream_records (stream_no, record_no, open, created_ms, turned_at, added_at)
             SELECT new.stream, r.no, r.open, r.created_ms, new.position, new.position
             FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS new (stream, record, position)
             JOIN records r ON r.id = new.record
             ON CONFLICT (stream_no, record_no) DO UPDATE SET open = excluded.open,
                 created_ms = excluded.created_ms, turned_at = excluded.turned_at,
                 added_at = excluded.added_at",
            values![
                holds.keys().map(|(stream, _)| *stream).collect::<Vec<_>>(),
                records.collect::<ByteColumn>(),
                holds.values().map(|at| number(*at)).collect::<Vec<_>>(),
            ],
        )
    })
}

fn needs(needs: &[(i64, i64, u64)]) -> Option<Statement> {
    (!needs.is_empty()).then(|| {
        (
            "INSERT INTO stream_certificates (stream_no, certificate_no, position)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING",
            values![
                needs.iter().map(|need| need.0).collect::<Vec<_>>(),
                needs.iter().map(|need| need.1).collect::<Vec<_>>(),
                needs.iter().map(|need| number(need.2)).collect::<Vec<_>>(),
            ],
        )
    })
}

fn currents(currents: BTreeMap<(i64, Vec<u8>), (u64, Vec<u8>)>) -> Option<Statement> {
    let (mut streams, mut names) = (Vec::new(), ByteColumn::new());
    let (mut positions, mut data) = (Vec::new(), ByteColumn::new());
    for ((stream, name), (position, bytes)) in currents {
        streams.push(stream);
        names.push(Some(name));
        positions.push(number(position));
        data.push(Some(bytes));
    }
    (!streams.is_empty()).then(|| {
        (
            "INSERT INTO stream_entries (stream_no, name, position, data)
             SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[])
             ON CONFLICT (stream_no, name) DO UPDATE SET data = excluded.data",
            values![streams, names, positions, data],
        )
    })
}

fn number(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
