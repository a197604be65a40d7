//! Tests of the backend on a real server: the conformance suite, lost connections, restarts and refusals.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod faults;
mod ingest;
mod nodes;
mod refusals;
mod server;

use std::sync::Arc;

use super::{PostgresOptions, PostgresStore};
use crate::store::conformance::{self, Backend};
use crate::store::{Store, StoreError, StoreResult, Writer};
use server::{Server, shared};

/// A database of its own on a server.
struct Database {
    url: String,
}

impl Database {
    /// A new database on the server that all tests share; `None` on a machine without `PostgreSQL`.
    fn new() -> Option<Self> {
        Some(Self::on(shared()?))
    }

    fn on(server: &Server) -> Self {
        Self {
            url: server.new_database(),
        }
    }

    fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.url, PostgresOptions::default()).unwrap()
    }

    fn node(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }
}

impl Backend for Database {
    fn open(&self) -> Arc<dyn Store> {
        self.node()
    }

    fn open_small(&self) -> Arc<dyn Store> {
        let store = self.node();
        server::limit_files(&self.url, &store);
        store
    }
}

/// Runs tests of the conformance suite, each on a database of its own.
macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        mod conforms {
            $(
                #[test]
                fn $test() {
                    if let Some(database) = super::Database::new() {
                        super::conformance::$test(&database);
                    }
                }
            )+
        }
    };
}

suite!(
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
);

/// Sets a note; the smallest durable job.
fn note(store: &Arc<dyn Store>, name: &str, value: u64) -> StoreResult<()> {
    let name = name.to_owned();
    store
        .write::<_, StoreError>(move |tx: &mut dyn Writer| tx.set_meta(&name, &value.to_be_bytes()))
}

fn noted(store: &Arc<dyn Store>, name: &str) -> Option<u64> {
    let value = store.read(|tx| tx.meta(name)).unwrap()?;
    Some(u64::from_be_bytes(value.try_into().unwrap()))
}
