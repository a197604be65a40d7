//! The place of a record, from the district down: the ancestry that permissions need.
//!
//! A path is written into a Genesis, a transfer and a grant, so that permission rules never have to ask the
//! directory. The server compares it with the directory when it accepts them.

use serde::{Deserialize, Serialize};

use super::area::AreaLevel;
use crate::id::AreaId;

/// The reason why ids are not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AreaPathError {
    /// The list is empty, or has more than the four levels.
    #[error("area_path.length")]
    Length,
    /// One area is on two levels.
    #[error("area_path.repeated")]
    Repeated,
}

/// A district, optionally a town in it, a village in the town and a grid in the village. It has no gaps and
/// no repetition.
///
/// CBOR and JSON: an array of one to four area ids, district first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<AreaId>", into = "Vec<AreaId>")]
pub struct AreaPath {
    // Unused places hold the district, so that derived equality and order ignore them.
    ids: [AreaId; 4],
    len: u8,
}

impl AreaPath {
    /// The path of one to four ids, district first.
    pub fn new(ids: &[AreaId]) -> Result<Self, AreaPathError> {
        if ids.is_empty() || ids.len() > 4 {
            return Err(AreaPathError::Length);
        }
        if (1..ids.len()).any(|i| ids[..i].contains(&ids[i])) {
            return Err(AreaPathError::Repeated);
        }
        let mut path = [ids[0]; 4];
        path[..ids.len()].copy_from_slice(ids);
        let len = u8::try_from(ids.len()).map_err(|_| AreaPathError::Length)?;
        Ok(Self { ids: path, len })
    }

    /// This place with a more exact or other grid; `None` when the path does not reach a village.
    #[must_use]
    pub fn with_grid(&self, grid: AreaId) -> Option<Self> {
        let village = self.ids().get(..3)?;
        Self::new(&[village[0], village[1], village[2], grid]).ok()
    }

    /// The ids, district first.
    #[must_use]
    pub fn ids(&self) -> &[AreaId] {
        &self.ids[..usize::from(self.len)]
    }

    /// The district.
    #[must_use]
    pub fn district(&self) -> AreaId {
        self.ids[0]
    }

    /// The town, if the path is that exact.
    #[must_use]
    pub fn town(&self) -> Option<AreaId> {
        self.ids().get(1).copied()
    }

    /// The village, if the path is that exact.
    #[must_use]
    pub fn village(&self) -> Option<AreaId> {
        self.ids().get(2).copied()
    }

    /// The grid, if the path is that exact.
    #[must_use]
    pub fn grid(&self) -> Option<AreaId> {
        self.ids().get(3).copied()
    }

    /// The most exact area of the path.
    #[must_use]
    pub fn leaf(&self) -> AreaId {
        self.ids[usize::from(self.len) - 1]
    }

    /// The level of the most exact area.
    #[must_use]
    pub fn level(&self) -> AreaLevel {
        AreaLevel::ALL[usize::from(self.len) - 1]
    }

    /// Whether this place is the area or lies in it.
    #[must_use]
    pub fn contains(&self, area: AreaId) -> bool {
        self.ids().contains(&area)
    }

    /// Whether this place is the other place or lies in it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.ids().starts_with(other.ids())
    }
}

impl From<AreaPath> for Vec<AreaId> {
    fn from(path: AreaPath) -> Self {
        path.ids().to_vec()
    }
}

impl TryFrom<Vec<AreaId>> for AreaPath {
    type Error = AreaPathError;
    fn try_from(ids: Vec<AreaId>) -> Result<Self, AreaPathError> {
        Self::new(&ids)
    }
}

impl<C> minicbor::Encode<C> for AreaPath {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.ids().encode(e, ctx)
    }
}

impl<'b, C> minicbor::Decode<'b, C> for AreaPath {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let refused = |text| minicbor::decode::Error::message(text).at(at);
        let len = d.array()?.ok_or_else(|| refused("indefinite area path"))?;
        let mut ids = [AreaId([0; 16]); 4];
        let used = usize::try_from(len).ok().and_then(|len| ids.get_mut(..len));
        let used = used.ok_or_else(|| refused("area path too long"))?;
        for id in used.iter_mut() {
            *id = AreaId::decode(d, ctx)?;
        }
        Self::new(used).map_err(|_| refused("malformed area path"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn id(n: u8) -> AreaId {
        AreaId([n; 16])
    }

    #[test]
    fn containment_follows_the_levels() {
        let grid = AreaPath::new(&[id(1), id(2), id(3), id(4)]).unwrap();
        let town = AreaPath::new(&[id(1), id(2)]).unwrap();
        let other = AreaPath::new(&[id(1), id(9)]).unwrap();
        assert!(grid.is_within(&town) && !town.is_within(&grid) && !grid.is_within(&other));
        assert!(grid.contains(id(3)) && !town.contains(id(3)));
        assert_eq!(
            (grid.level(), town.level()),
            (AreaLevel::Grid, AreaLevel::Town)
        );
        assert_eq!(grid.leaf(), id(4));
        assert_eq!(grid.with_grid(id(7)).unwrap().grid(), Some(id(7)));
        assert_eq!(town.with_grid(id(7)), None, "a grid hangs on a village");
    }

    #[test]
    fn a_path_without_district_or_with_a_loop_can_not_be_made() {
        assert_eq!(AreaPath::new(&[]), Err(AreaPathError::Length));
        assert_eq!(
            AreaPath::new(&[id(1), id(2), id(1)]),
            Err(AreaPathError::Repeated)
        );
        assert_eq!(AreaPath::new(&[id(1); 5]), Err(AreaPathError::Length));
        for bad in [
            vec![],
            vec![id(1), id(1)],
            vec![id(1), id(2), id(3), id(4), id(5)],
        ] {
            assert!(minicbor::decode::<AreaPath>(&minicbor::to_vec(&bad).unwrap()).is_err());
        }
    }

    #[test]
    fn cbor_and_json_are_an_array_of_ids() {
        let path = AreaPath::new(&[id(1), id(2)]).unwrap();
        let bytes = minicbor::to_vec(path).unwrap();
        assert_eq!(bytes, minicbor::to_vec(vec![id(1), id(2)]).unwrap());
        assert_eq!(minicbor::decode::<AreaPath>(&bytes).unwrap(), path);
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<AreaPath>(&json).unwrap(), path);
    }
}
