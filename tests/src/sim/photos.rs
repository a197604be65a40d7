//! Photos of a run: people add them, phones send, fetch, remove and exchange them, over lines and
//! pipes that fail.
//!
//! ```text
//!  add ─▶ phone ── file requests, cut anywhere ──▶ server ──▶ phone of a reader
//!           └───────── meeting over a pipe ──────────────────▶ phone of a reader
//! ```
//!
//! Everything here has dice of its own, so a seed in weather without photos does what it did before
//! there were any.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::Role;
use onegrid_core::domain::case::Event;
use onegrid_core::fixtures::photo;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash};
use onegrid_core::record::{NodeBody, Record};
use onegrid_core::replica::{AttachmentInfo, AttachmentState, Replica, ReplicaError};
use onegrid_core::sync::file_port::FilePort as _;
use onegrid_core::sync::port::StarPort as _;
use onegrid_core::wire::transfer::FileName;
use onegrid_server::store::{AttachmentKey, StoreError};

use super::act::{broken, short};
use super::chance::Chance;
use super::oracle::names::Source;
use super::pipe::{self, PipeFault};
use super::reading::is_secret_to;
use super::tally::Tally;
use super::trouble::pair;
use super::world::{Part, World};
use crate::town::files::{FileFault, FileTurn};
use crate::town::{Fault, Met, Turn};

/// Bytes of photos, with their weights. The largest takes two segments of a sealed file.
const SIZES: [(usize, usize); 4] = [(64, 6), (700, 5), (5_000, 3), (70_000, 1)];
/// Bytes of a meeting after which its pipe may break.
const BREAK_BYTES_MAX: usize = 12_000;

/// One action with photos.
#[derive(Debug, Clone, Copy)]
enum Action {
    Attach,
    Transfer,
    Want,
    Storage,
    Pipe,
    CleanUp,
    Pry,
}

const ACTIONS: [(Action, usize); 7] = [
    (Action::Attach, 10),
    (Action::Transfer, 12),
    (Action::Want, 8),
    (Action::Storage, 3),
    (Action::Pipe, 8),
    (Action::CleanUp, 1),
    (Action::Pry, 2),
];

/// A photo that a person added to a record.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The phone that described it.
    pub device: DeviceId,
}

/// The photos of a run.
#[derive(Debug)]
pub struct Album {
    /// The dice of everything with photos.
    pub dice: Chance,
    /// All photos that records describe.
    pub photos: BTreeMap<FileName, Photo>,
    /// Photos that some server had.
    pub served: BTreeSet<FileName>,
    /// Photos that a restored server had lost.
    pub lost: BTreeSet<FileName>,
    /// Counts.
    pub tally: Tally,
}

impl Album {
    /// Makes the dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Chance::new(seed.rotate_left(32) ^ 0x0070_686f_746f_7300),
            photos: BTreeMap::new(),
            served: BTreeSet::new(),
            lost: BTreeSet::new(),
            tally: Tally::default(),
        }
    }
}

/// The name of a photo on the server.
#[must_use]
pub fn key_of(name: &FileName) -> AttachmentKey {
    AttachmentKey {
        record: name.record,
        id: name.id,
    }
}

/// The description of a photo by this device.
fn description(record: &Record, id: Hash, device: DeviceId) -> Option<EnvelopeId> {
    let mut nodes = record.nodes().iter();
    let found = nodes.find(|node| node.author == device && describes(&node.body, id));
    found.map(|node| node.id)
}

/// Whether an envelope describes this photo.
#[must_use]
pub fn describes(body: &NodeBody, id: Hash) -> bool {
    match body {
        NodeBody::Event { event, .. } => {
            matches!(&**event, Event::Attach(attach) if attach.id == id)
        }
        _ => false,
    }
}

impl World {
    /// Lets something happen with photos, if the weather has any.
    pub fn photo_step(&mut self) -> Result<(), String> {
        if !self.album.dice.ever(self.weather.photos) {
            return Ok(());
        }
        let who = self.album.dice.below(self.people.len());
        match self.album.dice.weighted(&ACTIONS) {
            Action::Attach => self.adds_photo(who)?,
            Action::Transfer => self.transfers(who)?,
            Action::Want => self.wants_photo(who)?,
            Action::Storage => self.is_short_of_storage(who)?,
            Action::Pipe => self.meets_over_pipe(who)?,
            Action::CleanUp => self.server_cleans_up()?,
            Action::Pry => self.pries(who)?,
        }
        self.photos_stay(who)
    }

