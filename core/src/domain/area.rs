//! Areas: district, town, village, grid. The id never changes; code, name and boundary have versions.

use std::fmt;
use std::str::FromStr;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::domain::names::Names;
use crate::domain::polygon::Boundary;
use crate::id::AreaId;

coded_error! {
    /// The reason why a set of areas contradicts itself, or a text is not a code.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum AreaError {
        /// The code does not have 12 digits (or 15 for a grid), or begins with zero.
        #[error("area.bad_code: an area's code has 12 digits, a grid's has 15")]
        BadCode,
        /// The code's length belongs to another level.
        #[error("area.code_of_other_level: only a grid has a code of 15 digits")]
        CodeOfOtherLevel,
        /// The word names none of the four levels.
        #[error("area.bad_level: a level is district, town, village or grid")]
        BadLevel,
        /// A version ends before it begins.
        #[error("area.bad_validity: a version ends before it begins")]
        BadValidity,
        /// The parent is unknown.
        #[error("area.unknown_parent: the parent of an area is missing")]
        UnknownParent,
        /// The parent is missing, or is not of the next higher level.
        #[error("area.wrong_parent_level: an area's parent is of the next higher level")]
        WrongParentLevel,
        /// Another area has this code at the same time.
        #[error("area.duplicate_code: two areas have the same code at the same time")]
        DuplicateCode,
        /// A known area cannot change its level.
        #[error("area.level_changed: an area keeps its level; a new level is a new area")]
        LevelChanged,
        /// The area has more versions or successors than the limits allow.
        #[error("area.too_many_parts: an area has too many versions or successors")]
        TooManyParts,
    }
}

/// The four levels, highest first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum AreaLevel {
    /// 区县
    #[n(1)]
    District,
    /// 镇街
    #[n(2)]
    Town,
    /// 村社
    #[n(3)]
    Village,
    /// 网格
    #[n(4)]
    Grid,
}

impl AreaLevel {
    /// All levels, highest first.
    pub const ALL: [Self; 4] = [Self::District, Self::Town, Self::Village, Self::Grid];

    /// The next higher level; a district has none.
    #[must_use]
    pub fn above(self) -> Option<Self> {
        match self {
            Self::District => None,
            Self::Town => Some(Self::District),
            Self::Village => Some(Self::Town),
            Self::Grid => Some(Self::Village),
        }
    }

    /// The word for files and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Town => "town",
            Self::Village => "village",
            Self::Grid => "grid",
        }
    }
}

impl fmt::Display for AreaLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AreaLevel {
    type Err = AreaError;

    fn from_str(text: &str) -> Result<Self, AreaError> {
        let found = Self::ALL.into_iter().find(|level| level.as_str() == text);
        found.ok_or(AreaError::BadLevel)
    }
}

/// A statistical code: 12 digits, or 15 for a grid; never with a leading zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaCode(u64);

impl AreaCode {
    const AREA: std::ops::Range<u64> = 100_000_000_000..1_000_000_000_000;
    const GRID: std::ops::Range<u64> = 100_000_000_000_000..1_000_000_000_000_000;

    fn from_number(number: u64) -> Result<Self, AreaError> {
        if Self::AREA.contains(&number) || Self::GRID.contains(&number) {
            Ok(Self(number))
        } else {
            Err(AreaError::BadCode)
        }
    }

    /// Whether this is the code of a grid.
    #[must_use]
    pub fn is_grid(self) -> bool {
        Self::GRID.contains(&self.0)
    }
}

impl FromStr for AreaCode {
    type Err = AreaError;

    fn from_str(text: &str) -> Result<Self, AreaError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AreaError::BadCode);
        }
        text.parse()
            .map_err(|_| AreaError::BadCode)
            .and_then(Self::from_number)
    }
}

impl fmt::Display for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C> Encode<C> for AreaCode {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.u64(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for AreaCode {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        Self::from_number(d.u64()?).map_err(|error| DecodeError::message(error).at(at))
    }
}

/// The name, code and boundary of an area during one period.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AreaVersion {
    /// Statistical code.
    #[n(0)]
    pub code: AreaCode,
    /// Name.
    #[n(1)]
    pub names: Names,
    /// Boundary; `None` for an area that cannot be found by position.
    #[n(2)]
    pub boundary: Option<Boundary>,
    /// First instant of the version, ms UTC.
    #[n(3)]
    pub valid_from_ms: i64,
    /// First instant after the version, ms UTC; `None` while it is in force.
    #[n(4)]
    pub valid_to_ms: Option<i64>,
}

impl AreaVersion {
    /// Whether the version is in force at an instant (ms UTC).
    #[must_use]
    pub fn is_valid_at(&self, at_ms: i64) -> bool {
        self.valid_from_ms <= at_ms && self.valid_to_ms.is_none_or(|end_ms| at_ms < end_ms)
    }

    /// Whether two versions have an instant in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.valid_to_ms
            .is_none_or(|end_ms| other.valid_from_ms < end_ms)
            && other
                .valid_to_ms
                .is_none_or(|end_ms| self.valid_from_ms < end_ms)
    }

    pub(crate) fn check(&self, level: AreaLevel) -> Result<(), AreaError> {
        if self.code.is_grid() != (level == AreaLevel::Grid) {
            return Err(AreaError::CodeOfOtherLevel);
        }
        if self
            .valid_to_ms
            .is_some_and(|end_ms| end_ms <= self.valid_from_ms)
        {
            return Err(AreaError::BadValidity);
        }
        Ok(())
    }
}

/// An area with its history. Its versions are in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    pub(crate) id: AreaId,
    pub(crate) level: AreaLevel,
    pub(crate) parent: Option<AreaId>,
    pub(crate) versions: Vec<AreaVersion>,
    pub(crate) successors: Vec<AreaId>,
}

impl Area {
    /// The stable id.
    #[must_use]
    pub fn id(&self) -> AreaId {
        self.id
    }

    /// The level; it never changes.
    #[must_use]
    pub fn level(&self) -> AreaLevel {
        self.level
    }

    /// The area above; `None` for a district.
    #[must_use]
    pub fn parent(&self) -> Option<AreaId> {
        self.parent
    }

    /// All versions, oldest first; never empty.
    #[must_use]
    pub fn versions(&self) -> &[AreaVersion] {
        &self.versions
    }

    /// The areas that took over when this one was dissolved.
    #[must_use]
    pub fn successors(&self) -> &[AreaId] {
        &self.successors
    }

    /// The newest version. It may have ended.
    #[must_use]
    pub fn newest(&self) -> &AreaVersion {
        self.versions
            .last()
            .expect("an area is only built with at least one version")
    }

    /// The version in force at an instant (ms UTC).
    #[must_use]
    pub fn version_at(&self, at_ms: i64) -> Option<&AreaVersion> {
        self.versions
            .iter()
            .rev()
            .find(|version| version.is_valid_at(at_ms))
    }
}
