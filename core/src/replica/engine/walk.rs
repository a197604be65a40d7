//! Walks on a phone: the code that takes people in, the own way, and scans of checkpoints.

use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::super::table::envelope;
use super::Replica;
use super::edit::change;
use crate::crdt::FieldEdit;
use crate::domain::content::{Content, Field, LogKey};
use crate::domain::position::Position;
use crate::domain::walk::checkpoint::CheckpointCode;
use crate::domain::walk::scan::{self, Scan};
use crate::domain::walk::track::{self, TrackError, TrackPoint};
use crate::domain::walk::{LEFT_ENTRY, TRACK_PREFIX, Walk};
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{SCANS_MAX, TRACK_PARTS_MAX};
use crate::record::Record;
use crate::trust::WalkSeals;
use crate::wire::join_code::{JoinCode, JoinError};

impl Reader {
    /// The walk of a record: every phone with its way, and the reason where it does not count. `None` for a
    /// record that is not here, and for other kinds.
    pub fn walk(&self, id: RecordId) -> Result<Option<Walk>, ReplicaError> {
        let Some(record) = self.load(id)? else {
            return Ok(None);
        };
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let lead = record
            .nodes()
            .first()
            .and_then(|node| node.certificate.as_ref());
        let seals = WalkSeals {
            anchors,
            lead: lead.map(|certificate| certificate.device_key()),
        };
        let content = content_of(&record);
        let walk = record.state().zip(content);
        Ok(walk.and_then(|(state, content)| Walk::of(id, state, &content, &seals)))
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

    /// Adds points to the own way. Each call writes parts that are whole by themselves. A point of a time when
    /// the walk was not open is refused, and nothing is written.
    pub fn add_track(
        &mut self,
        id: RecordId,
        points: &[TrackPoint],
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        let (walk, content) = self.walk_to_write(id)?;
        let open_ms = walk.open_ms();
        if points.iter().any(|point| !open_ms.contains(&point.at_ms())) {
            return Err(TrackError::Outside.into());
        }
        if points.is_empty() {
            return Err(TrackError::Empty.into());
        }
        let first = self.next_entry(&content, TRACK_PREFIX);
        let mut edits = Vec::new();
        for (number, part) in (first..).zip(track::parts(points)) {
            if number > TRACK_PARTS_MAX {
                return Err(TrackError::TooLong.into());
            }
            let text = track::to_text(part)?;
            edits.extend(self.entry(&format!("{TRACK_PREFIX}{number}"), text));
        }
        self.write(now_ms, |writing| change(writing, id, &edits, None))
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
        let walk = self.walk(id)?.ok_or(JoinError::Closed)?;
        Ok((walk, content))
    }
}

fn content_of(record: &Record) -> Option<Content> {
    let kind = record.state()?.facts.kind.spec()?;
    Some(record.document()?.content(kind))
}
