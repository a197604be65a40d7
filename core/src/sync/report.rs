//! What one sync did, for the person, the log and the tests. No personal data is in it.

use crate::wire::message::Closed;

/// Something that should not have happened, or that an administrator should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incident {
    /// The server has been restored or replaced; what it lost was given back.
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
        /// How many.
        records: u32,
    },
    /// The repair came to its end and the two still differ. The next sync tries again.
    Unrepaired,
    /// The server lacks what an envelope builds on and nobody here has it. The envelope waits.
    MissingParents,
    /// The server has lost something that this phone can not give back, since it was never told who wrote it.
    /// It is kept here until another phone gives it back.
    NotTaken,
    /// The server takes no more for now. The rest stays in the outbox and goes with a later sync.
    PutOff,
    /// The server answered without anything moving on.
    NoProgress,
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
        }
    }
}

/// What one sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that were answered, handshakes included.
    pub round_trips: u32,
    /// Bytes of the bodies sent, compressed. Headers are counted by whoever moves the bytes.
    pub bytes_up: u64,
    /// Bytes of the bodies received, compressed.
    pub bytes_down: u64,
    /// Own envelopes that got a verdict.
    pub pushed: u32,
    /// Envelopes, packs and entries that were new here.
    pub pulled: u32,
    /// What should not have happened.
    pub incidents: Vec<Incident>,
    /// Whether phone and server hold the same, as far as this phone may read.
    pub equal: bool,
    /// Why the server took what was delivered and gave nothing out.
    pub closed: Option<Closed>,
}

impl Report {
    pub(super) fn note(&mut self, incident: Incident) {
        if !self.incidents.contains(&incident) {
            self.incidents.push(incident);
        }
    }
}
