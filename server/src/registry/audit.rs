//! The audit log: a chain of hashes that reveals every changed, removed or inserted line.

use onegrid_core::id::Hash;

use crate::store::{AuditRow, Reader, StoreResult, Writer};

/// Writes a line in the same transaction as the change that it describes. Subjects are ids, never names.
pub fn note(
    tx: &mut dyn Writer,
    now_ms: i64,
    actor: &str,
    action: &str,
    subject: &str,
) -> StoreResult<()> {
    let last = tx.audit_last()?;
    let (no, before) = last.map_or((0, Hash([0; 32])), |row| (row.no, row.hash));
    let mut row = AuditRow {
        no: no + 1,
        at_ms: now_ms,
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        hash: before,
    };
    row.hash = link(before, &row);
    tx.put_audit(&row)
}

/// Checks the whole chain. Returns the number of its lines, or the number of the first line that does not
/// fit.
pub fn verify(tx: &dyn Reader) -> StoreResult<Result<u64, u64>> {
    let (mut no, mut before) = (0, Hash([0; 32]));
    loop {
        let rows = tx.audit(no, ROWS_A_STEP)?;
        if rows.is_empty() {
            return Ok(Ok(no));
        }
        for row in rows {
            no += 1;
            if row.no != no || row.hash != link(before, &row) {
                return Ok(Err(no));
            }
            before = row.hash;
        }
    }
}

const ROWS_A_STEP: usize = 1_000;

fn link(before: Hash, row: &AuditRow) -> Hash {
    let fields = (row.no, row.at_ms, &row.actor, &row.action, &row.subject);
    let line = minicbor::to_vec(fields).expect("writing CBOR to memory does not fail");
    Hash::of(&[b"onegrid.audit", before.as_bytes(), &line])
}
