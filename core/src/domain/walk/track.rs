//! The way of one phone, in parts that are whole by themselves.
//!
//! ```text
//!  part  = version 1 · flags · accuracy · at_s · lat · lon · step_s · count · point*
//!  point = short: one byte, latitude in the high half (0..=14), longitude in the low half
//!        | long:  0xF0 + flags · [seconds] · [accuracy] · latitude · longitude
//! ```
//!
//! **Units.** A place is in 1e-5 degree: 1.1 m of latitude. Phones in a street know their place to 3 to 10 m,
//! so a finer unit stores noise. A time is in seconds. Numbers are varints of 7 bits, least first; signed ones are
//! zigzag. A point is the difference to the one before. A person who walks moves 6 m in 5 s, so most points are
//! one byte.
//!
//! **Invariants.** Bytes from outside never panic, and never become more points than bytes. A part needs no other
//! part. Times grow.

use crate::base32;
use crate::domain::point::{E7_PER_DEGREE, GeoPoint};
use crate::limits::{TRACK_BYTES_MAX, TRACK_POINTS_MAX};

/// Units of 1e-7 degree in one unit of a track.
const E7_PER_UNIT: i32 = 100;
const LAT_MAX: i32 = 90 * (E7_PER_DEGREE / E7_PER_UNIT);
const LON_MAX: i32 = 180 * (E7_PER_DEGREE / E7_PER_UNIT);
const VERSION: u8 = 1;
/// The phone did not record in the time before the point.
const GAP: u8 = 4;
const OTHER_TIME: u8 = 1;
const OTHER_ACCURACY: u8 = 2;
const LONG: u8 = 0xF0;
/// Three bytes and five numbers.
const HEAD_BYTES_MAX: usize = 3 + 5 * 5;
/// Seconds without a point that make a gap, even where the phone marked none.
pub const GAP_S: u32 = 60;

coded_enum! {
    /// The radius that the phone claimed for a point, in steps.
    Accuracy, u8 {
        /// At most 5 m.
        Metres5 = 0, "5m";
        /// At most 10 m.
        Metres10 = 1, "10m";
        /// At most 20 m.
        Metres20 = 2, "20m";
        /// At most 50 m.
        Metres50 = 3, "50m";
        /// At most 100 m.
        Metres100 = 4, "100m";
        /// Worse, or unknown.
        Vague = 5, "vague";
    }
}

impl Accuracy {
    /// The class of a radius in metres; `None` where the phone claims none.
    #[must_use]
    pub fn of_metres(metres: Option<u32>) -> Self {
        match metres {
            Some(0..=5) => Self::Metres5,
            Some(6..=10) => Self::Metres10,
            Some(11..=20) => Self::Metres20,
            Some(21..=50) => Self::Metres50,
            Some(51..=100) => Self::Metres100,
            _ => Self::Vague,
        }
    }

    /// The largest radius of the class in metres; `None` for a radius that says nothing about a street.
    #[must_use]
    pub fn metres(self) -> Option<u32> {
        match self {
            Self::Metres5 => Some(5),
            Self::Metres10 => Some(10),
            Self::Metres20 => Some(20),
            Self::Metres50 => Some(50),
            Self::Metres100 | Self::Vague => None,
        }
    }
}

/// A point of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackPoint {
    /// The clock of the phone, seconds UTC.
    pub at_s: u32,
    /// Latitude in 1e-5 degree, WGS-84.
    pub lat_e5: i32,
    /// Longitude in 1e-5 degree, WGS-84.
    pub lon_e5: i32,
    /// The claimed radius.
    pub accuracy: Accuracy,
    /// The phone did not record before this point.
    pub after_gap: bool,
}

coded_error! {
    /// The reason why points are no part of a track, or bytes hold none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum TrackError {
        /// No points.
        #[error("track.empty")]
        Empty,
        /// More points or bytes than a part has.
        #[error("track.too_long")]
        TooLong,
        /// A point is not later than the one before.
        #[error("track.order")]
        Order,
        /// A point is not on the earth.
        #[error("track.place")]
        Place,
        /// The bytes are cut or damaged.
        #[error("track.damaged")]
        Damaged,
        /// All points are from a time when the walk was not open.
        #[error("track.outside")]
        Outside,
        /// A newer app wrote the part.
        #[error("track.newer")]
        Newer,
    }
}

