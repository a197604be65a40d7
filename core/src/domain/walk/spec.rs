//! The facts of a kind and the answers of the keys for a walk, and the reasons why a phone does not count.

use super::checkpoint::CheckpointCode;
use super::join::JoinProof;
use crate::domain::RecordKind;
use crate::domain::content::FieldSpec;
use crate::domain::permissions::Row;
use crate::domain::steps::{StageSpec, StepSpec};
use crate::id::{DeviceId, RecordId};

/// Everything that a kind says about its walks.
#[derive(Debug)]
pub struct WalkSpec {
    /// The kind.
    pub kind: RecordKind,
    /// The field with the id of the section.
    pub section: &'static FieldSpec,
    /// The step by which a phone joins.
    pub join: &'static StepSpec,
    /// The step that ends the walk.
    pub end: &'static StepSpec,
    /// The stage of a walk that makes no pass.
    pub void: StageSpec,
    /// The row of the permission table whose people in the area see the ways of all phones.
    pub head: Row,
}

/// The answers of the keys, which the domain does not know.
pub trait Seals {
    /// Whether the lead of the record signed the proof.
    fn is_of_lead(&self, record: RecordId, proof: &JoinProof) -> bool;
    /// Whether the server printed the code.
    fn is_printed(&self, code: &CheckpointCode) -> bool;
}

coded_error! {
    /// The reason why the way of a phone does not count. It stays in the record.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum WalkerReason {
        /// The phone did not scan the code of the lead.
        #[error("walk.no_code")]
        NoCode,
        /// The lead did not sign the code, or signed it for another record.
        #[error("walk.not_of_lead")]
        NotOfLead,
        /// The code was scanned outside its minutes.
        #[error("walk.code_expired")]
        CodeExpired,
        /// The phone holds a proof and made no step that joins.
        #[error("walk.not_joined")]
        NotJoined,
        /// The server heard of the joining too late.
        #[error("walk.joined_late")]
        JoinedLate,
        /// Too many phones joined by the same code before.
        #[error("walk.code_crowded")]
        CodeCrowded,
    }
}

/// The part of a device's id that authors of changes carry.
pub(super) fn device_prefix(device: DeviceId) -> [u8; 8] {
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&device.0[..8]);
    prefix
}
