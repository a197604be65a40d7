//! The parts of the directory that an app asks for.

/// A place that a position may belong to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PlaceChoice {
    /// The grid, or a village without grids.
    pub area: String,
    /// Its name with the names of the areas above it, in Chinese.
    pub zh: String,
    /// Its name with the names of the areas above it, in English.
    pub en: String,
    /// Distance from the position, metres; 0 if the place contains the position.
    pub distance_m: u32,
}

/// The places that a position may belong to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Located {
    /// The grid that contains the position.
    pub grid: Option<PlaceChoice>,
    /// Grids within the radius of the position, nearest first, at most 16.
    pub candidates: Vec<PlaceChoice>,
    /// Whether the person has to choose, because the accuracy is worse than 50 m or the position is in no grid.
    pub needs_confirmation: bool,
}

/// An area.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Area {
    /// The area.
    pub id: String,
    /// `district`, `town`, `village` or `grid`.
    pub level: String,
    /// The statistical code.
    pub code: String,
    /// The name in Chinese.
    pub zh: String,
    /// The name in English.
    pub en: String,
}

/// A page of areas.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AreaPage {
    /// The areas.
    pub areas: Vec<Area>,
    /// The token of the next page; absent at the end.
    pub next: Option<String>,
}

/// A unit or team that can be dispatched.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Unit {
    /// The unit.
    pub id: String,
    /// The name in Chinese.
    pub zh: String,
    /// The name in English.
    pub en: String,
    /// Code of the kind of unit, such as `police_station` or `team`.
    pub kind: String,
}

/// A page of units.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UnitPage {
    /// The units.
    pub units: Vec<Unit>,
    /// The token of the next page; absent at the end.
    pub next: Option<String>,
}

/// A page of people.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PersonPage {
    /// The people.
    pub people: Vec<super::Person>,
    /// The token of the next page; absent at the end.
    pub next: Option<String>,
}

/// A category of cases.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Category {
    /// The stable code.
    pub code: String,
    /// The name in Chinese.
    pub zh: String,
    /// The name in English.
    pub en: String,
    /// Code of its class; absent for a class itself.
    pub class: Option<String>,
}
