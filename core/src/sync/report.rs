//! The report of one sync, for the person, the log and the tests. It holds no personal data.

use crate::wire::message::CloseReason;
use crate::wire::parcel::ParcelOutcome;

/// Something that should not have happened, or that an administrator should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incident {
    /// The server has been restored or replaced. This phone gave back the envelopes that the server had lost.
    GenerationChanged {
        /// The generation followed so far.
        from: u32,
        /// The new one.
        to: u32,
    },
    /// Phone and server had read the same positions and did not hold the same.
    DigestMismatch,
    /// The repair found records that differed and made them equal.
    Repaired {
        /// Number of records.
        records: u32,
    },
    /// The repair ended and the two still differ. The next sync tries again.
    Unrepaired,
    /// The server lacks the parent of an envelope, and this phone lacks it too. The envelope waits.
    MissingParents,
    /// The server has lost an envelope that this phone cannot give back, because this phone never learned its
    /// author. The phone keeps the envelope until another phone gives it back.
    NotTaken,
    /// The server accepts no more for now. The rest stays in the outbox until a later sync.
    PutOff,
    /// The server answered without any progress.
    NoProgress,
    /// The server refused a parcel of another phone. The author still has all of its content.
    ParcelRefused {
        /// The reason.
        outcome: ParcelOutcome,
    },
}

impl Incident {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::GenerationChanged { .. } => "incident.generation_changed",
            Self::DigestMismatch => "incident.digest_mismatch",
            Self::Repaired { .. } => "incident.repaired",
            Self::Unrepaired => "incident.unrepaired",
            Self::MissingParents => "incident.missing_parents",
            Self::NotTaken => "incident.not_taken",
            Self::PutOff => "incident.put_off",
            Self::NoProgress => "incident.no_progress",
            Self::ParcelRefused { .. } => "incident.parcel_refused",
        }
    }
}

/// The report of one sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that were answered, handshakes included.
    pub round_trips: u32,
    /// Bytes of the bodies sent, compressed. The caller that moves the bytes counts the headers.
    pub bytes_up: u64,
    /// Bytes of the bodies received, compressed.
    pub bytes_down: u64,
    /// Own envelopes that got a verdict.
    pub pushed: u32,
    /// Envelopes, packs and entries that were new here.
    pub pulled: u32,
    /// Parcels of other phones that the server has now.
    pub parcels: u32,
    /// Whether the sync ended before its end, because its budget was used up. The next one continues here.
    pub more: bool,
    /// Events that should not have happened.
    pub incidents: Vec<Incident>,
    /// Whether phone and server hold the same, as far as this phone may read.
    pub equal: bool,
    /// The reason why the server accepted the delivery and gave nothing out.
    pub closed: Option<CloseReason>,
}

impl Report {
    /// Adds a sync that followed: counts are summed, and its end is the end of both.
    pub fn continue_with(&mut self, later: Self) {
        let earlier = std::mem::replace(self, later);
        self.round_trips = self.round_trips.saturating_add(earlier.round_trips);
        self.bytes_up = self.bytes_up.saturating_add(earlier.bytes_up);
        self.bytes_down = self.bytes_down.saturating_add(earlier.bytes_down);
        self.pushed = self.pushed.saturating_add(earlier.pushed);
        self.pulled = self.pulled.saturating_add(earlier.pulled);
        self.parcels = self.parcels.saturating_add(earlier.parcels);
        for incident in earlier.incidents {
            self.note(incident);
        }
    }

    pub(super) fn note(&mut self, incident: Incident) {
        if !self.incidents.contains(&incident) {
            self.incidents.push(incident);
        }
    }
}
