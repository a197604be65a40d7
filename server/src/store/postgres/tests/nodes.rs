//! Several nodes over one database: starts, snapshots, hints and copies.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{RecordId, UnitId};
use onegrid_core::wire::digest::Digest;
use tokio::sync::broadcast::error::TryRecvError;

use super::server::{connect, until};
use super::*;
use crate::store::postgres::convert::{Columns as _, values};
use crate::store::{Cell, CopyEnd as _, Entry, Hint, NewEntry, TABLES, Table};

const STREAM: StreamId = StreamId::Unit(UnitId([1; 16]));

fn append(store: &Arc<dyn Store>) {
    let entry = NewEntry {
        entry: Entry::Add(RecordId([1; 16])),
        adds: Digest::EMPTY,
    };
    let written = store.write::<_, StoreError>(move |tx| {
        tx.append(STREAM, std::slice::from_ref(&entry)).map(drop)
    });
    written.unwrap();
}

#[test]
fn nodes_that_start_together_make_one_schema() {
    let Some(database) = Database::new() else {
        return;
    };
    std::thread::scope(|scope| {
        for number in 0..4 {
            let database = &database;
            scope.spawn(move || note(&database.node(), &format!("node {number}"), number).unwrap());
        }
    });
    let store = database.node();
    for number in 0..4 {
        assert_eq!(noted(&store, &format!("node {number}")), Some(number));
    }
}

/// A table or column that one backend has alone would be missing from every copy.
#[test]
fn tables_and_keys_are_those_of_every_backend() {
    let Some(database) = Database::new() else {
        return;
    };
    drop(database.store());
    let admin = connect(&database.url);
    let texts = |sql: &str, table: &str| -> Vec<String> {
        let rows = admin.all(sql, values![table]).unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    };
    let all = texts(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname::text <> $1
           AND relnamespace = 'public'::regnamespace ORDER BY relname::text",
        "schema_version",
    );
    let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    known.sort_unstable();
    assert_eq!(all, known);
    for table in TABLES {
        let columns = texts(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass
               AND attnum > 0 ORDER BY attnum",
            table.name,
        );
        assert_eq!(columns, table.columns, "{}", table.name);
        let key = texts(
            "SELECT a.attname::text FROM pg_index i
             CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE i.indrelid = $1::text::regclass AND i.indisprimary ORDER BY k.place",
            table.name,
        );
        assert_eq!(key, table.key, "{}", table.name);
    }
}

#[test]
fn hint_of_another_node_names_its_streams() {
    let Some(database) = Database::new() else {
        return;
    };
    let (one, other) = (database.node(), database.node());
    let mut hints = one.hints().unwrap();
    // The first one says that the node listens now.
    let mut next = || {
        let mut found = None;
        until("a hint arrives", || match hints.try_recv() {
            Ok(hint) => {
                found = Some(hint);
                true
            }
            Err(error) => {
                assert_eq!(error, TryRecvError::Empty);
                false
            }
        });
        found.unwrap()
    };
    assert_eq!(next(), Hint::Any);
    append(&one);
    note(&other, "no stream grows", 1).unwrap();
    append(&other);
    assert_eq!(next(), Hint::Streams(vec![STREAM]));
    connect(&database.url)
        .all(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            values![],
        )
        .unwrap();
    assert_eq!(next(), Hint::Any, "hints may have been lost meanwhile");
    append(&other);
    assert_eq!(next(), Hint::Streams(vec![STREAM]));
}

#[test]
fn reader_of_another_node_sees_whole_transactions_in_order() {
    const WRITES: u64 = 60;
    let Some(database) = Database::new() else {
        return;
    };
    let (store, reader) = (database.node(), database.node());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=WRITES {
                let written = store.write::<_, StoreError>(move |tx| {
                    tx.set_meta("first", &number.to_be_bytes())?;
                    let entry = NewEntry {
                        entry: Entry::Add(RecordId([1; 16])),
                        adds: Digest::EMPTY,
                    };
                    tx.append(STREAM, &[entry])?;
                    tx.set_meta("last", &number.to_be_bytes())
                });
                written.unwrap();
            }
        });
        let mut before = 0;
        while before < WRITES {
            let seen = reader.read::<_, StoreError>(|tx| {
                let first = tx.meta("first")?;
                let rows = tx.feed(STREAM, 0, usize::MAX)?;
                let heads = tx.heads(&[StreamId::DirectoryBase, STREAM])?;
                Ok((first, rows, heads, tx.meta("last")?))
            });
            let (first, rows, heads, last) = seen.unwrap();
            assert_eq!(first, last, "one snapshot for all questions");
            let count = first.map_or(0, |first| u64::from_be_bytes(first.try_into().unwrap()));
            assert!(rows.iter().map(|row| row.position).eq(1..=count));
            assert_eq!(heads, [0, count]);
            assert!(count >= before, "a later snapshot shows as much");
            before = count;
        }
    });
}

fn notes() -> &'static Table {
    TABLES.iter().find(|table| table.name == "meta").unwrap()
}

#[test]
fn copied_rows_are_in_bytewise_order_and_replace_each_other() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.store();
    let row = |name: &str, value: u8| vec![Cell::Text(name.to_owned()), Cell::Bytes(vec![value])];
    let names = ["Z", "a", "ä", "中"];
    let rows: Vec<_> = names.iter().rev().map(|name| row(name, 1)).collect();
    store.put(notes(), &rows).unwrap();
    store.put(notes(), &[row("a", 2)]).unwrap();
    let snapshot = store.snapshot().unwrap();
    store.put(notes(), &[row("late", 1)]).unwrap();
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|row: &Vec<Cell>| notes().key_of(row));
        let slice = snapshot.rows(notes(), after.as_deref(), 3).unwrap();
        if slice.is_empty() {
            break;
        }
        found.extend(slice);
    }
    let expected: Vec<_> = names
        .iter()
        .map(|name| row(name, if *name == "a" { 2 } else { 1 }))
        .collect();
    assert_eq!(found, expected);
    let refused = snapshot.put(notes(), &rows);
    assert!(matches!(refused, Err(StoreError::ReadOnly)));
    store.clear(notes()).unwrap();
    assert!(store.rows(notes(), None, 9).unwrap().is_empty());
}
