//! What a meeting hands over: ids compared, envelopes given and taken in.
#![allow(
    clippy::wildcard_imports,
    reason = "a part of its parent, in a file of its own"
)]

use std::collections::BTreeSet;

use super::*;

impl Peer {
    pub(super) fn compare(&mut self, port: &dyn PeerPort) -> Result<State, PeerError> {
        let count = self.differing.len().min(PEER_RECORDS_MAX);
        let records: Vec<RecordId> = self.differing.drain(..count).collect();
        if records.is_empty() {
            self.send(&PeerMessage::Done)?;
            return Ok(State::CallerDone);
        }
        self.compare_these(port, &records)
    }

    pub(super) fn compare_again(
        &mut self,
        port: &dyn PeerPort,
        said: &[RecordIds],
    ) -> Result<State, PeerError> {
        let records: Vec<RecordId> = said.iter().map(|record| record.record).collect();
        self.compare_these(port, &records)
    }

    fn compare_these(
        &mut self,
        port: &dyn PeerPort,
        records: &[RecordId],
    ) -> Result<State, PeerError> {
        let ids = |record: &RecordId| {
            Ok(RecordIds {
                record: *record,
                ids: port.all_record_ids(record)?,
            })
        };
        let said = records
            .iter()
            .map(ids)
            .collect::<Result<Vec<_>, PortError>>()?;
        self.send(&PeerMessage::Compare(said.clone()))?;
        Ok(State::CallerCompare(said))
    }

    pub(super) fn give(&mut self, port: &dyn PeerPort, ask: GiveAsk) -> Result<State, PeerError> {
        let ask = GiveAsk {
            bytes_max: PEER_GIVE_BYTES,
            ..ask
        };
        let given = port.give_to_peer(&ask, self.known_peer()?)?;
        self.count(&given);
        // What did not move on at all is not asked for again.
        let left = if given.is_empty() {
            GiveAsk::default()
        } else {
            given.left
        };
        self.send(&PeerMessage::Give {
            give_back: given.give_back,
            bundle: given.bundle,
        })?;
        Ok(State::CallerGive(left))
    }

    /// The listener's answer about some records. Of a record that is here but not shared nothing is told.
    pub(super) fn found(
        &mut self,
        port: &dyn PeerPort,
        items: &[StreamItem],
        theirs: &[RecordIds],
    ) -> Result<PeerMessage, PeerError> {
        let shared: BTreeSet<RecordId> = items.iter().map(|item| item.record).collect();
        let mut ask = GiveAsk {
            bytes_max: PEER_GIVE_BYTES,
            ..GiveAsk::default()
        };
        let mut lacks = Vec::new();
        for RecordIds { record, ids } in theirs {
            let mine = port.all_record_ids(record)?;
            if !mine.is_empty() && !shared.contains(record) {
                continue;
            }
            let (here, there): (BTreeSet<_>, BTreeSet<_>) = (
                mine.iter().copied().collect(),
                ids.iter().copied().collect(),
            );
            lacks.extend(there.difference(&here));
            if ids.is_empty() && !mine.is_empty() {
                ask.records.push(*record);
            } else {
                ask.envelopes.extend(here.difference(&there));
            }
        }
        let given = if ask.is_empty() {
            Given::default()
        } else {
            port.give_to_peer(&ask, self.known_peer()?)?
        };
        self.count(&given);
        let more = !given.left.is_empty();
        let Given {
            give_back, bundle, ..
        } = given;
        Ok(PeerMessage::Found {
            give_back,
            bundle,
            lacks,
            more,
        })
    }

    pub(super) fn accept(
        &mut self,
        port: &mut dyn PeerPort,
        give_back: GiveBack,
        bundle: Bundle,
        now_ms: i64,
    ) -> Result<u32, PeerError> {
        let given = Given {
            give_back,
            bundle,
            ..Given::default()
        };
        if given.is_empty() {
            return Ok(0);
        }
        let anchors = &self.me.anchors;
        let attested = given
            .give_back
            .attestations
            .iter()
            .all(|a| a.verify(anchors).is_ok());
        let packed = given
            .give_back
            .packs
            .iter()
            .all(|packs| packs.verify(anchors).is_ok());
        if !attested || !packed {
            return Err(PeerError::BadProof);
        }
        let applied = port.apply_peer(&given, self.known_peer()?, now_ms)?;
        self.report.taken = self.report.taken.saturating_add(applied.pulled);
        Ok(applied.pulled)
    }

    fn count(&mut self, given: &Given) {
        let count = u32::try_from(given.bundle.envelopes.len()).unwrap_or(u32::MAX);
        self.report.given = self.report.given.saturating_add(count);
    }
}
