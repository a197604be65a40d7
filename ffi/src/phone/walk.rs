//! Walks: codes to join by, the own way, checkpoints, and the view of a walk.

use onegrid_core::domain::form::Date;
use onegrid_core::domain::point::GeoPoint;
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::domain::walk::coverage::Coverage;
use onegrid_core::domain::walk::section::{Checkpoint, Per, Section, SectionId, Target};
use onegrid_core::domain::walk::track::TrackPoint;
use onegrid_core::domain::walk::{self, Walk};
use onegrid_core::id::{DeviceId, RecordId};
use onegrid_core::replica::{JudgedScan, Reader};

use super::read::{invalid, no_record};
use super::{Phone, id, ids};
use crate::error::{Answer, OneGridError};
use crate::types::{
    GeoPosition, ScannedCheckpoint, TrackAdded, WalkCoverage, WalkDetail, WalkPass, WalkScan,
    WalkSection, WalkShortfall, Walker, WayPoint, Word,
};

#[uniffi::export]
impl Phone {
    /// Returns the text of a QR code that takes people into a patrol for 1 to 60 minutes. Only the phone that opened
    /// the patrol shows one. Neither phone needs a network.
    ///
    /// Errors: `join.not_lead`, `join.closed`, `join.minutes`, `join.too_large`, `replica.no_record`.
    pub fn join_code(&self, record: String, minutes: u8) -> Answer<String> {
        let record: RecordId = id(&record)?;
        self.0
            .keep(|replica, now| Ok(replica.join_code(record, minutes, now)?))
    }

    /// Joins the patrol of a scanned code and returns its record. A code that is expired, used or of another district
    /// changes nothing.
    ///
    /// Errors: `join.*`, `case.not_now` if this phone joined before, `may.not_readable`.
    pub fn join_by_code(&self, code: String) -> Answer<String> {
        let record = self
            .0
            .write(|replica, now| Ok(replica.join_by_code(&code, now)?))?;
        Ok(record.to_string())
    }

    /// Adds points to the way of this phone, by time. Points that are no part of the walk are left out and counted.
    ///
    /// Errors: `track.outside` if all points are from another time; `track.empty`, `track.order`, `track.too_long`,
    /// `position.*`, `join.closed`, `replica.no_record`, `may.*`.
    pub fn add_track(&self, record: String, points: Vec<WayPoint>) -> Answer<TrackAdded> {
        let record: RecordId = id(&record)?;
        let points = points.iter().map(track_point).collect::<Answer<Vec<_>>>()?;
        let added = self
            .0
            .write(|replica, now| Ok(replica.add_track(record, &points, now)?))?;
        Ok(TrackAdded {
            envelope: added.envelope.to_string(),
            left_out: count(added.left_out),
        })
    }

    /// Keeps a scan of a printed checkpoint with the position of the phone.
    ///
    /// Errors: `checkpoint.*` if the code was not printed for this district, and then nothing is written;
    /// `position.*`, `join.closed`, `replica.no_record`, `may.*`.
    pub fn scan_checkpoint(
        &self,
        record: String,
        code: String,
        position: Option<GeoPosition>,
    ) -> Answer<ScannedCheckpoint> {
        let record: RecordId = id(&record)?;
        let position = position.as_ref().map(GeoPosition::checked).transpose()?;
        let scanned = self
            .0
            .write(|replica, now| Ok(replica.scan_checkpoint(record, &code, position, now)?))?;
        Ok(ScannedCheckpoint {
            section: scanned.section.to_string(),
            number: scanned.checkpoint,
        })
    }

    /// Notes that the person leaves the patrol before its end, and returns the envelope.
    ///
    /// Errors: `join.closed`, `replica.no_record`, `may.*`.
    pub fn leave_walk(&self, record: String) -> Answer<String> {
        let record: RecordId = id(&record)?;
        let envelope = self
            .0
            .write(|replica, now| Ok(replica.leave_walk(record, now)?))?;
        Ok(envelope.to_string())
    }

    /// Returns the walk of a patrol. The section says which scans count. The places of other phones are for the team,
    /// for the people who walk along, and for the heads of the place; other people get times and lengths.
    ///
    /// Errors: `replica.no_record`, `join.closed` for a record of another kind, `section.*`, `position.*`.
    pub fn walk(&self, record: String, section: Option<WalkSection>) -> Answer<WalkDetail> {
        let record: RecordId = id(&record)?;
        let section = section.as_ref().map(checked_section).transpose()?;
        self.0.read(|reader| {
            if reader.row(record)?.is_none() {
                return Err(no_record());
            }
            let found = reader.judged_walk(record, section.as_ref())?;
            let (walk, scans) = found.ok_or_else(|| OneGridError::of("join.closed"))?;
            Ok(detail(reader, &walk, &scans))
        })
    }