    fn adds_photo(&mut self, who: usize) -> Result<(), String> {
        if self.people[who].part != Part::Honest {
            return Ok(());
        }
        let records = self.records_of(who)?;
        let Some(record) = self.album.dice.pick(&records) else {
            return Ok(());
        };
        let length = self.album.dice.weighted(&SIZES);
        let bytes = photo(length, self.album.dice.bytes::<1>()[0]);
        let phone = &mut self.people[who].phone;
        let now_ms = phone.clock_ms(&self.town);
        let added = phone.replica().add_attachment(&bytes, now_ms);
        let id = added.map_err(|error| broken("add", &error))?.id;
        let done = phone.replica().attach(record, id, now_ms);
        match done {
            Ok(()) => {
                let loaded = phone.replica().load(record);
                let loaded = loaded.map_err(|error| broken("load", &error))?;
                let device = phone.device();
                let envelope = loaded.and_then(|loaded| description(&loaded, id, device));
                let envelope = envelope.ok_or("a photo that was added is not described")?;
                self.describes_photo(who, FileName { record, id }, bytes);
                self.said(who, record, envelope, String::new(), "photo");
                Ok(())
            }
            Err(ReplicaError::NotAllowed(code) | ReplicaError::BadContent(code)) => {
                let removed = phone.replica().remove_staged(id);
                removed.map_err(|error| broken("remove", &error))?;
                let name = phone.name.clone();
                self.note(&format!("{name} photo: {code}"));
                Ok(())
            }
            Err(ReplicaError::NeedsNewerApp) => {
                let removed = phone.replica().remove_staged(id);
                removed.map_err(|error| broken("remove", &error))
            }
            Err(error) => Err(broken("attach", &error)),
        }
    }

    /// Notes a photo that a record describes now.
    pub fn describes_photo(&mut self, who: usize, name: FileName, bytes: Vec<u8>) {
        if self.weather.photos == 0 {
            return;
        }
        let device = self.people[who].phone.device();
        self.album.photos.insert(name, Photo { bytes, device });
        self.album.tally.added += 1;
        self.people[who].photos.insert(name);
    }

    /// Runs a few turns of a sync and of a transfer, over a line that may fail in every way.
    fn transfers(&mut self, who: usize) -> Result<(), String> {
        let is_bad = self.album.dice.one_in(2);
        let name = self.people[who].phone.name.clone();
        let before = self.photos_on(who)?;
        for _ in 0..4 + self.album.dice.below(30) {
            let fault = if is_bad && self.album.dice.one_in(3) {
                self.file_fault()
            } else {
                FileFault::None
            };
            let turn = self.people[who].phone.file_turn(&mut self.town, fault);
            self.note(&format!("{name} file {fault:?} -> {turn:?}"));
            match turn {
                FileTurn::Done => break,
                FileTurn::Waits(_) => self.people[who].phone.begin_files(false),
                FileTurn::Syncs(_) => {
                    let before = self.names_shown(who)?;
                    let is_synced = self.syncs_for_files(who)?;
                    self.learned_no_name(who, before, Source::Server)?;
                    if !is_synced {
                        break;
                    }
                }
                FileTurn::Answered { .. } => {}
                FileTurn::Lost => self.album.tally.cut += 1,
                FileTurn::Failed(code) => self.file_may_fail(who, &code)?,
            }
        }
        let after = self.photos_on(who)?;
        self.album.tally.fetched += count(after.difference(&before).count());
        self.look_at_server()?;
        self.photos_are_true(who)
    }

