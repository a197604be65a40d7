//! Writes packs into columns. Its mirror is [`super::pack_reader`].

use std::collections::HashMap;

use minicbor::Encode;

use super::columns::Columns;
use super::intern::{Actor, write_actor};
use super::pack::{Pack, PackContent, PackEntry, PackError, PackEvent};
use super::pack_columns::{
    ACTORS, BLOBS, CLOCKS, CODES, COLUMNS, COUNTS, DATA, DOCUMENTS, EXTRAS, FACTS, FLAGS,
    HAS_EXTRAS, HAS_FOLD, HAS_PARENTS, HAS_SEQ, HAS_STATUS, ID_HEAD, IDS, IS_CHANGE, IS_EVENT,
    IS_GENESIS, IS_STUB, LENGTHS, LISTED, Last, NEW, ON_BEHALF, PARENTS, RAW_IDS, REFERS,
    REPLACES_ENTRY, REPLACES_OTHER, SAME, SAME_TIME, SEQS, STATUSES, STUBS, TIMES, WRITERS,
};
use super::status::status_code;
use super::verdict::Status;
use crate::domain::case::OnBehalfOf;
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::{BODY_BYTES_MAX, PACK_ENTRIES_MAX, PACK_FACTS_BYTES_MAX, PARENTS_MAX};

/// The columns of packs that are being written.
pub(super) struct PackWriter {
    out: Columns<COLUMNS>,
    named: HashMap<Hash, (usize, Option<DeviceId>)>,
    blobs: HashMap<Vec<u8>, u64>,
    actors: HashMap<Actor, u64>,
    actor: Option<Actor>,
    last: Last,
}

impl PackWriter {
    /// A writer without packs. It names actors by these certificates where possible.
    pub(super) fn new(named: HashMap<Hash, (usize, Option<DeviceId>)>) -> Self {
        Self {
            out: Columns::new(),
            named,
            blobs: HashMap::new(),
            actors: HashMap::new(),
            actor: None,
            last: Last::default(),
        }
    }

    /// Appends a pack, or refuses a malformed pack without a trace.
    pub(super) fn pack(&mut self, pack: &Pack) -> Result<(), PackError> {
        let facts = &pack.genesis;
        let home = cbor(&facts.home);
        let rest = cbor(&(
            facts.kind,
            facts.audience,
            facts.team,
            facts.source,
            &facts.named,
            facts.linked,
        ));
        check(pack)?;
        if home.len().max(rest.len()) > PACK_FACTS_BYTES_MAX {
            return Err(PackError::Malformed);
        }
        self.out.len(COUNTS, pack.entries.len());
        self.blob(home);
        self.blob(rest);
        self.out.len(LENGTHS, pack.document.len());
        self.out.raw(DOCUMENTS, &pack.document);
        self.last.seqs.clear();
        let mut at = HashMap::new();
        for (index, entry) in pack.entries.iter().enumerate() {
            self.entry(index, entry, &at);
            at.insert(entry.id, index);
        }
        Ok(())
    }

    /// The columns.
    pub(super) fn finish(self, bytes: &mut Vec<u8>) {
        self.out.finish(bytes);
    }

    fn blob(&mut self, blob: Vec<u8>) {
        if let Some(index) = self.blobs.get(&blob) {
            return self.out.uint(FACTS, 1 + index);
        }
        self.out.uint(FACTS, 0);
        self.out.len(LENGTHS, blob.len());
        self.out.raw(BLOBS, &blob);
        self.blobs.insert(blob, self.blobs.len() as u64);
    }

    fn entry(&mut self, index: usize, entry: &PackEntry, at: &HashMap<EnvelopeId, usize>) {
        let mut flags = self.content(&entry.content, at);
        self.out.raw(IDS, &entry.id.0);
        if !follows(index, &entry.parents) {
            flags |= HAS_PARENTS;
            self.out.len(PARENTS, entry.parents.len());
            for parent in &entry.parents {
                self.out.uint(PARENTS, index as u64 - u64::from(*parent));
            }
        }
        self.actor((entry.author, entry.certificate, entry.grant));
        self.out
            .delta(CLOCKS, entry.clock_ms, self.last.clock_base(index));
        self.last.note_clock(index, entry.clock_ms);
        let verdict = entry.verdict;
        if verdict.status != Status::Accepted || verdict.generation != self.last.generation {
            flags |= HAS_STATUS;
            self.out.uint(STATUSES, status_code(verdict.status));
            self.out.uint(STATUSES, u64::from(verdict.generation));
            self.last.generation = verdict.generation;
        }
        if verdict.at_ms == self.last.time_ms {
            flags |= SAME_TIME;
        } else {
            self.out.delta(TIMES, verdict.at_ms, entry.clock_ms);
            self.last.time_ms = verdict.at_ms;
        }
        self.out.byte(FLAGS, flags);
    }

    fn actor(&mut self, actor: Actor) {
        if self.actor == Some(actor) {
            return self.out.uint(ACTORS, SAME);
        }
        self.actor = Some(actor);
        if let Some(index) = self.actors.get(&actor) {
            return self.out.uint(ACTORS, LISTED + index);
        }
        self.out.uint(ACTORS, NEW);
        write_actor(&mut self.out, (ACTORS, RAW_IDS), &self.named, &actor);
        self.actors.insert(actor, self.actors.len() as u64);
    }

