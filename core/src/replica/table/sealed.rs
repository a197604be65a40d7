//! `sealed_certificate`: certificates that this phone carries for the server and can not read.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use crate::id::Hash;
use crate::wire::sealed::SealedCertificate;

/// As the server gives it: it takes the place of whatever was here.
pub(in crate::replica) fn put(conn: &Connection, sealed: &SealedCertificate) -> Sql<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO sealed_certificate (hash, bytes) VALUES (?1, ?2)")?
        .execute((sealed.certificate.as_bytes(), &sealed.bytes))
        .map(drop)
}

/// As another phone gives it, which nobody but the server can check: it takes the place of nothing.
pub(in crate::replica) fn put_unchecked(conn: &Connection, sealed: &SealedCertificate) -> Sql<()> {
    conn.prepare_cached("INSERT OR IGNORE INTO sealed_certificate (hash, bytes) VALUES (?1, ?2)")?
        .execute((sealed.certificate.as_bytes(), &sealed.bytes))
        .map(drop)
}

pub(in crate::replica) fn get(conn: &Connection, hash: Hash) -> Sql<Option<SealedCertificate>> {
    conn.prepare_cached("SELECT bytes FROM sealed_certificate WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| {
            Ok(SealedCertificate {
                certificate: hash,
                bytes: row.get(0)?,
            })
        })
        .optional()
}
