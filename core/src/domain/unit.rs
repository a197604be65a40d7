//! Units: departments, companies and volunteer teams. Cases are dispatched to them.

use std::fmt;
use std::str::FromStr;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::domain::names::Names;
use crate::id::{AreaId, UnitId};

/// The kind of a unit. Codes are stable. A code that this version does not know is kept as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// 综合指挥中心
    CommandRoom,
    /// 职能部门, such as fire, urban management or market supervision
    Department,
    /// 派出所
    PoliceStation,
    /// 村(居)委会
    VillageCommittee,
    /// 公用企业, such as the gas company
    Utility,
    /// 物业公司
    PropertyCompany,
    /// 义警/志愿者队
    Team,
    /// A kind that a newer version introduced.
    Unknown(u16),
}

impl UnitKind {
    const NAMED: [(Self, u16, &'static str); 7] = [
        (Self::CommandRoom, 1, "command_room"),
        (Self::Department, 2, "department"),
        (Self::PoliceStation, 3, "police_station"),
        (Self::VillageCommittee, 4, "village_committee"),
        (Self::Utility, 5, "utility"),
        (Self::PropertyCompany, 6, "property_company"),
        (Self::Team, 7, "team"),
    ];

    /// The stable number.
    #[must_use]
    pub fn code(self) -> u16 {
        if let Self::Unknown(code) = self {
            return code;
        }
        let found = Self::NAMED.iter().find(|(kind, ..)| *kind == self);
        found.map_or(0, |(_, code, _)| *code)
    }

    /// The kind of a stable number.
    #[must_use]
    pub fn from_code(code: u16) -> Self {
        let found = Self::NAMED.iter().find(|(_, known, _)| *known == code);
        found.map_or(Self::Unknown(code), |(kind, ..)| *kind)
    }

    /// The words of all kinds, for help texts.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().map(|(.., word)| *word)
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(kind, ..)| kind == self) {
            Some((.., word)) => f.write_str(word),
            None => write!(f, "unknown_{}", self.code()),
        }
    }
}

/// A text that does not name a kind of unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unit.bad_kind: not a kind of unit")]
pub struct BadUnitKind;

impl FromStr for UnitKind {
    type Err = BadUnitKind;

    fn from_str(text: &str) -> Result<Self, BadUnitKind> {
        let found = Self::NAMED.iter().find(|(.., word)| *word == text);
        found.map(|(kind, ..)| *kind).ok_or(BadUnitKind)
    }
}

impl<C> Encode<C> for UnitKind {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.u16(self.code())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for UnitKind {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        d.u16().map(Self::from_code)
    }
}

/// A unit as the directory carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Unit {
    /// The stable id.
    #[n(0)]
    pub id: UnitId,
    /// Its name.
    #[n(1)]
    pub names: Names,
    /// The kind of the unit.
    #[n(2)]
    pub kind: UnitKind,
    /// The area that it belongs to and works in.
    #[n(3)]
    pub area: AreaId,
    /// The time of its dissolution, ms UTC. The unit takes no dispatch from then on.
    #[n(4)]
    pub dissolved_at_ms: Option<i64>,
}
