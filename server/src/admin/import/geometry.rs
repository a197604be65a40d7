//! Conversion of a `GeoJSON` geometry to a checked boundary.

use geo::algorithm::validation::InvalidMultiPolygon;
use geo::algorithm::validation::InvalidPolygon;
use geo::{Coord, LineString, MultiPolygon, Validation};
use geojson::GeometryValue;
use onegrid_core::domain::geometry::GeometryError;
use onegrid_core::domain::polygon::{Boundary, GeoPoint, Polygon, Ring};
use onegrid_core::domain::position::Datum;

use crate::limits::IMPORT_POLYGON_POINTS_MAX;

/// Rings of positions as in `GeoJSON`: longitude first.
type Rings = Vec<Vec<geojson::Position>>;

/// Converts to a boundary in WGS-84, or returns the code for refusing the geometry.
pub(super) fn boundary_of(value: &GeometryValue, datum: Datum) -> Result<Boundary, &'static str> {
    let parts: &[Rings] = match value {
        GeometryValue::Polygon { coordinates } => std::slice::from_ref(coordinates),
        GeometryValue::MultiPolygon { coordinates } => coordinates,
        _ => return Err("polygon.not_a_polygon"),
    };
    let polygons = parts.iter().map(|rings| polygon_of(rings, datum));
    let polygons = polygons.collect::<Result<Vec<_>, _>>()?;
    let boundary = Boundary::new(polygons).map_err(|error| error.code())?;
    check_shape(&boundary)?;
    Ok(boundary)
}

fn polygon_of(rings: &Rings, datum: Datum) -> Result<Polygon, &'static str> {
    let points: usize = rings.iter().map(Vec::len).sum();
    if points > IMPORT_POLYGON_POINTS_MAX {
        return Err(GeometryError::TooManyPoints.code());
    }
    let mut read = Vec::new();
    for ring in rings {
        read.push(ring_of(ring, datum)?);
    }
    let mut read = read.into_iter();
    let outer = read.next().ok_or(GeometryError::Empty.code())?;
    Ok(Polygon {
        outer,
        holes: read.collect(),
    })
}

fn ring_of(positions: &[geojson::Position], datum: Datum) -> Result<Ring, &'static str> {
    let mut points = Vec::new();
    for position in positions {
        let [lon, lat, ..] = position.as_slice() else {
            return Err("polygon.bad_coordinate");
        };
        let point = GeoPoint::from_degrees(*lat, *lon).map_err(|error| error.code())?;
        points.push(datum.to_wgs84(point));
    }
    // Closure is checked before repeated points are removed: rounding to 1 cm can make near points
    // equal.
    let closed = points.len() < 4 || points.first() == points.last();
    if !closed {
        return Err(GeometryError::UnclosedRing.code());
    }
    points.dedup();
    Ring::from_closed(points).map_err(|error| error.code())
}

