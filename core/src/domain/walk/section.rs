//! A section that teams walk: a line, its checkpoints, and how often people want to see a team there.
//!
//! A section is data that the caller hands in. Its id is in the record of a walk and in each printed checkpoint.

use std::fmt;

use crate::domain::point::GeoPoint;
use crate::limits::{
    SECTION_CHECKPOINTS_MAX, SECTION_ID_BYTES_MAX, SECTION_LENGTH_M_MAX, SECTION_POINTS_MAX,
    SECTION_TARGETS_MAX,
};

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// The stable id of a section: 1 to [`SECTION_ID_BYTES_MAX`] characters out of `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionId(String);

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    id: SectionId,
    line: Vec<GeoPoint>,
    checkpoints: Vec<Checkpoint>,
    targets: Vec<Target>,
}

/// A place with a printed code, such as a stairwell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The number in the section.
    pub number: u16,
    /// The place.
    pub place: GeoPoint,
    /// The words for people.
    pub name: String,
}

/// The passes that a section needs in a part of the day, by the clock in China.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The first minute of the day.
    pub from_minute: u16,
    /// The minute after the last one, at most [`DAY_MINUTES`].
    pub to_minute: u16,
    /// The least number of passes.
    pub wanted: u16,
    /// The time that the number is for.
    pub per: Per,
}

/// The time that a number of passes is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each hour that begins in the window. A rest of less than an hour at its end counts with the hour before.
    Hour,
    /// The whole window of one day.
    Day,
}

coded_error! {
    /// The reason why a section is refused.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum SectionError {
        /// The line has fewer than two points and there is no checkpoint, or there is too much of something.
        #[error("section.size")]
        Size,
        /// Two checkpoints have one number.
        #[error("section.checkpoint_twice")]
        CheckpointTwice,
        /// A target has an empty window, a window beyond the day, or asks for no pass.
        #[error("section.target")]
        Target,
    }
}

impl SectionId {
    /// Checks an id.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let sound = (1..=SECTION_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain);
        sound.then(|| Self(text.to_owned()))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> minicbor::Encode<C> for SectionId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for SectionId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        Self::new(d.str()?)
            .ok_or_else(|| minicbor::decode::Error::message("no id of a section").at(at))
    }
}

impl Section {
    /// Checks a section.
    pub fn new(
        id: SectionId,
        line: Vec<GeoPoint>,
        checkpoints: Vec<Checkpoint>,
        targets: Vec<Target>,
    ) -> Result<Self, SectionError> {
        let too_large = line.len() > SECTION_POINTS_MAX
            || checkpoints.len() > SECTION_CHECKPOINTS_MAX
            || targets.len() > SECTION_TARGETS_MAX
            || length_m(&line) > f64::from(SECTION_LENGTH_M_MAX);
        if too_large || line.len() == 1 || (line.is_empty() && checkpoints.is_empty()) {
            return Err(SectionError::Size);
        }
        let mut numbers: Vec<u16> = checkpoints
            .iter()
            .map(|checkpoint| checkpoint.number)
            .collect();
        numbers.sort_unstable();
        if numbers.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SectionError::CheckpointTwice);
        }
        let sound = |target: &Target| {
            target.from_minute < target.to_minute
                && target.to_minute <= DAY_MINUTES
                && target.wanted > 0
        };
        if !targets.iter().all(sound) {
            return Err(SectionError::Target);
        }
        Ok(Self {
            id,
            line,
            checkpoints,
            targets,
        })
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &SectionId {
        &self.id
    }

    /// The points of its line, in order.
    #[must_use]
    pub fn line(&self) -> &[GeoPoint] {
        &self.line
    }

    /// The checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// The checkpoint of a number.
    #[must_use]
    pub fn checkpoint(&self, number: u16) -> Option<&Checkpoint> {
        self.checkpoints
            .iter()
            .find(|checkpoint| checkpoint.number == number)
    }

    /// The targets.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Points along the line at most this far apart, in metres.
    pub(super) fn sampled(&self, apart_m: f64) -> Vec<GeoPoint> {
        let mut samples = Vec::new();
        for pair in self.line.windows(2) {
            let pieces = (pair[0].distance_m(pair[1]) / apart_m).ceil().max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the line is at most SECTION_LENGTH_M_MAX long"
            )]
            let pieces = pieces as u32;
            samples
                .extend((0..pieces).filter_map(|piece| between(pair[0], pair[1], piece, pieces)));
        }
        samples.extend(self.line.last());
        samples
    }
}

/// The length of a line in metres.
fn length_m(line: &[GeoPoint]) -> f64 {
    line.windows(2)
        .map(|pair| pair[0].distance_m(pair[1]))
        .sum()
}

/// The point after `part` of `parts` of the way, on a flat map.
fn between(from: GeoPoint, to: GeoPoint, part: u32, parts: u32) -> Option<GeoPoint> {
    let along = |from: i32, to: i32| {
        let way = (i64::from(to) - i64::from(from)) * i64::from(part) / i64::from(parts);
        i32::try_from(i64::from(from) + way).ok()
    };
    let (lat, lon) = (
        along(from.lat_e7(), to.lat_e7())?,
        along(from.lon_e7(), to.lon_e7())?,
    );
    GeoPoint::new(lat, lon).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::walk::samples::{place, section};

    #[test]
    fn sections_that_cannot_be_are_refused() {
        let id = || SectionId::new("a-1").unwrap();
        let at = |number| Checkpoint {
            number,
            place: place(0.0),
            name: String::new(),
        };
        let target = |from_minute, to_minute, wanted| Target {
            from_minute,
            to_minute,
            wanted,
            per: Per::Day,
        };
        let made = |line, checkpoints, targets| {
            Section::new(id(), line, checkpoints, targets)
                .err()
                .map(|error| error.code())
        };
        let line = vec![place(0.0), place(50.0)];
        assert_eq!(made(vec![], vec![], vec![]), Some("section.size"));
        assert_eq!(made(vec![place(0.0)], vec![], vec![]), Some("section.size"));
        assert_eq!(
            made(vec![place(0.0); 2_001], vec![], vec![]),
            Some("section.size")
        );
        let far = vec![place(0.0), GeoPoint::new(0, 0).unwrap()];
        assert_eq!(made(far, vec![], vec![]), Some("section.size"));
        assert_eq!(
            made(vec![], vec![at(1), at(1)], vec![]),
            Some("section.checkpoint_twice")
        );
        for bad in [target(5, 5, 1), target(0, 1_441, 1), target(0, 1, 0)] {
            assert_eq!(
                made(line.clone(), vec![], vec![bad]),
                Some("section.target")
            );
        }
        assert_eq!(
            made(line, vec![at(1), at(2)], vec![target(0, 1_440, 1)]),
            None
        );
        assert!(
            ["", "A", "a b", &"x".repeat(41)]
                .iter()
                .all(|id| SectionId::new(id).is_none())
        );
    }

    #[test]
    fn samples_lie_close_along_the_line() {
        let samples = section().sampled(25.0);
        assert!(
            samples
                .windows(2)
                .all(|pair| pair[0].distance_m(pair[1]) <= 25.5)
        );
        assert!((48..=60).contains(&samples.len()), "{}", samples.len());
    }
}
