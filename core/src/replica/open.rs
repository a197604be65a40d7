//! Opening the encrypted file: the right key, a schema that this code knows, durable settings.
//!
//! Invariant: a file that does not open is never changed. Setting a damaged file aside is a separate step
//! that the host asks for ([`super::rescue`]), so that a wrong key can never cost data.

use std::path::Path;
use std::sync::Once;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::ReplicaError;
use super::migrate;
use super::site::{FileKey, Site, outbox_copy_path};
use crate::limits::{
    OUTBOX_COPY_CACHE_KIB, READER_CACHE_KIB, REPLICA_CACHE_KIB, REPLICA_STATEMENTS_CACHED,
};

/// Makes a new file. The caller has seen that there is none.
pub(super) fn create(path: &Path, key: &FileKey) -> Result<Connection, ReplicaError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = keyed(path, key, flags)?;
    settings(&conn)?;
    migrate::run(&mut conn)?;
    Ok(conn)
}

/// Opens the file. `key_known` is the fingerprint of the last key that opened the file: it distinguishes a
/// wrong key from a damaged first page.
pub(super) fn open(site: &Site, key_known: Option<[u8; 16]>) -> Result<Connection, ReplicaError> {
    let (path, key) = (&site.path, &site.key);
    match site.len(path)? {
        Some(0) => return Err(ReplicaError::EmptyFile),
        Some(_) => {}
        None if site.exists(&outbox_copy_path(path))? => return Err(ReplicaError::Lost),
        None => return Err(ReplicaError::Missing),
    }
    if key_known.is_some_and(|known| known != key.fingerprint()) {
        return Err(ReplicaError::WrongKey);
    }
    let mut conn = keyed(
        path,
        key,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let first = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    });
    match first.map_err(ReplicaError::from) {
        Ok(0) => return Err(ReplicaError::EmptyFile),
        Ok(_) => {}
        Err(ReplicaError::Damaged) if key_known.is_none() => return Err(ReplicaError::WrongKey),
        Err(error) => return Err(error),
    }
    migrate::check(&conn)?;
    settings(&conn)?;
    migrate::run(&mut conn)?;
    Ok(conn)
}

/// Closes a file so that all of it is in the one file and on the disk, without a log.
pub(super) fn close_whole(conn: Connection) -> Result<(), ReplicaError> {
    let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(ReplicaError::InUse);
    }
    conn.close().map_err(|(_, error)| error.into())
}

/// Opens a damaged file for reading, without a look at the schema.
pub(super) fn open_damaged(path: &Path, key: &FileKey) -> Result<Connection, ReplicaError> {
    keyed(
        path,
        key,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// Opens a file that a replica has open, for reading alone.
pub(super) fn reader(path: &Path, key: &FileKey) -> Result<Connection, ReplicaError> {
    let conn = keyed(
        path,
        key,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    settings(&conn)?;
    conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    conn.execute_batch("PRAGMA query_only = ON;")?;
    Ok(conn)
}

/// Opens or makes the second copy beside a replica. Its content can be made again, so it is written without
/// waiting for the disk.
pub(super) fn second(path: &Path, key: &FileKey) -> Result<Connection, ReplicaError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = keyed(path, key, flags)?;
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    conn.pragma_update(None, "cache_size", -OUTBOX_COPY_CACHE_KIB)?;
    Ok(conn)
}

/// Opens the first connection of the process alone, because `SQLCipher` finishes its start only after `SQLite`
/// lets other threads in. A failure here is met again at the file.
fn start_cipher(key: &FileKey) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let _ = Connection::open_in_memory().and_then(|conn| {
            conn.execute_batch("PRAGMA cipher_log_level = NONE;")?;
            conn.execute_batch(&key.pragma())
        });
    });
}

fn keyed(path: &Path, key: &FileKey, flags: OpenFlags) -> Result<Connection, ReplicaError> {
    start_cipher(key);
    let conn = Connection::open_with_flags(path, flags)?;
    // A failure is an error with a code, so the library's own lines on stderr would only repeat it.
    conn.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    conn.execute_batch(&key.pragma())?;
    conn.execute_batch("PRAGMA temp_store = MEMORY;")?;
    Ok(conn)
}

/// Work that the phone reported as saved survives power loss: WAL with an fsync at every commit. Readers
/// keep reading meanwhile. [`Site::lock`] keeps a second writer out, because its writes would collide with
/// ours.
fn settings(conn: &Connection) -> Result<(), ReplicaError> {
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
         PRAGMA secure_delete = OFF; PRAGMA recursive_triggers = OFF;",
    )?;
    conn.pragma_update(None, "cache_size", -REPLICA_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(REPLICA_STATEMENTS_CACHED);
    // Without this, a statement with a bound LIMIT or range is prepared again for each new value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}
