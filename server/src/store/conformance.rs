//! What every backend must do. `suite!` makes a module of tests for a backend.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::{Arc, Barrier};

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::{HeldReason, Status, Verdict};

use super::*;

/// A backend under test: every `open` opens the same data.
pub(crate) trait Backend {
    fn open(&self) -> Arc<dyn Store>;
    /// Opens it with so little space that a few hundred kilobytes do not fit.
    fn open_small(&self) -> Arc<dyn Store>;
}

const STREAM: StreamId = StreamId::Unit(UnitId([1; 16]));
const OTHER: StreamId = StreamId::Unit(UnitId([2; 16]));
const CERTIFICATE: Hash = Hash([0xce; 32]);

fn raw(n: u32) -> RawEnvelope {
    RawEnvelope {
        header: n.to_be_bytes().to_vec(),
        body: vec![7; 20],
        signature: [n.to_be_bytes()[3]; 64],
    }
}

fn accepted(at_ms: i64) -> Verdict {
    Verdict {
        status: Status::Accepted,
        at_ms,
        generation: 1,
    }
}

fn record(n: u8, open: bool, created_ms: i64) -> RecordRow {
    RecordRow {
        id: RecordId([n; 16]),
        kind: 1,
        audience: 1,
        home: AreaPath::new(&[AreaId([1; 16]), AreaId([2; 16])]).unwrap(),
        created_ms,
        open,
        state: 1,
        category: Some("gas".to_owned()),
        position: Some((302_500_000, -1_201_000_000)),
        due_ms: None,
        digest: Digest::from_bytes([n; 16]),
        changed_ms: 5,
    }
}

fn begin(store: &Arc<dyn Store>) {
    store
        .write::<_, StoreError>(|tx| {
            let certificate = RawCertificate {
                facts: vec![1],
                signature: [1; 64],
            };
            tx.put_certificate(CERTIFICATE, DeviceId([9; 16]), &certificate)
        })
        .unwrap();
}

fn put(tx: &mut dyn Writer, n: u32, record: RecordId, verdict: Verdict) -> StoreResult<EnvelopeId> {
    let raw = raw(n);
    let hash = raw.hash();
    tx.put_envelope(&NewEnvelope {
        raw: &raw,
        hash,
        record,
        author: DeviceId([9; 16]),
        certificate: CERTIFICATE,
        verdict,
    })?;
    Ok(hash.envelope_id())
}

fn entry(id: EnvelopeId) -> NewEntry {
    NewEntry {
        entry: Entry::Envelope(id),
        adds: std::iter::once(id).collect(),
    }
}

pub(crate) fn positions_are_dense_and_in_commit_order(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let (threads, each) = (8_u32, 25_u32);
    let barrier = Arc::new(Barrier::new(9));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
            scope.spawn(move || {
                barrier.wait();
                for n in 0..each {
                    let number = thread * 1_000 + n;
                    let outcome = store.write::<_, StoreError>(move |tx| {
                        let id = put(tx, number, RecordId([1; 16]), accepted(1))?;
                        tx.append(STREAM, &[entry(id), entry(id)])?;
                        // Every fifth job changes its mind: it must leave no gap.
                        if number % 5 == 0 {
                            Err(StoreError::Row("undone"))
                        } else {
                            Ok(())
                        }
                    });
                    assert_eq!(outcome.is_err(), number % 5 == 0);
                }
            });
        }
        let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
        scope.spawn(move || {
            barrier.wait();
            // Whatever a reader sees is a prefix without holes, and its head is its last row.
            for _ in 0..50 {
                let (head, rows) = store
                    .read::<_, StoreError>(|tx| {
                        Ok((tx.head(STREAM)?, tx.feed(STREAM, 0, usize::MAX)?))
                    })
                    .unwrap();
                assert!(rows.iter().map(|row| row.position).eq(1..=head.position));
                assert_eq!(
                    rows.last().map(|row| row.digest).unwrap_or_default(),
                    head.digest
                );
            }
        });
    });
    let kept = u64::from(threads * each * 4 / 5 * 2);
    let head = store.read(|tx| tx.head(STREAM)).unwrap();
    assert_eq!(head.position, kept);
}

