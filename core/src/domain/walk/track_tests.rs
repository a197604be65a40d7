#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stdout, reason = "sizes for people")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::walk::samples::walk;
use crate::wire::golden_tests::golden;

fn point(at_s: u32, lat_e5: i32, lon_e5: i32) -> TrackPoint {
    TrackPoint {
        at_s,
        lat_e5,
        lon_e5,
        accuracy: Accuracy::Metres10,
        after_gap: false,
    }
}

/// Points that jump now and then, in every class of accuracy, with gaps.
fn random_points(rng: &mut ChaCha8Rng) -> Vec<TrackPoint> {
    let mut at = point(rng.next_u32() / 2, 0, 0);
    let mut points = Vec::new();
    for _ in 0..=rng.next_u32() % 90 {
        let far = rng.next_u32().is_multiple_of(4);
        let reach = if far { 9_000_000 } else { 12 };
        let by = |rng: &mut ChaCha8Rng| i32::try_from(rng.next_u32() % (2 * reach + 1)).unwrap();
        let half = i32::try_from(reach).unwrap();
        at.lat_e5 = (at.lat_e5 + by(rng) - half).clamp(-9_000_000, 9_000_000);
        at.lon_e5 = (at.lon_e5 + by(rng) - half).clamp(-18_000_000, 18_000_000);
        at.at_s += if rng.next_u32().is_multiple_of(5) {
            1 + rng.next_u32() % 9_000
        } else {
            5
        };
        if rng.next_u32().is_multiple_of(9) {
            at.accuracy = Accuracy::ALL[(rng.next_u32() % 6) as usize];
        }
        at.after_gap = rng.next_u32().is_multiple_of(20);
        points.push(at);
    }
    points
}

#[test]
fn every_part_returns_from_its_bytes() {
    for seed in 0..4_000 {
        let points = random_points(&mut ChaCha8Rng::seed_from_u64(seed));
        let bytes = encode(&points).unwrap();
        assert_eq!(decode(&bytes), Ok(points.clone()), "seed {seed}");
        assert_eq!(
            of_text(&to_text(&points).unwrap()),
            Ok(points),
            "seed {seed}"
        );
    }
}

/// Bytes of a stranger: all errors, or points that are on the earth, in order, and no more than bytes.
#[test]
fn any_bytes_are_points_or_an_error() {
    let mut read = 0;
    for seed in 0..20_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = if seed % 3 == 0 {
            let mut bytes = vec![0; (rng.next_u32() % 60) as usize];
            rng.fill_bytes(&mut bytes);
            bytes
        } else {
            encode(&random_points(&mut rng)).unwrap()
        };
        for _ in 0..rng.next_u32() % 4 {
            let at = rng.next_u32() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (rng.next_u32() % 8);
            }
        }
        bytes.truncate(bytes.len() - (rng.next_u32() as usize % 2).min(bytes.len()));
        let Ok(points) = decode(&bytes) else { continue };
        read += 1;
        assert!(points.len() <= bytes.len(), "seed {seed}");
        assert!(points.iter().all(|point| point.place().is_some()));
        assert!(points.windows(2).all(|pair| pair[0].at_s < pair[1].at_s));
    }
    assert!(read > 2_000, "{read}");
}

#[test]
fn counts_beyond_the_bytes_are_refused() {
    let mut bytes = encode(&[point(1, 0, 0)]).unwrap();
    let last = bytes.len() - 1;
    for count in [2, 100, 127] {
        bytes[last] = count;
        assert_eq!(decode(&bytes), Err(TrackError::TooLong), "{count}");
    }
    // Points of one time, by a usual step of 0 or by a step of their own.
    let mut still = encode(&[point(1, 0, 0), point(6, 0, 0)]).unwrap();
    let step = still.len() - 3;
    assert_eq!((still[step], decode(&still).is_ok()), (5, true));
    still[step] = 0;
    assert_eq!(decode(&still), Err(TrackError::Order));
    still.truncate(still.len() - 1);
    still.extend([LONG | OTHER_TIME, 0, 0, 0]);
    assert_eq!(decode(&still), Err(TrackError::Order));
    bytes[last] = 0;
    assert_eq!(decode(&bytes), Err(TrackError::Empty));
    assert_eq!(
        decode(&vec![1; TRACK_BYTES_MAX + 1]),
        Err(TrackError::TooLong)
    );
    assert_eq!(decode(&[2]), Err(TrackError::Newer));
    assert_eq!(decode(&[]), Err(TrackError::Damaged));
    assert_eq!(of_text("!"), Err(TrackError::Damaged));
}

