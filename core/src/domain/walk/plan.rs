//! A proposal for the day: half of the force goes to the red sections. A lead accepts or changes it.

use super::section::SectionId;

/// The rating of the area of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Colour {
    /// Most incidents.
    Red,
    /// Some incidents.
    Orange,
    /// Few incidents.
    Green,
}

/// The people that a plan sends to a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedForce {
    /// The section.
    pub section: SectionId,
    /// How many people.
    pub people: u32,
}

/// Spreads the force over the sections, in their order. The red ones share one half, and one person more where the
/// force is odd. The others share the rest. Where there are no red sections, or only red ones, all sections share
/// everyone. The first sections get the people that do not divide.
#[must_use]
pub fn plan(sections: &[(SectionId, Colour)], force: u32) -> Vec<PlannedForce> {
    let count = |red: bool| {
        let those = sections
            .iter()
            .filter(|(_, colour)| (*colour == Colour::Red) == red);
        u32::try_from(those.count()).unwrap_or(u32::MAX)
    };
    let (reds, others) = (count(true), count(false));
    let for_red = match (reds, others) {
        (0, _) => 0,
        (_, 0) => force,
        _ => force.div_ceil(2),
    };
    let (mut red_place, mut other_place) = (0, 0);
    let mut share = |is_red: bool| {
        let (force, count, place) = if is_red {
            (for_red, reds, &mut red_place)
        } else {
            (force - for_red, others, &mut other_place)
        };
        *place += 1;
        force / count + u32::from(*place <= force % count)
    };
    let planned = |(section, colour): &(SectionId, Colour)| PlannedForce {
        section: section.clone(),
        people: share(*colour == Colour::Red),
    };
    sections.iter().map(planned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn people(colours: &[Colour], force: u32) -> Vec<u32> {
        let sections: Vec<(SectionId, Colour)> = colours
            .iter()
            .enumerate()
            .map(|(at, colour)| (SectionId::new(&format!("s{at}")).unwrap(), *colour))
            .collect();
        plan(&sections, force)
            .iter()
            .map(|planned| planned.people)
            .collect()
    }

    #[test]
    fn half_of_the_force_goes_to_red() {
        use Colour::{Green as G, Orange as O, Red as R};
        for (colours, force, expected) in [
            (&[R, G, O, G][..], 12, &[6, 2, 2, 2][..]),
            (&[G, R, O, R], 13, &[3, 4, 3, 3]),
            (&[G, O], 5, &[3, 2]),
            (&[R, R], 5, &[3, 2]),
            (&[R, G], 0, &[0, 0]),
            (&[R, G], 1, &[1, 0]),
            (&[], 9, &[]),
        ] {
            assert_eq!(people(colours, force), expected, "{colours:?} {force}");
            let all: u32 = people(colours, force).iter().sum();
            assert_eq!(all, if colours.is_empty() { 0 } else { force });
        }
    }
}
