//! The walk of a record: every phone with its way, and the reason where it does not count.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::checkpoint::CheckpointCode;
use super::join::{self, JoinProof, Joining, Validity};
use super::scan::{self, Scan, ScanReason, Witness};
use super::section::{Section, SectionId};
use super::track::{self, TrackPoint};
use crate::domain::RecordKind;
use crate::domain::case::RecordState;
use crate::domain::content::{Content, FieldSpec, LogKey};
use crate::id::{DeviceId, RecordId};
use crate::limits::{SCANS_MAX, TRACK_PARTS_MAX, WALK_MS_MAX};

/// The id of a part of a track is this and its number, from 1 on.
pub const TRACK_PREFIX: &str = "track-";
/// The id of the entry of a phone that left before the end: the second of leaving.
pub const LEFT_ENTRY: &str = "left";
/// Milliseconds before the opening and after the end that still count, because clocks of phones differ.
const SLACK_MS: i64 = 120_000;

/// Everything that a kind says about its walks.
#[derive(Debug)]
pub struct WalkSpec {
    /// The kind.
    pub kind: RecordKind,
    /// The field with the id of the section.
    pub section: &'static FieldSpec,
}

/// The answers of the keys, which the domain does not know.
pub trait Seals {
    /// Whether the lead of the record signed the proof.
    fn is_of_lead(&self, record: RecordId, proof: &JoinProof) -> bool;
    /// Whether the server printed the code.
    fn is_printed(&self, code: &CheckpointCode) -> bool;
}

coded_error! {
    /// The reason why the way of a phone does not count. It stays in the record.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum WalkerReason {
        /// The phone did not scan the code of the lead.
        #[error("walk.no_code")]
        NoCode,
        /// The lead did not sign the code, or signed it for another record.
        #[error("walk.not_of_lead")]
        NotOfLead,
        /// The code was scanned outside its minutes.
        #[error("walk.code_expired")]
        CodeExpired,
    }
}

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
    /// The end, ms UTC; `None` while the walk is open.
    pub ended_ms: Option<i64>,
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
        }
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
        let last_ms = self
            .left_ms
            .map_or(*open_ms.end(), |left| left.min(*open_ms.end()));
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
        let ended_ms = ended_ms(state);
        let mut walk = Self {
            record,
            linked: state.facts.linked,
            section: content.text(spec.section).and_then(SectionId::new),
            opened_ms: state.reported_ms,
            ended_ms,
            walkers: Vec::new(),
        };
        let mut walkers: BTreeMap<[u8; 8], Walker> = BTreeMap::new();
        for (key, entry) in &content.details().logs {
            let device = key.device();
            let walker = walkers.entry(device).or_insert_with(|| Walker::new(device));
            read_entry(walker, key, entry, (record, seals));
        }
        let lead = prefix_of(state.reporter_device);
        let open_ms = walk.open_ms();
        for walker in walkers.values_mut() {
            if walker.device == lead {
                (walker.is_lead, walker.refused) = (true, None);
            }
            walker.sort(&open_ms);
        }
        walk.walkers = walkers.into_values().collect();
        walk.walkers.sort_by_key(|walker| !walker.is_lead);
        Some(walk)
    }

    /// The time that belongs to the walk. A walk that was never ended belongs to its first
    /// [`WALK_MS_MAX`].
    #[must_use]
    pub fn open_ms(&self) -> RangeInclusive<i64> {
        let latest = self.opened_ms.saturating_add(WALK_MS_MAX);
        let last = self.ended_ms.map_or(latest, |ended| ended.min(latest));
        self.opened_ms.saturating_sub(SLACK_MS)..=last.saturating_add(SLACK_MS)
    }

    /// The phones whose way counts.
    pub fn counting(&self) -> impl Iterator<Item = &Walker> {
        self.walkers
            .iter()
            .filter(|walker| walker.refused.is_none())
    }

    /// Every scan with its standing in a section, by phone and time. A scan of a phone that does not count has
    /// no own position that counts, and may stand beside a phone that does.
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
                let mut seen = scan.clone();
                if walker.refused.is_some() {
                    seen.fix = None;
                }
                let standing = seen.judge(section, is_genuine, &open_ms, &companions);
                judged.push((walker, scan, standing));
            }
        }
        judged
    }
}

fn prefix_of(device: DeviceId) -> [u8; 8] {
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&device.0[..8]);
    prefix
}

/// The effective time of the step in force that ended the walk.
fn ended_ms(state: &RecordState) -> Option<i64> {
    let steps = state.steps()?;
    let end = steps.entries.iter().find(|entry| entry.step.to.is_ended)?;
    Some(end.at_ms)
}

fn read_entry(
    walker: &mut Walker,
    key: &LogKey,
    entry: &str,
    (record, seals): (RecordId, &dyn Seals),
) {
    let numbered = |prefix: &str, max: usize| {
        let number = key.id().strip_prefix(prefix)?.parse::<usize>().ok()?;
        (1..=max).contains(&number).then_some(number)
    };
    if key.id() == join::ENTRY {
        walker.refused = judged_joining(entry, record, seals).err();
    } else if key.id() == LEFT_ENTRY {
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

fn judged_joining(entry: &str, record: RecordId, seals: &dyn Seals) -> Result<(), WalkerReason> {
    let joining = Joining::of_text(entry).ok_or(WalkerReason::NotOfLead)?;
    if !seals.is_of_lead(record, &joining.proof) {
        return Err(WalkerReason::NotOfLead);
    }
    match joining.proof.validity(joining.at_ms) {
        Validity::Valid => Ok(()),
        Validity::Expired | Validity::Early => Err(WalkerReason::CodeExpired),
    }
}
