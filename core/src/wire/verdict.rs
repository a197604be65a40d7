//! Verdicts and attestations: the server's decisions, signed once for many envelopes.

use minicbor::{Decode, Encode};

use super::status::status_code;
pub use super::status::{HeldReason, RefusedReason, Status, VoidReason};
use crate::cbor::list::list;
use crate::domain::stream::StreamId;
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::{ATTESTED_MAX, CURSORS_MAX};
use crate::trust::certificate::{Anchors, ServerPurpose, Stamp};
use crate::trust::sign::{Authority, Purpose, SecretKey, SignatureError};

/// The server's decision about an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Verdict {
    /// The decision.
    #[n(0)]
    pub status: Status,
    /// Server time of the decision, milliseconds UTC.
    #[n(1)]
    pub at_ms: i64,
    /// The server's generation at that time.
    #[n(2)]
    pub generation: u32,
}

impl Verdict {
    /// Whether this verdict replaces the other one. The verdict of the higher rank counts, everywhere: a
    /// settled one before one that waits, and then the latest. Of two at the same instant the same one
    /// wins.
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> (Class, u32, i64, u64) {
        (
            self.class(),
            self.generation,
            self.at_ms,
            status_code(self.status),
        )
    }

    fn class(&self) -> Class {
        match self.status {
            Status::Refused(reason) if reason != RefusedReason::Rejected => Class::Undecided,
            _ if self.generation == 0 => Class::Doubted,
            Status::Held(_) | Status::Refused(_) => Class::Waiting,
            Status::Accepted | Status::Admitted | Status::Void(_) => Class::Settled,
        }
    }
}

/// The class of a verdict, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The server could not take the envelope this time, because the giver holds no certificate of its
    /// author.
    Undecided,
    /// Only a key that leaked proves it, so it has generation 0.
    Doubted,
    /// A person decides, or has turned it down. A server that lost the decision may ask a person again.
    Waiting,
    /// It is part of the record for good.
    Settled,
}

/// One line of an attestation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AttestedEnvelope {
    /// The envelope.
    #[n(0)]
    pub hash: Hash,
    /// The verdict.
    #[n(1)]
    pub verdict: Verdict,
    /// Its positions in streams, where it has some.
    #[cbor(n(2), decode_with = "list::<CURSORS_MAX, _, _>")]
    pub at: Vec<StreamPosition>,
}

/// A position in a stream: dense, from 1, in the order of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StreamPosition {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The position.
    #[n(1)]
    pub position: u64,
}

/// One signature of the server over many verdicts: the receipt of an upload, or the proof of a page.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Attestation {
    /// The server key that signed.
    #[n(0)]
    pub signer: DeviceId,
    /// The server's generation.
    #[n(1)]
    pub generation: u32,
    /// Server time, milliseconds UTC.
    #[n(2)]
    pub time_ms: i64,
    /// The verdicts.
    #[cbor(n(3), decode_with = "list::<ATTESTED_MAX, _, _>")]
    pub envelopes: Vec<AttestedEnvelope>,
    /// Signature over the four fields before, as CBOR array.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Attestation {
    /// The server attests.
    #[must_use]
    pub fn sign(
        generation: u32,
        time_ms: i64,
        envelopes: Vec<AttestedEnvelope>,
        key: &SecretKey,
        authority: &Authority,
    ) -> Self {
        let signer = key.public().device();
        let mut attestation = Self {
            signer,
            generation,
            time_ms,
            envelopes,
            signature: [0; 64],
        };
        attestation.signature =
            key.sign(Purpose::Receipt, authority, &[&attestation.signed_bytes()]);
        attestation
    }

    /// Checks the server's signature, and that the key vouches for this time and generation. A
    /// verdict of a higher generation than the attestation's own would evade the bound of the key.
    pub fn verify(&self, anchors: &Anchors) -> Result<(), SignatureError> {
        let within = |line: &AttestedEnvelope| line.verdict.generation <= self.generation;
        if !self.envelopes.iter().all(within) {
            return Err(SignatureError::BadKey);
        }
        let stamp = Stamp {
            time_ms: self.time_ms,
            generation: self.generation,
        };
        anchors
            .signer(ServerPurpose::Receipts, self.signer, stamp)?
            .verify(
                Purpose::Receipt,
                anchors.authority(),
                &[&self.signed_bytes()],
                &self.signature,
            )
    }

    /// The verdict on an envelope, where it holds one.
    #[must_use]
    pub fn verdict_on(&self, id: EnvelopeId) -> Option<Verdict> {
        self.envelopes
            .iter()
            .find(|line| line.hash.envelope_id() == id)
            .map(|line| line.verdict)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        minicbor::to_vec((self.signer, self.generation, self.time_ms, &self.envelopes))
            .expect("writing CBOR to memory does not fail")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: Status, generation: u32, at_ms: i64) -> Verdict {
        Verdict {
            status,
            at_ms,
            generation,
        }
    }

    /// The order from the lowest rank to the highest.
    #[test]
    fn settled_verdicts_outrank_waiting_ones_of_later_generations() {
        let held = Status::Held(HeldReason::Clock);
        let rejected = Status::Refused(RefusedReason::Rejected);
        let unknown = Status::Refused(RefusedReason::BadCertificate);
        let void = Status::Void(VoidReason::Clone);
        let order = [
            verdict(unknown, 9, 90),
            verdict(Status::Accepted, 0, 95),
            verdict(held, 1, 10),
            verdict(rejected, 1, 20),
            verdict(held, 3, 5),
            verdict(Status::Accepted, 1, 10),
            verdict(Status::Accepted, 1, 11),
            verdict(Status::Admitted, 1, 11),
            verdict(void, 1, 11),
            verdict(void, 2, 5),
            verdict(Status::Accepted, 3, 1),
        ];
        for (at, lower) in order.iter().enumerate() {
            for higher in &order[at + 1..] {
                assert!(higher.is_later_than(lower), "{higher:?} {lower:?}");
                assert!(!lower.is_later_than(higher), "{lower:?} {higher:?}");
            }
        }
    }
}