impl TrackPoint {
    /// A point at a place, rounded to 1e-5 degree. `at_ms`: the clock of the phone, ms UTC. `None` for a clock
    /// before 1970 or after 2106.
    #[must_use]
    pub fn at(place: GeoPoint, at_ms: i64, accuracy_m: Option<u32>) -> Option<Self> {
        let rounded = |e7: i32| (e7 + E7_PER_UNIT / 2).div_euclid(E7_PER_UNIT);
        Some(Self {
            at_s: u32::try_from(at_ms.div_euclid(1_000)).ok()?,
            lat_e5: rounded(place.lat_e7()).min(LAT_MAX),
            lon_e5: rounded(place.lon_e7()).min(LON_MAX),
            accuracy: Accuracy::of_metres(accuracy_m),
            after_gap: false,
        })
    }

    /// The same point, with a mark that the phone did not record before it.
    #[must_use]
    pub fn after_gap(self) -> Self {
        Self {
            after_gap: true,
            ..self
        }
    }

    /// The place; `None` outside the earth.
    #[must_use]
    pub fn place(&self) -> Option<GeoPoint> {
        let (lat, lon) = (self.lat_e5, self.lon_e5);
        let inside = (-LAT_MAX..=LAT_MAX).contains(&lat) && (-LON_MAX..=LON_MAX).contains(&lon);
        let point = inside.then(|| GeoPoint::new(lat * E7_PER_UNIT, lon * E7_PER_UNIT))?;
        point.ok()
    }

    /// The clock of the phone, ms UTC.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        i64::from(self.at_s) * 1_000
    }

    /// Whether the way before this point is unknown.
    #[must_use]
    pub fn has_gap_after(&self, before: &Self) -> bool {
        self.after_gap || self.at_s.saturating_sub(before.at_s) > GAP_S
    }
}

/// Writes one part of a track.
pub fn encode(points: &[TrackPoint]) -> Result<Vec<u8>, TrackError> {
    let first = points.first().ok_or(TrackError::Empty)?;
    if points.len() > TRACK_POINTS_MAX {
        return Err(TrackError::TooLong);
    }
    if points.windows(2).any(|pair| pair[0].at_s >= pair[1].at_s) {
        return Err(TrackError::Order);
    }
    if points.iter().any(|point| point.place().is_none()) {
        return Err(TrackError::Place);
    }
    let step_s = usual_step_s(points);
    let mut out = vec![VERSION, flag(first.after_gap, GAP), first.accuracy.code()];
    put(&mut out, first.at_s);
    put(&mut out, zigzag(first.lat_e5));
    put(&mut out, zigzag(first.lon_e5));
    put(&mut out, step_s);
    put(
        &mut out,
        u32::try_from(points.len()).map_err(|_| TrackError::TooLong)?,
    );
    for pair in points.windows(2) {
        put_point(&mut out, &pair[0], &pair[1], step_s);
    }
    if out.len() > TRACK_BYTES_MAX {
        return Err(TrackError::TooLong);
    }
    Ok(out)
}

/// Reads one part of a track.
pub fn decode(bytes: &[u8]) -> Result<Vec<TrackPoint>, TrackError> {
    if bytes.len() > TRACK_BYTES_MAX {
        return Err(TrackError::TooLong);
    }
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return Err(TrackError::Newer);
    }
    let flags = reader.byte()?;
    if flags & !GAP != 0 {
        return Err(TrackError::Damaged);
    }
    let mut point = TrackPoint {
        accuracy: reader.accuracy()?,
        at_s: reader.number()?,
        lat_e5: reader.signed()?,
        lon_e5: reader.signed()?,
        after_gap: flags & GAP != 0,
    };
    let (step_s, count) = (reader.number()?, reader.number()?);
    let count = usize::try_from(count).map_err(|_| TrackError::TooLong)?;
    // Each further point has a byte, so a count beyond the bytes claims points that are not there.
    if count > TRACK_POINTS_MAX || count > reader.0.len() + 1 {
        return Err(TrackError::TooLong);
    }
    point.place().ok_or(TrackError::Place)?;
    let mut points = Vec::with_capacity(count);
    if count == 0 {
        return Err(TrackError::Empty);
    }
    points.push(point);
    for _ in 1..count {
        point = reader.point(&point, step_s)?;
        points.push(point);
    }
    if !reader.0.is_empty() {
        return Err(TrackError::Damaged);
    }
    Ok(points)
}

/// One part as the text of a log entry.
pub fn to_text(points: &[TrackPoint]) -> Result<String, TrackError> {
    Ok(base32::encode(&encode(points)?))
}

/// Reads the text of a log entry.
pub fn of_text(text: &str) -> Result<Vec<TrackPoint>, TrackError> {
    decode(&base32::decode(text).ok_or(TrackError::Damaged)?)
}

