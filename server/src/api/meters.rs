//! Metrics of the protocol's routes.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;
use crate::sync::Tally;

/// Metrics of the protocol; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Meters {
    envelopes: Family<Verdicts, Counter>,
    bytes: Family<Direction, Counter>,
    incidents: Counter<u64, AtomicU64>,
    generations: Counter<u64, AtomicU64>,
    missing: Counter<u64, AtomicU64>,
    damaged: Counter<u64, AtomicU64>,
    parcels: Counter<u64, AtomicU64>,
    parcels_refused: Counter<u64, AtomicU64>,
    pub(super) sessions: Counter<u64, AtomicU64>,
    pub(super) enrolments: Counter<u64, AtomicU64>,
    pub(super) moves: Counter<u64, AtomicU64>,
    pub(super) routing: Gauge<i64, AtomicI64>,
    pub(super) live: Gauge<i64, AtomicI64>,
    pub(super) cut: Counter<u64, AtomicU64>,
    transferred: Family<Direction, Counter>,
    stored: Counter<u64, AtomicU64>,
    transfers_refused: Family<Refusal, Counter>,
    pub(super) orphans: Counter<u64, AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdicts {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

impl Meters {
    /// Creates and registers all metrics.
    pub(super) fn register(metrics: &Metrics) -> Self {
        let meters = Self::default();
        let all = meters.clone();
        metrics.register(
            "envelopes",
            "Envelopes that got a verdict on arrival",
            all.envelopes,
        );
        metrics.register("sync_bytes", "Bytes of bodies of syncs", all.bytes);
        metrics.register(
            "sync_incidents",
            "Syncs that began to reconcile because digests differed",
            all.incidents,
        );
        metrics.register(
            "sync_give_backs",
            "Syncs that gave back what the server had lost",
            all.generations,
        );
        metrics.register(
            "sync_missing",
            "Bundles turned down because parents were missing",
            all.missing,
        );
        metrics.register(
            "parcels",
            "Parcels of other phones that couriers brought",
            all.parcels,
        );
        metrics.register(
            "parcel_refusals",
            "Refused parcels of other phones",
            all.parcels_refused,
        );
        metrics.register(
            "damaged_records",
            "Records left out of answers because the store can not read them",
            all.damaged,
        );
        metrics.register("sessions", "Sessions that were opened", all.sessions);
        metrics.register("enrolments", "Answered enrolments", all.enrolments);
        metrics.register(
            "overdue_moves",
            "Automatic moves made because time had passed",
            all.moves,
        );
        metrics.register(
            "routing_remaining",
            "Open cases that still follow a change of areas, units or rules",
            all.routing,
        );
        metrics.register(
            "live_connections",
            "Phones that wait for wake-ups now",
            all.live,
        );
        metrics.register(
            "live_cut",
            "Wake-up connections cut off by a revocation",
            all.cut,
        );
        meters.register_transfers(metrics);
        // Each series exists from the start, so that a rate over it has a beginning.
        for verdict in ["accepted", "void", "held", "refused"] {
            drop(meters.envelopes.get_or_create(&Verdicts { verdict }));
        }
        meters
    }

    fn register_transfers(&self, metrics: &Metrics) {
        metrics.register(
            "attachment_bytes",
            "Bytes of photos and recordings",
            self.transferred.clone(),
        );
        metrics.register(
            "attachments_stored",
            "Photos and recordings that arrived whole",
            self.stored.clone(),
        );
        metrics.register(
            "attachment_refusals",
            "Refused requests about photos and recordings",
            self.transfers_refused.clone(),
        );
        metrics.register(
            "attachment_orphans",
            "Removed files that no record needs",
            self.orphans.clone(),
        );
    }

    /// Counts bytes of a photo or recording, `up` to the server or `down` to a phone.
    pub(super) fn transferred(&self, direction: &'static str, bytes: u64) {
        self.transferred
            .get_or_create(&Direction { direction })
            .inc_by(bytes);
    }

    /// Counts a photo or recording if this request completed it.
    pub(super) fn stored(&self, is_new: bool) {
        self.stored.inc_by(u64::from(is_new));
    }

    /// Counts a refused request about a photo or recording.
    pub(super) fn transfer_refused(&self, code: &'static str) {
        self.transfers_refused
            .get_or_create(&Refusal { code })
            .inc();
    }

    /// Counts an answered sync.
    pub(super) fn synced(&self, bytes_in: usize, bytes_out: usize, tally: &Tally) {
        for (direction, bytes) in [("up", bytes_in), ("down", bytes_out)] {
            self.bytes
                .get_or_create(&Direction { direction })
                .inc_by(bytes as u64);
        }
        for (verdict, count) in [
            ("accepted", tally.accepted),
            ("void", tally.void),
            ("held", tally.held),
            ("refused", tally.refused),
        ] {
            if count > 0 {
                self.envelopes
                    .get_or_create(&Verdicts { verdict })
                    .inc_by(count);
            }
        }
        self.incidents.inc_by(u64::from(tally.reconciles));
        self.generations.inc_by(u64::from(tally.gives_back));
        self.missing.inc_by(u64::from(tally.missing));
        self.damaged.inc_by(tally.damaged);
        self.parcels.inc_by(tally.parcels);
        self.parcels_refused.inc_by(tally.parcels_refused);
    }
}
