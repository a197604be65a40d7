//! The floor under an upload: the work that every server must do that checks and keeps envelopes.
//!
//! One thread runs `verify_strict` one by one and SHA-256, and appends the same bytes to a table keyed by
//! hash in one transaction that is synced to disk.

use std::path::Path;

use onegrid_core::id::Hash;
use onegrid_core::trust::sign::{Authority, Purpose};
use onegrid_core::wire::envelope::VerifiedEnvelope;
use rusqlite::{Connection, params};

/// Opens an empty table in a new file.
pub(super) fn open(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("floor.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE kept (hash BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;",
        )
        .unwrap();
    connection
}

/// Checks these envelopes and appends them.
pub(super) fn append(
    connection: &mut Connection,
    envelopes: &[&VerifiedEnvelope],
    authority: &Authority,
) {
    let tx = connection.transaction().unwrap();
    {
        let mut insert = tx.prepare("INSERT INTO kept VALUES (?1, ?2)").unwrap();
        let mut bytes = Vec::new();
        for verified in envelopes {
            let raw = verified.envelope().raw();
            let hash = Hash::of(&[&raw.header, Hash::of(&[&raw.body]).as_bytes()]);
            verified
                .certificate()
                .unwrap()
                .device_key()
                .verify(
                    Purpose::Envelope,
                    authority,
                    &[hash.as_bytes()],
                    &raw.signature,
                )
                .unwrap();
            bytes.clear();
            bytes.extend_from_slice(&raw.header);
            bytes.extend_from_slice(&raw.body);
            bytes.extend_from_slice(&raw.signature);
            insert.execute(params![hash.as_bytes(), bytes]).unwrap();
        }
    }
    tx.commit().unwrap();
}
