//! The passes of a section, and the times when too few were made.
//!
//! ```text
//!  walks of the section ──▶ groups that overlap in time or are linked ──▶ visits of each place ──▶ passes
//! ```
//!
//! **A place** is a point of the line (one each [`APART_M`]), or a checkpoint. Sightings of a place by one phone make
//! one **visit**, until it was not seen there for [`REST_S`]. Visits of several phones that begin within [`REST_S`] are
//! one. So four people who go together visit once, and a phone that stays at a place hides no visit of another.
//!
//! **Pass k** of a group is made when [`SHARE_PERCENT`] of the points of the line, or of the checkpoints, have been
//! visited k times, in any order. Two leads who open the same walk make two records that overlap, so one group, and
//! one pass.

use std::collections::BTreeMap;

use super::section::{DAY_MINUTES, Per, Section, Target};
use super::spec::Seals;
use super::view::Walk;
use crate::domain::form::Date;
use crate::domain::point::GeoPoint;
use crate::id::RecordId;
use crate::limits::COVERAGE_WALKS_MAX;

/// Metres between two points of the line.
pub const APART_M: f64 = 25.0;
/// Metres from a point of the line within which a phone has seen it, its claimed radius aside.
pub const SEEN_M: f64 = 30.0;
/// Seconds without a sighting after which the next one is another visit.
pub const REST_S: u32 = 600;
/// The share of the points, or of the checkpoints, that a pass visits.
pub const SHARE_PERCENT: usize = 80;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// Offset of China from UTC, ms.
const CHINA_MS: i64 = 8 * 3_600_000;

/// A pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// When it was complete, ms UTC.
    pub at_ms: i64,
    /// The records of the walks that made it together.
    pub records: Vec<RecordId>,
}

/// A window with fewer passes than wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// The beginning, ms UTC.
    pub from_ms: i64,
    /// The end, ms UTC.
    pub to_ms: i64,
    /// The passes wanted.
    pub wanted: u16,
    /// The passes found.
    pub found: u16,
}

/// The coverage of a section on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The passes of each hour of the day in China.
    pub hours: [u16; 24],
    /// The passes of the day.
    pub passes: Vec<Pass>,
    /// The windows of its targets that lack passes, by target and time.
    pub shortfalls: Vec<Shortfall>,
}

/// The sightings of one place: the phone, and seconds UTC.
type Sightings = Vec<([u8; 8], u32)>;

/// The walks that overlap, with the times of their first and last sightings.
struct Group<'a> {
    walks: Vec<&'a Walk>,
    from_s: u32,
    to_s: u32,
}

/// The coverage of a section on a day. At most [`COVERAGE_WALKS_MAX`] walks are read.
#[must_use]
pub fn coverage(section: &Section, walks: &[Walk], seals: &dyn Seals, day: Date) -> Coverage {
    let day_ms = i64::from(day.days()) * DAY_MS - CHINA_MS;
    let mut passes = passes(section, walks, seals);
    passes.retain(|pass| (day_ms..day_ms + DAY_MS).contains(&pass.at_ms));
    let mut hours = [0_u16; 24];
    for pass in &passes {
        let hour = usize::try_from((pass.at_ms - day_ms) / (60 * MINUTE_MS)).unwrap_or(0);
        hours[hour] = hours[hour].saturating_add(1);
    }
    let found = |from_ms: i64, to_ms: i64| {
        let in_window = passes
            .iter()
            .filter(|pass| (from_ms..to_ms).contains(&pass.at_ms));
        u16::try_from(in_window.count()).unwrap_or(u16::MAX)
    };
    let mut shortfalls = Vec::new();
    for target in section.targets() {
        for (from, to) in windows(*target) {
            let at = |minute: u16| day_ms + i64::from(minute) * MINUTE_MS;
            let (from_ms, to_ms) = (at(from), at(to));
            let (wanted, found) = (target.wanted, found(from_ms, to_ms));
            if found < wanted {
                shortfalls.push(Shortfall {
                    from_ms,
                    to_ms,
                    wanted,
                    found,
                });
            }
        }
    }
    Coverage {
        hours,
        passes,
        shortfalls,
    }
}

/// The passes of a section by all walks, by time.
#[must_use]
pub fn passes(section: &Section, walks: &[Walk], seals: &dyn Seals) -> Vec<Pass> {
    let of_section = |walk: &&Walk| walk.section.as_ref() == Some(section.id()) && !walk.is_void;
    let mut walks: Vec<&Walk> = walks.iter().filter(of_section).collect();
    walks.sort_by_key(|walk| walk.record);
    walks.truncate(COVERAGE_WALKS_MAX);
    let line = section.sampled(APART_M);
    let mut passes: Vec<Pass> = groups(walks.into_iter())
        .iter()
        .flat_map(|group| passes_of_group(section, &line, group, seals))
        .collect();
    passes.sort_by(|a, b| (a.at_ms, &a.records).cmp(&(b.at_ms, &b.records)));
    passes
}

fn passes_of_group(
    section: &Section,
    line: &[GeoPoint],
    group: &Group<'_>,
    seals: &dyn Seals,
) -> Vec<Pass> {
    let mut records: Vec<RecordId> = group.walks.iter().map(|walk| walk.record).collect();
    records.sort_unstable();
    let by_line = nth_visits(seen_line(line, group));
    let by_scan = nth_visits(scanned(section, group, seals));
    (0..by_line.len().max(by_scan.len()))
        .filter_map(|nth| {
            let at_s = [by_line.get(nth), by_scan.get(nth)]
                .into_iter()
                .flatten()
                .min()?;
            let at_ms = i64::from(*at_s) * 1_000;
            Some(Pass {
                at_ms,
                records: records.clone(),
            })
        })
        .collect()
}

