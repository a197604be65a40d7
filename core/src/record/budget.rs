//! The budget of a record: its pack has to fit every message that carries packs.
//!
//! Only the server measures the budget. A verdict `void.limit` is data like any other, so replicas agree
//! although they never measure.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Record;
use super::graph::{ContentChange, Node, NodeBody};
use crate::crdt::{ChangeInfo, Document};
use crate::domain::case::Event;
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::{RECORD_BYTES_MAX, RECORD_SHARE_BYTES};
use crate::wire::verdict::{Status, Verdict, VoidReason};

/// Bytes that an entry of a pack costs at most, beside its own data.
const ENTRY_BYTES: usize = 256;
/// Bytes that an operation costs at most in a saved document: a key of 128 bytes and 14 columns.
const OPERATION_BYTES: usize = 256;

/// An envelope by the loss that its record has when it becomes void.
enum Kind {
    Genesis,
    /// A person warns.
    Danger,
    /// Others have acted upon it, or build on it.
    Move,
    /// A comment, or a change of the content below which no other author has written.
    Word,
}

/// How long an envelope stays in a record beyond its budget, the longest first. *Fresh* are the envelopes that
/// were accepted last. An author is *large* beyond [`RECORD_SHARE_BYTES`] of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Genesis,
    Danger,
    Move,
    Word,
    FreshWord,
    FreshMoveOfLarge,
    WordOfLarge,
    FreshWordOfLarge,
}

impl Worth {
    fn of(kind: Kind, is_large: bool, is_fresh: bool) -> Self {
        match (kind, is_large, is_fresh) {
            (Kind::Genesis, _, _) => Self::Genesis,
            (Kind::Danger, false, _) => Self::Danger,
            (Kind::Danger | Kind::Move, true, true) => Self::FreshMoveOfLarge,
            (Kind::Danger, true, false) | (Kind::Move, _, _) => Self::Move,
            (Kind::Word, false, false) => Self::Word,
            (Kind::Word, false, true) => Self::FreshWord,
            (Kind::Word, true, false) => Self::WordOfLarge,
            (Kind::Word, true, true) => Self::FreshWordOfLarge,
        }
    }
}

fn is_among(change: &ContentChange, hashes: &HashSet<Hash>) -> bool {
    let info = change.info.as_ref();
    info.is_some_and(|info| hashes.contains(&info.hash))
}

impl Record {
    /// Whether the record fits one pack, so that every reader can get it.
    #[must_use]
    pub fn fits_pack(&self) -> bool {
        self.is_light() || self.measured_pack_fits()
    }

    /// The accepted envelopes that have to become void so that the rest fits a pack: as few as possible from the
    /// end of the order of their worth, and of equal worth the envelopes of the author who has written most,
    /// the newest first. So a flood gives way to the words that it meets.
    #[must_use]
    pub fn beyond_budget(&self) -> Vec<EnvelopeId> {
        if self.fits_pack() {
            return Vec::new();
        }
        let ids = self.by_worth();
        // The pack grows with every envelope that stays. Mostly there is just one envelope too many, so the
        // search begins at the end with steps that double, and then halves the remaining range.
        let (mut fit, mut too_many) = (0, ids.len());
        let mut out = 1;
        while out < ids.len() {
            let tried = ids.len() - out;
            if self.without(&ids[tried..]).fits_pack() {
                fit = tried;
                break;
            }
            too_many = tried;
            out *= 2;
        }
        while too_many - fit > 1 {
            let tried = usize::midpoint(fit, too_many);
            if self.without(&ids[tried..]).fits_pack() {
                fit = tried;
            } else {
                too_many = tried;
            }
        }
        ids[fit..].to_vec()
    }

    /// The accepted envelopes in the order of their worth.
    fn by_worth(&self) -> Vec<EnvelopeId> {
        let newest = self.accepted().map(|(_, _, at)| at).max();
        let written = self.written_bytes();
        let shared = self.changes_below_others();
        let mut ordered: Vec<_> = self
            .accepted()
            .map(|(index, node, at)| {
                let bytes = written.get(&node.author).copied().unwrap_or_default();
                let kind = match &node.body {
                    _ if index == 0 => Kind::Genesis,
                    NodeBody::Event { event, .. } if event.is_danger() => Kind::Danger,
                    NodeBody::Event { event, .. }
                        if matches!(**event, Event::Comment(_) | Event::Attach(_)) =>
                    {
                        Kind::Word
                    }
                    NodeBody::Change(change) if !is_among(change, &shared) => Kind::Word,
                    _ => Kind::Move,
                };
                let worth = Worth::of(kind, bytes > RECORD_SHARE_BYTES, Some(at) == newest);
                ((worth, bytes, node.author, at, index), node.id)
            })
            .collect();
        ordered.sort_unstable();
        ordered.into_iter().map(|(_, id)| id).collect()
    }

