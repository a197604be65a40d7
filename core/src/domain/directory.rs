//! The directory: the facts about a deployment that phones need besides its records.
//!
//! `directory/base` carries areas, zones, units, categories, revocations and templates of checklists.
//! `directory/<village>` carries the public names of the people in the village. `member/<id>` carries the
//! changes that concern one person. An entry is a CBOR array [code, byte string]. A reader that does not know
//! a code keeps the bytes and passes them on unchanged.

use std::collections::BTreeMap;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::domain::area::AreaError;
use crate::domain::areas::{AreaEntry, Areas};
use crate::domain::category::{Categories, Category, CategoryError};
use crate::domain::form::{TemplateChanged, TemplateEntry, Templates};
use crate::domain::names::checked_name;
use crate::domain::stream::StreamId;
use crate::domain::unit::Unit;
use crate::domain::zone::{ZoneEntry, ZoneError, Zones};
use crate::id::{AreaId, DeviceId, MemberId, UnitId};
use crate::limits::DIRECTORY_ENTRY_BYTES_MAX;

/// A position in the directory that an author had read up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(array)]
pub struct DirectoryMark {
    /// Generation of the server.
    #[n(0)]
    pub generation: u32,
    /// Position in the stream `directory/base`.
    #[n(1)]
    pub position: u64,
}

coded_error! {
    /// An entry that contradicts the directory so far.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum DirectoryError {
        /// An area.
        #[error(transparent)]
        Area(#[from] AreaError),
        /// A zone.
        #[error(transparent)]
        Zone(#[from] ZoneError),
        /// A category.
        #[error(transparent)]
        Category(#[from] CategoryError),
        /// A template.
        #[error(transparent)]
        Template(#[from] TemplateChanged),
        /// A unit or a name points at an unknown area.
        #[error("directory.unknown_area: an entry names an area that does not exist")]
        UnknownArea,
        /// An entry has more than [`DIRECTORY_ENTRY_BYTES_MAX`] bytes, so no phone could read it.
        #[error("directory.too_large: an entry has too many bytes")]
        TooLarge,
    }
}

/// A device whose later envelopes wait for review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revocation {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// Server time of the revocation, ms UTC. Envelopes that the server had accepted by then stay accepted.
    #[n(1)]
    pub revoked_at_ms: i64,
}

/// The name that colleagues see, or its withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName {
    /// The person.
    pub member: MemberId,
    /// The public name; `None` once the person has left or asked for erasure.
    pub public_name: Option<String>,
    /// The village whose directory carries the name, or a town or district for people who work there.
    pub area: AreaId,
}

impl<C> Encode<C> for MemberName {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(3)?
            .encode_with(self.member, ctx)?
            .encode_with(&self.public_name, ctx)?;
        e.encode_with(self.area, ctx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for MemberName {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.array()? != Some(3) {
            return Err(DecodeError::message("a member's name has three parts").at(at));
        }
        let member = d.decode_with(ctx)?;
        let name: Option<&str> = d.decode_with(ctx)?;
        let checked = name.map(checked_name).transpose();
        let public_name = checked.map_err(|error| DecodeError::message(error).at(at))?;
        Ok(Self {
            member,
            public_name,
            area: d.decode_with(ctx)?,
        })
    }
}

/// The read access of a person has changed, by other roles or other zones. Only `member/<id>` carries it, and
/// the phone tells its person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Access {
    /// The person.
    #[n(0)]
    pub member: MemberId,
    /// Server time of the change, ms UTC.
    #[n(1)]
    pub at_ms: i64,
    /// Streams that the person may no longer read, at most [`crate::limits::ACCESS_STREAMS_MAX`] of them.
    #[n(2)]
    pub lost: Vec<StreamId>,
    /// Streams that the person may read from now on, at most [`crate::limits::ACCESS_STREAMS_MAX`] of them.
    #[n(3)]
    pub gained: Vec<StreamId>,
}

/// One entry of a directory stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryEntry {
    /// Code 1: a version of an area.
    Area(AreaEntry),
    /// Code 2: a version of a zone.
    Zone(ZoneEntry),
    /// Code 3: a unit.
    Unit(Unit),
    /// Code 4: a category.
    Category(Category),
    /// Code 5: a revocation.
    Revocation(Revocation),
    /// Code 6: a member's public name.
    MemberName(MemberName),
    /// Code 8: a change of a person's read access. (Servers write code 7 to say whose roles changed.)
    Access(Access),
    /// Code 9: a version of a template.
    Template(TemplateEntry),
    /// An entry of a newer version, kept as received.
    Unknown {
        /// Its code.
        code: u16,
        /// Its bytes.
        payload: Vec<u8>,
    },
}

impl DirectoryEntry {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Area(_) => 1,
            Self::Zone(_) => 2,
            Self::Unit(_) => 3,
            Self::Category(_) => 4,
            Self::Revocation(_) => 5,
            Self::MemberName(_) => 6,
            Self::Access(_) => 8,
            Self::Template(_) => 9,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// Checks that phones can read the entry, because they refuse a longer one.
    pub fn check_size(&self) -> Result<(), DirectoryError> {
        if self.payload().len() <= DIRECTORY_ENTRY_BYTES_MAX {
            Ok(())
        } else {
            Err(DirectoryError::TooLarge)
        }
    }

