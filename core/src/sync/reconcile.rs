//! Which records differ: range-based set reconciliation over one stream, both halves.
//!
//! The element of a record is (creation time; record id ‖ digest), 32 bytes. Equal elements mean equal
//! records, and an element tells which record it is. Elements are ordered by time. Mostly the newest records
//! differ, so the differences lie together and cost few bytes.
//!
//! The result is only a hint. It says which records to compare and to ask for.

use std::collections::{BTreeSet, HashMap};

use negentropy::{Id, Negentropy, NegentropyStorageVector};

use super::port::StreamItem;
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{RECONCILE_BYTES_MAX, RECONCILE_FRAME_BYTES, RECONCILE_ROUNDS_MAX};
use crate::wire::digest::Digest;
use crate::wire::repair::SettledEnvelope;
use crate::wire::verdict::Verdict;

coded_error! {
    /// The reasons why reconciliation stops.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum ReconcileError {
        /// The message is damaged.
        #[error("sync.bad_reconciliation")]
        Malformed,
        /// The reconciliation does not end.
        #[error("sync.endless_reconciliation")]
        Endless,
    }
}

impl ReconcileError {
    /// Every error.
    pub const ALL: [Self; 2] = [Self::Malformed, Self::Endless];
}

/// A record with a digest, as one side has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The record.
    pub record: RecordId,
    /// Digest on that side.
    pub digest: Digest,
}

/// The records that the two sides do not have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Elements that only this side has.
    pub ours: BTreeSet<Element>,
    /// Elements that only the other side has.
    pub theirs: BTreeSet<Element>,
}

/// The side that asks. It keeps the set as it was at the start.
#[derive(Debug)]
pub struct Initiator {
    negentropy: Negentropy<'static, NegentropyStorageVector>,
    message: Vec<u8>,
    differences: Differences,
    rounds: u32,
}

impl Initiator {
    /// Begins with the items of one stream.
    pub fn new(items: &[StreamItem]) -> Result<Self, ReconcileError> {
        let mut negentropy = machine(items)?;
        let message = negentropy
            .initiate()
            .map_err(|_| ReconcileError::Malformed)?;
        Ok(Self {
            negentropy,
            message,
            differences: Differences::default(),
            rounds: 0,
        })
    }

    /// The message to send, again if need be.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Reads the answer. Returns `Some` when all differences are known.
    pub fn received(&mut self, answer: &[u8]) -> Result<Option<Differences>, ReconcileError> {
        self.rounds += 1;
        if self.rounds > RECONCILE_ROUNDS_MAX {
            return Err(ReconcileError::Endless);
        }
        if answer.len() > RECONCILE_BYTES_MAX {
            return Err(ReconcileError::Malformed);
        }
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let next = self
            .negentropy
            .reconcile_with_ids(answer, &mut have, &mut need)
            .map_err(|_| ReconcileError::Malformed)?;
        self.differences.ours.extend(have.iter().map(element));
        self.differences.theirs.extend(need.iter().map(element));
        match next {
            Some(message) => {
                self.message = message;
                Ok(None)
            }
            None => Ok(Some(std::mem::take(&mut self.differences))),
        }
    }
}

/// Compares two sides' lists of one record. Returns the envelopes that the second side lacks, then those that
/// the first lacks. A side with an older verdict on an envelope lacks the envelope too.
#[must_use]
pub fn compare(
    first: &[SettledEnvelope],
    second: &[SettledEnvelope],
) -> (Vec<EnvelopeId>, Vec<EnvelopeId>) {
    let lacking = |here: &[SettledEnvelope], there: &[SettledEnvelope]| {
        let there: HashMap<EnvelopeId, Verdict> =
            there.iter().map(|line| (line.id, line.verdict)).collect();
        let lacks = |line: &&SettledEnvelope| {
            let known = there.get(&line.id);
            known.is_none_or(|known| line.verdict.is_later_than(known))
        };
        here.iter().filter(lacks).map(|line| line.id).collect()
    };
    (lacking(first, second), lacking(second, first))
}

/// Answers one message from these items. The side that answers keeps no state between messages.
pub fn respond(items: &[StreamItem], message: &[u8]) -> Result<Vec<u8>, ReconcileError> {
    if message.len() > RECONCILE_BYTES_MAX {
        return Err(ReconcileError::Malformed);
    }
    machine(items)?
        .reconcile(message)
        .map_err(|_| ReconcileError::Malformed)
}

fn machine(
    items: &[StreamItem],
) -> Result<Negentropy<'static, NegentropyStorageVector>, ReconcileError> {
    let mut storage = NegentropyStorageVector::with_capacity(items.len());
    let mut fill = || {
        for item in items {
            let mut id = [0; 32];
            id[..16].copy_from_slice(&item.record.0);
            id[16..].copy_from_slice(&item.digest.to_bytes());
            // The time is a claim of the author's clock. A time before 1970 only sorts first.
            let created = u64::try_from(item.created_ms).unwrap_or(0);
            storage.insert(created, Id::from_byte_array(id))?;
        }
        storage.seal()
    };
    fill().map_err(|_| ReconcileError::Malformed)?;
    Negentropy::owned(storage, RECONCILE_FRAME_BYTES).map_err(|_| ReconcileError::Malformed)
}

