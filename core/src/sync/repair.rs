//! Makes the phone and the server equal again, stream by stream, after their digests have differed.
//!
//! Reconciliation names the records that differ, and lists of ids with verdicts say how they differ. The
//! phone asks for the envelopes that it lacks and gives back those that the server lacks. For a record that
//! no stream of the phone holds, only the lists can tell whether the server has it. A step is forgotten only
//! when its answer has been applied, so a lost answer repeats the step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::port::{GiveAsk, Handover, PortError, StarPort};
use super::reconcile::{Differences, Initiator, ReconcileError};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{REPAIR_ASK_BYTES, REPAIR_STEPS_MAX, REPAIR_WANT_MAX};
use crate::wire::repair::{RepairAnswer, RepairAsk, RepairFound, RepairStep};

/// The reasons why a repair stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RepairError {
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

/// The place of a record whose lists are to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordPlace {
    /// On both sides of the stream.
    Both,
    /// Only on the phone's.
    OnlyHere,
    /// On the phone, in no stream.
    Stray,
}

/// A repair under way.
#[derive(Debug, Default)]
pub(super) struct Repair {
    comparing: BTreeMap<StreamId, Initiator>,
    /// Records to compare by their lists.
    ids: VecDeque<(StreamId, RecordId, RecordPlace)>,
    want_records: VecDeque<(StreamId, RecordId)>,
    want_envelopes: VecDeque<(StreamId, EnvelopeId)>,
    give: GiveAsk,
    given: BTreeSet<EnvelopeId>,
    /// Records that were found to differ.
    pub(super) differing: u32,
    /// Steps that were answered or handed over. The repair makes progress as long as this grows.
    pub(super) done: u64,
}

impl Repair {
    /// Begins on all streams that hold records.
    pub(super) fn start(port: &dyn StarPort) -> Result<Self, RepairError> {
        let mut repair = Self::default();
        for cursor in port.cursors()? {
            if holds_records(&cursor.stream) {
                let items = port.stream_items(&cursor.stream)?;
                repair
                    .comparing
                    .insert(cursor.stream, Initiator::new(&items)?);
            }
        }
        Ok(repair)
    }

    /// Begins on records that no stream holds. Any readable stream will do to ask about them.
    pub(super) fn of_strays(port: &dyn StarPort, strays: &[RecordId]) -> Result<Self, PortError> {
        let streams = port.cursors()?.into_iter().map(|cursor| cursor.stream);
        let asked = streams.filter(holds_records).take(1);
        let asked = asked.flat_map(|stream| {
            strays
                .iter()
                .map(move |id| (stream, *id, RecordPlace::Stray))
        });
        Ok(Self {
            ids: asked.collect(),
            ..Self::default()
        })
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.comparing.is_empty()
            && self.ids.is_empty()
            && self.want_records.is_empty()
            && self.want_envelopes.is_empty()
            && self.give.is_empty()
    }

    /// Returns the next steps, and the envelopes to hand over along with them.
    pub(super) fn asks(
        &mut self,
        port: &dyn StarPort,
        bytes_max: usize,
        without: &BTreeSet<EnvelopeId>,
    ) -> Result<(Vec<RepairAsk>, Handover), RepairError> {
        let mut asks = Vec::new();
        let mut room = REPAIR_ASK_BYTES;
        for (stream, initiator) in &self.comparing {
            push(
                &mut asks,
                &mut room,
                *stream,
                RepairStep::Reconcile(initiator.message().to_vec()),
            );
        }
        for (stream, record, _) in &self.ids {
            if asks.len() >= REPAIR_STEPS_MAX - 2 || room == 0 {
                break;
            }
            let settled = port.settled(record)?;
            push(
                &mut asks,
                &mut room,
                *stream,
                RepairStep::Ids {
                    record: *record,
                    settled,
                },
            );
        }
        asks.extend(self.want());
        if self.give.is_empty() {
            return Ok((asks, Handover::default()));
        }
        let given = port.give(&GiveAsk {
            bytes_max,
            without: without.clone(),
            ..self.give.clone()
        })?;
        if given.is_empty() {
            // All of it builds on envelopes that neither side has.
            self.give = GiveAsk::default();
            self.done += 1;
        }
        Ok((asks, given))
    }