    fn payload(&self) -> Vec<u8> {
        let encoded = match self {
            Self::Area(entry) => minicbor::to_vec(entry),
            Self::Zone(entry) => minicbor::to_vec(entry),
            Self::Unit(entry) => minicbor::to_vec(entry),
            Self::Category(entry) => minicbor::to_vec(entry),
            Self::Revocation(entry) => minicbor::to_vec(entry),
            Self::MemberName(entry) => minicbor::to_vec(entry),
            Self::Access(entry) => minicbor::to_vec(entry),
            Self::Template(entry) => minicbor::to_vec(entry),
            Self::Unknown { payload, .. } => return payload.clone(),
        };
        encoded.expect("writing to a vector can not fail")
    }

    fn from_parts(code: u16, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(match code {
            1 => Self::Area(whole(payload)?),
            2 => Self::Zone(whole(payload)?),
            3 => Self::Unit(whole(payload)?),
            4 => Self::Category(whole(payload)?),
            5 => Self::Revocation(whole(payload)?),
            6 => Self::MemberName(whole(payload)?),
            8 => Self::Access(whole(payload)?),
            9 => Self::Template(whole(payload)?),
            _ => Self::Unknown {
                code,
                payload: payload.to_vec(),
            },
        })
    }
}

/// Decodes a value. It has to fill the bytes to the last one.
fn whole<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode()?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(DecodeError::message("bytes after a directory entry").at(decoder.position()))
    }
}

impl<C> Encode<C> for DirectoryEntry {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(2)?.u16(self.code())?.bytes(&self.payload())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for DirectoryEntry {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.array()? != Some(2) {
            return Err(DecodeError::message("a directory entry has two parts").at(at));
        }
        let code = d.u16()?;
        let payload = d.bytes()?;
        if payload.len() > DIRECTORY_ENTRY_BYTES_MAX {
            return Err(DecodeError::message("a directory entry is too long").at(at));
        }
        Self::from_parts(code, payload)
    }
}

/// The content of all entries so far. A later entry replaces an earlier one about the same subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Areas.
    pub areas: Areas,
    /// Zones.
    pub zones: Zones,
    /// Categories.
    pub categories: Categories,
    /// Units.
    pub units: BTreeMap<UnitId, Unit>,
    /// Revoked devices with the server time of their revocation (ms UTC), the earliest if there are several.
    pub revoked: BTreeMap<DeviceId, i64>,
    /// Templates of checklists.
    pub templates: Templates,
    /// Public names.
    pub member_names: BTreeMap<MemberId, MemberName>,
}

impl Directory {
    /// Builds a directory from entries, and counts the entries that fit nowhere. Entries about the same
    /// subject are applied in the order given. An entry may refer to a later one.
    #[must_use]
    pub fn of(entries: Vec<DirectoryEntry>) -> (Self, usize) {
        let mut directory = Self::default();
        // All other entries refer to areas. With the areas first, no other entry has to wait and be overtaken
        // by a later one.
        let (areas, others) = entries
            .into_iter()
            .partition(|entry| matches!(entry, DirectoryEntry::Area(_)));
        let left = directory.settle(areas) + directory.settle(others);
        (directory, left)
    }

    /// Applies the entries that fit, until no more of them fit. Returns the number of the remaining entries.
    fn settle(&mut self, mut waiting: Vec<DirectoryEntry>) -> usize {
        loop {
            let before = waiting.len();
            waiting.retain(|entry| self.apply(entry.clone()).is_err());
            if waiting.is_empty() || waiting.len() == before {
                return waiting.len();
            }
        }
    }

    /// Applies one entry. A refused or unknown entry changes nothing.
    pub fn apply(&mut self, entry: DirectoryEntry) -> Result<(), DirectoryError> {
        match entry {
            DirectoryEntry::Area(entry) => self.areas.apply(entry)?,
            DirectoryEntry::Zone(entry) => self.zones.apply(entry, &self.areas)?,
            DirectoryEntry::Category(category) => self.categories.apply(category)?,
            DirectoryEntry::Unit(unit) => {
                self.known_area(unit.area)?;
                self.units.insert(unit.id, unit);
            }
            DirectoryEntry::Revocation(Revocation {
                device,
                revoked_at_ms,
            }) => {
                let earliest_ms = self.revoked.entry(device).or_insert(revoked_at_ms);
                *earliest_ms = revoked_at_ms.min(*earliest_ms);
            }
            DirectoryEntry::MemberName(name) => {
                self.known_area(name.area)?;
                if name.public_name.is_some() {
                    self.member_names.insert(name.member, name);
                } else {
                    self.member_names.remove(&name.member);
                }
            }
            DirectoryEntry::Template(entry) => self.templates.apply(entry)?,
            DirectoryEntry::Access(_) | DirectoryEntry::Unknown { .. } => {}
        }
        Ok(())
    }

    fn known_area(&self, id: AreaId) -> Result<(), DirectoryError> {
        self.areas
            .get(id)
            .map(|_| ())
            .ok_or(DirectoryError::UnknownArea)
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
