//! `record`: one row per record, made from its envelopes and verdicts.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, cbor_or_none, fixed, to_cbor};
use crate::domain::point::GeoPoint;
use crate::id::RecordId;
use crate::wire::digest::Digest;

/// The basis that a row was made from, and the facts that the row itself does not hold.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub(in crate::replica) struct Basis {
    /// Hash over the ids of the envelopes that counted, where these ids alone determine the document. It is
    /// not a sum, because then a person could choose envelopes that leave it unchanged.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(in crate::replica) counted: Option<[u8; 16]>,
    /// Hash over the words in the search index.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(in crate::replica) words: [u8; 16],
    /// See `Shown::category`.
    #[n(2)]
    pub(in crate::replica) category: Option<String>,
    /// See `Shown::severity`.
    #[n(3)]
    pub(in crate::replica) severity: Option<u8>,
    /// See `Shown::conflicts`.
    #[n(4)]
    pub(in crate::replica) conflicts: u32,
}

/// The row that lists show of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub struct RecordRow {
    /// The record.
    pub id: RecordId,
    /// Stable code of its kind.
    pub kind: u8,
    /// Stable code of its audience.
    pub audience: u8,
    /// Stable code of its stage.
    pub stage: u8,
    /// Whether a person still has to work on it.
    pub open: bool,
    /// Category: the one from triage, else the one from its creator, else empty.
    pub category: String,
    /// Stable code of its severity, 0 where there is none yet.
    pub severity: u8,
    /// Title, or the start of the description where it has none.
    pub title: String,
    /// Address as written.
    pub address: String,
    /// Latitude and longitude, 1e-7 degrees WGS-84.
    pub at: Option<(i32, i32)>,
    /// Clock of its Genesis, ms UTC, as the creator's phone claims.
    pub genesis_ms: i64,
    /// When it was reported (effective time), ms UTC.
    pub created_ms: i64,
    /// When it last changed, ms UTC.
    pub updated_ms: i64,
    /// Whether this phone's member made it.
    pub mine: bool,
    /// Envelopes here that no server has judged.
    pub undelivered: u32,
    /// Whether even its beginning is not judged yet.
    pub provisional: bool,
    /// Conflicts that people have to settle.
    pub conflicts: u32,
    /// Whether evidence arrived beside an ending.
    pub needs_review: bool,
    /// Whether it holds work of a newer app.
    pub needs_newer_app: bool,
    /// Receipt ladder: 0 stored, 1 delivered, 2 seen, 3 handled; 4 at the server, where it is held, and the
    /// view shows the reason.
    pub ladder: u8,
    /// The next deadline that counts, ms UTC: to accept, to arrive or to resolve; none while the case is
    /// suspended or over. In a list of assignments, the next one of those.
    pub due_ms: Option<i64>,
    /// Sum of the ids of its settled envelopes.
    pub digest: Digest,
}

impl RecordRow {
    /// Whether a deadline has passed at this instant (ms UTC).
    #[must_use]
    pub fn is_overdue(&self, now_ms: i64) -> bool {
        self.due_ms.is_some_and(|due_ms| due_ms <= now_ms)
    }

    /// Distance from a place in metres; `None` where the record has no position.
    #[must_use]
    pub fn distance_m(&self, from: GeoPoint) -> Option<f64> {
        let (lat_e7, lon_e7) = self.at?;
        let at = GeoPoint::new(lat_e7, lon_e7).ok()?;
        Some(from.distance_m(at))
    }
}

/// The stored value for no deadline. It sorts last.
pub(in crate::replica) const NEVER_MS: i64 = i64::MAX;

pub(in crate::replica) fn due(stored_ms: i64) -> Option<i64> {
    (stored_ms != NEVER_MS).then_some(stored_ms)
}

pub(in crate::replica) const COLUMNS: &str = "record.id, record.kind, record.audience, record.state, \
     record.open, record.category, record.severity, record.title, record.address, record.lat_e7, \
     record.lon_e7, record.created_ms, record.updated_ms, record.mine, record.undelivered, \
     record.provisional, record.conflicts, record.needs_review, record.newer, record.ladder, \
     record.digest, record.no, record.genesis_ms, record.due_ms";

/// How many columns these are.
pub(in crate::replica) const LIST_COLUMNS: usize = 24;

/// A row as stored, with its number and its basis.
#[derive(Debug, Clone)]
pub(in crate::replica) struct Before {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) row: RecordRow,
    pub(in crate::replica) basis: Option<Basis>,
}

/// The row as it is now.
pub(in crate::replica) fn before(conn: &Connection, id: RecordId) -> Sql<Option<Before>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, record.shown FROM record WHERE id = ?1"
    ))?
    .query_row([id.as_bytes()], |row| {
        Ok(Before {
            no: row.get(21)?,
            row: read(row)?,
            basis: cbor_or_none(row, LIST_COLUMNS)?,
        })
    })
    .optional()
}

