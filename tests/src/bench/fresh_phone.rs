//! The phone's side of a first load, in a process of its own.

#![allow(
    clippy::print_stdout,
    reason = "the process that started it reads the lines"
)]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::RecordId;
use onegrid_core::net::{Driver, Roots, Traffic};
use onegrid_core::replica::{Filter, Replica};
use onegrid_core::sync::answer::Answer;
use onegrid_core::sync::port::StreamItem;
use onegrid_core::sync::port::{Applied, GiveAsk, Given, Identity, OutboxAsk, PortError, StarPort};
use onegrid_core::trust::session::SessionGrant;
use onegrid_core::wire::cursor::Cursor;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::repair::Settled;
use serde::{Deserialize, Serialize};

use super::people::wait;
use super::process;
use crate::onegrid::{Phone, way_to};

/// What is usable on the phone at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sight {
    /// Since the beginning, looking not counted.
    pub(super) seconds: f64,
    /// Bytes of HTTP both ways so far.
    pub(super) bytes: u64,
    /// Records that can be read.
    pub(super) records: u64,
    /// Open cases among them.
    pub(super) open: u64,
}

/// How it ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) sight: Sight,
    /// Bytes of the certificates of authors, by themselves under zstd at level 3.
    pub(super) certificates: u64,
    pub(super) round_trips: u32,
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    pub(super) peak_mb: f64,
}

/// The process: enrols, syncs, prints a line of JSON for each page and one for the end.
pub fn child(url: &str, code: &str) {
    wait(async {
        let way = way_to(url, Roots::default());
        let phone = Phone::enrol(code, &way).await.unwrap();
        let watched = Watched {
            replica: phone.handle(),
            log: Arc::new(Log::new()),
        };
        let log = Arc::clone(&watched.log);
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

struct Log {
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
    fn new() -> Self {
        Self {
            start: Instant::now(),
            traffic: OnceLock::new(),
            notes: Mutex::default(),
        }
    }
}

/// A replica that is looked at after each answer.
struct Watched {
    replica: Arc<Mutex<Replica>>,
    log: Arc<Log>,
}

impl Watched {
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
        let replica = self.replica.lock().unwrap();
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

    fn welcomed(&mut self, grant: &SessionGrant) -> Result<(), PortError> {
        self.replica.welcomed(grant)
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

    fn apply(&mut self, answer: &Answer, now_ms: i64) -> Result<Applied, PortError> {
        let applied = self.replica.apply(answer, now_ms)?;
        self.look(answer);
        Ok(applied)
    }

    fn combined_digest(&self) -> Result<Digest, PortError> {
        self.replica.combined_digest()
    }

    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError> {
        self.replica.stream_items(stream)
    }

    fn settled(&self, record: &RecordId) -> Result<Vec<Settled>, PortError> {
        self.replica.settled(record)
    }

    fn give(&self, ask: &GiveAsk) -> Result<Given, PortError> {
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
}
