//! Joining a record by the code on the phone of its lead, with no network on either phone.

use super::super::engine::Replica;
use super::super::engine::edit::change;
use super::super::error::ReplicaError;
use super::super::table::directory;
use crate::crdt::FieldEdit;
use crate::domain::case::Event;
use crate::domain::case::payload::KindStep;
use crate::domain::content::{Field, LogKey};
use crate::domain::steps::StepTable;
use crate::domain::walk::join::{self, Joining};
use crate::id::RecordId;
use crate::sync::port::Handover;
use crate::trust::certificate::RawCertificate;
use crate::wire::envelope::RawEnvelope;
use crate::wire::join_code::{JoinCode, JoinError};

/// The record of a code is not for this person.
const NOT_READABLE: &str = "may.not_readable";

impl Replica {
    /// Joins the record of a scanned code: the phone learns the record if it lacks it, makes the step that
    /// brings the person in, and keeps the proof. A code that was used before, has expired or belongs to another
    /// district changes nothing.
    pub fn join_by_code(&mut self, text: &str, now_ms: i64) -> Result<RecordId, ReplicaError> {
        let code: JoinCode = text.parse()?;
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let lead = code.verify(anchors, now_ms)?;
        if lead.facts().device == self.device() {
            return Err(JoinError::OwnCode.into());
        }
        if directory::is_revoked(self.conn()?, lead.facts().device)? {
            return Err(JoinError::Revoked.into());
        }
        let id = code.record();
        if self.load(id)?.is_none() {
            let genesis = code.genesis().ok_or(JoinError::NoRecord)?;
            self.learn(genesis, lead.raw(), now_ms)?;
        }
        let record = self.load(id)?;
        let record = record.ok_or(ReplicaError::NotAllowed(NOT_READABLE))?;
        let is_of_lead =
            record.state().map(|state| state.reporter_device) == Some(lead.facts().device);
        if !is_of_lead {
            return Err(JoinError::NotGenuine.into());
        }
        let table = record
            .state()
            .and_then(|state| state.steps())
            .map(|steps| steps.table);
        let step = table
            .and_then(StepTable::joining)
            .ok_or(JoinError::Closed)?;
        let event = Event::Step(KindStep {
            step: step.code,
            reason: None,
            attachments: Vec::new(),
            note: None,
        });
        let joining = Joining {
            at_ms: now_ms,
            proof: code.proof(),
        };
        let key = LogKey::new(self.device(), join::ENTRY).ok_or(ReplicaError::BadInput)?;
        let entry = FieldEdit::text(Field::Log(key), joining.to_text());
        self.write(now_ms, |writing| {
            let body = writing.event(&event, None);
            writing.append(id, &body)?;
            change(writing, id, &[entry], None)?;
            Ok(id)
        })
    }

    /// Takes over the envelope that made a record, as from a meeting.
    fn learn(
        &mut self,
        genesis: &RawEnvelope,
        lead: &RawCertificate,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let mut given = Handover::default();
        given.bundle.certificates.push(lead.clone());
        given.bundle.envelopes.push(genesis.clone());
        self.take_from_peer(&given, now_ms)?;
        Ok(())
    }
}
