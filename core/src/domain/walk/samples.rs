//! Walks for tests: people on foot, with the noise of a phone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::checkpoint::CheckpointCode;
use super::section::{Checkpoint, Per, Section, SectionId, Target};
use super::track::{Accuracy, TrackPoint};
use crate::domain::point::GeoPoint;

/// The beginning of all walks, seconds UTC: 18:00 in China.
pub(crate) const START_S: u32 = 1_760_004_000;
/// The south-western corner of all walks, 1e-5 degree.
pub(crate) const CORNER_E5: (i32, i32) = (3_027_400, 12_015_500);

/// A number from -1,000 to 1,000 around 0, as the sum of four dice.
fn noise(rng: &mut ChaCha8Rng) -> i32 {
    let dice = (0..4).map(|_| i32::try_from(rng.next_u32() % 501).unwrap_or(0));
    dice.sum::<i32>() - 1_000
}

/// A person who walks round a square of 300 m at 1.2 m/s. The error of the phone drifts by some metres, its
/// timer is late now and then, and its accuracy changes.
pub(crate) fn walk(seed: u64, count: u32) -> Vec<TrackPoint> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut error_lat, mut error_lon) = (0, 0);
    let mut accuracy = Accuracy::Metres10;
    let mut at_s = START_S;
    (0..count)
        .map(|_| {
            at_s += match rng.next_u32() % 20 {
                0 => 6,
                1 => 4,
                _ => 5,
            };
            error_lat = error_lat * 9 / 10 + noise(&mut rng);
            error_lon = error_lon * 9 / 10 + noise(&mut rng);
            if rng.next_u32().is_multiple_of(40) {
                accuracy = Accuracy::ALL[(rng.next_u32() % 4) as usize];
            }
            let (lat, lon) = square_e5(f64::from(at_s - START_S) * 1.2);
            TrackPoint {
                at_s,
                lat_e5: CORNER_E5.0 + lat + error_lat / 200,
                lon_e5: CORNER_E5.1 + lon + error_lon / 200,
                accuracy,
                after_gap: false,
            }
        })
        .collect()
}

/// The place on the square after some metres: about a metre is one unit.
#[expect(clippy::cast_possible_truncation, reason = "at most 300")]
fn square_e5(metres: f64) -> (i32, i32) {
    let round = (metres / 1.1).rem_euclid(1_200.0);
    let along = (round % 300.0) as i32;
    match (round / 300.0) as i32 {
        0 => (along, 0),
        1 => (300, along),
        2 => (300 - along, 300),
        _ => (0, 300 - along),
    }
}

/// A place of the square, by metres along it.
pub(crate) fn place(metres: f64) -> GeoPoint {
    let (lat, lon) = square_e5(metres);
    let point = GeoPoint::new((CORNER_E5.0 + lat) * 100, (CORNER_E5.1 + lon) * 100);
    point.unwrap_or_else(|error| panic!("{error}"))
}

/// The square as a section with four checkpoints, two passes an hour from 18 to 22 h, and five a day.
pub(crate) fn section() -> Section {
    let corners = [0.0, 330.0, 660.0, 990.0, 1_319.0];
    let checkpoints = (1..)
        .zip(corners)
        .take(4)
        .map(|(number, metres)| Checkpoint {
            number,
            place: place(metres),
            name: format!("{number}号楼"),
        });
    let targets = vec![
        Target {
            from_minute: 18 * 60,
            to_minute: 22 * 60,
            wanted: 2,
            per: Per::Hour,
        },
        Target {
            from_minute: 0,
            to_minute: 24 * 60,
            wanted: 5,
            per: Per::Day,
        },
    ];
    let id = SectionId::new("wulin-7").unwrap_or_else(|| panic!("an id"));
    let line = corners.map(place).to_vec();
    Section::new(id, line, checkpoints.collect(), targets).unwrap_or_else(|error| panic!("{error}"))
}

/// A printed checkpoint of the section that no key signed.
pub(crate) fn code_of(generation: u32, checkpoint: u16) -> CheckpointCode {
    CheckpointCode {
        deployment: [7; 8],
        section: section().id().clone(),
        checkpoint,
        printed_ms: 1_700_000_000_000,
        generation,
        signature: [9; 64],
    }
}