    /// Returns one step that asks for records and one that asks for envelopes. Their answers share the page.
    fn want(&self) -> Vec<RepairAsk> {
        let mut asks = Vec::new();
        if let Some((stream, _)) = self.want_records.front() {
            let of = self
                .want_records
                .iter()
                .filter(|(other, _)| other == stream);
            let records = of
                .take(REPAIR_WANT_MAX)
                .map(|(_, record)| *record)
                .collect();
            let step = RepairStep::Want {
                records,
                envelopes: Vec::new(),
            };
            asks.push(RepairAsk {
                stream: *stream,
                step,
            });
        }
        if let Some((stream, _)) = self.want_envelopes.front() {
            let of = self
                .want_envelopes
                .iter()
                .filter(|(other, _)| other == stream);
            let envelopes = of.take(REPAIR_WANT_MAX).map(|(_, id)| *id).collect();
            let step = RepairStep::Want {
                records: Vec::new(),
                envelopes,
            };
            asks.push(RepairAsk {
                stream: *stream,
                step,
            });
        }
        asks
    }

    /// Notes that the server has accepted the envelopes handed over.
    pub(super) fn given(&mut self, given: &Handover) {
        self.done += u64::from(!given.is_empty());
        self.given.extend(
            given
                .bundle
                .envelopes
                .iter()
                .map(|raw| raw.hash().envelope_id()),
        );
        self.give = given.left.clone();
    }

    /// Notes that the server lacks parents of the envelopes handed over. It has accepted none of them, so the
    /// parents come first now.
    pub(super) fn missing(&mut self, missing: &[EnvelopeId]) {
        let new = missing.iter().copied();
        let new: Vec<_> = new.filter(|id| !self.give.envelopes.contains(id)).collect();
        self.give.envelopes.splice(0..0, new);
    }

    /// Applies the answers to the steps of one request, after the answer as a whole has been applied.
    pub(super) fn answered(
        &mut self,
        port: &mut dyn StarPort,
        asks: &[RepairAsk],
        answers: &[RepairAnswer],
        now_ms: i64,
    ) -> Result<(), RepairError> {
        for (ask, answer) in asks.iter().zip(answers) {
            if ask.stream != answer.stream {
                continue;
            }
            self.done += 1;
            if matches!(answer.step, RepairFound::Closed) {
                self.close(&ask.stream);
                continue;
            }
            match (&ask.step, &answer.step) {
                (RepairStep::Reconcile(_), RepairFound::Reconcile(message)) => {
                    self.compared(ask.stream, message)?;
                }
                (
                    RepairStep::Ids { record, settled },
                    RepairFound::Ids {
                        record: about,
                        reader_lacks,
                        server_lacks,
                    },
                ) if record == about => {
                    let have: BTreeSet<EnvelopeId> = settled.iter().map(|line| line.id).collect();
                    let found = self.found(&ask.stream, record);
                    if reader_lacks.is_empty() && server_lacks.is_empty() {
                        match found {
                            RecordPlace::Both => {}
                            RecordPlace::OnlyHere => port.detach(&ask.stream, record, now_ms)?,
                            RecordPlace::Stray => port.settle_stray(record, now_ms)?,
                        }
                    }
                    self.listed(
                        ask.stream,
                        *record,
                        found,
                        &have,
                        reader_lacks,
                        server_lacks,
                    );
                }
                (RepairStep::Want { records, envelopes }, RepairFound::Given { covered, .. }) => {
                    let covered = usize::try_from(*covered).unwrap_or(usize::MAX);
                    let records = &records[..covered.min(records.len())];
                    let rest = covered - records.len();
                    let envelopes = &envelopes[..rest.min(envelopes.len())];
                    self.want_records
                        .retain(|(s, r)| *s != ask.stream || !records.contains(r));
                    self.want_envelopes
                        .retain(|(s, id)| *s != ask.stream || !envelopes.contains(id));
                    if covered == 0 {
                        self.done -= 1;
                    }
                }
                // The answer to another step: nothing was done.
                _ => self.done -= 1,
            }
        }
        Ok(())
    }

