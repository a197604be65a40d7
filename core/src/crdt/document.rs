//! A checked content document, and the only way for changes to get into it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use automerge::{Automerge, ChangeHash, ReadDoc};

use super::actor::ActorId;
use super::change::{self, ChangeInfo};
use super::error::GateError;
use super::history::History;
use super::{quiet, saved};
use crate::dag::{Dag, places};
use crate::id::{DeviceId, Hash};

/// A raw change and the device whose envelope brought it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The change chunk, as it arrived.
    pub raw: &'a [u8],
    /// The author of the envelope (its signature is verified elsewhere).
    pub author: DeviceId,
}

/// A change that a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownChange {
    /// Its hash.
    pub hash: Hash,
    /// Its author.
    pub actor: ActorId,
    /// Its number among the author's changes.
    pub seq: u64,
}

/// The document, if a change made one, and the result for each change.
pub(super) type Rebuilt = (Option<Arc<Document>>, Vec<Result<ChangeInfo, GateError>>);

/// The content of one record. Everything in it has passed the gate, and it is known to load again.
///
/// Costs about 20 kB of memory; keep few of them.
#[derive(Clone)]
pub struct Document {
    pub(super) doc: Automerge,
    pub(super) history: History,
}

impl std::fmt::Debug for Document {
    /// Prints no content, because content may name people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("changes", &self.history.len())
            .finish_non_exhaustive()
    }
}

impl Document {
    /// Makes a document from the first change of a record.
    ///
    /// # Errors Any [`GateError`]; [`GateError::NotGenesis`] when the change builds on another one.
    pub fn genesis(raw: &[u8], author: DeviceId) -> Result<Self, GateError> {
        let mut document = Self::empty();
        let mut results = document.admit(&[Candidate { raw, author }]);
        match results.pop() {
            Some(Ok(_)) => Ok(document),
            Some(Err(error)) => Err(error),
            None => Err(GateError::NotGenesis),
        }
    }

    /// Loads the bytes that [`Document::save`] wrote: the document of a pack, which is believed under the
    /// server's signature alone. Disks lie and servers have faults, so rows are counted before anything is
    /// loaded, and every change passes the structural checks again. The record checks that the changes are
    /// those that the pack names.
    ///
    /// # Errors Any [`GateError`].
    pub fn from_save(bytes: &[u8]) -> Result<Self, GateError> {
        let doc = saved::load(bytes)?;
        let history = history_of(&doc)?;
        Ok(Self { doc, history })
    }

    /// Rebuilds a document from the raw changes that were admitted before, in any order.
    ///
    /// Changes that do not pass are left out. The result for each change is in the order of `batch`. With
    /// [`super::Rebuilds`] all callers with the same batch share one document; a caller that adds to it
    /// copies it first.
    #[must_use]
    pub fn rebuild(batch: &[Candidate<'_>]) -> Rebuilt {
        let mut document = Self::empty();
        let results = document.admit(batch);
        let found = (document.history.len() > 0).then(|| Arc::new(document));
        (found, results)
    }

    fn empty() -> Self {
        Self {
            doc: Automerge::new(),
            history: History::default(),
        }
    }

    /// Admits changes, each on its own; the results are in the order of `batch`.
    ///
    /// A change that is here already is `Ok` and changes nothing. The batch is sorted by dependencies and
    /// applied at once. If that fails, it is applied in ever smaller parts, so that a bad change takes only
    /// its descendants along. The operations of one change at a time are in memory.
    pub fn admit(&mut self, batch: &[Candidate<'_>]) -> Vec<Result<ChangeInfo, GateError>> {
        let mut results: Vec<Option<Result<ChangeInfo, GateError>>> = vec![None; batch.len()];
        let mut fresh: HashMap<Hash, usize> = HashMap::new();
        let mut twins = Vec::new();
        let mut pending = Vec::new();
        for (index, candidate) in batch.iter().enumerate() {
            let info = match change::inspect(candidate.raw) {
                // A forgery must not be taken for the change of the author whose name it bears.
                Ok(info) if !info.actor.device().matches(&candidate.author) => {
                    results[index] = Some(Err(GateError::ForeignActor));
                    continue;
                }
                Ok(info) => info,
                Err(error) => {
                    results[index] = Some(Err(error));
                    continue;
                }
            };
            if let Some(known) = self.history.find(&info.hash) {
                results[index] = Some(Ok(known.clone()));
            } else if let Some(&first) = fresh.get(&info.hash) {
                twins.push((index, first));
            } else {
                fresh.insert(info.hash, index);
                let raw = candidate.raw;
                pending.push(Pending { index, info, raw });
            }
        }
        let pending = sorted_by_deps(pending);
        let mut outcomes = Outcomes {
            results: &mut results,
            refused: HashSet::new(),
        };
        self.settle(&pending, &mut outcomes);
        for (index, first) in twins {
            let outcome = results[first].clone();
            results[index] = outcome;
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or(Err(GateError::Rejected)))
            .collect()
    }

    /// The heads: changes that no other depends on, sorted.
    #[must_use]
    pub fn heads(&self) -> Vec<Hash> {
        self.history.heads()
    }

    /// The document in the uncompressed form that packs carry. Its bytes depend on the order of the changes'
    /// arrival; heads and content do not.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.doc.save_nocompress()
    }

    /// The changes, each after those that it depends on.
    pub fn changes(&self) -> impl Iterator<Item = KnownChange> + '_ {
        self.history.entries().iter().map(|entry| KnownChange {
            hash: entry.info.hash,
            actor: entry.info.actor,
            seq: entry.info.seq,
        })
    }

    /// The header of one change.
    #[must_use]
    pub fn change(&self, hash: &Hash) -> Option<&ChangeInfo> {
        self.history.find(hash)
    }

