//! Positions of phones and maps: range checks, datum conversion, rounding for the bulletin.
//!
//! Chinese maps and many phones do not use WGS-84. GCJ-02 is shifted by some hundred metres, and BD-09 by
//! about a kilometre more. The author's phone converts once, and records carry the WGS-84 integers, so
//! replicas agree without the conversion. The conversion uses only `+ - * / sqrt` (`fixed_math`), so it gives
//! the same bits on every machine all the same.
//!
//! The formulas of GCJ-02 and BD-09 are the publicly known reverse-engineered ones. Points outside
//! 72.004-137.8347° E, 0.8293-55.8271° N are not shifted. The inverse is iterated and returns to the start
//! within 0.5 m (tested: a few centimetres).

use std::f64::consts::PI;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::domain::fixed_math::sin_pi;
use crate::domain::polygon::GeoPoint;
use crate::limits::{POSITION_ACCURACY_M_MAX, POSITION_FIX_AGE_MS_MAX};

/// Above this radius (metres), the app lets the person confirm the grid.
pub const CONFIRM_ACCURACY_M: u32 = 50;
/// Grid of rounded positions in the bulletin: 1e-3 degree, about 100 m.
const BULLETIN_STEP_E7: i32 = 10_000;
/// Semi-major axis (m) and squared eccentricity of the Krasovsky ellipsoid that GCJ-02 uses.
const KRASOVSKY: (f64, f64) = (6_378_245.0, 0.006_693_421_622_965_943);
/// Steps of the inverse. Each step divides the error by more than 100.
const INVERSE_STEPS: usize = 8;

coded_error! {
    /// The reason why a position is invalid.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum PositionError {
        /// The latitude is beyond ±90°, the longitude is beyond ±180°, or one of them is not a number.
        #[error("position.out_of_range: latitude is within ±90°, longitude within ±180°")]
        OutOfRange,
        /// The accuracy is above `limits::POSITION_ACCURACY_M_MAX`.
        #[error("position.bad_accuracy: the accuracy is beyond {POSITION_ACCURACY_M_MAX} m")]
        BadAccuracy,
        /// The age is above `limits::POSITION_FIX_AGE_MS_MAX`.
        #[error("position.too_old: the fix is too old to be a position")]
        TooOld,
    }
}

/// The reference that coordinates are given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Datum {
    /// GPS and all stored positions.
    #[default]
    #[n(0)]
    Wgs84,
    /// Maps of mainland China (高德, 腾讯).
    #[n(1)]
    Gcj02,
    /// 百度 maps.
    #[n(2)]
    Bd09,
}

impl Datum {
    /// All datums.
    pub const ALL: [Self; 3] = [Self::Wgs84, Self::Gcj02, Self::Bd09];

    /// The word for files and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "wgs84",
            Self::Gcj02 => "gcj02",
            Self::Bd09 => "bd09",
        }
    }

    /// The datum of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|datum| datum.as_str() == word)
    }

    /// Converts a point in this datum to WGS-84.
    #[must_use]
    pub fn to_wgs84(self, point: GeoPoint) -> GeoPoint {
        let start = (point.lat(), point.lon());
        let (lat, lon) = match self {
            Self::Gcj02 => gcj02_to_wgs84(start),
            Self::Bd09 if in_china(start) => gcj02_to_wgs84(bd09_to_gcj02(start)),
            Self::Wgs84 | Self::Bd09 => return point,
        };
        GeoPoint::from_degrees(lat, lon).unwrap_or(point)
    }

    /// Converts a WGS-84 point to this datum.
    #[must_use]
    pub fn from_wgs84(self, point: GeoPoint) -> GeoPoint {
        let start = (point.lat(), point.lon());
        let (lat, lon) = match self {
            Self::Gcj02 => wgs84_to_gcj02(start),
            Self::Bd09 if in_china(start) => gcj02_to_bd09(wgs84_to_gcj02(start)),
            Self::Wgs84 | Self::Bd09 => return point,
        };
        GeoPoint::from_degrees(lat, lon).unwrap_or(point)
    }
}