/// Writes a row, in place of the one with number `before`. Returns its number.
pub(in crate::replica) fn put(
    conn: &Connection,
    before: Option<i64>,
    row: &RecordRow,
    basis: &Basis,
) -> Sql<i64> {
    conn.prepare_cached(
        "INSERT INTO record (no, id, kind, audience, state, open, category, severity, title, address,
           lat_e7, lon_e7, created_ms, updated_ms, mine, undelivered, provisional, conflicts,
           needs_review, newer, ladder, digest, genesis_ms, shown, due_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
           ?19, ?20, ?21, ?22, ?23, ?24, ?25)
         ON CONFLICT (no) DO UPDATE SET kind = excluded.kind, audience = excluded.audience,
           state = excluded.state, open = excluded.open, category = excluded.category,
           severity = excluded.severity, title = excluded.title, address = excluded.address,
           lat_e7 = excluded.lat_e7, lon_e7 = excluded.lon_e7, created_ms = excluded.created_ms,
           updated_ms = excluded.updated_ms, mine = excluded.mine,
           undelivered = excluded.undelivered, provisional = excluded.provisional,
           conflicts = excluded.conflicts, needs_review = excluded.needs_review,
           newer = excluded.newer, ladder = excluded.ladder, digest = excluded.digest,
           genesis_ms = excluded.genesis_ms, shown = excluded.shown, due_ms = excluded.due_ms",
    )?
    .execute(rusqlite::params![
        before,
        row.id.as_bytes(),
        row.kind,
        row.audience,
        row.stage,
        row.open,
        row.category,
        row.severity,
        row.title,
        row.address,
        row.at.map(|at| at.0),
        row.at.map(|at| at.1),
        row.created_ms,
        row.updated_ms,
        row.mine,
        row.undelivered,
        row.provisional,
        row.conflicts,
        row.needs_review,
        row.needs_newer_app,
        row.ladder,
        row.digest.to_bytes(),
        row.genesis_ms,
        to_cbor(basis),
        row.due_ms.unwrap_or(NEVER_MS),
    ])?;
    Ok(before.unwrap_or_else(|| conn.last_insert_rowid()))
}

pub(in crate::replica) fn number(conn: &Connection, id: RecordId) -> Sql<Option<i64>> {
    conn.prepare_cached("SELECT no FROM record WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()
}

pub(in crate::replica) fn get(conn: &Connection, id: RecordId) -> Sql<Option<RecordRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE id = ?1"))?
        .query_row([id.as_bytes()], read)
        .optional()
}

/// Clock of the Genesis and digest of a record.
pub(in crate::replica) fn digest(conn: &Connection, id: RecordId) -> Sql<Option<(i64, Digest)>> {
    conn.prepare_cached("SELECT genesis_ms, digest FROM record WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok((row.get(0)?, Digest::from_bytes(fixed(row, 1)?)))
        })
        .optional()
}

pub(in crate::replica) fn delete(conn: &Connection, id: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM record WHERE id = ?1")?
        .execute([id.as_bytes()])
        .map(drop)
}

/// Every row in the order of ids, for comparing two replicas.
pub(in crate::replica) fn all(conn: &Connection) -> Sql<Vec<RecordRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM record ORDER BY id"))?
        .query_map([], read)?
        .collect()
}

/// The newest change of any record, ms UTC; 0 without records.
pub(in crate::replica) fn newest_ms(conn: &Connection) -> Sql<i64> {
    conn.prepare_cached("SELECT coalesce(max(updated_ms), 0) FROM record")?
        .query_row([], |row| row.get(0))
}

/// Forgets every projection. They are made again from the envelopes.
pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute_batch(
        "DELETE FROM record; DELETE FROM record_area; DELETE FROM record_assignment;
         DELETE FROM record_map;
         DELETE FROM form; DELETE FROM form_due; DELETE FROM record_link;
         INSERT INTO record_search (record_search) VALUES ('delete-all');",
    )
}

pub(in crate::replica) fn read(row: &Row<'_>) -> Sql<RecordRow> {
    let lat: Option<i32> = row.get(9)?;
    let lon: Option<i32> = row.get(10)?;
    Ok(RecordRow {
        id: RecordId(fixed(row, 0)?),
        kind: row.get(1)?,
        audience: row.get(2)?,
        stage: row.get(3)?,
        open: row.get(4)?,
        category: row.get(5)?,
        severity: row.get(6)?,
        title: row.get(7)?,
        address: row.get(8)?,
        at: lat.zip(lon),
        genesis_ms: row.get(22)?,
        created_ms: row.get(11)?,
        updated_ms: row.get(12)?,
        mine: row.get(13)?,
        undelivered: row.get(14)?,
        provisional: row.get(15)?,
        conflicts: row.get(16)?,
        needs_review: row.get(17)?,
        needs_newer_app: row.get(18)?,
        ladder: row.get(19)?,
        due_ms: due(row.get(23)?),
        digest: Digest::from_bytes(fixed(row, 20)?),
    })
}
