//! Lost connections and crashes of the server: nothing that was acknowledged is lost, and nodes recover by themselves.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, UnitId};
use onegrid_core::wire::digest::Digest;

use super::server::{connect, until};
use super::*;
use crate::store::postgres::convert::values;
use crate::store::{Entry, NewEntry};

const STREAM: StreamId = StreamId::Unit(UnitId([1; 16]));

/// Writers on several nodes, with everything that was acknowledged.
#[derive(Default)]
struct Work {
    acknowledged: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
    is_over: AtomicBool,
}

impl Work {
    /// Appends numbers until the work is over. A number whose outcome is unknown is not tried again.
    fn write(&self, store: &Arc<dyn Store>) {
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let outcome = store.write::<_, StoreError>(move |tx| {
                let mut id = [0; 16];
                id[..8].copy_from_slice(&number.to_be_bytes());
                let before = tx.head(STREAM)?.position;
                let entry = NewEntry {
                    entry: Entry::Envelope(EnvelopeId(id)),
                    adds: Digest::from_bytes(id),
                };
                let head = tx.append(STREAM, &[entry])?;
                assert_eq!(head.position, before + 1);
                tx.set_meta("newest", &number.to_be_bytes())
            });
            match outcome {
                Ok(()) => {
                    self.acknowledged.lock().unwrap().insert(number);
                }
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Checks that positions are dense, that nothing acknowledged is lost, and that nothing is there twice.
    fn check(&self, store: &Arc<dyn Store>) {
        let (head, rows) = store
            .read::<_, StoreError>(|tx| Ok((tx.head(STREAM)?, tx.feed(STREAM, 0, usize::MAX)?)))
            .unwrap();
        assert!(rows.iter().map(|row| row.position).eq(1..=head.position));
        let mut sum = Digest::EMPTY;
        let mut found = BTreeSet::new();
        for row in &rows {
            let Entry::Envelope(id) = row.entry else {
                panic!("{row:?}")
            };
            sum = sum.plus(Digest::from_bytes(id.0));
            assert_eq!(row.digest, sum);
            let number = u64::from_be_bytes(id.0[..8].try_into().unwrap());
            assert!(found.insert(number), "{number} is there twice");
        }
        assert_eq!(head.digest, sum);
        let acknowledged = self.acknowledged.lock().unwrap();
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}

#[test]
fn killed_connections_lose_nothing_that_was_acknowledged() {
    const KILLS: usize = 60;
    let Some(database) = Database::new() else {
        return;
    };
    let nodes = [database.node(), database.node()];
    let work = Work::default();
    std::thread::scope(|scope| {
        for store in &nodes {
            for _ in 0..2 {
                scope.spawn(|| work.write(store));
            }
        }
        let admin = connect(&database.url);
        for kill in 0..KILLS {
            let enough = work.count() + kill % 4;
            until("the writers go on", || work.count() > enough);
            admin
                .all(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                    values![],
                )
                .unwrap();
        }
        work.is_over.store(true, Ordering::Relaxed);
    });
    work.check(&nodes[0]);
    work.check(&nodes[1]);
}

#[test]
fn crashed_server_keeps_what_it_acknowledged() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let database = Database::on(&server);
    let nodes = [database.node(), database.node()];
    let work = Work::default();
    std::thread::scope(|scope| {
        for store in &nodes {
            for _ in 0..2 {
                scope.spawn(|| work.write(store));
            }
        }
        for _ in 0..3 {
            let enough = work.count() + 20;
            until("the writers go on", || work.count() > enough);
            server.crash();
        }
        let enough = work.count() + 20;
        until("the writers return", || work.count() > enough);
        work.is_over.store(true, Ordering::Relaxed);
    });
    work.check(&nodes[0]);
    work.check(&nodes[1]);
}

#[test]
fn stopped_server_is_named_and_found_again() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let store = Database::on(&server).node();
    note(&store, "a", 1).unwrap();
    assert_eq!(noted(&store, "a"), Some(1));
    server.order("stop");
    let writes = note(&store, "a", 2).unwrap_err();
    let reads = store.read(|tx| tx.meta("a")).unwrap_err();
    assert_eq!(
        (writes.code(), reads.code()),
        ("store.unavailable", "store.unavailable")
    );
    server.order("start");
    until("the writer returns", || note(&store, "a", 3).is_ok());
    until("the readers return", || {
        store.read(|tx| tx.meta("a")).is_ok()
    });
    assert_eq!(noted(&store, "a"), Some(3));
}

/// A connection dies inside a transaction: its job runs again, and its first run leaves nothing.
#[test]
fn job_whose_connection_dies_runs_again() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.node();
    let admin = Mutex::new(connect(&database.url));
    let mut runs = 0_u64;
    let outcome = store.write::<_, StoreError>(move |tx| {
        runs += 1;
        tx.set_meta(&format!("run {runs}"), &[1])?;
        if runs == 1 {
            let killed = admin.lock().unwrap().all(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
                values![],
            );
            killed.unwrap();
            // The end of the connection shows at the next question.
            while tx.meta("nothing").is_ok() {}
        }
        Ok(runs)
    });
    assert_eq!(outcome.unwrap(), 2);
    let left = store.read::<_, StoreError>(|tx| Ok((tx.meta("run 1")?, tx.meta("run 2")?)));
    assert_eq!(left.unwrap(), (None, Some(vec![1])));
}

/// The error of a queued write belongs to its job alone.
#[test]
fn late_error_of_a_queued_write_undoes_its_job_alone() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.node();
    let failed = store.write::<_, StoreError>(|tx| {
        tx.set_meta("before", &[1])?;
        // A text with the byte 0 is not a text for the server.
        tx.set_meta("\0", &[1])?;
        tx.set_meta("after", &[1])
    });
    assert!(matches!(failed, Err(StoreError::Row(_))), "{failed:?}");
    note(&store, "next", 1).unwrap();
    let left = store.read::<_, StoreError>(|tx| Ok((tx.meta("before")?, tx.meta("after")?)));
    assert_eq!(left.unwrap(), (None, None));
    assert_eq!(noted(&store, "next"), Some(1));
}
