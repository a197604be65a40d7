//! Phones of the benches: real replicas and the real driver, over the counting relay.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;

use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::net::Roots;
use onegrid_core::sync::report::Report;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_server::server::Server;
use onegrid_server::store::StoreError;

use super::wire::{Bytes, Wire};
use crate::onegrid::{OnlinePhone, way_to};

/// Runs a future with sockets to its end.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Enrols a phone at the end of a wire.
pub(super) async fn enrol(wire: &Wire, code: &str) -> OnlinePhone {
    let way = way_to(&wire.url(), Roots::default());
    OnlinePhone::enrol(code, &way).await.unwrap()
}

/// Runs one sync; returns its report and its bytes on the wire.
pub(super) async fn sync_counted(wire: &Wire, phone: &OnlinePhone) -> (Report, Bytes) {
    let before = wire.counted();
    let report = phone.sync().await;
    (report, wire.counted() - before)
}

/// The envelopes of some records that the server has.
pub(super) struct Stock(HashSet<EnvelopeId>);

impl Stock {
    pub(super) fn of(office: &Server, records: &[RecordId]) -> Self {
        let all = envelopes(office, records);
        Self(all.iter().map(|raw| raw.hash().envelope_id()).collect())
    }

    /// Returns the number of newer envelopes on the server and their bytes in one batch under zstd at level
    /// 3, automatic moves included.
    pub(super) fn since(&self, office: &Server, records: &[RecordId]) -> (usize, u64) {
        let mut count = 0;
        let mut bytes = Vec::new();
        for raw in envelopes(office, records) {
            if self.0.contains(&raw.hash().envelope_id()) {
                continue;
            }
            count += 1;
            bytes.extend_from_slice(&raw.header);
            bytes.extend_from_slice(&raw.body);
            bytes.extend_from_slice(&raw.signature);
        }
        let packed = zstd::encode_all(&bytes[..], 3).unwrap();
        (count, packed.len() as u64)
    }
}

fn envelopes(office: &Server, records: &[RecordId]) -> Vec<RawEnvelope> {
    let records: BTreeSet<&RecordId> = records.iter().collect();
    office
        .store()
        .read::<_, StoreError>(|tx| {
            let mut all = Vec::new();
            for record in records {
                all.extend(tx.envelopes(*record)?.into_iter().map(|stored| stored.raw));
            }
            Ok(all)
        })
        .unwrap()
}
