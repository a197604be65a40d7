//! Anchors of the audit log. Once a day the directory carries the number and the hash of its last line. Phones keep
//! the signed entry, so a log that is cut or written anew contradicts what they hold.
//!
//! **Invariant:** the server publishes no anchor over a log that contradicts the newest one,
//! because that would make the forgery valid.

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::Hash;
use onegrid_core::wire::signed_entry::SignedEntry;

use crate::directory::{self, AUDIT_ANCHOR};
use crate::error::{Problem, Result};
use crate::shared::Shared;
use crate::store::{Entry, Reader, StoreResult};

/// A line of the audit log that phones were told: its number, its hash, and the server time of the anchor, ms
/// UTC.
type Anchor = (u64, Hash, i64);

const DAY_MS: i64 = 24 * 3_600_000;

/// Publishes the last line, if a day has passed and the log has grown. Returns whether it did. To be called at
/// regular intervals.
pub(crate) fn keep(shared: &Shared, now_ms: i64) -> Result<bool> {
    let is_due = move |tx: &dyn Reader| -> StoreResult<Option<Anchor>> {
        if contradiction(tx)?.is_some() {
            return Ok(None);
        }
        let Some(last) = tx.audit_last()? else {
            return Ok(None);
        };
        let known = newest(tx)?;
        let is_due = known.is_none_or(|(no, _, at_ms)| {
            no < last.no && !(at_ms..at_ms.saturating_add(DAY_MS)).contains(&now_ms)
        });
        Ok(is_due.then_some((last.no, last.hash, now_ms)))
    };
    let line = shared.store.read(contradiction)?;
    shared.audit_alarm.set(line, now_ms);
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
    match newest(tx)? {
        Some(anchor) if !fits(tx, &anchor)? => Ok(Some(anchor.0)),
        _ => Ok(None),
    }
}

/// Returns the numbers of all lines that contradict an anchor, also an earlier one, in the order of
/// the anchors.
pub(crate) fn contradictions(tx: &dyn Reader) -> StoreResult<Vec<u64>> {
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let page = tx.feed(StreamId::DirectoryBase, after, ENTRIES_A_STEP)?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for row in &page {
            if let Entry::Directory(data) = &row.entry
                && let Some(anchor) = anchor_of(data)
                && !fits(tx, &anchor)?
            {
                found.push(anchor.0);
            }
        }
    }
    // The current entry lies in another table than the stream.
    found.extend(contradiction(tx)?.filter(|line| !found.contains(line)));
    Ok(found)
}

const ENTRIES_A_STEP: usize = 500;

fn fits(tx: &dyn Reader, (no, hash, _): &Anchor) -> StoreResult<bool> {
    let line = tx.audit(no.saturating_sub(1), 1)?;
    let line = line.first();
    Ok(line.is_some_and(|line| line.no == *no && line.hash == *hash))
}

fn newest(tx: &dyn Reader) -> StoreResult<Option<Anchor>> {
    let entry = DirectoryEntry::Unknown {
        code: AUDIT_ANCHOR,
        payload: Vec::new(),
    };
    let Some(known) = directory::current_like(tx, &entry)? else {
        return Ok(None);
    };
    Ok(anchor_of(&known.data))
}

fn anchor_of(data: &[u8]) -> Option<Anchor> {
    let signed = SignedEntry::from_bytes(data).ok()?;
    match minicbor::decode(&signed.entry).ok()? {
        DirectoryEntry::Unknown { code, payload } if code == AUDIT_ANCHOR => {
            minicbor::decode(&payload).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{GRID_WORKER_CHEN, NOW, VOLUNTEER_WANG, VOLUNTEER_ZHAO};

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
        assert_eq!(shared.audit_alarm.line(), None);

        // A log that is longer again stays wrong, and nobody overwrites the proof.
        world.member(VOLUNTEER_ZHAO, vec![]);
        world.member(GRID_WORKER_CHEN, vec![]);
        assert!(!keep(shared, NOW + 2 * DAY_MS).unwrap(), "no new anchor");
        assert_eq!(contradiction(), Some(last.no));
        assert_eq!(shared.audit_alarm.line(), Some(last.no));
    }

    /// The newest anchor fits a log whose earlier lines were written anew.
    #[test]
    fn every_anchor_is_compared_with_the_log() {
        let world = TestServer::new();
        let shared = &world.server.shared;
        assert!(keep(shared, NOW).unwrap());
        let first = shared.store.read(|tx| tx.audit_last()).unwrap().unwrap();
        world.phone(VOLUNTEER_WANG);
        assert!(keep(shared, NOW + DAY_MS).unwrap());
        let all = || shared.store.read(contradictions).unwrap();
        assert_eq!(all(), Vec::<u64>::new());
        let changed = format!("UPDATE audit SET hash = ? WHERE no = {}", first.no);
        world.spoil(&changed, &[7; 32]);
        assert_eq!(shared.store.read(contradiction).unwrap(), None);
        assert_eq!(all(), [first.no]);
    }
}
