//! The numbers of a sync for the metrics.

use onegrid_core::wire::message::SyncResponse;
use onegrid_core::wire::verdict::Status;

/// The counts of one sync, without any of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Envelopes of the upload that were accepted.
    pub accepted: u64,
    /// Envelopes that are void.
    pub void: u64,
    /// Envelopes that are held.
    pub held: u64,
    /// Envelopes that were refused.
    pub refused: u64,
    /// Whether the upload was refused because parents were missing.
    pub missing: bool,
    /// Whether both sides compare their sets, because their digests differ.
    pub reconciles: bool,
    /// Whether the phone gave back data that the server had lost.
    pub gives_back: bool,
    /// Parcels of other phones that were taken.
    pub parcels: u64,
    /// Parcels that were refused.
    pub parcels_refused: u64,
    /// Records that were left out because the store cannot read their data.
    pub damaged: u64,
}

impl Tally {
    pub(super) fn of(response: &SyncResponse, reconciles: bool, gives_back: bool) -> Self {
        let mut tally = Self {
            missing: !response.missing.is_empty(),
            reconciles,
            gives_back,
            ..Self::default()
        };
        for line in response.receipt.iter().flat_map(|r| &r.lines) {
            let count = match line.verdict.status {
                Status::Accepted | Status::Admitted => &mut tally.accepted,
                Status::Void(_) => &mut tally.void,
                Status::Held(_) => &mut tally.held,
                Status::Refused(_) => &mut tally.refused,
            };
            *count += 1;
        }
        for outcome in response.parcels.iter().flatten() {
            if outcome.refusal().is_some() {
                tally.parcels_refused += 1;
            } else {
                tally.parcels += 1;
            }
        }
        tally
    }
}
