//! Points on the map and boxes around them, in integers of 1e-7 degree WGS-84.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use crate::domain::fixed_math::cos_deg;
use crate::domain::geometry::GeometryError;

/// Units of 1e-7 degree in one degree.
pub const E7_PER_DEGREE: i32 = 10_000_000;
/// Length of 1e-7 degree of latitude in metres (mean earth radius 6,371,008.8 m).
const METRES_PER_E7: f64 = 0.011_119_508_0;

/// A point on the earth: WGS-84, within ±90° and ±180°.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeoPoint {
    lat_e7: i32,
    lon_e7: i32,
}

impl GeoPoint {
    /// A point from units of 1e-7 degree.
    pub fn new(lat_e7: i32, lon_e7: i32) -> Result<Self, GeometryError> {
        let inside = lat_e7.unsigned_abs() <= 90 * E7_PER_DEGREE.unsigned_abs()
            && lon_e7.unsigned_abs() <= 180 * E7_PER_DEGREE.unsigned_abs();
        if inside {
            Ok(Self { lat_e7, lon_e7 })
        } else {
            Err(GeometryError::OutOfRange)
        }
    }

    /// A point from degrees, rounded to 1e-7 (about 1 cm).
    pub fn from_degrees(lat: f64, lon: f64) -> Result<Self, GeometryError> {
        let inside = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        if !inside {
            return Err(GeometryError::OutOfRange);
        }
        let scale = f64::from(E7_PER_DEGREE);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most ±1.8e9, checked above"
        )]
        Self::new((lat * scale).round() as i32, (lon * scale).round() as i32)
    }

    /// Latitude in 1e-7 degree, north positive.
    #[must_use]
    pub fn lat_e7(self) -> i32 {
        self.lat_e7
    }

    /// Longitude in 1e-7 degree, east positive.
    #[must_use]
    pub fn lon_e7(self) -> i32 {
        self.lon_e7
    }

    /// Latitude in degrees.
    #[must_use]
    pub fn lat(self) -> f64 {
        f64::from(self.lat_e7) / f64::from(E7_PER_DEGREE)
    }

    /// Longitude in degrees.
    #[must_use]
    pub fn lon(self) -> f64 {
        f64::from(self.lon_e7) / f64::from(E7_PER_DEGREE)
    }

    /// Distance in metres, on a flat map around `self`: right to 1 % below 10 km.
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        let (x, y) = self.offset_m(other);
        (x * x + y * y).sqrt()
    }

    /// Metres of 1e-7 degree northwards and eastwards, on a flat map around `self`.
    #[must_use]
    pub fn metres_per_e7(self) -> (f64, f64) {
        (METRES_PER_E7, METRES_PER_E7 * cos_deg(self.lat()))
    }

    /// The box that holds everything within a distance, cut at the poles and at the 180th meridian.
    #[must_use]
    pub fn around(self, radius_m: u32) -> BoundingBox {
        let (north_m, east_m) = self.metres_per_e7();
        let reach = |metres_per_e7: f64, max_e7: i32| {
            let e7 = (f64::from(radius_m) / metres_per_e7)
                .ceil()
                .min(f64::from(max_e7));
            #[expect(clippy::cast_possible_truncation, reason = "at most 3.6e9, as an i64")]
            let e7 = e7 as i64 + 1;
            e7
        };
        let (lat_max, lon_max) = (90 * E7_PER_DEGREE, 180 * E7_PER_DEGREE);
        let within = |value: i32, by: i64, max: i32| {
            let moved = i64::from(value).saturating_add(by);
            let bound = moved.clamp(-i64::from(max), i64::from(max));
            i32::try_from(bound).unwrap_or(value)
        };
        let (lat, lon) = (reach(north_m, lat_max), reach(east_m.max(1e-9), lon_max));
        let corner = |sign: i64| Self {
            lat_e7: within(self.lat_e7, sign * lat, lat_max),
            lon_e7: within(self.lon_e7, sign * lon, lon_max),
        };
        BoundingBox {
            min: corner(-1),
            max: corner(1),
        }
    }

    /// Metres east and north from `self` to `other`.
    pub(crate) fn offset_m(self, other: Self) -> (f64, f64) {
        let east = f64::from(other.lon_e7) - f64::from(self.lon_e7);
        let north = f64::from(other.lat_e7) - f64::from(self.lat_e7);
        (
            east * METRES_PER_E7 * cos_deg(self.lat()),
            north * METRES_PER_E7,
        )
    }
}

/// The smallest box with sides along the parallels and meridians that holds some points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundingBox {
    /// South-western corner.
    pub min: GeoPoint,
    /// North-eastern corner.
    pub max: GeoPoint,
}

impl BoundingBox {
    pub(crate) fn of(points: &[GeoPoint]) -> Self {
        let first = points[0];
        let (mut min, mut max) = (first, first);
        for point in points {
            min.lat_e7 = min.lat_e7.min(point.lat_e7);
            min.lon_e7 = min.lon_e7.min(point.lon_e7);
            max.lat_e7 = max.lat_e7.max(point.lat_e7);
            max.lon_e7 = max.lon_e7.max(point.lon_e7);
        }
        Self { min, max }
    }

    pub(crate) fn joined(self, other: Self) -> Self {
        Self::of(&[self.min, self.max, other.min, other.max])
    }

    /// Whether the box, border included, holds the point.
    #[must_use]
    pub fn contains(&self, point: GeoPoint) -> bool {
        (self.min.lat_e7..=self.max.lat_e7).contains(&point.lat_e7)
            && (self.min.lon_e7..=self.max.lon_e7).contains(&point.lon_e7)
    }

    /// Distance of the box from a point in metres, 0 inside.
    #[must_use]
    pub fn distance_m(&self, point: GeoPoint) -> f64 {
        point.distance_m(GeoPoint {
            lat_e7: point.lat_e7.clamp(self.min.lat_e7, self.max.lat_e7),
            lon_e7: point.lon_e7.clamp(self.min.lon_e7, self.max.lon_e7),
        })
    }
}

impl<C> minicbor::Encode<C> for GeoPoint {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(2)?.i32(self.lat_e7)?.i32(self.lon_e7)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for GeoPoint {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.array()? != Some(2) {
            return Err(DecodeError::message("a point is two integers").at(at));
        }
        Self::new(d.i32()?, d.i32()?).map_err(|error| DecodeError::message(error).at(at))
    }
}
