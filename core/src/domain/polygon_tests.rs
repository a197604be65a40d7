#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::domain::areas::test_support::square;

fn point(lat_e7: i32, lon_e7: i32) -> GeoPoint {
    GeoPoint::new(lat_e7, lon_e7).unwrap()
}

fn ring(points: &[(i32, i32)]) -> Ring {
    let closed = points.iter().chain(points.first());
    Ring::from_closed(closed.map(|(lat, lon)| point(*lat, *lon)).collect()).unwrap()
}

fn with_hole() -> Boundary {
    let outer = ring(&[(0, 0), (0, 100), (100, 100), (100, 0)]);
    let hole = ring(&[(40, 40), (40, 60), (60, 60), (60, 40)]);
    Boundary::new(vec![Polygon {
        outer,
        holes: vec![hole],
    }])
    .unwrap()
}

#[test]
fn a_hole_is_outside_and_its_ring_belongs_to_the_polygon() {
    let boundary = with_hole();
    assert_eq!(boundary.locate(point(50, 50)), Location::Outside);
    assert_eq!(boundary.locate(point(40, 50)), Location::Edge);
    assert_eq!(
        boundary.locate(point(60, 60)),
        Location::Edge,
        "a corner of the hole"
    );
    assert_eq!(boundary.locate(point(39, 50)), Location::Inside);
    assert!(boundary.contains(point(40, 50)) && !boundary.contains(point(50, 50)));
}

#[test]
fn every_point_of_a_small_map_is_where_counting_says() {
    // An L with a dent; compared cell by cell with its definition.
    let shape = ring(&[(0, 0), (0, 10), (5, 10), (5, 5), (10, 5), (10, 0)]);
    let boundary = Boundary::new(vec![Polygon {
        outer: shape,
        holes: vec![],
    }])
    .unwrap();
    for lat in -2..13 {
        for lon in -2..13 {
            let low = (0..=5).contains(&lat) && (0..=10).contains(&lon);
            let high = (5..=10).contains(&lat) && (0..=5).contains(&lon);
            let held = boundary.contains(point(lat, lon));
            assert_eq!(held, low || high, "at {lat},{lon}");
        }
    }
}

#[test]
fn a_ray_through_corners_counts_each_once() {
    // A diamond: the ray from its middle leaves exactly through a corner.
    let diamond = ring(&[(0, -10), (10, 0), (0, 10), (-10, 0)]);
    let boundary = Boundary::new(vec![Polygon {
        outer: diamond,
        holes: vec![],
    }])
    .unwrap();
    assert_eq!(boundary.locate(point(0, 0)), Location::Inside);
    assert_eq!(boundary.locate(point(0, -11)), Location::Outside);
    assert_eq!(boundary.locate(point(0, 10)), Location::Edge);
    assert_eq!(
        boundary.locate(point(10, -1)),
        Location::Outside,
        "level with the top corner"
    );
}

#[test]
fn one_unit_decides_even_at_the_far_ends_of_the_earth() {
    let (lat, lon) = (900_000_000, 1_800_000_000);
    let triangle = ring(&[(-lat, -lon), (lat, lon), (-lat, lon)]);
    let boundary = Boundary::new(vec![Polygon {
        outer: triangle,
        holes: vec![],
    }])
    .unwrap();
    assert_eq!(
        boundary.locate(point(0, 0)),
        Location::Edge,
        "on the diagonal"
    );
    assert_eq!(boundary.locate(point(1, 1)), Location::Outside);
    assert_eq!(boundary.locate(point(0, 1)), Location::Inside);
}

