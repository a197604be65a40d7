//! Copies between two databases that break at every write, meet other data, or find their source changed.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use std::cell::Cell as Counter;

use onegrid_core::fixtures::{GRID_WORKER_CHEN, VOLUNTEER_WANG};

use super::*;
use crate::ingest::tests::world::TestServer;
use crate::rules::Rules;
use crate::store::StoreError;

/// A deployment with a record, two phones and a closed copy of its database.
fn lived_in(folder: &Path) -> (TestServer, PathBuf) {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    world.phone(GRID_WORKER_CHEN);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let source = folder.join("source.db");
    world.copy_store(&source);
    (world, source)
}

/// A target whose connection breaks after some writes.
struct Breaking {
    inner: SqliteEnd,
    left: Counter<u32>,
}

impl Breaking {
    fn write(&self, work: impl FnOnce() -> StoreResult<()>) -> StoreResult<()> {
        let left = self.left.get();
        self.left
            .set(left.checked_sub(1).ok_or(StoreError::Stopped)?);
        work()
    }
}

impl CopyEnd for Breaking {
    fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        count_max: usize,
    ) -> StoreResult<Vec<Vec<Cell>>> {
        self.inner.rows(table, after, count_max)
    }

    fn put(&self, table: &Table, rows: &[Vec<Cell>]) -> StoreResult<()> {
        self.write(|| self.inner.put(table, rows))
    }

    fn clear(&self, table: &Table) -> StoreResult<()> {
        self.write(|| self.inner.clear(table))
    }
}

fn copied(source: &Path, target: &dyn CopyEnd) -> Result<u64> {
    copy(
        &SqliteEnd::open(source, None).unwrap(),
        target,
        &mut |_, _| {},
    )
}

fn open(world: &TestServer, path: &Path) -> Result<Server> {
    let store = SqliteStore::open(path, SqliteOptions::default())?;
    Server::open(
        std::sync::Arc::new(store),
        world.keys.clone(),
        Rules::none(),
    )
}

/// No server starts on a part of a deployment, and the next attempt needs no other command.
#[test]
fn copy_that_breaks_at_any_write_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (world, source) = lived_in(folder.path());
    let target = folder.path().join("target.db");
    let mut breaks = 0;
    let rows = loop {
        let inner = SqliteEnd::open(&target, None).unwrap();
        let left = Counter::new(1);
        let done = copied(&source, &Breaking { inner, left });
        match done {
            Ok(rows) => break rows,
            Err(problem) => assert_eq!(problem.code(), "store.stopped"),
        }
        breaks += 1;
        assert_eq!(
            open(&world, &target).err().unwrap().code(),
            "store.incomplete"
        );
    };
    assert!(breaks > 10 && rows > 100, "{breaks} breaks, {rows} rows");
    let (from, to) = (
        SqliteEnd::open(&source, None).unwrap(),
        SqliteEnd::open(&target, None).unwrap(),
    );
    assert_eq!(
        first_difference(&from, &to, &TABLES[..TABLES.len() - 1]).unwrap(),
        None
    );
    let moved = open(&world, &target).unwrap();
    let heads = |server: &Server| {
        server.store().read::<_, StoreError>(|tx| {
            let streams = tx.streams()?;
            let heads = streams.iter().map(|stream| tx.head(*stream));
            heads.collect::<StoreResult<Vec<_>>>()
        })
    };
    assert_eq!(heads(&moved).unwrap(), heads(&world.server).unwrap());
    assert_eq!(moved.store().read(|tx| tx.counts()).unwrap().records, 1);
}

#[test]
fn target_with_other_data_is_refused_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let (_, source) = lived_in(folder.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, target) = lived_in(elsewhere.path());
    let end = SqliteEnd::open(&target, None).unwrap();
    let before = digest(&end, &TABLES[0]).unwrap();
    assert_eq!(
        copied(&source, &end).unwrap_err().code(),
        "migrate.occupied"
    );
    assert_eq!(digest(&end, &TABLES[0]).unwrap(), before);
    // Nor is the unfinished copy of another deployment.
    let unfinished = SqliteEnd::open(&folder.path().join("unfinished.db"), None).unwrap();
    claim(&unfinished, &TABLES[TABLES.len() - 1], &[], &[7; 32]).unwrap();
    assert_eq!(
        copied(&source, &unfinished).unwrap_err().code(),
        "migrate.occupied"
    );
    assert!(open(&other, &target).is_ok());
}

/// Between two attempts the server ran on, so rows of the first one may be gone.
#[test]
fn source_that_changed_between_attempts_is_copied_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (world, source) = lived_in(folder.path());
    let target = folder.path().join("target.db");
    // The first attempt breaks before its last write, which makes the copy whole.
    let writes = {
        let inner = SqliteEnd::open(&folder.path().join("trial.db"), None).unwrap();
        let left = Counter::new(1_000);
        let trial = Breaking { inner, left };
        copied(&source, &trial).unwrap();
        1_000 - trial.left.get()
    };
    let inner = SqliteEnd::open(&target, None).unwrap();
    let left = Counter::new(writes - 1);
    assert!(copied(&source, &Breaking { inner, left }).is_err());
    let server = open(&world, &source).unwrap();
    server
        .store()
        .write::<_, StoreError>(|tx| {
            tx.sweep_written(i64::MAX)?;
            tx.forget_visitors()
        })
        .unwrap();
    drop(server);
    let end = SqliteEnd::open(&target, None).unwrap();
    copied(&source, &end).unwrap();
    let from = SqliteEnd::open(&source, None).unwrap();
    assert_eq!(
        first_difference(&from, &end, &TABLES[..TABLES.len() - 1]).unwrap(),
        None
    );
    assert_eq!(
        digest(&end, &TABLES[0]).unwrap(),
        digest(&from, &TABLES[0]).unwrap()
    );
}

/// A target that takes a row and keeps another one is found before a server runs on it.
#[test]
fn target_that_keeps_other_bytes_is_found() {
    struct Lying(SqliteEnd);
    impl CopyEnd for Lying {
        fn rows(
            &self,
            table: &Table,
            after: Option<&[Cell]>,
            count_max: usize,
        ) -> StoreResult<Vec<Vec<Cell>>> {
            self.0.rows(table, after, count_max)
        }

        fn put(&self, table: &Table, rows: &[Vec<Cell>]) -> StoreResult<()> {
            let mut rows = rows.to_vec();
            if table.name == "audit" {
                rows[0][1] = Cell::Int(0);
            }
            self.0.put(table, &rows)
        }

        fn clear(&self, table: &Table) -> StoreResult<()> {
            self.0.clear(table)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (world, source) = lived_in(folder.path());
    let target = folder.path().join("target.db");
    let lying = Lying(SqliteEnd::open(&target, None).unwrap());
    let found = copied(&source, &lying).unwrap_err();
    assert_eq!(found.code(), "migrate.differs");
    drop(lying);
    assert_eq!(
        open(&world, &target).err().unwrap().code(),
        "store.incomplete"
    );
}
