//! Packs that phones give back to a server that has lost records: taken in as they are, since it signed them
//! itself. What only they list has no bytes and no signature of its own any more; the pack is its base.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::{Certificate, RawCertificate};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::message::GiveBack;
use onegrid_core::wire::pack::{Pack, PackProof};
use onegrid_core::wire::verdict::Verdict;

use super::plan::{Plan, void_clashing};
use super::policy::Ground;
use crate::error::{Problem, Result};
use crate::limits::INGEST_ROUNDS_MAX;
use crate::server::Server;
use crate::store::{BasePack, PackedEnvelope, Reader, StoreError, StoreResult};

/// A pack on its way into the store.
pub(super) struct Base {
    pub(super) pack: BasePack,
    /// Bases that list nothing that it does not.
    pub(super) in_place_of: Vec<Hash>,
    /// What it lists and the store does not know.
    pub(super) envelopes: Vec<PackedEnvelope>,
}

/// A pack whose signature holds, opened.
struct Opened<'a> {
    bytes: &'a [u8],
    proof: &'a PackProof,
    pack: Pack,
}

/// What a pack would bring.
struct News {
    envelopes: Vec<PackedEnvelope>,
    changed: Vec<(EnvelopeId, Verdict)>,
    in_place_of: Vec<Hash>,
    certificates: HashMap<Hash, Arc<Certificate>>,
}

impl Server {
    /// Takes in packs that verify under the keys of this deployment; others are left out. Gives the digest
    /// of each pack by its record: what the giver has.
    pub(crate) fn take_packs(
        &self,
        given: &GiveBack,
        certificates: &[RawCertificate],
        now_ms: i64,
    ) -> Result<HashMap<RecordId, Digest>> {
        let mut waiting: BTreeMap<RecordId, Vec<Opened<'_>>> = BTreeMap::new();
        let mut has = HashMap::new();
        for batch in &given.packs {
            if let Err(error) = batch.verify(self.keys.anchors()) {
                tracing::warn!(code = error.code(), "packs given back were left out");
                continue;
            }
            for bytes in &batch.packs {
                let Ok(pack) = Pack::from_bytes(bytes) else {
                    tracing::warn!(code = "record.bad_pack", "a pack given back was left out");
                    continue;
                };
                if let Some(record) = pack.record() {
                    has.insert(record, pack.digest());
                    waiting.entry(record).or_default().push(Opened {
                        bytes,
                        proof: &batch.proof,
                        pack,
                    });
                }
            }
        }
        // What is held here was let in before: nothing can stand on a Genesis that waits.
        let entries = waiting
            .values()
            .flatten()
            .flat_map(|opened| &opened.pack.entries);
        self.release(entries.map(|entry| (entry.id, None, entry.verdict)), now_ms)?;
        let certificates: HashMap<Hash, Arc<Certificate>> = certificates
            .iter()
            .filter_map(|raw| Certificate::verify(raw.clone(), self.keys.anchors()).ok())
            .map(|certificate| (certificate.hash(), Arc::new(certificate)))
            .collect();
        while !waiting.is_empty() {
            // One of each record: the next stands on what this one brought.
            let round: Vec<(RecordId, Opened<'_>)> = waiting
                .iter_mut()
                .filter_map(|(record, packs)| Some((*record, packs.pop()?)))
                .collect();
            waiting.retain(|_, packs| !packs.is_empty());
            self.take_round(&round, &certificates, now_ms)?;
        }
        Ok(has)
    }

    fn take_round(
        &self,
        round: &[(RecordId, Opened<'_>)],
        certificates: &HashMap<Hash, Arc<Certificate>>,
        now_ms: i64,
    ) -> Result<()> {
        for _ in 0..INGEST_ROUNDS_MAX {
            let ids: BTreeSet<RecordId> = round.iter().map(|(record, _)| *record).collect();
            let locked = self.records.lock(ids);
            let ground = self.store.read(|tx| self.bare_ground(tx))?;
            let mut plans = Vec::new();
            for (record, opened) in round {
                plans.extend(self.plan_base(*record, opened, certificates, &ground, now_ms)?);
            }
            if let Some(committed) = self.commit(plans, &ground, now_ms)? {
                drop(locked);
                self.wakeups.notify(&committed.touched);
                return Ok(());
            }
        }
        Err(Problem::new("http.busy"))
    }

    fn plan_base(
        &self,
        id: RecordId,
        opened: &Opened<'_>,
        given: &HashMap<Hash, Arc<Certificate>>,
        ground: &Ground,
        now_ms: i64,
    ) -> Result<Option<Plan>> {
        let news = self
            .store
            .read::<_, StoreError>(|tx| self.news(tx, id, &opened.pack, given))?;
        if news.envelopes.is_empty() && news.changed.is_empty() {
            return Ok(None);
        }
        let (mut record, before) = self.open_record(id)?;
        if let Err(error) = record.absorb(&opened.pack, &news.certificates) {
            tracing::warn!(code = error.code(), record = %id, "a pack given back was left out");
            return Ok(None);
        }
        let generation = ground.mark.generation;
        let changed = void_clashing(&mut record, news.changed, now_ms, generation);
        let view = self.project(&record, ground, now_ms);
        if view.is_none() {
            return Ok(None);
        }
        Ok(Some(Plan {
            changed,
            view,
            base: Some(Base {
                pack: BasePack {
                    hash: Hash::of(&[opened.bytes]),
                    pack: opened.bytes.to_vec(),
                    proof: opened.proof.clone(),
                },
                in_place_of: news.in_place_of,
                envelopes: news.envelopes,
            }),
            ..Plan::of(record, before)
        }))
    }

    fn news(
        &self,
        tx: &dyn Reader,
        record: RecordId,
        pack: &Pack,
        given: &HashMap<Hash, Arc<Certificate>>,
    ) -> StoreResult<News> {
        let mut news = News {
            envelopes: Vec::new(),
            changed: Vec::new(),
            in_place_of: Vec::new(),
            certificates: HashMap::new(),
        };
        for entry in &pack.entries {
            match tx.verdict(entry.id)? {
                None => news.envelopes.push(PackedEnvelope {
                    id: entry.id,
                    record,
                    author: entry.author,
                    certificate: entry.certificate,
                    verdict: entry.verdict,
                }),
                Some((_, known)) if entry.verdict.is_later_than(&known) => {
                    news.changed.push((entry.id, entry.verdict));
                }
                Some(_) => {}
            }
            let known = given.get(&entry.certificate).cloned();
            let known = match known {
                Some(known) => Some(known),
                None => self.certificates.get(tx, entry.certificate)?,
            };
            news.certificates
                .extend(known.map(|known| (entry.certificate, known)));
        }
        let ids: HashSet<EnvelopeId> = pack.entries.iter().map(|entry| entry.id).collect();
        for base in tx.base_packs(record)? {
            let older = Pack::from_bytes(&base.pack).map_err(|_| StoreError::Row("a base pack"))?;
            if older.entries.iter().all(|entry| ids.contains(&entry.id)) {
                news.in_place_of.push(base.hash);
            }
        }
        Ok(news)
    }
}
