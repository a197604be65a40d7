//! The measure of everything that a reader lacks, so that a person learns the cost of a sync before it begins.
//!
//! Counts and bytes are estimates. Bytes are those of the compressed pages.

use minicbor::{Decode, Encode};

/// A number of things, and their bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Quantity {
    /// How many.
    #[n(0)]
    pub count: u64,
    /// Their bytes.
    #[n(1)]
    pub bytes: u64,
}

impl Quantity {
    /// Returns the sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// The amount that a reader lacks. Photos are no part of the records that show them; thumbnails are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Measure {
    /// Open cases, and visits that have not ended.
    #[n(0)]
    pub open: Quantity,
    /// Other records.
    #[n(1)]
    pub rest: Quantity,
    /// Entries of streams that the reader has read before.
    #[n(2)]
    pub changes: Quantity,
    /// Entries of directories and bulletins that are new to the reader.
    #[n(3)]
    pub directory: Quantity,
    /// Certificates, the sealed ones included.
    #[n(4)]
    pub certificates: Quantity,
    /// Photos and recordings of `open` that the server has.
    #[n(5)]
    pub photos_open: Quantity,
    /// Photos and recordings of `rest` and `changes`.
    #[n(6)]
    pub photos_rest: Quantity,
    /// Whether there is more than the server measures at once. Then everything here is the least amount.
    #[n(7)]
    pub is_partial: bool,
}

impl Measure {
    /// Returns the amount without photos.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        [
            self.open,
            self.rest,
            self.changes,
            self.directory,
            self.certificates,
        ]
        .into_iter()
        .fold(Quantity::default(), Quantity::plus)
        .bytes
    }
}