/// The place of a phone, with the known quality of the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    point: GeoPoint,
    datum: Datum,
    accuracy_m: Option<u32>,
    fix_age_ms: u32,
}

impl Position {
    /// A position from units of 1e-7 degree. `accuracy_m` is the radius that the device claims, and `None` if
    /// it claims none. `fix_age_ms` is the age of the fix when it was used.
    pub fn new(
        lat_e7: i32,
        lon_e7: i32,
        datum: Datum,
        accuracy_m: Option<u32>,
        fix_age_ms: u32,
    ) -> Result<Self, PositionError> {
        let point = GeoPoint::new(lat_e7, lon_e7).map_err(|_| PositionError::OutOfRange)?;
        if accuracy_m.is_some_and(|metres| metres > POSITION_ACCURACY_M_MAX) {
            return Err(PositionError::BadAccuracy);
        }
        if fix_age_ms > POSITION_FIX_AGE_MS_MAX {
            return Err(PositionError::TooOld);
        }
        Ok(Self {
            point,
            datum,
            accuracy_m,
            fix_age_ms,
        })
    }

    /// A position from degrees, checked as in [`Self::new`]. A value that is not a number is out of range.
    pub fn from_degrees(
        lat: f64,
        lon: f64,
        datum: Datum,
        accuracy_m: Option<u32>,
        fix_age_ms: u32,
    ) -> Result<Self, PositionError> {
        let point = GeoPoint::from_degrees(lat, lon).map_err(|_| PositionError::OutOfRange)?;
        Self::new(
            point.lat_e7(),
            point.lon_e7(),
            datum,
            accuracy_m,
            fix_age_ms,
        )
    }

    /// The point, in the datum that [`Self::datum`] names.
    #[must_use]
    pub fn point(&self) -> GeoPoint {
        self.point
    }

    /// The datum of the point.
    #[must_use]
    pub fn datum(&self) -> Datum {
        self.datum
    }

    /// Claimed radius in metres.
    #[must_use]
    pub fn accuracy_m(&self) -> Option<u32> {
        self.accuracy_m
    }

    /// Age of the fix in milliseconds when it was used.
    #[must_use]
    pub fn fix_age_ms(&self) -> u32 {
        self.fix_age_ms
    }

    /// The position in WGS-84, as records carry it.
    #[must_use]
    pub fn to_wgs84(&self) -> Self {
        Self {
            point: self.wgs84(),
            datum: Datum::Wgs84,
            ..*self
        }
    }

    /// The point in WGS-84.
    #[must_use]
    pub fn wgs84(&self) -> GeoPoint {
        self.datum.to_wgs84(self.point)
    }

    /// Whether the person must confirm the grid, because the accuracy is unknown or worse than 50 m.
    #[must_use]
    pub fn needs_confirmation(&self) -> bool {
        self.accuracy_m
            .is_none_or(|metres| metres > CONFIRM_ACCURACY_M)
    }

    /// The WGS-84 point rounded to 1e-3 degree (about 100 m) for the bulletin. Every person in the village
    /// reads the bulletin, so the point must not show a single door.
    #[must_use]
    pub fn rounded_for_bulletin(&self) -> GeoPoint {
        let round =
            |e7: i32| (e7 + BULLETIN_STEP_E7 / 2).div_euclid(BULLETIN_STEP_E7) * BULLETIN_STEP_E7;
        let point = self.wgs84();
        let rounded = GeoPoint::new(round(point.lat_e7()), round(point.lon_e7()));
        rounded.expect("±90° and ±180° are multiples of the step, so rounding stays in range")
    }
}

impl<C> Encode<C> for Position {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(5)?
            .i32(self.point.lat_e7())?
            .i32(self.point.lon_e7())?;
        e.encode_with(self.datum, ctx)?
            .encode_with(self.accuracy_m, ctx)?;
        e.u32(self.fix_age_ms)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Position {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.array()? != Some(5) {
            return Err(DecodeError::message("a position has five parts").at(at));
        }
        let (lat_e7, lon_e7) = (d.i32()?, d.i32()?);
        let (datum, accuracy_m) = (d.decode_with(ctx)?, d.decode_with(ctx)?);
        Self::new(lat_e7, lon_e7, datum, accuracy_m, d.u32()?)
            .map_err(|error| DecodeError::message(error).at(at))
    }
}

