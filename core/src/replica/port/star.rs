//! The replica during a session with the server.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::engine::{Replica, rewrite};
use super::super::error::ReplicaError;
use super::super::load;
use super::super::table::meta::{self, Name};
use super::super::table::{certificate, envelope, own_void, record, stray, stream, stream_record};
use super::{apply, intake, membership, sql};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::record::Node;
use crate::sync::answer::Answer;
use crate::sync::port::{
    ApplyCounts, ApplyProgress, GiveAsk, Handover, Identity, OutboxAsk, PortError, StarPort,
    StreamItem,
};
use crate::trust::certificate::Certificate;
use crate::trust::session::Welcome;
use crate::wire::cursor::Cursor;
use crate::wire::digest::Digest;
use crate::wire::message::Bundle;
use crate::wire::parcel::ParcelOutcome;
use crate::wire::repair::SettledEnvelope;

impl Replica {
    /// The identity of this replica.
    pub(super) fn port_identity(&self) -> Result<Identity, PortError> {
        let identity = self.identity.as_ref().ok_or(ReplicaError::NotEnrolled)?;
        Ok(Identity {
            key: self.signer.clone(),
            certificate: Arc::clone(&identity.certificate),
            anchors: Arc::clone(&identity.anchors),
            secrets: identity.secrets.clone(),
        })
    }

    /// Keys, secrets and certificate of a session that was opened.
    fn take_welcome(&mut self, welcome: &Welcome) -> Result<(), ReplicaError> {
        let grant = &welcome.grant;
        let device = self.device();
        self.take_server_keys(&welcome.server_keys)?;
        let known = self
            .identity
            .as_ref()
            .and_then(|known| known.secrets.as_ref());
        if known != Some(&grant.secrets) {
            certificate::put_secrets(self.conn()?, &grant.secrets)?;
            self.read_identity()?;
            self.outbox_copy.follow_identity(self.reader.conn()?);
        }
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let offered = grant.certificate.clone();
        let own = offered.and_then(|raw| Certificate::verify(raw, anchors).ok());
        let issued_ms = self.certificate().map(|now| now.facts().issued_ms);
        let newer = own.filter(|own| {
            own.facts().device == device
                && issued_ms.is_none_or(|issued_ms| own.facts().issued_ms >= issued_ms)
        });
        if let Some(own) = newer {
            let tx = self.reader.conn_mut()?.transaction()?;
            certificate::insert(&tx, &own)?;
            certificate::set_known_in(&tx, own.hash(), grant.generation)?;
            meta::put(&tx, Name::OwnCertificate, own.hash().as_bytes())?;
            tx.commit()?;
            self.read_identity()?;
            self.outbox_copy.follow_identity(self.reader.conn()?);
        }
        Ok(())
    }

    /// The settled envelopes of a record, by id.
    fn settled_lines(&self, id: &RecordId) -> Result<Vec<SettledEnvelope>, ReplicaError> {
        let record = load::record(self.conn()?, &self.certificates, *id)?;
        let mut settled: Vec<SettledEnvelope> = record
            .iter()
            .flat_map(crate::record::Record::settled)
            .map(|(id, verdict)| SettledEnvelope { id, verdict })
            .collect();
        settled.sort_unstable_by_key(|line| line.id);
        Ok(settled)
    }

    fn items(&self, id: StreamId) -> Result<Vec<StreamItem>, ReplicaError> {
        let Some(known) = stream::get(self.conn()?, id)? else {
            return Ok(Vec::new());
        };
        let mut items = Vec::new();
        for record in stream_record::records_of(self.conn()?, known.no)? {
            if let Some((created_ms, digest)) = record::digest(self.conn()?, record)? {
                items.push(StreamItem {
                    created_ms,
                    record,
                    digest,
                });
            }
        }
        items.sort_unstable();
        Ok(items)
    }