    fn content(&mut self, content: &PackContent, at: &HashMap<EnvelopeId, usize>) -> u8 {
        match content {
            PackContent::Genesis { actor } => {
                self.out.uint(WRITERS, u64::from(*actor));
                self.last.note_seq(*actor, 1);
                IS_GENESIS
            }
            PackContent::Change {
                actor,
                seq,
                replaces,
            } => {
                self.out.uint(WRITERS, u64::from(*actor));
                let mut flags = IS_CHANGE;
                if *seq != self.last.seq(*actor) {
                    flags |= HAS_SEQ;
                    self.out.uint(SEQS, *seq);
                }
                self.last.note_seq(*actor, *seq);
                flags | self.extras(*replaces, None, &[], at)
            }
            PackContent::Event(event) => self.event(event, at),
            PackContent::Stub { body_kind, change } => {
                self.out.byte(STUBS, *body_kind);
                self.out.byte(STUBS, u8::from(change.is_some()));
                if let Some(hash) = change {
                    self.out.raw(RAW_IDS, &hash.0);
                }
                IS_STUB
            }
        }
    }

    fn event(&mut self, event: &PackEvent, at: &HashMap<EnvelopeId, usize>) -> u8 {
        let mut flags = IS_EVENT;
        self.out.uint(CODES, u64::from(event.code));
        if event.fold_version != self.last.fold_version {
            flags |= HAS_FOLD;
            self.out.byte(CODES, event.fold_version);
            self.last.fold_version = event.fold_version;
        }
        let refers = self.data(&event.data, at);
        flags | self.extras(event.replaces, event.on_behalf_of.as_ref(), &refers, at)
    }

    /// Writes the data of an event without the ids of earlier entries in it. Returns these ids as
    /// pairs of the number of data bytes before the id and the index of the entry.
    fn data(&mut self, data: &[u8], at: &HashMap<EnvelopeId, usize>) -> Vec<(usize, usize)> {
        let mut refers = Vec::new();
        let (mut from, mut place) = (0, 0);
        let mut kept = Vec::new();
        while place < data.len() {
            let id = data.get(place + 1..place + 1 + EnvelopeId::LEN);
            let id = id
                .filter(|_| data[place] == ID_HEAD)
                .and_then(EnvelopeId::from_slice);
            place += 1;
            if let Some(entry) = id.and_then(|id| at.get(&id)) {
                kept.extend_from_slice(&data[from..place]);
                refers.push((place - from, *entry));
                place += EnvelopeId::LEN;
                from = place;
            }
        }
        kept.extend_from_slice(&data[from..]);
        self.out.len(LENGTHS, kept.len());
        self.out.raw(DATA, &kept);
        refers
    }

    fn extras(
        &mut self,
        replaces: Option<EnvelopeId>,
        on_behalf_of: Option<&OnBehalfOf>,
        refers: &[(usize, usize)],
        at: &HashMap<EnvelopeId, usize>,
    ) -> u8 {
        let entry = replaces.and_then(|id| at.get(&id));
        let mut extras = match (replaces, entry) {
            (None, _) => 0,
            (Some(_), Some(_)) => REPLACES_ENTRY,
            (Some(_), None) => REPLACES_OTHER,
        };
        if on_behalf_of.is_some() {
            extras |= ON_BEHALF;
        }
        if !refers.is_empty() {
            extras |= REFERS;
        }
        if extras == 0 {
            return 0;
        }
        self.out.byte(EXTRAS, extras);
        match (replaces, entry) {
            (None, _) => {}
            (Some(_), Some(index)) => self.out.len(EXTRAS, *index),
            (Some(id), None) => self.out.raw(RAW_IDS, &id.0),
        }
        if let Some(on_behalf_of) = on_behalf_of {
            let bytes = cbor(on_behalf_of);
            self.out.len(EXTRAS, bytes.len());
            self.out.raw(EXTRAS, &bytes);
        }
        if !refers.is_empty() {
            self.out.len(EXTRAS, refers.len());
        }
        for (gap, entry) in refers {
            self.out.len(EXTRAS, *gap);
            self.out.len(EXTRAS, *entry);
        }
        HAS_EXTRAS
    }
}

/// Whether an entry has its default parents, which have no spelling.
pub(super) fn follows(index: usize, parents: &[u32]) -> bool {
    match index.checked_sub(1) {
        None => parents.is_empty(),
        Some(before) => matches!(parents, [one] if *one as usize == before),
    }
}

/// Checks the rules that hold for every pack.
pub(super) fn check(pack: &Pack) -> Result<(), PackError> {
    let count = pack.entries.len();
    let mut ids: Vec<EnvelopeId> = pack.entries.iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let entry_is_well_formed = |(index, entry): (usize, &PackEntry)| {
        let parents = &entry.parents;
        let content_is_well_formed = match &entry.content {
            PackContent::Genesis { .. } => index == 0,
            PackContent::Event(event) => index > 0 && event.data.len() <= BODY_BYTES_MAX,
            PackContent::Change { seq, .. } => index > 0 && *seq > 0,
            PackContent::Stub { .. } => true,
        };
        content_is_well_formed
            && entry.verdict.status.is_settled()
            && parents.len() <= PARENTS_MAX
            && parents.is_empty() == (index == 0)
            && parents.windows(2).all(|pair| pair[0] < pair[1])
            && parents
                .last()
                .is_none_or(|parent| (*parent as usize) < index)
    };
    let well_formed = (1..=PACK_ENTRIES_MAX).contains(&count)
        && ids.len() == count
        && pack.entries.iter().enumerate().all(entry_is_well_formed);
    if well_formed {
        Ok(())
    } else {
        Err(PackError::Malformed)
    }
}

fn cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory does not fail")
}