    /// Syncs records as the transfer asks; returns whether the phone is in step.
    fn syncs_for_files(&mut self, who: usize) -> Result<bool, String> {
        for _ in 0..60 {
            let turn = self.people[who].phone.turn(&mut self.town, Fault::None);
            match turn {
                Turn::Done(_) => return Ok(true),
                Turn::Waits => self.people[who].phone.wake(),
                Turn::Answered => self.count_receipts(who)?,
                Turn::Awaited | Turn::Lost => {}
                Turn::Failed(code) => {
                    self.may_fail(who, Fault::None, &code)?;
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }

    fn file_fault(&mut self) -> FileFault {
        let dice = &mut self.album.dice;
        match dice.below(11) {
            0 => FileFault::RequestLost,
            1..4 => FileFault::Cut(dice.below(80_000)),
            4 => FileFault::AnswerLost,
            5 | 6 => FileFault::CutAnswer(dice.below(80_000)),
            7 => FileFault::Flip(dice.below(600_000)),
            8 => FileFault::Stale,
            9 => FileFault::ServerCrash,
            _ => FileFault::PhoneCrash,
        }
    }

    /// Checks that an error is no fault of the server or a replica.
    fn file_may_fail(&self, who: usize, code: &str) -> Result<(), String> {
        let inside = ["server.", "store.", "replica.", "http.busy"];
        if inside.iter().any(|start| code.starts_with(start)) {
            return Err(format!(
                "{}: {code} about a photo",
                self.people[who].phone.name
            ));
        }
        Ok(())
    }

    fn wants_photo(&mut self, who: usize) -> Result<(), String> {
        let names: Vec<FileName> = self.album.photos.keys().copied().collect();
        let mut absent = Vec::new();
        for name in names {
            let info = info(self.people[who].phone.replica(), &name)?;
            if info.is_some_and(|info| info.state == AttachmentState::Absent) {
                absent.push(name);
            }
        }
        let Some(name) = self.album.dice.pick(&absent) else {
            return Ok(());
        };
        let phone = &mut self.people[who].phone;
        let wanted = phone.replica().want_attachment(name.record, name.id);
        wanted.map_err(|error| broken("want", &error))?;
        let whose = phone.name.clone();
        self.note(&format!("{whose} wants a photo of {}", short(&name.record)));
        Ok(())
    }

    /// The phone is short of storage, so it removes photos that the server has.
    fn is_short_of_storage(&mut self, who: usize) -> Result<(), String> {
        let before = self.photos_on(who)?;
        let is_low = self.album.dice.one_in(2);
        let bytes = if self.album.dice.one_in(2) {
            u64::MAX
        } else {
            1_000
        };
        let replica = self.people[who].phone.replica();
        replica.set_low_storage(is_low);
        let freed = replica.free_space(bytes);
        let freed = freed.map_err(|error| broken("free", &error))?;
        let after = self.photos_on(who)?;
        let is_up_to_date = self.follows_server(who)?;
        for name in before.difference(&after) {
            self.album.tally.freed += 1;
            if is_up_to_date && !self.is_on_server(name)? {
                let whose = &self.people[who].phone.name;
                return Err(format!("{whose} removed {} that no server has", name.id));
            }
        }
        let whose = self.people[who].phone.name.clone();
        self.note(&format!("{whose} frees {freed}, low: {is_low}"));
        Ok(())
    }

    fn server_cleans_up(&mut self) -> Result<(), String> {
        for _ in 0..=self.album.dice.below(300) {
            let done = self.town.blobs().clean_up(self.town.now_ms);
            let done = done.map_err(|problem| format!("clean up: {}", problem.code()))?;
            if done.files > 0 {
                self.note(&format!("server removes {} photos", done.files));
            }
        }
        self.look_at_server()
    }

    /// A person asks the server for a photo of a record that is not for them.
    fn pries(&mut self, who: usize) -> Result<(), String> {
        let names: Vec<FileName> = self.album.photos.keys().copied().collect();
        let Some(name) = self.album.dice.pick(&names) else {
            return Ok(());
        };
        let phone = &mut self.people[who].phone;
        let device = phone.device();
        let facts = phone.replica().certificate().map(|own| own.facts().clone());
        let facts = facts.ok_or("a phone that is not enrolled")?;
        let truth = self.truth()?;
        let Some(record) = truth.get(&name.record) else {
            return Ok(());
        };
        let authored = record
            .nodes()
            .iter()
            .any(|node| node.author == device && describes(&node.body, name.id));
        // The office may have moved the person to another unit since, so all units count.
        let units = ["gas-company", "urban-management", "wulin-aunties"];
        let units = units.map(|unit| self.town.places.unit(unit));
        let room = facts
            .grants
            .iter()
            .any(|grant| grant.role == Role::Dispatcher);
        let is_secret = record
            .state()
            .is_some_and(|state| is_secret_to(state, facts.member, &units));
        if room || authored || !is_secret {
            return Ok(());
        }
        self.album.tally.pried += 1;
        let (blobs, key, now_ms) = (self.town.blobs(), key_of(&name), self.town.now_ms);
        let whose = &self.people[who].phone.name;
        if blobs.open_file(device, key, now_ms).is_ok() {
            return Err(format!("{whose} may fetch {} of a secret record", name.id));
        }
        if blobs
            .needed(device, &[key], now_ms)
            .is_ok_and(|places| !places.is_empty())
        {
            return Err(format!("{whose} learns that the server lacks {}", name.id));
        }
        let bytes = self.album.photos[&name].bytes.len() as u64;
        match blobs.begin(device, key, bytes, now_ms) {
            Err(problem) if problem.code() != "attachment.not_described" => {
                // A revoked phone has a refusal of its own.
                let code = problem.code();
                if code.starts_with("session.") {
                    return Ok(());
                }
                Err(format!("{whose} learns {code} of {}", name.id))
            }
            Err(_) => Ok(()),
            Ok(_) => Err(format!("{whose} may send {} of a secret record", name.id)),
        }
    }

    fn meets_over_pipe(&mut self, who: usize) -> Result<(), String> {
        let other = self.album.dice.below(self.people.len());
        if other == who {
            return Ok(());
        }
        let at = self.album.dice.below(BREAK_BYTES_MAX);
        let fault = match self.album.dice.below(6) {
            0..3 => PipeFault::None,
            3 | 4 => PipeFault::Break(at),
            _ => PipeFault::Alter(at),
        };
        let sights = self.before_meeting(who, other)?;
        let (here, there) = pair(&mut self.people, who, other);
        let dice = &mut self.album.dice;
        let meeting = pipe::meet(&mut here.phone, &mut there.phone, &self.town, fault, dice);
        let line = format!(
            "{} meets {} over a pipe, {fault:?}: {:?}",
            here.phone.name, there.phone.name, meeting.met
        );
        self.note(&line);
        let tally = &mut self.album.tally;
        for report in [meeting.caller, meeting.listener] {
            tally.exchanged += report.files_taken;
            tally.parcels += u32::from(report.parcel_taken);
        }
        match (&meeting.met, fault) {
            (Met::Whole(..), _) => tally.meetings += 1,
            (_, PipeFault::None) => {}
            (_, PipeFault::Break(_) | PipeFault::Alter(_)) => tally.broken += 1,
        }
        if meeting.is_altered && matches!(meeting.met, Met::Whole(..)) {
            return Err(format!("an altered meeting came to its end: {line}"));
        }
        // A phone that is carried away may also be switched off.
        if meeting.met == Met::Parted && self.album.dice.one_in(2) {
            let phone = &mut self.people[other].phone;
            phone.crash();
            let reopened = phone.try_reopen();
            reopened.map_err(|error| broken("reopen", &error))?;
            self.still_saved(other)?;
        }
        self.after_meeting(who, other, sights, &meeting.met, &line)?;
        for person in [who, other] {
            self.photos_are_true(person)?;
        }
        self.photos_stay(other)
    }

    /// Notes the photos that the server has now, and compares the bytes of new ones.
    pub fn look_at_server(&mut self) -> Result<(), String> {
        for name in self.photos_on_server()? {
            if self.album.served.insert(name) {
                self.album.tally.served += 1;
                self.equals_on_server(&name)?;
            }
            if self.album.lost.remove(&name) {
                self.album.tally.given_back += 1;
            }
        }
        Ok(())
    }

    /// Checks that the phone has each own photo that no server ever had.
    pub fn photos_stay(&mut self, who: usize) -> Result<(), String> {
        let person = &mut self.people[who];
        for name in person.photos.difference(&self.album.served) {
            let read = read(person.phone.replica(), name);
            let whose = &person.phone.name;
            match read {
                Ok(bytes) if bytes == self.album.photos[name].bytes => {}
                Ok(_) => return Err(format!("{whose} has another photo for {}", name.id)),
                Err(code) => return Err(format!("{whose} has lost the photo {}: {code}", name.id)),
            }
        }
        Ok(())
    }

    /// Checks each photo on a phone: its bytes, its receipt, and that the phone has its record.
    pub fn photos_are_true(&mut self, who: usize) -> Result<(), String> {
        let is_up_to_date = self.follows_server(who)?;
        let records = self.shown_to(who)?;
        let names: Vec<FileName> = self.album.photos.keys().copied().collect();
        for name in names {
            let phone = &mut self.people[who].phone;
            let Some(info) = info(phone.replica(), &name)? else {
                continue;
            };
            let (whose, device) = (phone.name.clone(), phone.device());
            let is_own = self.album.photos[&name].device == device;
            if !is_own && !records.contains(&name.record) {
                return Err(format!("{whose} shows {} without its record", name.id));
            }
            if let Ok(bytes) = read(phone.replica(), &name)
                && bytes != self.album.photos[&name].bytes
            {
                return Err(format!("{whose} has other bytes for {}", name.id));
            }
            if info.is_confirmed && is_up_to_date && !self.is_on_server(&name)? {
                return Err(format!(
                    "{whose} has a receipt for {}, no server has it",
                    name.id
                ));
            }
        }
        Ok(())
    }

    /// The photos that a phone can show.
    pub fn photos_on(&mut self, who: usize) -> Result<BTreeSet<FileName>, String> {
        let replica = self.people[who].phone.replica();
        let names = self.album.photos.keys();
        Ok(names
            .filter(|name| read(replica, name).is_ok())
            .copied()
            .collect())
    }

    fn follows_server(&mut self, who: usize) -> Result<bool, String> {
        let generation = self.people[who].phone.replica().generation();
        let generation = generation.map_err(|error| error.code.to_owned())?;
        Ok(generation == self.town.generation)
    }

    /// The photos with a row on the server.
    pub fn photos_on_server(&self) -> Result<Vec<FileName>, String> {
        let rows = self
            .town
            .store()
            .read::<_, StoreError>(|tx| tx.attachment_files(None, 10_000));
        let rows = rows.map_err(|error| error.to_string())?;
        let names = rows.into_iter().map(|row| FileName {
            record: row.key.record,
            id: row.key.id,
        });
        Ok(names.collect())
    }

    /// Whether the server has a photo, row and bytes.
    pub fn is_on_server(&self, name: &FileName) -> Result<bool, String> {
        let key = key_of(name);
        let row = self
            .town
            .store()
            .read::<_, StoreError>(|tx| tx.attachment_file(key));
        let row = row.map_err(|error| error.to_string())?;
        let Some(row) = row else { return Ok(false) };
        let bytes = self.town.photo_files().read(key, row.bytes);
        Ok(bytes.map_err(|error| error.to_string())?.is_some())
    }

    /// Checks the bytes of a photo on the server.
    pub fn equals_on_server(&self, name: &FileName) -> Result<(), String> {
        let Some(photo) = self.album.photos.get(name) else {
            return Err(format!("the server has {}, which nobody added", name.id));
        };
        let bytes = photo.bytes.len() as u64;
        let read = self.town.photo_files().read(key_of(name), bytes);
        if read.map_err(|error| error.to_string())?.as_ref() != Some(&photo.bytes) {
            return Err(format!("the server has other bytes for {}", name.id));
        }
        Ok(())
    }

    /// Transfers photos without faults; returns whether none moved.
    pub fn rests_with_photos(&mut self, who: usize) -> Result<bool, String> {
        let name = self.people[who].phone.name.clone();
        let (mut is_quiet, mut failures) = (true, 0);
        for _ in 0..400 {
            let person = &mut self.people[who];
            match person.phone.file_turn(&mut self.town, FileFault::None) {
                FileTurn::Done => break,
                FileTurn::Waits(_) | FileTurn::Lost if failures > 20 => {
                    return Err(format!("{name}: photos wait without end"));
                }
                FileTurn::Waits(_) => {
                    failures += 1;
                    person.phone.begin_files(false);
                }
                FileTurn::Syncs(_) => {
                    failures += 1;
                    let synced = person.phone.try_sync(&mut self.town);
                    if failures > 20 || synced.is_err() {
                        return Err(format!("{name} cannot sync for photos: {synced:?}"));
                    }
                    is_quiet = false;
                }
                FileTurn::Answered { moved } => is_quiet &= !moved,
                FileTurn::Lost => failures += 1,
                FileTurn::Failed(code) => {
                    self.file_may_fail(who, &code)?;
                    failures += 1;
                }
            }
        }
        self.look_at_server()?;
        self.photos_stay(who)?;
        self.photos_are_true(who)?;
        if !is_quiet {
            self.note(&format!("{name} rests with photos"));
        }
        Ok(is_quiet)
    }
}

fn count(photos: usize) -> u32 {
    u32::try_from(photos).expect("a run has few photos")
}

/// The row of a photo of a record.
pub fn info(replica: &Replica, name: &FileName) -> Result<Option<AttachmentInfo>, String> {
    let info = replica.attachment(Some(name.record), name.id);
    info.map_err(|error| broken("look at a photo", &error))
}

/// The bytes of a photo that is here; the error is a code.
pub fn read(replica: &Replica, name: &FileName) -> Result<Vec<u8>, &'static str> {
    let read = replica.read(name, 0, 1 << 20);
    read.map_err(|error| error.code)
}
