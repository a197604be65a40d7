//! Opening the encrypted file: the right key, a schema that this code knows, durable settings.
//!
//! Invariant: a file that does not open is never changed. Setting a damaged file aside is a separate step
//! that the host asks for ([`super::rescue`]), so that a wrong key can never cost data.

use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use zeroize::{Zeroize, Zeroizing};

use super::error::ReplicaError;
use super::migrate;
use crate::id::Hash;
use crate::limits::{OUTBOX_COPY_CACHE_KIB, REPLICA_CACHE_KIB, REPLICA_STATEMENTS_CACHED};

/// The key of the file: 32 random bytes that the host keeps in its key store. Wiped when dropped.
#[derive(Clone)]
pub struct FileKey(Zeroizing<[u8; 32]>);

impl FileKey {
    /// The key as the key store hands it out.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A value that tells whether a key is the one that was used, and nothing else about it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        Hash::of(&[b"onegrid.replica.key", self.0.as_slice()]).first16()
    }

    /// `PRAGMA key` with the raw key, so that no passphrase is stretched at every start.
    fn pragma(&self) -> Zeroizing<String> {
        let mut sql = Zeroizing::new(String::with_capacity(96));
        sql.push_str("PRAGMA key = \"x'");
        for byte in self.0.iter() {
            let mut digits = [hex_digit(byte >> 4), hex_digit(byte & 15)];
            sql.extend(digits);
            digits.zeroize();
        }
        sql.push_str("'\";");
        sql
    }
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// Whether there is room for a new file: one that is there already is [`ReplicaError::InUse`].
pub(super) fn vacant(path: &Path) -> Result<(), ReplicaError> {
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Err(ReplicaError::InUse);
    }
    Ok(())
}

/// Makes a new file where there is none.
pub(super) fn create(path: &Path, key: &FileKey) -> Result<Connection, ReplicaError> {
    vacant(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = keyed(path, key, flags)?;
    settings(&conn)?;
    migrate::run(&mut conn)?;
    Ok(conn)
}

/// Opens the file. `key_known` is the fingerprint of the key that the file was last opened with: it tells
/// a wrong key from a damaged first page.
pub(super) fn open(
    path: &Path,
    key: &FileKey,
    key_known: Option<[u8; 16]>,
) -> Result<Connection, ReplicaError> {
    let file = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ReplicaError::Missing,
        _ => ReplicaError::Storage,
    })?;
    if file.len() == 0 {
        return Err(ReplicaError::EmptyFile);
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

/// Closes a file so that all of it is in the one file and on the disk, and no log belongs to it.
pub(super) fn close_whole(conn: Connection) -> Result<(), ReplicaError> {
    let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(ReplicaError::InUse);
    }
    conn.close().map_err(|(_, error)| error.into())
}

/// Opens for reading what can be read, without a look at the schema.
pub(super) fn open_damaged(path: &Path, key: &FileKey) -> Result<Connection, ReplicaError> {
    keyed(
        path,
        key,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// Opens or makes the second copy beside a replica. What it holds can be made again: it is written without
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

fn keyed(path: &Path, key: &FileKey, flags: OpenFlags) -> Result<Connection, ReplicaError> {
    let conn = Connection::open_with_flags(path, flags)?;
    // What fails is an error with a code; the library's own lines on stderr would only repeat it.
    conn.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    conn.execute_batch(&key.pragma())?;
    conn.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA locking_mode = EXCLUSIVE;")?;
    Ok(conn)
}

/// What the phone said is saved survives power loss: WAL with an fsync at every commit. Exclusive locking
/// keeps a second process out, whose local writes would collide with ours.
fn settings(conn: &Connection) -> Result<(), ReplicaError> {
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
         PRAGMA secure_delete = OFF; PRAGMA recursive_triggers = OFF;",
    )?;
    conn.pragma_update(None, "cache_size", -REPLICA_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(REPLICA_STATEMENTS_CACHED);
    // Else a statement with a bound LIMIT or range is prepared anew whenever the value is another one.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}
