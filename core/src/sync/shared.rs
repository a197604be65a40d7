//! A port with several holders: the screen reads and writes the replica while the driver syncs it.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::answer::Answer;
use super::bundle_file::BundlePort;
use super::file_port::{Download, FilePort, FilesLeft, Giver, Upload};
use super::port::{
    ApplyCounts, ApplyProgress, GiveAsk, Handover, Identity, OutboxAsk, PeerPort, PortError,
    StarPort, StreamItem,
};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::trust::bundle_seal::PendingRequest;
use crate::trust::certificate::{Certificate, ServerKeys};
use crate::trust::peer_session::MeetingDigests;
use crate::trust::session::Welcome;
use crate::wire::cursor::Cursor;
use crate::wire::digest::Digest;
use crate::wire::message::Bundle;
use crate::wire::parcel::{Parcel, ParcelOutcome};
use crate::wire::repair::SettledEnvelope;
use crate::wire::transfer::FileName;

/// A port whose holders take turns in the order of their requests. With a plain mutex the sync could take
/// slice after slice of an answer while a write of the person waits.
#[derive(Debug, Default)]
pub struct Shared<P> {
    port: Mutex<P>,
    queue: Mutex<Queue>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// The number of the next holder to ask.
    next: u64,
    /// The number of the present holder, or of the next one.
    turn: u64,
}

/// The turn of one holder. Dropping it lets the next one in.
#[derive(Debug)]
pub struct Turn<'a, P> {
    port: Option<MutexGuard<'a, P>>,
    shared: &'a Shared<P>,
}

impl<P> Shared<P> {
    /// Shares a port.
    pub fn new(port: P) -> Self {
        Self {
            port: Mutex::new(port),
            queue: Mutex::default(),
            turned: Condvar::new(),
        }
    }

    /// Waits for its turn. A thread that has the turn must not ask again.
    pub fn lock(&self) -> Turn<'_, P> {
        let mut queue = self.queue();
        let own = queue.next;
        queue.next = own.wrapping_add(1);
        while queue.turn != own {
            queue = self
                .turned
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(queue);
        // Every call of a port is one transaction, so a call that panicked left everything as it was.
        let port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        Turn {
            port: Some(port),
            shared: self,
        }
    }

    /// Gives the port back to its only holder.
    pub fn into_inner(self) -> P {
        self.port
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Deref for Turn<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        self.port.as_deref().expect("only a drop takes the port")
    }
}

impl<P> DerefMut for Turn<'_, P> {
    fn deref_mut(&mut self) -> &mut P {
        self.port
            .as_deref_mut()
            .expect("only a drop takes the port")
    }
}

impl<P> Drop for Turn<'_, P> {
    fn drop(&mut self) {
        self.port = None;
        let mut queue = self.shared.queue();
        queue.turn = queue.turn.wrapping_add(1);
        self.shared.turned.notify_all();
    }
}

impl<P: StarPort> StarPort for Arc<Shared<P>> {
    fn identity(&self) -> Result<Identity, PortError> {
        self.lock().identity()
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), PortError> {
        self.lock().welcomed(welcome)
    }

    fn cursors(&self) -> Result<Vec<Cursor>, PortError> {
        self.lock().cursors()
    }

    fn writes(&self) -> u64 {
        self.lock().writes()
    }

    fn generation(&self) -> Result<u32, PortError> {
        self.lock().generation()
    }

    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError> {
        self.lock().outbox(ask)
    }

    fn pending(&self) -> Result<u64, PortError> {
        self.lock().pending()
    }

    fn pending_bytes(&self) -> Result<u64, PortError> {
        self.lock().pending_bytes()
    }

    fn apply_slice(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError> {
        self.lock().apply_slice(answer, applying, now_ms)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        self.lock().combined_digest()
    }

    fn is_behind(&self) -> Result<bool, PortError> {
        self.lock().is_behind()
    }

    fn catch_up(&mut self, now_ms: i64) -> Result<(), PortError> {
        self.lock().catch_up(now_ms)
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        self.lock().stream_items(stream)
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<SettledEnvelope>, PortError> {
        self.lock().settled(record)
    }

    fn absent(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, PortError> {
        self.lock().absent(ids)
    }

    fn orphaned(&mut self, parents: &BTreeSet<EnvelopeId>, now_ms: i64) -> Result<(), PortError> {
        self.lock().orphaned(parents, now_ms)
    }

    fn has_more_to_send(&self, without: &BTreeSet<EnvelopeId>) -> Result<bool, PortError> {
        self.lock().has_more_to_send(without)
    }

    fn give(&self, ask: &GiveAsk) -> Result<Handover, PortError> {
        self.lock().give(ask)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        self.lock().revocations()
    }

    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.lock().detach(stream, record, now_ms)
    }

    fn strays(&self) -> Result<Vec<RecordId>, PortError> {
        self.lock().strays()
    }

    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError> {
        self.lock().settle_stray(record, now_ms)
    }

    fn parcels(&self, bytes_max: usize, now_ms: i64) -> Result<Vec<Vec<u8>>, PortError> {
        self.lock().parcels(bytes_max, now_ms)
    }

    fn forget_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.lock().forget_parcels(answered, now_ms)
    }

    fn put_off_parcels(&mut self, parcels: &[Hash], now_ms: i64) -> Result<(), PortError> {
        self.lock().put_off_parcels(parcels, now_ms)
    }
}

impl<P: FilePort> FilePort for Arc<Shared<P>> {
    fn next_upload(&self, without: &BTreeSet<FileName>) -> Result<Option<Upload>, PortError> {
        self.lock().next_upload(without)
    }