/// Latitude and longitude in degrees.
type LatLon = (f64, f64);

fn in_china((lat, lon): LatLon) -> bool {
    (72.004..=137.8347).contains(&lon) && (0.8293..=55.8271).contains(&lat)
}

fn wgs84_to_gcj02(point: LatLon) -> LatLon {
    if in_china(point) {
        shifted(point)
    } else {
        point
    }
}

/// The shift of GCJ-02, without asking whether the point lies in China.
fn shifted((lat, lon): LatLon) -> LatLon {
    let (x, y) = (lon - 105.0, lat - 35.0);
    let root = x.abs().sqrt();
    let wave = |t: f64| 20.0 * sin_pi(t) + 40.0 * sin_pi(t / 3.0);
    let common = 20.0 * sin_pi(6.0 * x) + 20.0 * sin_pi(2.0 * x);
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + (common + wave(y) + 160.0 * sin_pi(y / 12.0) + 320.0 * sin_pi(y / 30.0)) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + (common + wave(x) + 150.0 * sin_pi(x / 12.0) + 300.0 * sin_pi(x / 30.0)) * 2.0 / 3.0;
    let (axis_m, eccentricity) = KRASOVSKY;
    let sine = sin_pi(lat / 180.0);
    let magic = 1.0 - eccentricity * sine * sine;
    let root = magic.sqrt();
    let cosine = sin_pi(lat / 180.0 + 0.5);
    let lat_shift = north * 180.0 / ((axis_m * (1.0 - eccentricity)) / (magic * root) * PI);
    let lon_shift = east * 180.0 / (axis_m / root * cosine * PI);
    (lat + lat_shift, lon + lon_shift)
}

/// Solves `shifted(p) = point`. A point that shows outside China was never shifted.
fn gcj02_to_wgs84(point: LatLon) -> LatLon {
    if !in_china(point) {
        return point;
    }
    let mut guess = point;
    for _ in 0..INVERSE_STEPS {
        let image = shifted(guess);
        guess = (guess.0 + point.0 - image.0, guess.1 + point.1 - image.1);
    }
    guess
}

/// The rotation and stretching of BD-09, by an angle of some microradians and a factor near 1. Both depend on
/// the GCJ-02 point. Returns (factor shift, angle).
fn bd09_terms((lat, lon): LatLon) -> (f64, f64) {
    // sin(lat · π·3000/180) and cos(lon · π·3000/180).
    let stretch = 0.000_02 * sin_pi(lat * 3000.0 / 180.0);
    let angle = 0.000_003 * sin_pi(lon * 3000.0 / 180.0 + 0.5);
    (stretch, angle)
}

/// Turns (lat, lon) by a small angle and sets its length. The series is exact to the last bit below
/// 1e-5.
fn turned((lat, lon): LatLon, length_shift: f64, angle: f64) -> LatLon {
    let length = (lat * lat + lon * lon).sqrt();
    let factor = (length + length_shift) / length;
    let (sine, cosine) = (
        angle - angle * angle * angle / 6.0,
        1.0 - angle * angle / 2.0,
    );
    (
        (lat * cosine + lon * sine) * factor,
        (lon * cosine - lat * sine) * factor,
    )
}

fn gcj02_to_bd09(point: LatLon) -> LatLon {
    let (stretch, angle) = bd09_terms(point);
    let (lat, lon) = turned(point, stretch, angle);
    (lat + 0.006, lon + 0.006_5)
}

fn bd09_to_gcj02(point: LatLon) -> LatLon {
    let (mut lat, mut lon) = (point.0 - 0.006, point.1 - 0.006_5);
    for _ in 0..INVERSE_STEPS {
        let image = gcj02_to_bd09((lat, lon));
        (lat, lon) = (lat + point.0 - image.0, lon + point.1 - image.1);
    }
    (lat, lon)
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
