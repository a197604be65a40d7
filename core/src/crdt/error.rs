//! The reasons why a change or a saved document is refused.

use crate::id::Hash;

/// The quantity that is too large. The limits are in `limits.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of a change or a saved document.
    Bytes,
    /// Operations, or rows of a column.
    Operations,
    /// Bytes of text and values once repetition is written out.
    Text,
    /// Changes that a change depends on directly.
    Dependencies,
    /// Authors that one change or one saved document names.
    Actors,
    /// The operation counter.
    Counter,
}

coded_error! {
    /// A change or a saved document that the gate refuses. The stored document is as it was.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum GateError {
        /// The bytes are no change chunk (or, for a pack, no document chunk).
        #[error("content.not_a_change: the bytes are of another kind")]
        NotAChange,
        /// A deflated chunk or column. Its inflated size is unknown until it is inflated.
        #[error("content.compressed: compressed content is not taken")]
        Compressed,
        /// The bytes end too early.
        #[error("content.truncated: the bytes end too early")]
        Truncated,
        /// The checksum does not match the bytes.
        #[error("content.checksum: the checksum does not fit the bytes")]
        Checksum,
        /// The bytes cannot be read as the form that they claim to have.
        #[error("content.malformed: {0}")]
        Malformed(&'static str),
        /// A quantity exceeds its limit.
        #[error("content.too_large: too many or too much: {0:?}")]
        TooLarge(Limit),
        /// A time, message or author that content changes do not carry (the envelope's header does).
        #[error("content.metadata: a content change carries no time, message or extra bytes")]
        Metadata,
        /// An operation or value outside the profile of content documents.
        #[error("content.unsupported: {0}")]
        Unsupported(&'static str),
        /// The actor id is not one of the author's device.
        #[error("content.foreign_actor: the change is written under the name of another device")]
        ForeignActor,
        /// A first change where there is one already, or another change where the first one is needed.
        #[error("content.not_genesis: a record has exactly one first change")]
        NotGenesis,
        /// A change depends on one that is not known here.
        #[error("content.unknown_deps: the change depends on {0}, which is not here")]
        UnknownDeps(Hash),
        /// A change depends on one of the same batch that was refused.
        #[error("content.refused_parent: the change depends on {0}, which was refused")]
        RefusedParent(Hash),
        /// Another change with the same actor and sequence number is known: a copy of the phone wrote it.
        #[error("content.clone: another change with the same author and number is known")]
        Clone,
        /// The sequence number is not the next one after the author's previous change in its past.
        #[error("content.sequence: the author's previous change is not in the past of this one")]
        Sequence,
        /// The operation counter does not start right after the past.
        #[error("content.start_op: the operation counter does not continue that of its past")]
        StartOp,
        /// An operation refers to something that is not in its past, or is of another kind there.
        #[error("content.reference: an operation refers to something that is not in its past")]
        Reference,
        /// Automerge failed on it, or the document with it could not be saved and loaded again unchanged.
        #[error("content.rejected: the document would not survive this change")]
        Rejected,
    }
}