    fn read(&self, name: &FileName, offset: u64, bytes_max: usize) -> Result<Vec<u8>, PortError> {
        self.lock().read(name, offset, bytes_max)
    }

    fn delivered(
        &mut self,
        name: &FileName,
        generation: u32,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.lock().delivered(name, generation, now_ms)
    }

    fn refused(
        &mut self,
        name: &FileName,
        code: &'static str,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.lock().refused(name, code, now_ms)
    }

    fn unconfirmed(
        &self,
        generation: u32,
        after: Option<&FileName>,
        files_max: usize,
    ) -> Result<Vec<FileName>, PortError> {
        self.lock().unconfirmed(generation, after, files_max)
    }

    fn lacking(&mut self, files: &[FileName], now_ms: i64) -> Result<(), PortError> {
        self.lock().lacking(files, now_ms)
    }

    fn next_download(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.lock().next_download(without)
    }

    fn next_wanted(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.lock().next_wanted(without)
    }

    fn arrived(
        &mut self,
        name: &FileName,
        giver: Giver,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), PortError> {
        self.lock().arrived(name, giver, offset, bytes)
    }

    fn complete(
        &mut self,
        name: &FileName,
        giver: Giver,
        generation: Option<u32>,
        now_ms: i64,
    ) -> Result<bool, PortError> {
        self.lock().complete(name, giver, generation, now_ms)
    }

    fn begin_anew(&mut self, name: &FileName) -> Result<(), PortError> {
        self.lock().begin_anew(name)
    }

    fn other_length(
        &mut self,
        name: &FileName,
        giver: Giver,
        bytes: Option<u64>,
    ) -> Result<bool, PortError> {
        self.lock().other_length(name, giver, bytes)
    }

    fn files_left(&self) -> Result<FilesLeft, PortError> {
        self.lock().files_left()
    }
}

impl<P: PeerPort> PeerPort for Arc<Shared<P>> {
    fn identity(&self) -> Result<Identity, PortError> {
        self.lock().identity()
    }

    fn adopt_keys(&mut self, list: &ServerKeys) -> Result<(), PortError> {
        self.lock().adopt_keys(list)
    }

    fn is_revoked(&self, peer: &Certificate) -> Result<bool, PortError> {
        self.lock().is_revoked(peer)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        self.lock().revocations()
    }

    fn apply_revocations(&mut self, entries: &[Vec<u8>], now_ms: i64) -> Result<(), PortError> {
        self.lock().apply_revocations(entries, now_ms)
    }

    fn shared_items(
        &self,
        peer: &Certificate,
        digests: &MeetingDigests,
    ) -> Result<Vec<StreamItem>, PortError> {
        self.lock().shared_items(peer, digests)
    }

    fn shared_ids(
        &self,
        record: &RecordId,
        peer: &Certificate,
    ) -> Result<Vec<EnvelopeId>, PortError> {
        self.lock().shared_ids(record, peer)
    }

    fn give_to_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Handover, PortError> {
        self.lock().give_to_peer(ask, peer)
    }

    fn apply_peer(
        &mut self,
        given: &Handover,
        peer: &Certificate,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError> {
        self.lock().apply_peer(given, peer, now_ms)
    }

    fn parcel_for(&self, peer: &Certificate) -> Result<Option<Parcel>, PortError> {
        self.lock().parcel_for(peer)
    }

    fn take_parcel(
        &mut self,
        parcel: &Parcel,
        from: &Certificate,
        now_ms: i64,
    ) -> Result<bool, PortError> {
        self.lock().take_parcel(parcel, from, now_ms)
    }
}

impl<P: BundlePort> BundlePort for Arc<Shared<P>> {
    fn pending_requests(&self) -> Result<Vec<PendingRequest>, PortError> {
        self.lock().pending_requests()
    }

    fn keep_requests(&mut self, requests: &[PendingRequest]) -> Result<(), PortError> {
        self.lock().keep_requests(requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A holder that asks again at once, as a sync does between two slices, lets a waiting one in first.
    #[test]
    fn waiting_holder_goes_before_one_that_returns() {
        let shared = Arc::new(Shared::new(Vec::new()));
        let mut turn = shared.lock();
        let waiting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.lock().push("write")
        });
        while shared.queue().next < 2 {
            std::hint::spin_loop();
        }
        turn.push("slice");
        drop(turn);
        shared.lock().push("slice");
        waiting.join().expect("the write ends");
        assert_eq!(*shared.lock(), ["slice", "write", "slice"]);
    }

    #[test]
    fn panic_of_one_holder_lets_the_next_in() {
        let shared = Arc::new(Shared::new(0));
        let panicking = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _turn = shared.lock();
                panic!("a bug");
            }
        });
        assert!(panicking.join().is_err());
        assert_eq!(*shared.lock(), 0);
    }
}
