//! The two ports of the replica in memory.

use super::*;

impl StarPort for Phone {
    fn identity(&self) -> Result<Identity, PortError> {
        Ok(self.identity.clone())
    }

    fn welcomed(&mut self, grant: &SessionGrant) -> Result<(), PortError> {
        assert_eq!(grant.server_keys.len(), 2);
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

    fn apply(&mut self, answer: &Answer, _: i64) -> Result<Applied, PortError> {
        if std::mem::take(&mut self.broken) {
            return Err(PortError { code: "test.disk" });
        }
        let mut applied = Applied::default();
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
        Ok(applied)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        Ok(STREAMS
            .iter()
            .flat_map(|stream| self.settled(stream).into_values())
            .sum())
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        let item = |(record, digest)| StreamItem {
            created_ms: 5,
            record,
            digest,
        };
        Ok(self.settled(stream).into_iter().map(item).collect())
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<Settled>, PortError> {
        let settled = |id: EnvelopeId| {
            let verdict = self.held[&id].verdict;
            let verdict = verdict.filter(|verdict| verdict.status.is_settled())?;
            Some(Settled { id, verdict })
        };
        Ok(self.ids(record).into_iter().filter_map(settled).collect())
    }

    fn give(&self, ask: &GiveAsk) -> Result<Given, PortError> {
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
}

impl PeerPort for Phone {
    fn identity(&self) -> Result<Identity, PortError> {
        Ok(self.identity.clone())
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

    fn shared_items(&self, _: &Certificate) -> Result<Vec<StreamItem>, PortError> {
        let mut records: BTreeMap<RecordId, Digest> = BTreeMap::new();
        for (id, held) in &self.held {
            // A record that begins with 255 is restricted: nobody else may read it.
            if held.record.0[0] != 255 {
                let sum = records.entry(held.record).or_insert(Digest::EMPTY);
                *sum = sum.plus(Digest::of_ids([*id]));
            }
        }
        let item = |(record, digest)| StreamItem {
            created_ms: 5,
            record,
            digest,
        };
        Ok(records.into_iter().map(item).collect())
    }

    fn all_record_ids(&self, record: &RecordId) -> Result<Vec<EnvelopeId>, PortError> {
        Ok(self.ids(record).into_iter().collect())
    }

    fn give_to_peer(&self, ask: &GiveAsk, _: &Certificate) -> Result<Given, PortError> {
        Ok(self.handed(ask))
    }

    fn apply_peer(&mut self, given: &Given, _: &Certificate, _: i64) -> Result<Applied, PortError> {
        let mut applied = Applied::default();
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
}
