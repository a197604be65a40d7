//! `sealed_certificate`: certificates that this phone carries for the server and cannot read.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use crate::id::Hash;
use crate::wire::sealed::SealedCertificate;

/// Stores a certificate from the server. It replaces a stored one.
pub(in crate::replica) fn put(conn: &Connection, sealed: &SealedCertificate) -> Sql<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO sealed_certificate (hash, bytes) VALUES (?1, ?2)")?
        .execute((sealed.certificate.as_bytes(), &sealed.bytes))
        .map(drop)
}

/// Stores a certificate from another phone. Only the server can check it, so it replaces no stored one.
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
