//! The input of a person.

use onegrid_core::domain::position as core;

use crate::error::{Answer, OneGridError};

/// The reference system of coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Datum {
    /// The system of GPS and of all stored positions.
    Wgs84,
    /// Maps of mainland China (高德, 腾讯).
    Gcj02,
    /// 百度 maps.
    Bd09,
}

/// A position of a device, with its accuracy.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct GeoPosition {
    /// Latitude, degrees, -90 to 90.
    pub lat: f64,
    /// Longitude, degrees, -180 to 180.
    pub lon: f64,
    /// The reference system of both.
    pub datum: Datum,
    /// The accuracy that the device claims, as a radius in metres, at most 100,000.
    #[uniffi(default = None)]
    pub accuracy_m: Option<u32>,
    /// The age of the fix at its use, ms, at most one day.
    #[uniffi(default = 0)]
    pub fix_age_ms: u32,
}

/// The value of a field of content.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum FieldValue {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A whole number; the field defines its unit.
    Number {
        /// The number.
        number: i64,
    },
    /// Yes or no.
    Flag {
        /// The flag.
        flag: bool,
    },
    /// A place on the map.
    Position {
        /// The place.
        position: GeoPosition,
    },
}

/// A field with its first value.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FieldInput {
    /// The stable name: `title`, `category`, `severity` (1-4), `address`, `occurred_ms`, `description`,
    /// `urgency` (1-4), `contact_wanted`, `contact`, `offence`, `place_type`,
    /// `template`, `template_version`, `planned_ms`, `visited`, `companions`; `dispute_type` (1-10),
    /// `dispute_level` (1-4), `parties`, `duty_leader`, `duty_unit`, `duty_person`, `deadline_ms`, `sessions`,
    /// `agreement`, `amount_fen`, `links`, `combined_into`, `list_month`, `list_row`; `ground`, `payment`;
    /// `section`, `route`, `force` (1-999), `equipment`; `joint_type` (1-3), `from_record`, `meet_ms`,
    /// `meet_place`, `found`, `solved`, `findings`; `wanted`, `recurrence`, `duty`, `feedback`;
    /// `notice_type` (1-3), `read_by_ms`; `post`, `open_count`, `open_records`; `answer.<id>`,
    /// and `photo.<id>` for the caption of a photo.
    pub field: String,
    /// The value.
    pub value: FieldValue,
}

/// A field with its new value.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FieldChange {
    /// The stable name, as in [`FieldInput::field`], and `position`.
    pub field: String,
    /// The value; without one the field is emptied.
    pub value: Option<FieldValue>,
}

/// A report as a person writes it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ReportDraft {
    /// The stable name of the kind, such as `hazard`; the texts `kind.<name>` list them all.
    pub kind: String,
    /// The fields with their first values.
    pub fields: Vec<FieldInput>,
    /// The place. The phone finds the grid if the accuracy is 50 m or better.
    #[uniffi(default = None)]
    pub position: Option<GeoPosition>,
    /// The grid or village, if the person chose or confirmed it.
    #[uniffi(default = None)]
    pub area: Option<String>,
    /// Whether the record is restricted: only the named people, its assignees and the command room may read it.
    /// This never changes afterwards.
    #[uniffi(default = false)]
    pub restricted: bool,
    /// The member's own team that the record is shared with.
    #[uniffi(default = None)]
    pub team: Option<String>,
    /// Members who may read a restricted record.
    #[uniffi(default = [])]
    pub named: Vec<String>,
    /// The record that this one belongs to.
    #[uniffi(default = None)]
    pub linked: Option<String>,
    /// Staged photos and recordings, at most 16, by their ids.
    #[uniffi(default = [])]
    pub attachments: Vec<String>,
}

impl From<Datum> for core::Datum {
    fn from(datum: Datum) -> Self {
        match datum {
            Datum::Wgs84 => Self::Wgs84,
            Datum::Gcj02 => Self::Gcj02,
            Datum::Bd09 => Self::Bd09,
        }
    }
}

impl From<core::Datum> for Datum {
    fn from(datum: core::Datum) -> Self {
        match datum {
            core::Datum::Wgs84 => Self::Wgs84,
            core::Datum::Gcj02 => Self::Gcj02,
            core::Datum::Bd09 => Self::Bd09,
        }
    }
}

impl GeoPosition {
    pub(crate) fn checked(&self) -> Answer<core::Position> {
        core::Position::from_degrees(
            self.lat,
            self.lon,
            self.datum.into(),
            self.accuracy_m,
            self.fix_age_ms,
        )
        .map_err(|error| OneGridError::of(error.code()))
    }
}

impl From<core::Position> for GeoPosition {
    fn from(position: core::Position) -> Self {
        let point = position.point();
        Self {
            lat: point.lat(),
            lon: point.lon(),
            datum: position.datum().into(),
            accuracy_m: position.accuracy_m(),
            fix_age_ms: position.fix_age_ms(),
        }
    }
}
