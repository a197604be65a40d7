//! The receipt of an upload: an [`Attestation`] without the hashes, which its receiver knows.

use minicbor::{Decode, Encode};

use super::verdict::{Attestation, AttestedEnvelope, StreamPosition, Verdict};
use crate::cbor::list::list;
use crate::id::{DeviceId, Hash};
use crate::limits::BATCH_ENVELOPES_MAX;

/// The receipt does not fit the sent bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wire.receipt")]
pub struct ReceiptError;

/// The server's signed decisions about the envelopes of one bundle, in the bundle's order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// The server key that signed.
    #[n(0)]
    pub signer: DeviceId,
    /// The server's generation.
    #[n(1)]
    pub generation: u32,
    /// Server time, milliseconds UTC.
    #[n(2)]
    pub time_ms: i64,
    /// One line for each envelope of the bundle.
    #[cbor(n(3), decode_with = "list::<BATCH_ENVELOPES_MAX, _, _>")]
    pub lines: Vec<ReceiptLine>,
    /// The signature of the [`Attestation`].
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// One envelope of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ReceiptLine {
    /// The verdict.
    #[n(0)]
    pub verdict: Verdict,
    /// Its positions in streams, where it has some.
    #[cbor(n(1), decode_with = "list::<{ crate::limits::CURSORS_MAX }, _, _>")]
    pub at: Vec<StreamPosition>,
}

impl Receipt {
    /// The receipt that an attestation makes, when it lists exactly the envelopes of the bundle in order.
    #[must_use]
    pub fn of(attestation: Attestation) -> Self {
        let Attestation {
            signer,
            generation,
            time_ms,
            envelopes,
            signature,
        } = attestation;
        let line = |line: AttestedEnvelope| ReceiptLine {
            verdict: line.verdict,
            at: line.at,
        };
        let lines = envelopes.into_iter().map(line).collect();
        Self {
            signer,
            generation,
            time_ms,
            lines,
            signature,
        }
    }

    /// The attestation about the envelopes that were sent, for [`Attestation::verify`] and to be kept.
    pub fn attestation(self, sent: &[Hash]) -> Result<Attestation, ReceiptError> {
        let Self {
            signer,
            generation,
            time_ms,
            lines,
            signature,
        } = self;
        if lines.len() != sent.len() {
            return Err(ReceiptError);
        }
        let envelopes = sent
            .iter()
            .zip(lines)
            .map(|(hash, line)| AttestedEnvelope {
                hash: *hash,
                verdict: line.verdict,
                at: line.at,
            })
            .collect();
        Ok(Attestation {
            signer,
            generation,
            time_ms,
            envelopes,
            signature,
        })
    }
}