pub(crate) fn the_digest_of_each_position_is_the_sum_so_far(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let ids = store
        .write::<_, StoreError>(|tx| {
            let ids: Vec<_> = (1..=5)
                .map(|n| put(tx, n, RecordId([1; 16]), accepted(1)))
                .collect::<StoreResult<_>>()?;
            tx.append(
                STREAM,
                &ids[..3].iter().copied().map(entry).collect::<Vec<_>>(),
            )?;
            tx.append(
                STREAM,
                &ids[3..].iter().copied().map(entry).collect::<Vec<_>>(),
            )?;
            let all: Digest = ids.iter().copied().collect();
            let leaves = NewEntry {
                entry: Entry::Withdraw(RecordId([1; 16])),
                adds: Digest::EMPTY.minus(all),
            };
            tx.append(STREAM, &[leaves])?;
            Ok(ids)
        })
        .unwrap();
    store
        .read::<_, StoreError>(|tx| {
            for n in 0..=5 {
                let expected: Digest = ids[..n].iter().copied().collect();
                assert_eq!(tx.digest_at(STREAM, n as u64)?, Some(expected));
            }
            assert_eq!(tx.digest_at(STREAM, 6)?, Some(Digest::EMPTY));
            assert_eq!(tx.digest_at(STREAM, 7)?, None);
            assert_eq!(tx.head(OTHER)?, Head::default());
            let page = tx.feed(STREAM, 2, 2)?;
            assert_eq!(
                page.iter().map(|row| row.position).collect::<Vec<_>>(),
                [3, 4]
            );
            assert_eq!(page[0].entry, Entry::Envelope(ids[2]));
            Ok(())
        })
        .unwrap();
}

pub(crate) fn an_envelope_is_stored_once_and_keeps_its_first_verdict(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let held = Verdict {
        status: Status::Held(HeldReason::Clock),
        at_ms: 1,
        generation: 1,
    };
    store
        .write::<_, StoreError>(move |tx| {
            let id = put(tx, 1, RecordId([1; 16]), held)?;
            put(tx, 1, RecordId([1; 16]), accepted(2))?;
            assert_eq!(tx.verdict(id)?, Some((raw(1).hash(), held)));
            assert_eq!(tx.settled_ids(RecordId([1; 16]))?, []);
            tx.set_verdict(id, accepted(3))?;
            assert_eq!(tx.settled_ids(RecordId([1; 16]))?, [id]);
            let stored = tx.envelopes(RecordId([1; 16]))?;
            assert_eq!(stored.len(), 1);
            assert_eq!((&stored[0].raw, stored[0].verdict), (&raw(1), accepted(3)));
            assert_eq!(tx.certificates_of(RecordId([1; 16]))?, [CERTIFICATE]);
            let unknown = tx.set_verdict(EnvelopeId([0; 16]), held);
            assert!(matches!(unknown, Err(StoreError::Missing("envelope"))));
            Ok(())
        })
        .unwrap();
}