/// The sightings of each point of the line.
fn seen_line(line: &[GeoPoint], group: &Group<'_>) -> Vec<Sightings> {
    let mut seen: Vec<Sightings> = vec![Vec::new(); line.len()];
    let walkers = group.walks.iter().flat_map(|walk| walk.counting());
    let points = walkers.flat_map(|walker| walker.way.iter().map(|point| (walker.device, point)));
    for (device, point) in points {
        let (Some(at), Some(_)) = (point.place(), point.accuracy.metres()) else {
            continue;
        };
        let (north_m, east_m) = at.metres_per_e7();
        for (place, sightings) in line.iter().zip(&mut seen) {
            let north = f64::from(place.lat_e7()) - f64::from(at.lat_e7());
            let east = f64::from(place.lon_e7()) - f64::from(at.lon_e7());
            let (north, east) = (north * north_m, east * east_m);
            if north * north + east * east <= SEEN_M * SEEN_M {
                sightings.push((device, point.at_s));
            }
        }
    }
    seen
}

/// The scans of each checkpoint that count.
fn scanned(section: &Section, group: &Group<'_>, seals: &dyn Seals) -> Vec<Sightings> {
    let numbers = section
        .checkpoints()
        .iter()
        .map(|checkpoint| checkpoint.number);
    let mut seen: BTreeMap<u16, Sightings> = numbers.map(|number| (number, Vec::new())).collect();
    for walk in &group.walks {
        for (walker, scan, standing) in walk.scans(section, seals) {
            let number = scan.code().map(|code| code.checkpoint);
            let sightings = number.and_then(|number| seen.get_mut(&number));
            if let (Ok(_), Some(sightings)) = (standing, sightings) {
                sightings.push((walker.device, scan.at_s));
            }
        }
    }
    seen.into_values().collect()
}

/// When enough places had been visited once, twice and so on, seconds UTC.
fn nth_visits(places: Vec<Sightings>) -> Vec<u32> {
    let needed = (places.len() * SHARE_PERCENT).div_ceil(100);
    if needed == 0 {
        return Vec::new();
    }
    let visits: Vec<Vec<u32>> = places.into_iter().map(visits).collect();
    let mut times = Vec::new();
    loop {
        let nth = times.len();
        let mut reached: Vec<u32> = visits
            .iter()
            .filter_map(|one| one.get(nth).copied())
            .collect();
        if reached.len() < needed {
            return times;
        }
        reached.sort_unstable();
        times.push(reached[needed - 1]);
    }
}

/// The beginnings of the visits of one place.
fn visits(mut sightings: Sightings) -> Vec<u32> {
    sightings.sort_unstable();
    sightings.dedup();
    let mut beginnings = Vec::new();
    let mut last: Option<([u8; 8], u32)> = None;
    for (device, at_s) in sightings {
        let stays = last.is_some_and(|(one, last_s)| one == device && at_s - last_s < REST_S);
        if !stays {
            beginnings.push(at_s);
        }
        last = Some((device, at_s));
    }
    beginnings.sort_unstable();
    let mut visits: Vec<u32> = Vec::new();
    for at_s in beginnings {
        if visits.last().is_none_or(|begun| at_s - begun >= REST_S) {
            visits.push(at_s);
        }
    }
    visits
}

/// Walks that overlap in time, or that are linked. A walk without a sighting that counts is in no group.
fn groups<'a>(walks: impl Iterator<Item = &'a Walk>) -> Vec<Group<'a>> {
    let mut alone: Vec<Group<'a>> = walks.filter_map(alone).collect();
    alone.sort_by_key(|group| (group.from_s, group.to_s));
    let mut groups: Vec<Group<'a>> = Vec::new();
    for group in alone {
        let belongs = |known: &&mut Group<'a>| {
            known.to_s >= group.from_s
                || known
                    .walks
                    .iter()
                    .any(|walk| is_linked(walk, group.walks[0]))
        };
        if let Some(known) = groups.iter_mut().rev().find(belongs) {
            known.to_s = known.to_s.max(group.to_s);
            known.walks.extend(group.walks);
        } else {
            groups.push(group);
        }
    }
    groups
}

fn alone(walk: &Walk) -> Option<Group<'_>> {
    let open_ms = walk.open_ms();
    let seen = walk.counting().flat_map(|walker| {
        let points = walker.way.iter().map(|point| point.at_s);
        let scans = walker
            .scans
            .iter()
            .filter(|scan| open_ms.contains(&scan.at_ms()));
        points.chain(scans.map(|scan| scan.at_s))
    });
    let (from_s, to_s) = seen.fold(None, |span: Option<(u32, u32)>, at_s| {
        let (from, to) = span.unwrap_or((at_s, at_s));
        Some((from.min(at_s), to.max(at_s)))
    })?;
    Some(Group {
        walks: vec![walk],
        from_s,
        to_s,
    })
}

fn is_linked(a: &Walk, b: &Walk) -> bool {
    a.linked == Some(b.record) || b.linked == Some(a.record)
}

/// The windows of a target on one day, in minutes.
fn windows(target: Target) -> Vec<(u16, u16)> {
    let (from, to) = (target.from_minute, target.to_minute.min(DAY_MINUTES));
    if target.per == Per::Day {
        return vec![(from, to)];
    }
    let hours = ((to - from) / 60).max(1);
    let window = |hour: u16| {
        let start = from + hour * 60;
        (start, if hour + 1 == hours { to } else { start + 60 })
    };
    (0..hours).map(window).collect()
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
