//! Packs that phones give back to a server that has lost records. The server imports them
//! unchanged, because it signed them. An envelope that only a pack lists has no bytes and no
//! signature of its own any more, so the pack is its base.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::{Certificate, RawCertificate};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::message::GiveBack;
use onegrid_core::wire::pack::{Pack, PackProof};
use onegrid_core::wire::verdict::Verdict;

use super::plan::{self, Plan};
use super::policy::{self, Ground};
use super::untenable::void_what_can_not_stay;
use super::{Intake, commit, give_back};
use crate::error::{Problem, Result};
use crate::limits::INGEST_ROUNDS_MAX;
use crate::records::certificates::Certificates;
use crate::store::{BasePack, PackedEnvelope, Reader, StoreError, StoreResult};

/// A pack on its way into the store.
pub(super) struct Base {
    pub(super) pack: BasePack,
    /// Stored bases that this pack covers and replaces.
    pub(super) in_place_of: Vec<Hash>,
    /// Envelopes that the pack lists and the store does not know.
    pub(super) envelopes: Vec<PackedEnvelope>,
}

/// A pack whose signature holds, opened.
struct OpenPack<'a> {
    bytes: &'a [u8],
    proof: &'a PackProof,
    pack: Pack,
}

/// The result of importing packs that were given back.
#[derive(Default)]
pub(crate) struct TakenPacks {
    /// The giver's digest of each record.
    pub(crate) digests: HashMap<RecordId, Digest>,
    /// Records whose pack was left out, because an author's certificate is unknown.
    pub(crate) left: BTreeSet<RecordId>,
}

/// The decision about a pack that was given back.
enum BasePlan {
    /// It is stored.
    Take(Box<Plan>),
    /// It holds nothing new, or does not fit the stored record.
    Nothing,
    /// An author's certificate is unknown.
    Leave,
}

/// The new parts of a pack.
struct News {
    envelopes: Vec<PackedEnvelope>,
    changed: Vec<(EnvelopeId, Verdict)>,
    in_place_of: Vec<Hash>,
    certificates: HashMap<Hash, Arc<Certificate>>,
    /// Whether the certificate of every author is known.
    names_everybody: bool,
}

