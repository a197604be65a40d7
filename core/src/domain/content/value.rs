//! Values of fields.

use crate::domain::position::{Datum, Position};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// Words.
    Text(String),
    /// A whole number; its unit belongs to the field.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A place on the map.
    Position(StoredPosition),
}

/// A position in WGS-84. It is one value, because two people who correct it at the same time must never get
/// the latitude of one with the longitude of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPosition {
    position: Position,
    given_in: Datum,
}

impl StoredPosition {
    /// Stores a position as given, converted to WGS-84.
    #[must_use]
    pub fn of(given: Position) -> Self {
        Self {
            position: given.to_wgs84(),
            given_in: given.datum(),
        }
    }

    /// The position, in WGS-84.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The datum of the position as it was given.
    #[must_use]
    pub fn given_in(&self) -> Datum {
        self.given_in
    }

    /// `lat,lon,accuracy,age,datum`: units of 1e-7 degree in WGS-84, metres (empty when unknown),
    /// milliseconds, and the datum of the position as it was given.
    pub(crate) fn to_text(self) -> String {
        let (point, accuracy_m) = (self.position.point(), self.position.accuracy_m());
        format!(
            "{},{},{},{},{}",
            point.lat_e7(),
            point.lon_e7(),
            accuracy_m
                .map(|metres| metres.to_string())
                .unwrap_or_default(),
            self.position.fix_age_ms(),
            self.given_in.as_str()
        )
    }

    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut next = || parts.next();
        let lat_e7 = next()?.parse().ok()?;
        let lon_e7 = next()?.parse().ok()?;
        let accuracy_m = match next()? {
            "" => None,
            metres => Some(metres.parse().ok()?),
        };
        let fix_age_ms = next()?.parse().ok()?;
        let given_in = Datum::from_word(next()?)?;
        let position = Position::new(lat_e7, lon_e7, Datum::Wgs84, accuracy_m, fix_age_ms).ok()?;
        parts
            .next()
            .is_none()
            .then_some(Self { position, given_in })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn positions_round_trip_and_what_is_none_reads_as_absent() {
        let given = Position::new(302_741_000, -1_201_551_000, Datum::Gcj02, Some(12), 3_000);
        let position = StoredPosition::of(given.unwrap());
        assert_eq!(position.to_text(), "302741000,-1201551000,12,3000,gcj02");
        assert_eq!(StoredPosition::of_text(&position.to_text()), Some(position));
        assert_eq!(position.position().datum(), Datum::Wgs84);
        for bad in [
            "",
            "1,2,3,4",
            "1,2,3,4,xx",
            "1,2,3,,wgs84",
            "1,2,3,4,wgs84,",
            "900000001,0,,,wgs84",
            "1,2,-3,,wgs84",
        ] {
            assert_eq!(StoredPosition::of_text(bad), None, "{bad}");
        }
    }
}
