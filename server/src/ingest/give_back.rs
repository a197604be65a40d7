//! What phones give back to a server that has lost it: revocations first, then verdicts that it signed.

use std::collections::HashMap;
use std::sync::Arc;

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::id::Hash;
use onegrid_core::wire::message::GiveBack;
use onegrid_core::wire::signed_entry::SignedEntry;
use onegrid_core::wire::verdict::{Status, Verdict};

use crate::error::{Problem, Result};
use crate::registry::{audit, directory};
use crate::server::Server;
use crate::store::DeviceRow;

impl Server {
    /// What the store still holds and a verdict that was signed later has let in: decided again as it was.
    pub(crate) fn release_given_back(
        &self,
        attested: &HashMap<Hash, Verdict>,
        now_ms: i64,
    ) -> Result<()> {
        let mut held = self.store.read::<_, Problem>(|tx| {
            let mut held = Vec::new();
            for (hash, verdict) in attested {
                let id = hash.envelope_id();
                let known = tx.verdict(id)?;
                if let Some((_, known)) =
                    known.filter(|(known, _)| known.is_none_or(|known| known == *hash))
                    && matches!(known.status, Status::Held(_))
                    && verdict.is_later_than(&known)
                {
                    held.push((verdict.at_ms, id, *verdict));
                }
            }
            Ok(held)
        })?;
        held.sort_unstable_by_key(|(at_ms, id, _)| (*at_ms, *id));
        for (_, id, verdict) in held {
            match self.decide_as_given(id, verdict, now_ms) {
                Ok(()) => {}
                // What waited for another one was let in with it.
                Err(problem) if problem.code() == "review.not_waiting" => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// Takes back what verifies under the keys of this deployment; what does not is left out. Gives the
    /// verdicts that envelopes of the same request re-enter with.
    pub(crate) fn take_back(
        &self,
        given: &GiveBack,
        now_ms: i64,
    ) -> Result<HashMap<Hash, Verdict>> {
        let anchors = self.keys.anchors();
        let mut revocations = Vec::new();
        for bytes in &given.directory {
            let entry = SignedEntry::from_bytes(bytes).and_then(|signed| signed.verify(anchors));
            if let Ok(DirectoryEntry::Revocation(revocation)) = entry {
                revocations.push(revocation);
            }
        }
        if !revocations.is_empty() {
            let keys = Arc::clone(&self.keys);
            self.store.write::<_, Problem>(move |tx| {
                for revocation in revocations {
                    if let Some(row) = tx.device(revocation.device)?
                        && row.revoked_ms.is_none()
                    {
                        let revoked_ms = Some(revocation.revoked_at_ms);
                        tx.put_device(&DeviceRow { revoked_ms, ..row })?;
                        tx.end_sessions(revocation.device)?;
                    }
                    let entry = DirectoryEntry::Revocation(revocation);
                    if directory::publish(tx, &keys, &[entry])? > 0 {
                        let device = revocation.device.to_string();
                        audit::note(
                            tx,
                            now_ms,
                            "server",
                            "device.revocation_given_back",
                            &device,
                        )?;
                    }
                }
                Ok(())
            })?;
        }
        let mut verdicts: HashMap<Hash, Verdict> = HashMap::new();
        for attestation in &given.attestations {
            if attestation.verify(anchors).is_err() {
                continue;
            }
            for line in &attestation.envelopes {
                if !line.verdict.status.is_settled() {
                    continue;
                }
                verdicts
                    .entry(line.hash)
                    .and_modify(|known| {
                        if line.verdict.is_later_than(known) {
                            *known = line.verdict;
                        }
                    })
                    .or_insert(line.verdict);
            }
        }
        Ok(verdicts)
    }
}