/// Imports packs that verify under the keys of this deployment and leaves out the others.
///
/// The certificate of every author has to be stored here or has to arrive with the request,
/// open or sealed. Without it the record would lose its reporter, and the reporter's next words
/// would be void. The giver keeps the pack.
pub(crate) fn take_packs(
    intake: &Intake,
    given: &GiveBack,
    certificates: &[RawCertificate],
    now_ms: i64,
) -> Result<TakenPacks> {
    let mut waiting: BTreeMap<RecordId, Vec<OpenPack<'_>>> = BTreeMap::new();
    let mut taken = TakenPacks::default();
    for batch in &given.packs {
        if let Err(error) = batch.verify(intake.shared.keys.anchors()) {
            tracing::warn!(code = error.code(), "packs given back were left out");
            continue;
        }
        for bytes in &batch.packs {
            let Ok(pack) = Pack::from_bytes(bytes) else {
                tracing::warn!(code = "record.bad_pack", "a pack given back was left out");
                continue;
            };
            if let Some(record) = pack.record() {
                taken.digests.insert(record, pack.digest());
                waiting.entry(record).or_default().push(OpenPack {
                    bytes,
                    proof: &batch.proof,
                    pack,
                });
            }
        }
    }
    // Envelopes held here were accepted before. They are released first, because no pack can
    // build on a held Genesis.
    let entries = waiting
        .values()
        .flatten()
        .flat_map(|opened| &opened.pack.entries);
    give_back::release(
        intake,
        entries.map(|entry| (entry.id, None, entry.verdict)),
        now_ms,
    )?;
    let certificates: HashMap<Hash, Arc<Certificate>> = certificates
        .iter()
        .filter_map(|raw| Certificate::verify(raw.clone(), intake.shared.keys.anchors()).ok())
        .map(|certificate| (certificate.hash(), Arc::new(certificate)))
        .collect();
    while !waiting.is_empty() {
        // One pack of each record, because the next one builds on it.
        let round: Vec<(RecordId, OpenPack<'_>)> = waiting
            .iter_mut()
            .filter_map(|(record, packs)| Some((*record, packs.pop()?)))
            .collect();
        waiting.retain(|_, packs| !packs.is_empty());
        let left = take_round(intake, &round, &certificates, now_ms)?;
        taken.left.extend(left);
    }
    Ok(taken)
}

fn take_round(
    intake: &Intake,
    round: &[(RecordId, OpenPack<'_>)],
    certificates: &HashMap<Hash, Arc<Certificate>>,
    now_ms: i64,
) -> Result<Vec<RecordId>> {
    for _ in 0..INGEST_ROUNDS_MAX {
        let ids: BTreeSet<RecordId> = round.iter().map(|(record, _)| *record).collect();
        let locked = intake.records.lock(ids);
        let ground = intake
            .shared
            .store
            .read(|tx| policy::bare_ground(&intake.shared.views, tx))?;
        let (mut plans, mut left) = (Vec::new(), Vec::new());
        for (record, opened) in round {
            match plan_base(intake, *record, opened, certificates, &ground, now_ms)? {
                BasePlan::Take(plan) => plans.push(*plan),
                BasePlan::Nothing => {}
                BasePlan::Leave => left.push(*record),
            }
        }
        if let Some(committed) = commit::commit(intake, plans, &ground, now_ms)? {
            drop(locked);
            intake.shared.wakeups.notify(&committed.touched);
            return Ok(left);
        }
    }
    Err(Problem::new("http.busy"))
}

fn plan_base(
    intake: &Intake,
    id: RecordId,
    opened: &OpenPack<'_>,
    given: &HashMap<Hash, Arc<Certificate>>,
    ground: &Ground,
    now_ms: i64,
) -> Result<BasePlan> {
    let news = intake
        .shared
        .store
        .read::<_, StoreError>(|tx| news(&intake.shared.certificates, tx, id, &opened.pack, given));
    let news = match news {
        Err(error) if error.is_local() => {
            tracing::warn!(code = error.code(), record = %id, "a pack given back meets a damaged record");
            return Ok(BasePlan::Nothing);
        }
        news => news?,
    };
    if news.envelopes.is_empty() && news.changed.is_empty() {
        return Ok(BasePlan::Nothing);
    }
    if !news.names_everybody {
        tracing::warn!(code = "refused.bad_certificate", record = %id, "a pack given back waits for a certificate");
        return Ok(BasePlan::Leave);
    }
    let (mut record, before) = match plan::open_record(intake, id) {
        Err(error) if error.is_local() => return Ok(BasePlan::Nothing),
        opened => opened?,
    };
    if let Err(error) = record.absorb(&opened.pack, &news.certificates) {
        tracing::warn!(code = error.code(), record = %id, "a pack given back was left out");
        return Ok(BasePlan::Nothing);
    }
    let generation = ground.mark.generation;
    let changed = void_what_can_not_stay(&mut record, news.changed, now_ms, generation);
    let view = plan::project(&intake.rules(), &record, ground, now_ms);
    if view.is_none() {
        return Ok(BasePlan::Nothing);
    }
    Ok(BasePlan::Take(Box::new(Plan {
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
    })))
}

fn news(
    cache: &Certificates,
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
        names_everybody: true,
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
            None => cache.get(tx, entry.certificate)?,
        };
        news.names_everybody &= known.is_some();
        news.certificates
            .extend(known.map(|known| (entry.certificate, known)));
    }
    for base in tx.base_packs(record)? {
        let older = Pack::from_bytes(&base.pack).map_err(|_| StoreError::Row("a base pack"))?;
        if pack.covers(&older) {
            news.in_place_of.push(base.hash);
        }
    }
    Ok(news)
}
