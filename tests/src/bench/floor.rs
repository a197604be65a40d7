//! The floor under an upload: what no server that checks and keeps can leave out.
//!
//! One thread: `verify_strict` one by one, SHA-256, and an append of the same bytes to a table keyed by hash
//! in one transaction that is synced to disk.

use std::path::Path;

use onegrid_core::id::Hash;
use onegrid_core::trust::sign::{Authority, Purpose};
use onegrid_core::wire::envelope::VerifiedEnvelope;
use rusqlite::{Connection, params};

/// An empty table in a new file.
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

/// Does it for these envelopes.
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