/// Splits points into parts that [`encode`] takes: each has as many points as surely fit.
#[must_use]
pub fn parts(points: &[TrackPoint]) -> Vec<&[TrackPoint]> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, HEAD_BYTES_MAX);
    let mut point = Vec::new();
    for at in 1..points.len() {
        point.clear();
        // Without a usual time the point is longer than it will be.
        put_point(&mut point, &points[at - 1], &points[at], 0);
        bytes += point.len();
        if at - start >= TRACK_POINTS_MAX || bytes > TRACK_BYTES_MAX {
            parts.push(&points[start..at]);
            (start, bytes) = (at, HEAD_BYTES_MAX);
        }
    }
    if start < points.len() {
        parts.push(&points[start..]);
    }
    parts
}

/// The time between two points that occurs most; the shortest of equally frequent ones.
fn usual_step_s(points: &[TrackPoint]) -> u32 {
    let mut steps: Vec<u32> = points
        .windows(2)
        .map(|pair| pair[1].at_s - pair[0].at_s)
        .collect();
    steps.sort_unstable();
    let most = steps
        .chunk_by(|a, b| a == b)
        .rev()
        .max_by_key(|same| same.len());
    most.map_or(1, |same| same[0])
}

fn put_point(out: &mut Vec<u8>, before: &TrackPoint, point: &TrackPoint, step_s: u32) {
    let seconds = point.at_s.wrapping_sub(before.at_s);
    let lat = zigzag(point.lat_e5.wrapping_sub(before.lat_e5));
    let lon = zigzag(point.lon_e5.wrapping_sub(before.lon_e5));
    let flags = flag(seconds != step_s, OTHER_TIME)
        | flag(point.accuracy != before.accuracy, OTHER_ACCURACY)
        | flag(point.after_gap, GAP);
    if let (0, Ok(high @ 0..=14), Ok(low @ 0..=15)) = (flags, u8::try_from(lat), u8::try_from(lon))
    {
        out.push(high << 4 | low);
        return;
    }
    out.push(LONG | flags);
    if flags & OTHER_TIME != 0 {
        put(out, seconds);
    }
    if flags & OTHER_ACCURACY != 0 {
        out.push(point.accuracy.code());
    }
    put(out, lat);
    put(out, lon);
}

fn flag(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

fn put(out: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        out.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

#[expect(clippy::cast_sign_loss, reason = "zigzag keeps all bits")]
fn zigzag(number: i32) -> u32 {
    ((number << 1) ^ (number >> 31)) as u32
}

#[expect(clippy::cast_possible_wrap, reason = "zigzag keeps all bits")]
fn unzigzag(number: u32) -> i32 {
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, TrackError> {
        let (first, rest) = self.0.split_first().ok_or(TrackError::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u32, TrackError> {
        let mut number = 0_u64;
        for place in 0..5 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return u32::try_from(number).map_err(|_| TrackError::Damaged);
            }
        }
        Err(TrackError::Damaged)
    }

    fn signed(&mut self) -> Result<i32, TrackError> {
        Ok(unzigzag(self.number()?))
    }

    fn accuracy(&mut self) -> Result<Accuracy, TrackError> {
        Accuracy::from_code(self.byte()?).ok_or(TrackError::Damaged)
    }

    fn point(&mut self, before: &TrackPoint, step_s: u32) -> Result<TrackPoint, TrackError> {
        let head = self.byte()?;
        let (mut seconds, mut accuracy, mut after_gap) = (step_s, before.accuracy, false);
        let (lat, lon) = if head < LONG {
            (
                unzigzag(u32::from(head >> 4)),
                unzigzag(u32::from(head & 0x0f)),
            )
        } else {
            let flags = head & 0x0f;
            if flags & !(OTHER_TIME | OTHER_ACCURACY | GAP) != 0 {
                return Err(TrackError::Damaged);
            }
            if flags & OTHER_TIME != 0 {
                seconds = self.number()?;
            }
            if flags & OTHER_ACCURACY != 0 {
                accuracy = self.accuracy()?;
            }
            after_gap = flags & GAP != 0;
            (self.signed()?, self.signed()?)
        };
        if seconds == 0 {
            return Err(TrackError::Order);
        }
        let point = TrackPoint {
            at_s: before.at_s.checked_add(seconds).ok_or(TrackError::Order)?,
            lat_e5: before.lat_e5.checked_add(lat).ok_or(TrackError::Place)?,
            lon_e5: before.lon_e5.checked_add(lon).ok_or(TrackError::Place)?,
            accuracy,
            after_gap,
        };
        point.place().ok_or(TrackError::Place)?;
        Ok(point)
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
