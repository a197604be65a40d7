//! `meta`: single values of the replica.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use crate::limits::ANALYSIS_ROWS_MAX;

/// The names of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) enum Name {
    /// The installation's epoch, 8 bytes.
    Epoch,
    /// Local writes so far, 8 bytes big-endian.
    Written,
    /// Hash of the newest own certificate.
    OwnCertificate,
    /// The root public key.
    Root,
    /// The directory position seen, CBOR.
    DirectoryMark,
    /// The server's generation, 4 bytes big-endian.
    Generation,
    /// Present while the replica is behind a restored server: it has not been equal with it since.
    Behind,
    /// The version of the code that projections were made by, or are being made by, 4 bytes big-endian.
    Projections,
    /// Causes after this instant are shown as news, ms UTC, 8 bytes big-endian.
    NotifySince,
    /// The secrets that only phones of the deployment know, CBOR.
    MeetingSecrets,
    /// The requests for bundle files whose answers this phone still opens, CBOR.
    BundleRequests,
    /// The numbers of parcels that left this phone, by their end: 3 times 8 bytes big-endian.
    ParcelEnds,
}

impl Name {
    pub(in crate::replica) const fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Written => "written",
            Self::OwnCertificate => "own_certificate",
            Self::Root => "root",
            Self::DirectoryMark => "directory_mark",
            Self::Generation => "generation",
            Self::Behind => "behind",
            Self::Projections => "projections",
            Self::NotifySince => "notify_since",
            Self::MeetingSecrets => "meeting_secrets",
            Self::BundleRequests => "bundle_requests",
            Self::ParcelEnds => "parcel_ends",
        }
    }
}

pub(in crate::replica) fn get(conn: &Connection, name: Name) -> Sql<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()
}

/// A value of exactly `N` bytes; anything else counts as absent.
pub(in crate::replica) fn get_fixed<const N: usize>(
    conn: &Connection,
    name: Name,
) -> Sql<Option<[u8; N]>> {
    Ok(get(conn, name)?.and_then(|bytes| bytes.try_into().ok()))
}

pub(in crate::replica) fn put(conn: &Connection, name: Name, value: &[u8]) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute((name.as_str(), value))
    .map(drop)
}

/// Local writes so far.
pub(in crate::replica) fn written(conn: &Connection) -> Sql<u64> {
    Ok(get_fixed(conn, Name::Written)?.map_or(0, u64::from_be_bytes))
}

/// The highest generation of the server among the applied answers; `None` before the first one.
pub(in crate::replica) fn generation(conn: &Connection) -> Sql<Option<u32>> {
    Ok(get_fixed(conn, Name::Generation)?.map(u32::from_be_bytes))
}

pub(in crate::replica) fn delete(conn: &Connection, name: Name) -> Sql<()> {
    conn.prepare_cached("DELETE FROM meta WHERE name = ?1")?
        .execute([name.as_str()])
        .map(drop)
}

/// A number that changes when another connection commits.
pub(in crate::replica) fn data_version(conn: &Connection) -> Sql<i64> {
    conn.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Caps the file at this number of pages.
pub(in crate::replica) fn limit_pages(conn: &Connection, pages_max: u32) -> Sql<()> {
    conn.pragma_update(None, "max_page_count", pages_max)
}

/// Lets the database learn how selective its indexes are, where that has changed much. Reads a few hundred
/// rows of each at most.
pub(in crate::replica) fn optimize(conn: &Connection) -> Sql<()> {
    conn.pragma_update(None, "analysis_limit", ANALYSIS_ROWS_MAX)?;
    conn.execute_batch("PRAGMA optimize;")
}

/// Pages of the file.
pub(in crate::replica) fn pages(conn: &Connection) -> Sql<u32> {
    conn.query_row("PRAGMA page_count", [], |row| row.get(0))
}
