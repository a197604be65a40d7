//! The walk of a record: every phone with its way, and the reason where it does not count.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::join;
use super::joiners::{self, Proof};
use super::scan::{self, Scan, ScanReason, Witness};
use super::section::{Section, SectionId};
use super::spec::{Seals, WalkSpec, WalkerReason, device_prefix};
use super::track::{self, TrackPoint};
use crate::domain::case::RecordState;
use crate::domain::content::{Content, LogKey};
use crate::id::{DeviceId, RecordId};
use crate::limits::{SCANS_MAX, TRACK_PARTS_MAX, WALK_MS_MAX};

/// The id of a part of a track is this and its number, from 1 on.
pub const TRACK_PREFIX: &str = "track-";
/// The id of the entry of a phone that left before the end: the second of leaving.
pub const LEFT_ENTRY: &str = "left";
/// Milliseconds before the opening and after the end that still count, because clocks of phones differ.
const SLACK_MS: i64 = 120_000;

/// A stretch of time without points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last point before it, ms UTC.
    pub from_ms: i64,
    /// The first point after it, ms UTC.
    pub to_ms: i64,
}

/// One phone of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walker {
    /// The part of the device's id that authors of changes carry.
    pub device: [u8; 8],
    /// Whether it is the phone that opened the walk.
    pub is_lead: bool,
    /// Why its way does not count; `None` where it counts.
    pub refused: Option<WalkerReason>,
    /// The way while the walk was open, by time.
    pub way: Vec<TrackPoint>,
    /// Points from before the opening, or after the end or the leaving. They are no part of the walk.
    pub outside: Vec<TrackPoint>,
    /// Entries that cannot be read.
    pub unreadable: usize,
    /// The scans, by time.
    pub scans: Vec<Scan>,
    /// When the person left before the end, ms UTC.
    pub left_ms: Option<i64>,
    /// When this phone ended the walk, ms UTC. It may be before the end of the walk.
    pub ended_ms: Option<i64>,
    /// The facts of a way that is not shown to this reader. Then [`Self::way`], [`Self::outside`] and
    /// [`Self::scans`] are empty.
    pub withheld: Option<WayFacts>,
}

/// The facts of a way without its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WayFacts {
    /// Points of the way.
    pub points: usize,
    /// Points outside the time of the walk.
    pub outside: usize,
    /// Scans of checkpoints.
    pub scans: usize,
    /// The first and the last point, ms UTC; `None` without a point.
    pub span_ms: Option<(i64, i64)>,
    /// The length outside the gaps, in metres.
    pub metres: u32,
}

/// The walk of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// The record.
    pub record: RecordId,
    /// The record that it belongs to: another one of the same walk, if two leads opened it.
    pub linked: Option<RecordId>,
    /// The section.
    pub section: Option<SectionId>,
    /// The opening, ms UTC.
    pub opened_ms: i64,
    /// The latest end that a person of the walk set, ms UTC; `None` while the walk is open.
    pub ended_ms: Option<i64>,
    /// Whether the walk was abandoned, so it makes no pass.
    pub is_void: bool,
    /// The phones, the lead first.
    pub walkers: Vec<Walker>,
}

impl Walker {
    fn new(device: [u8; 8]) -> Self {
        Self {
            device,
            is_lead: false,
            refused: Some(WalkerReason::NoCode),
            way: Vec::new(),
            outside: Vec::new(),
            unreadable: 0,
            scans: Vec::new(),
            left_ms: None,
            ended_ms: None,
            withheld: None,
        }
    }

    /// The facts of the way without its places.
    #[must_use]
    pub fn facts(&self) -> WayFacts {
        let ends = self.way.first().zip(self.way.last());
        self.withheld.unwrap_or_else(|| WayFacts {
            points: self.way.len(),
            outside: self.outside.len(),
            scans: self.scans.len(),
            span_ms: ends.map(|(first, last)| (first.at_ms(), last.at_ms())),
            metres: self.metres(),
        })
    }

    /// The last moment of the own way: the leaving, or the own end and two minutes for clocks that differ.
    fn last_ms(&self) -> i64 {
        let ended = self.ended_ms.map(|ended| ended.saturating_add(SLACK_MS));
        [self.left_ms, ended]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(i64::MAX)
    }

