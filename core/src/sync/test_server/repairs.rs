//! The answers of the server in memory to the steps of a repair.

use std::collections::BTreeMap;

use super::Server;
use crate::domain::stream::StreamId;
use crate::id::RecordId;
use crate::sync::port::StreamItem;
use crate::sync::reconcile::{compare, respond};
use crate::sync::testing::streams_of;
use crate::wire::digest::Digest;
use crate::wire::page::Page;
use crate::wire::repair::{RepairAnswer, RepairAsk, RepairFound, RepairStep, SettledEnvelope};

impl Server {
    pub(in crate::sync) fn items(&self, stream: &StreamId) -> Vec<StreamItem> {
        let mut records: BTreeMap<RecordId, Digest> = BTreeMap::new();
        for (id, (_, record, verdict)) in &self.envelopes {
            if streams_of(record).contains(stream) {
                let sum = records.entry(*record).or_insert(Digest::EMPTY);
                *sum = sum.plus(Digest::line(*id, verdict));
            }
        }
        let item = |(record, digest)| StreamItem {
            created_ms: 5,
            record,
            digest,
        };
        records.into_iter().map(item).collect()
    }

    pub(crate) fn repair(&self, ask: &RepairAsk, page: &mut Page) -> RepairAnswer {
        let step = match &ask.step {
            RepairStep::Reconcile(message) => {
                RepairFound::Reconcile(respond(&self.items(&ask.stream), message).unwrap())
            }
            RepairStep::Ids { record, settled } => {
                let here: Vec<SettledEnvelope> = self
                    .envelopes
                    .iter()
                    .filter(|(_, (_, of, _))| of == record)
                    .map(|(&id, &(_, _, verdict))| SettledEnvelope { id, verdict })
                    .collect();
                let (reader_lacks, server_lacks) = compare(&here, settled);
                RepairFound::Ids {
                    record: *record,
                    reader_lacks,
                    server_lacks,
                }
            }
            RepairStep::Want { records, envelopes } => {
                for (id, (raw, record, verdict)) in &self.envelopes {
                    if records.contains(record) || envelopes.contains(id) {
                        page.envelopes.push((raw.clone(), *verdict));
                    }
                }
                RepairFound::Given {
                    absent_records: Vec::new(),
                    absent: Vec::new(),
                    covered: u32::MAX,
                }
            }
        };
        RepairAnswer {
            stream: ask.stream,
            step,
        }
    }
}
