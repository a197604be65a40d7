//! `parcel`: sealed work of other phones, on its way to the server.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use super::meta::{self, Name};
use crate::id::Hash;
use crate::limits::{PARCEL_AGE_MS_MAX, PARCEL_REST_MS_FIRST};
use crate::trust::parcel::TAG_BYTES;

/// Stores a parcel in the place of the one with the same tag. An equal one rests on.
pub(in crate::replica) fn put(
    conn: &Connection,
    tag: &[u8; TAG_BYTES],
    bytes: &[u8],
    taken_ms: i64,
) -> Sql<()> {
    let hash = Hash::of(&[bytes]);
    conn.prepare_cached(
        "INSERT INTO parcel (tag, hash, bytes, taken_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tag) DO UPDATE SET hash = ?2, bytes = ?3, taken_ms = ?4,
           tries = iif(hash = ?2, tries, 0), due_ms = iif(hash = ?2, due_ms, 0)",
    )?
    .execute((tag, hash.as_bytes(), bytes, taken_ms))
    .map(drop)
}

/// The parcels of other phones that this phone carries, and the numbers of those that left it, since the phone
/// was enrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParcelCounts {
    /// Parcels that wait for the next sync.
    pub carried: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was received, ms UTC by the clock of this phone.
    pub oldest_ms: Option<i64>,
    /// Parcels that the server took, or had from another phone.
    pub taken: u64,
    /// Parcels that the server refused. Their authors still have the work.
    pub refused: u64,
    /// Parcels that were too old or too many before they reached the server. Their authors still have the work.
    pub dropped: u64,
}

/// The end of a parcel on this phone. The number is its place among the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) enum End {
    Taken = 0,
    Refused = 1,
    Dropped = 2,
}

/// The parcels that are here, and those that left.
pub(in crate::replica) fn counts(conn: &Connection) -> Sql<ParcelCounts> {
    let [taken, refused, dropped] = ends(conn)?;
    conn.prepare_cached(
        "SELECT count(*), coalesce(sum(length(bytes)), 0), min(taken_ms) FROM parcel",
    )?
    .query_row([], |row| {
        Ok(ParcelCounts {
            carried: row.get::<_, i64>(0)?.unsigned_abs(),
            bytes: row.get::<_, i64>(1)?.unsigned_abs(),
            oldest_ms: row.get(2)?,
            taken,
            refused,
            dropped,
        })
    })
}

/// Counts parcels that left this phone.
pub(in crate::replica) fn count_end(conn: &Connection, end: End, parcels: usize) -> Sql<()> {
    if parcels == 0 {
        return Ok(());
    }
    let mut ends = ends(conn)?;
    let count = &mut ends[end as usize];
    *count = count.saturating_add(parcels as u64);
    meta::put(conn, Name::ParcelEnds, &ends.map(u64::to_be_bytes).concat())
}

/// The numbers of parcels that left, by their end.
fn ends(conn: &Connection) -> Sql<[u64; 3]> {
    let stored: [u8; 24] = meta::get_fixed(conn, Name::ParcelEnds)?.unwrap_or_default();
    let mut ends = [0; 3];
    for (end, bytes) in ends.iter_mut().zip(stored.chunks_exact(8)) {
        *end = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    Ok(ends)
}

/// Bytes of the parcels that were taken after an instant and do not rest, the oldest first, at most `count_max`.
/// The first one is always among them, further ones as far as all fit into `bytes_max`. A rest that ends later
/// than a parcel is kept comes from a clock that was set back, so it is over.
pub(in crate::replica) fn oldest(
    conn: &Connection,
    after_ms: i64,
    now_ms: i64,
    (count_max, bytes_max): (usize, usize),
) -> Sql<Vec<Vec<u8>>> {
    let mut statement = conn.prepare_cached(
        "SELECT bytes FROM parcel WHERE taken_ms > ?1 AND (due_ms <= ?2 OR due_ms - ?2 > ?3)
         ORDER BY taken_ms, tag LIMIT ?4",
    )?;
    let most = i64::try_from(count_max).unwrap_or(i64::MAX);
    let mut rows = statement.query((after_ms, now_ms, PARCEL_AGE_MS_MAX, most))?;
    let (mut parcels, mut sum): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        sum = sum.saturating_add(row.get_ref(0)?.as_blob()?.len());
        if sum > bytes_max && !parcels.is_empty() {
            break;
        }
        parcels.push(row.get(0)?);
    }
    Ok(parcels)
}

/// Deletes the oldest parcel beside the one with this tag. Returns whether there was one.
pub(in crate::replica) fn delete_oldest(conn: &Connection, beside: &[u8]) -> Sql<bool> {
    let tag: Option<Vec<u8>> = conn
        .prepare_cached("SELECT tag FROM parcel WHERE tag <> ?1 ORDER BY taken_ms, tag LIMIT 1")?
        .query_row([beside], |row| row.get(0))
        .optional()?;
    let Some(tag) = tag else { return Ok(false) };
    conn.prepare_cached("DELETE FROM parcel WHERE tag = ?1")?
        .execute([tag])
        .map(|count| count > 0)
}

/// Lets the parcel with this hash rest, longer each time.
pub(in crate::replica) fn rest(conn: &Connection, hash: Hash, now_ms: i64) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE parcel SET tries = tries + 1, due_ms = ?2 + (?3 << min(tries, 8)) WHERE hash = ?1",
    )?
    .execute((hash.as_bytes(), now_ms, PARCEL_REST_MS_FIRST))
    .map(drop)
}

/// Deletes the parcels with this hash, and returns their number.
pub(in crate::replica) fn delete(conn: &Connection, hash: Hash) -> Sql<usize> {
    conn.prepare_cached("DELETE FROM parcel WHERE hash = ?1")?
        .execute([hash.as_bytes()])
}

/// Deletes the parcels that were taken at this instant or before, and returns their number.
pub(in crate::replica) fn delete_until(conn: &Connection, until_ms: i64) -> Sql<usize> {
    conn.prepare_cached("DELETE FROM parcel WHERE taken_ms <= ?1")?
        .execute([until_ms])
}