    fn withhold(&mut self) {
        self.withheld = Some(self.facts());
        self.way.clear();
        self.outside.clear();
        self.scans.clear();
    }

    /// The stretches where the way is unknown.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let pairs = self
            .way
            .windows(2)
            .filter(|pair| pair[1].has_gap_after(&pair[0]));
        let gap = |pair: &[TrackPoint]| Gap {
            from_ms: pair[0].at_ms(),
            to_ms: pair[1].at_ms(),
        };
        pairs.map(gap).collect()
    }

    /// The length of the way outside its gaps, in metres, for people to see. No rule reads it.
    #[must_use]
    pub fn metres(&self) -> u32 {
        let clear = |point: &&TrackPoint| point.accuracy.metres().is_some();
        let way: Vec<&TrackPoint> = self.way.iter().filter(clear).collect();
        let length = |pair: &[&TrackPoint]| {
            let (from, to) = pair[0].place().zip(pair[1].place())?;
            (!pair[1].has_gap_after(pair[0])).then(|| from.distance_m(to))
        };
        let metres: f64 = way.windows(2).filter_map(length).sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never negative; `as` stops at the largest number"
        )]
        let metres = metres.round() as u32;
        metres
    }

    fn sort(&mut self, open_ms: &RangeInclusive<i64>) {
        self.way.sort_by_key(|point| point.at_s);
        self.way.dedup_by_key(|point| point.at_s);
        let last_ms = self.last_ms().min(*open_ms.end());
        let is_inside = |point: &TrackPoint| (*open_ms.start()..=last_ms).contains(&point.at_ms());
        let (way, outside) = std::mem::take(&mut self.way)
            .into_iter()
            .partition(is_inside);
        (self.way, self.outside) = (way, outside);
        self.scans.sort_by_key(|scan| scan.at_s);
    }
}

impl Walk {
    /// Reads the walk of a record. `None` for a kind without walks.
    #[must_use]
    pub fn of(
        record: RecordId,
        state: &RecordState,
        content: &Content,
        seals: &dyn Seals,
    ) -> Option<Self> {
        let spec = state.facts.kind.walk()?;
        let ends = ends(state, spec);
        let mut walk = Self {
            record,
            linked: state.facts.linked,
            section: content.text(spec.section).and_then(SectionId::new),
            opened_ms: state.reported_ms,
            ended_ms: ended_ms(state, &ends),
            is_void: state.steps().is_some_and(|steps| steps.stage == spec.void),
            walkers: Vec::new(),
        };
        let mut walkers: BTreeMap<[u8; 8], Walker> = BTreeMap::new();
        let mut proofs: BTreeMap<[u8; 8], Proof> = BTreeMap::new();
        for (key, entry) in &content.details().logs {
            let device = key.device();
            let walker = walkers.entry(device).or_insert_with(|| Walker::new(device));
            if key.id() == join::ENTRY {
                proofs.insert(device, joiners::proof_of(entry, record, seals));
            } else {
                read_entry(walker, key, entry);
            }
        }
        let lead = device_prefix(state.reporter_device);
        let open_ms = walk.open_ms();
        let mut standings = joiners::standings(state, spec, &proofs);
        for walker in walkers.values_mut() {
            if walker.device == lead {
                (walker.is_lead, walker.refused) = (true, None);
            } else if let Some(standing) = standings.remove(&walker.device) {
                walker.refused = standing;
            }
            walker.ended_ms = ends.get(&walker.device).copied();
            walker.sort(&open_ms);
        }
        walk.walkers = walkers.into_values().collect();
        walk.walkers.sort_by_key(|walker| !walker.is_lead);
        Some(walk)
    }

    /// Takes the places of all ways but one out.
    pub fn withhold_ways(&mut self, own: DeviceId) {
        let own = device_prefix(own);
        let others = self.walkers.iter_mut();
        others
            .filter(|walker| walker.device != own)
            .for_each(Walker::withhold);
    }

    /// Whether this phone walks, and its way counts.
    #[must_use]
    pub fn counts(&self, device: DeviceId) -> bool {
        let device = device_prefix(device);
        self.counting().any(|walker| walker.device == device)
    }

