//! A newer list of server keys, and doubt about every verdict from a removed key.

use std::collections::HashSet;

use rusqlite::Connection;

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::{attestation, certificate, envelope, pending, verdict_change};
use crate::id::DeviceId;
use crate::trust::certificate::{ServerKeys, ServerPurpose};

impl Replica {
    /// Stores a list of server keys where it is newer than the stored one.
    pub(super) fn take_server_keys(&mut self, list: &ServerKeys) -> Result<(), ReplicaError> {
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        if anchors.updated(list).is_none() {
            return Ok(());
        }
        let leaked = receipt_keys(anchors.list());
        let leaked: HashSet<DeviceId> = &leaked - &receipt_keys(list);
        let tx = self.reader.conn_mut()?.transaction()?;
        certificate::put_server_keys(&tx, list)?;
        doubt(&tx, &leaked)?;
        tx.commit()?;
        self.read_identity()?;
        self.outbox_copy.follow_identity(self.reader.conn()?);
        Ok(())
    }
}

fn receipt_keys(list: &ServerKeys) -> HashSet<DeviceId> {
    let keys = list.keys.iter();
    let receipts = keys.filter(|key| key.purpose == ServerPurpose::Receipts);
    receipts.map(|key| DeviceId::of_key(&key.key)).collect()
}

/// Doubts each verdict that only a leaked key proves. It counts until the server sends another one, because
/// it gets generation 0, below every generation that a server signs. Digests then differ from the server's,
/// and the next sync repairs the forged verdicts.
fn doubt(conn: &Connection, leaked: &HashSet<DeviceId>) -> Result<(), ReplicaError> {
    let doubtful = attestation::signed_by(conn, leaked)?;
    if doubtful.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        code = "trust.key_left",
        "verdicts of a server key are doubted"
    );
    envelope::doubt(conn, &doubtful)?;
    verdict_change::doubt(conn, &doubtful)?;
    for no in doubtful {
        attestation::delete(conn, no)?;
    }
    Ok(pending::fill(conn, &[])?)
}