/// Refuses rings that cross themselves or each other, holes outside and overlapping parts. The
/// check uses the stored integers, where the predicates are exact.
fn check_shape(boundary: &Boundary) -> Result<(), &'static str> {
    let line = |ring: &Ring| -> LineString<f64> {
        let corners = ring.corners();
        let closed = corners.iter().chain(corners.first());
        closed
            .map(|p| Coord {
                x: f64::from(p.lon_e7()),
                y: f64::from(p.lat_e7()),
            })
            .collect()
    };
    let polygons = boundary.polygons().iter().map(|polygon| {
        geo::Polygon::new(
            line(&polygon.outer),
            polygon.holes.iter().map(line).collect(),
        )
    });
    let shape: MultiPolygon<f64> = polygons.collect();
    shape.check_validation().map_err(|error| match error {
        InvalidMultiPolygon::InvalidPolygon(_, inner) => match inner {
            InvalidPolygon::TooFewPointsInRing(_) => "polygon.too_few_points",
            InvalidPolygon::SelfIntersection(_) => "polygon.self_intersection",
            InvalidPolygon::NonFiniteCoord(..) => "polygon.bad_coordinate",
            InvalidPolygon::InteriorRingNotContainedInExteriorRing(_) => "polygon.hole_outside",
            InvalidPolygon::IntersectingRingsOnALine(..)
            | InvalidPolygon::IntersectingRingsOnAnArea(..) => "polygon.rings_cross",
        },
        InvalidMultiPolygon::ElementsOverlaps(..)
        | InvalidMultiPolygon::ElementsTouchOnALine(..) => "polygon.parts_overlap",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SQUARE: &str = "[[0,0],[9,0],[9,9],[0,9],[0,0]]";

    fn read(kind: &str, coordinates: &str) -> Result<Boundary, &'static str> {
        let text = format!(r#"{{"type":"{kind}","coordinates":{coordinates}}}"#);
        let geometry: geojson::Geometry = text.parse().unwrap();
        boundary_of(&geometry.value, Datum::Wgs84)
    }

    fn polygon(rings: &str) -> Result<Boundary, &'static str> {
        read("Polygon", &format!("[{rings}]"))
    }

    #[test]
    fn a_square_with_a_hole_and_two_separate_parts_are_taken() {
        let with_hole = polygon(&format!("{SQUARE},[[2,2],[4,2],[4,4],[2,4],[2,2]]")).unwrap();
        assert_eq!(with_hole.polygons()[0].holes.len(), 1);
        let parts = format!("[[{SQUARE}],[[[20,0],[29,0],[29,9],[20,0]]]]");
        assert_eq!(read("MultiPolygon", &parts).unwrap().polygons().len(), 2);
        let point = with_hole.polygons()[0].outer.corners()[1];
        assert_eq!(
            (point.lon(), point.lat()),
            (9.0, 0.0),
            "longitude comes first in GeoJSON"
        );
    }

    #[test]
    fn an_unclosed_ring_is_refused() {
        assert_eq!(
            polygon("[[0,0],[9,0],[9,9],[0,9]]"),
            Err("polygon.unclosed_ring")
        );
    }

    #[test]
    fn a_ring_of_fewer_than_four_points_is_refused() {
        assert_eq!(
            polygon("[[0,0],[9,0],[0,0]]"),
            Err("polygon.too_few_points")
        );
        let doubled = "[[0,0],[9,0],[9,0],[9,0],[0,0]]";
        assert_eq!(
            polygon(doubled),
            Err("polygon.too_few_points"),
            "repeated points do not count"
        );
    }

    #[test]
    fn a_coordinate_out_of_range_is_refused() {
        assert_eq!(
            polygon("[[0,0],[9,0],[9,91],[0,0]]"),
            Err("polygon.out_of_range")
        );
        let swapped = "[[30.3,120.1],[30.4,120.1],[30.4,120.2],[30.3,120.1]]";
        assert_eq!(
            polygon(swapped),
            Err("polygon.out_of_range"),
            "latitude first"
        );
    }

    #[test]
    fn a_coordinate_of_one_number_is_refused() {
        let result: Result<geojson::Geometry, _> =
            r#"{"type":"Polygon","coordinates":[[[0],[9,0],[9,9],[0]]]}"#.parse();
        let code = result.map(|geometry| boundary_of(&geometry.value, Datum::Wgs84));
        assert!(code.is_err() || code.unwrap() == Err("polygon.bad_coordinate"));
    }

    #[test]
    fn a_ring_that_crosses_itself_is_refused() {
        let bow_tie = "[[0,0],[9,9],[9,0],[0,9],[0,0]]";
        assert_eq!(polygon(bow_tie), Err("polygon.self_intersection"));
        let spike = "[[0,0],[9,0],[9,9],[9,0],[0,9],[0,0]]";
        assert_eq!(
            polygon(spike),
            Err("polygon.self_intersection"),
            "out and back"
        );
    }

    #[test]
    fn a_hole_outside_its_ring_is_refused() {
        let hole = "[[20,20],[24,20],[24,24],[20,20]]";
        assert_eq!(
            polygon(&format!("{SQUARE},{hole}")),
            Err("polygon.hole_outside")
        );
        let across = "[[5,5],[15,5],[15,7],[5,7],[5,5]]";
        assert_eq!(
            polygon(&format!("{SQUARE},{across}")),
            Err("polygon.hole_outside")
        );
    }

    #[test]
    fn holes_that_overlap_are_refused() {
        let holes = "[[1,1],[5,1],[5,5],[1,5],[1,1]],[[3,3],[7,3],[7,7],[3,7],[3,3]]";
        assert_eq!(
            polygon(&format!("{SQUARE},{holes}")),
            Err("polygon.rings_cross")
        );
    }

    #[test]
    fn parts_that_overlap_are_refused() {
        let parts = format!("[[{SQUARE}],[[[5,5],[20,5],[20,20],[5,5]]]]");
        assert_eq!(read("MultiPolygon", &parts), Err("polygon.parts_overlap"));
    }

    #[test]
    fn a_line_and_an_empty_polygon_are_no_boundary() {
        assert_eq!(
            read("LineString", "[[0,0],[1,1]]"),
            Err("polygon.not_a_polygon")
        );
        assert_eq!(read("MultiPolygon", "[]"), Err("polygon.empty"));
        assert_eq!(read("Polygon", "[]"), Err("polygon.empty"));
    }

    #[test]
    fn too_many_points_are_refused_before_the_costly_check() {
        let ring = "[0,0],".repeat(IMPORT_POLYGON_POINTS_MAX) + "[0,0]";
        assert_eq!(
            polygon(&format!("[{ring}]")),
            Err("polygon.too_many_points")
        );
    }
}
