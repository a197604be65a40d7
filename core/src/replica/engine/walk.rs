//! Walks on a phone: the code that takes people in, the own way, and scans of checkpoints.

use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::super::table::envelope;
use super::Replica;
use super::edit::change;
use crate::crdt::FieldEdit;
use crate::domain::content::{Content, Field, LogKey};
use crate::domain::form::Date;
use crate::domain::position::Position;
use crate::domain::walk::checkpoint::CheckpointCode;
use crate::domain::walk::coverage::{Coverage, coverage};
use crate::domain::walk::scan::{self, Scan, ScanReason};
use crate::domain::walk::section::Section;
use crate::domain::walk::track::{self, TrackError, TrackPoint};
use crate::domain::walk::{LEFT_ENTRY, TRACK_PREFIX, Viewer, Walk, Walker};
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{SCANS_MAX, TRACK_PARTS_MAX};
use crate::record::Record;
use crate::trust::WalkSeals;
use crate::wire::join_code::{JoinCode, JoinError};

/// The part of a batch of points that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackAdded {
    /// The envelope.
    pub envelope: EnvelopeId,
    /// The number of points that are no part of the walk, so they were not written.
    pub left_out: usize,
}

/// A scan of a checkpoint, and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedScan {
    /// The part of the device's id that authors of changes carry.
    pub device: [u8; 8],
    /// The clock of the phone, ms UTC.
    pub at_ms: i64,
    /// The number of the checkpoint; `None` in a damaged entry.
    pub checkpoint: Option<u16>,
    /// The reason why it does not count; `None` where it counts, or where no section was given.
    pub refused: Option<ScanReason>,
}

impl Reader {
    /// The walk of a record: every phone with its way, and the reason where it does not count. The places of other
    /// phones are for the team, for the people who walk along, and for the heads of the place; other readers get the
    /// facts of each way. `None` for a record that is not here, and for other kinds.
    pub fn walk(&self, id: RecordId) -> Result<Option<Walk>, ReplicaError> {
        Ok(self.judged_walk(id, None)?.map(|(walk, _)| walk))
    }

    /// The walk of a record as in [`Self::walk`], and its scans. With a section each scan is judged.
    pub fn judged_walk(
        &self,
        id: RecordId,
        section: Option<&Section>,
    ) -> Result<Option<(Walk, Vec<JudgedScan>)>, ReplicaError> {
        let certificate = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let viewer = Viewer {
            device: self.device(),
            grants: &certificate.facts().grants,
        };
        let Some(record) = self.load(id)? else {
            return Ok(None);
        };
        let Some((mut walk, state)) = self.whole_walk(&record)?.zip(record.state()) else {
            return Ok(None);
        };
        // Companions whose places are not shown still witness a scan.
        let mut scans = self.judged_scans(&walk, section)?;
        walk.show_to(&viewer, state);
        let withheld = |scan: &JudgedScan| {
            let mut walkers = walk.walkers.iter();
            walkers.any(|walker| walker.device == scan.device && walker.withheld.is_some())
        };
        scans.retain(|scan| !withheld(scan));
        Ok(Some((walk, scans)))
    }

    /// The coverage of a section on a day, by the walks of these records. It shows no way, so every reader of the
    /// records gets it.
    pub fn coverage(
        &self,
        section: &Section,
        ids: &[RecordId],
        day: Date,
    ) -> Result<Coverage, ReplicaError> {
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let mut walks = Vec::new();
        for id in ids {
            if let Some(record) = self.load(*id)? {
                walks.extend(self.whole_walk(&record)?);
            }
        }
        // The proofs are judged already.
        let seals = WalkSeals {
            anchors,
            lead: None,
        };
        Ok(coverage(section, &walks, &seals, day))
    }

    fn judged_scans(
        &self,
        walk: &Walk,
        section: Option<&Section>,
    ) -> Result<Vec<JudgedScan>, ReplicaError> {
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let seals = WalkSeals {
            anchors,
            lead: None,
        };
        let judged = |walker: &Walker, scan: &Scan, refused| JudgedScan {
            device: walker.device,
            at_ms: scan.at_ms(),
            checkpoint: scan.code().map(|code| code.checkpoint),
            refused,
        };
        if let Some(section) = section {
            let scans = walk.scans(section, &seals).into_iter();
            let scans = scans.map(|(walker, scan, standing)| judged(walker, scan, standing.err()));
            return Ok(scans.collect());
        }
        let walkers = walk.walkers.iter();
        let all = walkers.flat_map(|one| one.scans.iter().map(move |scan| (one, scan)));
        Ok(all
            .map(|(walker, scan)| judged(walker, scan, None))
            .collect())
    }

    fn whole_walk(&self, record: &Record) -> Result<Option<Walk>, ReplicaError> {
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let lead = record
            .nodes()
            .first()
            .and_then(|node| node.certificate.as_ref());
        let seals = WalkSeals {
            anchors,
            lead: lead.map(|certificate| certificate.device_key()),
        };
        let walk = record.state().zip(content_of(record));
        Ok(walk.and_then(|(state, content)| Walk::of(record.id(), state, &content, &seals)))
    }

    /// A record that this phone made and that takes people in now.
    fn record_to_join(&self, id: RecordId) -> Result<Record, ReplicaError> {
        let record = self.load(id)?.ok_or(ReplicaError::NoRecord)?;
        let state = record.state().ok_or(JoinError::Closed)?;
        if state.reporter_device != self.device() {
            return Err(JoinError::NotLead.into());
        }
        let takes_in = state.steps().and_then(|steps| {
            let joining = steps.table.joining()?;
            joining.starts_from(steps.stage).then_some(())
        });
        takes_in.ok_or(JoinError::Closed)?;
        Ok(record)
    }

