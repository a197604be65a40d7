//! The kind, audience and source of a record.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

/// The kind of a record: a stable code. A code of a newer version is kept and written back unchanged.
///
/// Generic code reads the rules and names of a kind in its [`super::kinds::KindSpec`], and never compares the
/// code with a certain kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKind(u8);

coded_enum! {
    /// The readers of a record. The audience never changes. Another audience means another, linked record.
    Audience, u8 {
        /// Workers of the area, creator, team, and the parties that the record is dispatched to.
        Staff = 1, "staff";
        /// Creator, named people, the parties that the record is dispatched to, and the command room.
        Restricted = 2, "restricted";
    }
}

open_coded_enum! {
    /// The source of a record.
    Source, u8 {
        /// Written by an enrolled person.
        Member = 1, "member";
        /// Written by a resident through a posted code.
        ResidentCode = 2, "resident_code";
        /// 110 分流: a call that is not a police matter.
        Diverted110 = 3, "diverted_110";
        /// Written by another system.
        Api = 4, "api";
        /// Found while doing a task.
        Task = 5, "task";
    }
}

impl RecordKind {
    /// The kind of a code.
    #[must_use]
    pub const fn of_code(code: u8) -> Self {
        Self(code)
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}

impl<C> Encode<C> for RecordKind {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.u8(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for RecordKind {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        d.u8().map(Self)
    }
}
