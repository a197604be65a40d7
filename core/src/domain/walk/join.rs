//! The proof that a phone stood beside the phone of the lead: a part of the code that the lead showed.
//!
//! The step that brings a person in is legal without a proof, so no one loses work. The proof decides whether the
//! way of the phone counts.

use minicbor::{Decode, Encode};

use crate::base32;
use crate::cbor::canonical;
use crate::id::RecordId;
use crate::limits::{JOIN_CLOCK_MS_MAX, JOIN_MINUTES_MAX};

/// The id of the log entry with the proof.
pub const ENTRY: &str = "join";

/// Bytes of an entry: the proof and the time of the scan.
const ENTRY_BYTES_MAX: usize = 120;

/// The lead's statement that a record took people in at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct JoinProof {
    /// The clock of the lead's phone when it made the code, ms UTC.
    #[n(0)]
    pub made_ms: i64,
    /// How long the code is valid, in minutes.
    #[n(1)]
    pub minutes: u8,
    /// The signature of the lead's device over [`Self::signed_bytes`].
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// The log entry of a phone that joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Joining {
    /// The clock of the phone when it scanned the code, ms UTC.
    #[n(0)]
    pub at_ms: i64,
    /// The proof.
    #[n(1)]
    pub proof: JoinProof,
}

/// The time of a code, seen from another phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The code is valid now.
    Valid,
    /// Its time is over.
    Expired,
    /// It is from a time to come, so the clocks of the phones differ.
    Early,
}

impl JoinProof {
    /// The bytes that the lead's device signs.
    #[must_use]
    pub fn signed_bytes(record: RecordId, made_ms: i64, minutes: u8) -> Vec<u8> {
        let facts = (record, made_ms, minutes);
        minicbor::to_vec(facts).expect("writing CBOR to memory does not fail")
    }

    /// Whether the code is valid at a time. A code that claims more than [`JOIN_MINUTES_MAX`] never is.
    #[must_use]
    pub fn validity(&self, at_ms: i64) -> Validity {
        let age_ms = at_ms.saturating_sub(self.made_ms);
        if !(1..=JOIN_MINUTES_MAX).contains(&self.minutes)
            || age_ms > i64::from(self.minutes) * 60_000
        {
            Validity::Expired
        } else if age_ms < -JOIN_CLOCK_MS_MAX {
            Validity::Early
        } else {
            Validity::Valid
        }
    }
}

impl Joining {
    /// The text of the log entry.
    #[must_use]
    pub fn to_text(&self) -> String {
        let bytes = minicbor::to_vec(self).expect("writing CBOR to memory does not fail");
        base32::encode(&bytes)
    }

    /// Reads a log entry.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let bytes = base32::decode(text).filter(|bytes| bytes.len() <= ENTRY_BYTES_MAX)?;
        canonical::check(&bytes).ok()?;
        canonical::decode_signed(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_returns_from_its_text() {
        let proof = JoinProof {
            made_ms: 1_760_000_000_000,
            minutes: 10,
            signature: [7; 64],
        };
        let joining = Joining {
            at_ms: 1_760_000_060_000,
            proof,
        };
        let text = joining.to_text();
        assert!(text.len() < 150, "{}", text.len());
        assert_eq!(Joining::of_text(&text), Some(joining));
        for end in 0..text.len() {
            assert_eq!(Joining::of_text(&text[..end]), None, "cut at {end}");
        }
        assert_eq!(Joining::of_text(&"0".repeat(4_000)), None);
    }

    #[test]
    fn code_is_valid_for_its_minutes() {
        let proof = |minutes| JoinProof {
            made_ms: 0,
            minutes,
            signature: [0; 64],
        };
        for (minutes, at_ms, expected) in [
            (10, 0, Validity::Valid),
            (10, 600_000, Validity::Valid),
            (10, 600_001, Validity::Expired),
            (10, -JOIN_CLOCK_MS_MAX, Validity::Valid),
            (10, -JOIN_CLOCK_MS_MAX - 1, Validity::Early),
            (0, 0, Validity::Expired),
            (61, 0, Validity::Expired),
            (60, i64::MIN, Validity::Early),
            (60, i64::MAX, Validity::Expired),
        ] {
            assert_eq!(
                proof(minutes).validity(at_ms),
                expected,
                "{minutes} {at_ms}"
            );
        }
    }
}