    fn compared(&mut self, stream: StreamId, message: &[u8]) -> Result<(), RepairError> {
        let Some(initiator) = self.comparing.get_mut(&stream) else {
            return Ok(());
        };
        let Some(Differences { ours, theirs }) = initiator.received(message)? else {
            return Ok(());
        };
        self.comparing.remove(&stream);
        let ours: BTreeSet<RecordId> = ours.iter().map(|element| element.record).collect();
        let theirs: BTreeSet<RecordId> = theirs.iter().map(|element| element.record).collect();
        self.differing += u32::try_from(ours.union(&theirs).count()).unwrap_or(u32::MAX);
        for record in &ours {
            let found = if theirs.contains(record) {
                RecordPlace::Both
            } else {
                RecordPlace::OnlyHere
            };
            self.ids.push_back((stream, *record, found));
        }
        for record in theirs.difference(&ours) {
            // Another stream may have brought the record already. Then a pack would tell only one new thing,
            // the stream of the record, and exactly that is missing.
            self.want_records.push_back((stream, *record));
        }
        Ok(())
    }

    /// Takes a record off the list.
    fn found(&mut self, stream: &StreamId, record: &RecordId) -> RecordPlace {
        let at = |(s, r, _): &(StreamId, RecordId, RecordPlace)| (s, r) == (stream, record);
        let taken = self.ids.iter().position(at);
        let taken = taken.and_then(|at| self.ids.remove(at));
        taken.map_or(RecordPlace::Both, |(_, _, found)| found)
    }

    fn listed(
        &mut self,
        stream: StreamId,
        record: RecordId,
        found: RecordPlace,
        have: &BTreeSet<EnvelopeId>,
        reader_lacks: &[EnvelopeId],
        server_lacks: &[EnvelopeId],
    ) {
        self.differing += u32::from(found == RecordPlace::Stray && !server_lacks.is_empty());
        self.want_envelopes
            .extend(reader_lacks.iter().map(|id| (stream, *id)));
        let mut lacks: Vec<EnvelopeId> = server_lacks
            .iter()
            .filter(|id| have.contains(id))
            .copied()
            .collect();
        lacks.retain(|id| !self.given.contains(id) && !self.give.envelopes.contains(id));
        if !lacks.is_empty() && lacks.len() == have.len() {
            if !self.give.records.contains(&record) {
                self.give.records.push(record);
            }
        } else {
            self.give.envelopes.append(&mut lacks);
        }
    }

    fn close(&mut self, stream: &StreamId) {
        self.comparing.remove(stream);
        self.ids.retain(|(s, _, _)| s != stream);
        self.want_records.retain(|(s, _)| s != stream);
        self.want_envelopes.retain(|(s, _)| s != stream);
    }
}

/// Approximate bytes of an id with its verdict.
const SETTLED_BYTES: usize = 32;

fn push(asks: &mut Vec<RepairAsk>, room: &mut usize, stream: StreamId, step: RepairStep) {
    let bytes = match &step {
        RepairStep::Reconcile(message) => message.len(),
        RepairStep::Ids { settled, .. } => settled.len() * SETTLED_BYTES,
        RepairStep::Want { .. } => 0,
    };
    // Steps that do not fit wait for the next request; a single one always fits.
    if asks.len() < REPAIR_STEPS_MAX - 2 && (asks.is_empty() || bytes <= *room) {
        *room = room.saturating_sub(bytes);
        asks.push(RepairAsk { stream, step });
    } else {
        *room = 0;
    }
}

/// Whether digests cover the stream. Directories and bulletins have no records.
pub(super) fn holds_records(stream: &StreamId) -> bool {
    match stream {
        StreamId::AreaStaff(_)
        | StreamId::Unit(_)
        | StreamId::Member(_)
        | StreamId::Zone(_)
        | StreamId::Command(_) => true,
        StreamId::Bulletin(_) | StreamId::DirectoryBase | StreamId::DirectoryVillage(_) => false,
    }
}
