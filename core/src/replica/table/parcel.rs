//! `parcel`: sealed work of other phones, on its way to the server.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use crate::id::Hash;
use crate::wire::parcel::Parcel;

/// Stores a parcel in the place of the one with the same tag.
pub(in crate::replica) fn put(conn: &Connection, parcel: &Parcel, taken_ms: i64) -> Sql<()> {
    let hash = Hash::of(&[&parcel.bytes]);
    conn.prepare_cached(
        "INSERT OR REPLACE INTO parcel (tag, hash, bytes, taken_ms) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((&parcel.tag, hash.as_bytes(), &parcel.bytes, taken_ms))
    .map(drop)
}

/// Number and bytes of all parcels.
pub(in crate::replica) fn amount(conn: &Connection) -> Sql<(usize, usize)> {
    conn.prepare_cached("SELECT count(*), coalesce(sum(length(bytes)), 0) FROM parcel")?
        .query_row([], |row| {
            let size = |column| {
                row.get::<_, i64>(column)
                    .map(|n| usize::try_from(n).unwrap_or(0))
            };
            Ok((size(0)?, size(1)?))
        })
}

/// Bytes of the parcels that were taken after an instant, the oldest first, at most `count_max`. The first
/// one is always among them, further ones as far as all fit into `bytes_max`.
pub(in crate::replica) fn oldest(
    conn: &Connection,
    after_ms: i64,
    (count_max, bytes_max): (usize, usize),
) -> Sql<Vec<Vec<u8>>> {
    let mut statement = conn.prepare_cached(
        "SELECT bytes FROM parcel WHERE taken_ms > ?1 ORDER BY taken_ms, tag LIMIT ?2",
    )?;
    let mut rows = statement.query((after_ms, i64::try_from(count_max).unwrap_or(i64::MAX)))?;
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

/// Deletes the parcel with this hash.
pub(in crate::replica) fn delete(conn: &Connection, hash: Hash) -> Sql<()> {
    conn.prepare_cached("DELETE FROM parcel WHERE hash = ?1")?
        .execute([hash.as_bytes()])
        .map(drop)
}

/// Deletes the parcels that were taken at this instant or before, and returns their number.
pub(in crate::replica) fn delete_until(conn: &Connection, until_ms: i64) -> Sql<usize> {
    conn.prepare_cached("DELETE FROM parcel WHERE taken_ms <= ?1")?
        .execute([until_ms])
}
