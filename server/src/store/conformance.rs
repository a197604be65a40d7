//! Requirements on every backend. `suite!` makes a module of tests for a backend.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::{Arc, Barrier};

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::form::TemplateId;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::{HeldReason, RefusedReason, Status, Verdict};

use super::*;

mod durable;
mod foreseen;
mod kept;
mod people;
mod streams;
pub(crate) use durable::*;
pub(crate) use foreseen::foreseen_rows_follow_the_writes_of_the_job;
pub(crate) use kept::*;
pub(crate) use people::*;
pub(crate) use streams::*;

/// A backend under test: every `open` opens the same data.
pub(crate) trait Backend {
    fn open(&self) -> Arc<dyn Store>;
    /// Opens the data with too little space for a few hundred kilobytes.
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

pub(crate) fn record(n: u8, open: bool, created_ms: i64) -> RecordRow {
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
        merged_into: None,
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
        adds: Digest::from_bytes(id.0),
    }
}

/// Two handles write at once, like a server and a command of an administrator.
pub(crate) fn positions_are_dense_and_in_commit_order(backend: &dyn Backend) {
    let (store, second) = (backend.open(), backend.open());
    begin(&store);
    let key = SealKey::of(b"a secret");
    store.seal_with(&key).unwrap();
    second.seal_with(&key).unwrap();
    let (threads, each) = (8_u32, 25_u32);
    let barrier = Arc::new(Barrier::new(9));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let handle = if thread % 2 == 0 { &store } else { &second };
            let (store, barrier) = (Arc::clone(handle), Arc::clone(&barrier));
            scope.spawn(move || {
                barrier.wait();
                for n in 0..each {
                    let number = thread * 1_000 + n;
                    let outcome = store.write::<_, StoreError>(move |tx| {
                        let id = put(tx, number, RecordId([1; 16]), accepted(1))?;
                        tx.append(STREAM, &[entry(id), entry(id)])?;
                        // Every fifth job fails and must leave no gap.
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
            // A reader always sees a prefix without gaps, and its head is its last row.
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
    for store in [&store, &second] {
        let head = store.read(|tx| tx.head(STREAM)).unwrap();
        assert_eq!(head.position, kept);
        // Each has carried on the sums of the other.
        let report = store.seal_report().unwrap();
        assert!(
            report.as_ref().is_none_or(SealReport::is_good),
            "{report:?}"
        );
    }
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
            let all = ids
                .iter()
                .map(|id| Digest::from_bytes(id.0))
                .sum::<Digest>();
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
                let expected = ids[..n]
                    .iter()
                    .map(|id| Digest::from_bytes(id.0))
                    .sum::<Digest>();
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
            assert_eq!(tx.verdict(id)?, Some((Some(raw(1).hash()), held)));
            assert_eq!(tx.settled_ids(RecordId([1; 16]))?, []);
            tx.set_verdict(id, accepted(3))?;
            assert_eq!(tx.settled_ids(RecordId([1; 16]))?, [id]);
            let stored = tx.envelopes(RecordId([1; 16]))?;
            assert_eq!(stored.len(), 1);
            assert_eq!((&stored[0].raw, stored[0].verdict), (&raw(1), accepted(3)));
            assert_eq!(tx.certificates_of(RecordId([1; 16]))?, [CERTIFICATE]);
            Ok(())
        })
        .unwrap();
    let unknown = store.write::<_, StoreError>(move |tx| tx.set_verdict(EnvelopeId([0; 16]), held));
    assert!(matches!(unknown, Err(StoreError::Missing("envelope"))));
}

/// The revocation comes from another handle, and there is work before and after it in any case.
pub(crate) fn accepting_and_revoking_exclude_each_other(backend: &dyn Backend) {
    const BEFORE: u64 = 20;
    const AFTER: u32 = 10;
    let (store, other) = (backend.open(), backend.open());
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
        let at = Arc::clone(&barrier);
        scope.spawn(move || {
            at.wait();
            other
                .write::<_, StoreError>(move |tx| {
                    tx.put_device(&row(Some(50)))?;
                    tx.set_meta("revoked_at", &tx.head(STREAM)?.position.to_be_bytes())
                })
                .unwrap();
        });
        let mut late = 0;
        for n in 0_u32.. {
            if u64::from(n) == BEFORE {
                barrier.wait();
            }
            let revoked = store
                .write::<_, StoreError>(move |tx| {
                    let revoked = tx.device(device)?.unwrap().revoked_ms.is_some();
                    let id = put(tx, n, RecordId([1; 16]), accepted(1))?;
                    if !revoked {
                        tx.append(STREAM, &[entry(id)])?;
                    }
                    Ok(revoked)
                })
                .unwrap();
            late += u32::from(revoked);
            if late == AFTER {
                break;
            }
        }
    });
    store
        .read::<_, StoreError>(|tx| {
            let at = tx.meta("revoked_at")?.unwrap();
            let at = u64::from_be_bytes(at.try_into().unwrap());
            assert!(at >= BEFORE, "the work before it stays");
            assert_eq!(
                tx.head(STREAM)?.position,
                at,
                "nothing is accepted after the revocation"
            );
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
            assert_eq!(tx.reviews_open(10)?, std::slice::from_ref(&waiting));
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
            let into = RecordId([2; 16]);
            due.merged_into = Some(into);
            tx.put_record(&due)?;
            assert_eq!(tx.records_due(99, 10)?, []);
            assert_eq!(tx.records_open(None, 10)?, [due.id]);
            assert_eq!(tx.records_open(Some(due.id), 10)?, []);
            assert_eq!(tx.records_due(100, 10)?, [due.id]);
            assert_eq!(tx.records_merged_into(into, 10)?, [due.id]);
            assert_eq!(tx.records_merged_into(due.id, 10)?, []);
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

/// Makes a module of tests for a backend, from an expression that creates the backend.
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

    fn copy(&self, to: &std::path::Path) {
        let path = self.0.path().join("onegrid.db");
        let store = sqlite::SqliteStore::open(&path, sqlite::SqliteOptions::default()).unwrap();
        store.backup(to).unwrap();
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
        member_keeps_its_switch_and_office_id,
        accounts_of_administrators_are_ordered_by_name,
        invitations_are_paged_and_used_ones_stay,
        the_digest_of_each_position_is_the_sum_so_far,
        an_envelope_is_stored_once_and_keeps_its_first_verdict,
        accepting_and_revoking_exclude_each_other,
        what_was_acknowledged_is_there_after_reopening,
        a_job_that_panics_or_fails_leaves_nothing_and_harms_nobody,
        a_full_disk_is_said_and_keeps_what_was_there,
        a_first_load_gives_open_cases_first_and_misses_nothing,
        a_certificate_is_needed_from_its_first_position_on,
        what_a_stream_says_now_replaces_what_it_said,
        nothing_that_an_undone_job_looked_up_or_wrote_is_remembered,
        people_sessions_and_reviews_are_kept,
        foreseen_rows_follow_the_writes_of_the_job,
        what_waits_unread_is_paged_and_counted_for_each_who_brought_it,
        versions_of_templates_are_kept_in_order,
        each_copy_waits_unread_for_itself,
        the_reading_log_keeps_the_first_of_each_day_and_forgets_old_days,
        what_a_device_wrote_adds_up_for_each_day,
        what_only_a_pack_told_of_gets_its_bytes_and_keeps_its_verdict,
        descriptions_follow_the_verdict_of_their_envelope,
        files_of_a_record_have_accepted_descriptions,
        files_and_orphans_are_paged_by_their_keys,
        uploads_are_of_one_device_and_add_up_by_day,
    ]
);
