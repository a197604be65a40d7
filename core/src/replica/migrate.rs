//! Numbered migrations. `PRAGMA user_version` holds the number that the file has reached.

use rusqlite::Connection;

use super::error::ReplicaError;

/// They are in order. A released one never changes, and new ones are added at the end.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_envelopes.sql"),
    include_str!("migrations/0002_streams.sql"),
    include_str!("migrations/0003_projections.sql"),
    include_str!("migrations/0004_packs.sql"),
    include_str!("migrations/0005_content_shown.sql"),
    include_str!("migrations/0006_sealed.sql"),
    include_str!("migrations/0007_stray.sql"),
    include_str!("migrations/0008_attestation_once.sql"),
    include_str!("migrations/0009_lists.sql"),
    include_str!("migrations/0010_directory.sql"),
    include_str!("migrations/0011_pending.sql"),
    include_str!("migrations/0012_notifications.sql"),
    include_str!("migrations/0013_own_work.sql"),
    include_str!("migrations/0014_outbox.sql"),
    include_str!("migrations/0015_sharing.sql"),
    include_str!("migrations/0016_own_void.sql"),
    include_str!("migrations/0017_unnamed.sql"),
    include_str!("migrations/0018_templates.sql"),
    include_str!("migrations/0019_forms.sql"),
    include_str!("migrations/0020_forgotten.sql"),
    include_str!("migrations/0021_form_order.sql"),
    include_str!("migrations/0022_attachments.sql"),
    include_str!("migrations/0023_parcels.sql"),
    include_str!("migrations/0024_staged_seen.sql"),
    include_str!("migrations/0025_attachment_part.sql"),
    include_str!("migrations/0026_parcel_rest.sql"),
];

/// Whether this code knows the file's schema.
pub(super) fn check(conn: &Connection) -> Result<usize, ReplicaError> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(ReplicaError::NewerSchema),
    }
}

/// Brings the file to the newest schema, one transaction for each step.
pub(super) fn run(conn: &mut Connection) -> Result<(), ReplicaError> {
    let reached = check(conn)?;
    for (done, sql) in MIGRATIONS.iter().enumerate().skip(reached) {
        let tx = conn.transaction()?;
        tx.execute_batch(sql)?;
        let version = i64::try_from(done + 1).map_err(|_| ReplicaError::Inconsistent)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(())
}