    /// Deals with own work that became void while this replica was behind.
    fn take_up(&mut self, now_ms: i64) -> Result<(), ReplicaError> {
        self.write(now_ms, |writing| {
            meta::delete(writing.conn, Name::Behind)?;
            for (id, waiting) in own_void::take_all(writing.conn)? {
                let Some(record) = load::record(writing.conn, writing.certificates, id)? else {
                    continue;
                };
                let not_accepted = |node: &Node| {
                    let status = node.verdict?.status;
                    (!status.is_accepted()).then_some((node.id, status))
                };
                let nodes = record.nodes().iter();
                let fresh: Vec<_> = nodes
                    .filter(|node| waiting.contains(&node.id))
                    .filter_map(not_accepted)
                    .collect();
                rewrite::own_not_accepted(writing, id, &fresh)?;
            }
            membership::purge_withdrawn(writing, usize::MAX).map(drop)
        })
    }

    fn detach_record(
        &mut self,
        id: StreamId,
        record: RecordId,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        self.write(now_ms, |writing| {
            let Some(known) = stream::get(writing.conn, id)? else {
                return Ok(());
            };
            membership::remove(writing, known.no, record)?;
            membership::purge_withdrawn(writing, usize::MAX).map(drop)
        })
    }
}

impl StarPort for Replica {
    fn identity(&self) -> Result<Identity, PortError> {
        self.port_identity()
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), PortError> {
        Ok(self.take_welcome(welcome)?)
    }

    fn cursors(&self) -> Result<Vec<Cursor>, PortError> {
        let streams = stream::all(self.conn()?).map_err(sql)?;
        Ok(streams
            .into_iter()
            .map(|known| Cursor {
                stream: known.id,
                at: known.cursor,
            })
            .collect())
    }

    fn writes(&self) -> u64 {
        self.writes
    }

    fn generation(&self) -> Result<u32, PortError> {
        Ok(apply::generation(self.conn()?)?)
    }

    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError> {
        Ok(self.outbox_part(ask)?)
    }

    fn pending(&self) -> Result<u64, PortError> {
        Ok(self.undelivered()?)
    }

    fn pending_bytes(&self) -> Result<u64, PortError> {
        envelope::bytes_unjudged(self.conn()?).map_err(sql)
    }

    fn apply_slice(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError> {
        Ok(self.apply_part(answer, applying, now_ms)?)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        Ok(stream::all(self.conn()?)
            .map_err(sql)?
            .into_iter()
            .map(|known| known.digest)
            .sum())
    }

    fn is_behind(&self) -> Result<bool, PortError> {
        Ok(intake::is_behind(self.conn()?)?)
    }

    fn catch_up(&mut self, now_ms: i64) -> Result<(), PortError> {
        Ok(self.take_up(now_ms)?)
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        Ok(self.items(*stream)?)
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<SettledEnvelope>, PortError> {
        Ok(self.settled_lines(record)?)
    }

    fn absent(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, PortError> {
        Ok(self.not_here(ids)?)
    }

    fn orphaned(&mut self, parents: &BTreeSet<EnvelopeId>, now_ms: i64) -> Result<(), PortError> {
        Ok(self.tell_orphans(parents, now_ms)?)
    }

    fn has_more_to_send(&self, without: &BTreeSet<EnvelopeId>) -> Result<bool, PortError> {
        Ok(self.outbox_holds_more(without)?)
    }

    fn give(&self, ask: &GiveAsk) -> Result<Handover, PortError> {
        Ok(self.gather(ask, None)?)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        super::directory::revocations(self.conn()?).map_err(sql)
    }

    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError> {
        Ok(self.detach_record(*stream, *record, now_ms)?)
    }

    fn strays(&self) -> Result<Vec<RecordId>, PortError> {
        stray::all(self.conn()?).map_err(sql)
    }

    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError> {
        Ok(self.write(now_ms, |writing| membership::settle_stray(writing, *record))?)
    }

    fn parcels(&self, bytes_max: usize, now_ms: i64) -> Result<Vec<Vec<u8>>, PortError> {
        Ok(self.parcels_due(bytes_max, now_ms)?)
    }

    fn forget_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        now_ms: i64,
    ) -> Result<(), PortError> {
        Ok(self.drop_parcels(answered, now_ms)?)
    }

    fn put_off_parcels(&mut self, parcels: &[Hash], now_ms: i64) -> Result<(), PortError> {
        Ok(self.rest_parcels(parcels, now_ms)?)
    }
}
