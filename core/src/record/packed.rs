//! Opens and makes the pack that replaces a record's past.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Record;
use super::admit::event_body;
use super::graph::{ContentChange, Node, NodeBody, OwnJudgement};
use super::past::{LoadError, StoredRecord};
use crate::crdt::{ActorId, Candidate, ChangeInfo, Document, KnownChange};
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, Hash};
use crate::trust::certificate::Certificate;
use crate::wire::pack::{Pack, PackContent, PackEntry, PackEvent};

impl Record {
    /// Imports the entries and the document of a pack into an empty record.
    pub(super) fn open_pack(
        &mut self,
        pack: &Pack,
        certificates: &HashMap<Hash, Arc<Certificate>>,
    ) -> Result<(), LoadError> {
        if pack.record() != Some(self.id) {
            return Err(LoadError::BadPack);
        }
        let document = if pack.document.is_empty() {
            None
        } else {
            Some(Document::from_save(&pack.document)?)
        };
        let changes = ChangeTable::of(document.as_ref());
        let mut taken = 0;
        for entry in &pack.entries {
            let node = packed_node(pack, entry, &changes, certificates)?;
            taken += usize::from(node.change().is_some_and(|change| change.info.is_some()));
            let index = self.graph.push(node);
            if let PackContent::Stub {
                change: Some(hash), ..
            } = &entry.content
            {
                self.graph.note_change(*hash, index);
            }
        }
        // Each change in the document must belong to exactly one counted envelope.
        let counted: HashSet<Hash> = self
            .graph
            .nodes()
            .iter()
            .filter(|node| node.counts())
            .filter_map(|node| node.change()?.info.as_ref().map(|info| info.hash))
            .collect();
        if counted.len() != changes.len() || taken < changes.len() {
            return Err(LoadError::BadPack);
        }
        self.document = document.map(Arc::new);
        Ok(())
    }

    /// Imports the entries of a pack that are not known here. Each becomes part of the graph, with its change
    /// out of the pack's document. Returns whether anything was new.
    ///
    /// A record that came back from several phones may have several pasts that only meet here.
    pub fn absorb(
        &mut self,
        pack: &Pack,
        certificates: &HashMap<Hash, Arc<Certificate>>,
    ) -> Result<bool, LoadError> {
        let past = StoredRecord {
            packs: vec![pack.clone()],
            certificates: certificates.clone(),
            ..StoredRecord::default()
        };
        // The pack alone has to be consistent before any part of it is believed.
        let mut alone = Self::load(self.id, past)?;
        if self.graph.nodes().is_empty() {
            *self = alone;
            return Ok(true);
        }
        alone.keep_raw_changes();
        let mut places = Vec::with_capacity(alone.graph.nodes().len());
        let mut fresh = false;
        for node in alone.graph.nodes() {
            if let Some(known) = self.graph.find(node.id) {
                places.push(known);
                if self.graph.nodes()[known].is_stub() && !node.is_stub() {
                    self.graph.fill(known, node.clone());
                    fresh = true;
                } else if let Some(verdict) = node.verdict {
                    fresh |= self.graph.set_verdict(known, verdict);
                }
                continue;
            }
            let parents = node.parents.iter().map(|parent| places[*parent]).collect();
            let node = Node {
                parents,
                ..node.clone()
            };
            places.push(self.graph.push(node));
            fresh = true;
        }
        for entry in &pack.entries {
            if let PackContent::Stub {
                change: Some(hash), ..
            } = &entry.content
                && let Some(index) = self.graph.find(entry.id)
            {
                self.graph.note_change(*hash, index);
            }
        }
        if fresh {
            self.rejudge();
        }
        Ok(fresh)
    }

    /// The pack of the settled part; `None` when the Genesis has no settled verdict.
    #[must_use]
    pub fn to_pack(&self) -> Option<Pack> {
        let genesis = self.graph.nodes().first()?;
        let facts = self.genesis()?;
        let mut place = HashMap::new();
        let mut entries: Vec<PackEntry> = Vec::new();
        let actors = self.sorted_actors();
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let Some(verdict) = node.verdict.filter(|verdict| verdict.status.is_settled()) else {
                continue;
            };
            let parents: Option<Vec<u32>> = node
                .parents
                .iter()
                .map(|parent| place.get(parent).copied())
                .collect();
            let mut parents = parents?;
            parents.sort_unstable();
            place.insert(index, u32::try_from(entries.len()).ok()?);
            entries.push(PackEntry {
                id: node.id,
                parents,
                author: node.author,
                certificate: node.certificate_hash,
                grant: node.grant,
                clock_ms: node.clock_ms,
                verdict,
                content: pack_content(node, &actors),
            });
        }
        if !place.contains_key(&0) || genesis.verdict.is_none() {
            return None;
        }
        // The document of a pack holds accepted changes only.
        let document = self.settled_document();
        Some(Pack {
            genesis: facts.clone(),
            document,
            entries,
        })
    }

    fn settled_document(&self) -> Vec<u8> {
        let Some(document) = &self.document else {
            return Vec::new();
        };
        let provisional = self
            .graph
            .nodes()
            .iter()
            .any(|node| node.change().is_some() && node.counts() && node.verdict.is_none());
        if !provisional {
            return document.save();
        }
        let raw: HashMap<Hash, Vec<u8>> = document
            .changes()
            .map(|change| change.hash)
            .zip(document.raw_changes())
            .collect();
        let accepted: Vec<_> = self
            .graph
            .nodes()
            .iter()
            .filter(|node| node.counts() && node.verdict.is_some())
            .filter_map(|node| {
                let hash = node.change()?.info.as_ref()?.hash;
                Some(Candidate {
                    raw: raw.get(&hash)?,
                    author: node.author,
                })
            })
            .collect();
        let (document, _) = Document::rebuild(&accepted);
        document.map_or_else(Vec::new, |document| document.save())
    }

    fn sorted_actors(&self) -> Vec<ActorId> {
        sorted_actors(
            self.graph
                .nodes()
                .iter()
                .filter(|node| node.counts() && node.verdict.is_some())
                .filter_map(|node| Some(node.change()?.info.as_ref()?.actor)),
        )
    }
}

