//! Streams in every backend: first loads, certificates, and current entries.

use super::*;

fn added(n: u8) -> NewEntry {
    NewEntry {
        entry: Entry::Add(RecordId([n; 16])),
        adds: Digest::EMPTY,
    }
}

pub(crate) fn a_first_load_gives_open_cases_first_and_misses_nothing(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    store
        .write::<_, StoreError>(|tx| {
            for n in 1..=20 {
                tx.put_record(&record(n, n % 2 == 0, i64::from(n) * 10))?;
                tx.append(STREAM, &[added(n)])?;
                tx.hold(STREAM, RecordId([n; 16]))?;
            }
            Ok(())
        })
        .unwrap();
    let numbers = |rows: &[LoadRow]| {
        rows.iter()
            .map(|row| row.key.record.0[0])
            .collect::<Vec<_>>()
    };
    let load = |after, count| store.read(|tx| tx.load(STREAM, 20, after, count)).unwrap();
    let all = numbers(&load(None, 100));
    let expected: Vec<u8> = (1..=10)
        .rev()
        .map(|n| n * 2)
        .chain((1..=10).rev().map(|n| n * 2 - 1))
        .collect();
    assert_eq!(all, expected);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let rows = load(after, 3);
        let Some(last) = rows.last() else { break };
        after = Some(last.key);
        paged.extend(numbers(&rows));
    }
    assert_eq!(paged, expected, "pages are the one big page");

    // Halfway through phase 1, a closed case that the load has already passed opens, and an open case
    // closes.
    let first = load(None, 5);
    assert_eq!(numbers(&first), [20, 18, 16, 14, 12]);
    store
        .write::<_, StoreError>(|tx| {
            for (n, open) in [(19, true), (2, false), (20, false)] {
                tx.append(STREAM, &[added(n)])?;
                tx.put_record(&record(n, open, i64::from(n) * 10))?;
            }
            Ok(())
        })
        .unwrap();
    let rest = numbers(&load(first.last().map(|row| row.key), 100));
    for n in 1..=20 {
        assert!(
            numbers(&first).contains(&n) || rest.contains(&n),
            "record {n} is missed"
        );
    }
    store
        .write::<_, StoreError>(|tx| tx.release(STREAM, RecordId([19; 16])))
        .unwrap();
    store
        .read::<_, StoreError>(|tx| {
            assert_eq!(tx.held_since(STREAM, RecordId([19; 16]))?, None);
            assert_eq!(tx.held_since(STREAM, RecordId([18; 16]))?, Some(18));
            let twenty = tx.holding(STREAM, RecordId([20; 16]))?;
            let twenty = twenty.map(|held| (held.since, held.open, held.turned_at > 20));
            assert_eq!(twenty, Some((20, false, true)));
            assert_eq!(tx.stream_items(STREAM)?.len(), 19);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn a_certificate_is_needed_from_its_first_position_on(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    store
        .write::<_, StoreError>(|tx| {
            tx.need_certificate(STREAM, CERTIFICATE, 5)?;
            tx.need_certificate(STREAM, CERTIFICATE, 9)?;
            assert_eq!(tx.stream_certificates(STREAM, 4, 5)?, [CERTIFICATE]);
            assert_eq!(tx.stream_certificates(STREAM, 5, 100)?, []);
            assert_eq!(tx.stream_certificates(OTHER, 0, 100)?, []);
            tx.forget_certificates(STREAM, &[CERTIFICATE])?;
            tx.need_certificate(STREAM, CERTIFICATE, 12)?;
            assert_eq!(tx.stream_certificates(STREAM, 5, 100)?, [CERTIFICATE]);
            Ok(())
        })
        .unwrap();
    let unknown = store.write::<_, StoreError>(|tx| tx.need_certificate(STREAM, Hash([0; 32]), 1));
    assert!(unknown.is_err());
}

pub(crate) fn what_a_stream_says_now_replaces_what_it_said(backend: &dyn Backend) {
    let store = backend.open();
    let base = StreamId::DirectoryBase;
    store
        .write::<_, StoreError>(move |tx| {
            tx.set_current(base, b"a", 1, Some(b"old"))?;
            tx.set_current(base, b"b", 2, Some(b"stays"))?;
            tx.set_current(base, b"a", 3, Some(b"new"))?;
            tx.set_current(base, b"c", 4, Some(b"goes"))?;
            tx.set_current(base, b"c", 5, None)?;
            let now = tx.current(base, 0, 10)?;
            let texts: Vec<_> = now.iter().map(|entry| entry.data.as_slice()).collect();
            assert_eq!(
                texts,
                [&b"new"[..], b"stays"],
                "in the order of first mention"
            );
            assert_eq!(tx.current(base, 1, 10)?.len(), 1);
            let amount = |after, count_max| {
                let amount = tx.current_amount(base, after, count_max)?;
                Ok::<_, StoreError>((amount.entries, amount.bytes))
            };
            assert_eq!(amount(0, 10)?, (2, 8));
            assert_eq!((amount(1, 10)?, amount(0, 1)?), ((1, 5), (1, 3)));
            assert_eq!(tx.current_amount(STREAM, 0, 10)?.entries, 0);
            assert_eq!(
                tx.current_of(base, b"a")?.map(|entry| entry.position),
                Some(1)
            );
            assert_eq!(tx.current_of(base, b"c")?, None);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn nothing_that_an_undone_job_looked_up_or_wrote_is_remembered(backend: &dyn Backend) {
    let store = backend.open();
    let undone = store.write::<(), StoreError>(|tx| {
        let certificate = RawCertificate {
            facts: vec![1],
            signature: [1; 64],
        };
        tx.put_certificate(CERTIFICATE, DeviceId([9; 16]), &certificate)?;
        put(tx, 1, RecordId([1; 16]), accepted(1))?;
        assert_eq!(tx.append(STREAM, &[added(1), added(2)])?.position, 2);
        tx.need_certificate(STREAM, CERTIFICATE, 1)?;
        Err(StoreError::Missing("a reason to go on"))
    });
    assert!(undone.is_err());
    let unknown = store.write::<_, StoreError>(|tx| put(tx, 1, RecordId([1; 16]), accepted(1)));
    assert!(unknown.is_err(), "its certificate went with the job");
    begin(&store);
    store
        .write::<_, StoreError>(|tx| {
            assert_eq!(tx.head(STREAM)?, Head::default());
            assert_eq!(tx.append(STREAM, &[added(3)])?.position, 1);
            assert_eq!(tx.append(OTHER, &[added(4)])?.position, 1);
            assert_eq!(tx.append(STREAM, &[added(5)])?.position, 2);
            assert_eq!(tx.head(STREAM)?.position, 2);
            let unknown = StreamId::Unit(UnitId([3; 16]));
            assert_eq!(tx.heads(&[OTHER, unknown, STREAM])?, [1, 0, 2]);
            tx.need_certificate(STREAM, CERTIFICATE, 2)?;
            // A stream takes over the state of a record at the time when it begins to hold the record.
            tx.put_record(&record(1, true, 10))?;
            tx.hold(STREAM, RecordId([1; 16]))?;
            tx.put_record(&record(1, false, 10))?;
            tx.hold(OTHER, RecordId([1; 16]))?;
            Ok(())
        })
        .unwrap();
    store
        .read::<_, StoreError>(|tx| {
            assert_eq!(tx.head(STREAM)?.position, 2);
            assert_eq!(tx.feed(STREAM, 0, 9)?.len(), 2);
            assert_eq!(tx.held_since(STREAM, RecordId([1; 16]))?, Some(2));
            assert_eq!(tx.held_since(OTHER, RecordId([1; 16]))?, Some(1));
            let closed = tx.load(OTHER, 1, None, 9)?;
            assert!(closed[0].key.rest, "not among the open ones");
            Ok(())
        })
        .unwrap();
}
