//! Points and polygons on the map, in integers of 1e-7 degree WGS-84.
//!
//! Points are tested in exact integer arithmetic, so phone and server always agree to the last unit. A point
//! on a ring belongs to the polygon. Polygons that cross the 180th meridian are not supported.
//!
//! The import checks that rings do not cross each other or their own sides. This module reads a ring by the
//! even-odd rule, so that even a bad ring gives every replica the same answer.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use crate::domain::geometry::GeometryError;
pub use crate::domain::point::{BoundingBox, E7_PER_DEGREE, GeoPoint};
use crate::limits::{AREA_POLYGONS_MAX, AREA_RING_POINTS_MAX, AREA_RINGS_MAX};

/// The place of a point relative to a ring, polygon or boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// Outside.
    Outside,
    /// On a ring, exactly.
    Edge,
    /// Inside.
    Inside,
}

/// A closed ring of at least three different corners; the closing point is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring(Vec<GeoPoint>);

impl Ring {
    /// A ring from its points. The last point repeats the first.
    pub fn from_closed(mut points: Vec<GeoPoint>) -> Result<Self, GeometryError> {
        if points.len() < 4 {
            return Err(GeometryError::TooFewPoints(points.len()));
        }
        if points.first() != points.last() {
            return Err(GeometryError::UnclosedRing);
        }
        points.pop();
        Self::from_corners(points)
    }

    fn from_corners(points: Vec<GeoPoint>) -> Result<Self, GeometryError> {
        if points.len() < 3 {
            return Err(GeometryError::TooFewPoints(points.len() + 1));
        }
        if points.len() >= AREA_RING_POINTS_MAX {
            return Err(GeometryError::TooManyPoints);
        }
        Ok(Self(points))
    }

    /// The corners, each once.
    #[must_use]
    pub fn corners(&self) -> &[GeoPoint] {
        &self.0
    }

    /// The sides, the closing one included.
    pub fn sides(&self) -> impl Iterator<Item = (GeoPoint, GeoPoint)> + '_ {
        let next = self.0.iter().skip(1).chain(self.0.first());
        self.0.iter().copied().zip(next.copied())
    }

    fn locate(&self, point: GeoPoint) -> Location {
        let mut inside = false;
        for (a, b) in self.sides() {
            let turn = turn(a, b, point);
            if turn == 0 && BoundingBox::of(&[a, b]).contains(point) {
                return Location::Edge;
            }
            // A ray to the east crosses this side: half-open in latitude, so a corner counts once.
            let upward = a.lat_e7() <= point.lat_e7() && point.lat_e7() < b.lat_e7();
            let downward = b.lat_e7() <= point.lat_e7() && point.lat_e7() < a.lat_e7();
            if (upward && turn > 0) || (downward && turn < 0) {
                inside = !inside;
            }
        }
        if inside {
            Location::Inside
        } else {
            Location::Outside
        }
    }
}

/// An outer ring with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polygon {
    /// The outer ring.
    pub outer: Ring,
    /// The holes; the ring of a hole belongs to the polygon.
    pub holes: Vec<Ring>,
}

impl Polygon {
    /// The place of the point.
    #[must_use]
    pub fn locate(&self, point: GeoPoint) -> Location {
        let outer = self.outer.locate(point);
        if outer != Location::Inside {
            return outer;
        }
        for hole in &self.holes {
            match hole.locate(point) {
                Location::Inside => return Location::Outside,
                Location::Edge => return Location::Edge,
                Location::Outside => {}
            }
        }
        Location::Inside
    }

    /// The outer ring, then the holes.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.outer).chain(&self.holes)
    }
}

/// The boundary of an area: one polygon or several, with their bounding box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    polygons: Vec<Polygon>,
    bounds: BoundingBox,
}

impl Boundary {
    /// A boundary of at least one polygon, within the limits on parts.
    pub fn new(polygons: Vec<Polygon>) -> Result<Self, GeometryError> {
        let rings: usize = polygons.iter().map(|polygon| 1 + polygon.holes.len()).sum();
        if polygons.len() > AREA_POLYGONS_MAX || rings > AREA_RINGS_MAX {
            return Err(GeometryError::TooManyParts);
        }
        let bounds = polygons
            .iter()
            .map(|polygon| BoundingBox::of(polygon.outer.corners()))
            .reduce(BoundingBox::joined)
            .ok_or(GeometryError::Empty)?;
        Ok(Self { polygons, bounds })
    }

    /// Its polygons.
    #[must_use]
    pub fn polygons(&self) -> &[Polygon] {
        &self.polygons
    }

    /// The box around all polygons.
    #[must_use]
    pub fn bounds(&self) -> BoundingBox {
        self.bounds
    }

