//! Reading the intact rows of a damaged file: each row once, whatever lies between two damaged pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::types::Value;

use super::server::Server;
use super::*;
use crate::domain::directory::{DirectoryEntry, Revocation};
use crate::id::Hash;
use crate::replica::open;
use crate::replica::salvage::{Key, Source, walk};
use crate::sync::port::StarPort;

const ROWS: usize = 1_500;
/// Rows of 200 bytes and more on a page of 4 KiB.
const PAGE_ROWS_MAX: usize = 20;

/// A file with many rows by number, or by hash.
fn filled(folder: &TempDir, key: Key) -> (PathBuf, FileKey) {
    let (path, file_key) = (folder.path().join("many.db"), FileKey::new([7; 32]));
    let mut conn = open::create(&path, &file_key).unwrap();
    let columns = match key {
        Key::Number(_) => "no INTEGER PRIMARY KEY, rest BLOB",
        _ => "hash BLOB PRIMARY KEY, rest BLOB) WITHOUT ROWID, STRICT; CREATE TABLE other (no BLOB",
    };
    conn.execute_batch(&format!("CREATE TABLE many ({columns});"))
        .unwrap();
    let tx = conn.transaction().unwrap();
    for n in 0..ROWS {
        let name = match key {
            Key::Number(_) => Value::Integer(i64::try_from(n).unwrap() * 3 + 1),
            _ => Value::Blob(Hash::of(&[&n.to_be_bytes()]).0.to_vec()),
        };
        let sql = "INSERT INTO many VALUES (?1, zeroblob(200))";
        tx.execute(sql, [name]).unwrap();
    }
    tx.commit().unwrap();
    open::close_whole(conn).unwrap();
    (path, file_key)
}

/// Returns the number of rows read, each once.
fn read(path: &Path, file_key: &FileKey, key: Key) -> usize {
    let mut seen = BTreeSet::new();
    let mut source = Source::of(path, file_key);
    let is_whole = walk(&mut source, "many", key, &mut |row| {
        let name = match row.value("no").or(row.value("hash")) {
            Some(Value::Integer(no)) => no.to_be_bytes().to_vec(),
            Some(Value::Blob(bytes)) => bytes.clone(),
            other => panic!("{other:?}"),
        };
        assert!(seen.insert(name), "read twice");
        Ok(())
    })
    .unwrap();
    assert_eq!(is_whole, seen.len() == ROWS);
    seen.len()
}

#[test]
fn rows_between_damaged_pages_are_each_read_once() {
    for key in [Key::Number("no"), Key::Hash("hash")] {
        let folder = tempfile::tempdir().unwrap();
        let (path, file_key) = filled(&folder, key);
        let whole = fs::read(&path).unwrap();
        assert_eq!(read(&path, &file_key, key), ROWS);
        let pages = whole.len() / 4_096;
        let mut narrow = 0;
        for first in (40..pages - 6).step_by(11) {
            let mut bytes = whole.clone();
            for page in [first, first + 2, first + 5] {
                bytes[page * 4_096 + 8..][..512].fill(0x5a);
            }
            fs::write(&path, bytes).unwrap();
            let lost = ROWS - read(&path, &file_key, key);
            // A damaged page that leads to others costs their rows too.
            narrow += usize::from((1..=3 * PAGE_ROWS_MAX).contains(&lost));
        }
        assert!(
            narrow > 3,
            "{key:?}: {narrow} of the damages cost their own rows alone"
        );
    }
}

#[test]
fn rescue_keeps_revocations_for_a_restored_server() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let revoked = SecretKey::from_seed(&[66; 32]).public().device();
    server.publish(&DirectoryEntry::Revocation(Revocation {
        device: revoked,
        revoked_at_ms: NOW,
    }));
    server.sync(&mut phone);
    let told = StarPort::revocations(&*phone.replica()).unwrap();
    assert_eq!(told.len(), 1);
    phone.close();
    let (rescued, _) = Replica::rescue(phone.options(), NOW).unwrap();
    assert_eq!(StarPort::revocations(&rescued).unwrap(), told);
}
