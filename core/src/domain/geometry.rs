//! The rules that a point or a polygon can break.

use crate::limits::AREA_RING_POINTS_MAX;

coded_error! {
    /// The reason why a point or a polygon is invalid.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum GeometryError {
        /// The latitude is beyond ±90°, or the longitude is beyond ±180°.
        #[error("polygon.out_of_range: a coordinate is outside ±90° latitude or ±180° longitude")]
        OutOfRange,
        /// The last point of a ring is not its first.
        #[error("polygon.unclosed_ring: a ring does not end where it began")]
        UnclosedRing,
        /// The ring has fewer than four points, counting the closing one.
        #[error("polygon.too_few_points: a ring has {0} points, it needs at least 4")]
        TooFewPoints(usize),
        /// The ring has more points than `limits::AREA_RING_POINTS_MAX`.
        #[error("polygon.too_many_points: a ring has more than {AREA_RING_POINTS_MAX} points")]
        TooManyPoints,
        /// The boundary has more rings or polygons than the limits allow.
        #[error("polygon.too_many_parts: a boundary has too many polygons or rings")]
        TooManyParts,
        /// The boundary has no polygon.
        #[error("polygon.empty: a boundary has no polygon")]
        Empty,
    }
}
