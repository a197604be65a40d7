//! The two ports of the replica in memory.

use super::*;
use crate::limits::{PARCEL_CONTENT_BYTES_MAX, PARCELS_PER_REQUEST_MAX};
use crate::trust::parcel::ParcelMaker;
use crate::trust::peer_session::MeetingDigests;
use crate::wire::parcel::ParcelOutcome;
use crate::wire::{digest, frame};

/// A record that begins with 255 is restricted, so the other phone may not read it.
fn is_shared(record: &RecordId) -> bool {
    record.0[0] != 255
}

impl StarPort for MemoryReplica {
    fn identity(&self) -> Result<Identity, PortError> {
        Ok(self.identity.clone())
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), PortError> {
        assert_eq!(&welcome.server_keys, self.identity.anchors.list());
        Ok(())
    }

    fn cursors(&self) -> Result<Vec<Cursor>, PortError> {
        let cursor = |(stream, at): (&StreamId, &CursorAt)| Cursor {
            stream: *stream,
            at: at.clone(),
        };
        Ok(self.cursors.iter().map(cursor).collect())
    }

    fn writes(&self) -> u64 {
        self.writes
    }

    fn generation(&self) -> Result<u32, PortError> {
        Ok(self.generation)
    }

    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError> {
        let mut without = ask.without.clone();
        let mut ids = Vec::new();
        for id in self
            .order
            .iter()
            .filter(|id| self.held[*id].verdict.is_none())
        {
            let parents = header_of(&self.held[id].raw).parents;
            if without.contains(id) || parents.iter().any(|parent| without.contains(parent)) {
                without.insert(*id);
            } else if ids.len() < ask.envelopes_max {
                ids.push(*id);
            }
        }
        Ok(self.bundle(&ids, ask.bytes_max).0)
    }

    fn pending(&self) -> Result<u64, PortError> {
        let unjudged = self.held.values().filter(|held| held.verdict.is_none());
        Ok(unjudged.count() as u64)
    }

    fn pending_bytes(&self) -> Result<u64, PortError> {
        let unjudged = self.held.values().filter(|held| held.verdict.is_none());
        Ok(unjudged.map(|held| held.raw.len() as u64).sum())
    }

    fn apply_slice(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        _: i64,
    ) -> Result<ApplyCounts, PortError> {
        if std::mem::take(&mut self.broken) {
            return Err(PortError { code: "test.disk" });
        }
        assert!(!self.panics, "a panic that is wanted");
        applying.finish();
        let mut applied = ApplyCounts::default();
        let writes = self.writes;
        self.behind |= self.generation > 0 && answer.response().generation > self.generation;
        self.generation = answer.response().generation;
        for attestation in answer
            .receipt()
            .into_iter()
            .chain(answer.page_attestation())
        {
            self.attestations.push(attestation.clone());
        }
        for line in answer
            .receipt()
            .iter()
            .flat_map(|receipt| &receipt.envelopes)
        {
            let held = self.held.get_mut(&line.hash.envelope_id()).unwrap();
            applied.settled += u32::from(held.verdict.is_none());
            held.verdict = Some(line.verdict);
        }
        if let Some(page) = &answer.response().page {
            for (raw, verdict) in &page.envelopes {
                applied.pulled += u32::from(self.insert(raw.clone(), Some(*verdict)));
            }
            for segment in &page.segments {
                for entry in &segment.entries {
                    assert!(matches!(entry, FeedEntry::Envelope(_)));
                }
                self.cursors.insert(segment.stream, segment.next.clone());
            }
        }
        for stream in answer.response().streams.iter().flatten() {
            self.cursors.entry(*stream).or_insert(CursorAt::Fresh);
        }
        applied.writes = self.writes - writes;
        Ok(applied)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        Ok(STREAMS
            .iter()
            .flat_map(|stream| self.settled(stream).into_values())
            .sum())
    }

    fn is_behind(&self) -> Result<bool, PortError> {
        Ok(self.behind)
    }

