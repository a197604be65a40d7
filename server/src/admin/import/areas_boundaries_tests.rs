//! Places of the imported boundaries.

use super::*;

#[test]
fn boundaries_in_a_chinese_datum_are_stored_as_wgs84() {
    let ring = "[[120.1,30.2],[120.2,30.2],[120.2,30.3],[120.1,30.2]]";
    let files = with_grids(&feature("330105013001001", ring));
    let options = AreaOptions {
        datum: Datum::Gcj02,
        ..OPTIONS
    };
    let import = parse_areas(&files, &Areas::new(), options, &mut |_, _| {});
    let boundary = import.good[3].version.boundary.as_ref().unwrap();
    let corner = boundary.polygons()[0].outer.corners()[0];
    let given = GeoPoint::from_degrees(30.2, 120.1).unwrap();
    assert_eq!(corner, Datum::Gcj02.to_wgs84(given));
    assert!(corner.distance_m(given) > 100.0);
}

#[test]
fn random_points_lie_where_an_independent_library_says() {
    use geo::Contains as _;
    let areas = applied(&parse(&gongshu(), &Areas::new()).good);
    let shapes: Vec<(AreaId, geo::Polygon)> = areas
        .of_level(AreaLevel::Grid)
        .map(|grid| {
            let corners = grid.newest().boundary.as_ref().unwrap().polygons()[0]
                .outer
                .corners();
            let line = corners.iter().map(|corner| (corner.lon(), corner.lat()));
            (grid.id(), geo::Polygon::new(line.collect(), vec![]))
        })
        .collect();
    let (mut state, mut held) = (330_105_u64, 0);
    let mut part = |low: f64, high: f64| {
        // A linear congruential generator is random enough to scatter points.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        low + (high - low) * f64::from(u32::try_from(state >> 32).unwrap()) / 4_294_967_296.0
    };
    for _ in 0..2_000 {
        let point = GeoPoint::from_degrees(part(30.25, 30.42), part(120.10, 120.23)).unwrap();
        let place = geo::Point::new(point.lon(), point.lat());
        let expected = shapes.iter().find(|(_, shape)| shape.contains(&place));
        assert_eq!(
            areas.grid_at(point, 1_000),
            expected.map(|(id, _)| *id),
            "{point:?}"
        );
        held += usize::from(expected.is_some());
    }
    assert!(
        (500..1_900).contains(&held),
        "{held} of 2,000 points lie in a grid"
    );
}
