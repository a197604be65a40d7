#![allow(clippy::unwrap_used, reason = "tests")]
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

const GOLDEN_GCJ02: (i32, i32) = (302_764_705, 1_201_504_822);
const GOLDEN_BD09: (i32, i32) = (302_704_305, 1_201_439_518);
const SHIFTED: [Datum; 2] = [Datum::Gcj02, Datum::Bd09];

fn at(lat: f64, lon: f64) -> GeoPoint {
    GeoPoint::from_degrees(lat, lon).unwrap()
}

fn position(accuracy_m: Option<u32>) -> Position {
    Position::from_degrees(30.28, 120.16, Datum::Wgs84, accuracy_m, 0).unwrap()
}

fn random_points(seed: u64, count: usize, lats: (f64, f64), lons: (f64, f64)) -> Vec<GeoPoint> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut unit = move || f64::from(rng.next_u32()) / f64::from(u32::MAX);
    let mut within = move |(low, high): (f64, f64)| low + (high - low) * unit();
    (0..count).map(|_| at(within(lats), within(lons))).collect()
}

#[test]
fn known_points_shift_as_the_published_formulas_say() {
    // The values of the widely used reference implementation (coordtransform), to 1e-9 degree.
    let close = |found: LatLon, (lat, lon): LatLon| {
        assert!(
            (found.0 - lat).abs() < 1e-9 && (found.1 - lon).abs() < 1e-9,
            "{found:?}"
        );
    };
    let beijing = (39.915, 116.404);
    close(
        wgs84_to_gcj02(beijing),
        (39.916_404_281_501_64, 116.410_244_499_169_38),
    );
    close(
        gcj02_to_bd09(beijing),
        (39.921_336_993_510_21, 116.410_369_493_710_29),
    );
}

#[test]
fn any_point_in_china_comes_back_within_half_a_metre() {
    for datum in SHIFTED {
        let mut worst_m: f64 = 0.0;
        for point in random_points(7, 20_000, (3.0, 53.5), (73.5, 135.0)) {
            let there = datum.from_wgs84(point);
            let shift_m = point.distance_m(there);
            assert!(
                (1.0..3_000.0).contains(&shift_m),
                "{point:?} shifted by {shift_m} m"
            );
            worst_m = worst_m.max(point.distance_m(datum.to_wgs84(there)));
        }
        assert!(worst_m < 0.5, "{datum:?}: {worst_m} m");
        assert!(
            worst_m < 0.05,
            "{datum:?}: {worst_m} m is worse than it was"
        );
    }
}

#[test]
fn where_the_formula_has_a_kink_it_still_comes_back() {
    // sqrt|x| and sqrt|y| bend at 105° E and 35° N.
    for datum in SHIFTED {
        for step in -200..=200 {
            let nudge = f64::from(step) * 1e-6;
            let point = at(35.0 + nudge, 105.0 - nudge);
            let back = datum.to_wgs84(datum.from_wgs84(point));
            assert!(
                point.distance_m(back) < 0.5,
                "{point:?} came back as {back:?}"
            );
        }
    }
}

#[test]
fn outside_china_nothing_moves() {
    let oceans = random_points(8, 2_000, (-89.0, 0.8), (-179.0, 71.0));
    let others = [
        at(48.85, 2.35),
        at(40.7, -74.0),
        at(60.0, 120.0),
        at(-33.9, 151.2),
    ];
    for point in oceans.into_iter().chain(others) {
        for datum in SHIFTED {
            assert_eq!(datum.from_wgs84(point), point);
            assert_eq!(datum.to_wgs84(point), point);
        }
    }
}