#[test]
fn rings_that_are_no_rings_are_refused_by_name() {
    let closed = |points: &[(i32, i32)]| {
        Ring::from_closed(points.iter().map(|(lat, lon)| point(*lat, *lon)).collect())
    };
    assert_eq!(
        closed(&[(0, 0), (0, 1), (0, 0)]),
        Err(GeometryError::TooFewPoints(3))
    );
    let open = closed(&[(0, 0), (0, 1), (1, 1), (1, 0)]);
    assert_eq!(open, Err(GeometryError::UnclosedRing));
    let many = vec![(0, 0); AREA_RING_POINTS_MAX + 1];
    assert_eq!(closed(&many), Err(GeometryError::TooManyPoints));
    assert_eq!(Boundary::new(Vec::new()), Err(GeometryError::Empty));
    let parts = vec![with_hole().polygons()[0].clone(); AREA_POLYGONS_MAX + 1];
    assert_eq!(Boundary::new(parts), Err(GeometryError::TooManyParts));
    assert_eq!(
        GeoPoint::new(900_000_001, 0),
        Err(GeometryError::OutOfRange)
    );
    assert_eq!(GeoPoint::new(0, i32::MIN), Err(GeometryError::OutOfRange));
    assert_eq!(
        GeoPoint::from_degrees(f64::NAN, 0.0),
        Err(GeometryError::OutOfRange)
    );
    assert_eq!(
        GeoPoint::from_degrees(0.0, 180.000_000_1),
        Err(GeometryError::OutOfRange)
    );
}

#[test]
fn a_boundary_survives_its_bytes_and_deltas_stay_small() {
    let boundary = with_hole();
    let bytes = minicbor::to_vec(&boundary).unwrap();
    assert_eq!(minicbor::decode::<Boundary>(&bytes).unwrap(), boundary);
    let far = square(303_900_000, 1_201_900_000, 5_000);
    let bytes = minicbor::to_vec(&far).unwrap();
    assert_eq!(minicbor::decode::<Boundary>(&bytes).unwrap(), far);
    assert!(
        bytes.len() <= 3 + 10 + 3 * 4,
        "{} bytes for a square",
        bytes.len()
    );
}

#[test]
fn hostile_boundaries_are_refused_without_a_panic() {
    // Differences that run out of range or over, odd counts, huge claimed lengths, every
    // truncation.
    let overflow = minicbor::to_vec([[[i64::MAX, 0, i64::MAX, 0, 1, 1]]]).unwrap();
    assert!(minicbor::decode::<Boundary>(&overflow).is_err());
    let beyond = minicbor::to_vec([[[900_000_000, 0, 1, 0, 0, 1]]]).unwrap();
    assert!(minicbor::decode::<Boundary>(&beyond).is_err());
    let odd = minicbor::to_vec([[[0, 0, 1, 1, 1]]]).unwrap();
    assert!(minicbor::decode::<Boundary>(&odd).is_err());
    let huge = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert!(minicbor::decode::<Boundary>(&huge).is_err());
    let no_ring = minicbor::to_vec([[0_u8; 0]]).unwrap();
    assert!(minicbor::decode::<Boundary>(&no_ring).is_err());
    let good = minicbor::to_vec(with_hole()).unwrap();
    for end in 0..good.len() {
        assert!(
            minicbor::decode::<Boundary>(&good[..end]).is_err(),
            "cut at {end}"
        );
    }
}

#[test]
fn distances_in_metres_are_right_near_hangzhou() {
    let here = GeoPoint::from_degrees(30.3, 120.17).unwrap();
    let north = GeoPoint::from_degrees(30.31, 120.17).unwrap();
    let east = GeoPoint::from_degrees(30.3, 120.18).unwrap();
    assert!((here.distance_m(north) - 1_111.95).abs() < 1.0);
    assert!((here.distance_m(east) - 960.1).abs() < 1.0);
    let square = square(303_000_000, 1_201_700_000, 100_000);
    let west = GeoPoint::from_degrees(30.305, 120.16).unwrap();
    assert!((square.distance_m(west) - 960.0).abs() < 1.0);
    assert!(square.distance_m(GeoPoint::from_degrees(30.305, 120.175).unwrap()) == 0.0);
}