    /// The time that belongs to the walk. A walk that was never ended belongs to its first
    /// [`WALK_MS_MAX`].
    #[must_use]
    pub fn open_ms(&self) -> RangeInclusive<i64> {
        let latest = self.opened_ms.saturating_add(WALK_MS_MAX);
        let last = self.ended_ms.map_or(latest, |ended| ended.min(latest));
        self.opened_ms.saturating_sub(SLACK_MS)..=last.saturating_add(SLACK_MS)
    }

    /// The time that a phone may record: from the opening until now, and no longer than the own leaving or end.
    #[must_use]
    pub fn recording_ms(&self, device: DeviceId, now_ms: i64) -> RangeInclusive<i64> {
        let device = device_prefix(device);
        let own = self.walkers.iter().find(|walker| walker.device == device);
        let latest_ms = self.opened_ms.saturating_add(WALK_MS_MAX).min(now_ms);
        let last_ms = latest_ms.saturating_add(SLACK_MS);
        let own_ms = own.map_or(i64::MAX, Walker::last_ms);
        self.opened_ms.saturating_sub(SLACK_MS)..=last_ms.min(own_ms)
    }

    /// The phones whose way counts.
    pub fn counting(&self) -> impl Iterator<Item = &Walker> {
        self.walkers
            .iter()
            .filter(|walker| walker.refused.is_none())
    }

    /// Every scan with its standing in a section, by phone and time. A scan of a phone that does not count never
    /// counts.
    #[must_use]
    pub fn scans<'a>(
        &'a self,
        section: &Section,
        seals: &dyn Seals,
    ) -> Vec<(&'a Walker, &'a Scan, Result<Witness, ScanReason>)> {
        let open_ms = self.open_ms();
        let mut judged = Vec::new();
        for walker in &self.walkers {
            let others = self
                .counting()
                .filter(|other| other.device != walker.device);
            let companions: Vec<_> = others.map(|other| (other.device, &other.way[..])).collect();
            for scan in &walker.scans {
                let is_genuine = scan.code().is_some_and(|code| seals.is_printed(&code));
                let standing = scan.judge(section, is_genuine, &open_ms, &companions);
                let standing = match walker.refused {
                    Some(_) => standing.and(Err(ScanReason::NotCounted)),
                    None => standing,
                };
                judged.push((walker, scan, standing));
            }
        }
        judged
    }
}

/// The effective time of each end that counts, by the device that set it.
fn ends(state: &RecordState, spec: &WalkSpec) -> BTreeMap<[u8; 8], i64> {
    let mut ends = BTreeMap::new();
    for step in joiners::effective(state, spec.end) {
        let end_ms = ends.entry(device_prefix(step.device)).or_insert(step.at_ms);
        *end_ms = step.at_ms.max(*end_ms);
    }
    ends
}

/// The latest end, because people part at different times and an earlier end is one of its author only. A walk
/// that was given up ends then.
fn ended_ms(state: &RecordState, ends: &BTreeMap<[u8; 8], i64>) -> Option<i64> {
    let given_up = || {
        let mut entries = state.steps()?.entries.iter();
        Some(entries.find(|entry| entry.step.to.is_ended)?.at_ms)
    };
    ends.values().max().copied().or_else(given_up)
}

fn read_entry(walker: &mut Walker, key: &LogKey, entry: &str) {
    let numbered = |prefix: &str, max: usize| {
        let number = key.id().strip_prefix(prefix)?.parse::<usize>().ok()?;
        (1..=max).contains(&number).then_some(number)
    };
    if key.id() == LEFT_ENTRY {
        walker.left_ms = entry
            .parse::<u32>()
            .ok()
            .map(|at_s| i64::from(at_s) * 1_000);
        walker.unreadable += usize::from(walker.left_ms.is_none());
    } else if numbered(TRACK_PREFIX, TRACK_PARTS_MAX).is_some() {
        match track::of_text(entry) {
            Ok(points) => walker.way.extend(points),
            Err(_) => walker.unreadable += 1,
        }
    } else if numbered(scan::ENTRY_PREFIX, SCANS_MAX).is_some() {
        match Scan::of_text(entry) {
            Some(scan) => walker.scans.push(scan),
            None => walker.unreadable += 1,
        }
    }
}
