//! Upkeep while the person does not wait. Every rule names the rows to remove, and the reason why they have
//! no use.
//!
//! | row | removed when | because |
//! |---|---|---|
//! | attestation | no envelope and no changed verdict names it | it is handed over only with what names it |
//! | proof of a batch of packs | no pack of the batch is left | it is handed over only with its packs |
//! | notice | the person has seen it, and its envelope does not wait | it is never shown again |
//! | certificate, sealed certificate | never | the server sends each once, and later envelopes may name it |
//! | notification | never | it records that its cause was shown |

use super::super::error::ReplicaError;
use super::super::table::{attestation, notice, pack};
use super::Replica;
use crate::limits::PRUNE_SLICE_ROWS;

impl Replica {
    /// Does a slice of the upkeep: projections that an update of the app made stale, and rows that have no
    /// use any more; `false` when none is left. The host calls it after opening and resuming, between other
    /// work, and then [`Replica::rest`].
    pub fn upkeep_slice(&mut self) -> Result<bool, ReplicaError> {
        if self.rebuild_slice()? > 0 {
            return Ok(true);
        }
        // A partly applied answer has stored attestations that its next slice names.
        if self.answer_under_way {
            return Ok(false);
        }
        let tx = self.reader.conn_mut()?.transaction()?;
        let reached = attestation::prune(&tx, self.pruned, PRUNE_SLICE_ROWS)?;
        if reached.is_none() {
            pack::prune_proofs(&tx)?;
            notice::prune(&tx)?;
        }
        tx.commit()?;
        self.pruned = reached.unwrap_or(0);
        Ok(reached.is_some())
    }
}
