//! Durability: committed data that every backend must keep, and data that a failure must not change.

use super::*;

pub(crate) fn what_was_acknowledged_is_there_after_reopening(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let id = store
        .write::<_, StoreError>(|tx| {
            let id = put(tx, 1, RecordId([1; 16]), accepted(1))?;
            tx.put_record(&record(1, true, 10))?;
            tx.append(STREAM, &[entry(id)])?;
            tx.hold(STREAM, RecordId([1; 16]))?;
            tx.set_meta("generation", &[7])?;
            Ok(id)
        })
        .unwrap();
    // The first store is not closed: the second one opens beside it and finds the file as after a kill.
    let again = backend.open();
    again
        .read::<_, StoreError>(|tx| {
            assert_eq!(tx.envelope(id)?.map(|stored| stored.raw), Some(raw(1)));
            assert_eq!(tx.record(RecordId([1; 16]))?, Some(record(1, true, 10)));
            assert_eq!(tx.record_streams(RecordId([1; 16]))?, [STREAM]);
            assert_eq!(tx.head(STREAM)?.position, 1);
            assert_eq!(tx.meta("generation")?, Some(vec![7]));
            Ok(())
        })
        .unwrap();
}

pub(crate) fn a_job_that_panics_or_fails_leaves_nothing_and_harms_nobody(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = store.write::<(), StoreError>(|tx| {
        tx.set_meta("half", &[1])?;
        panic!("a fault of ours");
    });
    std::panic::set_hook(quiet);
    assert!(panicked.is_err());
    let failed = store.write::<(), StoreError>(|tx| {
        tx.set_meta("half", &[1])?;
        tx.hold(STREAM, RecordId([77; 16]))
    });
    assert!(matches!(failed, Err(StoreError::Missing("record"))));
    let orphan = store.write::<_, StoreError>(|tx| {
        let raw = raw(3);
        tx.put_envelope(&NewEnvelope {
            raw: &raw,
            hash: raw.hash(),
            record: RecordId([1; 16]),
            author: DeviceId([9; 16]),
            certificate: Hash([0; 32]),
            verdict: accepted(1),
        })
    });
    assert!(matches!(orphan, Err(StoreError::Missing("certificate"))));
    store
        .write::<_, StoreError>(|tx| tx.set_meta("whole", &[1]))
        .unwrap();
    store
        .read::<_, StoreError>(|tx| {
            assert_eq!((tx.meta("half")?, tx.meta("whole")?), (None, Some(vec![1])));
            Ok(())
        })
        .unwrap();
}

pub(crate) fn a_full_disk_is_said_and_keeps_what_was_there(backend: &dyn Backend) {
    let store = backend.open_small();
    begin(&store);
    store
        .write::<_, StoreError>(|tx| tx.set_meta("before", &[1]))
        .unwrap();
    let big = vec![9; 2 * 1_024 * 1_024];
    let full = store.write::<_, StoreError>(move |tx| {
        tx.set_meta("beside", &[1])?;
        tx.set_meta("big", &big)
    });
    assert!(matches!(full, Err(StoreError::Full)), "{full:?}");
    store
        .write::<_, StoreError>(|tx| tx.set_meta("after", &[1]))
        .unwrap();
    store
        .read::<_, StoreError>(|tx| {
            assert_eq!((tx.meta("beside")?, tx.meta("big")?), (None, None));
            assert_eq!(
                (tx.meta("before")?, tx.meta("after")?),
                (Some(vec![1]), Some(vec![1]))
            );
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_backup_is_a_whole_store_and_a_file_of_another_kind_is_none() {
    let backend = SqliteBackend::new();
    let store = backend.open();
    store
        .write::<_, StoreError>(|tx| tx.set_meta("here", &[1]))
        .unwrap();
    let copy = backend.0.path().join("copy.db");
    backend.copy(&copy);
    let opened: Arc<dyn Store> =
        Arc::new(sqlite::SqliteStore::open(&copy, sqlite::SqliteOptions::default()).unwrap());
    assert_eq!(opened.read(|tx| tx.meta("here")).unwrap(), Some(vec![1]));
    let other = backend.0.path().join("other.db");
    std::fs::write(&other, vec![7; 8_192]).unwrap();
    let refused = sqlite::SqliteStore::open(&other, sqlite::SqliteOptions::default());
    assert!(matches!(refused.err(), Some(StoreError::Damaged(_))));
}

/// Without a snapshot, each commit of the writer begins the copy again, and it holds the last commit.
#[test]
fn backup_of_a_busy_store_is_a_snapshot() {
    const COMMITS: u32 = 500;
    let backend = SqliteBackend::new();
    let store = backend.open();
    // More than one step of the copy.
    for n in 0..20 {
        let name = format!("large {n}");
        let write = move |tx: &mut dyn Writer| tx.set_meta(&name, &vec![7; 1 << 20]);
        store.write::<_, StoreError>(write).unwrap();
    }
    let (copy, busy) = (backend.0.path().join("copy.db"), backend.open());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=COMMITS {
                let write = move |tx: &mut dyn Writer| tx.set_meta("busy", &n.to_be_bytes());
                busy.write::<_, StoreError>(write).unwrap();
            }
        });
        backend.copy(&copy);
    });
    let opened: Arc<dyn Store> =
        Arc::new(sqlite::SqliteStore::open(&copy, sqlite::SqliteOptions::default()).unwrap());
    let held = opened.read(|tx| tx.meta("busy")).unwrap();
    assert_ne!(held, Some(COMMITS.to_be_bytes().to_vec()));
}
