//! Changes of the database file by other hands: `verify` finds each of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::Path;
use std::sync::Arc;

use onegrid_core::fixtures::{
    GRID_WORKER_CHEN, HANDLER_SHEN, NOW, VOLUNTEER_WANG, VOLUNTEER_ZHAO, comment,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::ingest::tests::world::TestServer;
use crate::keys::Keys;
use crate::rules::Rules;
use crate::store::SealKey;
use crate::store::sqlite::{SqliteOptions, SqliteStore, is_as_sealed};

/// A deployment with cases, readers with packs, a revoked phone, and an open invitation.
fn lived_in() -> TestServer {
    let rules = "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\n\
         severity = \"serious\"\ndispatch_kind = \"utility\"\naccept_minutes = 30\nescalate = true\n";
    let world = TestServer::with(Rules::parse(rules, "test").unwrap());
    let mut reporter = world.phone(VOLUNTEER_WANG);
    for n in 0..4 {
        let genesis = reporter.report(&format!("case {n}"));
        let word = reporter.act(genesis.record(), &[genesis.id()], &comment("word"));
        reporter.push(&world.server, &[&genesis, &word]);
    }
    for reader in [GRID_WORKER_CHEN, HANDLER_SHEN] {
        world.phone(reader).pull(&world.server, 1 << 20);
    }
    let lost = world.phone(VOLUNTEER_ZHAO);
    let device = lost.certificate.facts().device;
    world.server.revoke(device, "admin", NOW).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let member = VOLUNTEER_WANG.member();
    world
        .server
        .invite(member, 3_600_000, "admin", NOW, &mut rng)
        .unwrap();
    // Packs are stored without waiting, so a write that waits comes after them.
    world.server.try_write(NOW).unwrap();
    world
}

fn open(database: &Path, keys: &Keys) -> Result<Server> {
    let store = SqliteStore::open(database, SqliteOptions::default())?;
    Server::open(Arc::new(store), keys.clone(), Rules::none())
}

/// The findings, each with its code and sentence.
pub(crate) fn found(server: &Server) -> Result<Vec<String>> {
    let report = verify(server, &mut |_, _| {})?;
    let said = |phrase: &Phrase| {
        let sentence = phrase.sentence(onegrid_core::texts::Lang::En);
        format!("{}: {sentence}", phrase.code())
    };
    Ok(report.wrong.iter().map(said).collect())
}

/// Each change, and the table whose rows are no longer those that were sealed.
const EDITS: &[(&str, &str, &str)] = &[
    (
        "deleted member",
        "DELETE FROM members WHERE id = (SELECT min(id) FROM members)",
        "members",
    ),
    (
        "changed grants",
        "UPDATE members SET grants = x'80'",
        "members",
    ),
    (
        "cleared revocation",
        "UPDATE devices SET revoked_ms = NULL",
        "devices",
    ),
    (
        "cut audit log",
        "DELETE FROM audit WHERE no = (SELECT max(no) FROM audit)",
        "audit",
    ),
    ("deleted audit log", "DELETE FROM audit", "audit"),
    (
        "deleted stream entries",
        "DELETE FROM stream_entries WHERE position = 1",
        "stream_entries",
    ),
    (
        "changed state",
        "UPDATE records SET state = 12, open = 0",
        "records",
    ),
    (
        "cleared deadline",
        "UPDATE records SET due_ms = NULL",
        "records",
    ),
    (
        "byte in feed",
        "UPDATE feed SET data = zeroblob(length(data)) WHERE data NOT NULL AND position = 1",
        "feed",
    ),
    (
        "byte in packs",
        "UPDATE packs SET pack = substr(pack, 2)",
        "packs",
    ),
    (
        "prolonged invitation",
        "UPDATE invitations SET expires_ms = expires_ms + 1",
        "invitations",
    ),
    (
        "lower generation",
        "UPDATE meta SET value = x'00' WHERE name = 'generation'",
        "meta",
    ),
    (
        "foreign session",
        "INSERT INTO sessions SELECT x'01020304050607080910111213141516', id, zeroblob(32), 9e15
         FROM devices LIMIT 1",
        "sessions",
    ),
];

#[test]
fn each_foreign_change_is_found() {
    let world = lived_in();
    assert_eq!(found(&world.server).unwrap(), [""; 0]);
    let folder = tempfile::tempdir().unwrap();
    for (name, sql, table) in EDITS {
        let copy = folder.path().join(format!("{name}.db"));
        world.copy_store(&copy);
        let file = Connection::open(&copy).unwrap();
        assert!(file.execute(sql, []).unwrap() > 0, "{name}");
        drop(file);
        let server = match open(&copy, &world.keys) {
            Ok(server) => server,
            Err(_) if *name == "lower generation" => continue,
            Err(problem) => panic!("{name}: {problem:?}"),
        };
        let finding = format!("table {table} ");
        // A later write of the server does not make the change valid.
        for _ in 0..2 {
            let said = found(&server).unwrap_or_else(|problem| vec![format!("{problem:?}")]);
            assert!(
                said.iter()
                    .any(|said| said.contains(&finding) || said.contains("store.")),
                "{name}: {said:?}"
            );
            server.try_write(NOW + 1).unwrap();
        }
    }
}

/// Only the key makes a seal: another key does not, a missing seal does not come back, and the next write of the
/// server makes none either.
#[test]
fn forged_and_lost_seals_are_found() {
    let world = lived_in();
    let folder = tempfile::tempdir().unwrap();
    let forged = SealKey::of(b"another key").close(b"sums").unwrap();
    for (name, sql, values) in [
        ("forged", "UPDATE seal SET sealed = ?", vec![forged]),
        ("lost", "DELETE FROM seal", Vec::new()),
        ("dropped", "DROP TABLE seal", Vec::new()),
    ] {
        let copy = folder.path().join(name);
        world.copy_store(&copy);
        let file = Connection::open(&copy).unwrap();
        file.execute("UPDATE members SET grants = x'80'", [])
            .unwrap();
        file.execute(sql, rusqlite::params_from_iter(values))
            .unwrap();
        drop(file);
        assert!(
            !is_as_sealed(&copy, &world.keys.seal_key()).unwrap(),
            "{name}"
        );
        let Ok(server) = open(&copy, &world.keys) else {
            assert_eq!(name, "dropped");
            continue;
        };
        for _ in 0..2 {
            let said = found(&server).unwrap();
            assert!(
                said.iter().any(|said| said.starts_with("verify.seal")),
                "{name}: {said:?}"
            );
            server.try_write(NOW + 1).unwrap();
        }
    }
}

/// Rows that it changed look like changes of another program.
#[test]
fn sealed_store_takes_no_write_without_its_key() {
    let world = lived_in();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("onegrid.db");
    world.copy_store(&copy);
    let keyless = SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
    let keyless: Arc<dyn crate::store::Store> = Arc::new(keyless);
    let written = keyless.write::<_, StoreError>(|tx| tx.set_meta("policy", &[9; 8]));
    assert!(written.is_err());
    drop(keyless);
    let server = open(&copy, &world.keys).unwrap();
    assert_eq!(found(&server).unwrap(), [""; 0]);
}

/// A package was upgraded, and a command of it came before the restart of the server.
#[test]
fn server_writes_nothing_into_a_newer_store() {
    let world = lived_in();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("onegrid.db");
    world.copy_store(&copy);
    let server = open(&copy, &world.keys).unwrap();
    server.try_write(NOW + 1).unwrap();
    let file = Connection::open(&copy).unwrap();
    file.pragma_update(None, "user_version", 9_999).unwrap();
    assert_eq!(server.try_write(NOW + 2).unwrap_err().code(), "store.newer");
}

/// A trigger in the file would make the server change the rows and seal them itself.
#[test]
fn trigger_of_another_program_does_not_run() {
    let world = lived_in();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("onegrid.db");
    world.copy_store(&copy);
    let file = Connection::open(&copy).unwrap();
    file.execute_batch(
        "CREATE TRIGGER planted AFTER UPDATE ON meta BEGIN UPDATE members SET grants = x'80'; END",
    )
    .unwrap();
    let server = open(&copy, &world.keys).unwrap();
    server.try_write(NOW + 1).unwrap();
    server.try_write(NOW + 2).unwrap();
    let said = found(&server).unwrap();
    assert!(
        said.iter()
            .any(|said| said.contains("table sqlite_schema ")),
        "{said:?}"
    );
    file.execute_batch("DROP TRIGGER planted").unwrap();
    let changed: i64 = file
        .query_row(
            "SELECT count(*) FROM members WHERE grants = x'80'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(changed, 0);
    server.try_write(NOW + 3).unwrap();
}

/// Derived data is compared with its source. So a fault of this program is found too, although its writes are
/// sealed.
#[test]
fn derived_rows_are_compared_with_their_source() {
    let world = lived_in();
    let device = GRID_WORKER_CHEN.device();
    world
        .server
        .store()
        .write::<_, StoreError>(move |tx| {
            let row = tx.records(None, 1)?.remove(0);
            tx.put_record(&RecordRow {
                open: !row.open,
                ..row
            })?;
            let row = tx.device(device)?.ok_or(StoreError::Missing("device"))?;
            tx.put_device(&crate::store::DeviceRow {
                revoked_ms: Some(NOW),
                ..row
            })
        })
        .unwrap();
    let said = found(&world.server).unwrap();
    for code in ["verify.row:", "verify.revocation:"] {
        assert!(said.iter().any(|said| said.starts_with(code)), "{said:?}");
    }
    assert!(
        said.iter().all(|said| !said.starts_with("verify.rows")),
        "{said:?}"
    );
}

/// An undone job, and one job after another in one transaction, leave the sums right.
#[test]
fn sums_follow_undone_jobs() {
    let world = lived_in();
    let undone = world.server.store().write::<(), Problem>(|tx| {
        tx.set_meta("noted", &[1])?;
        Err(Problem::new("http.busy"))
    });
    assert_eq!(undone.unwrap_err().code(), "http.busy");
    for value in [1, 2, 2] {
        world
            .server
            .store()
            .write::<_, StoreError>(move |tx| tx.set_meta("noted", &[value]))
            .unwrap();
    }
    assert_eq!(found(&world.server).unwrap(), [""; 0]);
    // Another process writes in between.
    let other = world.reopened();
    other.try_write(NOW + 5).unwrap();
    world.server.try_write(NOW + 6).unwrap();
    assert_eq!(found(&world.server).unwrap(), [""; 0]);
}

/// Bits that `make test` turns. `BIT_FLIPS` sets another number.
const FLIPS: u64 = 200;

/// The rows of each table.
pub(crate) type Contents = Vec<(String, Vec<Vec<Value>>)>;

/// All rows of all tables, and whether the file is whole.
pub(crate) fn contents(database: &Path) -> rusqlite::Result<(Contents, String)> {
    let db = Connection::open(database)?;
    let mut names =
        db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut tables = Vec::new();
    for name in names {
        let mut rows = db.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = rows.column_count();
        let rows = rows
            .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())?
            .collect::<rusqlite::Result<Vec<Vec<Value>>>>()?;
        tables.push((name, rows));
    }
    let whole = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok((tables, whole))
}

/// A failing disk turns bits. Each one is found, or changes no row and no index.
#[allow(clippy::print_stdout, reason = "a long run tells its figures")]
#[test]
fn each_flipped_bit_is_found_or_harmless() {
    let world = lived_in();
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.db");
    world.copy_store(&sound);
    let bytes = std::fs::read(&sound).unwrap();
    let before = contents(&sound).unwrap();
    let (mut harmless, mut noticed) = (0, 0);
    let flips = std::env::var("BIT_FLIPS").map_or(FLIPS, |text| text.parse().unwrap());
    for seed in 0..flips {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let bit = rng.next_u64() % (bytes.len() as u64 * 8);
        let (at, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        let mut flipped = bytes.clone();
        flipped[at] ^= mask;
        let inner = folder.path().join(format!("flip-{seed}"));
        std::fs::create_dir(&inner).unwrap();
        let copy = inner.join("onegrid.db");
        std::fs::write(&copy, flipped).unwrap();
        let after = contents(&copy);
        let is_harmless = after.is_ok_and(|after| after == before);
        let is_found = match open(&copy, &world.keys).and_then(|server| found(&server)) {
            Ok(said) => !said.is_empty(),
            Err(_) => true,
        };
        assert!(
            is_found || is_harmless,
            "seed {seed}: byte {at}, mask {mask:#x}"
        );
        harmless += usize::from(!is_found);
        noticed += usize::from(is_found);
        std::fs::remove_dir_all(&inner).unwrap();
    }
    println!("{flips} bits turned, {noticed} noticed, {harmless} harmless");
    assert!(noticed > 20);
}