#[test]
fn conversion_gives_these_very_integers_on_every_machine() {
    // A change here means that two versions place the same phone differently.
    let wulin = GeoPoint::new(302_741_500, 1_201_551_900).unwrap();
    let answer = |datum: Datum| {
        let point = datum.to_wgs84(wulin);
        (point.lat_e7(), point.lon_e7())
    };
    assert_eq!(answer(Datum::Wgs84), (302_741_500, 1_201_551_900));
    assert_eq!(answer(Datum::Gcj02), GOLDEN_GCJ02);
    assert_eq!(answer(Datum::Bd09), GOLDEN_BD09);
}

#[test]
fn a_record_carries_wgs84_with_the_quality_of_the_fix() {
    let raw = Position::from_degrees(30.28, 120.16, Datum::Gcj02, Some(12), 4_000).unwrap();
    let stored = raw.to_wgs84();
    assert_eq!(stored.datum(), Datum::Wgs84);
    assert_eq!(
        (stored.accuracy_m(), stored.fix_age_ms()),
        (Some(12), 4_000)
    );
    assert_eq!(stored.wgs84(), raw.wgs84());
    assert_ne!(stored.point(), raw.point());
    assert_eq!(stored.to_wgs84(), stored);
}

#[test]
fn worse_than_fifty_metres_or_unknown_asks_the_person() {
    assert!(!position(Some(50)).needs_confirmation());
    assert!(position(Some(51)).needs_confirmation());
    assert!(position(None).needs_confirmation());
}

#[test]
fn nonsense_is_refused_by_name() {
    let made = |lat, lon, accuracy_m, age_ms| {
        Position::from_degrees(lat, lon, Datum::Wgs84, accuracy_m, age_ms).map_err(|e| e.code())
    };
    assert_eq!(made(90.1, 0.0, None, 0), Err("position.out_of_range"));
    assert_eq!(
        made(120.16, 30.28, None, 0),
        Err("position.out_of_range"),
        "swapped"
    );
    assert_eq!(made(f64::NAN, 0.0, None, 0), Err("position.out_of_range"));
    assert_eq!(
        made(0.0, f64::INFINITY, None, 0),
        Err("position.out_of_range")
    );
    assert_eq!(
        made(30.0, 120.0, Some(100_001), 0),
        Err("position.bad_accuracy")
    );
    assert_eq!(made(30.0, 120.0, None, 86_400_001), Err("position.too_old"));
    assert!(made(-90.0, 180.0, Some(100_000), 86_400_000).is_ok());
}

#[test]
fn the_bulletin_shows_no_door() {
    let rounded = |lat_e7, lon_e7| {
        let position = Position::new(lat_e7, lon_e7, Datum::Wgs84, None, 0).unwrap();
        let point = position.rounded_for_bulletin();
        (point.lat_e7(), point.lon_e7())
    };
    assert_eq!(
        rounded(302_741_500, 1_201_551_900),
        (302_740_000, 1_201_550_000)
    );
    assert_eq!(rounded(302_745_000, -5_001), (302_750_000, -10_000));
    assert_eq!(
        rounded(900_000_000, -1_800_000_000),
        (900_000_000, -1_800_000_000)
    );
    assert_eq!(
        rounded(-899_999_999, 1_799_999_999),
        (-900_000_000, 1_800_000_000)
    );
}

#[test]
fn a_position_survives_its_bytes_and_bad_bytes_are_refused() {
    for accuracy_m in [None, Some(0), Some(80)] {
        let position = Position::new(1, -2, Datum::Bd09, accuracy_m, 77).unwrap();
        let bytes = minicbor::to_vec(position).unwrap();
        assert_eq!(minicbor::decode::<Position>(&bytes).unwrap(), position);
        for end in 0..bytes.len() {
            assert!(minicbor::decode::<Position>(&bytes[..end]).is_err());
        }
    }
    let beyond = minicbor::to_vec((900_000_001, 0, 0, None::<u32>, 0)).unwrap();
    assert!(minicbor::decode::<Position>(&beyond).is_err());
    let datum = minicbor::to_vec((0, 0, 9, None::<u32>, 0)).unwrap();
    assert!(minicbor::decode::<Position>(&datum).is_err());
}
