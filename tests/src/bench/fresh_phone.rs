//! The phone's side of a first load, in a process of its own.

#![allow(
    clippy::print_stdout,
    reason = "the process that started it reads the lines"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::net::{Driver, Roots, Traffic};
use onegrid_core::replica::{Filter, Replica};
use onegrid_core::sync::answer::Answer;
use onegrid_core::sync::file_port::{Download, FilePort, FilesLeft, Giver, Upload};
use onegrid_core::sync::port::{
    ApplyCounts, ApplyProgress, GiveAsk, Handover, Identity, OutboxAsk, PortError, StarPort,
    StreamItem,
};
use onegrid_core::sync::shared::Shared;
use onegrid_core::trust::session::Welcome;
use onegrid_core::wire::cursor::Cursor;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::repair::SettledEnvelope;
use onegrid_core::wire::transfer::FileName;
use serde::{Deserialize, Serialize};

use super::people::wait;
use super::process;
use crate::onegrid::{OnlinePhone, way_to};

/// The usable content of the phone at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sight {
    /// Seconds since the beginning, without the time for looking.
    pub(super) seconds: f64,
    /// Bytes of HTTP both ways so far.
    pub(super) bytes: u64,
    /// Records that can be read.
    pub(super) records: u64,
    /// Open cases among them.
    pub(super) open: u64,
}

/// The figures at the end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) sight: Sight,
    /// Bytes of the certificates of authors, compressed alone by zstd at level 3.
    pub(super) certificates: u64,
    pub(super) round_trips: u32,
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    pub(super) peak_mb: f64,
}

/// Runs the process: enrols, syncs, and prints a line of JSON for each page and one for the end.
pub fn child(url: &str, code: &str) {
    wait(async {
        let way = way_to(url, Roots::default());
        let phone = OnlinePhone::enrol(code, &way).await.unwrap();
        let (watched, log) = Watched::of(&phone);
        let driver = Driver::new(watched, &way).unwrap();
        let of_driver = driver.clone();
        let traffic = move || of_driver.traffic();
        drop(log.traffic.set(Box::new(traffic)));
        let (start, cpu) = (Instant::now(), process::cpu_s());
        let report = driver.sync_once().await.unwrap();
        assert!(report.equal, "phone and server agree");
        let notes = log.notes.lock().unwrap();
        let wall_s = start.elapsed().as_secs_f64() - notes.looking_s;
        let (cpu_s, peak_mb) = (process::cpu_s() - cpu, process::peak_mb());
        let traffic = driver.traffic();
        let bytes = traffic.bytes_up + traffic.bytes_down;
        for page in &notes.pages {
            println!("{}", serde_json::to_string(page).unwrap());
        }
        let end = End {
            sight: Sight {
                seconds: wall_s,
                bytes,
                ..notes.pages.last().cloned().unwrap_or_default()
            },
            certificates: zstd::encode_all(&notes.certificates[..], 3).unwrap().len() as u64,
            round_trips: report.round_trips,
            wall_s,
            cpu_s,
            peak_mb,
        };
        println!("end {}", serde_json::to_string(&end).unwrap());
    });
}

pub(super) struct Log {
    start: Instant,
    traffic: OnceLock<Box<dyn Fn() -> Traffic + Send + Sync>>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    pages: Vec<Sight>,
    certificates: Vec<u8>,
    looking_s: f64,
}

impl Log {
    /// Returns the usable content after each answer so far.
    pub(super) fn pages(&self) -> Vec<Sight> {
        self.notes.lock().unwrap().pages.clone()
    }

    fn new() -> Self {
        Self {
            start: Instant::now(),
            traffic: OnceLock::new(),
            notes: Mutex::default(),
        }
    }
}

/// A replica that is looked at after each answer.
pub(super) struct Watched {
    replica: Arc<Shared<Replica>>,
    log: Arc<Log>,
}

impl Watched {
    /// Returns the replica of a phone, and the log of all later looks at it.
    pub(super) fn of(phone: &OnlinePhone) -> (Self, Arc<Log>) {
        let log = Arc::new(Log::new());
        let watched = Self {
            replica: phone.handle(),
            log: Arc::clone(&log),
        };
        (watched, log)
    }

    fn look(&self, answer: &Answer) {
        let looking = Instant::now();
        let mut notes = self.log.notes.lock().unwrap();
        let seconds = (looking - self.log.start).as_secs_f64() - notes.looking_s;
        let traffic = self.log.traffic.get().map(|traffic| traffic());
        let traffic = traffic.unwrap_or_default();
        let open = Filter {
            open: Some(true),
            ..Filter::default()
        };
        let replica = self.replica.lock();
        notes.pages.push(Sight {
            seconds,
            bytes: traffic.bytes_up + traffic.bytes_down,
            records: replica.count(&Filter::default()).unwrap(),
            open: replica.count(&open).unwrap(),
        });
        drop(replica);
        if let Some(page) = &answer.response().page {
            for certificate in &page.certificates {
                notes.certificates.extend_from_slice(&certificate.facts);
                notes.certificates.extend_from_slice(&certificate.signature);
            }
        }
        notes.looking_s += looking.elapsed().as_secs_f64();
    }
}