fn element(id: &Id) -> Element {
    let (mut record, mut digest) = ([0; 16], [0; 16]);
    record.copy_from_slice(&id[..16]);
    digest.copy_from_slice(&id[16..]);
    Element {
        record: RecordId(record),
        digest: Digest::from_bytes(digest),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    fn items(rng: &mut ChaCha20Rng, count: u64) -> Vec<StreamItem> {
        let mut bytes = || {
            let mut bytes = [0; 16];
            rng.fill_bytes(&mut bytes);
            bytes
        };
        (0..count)
            .map(|at| StreamItem {
                created_ms: i64::try_from(at / 3).unwrap() - 5,
                record: RecordId(bytes()),
                digest: Digest::from_bytes(bytes()),
            })
            .collect()
    }

    fn set(items: &[StreamItem]) -> BTreeSet<Element> {
        items
            .iter()
            .map(|i| Element {
                record: i.record,
                digest: i.digest,
            })
            .collect()
    }

    fn run(ours: &[StreamItem], theirs: &[StreamItem]) -> (Differences, usize) {
        let mut initiator = Initiator::new(ours).unwrap();
        let mut bytes = 0;
        loop {
            assert!(initiator.message().len() <= RECONCILE_BYTES_MAX);
            let answer = respond(theirs, initiator.message()).unwrap();
            bytes += initiator.message().len() + answer.len();
            if let Some(differences) = initiator.received(&answer).unwrap() {
                return (differences, bytes);
            }
        }
    }

    #[test]
    fn exactly_what_differs_is_found_in_every_mixture() {
        for seed in 0..40 {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let count = u64::from(rng.next_u32() % 3_000);
            let all = items(&mut rng, count);
            let chance = 1 + rng.next_u32() % 400;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for item in all {
                match rng.next_u32() % (chance + 2) {
                    0 => ours.push(item),
                    1 => theirs.push(item),
                    2 => {
                        ours.push(item);
                        theirs.push(StreamItem {
                            digest: Digest::EMPTY,
                            ..item
                        });
                    }
                    _ => {
                        ours.push(item);
                        theirs.push(item);
                    }
                }
            }
            let (found, _) = run(&ours, &theirs);
            let (a, b) = (set(&ours), set(&theirs));
            assert_eq!(
                found.ours,
                a.difference(&b).copied().collect(),
                "seed {seed}"
            );
            assert_eq!(
                found.theirs,
                b.difference(&a).copied().collect(),
                "seed {seed}"
            );
        }
    }

    #[test]
    fn large_equal_sets_cost_little_and_the_newest_differences_too() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let all = items(&mut rng, 10_000);
        let (found, bytes) = run(&all, &all);
        assert_eq!(found, Differences::default());
        assert!(bytes < 500, "{bytes} B for equal sets");
        let (found, bytes) = run(&all[..9_950], &all);
        assert_eq!(found.theirs.len(), 50);
        assert!(bytes < 8_000, "{bytes} B for the 50 newest");
        let (found, _) = run(&all, &[]);
        assert_eq!(
            found.ours.len(),
            10_000,
            "in frames that each stay within their limit"
        );
    }

    #[test]
    fn damaged_messages_are_refused_or_answered_but_never_panic() {
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        let (ours, theirs) = (items(&mut rng, 300), items(&mut rng, 300));
        let first = Initiator::new(&ours).unwrap();
        let answer = respond(&theirs, first.message()).unwrap();
        for round in 0..6_000 {
            let mut damaged = if round % 2 == 0 {
                first.message().to_vec()
            } else {
                answer.clone()
            };
            for _ in 0..=rng.next_u32() % 4 {
                let at = rng.next_u32() as usize % damaged.len();
                damaged[at] = rng.next_u32().to_le_bytes()[0];
            }
            damaged.truncate(1 + rng.next_u32() as usize % damaged.len());
            if let Ok(reply) = respond(&theirs, &damaged) {
                assert!(reply.len() <= RECONCILE_BYTES_MAX);
            }
            let _ = Initiator::new(&ours).unwrap().received(&damaged);
        }
        assert_eq!(respond(&ours, &[]), Err(ReconcileError::Malformed));
        let huge = vec![0x61; RECONCILE_BYTES_MAX + 1];
        assert_eq!(respond(&ours, &huge), Err(ReconcileError::Malformed));
    }

    #[test]
    fn an_answer_that_never_ends_is_given_up() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let ours = items(&mut rng, 300);
        let mut initiator = Initiator::new(&ours).unwrap();
        // A peer says “another fingerprint” again and again: version, infinity, no id, mode 1, fingerprint.
        let mut endless = vec![0x61, 0, 0, 1];
        endless.extend([0xaa; 16]);
        let end = (0..=RECONCILE_ROUNDS_MAX).find_map(|_| initiator.received(&endless).err());
        assert_eq!(end, Some(ReconcileError::Endless));
    }
}
