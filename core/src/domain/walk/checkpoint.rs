//! The printed code of a checkpoint. It proves that the server named the place; a scan of it proves presence only
//! together with a fresh position, because everyone can photograph a wall.

use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::section::SectionId;
use crate::base32;
use crate::cbor::canonical;
use crate::limits::CHECKPOINT_CODE_CHARS_MAX;

const PREFIX: &str = "ONEGRIDC1:";
const PREFIX_ANY: &str = "ONEGRIDC";

/// Bytes of the deployment's id that a code holds.
pub const DEPLOYMENT_BYTES: usize = 8;

coded_error! {
    /// The reason why a text is no code of a checkpoint here.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum CheckpointError {
        /// Another text, or damaged.
        #[error("checkpoint.bad_code")]
        BadCode,
        /// A newer server printed it.
        #[error("checkpoint.newer_code")]
        NewerCode,
        /// Another district printed it.
        #[error("checkpoint.other_district")]
        OtherDistrict,
        /// The server did not sign it, or its key is no longer valid.
        #[error("checkpoint.not_genuine")]
        NotGenuine,
    }
}

/// The code of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CheckpointCode {
    /// The first bytes of the deployment's id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub deployment: [u8; DEPLOYMENT_BYTES],
    /// The section.
    #[n(1)]
    pub section: SectionId,
    /// The number of the checkpoint in the section.
    #[n(2)]
    pub checkpoint: u16,
    /// The server's time of printing, ms UTC.
    #[n(3)]
    pub printed_ms: i64,
    /// The server's generation.
    #[n(4)]
    pub generation: u32,
    /// The server's signature over [`Self::signed_bytes`].
    #[cbor(n(5), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl CheckpointCode {
    /// The bytes that the server signs.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let facts = (
            &self.section,
            self.checkpoint,
            self.printed_ms,
            self.generation,
        );
        minicbor::to_vec(facts).expect("writing CBOR to memory does not fail")
    }

    /// The bytes, as a scan keeps them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing CBOR to memory does not fail")
    }

    /// Reads the bytes of a scan.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let in_bounds = bytes.len() <= CHECKPOINT_CODE_CHARS_MAX;
        (in_bounds && canonical::check(bytes).is_ok()).then_some(())?;
        canonical::decode_signed(bytes)
    }
}

/// The text of the QR code: upper case and digits, which a QR code packs tightly.
impl std::fmt::Display for CheckpointCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PREFIX}{}", base32::encode(&self.to_bytes()))
    }
}

impl FromStr for CheckpointCode {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let text = text.trim();
        let starts = |prefix: &str| {
            let start = text.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if text.len() > CHECKPOINT_CODE_CHARS_MAX || !starts(PREFIX_ANY) {
            return Err(CheckpointError::BadCode);
        }
        if !starts(PREFIX) {
            return Err(CheckpointError::NewerCode);
        }
        let bytes = base32::decode(&text[PREFIX.len()..]).ok_or(CheckpointError::BadCode)?;
        Self::of_bytes(&bytes).ok_or(CheckpointError::BadCode)
    }
}