#[test]
fn points_that_are_no_part_are_refused() {
    assert_eq!(encode(&[]), Err(TrackError::Empty));
    let same = [point(5, 0, 0), point(5, 0, 1)];
    assert_eq!(encode(&same), Err(TrackError::Order));
    assert_eq!(encode(&[point(1, 9_000_001, 0)]), Err(TrackError::Place));
    let many: Vec<TrackPoint> = (0..721).map(|at| point(at, 0, 0)).collect();
    assert_eq!(encode(&many), Err(TrackError::TooLong));
    let far = |at: u32| {
        point(
            at * 9_000,
            if at.is_multiple_of(2) {
                9_000_000
            } else {
                -9_000_000
            },
            0,
        )
    };
    for points in [many, (0..500).map(far).collect(), Vec::new()] {
        let all: usize = parts(&points)
            .iter()
            .map(|part| encode(part).map(|_| part.len()).unwrap())
            .sum();
        assert_eq!(all, points.len());
    }
}

/// Two hours on foot, a point every 5 s, with the noise of a phone.
#[test]
fn walk_costs_at_most_three_bytes_a_point() {
    for seed in 0..20 {
        let points = walk(seed, 1_440);
        let mut bytes = 0;
        for part in points.chunks(120) {
            let part_bytes = encode(part).unwrap();
            assert_eq!(decode(&part_bytes).unwrap(), part);
            bytes += part_bytes.len();
        }
        assert!(bytes <= 3 * points.len(), "seed {seed}: {bytes}");
        if seed == 0 {
            println!("{} points: {bytes} bytes", points.len());
        }
    }
}

#[test]
fn gaps_are_marked_or_follow_from_the_times() {
    let points = [
        point(0, 0, 0),
        point(5, 0, 1),
        point(70, 0, 2),
        point(75, 0, 3).after_gap(),
    ];
    let gaps: Vec<bool> = points
        .windows(2)
        .map(|pair| pair[1].has_gap_after(&pair[0]))
        .collect();
    assert_eq!(gaps, [false, true, true]);
}

#[test]
fn point_is_rounded_to_a_metre() {
    let place = GeoPoint::new(302_741_256, 1_201_550_949).unwrap();
    let at = TrackPoint::at(place, 1_760_000_004_999, Some(7)).unwrap();
    let stored = (at.at_s, at.lat_e5, at.lon_e5, at.accuracy);
    assert_eq!(
        stored,
        (1_760_000_004, 3_027_413, 12_015_509, Accuracy::Metres10)
    );
    assert!(at.place().unwrap().distance_m(place) < 1.0);
    assert_eq!(TrackPoint::at(place, -1, None), None);
}

#[test]
fn bytes_of_a_part_never_change() {
    let start = point(1_760_000_000, 3_027_413, 12_015_509);
    let points = [
        start,
        TrackPoint {
            at_s: start.at_s + 5,
            lat_e5: start.lat_e5 + 4,
            lon_e5: start.lon_e5 - 3,
            ..start
        },
        TrackPoint {
            at_s: start.at_s + 10,
            lat_e5: start.lat_e5 + 40,
            ..start
        },
        TrackPoint {
            at_s: start.at_s + 300,
            accuracy: Accuracy::Vague,
            after_gap: true,
            ..start
        },
    ];
    golden("track_part", &encode(&points).unwrap());
}
