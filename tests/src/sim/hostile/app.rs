//! The modified app: the genuine replica and sync machine, with a liar in between.

use std::collections::BTreeSet;

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::replica::Replica;
use onegrid_core::sync::answer::Answer;
use onegrid_core::sync::port::{
    ApplyCounts, ApplyProgress, GiveAsk, Handover, Identity, OutboxAsk, PortError, StarPort,
    StreamItem,
};
use onegrid_core::sync::star::{Incoming, Step};
use onegrid_core::trust::session::Welcome;
use onegrid_core::wire::cursor::Cursor;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::repair::SettledEnvelope;
use onegrid_core::wire::verdict::Attestation;

use super::super::oracle::names::Source;
use super::super::world::World;

/// Turns of one sync of the modified app.
const TURNS_MAX: usize = 60;

/// The lies of one sync.
#[derive(Debug, Default)]
pub(super) struct Tricks {
    /// Packs and envelopes are given back without the certificates of their authors.
    pub(super) nameless: bool,
    /// The work of others is not delivered.
    pub(super) withholds: bool,
    /// Revocations are not given back.
    pub(super) hides_revocations: bool,
    /// Verdicts that the member signed.
    pub(super) verdicts: Vec<Attestation>,
}

struct ModifiedApp<'a> {
    replica: &'a mut Replica,
    tricks: &'a Tricks,
}

impl StarPort for ModifiedApp<'_> {
    fn identity(&self) -> Result<Identity, PortError> {
        StarPort::identity(self.replica)
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), PortError> {
        self.replica.welcomed(welcome)
    }

    fn cursors(&self) -> Result<Vec<Cursor>, PortError> {
        self.replica.cursors()
    }

    fn writes(&self) -> u64 {
        self.replica.writes()
    }

    fn generation(&self) -> Result<u32, PortError> {
        self.replica.generation()
    }

    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError> {
        if self.tricks.withholds {
            return Ok(Bundle::default());
        }
        self.replica.outbox(ask)
    }

    fn has_more_to_send(&self, without: &BTreeSet<EnvelopeId>) -> Result<bool, PortError> {
        Ok(!self.tricks.withholds && self.replica.has_more_to_send(without)?)
    }

    fn pending(&self) -> Result<u64, PortError> {
        self.replica.pending()
    }

    fn pending_bytes(&self) -> Result<u64, PortError> {
        self.replica.pending_bytes()
    }

    fn apply_slice(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError> {
        self.replica.apply_slice(answer, applying, now_ms)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        self.replica.combined_digest()
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        self.replica.stream_items(stream)
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<SettledEnvelope>, PortError> {
        self.replica.settled(record)
    }

    fn absent(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, PortError> {
        self.replica.absent(ids)
    }

    fn orphaned(&mut self, parents: &BTreeSet<EnvelopeId>, now_ms: i64) -> Result<(), PortError> {
        self.replica.orphaned(parents, now_ms)
    }

    fn give(&self, ask: &GiveAsk) -> Result<Handover, PortError> {
        let mut given = self.replica.give(ask)?;
        if self.tricks.nameless {
            take_names_out(&mut given);
        }
        let verdicts = self.tricks.verdicts.iter().cloned();
        given.give_back.attestations.extend(verdicts);
        Ok(given)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        if self.tricks.hides_revocations {
            return Ok(Vec::new());
        }
        StarPort::revocations(self.replica)
    }

    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.replica.detach(stream, record, now_ms)
    }

    fn is_behind(&self) -> Result<bool, PortError> {
        self.replica.is_behind()
    }

    fn catch_up(&mut self, now_ms: i64) -> Result<(), PortError> {
        self.replica.catch_up(now_ms)
    }

    fn strays(&self) -> Result<Vec<RecordId>, PortError> {
        self.replica.strays()
    }

    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError> {
        self.replica.settle_stray(record, now_ms)
    }

    fn parcels(&self, bytes_max: usize, now_ms: i64) -> Result<Vec<Vec<u8>>, PortError> {
        self.replica.parcels(bytes_max, now_ms)
    }

    fn forget_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.replica.forget_parcels(answered, now_ms)
    }

    fn put_off_parcels(&mut self, parcels: &[Hash], now_ms: i64) -> Result<(), PortError> {
        self.replica.put_off_parcels(parcels, now_ms)
    }
}

/// Takes all certificates out, open and sealed.
pub(super) fn take_names_out(given: &mut Handover) {
    given.bundle.certificates.clear();
    given.give_back.sealed.clear();
}

impl World {
    /// Lets the hostile member sync with a modified app.
    pub(super) fn syncs_with(&mut self, who: usize, tricks: &Tricks) -> Result<(), String> {
        let names = self.names_shown(who)?;
        for _ in 0..TURNS_MAX {
            let phone = &mut self.people[who].phone;
            phone.wake();
            let now_ms = phone.clock_ms(&self.town);
            let (replica, star, rng) = phone.parts();
            let mut app = ModifiedApp { replica, tricks };
            let request = match star.next(&mut app, now_ms, rng) {
                Ok(Step::Send(request)) => request,
                Ok(Step::Done(report)) => {
                    self.note(&format!("hostile sync: {report:?}"));
                    break;
                }
                Ok(Step::Wait { .. }) => continue,
                // An answer of an earlier sync is on its way.
                Ok(Step::Awaiting) => {
                    star.failed(now_ms, rng);
                    continue;
                }
                Err(error) => {
                    self.note(&format!("hostile sync: {}", error.code()));
                    break;
                }
            };
            let Some(reply) = self.town.post(&request) else {
                break;
            };
            let phone = &mut self.people[who].phone;
            let (replica, star, rng) = phone.parts();
            let mut app = ModifiedApp { replica, tricks };
            let incoming = Incoming {
                status: reply.status,
                mac: reply.mac.as_deref(),
                body: &reply.body,
            };
            if let Err(error) = star.received(&mut app, incoming, now_ms, rng) {
                self.note(&format!("hostile sync: {}", error.code()));
                break;
            }
        }
        self.learned_no_name(who, names, Source::Server)?;
        self.count_receipts(who)
    }
}