pub(crate) fn accepting_and_revoking_exclude_each_other(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let device = DeviceId([9; 16]);
    let row = move |revoked_ms| DeviceRow {
        id: device,
        public_key: [3; 32],
        member: Some(MemberId([4; 16])),
        certificate: CERTIFICATE,
        enrolled_ms: 1,
        revoked_ms,
    };
    store
        .write::<_, StoreError>(move |tx| tx.put_device(&row(None)))
        .unwrap();
    let barrier = Arc::new(Barrier::new(2));
    std::thread::scope(|scope| {
        let (other, at) = (Arc::clone(&store), Arc::clone(&barrier));
        scope.spawn(move || {
            at.wait();
            other
                .write::<_, StoreError>(move |tx| {
                    tx.put_device(&row(Some(50)))?;
                    tx.set_meta("revoked_at", &tx.head(STREAM)?.position.to_be_bytes())
                })
                .unwrap();
        });
        barrier.wait();
        for n in 0..100 {
            store
                .write::<_, StoreError>(move |tx| {
                    let revoked = tx.device(device)?.unwrap().revoked_ms.is_some();
                    let id = put(tx, n, RecordId([1; 16]), accepted(1))?;
                    if !revoked {
                        tx.append(STREAM, &[entry(id)])?;
                    }
                    Ok(())
                })
                .unwrap();
        }
    });
    store
        .read::<_, StoreError>(|tx| {
            let at = tx.meta("revoked_at")?.unwrap();
            let at = u64::from_be_bytes(at.try_into().unwrap());
            assert_eq!(
                tx.head(STREAM)?.position,
                at,
                "nothing is accepted after the revocation"
            );
            Ok(())
        })
        .unwrap();
}

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
    // No orderly end: the second store opens beside the first, as after a kill its file would be found.
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

