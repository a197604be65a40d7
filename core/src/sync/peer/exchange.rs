//! The exchange of a meeting: both phones compare ids, give envelopes and import them.
#![allow(
    clippy::wildcard_imports,
    reason = "a part of its parent, in a file of its own"
)]

use std::collections::BTreeSet;

use super::*;

impl Peer {
    /// Names the envelopes of the next records that differ.
    pub(super) fn compare(&mut self, port: &dyn PeerPort) -> Result<State, PeerError> {
        let (mut said, mut count) = (Vec::new(), 0);
        while said.len() < PEER_RECORDS_MAX
            && let Some(record) = self.differing.front()
        {
            let next = self.ids_of(port, record)?;
            count += next.ids.len();
            if count > REPAIR_IDS_MAX && !said.is_empty() {
                break;
            }
            said.push(next);
            self.differing.pop_front();
        }
        if said.is_empty() {
            self.give_parcel(port)?;
            return Ok(State::CallerParcel);
        }
        self.send_compare(said)
    }

    /// Names the same records again, with the envelopes that arrived meanwhile.
    pub(super) fn compare_again(
        &mut self,
        port: &dyn PeerPort,
        said: &[RecordIds],
    ) -> Result<State, PeerError> {
        let said = said.iter().map(|said| self.ids_of(port, &said.record));
        let said = said.collect::<Result<Vec<_>, PeerError>>()?;
        self.send_compare(said)
    }

    /// The listener's word also decides which records differ, so it learns nothing about a record that it may
    /// not read.
    pub(super) fn ids_of(
        &self,
        port: &dyn PeerPort,
        record: &RecordId,
    ) -> Result<RecordIds, PeerError> {
        let mut ids = port.shared_ids(record, self.known_peer()?)?;
        ids.truncate(REPAIR_IDS_MAX);
        Ok(RecordIds {
            record: *record,
            ids,
        })
    }

    fn send_compare(&mut self, said: Vec<RecordIds>) -> Result<State, PeerError> {
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
        // An ask that made no progress is not repeated.
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

    /// The listener's answer about some records. A record that is here and not shared gets the answer of an
    /// absent record: the listener lacks every envelope of it that the caller named.
    pub(super) fn found(
        &mut self,
        port: &dyn PeerPort,
        shared: &HashSet<RecordId>,
        theirs: &[RecordIds],
    ) -> Result<PeerMessage, PeerError> {
        let peer = self.known_peer()?;
        let mut ask = GiveAsk {
            bytes_max: PEER_GIVE_BYTES,
            ..GiveAsk::default()
        };
        let mut lacks = Vec::new();
        for RecordIds { record, ids } in theirs {
            // A phone that reads no more names its records, and nothing of them goes back.
            let mine = if shared.contains(record) || self.reading == Reading::Expired {
                port.shared_ids(record, peer)?
            } else {
                Vec::new()
            };
            let (here, there): (BTreeSet<_>, BTreeSet<_>) = (
                mine.iter().copied().collect(),
                ids.iter().copied().collect(),
            );
            lacks.extend(there.difference(&here));
            if self.reading == Reading::Expired {
                continue;
            }
            ask.sent.extend(there.intersection(&here));
            if ids.is_empty() && !mine.is_empty() {
                ask.records.push(*record);
            } else {
                ask.envelopes.extend(here.difference(&there));
            }
        }
        let given = if ask.is_empty() {
            Handover::default()
        } else {
            port.give_to_peer(&ask, peer)?
        };
        self.count(&given);
        let more = !given.left.is_empty();
        let Handover {
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
        let given = Handover {
            give_back,
            bundle,
            ..Handover::default()
        };
        if given.is_empty() {
            return Ok(0);
        }
        let applied = port.apply_peer(&given, self.known_peer()?, now_ms)?;
        self.report.taken = self.report.taken.saturating_add(applied.pulled);
        Ok(applied.pulled)
    }

    /// Hands over the undelivered work that the other phone may not read, sealed for the server.
    pub(super) fn give_parcel(&mut self, port: &dyn PeerPort) -> Result<(), PeerError> {
        let parcel = port.parcel_for(self.known_peer()?)?;
        self.report.parcel_given = parcel.is_some();
        self.send(&PeerMessage::Parcel(parcel))
    }

    /// Takes the parcel of the other phone along. It is no work of this phone, so it is handed to no third
    /// phone.
    pub(super) fn take_parcel(
        &mut self,
        port: &mut dyn PeerPort,
        parcel: Option<Parcel>,
        now_ms: i64,
    ) -> Result<(), PeerError> {
        if let Some(parcel) = parcel {
            self.report.parcel_taken = port.take_parcel(&parcel, self.known_peer()?, now_ms)?;
        }
        Ok(())
    }

    fn count(&mut self, given: &Handover) {
        let count = u32::try_from(given.bundle.envelopes.len()).unwrap_or(u32::MAX);
        self.report.given = self.report.given.saturating_add(count);
    }
}
