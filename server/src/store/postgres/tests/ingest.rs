//! Ingest over the backend: the waits of a bundle, and its speed beside `SQLite`.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Instant;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::fixtures::{GRID_WORKER_CHEN, VOLUNTEER_SUN, VOLUNTEER_WANG, VOLUNTEER_ZHAO};
use onegrid_core::id::RecordId;
use onegrid_core::wire::digest::Digest;

use super::*;
use crate::ingest::tests::world::{SyncPhone, TestServer};
use crate::rules::Rules;
use crate::server::Server;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Ahead, Entry, NewEntry};

fn world_over(store: Arc<dyn Store>) -> TestServer {
    TestServer::over(store, tempfile::tempdir().unwrap(), Rules::none())
}

/// Each wait costs a round trip to the database, so their number must not grow with the rows of a job.
#[test]
fn large_job_waits_as_rarely_as_a_small_one() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = Arc::new(database.store());
    let node: Arc<dyn Store> = Arc::clone(&store) as _;
    let waits = |first: u8, count: u8| {
        let before = store.round_trips();
        let ids: Vec<RecordId> = (first..first + count).map(|n| RecordId([n; 16])).collect();
        node.write::<_, StoreError>(move |tx| {
            tx.foresee(&Ahead {
                records: ids.clone(),
                streams: vec![StreamId::DirectoryBase],
                ..Ahead::default()
            })?;
            for id in &ids {
                assert_eq!(tx.record(*id)?, None);
                tx.put_record(&conformance::record(id.0[0], true, 1))?;
                let add = NewEntry {
                    entry: Entry::Add(*id),
                    adds: Digest::EMPTY,
                };
                tx.append(StreamId::DirectoryBase, &[add])?;
                tx.hold(StreamId::DirectoryBase, *id)?;
            }
            Ok(())
        })
        .unwrap();
        store.round_trips() - before
    };
    // The first one also prepares the statements and makes the stream.
    waits(1, 1);
    assert_eq!(waits(2, 1), waits(3, 40));
}

/// Delivers all bundles of all phones at the same time. Returns bundles a second.
fn rate(nodes: &[&Server], phones: &mut [SyncPhone], pushes: usize, reports: usize) -> f64 {
    let written: Vec<Vec<Vec<_>>> = phones
        .iter_mut()
        .map(|phone| {
            let bundle = |_| (0..reports).map(|_| phone.report("gas")).collect();
            (0..pushes).map(bundle).collect()
        })
        .collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (number, (phone, bundles)) in phones.iter_mut().zip(&written).enumerate() {
            let node = nodes[number % nodes.len()];
            scope.spawn(move || {
                for bundle in bundles {
                    phone.push(node, &bundle.iter().collect::<Vec<_>>());
                }
            });
        }
    });
    (phones.len() * pushes) as f64 / begun.elapsed().as_secs_f64()
}

/// Prints the whole way of bundles: session, signatures, gate, permissions, one durable transaction, answer.
#[test]
#[ignore = "a measurement: --ignored --nocapture"]
fn ingest_is_measured_beside_sqlite() {
    const PEOPLE: [onegrid_core::fixtures::Person; 4] = [
        VOLUNTEER_WANG,
        VOLUNTEER_ZHAO,
        VOLUNTEER_SUN,
        GRID_WORKER_CHEN,
    ];
    if Database::new().is_none() {
        return;
    }
    for (reports, pushes) in [(1, 120), (40, 6)] {
        for _ in 0..2 {
            for nodes in 0..=2 {
                let database = Database::new().unwrap();
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("beside.db");
                let postgres = Arc::new(database.store());
                let store: Arc<dyn Store> = if nodes == 0 {
                    Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap())
                } else {
                    Arc::clone(&postgres) as _
                };
                let world = world_over(store);
                let second = (nodes == 2).then(|| {
                    Server::open(database.node(), world.keys.clone(), Rules::none()).unwrap()
                });
                let mut phones = PEOPLE.map(|person| world.phone(person));
                let servers: Vec<&Server> =
                    std::iter::once(&*world.server).chain(&second).collect();
                let before = postgres.round_trips();
                let rate = rate(&servers, &mut phones, pushes, reports);
                let all = (phones.len() * pushes) as f64;
                let waits = (postgres.round_trips() - before) as f64 / all;
                let kind = ["SQLite", "PostgreSQL", "PostgreSQL, two nodes"][nodes];
                eprintln!("{kind}: {reports} a bundle: {rate:.0} bundles/s, {waits:.1} waits each");
            }
        }
    }
}