    /// The place of the point. The box is tested first.
    #[must_use]
    pub fn locate(&self, point: GeoPoint) -> Location {
        if !self.bounds.contains(point) {
            return Location::Outside;
        }
        let mut found = Location::Outside;
        for polygon in &self.polygons {
            match polygon.locate(point) {
                Location::Inside => return Location::Inside,
                Location::Edge => found = Location::Edge,
                Location::Outside => {}
            }
        }
        found
    }

    /// Whether the point lies inside or on a ring.
    #[must_use]
    pub fn contains(&self, point: GeoPoint) -> bool {
        self.locate(point) != Location::Outside
    }

    /// Distance of the point from the boundary's area in metres, 0 inside (flat map, see
    /// [`GeoPoint::distance_m`]).
    #[must_use]
    pub fn distance_m(&self, point: GeoPoint) -> f64 {
        if self.contains(point) {
            return 0.0;
        }
        let sides = self
            .polygons
            .iter()
            .flat_map(Polygon::rings)
            .flat_map(Ring::sides);
        sides
            .map(|(a, b)| distance_to_side_m(point, a, b))
            .fold(f64::INFINITY, f64::min)
    }
}

/// Twice the signed area of the triangle: positive when `point` lies to the left of `a` → `b`
/// (east is x, north is y). Exact: the factors have 33 bits.
fn turn(a: GeoPoint, b: GeoPoint, point: GeoPoint) -> i128 {
    let wide = |value: i32| i128::from(value);
    (wide(b.lon_e7()) - wide(a.lon_e7())) * (wide(point.lat_e7()) - wide(a.lat_e7()))
        - (wide(point.lon_e7()) - wide(a.lon_e7())) * (wide(b.lat_e7()) - wide(a.lat_e7()))
}

fn distance_to_side_m(point: GeoPoint, a: GeoPoint, b: GeoPoint) -> f64 {
    let (ax, ay) = point.offset_m(a);
    let (bx, by) = point.offset_m(b);
    let (dx, dy) = (bx - ax, by - ay);
    let length_squared = dx * dx + dy * dy;
    let along = if length_squared > 0.0 {
        (-(ax * dx + ay * dy) / length_squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let (x, y) = (ax + along * dx, ay + along * dy);
    (x * x + y * y).sqrt()
}

/// Array of polygons; a polygon is an array of rings; a ring is one flat array of integers:
/// latitude and longitude of its first corner, then the differences from corner to corner.
impl<C> minicbor::Encode<C> for Boundary {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(self.polygons.len() as u64)?;
        for polygon in &self.polygons {
            e.array(1 + polygon.holes.len() as u64)?;
            for ring in polygon.rings() {
                e.array(2 * ring.corners().len() as u64)?;
                let (mut lat, mut lon) = (0, 0);
                for corner in ring.corners() {
                    let (next_lat, next_lon) =
                        (i64::from(corner.lat_e7()), i64::from(corner.lon_e7()));
                    e.i64(next_lat - lat)?.i64(next_lon - lon)?;
                    (lat, lon) = (next_lat, next_lon);
                }
            }
        }
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Boundary {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let refused = |error| DecodeError::message(error).at(at);
        let polygon_count = bounded(d, AREA_POLYGONS_MAX)?;
        let mut polygons = Vec::new();
        for _ in 0..polygon_count {
            let ring_count = bounded(d, AREA_RINGS_MAX)?;
            let mut rings = Vec::new();
            for _ in 0..ring_count {
                rings.push(decode_ring(d)?);
            }
            let mut rings = rings.into_iter();
            let outer = rings.next().ok_or_else(|| refused(GeometryError::Empty))?;
            polygons.push(Polygon {
                outer,
                holes: rings.collect(),
            });
        }
        Self::new(polygons).map_err(refused)
    }
}

fn decode_ring(d: &mut Decoder<'_>) -> Result<Ring, DecodeError> {
    let at = d.position();
    let refused = |error: GeometryError| DecodeError::message(error).at(at);
    let count = bounded(d, 2 * AREA_RING_POINTS_MAX)?;
    if count % 2 != 0 {
        return Err(DecodeError::message("a ring holds pairs of integers").at(at));
    }
    let (mut lat, mut lon) = (0_i64, 0_i64);
    let mut corners = Vec::new();
    for _ in 0..count / 2 {
        lat = lat.saturating_add(d.i64()?);
        lon = lon.saturating_add(d.i64()?);
        let narrow = |value| i32::try_from(value).map_err(|_| refused(GeometryError::OutOfRange));
        corners.push(GeoPoint::new(narrow(lat)?, narrow(lon)?).map_err(refused)?);
    }
    Ring::from_corners(corners).map_err(refused)
}

/// The length of a definite array, at most `max`.
pub(crate) fn bounded(d: &mut Decoder<'_>, max: usize) -> Result<usize, DecodeError> {
    let at = d.position();
    d.array()?
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count <= max)
        .ok_or_else(|| DecodeError::message("a list is indefinite or too long").at(at))
}

#[cfg(test)]
#[path = "polygon_tests.rs"]
mod tests;
