//! A port that several hold: the screen reads and writes the replica while the driver syncs it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::Answer;
use super::port::{Applied, GiveAsk, Given, Identity, OutboxAsk, PortError, StarPort, StreamItem};
use crate::domain::stream::StreamId;
use crate::id::RecordId;
use crate::trust::session::SessionGrant;
use crate::wire::cursor::Cursor;
use crate::wire::digest::Digest;
use crate::wire::message::Bundle;
use crate::wire::repair::Settled;

fn held<P>(port: &Arc<Mutex<P>>) -> MutexGuard<'_, P> {
    // Every call of a port is one transaction: one that panicked left everything as it was.
    port.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: StarPort> StarPort for Arc<Mutex<P>> {
    fn identity(&self) -> Result<Identity, PortError> {
        held(self).identity()
    }

    fn welcomed(&mut self, grant: &SessionGrant) -> Result<(), PortError> {
        held(self).welcomed(grant)
    }

    fn cursors(&self) -> Result<Vec<Cursor>, PortError> {
        held(self).cursors()
    }

    fn writes(&self) -> u64 {
        held(self).writes()
    }

    fn generation(&self) -> Result<u32, PortError> {
        held(self).generation()
    }

    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError> {
        held(self).outbox(ask)
    }

    fn apply(&mut self, answer: &Answer, now_ms: i64) -> Result<Applied, PortError> {
        held(self).apply(answer, now_ms)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        held(self).combined_digest()
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        held(self).stream_items(stream)
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<Settled>, PortError> {
        held(self).settled(record)
    }

    fn give(&self, ask: &GiveAsk) -> Result<Given, PortError> {
        held(self).give(ask)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        held(self).revocations()
    }

    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError> {
        held(self).detach(stream, record, now_ms)
    }

    fn strays(&self) -> Result<Vec<RecordId>, PortError> {
        held(self).strays()
    }

    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError> {
        held(self).settle_stray(record, now_ms)
    }
}