impl StarPort for Watched {
    fn identity(&self) -> Result<Identity, PortError> {
        self.replica.identity()
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), PortError> {
        self.replica.welcomed(welcome)
    }

    fn cursors(&self) -> Result<Vec<Cursor>, PortError> {
        self.replica.cursors()
    }

    fn writes(&self) -> u64 {
        self.replica.writes()
    }

    fn generation(&self) -> Result<u32, PortError> {
        self.replica.generation()
    }

    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError> {
        self.replica.outbox(ask)
    }

    fn pending(&self) -> Result<u64, PortError> {
        self.replica.pending()
    }

    fn pending_bytes(&self) -> Result<u64, PortError> {
        self.replica.pending_bytes()
    }

    fn apply_slice(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError> {
        let applied = self.replica.apply_slice(answer, applying, now_ms)?;
        if applying.is_done() {
            self.look(answer);
        }
        Ok(applied)
    }

    fn absent(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, PortError> {
        self.replica.absent(ids)
    }

    fn orphaned(&mut self, parents: &BTreeSet<EnvelopeId>, now_ms: i64) -> Result<(), PortError> {
        self.replica.orphaned(parents, now_ms)
    }

    fn has_more_to_send(&self, without: &BTreeSet<EnvelopeId>) -> Result<bool, PortError> {
        self.replica.has_more_to_send(without)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        self.replica.combined_digest()
    }

    fn is_behind(&self) -> Result<bool, PortError> {
        self.replica.is_behind()
    }

    fn catch_up(&mut self, now_ms: i64) -> Result<(), PortError> {
        self.replica.catch_up(now_ms)
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        self.replica.stream_items(stream)
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<SettledEnvelope>, PortError> {
        self.replica.settled(record)
    }

    fn give(&self, ask: &GiveAsk) -> Result<Handover, PortError> {
        self.replica.give(ask)
    }

    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError> {
        self.replica.revocations()
    }

    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.replica.detach(stream, record, now_ms)
    }

    fn strays(&self) -> Result<Vec<RecordId>, PortError> {
        self.replica.strays()
    }

    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError> {
        self.replica.settle_stray(record, now_ms)
    }

    fn parcels(&self, bytes_max: usize, now_ms: i64) -> Result<Vec<Vec<u8>>, PortError> {
        self.replica.parcels(bytes_max, now_ms)
    }

    fn forget_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.replica.forget_parcels(answered, now_ms)
    }

    fn put_off_parcels(&mut self, parcels: &[Hash], now_ms: i64) -> Result<(), PortError> {
        self.replica.put_off_parcels(parcels, now_ms)
    }
}

impl FilePort for Watched {
    fn next_upload(&self, without: &BTreeSet<FileName>) -> Result<Option<Upload>, PortError> {
        self.replica.next_upload(without)
    }

    fn read(&self, name: &FileName, offset: u64, bytes_max: usize) -> Result<Vec<u8>, PortError> {
        self.replica.read(name, offset, bytes_max)
    }

    fn delivered(
        &mut self,
        name: &FileName,
        generation: u32,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.replica.delivered(name, generation, now_ms)
    }

    fn refused(
        &mut self,
        name: &FileName,
        code: &'static str,
        now_ms: i64,
    ) -> Result<(), PortError> {
        self.replica.refused(name, code, now_ms)
    }

    fn unconfirmed(
        &self,
        generation: u32,
        after: Option<&FileName>,
        files_max: usize,
    ) -> Result<Vec<FileName>, PortError> {
        self.replica.unconfirmed(generation, after, files_max)
    }

    fn lacking(&mut self, files: &[FileName], now_ms: i64) -> Result<(), PortError> {
        self.replica.lacking(files, now_ms)
    }

    fn next_download(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.replica.next_download(without)
    }

    fn next_wanted(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.replica.next_wanted(without)
    }

    fn arrived(
        &mut self,
        name: &FileName,
        giver: Giver,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), PortError> {
        self.replica.arrived(name, giver, offset, bytes)
    }

    fn complete(
        &mut self,
        name: &FileName,
        giver: Giver,
        generation: Option<u32>,
        now_ms: i64,
    ) -> Result<bool, PortError> {
        self.replica.complete(name, giver, generation, now_ms)
    }

    fn begin_anew(&mut self, name: &FileName) -> Result<(), PortError> {
        self.replica.begin_anew(name)
    }

    fn other_length(
        &mut self,
        name: &FileName,
        giver: Giver,
        bytes: Option<u64>,
    ) -> Result<bool, PortError> {
        self.replica.other_length(name, giver, bytes)
    }

    fn files_left(&self) -> Result<FilesLeft, PortError> {
        self.replica.files_left()
    }
}