    /// Whether `earlier` lies in the causal past of `later` (or is it). False when one is unknown.
    #[must_use]
    pub fn covers(&self, later: &Hash, earlier: &Hash) -> bool {
        self.history.covers(later, earlier)
    }

    /// The raw changes as they were admitted, in the order of [`Document::changes`].
    #[must_use]
    pub fn raw_changes(&self) -> Vec<Vec<u8>> {
        let mut stored: HashMap<[u8; 32], Vec<u8>> = self
            .doc
            .get_changes(&[])
            .iter()
            .map(|change| (change.hash().0, change.raw_bytes().to_vec()))
            .collect();
        self.changes()
            .filter_map(|change| stored.remove(&change.hash.0))
            .collect()
    }

    /// The document as it was at `heads`. `None` when one of them is unknown.
    #[must_use]
    pub fn at(&self, heads: &[Hash]) -> Option<Self> {
        let known = heads.iter().all(|head| self.history.find(head).is_some());
        if !known || heads.is_empty() {
            return None;
        }
        let heads: Vec<ChangeHash> = heads.iter().map(|head| ChangeHash(head.0)).collect();
        let doc = self.doc.fork_at(&heads).ok()?;
        let history = history_of(&doc).ok()?;
        Some(Self { doc, history })
    }

    /// Gives every pending change its result.
    fn settle(&mut self, pending: &[Pending<'_>], outcomes: &mut Outcomes<'_>) {
        let before = self.history.len();
        let mut verdicts = Vec::with_capacity(pending.len());
        let mut batch = Vec::with_capacity(pending.len());
        let mut refused: HashSet<Hash> = HashSet::new();
        for item in pending {
            let parsed = change::parse(item.raw);
            let verdict = parsed.and_then(|change| self.history.push(&change));
            let verdict = verdict.map_err(|error| match error {
                GateError::UnknownDeps(dep)
                    if refused.contains(&dep) || outcomes.refused.contains(&dep) =>
                {
                    GateError::RefusedParent(dep)
                }
                other => other,
            });
            match &verdict {
                Ok(()) => batch.push(item.raw),
                Err(_) => drop(refused.insert(item.info.hash)),
            }
            verdicts.push(verdict);
        }
        if batch.is_empty() || self.apply(&batch).is_ok() {
            for (item, verdict) in pending.iter().zip(verdicts) {
                outcomes.set(item, verdict);
            }
            return;
        }
        self.history.truncate(before);
        match pending {
            [] => {}
            [only] => outcomes.set(only, Err(GateError::Rejected)),
            many => {
                let (first, second) = many.split_at(many.len() / 2);
                self.settle(first, outcomes);
                self.settle(second, outcomes);
            }
        }
    }

    /// Applies changes to a copy, saves it, loads that again, and only then makes it the document.
    pub(super) fn apply(&mut self, batch: &[&[u8]]) -> Result<(), GateError> {
        let scratch = &self.doc;
        let loaded = quiet::guarded(|| {
            let changes = batch
                .iter()
                .map(|raw| automerge::Change::try_from(*raw))
                .collect::<Result<Vec<_>, _>>()
                .ok()?;
            let mut scratch = scratch.clone();
            scratch.apply_changes(changes).ok()?;
            let loaded = Automerge::load(&scratch.save_nocompress()).ok()?;
            Some((loaded.get_heads(), loaded.stats().num_changes, loaded))
        });
        let Some(Some((mut heads, count, loaded))) = loaded else {
            return Err(GateError::Rejected);
        };
        heads.sort_unstable();
        let expected = self.history.heads();
        let same_heads = heads
            .iter()
            .map(|head| &head.0)
            .eq(expected.iter().map(|head| &head.0));
        if !same_heads || count != self.history.len() as u64 {
            return Err(GateError::Rejected);
        }
        self.doc = loaded;
        Ok(())
    }
}

struct Pending<'a> {
    index: usize,
    info: ChangeInfo,
    raw: &'a [u8],
}

struct Outcomes<'a> {
    results: &'a mut Vec<Option<Result<ChangeInfo, GateError>>>,
    refused: HashSet<Hash>,
}

impl Outcomes<'_> {
    fn set(&mut self, item: &Pending<'_>, verdict: Result<(), GateError>) {
        if verdict.is_err() {
            self.refused.insert(item.info.hash);
        }
        self.results[item.index] = Some(verdict.map(|()| item.info.clone()));
    }
}

/// Puts each change after the changes of the batch that it depends on.
///
/// Cycles are impossible, because a change names its dependencies by hash.
fn sorted_by_deps(parsed: Vec<Pending<'_>>) -> Vec<Pending<'_>> {
    let place_of = places(parsed.iter().map(|item| item.info.hash));
    let mut dag = Dag::with_capacity(parsed.len());
    for item in &parsed {
        let here = item.info.deps.iter().filter_map(|dep| place_of.get(dep));
        dag.push(here.copied().map(Some));
    }
    let mut slots: Vec<Option<Pending<'_>>> = parsed.into_iter().map(Some).collect();
    dag.by_wave()
        .into_iter()
        .filter_map(|at| slots[at].take())
        .collect()
}

/// The history of a loaded document. Every change in it passes the structural checks.
fn history_of(doc: &Automerge) -> Result<History, GateError> {
    let changes = quiet::guarded(|| doc.get_changes(&[])).ok_or(GateError::Rejected)?;
    let mut history = History::default();
    for change in &changes {
        let parsed = change::parse(change.raw_bytes())?;
        history.push(&parsed)?;
    }
    if history.len() == 0 {
        return Err(GateError::NotGenesis);
    }
    Ok(history)
}