fn sorted_actors(actors: impl Iterator<Item = ActorId>) -> Vec<ActorId> {
    let mut actors: Vec<ActorId> = actors.collect();
    actors.sort_unstable();
    actors.dedup();
    actors
}

/// The changes of a pack's document, by actor and number.
struct ChangeTable {
    actors: Vec<ActorId>,
    by_number: HashMap<(ActorId, u64), ChangeInfo>,
}

impl ChangeTable {
    fn of(document: Option<&Document>) -> Self {
        let known: Vec<KnownChange> = document
            .iter()
            .flat_map(|document| document.changes())
            .collect();
        let by_number = known
            .iter()
            .filter_map(|change| {
                let info = document?.change(&change.hash)?.clone();
                Some(((change.actor, change.seq), info))
            })
            .collect();
        Self {
            actors: sorted_actors(known.iter().map(|change| change.actor)),
            by_number,
        }
    }

    fn len(&self) -> usize {
        self.by_number.len()
    }

    /// The change of this number, if its actor is the author's.
    fn find(&self, actor: u32, seq: u64, author: DeviceId) -> Result<ContentChange, LoadError> {
        let actor = self.actors.get(actor as usize).ok_or(LoadError::BadPack)?;
        if !actor.device().matches(&author) {
            return Err(LoadError::BadPack);
        }
        let info = self
            .by_number
            .get(&(*actor, seq))
            .ok_or(LoadError::BadPack)?;
        Ok(ContentChange {
            raw: None,
            info: Some(info.clone()),
            broken: None,
        })
    }
}

fn packed_node(
    pack: &Pack,
    entry: &PackEntry,
    changes: &ChangeTable,
    certificates: &HashMap<Hash, Arc<Certificate>>,
) -> Result<Node, LoadError> {
    let mut replaces = None;
    let body = match &entry.content {
        PackContent::Genesis { actor } => NodeBody::Genesis {
            facts: Box::new(pack.genesis.clone()),
            change: changes.find(*actor, 1, entry.author)?,
        },
        PackContent::Change {
            actor,
            seq,
            replaces: again,
        } => {
            replaces = *again;
            NodeBody::Change(changes.find(*actor, *seq, entry.author)?)
        }
        PackContent::Event(event) => {
            replaces = event.replaces;
            event_body(
                event.code,
                event.fold_version,
                event.data.clone(),
                event.on_behalf_of.clone(),
            )
        }
        PackContent::Stub { .. } if entry.parents.is_empty() => NodeBody::Genesis {
            facts: Box::new(pack.genesis.clone()),
            change: ContentChange {
                raw: None,
                info: None,
                broken: None,
            },
        },
        PackContent::Stub { .. } => NodeBody::Unknown,
    };
    let stub = matches!(entry.content, PackContent::Stub { .. });
    if stub == entry.verdict.status.is_accepted() {
        return Err(LoadError::BadPack);
    }
    Ok(Node {
        id: entry.id,
        hash: None,
        parents: entry
            .parents
            .iter()
            .map(|parent| *parent as usize)
            .collect(),
        depth: 0,
        author: entry.author,
        certificate_hash: entry.certificate,
        certificate: certificates.get(&entry.certificate).cloned(),
        grant: entry.grant,
        directory_seen: DirectoryMark::default(),
        clock_ms: entry.clock_ms,
        body,
        replaces,
        verdict: Some(entry.verdict),
        judged: OwnJudgement::Valid,
        waits: false,
        packed: true,
    })
}

fn pack_content(node: &Node, actors: &[ActorId]) -> PackContent {
    let accepted = node
        .verdict
        .is_some_and(|verdict| verdict.status.is_accepted());
    let info = node.change().and_then(|change| change.info.as_ref());
    let actor = info.and_then(|info| {
        actors
            .iter()
            .position(|actor| *actor == info.actor)
            .and_then(|at| u32::try_from(at).ok())
    });
    let (kind, content) = match &node.body {
        NodeBody::Genesis { .. } => (1, actor.map(|actor| PackContent::Genesis { actor })),
        NodeBody::Change(_) => (
            2,
            actor.zip(info).map(|(actor, info)| PackContent::Change {
                actor,
                seq: info.seq,
                replaces: node.replaces,
            }),
        ),
        NodeBody::Event {
            on_behalf_of,
            fold_version,
            data,
            ..
        } => (
            3,
            Some(PackContent::Event(PackEvent {
                code: data.0,
                fold_version: *fold_version,
                data: data.1.clone(),
                on_behalf_of: on_behalf_of.clone(),
                replaces: node.replaces,
            })),
        ),
        NodeBody::Malformed => (3, None),
        NodeBody::Unknown => (4, None),
    };
    content.filter(|_| accepted).unwrap_or(PackContent::Stub {
        body_kind: kind,
        change: info.filter(|_| kind == 2).map(|info| info.hash),
    })
}