    /// Returns the coverage of a section on a day in China, such as `2026-10-01`, by these patrols. Records that are
    /// not on this phone are left out.
    ///
    /// Errors: `input.bad_value` for a text that is no day; `section.*`, `position.*`.
    pub fn coverage(
        &self,
        section: WalkSection,
        records: Vec<String>,
        day: String,
    ) -> Answer<WalkCoverage> {
        let records: Vec<RecordId> = ids(&records)?;
        let section = checked_section(&section)?;
        let day: Date = day.parse().map_err(|_| invalid("day"))?;
        self.0
            .read(|reader| Ok(shown_coverage(reader.coverage(&section, &records, day)?)))
    }
}

fn track_point(point: &WayPoint) -> Answer<TrackPoint> {
    let position = point.position.checked()?;
    let made = TrackPoint::at(position.wgs84(), point.at_ms, position.accuracy_m());
    let made = made.ok_or_else(|| invalid("at_ms"))?;
    Ok(if point.after_gap {
        made.after_gap()
    } else {
        made
    })
}

fn checked_section(section: &WalkSection) -> Answer<Section> {
    let place = |position: &GeoPosition| Ok(position.checked()?.wgs84());
    let id = SectionId::new(&section.id).ok_or_else(|| invalid("section"))?;
    let line = section.line.iter().map(place).collect::<Answer<Vec<_>>>()?;
    let checkpoint = |one: &crate::types::SectionCheckpoint| {
        Ok(Checkpoint {
            number: one.number,
            place: place(&one.position)?,
            name: one.name.clone(),
        })
    };
    let checkpoints = section.checkpoints.iter().map(checkpoint);
    let checkpoints = checkpoints.collect::<Answer<Vec<_>>>()?;
    let target = |one: &crate::types::SectionTarget| Target {
        from_minute: one.from_minute,
        to_minute: one.to_minute,
        wanted: one.wanted,
        per: if one.per_hour { Per::Hour } else { Per::Day },
    };
    let targets = section.targets.iter().map(target).collect();
    Section::new(id, line, checkpoints, targets).map_err(|error| OneGridError::of(error.code()))
}

fn detail(reader: &Reader, walk: &Walk, scans: &[JudgedScan]) -> WalkDetail {
    let shown = |walker: &walk::Walker| shown_walker(reader.device(), walker, scans);
    WalkDetail {
        record: walk.record.to_string(),
        linked: walk.linked.map(|record| record.to_string()),
        section: walk.section.as_ref().map(ToString::to_string),
        opened_ms: walk.opened_ms,
        ended_ms: walk.ended_ms,
        abandoned: walk.is_void,
        walkers: walk.walkers.iter().map(shown).collect(),
    }
}

fn shown_walker(own: DeviceId, walker: &walk::Walker, scans: &[JudgedScan]) -> Walker {
    let facts = walker.facts();
    let of_walker = scans.iter().filter(|scan| scan.device == walker.device);
    let shown_scan = |scan: &JudgedScan| WalkScan {
        at_ms: scan.at_ms,
        checkpoint: scan.checkpoint,
        refused: scan.refused.map(|why| Word::coded(why.code())),
    };
    Walker {
        device: format!("{:016x}", u64::from_be_bytes(walker.device)),
        own: own.0.starts_with(&walker.device),
        is_lead: walker.is_lead,
        refused: walker.refused.map(|why| Word::coded(why.code())),
        points: count(facts.points),
        outside: count(facts.outside),
        scan_count: count(facts.scans),
        from_ms: facts.span_ms.map(|(from, _)| from),
        to_ms: facts.span_ms.map(|(_, to)| to),
        metres: facts.metres,
        left_ms: walker.left_ms,
        ended_ms: walker.ended_ms,
        unreadable: count(walker.unreadable),
        withheld: walker.withheld.is_some(),
        way: walker.way.iter().filter_map(way_point).collect(),
        scans: of_walker.map(shown_scan).collect(),
    }
}

/// A point for the app; none for one that lies outside the earth.
fn way_point(point: &TrackPoint) -> Option<WayPoint> {
    let place: GeoPoint = point.place()?;
    let metres = point.accuracy.metres();
    let position = Position::new(place.lat_e7(), place.lon_e7(), Datum::Wgs84, metres, 0);
    Some(WayPoint {
        at_ms: point.at_ms(),
        position: position.ok()?.into(),
        after_gap: point.after_gap,
    })
}

fn shown_coverage(found: Coverage) -> WalkCoverage {
    let pass = |pass: walk::coverage::Pass| WalkPass {
        at_ms: pass.at_ms,
        records: pass.records.iter().map(ToString::to_string).collect(),
    };
    let shortfall = |gap: walk::coverage::Shortfall| WalkShortfall {
        from_ms: gap.from_ms,
        to_ms: gap.to_ms,
        wanted: gap.wanted,
        found: gap.found,
    };
    WalkCoverage {
        hours: found.hours.to_vec(),
        passes: found.passes.into_iter().map(pass).collect(),
        shortfalls: found.shortfalls.into_iter().map(shortfall).collect(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