    /// The next free number of own log entries with this prefix.
    fn next_entry(&self, content: &Content, prefix: &str) -> usize {
        let own = LogKey::new(self.device(), "own").map(|key| key.device());
        let mine = content
            .details()
            .logs
            .keys()
            .filter(|key| Some(key.device()) == own);
        let numbers = mine.filter_map(|key| key.id().strip_prefix(prefix)?.parse::<usize>().ok());
        numbers.max().unwrap_or(0).saturating_add(1)
    }

    fn entry(&self, id: &str, text: String) -> Option<FieldEdit> {
        let key = LogKey::new(self.device(), id)?;
        Some(FieldEdit::text(Field::Log(key), text))
    }
}

impl Replica {
    /// The text of a QR code that takes people into a record without network, for some minutes. Only the phone
    /// that made the record shows one. While the server has not packed the record, the code holds it, so phones
    /// that have never heard of it can join.
    pub fn join_code(
        &self,
        id: RecordId,
        minutes: u8,
        now_ms: i64,
    ) -> Result<String, ReplicaError> {
        let record = self.record_to_join(id)?;
        let state = record.state().ok_or(JoinError::Closed)?;
        let stored = envelope::get(self.conn()?, state.genesis)?;
        let genesis = stored.map(|stored| stored.raw);
        let certificate = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        // The certificate may be newer than the one that the Genesis names, and then the other phone could not
        // check the Genesis.
        let first = record
            .nodes()
            .first()
            .and_then(|node| node.certificate.clone());
        let certificate = first.as_ref().unwrap_or(certificate);
        let keys = (&self.signer, anchors);
        let code = JoinCode::make((id, genesis), certificate, keys, (now_ms, minutes))?;
        Ok(code.to_string())
    }

    /// Adds points to the own way. Each call writes parts that are whole by themselves. Points from before the
    /// opening, from a time to come, or from after the own end or leaving are no part of a walk: they are left out, and
    /// the answer has their number. Points after an end that somebody else set are kept, because this phone recorded
    /// them before it heard of the end, and the walk may end later yet.
    pub fn add_track(
        &mut self,
        id: RecordId,
        points: &[TrackPoint],
        now_ms: i64,
    ) -> Result<TrackAdded, ReplicaError> {
        let (walk, content) = self.walk_to_write(id)?;
        if points.is_empty() {
            return Err(TrackError::Empty.into());
        }
        let own_ms = walk.recording_ms(self.device(), now_ms);
        let mut kept: Vec<TrackPoint> = points.to_vec();
        kept.retain(|point| own_ms.contains(&point.at_ms()));
        let left_out = points.len() - kept.len();
        if kept.is_empty() {
            return Err(TrackError::Outside.into());
        }
        let first = self.next_entry(&content, TRACK_PREFIX);
        let mut edits = Vec::new();
        for (number, part) in (first..).zip(track::parts(&kept)) {
            if number > TRACK_PARTS_MAX {
                return Err(TrackError::TooLong.into());
            }
            let text = track::to_text(part)?;
            edits.extend(self.entry(&format!("{TRACK_PREFIX}{number}"), text));
        }
        let envelope = self.write(now_ms, |writing| change(writing, id, &edits, None))?;
        Ok(TrackAdded { envelope, left_out })
    }

    /// Keeps a scan of a printed checkpoint with the position of the phone. A code that the server did not print
    /// is refused; every other scan is kept, and [`Walk::scans`] says whether it counts.
    pub fn scan_checkpoint(
        &mut self,
        id: RecordId,
        text: &str,
        position: Option<Position>,
        now_ms: i64,
    ) -> Result<CheckpointCode, ReplicaError> {
        let code: CheckpointCode = text.parse()?;
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        WalkSeals {
            anchors,
            lead: None,
        }
        .check(&code)?;
        let (_, content) = self.walk_to_write(id)?;
        let number = self.next_entry(&content, scan::ENTRY_PREFIX);
        if number > SCANS_MAX {
            return Err(TrackError::TooLong.into());
        }
        let scan = Scan::new(&code, position, now_ms).ok_or(ReplicaError::BadInput)?;
        let edit = self.entry(&format!("{}{number}", scan::ENTRY_PREFIX), scan.to_text());
        let edits: Vec<FieldEdit> = edit.into_iter().collect();
        self.write(now_ms, |writing| change(writing, id, &edits, None))?;
        Ok(code)
    }

    /// Notes that the person leaves the walk before its end. Later points are no part of it.
    pub fn leave_walk(&mut self, id: RecordId, now_ms: i64) -> Result<EnvelopeId, ReplicaError> {
        self.walk_to_write(id)?;
        let edit = self.entry(LEFT_ENTRY, now_ms.div_euclid(1_000).to_string());
        let edits: Vec<FieldEdit> = edit.into_iter().collect();
        self.write(now_ms, |writing| change(writing, id, &edits, None))
    }

    fn walk_to_write(&self, id: RecordId) -> Result<(Walk, Content), ReplicaError> {
        let record = self.load(id)?.ok_or(ReplicaError::NoRecord)?;
        let content = content_of(&record).ok_or(JoinError::Closed)?;
        let walk = self.whole_walk(&record)?.ok_or(JoinError::Closed)?;
        Ok((walk, content))
    }
}

fn content_of(record: &Record) -> Option<Content> {
    let kind = record.state()?.facts.kind.spec()?;
    Some(record.document()?.content(kind))
}
