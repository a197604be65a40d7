//! Anchors of the audit log. Once a day the directory carries the number and the hash of its last line. Phones keep
//! the signed entry, so a log that is cut or written anew contradicts what they hold.

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::Hash;
use onegrid_core::wire::signed_entry::SignedEntry;

use crate::directory::{self, AUDIT_ANCHOR};
use crate::error::{Problem, Result};
use crate::shared::Shared;
use crate::store::{Reader, StoreResult};

/// A line of the audit log that phones were told: its number, its hash, and the server time of the anchor, ms
/// UTC.
type Anchor = (u64, Hash, i64);

const DAY_MS: i64 = 24 * 3_600_000;

/// Publishes the last line, if a day has passed and the log has grown. Returns whether it did. To be called at
/// regular intervals.
pub(crate) fn keep(shared: &Shared, now_ms: i64) -> Result<bool> {
    let is_due = move |tx: &dyn Reader| -> StoreResult<Option<Anchor>> {
        let Some(last) = tx.audit_last()? else {
            return Ok(None);
        };
        let known = newest(tx)?;
        let is_due = known.is_none_or(|(no, _, at_ms)| {
            no < last.no && !(at_ms..at_ms.saturating_add(DAY_MS)).contains(&now_ms)
        });
        Ok(is_due.then_some((last.no, last.hash, now_ms)))
    };
    if shared.store.read(is_due)?.is_none() {
        return Ok(false);
    }
    let keys = std::sync::Arc::clone(&shared.keys);
    let published = shared.store.write::<_, Problem>(move |tx| {
        let Some(anchor) = is_due(tx)? else {
            return Ok(false);
        };
        let payload = minicbor::to_vec(anchor).expect("writing CBOR to memory does not fail");
        let entry = DirectoryEntry::Unknown {
            code: AUDIT_ANCHOR,
            payload,
        };
        directory::publish(tx, &keys, &[entry])?;
        Ok(true)
    })?;
    if published {
        let base = std::iter::once(StreamId::DirectoryBase);
        shared.wakeups.notify(&base.collect());
    }
    Ok(published)
}

/// Returns the number of the line that contradicts the newest anchor; `None` if the log has the very line.
pub(crate) fn contradiction(tx: &dyn Reader) -> StoreResult<Option<u64>> {
    let Some((no, hash, _)) = newest(tx)? else {
        return Ok(None);
    };
    let line = tx.audit(no.saturating_sub(1), 1)?;
    let is_there = line
        .first()
        .is_some_and(|line| line.no == no && line.hash == hash);
    Ok((!is_there).then_some(no))
}

fn newest(tx: &dyn Reader) -> StoreResult<Option<Anchor>> {
    let entry = DirectoryEntry::Unknown {
        code: AUDIT_ANCHOR,
        payload: Vec::new(),
    };
    let Some(known) = directory::current_like(tx, &entry)? else {
        return Ok(None);
    };
    let signed = SignedEntry::from_bytes(&known.data).ok();
    let entry = signed.and_then(|signed| minicbor::decode(&signed.entry).ok());
    Ok(match entry {
        Some(DirectoryEntry::Unknown { payload, .. }) => minicbor::decode(&payload).ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{NOW, VOLUNTEER_WANG};

    use super::*;
    use crate::ingest::tests::world::TestServer;

    #[test]
    fn anchor_is_published_once_a_day_and_finds_a_cut() {
        let world = TestServer::new();
        let shared = &world.server.shared;
        let contradiction = || shared.store.read(contradiction).unwrap();
        assert_eq!(contradiction(), None);
        assert!(keep(shared, NOW).unwrap());
        assert!(!keep(shared, NOW + DAY_MS).unwrap(), "nothing new");
        world.phone(VOLUNTEER_WANG);
        assert!(!keep(shared, NOW + DAY_MS - 1).unwrap(), "not yet");
        assert!(keep(shared, NOW + DAY_MS).unwrap());
        assert_eq!(contradiction(), None);
        let entries = shared
            .store
            .read(|tx| tx.current(StreamId::DirectoryBase, 0, 1_000));
        let anchors = entries.unwrap().into_iter().filter(|entry| {
            let signed = SignedEntry::from_bytes(&entry.data).unwrap();
            let entry: DirectoryEntry = minicbor::decode(&signed.entry).unwrap();
            entry.code() == AUDIT_ANCHOR
        });
        assert_eq!(anchors.count(), 1, "a fresh phone gets the newest alone");
        let last = shared.store.read(|tx| tx.audit_last()).unwrap().unwrap();
        world.spoil(
            "DELETE FROM audit WHERE no = (SELECT max(no) FROM audit) OR no = ?",
            &[],
        );
        assert_eq!(contradiction(), Some(last.no));
    }
}