    /// The accepted envelopes, each with its place and with the generation and time of its verdict.
    fn accepted(&self) -> impl Iterator<Item = (usize, &Node, (u32, i64))> {
        self.nodes().iter().enumerate().filter_map(|(index, node)| {
            let verdict = node.verdict.filter(|v| v.status.is_accepted())?;
            Some((index, node, (verdict.generation, verdict.at_ms)))
        })
    }

    /// About how many bytes of the pack each author has written. A void envelope costs its entry.
    fn written_bytes(&self) -> HashMap<DeviceId, u64> {
        let mut written = HashMap::new();
        for node in self.nodes() {
            let Some(status) = node.verdict.map(|verdict| verdict.status) else {
                continue;
            };
            let own = match &node.body {
                _ if !status.is_accepted() => 0,
                NodeBody::Event { data, .. } => data.1.len() as u64,
                NodeBody::Genesis { change, .. } | NodeBody::Change(change) => {
                    let raw = change.raw.as_ref().map_or(0, |raw| raw.len() as u64);
                    raw + change.info.as_ref().map_or(0, ChangeInfo::operations)
                }
                NodeBody::Unknown | NodeBody::Malformed => 0,
            };
            if status.is_settled() {
                *written.entry(node.author).or_default() += own + ENTRY_BYTES as u64;
            }
        }
        written
    }

    /// The changes of the content on which an accepted change of another author builds.
    fn changes_below_others(&self) -> HashSet<Hash> {
        let mut builders: HashMap<Hash, BTreeSet<DeviceId>> = HashMap::new();
        let mut shared = HashSet::new();
        let nodes: Vec<&Node> = self.accepted().map(|(_, node, _)| node).collect();
        for node in nodes.into_iter().rev() {
            let Some(info) = node.change().and_then(|change| change.info.as_ref()) else {
                continue;
            };
            let mut above = builders.remove(&info.hash).unwrap_or_default();
            if above.iter().any(|builder| *builder != node.author) {
                shared.insert(info.hash);
            }
            above.insert(node.author);
            for dep in &info.deps {
                let below = builders.entry(*dep).or_default();
                // Two of them always include another author.
                below.extend(above.iter().take(2));
            }
        }
        shared
    }

    /// The record as it would be with these envelopes void.
    fn without(&self, ids: &[EnvelopeId]) -> Self {
        let mut other = self.clone();
        let void = ids.iter().filter_map(|id| {
            let known = other.node(*id)?.verdict?;
            let status = Status::Void(VoidReason::Limit);
            let at_ms = known.at_ms.saturating_add(1);
            Some((
                *id,
                Verdict {
                    status,
                    at_ms,
                    ..known
                },
            ))
        });
        let void: Vec<_> = void.collect();
        other.set_verdicts(void);
        other
    }

    /// Whether the record is so small that its pack fits without being measured. A change that came in a pack
    /// has no bytes of its own, so such a record is measured.
    fn is_light(&self) -> bool {
        let mut bytes = 0_usize;
        for node in self.nodes() {
            let own = match &node.body {
                NodeBody::Event { data, .. } => Some(data.1.len()),
                NodeBody::Genesis { change, .. } | NodeBody::Change(change) => {
                    let operations = change.info.as_ref().map_or(0, |info| {
                        info.max_op.saturating_sub(info.start_op).saturating_add(1)
                    });
                    let operations = usize::try_from(operations).unwrap_or(usize::MAX);
                    let written_out = operations.saturating_mul(OPERATION_BYTES);
                    change
                        .raw
                        .as_ref()
                        .map(|raw| raw.len().saturating_add(written_out))
                }
                NodeBody::Unknown | NodeBody::Malformed => Some(0),
            };
            let Some(own) = own else { return false };
            bytes = bytes.saturating_add(own).saturating_add(ENTRY_BYTES);
        }
        bytes.saturating_add(self.certificate_bytes()) <= RECORD_BYTES_MAX
    }

    fn measured_pack_fits(&self) -> bool {
        let Some(pack) = self.to_pack() else {
            return true;
        };
        let document = &pack.document;
        let loads = document.is_empty() || Document::from_save(document).is_ok();
        loads
            && pack.to_bytes().is_ok_and(|bytes| {
                bytes.len().saturating_add(self.certificate_bytes()) <= RECORD_BYTES_MAX
            })
    }

    /// Bytes of the certificates that travel with a pack.
    fn certificate_bytes(&self) -> usize {
        let mut certificates: Vec<_> = self
            .nodes()
            .iter()
            .filter_map(|node| node.certificate.as_ref())
            .map(|certificate| (certificate.hash(), certificate.raw().facts.len()))
            .collect();
        certificates.sort_unstable();
        certificates.dedup();
        certificates.iter().map(|(_, bytes)| bytes + 64).sum()
    }
}