pub(crate) fn a_first_load_gives_open_cases_first_and_misses_nothing(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    store
        .write::<_, StoreError>(|tx| {
            for n in 1..=20 {
                tx.put_record(&record(n, n % 2 == 0, i64::from(n) * 10))?;
                tx.append(
                    STREAM,
                    &[NewEntry {
                        entry: Entry::Add(RecordId([n; 16])),
                        adds: Digest::EMPTY,
                    }],
                )?;
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

    // Half-way through phase 1, a closed case that was newer than the walker turns open, an open one closes.
    let first = load(None, 5);
    assert_eq!(numbers(&first), [20, 18, 16, 14, 12]);
    store
        .write::<_, StoreError>(|tx| {
            for (n, open) in [(19, true), (2, false), (20, false)] {
                let add = NewEntry {
                    entry: Entry::Add(RecordId([n; 16])),
                    adds: Digest::EMPTY,
                };
                tx.append(STREAM, &[add])?;
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
            assert!(tx.need_certificate(STREAM, CERTIFICATE, 5)?);
            assert!(!tx.need_certificate(STREAM, CERTIFICATE, 9)?);
            assert_eq!(tx.stream_certificates(STREAM, 4, 5)?, [CERTIFICATE]);
            assert_eq!(tx.stream_certificates(STREAM, 5, 100)?, []);
            assert_eq!(tx.stream_certificates(OTHER, 0, 100)?, []);
            tx.forget_certificates(STREAM, &[CERTIFICATE])?;
            assert!(tx.need_certificate(STREAM, CERTIFICATE, 12)?);
            assert_eq!(tx.stream_certificates(STREAM, 5, 100)?, [CERTIFICATE]);
            assert!(tx.need_certificate(STREAM, Hash([0; 32]), 1).is_err());
            Ok(())
        })
        .unwrap();
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
            assert_eq!(
                tx.current_of(base, b"a")?.map(|entry| entry.position),
                Some(1)
            );
            assert_eq!(tx.current_of(base, b"c")?, None);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn people_sessions_and_reviews_are_kept(backend: &dyn Backend) {
    let store = backend.open();
    store
        .write::<_, StoreError>(|tx| {
            let session = |n: u8, expires_ms| SessionRow {
                id: [n; 16],
                device: DeviceId([n % 2; 16]),
                secret: [n; 32],
                expires_ms,
            };
            for n in 0..4 {
                tx.put_session(&session(n, i64::from(n) * 10))?;
            }
            assert_eq!(tx.sweep_sessions(10)?, 1, "only what ran out before");
            assert_eq!(tx.end_sessions(DeviceId([1; 16]))?, 2);
            assert_eq!(tx.session([2; 16])?, Some(session(2, 20)));
            let waiting = ReviewRow {
                envelope: EnvelopeId([1; 16]),
                since_ms: 5,
                decided: None,
            };
            tx.put_review(&waiting)?;
            assert_eq!(tx.reviews_open(10)?, [waiting.clone()]);
            let decided = Some((9, true, "admin".to_owned()));
            tx.put_review(&ReviewRow {
                decided: decided.clone(),
                ..waiting
            })?;
            assert_eq!(tx.reviews_open(10)?, []);
            assert_eq!(tx.review(EnvelopeId([1; 16]))?.unwrap().decided, decided);
            let cursors = CursorsRow {
                hash: Hash([1; 32]),
                cursors: vec![1, 2],
            };
            tx.put_cursors(DeviceId([0; 16]), &cursors)?;
            assert_eq!(tx.cursors(DeviceId([0; 16]))?, Some(cursors));
            tx.forget_visitors()?;
            assert_eq!(tx.cursors(DeviceId([0; 16]))?, None);
            assert_eq!(tx.session([2; 16])?, None);
            let mut due = record(1, true, 1);
            due.due_ms = Some(100);
            tx.put_record(&due)?;
            assert_eq!(tx.records_due(99, 10)?, []);
            assert_eq!(tx.records_due(100, 10)?, [due.id]);
            tx.put_pack(due.id, due.digest, b"pack")?;
            assert_eq!(tx.pack(due.id, due.digest)?, Some(b"pack".to_vec()));
            assert_eq!(
                tx.pack(due.id, Digest::EMPTY)?,
                None,
                "of another digest: outdated"
            );
            Ok(())
        })
        .unwrap();
}

/// Makes a module of tests for a backend, given an expression that makes it.
macro_rules! suite {
    ($name:ident, $backend:expr, [$($test:ident),+ $(,)?]) => {
        mod $name {
            $(
                #[test]
                fn $test() {
                    super::$test(&$backend);
                }
            )+
        }
    };
}

struct SqliteBackend(tempfile::TempDir);

impl SqliteBackend {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(&self, options: sqlite::SqliteOptions) -> Arc<dyn Store> {
        let path = self.0.path().join("onegrid.db");
        Arc::new(sqlite::SqliteStore::open(&path, options).unwrap())
    }
}

impl Backend for SqliteBackend {
    fn open(&self) -> Arc<dyn Store> {
        self.with(sqlite::SqliteOptions::default())
    }

    fn open_small(&self) -> Arc<dyn Store> {
        self.with(sqlite::SqliteOptions {
            pages_max: Some(256),
            ..Default::default()
        })
    }
}

suite!(
    sqlite_backend,
    super::SqliteBackend::new(),
    [
        positions_are_dense_and_in_commit_order,
        the_digest_of_each_position_is_the_sum_so_far,
        an_envelope_is_stored_once_and_keeps_its_first_verdict,
        accepting_and_revoking_exclude_each_other,
        what_was_acknowledged_is_there_after_reopening,
        a_job_that_panics_or_fails_leaves_nothing_and_harms_nobody,
        a_full_disk_is_said_and_keeps_what_was_there,
        a_first_load_gives_open_cases_first_and_misses_nothing,
        a_certificate_is_needed_from_its_first_position_on,
        what_a_stream_says_now_replaces_what_it_said,
        people_sessions_and_reviews_are_kept,
    ]
);

#[test]
fn a_backup_is_a_whole_store_and_a_file_of_another_kind_is_none() {
    let backend = SqliteBackend::new();
    let store = backend.open();
    store
        .write::<_, StoreError>(|tx| tx.set_meta("here", &[1]))
        .unwrap();
    let copy = backend.0.path().join("copy.db");
    store.backup(&copy).unwrap();
    let opened: Arc<dyn Store> =
        Arc::new(sqlite::SqliteStore::open(&copy, sqlite::SqliteOptions::default()).unwrap());
    assert_eq!(opened.read(|tx| tx.meta("here")).unwrap(), Some(vec![1]));
    let other = backend.0.path().join("other.db");
    std::fs::write(&other, vec![7; 8_192]).unwrap();
    let refused = sqlite::SqliteStore::open(&other, sqlite::SqliteOptions::default());
    assert!(matches!(refused.err(), Some(StoreError::Damaged(_))));
}