    fn catch_up(&mut self, _: i64) -> Result<(), PortError> {
        self.behind = false;
        Ok(())
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        let item = |(record, digest)| StreamItem {
            created_ms: 5,
            record,
            digest,
        };
        Ok(self.settled(stream).into_iter().map(item).collect())
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<SettledEnvelope>, PortError> {
        let settled = |id: EnvelopeId| {
            let verdict = self.held[&id].verdict;
            let verdict = verdict.filter(|verdict| verdict.status.is_settled())?;
            Some(SettledEnvelope { id, verdict })
        };
        Ok(self.ids(record).into_iter().filter_map(settled).collect())
    }

    fn absent(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, PortError> {
        let absent = ids.iter().filter(|id| !self.held.contains_key(id));
        Ok(absent.copied().collect())
    }

    fn orphaned(&mut self, parents: &BTreeSet<EnvelopeId>, _: i64) -> Result<(), PortError> {
        self.orphaning = parents.clone();
        Ok(())
    }

    fn has_more_to_send(&self, without: &BTreeSet<EnvelopeId>) -> Result<bool, PortError> {
        let (bytes_max, envelopes_max) = (0, 1);
        let rest = self.outbox(&OutboxAsk {
            bytes_max,
            envelopes_max,
            without,
        })?;
        Ok(!rest.envelopes.is_empty())
    }

    fn give(&self, ask: &GiveAsk) -> Result<Handover, PortError> {
        Ok(self.handed(ask))
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        Ok(self.revocations.clone())
    }

    fn detach(&mut self, stream: &StreamId, record: &RecordId, _: i64) -> Result<(), PortError> {
        self.detached.insert((*stream, *record));
        Ok(())
    }

    fn strays(&self) -> Result<Vec<RecordId>, PortError> {
        Ok(self.strays.iter().copied().collect())
    }

    fn settle_stray(&mut self, record: &RecordId, _: i64) -> Result<(), PortError> {
        self.strays.remove(record);
        Ok(())
    }

    fn parcels(&self, bytes_max: usize, _: i64) -> Result<Vec<Vec<u8>>, PortError> {
        let mut bytes = 0;
        let fits = |parcel: &&Parcel| {
            bytes += parcel.bytes.len();
            bytes <= bytes_max || bytes == parcel.bytes.len()
        };
        let due = |parcel: &&Parcel| !self.resting.contains(&Hash::of(&[&parcel.bytes]));
        let due = self.parcels.iter().filter(due);
        let fitting = due.take(PARCELS_PER_REQUEST_MAX);
        let fitting = fitting.take_while(fits);
        Ok(fitting.map(|parcel| parcel.bytes.clone()).collect())
    }

    fn forget_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        _: i64,
    ) -> Result<(), PortError> {
        let is_answered = |hash: Hash| answered.iter().any(|(known, _)| *known == hash);
        self.parcels
            .retain(|parcel| !is_answered(Hash::of(&[&parcel.bytes])));
        Ok(())
    }

    fn put_off_parcels(&mut self, parcels: &[Hash], _: i64) -> Result<(), PortError> {
        self.resting.extend(parcels);
        Ok(())
    }
}

impl PeerPort for MemoryReplica {
    fn identity(&self) -> Result<Identity, PortError> {
        Ok(self.identity.clone())
    }

    fn adopt_keys(&mut self, list: &ServerKeys) -> Result<(), PortError> {
        if let Some(updated) = self.identity.anchors.updated(list) {
            self.identity.anchors = Arc::new(updated);
        }
        Ok(())
    }

    fn is_revoked(&self, peer: &Certificate) -> Result<bool, PortError> {
        Ok(self.revocations.contains(&peer.facts().device.0.to_vec()))
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        Ok(self.revocations.clone())
    }

    fn apply_revocations(&mut self, entries: &[Vec<u8>], _: i64) -> Result<(), PortError> {
        for entry in entries.iter().filter(|entry| entry.len() == 16) {
            if !self.revocations.contains(entry) {
                self.revocations.push(entry.clone());
            }
        }
        Ok(())
    }

    fn shared_items(
        &self,
        _: &Certificate,
        digests: &MeetingDigests,
    ) -> Result<Vec<StreamItem>, PortError> {
        let mut records: BTreeMap<RecordId, Vec<EnvelopeId>> = BTreeMap::new();
        for (id, held) in &self.held {
            if is_shared(&held.record) {
                records.entry(held.record).or_default().push(*id);
            }
        }
        let item = |(record, ids): (RecordId, Vec<EnvelopeId>)| StreamItem {
            created_ms: 5,
            record,
            digest: Digest::from_bytes(digests.of(&digest::held(&ids))),
        };
        Ok(records.into_iter().map(item).collect())
    }

    fn shared_ids(&self, record: &RecordId, _: &Certificate) -> Result<Vec<EnvelopeId>, PortError> {
        if is_shared(record) {
            Ok(self.ids(record).into_iter().collect())
        } else {
            Ok(Vec::new())
        }
    }

    fn give_to_peer(&self, ask: &GiveAsk, _: &Certificate) -> Result<Handover, PortError> {
        Ok(self.handed(ask))
    }

    fn apply_peer(
        &mut self,
        given: &Handover,
        _: &Certificate,
        _: i64,
    ) -> Result<ApplyCounts, PortError> {
        let mut applied = ApplyCounts::default();
        for raw in &given.bundle.envelopes {
            let id = raw.hash().envelope_id();
            let known = given
                .give_back
                .attestations
                .iter()
                .find_map(|a| a.verdict_on(id));
            applied.pulled += u32::from(self.insert(raw.clone(), known));
        }
        self.attestations
            .extend(given.give_back.attestations.iter().cloned());
        Ok(applied)
    }

    fn parcel_for(&self, peer: &Certificate) -> Result<Option<Parcel>, PortError> {
        let hidden = self.order.iter().map(|id| &self.held[id]);
        let hidden = hidden.filter(|held| held.verdict.is_none() && !is_shared(&held.record));
        let envelopes: Vec<RawEnvelope> = hidden.map(|held| held.raw.clone()).collect();
        let anchors = &self.identity.anchors;
        let Some(to) = anchors.parcel_key().filter(|_| !envelopes.is_empty()) else {
            return Ok(None);
        };
        let bundle = Bundle {
            certificates: vec![self.identity.certificate.raw().clone()],
            envelopes,
        };
        let content = frame::encode(&bundle, PARCEL_CONTENT_BYTES_MAX).unwrap();
        let maker = ParcelMaker::of(&self.identity.key);
        Ok(Some(Parcel {
            tag: maker.tag(peer.facts().device),
            bytes: maker.seal(&content, to, anchors.authority()).unwrap(),
        }))
    }

    fn take_parcel(&mut self, parcel: &Parcel, _: &Certificate, _: i64) -> Result<bool, PortError> {
        self.parcels.retain(|kept| kept.tag != parcel.tag);
        self.parcels.push(parcel.clone());
        Ok(true)
    }
}
